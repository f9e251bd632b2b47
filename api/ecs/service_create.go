package ecs

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"

	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/wire"
)

// createService makes a service and the first deployment of its first revision; one whose deployments somebody else makes
// has neither yet (SEMANTICS §2.6, §8, §10). The call that made an ACTIVE service may be repeated (§1.5) [O].
func (a *api) createService(ctx context.Context, in *sdk.CreateServiceInput) (*sdk.CreateServiceOutput, error) {
	f, err := a.creating(ctx, in)
	if err != nil {
		return nil, err
	}
	v, err := a.changeServices(ctx, f)
	if err != nil {
		return nil, err
	}
	return &sdk.CreateServiceOutput{Service: v}, nil
}

// creating checks the request by itself, and returns what carries it out and returns the service's row.
func (a *api) creating(ctx context.Context, in *sdk.CreateServiceInput) (func(*state.Tx) (*model.Service, error), error) {
	who, err := principal(ctx)
	if err != nil {
		return nil, err
	}
	fresh := model.Service{Scope: who.Scope(), Name: value(in.ServiceName), Status: model.ServiceActive,
		Scheduling: string(cmp.Or(in.SchedulingStrategy, types.SchedulingStrategyReplica)), Controller: model.ControllerECS,
		Desired: value(in.DesiredCount), CreatedBy: who.ARN}
	if in.DeploymentController != nil {
		fresh.Controller = string(in.DeploymentController.Type)
	}
	if err := checkNewService(&fresh, in); err != nil {
		return nil, err
	}
	if fresh.Tags, err = readTags(in.Tags); err != nil {
		return nil, err
	}
	if fresh.Request, err = serviceFingerprint(in); err != nil {
		return nil, err
	}
	return func(tx *state.Tx) (*model.Service, error) {
		s := fresh
		c, err := activeCluster(tx.Tables, s.Scope, in.Cluster)
		if err != nil {
			return nil, err
		}
		s.Cluster = c.Name
		old, exists := tx.Services.Get(s.Key())
		switch {
		case exists && old.Status == model.ServiceDraining:
			return nil, invalid("Unable to Start a service that is still Draining.") // [O]
		case exists && old.Status == model.ServiceActive && old.Request == s.Request:
			return old, nil
		case exists && old.Status == model.ServiceActive:
			return nil, invalid("Creation of service was not idempotent.") // [O]
		}
		return &s, a.enterService(tx, c, &s, in)
	}, nil
}

// serviceFingerprint stands for the parameters of a CreateService; the name and the cluster are in the row's key.
func serviceFingerprint(in *sdk.CreateServiceInput) (string, error) {
	bare := *in
	bare.ClientToken, bare.Cluster = nil, nil
	b, err := wire.Marshal(&bare)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

// enterService checks a new service against the other rows and writes it.
func (a *api) enterService(tx *state.Tx, c *model.Cluster, s *model.Service, in *sdk.CreateServiceInput) error {
	if err := a.checkServiceCount(tx.Tables, c); err != nil {
		return err
	}
	s.CreatedAt = firstMoment(tx.Tables, s, a.nowMillis())
	var rev *model.Revision
	launchType := ""
	if s.Controller != model.ControllerExternal {
		r, err := newRecipe(tx.Tables, c, s, in)
		if err != nil {
			return err
		}
		if rev, err = a.newRevision(c, s.Name, r); err != nil {
			return err
		}
		launchType = r.capacity.launchType
	}
	news := settings{configuration: in.DeploymentConfiguration, constraints: in.PlacementConstraints, strategy: in.PlacementStrategy,
		grace: in.HealthCheckGracePeriodSeconds, propagate: in.PropagateTags, managedTags: &in.EnableECSManagedTags,
		exec: &in.EnableExecuteCommand, rebalancing: in.AvailabilityZoneRebalancing, version: in.PlatformVersion}
	if err := news.apply(tx.Tables, s, rev, launchType); err != nil {
		return err
	}
	tx.Services.Put(s)
	if rev != nil {
		a.deploy(tx, s, rev, nil)
	}
	return nil
}

// newRecipe is what the first revision of a service is made of.
func newRecipe(t *state.Tables, c *model.Cluster, s *model.Service, in *sdk.CreateServiceInput) (recipe, error) {
	if value(in.TaskDefinition) == "" {
		return recipe{}, invalid("TaskDefinition must not be blank.") // [I]; the rule is [D]
	}
	d, err := usableDefinition(t, c.Scope, parseDefinitionRef(c.Scope, *in.TaskDefinition))
	if err != nil {
		return recipe{}, err
	}
	r := recipe{definition: d, network: in.NetworkConfiguration, version: in.PlatformVersion, monitoring: in.Monitoring}
	if r.capacity, err = chooseCapacity(t, c, in.LaunchType, in.CapacityProviderStrategy); err != nil {
		return recipe{}, err
	}
	if s.Scheduling == model.SchedulingDaemon {
		err = checkDaemonCapacity(r.capacity)
	}
	return r, err
}

// checkServiceCount keeps the quota (SEMANTICS §17).
func (a *api) checkServiceCount(t *state.Tables, c *model.Cluster) error {
	n := 0
	for s := range t.ServicesOf(c.Scope, c.Name) {
		if s.Status != model.ServiceInactive {
			n++
		}
	}
	if n >= a.Limits.ClusterServices {
		return invalid("The maximum number of services for this cluster has been reached: %d.", a.Limits.ClusterServices) // [I]
	}
	return nil
}

// firstMoment is when a service begins: after all that is left of an earlier one with its name, by which the two are told
// apart (state.Tables.DeploymentsOf).
func firstMoment(t *state.Tables, s *model.Service, now model.Millis) model.Millis {
	for r := range t.Revisions.Prefix(s.Key() + "/") {
		now = max(now, deploymentMoment(r.ID)+1)
	}
	for m := range t.Messages.Prefix(s.Key() + "/") {
		now = max(now, m.At+1)
	}
	return now
}
