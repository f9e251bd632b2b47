package scheduler_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/scheduler"
	"github.com/roadstead/roadstead/state"
)

var scope = model.Scope{Account: "000000000000", Region: "us-east-1"}

// cluster is a cluster in a state that lives as long as the test.
type cluster struct {
	testing.TB
	db    *state.DB
	tasks int // made so far
}

func newCluster(tb testing.TB) *cluster {
	db := state.Open(state.Config{Backend: state.NewMemory().Member(), Codec: state.SpecCodec{Marshal: json.Marshal, Unmarshal: json.Unmarshal}})
	ctx, cancel := context.WithCancel(context.WithoutCancel(tb.Context()))
	done := make(chan struct{})
	go func() { defer close(done); _ = db.Run(ctx) }()
	tb.Cleanup(func() { cancel(); <-done })
	if err := db.AwaitLead(ctx); err != nil {
		tb.Fatal(err)
	}
	return &cluster{TB: tb, db: db}
}

func (c *cluster) tables() *state.Tables { return c.db.Snapshot().Tables }

func (c *cluster) update(f func(*state.Tx)) {
	c.Helper()
	if err := c.db.Update(context.WithoutCancel(c.Context()), func(tx *state.Tx) error { f(tx); return nil }); err != nil {
		c.Fatal(err)
	}
}

func (c *cluster) putInstance(i model.Instance) {
	i.Scope, i.Cluster = scope, "c"
	c.update(func(tx *state.Tx) { tx.Instances.Put(&i) })
}

func (c *cluster) instance(id string) *model.Instance {
	c.Helper()
	i, ok := c.tables().Instances.Get(model.InstanceKey(scope, "c", id))
	if !ok {
		c.Fatalf("no instance %s", id)
	}
	return i
}

// occupy writes the tasks of placements, as RunTask does.
func (c *cluster) occupy(need model.Resources, at ...scheduler.Placement) {
	c.update(func(tx *state.Tx) {
		for _, p := range at {
			c.tasks++
			need.GPUs, need.Addresses = p.GPUs, nil
			if p.Address != "" {
				need.Addresses = []string{p.Address}
			}
			tx.Tasks.Put(&model.Task{Scope: scope, Cluster: "c", ID: fmt.Sprintf("t%04d", c.tasks), Instance: p.Instance.ID,
				Desired: model.TaskRunning, Last: model.TaskPending, Reserved: need})
		}
	})
}

// move sets a task's status.
func (c *cluster) move(id, status string) {
	c.update(func(tx *state.Tx) {
		t, ok := tx.Tasks.Get(model.TaskKey(scope, "c", id))
		if !ok {
			c.Fatalf("no task %s", id)
		}
		next := *t
		next.Last = status
		tx.Tasks.Put(&next)
	})
}

func request(count int, need model.Resources) scheduler.Request {
	return scheduler.Request{Scope: scope, Cluster: "c", Count: count, Need: need}
}
