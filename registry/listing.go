package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/distribution/distribution/v3"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/roadstead/roadstead/model"
)

// listing is what a repository holds. It is stored as a blob and named by its digest, so equal ones have equal texts.
type listing struct {
	Images []listed                 `json:"images"` // by digest
	Tags   map[string]digest.Digest `json:"tags"`
}

type listed struct {
	Digest   digest.Digest `json:"digest"`
	PushedAt model.Millis  `json:"pushedAt"`
}

func (l listing) encode() []byte {
	b, err := json.Marshal(l)
	if err != nil {
		panic("registry: " + err.Error()) // a struct of strings and numbers
	}
	return b
}

func (l listing) has(d digest.Digest) bool {
	return slices.ContainsFunc(l.Images, func(i listed) bool { return i.Digest == d })
}

// since is the listing without the images that are older than its repository: those of a predecessor of its name.
func (l listing) since(born model.Millis) listing {
	out := listing{Images: []listed{}, Tags: maps.Clone(l.Tags)}
	for _, i := range l.Images {
		if i.PushedAt >= born {
			out.Images = append(out.Images, i)
		}
	}
	maps.DeleteFunc(out.Tags, func(_ string, d digest.Digest) bool { return !out.has(d) })
	return out
}

// listing reads what is stored here.
func (p *Repository) listing(ctx context.Context) (listing, error) {
	l := listing{Images: []listed{}, Tags: map[string]digest.Digest{}}
	revisions := path.Join(p.dir(), "_manifests/revisions/sha256")
	if ok, err := p.store.has(ctx, revisions); err != nil || !ok {
		return l, err
	}
	names, err := p.store.driver.List(ctx, revisions)
	if err != nil {
		return l, fmt.Errorf("list images: %w", err)
	}
	for _, name := range names {
		info, err := p.store.driver.Stat(ctx, path.Join(name, "link"))
		if notFound(err) {
			continue // deleted
		}
		if err != nil {
			return l, fmt.Errorf("list images: %w", err)
		}
		l.Images = append(l.Images, listed{digest.NewDigestFromEncoded(digest.SHA256, path.Base(name)), info.ModTime().UnixMilli()})
	}
	slices.SortFunc(l.Images, func(a, b listed) int { return strings.Compare(string(a.Digest), string(b.Digest)) })
	tags, err := p.tags(ctx)
	for d, names := range tags {
		for _, name := range names {
			l.Tags[name] = d
		}
	}
	return l, err
}

// become makes what is stored here, have, the same as want. Whatever cuts it short, the next call goes on.
func (p *Repository) become(ctx context.Context, have, want listing) error {
	for _, i := range want.Images {
		if !slices.Contains(have.Images, i) {
			if err := p.adopt(ctx, i); err != nil {
				return fmt.Errorf("copy image %s: %w", i.Digest, err)
			}
		}
	}
	tags := p.dist.Tags(ctx)
	for name, d := range want.Tags {
		if have.Tags[name] != d {
			if err := tags.Tag(ctx, name, v1.Descriptor{Digest: d}); err != nil {
				return fmt.Errorf("tag %s: %w", name, err)
			}
		}
	}
	for name := range have.Tags {
		if _, ok := want.Tags[name]; !ok {
			if err := tags.Untag(ctx, name); err != nil {
				return fmt.Errorf("untag %s: %w", name, err)
			}
		}
	}
	ms, err := p.dist.Manifests(ctx)
	if err != nil {
		return err
	}
	for _, i := range have.Images {
		if !want.has(i.Digest) {
			if err := ms.Delete(ctx, i.Digest); err != nil {
				return fmt.Errorf("delete image %s: %w", i.Digest, err)
			}
		}
	}
	return nil
}

// adopt stores an image as it was pushed elsewhere: its blobs first, the link that makes it an image of this repository last.
func (p *Repository) adopt(ctx context.Context, i listed) error {
	layers, err := p.parts(ctx, i.Digest)
	if err != nil {
		return err
	}
	for _, d := range layers {
		if err := p.link(ctx, "_layers", d); err != nil {
			return err
		}
	}
	if err := p.link(ctx, "_manifests/revisions", i.Digest); err != nil {
		return err
	}
	at := time.UnixMilli(i.PushedAt)
	file := filepath.Join(p.store.dir, p.linkPath("_manifests/revisions", i.Digest))
	if err := os.Chtimes(file, at, at); err != nil {
		return fmt.Errorf("date image: %w", err)
	}
	return nil
}

// parts stores an image's manifest and what it refers to, but for other images, from another server if it is not here; it returns the
// digests of the latter.
func (p *Repository) parts(ctx context.Context, image digest.Digest) (layers []digest.Digest, err error) {
	payload, err := p.store.read(ctx, image)
	if err != nil {
		return nil, err
	}
	m, _, err := distribution.UnmarshalManifest(sniffMediaType(payload), payload)
	if err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	for _, ref := range m.References() {
		if isManifest(ref.MediaType) || len(ref.URLs) > 0 { // listed itself, or kept by others by intent
			continue
		}
		if err := p.store.keep(ctx, ref.Digest); err != nil {
			return nil, err
		}
		layers = append(layers, ref.Digest)
	}
	return layers, nil
}

// isManifest says whether what an index refers to is an image.
func isManifest(mediaType string) bool {
	return strings.Contains(mediaType, ".manifest.") || strings.Contains(mediaType, ".index.")
}

// link says that the repository has a blob, as Distribution does.
func (p *Repository) link(ctx context.Context, kind string, d digest.Digest) error {
	if err := p.store.driver.PutContent(ctx, p.linkPath(kind, d), []byte(d)); err != nil {
		return fmt.Errorf("link %s: %w", d, err)
	}
	return nil
}

func (p *Repository) linkPath(kind string, d digest.Digest) string {
	return path.Join(p.dir(), kind, d.Algorithm().String(), d.Encoded(), "link")
}
