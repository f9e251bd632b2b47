package ecs

import (
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// viewServiceDeployment shows a service deployment with its history.
func viewServiceDeployment(t *state.Tables, s *model.Service, d *model.Deployment) types.ServiceDeployment {
	n := countTasks(t, s)
	v := types.ServiceDeployment{
		Alarms: alarmsView(d), ClusterArn: text(model.ClusterARN(s.Scope, s.Cluster)), CreatedAt: moment(d.CreatedAt),
		DeploymentCircuitBreaker: breakerView(s, d), DeploymentConfiguration: d.Configuration, FinishedAt: moment(d.FinishedAt),
		ServiceArn: text(s.ARN()), ServiceDeploymentArn: text(d.ARN()), SourceServiceRevisions: []types.ServiceRevisionSummary{},
		StartedAt: moment(d.StartedAt), Status: types.ServiceDeploymentStatus(d.State), StatusReason: text(d.StateReason),
		StoppedAt: moment(d.StoppedAt), UpdatedAt: moment(d.UpdatedAt),
	}
	if b := d.Rollback; b != nil {
		v.Rollback = &types.Rollback{Reason: text(b.Reason), StartedAt: moment(b.StartedAt),
			ServiceRevisionArn: text(model.RevisionARN(d.Scope, d.Cluster, d.Service, b.To))}
	}
	for _, id := range d.Sources {
		v.SourceServiceRevisions = append(v.SourceServiceRevisions, revisionSummary(t, s, id, n))
	}
	target := revisionSummary(t, s, d.ID, n)
	if d.Stage != nil {
		v.LifecycleStage = types.ServiceDeploymentLifecycleStage(d.Stage.Name)
		v.LifecycleHookDetails = hookViews(d)
		target.RequestedTestTrafficWeight, target.RequestedProductionTrafficWeight = &d.Stage.TestWeight, &d.Stage.ProductionWeight
		if i := len(v.SourceServiceRevisions) - 1; i >= 0 { // blue, the newest of them, has the rest
			blue := &v.SourceServiceRevisions[i]
			blue.RequestedTestTrafficWeight = new(100 - d.Stage.TestWeight)
			blue.RequestedProductionTrafficWeight = new(100 - d.Stage.ProductionWeight)
		}
	}
	v.TargetServiceRevision = &target
	return v
}

// revisionSummary shows how many tasks a revision has, and how many it is to have.
func revisionSummary(t *state.Tables, s *model.Service, id string, n serviceCount) types.ServiceRevisionSummary {
	count := n.by[id]
	if d, ok := t.Deployments.Get(model.DeploymentKey(s.Scope, s.Cluster, s.Name, id)); ok && d.Status == model.DeploymentPrimary {
		count.wanted = s.Desired
	}
	return types.ServiceRevisionSummary{Arn: text(model.RevisionARN(s.Scope, s.Cluster, s.Name, id)), PendingTaskCount: count.pending,
		RequestedTaskCount: count.wanted, RunningTaskCount: count.running}
}

// monitor says what something that watches a deployment does.
func monitor(d *model.Deployment, enabled, triggered bool) types.ServiceDeploymentRollbackMonitorsStatus {
	switch {
	case !enabled:
		return types.ServiceDeploymentRollbackMonitorsStatusDisabled
	case triggered:
		return types.ServiceDeploymentRollbackMonitorsStatusTriggered
	case d.Ended():
		return types.ServiceDeploymentRollbackMonitorsStatusMonitoringComplete
	}
	return types.ServiceDeploymentRollbackMonitorsStatusMonitoring
}

func breakerView(s *model.Service, d *model.Deployment) *types.ServiceDeploymentCircuitBreaker {
	v := &types.ServiceDeploymentCircuitBreaker{Status: monitor(d, d.Breaker().Enable, d.Tripped)}
	if d.Breaker().Enable {
		v.FailureCount, v.Threshold = d.Failures, d.Threshold(s.Desired)
	}
	return v
}

// alarmsView is nil if the deployment has none.
func alarmsView(d *model.Deployment) *types.ServiceDeploymentAlarms {
	if d.Configuration == nil || d.Configuration.Alarms == nil {
		return nil
	}
	alarms := d.Configuration.Alarms
	return &types.ServiceDeploymentAlarms{AlarmNames: list(alarms.AlarmNames), Status: monitor(d, alarms.Enable, false),
		TriggeredAlarmNames: []string{}}
}

func hookViews(d *model.Deployment) []types.DeploymentLifecycleHookDetail {
	out := make([]types.DeploymentLifecycleHookDetail, len(d.Stage.Hooks))
	for i := range d.Stage.Hooks {
		h := &d.Stage.Hooks[i]
		out[i] = types.DeploymentLifecycleHookDetail{ExpiresAt: moment(h.ExpiresAt), HookId: &h.ID, Status: types.DeploymentLifecycleHookStatus(h.Status)}
		spec := d.HookSpec(h)
		out[i].TargetArn, out[i].TargetType = text(value(spec.HookTargetArn)), spec.TargetType
		if spec.TimeoutConfiguration != nil {
			out[i].TimeoutAction = spec.TimeoutConfiguration.Action
		}
	}
	return out
}

// viewRevision shows what a deployment or task set runs.
func viewRevision(t *state.Tables, s *model.Service, r *model.Revision) types.ServiceRevision {
	v := r.Spec
	v.ClusterArn, v.ServiceArn, v.ServiceRevisionArn = text(model.ClusterARN(s.Scope, s.Cluster)), text(s.ARN()), text(r.ARN())
	v.CreatedAt, v.TaskDefinition = moment(r.CreatedAt), text(model.DefinitionARN(r.Scope, r.Definition))
	v.PlatformFamily = platformFamily(r)
	v.LoadBalancers, v.ServiceRegistries = list(v.LoadBalancers), list(v.ServiceRegistries)
	v.ContainerImages = imageViews(t, r)
	return v
}

// imageViews are the images of the definition's containers, with the digests that their tags stand for once they are known
// (SEMANTICS §8.4).
func imageViews(t *state.Tables, r *model.Revision) []types.ContainerImage {
	out := []types.ContainerImage{}
	d, ok := findDefinition(t, r.Scope, parseDefinitionRef(r.Scope, r.Definition))
	if !ok { // it has been deleted since
		for i := range r.Images {
			p := &r.Images[i]
			out = append(out, types.ContainerImage{ContainerName: &p.Container, Image: &p.Image, ImageDigest: text(p.Digest)})
		}
		return out
	}
	for _, c := range d.Spec.ContainerDefinitions {
		v := types.ContainerImage{ContainerName: c.Name, Image: c.Image}
		if i := slices.IndexFunc(r.Images, func(p model.PinnedImage) bool { return p.Container == value(c.Name) }); i >= 0 {
			v.ImageDigest = text(r.Images[i].Digest)
		}
		out = append(out, v)
	}
	return out
}
