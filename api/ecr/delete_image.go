package ecr

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/registry"
)

// batchDeleteImage removes tags, and images: an image goes when it is named by its digest, or with its last tag [D].
func (a *API) batchDeleteImage(ctx context.Context, in *ecr.BatchDeleteImageInput) (*ecr.BatchDeleteImageOutput, error) {
	_, images, err := a.open(ctx, in.RegistryId, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	if err := checkIDs(in.ImageIds); err != nil {
		return nil, err
	}
	out := &ecr.BatchDeleteImageOutput{ImageIds: []types.ImageIdentifier{}, Failures: []types.ImageFailure{}}
	for _, id := range indexesFirst(ctx, images, in.ImageIds) {
		failure := checkID(id)
		var gone []types.ImageIdentifier
		if failure == nil {
			gone, failure, err = deleteImage(ctx, images, id)
		}
		if err != nil {
			return nil, err
		}
		if failure != nil {
			out.Failures = append(out.Failures, *failure)
		}
		out.ImageIds = append(out.ImageIds, gone...)
	}
	return out, nil
}

// indexesFirst puts indexes before images, so that one call can delete both.
func indexesFirst(ctx context.Context, images *registry.Repository, ids []types.ImageIdentifier) []types.ImageIdentifier {
	rank := func(id types.ImageIdentifier) int {
		m, err := images.Manifest(ctx, reference(id))
		if err == nil && (strings.Contains(m.MediaType, "index") || strings.Contains(m.MediaType, "list")) {
			return 0
		}
		return 1
	}
	sorted := slices.Clone(ids)
	slices.SortStableFunc(sorted, func(x, y types.ImageIdentifier) int { return rank(x) - rank(y) })
	return sorted
}

// deleteImage deletes what one identifier names. It returns the names that are gone, or why none is.
func deleteImage(ctx context.Context, images *registry.Repository, id types.ImageIdentifier) (
	gone []types.ImageIdentifier, failure *types.ImageFailure, err error,
) {
	ref := reference(id)
	if ref.Tag != "" && ref.Digest != "" {
		tagged, err := images.Manifest(ctx, registry.Reference{Tag: ref.Tag})
		if err == nil && tagged.Digest != ref.Digest {
			return nil, &types.ImageFailure{FailureCode: types.ImageFailureCodeImageTagDoesNotMatchDigest, ImageId: &id,
				FailureReason: aws.String("Requested image tag does not match image digest")}, nil
		}
	}
	names, parents, err := images.Delete(ctx, ref)
	switch {
	case model.ErrorCode(err) == "ImageNotFoundException":
		return nil, notFound(id), nil
	case err != nil:
		return nil, nil, err
	case len(parents) > 0:
		return nil, &types.ImageFailure{FailureCode: types.ImageFailureCodeImageReferencedByManifestList, ImageId: &id,
			FailureReason: aws.String(fmt.Sprintf("Requested image referenced by manifest list: %v", parents))}, nil
	}
	for _, n := range names {
		gone = append(gone, types.ImageIdentifier{ImageDigest: aws.String(n.Digest), ImageTag: given(n.Tag)})
	}
	return gone, nil, nil
}
