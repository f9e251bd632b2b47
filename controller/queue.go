package controller

import (
	"container/heap"
	"math/rand/v2"
	"time"

	"github.com/roadstead/roadstead/state"
)

// A key whose Reconcile fails is tried again after firstRetry, then after twice as long, up to lastRetry, and each time up to
// a half longer at random, so that keys that failed together do not come back together. A change that concerns it brings
// the next try forward, but not closer than firstRetry to the last.
const (
	firstRetry = time.Second
	lastRetry  = time.Minute
)

// Queue is which keys of which loops are to be looked at, now and later: the driver without goroutines, clock or state. A
// simulator pumps it by itself: Begin, then Next until there is no more, each answered with Done; then Observe what the
// commits changed, or go on to NextWake. It holds nothing for a key that has nothing to do.
type Queue struct {
	lines  []line
	turn   int // the line that is asked first
	timers timers
	stamps uint64 // of timers, so that equal ones go off in the order they were set
	rand   *rand.Rand
	keys   []string // scratch of Observe
}

// line is the keys of one loop.
type line struct {
	loop    *Loop
	index   int
	opens   time.Time // after Settle
	entries map[string]*entry
	ready   []*entry // first come, first served
}

// entry is a key that is ready, running or waiting.
type entry struct {
	line     *line
	key      string
	running  bool
	touched  bool      // ready, or to be looked at again after the run or the hold
	idle     bool      // it waits only for the end of its hold
	failures int       // in a row
	hold     time.Time // a touch has to wait until then

	at    time.Time // when its timer goes off
	stamp uint64
	timer int // index in timers, -1 if it has none
}

// NewQueue returns an empty queue for the loops. The seed chooses the jitter of retries.
func NewQueue(loops []Loop, seed uint64) *Queue {
	q := &Queue{lines: make([]line, len(loops)), rand: rand.New(rand.NewPCG(seed, seed))}
	for i := range loops {
		q.lines[i] = line{loop: &loops[i], index: i, entries: map[string]*entry{}}
	}
	return q
}

// Begin begins a term at now: it touches every key there is.
func (q *Queue) Begin(t *state.Tables, now time.Time) {
	for i := range q.lines {
		if l := &q.lines[i]; l.loop.Settle > 0 {
			l.opens = now.Add(l.loop.Settle)
		}
	}
	q.touchAll(t)
}

func (q *Queue) touchAll(t *state.Tables) {
	for i := range q.lines {
		if l := &q.lines[i]; l.loop.All != nil {
			for key := range l.loop.All(t) {
				q.touch(l, key)
			}
		}
	}
}

// Observe touches the keys that a revision concerns.
func (q *Queue) Observe(r *state.Revision) {
	if r.Reset {
		q.touchAll(r.Snapshot.Tables)
		return
	}
	for i := range q.lines {
		l := &q.lines[i]
		if l.loop.Touched == nil {
			continue
		}
		for c := range r.Changes {
			q.keys = l.loop.Touched(q.keys[:0], &r.Changes[c])
			for _, key := range q.keys {
				q.touch(l, key)
			}
		}
	}
}

// touch notes that the key is to be looked at, now or as soon as it may be.
func (q *Queue) touch(l *line, key string) {
	e, ok := l.entries[key]
	if !ok {
		e = &entry{line: l, key: key, hold: l.opens, timer: -1}
		l.entries[key] = e
	}
	switch {
	case e.touched:
	case e.running:
		e.touched = true
	case e.hold.IsZero():
		q.ready(e)
	default:
		e.touched, e.idle = true, false
		if e.timer < 0 || e.at.After(e.hold) {
			q.wait(e, e.hold)
		}
	}
}

// ready puts the entry at the end of its line.
func (q *Queue) ready(e *entry) {
	q.timers.drop(e)
	e.touched, e.hold = true, time.Time{}
	e.line.ready = append(e.line.ready, e)
}

// wait lets the entry be ready at a time.
func (q *Queue) wait(e *entry, at time.Time) {
	q.timers.drop(e)
	q.stamps++
	e.at, e.stamp = at, q.stamps
	heap.Push(&q.timers, e)
}

// Next returns a key to be looked at now, the loops taking turns. Each is answered with Done.
func (q *Queue) Next(now time.Time) (Job, bool) {
	q.ripen(now)
	for range q.lines {
		l := &q.lines[q.turn]
		q.turn = (q.turn + 1) % len(q.lines)
		if len(l.ready) == 0 {
			continue
		}
		e := l.ready[0]
		l.ready[0] = nil
		if l.ready = l.ready[1:]; len(l.ready) == 0 {
			l.ready = nil
		}
		e.running, e.touched = true, false
		return Job{Loop: l.loop, Key: e.key, entry: e}, true
	}
	return Job{}, false
}

// ripen takes up the entries whose timers have gone off.
func (q *Queue) ripen(now time.Time) {
	for len(q.timers) > 0 && !q.timers[0].at.After(now) {
		e := q.timers[0]
		if !e.idle {
			q.ready(e)
			continue
		}
		q.timers.drop(e)
		delete(e.line.entries, e.key)
	}
}

// Done answers Next: the key is looked at again at wake, if that is not zero, or a while later if err says that it failed.
func (q *Queue) Done(j Job, now, wake time.Time, err error) {
	e := j.entry
	e.running = false
	if err != nil {
		e.failures++
		e.hold, wake = now.Add(firstRetry), now.Add(q.retry(e.failures))
	} else {
		e.failures = 0
		if pace := e.line.loop.Pace; pace > 0 {
			e.hold = now.Add(pace)
		}
	}
	switch {
	case e.touched && e.hold.IsZero(), !wake.IsZero() && !wake.After(now):
		q.ready(e)
	case e.touched && (wake.IsZero() || wake.After(e.hold)):
		q.wait(e, e.hold)
	case !wake.IsZero():
		q.wait(e, wake)
	case !e.hold.IsZero():
		e.idle = true
		q.wait(e, e.hold)
	default:
		delete(e.line.entries, e.key)
	}
}

// retry is the pause after so many failures in a row.
func (q *Queue) retry(failures int) time.Duration {
	pause := min(lastRetry, firstRetry<<min(failures-1, 10))
	return pause + time.Duration(q.rand.Int64N(int64(pause/2)))
}

// NextWake is when Next has something again after it had nothing; false is never, unless something is touched.
func (q *Queue) NextWake() (time.Time, bool) {
	if len(q.timers) == 0 {
		return time.Time{}, false
	}
	return q.timers[0].at, true
}
