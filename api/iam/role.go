package iam

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/policy"
	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/wire"
)

func (a *api) serveRoles(m *wire.Mux) {
	wire.Handle(m, "CreateRole", a.createRole)
	wire.Handle(m, "GetRole", a.getRole)
	wire.Handle(m, "ListRoles", a.listRoles)
	wire.Handle(m, "UpdateRole", a.updateRole)
	wire.Handle(m, "UpdateRoleDescription", a.updateRoleDescription)
	wire.Handle(m, "UpdateAssumeRolePolicy", a.updateAssumeRolePolicy)
	wire.Handle(m, "DeleteRole", a.deleteRole)
	wire.Handle(m, "TagRole", a.tagRole)
	wire.Handle(m, "UntagRole", a.untagRole)
	wire.Handle(m, "ListRoleTags", a.listRoleTags)
}

// defaultSession is how long a role's sessions may be unless it says otherwise, in seconds [D].
const defaultSession = 3600

func (a *api) createRole(ctx context.Context, in *iam.CreateRoleInput) (*iam.CreateRoleOutput, error) {
	row, err := a.newIdentity(rolePrefix, "roleName", value(in.RoleName), 64, in.Path, in.Tags)
	if err != nil {
		return nil, err
	}
	r := &model.Role{Identity: row, Trust: value(in.AssumeRolePolicyDocument), Description: value(in.Description), MaxSession: defaultSession}
	if in.MaxSessionDuration != nil {
		if r.MaxSession, err = sessionLimit(*in.MaxSessionDuration); err != nil {
			return nil, err
		}
	}
	if err := checkDescription(r.Description); err != nil {
		return nil, err
	}
	trusts, err := policy.Parse(policy.Trust, r.Name, r.Trust)
	if err != nil {
		return nil, err
	}
	err = a.change(ctx, func(tx *state.Tx, account string) error {
		r.Account = account
		if _, ok := tx.Roles.Get(r.Key()); ok {
			return errExists("Role", r.Name)
		}
		if err := checkPrincipals(tx.Tables, trusts); err != nil {
			return err
		}
		if r.Boundary, err = boundary(tx.Tables, account, in.PermissionsBoundary); err != nil {
			return err
		}
		tx.Roles.Put(r)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &iam.CreateRoleOutput{Role: roleView(r, true)}, nil
}

func sessionLimit(seconds int32) (int32, error) {
	switch {
	case seconds < 3600:
		return 0, errConstraint(decimal(int(seconds)), "maxSessionDuration", "Member must have value greater than or equal to 3600")
	case seconds > 43200:
		return 0, errConstraint(decimal(int(seconds)), "maxSessionDuration", "Member must have value less than or equal to 43200")
	}
	return seconds, nil
}

func checkDescription(text string) error {
	if len([]rune(text)) > 1000 {
		return errConstraint(text, "description", "Member must have length less than or equal to 1000")
	}
	return nil
}

// checkPrincipals refuses a policy that names users and roles that do not exist [O]. Those of accounts that are not here are not
// known, and sessions come and go.
func checkPrincipals(t *state.Tables, p *policy.Policy) error {
	for _, arn := range p.Principals() {
		parsed, _ := model.ParseARN(arn)
		if _, here := t.Accounts.Get(parsed.Account); !here || parsed.Service != "iam" {
			continue
		}
		key := model.IAMKey(parsed.Account, arn[strings.LastIndexByte(arn, '/')+1:])
		_, user := t.Users.Get(key)
		_, role := t.Roles.Get(key)
		if parsed.Type() == "user" && !user || parsed.Type() == "role" && !role {
			return model.Errorf("MalformedPolicyDocument", "Invalid principal in policy: \"AWS\":\"%s\"", arn)
		}
	}
	return nil
}

// roleView is a row in IAM's shape; listings leave tags, boundary and last use out [D].
func roleView(r *model.Role, full bool) *types.Role {
	out := &types.Role{
		Arn: aws.String(r.ARN()), CreateDate: moment(r.CreatedAt), Path: aws.String(r.Path), RoleId: aws.String(r.ID), RoleName: aws.String(r.Name),
		AssumeRolePolicyDocument: encoded(r.Trust), Description: optional(r.Description), MaxSessionDuration: aws.Int32(r.MaxSession),
	}
	if full {
		out.Tags, out.PermissionsBoundary = tagViews(r.Tags), boundaryView(r.Boundary)
	}
	return out
}

func findRole(t *state.Tables, account string, name *string) (*model.Role, error) {
	r, ok := t.Roles.Get(model.IAMKey(account, value(name)))
	if !ok {
		return nil, errNone("role", value(name))
	}
	return r, nil
}

func (a *api) getRole(ctx context.Context, in *iam.GetRoleInput) (*iam.GetRoleOutput, error) {
	t, account, err := a.look(ctx)
	if err != nil {
		return nil, err
	}
	r, err := findRole(t, account, in.RoleName)
	if err != nil {
		return nil, err
	}
	out := roleView(r, true)
	out.RoleLastUsed = &types.RoleLastUsed{}
	return &iam.GetRoleOutput{Role: out}, nil
}

func (a *api) listRoles(ctx context.Context, in *iam.ListRolesInput) (*iam.ListRolesOutput, error) {
	t, account, err := a.look(ctx)
	if err != nil {
		return nil, err
	}
	var rows []*model.Role
	for r := range t.Roles.Prefix(account + "/") {
		if under(r.Path, in.PathPrefix) {
			rows = append(rows, r)
		}
	}
	rows, p, err := pageOf("ListRoles", []string{account, value(in.PathPrefix)}, rows, (*model.Role).Key, in.MaxItems, in.Marker)
	out := &iam.ListRolesOutput{Roles: []types.Role{}, IsTruncated: p.truncated, Marker: p.marker}
	for _, r := range rows {
		out.Roles = append(out.Roles, *roleView(r, false))
	}
	return out, err
}

// editRole puts a changed copy of a role.
func (a *api) editRole(ctx context.Context, name *string, f func(tx *state.Tx, r *model.Role) error) (*model.Role, error) {
	var row model.Role
	err := a.change(ctx, func(tx *state.Tx, account string) error {
		r, err := findRole(tx.Tables, account, name)
		if err != nil {
			return err
		}
		row = *r
		return putIf(f(tx, &row), func() { tx.Roles.Put(&row) })
	})
	return &row, err
}

func (a *api) updateRole(ctx context.Context, in *iam.UpdateRoleInput) (*iam.UpdateRoleOutput, error) {
	_, err := a.editRole(ctx, in.RoleName, func(_ *state.Tx, r *model.Role) (err error) {
		if in.Description != nil {
			r.Description = *in.Description
		}
		if in.MaxSessionDuration != nil {
			if r.MaxSession, err = sessionLimit(*in.MaxSessionDuration); err != nil {
				return err
			}
		}
		return checkDescription(r.Description)
	})
	return &iam.UpdateRoleOutput{}, err
}

func (a *api) updateRoleDescription(ctx context.Context, in *iam.UpdateRoleDescriptionInput) (*iam.UpdateRoleDescriptionOutput, error) {
	r, err := a.editRole(ctx, in.RoleName, func(_ *state.Tx, r *model.Role) error {
		r.Description = value(in.Description)
		return checkDescription(r.Description)
	})
	if err != nil {
		return nil, err
	}
	return &iam.UpdateRoleDescriptionOutput{Role: roleView(r, true)}, nil
}

func (a *api) updateAssumeRolePolicy(ctx context.Context, in *iam.UpdateAssumeRolePolicyInput) (*iam.UpdateAssumeRolePolicyOutput, error) {
	trusts, err := policy.Parse(policy.Trust, value(in.RoleName), value(in.PolicyDocument))
	if err != nil {
		return nil, err
	}
	_, err = a.editRole(ctx, in.RoleName, func(tx *state.Tx, r *model.Role) error {
		r.Trust = *in.PolicyDocument
		return checkPrincipals(tx.Tables, trusts)
	})
	return &iam.UpdateAssumeRolePolicyOutput{}, err
}

func (a *api) deleteRole(ctx context.Context, in *iam.DeleteRoleInput) (*iam.DeleteRoleOutput, error) {
	return &iam.DeleteRoleOutput{}, a.change(ctx, func(tx *state.Tx, account string) error {
		r, err := findRole(tx.Tables, account, in.RoleName)
		switch {
		case err != nil:
			return err
		case len(profilesOf(tx.Tables, r)) > 0:
			return errConflict("remove roles from instance profile")
		case len(r.Attached) > 0:
			return errConflict("detach all policies")
		case len(r.Inline) > 0:
			return errConflict("delete policies")
		}
		tx.Roles.Delete(r.Key())
		unname(tx, r.ARN(), r.ID)
		return nil
	})
}

func (a *api) tagRole(ctx context.Context, in *iam.TagRoleInput) (*iam.TagRoleOutput, error) {
	return &iam.TagRoleOutput{}, a.tagIdentity(ctx, roles(), value(in.RoleName), in.Tags)
}

func (a *api) untagRole(ctx context.Context, in *iam.UntagRoleInput) (*iam.UntagRoleOutput, error) {
	return &iam.UntagRoleOutput{}, a.untagIdentity(ctx, roles(), value(in.RoleName), in.TagKeys)
}

func (a *api) listRoleTags(ctx context.Context, in *iam.ListRoleTagsInput) (*iam.ListRoleTagsOutput, error) {
	t, account, err := a.look(ctx)
	if err != nil {
		return nil, err
	}
	r, err := findRole(t, account, in.RoleName)
	if err != nil {
		return nil, err
	}
	tags, p, err := tagPage("ListRoleTags", r.Key(), r.Tags, in.MaxItems, in.Marker)
	return &iam.ListRoleTagsOutput{Tags: tags, IsTruncated: p.truncated, Marker: p.marker}, err
}
