package iam

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/wire"
)

func (a *api) serveAttachments(m *wire.Mux) {
	wire.Handle(m, "AttachUserPolicy", func(ctx context.Context, in *iam.AttachUserPolicyInput) (*iam.AttachUserPolicyOutput, error) {
		return &iam.AttachUserPolicyOutput{}, a.attach(ctx, users(), in.UserName, in.PolicyArn)
	})
	wire.Handle(m, "AttachGroupPolicy", func(ctx context.Context, in *iam.AttachGroupPolicyInput) (*iam.AttachGroupPolicyOutput, error) {
		return &iam.AttachGroupPolicyOutput{}, a.attach(ctx, groups(), in.GroupName, in.PolicyArn)
	})
	wire.Handle(m, "AttachRolePolicy", func(ctx context.Context, in *iam.AttachRolePolicyInput) (*iam.AttachRolePolicyOutput, error) {
		return &iam.AttachRolePolicyOutput{}, a.attach(ctx, roles(), in.RoleName, in.PolicyArn)
	})
	wire.Handle(m, "DetachUserPolicy", func(ctx context.Context, in *iam.DetachUserPolicyInput) (*iam.DetachUserPolicyOutput, error) {
		return &iam.DetachUserPolicyOutput{}, a.detach(ctx, users(), in.UserName, in.PolicyArn)
	})
	wire.Handle(m, "DetachGroupPolicy", func(ctx context.Context, in *iam.DetachGroupPolicyInput) (*iam.DetachGroupPolicyOutput, error) {
		return &iam.DetachGroupPolicyOutput{}, a.detach(ctx, groups(), in.GroupName, in.PolicyArn)
	})
	wire.Handle(m, "DetachRolePolicy", func(ctx context.Context, in *iam.DetachRolePolicyInput) (*iam.DetachRolePolicyOutput, error) {
		return &iam.DetachRolePolicyOutput{}, a.detach(ctx, roles(), in.RoleName, in.PolicyArn)
	})
	wire.Handle(m, "ListAttachedUserPolicies", func(ctx context.Context, in *iam.ListAttachedUserPoliciesInput) (*iam.ListAttachedUserPoliciesOutput, error) {
		list, p, err := a.listAttached(ctx, users(), in.UserName, in.PathPrefix, in.MaxItems, in.Marker)
		return &iam.ListAttachedUserPoliciesOutput{AttachedPolicies: list, IsTruncated: p.truncated, Marker: p.marker}, err
	})
	wire.Handle(m, "ListAttachedGroupPolicies", func(ctx context.Context, in *iam.ListAttachedGroupPoliciesInput) (*iam.ListAttachedGroupPoliciesOutput, error) {
		list, p, err := a.listAttached(ctx, groups(), in.GroupName, in.PathPrefix, in.MaxItems, in.Marker)
		return &iam.ListAttachedGroupPoliciesOutput{AttachedPolicies: list, IsTruncated: p.truncated, Marker: p.marker}, err
	})
	wire.Handle(m, "ListAttachedRolePolicies", func(ctx context.Context, in *iam.ListAttachedRolePoliciesInput) (*iam.ListAttachedRolePoliciesOutput, error) {
		list, p, err := a.listAttached(ctx, roles(), in.RoleName, in.PathPrefix, in.MaxItems, in.Marker)
		return &iam.ListAttachedRolePoliciesOutput{AttachedPolicies: list, IsTruncated: p.truncated, Marker: p.marker}, err
	})
	wire.Handle(m, "PutUserPermissionsBoundary", func(ctx context.Context, in *iam.PutUserPermissionsBoundaryInput) (*iam.PutUserPermissionsBoundaryOutput, error) {
		return &iam.PutUserPermissionsBoundaryOutput{}, a.putBoundary(ctx, users(), in.UserName, in.PermissionsBoundary)
	})
	wire.Handle(m, "PutRolePermissionsBoundary", func(ctx context.Context, in *iam.PutRolePermissionsBoundaryInput) (*iam.PutRolePermissionsBoundaryOutput, error) {
		return &iam.PutRolePermissionsBoundaryOutput{}, a.putBoundary(ctx, roles(), in.RoleName, in.PermissionsBoundary)
	})
	wire.Handle(m, "DeleteUserPermissionsBoundary", func(ctx context.Context, in *iam.DeleteUserPermissionsBoundaryInput) (*iam.DeleteUserPermissionsBoundaryOutput, error) {
		return &iam.DeleteUserPermissionsBoundaryOutput{}, a.deleteBoundary(ctx, users(), in.UserName)
	})
	wire.Handle(m, "DeleteRolePermissionsBoundary", func(ctx context.Context, in *iam.DeleteRolePermissionsBoundaryInput) (*iam.DeleteRolePermissionsBoundaryOutput, error) {
		return &iam.DeleteRolePermissionsBoundaryOutput{}, a.deleteBoundary(ctx, roles(), in.RoleName)
	})
	wire.Handle(m, "ListEntitiesForPolicy", a.listEntitiesForPolicy)
}

// maxAttached is how many managed policies an identity may have [D].
const maxAttached = 10

// attachable says whether a policy with the ARN can be attached in the account.
func attachable(t *state.Tables, account string, arn *string) error {
	if err := checkPolicyARN(value(arn)); err != nil {
		return err
	}
	if _, err := findPolicy(t, account, arn); err != nil {
		return model.Errorf("NoSuchEntity", "Policy %s does not exist or is not attachable.", *arn) // [O]
	}
	return nil
}

// attach is idempotent, as AWS's is [D].
func (a *api) attach(ctx context.Context, o owner, name, arn *string) error {
	return a.change(ctx, func(tx *state.Tx, account string) error {
		if err := attachable(tx.Tables, account, arn); err != nil {
			return err
		}
		return o.edit(tx, account, value(name), func(i *model.Identity) error {
			if slices.Contains(i.Attached, *arn) {
				return nil
			}
			if len(i.Attached) >= maxAttached {
				return errQuota(o.quota, maxAttached)
			}
			i.Attached = append(slices.Clone(i.Attached), *arn)
			return a.warnAttached(ctx, tx, o.arn(i), account, arn)
		})
	})
}

func (a *api) detach(ctx context.Context, o owner, name, arn *string) error {
	return a.change(ctx, func(tx *state.Tx, account string) error {
		if err := checkPolicyARN(value(arn)); err != nil {
			return err
		}
		return o.edit(tx, account, value(name), func(i *model.Identity) error {
			if !slices.Contains(i.Attached, *arn) {
				return model.Errorf("NoSuchEntity", "Policy %s was not found.", *arn) // [O]
			}
			i.Attached = slices.DeleteFunc(slices.Clone(i.Attached), func(have string) bool { return have == *arn })
			return nil
		})
	})
}

func (a *api) listAttached(ctx context.Context, o owner, name, prefix *string, maxItems *int32, marker *string) ([]types.AttachedPolicy, page, error) {
	t, account, err := a.look(ctx)
	if err != nil {
		return nil, page{}, err
	}
	i, err := o.find(t, account, value(name))
	if err != nil {
		return nil, page{}, err
	}
	arns := slices.Sorted(slices.Values(i.Attached))
	arns = slices.DeleteFunc(arns, func(arn string) bool {
		_, tail, _ := strings.Cut(arn, ":policy")
		return !under(tail[:strings.LastIndexByte(tail, '/')+1], prefix)
	})
	arns, p, err := pageOf("List attached policies", []string{o.noun, i.Key(), value(prefix)}, arns, func(arn string) string { return arn }, maxItems, marker)
	out := []types.AttachedPolicy{}
	for _, arn := range arns {
		out = append(out, types.AttachedPolicy{PolicyArn: aws.String(arn), PolicyName: aws.String(arn[strings.LastIndexByte(arn, '/')+1:])})
	}
	return out, p, err
}

// boundary checks the ARN of a permissions boundary, "" for none.
func boundary(t *state.Tables, account string, arn *string) (string, error) {
	if value(arn) == "" {
		return "", nil
	}
	if checkPolicyARN(*arn) != nil {
		return "", errConstraint(*arn, "permissionsBoundary", "Member must be the ARN of a managed policy") // [I]
	}
	if _, err := findPolicy(t, account, arn); err != nil {
		return "", model.Errorf("NoSuchEntity", "Scope ARN: %s does not exist or is not attachable.", *arn) // [O]
	}
	return *arn, nil
}

func boundaryView(arn string) *types.AttachedPermissionsBoundary {
	if arn == "" {
		return nil
	}
	return &types.AttachedPermissionsBoundary{
		PermissionsBoundaryArn: aws.String(arn), PermissionsBoundaryType: types.PermissionsBoundaryAttachmentTypePolicy,
	}
}

func (a *api) putBoundary(ctx context.Context, o owner, name, arn *string) error {
	return a.change(ctx, func(tx *state.Tx, account string) error {
		checked, err := boundary(tx.Tables, account, arn)
		if err != nil {
			return err
		}
		return o.edit(tx, account, value(name), func(i *model.Identity) error {
			i.Boundary = checked
			return nil
		})
	})
}

func (a *api) deleteBoundary(ctx context.Context, o owner, name *string) error {
	return a.change(ctx, func(tx *state.Tx, account string) error {
		return o.edit(tx, account, value(name), func(i *model.Identity) error {
			if i.Boundary == "" {
				return model.Errorf("NoSuchEntity", "The permissions boundary of the %s %s cannot be found.", o.noun, i.Name) // [I]
			}
			i.Boundary = ""
			return nil
		})
	})
}

// entity is an identity that uses a policy.
type entity struct {
	types.EntityType
	*model.Identity
}

func (e entity) key() string { return string(e.EntityType) + "/" + e.Key() }

func (a *api) listEntitiesForPolicy(ctx context.Context, in *iam.ListEntitiesForPolicyInput) (*iam.ListEntitiesForPolicyOutput, error) {
	t, account, err := a.look(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := findPolicy(t, account, in.PolicyArn); err != nil {
		return nil, err
	}
	var found []entity
	add := func(kind types.EntityType, i *model.Identity) {
		uses := in.PolicyUsageFilter != types.PolicyUsageTypePermissionsBoundary && slices.Contains(i.Attached, *in.PolicyArn) ||
			in.PolicyUsageFilter != types.PolicyUsageTypePermissionsPolicy && i.Boundary == *in.PolicyArn
		if uses && under(i.Path, in.PathPrefix) && (in.EntityFilter == "" || in.EntityFilter == kind) {
			found = append(found, entity{kind, i})
		}
	}
	for g := range t.Groups.Prefix(account + "/") {
		add(types.EntityTypeGroup, &g.Identity)
	}
	for r := range t.Roles.Prefix(account + "/") {
		add(types.EntityTypeRole, &r.Identity)
	}
	for u := range t.Users.Prefix(account + "/") {
		add(types.EntityTypeUser, &u.Identity)
	}
	filters := []string{account, *in.PolicyArn, string(in.EntityFilter), string(in.PolicyUsageFilter), value(in.PathPrefix)}
	found, p, err := pageOf("ListEntitiesForPolicy", filters, found, entity.key, in.MaxItems, in.Marker)
	out := &iam.ListEntitiesForPolicyOutput{
		PolicyGroups: []types.PolicyGroup{}, PolicyRoles: []types.PolicyRole{}, PolicyUsers: []types.PolicyUser{}, IsTruncated: p.truncated, Marker: p.marker,
	}
	for _, e := range found {
		name, id := aws.String(e.Name), aws.String(e.ID)
		switch e.EntityType {
		case types.EntityTypeGroup:
			out.PolicyGroups = append(out.PolicyGroups, types.PolicyGroup{GroupName: name, GroupId: id})
		case types.EntityTypeRole:
			out.PolicyRoles = append(out.PolicyRoles, types.PolicyRole{RoleName: name, RoleId: id})
		default:
			out.PolicyUsers = append(out.PolicyUsers, types.PolicyUser{UserName: name, UserId: id})
		}
	}
	return out, err
}
