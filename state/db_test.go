package state_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

var scope = model.Scope{Account: "000000000000", Region: "us-east-1"}

var jsonCodec = state.SpecCodec{Marshal: json.Marshal, Unmarshal: json.Unmarshal}

// lead runs a DB on the backend until the test ends, and returns it when it leads.
func lead(t *testing.T, b state.Backend) *state.DB {
	t.Helper()
	db := state.Open(state.Config{Backend: b, Codec: jsonCodec, Advertise: "http://" + t.Name()})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = db.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	if err := db.AwaitLead(ctx); err != nil {
		t.Fatal(err)
	}
	return db
}

func put(name string) func(*state.Tx) error {
	return func(tx *state.Tx) error {
		tx.Clusters.Put(&model.Cluster{Scope: scope, Name: name, Status: model.ClusterActive})
		return nil
	}
}

func TestUpdateIsVisibleWhenItReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := lead(t, state.NewMemory().Member())
		if err := db.Update(t.Context(), put("a")); err != nil {
			t.Fatal(err)
		}
		if _, ok := db.Snapshot().Clusters.Get(model.ClusterKey(scope, "a")); !ok {
			t.Fatal("the row is not in the snapshot after Update returned")
		}
	})
}

func TestFailedUpdateChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := lead(t, state.NewMemory().Member())
		refuse := errors.New("refused")
		task := &model.Task{Launch: &model.Launch{Scope: scope, Cluster: "c"},
			ID: "1", Instance: "i", Reserved: model.Resources{CPU: 5, PortsTCP: []int32{80}}}
		_ = db.Update(t.Context(), func(tx *state.Tx) error { tx.Tasks.Put(task); return nil })
		err := db.Update(t.Context(), func(tx *state.Tx) error {
			again := *task
			again.Reserved = model.Resources{CPU: 9}
			tx.Tasks.Put(&again)
			tx.Tasks.Delete(task.Key())
			tx.Clusters.Put(&model.Cluster{Scope: scope, Name: "x"})
			return refuse
		})
		if !errors.Is(err, refuse) {
			t.Fatalf("got %v", err)
		}
		_ = db.Update(t.Context(), put("next")) // publishes whatever the head has
		s := db.Snapshot()
		if _, ok := s.Clusters.Get(model.ClusterKey(scope, "x")); ok {
			t.Error("a row of the failed update survived")
		}
		if u := s.Usage(task.InstanceKey()); u.CPU != 5 || u.Tasks != 1 || len(u.PortsTCP) != 1 {
			t.Errorf("usage after the failed update: %+v", u)
		}
	})
}

func TestWatchSeesEveryRevisionOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := state.NewMemory()
		db := lead(t, store.Member())
		follower := state.Open(state.Config{Backend: store.Member(), Codec: jsonCodec})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() { _ = follower.Run(ctx) }()
		synctest.Wait()
		for name, d := range map[string]*state.DB{"leader": db, "follower": follower} {
			s, cursor := d.Watch()
			before := s.Clusters.Len()
			for i := range 50 {
				if err := db.Update(t.Context(), put(fmt.Sprint(name, i))); err != nil {
					t.Fatal(err)
				}
			}
			synctest.Wait()
			seen, last := 0, s.Revision
			for seen < 50 {
				r, err := cursor.Next(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if r.Snapshot.Revision <= last || r.Snapshot.Clusters.Len() != before+seen+len(r.Changes) {
					t.Fatalf("%s: revision %d after %d has %d rows and %d changes", name, r.Snapshot.Revision, last, r.Snapshot.Clusters.Len(), len(r.Changes))
				}
				seen, last = seen+len(r.Changes), r.Snapshot.Revision
			}
		}
	})
}

func TestDeposedLeaderComesBackWithEverythingAcknowledged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := state.NewMemory()
		db := lead(t, store.Member())
		for i := range 10 {
			if err := db.Update(t.Context(), put(fmt.Sprint(i))); err != nil {
				t.Fatal(err)
			}
		}
		store.Depose()
		store.Compact()
		synctest.Wait()
		err := db.Update(t.Context(), put("between"))
		if err != nil && !errors.Is(err, state.ErrNotLeader) {
			t.Fatal(err)
		}
		if err := db.AwaitLead(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := db.Update(t.Context(), put("after")); err != nil {
			t.Fatal(err)
		}
		if n := db.Snapshot().Clusters.Len(); n != 11 {
			t.Fatalf("%d rows, want 11", n)
		}
	})
}

func TestUpdatesBeyondOneBatchKeepTheirOwnSnapshots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := lead(t, state.NewMemory().Member())
		_, cursor := db.Watch()
		const updates, rows = 10, 1000 // 4096 rows fit into a batch
		errs := make(chan error, updates)
		for u := range updates {
			go func() {
				errs <- db.Update(t.Context(), func(tx *state.Tx) error {
					for i := range rows {
						tx.Clusters.Put(&model.Cluster{Scope: scope, Name: fmt.Sprintf("%d-%d", u, i)})
					}
					return nil
				})
			}()
		}
		for range updates {
			if err := <-errs; err != nil {
				t.Fatal(err)
			}
		}
		for total := 0; total < updates*rows; {
			r, err := cursor.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			total += len(r.Changes)
			if r.Snapshot.Clusters.Len() != total || total%rows != 0 {
				t.Fatalf("snapshot has %d rows after %d changes", r.Snapshot.Clusters.Len(), total)
			}
		}
		err := db.Update(t.Context(), func(tx *state.Tx) error {
			for i := range 5000 {
				tx.Clusters.Put(&model.Cluster{Scope: scope, Name: fmt.Sprintf("big-%d", i)})
			}
			return nil
		})
		if !errors.Is(err, state.ErrTooLarge) {
			t.Fatalf("got %v", err)
		}
	})
}

// What is done while leading is told when its term is over, and done again in the next one.
func TestWhileLeading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := state.NewMemory()
		db := lead(t, m.Member())
		ctx, cancel := context.WithCancel(t.Context())
		terms, under := 0, 0
		done := make(chan error, 1)
		go func() {
			done <- db.WhileLeading(ctx, func(ctx context.Context) {
				terms, under = terms+1, under+1
				if !db.Leading() {
					t.Error("run without the lead")
				}
				<-ctx.Done()
				under--
			})
		}()
		synctest.Wait()
		for n := 1; n < 4; n++ {
			if terms != n || under != 1 {
				t.Errorf("in term %d: run %d times, %d at once", n, terms, under)
			}
			m.Depose()
			time.Sleep(time.Minute)
			synctest.Wait()
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) || under != 0 {
			t.Errorf("%v, %d still run", err, under)
		}
	})
}
