package state_test

import (
	"context"
	"errors"
	"maps"
	"testing"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/state/statetest"
)

// mirror is an index that remembers the rows it was told of.
type mirror struct {
	instances map[string]*model.Instance
	tasks     map[string]*model.Task
}

func newMirror() *mirror {
	return &mirror{instances: map[string]*model.Instance{}, tasks: map[string]*model.Task{}}
}

func (m *mirror) Instance(old, new *model.Instance) { mirrorRow(m.instances, old, new) }
func (m *mirror) Task(old, new *model.Task)         { mirrorRow(m.tasks, old, new) }

func mirrorRow[R any, P interface {
	*R
	Key() string
}](rows map[string]*R, old, new *R) {
	if old != nil {
		if rows[P(old).Key()] != old {
			panic("an index was told of the change of a row that it does not have")
		}
		delete(rows, P(old).Key())
	}
	if new != nil {
		rows[P(new).Key()] = new
	}
}

// An index follows the head: through transactions, those that fail, a commit that is refused, a wipe and a new term.
func TestIndexFollowsTheHead(t *testing.T) {
	var indices []*mirror
	fault := make(chan statetest.Fault, 1) // of the next commit
	backend := statetest.NewFaulty(state.NewMemory().Member(), func(call string) statetest.Fault {
		if call != "commit" {
			return statetest.None
		}
		select {
		case f := <-fault:
			return f
		default:
			return statetest.None
		}
	})
	db := state.Open(state.Config{Backend: backend, Codec: jsonCodec, NewIndex: func() state.Index {
		indices = append(indices, newMirror())
		return indices[len(indices)-1]
	}})
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan struct{})
	go func() { defer close(done); _ = db.Run(ctx) }()
	defer func() { cancel(); <-done }()
	if err := db.AwaitLead(ctx); err != nil {
		t.Fatal(err)
	}
	agree := func(when string) {
		t.Helper()
		err := db.Update(ctx, func(tx *state.Tx) error {
			m := tx.Index().(*mirror)
			rows := newMirror()
			for i := range tx.Instances.All() {
				rows.instances[i.Key()] = i
			}
			for task := range tx.Tasks.All() {
				rows.tasks[task.Key()] = task
			}
			if !maps.Equal(m.instances, rows.instances) || !maps.Equal(m.tasks, rows.tasks) {
				t.Errorf("%s: the index has %d instances and %d tasks, the head %d and %d", when, len(m.instances), len(m.tasks),
					len(rows.instances), len(rows.tasks))
			}
			return nil
		})
		if err != nil {
			t.Fatal(when, err)
		}
	}
	put := func(id, status string) func(tx *state.Tx) error {
		return func(tx *state.Tx) error {
			tx.Instances.Put(&model.Instance{Scope: scope, Cluster: "c", ID: "i"})
			tx.Tasks.Put(&model.Task{Launch: &model.Launch{Scope: scope, Cluster: "c"}, ID: id, Last: status})
			return nil
		}
	}
	for _, f := range []func(*state.Tx) error{put("a", "PENDING"), put("b", "PENDING"), put("a", "RUNNING")} {
		if err := db.Update(ctx, f); err != nil {
			t.Fatal(err)
		}
	}
	agree("after three transactions")
	_ = db.Update(ctx, func(tx *state.Tx) error {
		_ = put("c", "PENDING")(tx)
		tx.Tasks.Delete(model.TaskKey(scope, "c", "a"))
		return errors.New("no")
	})
	agree("after one that failed")
	fault <- statetest.NoSpace
	if err := db.Update(ctx, put("d", "PENDING")); !errors.Is(err, state.ErrNoSpace) {
		t.Fatal(err)
	}
	agree("after a commit that was refused")
	fault <- statetest.TimeoutAfter
	_ = db.Update(ctx, put("e", "PENDING"))
	for errors.Is(db.Update(ctx, func(*state.Tx) error { return nil }), state.ErrNotLeader) {
		_ = db.AwaitLead(ctx)
	}
	agree("in a new term")
	if err := db.Wipe(ctx, "instances"); err != nil {
		t.Fatal(err)
	}
	agree("after a wipe")
	if len(indices) < 3 {
		t.Errorf("%d indices were made", len(indices))
	}
}
