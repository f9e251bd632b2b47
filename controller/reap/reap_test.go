package reap_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roadstead/roadstead/controller/reap"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

var scope = model.Scope{Account: "000000000000", Region: "us-east-1"}

// reaped fills a state, reaps at now, and returns the names of the rows left.
func reaped(t *testing.T, now time.Time, limit int, fill func(*state.Tx)) (left []string, deleted int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		db := state.Open(state.Config{Backend: state.NewMemory().Member(), Codec: state.SpecCodec{Marshal: json.Marshal, Unmarshal: json.Unmarshal}})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); _ = db.Run(ctx) }()
		defer func() { cancel(); <-done }()
		if err := db.AwaitLead(ctx); err != nil {
			t.Fatal(err)
		}
		_ = db.Update(ctx, func(tx *state.Tx) error { fill(tx); return nil })
		keep := reap.Retention{StoppedTasks: time.Hour, InactiveInstances: time.Hour}
		due := reap.Due(db.Snapshot().Tables, now, keep)
		if err := db.Update(ctx, func(tx *state.Tx) error { deleted = reap.Reconcile(tx, now, keep, limit); return nil }); err != nil {
			t.Fatal(err)
		}
		if due != (deleted > 0) {
			t.Errorf("Due said %v, %d rows were deleted", due, deleted)
		}
		s := db.Snapshot()
		for x := range s.Tasks.All() {
			left = append(left, "task "+x.ID)
		}
		for x := range s.Instances.All() {
			left = append(left, "instance "+x.ID)
		}
		for x := range s.RunTokens.All() {
			left = append(left, "token "+x.Token)
		}
		for x := range s.Definitions.All() {
			left = append(left, "definition "+x.Name())
		}
	})
	return left, deleted
}

func TestOnlyWhatIsOverGoes(t *testing.T) {
	now := time.UnixMilli(10 * 3600 * 1000)
	old, fresh := now.Add(-2*time.Hour).UnixMilli(), now.Add(-time.Minute).UnixMilli()
	left, deleted := reaped(t, now, 100, func(tx *state.Tx) {
		tx.Tasks.Put(&model.Task{Scope: scope, Cluster: "c", ID: "old", Last: model.TaskStopped, StoppedAt: old, Definition: "gone:1"})
		tx.Tasks.Put(&model.Task{Scope: scope, Cluster: "c", ID: "fresh", Last: model.TaskStopped, StoppedAt: fresh})
		tx.Tasks.Put(&model.Task{Scope: scope, Cluster: "c", ID: "runs", Last: model.TaskRunning, CreatedAt: old, Definition: "used:1", Instance: "left"})
		tx.Instances.Put(&model.Instance{Scope: scope, Cluster: "c", ID: "left", Status: model.InstanceInactive, RegisteredAt: old})
		tx.Instances.Put(&model.Instance{Scope: scope, Cluster: "c", ID: "idle", Status: model.InstanceInactive, RegisteredAt: old})
		tx.Instances.Put(&model.Instance{Scope: scope, Cluster: "c", ID: "lives", Status: model.InstanceActive, RegisteredAt: old})
		tx.RunTokens.Put(&model.RunToken{Scope: scope, Cluster: "c", Token: "spent", ExpiresAt: fresh})
		tx.RunTokens.Put(&model.RunToken{Scope: scope, Cluster: "c", Token: "good", ExpiresAt: now.Add(time.Hour).UnixMilli()})
		for _, d := range []string{"gone", "used"} {
			tx.Definitions.Put(&model.TaskDefinition{Scope: scope, Family: d, Revision: 1, Status: model.DefinitionDeleting})
		}
		tx.Definitions.Put(&model.TaskDefinition{Scope: scope, Family: "inactive", Revision: 1, Status: model.DefinitionInactive})
	})
	want := "[task fresh task runs instance left instance lives token good definition inactive:1 definition used:1]"
	if got := fmt.Sprint(left); got != want || deleted != 4 {
		t.Errorf("left %s after %d deletions\nwant %s after 4", got, deleted, want)
	}
}

func TestLimitHolds(t *testing.T) {
	now := time.UnixMilli(10 * 3600 * 1000)
	left, deleted := reaped(t, now, 3, func(tx *state.Tx) {
		for i := range 5 {
			tx.Tasks.Put(&model.Task{Scope: scope, Cluster: "c", ID: fmt.Sprint(i), Last: model.TaskStopped, StoppedAt: 1})
		}
	})
	if len(left) != 2 || deleted != 3 {
		t.Errorf("left %v after %d deletions, want 2 after 3", left, deleted)
	}
}
