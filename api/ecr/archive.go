package ecr

import (
	"context"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/registry"
	"github.com/roadstead/roadstead/state"
)

// The archive of ECR is cheaper storage, from which images have to come back before anybody pulls them. Here it is the same disk: an image in
// the archive is one that nobody pulls (docs/decisions/041).

func errStorageClass() error {
	return model.Errorf("ImageStorageClassUpdateNotSupportedException", "The requested image storage class update is not supported.") // [D]
}

// Archived says whether an image that was pushed at a time is archived.
func (a *API) Archived(s model.Scope, name, digest string, pushedAt model.Millis) bool {
	row, ok := a.DB.Snapshot().ImageArchives.Get(model.ImagePullKey(s, name, digest))
	return ok && row.Has(pushedAt)
}

// updateImageStorageClass archives an image, or restores it, at once. An image of an index that is not archived stays with it [I].
func (a *API) updateImageStorageClass(ctx context.Context, in *ecr.UpdateImageStorageClassInput) (*ecr.UpdateImageStorageClassOutput, error) {
	row, image, err := a.imageNamed(ctx, in)
	if err != nil {
		return nil, err
	}
	status := types.ImageStatusActive
	switch in.TargetStorageClass {
	case types.TargetStorageClassArchive:
		status = types.ImageStatusArchived
	case types.TargetStorageClassStandard:
	default:
		return nil, invalid("targetStorageClass", "Member must satisfy enum value set: [STANDARD, ARCHIVE]")
	}
	if a.isArchived(row, image) == (status == types.ImageStatusArchived) {
		return nil, errStorageClass()
	}
	if err := a.setArchived(ctx, row, status == types.ImageStatusArchived, image.Digest); err != nil {
		return nil, err
	}
	return &ecr.UpdateImageStorageClassOutput{
		ImageId: &types.ImageIdentifier{ImageDigest: aws.String(image.Digest), ImageTag: in.ImageId.ImageTag}, ImageStatus: status,
		RegistryId: aws.String(row.Account), RepositoryName: aws.String(row.Name),
	}, nil
}

// imageNamed finds the image of which the storage class is to be changed.
func (a *API) imageNamed(ctx context.Context, in *ecr.UpdateImageStorageClassInput) (*model.Repository, registry.Image, error) {
	row, images, err := a.open(ctx, in.RegistryId, in.RepositoryName)
	if err != nil {
		return nil, registry.Image{}, err
	}
	if in.ImageId == nil {
		return nil, registry.Image{}, invalid("imageId", "Member must not be null")
	}
	if f := checkID(*in.ImageId); f != nil {
		return nil, registry.Image{}, invalid("imageId", value(f.FailureReason))
	}
	m, err := images.Manifest(ctx, reference(*in.ImageId))
	if err != nil {
		return nil, registry.Image{}, err
	}
	stored, err := images.Images(ctx)
	if err != nil {
		return nil, registry.Image{}, err
	}
	for _, i := range stored {
		if slices.Contains(i.Children, m.Digest) && !a.isArchived(row, i) {
			return nil, registry.Image{}, errStorageClass()
		}
	}
	n := slices.IndexFunc(stored, func(i registry.Image) bool { return i.Digest == m.Digest })
	if n < 0 { // deleted since
		return nil, registry.Image{}, model.Errorf("ImageNotFoundException", "The image with digest '%s' does not exist", m.Digest)
	}
	return row, stored[n], nil
}

// inArchive is isArchived for one image that is stored.
func (a *API) inArchive(ctx context.Context, row *model.Repository, images *registry.Repository, digest string) (bool, error) {
	at, err := images.PushedAt(ctx, digest)
	return err == nil && a.Archived(row.Scope, row.Name, digest, at.UnixMilli()), err
}

func (a *API) isArchived(row *model.Repository, i registry.Image) bool {
	return a.Archived(row.Scope, row.Name, i.Digest, i.PushedAt.UnixMilli())
}

// setArchived writes down that images are archived now, or restored.
func (a *API) setArchived(ctx context.Context, row *model.Repository, archived bool, digests ...string) error {
	now := a.Now().UnixMilli()
	return a.DB.Update(ctx, func(tx *state.Tx) error {
		for _, d := range digests {
			changed := model.ImageArchive{Scope: row.Scope, Repository: row.Name, Digest: d}
			if have, ok := tx.ImageArchives.Get(changed.Key()); ok {
				changed = *have
			}
			if archived {
				changed.ArchivedAt = max(now, changed.RestoredAt+1)
			} else {
				changed.RestoredAt = max(now, changed.ArchivedAt)
			}
			tx.ImageArchives.Put(&changed)
		}
		return nil
	})
}

// showArchive adds to an image whether it is archived.
func showArchive(d *types.ImageDetail, t *state.Tables, r *model.Repository) {
	row, ok := t.ImageArchives.Get(model.ImagePullKey(r.Scope, r.Name, value(d.ImageDigest)))
	if !ok {
		return
	}
	if row.Has(d.ImagePushedAt.UnixMilli()) {
		d.ImageStatus = types.ImageStatusArchived
	}
	d.LastArchivedAt = aws.Time(time.UnixMilli(row.ArchivedAt).UTC())
	if row.RestoredAt != 0 {
		d.LastActivatedAt = aws.Time(time.UnixMilli(row.RestoredAt).UTC())
	}
}

// inStatus says whether images of a status are wanted: those that are active, if nobody says which [D].
func inStatus(archived bool, want types.ImageStatusFilter) bool {
	switch want {
	case types.ImageStatusFilterAny:
		return true
	case types.ImageStatusFilterArchived:
		return archived
	case types.ImageStatusFilterActivating: // they come back at once
		return false
	}
	return !archived
}
