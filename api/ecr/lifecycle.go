package ecr

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/roadstead/roadstead/expiry"
	"github.com/roadstead/roadstead/model"
)

// checkLifecycle reads a lifecycle policy and returns its normal form.
func checkLifecycle(text string) (string, error) {
	switch n := len(text); {
	case n < 100:
		return "", invalid("lifecyclePolicyText", "Member must have length greater than or equal to 100") // [D]
	case n > 30720:
		return "", invalid("lifecyclePolicyText", "Member must have length less than or equal to 30720") // [D]
	}
	p, err := expiry.Parse(text)
	if err != nil {
		return "", err
	}
	return p.Text(), nil
}

// putLifecyclePolicy stores a policy; Run performs it.
func (a *API) putLifecyclePolicy(ctx context.Context, in *ecr.PutLifecyclePolicyInput) (*ecr.PutLifecyclePolicyOutput, error) {
	text, err := checkLifecycle(value(in.LifecyclePolicyText))
	if err != nil {
		return nil, err
	}
	row, err := a.change(ctx, in.RegistryId, in.RepositoryName, func(r *model.Repository) error {
		if r.Lifecycle.Policy != text {
			r.Lifecycle.Policy, r.Lifecycle.LastAt = text, 0
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ecr.PutLifecyclePolicyOutput{
		LifecyclePolicyText: aws.String(text), RegistryId: aws.String(row.Account), RepositoryName: aws.String(row.Name),
	}, nil
}

func (a *API) getLifecyclePolicy(ctx context.Context, in *ecr.GetLifecyclePolicyInput) (*ecr.GetLifecyclePolicyOutput, error) {
	row, err := a.find(ctx, in.RegistryId, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	if row.Lifecycle.Policy == "" {
		return nil, errNoLifecycle(row)
	}
	return &ecr.GetLifecyclePolicyOutput{
		LastEvaluatedAt: timeOf(row.Lifecycle.LastAt), LifecyclePolicyText: aws.String(row.Lifecycle.Policy),
		RegistryId: aws.String(row.Account), RepositoryName: aws.String(row.Name),
	}, nil
}

// timeOf is nil for what has not happened.
func timeOf(at model.Millis) *time.Time {
	if at == 0 {
		return nil
	}
	return aws.Time(time.UnixMilli(at).UTC())
}

func (a *API) deleteLifecyclePolicy(ctx context.Context, in *ecr.DeleteLifecyclePolicyInput) (*ecr.DeleteLifecyclePolicyOutput, error) {
	var was model.Lifecycle
	row, err := a.change(ctx, in.RegistryId, in.RepositoryName, func(r *model.Repository) error {
		if was = r.Lifecycle; was.Policy == "" {
			return errNoLifecycle(r)
		}
		r.Lifecycle.Policy, r.Lifecycle.LastAt = "", 0
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ecr.DeleteLifecyclePolicyOutput{
		LastEvaluatedAt: timeOf(was.LastAt), LifecyclePolicyText: aws.String(was.Policy),
		RegistryId: aws.String(row.Account), RepositoryName: aws.String(row.Name),
	}, nil
}

// startLifecyclePolicyPreview notes which policy to try, and as of when: what it would do is found out when somebody asks.
func (a *API) startLifecyclePolicyPreview(ctx context.Context, in *ecr.StartLifecyclePolicyPreviewInput) (
	*ecr.StartLifecyclePolicyPreviewOutput, error,
) {
	text := ""
	if in.LifecyclePolicyText != nil {
		var err error
		if text, err = checkLifecycle(*in.LifecyclePolicyText); err != nil {
			return nil, err
		}
	}
	row, err := a.change(ctx, in.RegistryId, in.RepositoryName, func(r *model.Repository) error {
		if text == "" {
			text = r.Lifecycle.Policy
		}
		if text == "" {
			return errNoLifecycle(r)
		}
		r.Lifecycle.Preview, r.Lifecycle.PreviewAt = text, a.Now().UnixMilli()
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ecr.StartLifecyclePolicyPreviewOutput{
		LifecyclePolicyText: aws.String(text), RegistryId: aws.String(row.Account), RepositoryName: aws.String(row.Name),
		Status: types.LifecyclePolicyPreviewStatusInProgress,
	}, nil
}

func (a *API) getLifecyclePolicyPreview(ctx context.Context, in *ecr.GetLifecyclePolicyPreviewInput) (*ecr.GetLifecyclePolicyPreviewOutput, error) {
	row, images, err := a.open(ctx, in.RegistryId, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	if err := checkIDs(in.ImageIds); err != nil {
		return nil, err
	}
	switch {
	case row.Lifecycle.Preview == "":
		return nil, errNoPreview(row)
	case len(in.ImageIds) > 0 && (in.MaxResults != nil || value(in.NextToken) != ""):
		return nil, invalid("imageIds", "cannot be used with maxResults or nextToken")
	}
	p, err := expiry.Parse(row.Lifecycle.Preview)
	if err != nil {
		return nil, err
	}
	stored, err := images.Images(ctx)
	if err != nil {
		return nil, err
	}
	going := slices.DeleteFunc(p.Judge(a.expirable(row, stored), time.UnixMilli(row.Lifecycle.PreviewAt)),
		func(v expiry.Verdict) bool { return !v.Expires && !v.Archives })
	out := &ecr.GetLifecyclePolicyPreviewOutput{
		LifecyclePolicyText: aws.String(row.Lifecycle.Preview), PreviewResults: []types.LifecyclePolicyPreviewResult{},
		RegistryId: aws.String(row.Account), RepositoryName: aws.String(row.Name),
		Status:  types.LifecyclePolicyPreviewStatusComplete,
		Summary: summary(going),
	}
	var want types.TagStatus
	if in.Filter != nil {
		want = in.Filter.TagStatus
	}
	going = slices.DeleteFunc(going, func(v expiry.Verdict) bool {
		return !hasStatus(v.Tags, want) || len(in.ImageIds) > 0 && !names(in.ImageIds, v.Digest, v.Tags)
	})
	if len(in.ImageIds) == 0 {
		slices.SortFunc(going, func(x, y expiry.Verdict) int { return strings.Compare(x.Digest, y.Digest) })
		going, out.NextToken, err = pageOf("GetLifecyclePolicyPreview", []string{row.Key(), string(want)}, going,
			func(v expiry.Verdict) string { return v.Digest }, in.MaxResults, in.NextToken)
	}
	for _, v := range going {
		out.PreviewResults = append(out.PreviewResults, showVerdict(&v))
	}
	return out, err
}

func showVerdict(v *expiry.Verdict) types.LifecyclePolicyPreviewResult {
	out := types.LifecyclePolicyPreviewResult{
		Action:              &types.LifecyclePolicyRuleAction{Type: types.ImageActionTypeExpire},
		AppliedRulePriority: aws.Int32(int32(v.Rule)), ImageDigest: aws.String(v.Digest), //nolint:gosec // a priority
		ImagePushedAt: aws.Time(v.PushedAt.UTC()), ImageTags: v.Tags, StorageClass: types.LifecyclePolicyStorageClassStandard,
	}
	if v.Archives {
		out.Action = &types.LifecyclePolicyRuleAction{Type: types.ImageActionTypeTransition, TargetStorageClass: types.LifecyclePolicyTargetStorageClassArchive}
	}
	if !v.ArchivedAt.IsZero() {
		out.StorageClass = types.LifecyclePolicyStorageClassArchive
	}
	return out
}

// summary counts what goes, and what goes into the archive.
func summary(going []expiry.Verdict) *types.LifecyclePolicyPreviewSummary {
	var expire, archive int32
	for _, v := range going {
		if v.Archives {
			archive++
		} else {
			expire++
		}
	}
	out := &types.LifecyclePolicyPreviewSummary{ExpiringImageTotalCount: &expire}
	if archive > 0 { // [D] only then
		out.TransitioningImageTotalCounts = []types.TransitioningImageTotalCount{
			{ImageTotalCount: &archive, TargetStorageClass: types.LifecyclePolicyTargetStorageClassArchive},
		}
	}
	return out
}

// names says whether one of the identifiers is the image's.
func names(ids []types.ImageIdentifier, digest string, tags []string) bool {
	return slices.ContainsFunc(ids, func(id types.ImageIdentifier) bool {
		return (id.ImageDigest == nil || *id.ImageDigest == digest) && (id.ImageTag == nil || slices.Contains(tags, *id.ImageTag)) &&
			(id.ImageDigest != nil || id.ImageTag != nil)
	})
}
