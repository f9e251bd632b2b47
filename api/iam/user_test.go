package iam_test

import (
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
)

// [D] A user's life: keys, groups, another name, and the order of its end.
func TestUser(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	u := ok[*sdk.CreateUserOutput](t)(w.CreateUser(ctx, &sdk.CreateUserInput{UserName: s("ann"), Path: s("/ops/")})).User
	if *u.Arn != "arn:aws:iam::000000000000:user/ops/ann" || (*u.UserId)[:4] != "AIDA" {
		t.Errorf("%+v", u)
	}
	_, err := w.CreateUser(ctx, &sdk.CreateUserInput{UserName: s("ann")})
	refused(t, err, "EntityAlreadyExists", "User with name ann already exists.")
	var keys []string
	for range 2 {
		k := ok[*sdk.CreateAccessKeyOutput](t)(w.CreateAccessKey(ctx, &sdk.CreateAccessKeyInput{UserName: s("ann")})).AccessKey
		if len(*k.AccessKeyId) != 20 || (*k.AccessKeyId)[:4] != "AKIA" || len(*k.SecretAccessKey) != 40 {
			t.Errorf("%+v", k)
		}
		keys = append(keys, *k.AccessKeyId)
	}
	_, err = w.CreateAccessKey(ctx, &sdk.CreateAccessKeyInput{UserName: s("ann")})
	refused(t, err, "LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: 2")
	_, err = w.CreateAccessKey(ctx, &sdk.CreateAccessKeyInput{UserName: s("none")})
	refused(t, err, "NoSuchEntity", "The user with name none cannot be found.")
	_, err = w.UpdateAccessKey(ctx, &sdk.UpdateAccessKeyInput{UserName: s("ann"), AccessKeyId: s("AKIAIOSFODNN7EXAMPLE"), Status: types.StatusTypeInactive})
	refused(t, err, "NoSuchEntity", "The Access Key with id AKIAIOSFODNN7EXAMPLE cannot be found.")
	ok[*sdk.UpdateAccessKeyOutput](t)(w.UpdateAccessKey(ctx, &sdk.UpdateAccessKeyInput{UserName: s("ann"), AccessKeyId: &keys[0], Status: types.StatusTypeInactive}))

	ok[*sdk.CreateGroupOutput](t)(w.CreateGroup(ctx, &sdk.CreateGroupInput{GroupName: s("crew")}))
	ok[*sdk.AddUserToGroupOutput](t)(w.AddUserToGroup(ctx, &sdk.AddUserToGroupInput{GroupName: s("crew"), UserName: s("ann")}))
	ok[*sdk.UpdateUserOutput](t)(w.UpdateUser(ctx, &sdk.UpdateUserInput{UserName: s("ann"), NewUserName: s("anna"), NewPath: s("/")}))
	group := ok[*sdk.GetGroupOutput](t)(w.GetGroup(ctx, &sdk.GetGroupInput{GroupName: s("crew")}))
	if len(group.Users) != 1 || *group.Users[0].Arn != "arn:aws:iam::000000000000:user/anna" || *group.Users[0].UserId != *u.UserId {
		t.Errorf("%+v", group.Users)
	}
	for _, id := range keys {
		if k, _ := w.db.Snapshot().AccessKeys.Get(id); k == nil || k.UserARN != "arn:aws:iam::000000000000:user/anna" || k.Inactive != (id == keys[0]) {
			t.Errorf("%+v", k)
		}
	}
	of := ok[*sdk.ListGroupsForUserOutput](t)(w.ListGroupsForUser(ctx, &sdk.ListGroupsForUserInput{UserName: s("anna")})).Groups
	if len(of) != 1 || *of[0].GroupName != "crew" {
		t.Errorf("%+v", of)
	}

	end := func() error { _, err := w.DeleteUser(ctx, &sdk.DeleteUserInput{UserName: s("anna")}); return err }
	refused(t, end(), "DeleteConflict", "Cannot delete entity, must delete access keys first.")
	for _, id := range keys {
		ok[*sdk.DeleteAccessKeyOutput](t)(w.DeleteAccessKey(ctx, &sdk.DeleteAccessKeyInput{UserName: s("anna"), AccessKeyId: &id}))
	}
	refused(t, end(), "DeleteConflict", "Cannot delete entity, must remove users from group first.")
	_, err = w.DeleteGroup(ctx, &sdk.DeleteGroupInput{GroupName: s("crew")})
	refused(t, err, "DeleteConflict", "Cannot delete entity, must remove users from group first.")
	ok[*sdk.RemoveUserFromGroupOutput](t)(w.RemoveUserFromGroup(ctx, &sdk.RemoveUserFromGroupInput{GroupName: s("crew"), UserName: s("anna")}))
	ok[*sdk.DeleteGroupOutput](t)(w.DeleteGroup(ctx, &sdk.DeleteGroupInput{GroupName: s("crew")}))
	if err := end(); err != nil {
		t.Error(err)
	}
}

// [D] Listings come in pages, by name and by path.
func TestPages(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	for i := range 5 {
		ok[*sdk.CreateUserOutput](t)(w.CreateUser(ctx, &sdk.CreateUserInput{UserName: s(fmt.Sprint("u", i)), Path: s([]string{"/a/", "/b/"}[i%2])}))
	}
	var names []string
	pages := sdk.NewListUsersPaginator(w, &sdk.ListUsersInput{PathPrefix: s("/a/"), MaxItems: aws.Int32(2)})
	for pages.HasMorePages() {
		for _, u := range ok[*sdk.ListUsersOutput](t)(pages.NextPage(ctx)).Users {
			names = append(names, *u.UserName)
		}
	}
	if fmt.Sprint(names) != "[u0 u2 u4]" {
		t.Error(names)
	}
	_, err := w.ListUsers(ctx, &sdk.ListUsersInput{Marker: s("x")})
	refused(t, err, "ValidationError", "Invalid Marker.")
	_, err = w.ListUsers(ctx, &sdk.ListUsersInput{MaxItems: aws.Int32(1001)})
	refused(t, err, "ValidationError", "1 validation error detected: Value '1001' at 'maxItems' failed to satisfy constraint: Member must have value less than or equal to 1000")
}

// [D] Tags of every sort of entity that has them; keys do not differ by case.
func TestTags(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	ok[*sdk.CreateUserOutput](t)(w.CreateUser(ctx, &sdk.CreateUserInput{UserName: s("ann"), Tags: []types.Tag{{Key: s("A"), Value: s("1")}}}))
	ok[*sdk.TagUserOutput](t)(w.TagUser(ctx, &sdk.TagUserInput{UserName: s("ann"), Tags: []types.Tag{{Key: s("a"), Value: s("2")}, {Key: s("b"), Value: s("")}}}))
	tags := ok[*sdk.ListUserTagsOutput](t)(w.ListUserTags(ctx, &sdk.ListUserTagsInput{UserName: s("ann")})).Tags
	if len(tags) != 2 || *tags[0].Key != "a" || *tags[0].Value != "2" || *tags[1].Value != "" {
		t.Errorf("%+v", tags)
	}
	ok[*sdk.UntagUserOutput](t)(w.UntagUser(ctx, &sdk.UntagUserInput{UserName: s("ann"), TagKeys: []string{"A"}}))
	if tags := ok[*sdk.ListUserTagsOutput](t)(w.ListUserTags(ctx, &sdk.ListUserTagsInput{UserName: s("ann")})).Tags; len(tags) != 1 || *tags[0].Key != "b" {
		t.Errorf("%+v", tags)
	}
	_, err := w.TagUser(ctx, &sdk.TagUserInput{UserName: s("ann"), Tags: []types.Tag{{Key: s("a"), Value: s("2")}, {Key: s("A"), Value: s("")}}})
	refused(t, err, "InvalidInput", "Duplicate tag keys found. Please note that Tag keys are case insensitive.")
	ok[*sdk.CreateRoleOutput](t)(w.CreateRole(ctx, &sdk.CreateRoleInput{RoleName: s("r"), AssumeRolePolicyDocument: &tasksTrust}))
	ok[*sdk.TagRoleOutput](t)(w.TagRole(ctx, &sdk.TagRoleInput{RoleName: s("r"), Tags: []types.Tag{{Key: s("x"), Value: s("y")}}}))
	if tags := ok[*sdk.ListRoleTagsOutput](t)(w.ListRoleTags(ctx, &sdk.ListRoleTagsInput{RoleName: s("r")})).Tags; len(tags) != 1 {
		t.Errorf("%+v", tags)
	}
	ok[*sdk.UntagRoleOutput](t)(w.UntagRole(ctx, &sdk.UntagRoleInput{RoleName: s("r"), TagKeys: []string{"x"}}))
}
