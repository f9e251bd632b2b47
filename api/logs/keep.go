package logs

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"
)

// sweepEvery is how often what is too old goes.
const sweepEvery = time.Hour

// workers is how many queries run at the same time.
const workers = 2

// Run runs queries, and while this member leads exports events and removes what retention and deletion leave, until ctx ends.
func (a *API) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for range workers {
		g.Go(func() error { return a.answer(ctx) })
	}
	g.Go(func() error { return a.export(ctx) })
	g.Go(func() error { return a.keep(ctx) })
	g.Go(func() error { return a.keepAside(ctx) })
	return g.Wait()
}

func (a *API) keep(ctx context.Context) error {
	t := time.NewTicker(sweepEvery)
	defer t.Stop()
	for {
		if err := a.DB.AwaitLead(ctx); err != nil {
			return err
		}
		a.sweep(ctx, true)
		select {
		case <-t.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// keepAside expires events while another member leads: this one has copies.
func (a *API) keepAside(ctx context.Context) error {
	t := time.NewTicker(sweepEvery)
	defer t.Stop()
	for {
		select {
		case <-t.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		if !a.DB.Leading() {
			a.sweep(ctx, false)
		}
	}
}

// sweep removes files whose events are past their group's retention, and on the leader folders of groups that have no row: another member
// may not have heard of all rows yet. What fails is tried again the next time.
func (a *API) sweep(ctx context.Context, leads bool) {
	stored, err := a.Store.Groups() // before the rows: a group has a row before it has a folder
	if err != nil {
		a.Log.Warn("list stored log groups", "err", err)
		return
	}
	retention := map[string]int32{}
	for row := range a.DB.Snapshot().LogGroups.All() {
		retention[row.ID] = row.RetentionDays
	}
	for _, id := range stored {
		kept, alive := retention[id]
		var err error
		switch {
		case !alive && leads:
			err = errors.Join(a.Store.Remove(id), a.Hold(ctx, id, 0))
		case kept > 0:
			err = a.expire(id, a.now()-days(kept))
		}
		if err != nil {
			a.Log.Warn("remove old log events", "group", id, "err", err)
		}
	}
}

func (a *API) expire(id string, before int64) error {
	g, err := a.Store.Group(id)
	if err != nil {
		return err
	}
	_, err = g.Expire(before)
	return err
}
