package iam

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/policy"
	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/wire"
)

func (a *api) serveInline(m *wire.Mux) {
	wire.Handle(m, "PutUserPolicy", func(ctx context.Context, in *iam.PutUserPolicyInput) (*iam.PutUserPolicyOutput, error) {
		return &iam.PutUserPolicyOutput{}, a.putInline(ctx, users(), in.UserName, in.PolicyName, in.PolicyDocument)
	})
	wire.Handle(m, "PutGroupPolicy", func(ctx context.Context, in *iam.PutGroupPolicyInput) (*iam.PutGroupPolicyOutput, error) {
		return &iam.PutGroupPolicyOutput{}, a.putInline(ctx, groups(), in.GroupName, in.PolicyName, in.PolicyDocument)
	})
	wire.Handle(m, "PutRolePolicy", func(ctx context.Context, in *iam.PutRolePolicyInput) (*iam.PutRolePolicyOutput, error) {
		return &iam.PutRolePolicyOutput{}, a.putInline(ctx, roles(), in.RoleName, in.PolicyName, in.PolicyDocument)
	})
	wire.Handle(m, "DeleteUserPolicy", func(ctx context.Context, in *iam.DeleteUserPolicyInput) (*iam.DeleteUserPolicyOutput, error) {
		return &iam.DeleteUserPolicyOutput{}, a.deleteInline(ctx, users(), in.UserName, in.PolicyName)
	})
	wire.Handle(m, "DeleteGroupPolicy", func(ctx context.Context, in *iam.DeleteGroupPolicyInput) (*iam.DeleteGroupPolicyOutput, error) {
		return &iam.DeleteGroupPolicyOutput{}, a.deleteInline(ctx, groups(), in.GroupName, in.PolicyName)
	})
	wire.Handle(m, "DeleteRolePolicy", func(ctx context.Context, in *iam.DeleteRolePolicyInput) (*iam.DeleteRolePolicyOutput, error) {
		return &iam.DeleteRolePolicyOutput{}, a.deleteInline(ctx, roles(), in.RoleName, in.PolicyName)
	})
	wire.Handle(m, "GetUserPolicy", func(ctx context.Context, in *iam.GetUserPolicyInput) (*iam.GetUserPolicyOutput, error) {
		i, p, err := a.getInline(ctx, users(), in.UserName, in.PolicyName)
		if err != nil {
			return nil, err
		}
		return &iam.GetUserPolicyOutput{UserName: aws.String(i.Name), PolicyName: aws.String(p.Name), PolicyDocument: encoded(p.Document)}, nil
	})
	wire.Handle(m, "GetGroupPolicy", func(ctx context.Context, in *iam.GetGroupPolicyInput) (*iam.GetGroupPolicyOutput, error) {
		i, p, err := a.getInline(ctx, groups(), in.GroupName, in.PolicyName)
		if err != nil {
			return nil, err
		}
		return &iam.GetGroupPolicyOutput{GroupName: aws.String(i.Name), PolicyName: aws.String(p.Name), PolicyDocument: encoded(p.Document)}, nil
	})
	wire.Handle(m, "GetRolePolicy", func(ctx context.Context, in *iam.GetRolePolicyInput) (*iam.GetRolePolicyOutput, error) {
		i, p, err := a.getInline(ctx, roles(), in.RoleName, in.PolicyName)
		if err != nil {
			return nil, err
		}
		return &iam.GetRolePolicyOutput{RoleName: aws.String(i.Name), PolicyName: aws.String(p.Name), PolicyDocument: encoded(p.Document)}, nil
	})
	wire.Handle(m, "ListUserPolicies", func(ctx context.Context, in *iam.ListUserPoliciesInput) (*iam.ListUserPoliciesOutput, error) {
		names, p, err := a.listInline(ctx, users(), in.UserName, in.MaxItems, in.Marker)
		return &iam.ListUserPoliciesOutput{PolicyNames: names, IsTruncated: p.truncated, Marker: p.marker}, err
	})
	wire.Handle(m, "ListGroupPolicies", func(ctx context.Context, in *iam.ListGroupPoliciesInput) (*iam.ListGroupPoliciesOutput, error) {
		names, p, err := a.listInline(ctx, groups(), in.GroupName, in.MaxItems, in.Marker)
		return &iam.ListGroupPoliciesOutput{PolicyNames: names, IsTruncated: p.truncated, Marker: p.marker}, err
	})
	wire.Handle(m, "ListRolePolicies", func(ctx context.Context, in *iam.ListRolePoliciesInput) (*iam.ListRolePoliciesOutput, error) {
		names, p, err := a.listInline(ctx, roles(), in.RoleName, in.MaxItems, in.Marker)
		return &iam.ListRolePoliciesOutput{PolicyNames: names, IsTruncated: p.truncated, Marker: p.marker}, err
	})
}

// putInline puts an inline policy, in the place of the one with its name.
func (a *api) putInline(ctx context.Context, o owner, name, policyName, document *string) error {
	if err := checkName("policyName", value(policyName), 128); err != nil {
		return err
	}
	parsed, err := policy.Parse(o.kind, *policyName, value(document))
	if err != nil {
		return err
	}
	return a.change(ctx, func(tx *state.Tx, account string) error {
		return o.edit(tx, account, value(name), func(i *model.Identity) error {
			if err := a.warnWide(ctx, tx, o.arn(i), parsed); err != nil {
				return err
			}
			i.Inline = append(withoutInline(i.Inline, *policyName), model.InlinePolicy{Name: *policyName, Document: *document})
			slices.SortFunc(i.Inline, func(a, b model.InlinePolicy) int { return strings.Compare(a.Name, b.Name) })
			var texts []string
			for _, p := range i.Inline {
				texts = append(texts, p.Document)
			}
			return o.kind.CheckInline(i.Name, texts...)
		})
	})
}

func withoutInline(all []model.InlinePolicy, name string) []model.InlinePolicy {
	return slices.DeleteFunc(slices.Clone(all), func(p model.InlinePolicy) bool { return p.Name == name })
}

func findInline(o owner, i *model.Identity, name *string) (*model.InlinePolicy, error) {
	at := slices.IndexFunc(i.Inline, func(p model.InlinePolicy) bool { return p.Name == value(name) })
	if at < 0 {
		return nil, errNone(o.noun+" policy", value(name))
	}
	return &i.Inline[at], nil
}

func (a *api) deleteInline(ctx context.Context, o owner, name, policyName *string) error {
	return a.change(ctx, func(tx *state.Tx, account string) error {
		return o.edit(tx, account, value(name), func(i *model.Identity) error {
			if _, err := findInline(o, i, policyName); err != nil {
				return err
			}
			i.Inline = withoutInline(i.Inline, *policyName)
			return nil
		})
	})
}

func (a *api) getInline(ctx context.Context, o owner, name, policyName *string) (*model.Identity, *model.InlinePolicy, error) {
	t, account, err := a.look(ctx)
	if err != nil {
		return nil, nil, err
	}
	i, err := o.find(t, account, value(name))
	if err != nil {
		return nil, nil, err
	}
	p, err := findInline(o, i, policyName)
	return i, p, err
}

func (a *api) listInline(ctx context.Context, o owner, name *string, maxItems *int32, marker *string) ([]string, page, error) {
	t, account, err := a.look(ctx)
	if err != nil {
		return nil, page{}, err
	}
	i, err := o.find(t, account, value(name))
	if err != nil {
		return nil, page{}, err
	}
	names := make([]string, 0, len(i.Inline))
	for _, p := range i.Inline {
		names = append(names, p.Name)
	}
	return pageOf("List inline policies", []string{o.noun, i.Key()}, names, func(n string) string { return n }, maxItems, marker)
}
