package iam

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/wire"
)

func (a *api) serveProfiles(m *wire.Mux) {
	wire.Handle(m, "CreateInstanceProfile", a.createInstanceProfile)
	wire.Handle(m, "GetInstanceProfile", a.getInstanceProfile)
	wire.Handle(m, "ListInstanceProfiles", a.listInstanceProfiles)
	wire.Handle(m, "ListInstanceProfilesForRole", a.listInstanceProfilesForRole)
	wire.Handle(m, "DeleteInstanceProfile", a.deleteInstanceProfile)
	wire.Handle(m, "AddRoleToInstanceProfile", a.addRoleToInstanceProfile)
	wire.Handle(m, "RemoveRoleFromInstanceProfile", a.removeRoleFromInstanceProfile)
	wire.Handle(m, "TagInstanceProfile", a.tagInstanceProfile)
	wire.Handle(m, "UntagInstanceProfile", a.untagInstanceProfile)
	wire.Handle(m, "ListInstanceProfileTags", a.listInstanceProfileTags)
}

func (a *api) createInstanceProfile(ctx context.Context, in *iam.CreateInstanceProfileInput) (*iam.CreateInstanceProfileOutput, error) {
	row, err := a.newIdentity(profilePrefix, "instanceProfileName", value(in.InstanceProfileName), 128, in.Path, in.Tags)
	if err != nil {
		return nil, err
	}
	p := &model.InstanceProfile{Name: row.Name, Path: row.Path, ID: row.ID, CreatedAt: row.CreatedAt, Tags: row.Tags}
	var view *types.InstanceProfile
	err = a.change(ctx, func(tx *state.Tx, account string) error {
		p.Account = account
		if _, ok := tx.Profiles.Get(p.Key()); ok {
			return model.Errorf("EntityAlreadyExists", "Instance Profile %s already exists.", p.Name) // [O]
		}
		tx.Profiles.Put(p)
		view = profileView(tx.Tables, p)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &iam.CreateInstanceProfileOutput{InstanceProfile: view}, nil
}

func profileView(t *state.Tables, p *model.InstanceProfile) *types.InstanceProfile {
	out := &types.InstanceProfile{
		Arn: aws.String(p.ARN()), CreateDate: moment(p.CreatedAt), InstanceProfileId: aws.String(p.ID), InstanceProfileName: aws.String(p.Name),
		Path: aws.String(p.Path), Roles: []types.Role{}, Tags: tagViews(p.Tags),
	}
	if r, ok := t.Roles.Get(p.Role); ok {
		out.Roles = append(out.Roles, *roleView(r, false))
	}
	return out
}

func findProfile(t *state.Tables, account string, name *string) (*model.InstanceProfile, error) {
	p, ok := t.Profiles.Get(model.IAMKey(account, value(name)))
	if !ok {
		return nil, model.Errorf("NoSuchEntity", "Instance Profile %s cannot be found.", value(name)) // [O]
	}
	return p, nil
}

// profilesOf are the instance profiles that have the role.
func profilesOf(t *state.Tables, r *model.Role) []*model.InstanceProfile {
	var out []*model.InstanceProfile
	for p := range t.Profiles.Prefix(r.Account + "/") {
		if p.Role == r.Key() {
			out = append(out, p)
		}
	}
	return out
}

func (a *api) getInstanceProfile(ctx context.Context, in *iam.GetInstanceProfileInput) (*iam.GetInstanceProfileOutput, error) {
	t, account, err := a.look(ctx)
	if err != nil {
		return nil, err
	}
	p, err := findProfile(t, account, in.InstanceProfileName)
	if err != nil {
		return nil, err
	}
	return &iam.GetInstanceProfileOutput{InstanceProfile: profileView(t, p)}, nil
}

func (a *api) listInstanceProfiles(ctx context.Context, in *iam.ListInstanceProfilesInput) (*iam.ListInstanceProfilesOutput, error) {
	t, account, err := a.look(ctx)
	if err != nil {
		return nil, err
	}
	var rows []*model.InstanceProfile
	for p := range t.Profiles.Prefix(account + "/") {
		if under(p.Path, in.PathPrefix) {
			rows = append(rows, p)
		}
	}
	list, page, err := profilePage(t, "ListInstanceProfiles", []string{account, value(in.PathPrefix)}, rows, in.MaxItems, in.Marker)
	return &iam.ListInstanceProfilesOutput{InstanceProfiles: list, IsTruncated: page.truncated, Marker: page.marker}, err
}

func (a *api) listInstanceProfilesForRole(ctx context.Context, in *iam.ListInstanceProfilesForRoleInput) (*iam.ListInstanceProfilesForRoleOutput, error) {
	t, account, err := a.look(ctx)
	if err != nil {
		return nil, err
	}
	r, err := findRole(t, account, in.RoleName)
	if err != nil {
		return nil, err
	}
	list, page, err := profilePage(t, "ListInstanceProfilesForRole", []string{r.Key()}, profilesOf(t, r), in.MaxItems, in.Marker)
	return &iam.ListInstanceProfilesForRoleOutput{InstanceProfiles: list, IsTruncated: page.truncated, Marker: page.marker}, err
}

func profilePage(t *state.Tables, op string, filters []string, rows []*model.InstanceProfile, maxItems *int32, marker *string) ([]types.InstanceProfile, page, error) {
	rows, p, err := pageOf(op, filters, rows, (*model.InstanceProfile).Key, maxItems, marker)
	out := []types.InstanceProfile{}
	for _, row := range rows {
		v := profileView(t, row)
		v.Tags = nil // [D]
		out = append(out, *v)
	}
	return out, p, err
}

func (a *api) editProfile(ctx context.Context, name *string, f func(tx *state.Tx, p *model.InstanceProfile) error) error {
	return a.change(ctx, func(tx *state.Tx, account string) error {
		p, err := findProfile(tx.Tables, account, name)
		if err != nil {
			return err
		}
		row := *p
		return putIf(f(tx, &row), func() { tx.Profiles.Put(&row) })
	})
}

func (a *api) deleteInstanceProfile(ctx context.Context, in *iam.DeleteInstanceProfileInput) (*iam.DeleteInstanceProfileOutput, error) {
	return &iam.DeleteInstanceProfileOutput{}, a.change(ctx, func(tx *state.Tx, account string) error {
		p, err := findProfile(tx.Tables, account, in.InstanceProfileName)
		switch {
		case err != nil:
			return err
		case p.Role != "":
			return errConflict("remove roles from instance profile")
		}
		tx.Profiles.Delete(p.Key())
		return nil
	})
}

func (a *api) addRoleToInstanceProfile(ctx context.Context, in *iam.AddRoleToInstanceProfileInput) (*iam.AddRoleToInstanceProfileOutput, error) {
	return &iam.AddRoleToInstanceProfileOutput{}, a.editProfile(ctx, in.InstanceProfileName, func(tx *state.Tx, p *model.InstanceProfile) error {
		r, err := findRole(tx.Tables, p.Account, in.RoleName)
		switch {
		case err != nil:
			return err
		case p.Role != "":
			return errQuota("InstanceSessionsPerInstanceProfile", 1)
		}
		p.Role = r.Key()
		return nil
	})
}

func (a *api) removeRoleFromInstanceProfile(ctx context.Context, in *iam.RemoveRoleFromInstanceProfileInput) (*iam.RemoveRoleFromInstanceProfileOutput, error) {
	return &iam.RemoveRoleFromInstanceProfileOutput{}, a.editProfile(ctx, in.InstanceProfileName, func(tx *state.Tx, p *model.InstanceProfile) error {
		r, err := findRole(tx.Tables, p.Account, in.RoleName)
		switch {
		case err != nil:
			return err
		case p.Role != r.Key():
			return errNone("role", r.Name)
		}
		p.Role = ""
		return nil
	})
}

func (a *api) tagInstanceProfile(ctx context.Context, in *iam.TagInstanceProfileInput) (*iam.TagInstanceProfileOutput, error) {
	news, err := readTags(in.Tags)
	if err != nil {
		return nil, err
	}
	return &iam.TagInstanceProfileOutput{}, a.editProfile(ctx, in.InstanceProfileName, func(_ *state.Tx, p *model.InstanceProfile) (err error) {
		p.Tags, err = tag(p.Tags, news)
		return err
	})
}

func (a *api) untagInstanceProfile(ctx context.Context, in *iam.UntagInstanceProfileInput) (*iam.UntagInstanceProfileOutput, error) {
	return &iam.UntagInstanceProfileOutput{}, a.editProfile(ctx, in.InstanceProfileName, func(_ *state.Tx, p *model.InstanceProfile) error {
		p.Tags = untag(p.Tags, in.TagKeys)
		return nil
	})
}

func (a *api) listInstanceProfileTags(ctx context.Context, in *iam.ListInstanceProfileTagsInput) (*iam.ListInstanceProfileTagsOutput, error) {
	t, account, err := a.look(ctx)
	if err != nil {
		return nil, err
	}
	row, err := findProfile(t, account, in.InstanceProfileName)
	if err != nil {
		return nil, err
	}
	tags, p, err := tagPage("ListInstanceProfileTags", row.Key(), row.Tags, in.MaxItems, in.Marker)
	return &iam.ListInstanceProfileTagsOutput{Tags: tags, IsTruncated: p.truncated, Marker: p.marker}, err
}
