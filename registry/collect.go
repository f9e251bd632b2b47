package registry

import (
	"context"
	"errors"
	"fmt"
	"path"
	"time"

	"github.com/distribution/distribution/v3"
	"github.com/distribution/distribution/v3/registry/storage"
	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"

	"github.com/roadstead/roadstead/model"
)

// Collect deletes what no image needs any more and is older than age: blobs, and uploads that were never finished. It
// returns the number of bytes freed.
//
// Age makes it safe beside pushes, which upload layers first and then the manifest that needs them, or are told that
// they are here: it must be longer than any push takes (a day, say). Distribution's own collector has no such age and must run alone.
func (g *Registry) Collect(ctx context.Context, age time.Duration) (freed int64, err error) {
	scopes, err := g.scopes()
	if err != nil {
		return 0, fmt.Errorf("collect: %w", err)
	}
	before := g.cfg.Now().Add(-age)
	for _, s := range scopes {
		st, failed := g.store(s)
		if failed == nil {
			var n int64
			n, failed = st.collect(ctx, s, before)
			freed += n
		}
		if failed != nil {
			err = errors.Join(err, fmt.Errorf("collect %s: %w", s.Key(), failed))
		}
	}
	return freed, err
}

func (st *store) collect(ctx context.Context, s model.Scope, before time.Time) (freed int64, err error) {
	// No manifest may come between marking and sweeping: its blobs were not marked.
	st.manifests.Lock()
	defer st.manifests.Unlock()
	for _, dir := range []string{"repositories", "blobs"} {
		if ok, err := st.has(ctx, "/docker/registry/v2/"+dir); err != nil || !ok {
			return 0, err // nothing was ever pushed
		}
	}
	// An upload that ends meanwhile is no reason to leave blobs: with pushes all the time, there would always be one.
	if _, errs := storage.PurgeUploads(ctx, st.driver, before, true); len(errs) > 0 {
		defer func() { err = errors.Join(err, fmt.Errorf("purge uploads: %w", errors.Join(errs...))) }()
	}
	needed, err := st.needed(ctx, s)
	if err != nil {
		return 0, err
	}
	vacuum := storage.NewVacuum(ctx, st.driver)
	err = st.images.Blobs().Enumerate(ctx, func(d digest.Digest) error {
		if needed[d] {
			return nil
		}
		st.sweeping.Lock()
		defer st.sweeping.Unlock()
		info, err := st.driver.Stat(ctx, blobPath(d))
		if err != nil || info.ModTime().After(before) {
			return err
		}
		freed += info.Size()
		return vacuum.RemoveBlob(d.String())
	})
	return freed, err
}

// needed marks the manifests of all repositories and what they refer to.
func (st *store) needed(ctx context.Context, s model.Scope) (map[digest.Digest]bool, error) {
	needed := make(map[digest.Digest]bool)
	repositories, ok := st.images.(distribution.RepositoryEnumerator)
	if !ok {
		return nil, errors.New("the storage cannot list repositories")
	}
	err := repositories.Enumerate(ctx, func(name string) error {
		if _, err := reference.WithName(name); err != nil {
			return err
		}
		if row, ok := st.row(s, name); ok {
			needed[digest.Digest(row.Images)] = true
		}
		p, err := st.repository(s, name)
		if err != nil {
			return err
		}
		ms, err := p.dist.Manifests(ctx)
		if err != nil {
			return err
		}
		lister, ok := ms.(distribution.ManifestEnumerator)
		if !ok {
			return errors.New("the storage cannot list manifests")
		}
		if ok, err := st.has(ctx, path.Join(p.dir(), "_manifests/revisions")); err != nil || !ok {
			return err // layers were pushed, an image was not
		}
		return lister.Enumerate(ctx, func(d digest.Digest) error {
			needed[d] = true
			m, err := ms.Get(ctx, d)
			if err != nil {
				return fmt.Errorf("read manifest %s of %s: %w", d, name, err)
			}
			for _, ref := range m.References() {
				needed[ref.Digest] = true
			}
			return nil
		})
	})
	return needed, err
}
