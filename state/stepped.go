package state

import (
	"context"
	"errors"
	"fmt"
)

// stepped is what a DB has in place of Run's goroutines.
type stepped struct{ pipeline pipeline }

// OpenStepped returns a DB that has no goroutine, for simulations that must go the same way every time: it is never Run.
// Between Lead and Fail each Update commits its changes itself before it returns, and Snapshot and Watch see them at once.
// It belongs to one goroutine, and no other member may share its backend.
func OpenStepped(cfg Config) *DB {
	db := Open(cfg)
	db.stepped = &stepped{}
	return db
}

// Lead begins a term of a stepped DB with everything that the backend has.
func (db *DB) Lead(ctx context.Context) error {
	t, err := db.cfg.Backend.Campaign(ctx, db.cfg.Advertise)
	if err != nil {
		return fmt.Errorf("campaign: %w", err)
	}
	if err := db.reload(ctx); err != nil {
		return err
	}
	db.stepped.pipeline = pipeline{db: db, term: t}
	db.takeLead()
	return nil
}

// Fail ends the term of a stepped DB, as when its leader dies: what it derived from the rows is gone, and Update answers
// ErrNotLeader until Lead.
func (db *DB) Fail(ctx context.Context) {
	db.stepDown(ErrNotLeader)
	db.resign(ctx, db.stepped.pipeline.term)
}

// step commits what waits to be. Only a stepped DB has anything to do here.
func (db *DB) step(ctx context.Context) {
	if db.stepped == nil {
		return
	}
	p := &db.stepped.pipeline
	for g := db.take(0); g != nil; g = db.take(0) {
		f := &flight{group: g}
		if !g.onlyDeletes() {
			f.seq = p.durable + 1
		}
		if len(g.pairs) > 0 {
			f.rev, f.err = db.cfg.Backend.Commit(ctx, p.term, f.seq, g.pairs)
		}
		switch {
		case f.err == nil:
			p.air = []*flight{f}
			p.arrive(f)
		case refused(f.err):
			db.refuse(f.err)
		default:
			db.stepDown(errors.Join(ErrNotLeader, f.err))
		}
	}
}

// Poll is Next for those who must not wait: ok is false if there is no revision yet.
func (c *Cursor) Poll() (r *Revision, ok bool) {
	select {
	case <-c.at.ready:
		c.at = c.at.next
		return c.at, true
	default:
		return nil, false
	}
}
