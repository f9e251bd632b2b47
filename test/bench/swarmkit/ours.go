package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/scheduler"
	"github.com/roadstead/roadstead/state"
)

var scope = model.Scope{Account: "000000000000", Region: "us-east-1"}

// chunk is how many tasks of a service are placed in one transaction.
const chunk = 100

func (l load) instance(n int) *model.Instance {
	return &model.Instance{Scope: scope, Cluster: "c", ID: fmt.Sprintf("node%05d", n), Status: model.InstanceActive, AgentConnected: true,
		Attributes: []model.Attribute{{Name: "ecs.availability-zone", Value: l.zone(n), HasValue: true}},
		Resources:  model.Resources{CPU: l.nodeCPU, Memory: l.nodeMemory}}
}

// requests are the placements to be made, service after service.
func (l load) requests(yield func(scheduler.Request) bool) {
	for s := range l.services {
		for left := l.tasks / l.services; left > 0; {
			n := min(left, chunk)
			left -= n
			r := scheduler.Request{Scope: scope, Cluster: "c", LaunchType: "EC2", Count: n, Group: fmt.Sprint("service:", s), Family: "web", Seed: uint64(s),
				Need: model.Resources{CPU: l.taskCPU, Memory: l.taskMemory},
				Strategy: []model.PlacementStrategy{{Type: model.StrategySpread, Field: "attribute:ecs.availability-zone"},
					{Type: model.StrategySpread, Field: model.FieldInstance}}}
			if !yield(r) {
				return
			}
		}
	}
}

// commit places a request and hands the rows to put.
func commit(x *scheduler.Index, r scheduler.Request, serial *int, put func(*model.Task)) error {
	got := scheduler.Place(x, r)
	if got.Unplaced > 0 {
		return fmt.Errorf("%d copies were not placed", got.Unplaced)
	}
	launch := &model.Launch{Scope: scope, Cluster: "c", Definition: "web:1", Group: r.Group, LaunchType: "EC2", Network: "bridge"}
	for _, at := range got.Placements {
		*serial++
		put(&model.Task{Launch: launch, ID: fmt.Sprintf("%032d", *serial), Instance: at.Instance.ID, Desired: model.TaskRunning,
			Last: model.TaskPending, Version: 1, Reserved: r.Need})
	}
	return nil
}

// decide places the load with our scheduler and its index alone, and returns how long that took.
func decide(l load) (time.Duration, error) {
	x := scheduler.NewIndex()
	for n := range l.nodes {
		x.Instance(nil, l.instance(n))
	}
	serial, began := 0, time.Now()
	for r := range l.requests {
		if err := commit(x, r, &serial, func(t *model.Task) { x.Task(nil, t) }); err != nil {
			return 0, err
		}
	}
	return time.Since(began), nil
}

// place does the same and writes the rows into the state's memory backend, as SwarmKit writes to its memory store.
func place(ctx context.Context, l load) (time.Duration, error) {
	db := state.Open(state.Config{Backend: state.NewMemory().Member(), Codec: state.SpecCodec{Marshal: json.Marshal, Unmarshal: json.Unmarshal},
		NewIndex: func() state.Index { return scheduler.NewIndex() }})
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() { defer close(done); _ = db.Run(ctx) }()
	defer func() { cancel(); <-done }()
	if err := db.AwaitLead(ctx); err != nil {
		return 0, err
	}
	for from := 0; from < l.nodes; from += chunk {
		err := db.Update(ctx, func(tx *state.Tx) error {
			for n := from; n < min(from+chunk, l.nodes); n++ {
				tx.Instances.Put(l.instance(n))
			}
			return nil
		})
		if err != nil {
			return 0, err
		}
	}
	serial, began := 0, time.Now()
	for r := range l.requests {
		err := db.Update(ctx, func(tx *state.Tx) error {
			return commit(tx.Index().(*scheduler.Index), r, &serial, tx.Tasks.Put)
		})
		if err != nil {
			return 0, err
		}
	}
	return time.Since(began), nil
}
