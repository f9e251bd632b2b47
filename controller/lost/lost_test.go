package lost_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/roadstead/roadstead/controller"
	"github.com/roadstead/roadstead/controller/lost"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/test/scenario"
)

var scope = model.Scope{Account: "000000000000", Region: "us-east-1"}

// plane is a control plane whose leader runs the loop, pumped by hand on its own time.
type plane struct {
	*testing.T
	db     *state.DB
	loop   lost.Loop
	queue  *controller.Queue
	cursor *state.Cursor
	seen   int64
	now    time.Time
	shown  map[string]string // of tasks
}

func newPlane(t *testing.T) *plane {
	p := &plane{T: t, now: time.UnixMilli(1000).UTC(), loop: lost.Loop{Limit: 2}, shown: map[string]string{}}
	p.db = state.Open(state.Config{Backend: state.NewMemory().Member(), Codec: state.SpecCodec{Marshal: json.Marshal, Unmarshal: json.Unmarshal}})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = p.db.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	if err := p.db.AwaitLead(ctx); err != nil {
		t.Fatal(err)
	}
	p.lead()
	return p
}

// lead begins a term of a leader who knows nothing but the rows.
func (p *plane) lead() {
	l := &p.loop
	p.queue = controller.NewQueue([]controller.Loop{{Name: "lost", Touched: l.Touched, All: l.All, Due: l.Due, Reconcile: l.Reconcile, Settle: lost.Settle}}, 1)
	var snap *state.Snapshot
	snap, p.cursor = p.db.Watch()
	p.seen = snap.Revision
	p.queue.Begin(snap.Tables, p.now)
}

func (p *plane) update(f func(*state.Tx) error) error {
	p.Helper()
	err := p.db.Update(p.Context(), f)
	for p.seen < p.db.Snapshot().Revision {
		r, err := p.cursor.Next(p.Context())
		if err != nil {
			p.Fatal(err)
		}
		p.seen = r.Snapshot.Revision
		p.queue.Observe(r)
	}
	return err
}

// instance changes the row of an instance, or makes it.
func (p *plane) instance(id string, change func(*model.Instance)) {
	p.Helper()
	err := p.update(func(tx *state.Tx) error {
		row := model.Instance{Scope: scope, Cluster: "c", ID: id, EC2ID: "i-" + id, Status: model.InstanceActive}
		if old, ok := tx.Instances.Get(row.Key()); ok {
			row = *old
		}
		change(&row)
		tx.Instances.Put(&row)
		return nil
	})
	if err != nil {
		p.Fatal(err)
	}
}

// work does what is to be done now.
func (p *plane) work(call *scenario.Call) {
	for job, ok := p.queue.Next(p.now); ok; job, ok = p.queue.Next(p.now) {
		due, wake, err := job.Look(p.db.Snapshot().Tables, p.now)
		if err == nil && due {
			err = p.update(func(tx *state.Tx) (err error) { wake, err = job.Do(tx, p.now); return err })
		}
		if err != nil {
			p.Fatal(err)
		}
		p.queue.Done(job, p.now, wake, nil)
	}
	for t := range p.db.Snapshot().Tasks.All() {
		text := t.Last
		if t.Last == model.TaskStopped {
			text += fmt.Sprintf(" %s: %s", t.StopCode, t.StopReason)
		}
		if p.shown[t.ID] != text {
			p.shown[t.ID] = text
			call.Printf("%s %s %s", p.now.Format(time.TimeOnly), t.ID, text)
		}
	}
}

// TestScenarios plays testdata/*.txt:
//
//	instance ID [status=ACTIVE]        its agent is connected; or its status changes
//	task ID on=INSTANCE [last=RUNNING] [started=yes] [code=UserInitiated]   that has been asked to stop
//	silent INSTANCE                    the session marks it disconnected, its agent having been silent for a minute
//	back INSTANCE                      its agent has come
//	lead                               another member leads from now on
//	pass 30s                           time passes; shows what becomes of tasks, and when
func TestScenarios(t *testing.T) {
	scenario.Run(t, "testdata/*.txt", func(t *testing.T) scenario.Verbs {
		p := newPlane(t)
		return scenario.Verbs{
			"instance": func(c *scenario.Call) {
				status := c.Text("status", model.InstanceActive)
				p.instance(c.Arg(), func(i *model.Instance) { i.Status, i.AgentConnected = status, i.DisconnectedAt == 0 })
			},
			"task": p.task,
			"silent": func(c *scenario.Call) {
				p.instance(c.Arg(), func(i *model.Instance) {
					i.AgentConnected, i.DisconnectedAt = false, p.now.Add(-time.Minute).UnixMilli()
				})
			},
			"back": func(c *scenario.Call) {
				p.instance(c.Arg(), func(i *model.Instance) { i.AgentConnected, i.DisconnectedAt = true, 0 })
			},
			"lead": func(*scenario.Call) { p.lead() },
			"pass": func(c *scenario.Call) {
				end := p.now.Add(c.Duration())
				for p.work(c); ; p.work(c) {
					at, ok := p.queue.NextWake()
					if !ok || at.After(end) {
						p.now = end
						return
					}
					p.now = at.UTC()
				}
			},
		}
	})
}

func (p *plane) task(c *scenario.Call) {
	t := &model.Task{Launch: &model.Launch{Scope: scope, Cluster: "c"},
		ID: c.Arg(), Instance: c.Text("on", ""), Desired: model.TaskRunning, Last: c.Text("last", model.TaskRunning), CreatedAt: p.now.UnixMilli(), Version: 1,
		Containers: []model.Container{{Name: "app", Essential: true}}}
	if t.Last == model.TaskRunning {
		t.StartedAt = p.now.UnixMilli()
	}
	if code := c.Text("code", ""); code != "" {
		*t, _ = t.Stop(code, "asked for", p.now.UnixMilli())
	}
	if err := p.update(func(tx *state.Tx) error { tx.Tasks.Put(t); return nil }); err != nil {
		p.Fatal(err)
	}
}

// Only an agent's falling silent touches, and only silent instances are looked at.
func TestTouched(t *testing.T) {
	row := func(silent model.Millis) *model.Instance {
		return &model.Instance{Scope: scope, Cluster: "c", ID: "i", DisconnectedAt: silent, AgentConnected: silent == 0}
	}
	for name, c := range map[string]struct {
		state.Change
		touches bool
	}{
		"falls silent":   {state.Change{Key: "k", Old: row(0), New: row(1)}, true},
		"silent again":   {state.Change{Key: "k", Old: row(1), New: row(2)}, true},
		"appears silent": {state.Change{Key: "k", New: row(1)}, true},
		"another change": {state.Change{Key: "k", Old: row(1), New: row(1)}, false},
		"comes back":     {state.Change{Key: "k", Old: row(1), New: row(0)}, false},
		"is deleted":     {state.Change{Key: "k", Old: row(1)}, false},
		"a task":         {state.Change{Key: "k", New: &model.Task{}}, false},
		"is there anew":  {state.Change{Key: "k", New: row(0)}, false},
	} {
		if got := (&lost.Loop{}).Touched(nil, &c.Change); len(got) > 0 != c.touches {
			t.Errorf("%s: touched %v", name, got)
		}
	}
}
