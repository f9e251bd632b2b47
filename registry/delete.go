package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/distribution/distribution/v3/registry/storage"
	"github.com/opencontainers/go-digest"

	"github.com/roadstead/roadstead/model"
)

// Delete removes what ref names: by a tag that tag, and the image with its last one; by a digest alone the image with all of its tags [D]. An
// image that is part of indexes stays: parents then names these, if nothing was removed. Gone are the names that are no more, of an image
// without tags its digest. ImageNotFoundException if there is no such image.
func (p *Repository) Delete(ctx context.Context, ref Reference) (gone []Reference, parents []string, err error) {
	err = p.change(ctx, func(*model.Repository) ([]digest.Digest, error) {
		if gone, parents, err = p.remove(ctx, ref); err == nil && len(gone) == 0 {
			err = errPartOfIndex
		}
		return nil, err
	})
	if errors.Is(err, errPartOfIndex) {
		return nil, parents, nil
	}
	return gone, nil, err
}

// errPartOfIndex ends a change that changes nothing.
var errPartOfIndex = errors.New("the image is part of an index")

func (p *Repository) remove(ctx context.Context, ref Reference) (gone []Reference, parents []string, err error) {
	d, err := p.resolve(ctx, ref)
	if err != nil {
		return nil, nil, err
	}
	images, err := p.Images(ctx)
	if err != nil {
		return nil, nil, err
	}
	var image *Image
	for i := range images {
		if images[i].Digest == d.String() {
			image = &images[i]
		}
		if slices.Contains(images[i].Children, d.String()) {
			parents = append(parents, images[i].Digest)
		}
	}
	if image == nil {
		return nil, nil, errNoImage(p.scope, p.name, ref)
	}
	if ref.Tag != "" {
		gone = []Reference{{Digest: image.Digest, Tag: ref.Tag}}
		if len(image.Tags) > 1 || len(parents) > 0 { // an index needs the image, but not its tag
			return gone, nil, p.dist.Tags(ctx).Untag(ctx, ref.Tag)
		}
	}
	if len(parents) > 0 {
		return nil, parents, nil
	}
	if gone == nil {
		gone = image.names()
	}
	return gone, nil, p.forget(ctx, image)
}

// names are an image's names: one for each tag, or the digest alone.
func (i Image) names() (all []Reference) {
	for _, tag := range i.Tags {
		all = append(all, Reference{Digest: i.Digest, Tag: tag})
	}
	if all == nil {
		all = []Reference{{Digest: i.Digest}}
	}
	return all
}

// forget removes an image with its tags.
func (p *Repository) forget(ctx context.Context, image *Image) error {
	for _, tag := range image.Tags {
		if err := p.dist.Tags(ctx).Untag(ctx, tag); err != nil {
			return fmt.Errorf("untag %s: %w", tag, err)
		}
	}
	ms, err := p.dist.Manifests(ctx)
	if err != nil {
		return err
	}
	return ms.Delete(ctx, digest.Digest(image.Digest))
}

// serveDelete is a DELETE of the distribution protocol, which means what ecr:BatchDeleteImage does.
func (p *Repository) serveDelete(w http.ResponseWriter, r *http.Request, ref string) *refusal {
	by := Reference{Tag: ref}
	if strings.Contains(ref, ":") {
		by = Reference{Digest: ref}
	}
	_, parents, err := p.Delete(r.Context(), by)
	switch {
	case model.ErrorCode(err) == "ImageNotFoundException":
		return &refusal{http.StatusNotFound, "MANIFEST_UNKNOWN", errNoImage(p.scope, p.name, by).Message}
	case err != nil:
		return unavailable(err)
	case len(parents) > 0:
		return denied("Requested image referenced by manifest list: %v", parents)
	}
	w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
	w.WriteHeader(http.StatusAccepted)
	return nil
}

// Remove deletes all images of the repository, whose row end deletes, or refuses to: it is told whether there are images, and none comes or goes
// meanwhile. Their blobs go with the next Collect.
func (p *Repository) Remove(ctx context.Context, end func(empty bool) error) error {
	p.store.manifests.Lock()
	defer p.store.manifests.Unlock()
	if row, ok := p.store.row(p.scope, p.name); ok && p.store.replicas != nil {
		if err := p.catchUp(ctx, row); err != nil {
			return err
		}
	}
	l, err := p.listing(ctx)
	if err != nil {
		return err
	}
	if err := end(len(l.Images) == 0); err != nil {
		return err
	}
	return p.erase(ctx)
}

// erase deletes what is stored of the repository. It wants st.manifests.
func (p *Repository) erase(ctx context.Context) error {
	p.store.show(p.name, "")
	// Not the repository's whole directory: that of "a" holds that of "a/b".
	if err := storage.NewVacuum(ctx, p.store.driver).RemoveRepository(p.name); err != nil {
		return fmt.Errorf("remove repository %s: %w", p.name, err)
	}
	return nil
}
