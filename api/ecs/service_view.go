package ecs

import (
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// viewService shows a service with every member, zero values included (CLIENTS.md).
func viewService(t *state.Tables, s *model.Service, tags bool) types.Service {
	cluster, arn, n := model.ClusterARN(s.Scope, s.Cluster), s.ARN(), countTasks(t, s)
	v := s.Settings
	v.ClusterArn, v.ServiceArn, v.ServiceName, v.Status = &cluster, &arn, &s.Name, &s.Status
	v.CreatedAt, v.CreatedBy = moment(s.CreatedAt), text(s.CreatedBy)
	v.DesiredCount, v.RunningCount, v.PendingCount = s.Desired, n.all.running, n.all.pending
	v.SchedulingStrategy = types.SchedulingStrategy(s.Scheduling)
	v.DeploymentController = &types.DeploymentController{Type: types.DeploymentControllerType(s.Controller)}
	v.ResourceManagementType = types.ResourceManagementTypeCustomer
	v.PlacementConstraints, v.PlacementStrategy = list(v.PlacementConstraints), list(v.PlacementStrategy)
	v.LoadBalancers, v.ServiceRegistries = []types.LoadBalancer{}, []types.ServiceRegistry{}
	v.Events, v.Tags = messageViews(t, s), []types.Tag{}
	if tags {
		v.Tags = tagViews(s.Tags)
	}
	v.Deployments, v.CurrentServiceRevisions = []types.Deployment{}, []types.ServiceCurrentRevisionSummary{}
	showDeployments(t, s, n, &v)
	if s.Controller != model.ControllerECS {
		showTaskSets(t, s, n, &v)
	}
	if r := primaryRevision(t, s); r != nil {
		v.TaskDefinition = text(model.DefinitionARN(r.Scope, r.Definition))
		v.LaunchType, v.CapacityProviderStrategy = r.Spec.LaunchType, r.Spec.CapacityProviderStrategy
		v.NetworkConfiguration = r.Spec.NetworkConfiguration
		if v.NetworkConfiguration != nil && v.RoleArn == nil { // the role that ECS itself has then [O]
			v.RoleArn = text("arn:aws:iam::" + s.Account + ":role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS")
		}
		v.PlatformFamily = platformFamily(r)
	}
	return v
}

// platformFamily is that of FARGATE.
func platformFamily(r *model.Revision) *string {
	if r.Spec.PlatformVersion == nil {
		return nil
	}
	return text("Linux")
}

// primaryRevision is what the service runs: the revision of its PRIMARY deployment or task set, nil if there is none.
func primaryRevision(t *state.Tables, s *model.Service) *model.Revision {
	id := ""
	for d := range t.DeploymentsOf(s) {
		if d.Status == model.DeploymentPrimary {
			id = d.ID
		}
	}
	for x := range t.TaskSetsOf(s) {
		if x.Status == taskSetPrimary {
			id = x.ID
		}
	}
	r, _ := t.Revisions.Get(model.DeploymentKey(s.Scope, s.Cluster, s.Name, id))
	return r
}

// taskCount counts tasks of a service. Wanted are those whose desired status is RUNNING.
type taskCount struct{ running, pending, wanted int32 }

func (n *taskCount) add(t *model.Task) {
	switch t.Last {
	case model.TaskRunning:
		n.running++
	case model.TaskProvisioning, model.TaskPending, model.TaskActivating:
		n.pending++
	}
	if t.Desired == model.TaskRunning && t.Last != model.TaskStopped {
		n.wanted++
	}
}

// serviceCount counts the tasks of a service, all of them and by the id of their deployment or task set.
type serviceCount struct {
	all taskCount
	by  map[string]taskCount
}

func countTasks(t *state.Tables, s *model.Service) serviceCount {
	out := serviceCount{by: map[string]taskCount{}}
	for task := range t.TasksOfService(s.Key()) {
		out.all.add(task)
		n := out.by[task.DeploymentID()]
		n.add(task)
		out.by[task.DeploymentID()] = n
	}
	return out
}

// showDeployments shows the deployments in the service's list, the PRIMARY one first and then the newest, and which of them is
// under way.
func showDeployments(t *state.Tables, s *model.Service, n serviceCount, v *types.Service) {
	var shown []*model.Deployment
	var current *model.Deployment
	for d := range t.DeploymentsOf(s) {
		if d.Status != model.DeploymentInactive {
			shown = append(shown, d)
		}
		if d.Status == model.DeploymentPrimary && (current == nil || current.Ended()) || !d.Ended() {
			current = d
		}
	}
	if current != nil {
		v.CurrentServiceDeployment = text(current.ARN())
	}
	slices.Reverse(shown)
	slices.SortStableFunc(shown, func(a, b *model.Deployment) int { return rank(a.Status) - rank(b.Status) })
	for _, d := range shown {
		count := n.by[d.ID]
		if d.Status == model.DeploymentPrimary {
			count.wanted = s.Desired
		}
		r, ok := t.Revisions.Get(d.Key())
		if !ok {
			continue
		}
		v.Deployments = append(v.Deployments, viewDeployment(d, r, count))
		v.CurrentServiceRevisions = append(v.CurrentServiceRevisions, viewCurrentRevision(r, count))
	}
}

// rank puts what is PRIMARY first.
func rank(status string) int {
	if status == model.DeploymentPrimary {
		return 0
	}
	return 1
}

func viewDeployment(d *model.Deployment, r *model.Revision, n taskCount) types.Deployment {
	return types.Deployment{
		CapacityProviderStrategy: r.Spec.CapacityProviderStrategy, CreatedAt: moment(d.CreatedAt), DesiredCount: n.wanted,
		FailedTasks: d.FailedTasks, Id: text(d.Name()), LaunchType: r.Spec.LaunchType, NetworkConfiguration: r.Spec.NetworkConfiguration,
		PendingCount: n.pending, PlatformFamily: platformFamily(r), PlatformVersion: r.Spec.PlatformVersion,
		RolloutState: types.DeploymentRolloutState(d.Rollout), RolloutStateReason: text(d.RolloutReason), RunningCount: n.running,
		ServiceConnectConfiguration: r.Spec.ServiceConnectConfiguration, Status: &d.Status,
		TaskDefinition: text(model.DefinitionARN(r.Scope, r.Definition)), UpdatedAt: moment(d.UpdatedAt),
		VolumeConfigurations: r.Spec.VolumeConfigurations, VpcLatticeConfigurations: r.Spec.VpcLatticeConfigurations,
	}
}

func viewCurrentRevision(r *model.Revision, n taskCount) types.ServiceCurrentRevisionSummary {
	return types.ServiceCurrentRevisionSummary{Arn: text(r.ARN()), PendingTaskCount: n.pending, RequestedTaskCount: n.wanted,
		RunningTaskCount: n.running}
}

// messageViews are the newest messages of the service, the newest first (SEMANTICS §14.1).
func messageViews(t *state.Tables, s *model.Service) []types.ServiceEvent {
	out := []types.ServiceEvent{}
	for m := range t.MessagesOf(s) {
		out = append(out, types.ServiceEvent{CreatedAt: moment(m.At), Id: &m.ID, Message: &m.Text})
	}
	slices.Reverse(out)
	return out[:min(len(out), model.MaxMessages)]
}
