package state

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// maxFlights is how many groups may be on their way to the backend at once. While one is written, the callers of the one
// before are answered and make the next: with a single flight all of them would wait in step. The second leaves when it is
// as large as the first, or the first has arrived.
const maxFlights = 2

// pipeline commits the groups of one term, in order. Its fields belong to the goroutine of Run.
type pipeline struct {
	db      *DB
	term    Term
	durable int64     // number of the newest durable commit
	next    *group    // taken from the queue, waiting for the air to clear
	air     []*flight // oldest first
	pilots  sync.WaitGroup
}

// flight is a group on its way.
type flight struct {
	group *group
	seq   int64         // number of the commit, 0 if it has none
	again bool          // it is under way for the second time
	done  chan struct{} // closed when rev and err are set
	rev   int64
	err   error
}

// run commits until the term ends or a commit's outcome is unknown.
func (p *pipeline) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer p.pilots.Wait()
	defer cancel()
	for {
		for p.ready() {
			p.launch(ctx)
		}
		var landed <-chan struct{}
		if len(p.air) > 0 {
			landed = p.air[0].done
		}
		select {
		case <-landed:
			if err := p.land(ctx); err != nil {
				return err
			}
		case <-p.db.wake:
		case <-p.term.Lost():
			p.salvage()
			return ErrFenced
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// ready reports whether there is a group that may be launched now. One that only deletes flies alone and without a
// number: writing the number down would need space, and deleting must be possible when there is none.
func (p *pipeline) ready() bool {
	alone := len(p.air) == 1 && p.air[0].seq == 0
	if p.next == nil && len(p.air) < maxFlights && !alone {
		least := 0
		if len(p.air) > 0 { // many small groups cost more than few large ones
			least = len(p.air[0].group.changes)
		}
		p.next = p.db.take(least)
	}
	return p.next != nil && !alone && (len(p.air) == 0 || !p.next.onlyDeletes())
}

// onlyDeletes reports whether the group writes no row, or nothing at all.
func (g *group) onlyDeletes() bool {
	return !slices.ContainsFunc(g.pairs, func(p Pair) bool { return p.Value != nil })
}

// launch sends the next group off after those in the air.
func (p *pipeline) launch(ctx context.Context) {
	f := &flight{group: p.next}
	if !p.next.onlyDeletes() {
		f.seq = p.durable + int64(len(p.air)) + 1
	}
	p.next = nil
	p.air = append(p.air, f)
	p.fly(ctx, f)
}

func (p *pipeline) fly(ctx context.Context, f *flight) {
	f.done = make(chan struct{})
	if len(f.group.pairs) == 0 {
		close(f.done)
		return
	}
	p.pilots.Go(func() {
		defer close(f.done)
		f.rev, f.err = p.db.cfg.Backend.Commit(ctx, p.term, f.seq, f.group.pairs)
	})
}

// land deals with the oldest flight, which is done.
func (p *pipeline) land(ctx context.Context) error {
	f := p.air[0]
	switch {
	case f.err == nil:
		p.arrive(f)
	case errors.Is(f.err, ErrOrder) && f.again:
		return fmt.Errorf("commit %d of the term has been lost or is not ours: %w", f.seq, f.err)
	case errors.Is(f.err, ErrOrder):
		f.again = true
		p.fly(ctx, f) // it overtook the one before, which is durable by now
	case refused(f.err):
		return p.abandon(f.err)
	default:
		return fmt.Errorf("commit %d rows: %w", len(f.group.pairs), f.err)
	}
	return nil
}

// arrive makes the oldest flight, which was written, visible.
func (p *pipeline) arrive(f *flight) {
	p.air = p.air[1:]
	p.durable = max(p.durable, f.seq)
	if len(f.group.pairs) == 0 {
		p.db.answer(f.group)
	} else {
		p.db.publish(f.group, f.rev)
	}
}

// salvage answers what was written before the term was lost. The backend ends what is still in the air.
func (p *pipeline) salvage() {
	for len(p.air) > 0 {
		f := p.air[0]
		if <-f.done; f.err != nil {
			return
		}
		p.arrive(f)
	}
}

// refused reports whether a commit has certainly written nothing, and the term goes on.
func refused(err error) bool {
	return errors.Is(err, ErrNoSpace) || errors.Is(err, ErrTooLarge) || errors.Is(err, ErrOrder)
}

// abandon drops everything that is not durable after the oldest flight was refused. What is in the air behind it builds
// on it, and is refused by its number; should the outcome of one be unknown nevertheless, the term has to end.
func (p *pipeline) abandon(err error) error {
	for _, f := range p.air {
		if <-f.done; !refused(f.err) {
			return fmt.Errorf("commit after one that was refused (%w): %w", err, f.err)
		}
	}
	p.air, p.next = nil, nil
	p.db.refuse(err)
	return nil
}
