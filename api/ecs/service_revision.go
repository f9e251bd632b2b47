package ecs

import (
	"bytes"
	"iter"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/definition"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/wire"
)

// recipe is what a revision is made of: what CreateService, UpdateService and CreateTaskSet have in common.
type recipe struct {
	definition *model.TaskDefinition
	capacity   capacity
	network    *types.NetworkConfiguration
	version    *string // platformVersion
	monitoring *types.MonitoringConfiguration
}

// capacity is where the tasks of a revision get theirs.
type capacity struct {
	launchType string                               // asked for, or that of the strategy's providers
	strategy   []types.CapacityProviderStrategyItem // nil if a launch type was asked for
}

// chooseCapacity resolves launchType and capacityProviderStrategy (SEMANTICS §4.1).
func chooseCapacity(t *state.Tables, c *model.Cluster, launchType types.LaunchType, items []types.CapacityProviderStrategyItem) (capacity, error) {
	how, err := choosePlacement(t, c, launchType, items, 1)
	if err != nil || how.providers == nil {
		return capacity{launchType: how.launchType}, err
	}
	if len(items) == 0 {
		items = c.DefaultStrategy
	}
	s, err := readStrategy(t, c, items)
	return capacity{how.launchType, s.items}, err
}

// capacityOf is where the tasks of a revision get theirs.
func capacityOf(t *state.Tables, r *model.Revision) capacity {
	if len(r.Spec.CapacityProviderStrategy) == 0 {
		return capacity{launchType: string(r.Spec.LaunchType)}
	}
	at := capacity{launchType: string(types.LaunchTypeEc2), strategy: r.Spec.CapacityProviderStrategy}
	if p, ok := findProvider(t, r.Scope, value(at.strategy[0].CapacityProvider)); ok {
		at.launchType = string(p.LaunchType())
	}
	return at
}

// runningRevisions yields what a service that has not ended runs, or is about to: the revisions of its deployments and task sets.
func runningRevisions(t *state.Tables, s *model.Service) iter.Seq[*model.Revision] {
	return func(yield func(*model.Revision) bool) {
		if s.Status == model.ServiceInactive {
			return
		}
		for d := range t.DeploymentsOf(s) {
			if r, ok := t.Revisions.Get(d.Key()); ok && d.Status != model.DeploymentInactive && !yield(r) {
				return
			}
		}
		for x := range t.TaskSetsOf(s) {
			if r, ok := t.Revisions.Get(x.Key()); ok && !yield(r) {
				return
			}
		}
	}
}

// newRevision checks a recipe and makes the revision, which only lacks its id and age (SEMANTICS §4, §12).
func (a *api) newRevision(c *model.Cluster, service string, r recipe) (*model.Revision, error) {
	spec := &r.definition.Spec
	if !slices.Contains(spec.Compatibilities, types.Compatibility(r.capacity.launchType)) {
		return nil, invalid("Task definition does not support launch_type %s.", r.capacity.launchType) // [O]
	}
	if what := definition.Undeliverable(spec); what != "" {
		return nil, unsupported("Roadstead does not serve %s yet.", what)
	}
	if need := definition.Reserve(spec); need.GPU.Shared > 0 {
		return nil, unsupported("Roadstead does not serve shared GPUs yet.")
	}
	version, err := platformVersion(r.capacity.launchType, r.version)
	if err != nil {
		return nil, err
	}
	p := &plan{cluster: c, definition: r.definition, copy: definition.NewTask(r.definition, spec, r.capacity.launchType)}
	if err := a.planNetwork(p, r.network); err != nil {
		return nil, err
	}
	rev := &model.Revision{Scope: c.Scope, Cluster: c.Name, Service: service, Definition: r.definition.Name()}
	rev.Spec = types.ServiceRevision{CapacityProviderStrategy: r.capacity.strategy, PlatformVersion: text(version), Monitoring: r.monitoring}
	if r.capacity.strategy == nil {
		rev.Spec.LaunchType = types.LaunchType(r.capacity.launchType)
	}
	if p.copy.Network == string(types.NetworkModeAwsvpc) {
		rev.Spec.NetworkConfiguration = &types.NetworkConfiguration{AwsvpcConfiguration: &types.AwsVpcConfiguration{
			AssignPublicIp: types.AssignPublicIp(p.copy.AssignPublicIP), SecurityGroups: list(p.copy.SecurityGroups), Subnets: p.copy.Subnets}}
	}
	return rev, nil
}

// differ reports whether the revisions run different tasks: then one is deployed in the place of the other (SEMANTICS §8.3).
func differ(a, b *model.Revision) (bool, error) {
	x, y := a.Spec, b.Spec
	x.Monitoring, y.Monitoring = nil, nil
	first, err := wire.Marshal(&x)
	if err != nil {
		return false, err
	}
	second, err := wire.Marshal(&y)
	return a.Definition != b.Definition || !bytes.Equal(first, second), err
}

// sameStrategy reports whether two strategies are the same.
func sameStrategy(a, b []types.CapacityProviderStrategyItem) bool {
	return slices.EqualFunc(a, b, func(x, y types.CapacityProviderStrategyItem) bool {
		return value(x.CapacityProvider) == value(y.CapacityProvider) && x.Base == y.Base && x.Weight == y.Weight
	})
}
