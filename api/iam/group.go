package iam

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/wire"
)

func (a *api) serveGroups(m *wire.Mux) {
	wire.Handle(m, "CreateGroup", a.createGroup)
	wire.Handle(m, "GetGroup", a.getGroup)
	wire.Handle(m, "ListGroups", a.listGroups)
	wire.Handle(m, "DeleteGroup", a.deleteGroup)
	wire.Handle(m, "AddUserToGroup", a.addUserToGroup)
	wire.Handle(m, "RemoveUserFromGroup", a.removeUserFromGroup)
	wire.Handle(m, "ListGroupsForUser", a.listGroupsForUser)
}

func (a *api) createGroup(ctx context.Context, in *iam.CreateGroupInput) (*iam.CreateGroupOutput, error) {
	row, err := a.newIdentity(groupPrefix, "groupName", value(in.GroupName), 128, in.Path, nil)
	if err != nil {
		return nil, err
	}
	g := &model.Group{Identity: row}
	err = a.change(ctx, func(tx *state.Tx, account string) error {
		g.Account = account
		if _, ok := tx.Groups.Get(g.Key()); ok {
			return errExists("Group", g.Name)
		}
		tx.Groups.Put(g)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &iam.CreateGroupOutput{Group: groupView(g)}, nil
}

func groupView(g *model.Group) *types.Group {
	return &types.Group{
		Arn: aws.String(g.ARN()), CreateDate: moment(g.CreatedAt), GroupId: aws.String(g.ID), GroupName: aws.String(g.Name), Path: aws.String(g.Path),
	}
}

func findGroup(t *state.Tables, account string, name *string) (*model.Group, error) {
	g, ok := t.Groups.Get(model.IAMKey(account, value(name)))
	if !ok {
		return nil, errNone("group", value(name))
	}
	return g, nil
}

// membersOf are the users of a group, by name.
func membersOf(t *state.Tables, g *model.Group) []*model.User {
	var out []*model.User
	for u := range t.Users.Prefix(g.Account + "/") {
		if slices.Contains(u.Groups, g.Key()) {
			out = append(out, u)
		}
	}
	return out
}

func (a *api) getGroup(ctx context.Context, in *iam.GetGroupInput) (*iam.GetGroupOutput, error) {
	t, account, err := a.look(ctx)
	if err != nil {
		return nil, err
	}
	g, err := findGroup(t, account, in.GroupName)
	if err != nil {
		return nil, err
	}
	members, p, err := pageOf("GetGroup", g.Key(), membersOf(t, g), (*model.User).Key, in.MaxItems, in.Marker)
	out := &iam.GetGroupOutput{Group: groupView(g), Users: []types.User{}, IsTruncated: p.truncated, Marker: p.marker}
	for _, u := range members {
		out.Users = append(out.Users, *userView(u, false))
	}
	return out, err
}

func (a *api) listGroups(ctx context.Context, in *iam.ListGroupsInput) (*iam.ListGroupsOutput, error) {
	t, account, err := a.look(ctx)
	if err != nil {
		return nil, err
	}
	var rows []*model.Group
	for g := range t.Groups.Prefix(account + "/") {
		if under(g.Path, in.PathPrefix) {
			rows = append(rows, g)
		}
	}
	rows, p, err := pageOf("ListGroups", []string{account, value(in.PathPrefix)}, rows, (*model.Group).Key, in.MaxItems, in.Marker)
	out := &iam.ListGroupsOutput{Groups: []types.Group{}, IsTruncated: p.truncated, Marker: p.marker}
	for _, g := range rows {
		out.Groups = append(out.Groups, *groupView(g))
	}
	return out, err
}

func (a *api) deleteGroup(ctx context.Context, in *iam.DeleteGroupInput) (*iam.DeleteGroupOutput, error) {
	return &iam.DeleteGroupOutput{}, a.change(ctx, func(tx *state.Tx, account string) error {
		g, err := findGroup(tx.Tables, account, in.GroupName)
		switch {
		case err != nil:
			return err
		case len(membersOf(tx.Tables, g)) > 0:
			return errConflict("remove users from group")
		case len(g.Attached) > 0:
			return errConflict("detach all policies")
		case len(g.Inline) > 0:
			return errConflict("delete policies")
		}
		tx.Groups.Delete(g.Key())
		return nil
	})
}

func (a *api) addUserToGroup(ctx context.Context, in *iam.AddUserToGroupInput) (*iam.AddUserToGroupOutput, error) {
	return &iam.AddUserToGroupOutput{}, a.regroup(ctx, in.GroupName, in.UserName, func(u *model.User, key string) error {
		if slices.Contains(u.Groups, key) {
			return nil
		}
		if len(u.Groups) >= 10 {
			return errQuota("GroupsPerUser", 10)
		}
		u.Groups = append(slices.Clone(u.Groups), key)
		slices.Sort(u.Groups)
		return nil
	})
}

func (a *api) removeUserFromGroup(ctx context.Context, in *iam.RemoveUserFromGroupInput) (*iam.RemoveUserFromGroupOutput, error) {
	return &iam.RemoveUserFromGroupOutput{}, a.regroup(ctx, in.GroupName, in.UserName, func(u *model.User, key string) error {
		u.Groups = slices.DeleteFunc(slices.Clone(u.Groups), func(k string) bool { return k == key })
		return nil
	})
}

func (a *api) regroup(ctx context.Context, group, user *string, f func(u *model.User, groupKey string) error) error {
	return a.change(ctx, func(tx *state.Tx, account string) error {
		g, err := findGroup(tx.Tables, account, group)
		if err != nil {
			return err
		}
		u, ok := tx.Users.Get(model.IAMKey(account, value(user)))
		if !ok {
			return errNone("user", value(user))
		}
		row := *u
		return putIf(f(&row, g.Key()), func() { tx.Users.Put(&row) })
	})
}

func (a *api) listGroupsForUser(ctx context.Context, in *iam.ListGroupsForUserInput) (*iam.ListGroupsForUserOutput, error) {
	u, err := a.userNamed(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	keys, p, err := pageOf("ListGroupsForUser", u.Key(), u.Groups, func(k string) string { return k }, in.MaxItems, in.Marker)
	out := &iam.ListGroupsForUserOutput{Groups: []types.Group{}, IsTruncated: p.truncated, Marker: p.marker}
	for _, key := range keys {
		if g, ok := a.DB.Snapshot().Groups.Get(key); ok {
			out.Groups = append(out.Groups, *groupView(g))
		}
	}
	return out, err
}
