package ecs

import (
	"context"
	"slices"

	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
)

// describeTaskSets shows task sets of a service, all of them if none is named (SEMANTICS §2.7).
func (a *api) describeTaskSets(ctx context.Context, in *sdk.DescribeTaskSetsInput) (*sdk.DescribeTaskSetsOutput, error) {
	who, err := principal(ctx)
	if err != nil {
		return nil, err
	}
	t := a.DB.Snapshot().Tables
	c, err := findCluster(t, who.Scope(), in.Cluster)
	if err != nil {
		return nil, err
	}
	s, err := mustService(t, c, in.Service)
	switch {
	case err != nil:
		return nil, err
	case s.Status == model.ServiceInactive:
		return nil, errServiceNotActive()
	}
	if err := checkTaskSets(s); err != nil {
		return nil, err
	}
	sets := slices.Collect(t.TaskSetsOf(s))
	out := &sdk.DescribeTaskSetsOutput{TaskSets: []types.TaskSet{}, Failures: []types.Failure{}}
	named := sets
	if len(in.TaskSets) > 0 {
		named = nil
		for _, ref := range in.TaskSets {
			if x := findTaskSet(sets, ref); x != nil {
				named = append(named, x)
				continue
			}
			if _, isARN := model.ParseARN(ref); !isARN {
				ref = s.Scope.ARN("ecs", "task-set/"+s.Cluster+"/"+s.Name+"/"+ref)
			}
			out.Failures = append(out.Failures, missing(ref))
		}
	}
	n, tags := countTasks(t, s), slices.Contains(in.Include, types.TaskSetFieldTags)
	for _, x := range named {
		if r, ok := t.Revisions.Get(x.Key()); ok {
			out.TaskSets = append(out.TaskSets, viewTaskSet(s, x, r, n.by[x.ID], tags))
		}
	}
	return out, nil
}
