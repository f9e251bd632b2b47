package registry

import (
	"context"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/distribution/distribution/v3"
	"github.com/google/uuid"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/roadstead/roadstead/model"
)

// Source is where an image is copied from.
type Source interface {
	// Manifest reads the manifest with the digest.
	Manifest(ctx context.Context, digest string) (Manifest, error)
	// Blob reads the blob with the digest. What comes is checked.
	Blob(ctx context.Context, digest string) (io.ReadCloser, error)
}

// linker is a source whose blobs lie on the same disk: they need not be stored twice.
type linker interface {
	// file is where a blob lies.
	file(d digest.Digest) string
}

// Copy stores an image, with all that it refers to, in a repository, and points tags to it. Tags that are final and point elsewhere
// stay where they are; they are returned. It is RepositoryNotFoundException if the repository has no row.
func (g *Registry) Copy(ctx context.Context, s model.Scope, name string, root Manifest, tags []string, from Source) (stay []string, err error) {
	if _, ok := g.cfg.Repository(s, name); !ok {
		return nil, errNoRepository(s, name)
	}
	p, err := g.Repository(ctx, s, name)
	if err != nil {
		return nil, err
	}
	images, err := p.store.gather(ctx, root, from, 0)
	if err != nil {
		return nil, err
	}
	if err := p.store.offerAll(ctx, images); err != nil {
		return nil, err
	}
	now := g.cfg.Now().UnixMilli()
	err = p.change(ctx, func(row *model.Repository) (made []digest.Digest, err error) {
		for _, d := range images {
			if p.exists(ctx, d) {
				continue
			}
			if err := p.adopt(ctx, listed{d, now}); err != nil {
				return nil, fmt.Errorf("copy image %s: %w", d, err)
			}
			made = append(made, d)
		}
		top := images[len(images)-1]
		for _, tag := range tags {
			has, ok := p.tagged(ctx, tag)
			if ok && has != top && row.Final(tag) {
				stay = append(stay, tag)
				continue
			}
			if err := p.dist.Tags(ctx).Tag(ctx, tag, v1.Descriptor{Digest: top}); err != nil {
				return nil, fmt.Errorf("tag %s: %w", tag, err)
			}
		}
		return made, nil
	})
	return stay, err
}

// maxIndexDepth bounds how deep indexes may lie in indexes that are copied.
const maxIndexDepth = 4

// gather stores the blobs of an image and of those that it is made of, and returns the digests of all these, the image's own last.
func (st *store) gather(ctx context.Context, m Manifest, from Source, depth int) ([]digest.Digest, error) {
	d := digest.FromBytes(m.Payload)
	parsed, _, err := distribution.UnmarshalManifest(m.MediaType, m.Payload)
	switch {
	case d.String() != m.Digest:
		return nil, fmt.Errorf("what came as manifest %s is %s", m.Digest, d)
	case len(m.Payload) > maxManifest:
		return nil, fmt.Errorf("manifest %s has %d bytes", d, len(m.Payload))
	case depth > maxIndexDepth:
		return nil, fmt.Errorf("manifest %s lies in %d indexes", d, depth)
	case err != nil:
		return nil, fmt.Errorf("read manifest %s: %w", d, err)
	}
	var images []digest.Digest
	for _, ref := range parsed.References() {
		switch {
		case isManifest(ref.MediaType):
			child, err := from.Manifest(ctx, ref.Digest.String())
			if err != nil {
				return nil, fmt.Errorf("read manifest %s: %w", ref.Digest, err)
			}
			inner, err := st.gather(ctx, child, from, depth+1)
			if err != nil {
				return nil, err
			}
			images = append(images, inner...)
		case len(ref.URLs) > 0: // kept by others by intent
		default:
			if err := st.obtain(ctx, ref, from); err != nil {
				return nil, err
			}
		}
	}
	if l, ok := from.(linker); !ok || st.link(ctx, d, l.file(d)) != nil {
		if err := st.driver.PutContent(ctx, blobPath(d), m.Payload); err != nil {
			return nil, fmt.Errorf("store manifest %s: %w", d, err)
		}
	}
	return append(images, d), nil
}

// obtain stores a blob that is not here. It may be as large as its manifest says, and come as slowly as it likes, but not stop.
func (st *store) obtain(ctx context.Context, blob v1.Descriptor, from Source) error {
	d := blob.Digest
	if err := d.Validate(); err != nil {
		return fmt.Errorf("copy blob %q: %w", d, err)
	}
	if ok, err := st.renew(d); ok || err != nil {
		return err
	}
	if l, ok := from.(linker); ok && st.link(ctx, d, l.file(d)) == nil {
		return nil
	}
	r, err := bound(ctx, blob.Size, func(ctx context.Context) (io.ReadCloser, error) { return from.Blob(ctx, d.String()) })
	if err != nil {
		return fmt.Errorf("copy blob %s: %w", d, err)
	}
	defer r.Close()
	part := path.Join(incoming, uuid.NewString())
	if err := st.receive(ctx, part, d, r); err != nil {
		return fmt.Errorf("copy blob %s: %w", d, err)
	}
	return st.driver.Move(ctx, part, blobPath(d))
}

// link gives a blob that lies on the same disk a second name here: contents never change, and are removed by name.
func (st *store) link(ctx context.Context, d digest.Digest, file string) error {
	part := path.Join(incoming, uuid.NewString())
	to := filepath.Join(st.dir, part)
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if err := os.Link(file, to); err != nil {
		return err
	}
	err := st.driver.Move(ctx, part, blobPath(d))
	_ = os.Remove(to) // it is there still if the blob came meanwhile, by another link
	if err != nil {
		return err
	}
	if ok, err := st.renew(d); !ok && err == nil {
		return fmt.Errorf("blob %s was removed meanwhile", d)
	}
	return err
}

// offerAll has other servers store these images and what they refer to.
func (st *store) offerAll(ctx context.Context, images []digest.Digest) error {
	if st.replicas == nil {
		return nil
	}
	var all []string
	for _, d := range images {
		payload, err := st.driver.GetContent(ctx, blobPath(d))
		if err != nil {
			return err
		}
		for _, part := range append(st.parts(ctx, "", payload), d.String()) {
			if !slices.Contains(all, part) {
				all = append(all, part)
			}
		}
	}
	return st.hold(ctx, all)
}

// Images of another repository of this registry, as a source.
type stored struct{ *Repository }

// Source is the repository as a source of copies, which share its blobs on the disk.
func (p *Repository) Source() Source { return stored{p} }

func (s stored) Manifest(ctx context.Context, d string) (Manifest, error) {
	return s.Repository.Manifest(ctx, Reference{Digest: d})
}

func (s stored) Blob(ctx context.Context, d string) (io.ReadCloser, error) {
	return s.store.driver.Reader(ctx, blobPath(digest.Digest(d)), 0)
}

func (s stored) file(d digest.Digest) string { return filepath.Join(s.store.dir, blobPath(d)) }

// Arrival is an image of a repository: when it came, and what it is called.
type Arrival struct {
	Digest   string
	PushedAt model.Millis
	Tags     []string // sorted
}

// Arrivals lists the repository's images by digest, without reading any of them.
func (p *Repository) Arrivals(ctx context.Context) ([]Arrival, error) {
	l, err := p.listing(ctx)
	if err != nil {
		return nil, err
	}
	tags := map[digest.Digest][]string{}
	for tag, d := range l.Tags {
		tags[d] = append(tags[d], tag)
	}
	var out []Arrival
	for _, i := range l.Images {
		slices.Sort(tags[i.Digest])
		out = append(out, Arrival{i.Digest.String(), i.PushedAt, tags[i.Digest]})
	}
	return out, nil
}
