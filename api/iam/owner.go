package iam

import (
	"strings"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/policy"
	"github.com/roadstead/roadstead/state"
)

// owner is a sort of identity that owns policies: users, groups and roles, whose operations differ by little more than names.
type owner struct {
	noun   string // "role"
	quota  string // "PoliciesPerRole"
	kind   policy.Kind
	get    func(t *state.Tables, key string) (*model.Identity, bool)
	change func(tx *state.Tx, key string, f func(*model.Identity) error) error // a copy of the row
}

func users() owner {
	return owner{"user", "PoliciesPerUser", policy.UserInline,
		func(t *state.Tables, key string) (*model.Identity, bool) {
			u, ok := t.Users.Get(key)
			if !ok {
				return nil, false
			}
			return &u.Identity, true
		},
		func(tx *state.Tx, key string, f func(*model.Identity) error) error {
			u, _ := tx.Users.Get(key)
			row := *u
			return putIf(f(&row.Identity), func() { tx.Users.Put(&row) })
		}}
}

func groups() owner {
	return owner{"group", "PoliciesPerGroup", policy.GroupInline,
		func(t *state.Tables, key string) (*model.Identity, bool) {
			g, ok := t.Groups.Get(key)
			if !ok {
				return nil, false
			}
			return &g.Identity, true
		},
		func(tx *state.Tx, key string, f func(*model.Identity) error) error {
			g, _ := tx.Groups.Get(key)
			row := *g
			return putIf(f(&row.Identity), func() { tx.Groups.Put(&row) })
		}}
}

func roles() owner {
	return owner{"role", "PoliciesPerRole", policy.RoleInline,
		func(t *state.Tables, key string) (*model.Identity, bool) {
			r, ok := t.Roles.Get(key)
			if !ok {
				return nil, false
			}
			return &r.Identity, true
		},
		func(tx *state.Tx, key string, f func(*model.Identity) error) error {
			r, _ := tx.Roles.Get(key)
			row := *r
			return putIf(f(&row.Identity), func() { tx.Roles.Put(&row) })
		}}
}

func putIf(err error, put func()) error {
	if err == nil {
		put()
	}
	return err
}

// find returns the identity with the name.
func (o owner) find(t *state.Tables, account, name string) (*model.Identity, error) {
	i, ok := o.get(t, model.IAMKey(account, name))
	if !ok {
		return nil, errNone(o.noun, name)
	}
	return i, nil
}

// arn is the identity's.
func (o owner) arn(i *model.Identity) string { return model.IAMARN(i.Account, o.noun, i.Path, i.Name) }

// edit puts a changed copy of the identity with the name. f must not change slices in place.
func (o owner) edit(tx *state.Tx, account, name string, f func(*model.Identity) error) error {
	if _, err := o.find(tx.Tables, account, name); err != nil {
		return err
	}
	return o.change(tx, model.IAMKey(account, name), f)
}

// under says whether a path is below a prefix, "" for all.
func under(path string, prefix *string) bool { return strings.HasPrefix(path, value(prefix)) }
