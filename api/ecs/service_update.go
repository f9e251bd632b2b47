package ecs

import (
	"context"
	"encoding/json"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// updateService changes what is given; an absent member is left as it is (SEMANTICS §1.2). If the tasks have to change with
// it, a deployment of a new revision starts (§8.3).
func (a *api) updateService(ctx context.Context, in *sdk.UpdateServiceInput) (*sdk.UpdateServiceOutput, error) {
	f, err := a.updating(ctx, in)
	if err != nil {
		return nil, err
	}
	v, err := a.changeServices(ctx, f)
	if err != nil {
		return nil, err
	}
	return &sdk.UpdateServiceOutput{Service: v}, nil
}

// updating checks the request by itself, and returns what carries it out and returns the service's new row.
func (a *api) updating(ctx context.Context, in *sdk.UpdateServiceInput) (func(*state.Tx) (*model.Service, error), error) {
	who, err := principal(ctx)
	if err != nil {
		return nil, err
	}
	if err := (attachments{in.LoadBalancers, in.ServiceRegistries, in.ServiceConnectConfiguration, in.VolumeConfigurations,
		in.VpcLatticeConfigurations, in.GatewayConnectors}).check(); err != nil {
		return nil, err
	}
	if err := checkMonitoring(in.Monitoring); err != nil {
		return nil, err
	}
	return func(tx *state.Tx) (*model.Service, error) {
		c, old, err := activeService(tx.Tables, who.Scope(), in.Cluster, in.Service)
		if err != nil {
			return nil, err
		}
		s := *old
		if err := a.changeService(tx, c, &s, in); err != nil {
			return nil, err
		}
		if s.Desired != old.Desired {
			tx.Events.Put(a.desiredCountEvent(&s))
		}
		tx.Services.Put(&s)
		return &s, nil
	}, nil
}

// changeService does what an UpdateService says to the service, whose row the caller writes.
func (a *api) changeService(tx *state.Tx, c *model.Cluster, s *model.Service, in *sdk.UpdateServiceInput) error {
	if err := checkServiceUpdate(s, in); err != nil {
		return err
	}
	if in.DesiredCount != nil {
		if err := checkCount(s.Scheduling, in.DesiredCount, true); err != nil {
			return err
		}
		s.Desired = *in.DesiredCount
	}
	u := serviceUpdate{in: in, cluster: c, service: s}
	if err := u.revise(a, tx.Tables); err != nil {
		return err
	}
	news := settings{configuration: in.DeploymentConfiguration, constraints: in.PlacementConstraints, strategy: in.PlacementStrategy,
		grace: in.HealthCheckGracePeriodSeconds, propagate: in.PropagateTags, managedTags: in.EnableECSManagedTags,
		exec: in.EnableExecuteCommand, rebalancing: in.AvailabilityZoneRebalancing, version: in.PlatformVersion}
	if err := news.apply(tx.Tables, s, u.next, u.launchType); err != nil {
		return err
	}
	if u.start {
		a.deploy(tx, s, u.next, u.deployments)
	} else if in.Monitoring != nil && u.now != nil { // starts no deployment [D]
		rev := *u.now
		rev.Spec.Monitoring = in.Monitoring
		tx.Revisions.Put(&rev)
	}
	return nil
}

// checkServiceUpdate checks what the service's kind does not allow to change (SEMANTICS §10).
func checkServiceUpdate(s *model.Service, in *sdk.UpdateServiceInput) error {
	if in.DeploymentController != nil && string(in.DeploymentController.Type) != s.Controller {
		return unsupported("Roadstead does not change the deployment controller of a service yet.")
	}
	if s.Controller == model.ControllerECS {
		return nil
	}
	hint := "."
	if s.Controller == model.ControllerCodeDeploy {
		hint = ". Use AWS CodeDeploy to trigger a new deployment."
	}
	what := ""
	switch { // the first two and the hint are [O] for CODE_DEPLOY
	case in.ForceNewDeployment:
		return invalid("Cannot force a new deployment on services with a %s deployment controller%s", s.Controller, hint)
	case in.TaskDefinition != nil:
		what = "task definition"
	case in.NetworkConfiguration != nil:
		what = "network parameters" // [O]
	case value(in.PlatformVersion) != "":
		what = "platform version"
	case in.CapacityProviderStrategy != nil:
		what = "capacity provider strategy"
	default:
		return nil
	}
	return invalid("Unable to update %s on services with a %s deployment controller%s", what, s.Controller, hint)
}

// serviceUpdate is the part of an UpdateService that is about the service's revision.
type serviceUpdate struct {
	in      *sdk.UpdateServiceInput
	cluster *model.Cluster
	service *model.Service

	deployments []*model.Deployment // all, oldest first
	now, next   *model.Revision     // what runs, and what is to run; nil for a service that has no primary task set
	launchType  string              // of next
	start       bool                // next is to be deployed
}

// revise finds out whether the update needs a new revision, and makes it.
func (u *serviceUpdate) revise(a *api, t *state.Tables) (err error) {
	for d := range t.DeploymentsOf(u.service) {
		u.deployments = append(u.deployments, d)
	}
	if u.now = primaryRevision(t, u.service); u.now == nil {
		return nil
	}
	u.next, u.launchType = u.now, capacityOf(t, u.now).launchType
	if u.service.Controller != model.ControllerECS || !u.touchesTasks() {
		return nil
	}
	r, err := u.recipe(t)
	if err != nil {
		return err
	}
	next, err := a.newRevision(u.cluster, u.service.Name, r)
	if err != nil {
		return err
	}
	if u.start, err = differ(u.now, next); err != nil {
		return err
	}
	if u.start = u.start || u.in.ForceNewDeployment; u.start {
		u.next, u.launchType = next, r.capacity.launchType
	}
	return nil
}

// touchesTasks reports whether a member is given that may start a deployment. Without one, what runs is not looked at: a service
// can be scaled whatever has become of its subnets and its task definition.
func (u *serviceUpdate) touchesTasks() bool {
	return u.in.ForceNewDeployment || u.in.TaskDefinition != nil || u.in.NetworkConfiguration != nil ||
		value(u.in.PlatformVersion) != "" || u.in.CapacityProviderStrategy != nil
}

// recipe is what runs now, changed by what is given.
func (u *serviceUpdate) recipe(t *state.Tables) (r recipe, err error) {
	spec := &u.now.Spec
	r = recipe{capacity: capacityOf(t, u.now), network: spec.NetworkConfiguration, version: u.service.Settings.PlatformVersion,
		monitoring: spec.Monitoring}
	if u.in.TaskDefinition != nil {
		r.definition, err = usableDefinition(t, u.service.Scope, parseDefinitionRef(u.service.Scope, *u.in.TaskDefinition))
	} else { // may be INACTIVE by now (SEMANTICS §2.4)
		r.definition, err = definitionOf(t, u.now)
	}
	if err != nil {
		return r, err
	}
	if u.in.NetworkConfiguration != nil {
		r.network = u.in.NetworkConfiguration
	}
	if u.in.Monitoring != nil {
		r.monitoring = u.in.Monitoring
	}
	if u.in.CapacityProviderStrategy != nil {
		if err := u.move(t, &r); err != nil {
			return r, err
		}
	}
	if value(u.in.PlatformVersion) != "" {
		r.version = u.in.PlatformVersion
	} else if r.capacity.launchType != string(types.LaunchTypeFargate) {
		r.version = nil
	}
	return r, nil
}

// move changes where the tasks get their capacity: an empty strategy goes back to the launch type (SEMANTICS §8.3, trap 4).
func (u *serviceUpdate) move(t *state.Tables, r *recipe) error {
	next := capacity{launchType: r.capacity.launchType}
	if len(u.in.CapacityProviderStrategy) > 0 {
		var err error
		if next, err = chooseCapacity(t, u.cluster, "", u.in.CapacityProviderStrategy); err != nil {
			return err
		}
	}
	if sameStrategy(next.strategy, r.capacity.strategy) {
		return nil
	}
	if !u.in.ForceNewDeployment {
		return invalid("When switching from launch type to capacity provider strategy on an existing service, or making a change to a " +
			"capacity provider strategy on a service that is already using one, you must force a new deployment.") // [O]
	}
	if u.service.Scheduling == model.SchedulingDaemon {
		if err := checkDaemonCapacity(next); err != nil {
			return err
		}
	}
	r.capacity = next
	return nil
}

// definitionOf is the task definition of a revision, whatever its status.
func definitionOf(t *state.Tables, r *model.Revision) (*model.TaskDefinition, error) {
	d, ok := findDefinition(t, r.Scope, parseDefinitionRef(r.Scope, r.Definition))
	if !ok {
		return nil, refused("TaskDefinition not found.") // [O]
	}
	return d, nil
}

// desiredCountEvent tells that somebody wants another number of tasks (SEMANTICS §14.2).
func (a *api) desiredCountEvent(s *model.Service) *model.Event {
	now := a.nowMillis()
	detail, _ := json.Marshal(map[string]string{ // strings always have a text
		"eventType": "INFO", "eventName": "SERVICE_DESIRED_COUNT_UPDATED", "clusterArn": model.ClusterARN(s.Scope, s.Cluster),
		"createdAt": time.UnixMilli(now).UTC().Format("2006-01-02T15:04:05.000Z")})
	return &model.Event{Scope: s.Scope, ID: a.NewUUID(), At: now, DetailType: "ECS Service Action", Resources: []string{s.ARN()},
		Detail: string(detail)}
}
