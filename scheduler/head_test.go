package scheduler_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/scheduler"
	"github.com/roadstead/roadstead/state"
)

// The index of a head is the one that is made of its rows, through transactions and through those that are taken back.
func TestIndexFollowsTheHead(t *testing.T) {
	db := state.Open(state.Config{Backend: state.NewMemory().Member(), Codec: state.SpecCodec{Marshal: json.Marshal, Unmarshal: json.Unmarshal},
		NewIndex: func() state.Index { return scheduler.NewIndex() }})
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan struct{})
	go func() { defer close(done); _ = db.Run(ctx) }()
	defer func() { cancel(); <-done }()
	if err := db.AwaitLead(ctx); err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 0))
	no, undone, tasks := errors.New("no"), 0, 0
	for range 300 {
		fail := rng.IntN(3) == 0
		err := db.Update(ctx, func(tx *state.Tx) error {
			for range 1 + rng.IntN(4) {
				tasks += change(tx, rng)
			}
			if fail {
				undone++
				return no
			}
			return nil
		})
		if err != nil && !errors.Is(err, no) {
			t.Fatal(err)
		}
		err = db.Update(ctx, func(tx *state.Tx) error {
			if got, want := scheduler.Head(tx).Dump(), scheduler.IndexOf(tx.Tables).Dump(); got != want {
				t.Fatalf("the head's index is\n%s\nand made of its rows\n%s", got, want)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d transactions taken back, %d tasks placed", undone, tasks)
}

// change changes a row, and returns how many tasks were placed.
func change(tx *state.Tx, rng *rand.Rand) (placed int) {
	id := fmt.Sprint("i", rng.IntN(12))
	switch rng.IntN(6) {
	case 0:
		tx.Instances.Put(&model.Instance{Scope: scope, Cluster: "c", ID: id, Status: []string{model.InstanceActive, model.InstanceActive, model.InstanceInactive}[rng.IntN(3)],
			AgentConnected: true, Resources: model.Resources{CPU: 4, Memory: 4, ENIs: 2, GPUs: []string{"g0"}},
			Attributes: []model.Attribute{attribute("name", id), attribute(model.SubnetAttribute, "10.0.0.0/29")}})
	case 1:
		tx.Instances.Delete(model.InstanceKey(scope, "c", id))
	case 2:
		for task := range tx.TasksOf(scope, "c") {
			next := *task
			if next.Last = []string{model.TaskRunning, model.TaskStopped}[rng.IntN(2)]; rng.IntN(5) == 0 {
				tx.Tasks.Put(&next)
				break
			}
		}
	default:
		req := request(1+rng.IntN(3), model.Resources{CPU: 1, Memory: 1, ENIs: rng.Int32N(2), PortsTCP: []int32{80}[:rng.IntN(2)]})
		req.Group, req.Family, req.Seed = fmt.Sprint("g", rng.IntN(3)), "f", rng.Uint64()
		for n, p := range scheduler.Place(scheduler.Head(tx), req).Placements {
			t := taskAt(&req, p, fmt.Sprintf("t%x%d", rng.Uint64(), n))
			tx.Tasks.Put(&t)
			placed++
		}
	}
	return placed
}
