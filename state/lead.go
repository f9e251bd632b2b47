package state

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
)

// termKey is written first by every new leader: when its own copy has seen that write, it has seen all before it.
const termKey = "meta/term"

// term follows the leader until this member leads, and then leads until the term ends. It always returns an error.
func (db *DB) term(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var target atomic.Int64 // the revision at which following ends
	followed := make(chan error, 1)
	following, stopFollowing := context.WithCancel(ctx)
	defer stopFollowing()
	go func() { followed <- db.follow(following, &target) }()

	t, err := db.campaign(ctx, followed)
	if err != nil {
		cancel()
		return err
	}
	defer func() { // without a timeout of ours: the backend bounds it
		if err := db.cfg.Backend.Resign(context.WithoutCancel(ctx), t); err != nil {
			db.cfg.Log.Debug("resign", "err", err)
		}
	}()
	rev, err := db.cfg.Backend.Commit(ctx, t, []Pair{{termKey, []byte(db.cfg.Advertise)}})
	if err != nil {
		cancel()
		<-followed
		return fmt.Errorf("open the term: %w", err)
	}
	target.Store(rev)
	if db.Snapshot().Revision >= rev { // it may have passed the target before it was set
		stopFollowing()
	}
	if err := <-followed; err != nil && db.Snapshot().Revision < rev {
		return fmt.Errorf("catch up: %w", err)
	}
	db.takeLead()
	return db.commitLoop(ctx, t)
}

// campaign waits for the lead, or for the follower to fail.
func (db *DB) campaign(ctx context.Context, followed chan error) (Term, error) {
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
	case err := <-followed:
		cancel()
		if w := <-done; w.err == nil {
			_ = db.cfg.Backend.Resign(context.WithoutCancel(ctx), w.t)
		}
		return nil, fmt.Errorf("follow: %w", err)
	}
}

func (db *DB) takeLead() {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.sealed = db.Snapshot().Tables
	db.head = db.sealed.thaw()
	db.leading.Store(true)
	close(db.led)
	db.cfg.Log.Info("take the lead", "rev", db.Snapshot().Revision)
}

// follow keeps the copy up to date from the backend's watch, and returns nil once it has reached target.
func (db *DB) follow(ctx context.Context, target *atomic.Int64) error {
	for {
		err := db.followWatch(ctx, target)
		if !errors.Is(err, ErrCompacted) {
			return err
		}
		if err := db.reload(ctx); err != nil {
			return err
		}
	}
}

// followWatch applies batch after batch; nil means that target was reached.
func (db *DB) followWatch(ctx context.Context, target *atomic.Int64) error {
	s := db.Snapshot()
	if s.Revision == 0 {
		return ErrCompacted // nothing loaded yet
	}
	reached := func(rev int64) bool { t := target.Load(); return t != 0 && rev >= t }
	if reached(s.Revision) {
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
		if reached(batch.Revision) {
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
	for p := range pairs {
		if _, err := t.apply([]Pair{p}, db.cfg.Codec); err != nil {
			return err
		}
	}
	db.advance(&Snapshot{Tables: t.freeze(newTables()), Revision: rev}, nil, true)
	return nil
}

// apply loads stored pairs into the tables. Keys of tables that this version does not know are left alone.
func (t *Tables) apply(pairs []Pair, codec SpecCodec) ([]Change, error) {
	var changes []Change
	for _, p := range pairs {
		name, key, _ := strings.Cut(p.Key, "/")
		x := t.table(name)
		if x == nil {
			continue
		}
		old, now, err := x.load(key, p.Value, codec)
		if err != nil {
			return nil, err
		}
		changes = append(changes, Change{Table: name, Key: key, Old: old, New: now, t: x})
	}
	return changes, nil
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
