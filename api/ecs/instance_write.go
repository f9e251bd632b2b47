package ecs

import (
	"context"
	"slices"

	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// deregisterInstance takes an instance out of its cluster. Its tasks stop it from going unless force is given; then they
// are lost, for nobody will report of them any more (SEMANTICS §2.3).
func (a *api) deregisterInstance(ctx context.Context, in *sdk.DeregisterContainerInstanceInput) (*sdk.DeregisterContainerInstanceOutput, error) {
	who, err := principal(ctx)
	if err != nil {
		return nil, err
	}
	now := a.nowMillis()
	var row model.Instance
	err = a.DB.Update(ctx, func(tx *state.Tx) error {
		c, err := clusterOfNodes(tx.Tables, who.Scope(), in.Cluster)
		if err != nil {
			return err
		}
		have, err := mustFind(findNode(tx.Tables, c, value(in.ContainerInstance)))
		if err != nil {
			return err
		}
		row = *have
		if row.Status == model.InstanceInactive {
			return nil
		}
		if err := loseTasks(tx, have, value(in.Force), now); err != nil {
			return err
		}
		row.Status, row.AgentConnected = model.InstanceInactive, false
		row.Version++
		changed := row
		tx.Instances.Put(&changed)
		return nil
	})
	if err != nil {
		return nil, err
	}
	v := viewInstance(a.DB.Snapshot().Tables, &row, instanceDetail{tags: true})
	return &sdk.DeregisterContainerInstanceOutput{ContainerInstance: &v}, nil
}

// loseTasks ends the tasks of an instance that goes away.
func loseTasks(tx *state.Tx, i *model.Instance, force bool, now model.Millis) error {
	tasks := slices.Collect(tx.TasksOn(i.Key())) // losing one takes it out of the index
	if len(tasks) > 0 && !force {
		return invalid("Found running tasks on the instance.") // [O]
	}
	for _, t := range tasks {
		if lost, changed := t.Lose(i.Gone(), now); changed {
			tx.Tasks.Put(&lost)
		}
	}
	return nil
}

// updateInstancesState drains instances, or takes them back (SEMANTICS §2.3, §8.9).
func (a *api) updateInstancesState(ctx context.Context, in *sdk.UpdateContainerInstancesStateInput) (*sdk.UpdateContainerInstancesStateOutput, error) {
	who, err := principal(ctx)
	if err != nil {
		return nil, err
	}
	if in.Status != types.ContainerInstanceStatusActive && in.Status != types.ContainerInstanceStatusDraining {
		return nil, invalid("Container instance status should be one of [ACTIVE, DRAINING]") // [O]
	}
	if err := checkBatch("Container instances", len(in.ContainerInstances), 10); err != nil {
		return nil, err
	}
	var rows []*model.Instance
	var failures []types.Failure
	err = a.DB.Update(ctx, func(tx *state.Tx) error {
		rows, failures = nil, []types.Failure{}
		c, err := clusterOfNodes(tx.Tables, who.Scope(), in.Cluster)
		if err != nil {
			return err
		}
		for _, ref := range in.ContainerInstances {
			have, m, err := findNode(tx.Tables, c, ref)
			switch {
			case err != nil:
				return err
			case have == nil:
				failures = append(failures, missing(m.arn(model.InstanceARN, c)))
				continue
			case have.Status == model.InstanceInactive:
				failures = append(failures, failure(have.ARN(), "INACTIVE", ""))
				continue
			}
			row := *have
			if row.Status != string(in.Status) {
				row.Status = string(in.Status)
				row.Version++
				tx.Instances.Put(&row)
			}
			rows = append(rows, &row)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	t := a.DB.Snapshot().Tables
	out := &sdk.UpdateContainerInstancesStateOutput{ContainerInstances: []types.ContainerInstance{}, Failures: failures}
	for _, i := range rows {
		out.ContainerInstances = append(out.ContainerInstances, viewInstance(t, i, instanceDetail{}))
	}
	return out, nil
}

// updateAgent never has an update: agents are updated with the machines they run on (SEMANTICS §2.3).
func (a *api) updateAgent(ctx context.Context, in *sdk.UpdateContainerAgentInput) (*sdk.UpdateContainerAgentOutput, error) {
	who, err := principal(ctx)
	if err != nil {
		return nil, err
	}
	t := a.DB.Snapshot().Tables
	c, err := activeCluster(t, who.Scope(), in.Cluster)
	if err != nil {
		return nil, err
	}
	i, err := mustInstance(t, c, value(in.ContainerInstance))
	switch {
	case err != nil:
		return nil, err
	case i.AgentVersion == "":
		return nil, model.Errorf("MissingVersionException",
			"Amazon ECS is unable to determine the current version of the Amazon ECS container agent on the container instance.") // [D]
	}
	return nil, model.Errorf("NoUpdateAvailableException", "There is no update available for this Amazon ECS container agent.") // [D]
}
