package state_test

import (
	"errors"
	"testing"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/state/statetest"
)

// A stepped DB commits in the caller's goroutine, revision by revision, and a new term has what the last one committed.
func TestSteppedDBCommitsByItself(t *testing.T) {
	db := state.OpenStepped(state.Config{Backend: state.NewMemory().Member(), Codec: jsonCodec})
	if err := db.Update(t.Context(), put("early")); !errors.Is(err, state.ErrNotLeader) {
		t.Fatalf("before the first term: %v", err)
	}
	has := func(name string) bool { _, ok := db.Snapshot().Clusters.Get(model.ClusterKey(scope, name)); return ok }
	for _, name := range []string{"a", "b"} {
		if err := db.Lead(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, cursor := db.Watch()
		if err := db.Update(t.Context(), put(name)); err != nil || !has(name) {
			t.Fatalf("put %s: %v, visible: %t", name, err, has(name))
		}
		if r := cursor.Latest(); len(r.Changes) != 1 || r.Changes[0].Table != "clusters" {
			t.Fatalf("the revision has the changes %v", r.Changes)
		}
		db.Fail(t.Context())
		if err := db.Update(t.Context(), put("late")); !errors.Is(err, state.ErrNotLeader) || has("late") {
			t.Fatalf("between terms: %v", err)
		}
	}
	if err := db.Lead(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !has("a") || !has("b") {
		t.Error("a new term lacks what earlier ones committed")
	}
	if err := db.Wipe(t.Context()); err != nil || has("a") {
		t.Errorf("wipe: %v", err)
	}
}

// What the backend refuses is taken back, and the term goes on.
func TestSteppedDBTakesBackWhatIsRefused(t *testing.T) {
	full := false
	backend := statetest.NewFaulty(state.NewMemory().Member(), func(call string) statetest.Fault {
		if full && call == "commit" {
			return statetest.NoSpace
		}
		return statetest.None
	})
	db := state.OpenStepped(state.Config{Backend: backend, Codec: jsonCodec})
	if err := db.Lead(t.Context()); err != nil {
		t.Fatal(err)
	}
	full = true
	if err := db.Update(t.Context(), put("a")); !errors.Is(err, state.ErrNoSpace) {
		t.Fatalf("got %v", err)
	}
	full = false
	err := db.Update(t.Context(), func(tx *state.Tx) error {
		if tx.Clusters.Len() != 0 {
			t.Error("the head kept what was refused")
		}
		return put("b")(tx)
	})
	if err != nil || db.Snapshot().Clusters.Len() != 1 {
		t.Errorf("after the refusal: %v, %d rows", err, db.Snapshot().Clusters.Len())
	}
}
