package controller_test

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roadstead/roadstead/controller"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/state/statetest"
	"pgregory.net/rapid"
)

// missing are the instances that do not have what they want, "" if there are none.
func (m *member) missing() string {
	var out []string
	for i := range m.db.Snapshot().Instances.All() {
		if n := toyMiss(m.db.Snapshot().Tables, i.Key()); n != 0 {
			out = append(out, fmt.Sprintf("%s:%d", i.ID, n))
		}
	}
	return strings.Join(out, " ")
}

func TestEachFaultOfCommitLosesNothing(t *testing.T) {
	for _, fault := range statetest.CommitFaults() {
		t.Run(fault.String(), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				script := statetest.Script(statetest.None, fault, statetest.None, fault, fault)
				m := start(t, statetest.NewFaulty(state.NewMemory().Member(), script), toy())
				m.want("i", 5)
				time.Sleep(10 * time.Minute)
				if got := m.missing(); got != "" {
					t.Errorf("after ten minutes there is still work: %s", got)
				}
			})
		})
	}
}

// step is something that happens to a control plane.
type step struct {
	instance string // wants so many tasks, if this is not ""
	want     int64
	depose   bool
	pass     time.Duration
}

func drawStep(rt *rapid.T) step {
	switch rapid.IntRange(0, 3).Draw(rt, "step") {
	case 0, 1:
		return step{instance: fmt.Sprint("i", rapid.IntRange(0, 3).Draw(rt, "instance")), want: rapid.Int64Range(0, 6).Draw(rt, "want")}
	case 2:
		return step{depose: true}
	default:
		return step{pass: time.Duration(rapid.IntRange(1, 3000).Draw(rt, "ms")) * time.Millisecond}
	}
}

// Whatever happens to commits and leaders, all keys reach what they want once it is quiet, and then nothing runs any more.
func TestDriverConverges(t *testing.T) {
	var cases, terms, faults int
	var runs int64
	rapid.Check(t, func(rt *rapid.T) {
		seed, share := rapid.Uint64().Draw(rt, "seed"), rapid.Float64Range(0, 0.3).Draw(rt, "faults")
		members := rapid.IntRange(1, 3).Draw(rt, "members")
		steps := rapid.SliceOfN(rapid.Custom(drawStep), 1, 30).Draw(rt, "steps")
		var wrong []string
		inBubble(t, func(t *testing.T) {
			p := newPlane(t, members, seed, share)
			for _, s := range steps {
				switch {
				case s.instance != "":
					p.want(s.instance, s.want)
				case s.depose:
					p.store.Depose()
					terms++
				}
				time.Sleep(s.pass)
			}
			p.quiet.Store(true)
			time.Sleep(10 * time.Minute)
			before := p.runs()
			for n, m := range p.all {
				if got := m.missing(); got != "" {
					wrong = append(wrong, fmt.Sprintf("member %d still sees work: %s", n, got))
				}
			}
			time.Sleep(24 * time.Hour)
			if after := p.runs(); after != before {
				wrong = append(wrong, fmt.Sprintf("%d runs in a quiet day", after-before))
			}
			cases, runs, faults = cases+1, runs+before, faults+p.stop()
		})
		if len(wrong) > 0 {
			rt.Fatal(wrong)
		}
	})
	t.Logf("%d cases, %d runs, %d faults, %d terms ended", cases, runs, faults, terms)
}

// plane is a control plane whose backends fail on purpose until it is quiet.
type plane struct {
	t        *testing.T
	store    *state.Memory
	quiet    atomic.Bool
	all      []*member
	backends []*statetest.Faulty
}

func newPlane(t *testing.T, members int, seed uint64, share float64) *plane {
	p := &plane{t: t, store: state.NewMemory()}
	for n := range members {
		draw := statetest.Seeded(seed+uint64(n), share)
		b := statetest.NewFaulty(p.store.Member(), func(call string) statetest.Fault {
			if p.quiet.Load() {
				return statetest.None
			}
			return draw(call)
		})
		p.backends, p.all = append(p.backends, b), append(p.all, start(t, b, toy()))
	}
	return p
}

// want writes through whoever leads, until it succeeds.
func (p *plane) want(key string, n int64) {
	for range 10_000 {
		for _, m := range p.all {
			if m.db.Leading() && m.db.Update(p.t.Context(), wants(key, n)) == nil {
				return
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	p.t.Fatal("nobody leads")
}

func (p *plane) runs() (n int64) {
	for _, m := range p.all {
		n += m.driver.Stats()[0].Runs
	}
	return n
}

// stop ends all members and returns how many faults they met.
func (p *plane) stop() (faults int) {
	for n, m := range p.all {
		m.stop()
		for _, count := range p.backends[n].Counts() {
			faults += count
		}
	}
	return faults
}

// 5,000 keys that have nothing to do cost nothing: neither a look nor a run in a day.
func TestIdleKeysCostNothing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var looks, runs, wakes atomic.Int64
		l := toy()
		l.Due = func(t *state.Tables, key string, now time.Time) time.Time {
			looks.Add(1)
			if toyMiss(t, key) != 0 {
				return now
			}
			return time.Time{}
		}
		l.Reconcile = func(tx *state.Tx, key string, _ time.Time) (time.Time, error) {
			runs.Add(1)
			toyStep(tx, key)
			return time.Time{}, nil
		}
		later := controller.Loop{Name: "later", All: toyAll, Reconcile: func(*state.Tx, string, time.Time) (time.Time, error) {
			wakes.Add(1)
			return time.Now().Add(25 * time.Hour), nil
		}}
		m := lead(t, l, later)
		m.crowd(0, 2500, 1)
		m.crowd(2500, 5000, 0)
		time.Sleep(time.Minute)
		if runs.Load() != 2500 || m.missing() != "" {
			t.Fatalf("%d runs before it is quiet, want 2500; missing %s", runs.Load(), m.missing())
		}
		looks.Store(0)
		runs.Store(0)
		wakes.Store(0)
		time.Sleep(24 * time.Hour)
		if looks.Load() != 0 || runs.Load() != 0 || wakes.Load() != 0 {
			t.Errorf("a quiet day cost %d looks and %d runs, and %d of the keys that wait for tomorrow", looks.Load(), runs.Load(), wakes.Load())
		}
		m.want("17", 3)
		time.Sleep(time.Second)
		if runs.Load() != 2 || looks.Load() != 3 {
			t.Errorf("two missing tasks cost %d looks and %d runs, want 3 and 2", looks.Load(), runs.Load())
		}
	})
}

// slow is a backend whose commits take a while.
type slow struct {
	state.Backend
	pause   time.Duration
	commits atomic.Int64
}

func (b *slow) Commit(ctx context.Context, t state.Term, seq int64, pairs []state.Pair) (int64, error) {
	b.commits.Add(1)
	select {
	case <-time.After(b.pause):
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	return b.Backend.Commit(ctx, t, seq, pairs)
}

func TestKeysShareCommits(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := &slow{Backend: state.NewMemory().Member(), pause: 10 * time.Millisecond}
		m := start(t, b, toy())
		m.crowd(0, 300, 1)
		b.commits.Store(0)
		began := time.Now()
		for m.missing() != "" {
			time.Sleep(time.Millisecond)
		}
		if n := b.commits.Load(); n > 60 {
			t.Errorf("300 keys took %d commits", n)
		}
		if took := time.Since(began); took > 200*time.Millisecond {
			t.Errorf("300 keys took %v with commits of 10 ms", took)
		}
	})
}

// A loop with ten thousand keys does not hold another up.
func TestLoopsShareWorkersFairly(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var crowd, other, seen atomic.Int64
		many := controller.Loop{
			Name: "crowd",
			All: func(*state.Tables) iter.Seq[string] {
				return func(yield func(string) bool) {
					for n := range 10_000 {
						if !yield(fmt.Sprint(n)) {
							return
						}
					}
				}
			},
			Reconcile: func(tx *state.Tx, key string, _ time.Time) (time.Time, error) {
				crowd.Add(1)
				tx.Clusters.Put(&model.Cluster{Scope: scope, Name: key, CreatedAt: crowd.Load()})
				return time.Time{}, nil
			},
		}
		few := controller.Loop{Name: "few", Touched: toyTouched, Reconcile: func(*state.Tx, string, time.Time) (time.Time, error) {
			other.Add(1)
			seen.Store(crowd.Load())
			return time.Time{}, nil
		}}
		b := &slow{Backend: state.NewMemory().Member(), pause: 10 * time.Millisecond}
		m := start(t, b, many, few)
		time.Sleep(50 * time.Millisecond)
		m.want("i", 0)
		at := crowd.Load()
		time.Sleep(time.Hour)
		if other.Load() != 1 || crowd.Load() != 10_000 {
			t.Fatalf("%d and %d runs, want 1 and 10000", other.Load(), crowd.Load())
		}
		if waited := seen.Load() - at; waited > 3*64 {
			t.Errorf("the other loop waited for %d runs of the crowd", waited)
		}
	})
}

func TestFailureIsTheKeysOwn(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		tries := map[string]int{}
		l := toy()
		l.Reconcile = func(tx *state.Tx, key string, _ time.Time) (time.Time, error) {
			tries[key]++ // Reconciles run alone
			toyStep(tx, key)
			switch key {
			case toyKey("fails"):
				return time.Time{}, errToy
			case toyKey("panics"):
				panic("on purpose")
			}
			return time.Time{}, nil
		}
		m := lead(t, l)
		for _, key := range []string{"fails", "works", "panics"} {
			m.want(key, 3)
		}
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if got := m.missing(); got != "fails:3 panics:3" { // nothing of a failed run stays
			t.Errorf("missing %q", got)
		}
		for key, want := range map[string]int{"fails": 5, "panics": 5, "works": 4} { // 0, 1, 3, 7, 15 s and up to a half more
			if got := tries[toyKey(key)]; got != want {
				t.Errorf("%s was tried %d times in half a minute, want %d", key, got, want)
			}
		}
		lines := m.log.all()
		if want := slices.Repeat([]string{"reconcile"}, 10); !slices.Equal(lines, want) { // each failure once
			t.Errorf("logged %d lines, want %d: %v", len(lines), len(want), lines)
		}
		if s := m.driver.Stats()[0]; s.Runs != 14 || s.Errors != 10 || s.Queued != 0 || s.Loop != "toy" {
			t.Errorf("stats %+v", s)
		}
	})
}

// A key is in one goroutine at a time, also where it does not hold the head.
func TestKeyIsNeverTwiceAtWork(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var inside, looks atomic.Int64
		l := toy()
		l.Due = func(_ *state.Tables, _ string, now time.Time) time.Time {
			if looks.Add(1); inside.Add(1) > 1 {
				t.Error("two looks at one key at once")
			}
			time.Sleep(time.Second)
			inside.Add(-1)
			return now
		}
		m := lead(t, l)
		for n := range int64(20) {
			m.want("i", n%3)
			time.Sleep(300 * time.Millisecond)
		}
		time.Sleep(time.Minute)
		if n := looks.Load(); n < 5 || n > 15 || m.missing() != "" {
			t.Errorf("%d looks, missing %q", n, m.missing())
		}
	})
}

// Two members: the one that leads works, timers of the last term go off in the next one too, and no key of a revision
// between is lost.
func TestLoopsMoveWithTheLead(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := state.NewMemory()
		var first, second, early atomic.Int64
		alarm := time.Now().Add(time.Hour)
		loops := func(rang *atomic.Int64) []controller.Loop {
			timed := controller.Loop{
				Name: "timed",
				All:  func(*state.Tables) iter.Seq[string] { return slices.Values([]string{"x"}) },
				Due:  func(*state.Tables, string, time.Time) time.Time { return alarm },
				Reconcile: func(_ *state.Tx, _ string, now time.Time) (time.Time, error) {
					if rang.Add(1); now.Before(alarm) {
						early.Add(1)
					}
					return alarm.Add(24 * time.Hour), nil
				},
			}
			return []controller.Loop{toy(), timed}
		}
		a := start(t, store.Member(), loops(&first)...)
		synctest.Wait()
		b := start(t, store.Member(), loops(&second)...)
		a.want("i", 2)
		time.Sleep(30 * time.Minute)
		a.stop()
		b.want("i", 4)
		time.Sleep(29 * time.Minute)
		if n := first.Load() + second.Load(); n > 0 || b.missing() != "" {
			t.Errorf("%d runs before their time; missing %q", n, b.missing())
		}
		time.Sleep(2 * time.Minute)
		if first.Load() != 0 || second.Load() != 1 || early.Load() != 0 {
			t.Errorf("the alarm went off %d and %d times, %d times early", first.Load(), second.Load(), early.Load())
		}
		if x, y := a.driver.Stats()[0].Runs, b.driver.Stats()[0].Runs; x == 0 || y == 0 {
			t.Errorf("runs of the two: %d, %d", x, y)
		}
	})
}

// A lead that is lost and won again while the driver sleeps leaves no key behind.
func TestLeadIsLostWhileIdle(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := state.NewMemory()
		m := start(t, store.Member(), toy())
		for n := range int64(5) {
			m.want("i", n)
			time.Sleep(time.Minute)
			store.Depose()
			m.want("j", n)
			store.Depose()
			time.Sleep(time.Minute)
			if got := m.missing(); got != "" {
				t.Errorf("round %d: missing %q", n, got)
			}
		}
	})
}

// Run ends with its context although a commit hangs.
func TestRunEndsWithItsContext(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := &slow{Backend: state.NewMemory().Member(), pause: time.Hour}
		m := start(t, b, controller.Loop{
			Name: "x",
			All:  func(*state.Tables) iter.Seq[string] { return slices.Values([]string{"a"}) },
			Reconcile: func(tx *state.Tx, key string, _ time.Time) (time.Time, error) {
				tx.Clusters.Put(&model.Cluster{Scope: scope, Name: key})
				return time.Time{}, nil
			},
		})
		synctest.Wait()
		if b.commits.Load() != 1 {
			t.Fatal("no commit is under way")
		}
		began := time.Now()
		m.stop()
		if took := time.Since(began); took > time.Second {
			t.Errorf("it took %v to stop", took)
		}
	})
}
