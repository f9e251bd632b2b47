package iam

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/wire"
)

func (a *api) serveUsers(m *wire.Mux) {
	wire.Handle(m, "CreateUser", a.createUser)
	wire.Handle(m, "GetUser", a.getUser)
	wire.Handle(m, "ListUsers", a.listUsers)
	wire.Handle(m, "UpdateUser", a.updateUser)
	wire.Handle(m, "DeleteUser", a.deleteUser)
	wire.Handle(m, "TagUser", a.tagUser)
	wire.Handle(m, "UntagUser", a.untagUser)
	wire.Handle(m, "ListUserTags", a.listUserTags)
	wire.Handle(m, "CreateAccessKey", a.createAccessKey)
	wire.Handle(m, "ListAccessKeys", a.listAccessKeys)
	wire.Handle(m, "UpdateAccessKey", a.updateAccessKey)
	wire.Handle(m, "DeleteAccessKey", a.deleteAccessKey)
}

func (a *api) createUser(ctx context.Context, in *iam.CreateUserInput) (*iam.CreateUserOutput, error) {
	row, err := a.newIdentity(userPrefix, "userName", value(in.UserName), 64, in.Path, in.Tags)
	if err != nil {
		return nil, err
	}
	u := &model.User{Identity: row}
	err = a.change(ctx, func(tx *state.Tx, account string) error {
		u.Account = account
		if _, ok := tx.Users.Get(u.Key()); ok {
			return errExists("User", u.Name)
		}
		if u.Boundary, err = boundary(tx.Tables, account, in.PermissionsBoundary); err != nil {
			return err
		}
		tx.Users.Put(u)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &iam.CreateUserOutput{User: userView(u, true)}, nil
}

// newIdentity checks what users, groups and roles are made of.
func (a *api) newIdentity(prefix, member, name string, limit int, path *string, tags []types.Tag) (i model.Identity, err error) {
	i = model.Identity{Name: name, CreatedAt: a.now()}
	if err := checkName(member, name, limit); err != nil {
		return i, err
	}
	if i.Path, err = checkPath(path); err != nil {
		return i, err
	}
	if i.Tags, err = readTags(tags); err != nil {
		return i, err
	}
	i.ID, err = a.newID(prefix)
	return i, err
}

// userView is a row in IAM's shape; listings leave tags and boundary out [D].
func userView(u *model.User, full bool) *types.User {
	out := &types.User{
		Arn: aws.String(u.ARN()), CreateDate: moment(u.CreatedAt), Path: aws.String(u.Path),
		UserId: aws.String(u.ID), UserName: aws.String(u.Name),
	}
	if full {
		out.Tags, out.PermissionsBoundary = tagViews(u.Tags), boundaryView(u.Boundary)
	}
	return out
}

// userNamed returns the user with the name; without one the caller himself is meant.
func (a *api) userNamed(ctx context.Context, name *string) (*model.User, error) {
	p, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	wanted := value(name)
	if wanted == "" {
		if p.Kind != model.KeyUser {
			return nil, model.Errorf("ValidationError", "Must specify userName when calling with non-User credentials") // [O]
		}
		wanted = p.ARN[strings.LastIndexByte(p.ARN, '/')+1:]
	}
	u, ok := a.DB.Snapshot().Users.Get(model.IAMKey(p.Account, wanted))
	if !ok {
		return nil, errNone("user", wanted)
	}
	return u, nil
}

func (a *api) getUser(ctx context.Context, in *iam.GetUserInput) (*iam.GetUserOutput, error) {
	p, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	if value(in.UserName) == "" && p.Kind == model.KeyRoot { // the root user is one, without a name [O]
		acc, _ := a.DB.Snapshot().Accounts.Get(p.Account)
		if acc == nil {
			acc = &model.Account{}
		}
		return &iam.GetUserOutput{User: &types.User{
			Arn: aws.String(p.ARN), UserId: aws.String(p.Account), Path: aws.String("/"), CreateDate: moment(acc.CreatedAt),
			UserName: aws.String("root"),
		}}, nil
	}
	u, err := a.userNamed(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	return &iam.GetUserOutput{User: userView(u, true)}, nil
}

func (a *api) listUsers(ctx context.Context, in *iam.ListUsersInput) (*iam.ListUsersOutput, error) {
	t, account, err := a.look(ctx)
	if err != nil {
		return nil, err
	}
	var rows []*model.User
	for u := range t.Users.Prefix(account + "/") {
		if under(u.Path, in.PathPrefix) {
			rows = append(rows, u)
		}
	}
	rows, p, err := pageOf("ListUsers", []string{account, value(in.PathPrefix)}, rows, (*model.User).Key, in.MaxItems, in.Marker)
	out := &iam.ListUsersOutput{Users: []types.User{}, IsTruncated: p.truncated, Marker: p.marker}
	for _, u := range rows {
		out.Users = append(out.Users, *userView(u, false))
	}
	return out, err
}

// updateUser gives a user another name or path; his keys show the new ARN, his id stays.
func (a *api) updateUser(ctx context.Context, in *iam.UpdateUserInput) (*iam.UpdateUserOutput, error) {
	if in.NewUserName != nil {
		if err := checkName("newUserName", *in.NewUserName, 64); err != nil {
			return nil, err
		}
	}
	return &iam.UpdateUserOutput{}, a.change(ctx, func(tx *state.Tx, account string) error {
		old, ok := tx.Users.Get(model.IAMKey(account, value(in.UserName)))
		if !ok {
			return errNone("user", value(in.UserName))
		}
		row := *old
		if in.NewUserName != nil {
			row.Name = *in.NewUserName
		}
		if in.NewPath != nil {
			path, err := checkPath(in.NewPath)
			if err != nil {
				return err
			}
			row.Path = path
		}
		if _, taken := tx.Users.Get(row.Key()); taken && row.Key() != old.Key() {
			return errExists("User", row.Name)
		}
		tx.Users.Delete(old.Key())
		tx.Users.Put(&row)
		for _, k := range keysOf(tx.Tables, old) {
			moved := *k
			moved.UserARN = row.ARN()
			tx.AccessKeys.Put(&moved)
		}
		return nil
	})
}

func (a *api) deleteUser(ctx context.Context, in *iam.DeleteUserInput) (*iam.DeleteUserOutput, error) {
	return &iam.DeleteUserOutput{}, a.change(ctx, func(tx *state.Tx, account string) error {
		u, ok := tx.Users.Get(model.IAMKey(account, value(in.UserName)))
		switch {
		case !ok:
			return errNone("user", value(in.UserName))
		case len(u.Attached) > 0:
			return errConflict("detach all policies")
		case len(u.Inline) > 0:
			return errConflict("delete policies")
		case len(keysOf(tx.Tables, u)) > 0:
			return errConflict("delete access keys")
		case len(u.Groups) > 0:
			return errConflict("remove users from group")
		}
		tx.Users.Delete(u.Key())
		unname(tx, u.ARN(), u.ID)
		return nil
	})
}

// unname puts the id of a user or role that is gone in the place of its ARN in trust policies: whoever gets its name later is
// not who was trusted [D].
func unname(tx *state.Tx, arn, id string) {
	for r := range tx.Roles.All() {
		if trust := strings.ReplaceAll(r.Trust, `"`+arn+`"`, `"`+id+`"`); trust != r.Trust {
			row := *r
			row.Trust = trust
			tx.Roles.Put(&row)
		}
	}
}

func (a *api) tagUser(ctx context.Context, in *iam.TagUserInput) (*iam.TagUserOutput, error) {
	return &iam.TagUserOutput{}, a.tagIdentity(ctx, users(), value(in.UserName), in.Tags)
}

func (a *api) untagUser(ctx context.Context, in *iam.UntagUserInput) (*iam.UntagUserOutput, error) {
	return &iam.UntagUserOutput{}, a.untagIdentity(ctx, users(), value(in.UserName), in.TagKeys)
}

func (a *api) listUserTags(ctx context.Context, in *iam.ListUserTagsInput) (*iam.ListUserTagsOutput, error) {
	u, err := a.userNamed(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	tags, p, err := tagPage("ListUserTags", u.Key(), u.Tags, in.MaxItems, in.Marker)
	return &iam.ListUserTagsOutput{Tags: tags, IsTruncated: p.truncated, Marker: p.marker}, err
}

func (a *api) tagIdentity(ctx context.Context, o owner, name string, tags []types.Tag) error {
	news, err := readTags(tags)
	if err != nil {
		return err
	}
	return a.change(ctx, func(tx *state.Tx, account string) error {
		return o.edit(tx, account, name, func(i *model.Identity) (err error) {
			i.Tags, err = tag(i.Tags, news)
			return err
		})
	})
}

func (a *api) untagIdentity(ctx context.Context, o owner, name string, keys []string) error {
	return a.change(ctx, func(tx *state.Tx, account string) error {
		return o.edit(tx, account, name, func(i *model.Identity) error {
			i.Tags = untag(i.Tags, keys)
			return nil
		})
	})
}

// keysOf are the user's access keys, by id. It looks at all keys: there are few.
func keysOf(t *state.Tables, u *model.User) []*model.AccessKey {
	var keys []*model.AccessKey
	for k := range t.AccessKeys.All() {
		if k.Kind == model.KeyUser && k.Account == u.Account && k.UserID == u.ID {
			keys = append(keys, k)
		}
	}
	return keys
}

// maxKeys is how many access keys a user may have [D].
const maxKeys = 2

func (a *api) createAccessKey(ctx context.Context, in *iam.CreateAccessKeyInput) (*iam.CreateAccessKeyOutput, error) {
	u, err := a.userNamed(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	row := &model.AccessKey{Kind: model.KeyUser, Account: u.Account, UserID: u.ID, CreatedAt: a.now()}
	if row.ID, err = a.newID(keyPrefix); err != nil {
		return nil, err
	}
	if row.Secret, err = a.newSecret(); err != nil {
		return nil, err
	}
	err = a.change(ctx, func(tx *state.Tx, _ string) error {
		now, ok := tx.Users.Get(u.Key())
		if !ok || now.ID != u.ID {
			return errNone("user", u.Name)
		}
		if len(keysOf(tx.Tables, u)) >= maxKeys {
			return errQuota("AccessKeysPerUser", maxKeys)
		}
		row.UserARN = now.ARN()
		tx.AccessKeys.Put(auth.SealKey(a.Seal, *row))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &iam.CreateAccessKeyOutput{AccessKey: &types.AccessKey{
		AccessKeyId: aws.String(row.ID), SecretAccessKey: aws.String(row.Secret), Status: types.StatusTypeActive,
		UserName: aws.String(u.Name), CreateDate: moment(row.CreatedAt),
	}}, nil
}

func (a *api) listAccessKeys(ctx context.Context, in *iam.ListAccessKeysInput) (*iam.ListAccessKeysOutput, error) {
	u, err := a.userNamed(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	keys, p, err := pageOf("ListAccessKeys", u.Key(), keysOf(a.DB.Snapshot().Tables, u), (*model.AccessKey).Key, in.MaxItems, in.Marker)
	out := &iam.ListAccessKeysOutput{AccessKeyMetadata: []types.AccessKeyMetadata{}, IsTruncated: p.truncated, Marker: p.marker}
	for _, k := range keys {
		status := types.StatusTypeActive
		if k.Inactive {
			status = types.StatusTypeInactive
		}
		out.AccessKeyMetadata = append(out.AccessKeyMetadata, types.AccessKeyMetadata{
			AccessKeyId: aws.String(k.ID), CreateDate: moment(k.CreatedAt), Status: status, UserName: aws.String(u.Name),
		})
	}
	return out, err
}

// keyOf returns the user's key with the id.
func keyOf(t *state.Tables, u *model.User, id *string) (*model.AccessKey, error) {
	keys := keysOf(t, u)
	i := slices.IndexFunc(keys, func(k *model.AccessKey) bool { return k.ID == value(id) })
	if i < 0 {
		return nil, model.Errorf("NoSuchEntity", "The Access Key with id %s cannot be found.", value(id)) // [O]
	}
	return keys[i], nil
}

func (a *api) updateAccessKey(ctx context.Context, in *iam.UpdateAccessKeyInput) (*iam.UpdateAccessKeyOutput, error) {
	if in.Status != types.StatusTypeActive && in.Status != types.StatusTypeInactive {
		return nil, errConstraint(string(in.Status), "status", "Member must satisfy enum value set: [Active, Inactive]")
	}
	u, err := a.userNamed(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	return &iam.UpdateAccessKeyOutput{}, a.change(ctx, func(tx *state.Tx, _ string) error {
		k, err := keyOf(tx.Tables, u, in.AccessKeyId)
		if err != nil {
			return err
		}
		row := *k
		row.Inactive = in.Status == types.StatusTypeInactive
		tx.AccessKeys.Put(&row)
		return nil
	})
}

func (a *api) deleteAccessKey(ctx context.Context, in *iam.DeleteAccessKeyInput) (*iam.DeleteAccessKeyOutput, error) {
	u, err := a.userNamed(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	return &iam.DeleteAccessKeyOutput{}, a.change(ctx, func(tx *state.Tx, _ string) error {
		k, err := keyOf(tx.Tables, u, in.AccessKeyId)
		if err != nil {
			return err
		}
		tx.AccessKeys.Delete(k.Key())
		return nil
	})
}
