package ecs

import (
	"cmp"
	"context"
	"slices"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/wire"
)

// ServiceStep does what the leader does next for a service.
type ServiceStep func(tx *state.Tx, serviceKey string, now time.Time) error

// changeServices carries out a change of a service and shows the row that it returns. In a dry run it shows the service as it
// would be after the leader's first step, whose tasks and messages tell what that is; nothing is written.
func (a *api) changeServices(ctx context.Context, f func(*state.Tx) (*model.Service, error)) (*types.Service, error) {
	call, _ := wire.CallFrom(ctx)
	var row *model.Service
	var v types.Service
	err := a.update(ctx, func(tx *state.Tx) error {
		var err error
		if row, err = f(tx); err != nil || !call.DryRun {
			return err
		}
		if err = a.step(tx, row.Key()); err != nil {
			return err
		}
		if after, ok := tx.Services.Get(row.Key()); ok {
			row = after
		}
		v = viewService(tx.Tables, row, true)
		return nil
	})
	switch {
	case err != nil:
		return nil, err
	case !call.DryRun:
		v = viewService(a.DB.Snapshot().Tables, row, true)
	}
	return &v, nil
}

func (a *api) step(tx *state.Tx, key string) error {
	if a.ServiceStep == nil {
		return nil
	}
	return a.ServiceStep(tx, key, a.Now())
}

// ServicePlan is what a CreateService or UpdateService would do at first. What follows depends on how the tasks fare.
type ServicePlan struct {
	ServiceName string `json:"serviceName"`
	// Deployment is what the call would deploy, FAMILY:REVISION; "" if it starts no deployment.
	Deployment   string             `json:"deployment,omitempty"`
	DesiredCount int32              `json:"desiredCount"`
	Placements   []PlannedPlacement `json:"placements"` // of the tasks that are started at once
	Waiting      int                `json:"waiting,omitempty"`
	Stops        []PlannedStop      `json:"stops"`    // tasks that are stopped at once
	Messages     []string           `json:"messages"` // that the service's events[] would get, oldest first
	Why          []string           `json:"why"`      // the service would not be steady then
}

// PlannedStop is a task that would be stopped.
type PlannedStop struct {
	TaskArn        string `json:"taskArn"`
	TaskDefinition string `json:"taskDefinition"`
	Reason         string `json:"reason"`
}

// servicePlan carries f out, and the leader's first step, in a transaction that comes to nothing. What is new is seen by the
// last snapshot: something that another call is just writing may be in the plan.
func (p *Planner) servicePlan(ctx context.Context, f func(*state.Tx) (*model.Service, error)) (*ServicePlan, error) {
	before := p.api.DB.Snapshot().Tables
	var out *ServicePlan
	err := p.api.DB.Try(ctx, func(tx *state.Tx) error {
		s, err := f(tx)
		if err != nil {
			return err
		}
		if err := p.api.step(tx, s.Key()); err != nil {
			return err
		}
		if after, ok := tx.Services.Get(s.Key()); ok {
			s = after
		}
		out = differences(before, tx.Tables, s)
		if p.api.ServiceWhy != nil {
			out.Why, _ = p.api.ServiceWhy(tx, s.Key(), p.api.Now())
		}
		return nil
	})
	return out, err
}

// differences describes what has happened to a service between two states.
func differences(before, after *state.Tables, s *model.Service) *ServicePlan {
	out := &ServicePlan{ServiceName: s.Name, DesiredCount: s.Desired, Placements: []PlannedPlacement{}, Stops: []PlannedStop{},
		Messages: []string{}, Why: []string{}}
	if r := primaryRevision(after, s); r != nil {
		if _, old := before.Revisions.Get(r.Key()); !old {
			out.Deployment = r.Definition
		}
	}
	for t := range after.TasksOfService(s.Key()) {
		was, there := before.Tasks.Get(t.Key())
		switch {
		case there && was.Desired != t.Desired:
			out.Stops = append(out.Stops, PlannedStop{t.ARN(), t.Definition, t.StopReason})
		case !there && t.Waiting():
			out.Waiting++
		case !there:
			out.Placements = append(out.Placements, plannedPlacement(t))
		}
	}
	for m := range after.MessagesOf(s) {
		if _, old := before.Messages.Get(m.Key()); !old {
			out.Messages = append(out.Messages, m.Text)
		}
	}
	slices.SortStableFunc(out.Stops, func(a, b PlannedStop) int { return cmp.Compare(a.TaskArn, b.TaskArn) })
	return out
}

// CreateService answers what the call would do now. Its errors are the call's.
func (p *Planner) CreateService(ctx context.Context, in *sdk.CreateServiceInput) (*ServicePlan, error) {
	f, err := p.api.creating(ctx, in)
	if err != nil {
		return nil, err
	}
	return p.servicePlan(ctx, f)
}

// UpdateService answers what the call would do now. Its errors are the call's.
func (p *Planner) UpdateService(ctx context.Context, in *sdk.UpdateServiceInput) (*ServicePlan, error) {
	f, err := p.api.updating(ctx, in)
	if err != nil {
		return nil, err
	}
	return p.servicePlan(ctx, f)
}
