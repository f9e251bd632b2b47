package state_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

func TestTryChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := lead(t, state.NewMemory().Member())
		if err := db.Update(t.Context(), put("kept")); err != nil {
			t.Fatal(err)
		}
		before := db.Snapshot()
		seen := false
		err := db.Try(t.Context(), func(tx *state.Tx) error {
			if err := put("tried")(tx); err != nil {
				return err
			}
			tx.Clusters.Delete(model.ClusterKey(scope, "kept"))
			_, seen = tx.Clusters.Get(model.ClusterKey(scope, "tried"))
			return nil
		})
		if err != nil || !seen {
			t.Fatalf("%v; the trial saw its own row: %v", err, seen)
		}
		if db.Snapshot().Revision != before.Revision || has(db, "tried") || !has(db, "kept") {
			t.Error("the trial left something behind")
		}
		no := errors.New("no")
		if err := db.Try(t.Context(), func(*state.Tx) error { return no }); !errors.Is(err, no) {
			t.Errorf("got %v", err)
		}
		if err := db.Update(t.Context(), put("tried")); err != nil || !has(db, "tried") {
			t.Error("the head kept something of the trial", err)
		}
	})
}
