package state_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/state/statetest"
)

func has(db *state.DB, name string) bool {
	_, ok := db.Snapshot().Clusters.Get(model.ClusterKey(scope, name))
	return ok
}

// TestEachFaultOfCommit says, for every fault, what the caller gets, whether the write may survive, and that the
// member goes on by itself.
func TestEachFaultOfCommit(t *testing.T) {
	for _, c := range []struct {
		fault   statetest.Fault
		want    error
		written bool // known to be there afterwards
		absent  bool // known not to be
		sameRun bool // the term goes on
	}{
		{fault: statetest.Fenced, want: state.ErrNotLeader, absent: true},
		{fault: statetest.TimeoutBefore, want: state.ErrNotLeader, absent: true},
		{fault: statetest.TimeoutAfter, want: state.ErrNotLeader, written: true},
		{fault: statetest.TimeoutLate, want: state.ErrNotLeader, written: true},
		{fault: statetest.TimeoutFenced, want: state.ErrNotLeader, absent: true},
		{fault: statetest.NoSpace, want: state.ErrNoSpace, absent: true, sameRun: true},
		{fault: statetest.LostLease, want: nil, written: true},
	} {
		t.Run(c.fault.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := statetest.NewFaulty(state.NewMemory().Member(), statetest.Script(statetest.None, c.fault))
				db := lead(t, b)
				if err := db.Update(t.Context(), put("before")); err != nil {
					t.Fatal(err)
				}
				err := db.Update(t.Context(), put("struck"))
				if !errors.Is(err, c.want) {
					t.Errorf("the caller got %v, want %v", err, c.want)
				}
				if c.sameRun && !db.Leading() {
					t.Error("the term ended")
				}
				synctest.Wait()
				if err := db.AwaitLead(t.Context()); err != nil {
					t.Fatal(err)
				}
				if err := db.Update(t.Context(), put("after")); err != nil {
					t.Fatal(err)
				}
				if c.written && !has(db, "struck") || c.absent && has(db, "struck") {
					t.Errorf("the row is there: %v", has(db, "struck"))
				}
				if !has(db, "before") || !has(db, "after") {
					t.Error("an acknowledged row is lost")
				}
			})
		})
	}
}

// TestRefusedGroupTakesItsDependantsWithIt: what was built on a write that found no space fails with it, and the head
// is as if neither had been.
func TestRefusedGroupTakesItsDependantsWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := statetest.NewFaulty(state.NewMemory().Member(), statetest.Script(statetest.NoSpace))
		db := lead(t, b)
		errs := make(chan error, 20)
		for i := range 20 {
			go func() { errs <- db.Update(t.Context(), put(fmt.Sprint(i))) }()
		}
		acked := 0
		for range 20 {
			switch err := <-errs; {
			case err == nil:
				acked++
			case !errors.Is(err, state.ErrNoSpace):
				t.Error(err)
			}
		}
		if err := db.Update(t.Context(), put("last")); err != nil {
			t.Fatal(err)
		}
		if n := db.Snapshot().Clusters.Len(); n != acked+1 {
			t.Errorf("%d rows, %d acknowledged", n, acked+1)
		}
	})
}

// TestFailureIsAnsweredOnlyFromDurableFacts: an update that fails because of a row that is not durable yet shares the
// fate of that row.
func TestFailureIsAnsweredOnlyFromDurableFacts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := statetest.NewFaulty(state.NewMemory().Member(), statetest.Script(statetest.NoSpace))
		db := lead(t, b)
		exists := errors.New("exists")
		create := func(tx *state.Tx) error {
			if _, ok := tx.Clusters.Get(model.ClusterKey(scope, "a")); ok {
				return exists
			}
			return put("a")(tx)
		}
		first, second := make(chan error, 1), make(chan error, 1)
		// Both run in one update's shadow: the second sees the first's row before the committer has taken it.
		err := db.Update(t.Context(), func(*state.Tx) error {
			go func() { first <- db.Update(t.Context(), create) }()
			go func() { second <- db.Update(t.Context(), create) }()
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		e1, e2 := <-first, <-second
		if (errors.Is(e1, exists) || errors.Is(e2, exists)) && !has(db, "a") {
			t.Errorf("%v and %v, but there is no such row", e1, e2)
		}
	})
}

func TestFollowerRecoversFromEveryFaultOfReading(t *testing.T) {
	for _, call := range []string{"watch", "load", "campaign"} {
		for _, fault := range []statetest.Fault{statetest.Compacted, statetest.Unavailable} {
			t.Run(call+" "+fault.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					store := state.NewMemory()
					leader := lead(t, store.Member())
					n := 0
					db := state.Open(state.Config{Codec: jsonCodec, Backend: statetest.NewFaulty(store.Member(), func(c string) statetest.Fault {
						if n++; c == call && n < 6 {
							return fault
						}
						return statetest.None
					})})
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					go func() { _ = db.Run(ctx) }()
					s, cursor := db.Watch()
					for i := range 20 {
						if err := leader.Update(t.Context(), put(fmt.Sprint(i))); err != nil {
							t.Fatal(err)
						}
					}
					for s.Clusters.Len() < 20 {
						r, err := cursor.Next(t.Context())
						if err != nil {
							t.Fatal(err)
						}
						if !r.Reset && r.Snapshot.Clusters.Len() != s.Clusters.Len()+len(r.Changes) {
							t.Errorf("revision %d has a gap", r.Snapshot.Revision)
						}
						s = r.Snapshot
					}
				})
			})
		}
	}
}

func TestRowThatCannotBeEncodedHurtsOnlyItsOwnUpdate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		codec := jsonCodec
		bad := errors.New("bad spec")
		codec.Marshal = func(any) ([]byte, error) { return nil, bad }
		db := state.Open(state.Config{Backend: state.NewMemory().Member(), Codec: codec})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() { _ = db.Run(ctx) }()
		if err := db.AwaitLead(ctx); err != nil {
			t.Fatal(err)
		}
		errs := make(chan error, 1)
		go func() { errs <- db.Update(ctx, put("good")) }()
		err := db.Update(ctx, func(tx *state.Tx) error {
			tx.Tasks.Put(&model.Task{Launch: &model.Launch{Scope: scope, Cluster: "c", Overrides: &types.TaskOverride{}}, ID: "1"})
			return nil
		})
		if !errors.Is(err, bad) {
			t.Errorf("got %v", err)
		}
		if err := <-errs; err != nil {
			t.Errorf("the other update: %v", err)
		}
		if db.Snapshot().Tasks.Len() != 0 || !has(db, "good") {
			t.Error("wrong rows")
		}
	})
}

func TestRowMadeAndDeletedInOneGroupLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := lead(t, state.NewMemory().Member())
		_, cursor := db.Watch()
		errs := make(chan error, 4)
		// Nested, so that all join one group: the committer cannot run before the first update is done.
		go func() {
			errs <- db.Update(t.Context(), func(tx *state.Tx) error {
				go func() { errs <- db.Update(t.Context(), put("kept")) }()
				return put("gone")(tx)
			})
			errs <- db.Update(t.Context(), func(tx *state.Tx) error {
				tx.Clusters.Delete(model.ClusterKey(scope, "gone"))
				return nil
			})
		}()
		for range 3 {
			if err := <-errs; err != nil {
				t.Fatal(err)
			}
		}
		for r := cursor.Latest(); ; {
			for _, c := range r.Changes {
				if c.Old == nil && c.New == nil {
					t.Errorf("a change of nothing: %s", c.Key)
				}
			}
			if has(db, "kept") && !has(db, "gone") {
				return
			}
			var err error
			if r, err = cursor.Next(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestWipeKeepsNamedTables(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := state.NewMemory()
		db := lead(t, store.Member())
		follower := state.Open(state.Config{Backend: store.Member(), Codec: jsonCodec})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() { _ = follower.Run(ctx) }()
		err := db.Update(t.Context(), func(tx *state.Tx) error {
			tx.Accounts.Put(&model.Account{ID: "000000000000"})
			tx.Tasks.Put(&model.Task{Launch: &model.Launch{Scope: scope, Cluster: "c"},
				ID: "1", Instance: "i", Reserved: model.Resources{CPU: 5}})
			return put("a")(tx)
		})
		if err != nil {
			t.Fatal(err)
		}
		_, cursor := db.Watch()
		if err := db.Wipe(t.Context(), "accounts"); err != nil {
			t.Fatal(err)
		}
		if err := db.Wipe(t.Context(), "acounts"); err == nil {
			t.Error("an unknown table was kept")
		}
		if err := db.Wipe(t.Context(), "accounts"); err != nil {
			t.Error("wiping nothing:", err)
		}
		r, _ := cursor.Next(t.Context())
		if len(r.Changes) != 2 || r.Changes[0].New != nil {
			t.Errorf("changes: %v", r.Changes)
		}
		if err := db.Update(t.Context(), put("new")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for name, d := range map[string]*state.DB{"leader": db, "follower": follower} {
			s := d.Snapshot()
			if s.Accounts.Len() != 1 || s.Clusters.Len() != 1 || s.Tasks.Len() != 0 || s.Usage((&model.Task{Launch: &model.Launch{Scope: scope, Cluster: "c"},
				Instance: "i"}).InstanceKey()).CPU != 0 {
				t.Errorf("%s: %d accounts, %d clusters, %d tasks", name, s.Accounts.Len(), s.Clusters.Len(), s.Tasks.Len())
			}
		}
	})
}

func TestRunEndsWhenTheBackendIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := state.NewMemory().Member()
		db := state.Open(state.Config{Backend: b, Codec: jsonCodec})
		done := make(chan error, 1)
		go func() { done <- db.Run(t.Context()) }()
		if err := db.AwaitLead(t.Context()); err != nil {
			t.Fatal(err)
		}
		_ = b.Close()
		if err := <-done; !errors.Is(err, state.ErrClosed) {
			t.Fatal(err)
		}
	})
}
