package ecr

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
)

// Page sizes of ListImageReferrers [D].
const (
	defaultReferrers = 20
	maxReferrers     = 50
)

// listImageReferrers lists what is about an image.
func (a *API) listImageReferrers(ctx context.Context, in *ecr.ListImageReferrersInput) (*ecr.ListImageReferrersOutput, error) {
	row, images, err := a.open(ctx, in.RegistryId, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	subject := value(in.SubjectId.ImageDigest)
	if !digestPattern.MatchString(subject) {
		return nil, invalid("subjectId.imageDigest", "must satisfy regular expression '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'")
	}
	f := types.ListImageReferrersFilter{}
	if in.Filter != nil {
		f = *in.Filter
	}
	stored, err := images.Referrers(ctx, subject)
	if err != nil {
		return nil, err
	}
	all := []types.ImageReferrer{}
	for _, r := range stored {
		archived := a.Archived(row.Scope, row.Name, r.Digest, r.PushedAt)
		if !inStatus(archived, types.ImageStatusFilter(f.ArtifactStatus)) || len(f.ArtifactTypes) > 0 && !slices.Contains(f.ArtifactTypes, r.ArtifactType) {
			continue
		}
		status := types.ArtifactStatusActive
		if archived {
			status = types.ArtifactStatusArchived
		}
		all = append(all, types.ImageReferrer{
			Digest: aws.String(r.Digest), MediaType: aws.String(r.MediaType), ArtifactType: given(r.ArtifactType), Size: aws.Int64(r.Size),
			Annotations: r.Annotations, ArtifactStatus: status,
		})
	}
	size := aws.Int32(defaultReferrers)
	if in.MaxResults != nil {
		if size = in.MaxResults; *size < 1 || *size > maxReferrers {
			return nil, invalid("maxResults", "Member must have value between 1 and 50")
		}
	}
	page, next, err := pageOf("ListImageReferrers", []string{row.Key(), subject, string(f.ArtifactStatus), strings.Join(f.ArtifactTypes, " ")}, all,
		func(r types.ImageReferrer) string { return *r.Digest }, size, in.NextToken)
	return &ecr.ListImageReferrersOutput{Referrers: page, NextToken: next}, err
}
