package state

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Config says what a DB is made of.
type Config struct {
	Backend Backend
	Codec   SpecCodec
	// Advertise is the address at which other members reach this one while it leads, "http://10.0.0.1:4566".
	Advertise string
	// NewIndex makes an empty index of the head, nil if there is to be none.
	NewIndex func() Index
	Log      *slog.Logger
}

// DB is a member's copy of the state. Run keeps it going; Snapshot and Watch read it; Update changes it while the
// member leads.
type DB struct {
	cfg     Config
	stepped *stepped // nil unless OpenStepped made it

	current atomic.Pointer[Revision] // the newest durable revision
	leading atomic.Bool              // mirrors head != nil, for readers without the lock

	mu     sync.Mutex
	head   *Tables        // nil while not leading
	sealed *Tables        // the head when it was last frozen
	groups []*group       // waiting to be committed, oldest first; all but the last are sealed
	flying []*group       // being committed, oldest first
	at     map[string]int // where in the open group a stored key is
	usual  int            // how many changes the last sealed group had
	wake   chan struct{}
	led    chan struct{} // closed while leading
	over   chan struct{} // of the present term: closed when it is over
}

// Open returns a DB that has not loaded anything yet.
func Open(cfg Config) *DB {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	db := &DB{cfg: cfg, at: map[string]int{}, wake: make(chan struct{}, 1), led: make(chan struct{})}
	db.current.Store(newRevision(&Snapshot{Tables: newTables()}, nil, false))
	return db
}

// Snapshot returns the newest durable snapshot that this member has.
func (db *DB) Snapshot() *Snapshot { return db.current.Load().Snapshot }

// Watch returns the newest snapshot and a cursor over every revision after it.
func (db *DB) Watch() (*Snapshot, *Cursor) {
	at := db.current.Load()
	return at.Snapshot, &Cursor{at}
}

// Leading reports whether this member takes writes.
func (db *DB) Leading() bool { return db.leading.Load() }

// AwaitLead blocks until this member leads.
func (db *DB) AwaitLead(ctx context.Context) error {
	for {
		db.mu.Lock()
		led := db.led
		db.mu.Unlock()
		select {
		case <-led:
			if db.Leading() {
				return nil
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// WhileLeading runs f in each term of this member, with a context that ends with the term, until ctx ends; it returns ctx's error. If f
// returns before its term is over, it is run again.
func (db *DB) WhileLeading(ctx context.Context, f func(ctx context.Context)) error {
	for {
		if err := db.AwaitLead(ctx); err != nil {
			return err
		}
		db.mu.Lock()
		over := db.over
		db.mu.Unlock()
		term, cancel := context.WithCancel(ctx)
		var watch sync.WaitGroup
		watch.Go(func() {
			select {
			case <-over:
				cancel()
			case <-term.Done():
			}
		})
		f(term)
		cancel()
		watch.Wait()
	}
}

// Leader returns the address of the leading member, "" if there is none, and a channel closed when it may change.
func (db *DB) Leader(ctx context.Context) (string, <-chan struct{}, error) {
	return db.cfg.Backend.Leader(ctx)
}

// Update runs f on the head and returns when its changes are durable and visible in Snapshot. If f fails, nothing
// changes and its error is returned. f must be quick and must not block: it runs alone. It sees writes that are not
// durable yet, so even an f that fails or changes nothing is answered only when what it saw is durable.
//
// Errors besides f's: ErrNotLeader (also when a term was lost before the outcome was known), ErrNoSpace, ErrTooLarge,
// those of encoding a row, and ctx's, after which the change may still become durable.
func (db *DB) Update(ctx context.Context, f func(*Tx) error) error {
	g, err := db.enqueue(f)
	db.step(ctx)
	return await(ctx, g, err)
}

// await returns err when the group, if any, is durable.
func await(ctx context.Context, g *group, err error) error {
	if g == nil {
		return err
	}
	select {
	case <-g.done:
		if g.err != nil {
			return g.err
		}
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// enqueue runs f and puts its changes into a group. The group is nil if there is nothing to wait for.
func (db *DB) enqueue(f func(*Tx) error) (*group, error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.head == nil {
		return nil, ErrNotLeader
	}
	changes, pairs, err := db.head.run(f, db.cfg.Codec, func(ps []Pair) bool { return !tooLarge(ps, db.cfg.Backend) })
	if err != nil || len(changes) == 0 {
		return db.newest(), err
	}
	return db.join(changes, pairs), nil
}

// Wipe deletes all rows of all tables but those named ("accounts"), however many there are, in one durable step.
// Errors are those of Update.
func (db *DB) Wipe(ctx context.Context, keep ...string) error {
	g, err := db.enqueueWipe(keep)
	db.step(ctx)
	return await(ctx, g, err)
}

func (db *DB) enqueueWipe(keep []string) (*group, error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.head == nil {
		return nil, ErrNotLeader
	}
	for _, name := range keep {
		if db.head.table(name) == nil {
			return nil, fmt.Errorf("wipe: no table %q", name)
		}
	}
	if n := len(db.groups); n > 0 && db.groups[n-1].sealed == nil {
		db.seal(db.groups[n-1])
	}
	g := &group{done: make(chan struct{})}
	db.head.each(func(t table) {
		if slices.Contains(keep, t.tableName()) || t.Len() == 0 {
			return
		}
		g.pairs = append(g.pairs, Pair{Key: t.tableName() + "/", Prefix: true})
		g.changes = t.clear(g.changes)
	})
	if len(g.pairs) == 0 {
		return db.newest(), nil
	}
	db.seal(g)
	db.groups = append(db.groups, g)
	db.rouse()
	return g, nil
}

// newest returns the youngest group that is not durable yet, nil if there is none. Caller holds mu.
func (db *DB) newest() *group {
	if n := len(db.groups); n > 0 {
		return db.groups[n-1]
	}
	if n := len(db.flying); n > 0 {
		return db.flying[n-1]
	}
	return nil
}

// Run takes part in the election and keeps the member's copy up to date until ctx ends or the backend is closed, and
// returns ctx's error or ErrClosed.
func (db *DB) Run(ctx context.Context) error {
	for {
		err := db.term(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(err, ErrClosed) {
			return err
		}
		db.cfg.Log.Warn("begin anew", "err", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(retryPause):
		}
	}
}

// retryPause keeps a member whose backend is out of reach from spinning.
const retryPause = 50 * time.Millisecond
