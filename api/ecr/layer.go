package ecr

import (
	"context"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
)

// partSize is the size of layer parts that AWS proposes [O].
const partSize = 10 << 20

var digestPattern = regexp.MustCompile(`^[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+$`)

func (a *API) batchCheckLayerAvailability(ctx context.Context, in *ecr.BatchCheckLayerAvailabilityInput) (
	*ecr.BatchCheckLayerAvailabilityOutput, error,
) {
	_, images, err := a.open(ctx, in.RegistryId, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	out := &ecr.BatchCheckLayerAvailabilityOutput{Layers: []types.Layer{}, Failures: []types.LayerFailure{}}
	for _, digest := range in.LayerDigests {
		if !digestPattern.MatchString(digest) {
			out.Failures = append(out.Failures, types.LayerFailure{
				FailureCode: types.LayerFailureCodeInvalidLayerDigest, LayerDigest: aws.String(digest),
				FailureReason: aws.String("Invalid request parameters: layer digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'"),
			})
			continue
		}
		layer, ok, err := images.Layer(ctx, digest)
		if err != nil {
			return nil, err
		}
		l := types.Layer{LayerDigest: aws.String(digest), LayerAvailability: types.LayerAvailabilityUnavailable}
		if ok {
			l.LayerAvailability, l.LayerSize = types.LayerAvailabilityAvailable, aws.Int64(layer.Size)
		}
		out.Layers = append(out.Layers, l)
	}
	return out, nil
}

func (a *API) getDownloadURLForLayer(ctx context.Context, in *ecr.GetDownloadUrlForLayerInput) (*ecr.GetDownloadUrlForLayerOutput, error) {
	row, images, err := a.open(ctx, in.RegistryId, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	p, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	digest := value(in.LayerDigest)
	if !digestPattern.MatchString(digest) {
		return nil, invalid("layerDigest", "must satisfy regular expression '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'")
	}
	if _, ok, err := images.Layer(ctx, digest); err != nil || !ok {
		if err == nil {
			err = errNoLayer(row, digest)
		}
		return nil, err
	}
	url := strings.TrimSuffix(a.Endpoint(), "/") + a.Images.LayerPath(row.Scope, p.AccessKeyID, p.Token, row.Name, digest)
	return &ecr.GetDownloadUrlForLayerOutput{DownloadUrl: aws.String(url), LayerDigest: in.LayerDigest}, nil
}

func (a *API) initiateLayerUpload(ctx context.Context, in *ecr.InitiateLayerUploadInput) (*ecr.InitiateLayerUploadOutput, error) {
	_, images, err := a.open(ctx, in.RegistryId, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	id, err := images.BeginUpload(ctx)
	return &ecr.InitiateLayerUploadOutput{PartSize: aws.Int64(partSize), UploadId: aws.String(id)}, err
}

func (a *API) uploadLayerPart(ctx context.Context, in *ecr.UploadLayerPartInput) (*ecr.UploadLayerPartOutput, error) {
	row, images, err := a.open(ctx, in.RegistryId, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	first, last := aws.ToInt64(in.PartFirstByte), aws.ToInt64(in.PartLastByte)
	if last-first+1 != int64(len(in.LayerPartBlob)) {
		return nil, invalid("partLastByte", "must be the position of the part's last byte")
	}
	size, err := images.UploadPart(ctx, value(in.UploadId), first, in.LayerPartBlob)
	if err != nil {
		return nil, err
	}
	return &ecr.UploadLayerPartOutput{
		LastByteReceived: aws.Int64(size - 1), RegistryId: aws.String(row.Account),
		RepositoryName: in.RepositoryName, UploadId: in.UploadId,
	}, nil
}

func (a *API) completeLayerUpload(ctx context.Context, in *ecr.CompleteLayerUploadInput) (*ecr.CompleteLayerUploadOutput, error) {
	row, images, err := a.open(ctx, in.RegistryId, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	if len(in.LayerDigests) == 0 {
		return nil, invalid("layerDigests", "Member must have length greater than or equal to 1")
	}
	if err := images.CompleteUpload(ctx, value(in.UploadId), in.LayerDigests[0]); err != nil {
		return nil, err
	}
	return &ecr.CompleteLayerUploadOutput{
		LayerDigest: aws.String(in.LayerDigests[0]), RegistryId: aws.String(row.Account),
		RepositoryName: in.RepositoryName, UploadId: in.UploadId,
	}, nil
}
