package ecs

import (
	"context"
	"slices"

	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// maxTaskSets is the most task sets of a service (SEMANTICS §10) [D].
const maxTaskSets = 5

// createTaskSet makes a set of tasks of an EXTERNAL service, with a revision of its own (SEMANTICS §2.7, §10). A call with the
// clientToken of an earlier one returns what that made.
func (a *api) createTaskSet(ctx context.Context, in *sdk.CreateTaskSetInput) (*sdk.CreateTaskSetOutput, error) {
	if in.ClientToken != nil && (!validToken(*in.ClientToken) || len(*in.ClientToken) > 36) {
		return nil, invalid("clientToken must be at most 36 printable ASCII characters long.") // [I]; the rule is [D]
	}
	if err := (attachments{balancers: in.LoadBalancers, registries: in.ServiceRegistries}).check(); err != nil {
		return nil, err
	}
	fresh := model.TaskSet{Status: taskSetActive, ExternalID: value(in.ExternalId), Token: value(in.ClientToken)}
	var err error
	if fresh.Scale, err = readScale(in.Scale); err != nil {
		return nil, err
	}
	if fresh.Tags, err = readTags(in.Tags); err != nil {
		return nil, err
	}
	row, err := a.changeTaskSets(ctx, in.Cluster, in.Service, func(tx *state.Tx, c *model.Cluster, s *model.Service, sets []*model.TaskSet) (*model.TaskSet, error) {
		if i := slices.IndexFunc(sets, func(x *model.TaskSet) bool { return fresh.Token != "" && x.Token == fresh.Token }); i >= 0 {
			return sets[i], nil
		}
		if len(sets) >= maxTaskSets {
			return nil, invalid("%d deployments exist on the service. Unable to create new TaskSet since this exceeds the maximum limit.", len(sets)) // [O]
		}
		rev, err := a.taskSetRevision(tx.Tables, c, s, in)
		if err != nil {
			return nil, err
		}
		return a.enterTaskSet(tx, s, fresh, rev), nil
	})
	if err != nil {
		return nil, err
	}
	return &sdk.CreateTaskSetOutput{TaskSet: a.showTaskSet(row, true)}, nil
}

// taskSetRevision is what a new task set runs.
func (a *api) taskSetRevision(t *state.Tables, c *model.Cluster, s *model.Service, in *sdk.CreateTaskSetInput) (*model.Revision, error) {
	d, err := usableDefinition(t, c.Scope, parseDefinitionRef(c.Scope, value(in.TaskDefinition)))
	if err != nil {
		return nil, err
	}
	r := recipe{definition: d, network: in.NetworkConfiguration, version: in.PlatformVersion}
	if r.capacity, err = chooseCapacity(t, c, in.LaunchType, in.CapacityProviderStrategy); err != nil {
		return nil, err
	}
	rev, err := a.newRevision(c, s.Name, r)
	if err != nil {
		return nil, err
	}
	placed := *s // its placement has to fit
	return rev, (&settings{}).place(t, &placed, rev, r.capacity.launchType)
}

// enterTaskSet writes a new task set with its revision, and gives both their id and age.
func (a *api) enterTaskSet(tx *state.Tx, s *model.Service, x model.TaskSet, rev *model.Revision) *model.TaskSet {
	now, last := max(a.nowMillis(), s.CreatedAt), ""
	for old := range tx.RevisionsOf(s) {
		last = old.ID
	}
	x.Scope, x.Cluster, x.Service, x.ID = s.Scope, s.Cluster, s.Name, nextDeploymentID(last, now, a.Seed())
	x.CreatedAt, x.UpdatedAt, x.SteadyAt = now, now, now
	rev.ID, rev.CreatedAt = x.ID, now
	tx.Revisions.Put(rev)
	tx.TaskSets.Put(&x)
	return &x
}

// readScale: 100 % of the desired count if nothing is said [I]; the rest is [D].
func readScale(s *types.Scale) (float64, error) {
	switch {
	case s == nil:
		return 100, nil
	case s.Unit != "" && s.Unit != types.ScaleUnitPercent:
		return 0, invalid("Invalid scale unit '%s'. Valid values: %v", s.Unit, s.Unit.Values()) // [I]
	case s.Value < 0 || s.Value > 100:
		return 0, invalid("The value of a task set's scale must be between 0.0 and 100.0.") // [I]
	}
	return s.Value, nil
}

// updateTaskSet changes how many tasks a set has.
func (a *api) updateTaskSet(ctx context.Context, in *sdk.UpdateTaskSetInput) (*sdk.UpdateTaskSetOutput, error) {
	scale, err := readScale(in.Scale)
	if err != nil {
		return nil, err
	}
	row, err := a.changeTaskSet(ctx, in.Cluster, in.Service, in.TaskSet, func(tx *state.Tx, _ *model.Service, x *model.TaskSet) error {
		if x.Status == taskSetDraining {
			return invalid("The task set is DRAINING and can't be updated.") // [I]
		}
		x.Scale, x.UpdatedAt = scale, a.nowMillis()
		tx.TaskSets.Put(x)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &sdk.UpdateTaskSetOutput{TaskSet: a.showTaskSet(row, false)}, nil
}

// updateServicePrimaryTaskSet makes a task set the one that the service shows as its own; the one before is ACTIVE then.
func (a *api) updateServicePrimaryTaskSet(ctx context.Context, in *sdk.UpdateServicePrimaryTaskSetInput) (*sdk.UpdateServicePrimaryTaskSetOutput, error) {
	row, err := a.changeTaskSet(ctx, in.Cluster, in.Service, in.PrimaryTaskSet, func(tx *state.Tx, s *model.Service, x *model.TaskSet) error {
		if x.Status == taskSetDraining {
			return invalid("The task set is DRAINING and can't be the primary one.") // [I]
		}
		now := a.nowMillis()
		for _, other := range slices.Collect(tx.TaskSetsOf(s)) {
			if other.Status == taskSetPrimary && other.ID != x.ID {
				next := *other
				next.Status, next.UpdatedAt = taskSetActive, now
				tx.TaskSets.Put(&next)
			}
		}
		if x.Status != taskSetPrimary {
			x.Status, x.UpdatedAt = taskSetPrimary, now
			tx.TaskSets.Put(x)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &sdk.UpdateServicePrimaryTaskSetOutput{TaskSet: a.showTaskSet(row, false)}, nil
}

// deleteTaskSet lets a set go: it is DRAINING until its tasks are gone. One that is scaled above 0 only goes by force.
func (a *api) deleteTaskSet(ctx context.Context, in *sdk.DeleteTaskSetInput) (*sdk.DeleteTaskSetOutput, error) {
	row, err := a.changeTaskSet(ctx, in.Cluster, in.Service, in.TaskSet, func(tx *state.Tx, _ *model.Service, x *model.TaskSet) error {
		switch {
		case x.Status == taskSetDraining:
			return nil
		case x.Status == taskSetPrimary && !value(in.Force):
			return invalid("The primary task set of a service cannot be deleted without force.") // [I]; the rule is [O]
		case x.Scale > 0 && !value(in.Force):
			return invalid("The task set cannot be deleted while it is scaled above 0.") // [I]; the rule is [D]
		}
		x.Status, x.UpdatedAt, x.Steady, x.SteadyAt = taskSetDraining, a.nowMillis(), false, a.nowMillis()
		tx.TaskSets.Put(x)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &sdk.DeleteTaskSetOutput{TaskSet: a.showTaskSet(row, false)}, nil
}

// showTaskSet shows a task set as it was written.
func (a *api) showTaskSet(x *model.TaskSet, tags bool) *types.TaskSet {
	t := a.DB.Snapshot().Tables
	s, found := t.Services.Get(model.ServiceKey(x.Scope, x.Cluster, x.Service))
	r, ok := t.Revisions.Get(x.Key())
	if !found || !ok {
		return nil
	}
	v := viewTaskSet(s, x, r, countTasks(t, s).by[x.ID], tags)
	return &v
}

// changeTaskSets changes the task sets of an EXTERNAL service, and returns the one that the call is about.
func (a *api) changeTaskSets(ctx context.Context, cluster, service *string,
	change func(*state.Tx, *model.Cluster, *model.Service, []*model.TaskSet) (*model.TaskSet, error)) (row *model.TaskSet, err error) {
	who, err := principal(ctx)
	if err != nil {
		return nil, err
	}
	err = a.DB.Update(ctx, func(tx *state.Tx) error {
		c, s, err := activeService(tx.Tables, who.Scope(), cluster, service)
		if err != nil {
			return err
		}
		if err := checkTaskSets(s); err != nil {
			return err
		}
		row, err = change(tx, c, s, slices.Collect(tx.TaskSetsOf(s)))
		return err
	})
	return row, err
}

// changeTaskSet changes one task set, which change writes.
func (a *api) changeTaskSet(ctx context.Context, cluster, service, ref *string,
	change func(*state.Tx, *model.Service, *model.TaskSet) error) (*model.TaskSet, error) {
	return a.changeTaskSets(ctx, cluster, service, func(tx *state.Tx, _ *model.Cluster, s *model.Service, sets []*model.TaskSet) (*model.TaskSet, error) {
		x := findTaskSet(sets, value(ref))
		if x == nil {
			return nil, model.Errorf("TaskSetNotFoundException", "The specified task set was not found.") // [I]; the sentence [D]
		}
		row := *x
		return &row, change(tx, s, &row)
	})
}

// checkTaskSets: the deployments of other services are not the caller's to make (SEMANTICS §10).
func checkTaskSets(s *model.Service) error {
	if s.Controller != model.ControllerExternal {
		return invalid("Amazon ECS only supports task set management on services configured to use external deployment controllers.") // [O]
	}
	return nil
}

// findTaskSet returns the one with the id, "ecs-svc/" before it or not, or with the ARN; nil if there is none.
func findTaskSet(sets []*model.TaskSet, ref string) *model.TaskSet {
	i := slices.IndexFunc(sets, func(x *model.TaskSet) bool { return ref == x.ID || ref == model.DeploymentName(x.ID) || ref == x.ARN() })
	if i < 0 {
		return nil
	}
	return sets[i]
}
