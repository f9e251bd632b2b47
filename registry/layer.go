package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"

	"github.com/distribution/distribution/v3"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/roadstead/roadstead/model"
)

// Layer is one stored blob of a repository.
type Layer struct {
	Digest string
	Size   int64
}

// Layer finds a blob of the repository by its digest.
func (p *Repository) Layer(ctx context.Context, dgst string) (Layer, bool, error) {
	d := digest.Digest(dgst)
	if d.Validate() != nil {
		return Layer{}, false, nil
	}
	if here, err := p.store.renew(d); err != nil || !here {
		return Layer{}, false, err
	}
	desc, err := p.dist.Blobs(ctx).Stat(ctx, d)
	if errors.Is(err, distribution.ErrBlobUnknown) {
		return Layer{}, false, nil
	}
	return Layer{Digest: dgst, Size: desc.Size}, err == nil, err
}

// BeginUpload starts the upload of a layer in parts and returns its id.
func (p *Repository) BeginUpload(ctx context.Context) (id string, err error) {
	w, err := p.dist.Blobs(ctx).Create(ctx)
	if err != nil {
		return "", fmt.Errorf("begin upload: %w", err)
	}
	return w.ID(), w.Close()
}

// UploadPart appends a part that begins at byte first; it returns how many bytes the upload now has.
func (p *Repository) UploadPart(ctx context.Context, id string, first int64, part []byte) (int64, error) {
	w, err := p.resume(ctx, id)
	if err != nil {
		return 0, err
	}
	defer w.Close()
	if first != w.Size() {
		return 0, &model.Error{
			Code: "InvalidLayerPartException",
			Message: fmt.Sprintf("Layer part starting at byte %d does not follow the last byte received, %d, of the upload "+
				"with id '%s'", first, w.Size()-1, id),
			Fields: map[string]any{"lastValidByteReceived": w.Size() - 1, "registryId": p.scope.Account,
				"repositoryName": p.name, "uploadId": id},
		}
	}
	if _, err := w.ReadFrom(bytes.NewReader(part)); err != nil {
		return 0, fmt.Errorf("upload part: %w", err)
	}
	return w.Size(), nil
}

// CompleteUpload makes a layer of the parts, which together must have the digest.
func (p *Repository) CompleteUpload(ctx context.Context, id, dgst string) error {
	d := digest.Digest(dgst)
	if d.Validate() != nil {
		return model.Errorf("InvalidLayerException", "Layer digest '%s' is not valid", dgst)
	}
	w, err := p.resume(ctx, id)
	if err != nil {
		return err
	}
	if w.Size() == 0 {
		w.Close()
		return model.Errorf("EmptyUploadException", "Upload with id '%s' has no layer parts", id)
	}
	if _, ok, err := p.Layer(ctx, dgst); err != nil || ok {
		if err == nil {
			err = model.Errorf("LayerAlreadyExistsException", "Layer with digest '%s' already exists in the repository with "+
				"name '%s' in the registry with id '%s'", dgst, p.name, p.scope.Account)
		}
		return errors.Join(err, w.Cancel(ctx))
	}
	_, err = w.Commit(ctx, v1.Descriptor{Digest: d})
	if _, ok := errors.AsType[distribution.ErrBlobInvalidDigest](err); ok {
		return model.Errorf("InvalidLayerException", "Layer with digest '%s' does not match what was uploaded", dgst)
	}
	return err
}

// uploadID keeps an id, which is part of a path, to the form that BeginUpload gives it.
var uploadID = regexp.MustCompile(`^[0-9a-f-]{36}$`)

func (p *Repository) resume(ctx context.Context, id string) (distribution.BlobWriter, error) {
	if !uploadID.MatchString(id) {
		return nil, errNoUpload(p.scope, p.name, id)
	}
	w, err := p.dist.Blobs(ctx).Resume(ctx, id)
	if errors.Is(err, distribution.ErrBlobUploadUnknown) || notFound(err) {
		return nil, errNoUpload(p.scope, p.name, id)
	}
	return w, err
}
