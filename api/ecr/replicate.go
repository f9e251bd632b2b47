package ecr

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/registry"
	"github.com/roadstead/roadstead/state"
)

// replicateLook is how often all repositories are looked at for images that are to be copied. A push is looked at when it comes; this
// finds what a member that died has left.
const replicateLook = time.Minute

// Pushed tells the API that an image has come into a repository.
func (a *API) Pushed(s model.Scope, name string) {
	if len(registryOf(a.DB.Snapshot().Tables, s).Destinations(name)) == 0 {
		return
	}
	a.mu.Lock()
	if !slices.Contains(a.fresh[s], name) {
		a.fresh[s] = append(a.fresh[s], name)
	}
	a.mu.Unlock()
	a.wake()
}

// wake has the leader look for what is to be copied.
func (a *API) wake() {
	select {
	case a.came <- struct{}{}:
	default: // it will look anyway
	}
}

// replications copies, on the leader, images to where replication configurations want them.
func (a *API) replications(ctx context.Context) error {
	t := time.NewTicker(replicateLook)
	defer t.Stop()
	for {
		if err := a.DB.AwaitLead(ctx); err != nil {
			return err
		}
		select {
		case <-t.C:
			a.Replicate(ctx)
		case <-a.came:
			a.replicateFresh(ctx)
			a.fillAll(ctx)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (a *API) replicateFresh(ctx context.Context) {
	a.mu.Lock()
	fresh := a.fresh
	a.fresh = map[model.Scope][]string{}
	a.mu.Unlock()
	for s, names := range fresh {
		for _, name := range names {
			if row, ok := a.DB.Snapshot().Repositories.Get(s.Key(name)); ok {
				a.replicateFrom(ctx, row)
			}
		}
	}
}

// Replicate copies all images that are to be copied, and forgets what became of images that are gone. What fails for a reason that may
// pass is tried again the next time.
func (a *API) Replicate(ctx context.Context) {
	t := a.DB.Snapshot().Tables
	for r := range t.Registries.All() {
		if len(r.Replication) == 0 {
			continue
		}
		for row := range t.Repositories.Prefix(r.Scope.Key("")) {
			a.replicateFrom(ctx, row)
		}
	}
	a.fillAll(ctx)
	if err := a.forgetReplications(ctx); err != nil && ctx.Err() == nil {
		a.Log.Warn("forget replications of images that are gone", "err", err)
	}
}

// replicateFrom copies what is to be copied of a repository.
func (a *API) replicateFrom(ctx context.Context, row *model.Repository) {
	to := registryOf(a.DB.Snapshot().Tables, row.Scope).Destinations(row.Name)
	if len(to) == 0 || ctx.Err() != nil {
		return
	}
	images, err := a.Images.Repository(ctx, row.Scope, row.Name)
	var stored []registry.Arrival
	if err == nil {
		stored, err = images.Arrivals(ctx)
	}
	if err != nil {
		a.Log.Warn("look for images to replicate", "repository", row.ARN(), "err", err)
		return
	}
	for _, i := range stored {
		for _, d := range to {
			if !isDue(a.DB.Snapshot().Tables, row, i, d) {
				continue
			}
			if err := a.replicate(ctx, row, i, d, images, ""); err != nil && ctx.Err() == nil {
				a.Log.Warn("replicate an image", "repository", row.ARN(), "image", i.Digest, "to", d.RegistryID+" "+d.Region, "err", err)
			}
		}
	}
}

// isDue says whether an image is still to be copied to a registry: it was pushed when there was a rule, and did not come from
// a registry that copies its images here, for copies are not copied on [D].
func isDue(t *state.Tables, row *model.Repository, i registry.Arrival, to model.Destination) bool {
	key := (&model.Replication{Scope: row.Scope, Repository: row.Name, Digest: i.Digest, To: to}).Key()
	if r, ok := t.Replications.Get(key); ok {
		return r.PushedAt != i.PushedAt || r.Status == string(types.ReplicationStatusInProgress)
	}
	return i.PushedAt >= registryOf(t, row.Scope).ReplicatedFrom && !isCopy(t, row, i)
}

// isCopy says whether an image came from another registry, and was not pushed here since.
func isCopy(t *state.Tables, row *model.Repository, i registry.Arrival) bool {
	here := model.Destination{RegistryID: row.Account, Region: row.Region}
	for from := range t.Registries.All() {
		key := (&model.Replication{Scope: from.Scope, Repository: row.Name, Digest: i.Digest, To: here}).Key()
		if r, ok := t.Replications.Get(key); ok && (r.Status == string(types.ReplicationStatusInProgress) || i.PushedAt <= r.FinishedAt) {
			return true
		}
	}
	return false
}

// replicate copies an image to one registry, by itself or as a part of a backfill, and writes down how that goes.
func (a *API) replicate(ctx context.Context, row *model.Repository, i registry.Arrival, to model.Destination, images *registry.Repository, backfill string) error {
	r := model.Replication{
		Scope: row.Scope, Repository: row.Name, Digest: i.Digest, To: to, PushedAt: i.PushedAt, Status: string(types.ReplicationStatusInProgress),
		Backfill: backfill,
	}
	if backfill != "" {
		r.Tags = i.Tags
	}
	if have, ok := a.DB.Snapshot().Replications.Get(r.Key()); !ok || !reflect.DeepEqual(*have, r) {
		if err := a.putReplication(ctx, r); err != nil {
			return err
		}
	}
	err := a.copyTo(ctx, row, i, to.Scope(), images)
	r.FinishedAt, r.Status = a.Now().UnixMilli(), string(types.ReplicationStatusComplete)
	if refusal, ok := errors.AsType[*model.Error](err); ok {
		r.FinishedAt, r.Status, r.Failure = 0, string(types.ReplicationStatusFailed), refusal.Code // [I] which codes there are
		a.Log.Info("image not replicated", "repository", row.ARN(), "image", i.Digest, "to", to.RegistryID+" "+to.Region, "why", refusal.Message)
	} else if err != nil {
		return err
	}
	return a.putReplication(ctx, r)
}

func (a *API) putReplication(ctx context.Context, r model.Replication) error {
	return a.DB.Update(ctx, func(tx *state.Tx) error { tx.Replications.Put(&r); return nil })
}

// copyTo puts an image into the repository of the same name elsewhere, which is made if it is not there. Another account's registry has
// to allow it.
func (a *API) copyTo(ctx context.Context, row *model.Repository, i registry.Arrival, to model.Scope, images *registry.Repository) error {
	if err := a.granted(row.Account, "ReplicateImage", to, row.Name); err != nil {
		return err
	}
	if _, ok := a.DB.Snapshot().Repositories.Get(to.Key(row.Name)); !ok {
		if err := a.granted(row.Account, "CreateRepository", to, row.Name); err != nil {
			return err
		}
		if _, err := a.make(ctx, to, row.Name, string(types.RCTAppliedForReplication), true); err != nil {
			return err
		}
	}
	m, err := images.Manifest(ctx, registry.Reference{Digest: i.Digest})
	if err != nil {
		return err
	}
	stay, err := a.Images.Copy(ctx, to, row.Name, m, i.Tags, images.Source())
	if len(stay) > 0 {
		a.Log.Info("tags of a replicated image are immutable elsewhere", "repository", row.ARN(), "image", i.Digest, "tags", stay)
	}
	return err
}

func (a *API) granted(account, action string, to model.Scope, repository string) error {
	switch {
	case to.Account == account:
		return nil
	case a.Grants == nil:
		return model.Errorf("AccessDeniedException", "Accounts have no rights with each other here.")
	}
	if err := a.Grants(account, action, to, repository); err != nil {
		return fmt.Errorf("%s: %w", action, err)
	}
	return nil
}

// forgetReplications deletes the rows of images that are gone, and of copies that nobody wants any more.
func (a *API) forgetReplications(ctx context.Context) error {
	t := a.DB.Snapshot().Tables
	there := map[string]map[string]bool{} // digests by repository
	has := func(s model.Scope, r *model.Replication) (bool, error) {
		key := s.Key(r.Repository)
		if _, ok := there[key]; !ok {
			digests, err := a.digests(ctx, s, r.Repository)
			if err != nil {
				return false, err
			}
			there[key] = digests
		}
		return there[key][r.Digest], nil
	}
	var gone []string
	for r := range t.Replications.All() {
		is, err := has(r.Scope, r)
		if err == nil && !is { // while there is a copy it says that it is one
			is, err = has(r.To.Scope(), r)
		}
		if err != nil {
			return err
		}
		wanted := r.Status != string(types.ReplicationStatusInProgress) || slices.Contains(registryOf(t, r.Scope).Destinations(r.Repository), r.To)
		if !is || !wanted {
			gone = append(gone, r.Key())
		}
	}
	if len(gone) == 0 {
		return nil
	}
	return a.DB.Update(ctx, func(tx *state.Tx) error {
		for _, key := range gone {
			tx.Replications.Delete(key)
		}
		return nil
	})
}

// digests are those of the images of a repository; none if it is gone.
func (a *API) digests(ctx context.Context, s model.Scope, name string) (map[string]bool, error) {
	found := map[string]bool{}
	if _, ok := a.DB.Snapshot().Repositories.Get(s.Key(name)); !ok {
		return found, nil
	}
	images, err := a.Images.Repository(ctx, s, name)
	if err != nil {
		return nil, err
	}
	stored, err := images.Arrivals(ctx)
	for _, i := range stored {
		found[i.Digest] = true
	}
	return found, err
}
