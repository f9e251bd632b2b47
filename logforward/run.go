package logforward

import (
	"context"
	"sync"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// Run sends in every term of this member until ctx ends, and returns ctx's error.
func (f *Forwarder) Run(ctx context.Context) error {
	return f.cfg.DB.WhileLeading(ctx, f.term)
}

// term sends as long as this member leads.
func (f *Forwarder) term(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	for f.cfg.Ready(ctx) != nil { // it waits by itself
		if ctx.Err() != nil {
			return
		}
	}
	snap, cursor := f.cfg.DB.Watch()
	active := map[string]*active{}
	f.adjust(ctx, snap.Tables, active, &running)
	for {
		r, err := cursor.Next(ctx)
		if err != nil {
			return
		}
		if concerns(r) {
			f.adjust(ctx, f.cfg.DB.Snapshot().Tables, active, &running)
		}
	}
}

// concerns says whether a revision changed a log group.
func concerns(r *state.Revision) bool {
	if r.Reset {
		return true
	}
	for i := range r.Changes {
		if c := &r.Changes[i]; isGroup(c.New) || isGroup(c.Old) {
			return true
		}
	}
	return false
}

func isGroup(row any) bool {
	_, ok := row.(*model.LogGroup)
	return ok
}

// active is a filter that is sent for.
type active struct {
	filter model.LogSubscription
	group  string // its id in the log store
	stop   context.CancelFunc
	ended  chan struct{}
}

// adjust begins and stops, so that what is active is what the rows have.
func (f *Forwarder) adjust(ctx context.Context, t *state.Tables, have map[string]*active, running *sync.WaitGroup) {
	wanted, groups := map[string]bool{}, map[string]bool{}
	for row := range t.LogGroups.All() {
		groups[row.ID] = true
		for _, sub := range row.Subscriptions {
			wanted[sub.ID] = true
			old := have[sub.ID]
			if old != nil && old.filter == sub {
				continue
			}
			one, cancel := context.WithCancel(ctx)
			a := &active{filter: sub, group: row.ID, stop: cancel, ended: make(chan struct{})}
			have[sub.ID] = a
			running.Go(func() {
				defer close(a.ended)
				if old != nil { // the same filter as it was before: one of them sends
					old.stop()
					<-old.ended
				}
				f.deliver(one, row, sub)
			})
		}
	}
	for id, a := range have {
		if !wanted[id] {
			a.stop()
			delete(have, id)
			if groups[a.group] {
				running.Go(func() { f.forget(a) })
			}
		}
	}
}

// forget lets go of how far a filter was that is gone.
func (f *Forwarder) forget(a *active) {
	<-a.ended
	g, err := f.cfg.Store.Group(a.group)
	if err == nil {
		err = g.Unmark(a.filter.ID)
	}
	if err == nil {
		f.cfg.Moved(a.group)
	}
	if err != nil {
		f.cfg.Log.Warn("forget a subscription filter", "filter", a.filter.Name, "err", err)
	}
}
