package secretsmanager

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// Bounds of the work.
const (
	maxBusy    = 64              // rotations that are worked on at once; most of it is waiting for answers
	retryPause = 5 * time.Second // after a commit that failed
)

// Run rotates secrets in every term of this member until ctx ends, and returns ctx's error.
func (a *API) Run(ctx context.Context) error {
	return a.DB.WhileLeading(ctx, func(ctx context.Context) {
		t := term{api: &a.api, waiting: map[string]model.Millis{}, busy: map[string]context.CancelFunc{}, done: make(chan outcome, maxBusy)}
		t.run(ctx)
	})
}

// term is one time of leading. Its fields belong to the goroutine of run.
type term struct {
	*api
	waiting map[string]model.Millis // for when secrets are due, by key
	busy    map[string]context.CancelFunc
	running sync.WaitGroup
	done    chan outcome // has room for all that are busy
}

// outcome is what became of one look at a secret.
type outcome struct {
	key string
	err error
}

func (t *term) run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer t.running.Wait()
	defer cancel()
	snap, cursor := t.DB.Watch()
	revisions := make(chan *state.Revision)
	t.running.Go(func() { cursor.Follow(ctx, revisions) })
	t.survey(snap.Tables)
	alarm := time.NewTimer(0)
	defer alarm.Stop()
	for ctx.Err() == nil {
		t.dispatch(ctx)
		t.arm(alarm)
		select {
		case rev := <-revisions:
			t.observe(rev)
		case o := <-t.done:
			if errors.Is(o.err, state.ErrNotLeader) {
				return
			}
			t.settled(ctx, o)
		case <-alarm.C:
		case <-ctx.Done():
			return
		}
	}
}

func (t *term) survey(tables *state.Tables) {
	for row := range tables.Secrets.All() {
		t.look(row.Key())
	}
}

// observe looks at how a secret that has changed is now.
func (t *term) observe(rev *state.Revision) {
	if rev.Reset {
		t.survey(t.DB.Snapshot().Tables)
		return
	}
	for i := range rev.Changes {
		c := &rev.Changes[i]
		_, now := c.New.(*model.Secret)
		_, was := c.Old.(*model.Secret)
		if now || was {
			t.look(c.Key)
		}
	}
}

// look notes when a secret is due, and lets go of a call whose step is not wanted any more.
func (t *term) look(key string) {
	delete(t.waiting, key)
	row, ok := t.DB.Snapshot().Secrets.Get(key)
	at := model.Millis(0)
	if ok {
		at = due(row)
	}
	switch cancel := t.busy[key]; {
	case cancel != nil && (at == 0 || row.Rotation.Version == ""):
		cancel()
	case cancel == nil && at != 0:
		t.waiting[key] = at
	}
}

// dispatch works on the secrets that are due.
func (t *term) dispatch(ctx context.Context) {
	for key, at := range t.waiting {
		if at > t.now() || len(t.busy) == maxBusy {
			continue
		}
		ctx, cancel := context.WithCancel(ctx)
		delete(t.waiting, key)
		t.busy[key] = cancel
		t.running.Go(func() { t.done <- outcome{key, t.perform(ctx, key)} })
	}
}

// arm sets the alarm to when the next secret is due. Without room for it there is nothing to wake up for.
func (t *term) arm(alarm *time.Timer) {
	alarm.Stop()
	if len(t.waiting) == 0 || len(t.busy) == maxBusy {
		return
	}
	next := model.Millis(0)
	for _, at := range t.waiting {
		if next == 0 || at < next {
			next = at
		}
	}
	alarm.Reset(time.Duration(max(next-t.now(), 0)) * time.Millisecond)
}

// settled looks again at a secret that was worked on.
func (t *term) settled(ctx context.Context, o outcome) {
	t.busy[o.key]()
	delete(t.busy, o.key)
	t.look(o.key)
	if _, ok := t.waiting[o.key]; ok && o.err != nil && ctx.Err() == nil {
		t.Log.Warn("rotate secret", "key", o.key, "err", o.err)
		t.waiting[o.key] = t.now() + retryPause.Milliseconds()
	}
}
