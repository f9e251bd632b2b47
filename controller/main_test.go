package controller_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/roadstead/roadstead/controller"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var scope = model.Scope{Account: "000000000000", Region: "us-east-1"}

// member is one member of a control plane, in a bubble, whose driver runs.
type member struct {
	t      testing.TB
	db     *state.DB
	driver *controller.Driver
	log    *logged
	stop   func()
}

// start runs a member with the loops until the test ends or stop is called.
func start(t testing.TB, b state.Backend, loops ...controller.Loop) *member {
	t.Helper()
	m := &member{t: t, log: &logged{}}
	m.db = state.Open(state.Config{Backend: b, Codec: state.SpecCodec{Marshal: json.Marshal, Unmarshal: json.Unmarshal}})
	m.driver = controller.New(controller.Config{DB: m.db, Loops: loops, Seed: 1, Log: slog.New(m.log)})
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 2)
	go func() { done <- m.db.Run(ctx) }()
	go func() { done <- m.driver.Run(ctx) }()
	stopped := false
	m.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		for range 2 {
			if err := <-done; !errors.Is(err, context.Canceled) {
				t.Errorf("Run ended with %v", err)
			}
		}
	}
	t.Cleanup(m.stop)
	return m
}

// lead is start for the member that leads.
func lead(t testing.TB, loops ...controller.Loop) *member {
	t.Helper()
	m := start(t, state.NewMemory().Member(), loops...)
	if err := m.db.AwaitLead(t.Context()); err != nil {
		t.Fatal(err)
	}
	return m
}

// update writes until it succeeds.
func (m *member) update(f func(*state.Tx) error) {
	m.t.Helper()
	for {
		if err := m.db.AwaitLead(m.t.Context()); err != nil {
			m.t.Fatal(err)
		}
		if m.db.Update(m.t.Context(), f) == nil {
			return
		}
	}
}

// want lets the instance want so many tasks, see toy.
func (m *member) want(key string, n int64) {
	m.t.Helper()
	m.update(wants(key, n))
}

func wants(key string, n int64) func(*state.Tx) error {
	return func(tx *state.Tx) error {
		tx.Instances.Put(&model.Instance{Scope: scope, Cluster: "c", ID: key, Version: n})
		return nil
	}
}

// crowd makes instances that want n tasks each.
func (m *member) crowd(from, to int, n int64) {
	m.t.Helper()
	m.update(func(tx *state.Tx) error {
		for i := from; i < to; i++ {
			_ = wants(fmt.Sprint(i), n)(tx)
		}
		return nil
	})
}

// The toy loop keeps as many tasks for each instance as its version says, adding or deleting one at a time.

func toyKey(id string) string { return model.InstanceKey(scope, "c", id) }

func toyTouched(dst []string, c *state.Change) []string {
	for _, row := range []any{c.Old, c.New} {
		var key string
		switch r := row.(type) {
		case *model.Instance:
			key = r.Key()
		case *model.Task:
			key = r.InstanceKey()
		default:
			continue
		}
		if !slices.Contains(dst, key) {
			dst = append(dst, key)
		}
	}
	return dst
}

func toyAll(t *state.Tables) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range t.Instances.All() {
			if !yield(i.Key()) {
				return
			}
		}
	}
}

// toyMiss is how many tasks the instance has too few (or, negative, too many).
func toyMiss(t *state.Tables, key string) int64 {
	i, ok := t.Instances.Get(key)
	if !ok {
		return 0
	}
	have := int64(0)
	for range t.TasksOn(key) {
		have++
	}
	return i.Version - have
}

// toyStep adds or deletes one task, named after the number there are.
func toyStep(tx *state.Tx, key string) {
	i, ok := tx.Instances.Get(key)
	if !ok {
		return
	}
	n := 0
	for range tx.TasksOn(key) {
		n++
	}
	name := func(n int) string { return i.ID + "-" + string(rune('a'+n)) }
	switch miss := toyMiss(tx.Tables, key); {
	case miss > 0:
		tx.Tasks.Put(&model.Task{Launch: &model.Launch{Scope: scope, Cluster: "c"},
			ID: name(n), Instance: i.ID, Last: model.TaskRunning, Desired: model.TaskRunning})
	case miss < 0:
		tx.Tasks.Delete(model.TaskKey(scope, "c", name(n-1)))
	}
}

func toy() controller.Loop {
	return controller.Loop{
		Name: "toy", Touched: toyTouched, All: toyAll,
		Reconcile: func(tx *state.Tx, key string, _ time.Time) (time.Time, error) {
			toyStep(tx, key)
			return time.Time{}, nil
		},
	}
}

// logged is what was logged.
type logged struct {
	mu       sync.Mutex
	messages []string
}

func (l *logged) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.messages)
}

func (l *logged) Enabled(context.Context, slog.Level) bool { return true }
func (l *logged) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.messages = append(l.messages, r.Message)
	return nil
}
func (l *logged) WithAttrs([]slog.Attr) slog.Handler { return l }
func (l *logged) WithGroup(string) slog.Handler      { return l }

// inBubble runs f in virtual time.
func inBubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}
