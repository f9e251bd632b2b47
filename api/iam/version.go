package iam

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/policy"
	"github.com/roadstead/roadstead/state"
)

func (a *api) createPolicyVersion(ctx context.Context, in *iam.CreatePolicyVersionInput) (*iam.CreatePolicyVersionOutput, error) {
	parsed, err := policy.Parse(policy.Managed, value(in.PolicyArn), value(in.PolicyDocument))
	if err != nil {
		return nil, err
	}
	var made model.PolicyVersion
	err = a.editPolicy(ctx, "CreatePolicyVersion", in.PolicyArn, func(tx *state.Tx, p *model.ManagedPolicy) error {
		if len(p.Versions) >= maxVersions {
			return model.Errorf("LimitExceeded", "A managed policy can have up to %d versions. Before you create a new version, you must delete an existing version.", maxVersions) // [O]
		}
		p.Last++
		made = model.PolicyVersion{Number: p.Last, Document: *in.PolicyDocument, CreatedAt: a.now()}
		p.Versions = append(slices.Clone(p.Versions), made)
		if in.SetAsDefault {
			p.Default = made.Number
		}
		return a.warnWide(ctx, tx, p.ARN(), parsed)
	})
	if err != nil {
		return nil, err
	}
	v := versionView(&made, in.SetAsDefault)
	v.Document = nil // [D]
	return &iam.CreatePolicyVersionOutput{PolicyVersion: v}, nil
}

func versionView(v *model.PolicyVersion, current bool) *types.PolicyVersion {
	return &types.PolicyVersion{
		CreateDate: moment(v.CreatedAt), Document: encoded(v.Document), IsDefaultVersion: current, VersionId: aws.String(versionID(v.Number)),
	}
}

// numberOf reads the id of a version, "v3".
func numberOf(p *model.ManagedPolicy, id *string) (int, error) {
	digits, ok := strings.CutPrefix(value(id), "v")
	n, err := strconv.Atoi(digits)
	if !ok || err != nil || n < 1 {
		return 0, errConstraint(value(id), "versionId", `Member must satisfy regular expression pattern: v[1-9][0-9]*(\.[A-Za-z0-9-]*)?`)
	}
	if p.Version(n) == nil {
		return 0, model.Errorf("NoSuchEntity", "Policy %s version %s does not exist or is not attachable.", p.ARN(), *id) // [O]
	}
	return n, nil
}

func (a *api) getPolicyVersion(ctx context.Context, in *iam.GetPolicyVersionInput) (*iam.GetPolicyVersionOutput, error) {
	t, account, err := a.look(ctx)
	if err != nil {
		return nil, err
	}
	p, err := findPolicy(t, account, in.PolicyArn)
	if err != nil {
		return nil, err
	}
	n, err := numberOf(p, in.VersionId)
	if err != nil {
		return nil, err
	}
	return &iam.GetPolicyVersionOutput{PolicyVersion: versionView(p.Version(n), n == p.Default)}, nil
}

func (a *api) listPolicyVersions(ctx context.Context, in *iam.ListPolicyVersionsInput) (*iam.ListPolicyVersionsOutput, error) {
	t, account, err := a.look(ctx)
	if err != nil {
		return nil, err
	}
	p, err := findPolicy(t, account, in.PolicyArn)
	if err != nil {
		return nil, err
	}
	newest := slices.Clone(p.Versions) // first [O]
	slices.Reverse(newest)
	key := func(v model.PolicyVersion) string { return fmt.Sprintf("%09d", 999999999-v.Number) }
	versions, page, err := pageOf("ListPolicyVersions", *in.PolicyArn, newest, key, in.MaxItems, in.Marker)
	out := &iam.ListPolicyVersionsOutput{Versions: []types.PolicyVersion{}, IsTruncated: page.truncated, Marker: page.marker}
	for i := range versions {
		v := versionView(&versions[i], versions[i].Number == p.Default)
		v.Document = nil
		out.Versions = append(out.Versions, *v)
	}
	return out, err
}

func (a *api) setDefaultPolicyVersion(ctx context.Context, in *iam.SetDefaultPolicyVersionInput) (*iam.SetDefaultPolicyVersionOutput, error) {
	return &iam.SetDefaultPolicyVersionOutput{}, a.editPolicy(ctx, "SetDefaultPolicyVersion", in.PolicyArn, func(_ *state.Tx, p *model.ManagedPolicy) (err error) {
		p.Default, err = numberOf(p, in.VersionId)
		return err
	})
}

func (a *api) deletePolicyVersion(ctx context.Context, in *iam.DeletePolicyVersionInput) (*iam.DeletePolicyVersionOutput, error) {
	return &iam.DeletePolicyVersionOutput{}, a.editPolicy(ctx, "DeletePolicyVersion", in.PolicyArn, func(_ *state.Tx, p *model.ManagedPolicy) error {
		n, err := numberOf(p, in.VersionId)
		if err != nil {
			return err
		}
		if n == p.Default {
			return model.Errorf("DeleteConflict", "Cannot delete the default version of a policy.") // [O]
		}
		p.Versions = slices.DeleteFunc(slices.Clone(p.Versions), func(v model.PolicyVersion) bool { return v.Number == n })
		return nil
	})
}
