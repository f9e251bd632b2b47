package state

import (
	"context"
	"errors"
	"fmt"
)

// group is the changes of one or more Updates that are committed together.
type group struct {
	changes []Change
	sealed  *Tables // the head after the last of them; nil while the group takes more
	done    chan struct{}
	err     error // set before done is closed
}

// open returns the group that takes changes now; it is not in the queue before it has some. Caller holds mu.
func (db *DB) open() *group {
	if k := len(db.groups); k > 0 && db.groups[k-1].sealed == nil {
		return db.groups[k-1]
	}
	return &group{done: make(chan struct{})}
}

// join adds changes, which the head already has, to the open group. Caller holds mu.
func (db *DB) join(g *group, changes []Change) {
	if len(g.changes) == 0 {
		db.groups = append(db.groups, g)
	}
	g.changes = append(g.changes, changes...)
	select {
	case db.wake <- struct{}{}:
	default:
	}
}

// seal freezes the head as the group leaves it. Caller holds mu.
func (db *DB) seal(g *group) {
	g.sealed = db.head.freeze(db.sealed)
	db.sealed = g.sealed
}

// commitLoop commits group after group until the term ends or a commit fails.
func (db *DB) commitLoop(ctx context.Context, term Term) error {
	for {
		g := db.take()
		if g == nil {
			select {
			case <-db.wake:
				continue
			case <-term.Lost():
				return ErrFenced
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if err := db.commit(ctx, term, g); err != nil {
			return err
		}
	}
}

// take removes the oldest group from the queue, sealed.
func (db *DB) take() *group {
	db.mu.Lock()
	defer db.mu.Unlock()
	if len(db.groups) == 0 {
		return nil
	}
	g := db.groups[0]
	db.groups = db.groups[1:]
	if g.sealed == nil {
		db.seal(g)
	}
	db.flying = g
	return g
}

func (db *DB) commit(ctx context.Context, term Term, g *group) error {
	g.changes = coalesce(g.changes)
	pairs, err := encodeChanges(g.changes, db.cfg.Codec)
	if err != nil {
		db.refuse(err)
		return nil
	}
	rev, err := db.cfg.Backend.Commit(ctx, term, pairs)
	switch {
	case err == nil:
		db.publish(g, rev)
		return nil
	case errors.Is(err, ErrNoSpace):
		db.refuse(err)
		return nil
	default:
		return fmt.Errorf("commit %d rows: %w", len(pairs), err)
	}
}

// publish makes a durable group visible, then answers its callers.
func (db *DB) publish(g *group, rev int64) {
	db.advance(&Snapshot{Tables: g.sealed, Revision: rev}, g.changes, false)
	db.mu.Lock()
	db.flying = nil
	db.mu.Unlock()
	close(g.done)
}

// advance appends a revision to the list that readers and cursors walk. Only the goroutine of Run calls it.
func (db *DB) advance(s *Snapshot, changes []Change, reset bool) {
	r := newRevision(s, changes, reset)
	old := db.current.Load()
	old.next = r
	db.current.Store(r)
	close(old.ready)
}

// refuse drops everything that is not durable, because the backend certainly did not take it: the head goes back to
// the durable snapshot, and all who wait are told why. The term goes on.
func (db *DB) refuse(err error) {
	db.mu.Lock()
	waiting := db.drop()
	db.sealed = db.Snapshot().Tables
	db.head = db.sealed.thaw()
	db.mu.Unlock()
	fail(waiting, err)
}

// stepDown leaves the lead: the head is dropped, and the fate of what was not durable is unknown.
func (db *DB) stepDown(err error) {
	db.mu.Lock()
	waiting := db.drop()
	if db.head != nil {
		db.head = nil
		db.leading.Store(false)
		db.led = make(chan struct{})
	}
	db.mu.Unlock()
	fail(waiting, err)
}

// drop empties the queue. Caller holds mu.
func (db *DB) drop() []*group {
	waiting := db.groups
	if db.flying != nil {
		waiting = append([]*group{db.flying}, waiting...)
	}
	db.groups, db.flying = nil, nil
	return waiting
}

func fail(gs []*group, err error) {
	for _, g := range gs {
		g.err = err
		close(g.done)
	}
}

func encodeChanges(cs []Change, codec SpecCodec) ([]Pair, error) {
	pairs := make([]Pair, len(cs))
	for i := range cs {
		c := &cs[i]
		pairs[i].Key = c.Table + "/" + c.Key
		if c.New == nil {
			continue
		}
		b, err := c.t.encode(c.New, codec)
		if err != nil {
			return nil, fmt.Errorf("encode row %s: %w", pairs[i].Key, err)
		}
		pairs[i].Value = b
	}
	return pairs, nil
}
