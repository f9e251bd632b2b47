package ecs

import (
	"context"
	"encoding/json"

	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/scheduler"
	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/wire"
)

// Planner answers what a call would do, and why a task is where it is. It changes nothing.
type Planner struct{ api *api }

// NewPlanner returns a planner over the same state as the handlers of New.
func NewPlanner(cfg Config) *Planner { return &Planner{newAPI(cfg)} }

// Plan is what a RunTask would do.
type Plan struct {
	TaskDefinition string                      `json:"taskDefinition"` // FAMILY:REVISION
	LaunchType     string                      `json:"launchType"`
	Asked          int                         `json:"asked"` // copies
	Placements     []PlannedPlacement          `json:"placements"`
	Waiting        int                         `json:"waiting,omitempty"` // copies that would wait for capacity
	Needs          Needs                       `json:"needs"`
	Constraints    []model.PlacementConstraint `json:"constraints,omitempty"`
	Strategy       []model.PlacementStrategy   `json:"strategy,omitempty"`
	// Left is why no further copy finds a place; absent if all have one.
	Left *Refusals `json:"left,omitempty"`
}

// PlannedPlacement is where one copy would go.
type PlannedPlacement struct {
	ContainerInstanceArn string   `json:"containerInstanceArn,omitempty"` // none of FARGATE
	AvailabilityZone     string   `json:"availabilityZone,omitempty"`
	CapacityProvider     string   `json:"capacityProviderName,omitempty"`
	Address              string   `json:"privateIpv4Address,omitempty"`
	GPUs                 []string `json:"gpuIds,omitempty"`
}

// Needs is what one copy reserves: CPU units, MiB, devices, network interfaces, host ports.
type Needs struct {
	CPU      int64   `json:"cpu"`
	Memory   int64   `json:"memory"`
	GPUs     int     `json:"gpus,omitempty"` // -1: all of the instance
	ENIs     int32   `json:"enis,omitempty"`
	PortsTCP []int32 `json:"tcpPorts,omitempty"`
	PortsUDP []int32 `json:"udpPorts,omitempty"`
}

// Refusals say why instances do not take one more copy.
type Refusals struct {
	Instances int               `json:"instances"` // ACTIVE ones that could be asked
	Reasons   []ReasonCount     `json:"reasons"`   // in the order in which they are looked for
	Refused   []InstanceRefusal `json:"refused"`   // by instance id
	Closest   *InstanceRefusal  `json:"closest,omitempty"`
}

// ReasonCount is how many instances gave a reason first.
type ReasonCount struct {
	Reason    string `json:"reason"`
	Instances int    `json:"instances"`
}

// InstanceRefusal is why one instance does not take a copy.
type InstanceRefusal struct {
	ContainerInstanceArn string `json:"containerInstanceArn"`
	AvailabilityZone     string `json:"availabilityZone,omitempty"`
	Reason               string `json:"reason"` // as in failures[]
	Detail               string `json:"detail,omitempty"`
}

// RunTask answers what the call would do now. Its errors are the call's. A clientToken is not looked at.
func (p *Planner) RunTask(ctx context.Context, in *sdk.RunTaskInput) (*Plan, error) {
	who, err := principal(ctx)
	if err != nil {
		return nil, err
	}
	fresh := *in
	fresh.ClientToken = nil
	r, err := p.api.newRun(p.api.DB.Snapshot().Tables, who.Scope(), &fresh)
	if err != nil {
		return nil, err
	}
	var out *Plan
	err = p.api.DB.Try(ctx, func(tx *state.Tx) error {
		if err := r.place(tx); err != nil {
			return err
		}
		out = r.outcome(tx)
		return nil
	})
	return out, err
}

// PlanJSON plans the call whose JSON body it is: a CreateService has a serviceName, an UpdateService a service, anything else
// is a RunTask. It returns a *ServicePlan or a *Plan.
func (p *Planner) PlanJSON(ctx context.Context, body []byte) (any, error) {
	var which struct{ ServiceName, Service *string }
	if err := json.Unmarshal(body, &which); err != nil {
		return nil, notTheJSON("call", err)
	}
	switch {
	case which.ServiceName != nil:
		return planned(ctx, body, "CreateService", p.CreateService)
	case which.Service != nil:
		return planned(ctx, body, "UpdateService", p.UpdateService)
	}
	return planned(ctx, body, "RunTask", p.RunTask)
}

func planned[In, Out any](ctx context.Context, body []byte, op string, plan func(context.Context, *In) (*Out, error)) (any, error) {
	in := new(In)
	if err := wire.Unmarshal(body, in); err != nil {
		return nil, notTheJSON(op, err)
	}
	return plan(ctx, in)
}

func notTheJSON(op string, err error) error {
	return model.Errorf("SerializationException", "The body is not the JSON of a %s: %s.", op, err)
}

// outcome describes what place did.
func (r *run) outcome(tx *state.Tx) *Plan {
	req := &r.plan.request
	out := &Plan{
		TaskDefinition: r.plan.definition.Name(), LaunchType: r.plan.copy.LaunchType, Asked: len(r.copies), Placements: []PlannedPlacement{},
		Needs:       Needs{req.Need.CPU, req.Need.Memory, req.GPUs, req.Need.ENIs, req.Need.PortsTCP, req.Need.PortsUDP},
		Constraints: r.plan.copy.Constraints, Strategy: r.plan.copy.Strategy,
	}
	for _, t := range r.placed {
		if t.Waiting() {
			out.Waiting++
			continue
		}
		out.Placements = append(out.Placements, plannedPlacement(t))
	}
	if r.short != nil {
		out.Left = refusals(tx, *r.short)
	}
	return out
}

func plannedPlacement(t *model.Task) PlannedPlacement {
	at := PlannedPlacement{AvailabilityZone: t.Zone, CapacityProvider: t.CapacityProvider, GPUs: t.Reserved.GPUs}
	if t.LaunchType != string(types.LaunchTypeFargate) {
		at.ContainerInstanceArn = model.InstanceARN(t.Scope, t.Cluster, t.Instance)
	}
	if len(t.Reserved.Addresses) > 0 {
		at.Address = t.Reserved.Addresses[0]
	}
	return at
}

// refusals asks every instance why it takes no copy.
func refusals(tx *state.Tx, req scheduler.Request) *Refusals {
	e := scheduler.Explain(scheduler.Head(tx), req)
	out := &Refusals{Instances: e.Instances, Reasons: []ReasonCount{}, Refused: []InstanceRefusal{}}
	for _, c := range e.Reasons {
		out.Reasons = append(out.Reasons, ReasonCount(c))
	}
	for i := range e.Rejections {
		out.Refused = append(out.Refused, refusal(&e.Rejections[i]))
	}
	if x, ok := e.Closest(); ok {
		closest := refusal(&x)
		out.Closest = &closest
	}
	return out
}

func refusal(x *scheduler.Rejection) InstanceRefusal {
	return InstanceRefusal{x.Instance.ARN(), x.Instance.Zone(), x.Reason, x.Detail}
}
