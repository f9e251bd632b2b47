package iam

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/policy"
	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/wire"
)

func (a *api) servePolicies(m *wire.Mux) {
	wire.Handle(m, "CreatePolicy", a.createPolicy)
	wire.Handle(m, "GetPolicy", a.getPolicy)
	wire.Handle(m, "ListPolicies", a.listPolicies)
	wire.Handle(m, "DeletePolicy", a.deletePolicy)
	wire.Handle(m, "CreatePolicyVersion", a.createPolicyVersion)
	wire.Handle(m, "GetPolicyVersion", a.getPolicyVersion)
	wire.Handle(m, "ListPolicyVersions", a.listPolicyVersions)
	wire.Handle(m, "SetDefaultPolicyVersion", a.setDefaultPolicyVersion)
	wire.Handle(m, "DeletePolicyVersion", a.deletePolicyVersion)
	wire.Handle(m, "TagPolicy", a.tagPolicy)
	wire.Handle(m, "UntagPolicy", a.untagPolicy)
	wire.Handle(m, "ListPolicyTags", a.listPolicyTags)
}

// maxVersions is how many versions a managed policy may have [D].
const maxVersions = 5

func (a *api) createPolicy(ctx context.Context, in *iam.CreatePolicyInput) (*iam.CreatePolicyOutput, error) {
	row, err := a.newIdentity(policyPrefix, "policyName", value(in.PolicyName), 128, in.Path, in.Tags)
	if err != nil {
		return nil, err
	}
	parsed, err := policy.Parse(policy.Managed, row.Name, value(in.PolicyDocument))
	if err != nil {
		return nil, err
	}
	if err := checkDescription(value(in.Description)); err != nil {
		return nil, err
	}
	p := &model.ManagedPolicy{
		Name: row.Name, Path: row.Path, ID: row.ID, Tags: row.Tags, Description: value(in.Description), CreatedAt: row.CreatedAt, UpdatedAt: row.CreatedAt,
		Default: 1, Last: 1, Versions: []model.PolicyVersion{{Number: 1, Document: *in.PolicyDocument, CreatedAt: row.CreatedAt}},
	}
	err = a.change(ctx, func(tx *state.Tx, account string) error {
		p.Account = account
		if _, ok := tx.Policies.Get(p.Key()); ok {
			return model.Errorf("EntityAlreadyExists", "A policy called %s already exists. Duplicate names are not allowed.", p.Name) // [O]
		}
		tx.Policies.Put(p)
		return a.warnWide(ctx, tx, p.ARN(), parsed)
	})
	if err != nil {
		return nil, err
	}
	return &iam.CreatePolicyOutput{Policy: policyView(p, usage{})}, nil
}

// usage is how many identities have a policy attached, and as a boundary.
type usage struct{ attached, boundary int32 }

// usageOf counts who of the account uses which managed policy. It looks at all of them, as only listings and policies need it.
func usageOf(t *state.Tables, account string) map[string]usage {
	out := map[string]usage{}
	count := func(i *model.Identity) {
		for _, arn := range i.Attached {
			u := out[arn]
			u.attached++
			out[arn] = u
		}
		if i.Boundary != "" {
			u := out[i.Boundary]
			u.boundary++
			out[i.Boundary] = u
		}
	}
	for u := range t.Users.Prefix(account + "/") {
		count(&u.Identity)
	}
	for g := range t.Groups.Prefix(account + "/") {
		count(&g.Identity)
	}
	for r := range t.Roles.Prefix(account + "/") {
		count(&r.Identity)
	}
	return out
}

func policyView(p *model.ManagedPolicy, u usage) *types.Policy {
	return &types.Policy{
		Arn: aws.String(p.ARN()), PolicyName: aws.String(p.Name), PolicyId: aws.String(p.ID), Path: aws.String(p.Path), Description: optional(p.Description),
		CreateDate: moment(p.CreatedAt), UpdateDate: moment(p.UpdatedAt), DefaultVersionId: aws.String(versionID(p.Default)), IsAttachable: true,
		AttachmentCount: aws.Int32(u.attached), PermissionsBoundaryUsageCount: aws.Int32(u.boundary), Tags: tagViews(p.Tags),
	}
}

// awsRow is an AWS managed policy as a row, so that all operations show it alike.
func awsRow(p policy.AWSPolicy) *model.ManagedPolicy {
	return &model.ManagedPolicy{
		Account: "aws", Name: p.Name, Path: p.Path, ID: p.ID, Description: p.Description, CreatedAt: awsSince, UpdatedAt: awsSince, Default: 1, Last: 1,
		Versions: []model.PolicyVersion{{Number: 1, Document: p.Document, CreatedAt: awsSince}},
	}
}

// awsSince is when AWS managed policies say that they were made.
const awsSince = 1_423_000_000_000

func versionID(n int) string { return "v" + strconv.Itoa(n) }

// findPolicy returns the managed policy with the ARN: the account's, or AWS's.
func findPolicy(t *state.Tables, account string, arn *string) (*model.ManagedPolicy, error) {
	if err := checkPolicyARN(value(arn)); err != nil {
		return nil, err
	}
	if p, ok := policy.AWSManaged(*arn); ok {
		return awsRow(p), nil
	}
	p, ok := t.Policies.Get(model.IAMKey(account, (*arn)[strings.LastIndexByte(*arn, '/')+1:]))
	if !ok || p.ARN() != *arn {
		return nil, model.Errorf("NoSuchEntity", "Policy %s was not found.", *arn) // [O]
	}
	return p, nil
}

func checkPolicyARN(arn string) error {
	a, ok := model.ParseARN(arn)
	if !ok || a.Service != "iam" || a.Region != "" || a.Type() != "policy" {
		return model.Errorf("InvalidInput", "ARN %s is not valid.", arn) // [O]
	}
	return nil
}

// editPolicy puts a changed copy of a policy of the account; AWS's are not the account's to change.
func (a *api) editPolicy(ctx context.Context, operation string, arn *string, f func(tx *state.Tx, p *model.ManagedPolicy) error) error {
	who, err := caller(ctx)
	if err != nil {
		return err
	}
	return a.change(ctx, func(tx *state.Tx, account string) error {
		p, err := findPolicy(tx.Tables, account, arn)
		if err != nil {
			return err
		}
		if p.Account != account {
			return model.Errorf("AccessDenied", "User: %s is not authorized to perform: iam:%s on resource: policy %s", who.ARN, operation, *arn) // [O]
		}
		row := *p
		row.UpdatedAt = a.now()
		return putIf(f(tx, &row), func() { tx.Policies.Put(&row) })
	})
}

func (a *api) getPolicy(ctx context.Context, in *iam.GetPolicyInput) (*iam.GetPolicyOutput, error) {
	t, account, err := a.look(ctx)
	if err != nil {
		return nil, err
	}
	p, err := findPolicy(t, account, in.PolicyArn)
	if err != nil {
		return nil, err
	}
	return &iam.GetPolicyOutput{Policy: policyView(p, usageOf(t, account)[*in.PolicyArn])}, nil
}

func (a *api) listPolicies(ctx context.Context, in *iam.ListPoliciesInput) (*iam.ListPoliciesOutput, error) {
	t, account, err := a.look(ctx)
	if err != nil {
		return nil, err
	}
	var rows []*model.ManagedPolicy
	if in.Scope != types.PolicyScopeTypeAws {
		rows = slices.AppendSeq(rows, t.Policies.Prefix(account+"/"))
	}
	if in.Scope != types.PolicyScopeTypeLocal {
		for _, p := range policy.AWSPolicies() {
			rows = append(rows, awsRow(p))
		}
	}
	counts := usageOf(t, account)
	rows = slices.DeleteFunc(rows, func(p *model.ManagedPolicy) bool {
		u := counts[p.ARN()]
		used := u.attached+u.boundary > 0
		switch in.PolicyUsageFilter {
		case types.PolicyUsageTypePermissionsPolicy:
			used = u.attached > 0
		case types.PolicyUsageTypePermissionsBoundary:
			used = u.boundary > 0
		}
		return !under(p.Path, in.PathPrefix) || in.OnlyAttached && !used
	})
	slices.SortFunc(rows, func(a, b *model.ManagedPolicy) int { return strings.Compare(a.ARN(), b.ARN()) })
	filters := []string{account, value(in.PathPrefix), string(in.Scope), string(in.PolicyUsageFilter), strconv.FormatBool(in.OnlyAttached)}
	rows, page, err := pageOf("ListPolicies", filters, rows, (*model.ManagedPolicy).ARN, in.MaxItems, in.Marker)
	out := &iam.ListPoliciesOutput{Policies: []types.Policy{}, IsTruncated: page.truncated, Marker: page.marker}
	for _, p := range rows {
		v := policyView(p, counts[p.ARN()])
		v.Tags, v.Description = nil, nil // [D]
		out.Policies = append(out.Policies, *v)
	}
	return out, err
}

func (a *api) deletePolicy(ctx context.Context, in *iam.DeletePolicyInput) (*iam.DeletePolicyOutput, error) {
	return &iam.DeletePolicyOutput{}, a.change(ctx, func(tx *state.Tx, account string) error {
		p, err := findPolicy(tx.Tables, account, in.PolicyArn)
		if err != nil {
			return err
		}
		u := usageOf(tx.Tables, account)[p.ARN()]
		switch {
		case p.Account != account:
			return model.Errorf("AccessDenied", "AWS managed policies cannot be deleted.") // [I]
		case u.attached+u.boundary > 0:
			return model.Errorf("DeleteConflict", "Cannot delete a policy attached to entities.") // [O]
		case len(p.Versions) > 1:
			return model.Errorf("DeleteConflict", "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. "+
				"The default version is deleted with the policy.") // [O]
		}
		tx.Policies.Delete(p.Key())
		return nil
	})
}

func (a *api) tagPolicy(ctx context.Context, in *iam.TagPolicyInput) (*iam.TagPolicyOutput, error) {
	news, err := readTags(in.Tags)
	if err != nil {
		return nil, err
	}
	return &iam.TagPolicyOutput{}, a.editPolicy(ctx, "TagPolicy", in.PolicyArn, func(_ *state.Tx, p *model.ManagedPolicy) (err error) {
		p.Tags, err = tag(p.Tags, news)
		return err
	})
}

func (a *api) untagPolicy(ctx context.Context, in *iam.UntagPolicyInput) (*iam.UntagPolicyOutput, error) {
	return &iam.UntagPolicyOutput{}, a.editPolicy(ctx, "UntagPolicy", in.PolicyArn, func(_ *state.Tx, p *model.ManagedPolicy) error {
		p.Tags = untag(p.Tags, in.TagKeys)
		return nil
	})
}

func (a *api) listPolicyTags(ctx context.Context, in *iam.ListPolicyTagsInput) (*iam.ListPolicyTagsOutput, error) {
	t, account, err := a.look(ctx)
	if err != nil {
		return nil, err
	}
	p, err := findPolicy(t, account, in.PolicyArn)
	if err != nil {
		return nil, err
	}
	tags, page, err := tagPage("ListPolicyTags", *in.PolicyArn, p.Tags, in.MaxItems, in.Marker)
	return &iam.ListPolicyTagsOutput{Tags: tags, IsTruncated: page.truncated, Marker: page.marker}, err
}
