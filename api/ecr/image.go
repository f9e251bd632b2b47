package ecr

import (
	"cmp"
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/opencontainers/go-digest"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/registry"
)

// maxImageIDs is how many images one request may name [D].
const maxImageIDs = 100

func checkIDs(ids []types.ImageIdentifier) error {
	if len(ids) > maxImageIDs {
		return invalid("imageIds", "Member must have length less than or equal to 100")
	}
	return nil
}

func reference(id types.ImageIdentifier) registry.Reference {
	return registry.Reference{Digest: value(id.ImageDigest), Tag: value(id.ImageTag)}
}

func (a *API) putImage(ctx context.Context, in *ecr.PutImageInput) (*ecr.PutImageOutput, error) {
	row, images, err := a.open(ctx, in.RegistryId, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	payload := []byte(value(in.ImageManifest))
	if d := value(in.ImageDigest); d != "" && d != digest.FromBytes(payload).String() {
		return nil, model.Errorf("ImageDigestDoesNotMatchException",
			"The specified image digest '%s' does not match the digest of the image manifest, '%s'", d, digest.FromBytes(payload))
	}
	m, err := images.Put(ctx, value(in.ImageManifestMediaType), payload, value(in.ImageTag))
	if model.ErrorCode(err) == "ImageAlreadyExistsException" {
		m, err = a.restorePushed(ctx, row, images, payload, err)
	}
	if err != nil {
		return nil, err
	}
	image := show(row, m, value(in.ImageTag))
	return &ecr.PutImageOutput{Image: &image}, nil
}

// restorePushed restores an image that is archived and pushed again [D]; one that is not is there already, which refused says.
func (a *API) restorePushed(ctx context.Context, row *model.Repository, images *registry.Repository, payload []byte, refused error) (registry.Manifest, error) {
	m, err := images.Manifest(ctx, registry.Reference{Digest: digest.FromBytes(payload).String()})
	if err != nil {
		return m, err
	}
	archived, err := a.inArchive(ctx, row, images, m.Digest)
	if err == nil && !archived {
		err = refused
	}
	if err != nil {
		return m, err
	}
	return m, a.setArchived(ctx, row, false, m.Digest)
}

// show is a manifest in ECR's shape.
func show(r *model.Repository, m registry.Manifest, tag string) types.Image {
	image := types.Image{
		ImageId:                &types.ImageIdentifier{ImageDigest: aws.String(m.Digest)},
		ImageManifest:          aws.String(string(m.Payload)),
		ImageManifestMediaType: aws.String(m.MediaType),
		RegistryId:             aws.String(r.Account),
		RepositoryName:         aws.String(r.Name),
	}
	if tag != "" {
		image.ImageId.ImageTag = aws.String(tag)
	}
	return image
}

func (a *API) batchGetImage(ctx context.Context, in *ecr.BatchGetImageInput) (*ecr.BatchGetImageOutput, error) {
	if err := a.fetchAll(ctx, in); err != nil {
		return nil, err
	}
	row, images, err := a.open(ctx, in.RegistryId, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	if err := checkIDs(in.ImageIds); err != nil {
		return nil, err
	}
	out := &ecr.BatchGetImageOutput{Images: []types.Image{}, Failures: []types.ImageFailure{}}
	for _, id := range in.ImageIds {
		failure := checkID(id)
		if failure == nil {
			m, err := images.Manifest(ctx, reference(id))
			archived := false
			if err == nil {
				archived, err = a.inArchive(ctx, row, images, m.Digest)
			}
			switch {
			case model.ErrorCode(err) == "ImageNotFoundException":
				failure = notFound(id)
			case err != nil:
				return nil, err
			case archived:
				failure = &types.ImageFailure{FailureCode: types.ImageFailureCodeImageInaccessible, ImageId: &id, FailureReason: aws.String("Requested image is archived")} // [I]
			case len(in.AcceptedMediaTypes) > 0 && !slices.Contains(in.AcceptedMediaTypes, m.MediaType):
				failure = notFound(id) // [I] ECR converts some types for old clients; we answer what was pushed or nothing
			default:
				if err := a.pulledByCall(ctx, row, m, value(id.ImageTag)); err != nil {
					return nil, err
				}
				out.Images = append(out.Images, show(row, m, value(id.ImageTag)))
			}
		}
		if failure != nil {
			out.Failures = append(out.Failures, *failure)
		}
	}
	return out, nil
}

// fetchAll fetches what a request names and comes from elsewhere.
func (a *API) fetchAll(ctx context.Context, in *ecr.BatchGetImageInput) error {
	p, err := caller(ctx)
	if err != nil {
		return err
	}
	s, err := registryScope(p.Scope(), in.RegistryId)
	if err != nil {
		return err
	}
	for _, id := range in.ImageIds[:min(len(in.ImageIds), maxImageIDs)] {
		if checkID(id) != nil {
			continue
		}
		may := func(action string) error {
			if a.May == nil {
				return nil
			}
			return a.May(ctx, action, s, value(in.RepositoryName))
		}
		if err := a.Fetch(ctx, s, value(in.RepositoryName), cmp.Or(value(id.ImageTag), value(id.ImageDigest)), may); err != nil {
			return err
		}
	}
	return nil
}

// checkID returns what is wrong with an image's identifier, nil if nothing [O].
func checkID(id types.ImageIdentifier) *types.ImageFailure {
	fail := func(code types.ImageFailureCode, reason string) *types.ImageFailure {
		return &types.ImageFailure{FailureCode: code, FailureReason: aws.String(reason), ImageId: &id}
	}
	ref := reference(id)
	switch {
	case ref.Digest == "" && ref.Tag == "":
		return fail(types.ImageFailureCodeMissingDigestAndTag, "Invalid request parameters: both tag and digest cannot be null")
	case ref.Digest != "" && !digestPattern.MatchString(ref.Digest):
		return fail(types.ImageFailureCodeInvalidImageDigest,
			"Invalid request parameters: image digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'")
	case ref.Tag != "" && !registry.ValidTag(ref.Tag):
		return fail(types.ImageFailureCodeInvalidImageTag, "Invalid request parameters: image tag is not valid")
	}
	return nil
}

func notFound(id types.ImageIdentifier) *types.ImageFailure {
	return &types.ImageFailure{
		FailureCode: types.ImageFailureCodeImageNotFound, FailureReason: aws.String("Requested image not found"), ImageId: &id,
	}
}

func (a *API) listImages(ctx context.Context, in *ecr.ListImagesInput) (*ecr.ListImagesOutput, error) {
	row, images, err := a.open(ctx, in.RegistryId, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	stored, err := images.Images(ctx)
	if err != nil {
		return nil, err
	}
	var want types.TagStatus
	var status types.ImageStatusFilter
	if in.Filter != nil {
		want, status = in.Filter.TagStatus, in.Filter.ImageStatus
	}
	ids := []types.ImageIdentifier{}
	for _, i := range stored {
		if hasStatus(i.Tags, want) && inStatus(a.isArchived(row, i), status) {
			ids = append(ids, identifiers(i)...)
		}
	}
	page, next, err := pageOf("ListImages", []string{row.Key(), string(want), string(status)}, ids, func(id types.ImageIdentifier) string {
		return value(id.ImageDigest) + " " + value(id.ImageTag)
	}, in.MaxResults, in.NextToken)
	return &ecr.ListImagesOutput{ImageIds: page, NextToken: next}, err
}

// identifiers are the names of an image: one for each tag, or the digest alone.
func identifiers(i registry.Image) []types.ImageIdentifier {
	if len(i.Tags) == 0 {
		return []types.ImageIdentifier{{ImageDigest: aws.String(i.Digest)}}
	}
	var ids []types.ImageIdentifier
	for _, tag := range i.Tags {
		ids = append(ids, types.ImageIdentifier{ImageDigest: aws.String(i.Digest), ImageTag: aws.String(tag)})
	}
	return ids
}

// hasStatus says whether an image with these tags is of the status; "" is any.
func hasStatus(tags []string, want types.TagStatus) bool {
	switch want {
	case types.TagStatusTagged:
		return len(tags) > 0
	case types.TagStatusUntagged:
		return len(tags) == 0
	}
	return true
}

func (a *API) describeImages(ctx context.Context, in *ecr.DescribeImagesInput) (*ecr.DescribeImagesOutput, error) {
	row, images, err := a.open(ctx, in.RegistryId, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	if err := checkIDs(in.ImageIds); err != nil {
		return nil, err
	}
	if len(in.ImageIds) > 0 && (in.MaxResults != nil || value(in.NextToken) != "") {
		return nil, invalid("imageIds", "cannot be used with maxResults or nextToken")
	}
	stored, err := images.Images(ctx)
	if err != nil {
		return nil, err
	}
	named := make(map[string]bool)
	for _, id := range in.ImageIds {
		if f := checkID(id); f != nil {
			return nil, invalid("imageIds", value(f.FailureReason))
		}
		m, err := images.Manifest(ctx, reference(id))
		if err != nil {
			return nil, err
		}
		named[m.Digest] = true
	}
	details, filter := a.details(row, stored, in.Filter, named), []string{row.Key()}
	if in.Filter != nil {
		filter = append(filter, string(in.Filter.TagStatus), string(in.Filter.ImageStatus))
	}
	if len(in.ImageIds) > 0 {
		return &ecr.DescribeImagesOutput{ImageDetails: details}, nil
	}
	page, next, err := pageOf("DescribeImages", filter, details,
		func(d types.ImageDetail) string { return value(d.ImageDigest) }, in.MaxResults, in.NextToken)
	return &ecr.DescribeImagesOutput{ImageDetails: page, NextToken: next}, err
}

// details describes those of the images that are named, or if none is, all that a filter lets through.
func (a *API) details(row *model.Repository, stored []registry.Image, f *types.DescribeImagesFilter, named map[string]bool) []types.ImageDetail {
	if f == nil {
		f = &types.DescribeImagesFilter{}
	}
	details, t := []types.ImageDetail{}, a.DB.Snapshot().Tables
	for _, i := range stored {
		byName := named[i.Digest] && f.ImageStatus == "" // whoever names an image is told of it, whatever its status [I]
		if !hasStatus(i.Tags, f.TagStatus) || len(named) > 0 && !named[i.Digest] || !byName && !inStatus(a.isArchived(row, i), f.ImageStatus) {
			continue
		}
		d := detail(row, i)
		showScan(&d, t, row)
		showPull(&d, t, row)
		showArchive(&d, t, row)
		details = append(details, d)
	}
	return details
}

func detail(r *model.Repository, i registry.Image) types.ImageDetail {
	d := types.ImageDetail{
		ImageDigest:            aws.String(i.Digest),
		ImageManifestMediaType: aws.String(i.MediaType),
		ImagePushedAt:          aws.Time(i.PushedAt.UTC()),
		ImageSizeInBytes:       aws.Int64(i.Size),
		ImageStatus:            types.ImageStatusActive,
		ImageTags:              i.Tags,
		RegistryId:             aws.String(r.Account),
		RepositoryName:         aws.String(r.Name),
	}
	if i.ConfigType != "" {
		d.ArtifactMediaType = aws.String(i.ConfigType)
	}
	return d
}
