package ecr

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/roadstead/roadstead/expiry"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/registry"
	"github.com/roadstead/roadstead/state"
)

// Times of lifecycle policies: ECR performs them within a day [D].
const (
	expireLook  = time.Minute // a new policy is performed after this at most
	expireEvery = time.Hour   // and then at this pace
)

// Run performs, on the leader, what images are subject to without anybody waiting for it. It blocks until ctx ends.
func (a *API) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return a.expiries(ctx) })
	g.Go(func() error { return a.scans(ctx) })
	g.Go(func() error { return a.replications(ctx) })
	return g.Wait()
}

func (a *API) expiries(ctx context.Context) error {
	t := time.NewTicker(expireLook)
	defer t.Stop()
	for {
		select {
		case <-t.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := a.DB.AwaitLead(ctx); err != nil {
			return err
		}
		a.Expire(ctx)
		if err := a.forgetLooks(ctx); err != nil && ctx.Err() == nil {
			a.Log.Warn("forget tags that are gone", "err", err)
		}
		if err := a.forgetPulls(ctx); err != nil && ctx.Err() == nil {
			a.Log.Warn("forget pulls of images that are gone", "err", err)
		}
	}
}

// Expire deletes what lifecycle policies say that are due. What fails is tried again the next time.
func (a *API) Expire(ctx context.Context) {
	for row := range a.DB.Snapshot().Repositories.All() {
		last := time.UnixMilli(row.Lifecycle.LastAt)
		if row.Lifecycle.Policy == "" || a.Now().Sub(last) < expireEvery {
			continue
		}
		if err := a.expire(ctx, row); err != nil && ctx.Err() == nil {
			a.Log.Warn("perform a lifecycle policy", "repository", row.ARN(), "err", err)
		}
	}
}

func (a *API) expire(ctx context.Context, row *model.Repository) error {
	p, err := expiry.Parse(row.Lifecycle.Policy)
	if err != nil {
		return err
	}
	images, err := a.Images.Repository(ctx, row.Scope, row.Name)
	if err != nil {
		return err
	}
	now := a.Now()
	var verdicts []expiry.Verdict
	err = images.Expire(ctx, func(stored []registry.Image) (going []string) {
		verdicts = p.Judge(a.expirable(row, stored), now)
		for _, v := range verdicts {
			if v.Expires {
				going = append(going, v.Digest)
			}
		}
		return going
	})
	if err != nil {
		return fmt.Errorf("expire images: %w", err)
	}
	var archive []string
	for _, v := range verdicts {
		switch {
		case v.Expires:
			a.Log.Info("image expired", "repository", row.ARN(), "image", v.Digest, "tags", v.Tags, "rule", v.Rule, "why", v.Why)
		case v.Archives:
			a.Log.Info("image archived", "repository", row.ARN(), "image", v.Digest, "tags", v.Tags, "rule", v.Rule, "why", v.Why)
			archive = append(archive, v.Digest)
		}
	}
	if len(archive) > 0 {
		if err := a.setArchived(ctx, row, true, archive...); err != nil {
			return fmt.Errorf("archive images: %w", err)
		}
	}
	return a.DB.Update(ctx, func(tx *state.Tx) error {
		have, ok := tx.Repositories.Get(row.Key())
		if !ok || have.CreatedAt != row.CreatedAt || have.Lifecycle.Policy != row.Lifecycle.Policy {
			return nil // it is not what was performed
		}
		changed := *have
		changed.Lifecycle.LastAt = now.UnixMilli()
		tx.Repositories.Put(&changed)
		return nil
	})
}

// expirable are images as lifecycle policies see them.
func (a *API) expirable(row *model.Repository, stored []registry.Image) []expiry.Image {
	out, t := make([]expiry.Image, 0, len(stored)), a.DB.Snapshot().Tables
	for _, i := range stored {
		image := expiry.Image{Digest: i.Digest, Tags: i.Tags, PushedAt: i.PushedAt, UsedAt: i.PushedAt, Parts: i.Children}
		key := model.ImagePullKey(row.Scope, row.Name, i.Digest)
		if p, ok := t.ImagePulls.Get(key); ok {
			image.UsedAt = later(image.UsedAt, p.At)
		}
		if r, ok := t.ImageArchives.Get(key); ok {
			image.UsedAt = later(image.UsedAt, r.RestoredAt)
			if r.Has(i.PushedAt.UnixMilli()) {
				image.ArchivedAt = time.UnixMilli(r.ArchivedAt)
			}
		}
		out = append(out, image)
	}
	return out
}

func later(a time.Time, b model.Millis) time.Time {
	if at := time.UnixMilli(b); at.After(a) {
		return at
	}
	return a
}
