package iam_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
)

// [D] What Terraform does with a role, from its creation to its end, and the texts that it meets.
func TestRole(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	made := ok[*sdk.CreateRoleOutput](t)(w.CreateRole(ctx, &sdk.CreateRoleInput{RoleName: s("App"), Path: s("/tasks/"), AssumeRolePolicyDocument: &tasksTrust,
		Description: s("of tasks"), Tags: []types.Tag{{Key: s("team"), Value: s("a")}}})).Role
	if *made.Arn != "arn:aws:iam::000000000000:role/tasks/App" || len(*made.RoleId) != 21 || (*made.RoleId)[:4] != "AROA" || *made.MaxSessionDuration != 3600 ||
		decoded(t, made.AssumeRolePolicyDocument) != tasksTrust || *made.Tags[0].Value != "a" {
		t.Errorf("%+v", made)
	}
	_, err := w.CreateRole(ctx, &sdk.CreateRoleInput{RoleName: s("app"), AssumeRolePolicyDocument: &tasksTrust}) // whatever its case
	refused(t, err, "EntityAlreadyExists", "Role with name app already exists.")
	got := ok[*sdk.GetRoleOutput](t)(w.GetRole(ctx, &sdk.GetRoleInput{RoleName: s("App")})).Role
	if *got.RoleId != *made.RoleId || *got.Description != "of tasks" {
		t.Errorf("%+v", got)
	}
	_, err = w.GetRole(ctx, &sdk.GetRoleInput{RoleName: s("none")})
	refused(t, err, "NoSuchEntity", "The role with name none cannot be found.")
	_, err = w.other.GetRole(ctx, &sdk.GetRoleInput{RoleName: s("App")})
	refused(t, err, "NoSuchEntity", "The role with name App cannot be found.")

	ok[*sdk.PutRolePolicyOutput](t)(w.PutRolePolicy(ctx, &sdk.PutRolePolicyInput{RoleName: s("App"), PolicyName: s("inline"), PolicyDocument: &readClusters}))
	inline := ok[*sdk.GetRolePolicyOutput](t)(w.GetRolePolicy(ctx, &sdk.GetRolePolicyInput{RoleName: s("App"), PolicyName: s("inline")}))
	if decoded(t, inline.PolicyDocument) != readClusters { // byte for byte
		t.Error(*inline.PolicyDocument)
	}
	_, err = w.GetRolePolicy(ctx, &sdk.GetRolePolicyInput{RoleName: s("App"), PolicyName: s("none")})
	refused(t, err, "NoSuchEntity", "The role policy with name none cannot be found.")
	_, err = w.PutRolePolicy(ctx, &sdk.PutRolePolicyInput{RoleName: s("App"), PolicyName: s("bad"), PolicyDocument: s("{")})
	refused(t, err, "MalformedPolicyDocument", "Syntax errors in policy.")

	const execution = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
	for range 2 { // idempotent
		ok[*sdk.AttachRolePolicyOutput](t)(w.AttachRolePolicy(ctx, &sdk.AttachRolePolicyInput{RoleName: s("App"), PolicyArn: s(execution)}))
	}
	_, err = w.AttachRolePolicy(ctx, &sdk.AttachRolePolicyInput{RoleName: s("App"), PolicyArn: s("arn:aws:iam::aws:policy/None")})
	refused(t, err, "NoSuchEntity", "Policy arn:aws:iam::aws:policy/None does not exist or is not attachable.")
	_, err = w.AttachRolePolicy(ctx, &sdk.AttachRolePolicyInput{RoleName: s("App"), PolicyArn: s("AdministratorAccess1234567890")})
	refused(t, err, "InvalidInput", "ARN AdministratorAccess1234567890 is not valid.")
	attached := ok[*sdk.ListAttachedRolePoliciesOutput](t)(w.ListAttachedRolePolicies(ctx, &sdk.ListAttachedRolePoliciesInput{RoleName: s("App")})).AttachedPolicies
	if len(attached) != 1 || *attached[0].PolicyArn != execution || *attached[0].PolicyName != "AmazonECSTaskExecutionRolePolicy" {
		t.Errorf("%+v", attached)
	}
	names := ok[*sdk.ListRolePoliciesOutput](t)(w.ListRolePolicies(ctx, &sdk.ListRolePoliciesInput{RoleName: s("App")})).PolicyNames
	if len(names) != 1 || names[0] != "inline" {
		t.Error(names)
	}

	// Its end, in the order that the refusals ask for.
	end := func() error { _, err := w.DeleteRole(ctx, &sdk.DeleteRoleInput{RoleName: s("App")}); return err }
	ok[*sdk.CreateInstanceProfileOutput](t)(w.CreateInstanceProfile(ctx, &sdk.CreateInstanceProfileInput{InstanceProfileName: s("box")}))
	ok[*sdk.AddRoleToInstanceProfileOutput](t)(w.AddRoleToInstanceProfile(ctx, &sdk.AddRoleToInstanceProfileInput{InstanceProfileName: s("box"), RoleName: s("App")}))
	of := ok[*sdk.ListInstanceProfilesForRoleOutput](t)(w.ListInstanceProfilesForRole(ctx, &sdk.ListInstanceProfilesForRoleInput{RoleName: s("App")})).InstanceProfiles
	if len(of) != 1 || *of[0].Arn != "arn:aws:iam::000000000000:instance-profile/box" || *of[0].Roles[0].RoleName != "App" {
		t.Errorf("%+v", of)
	}
	refused(t, end(), "DeleteConflict", "Cannot delete entity, must remove roles from instance profile first.")
	_, err = w.DeleteInstanceProfile(ctx, &sdk.DeleteInstanceProfileInput{InstanceProfileName: s("box")})
	refused(t, err, "DeleteConflict", "Cannot delete entity, must remove roles from instance profile first.")
	ok[*sdk.RemoveRoleFromInstanceProfileOutput](t)(w.RemoveRoleFromInstanceProfile(ctx, &sdk.RemoveRoleFromInstanceProfileInput{InstanceProfileName: s("box"), RoleName: s("App")}))
	ok[*sdk.DeleteInstanceProfileOutput](t)(w.DeleteInstanceProfile(ctx, &sdk.DeleteInstanceProfileInput{InstanceProfileName: s("box")}))
	refused(t, end(), "DeleteConflict", "Cannot delete entity, must detach all policies first.")
	ok[*sdk.DetachRolePolicyOutput](t)(w.DetachRolePolicy(ctx, &sdk.DetachRolePolicyInput{RoleName: s("App"), PolicyArn: s(execution)}))
	_, err = w.DetachRolePolicy(ctx, &sdk.DetachRolePolicyInput{RoleName: s("App"), PolicyArn: s(execution)})
	refused(t, err, "NoSuchEntity", "Policy "+execution+" was not found.")
	refused(t, end(), "DeleteConflict", "Cannot delete entity, must delete policies first.")
	ok[*sdk.DeleteRolePolicyOutput](t)(w.DeleteRolePolicy(ctx, &sdk.DeleteRolePolicyInput{RoleName: s("App"), PolicyName: s("inline")}))
	if err := end(); err != nil {
		t.Error(err)
	}
}

// [O] Roles are refused in IAM's words.
func TestRoleRefused(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	create := func(f func(*sdk.CreateRoleInput)) error {
		in := &sdk.CreateRoleInput{RoleName: s("r"), AssumeRolePolicyDocument: &tasksTrust}
		f(in)
		_, err := w.CreateRole(ctx, in)
		return err
	}
	refused(t, create(func(in *sdk.CreateRoleInput) { in.RoleName = s("a b") }), "ValidationError",
		"The specified value for roleName is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-")
	refused(t, create(func(in *sdk.CreateRoleInput) { in.MaxSessionDuration = aws.Int32(100) }), "ValidationError",
		"1 validation error detected: Value '100' at 'maxSessionDuration' failed to satisfy constraint: Member must have value greater than or equal to 3600")
	refused(t, create(func(in *sdk.CreateRoleInput) { in.AssumeRolePolicyDocument = &readClusters }), "MalformedPolicyDocument", "Missing required field Principal")
	refused(t, create(func(in *sdk.CreateRoleInput) { in.PermissionsBoundary = s("arn:aws:iam::000000000000:policy/none") }), "NoSuchEntity",
		"Scope ARN: arn:aws:iam::000000000000:policy/none does not exist or is not attachable.")
	refused(t, create(func(in *sdk.CreateRoleInput) { in.Path = s("tasks") }), "ValidationError",
		"The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters.")
}

// [D] Whoever gets the name of a role that is gone is not who was trusted.
func TestTrustNamesIDs(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	first := ok[*sdk.CreateUserOutput](t)(w.CreateUser(ctx, &sdk.CreateUserInput{UserName: s("ann")})).User
	trust := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"` + *first.Arn + `"},"Action":"sts:AssumeRole"}}`
	ok[*sdk.CreateRoleOutput](t)(w.CreateRole(ctx, &sdk.CreateRoleInput{RoleName: s("r"), AssumeRolePolicyDocument: &trust}))
	ok[*sdk.DeleteUserOutput](t)(w.DeleteUser(ctx, &sdk.DeleteUserInput{UserName: s("ann")}))
	got := ok[*sdk.GetRoleOutput](t)(w.GetRole(ctx, &sdk.GetRoleInput{RoleName: s("r")})).Role
	if want := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"` + *first.UserId + `"},"Action":"sts:AssumeRole"}}`; decoded(t, got.AssumeRolePolicyDocument) != want {
		t.Error(decoded(t, got.AssumeRolePolicyDocument))
	}
}
