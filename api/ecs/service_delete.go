package ecs

import (
	"context"

	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// deleteService lets a service go: it is DRAINING until its tasks are gone (SEMANTICS §2.6).
func (a *api) deleteService(ctx context.Context, in *sdk.DeleteServiceInput) (*sdk.DeleteServiceOutput, error) {
	who, err := principal(ctx)
	if err != nil {
		return nil, err
	}
	var row *model.Service
	err = a.DB.Update(ctx, func(tx *state.Tx) error {
		c, err := activeCluster(tx.Tables, who.Scope(), in.Cluster)
		if err != nil {
			return err
		}
		if row, err = mustService(tx.Tables, c, in.Service); err != nil {
			return err
		}
		switch {
		case row.Status == model.ServiceInactive:
			return errServiceNotFound()
		case row.Status == model.ServiceDraining:
			return nil
		case row.Scheduling == model.SchedulingReplica && row.Desired > 0 && !value(in.Force):
			return invalid("The service cannot be stopped while it is scaled above 0.") // [O]
		}
		row = drainService(tx, *row, a.nowMillis())
		return nil
	})
	if err != nil {
		return nil, err
	}
	v := viewService(a.DB.Snapshot().Tables, row, true)
	return &sdk.DeleteServiceOutput{Service: &v}, nil
}

// drainService ends what the service is doing; its tasks are stopped by who looks after it.
func drainService(tx *state.Tx, s model.Service, now model.Millis) *model.Service {
	s.Status, s.Desired = model.ServiceDraining, 0
	tx.Services.Put(&s)
	var changed []*model.Deployment
	for d := range tx.DeploymentsOf(&s) {
		next := *d
		if ended(&next, model.StateStopped, "The service was deleted.", now) { // [I]
			changed = append(changed, &next)
		}
	}
	for _, d := range changed { // not while the table is walked
		tx.Deployments.Put(d)
	}
	var sets []*model.TaskSet
	for x := range tx.TaskSetsOf(&s) {
		next := *x
		next.Status, next.UpdatedAt = taskSetDraining, now
		sets = append(sets, &next)
	}
	for _, x := range sets {
		tx.TaskSets.Put(x)
	}
	return &s
}
