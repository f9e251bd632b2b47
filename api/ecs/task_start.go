package ecs

import (
	"context"

	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/scheduler"
	"github.com/roadstead/roadstead/state"
)

// startTask starts one copy on each of the named instances: strategies do not count, resources and attributes do
// (SEMANTICS §2.3).
func (a *api) startTask(ctx context.Context, in *sdk.StartTaskInput) (*sdk.StartTaskOutput, error) {
	who, err := principal(ctx)
	if err != nil {
		return nil, err
	}
	if err := checkBatch("Container instances", len(in.ContainerInstances), 10); err != nil {
		return nil, err
	}
	t := a.DB.Snapshot().Tables
	c, err := activeCluster(t, who.Scope(), in.Cluster)
	if err != nil {
		return nil, err
	}
	p, err := a.newPlan(t, c, &order{definition: in.TaskDefinition, overrides: in.Overrides, network: in.NetworkConfiguration,
		volumes: in.VolumeConfigurations, group: in.Group, startedBy: in.StartedBy, tags: in.Tags, propagate: in.PropagateTags,
		managedTags: in.EnableECSManagedTags, exec: in.EnableExecuteCommand}, string(types.LaunchTypeEc2))
	if err != nil {
		return nil, err
	}
	p.request.Count = 1
	copies := a.copies(p, len(in.ContainerInstances))
	var placed []*model.Task
	var failures []types.Failure
	err = a.update(ctx, func(tx *state.Tx) error {
		placed, failures = nil, []types.Failure{}
		if err := p.valid(tx); err != nil {
			return err
		}
		for n, ref := range in.ContainerInstances {
			task, fail, err := p.start(tx, copies[n], ref)
			switch {
			case err != nil:
				return err
			case task == nil:
				failures = append(failures, fail)
			default:
				placed = append(placed, task)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	t = a.DB.Snapshot().Tables
	out := &sdk.StartTaskOutput{Tasks: []types.Task{}, Failures: failures}
	for _, task := range placed {
		out.Tasks = append(out.Tasks, viewTask(t, task, true))
	}
	return out, nil
}

// start puts one copy on the instance, or says why not.
func (p *plan) start(tx *state.Tx, t model.Task, ref string) (*model.Task, types.Failure, error) {
	i, m, err := findInstance(tx.Tables, p.cluster, ref)
	switch {
	case err != nil:
		return nil, types.Failure{}, err
	case i == nil:
		return nil, missing(m.arn(model.InstanceARN, p.cluster)), nil
	case i.Status == model.InstanceInactive:
		return nil, failure(i.ARN(), "INACTIVE", ""), nil
	}
	at, why, ok := scheduler.Start(scheduler.Head(tx), p.request, i.Key())
	if !ok {
		return nil, failure(i.ARN(), why.Reason, why.Detail), nil
	}
	if _, external := i.Attribute(attrExternal); external {
		t = t.Relaunched(func(l *model.Launch) { l.LaunchType = string(types.LaunchTypeExternal) })
	}
	t = p.settle(t, at)
	tx.Tasks.Put(&t)
	return &t, types.Failure{}, nil
}

// stopTask asks for one task to be stopped; a task that is stopping or stopped is shown as it is (SEMANTICS §2.5).
func (a *api) stopTask(ctx context.Context, in *sdk.StopTaskInput) (*sdk.StopTaskOutput, error) {
	who, err := principal(ctx)
	if err != nil {
		return nil, err
	}
	reason := "Task stopped by user" // [O]
	if value(in.Reason) != "" {
		reason = *in.Reason
	}
	now := a.nowMillis()
	var row model.Task
	err = a.update(ctx, func(tx *state.Tx) error {
		c, err := findCluster(tx.Tables, who.Scope(), in.Cluster)
		if err != nil {
			return err
		}
		have, _, err := findTask(tx.Tables, c, value(in.Task))
		switch {
		case err != nil:
			return err
		case have == nil:
			return errNoTask()
		}
		stopped, changed := have.Stop(model.StopUserInitiated, reason, now)
		if changed {
			tx.Tasks.Put(&stopped)
		}
		row = stopped
		return nil
	})
	if err != nil {
		return nil, err
	}
	v := viewTask(a.DB.Snapshot().Tables, &row, true)
	return &sdk.StopTaskOutput{Task: &v}, nil
}
