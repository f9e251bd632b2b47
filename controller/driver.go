package controller

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/roadstead/roadstead/state"
)

// Config says what a Driver drives.
type Config struct {
	DB    *state.DB
	Loops []Loop
	Now   func() time.Time // nil means time.Now
	Seed  uint64           // of the jitter
	Log   *slog.Logger
	// Workers bounds how many keys wait for a commit at once; 0 means 64. They share commits.
	Workers int
}

// Driver runs the loops while this member leads.
type Driver struct {
	cfg    Config
	counts []counts // by loop
}

// counts are what Stats tells of a loop.
type counts struct{ runs, errors, nanos, queued atomic.Int64 }

// New returns a driver that does nothing before Run.
func New(cfg Config) *Driver {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Workers == 0 {
		cfg.Workers = 64
	}
	return &Driver{cfg: cfg, counts: make([]counts, len(cfg.Loops))}
}

// Run drives the loops in every term of this member until ctx ends, and returns ctx's error. It runs once at a time.
func (d *Driver) Run(ctx context.Context) error {
	for {
		if err := d.cfg.DB.AwaitLead(ctx); err != nil {
			return err
		}
		r := round{d: d, queue: NewQueue(d.cfg.Loops, d.cfg.Seed), done: make(chan outcome, d.cfg.Workers)}
		r.run(ctx)
	}
}

// Stat is how a loop has fared on this member.
type Stat struct {
	Loop    string
	Runs    int64   // Reconcile was asked
	Errors  int64   // of Reconcile and of its commits
	Seconds float64 // of the runs, waiting for commits included
	Queued  int64   // keys that are ready, and wait for their turn
}

// Stats returns one Stat for each loop, in their order.
func (d *Driver) Stats() []Stat {
	out := make([]Stat, len(d.counts))
	for i := range d.counts {
		c := &d.counts[i]
		out[i] = Stat{Loop: d.cfg.Loops[i].Name, Runs: c.runs.Load(), Errors: c.errors.Load(),
			Seconds: time.Duration(c.nanos.Load()).Seconds(), Queued: c.queued.Load()}
	}
	return out
}

// round is the driver in one term. Its fields belong to the goroutine of run.
type round struct {
	d     *Driver
	queue *Queue
	busy  int
	done  chan outcome // has room for all workers
}

// outcome is what a worker says of its job.
type outcome struct {
	job  Job
	wake time.Time
	err  error
}

// run works until ctx ends or this member has lost the lead. A lead that was lost and won again unnoticed does no harm:
// the revisions go on without a gap, and whatever was under way has failed with ErrNotLeader.
func (r *round) run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer r.forget()
	defer running.Wait()
	defer cancel()
	snap, cursor := r.d.cfg.DB.Watch()
	revisions := make(chan *state.Revision)
	running.Go(func() { cursor.Follow(ctx, revisions) })
	r.queue.Begin(snap.Tables, r.d.cfg.Now())
	alarm := time.NewTimer(0)
	defer alarm.Stop()
	for r.d.cfg.DB.Leading() {
		r.dispatch(ctx, &running)
		r.arm(alarm)
		select {
		case rev := <-revisions:
			r.queue.Observe(rev)
		case o := <-r.done:
			r.busy--
			if errors.Is(o.err, state.ErrNotLeader) {
				return
			}
			r.settle(ctx, o)
		case <-alarm.C:
		case <-ctx.Done():
			return
		}
	}
}

// dispatch gives jobs to workers while there are both.
func (r *round) dispatch(ctx context.Context, running *sync.WaitGroup) {
	for r.busy < r.d.cfg.Workers {
		job, ok := r.queue.Next(r.d.cfg.Now())
		if !ok {
			break
		}
		r.busy++
		running.Go(func() {
			wake, err := r.d.work(ctx, job)
			r.done <- outcome{job, wake, err}
		})
	}
	for i := range r.queue.lines {
		r.d.counts[i].queued.Store(int64(len(r.queue.lines[i].ready)))
	}
}

// arm sets the alarm to the queue's next timer; without a free worker there is nothing to wake up for.
func (r *round) arm(alarm *time.Timer) {
	at, ok := r.queue.NextWake()
	if !ok || r.busy == r.d.cfg.Workers {
		alarm.Stop()
		return
	}
	alarm.Reset(max(at.Sub(r.d.cfg.Now()), 0))
}

// settle puts a job back.
func (r *round) settle(ctx context.Context, o outcome) {
	if o.err != nil && ctx.Err() == nil {
		r.d.counts[o.job.entry.line.index].errors.Add(1)
		r.d.cfg.Log.Warn("reconcile", "loop", o.job.Loop.Name, "key", o.job.Key, "err", o.err)
	}
	r.queue.Done(o.job, r.d.cfg.Now(), o.wake, o.err)
}

// forget leaves no queue behind in the counts.
func (r *round) forget() {
	for i := range r.d.counts {
		r.d.counts[i].queued.Store(0)
	}
}

// work looks at a key and, if that is due, commits what Reconcile does.
func (d *Driver) work(ctx context.Context, job Job) (wake time.Time, err error) {
	now := d.cfg.Now()
	due, wake, err := job.Look(d.cfg.DB.Snapshot().Tables, now)
	if err == nil && due {
		c := &d.counts[job.entry.line.index]
		defer func() {
			c.runs.Add(1)
			c.nanos.Add(int64(d.cfg.Now().Sub(now)))
		}()
		err = d.cfg.DB.Update(ctx, func(tx *state.Tx) error {
			wake, err = job.Do(tx, now)
			return err
		})
	}
	return wake, err
}
