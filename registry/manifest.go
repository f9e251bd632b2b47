package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/distribution/distribution/v3"
	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/roadstead/roadstead/model"
)

// Repository is the images of one repository. It does not know whether the repository's row exists.
type Repository struct {
	scope model.Scope
	name  string
	store *store
	dist  distribution.Repository
}

// Repository returns the images of a repository, having made them what its row says.
func (g *Registry) Repository(ctx context.Context, s model.Scope, name string) (*Repository, error) {
	st, err := g.store(s)
	if err != nil {
		return nil, err
	}
	p, err := st.repository(s, name)
	if err != nil {
		return nil, err
	}
	return p, p.current(ctx)
}

func (st *store) repository(s model.Scope, name string) (*Repository, error) {
	named, err := reference.WithName(name)
	if err != nil {
		return nil, fmt.Errorf("open repository %q: %w", name, err)
	}
	// Distribution keeps this context for logging only; every call brings its own.
	d, err := st.images.Repository(context.Background(), named)
	if err != nil {
		return nil, fmt.Errorf("open repository %q: %w", name, err)
	}
	return &Repository{scope: s, name: name, store: st, dist: d}, nil
}

// Reference names an image by digest, by tag, or by both, which then have to agree.
type Reference struct{ Digest, Tag string }

// Manifest is a stored manifest, byte by byte as it was pushed.
type Manifest struct {
	Digest    string
	MediaType string
	Payload   []byte
}

// Manifest returns the manifest that ref names; ImageNotFoundException if there is none.
func (p *Repository) Manifest(ctx context.Context, ref Reference) (Manifest, error) {
	dgst, err := p.resolve(ctx, ref)
	if err != nil {
		return Manifest{}, err
	}
	m, err := p.get(ctx, dgst)
	if _, ok := errors.AsType[distribution.ErrManifestUnknownRevision](err); ok {
		return Manifest{}, errNoImage(p.scope, p.name, ref)
	}
	if err != nil {
		return Manifest{}, err
	}
	mediaType, payload, err := m.Payload()
	return Manifest{Digest: dgst.String(), MediaType: mediaType, Payload: payload}, err
}

func (p *Repository) get(ctx context.Context, dgst digest.Digest) (distribution.Manifest, error) {
	ms, err := p.dist.Manifests(ctx)
	if err != nil {
		return nil, err
	}
	return ms.Get(ctx, dgst)
}

func (p *Repository) resolve(ctx context.Context, ref Reference) (digest.Digest, error) {
	dgst := digest.Digest(ref.Digest)
	if ref.Digest != "" && dgst.Validate() != nil {
		return "", errNoImage(p.scope, p.name, ref)
	}
	if ref.Tag == "" {
		return dgst, nil
	}
	tagged, ok := p.tagged(ctx, ref.Tag)
	if !ok || dgst != "" && dgst != tagged {
		return "", errNoImage(p.scope, p.name, ref)
	}
	return tagged, nil
}

// tagged returns the digest that a tag points to.
func (p *Repository) tagged(ctx context.Context, tag string) (digest.Digest, bool) {
	if !tagPattern.MatchString(tag) {
		return "", false
	}
	d, err := p.dist.Tags(ctx).Get(ctx, tag)
	return d.Digest, err == nil
}

// Put stores a manifest and, unless tag is "", points the tag to it. A tag that is final and points elsewhere stays.
// mediaType may be "" if the manifest says its own.
func (p *Repository) Put(ctx context.Context, mediaType string, payload []byte, tag string) (Manifest, error) {
	if tag != "" && !ValidTag(tag) {
		return Manifest{}, model.Errorf("InvalidParameterException", "Invalid parameter at 'imageTag' failed to satisfy "+
			"constraint: 'must satisfy regular expression '[a-zA-Z0-9-_.]+''")
	}
	if mediaType == "" {
		mediaType = sniffMediaType(payload)
	}
	m, desc, err := distribution.UnmarshalManifest(mediaType, payload)
	if err != nil {
		return Manifest{}, model.Errorf("InvalidParameterException",
			"Invalid parameter at 'ImageManifest' failed to satisfy constraint: 'Invalid JSON syntax'")
	}
	if err := p.store.offer(ctx, mediaType, payload); err != nil {
		return Manifest{}, err
	}
	err = p.change(ctx, func(row *model.Repository) ([]digest.Digest, error) {
		return []digest.Digest{desc.Digest}, p.put(ctx, m, desc, tag, row.Final(tag))
	})
	if err != nil {
		return Manifest{}, err
	}
	return Manifest{Digest: desc.Digest.String(), MediaType: desc.MediaType, Payload: payload}, nil
}

func (p *Repository) put(ctx context.Context, m distribution.Manifest, desc v1.Descriptor, tag string, final bool) error {
	if has, ok := p.tagged(ctx, tag); ok && has == desc.Digest || tag == "" && p.exists(ctx, desc.Digest) {
		return errImageExists(p.scope, p.name, desc.Digest.String(), tag)
	} else if ok && final {
		return errTagFinal(p.name, tag)
	}
	ms, err := p.dist.Manifests(ctx)
	if err != nil {
		return err
	}
	if _, err := ms.Put(ctx, m); err != nil {
		return p.explain(err)
	}
	if tag == "" {
		return nil
	}
	if err := p.dist.Tags(ctx).Tag(ctx, tag, desc); err != nil {
		return fmt.Errorf("tag %s: %w", tag, err)
	}
	return nil
}

func (p *Repository) exists(ctx context.Context, dgst digest.Digest) bool {
	ms, err := p.dist.Manifests(ctx)
	if err != nil {
		return false
	}
	ok, err := ms.Exists(ctx, dgst)
	return ok && err == nil
}

// explain turns Distribution's verdict on a manifest into ECR's.
func (p *Repository) explain(err error) error {
	var verification distribution.ErrManifestVerification
	if !errors.As(err, &verification) {
		return fmt.Errorf("store manifest: %w", err)
	}
	var missing []string
	for _, e := range verification {
		if blob, ok := errors.AsType[distribution.ErrManifestBlobUnknown](e); ok {
			missing = append(missing, blob.Digest.String())
		}
	}
	if len(missing) > 0 {
		return errNoLayers(p.scope, p.name, missing)
	}
	return model.Errorf("InvalidParameterException", "Invalid parameter at 'ImageManifest' failed to satisfy constraint: '%v'", verification)
}

// strange is a URL of a layer at which no layer can be; "" if there is none.
func strange(mediaType string, payload []byte) string {
	m, _, err := distribution.UnmarshalManifest(mediaType, payload)
	if err != nil {
		return ""
	}
	for _, ref := range m.References() {
		for _, url := range ref.URLs {
			if !foreign.MatchString(url) {
				return url
			}
		}
	}
	return ""
}

// sniffMediaType reads the media type out of a manifest; OCI manifests need not have one.
func sniffMediaType(payload []byte) string {
	var m struct {
		MediaType string            `json:"mediaType"`
		Manifests []json.RawMessage `json:"manifests"`
	}
	if json.Unmarshal(payload, &m) == nil && m.MediaType == "" {
		if m.Manifests != nil {
			return "application/vnd.oci.image.index.v1+json"
		}
		return "application/vnd.oci.image.manifest.v1+json"
	}
	return m.MediaType
}
