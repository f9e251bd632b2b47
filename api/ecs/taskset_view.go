package ecs

import (
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/deployment"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// Task set statuses (SEMANTICS §3).
const (
	taskSetPrimary  = "PRIMARY"
	taskSetActive   = "ACTIVE"
	taskSetDraining = "DRAINING"
)

// showTaskSets shows the task sets of a service whose deployments somebody else makes, the PRIMARY one first.
func showTaskSets(t *state.Tables, s *model.Service, n serviceCount, v *types.Service) {
	v.TaskSets = []types.TaskSet{}
	for x := range t.TaskSetsOf(s) {
		r, ok := t.Revisions.Get(x.Key())
		if !ok {
			continue
		}
		count := n.by[x.ID]
		view := viewTaskSet(s, x, r, count, false)
		count.wanted = view.ComputedDesiredCount
		summary := viewCurrentRevision(r, count)
		if x.Status == taskSetPrimary {
			v.TaskSets = append([]types.TaskSet{view}, v.TaskSets...)
			v.CurrentServiceRevisions = append([]types.ServiceCurrentRevisionSummary{summary}, v.CurrentServiceRevisions...)
			continue
		}
		v.TaskSets, v.CurrentServiceRevisions = append(v.TaskSets, view), append(v.CurrentServiceRevisions, summary)
	}
}

func viewTaskSet(s *model.Service, x *model.TaskSet, r *model.Revision, n taskCount, tags bool) types.TaskSet {
	cluster, arn, service, id := model.ClusterARN(x.Scope, x.Cluster), x.ARN(), s.ARN(), model.DeploymentName(x.ID)
	v := types.TaskSet{
		CapacityProviderStrategy: r.Spec.CapacityProviderStrategy, ClusterArn: &cluster, ComputedDesiredCount: computedDesired(s, x),
		CreatedAt: moment(x.CreatedAt), ExternalId: text(x.ExternalID), Id: &id, LaunchType: r.Spec.LaunchType,
		LoadBalancers: []types.LoadBalancer{}, NetworkConfiguration: r.Spec.NetworkConfiguration, PendingCount: n.pending,
		PlatformFamily: platformFamily(r), PlatformVersion: r.Spec.PlatformVersion, RunningCount: n.running,
		Scale: &types.Scale{Unit: types.ScaleUnitPercent, Value: x.Scale}, ServiceArn: &service, ServiceRegistries: []types.ServiceRegistry{},
		StabilityStatus: types.StabilityStatusStabilizing, StabilityStatusAt: moment(x.SteadyAt), Status: &x.Status, Tags: []types.Tag{},
		TaskDefinition: text(model.DefinitionARN(r.Scope, r.Definition)), TaskSetArn: &arn, UpdatedAt: moment(x.UpdatedAt),
	}
	if x.Steady {
		v.StabilityStatus = types.StabilityStatusSteadyState
	}
	if tags {
		v.Tags = tagViews(x.Tags)
	}
	return v
}

// computedDesired is how many tasks the set is to have (SEMANTICS §10) [D].
func computedDesired(s *model.Service, x *model.TaskSet) int32 {
	if x.Status == taskSetDraining {
		return 0
	}
	return int32(deployment.ComputedDesired(s.Desired, x.Scale))
}
