package ecr

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/registry"
	"github.com/roadstead/roadstead/state"
)

// backfillKept is how long a backfill is remembered that has ended [D].
const backfillKept = 90 * 24 * time.Hour

// fillAll goes on with all backfills, and forgets old ones.
func (a *API) fillAll(ctx context.Context) {
	for b := range a.DB.Snapshot().Backfills.All() {
		var err error
		switch {
		case b.EndedAt == 0:
			err = a.fill(ctx, b)
		case a.Now().Sub(time.UnixMilli(b.EndedAt)) > backfillKept:
			err = a.DB.Update(ctx, func(tx *state.Tx) error { tx.Backfills.Delete(b.Key()); return nil })
		}
		if err != nil && ctx.Err() == nil {
			a.Log.Warn("go on with a backfill", "backfill", b.Key(), "err", err)
		}
	}
}

// part is an image that a backfill copies.
type part struct {
	row    *model.Repository
	image  registry.Arrival
	images *registry.Repository
}

// fill copies the images of a backfill, until it is done or to be stopped. What fails for a reason that may pass is tried again the
// next time.
func (a *API) fill(ctx context.Context, b *model.Backfill) error {
	todo, err := a.unfilled(ctx, b)
	if err != nil {
		return err
	}
	if b.Status == preparing {
		var total int32
		for _, p := range todo {
			total += countOf(p.image.Tags)
		}
		if err := a.turn(ctx, b, preparing, func(b *model.Backfill) { b.Status, b.Total = inProgress, total }); err != nil {
			return err
		}
	}
	for _, p := range todo {
		now, ok := a.DB.Snapshot().Backfills.Get(b.Key())
		if !ok || now.Status != inProgress {
			break
		}
		if err := a.replicate(ctx, p.row, p.image, b.To, p.images, b.ID); err != nil {
			return err
		}
	}
	parts := partsOf(a.DB.Snapshot().Tables, b)
	end := func(status string) func(*model.Backfill) {
		return func(b *model.Backfill) {
			tally(b, parts)
			b.Status, b.EndedAt = status, a.Now().UnixMilli()
		}
	}
	if err := a.turn(ctx, b, stopping, end(stopped)); err != nil {
		return err
	}
	return a.turn(ctx, b, inProgress, end(complete))
}

// turn changes a backfill that is in a status.
func (a *API) turn(ctx context.Context, b *model.Backfill, status string, f func(*model.Backfill)) error {
	return a.DB.Update(ctx, func(tx *state.Tx) error {
		have, ok := tx.Backfills.Get(b.Key())
		if !ok || have.Status != status {
			return nil
		}
		changed := *have
		f(&changed)
		tx.Backfills.Put(&changed)
		return nil
	})
}

// unfilled are the images that a backfill has still to copy: what was pushed before it began, and is not there.
func (a *API) unfilled(ctx context.Context, b *model.Backfill) (todo []part, err error) {
	t := a.DB.Snapshot().Tables
	for row := range t.Repositories.Prefix(b.Scope.Key("")) {
		wanted := false
		for _, to := range registryOf(t, b.Scope).Destinations(row.Name) {
			wanted = wanted || to == b.To
		}
		if !wanted {
			continue
		}
		images, err := a.Images.Repository(ctx, row.Scope, row.Name)
		if err != nil {
			return nil, err
		}
		stored, err := images.Arrivals(ctx)
		if err != nil {
			return nil, err
		}
		for _, i := range stored {
			key := (&model.Replication{Scope: row.Scope, Repository: row.Name, Digest: i.Digest, To: b.To}).Key()
			r, ok := t.Replications.Get(key)
			there := ok && r.PushedAt == i.PushedAt && (r.Status == string(types.ReplicationStatusComplete) || r.Backfill == b.ID && r.Failure != "")
			if i.PushedAt < b.StartedAt && !there && !isCopy(t, row, i) {
				todo = append(todo, part{row, i, images})
			}
		}
	}
	return todo, nil
}
