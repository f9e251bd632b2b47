package state

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
)

// term follows the leader until this member leads, and then leads until the term ends. It always returns an error.
func (db *DB) term(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	f := db.startFollowing(ctx)
	defer func() { cancel(); <-f.done }() // one writer of db.current at a time
	t, err := db.campaign(ctx, f)
	if err != nil {
		return err
	}
	defer db.resign(ctx, t)
	defer db.stepDown(ErrNotLeader) // before resigning, which may take its time
	if err := f.catchUp(t.Revision()); err != nil {
		return err
	}
	db.takeLead()
	p := pipeline{db: db, term: t}
	return p.run(ctx)
}

func (db *DB) resign(ctx context.Context, t Term) {
	// Without ctx's end and without a time-out of ours: the backend bounds it.
	if err := db.cfg.Backend.Resign(context.WithoutCancel(ctx), t); err != nil {
		db.cfg.Log.Debug("resign", "err", err)
	}
}

// follower is the goroutine that keeps the copy up to date while the member does not lead.
type follower struct {
	db     *DB
	target atomic.Int64 // the revision at which it ends, 0 if none is set
	stop   context.CancelFunc
	done   chan struct{}
	err    error // set before done is closed
}

func (db *DB) startFollowing(ctx context.Context) *follower {
	ctx, stop := context.WithCancel(ctx)
	f := &follower{db: db, stop: stop, done: make(chan struct{})}
	go func() {
		defer close(f.done)
		defer stop()
		f.err = f.follow(ctx)
	}()
	return f
}

// catchUp ends the follower when the copy has the revision, and so everything that earlier terms committed.
func (f *follower) catchUp(rev int64) error {
	f.target.Store(rev)
	if f.db.Snapshot().Revision >= rev { // it may have passed the target before that was set
		f.stop()
	}
	<-f.done
	if f.db.Snapshot().Revision < rev {
		return fmt.Errorf("catch up: %w", f.err)
	}
	return nil
}

// campaign waits for the lead, or for the follower to fail.
func (db *DB) campaign(ctx context.Context, f *follower) (Term, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type won struct {
		t   Term
		err error
	}
	done := make(chan won, 1)
	go func() {
		t, err := db.cfg.Backend.Campaign(ctx, db.cfg.Advertise)
		done <- won{t, err}
	}()
	select {
	case w := <-done:
		if w.err != nil {
			return nil, fmt.Errorf("campaign: %w", w.err)
		}
		return w.t, nil
	case <-f.done:
		cancel()
		if w := <-done; w.err == nil {
			db.resign(ctx, w.t)
		}
		return nil, fmt.Errorf("follow: %w", f.err)
	}
}

func (db *DB) takeLead() {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.sealed = db.Snapshot().Tables
	db.head = db.newHead()
	db.leading.Store(true)
	db.over = make(chan struct{})
	close(db.led)
	db.cfg.Log.Info("take the lead", "rev", db.Snapshot().Revision)
}

// follow keeps the copy up to date from the backend's watch, and returns nil once it has reached the target.
func (f *follower) follow(ctx context.Context) error {
	for {
		err := f.followWatch(ctx)
		if !errors.Is(err, ErrCompacted) {
			return err
		}
		if err := f.db.reload(ctx); err != nil && !errors.Is(err, ErrCompacted) {
			return err
		}
	}
}

func (f *follower) reached(rev int64) bool {
	t := f.target.Load()
	return t != 0 && rev >= t
}

// followWatch applies batch after batch; nil means that the target was reached.
func (f *follower) followWatch(ctx context.Context) error {
	s, db := f.db.Snapshot(), f.db
	if s.Revision == 0 {
		return ErrCompacted // nothing loaded yet
	}
	if f.reached(s.Revision) {
		return nil
	}
	mirror, prev := s.thaw(), s.Tables
	for batch, err := range db.cfg.Backend.Watch(ctx, s.Revision) {
		if err != nil {
			return err
		}
		changes, err := mirror.apply(batch.Pairs, db.cfg.Codec)
		if err != nil {
			return err
		}
		prev = mirror.freeze(prev)
		db.advance(&Snapshot{Tables: prev, Revision: batch.Revision}, changes, false)
		if f.reached(batch.Revision) {
			return nil
		}
	}
	return ctx.Err()
}

// reload replaces the copy by everything that the backend has.
func (db *DB) reload(ctx context.Context) error {
	rev, pairs, err := db.cfg.Backend.Load(ctx)
	if err != nil {
		return fmt.Errorf("load: %w", err)
	}
	t := newTables()
	for p, err := range pairs {
		if err != nil {
			return fmt.Errorf("load: %w", err)
		}
		if _, _, err := t.load(p, db.cfg.Codec); err != nil {
			return err
		}
	}
	db.advance(&Snapshot{Tables: t.freeze(newTables()), Revision: rev}, nil, true)
	return nil
}

// apply loads the stored pairs of a batch into the tables.
func (t *Tables) apply(pairs []Pair, codec SpecCodec) ([]Change, error) {
	changes := make([]Change, 0, len(pairs))
	for _, p := range pairs {
		c, ok, err := t.load(p, codec)
		if err != nil {
			return nil, err
		}
		if ok {
			changes = append(changes, c)
		}
	}
	return changes, nil
}

// load loads one stored pair. Keys of tables that this version does not know are left alone: ok is false.
func (t *Tables) load(p Pair, codec SpecCodec) (c Change, ok bool, err error) {
	name, key, _ := strings.Cut(p.Key, "/")
	x := t.table(name)
	if x == nil {
		return Change{}, false, nil
	}
	old, now, err := x.load(key, p.Value, codec)
	return Change{Table: name, Key: key, Old: old, New: now, t: x}, err == nil, err
}

// table returns the table with the name, nil if there is none.
func (t *Tables) table(name string) (found table) {
	t.each(func(x table) {
		if x.tableName() == name {
			found = x
		}
	})
	return found
}
