package registry

import (
	"context"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/distribution/distribution/v3"
	"github.com/distribution/distribution/v3/manifest/manifestlist"
	"github.com/distribution/distribution/v3/manifest/ocischema"
	"github.com/distribution/distribution/v3/registry/storage/driver"
	"github.com/opencontainers/go-digest"
)

// Image is one manifest of a repository.
type Image struct {
	Digest    string
	MediaType string
	// ConfigType is the media type of the image's configuration, "" for an index.
	ConfigType string
	// Size is what the image's parts weigh as they are stored; of an index, what its largest image weighs.
	Size     int64
	Tags     []string // sorted
	PushedAt time.Time
	Children []string // digests of an index's images; nil for an image
}

// tagPattern is that of the distribution protocol. It also keeps tags from leaving their directory.
var tagPattern = regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$`)

// ValidTag says whether an image may have the tag.
func ValidTag(tag string) bool { return tagPattern.MatchString(tag) }

// Images lists the repository's images by digest.
func (p *Repository) Images(ctx context.Context) ([]Image, error) {
	tags, err := p.tags(ctx)
	if err != nil {
		return nil, err
	}
	ms, err := p.dist.Manifests(ctx)
	if err != nil {
		return nil, err
	}
	lister, ok := ms.(distribution.ManifestEnumerator)
	if !ok {
		return nil, errors.New("list images: the storage cannot")
	}
	if ok, err := p.store.has(ctx, path.Join(p.dir(), "_manifests/revisions")); err != nil || !ok {
		return nil, err // nothing was ever pushed
	}
	var images []Image
	err = lister.Enumerate(ctx, func(d digest.Digest) error {
		m, err := ms.Get(ctx, d)
		if err != nil {
			return fmt.Errorf("read manifest %s: %w", d, err)
		}
		image, err := p.describe(ctx, d, m)
		image.Tags = tags[d]
		images = append(images, image)
		return err
	})
	if err != nil {
		return nil, err
	}
	sizes := make(map[string]int64, len(images))
	for _, i := range images {
		sizes[i.Digest] = i.Size
	}
	for n, i := range images {
		for _, child := range i.Children {
			images[n].Size = max(images[n].Size, sizes[child])
		}
	}
	slices.SortFunc(images, func(a, b Image) int { return strings.Compare(a.Digest, b.Digest) })
	return images, nil
}

// tags returns the tags by the digest that they point to.
func (p *Repository) tags(ctx context.Context) (map[digest.Digest][]string, error) {
	service := p.dist.Tags(ctx)
	names, err := service.All(ctx) // sorted
	if _, ok := errors.AsType[distribution.ErrRepositoryUnknown](err); ok {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list tags: %w", err)
	}
	tags := make(map[digest.Digest][]string, len(names))
	for _, name := range names {
		// A tag that is gone by now, or half written, is no tag.
		if d, err := service.Get(ctx, name); err == nil {
			tags[d.Digest] = append(tags[d.Digest], name)
		}
	}
	return tags, nil
}

func (p *Repository) describe(ctx context.Context, d digest.Digest, m distribution.Manifest) (Image, error) {
	mediaType, _, err := m.Payload()
	if err != nil {
		return Image{}, err
	}
	image := Image{Digest: d.String(), MediaType: mediaType}
	_, list := m.(*manifestlist.DeserializedManifestList)
	_, index := m.(*ocischema.DeserializedImageIndex)
	for _, ref := range m.References() {
		if list || index {
			image.Children = append(image.Children, ref.Digest.String())
			continue
		}
		image.Size += ref.Size
		if image.ConfigType == "" { // the configuration is an image's first reference
			image.ConfigType = ref.MediaType
		}
	}
	image.PushedAt, err = p.PushedAt(ctx, d.String())
	return image, err
}

// PushedAt is when an image with the digest, which is one that Manifest has answered, came. The link is written when its manifest is pushed: its
// date is the push's.
func (p *Repository) PushedAt(ctx context.Context, d string) (time.Time, error) {
	info, err := p.store.driver.Stat(ctx, p.linkPath("_manifests/revisions", digest.Digest(d)))
	if err != nil {
		return time.Time{}, fmt.Errorf("date of manifest %s: %w", d, err)
	}
	return info.ModTime(), nil
}

// dir is where Distribution keeps the repository.
func (p *Repository) dir() string { return path.Join("/docker/registry/v2/repositories", p.name) }

// has says whether the storage has the path. Ask before a walk: a walk that ends with "not found" may have begun well.
func (st *store) has(ctx context.Context, path string) (bool, error) {
	_, err := st.driver.Stat(ctx, path)
	if notFound(err) {
		return false, nil
	}
	return err == nil, err
}

func notFound(err error) bool {
	var e driver.PathNotFoundError
	return errors.As(err, &e)
}
