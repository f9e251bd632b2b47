package ecs

import (
	"context"
	"iter"
	"slices"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// describeTasks shows tasks of one cluster, stopped ones as long as they are kept (SEMANTICS §2.5).
func (a *api) describeTasks(ctx context.Context, in *sdk.DescribeTasksInput) (*sdk.DescribeTasksOutput, error) {
	who, err := principal(ctx)
	if err != nil {
		return nil, err
	}
	if err := checkBatch("Tasks", len(in.Tasks), 100); err != nil {
		return nil, err
	}
	t := a.DB.Snapshot().Tables
	c, err := findCluster(t, who.Scope(), in.Cluster)
	if err != nil {
		return nil, err
	}
	tags := slices.Contains(in.Include, types.TaskFieldTags)
	out := &sdk.DescribeTasksOutput{Tasks: []types.Task{}, Failures: []types.Failure{}}
	for _, ref := range in.Tasks {
		task, m, err := findTask(t, c, ref)
		switch {
		case err != nil:
			return nil, err
		case task == nil:
			out.Failures = append(out.Failures, missing(m.arn(model.TaskARN, c)))
		default:
			out.Tasks = append(out.Tasks, viewTask(t, task, tags))
		}
	}
	return out, nil
}

// listTasks lists a cluster's tasks by filters that are AND-ed (SEMANTICS §2.5, MISSION trap 24).
func (a *api) listTasks(ctx context.Context, in *sdk.ListTasksInput) (*sdk.ListTasksOutput, error) {
	who, err := principal(ctx)
	if err != nil {
		return nil, err
	}
	t := a.DB.Snapshot().Tables
	c, err := findCluster(t, who.Scope(), in.Cluster)
	if err != nil {
		return nil, err
	}
	f, err := newTaskFilter(t, c, in)
	if err != nil {
		return nil, err
	}
	p, err := newPager("ListTasks", []string{c.Account, c.Region, c.Name, f.desired, f.instance, f.family, f.startedBy, f.launchType, f.service},
		100, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	for task := range f.candidates(t, c, p.start()) {
		if f.match(task) && !p.add(task.ID, task.ARN()) {
			break
		}
	}
	return &sdk.ListTasksOutput{TaskArns: p.out, NextToken: p.next}, nil
}

// taskFilter is what ListTasks looks for; empty members match everything.
type taskFilter struct {
	desired, instance, family, startedBy, launchType, service string
}

func newTaskFilter(t *state.Tables, c *model.Cluster, in *sdk.ListTasksInput) (*taskFilter, error) {
	f := &taskFilter{desired: model.TaskRunning, family: value(in.Family), startedBy: value(in.StartedBy), launchType: string(in.LaunchType)}
	switch in.DesiredStatus {
	case "", types.DesiredStatusRunning:
	case types.DesiredStatusStopped, types.DesiredStatusPending: // PENDING is nobody's desired status: matches nothing [D]
		f.desired = string(in.DesiredStatus)
	default:
		return nil, invalid("Invalid desiredStatus '%s'.", in.DesiredStatus) // [I]
	}
	switch {
	case f.startedBy != "" && (f.family != "" || f.launchType != "" || in.ContainerInstance != nil || in.ServiceName != nil):
		return nil, invalid("startedBy cannot be combined with other filters.") // [I]; the rule is [D]
	case f.launchType != "" && !slices.Contains(in.LaunchType.Values(), in.LaunchType):
		return nil, invalid("Invalid launchType '%s'.", in.LaunchType) // [I]
	case value(in.DaemonName) != "":
		return nil, model.Errorf("DaemonNotFoundException", "Daemon not found.") // [I]
	}
	if value(in.ContainerInstance) != "" {
		i, err := mustInstance(t, c, *in.ContainerInstance)
		if err != nil {
			return nil, err
		}
		f.instance = i.ID
	}
	if value(in.ServiceName) != "" {
		s, err := mustService(t, c, in.ServiceName)
		if err != nil {
			return nil, err
		}
		f.service = s.Name
	}
	return f, nil
}

// candidates yields the tasks from a place in the id order on that may match: those wanted RUNNING on one instance, or of one
// service, are all in an index.
func (f *taskFilter) candidates(t *state.Tables, c *model.Cluster, after string) iter.Seq[*model.Task] {
	if f.instance != "" && f.desired == model.TaskRunning {
		return t.TasksOn(model.InstanceKey(c.Scope, c.Name, f.instance))
	}
	if f.service != "" && f.desired == model.TaskRunning {
		return t.TasksOfService(model.ServiceKey(c.Scope, c.Name, f.service)) // by age, which is the order of ids
	}
	prefix := c.Scope.Key(c.Name, "")
	return t.Tasks.From(prefix, prefix+after)
}

func (f *taskFilter) match(t *model.Task) bool {
	return t.Desired == f.desired &&
		(f.instance == "" || t.Instance == f.instance && t.LaunchType != string(types.LaunchTypeFargate)) &&
		(f.family == "" || strings.HasPrefix(t.Definition, f.family+":")) &&
		(f.startedBy == "" || t.StartedBy == f.startedBy) &&
		(f.launchType == "" || t.LaunchType == f.launchType) &&
		(f.service == "" || t.Service() == f.service)
}
