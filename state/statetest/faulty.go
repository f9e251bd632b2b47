package statetest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"sync"

	"github.com/roadstead/roadstead/state"
)

// Fault is one way in which a backend fails.
type Fault int

const (
	// None lets the call through.
	None Fault = iota
	// Fenced ends the term before the commit: nothing is written, ErrFenced.
	Fenced
	// TimeoutBefore writes nothing and returns ErrTimeout: an outcome that the caller cannot know.
	TimeoutBefore
	// TimeoutAfter writes and returns ErrTimeout.
	TimeoutAfter
	// TimeoutLate returns ErrTimeout and writes just before the caller resigns: the write that was under way when its
	// caller gave up.
	TimeoutLate
	// TimeoutFenced returns ErrTimeout and tries to write when the next term has begun: the fence must hold it off.
	TimeoutFenced
	// NoSpace writes nothing and returns ErrNoSpace.
	NoSpace
	// LostLease lets the write through, and then ends the term.
	LostLease
	// Compacted is for Watch and Load, which yield ErrCompacted.
	Compacted
	// Unavailable is for Watch, Load and Campaign, which return ErrTimeout.
	Unavailable
)

func (f Fault) String() string {
	return [...]string{"none", "fenced", "timeout-before", "timeout-after", "timeout-late", "timeout-fenced", "no-space", "lost-lease", "compacted", "unavailable"}[f]
}

// ErrTimeout is what a call with an unknown outcome returns.
var ErrTimeout = errors.New("time-out on purpose")

// CommitFaults are those that make sense for Commit.
func CommitFaults() []Fault {
	return []Fault{Fenced, TimeoutBefore, TimeoutAfter, TimeoutLate, TimeoutFenced, NoSpace, LostLease}
}

// Faulty is a backend that fails on purpose. Its calls ask Next for their fault.
type Faulty struct {
	state.Backend

	mu     sync.Mutex
	next   func(call string) Fault
	counts map[Fault]int
	late   []func() // writes under way whose callers have given up, to happen before the term ends
	fenced []func() // the same, to be tried when the next has begun
}

// NewFaulty wraps a backend; next says which fault the call ("commit", "watch", "load", "campaign") has. It is called
// by one goroutine at a time.
func NewFaulty(b state.Backend, next func(call string) Fault) *Faulty {
	return &Faulty{Backend: b, next: next, counts: map[Fault]int{}}
}

// Script returns faults for the commits in turn, and none after the last.
func Script(faults ...Fault) func(string) Fault {
	return func(call string) Fault {
		if call != "commit" || len(faults) == 0 {
			return None
		}
		f := faults[0]
		faults = faults[1:]
		return f
	}
}

// Seeded returns faults at random: a share of all commits, and as many of the other calls.
func Seeded(seed uint64, share float64) func(string) Fault {
	r := rand.New(rand.NewPCG(seed, seed))
	return func(call string) Fault {
		if r.Float64() >= share {
			return None
		}
		switch call {
		case "commit":
			all := CommitFaults()
			return all[r.IntN(len(all))]
		case "campaign":
			return Unavailable
		default:
			return []Fault{Compacted, Unavailable}[r.IntN(2)]
		}
	}
}

// Counts returns how often each fault was met.
func (b *Faulty) Counts() map[Fault]int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.counts)
}

func (b *Faulty) draw(call string) Fault {
	b.mu.Lock()
	defer b.mu.Unlock()
	f := b.next(call)
	if f != None {
		b.counts[f]++
	}
	return f
}

// settle lets the writes under way happen.
func (b *Faulty) settle(writes *[]func()) {
	b.mu.Lock()
	now := *writes
	*writes = nil
	b.mu.Unlock()
	for _, write := range now {
		write()
	}
}

// Commit implements state.Backend.
func (b *Faulty) Commit(ctx context.Context, t state.Term, seq int64, pairs []state.Pair) (int64, error) {
	switch f := b.draw("commit"); f {
	case Fenced:
		_ = b.Backend.Resign(ctx, t)
		return 0, state.ErrFenced
	case TimeoutBefore:
		return 0, ErrTimeout
	case TimeoutAfter:
		_, _ = b.Backend.Commit(ctx, t, seq, pairs)
		return 0, ErrTimeout
	case TimeoutLate, TimeoutFenced:
		write := func() { _, _ = b.Backend.Commit(context.WithoutCancel(ctx), t, seq, pairs) }
		b.mu.Lock()
		defer b.mu.Unlock()
		if f == TimeoutLate {
			b.late = append(b.late, write)
		} else {
			b.fenced = append(b.fenced, write)
		}
		return 0, ErrTimeout
	case NoSpace:
		return 0, fmt.Errorf("%w: on purpose", state.ErrNoSpace)
	case LostLease:
		rev, err := b.Backend.Commit(ctx, t, seq, pairs)
		_ = b.Backend.Resign(ctx, t)
		return rev, err
	default:
		return b.Backend.Commit(ctx, t, seq, pairs)
	}
}

// Resign implements state.Backend.
func (b *Faulty) Resign(ctx context.Context, t state.Term) error {
	b.settle(&b.late)
	return b.Backend.Resign(ctx, t)
}

// Campaign implements state.Backend.
func (b *Faulty) Campaign(ctx context.Context, advertise string) (state.Term, error) {
	if b.draw("campaign") != None {
		return nil, ErrTimeout
	}
	t, err := b.Backend.Campaign(ctx, advertise)
	b.settle(&b.fenced)
	return t, err
}

// Load implements state.Backend.
func (b *Faulty) Load(ctx context.Context) (int64, iter.Seq2[state.Pair, error], error) {
	switch b.draw("load") {
	case None:
		return b.Backend.Load(ctx)
	case Compacted:
		rev, pairs, err := b.Backend.Load(ctx)
		if err != nil {
			return 0, nil, err
		}
		return rev, cutShort(pairs), nil
	default:
		return 0, nil, ErrTimeout
	}
}

// cutShort yields the first pair, if any, and then ErrCompacted.
func cutShort(pairs iter.Seq2[state.Pair, error]) iter.Seq2[state.Pair, error] {
	return func(yield func(state.Pair, error) bool) {
		for p, err := range pairs {
			if !yield(p, err) {
				return
			}
			break
		}
		yield(state.Pair{}, state.ErrCompacted)
	}
}

// Watch implements state.Backend. A fault strikes before any batch.
func (b *Faulty) Watch(ctx context.Context, after int64) iter.Seq2[state.Batch, error] {
	return func(yield func(state.Batch, error) bool) {
		for batch, err := range b.Backend.Watch(ctx, after) {
			switch b.draw("watch") {
			case Compacted:
				yield(state.Batch{}, state.ErrCompacted)
				return
			case Unavailable:
				yield(state.Batch{}, ErrTimeout)
				return
			}
			if !yield(batch, err) {
				return
			}
		}
	}
}
