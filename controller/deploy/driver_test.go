package deploy_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roadstead/roadstead/controller"
	"github.com/roadstead/roadstead/controller/deploy"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/scheduler"
	"github.com/roadstead/roadstead/state"
)

// Run by the driver, whose goroutines share the loop: services that lack room get it when instances come, in whatever order
// the workers look at them, and DAEMONs follow.
func TestServicesRunByThemselves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ids atomic.Int64
		id := func() string { return fmt.Sprintf("%032x", ids.Add(1)) }
		l := &deploy.Loop{NewID: id, NewUUID: id, Seed: func() uint64 { return uint64(ids.Add(1)) }}
		db := state.Open(state.Config{Backend: state.NewMemory().Member(), Codec: state.SpecCodec{Marshal: json.Marshal, Unmarshal: json.Unmarshal},
			NewIndex: func() state.Index { return scheduler.NewIndex() }})
		driver := controller.New(controller.Config{DB: db, Loops: []controller.Loop{{Name: "deploy", Touched: l.Touched, All: l.All, Due: l.Due, Reconcile: l.Reconcile, Pace: 20 * time.Millisecond}}})
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		defer running.Wait()
		defer cancel()
		running.Go(func() { _ = db.Run(ctx) })
		running.Go(func() { _ = driver.Run(ctx) })
		if err := db.AwaitLead(ctx); err != nil {
			t.Fatal(err)
		}
		w := &world{TB: t, db: db, now: time.Now()}
		const services = 100
		w.update(func(tx *state.Tx) {
			tx.Clusters.Put(&model.Cluster{Scope: scope, Name: "c", Status: model.ClusterActive})
		})
		for n := range services {
			w.create(service{name: fmt.Sprint("s", n), definition: "f:1", launch: "EC2", desired: 3, daemon: n%10 == 0})
		}
		var joining sync.WaitGroup
		for n := range 4 {
			joining.Go(func() {
				time.Sleep(time.Duration(n) * 7 * time.Millisecond)
				w.crowd(4 * (n + 1)) // registers earlier ones again
			})
		}
		joining.Wait()
		time.Sleep(time.Minute)
		for s := range db.Snapshot().Services.All() {
			want := 3
			if s.Scheduling == model.SchedulingDaemon {
				want = 16
			}
			have := 0
			for range db.Snapshot().TasksOfService(s.Key()) {
				have++
			}
			if have != want {
				t.Errorf("%s has %d tasks, want %d", s.Name, have, want)
			}
		}
		if s := driver.Stats()[0]; s.Errors != 0 {
			t.Errorf("stats %+v", s)
		}
	})
}
