package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/google/uuid"
	"github.com/opencontainers/go-digest"

	"github.com/roadstead/roadstead/model"
)

// Keep stores blobs of which this server is asked to have a copy.
func (g *Registry) Keep(ctx context.Context, s model.Scope, digests []string) error {
	st, err := g.store(s)
	if err != nil {
		return err
	}
	for _, d := range digests {
		if err := st.keep(ctx, digest.Digest(d)); err != nil {
			return err
		}
	}
	return nil
}

// Blob reads a blob of the account that is stored here; ok is false if it is not.
func (g *Registry) Blob(ctx context.Context, s model.Scope, dgst string) (r io.ReadCloser, ok bool, err error) {
	st, err := g.store(s)
	if err != nil {
		return nil, false, err
	}
	d := digest.Digest(dgst)
	if d.Validate() != nil {
		return nil, false, nil
	}
	if r, err = st.driver.Reader(ctx, blobPath(d), 0); notFound(err) {
		return nil, false, nil
	}
	return r, err == nil, err
}

func blobPath(d digest.Digest) string {
	return path.Join("/docker/registry/v2/blobs", d.Algorithm().String(), d.Encoded()[:2], d.Encoded(), "data")
}

// read returns a small blob, from another server if it is not here.
func (st *store) read(ctx context.Context, d digest.Digest) ([]byte, error) {
	if err := st.keep(ctx, d); err != nil {
		return nil, err
	}
	return st.driver.GetContent(ctx, blobPath(d))
}

// renew says whether a blob is here, and dates it as one that comes now: whoever is told that it is here need not send it, and it must not be
// collected before he has said what for.
func (st *store) renew(d digest.Digest) (here bool, err error) {
	if d.Validate() != nil {
		return false, nil
	}
	now := st.now()
	st.sweeping.Lock()
	defer st.sweeping.Unlock()
	err = os.Chtimes(filepath.Join(st.dir, blobPath(d)), now, now)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("date blob: %w", err)
	}
	return true, nil
}

// keep stores a blob, from another server if it is not here. Ask it for nothing that a client names: a row, or the leader, has to.
func (st *store) keep(ctx context.Context, d digest.Digest) error {
	if err := d.Validate(); err != nil {
		return fmt.Errorf("copy blob %q: %w", d, err)
	}
	if ok, err := st.renew(d); ok || err != nil {
		return err
	}
	if st.replicas == nil {
		return fmt.Errorf("blob %s is not stored", d)
	}
	done, err := st.alone(ctx, d)
	if err != nil {
		return err
	}
	defer done()
	if ok, err := st.renew(d); ok || err != nil { // somebody else fetched it
		return err
	}
	if file, ok := st.elsewhere(d); ok && st.link(ctx, d, file) == nil { // that image was copied from another account, or into one
		return nil
	}
	from, err := st.replicas.Fetch(ctx, st.scope, d.String())
	if err != nil {
		return fmt.Errorf("copy blob %s: %w", d, err)
	}
	defer from.Close()
	part := path.Join(incoming, uuid.NewString())
	if err := st.receive(ctx, part, d, from); err != nil {
		return fmt.Errorf("copy blob %s: %w", d, err)
	}
	return st.driver.Move(ctx, part, blobPath(d))
}

// alone waits until nobody else fetches a blob.
func (st *store) alone(ctx context.Context, d digest.Digest) (done func(), err error) {
	for {
		st.mu.Lock()
		busy := st.fetching[d]
		if busy == nil {
			mine := make(chan struct{})
			st.fetching[d] = mine
			st.mu.Unlock()
			return func() {
				st.mu.Lock()
				defer st.mu.Unlock()
				delete(st.fetching, d)
				close(mine)
			}, nil
		}
		st.mu.Unlock()
		select {
		case <-busy:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// elsewhere finds a blob in the trees of other accounts and Regions.
func (g *Registry) elsewhere(d digest.Digest) (file string, ok bool) {
	scopes, err := g.scopes()
	if err != nil {
		return "", false
	}
	for _, s := range scopes {
		file := filepath.Join(g.cfg.Dir, s.Account, s.Region, blobPath(d))
		if _, err := os.Stat(file); err == nil {
			return file, true
		}
	}
	return "", false
}

// incoming holds blobs that are not whole yet; it is emptied when the tree is opened.
const incoming = "/incoming"

func (st *store) receive(ctx context.Context, part string, d digest.Digest, from io.Reader) error {
	w, err := st.driver.Writer(ctx, part, false)
	if err != nil {
		return err
	}
	check := d.Verifier()
	_, err = io.Copy(io.MultiWriter(w, check), from)
	if err == nil && !check.Verified() {
		err = fmt.Errorf("what came is not %s", d)
	}
	if err != nil {
		_ = w.Cancel(ctx) // what stays goes when the tree is opened next
		return err
	}
	if err := w.Commit(ctx); err != nil {
		return err
	}
	return w.Close()
}
