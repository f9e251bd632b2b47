package simulate

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/roadstead/roadstead/api/ecs"
	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/controller"
	"github.com/roadstead/roadstead/controller/deploy"
	"github.com/roadstead/roadstead/controller/lost"
	"github.com/roadstead/roadstead/controller/place"
	"github.com/roadstead/roadstead/controller/reap"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/scheduler"
	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/wire"
)

// home is where everything is simulated.
func home() model.Scope { return model.Scope{Account: "000000000000", Region: "us-east-1"} }

// epoch is the beginning of time: 2026-01-01T00:00:00Z.
func epoch() time.Time { return time.UnixMilli(1_767_225_600_000).UTC() }

// world is a control plane and its nodes on virtual time. One goroutine runs all of it.
type world struct {
	file   *File
	caller func() context.Context // carries the user who does everything
	*books

	now    time.Duration
	alarms alarms
	stamps uint64
	ids    uint64
	tie    uint64 // decides ties of the next placement
	draws  uint64 // of ties of services

	db      *state.DB
	mux     *wire.Mux
	cursor  *state.Cursor
	queue   *controller.Queue
	awake   time.Duration // when an alarm for the queue goes off, the latest that was set
	leading bool
	terms   int
	callers []func() // who wait for a leader
	subnets []string // one in each zone

	nodes   []*node
	node    map[string]*node  // by the instance's row key
	counts  map[*Group]int    // nodes made so far
	jobs    map[string]*job   // tasks that are not over, by row key
	made    map[*Kind]int     // jobs so far
	named   map[string]string // jobs of services, by the ids of their tasks
	tallies []tally           // of this time, not told yet
}

// newWorld starts a control plane without rows.
func newWorld(ctx context.Context, f *File, b *books) (*world, error) {
	user := auth.WithPrincipal(ctx, auth.NewPrincipal(model.AccessKey{ID: "simulate", Account: home().Account, Kind: model.KeyRoot}, home().Region, "ecs"))
	w := &world{file: f, caller: func() context.Context { return user }, books: b, awake: -1,
		node: map[string]*node{}, counts: map[*Group]int{}, jobs: map[string]*job{}, made: map[*Kind]int{}, named: map[string]string{}}
	w.db = state.OpenStepped(state.Config{
		Backend: state.NewMemory().Member(), Advertise: "http://simulated",
		Codec:    state.SpecCodec{Marshal: wire.Marshal, Unmarshal: wire.Unmarshal},
		NewIndex: func() state.Index { return scheduler.NewIndex() },
	})
	w.mux = ecs.New(ecs.Config{
		DB: w.db, Now: w.time, NewID: w.newID, NewUUID: w.newUUID, Seed: func() uint64 { return w.tie }, Subnet: zoneOf,
	})
	_, w.cursor = w.db.Watch()
	return w, w.lead()
}

// loops are what the leader does by itself, as server has it.
func (w *world) loops() []controller.Loop {
	silent := &lost.Loop{}
	waiting := &place.Loop{Subnet: zoneOf}
	services := &deploy.Loop{NewID: w.newID, NewUUID: w.newUUID, Seed: w.drawTie, Subnet: zoneOf, Limit: reapLimit}
	over := &reap.Loop{Retention: reap.Retention{StoppedTasks: w.file.Keep, InactiveInstances: w.file.Keep, InactiveServices: w.file.Keep, Events: w.file.Keep}, Limit: reapLimit}
	return []controller.Loop{
		{Name: "lost", Touched: silent.Touched, All: silent.All, Due: silent.Due, Reconcile: silent.Reconcile, Settle: lost.Settle},
		{Name: "place", Touched: waiting.Touched, All: waiting.All, Due: waiting.Due, Reconcile: waiting.Reconcile, Pace: placePace},
		{Name: "deploy", Touched: services.Touched, All: services.All, Due: services.Due, Reconcile: services.Reconcile, Pace: deployPace},
		{Name: "reap", Touched: over.Touched, All: over.All, Due: over.Due, Reconcile: over.Reconcile, Pace: reap.Batch},
	}
}

// As in server, but for the limit: the memory backend takes more rows at once than etcd.
const (
	placePace  = 100 * time.Millisecond
	deployPace = 20 * time.Millisecond
	reapLimit  = 4000
)

// time is what the control plane takes for now.
func (w *world) time() time.Time { return epoch().Add(w.now) }

// newID returns an id that is like no other, and the same in every run.
func (w *world) newID() string {
	w.ids++
	return fmt.Sprintf("%012x%020x", w.time().UnixMilli(), w.ids)
}

func (w *world) newUUID() string {
	w.ids++
	return fmt.Sprintf("00000000-0000-4000-8000-%012x", w.ids)
}

// drawTie decides ties among the tasks of services.
func (w *world) drawTie() uint64 {
	w.draws++
	return mix(w.file.Seed, w.draws)
}

// zoneOf finds the one subnet that each zone has: subnet-ZONE.
func zoneOf(_ model.Scope, id string) (string, bool) { return strings.CutPrefix(id, "subnet-") }

// invoke calls an operation of the API.
func invoke[O any](w *world, op string, in any) (*O, error) {
	return wire.Invoke[O](w.caller(), w.mux, op, in)
}

// update changes rows as the room does that the simulation stands in for: the sessions of nodes.
func (w *world) update(f func(*state.Tx) error) error { return w.db.Update(w.caller(), f) }

// run lets time pass until its end.
func (w *world) run(ctx context.Context) error {
	w.settle()
	for {
		do, ok := w.next()
		if !ok || ctx.Err() != nil {
			break
		}
		do()
		w.settle()
	}
	w.now = w.file.Until
	return ctx.Err()
}

// settle lets everybody look at what has changed, until nothing changes any more at this time.
func (w *world) settle() {
	for {
		if r, ok := w.cursor.Poll(); ok {
			w.observe(r)
		} else if !w.reconcile() {
			break
		}
	}
	w.tellTallies()
	if !w.leading {
		return
	}
	at, ok := w.queue.NextWake()
	if !ok {
		return
	}
	if d := at.Sub(epoch()); w.awake <= w.now || d < w.awake {
		w.awake = d
		w.after(d-w.now, func() {})
	}
}

// reconcile lets the controllers look at one key; false if there is none to look at.
func (w *world) reconcile() bool {
	if !w.leading {
		return false
	}
	now := w.time()
	j, ok := w.queue.Next(now)
	if !ok {
		return false
	}
	due, wake, err := j.Look(w.db.Snapshot().Tables, now)
	if err == nil && due {
		err = w.update(func(tx *state.Tx) error {
			wake, err = j.Do(tx, now)
			return err
		})
	}
	if err != nil {
		w.tell("controller %s failed for %s: %v", j.Loop.Name, j.Key, err)
	}
	w.queue.Done(j, now, wake, err)
	return true
}

// observe tells nodes, controllers and books what has changed. When a term begins nothing has, and all look again.
func (w *world) observe(r *state.Revision) {
	if r.Reset {
		return
	}
	for i := range r.Changes {
		switch c := &r.Changes[i]; c.Table {
		case "tasks":
			old, _ := c.Old.(*model.Task)
			new, _ := c.New.(*model.Task)
			w.taskChanged(c.Key, old, new)
		case "messages":
			if m, ok := c.New.(*model.Message); ok && c.Old == nil {
				w.messageSaid(m)
			}
		case "instances":
			if new, ok := c.New.(*model.Instance); ok {
				w.instanceChanged(c.Key, new)
			}
		}
	}
	if w.leading {
		w.queue.Observe(r)
	}
}
