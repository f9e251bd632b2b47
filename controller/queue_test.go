package controller_test

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roadstead/roadstead/controller"
	"github.com/roadstead/roadstead/state"
	"pgregory.net/rapid"
)

var epoch = time.Unix(1_700_000_000, 0)

var errToy = errors.New("on purpose")

// touching is a loop that any change touches whose row is a cluster of that name.
func touching(name string, pace time.Duration) controller.Loop {
	return controller.Loop{Name: name, Pace: pace, Touched: func(dst []string, c *state.Change) []string {
		return append(dst, c.Key)
	}}
}

// touch is a revision that touches the keys.
func touch(keys ...string) *state.Revision {
	r := &state.Revision{}
	for _, k := range keys {
		r.Changes = append(r.Changes, state.Change{Key: k})
	}
	return r
}

// drain takes everything that is ready, "loop/key loop/key".
func drain(q *controller.Queue, now time.Time) (jobs []controller.Job, text string) {
	var names []string
	for j, ok := q.Next(now); ok; j, ok = q.Next(now) {
		jobs = append(jobs, j)
		names = append(names, j.Loop.Name+"/"+j.Key)
	}
	return jobs, strings.Join(names, " ")
}

func wantReady(t *testing.T, q *controller.Queue, now time.Time, want string) []controller.Job {
	t.Helper()
	jobs, got := drain(q, now)
	if got != want {
		t.Errorf("after %v: ready %q, want %q", now.Sub(epoch), got, want)
	}
	return jobs
}

func wantWake(t *testing.T, q *controller.Queue, want time.Duration) {
	t.Helper()
	at, ok := q.NextWake()
	if !ok {
		at = epoch.Add(-1)
	}
	if at.Sub(epoch) != want {
		t.Errorf("next wake after %v, want %v", at.Sub(epoch), want)
	}
}

const never = time.Duration(-1)

func TestKeyIsOnceInTheQueue(t *testing.T) {
	q := controller.NewQueue([]controller.Loop{touching("x", 0)}, 1)
	q.Observe(touch("a", "b", "a"))
	q.Observe(touch("b"))
	jobs := wantReady(t, q, epoch, "x/a x/b")
	q.Observe(touch("a")) // while it runs: once more, and not before it is done
	q.Observe(touch("a"))
	wantReady(t, q, epoch, "")
	q.Done(jobs[0], epoch, time.Time{}, nil)
	q.Done(jobs[1], epoch, time.Time{}, nil)
	q.Done(wantReady(t, q, epoch, "x/a")[0], epoch, time.Time{}, nil)
	wantReady(t, q, epoch, "")
	wantWake(t, q, never)
}

func TestLoopsTakeTurns(t *testing.T) {
	first, second := touching("x", 0), touching("y", 0)
	first.Touched = func(dst []string, c *state.Change) []string { return append(dst, c.Key+"1", c.Key+"2", c.Key+"3") }
	q := controller.NewQueue([]controller.Loop{first, second, touching("z", 0)}, 1)
	q.Observe(touch("a", "b"))
	wantReady(t, q, epoch, "x/a1 y/a z/a x/a2 y/b z/b x/a3 x/b1 x/b2 x/b3")
}

func TestWakeIsKept(t *testing.T) {
	q := controller.NewQueue([]controller.Loop{touching("x", 0)}, 1)
	q.Observe(touch("a", "b", "c"))
	jobs := wantReady(t, q, epoch, "x/a x/b x/c")
	q.Done(jobs[0], epoch, epoch.Add(time.Hour), nil)
	q.Done(jobs[1], epoch, epoch.Add(time.Minute), nil)
	q.Done(jobs[2], epoch, epoch, nil) // at once, behind those that are ready
	wantWake(t, q, time.Minute)
	q.Observe(touch("d"))
	for _, j := range wantReady(t, q, epoch, "x/c x/d") {
		q.Done(j, epoch, time.Time{}, nil)
	}
	q.Observe(touch("a")) // a touch comes before the wake, and the run says when it wants the next
	q.Done(wantReady(t, q, epoch, "x/a")[0], epoch, epoch.Add(time.Minute), nil)
	wantReady(t, q, epoch.Add(time.Minute-1), "")
	wantReady(t, q, epoch.Add(time.Minute), "x/b x/a")
	wantWake(t, q, never)
}

func TestPaceHoldsTouchesUp(t *testing.T) {
	q := controller.NewQueue([]controller.Loop{touching("x", time.Second)}, 1)
	q.Observe(touch("a"))
	a := wantReady(t, q, epoch, "x/a")[0]
	q.Observe(touch("a"))
	q.Done(a, epoch, time.Time{}, nil)
	q.Observe(touch("a"))
	wantWake(t, q, time.Second)
	wantReady(t, q, epoch.Add(time.Second-1), "")
	a = wantReady(t, q, epoch.Add(time.Second), "x/a")[0]

	q.Done(a, epoch.Add(time.Second), epoch.Add(time.Second+time.Millisecond), nil) // it does not hold a wake up
	a = wantReady(t, q, epoch.Add(time.Second+time.Millisecond), "x/a")[0]

	q.Done(a, epoch.Add(2*time.Second), epoch.Add(time.Hour), nil)
	q.Observe(touch("a"))
	wantWake(t, q, 3*time.Second) // before the wake
	a = wantReady(t, q, epoch.Add(3*time.Second), "x/a")[0]

	q.Done(a, epoch.Add(3*time.Second), time.Time{}, nil)
	wantReady(t, q, epoch.Add(4*time.Second), "") // nobody touched it, so that it is forgotten
	wantWake(t, q, never)
	q.Observe(touch("a"))
	wantReady(t, q, epoch.Add(4*time.Second), "x/a")
}

func TestFailuresBackOff(t *testing.T) {
	pauses := func(seed uint64, fails int) (out []time.Duration) {
		q := controller.NewQueue([]controller.Loop{touching("x", 0)}, seed)
		q.Observe(touch("a"))
		now := epoch
		for range fails {
			q.Done(wantReady(t, q, now, "x/a")[0], now, time.Time{}, errToy)
			at, ok := q.NextWake()
			if !ok {
				t.Fatal("no retry")
			}
			out = append(out, at.Sub(now))
			now = at
		}
		return out
	}
	got := pauses(1, 40)
	for i, p := range got {
		least := min(time.Second<<min(i, 20), time.Minute)
		if p < least || p >= least+least/2 {
			t.Errorf("pause %d is %v, want %v to half more", i+1, p, least)
		}
	}
	if !slices.Equal(got, pauses(1, 40)) || slices.Equal(got, pauses(2, 40)) {
		t.Error("the jitter does not come from the seed")
	}
}

func TestTouchBringsRetryForward(t *testing.T) {
	q := controller.NewQueue([]controller.Loop{touching("x", 0)}, 1)
	q.Observe(touch("a"))
	now := epoch
	for range 6 {
		q.Done(wantReady(t, q, now, "x/a")[0], now, time.Time{}, errToy)
		now, _ = q.NextWake()
	}
	failed := now
	q.Done(wantReady(t, q, now, "x/a")[0], now, time.Time{}, errToy)
	q.Observe(touch("a"))
	wantReady(t, q, failed.Add(time.Second-1), "")
	now = failed.Add(time.Second)
	q.Done(wantReady(t, q, now, "x/a")[0], now, time.Time{}, errToy)
	if at, _ := q.NextWake(); at.Sub(now) < time.Minute {
		t.Errorf("the next pause is %v: the failures before are forgotten", at.Sub(now))
	}
	now, _ = q.NextWake()
	q.Done(wantReady(t, q, now, "x/a")[0], now, time.Time{}, nil)
	q.Observe(touch("a"))
	q.Done(wantReady(t, q, now, "x/a")[0], now, time.Time{}, errToy)
	if at, _ := q.NextWake(); at.Sub(now) > 2*time.Second {
		t.Errorf("the first pause after a success is %v", at.Sub(now))
	}
}

func TestResetTouchesAll(t *testing.T) {
	l := touching("x", 0)
	l.All = func(*state.Tables) iter.Seq[string] { return slices.Values([]string{"a", "b"}) }
	q := controller.NewQueue([]controller.Loop{l}, 1)
	q.Observe(&state.Revision{Reset: true, Snapshot: &state.Snapshot{}, Changes: touch("c").Changes})
	wantReady(t, q, epoch, "x/a x/b")
}

func TestLoopSettlesFirst(t *testing.T) {
	settles := touching("x", 0)
	settles.Settle = time.Minute
	settles.All = func(*state.Tables) iter.Seq[string] { return slices.Values([]string{"a", "b"}) }
	q := controller.NewQueue([]controller.Loop{settles, touching("y", 0)}, 1)
	q.Begin(nil, epoch)
	q.Observe(touch("b", "c"))
	q.Observe(&state.Revision{Reset: true, Snapshot: &state.Snapshot{}})
	wantReady(t, q, epoch.Add(time.Minute-1), "y/b y/c")
	for _, j := range wantReady(t, q, epoch.Add(time.Minute), "x/a x/b x/c") {
		q.Done(j, epoch.Add(time.Minute), time.Time{}, nil)
	}
	q.Observe(touch("a"))
	wantReady(t, q, epoch.Add(2*time.Minute), "y/a x/a")
	wantWake(t, q, never)
}

// A job's panics are its errors.
func TestPanicIsAnError(t *testing.T) {
	l := touching("x", 0)
	l.Due = func(*state.Tables, string, time.Time) time.Time { panic("due") }
	l.Reconcile = func(*state.Tx, string, time.Time) (time.Time, error) { panic("reconcile") }
	q := controller.NewQueue([]controller.Loop{l}, 1)
	q.Observe(touch("a"))
	j := wantReady(t, q, epoch, "x/a")[0]
	if _, _, err := j.Look(nil, epoch); err == nil || !strings.Contains(err.Error(), "panic: due\n") {
		t.Errorf("Look: %v", err)
	}
	if _, err := j.Do(nil, epoch); err == nil || !strings.Contains(err.Error(), "panic: reconcile\n") {
		t.Errorf("Do: %v", err)
	}
}

// oracle is what the queue promises of one key, said naively.
type oracle struct {
	touched, running bool
	wake, hold       time.Time
	failed           bool
}

// Any sequence of touches, runs, wakes and failures: a key is ready exactly when the oracle says so, never twice at once,
// and nothing that was touched is forgotten.
func TestQueueProperty(t *testing.T) {
	runs := 0
	rapid.Check(t, func(rt *rapid.T) {
		paces := []time.Duration{0, 3 * time.Second}
		loops := []controller.Loop{touching("x", paces[0]), touching("y", paces[1])}
		q := controller.NewQueue(loops, rapid.Uint64().Draw(rt, "seed"))
		now, keys := epoch, map[string]*oracle{}
		var running []controller.Job
		pace := map[string]time.Duration{"x": paces[0], "y": paces[1]}
		due := func(o *oracle) bool {
			return !o.running && (o.touched && !now.Before(o.hold) || !o.wake.IsZero() && !now.Before(o.wake))
		}
		take := func() {
			jobs, _ := drain(q, now)
			for _, j := range jobs {
				o := keys[j.Loop.Name+"/"+j.Key]
				if !o.failed && !due(o) || o.failed && (o.running || now.Before(o.hold)) {
					rt.Fatalf("%s/%s is ready after %v: %+v", j.Loop.Name, j.Key, now.Sub(epoch), *o)
				}
				*o = oracle{running: true}
				running = append(running, j)
				runs++
			}
			for name, o := range keys {
				if due(o) {
					rt.Fatalf("%s is not ready after %v: %+v", name, now.Sub(epoch), *o)
				}
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"touch": func(rt *rapid.T) {
				key := fmt.Sprint(rapid.IntRange(0, 4).Draw(rt, "key"))
				for _, l := range loops {
					name := l.Name + "/" + key
					if keys[name] == nil {
						keys[name] = &oracle{}
					}
					keys[name].touched = true
				}
				q.Observe(touch(key))
				take()
			},
			"done": func(rt *rapid.T) {
				if len(running) == 0 {
					rt.Skip("nothing runs")
				}
				i := rapid.IntRange(0, len(running)-1).Draw(rt, "job")
				j := running[i]
				running = slices.Delete(running, i, i+1)
				o := keys[j.Loop.Name+"/"+j.Key]
				o.running = false
				if p := pace[j.Loop.Name]; p > 0 {
					o.hold = now.Add(p)
				}
				switch rapid.IntRange(0, 2).Draw(rt, "how") {
				case 0:
					q.Done(j, now, time.Time{}, nil)
				case 1:
					o.wake = now.Add(time.Duration(rapid.IntRange(-1, 8).Draw(rt, "wake")) * time.Second)
					q.Done(j, now, o.wake, nil)
				case 2:
					o.failed, o.hold, o.wake = true, now.Add(time.Second), now.Add(90*time.Second) // at the latest
					q.Done(j, now, time.Time{}, errToy)
				}
				take()
			},
			"pass": func(rt *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(1, 4000).Draw(rt, "ms")) * time.Millisecond)
				take()
			},
			"": func(rt *rapid.T) {},
		})
		for range 3 { // all end well, and the queue is empty
			for _, j := range running {
				q.Done(j, now, time.Time{}, nil)
			}
			running = nil
			now = now.Add(2 * time.Minute)
			jobs, _ := drain(q, now)
			running = append(running, jobs...)
		}
		if at, ok := q.NextWake(); ok || len(running) > 0 {
			rt.Fatalf("%d run at the end, next wake %v %v", len(running), at, ok)
		}
	})
	t.Logf("%d runs", runs)
}
