package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/distribution/distribution/v3"
	"github.com/opencontainers/go-digest"

	"github.com/roadstead/roadstead/model"
)

// Replicas has other servers keep the same images (docs/decisions/012). What a repository holds is written down in a
// listing, a blob of its own, whose digest stands in the repository's row. So one digest a repository is all that servers
// must agree upon; everything else is had from whoever has it, and cannot be wrong.
//
// One server at a time takes changes. It publishes a change, and only then says that it is made, when enough others
// hold what it needs.
type Replicas struct {
	// Hold has enough other servers store these blobs, which they fetch from here.
	Hold func(ctx context.Context, s model.Scope, digests []string) error
	// Fetch reads a blob from another server that has it.
	Fetch func(ctx context.Context, s model.Scope, digest string) (io.ReadCloser, error)
	// Publish writes the digest of the new listing into the repository's row, unless the row's is not old any more.
	Publish func(ctx context.Context, s model.Scope, name, old, listing string) error
}

// Follow makes what is stored here of a repository what its row says.
func (g *Registry) Follow(ctx context.Context, s model.Scope, name string) error {
	_, err := g.Repository(ctx, s, name)
	return err
}

// Share publishes what is stored here of a repository that has never been published, if anything is: images that were
// pushed before there were other servers.
func (g *Registry) Share(ctx context.Context, s model.Scope, name string) error {
	p, err := g.Repository(ctx, s, name)
	if err != nil {
		return err
	}
	l, err := p.listing(ctx)
	if row, ok := g.cfg.Repository(s, name); err != nil || !ok || row.Images != "" || len(l.Images) == 0 {
		return err
	}
	var all []string
	for _, i := range l.Images {
		payload, err := p.store.read(ctx, i.Digest)
		if err != nil {
			return err
		}
		all = append(all, append(p.store.parts(ctx, "", payload), i.Digest.String())...)
	}
	if err := p.store.hold(ctx, all); err != nil {
		return err
	}
	return p.change(ctx, func(*model.Repository) ([]digest.Digest, error) { return nil, nil })
}

// Strays are the repositories of which something is stored here and that have no row.
func (g *Registry) Strays(ctx context.Context) (strays []model.Repository, err error) {
	scopes, err := g.scopes()
	if err != nil {
		return nil, fmt.Errorf("list repositories: %w", err)
	}
	for _, s := range scopes {
		st, err := g.store(s)
		if err != nil {
			return nil, err
		}
		if ok, err := st.has(ctx, "/docker/registry/v2/repositories"); err != nil {
			return nil, err
		} else if !ok {
			continue // nothing was ever pushed
		}
		repositories, ok := st.images.(distribution.RepositoryEnumerator)
		if !ok {
			return nil, fmt.Errorf("list repositories of %s: the storage cannot", s.Key())
		}
		err = repositories.Enumerate(ctx, func(name string) error {
			if _, ok := g.cfg.Repository(s, name); !ok {
				strays = append(strays, model.Repository{Scope: s, Name: name})
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("list repositories of %s: %w", s.Key(), err)
		}
	}
	return strays, nil
}

// Drop deletes what is stored here of a repository, unless it has a row.
func (g *Registry) Drop(ctx context.Context, s model.Scope, name string) error {
	st, err := g.store(s)
	if err != nil {
		return err
	}
	p, err := st.repository(s, name)
	if err != nil {
		return err
	}
	st.manifests.Lock()
	defer st.manifests.Unlock()
	if _, ok := st.row(s, name); ok {
		return nil // it has one again, and whoever opens it brings it up to date
	}
	return p.erase(ctx)
}

// version is what a row says of its repository's images: two rows of a name that was given again are not the same.
func version(row model.Repository) string { return fmt.Sprint(row.CreatedAt, " ", row.Images) }

// current makes sure that what is stored here is what the row says, which another server may have changed.
func (p *Repository) current(ctx context.Context) error {
	st := p.store
	if st.replicas == nil {
		return nil
	}
	row, ok := st.row(p.scope, p.name)
	if !ok || st.shows(p.name) == version(row) {
		return nil
	}
	if err := p.bring(ctx, row); err != nil {
		return err
	}
	st.manifests.Lock()
	defer st.manifests.Unlock()
	if row, ok = st.row(p.scope, p.name); !ok { // a change meanwhile has another listing: the old one would undo it
		return nil
	}
	return p.catchUp(ctx, row)
}

// bring stores what catching up with the row will need. It takes as long as images are large, and nobody waits for it but who asks for
// this repository: catchUp holds up the whole account, and then has little to do.
func (p *Repository) bring(ctx context.Context, row model.Repository) error {
	have, err := p.listing(ctx)
	if err != nil {
		return err
	}
	want, err := p.wanted(ctx, row, have)
	if err != nil {
		return err
	}
	for _, i := range want.Images {
		if have.has(i.Digest) {
			continue
		}
		if _, err := p.parts(ctx, i.Digest); err != nil {
			return fmt.Errorf("copy image %s: %w", i.Digest, err)
		}
	}
	return nil
}

// wanted is the listing that the row names; have is what is stored here.
func (p *Repository) wanted(ctx context.Context, row model.Repository, have listing) (want listing, err error) {
	switch row.Images {
	case digest.FromBytes(have.encode()).String():
		return have, nil
	case "": // never published
		return have.since(row.CreatedAt), nil
	}
	body, err := p.store.read(ctx, digest.Digest(row.Images))
	if err == nil {
		err = json.Unmarshal(body, &want)
	}
	if err != nil {
		return want, fmt.Errorf("read the listing of repository %s: %w", p.name, err)
	}
	return want, nil
}

// catchUp makes what is stored here what the row says. It wants st.manifests.
func (p *Repository) catchUp(ctx context.Context, row model.Repository) error {
	st := p.store
	if st.shows(p.name) == version(row) {
		return nil
	}
	have, err := p.listing(ctx)
	if err != nil {
		return err
	}
	want, err := p.wanted(ctx, row, have)
	if err != nil {
		return err
	}
	if err := p.become(ctx, have, want); err != nil {
		return fmt.Errorf("catch up with repository %s: %w", p.name, err)
	}
	st.show(p.name, version(row))
	return nil
}

// change runs a change of the repository's images, which is told the repository's row as it is now, and returns the manifests that it made;
// and publishes what came of it.
// A change that failed half-way, or could not be published, is undone before anybody sees it: the row does not know it.
func (p *Repository) change(ctx context.Context, f func(row *model.Repository) (made []digest.Digest, err error)) error {
	st := p.store
	st.manifests.Lock()
	defer st.manifests.Unlock()
	row, ok := st.row(p.scope, p.name)
	if !ok { // it was deleted since this began
		return errNoRepository(p.scope, p.name)
	}
	if st.replicas == nil {
		made, err := f(&row)
		if err == nil && len(made) > 0 && st.pushed != nil {
			st.pushed(p.scope, p.name)
		}
		return err
	}
	if err := p.catchUp(ctx, row); err != nil {
		return err
	}
	if row.Images == "" { // so that there is something to go back to
		if err := p.publish(ctx, &row, nil); err != nil {
			return err
		}
	}
	st.show(p.name, "")
	made, err := f(&row)
	if err != nil {
		return err
	}
	if err = p.publish(ctx, &row, made); err == nil && len(made) > 0 && st.pushed != nil {
		st.pushed(p.scope, p.name)
	}
	return err
}

// publish has enough other servers hold the listing of what is stored here, and the manifests that are new in it, and writes
// it into the row. It wants st.manifests.
func (p *Repository) publish(ctx context.Context, row *model.Repository, made []digest.Digest) error {
	st := p.store
	l, err := p.listing(ctx)
	if err != nil {
		return err
	}
	body := l.encode()
	d := digest.FromBytes(body)
	if err := st.driver.PutContent(ctx, blobPath(d), body); err != nil {
		return fmt.Errorf("store listing: %w", err)
	}
	hold := []string{d.String()}
	for _, m := range made {
		hold = append(hold, m.String())
	}
	if err := st.hold(ctx, hold); err != nil {
		return err
	}
	if err := st.replicas.Publish(ctx, p.scope, p.name, row.Images, d.String()); err != nil {
		return fmt.Errorf("publish images of repository %s: %w", p.name, err)
	}
	row.Images = d.String()
	st.show(p.name, version(*row))
	return nil
}

// offer has other servers store what a manifest refers to, before the manifest itself is stored under the lock.
func (st *store) offer(ctx context.Context, mediaType string, payload []byte) error {
	if st.replicas == nil {
		return nil
	}
	return st.hold(ctx, st.parts(ctx, mediaType, payload))
}

// hold has other servers store blobs. What they refuse is no refusal for the caller, who has asked for something else.
func (st *store) hold(ctx context.Context, digests []string) error {
	if err := st.replicas.Hold(ctx, st.scope, digests); err != nil {
		return errors.Join(ctx.Err(), errors.New("have other servers hold what is new: "+err.Error()))
	}
	return nil
}

// parts are those blobs that a manifest refers to and that are stored here: of the others its push will be refused. So is
// what is no manifest.
func (st *store) parts(ctx context.Context, mediaType string, payload []byte) (here []string) {
	if mediaType == "" {
		mediaType = sniffMediaType(payload)
	}
	m, _, err := distribution.UnmarshalManifest(mediaType, payload)
	if err != nil {
		return nil
	}
	for _, ref := range m.References() {
		if ok, err := st.has(ctx, blobPath(ref.Digest)); ok && err == nil {
			here = append(here, ref.Digest.String())
		}
	}
	return here
}

// shows is the version of the repository's row that was last found, or made, to be what is stored here; "" for unknown.
func (st *store) shows(name string) string {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.shown[name]
}

func (st *store) show(name, version string) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.shown[name] = version
}
