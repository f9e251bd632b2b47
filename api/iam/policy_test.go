package iam_test

import (
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
)

// [D] A managed policy has five versions at most, one of which counts, and goes when nothing holds it.
func TestManagedPolicy(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	p := ok[*sdk.CreatePolicyOutput](t)(w.CreatePolicy(ctx, &sdk.CreatePolicyInput{PolicyName: s("read"), Path: s("/x/"), PolicyDocument: &readClusters})).Policy
	if *p.Arn != "arn:aws:iam::000000000000:policy/x/read" || *p.DefaultVersionId != "v1" || *p.AttachmentCount != 0 || (*p.PolicyId)[:4] != "ANPA" {
		t.Errorf("%+v", p)
	}
	_, err := w.CreatePolicy(ctx, &sdk.CreatePolicyInput{PolicyName: s("Read"), PolicyDocument: &readClusters})
	refused(t, err, "EntityAlreadyExists", "A policy called Read already exists. Duplicate names are not allowed.")
	for range 4 {
		ok[*sdk.CreatePolicyVersionOutput](t)(w.CreatePolicyVersion(ctx, &sdk.CreatePolicyVersionInput{PolicyArn: p.Arn, PolicyDocument: &readClusters}))
	}
	_, err = w.CreatePolicyVersion(ctx, &sdk.CreatePolicyVersionInput{PolicyArn: p.Arn, PolicyDocument: &readClusters})
	refused(t, err, "LimitExceeded", "A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing version.")
	ok[*sdk.SetDefaultPolicyVersionOutput](t)(w.SetDefaultPolicyVersion(ctx, &sdk.SetDefaultPolicyVersionInput{PolicyArn: p.Arn, VersionId: s("v3")}))
	_, err = w.DeletePolicyVersion(ctx, &sdk.DeletePolicyVersionInput{PolicyArn: p.Arn, VersionId: s("v3")})
	refused(t, err, "DeleteConflict", "Cannot delete the default version of a policy.")
	_, err = w.DeletePolicyVersion(ctx, &sdk.DeletePolicyVersionInput{PolicyArn: p.Arn, VersionId: s("v9")})
	refused(t, err, "NoSuchEntity", "Policy arn:aws:iam::000000000000:policy/x/read version v9 does not exist or is not attachable.")
	versions := ok[*sdk.ListPolicyVersionsOutput](t)(w.ListPolicyVersions(ctx, &sdk.ListPolicyVersionsInput{PolicyArn: p.Arn})).Versions
	if len(versions) != 5 || *versions[0].VersionId != "v5" || !versions[2].IsDefaultVersion || versions[0].Document != nil {
		t.Errorf("%+v", versions)
	}
	v := ok[*sdk.GetPolicyVersionOutput](t)(w.GetPolicyVersion(ctx, &sdk.GetPolicyVersionInput{PolicyArn: p.Arn, VersionId: s("v2")})).PolicyVersion
	if decoded(t, v.Document) != readClusters || v.IsDefaultVersion {
		t.Errorf("%+v", v)
	}
	_, err = w.DeletePolicy(ctx, &sdk.DeletePolicyInput{PolicyArn: p.Arn})
	refused(t, err, "DeleteConflict", "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.")
	for _, id := range []string{"v1", "v2", "v4", "v5"} {
		ok[*sdk.DeletePolicyVersionOutput](t)(w.DeletePolicyVersion(ctx, &sdk.DeletePolicyVersionInput{PolicyArn: p.Arn, VersionId: &id}))
	}

	ok[*sdk.CreateGroupOutput](t)(w.CreateGroup(ctx, &sdk.CreateGroupInput{GroupName: s("crew")}))
	ok[*sdk.AttachGroupPolicyOutput](t)(w.AttachGroupPolicy(ctx, &sdk.AttachGroupPolicyInput{GroupName: s("crew"), PolicyArn: p.Arn}))
	ok[*sdk.CreateUserOutput](t)(w.CreateUser(ctx, &sdk.CreateUserInput{UserName: s("ann"), PermissionsBoundary: p.Arn}))
	of := ok[*sdk.ListEntitiesForPolicyOutput](t)(w.ListEntitiesForPolicy(ctx, &sdk.ListEntitiesForPolicyInput{PolicyArn: p.Arn}))
	if len(of.PolicyGroups) != 1 || len(of.PolicyUsers) != 1 || len(of.PolicyRoles) != 0 {
		t.Errorf("%+v", of)
	}
	got := ok[*sdk.GetPolicyOutput](t)(w.GetPolicy(ctx, &sdk.GetPolicyInput{PolicyArn: p.Arn})).Policy
	if *got.AttachmentCount != 1 || *got.PermissionsBoundaryUsageCount != 1 || *got.DefaultVersionId != "v3" {
		t.Errorf("%+v", got)
	}
	_, err = w.DeletePolicy(ctx, &sdk.DeletePolicyInput{PolicyArn: p.Arn})
	refused(t, err, "DeleteConflict", "Cannot delete a policy attached to entities.")
	ok[*sdk.DetachGroupPolicyOutput](t)(w.DetachGroupPolicy(ctx, &sdk.DetachGroupPolicyInput{GroupName: s("crew"), PolicyArn: p.Arn}))
	ok[*sdk.DeleteUserPermissionsBoundaryOutput](t)(w.DeleteUserPermissionsBoundary(ctx, &sdk.DeleteUserPermissionsBoundaryInput{UserName: s("ann")}))
	ok[*sdk.DeletePolicyOutput](t)(w.DeletePolicy(ctx, &sdk.DeletePolicyInput{PolicyArn: p.Arn}))
	_, err = w.GetPolicy(ctx, &sdk.GetPolicyInput{PolicyArn: p.Arn})
	refused(t, err, "NoSuchEntity", "Policy arn:aws:iam::000000000000:policy/x/read was not found.")
}

// [D] AWS's own policies are there, and nobody's to change.
func TestAWSManaged(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	admin := s("arn:aws:iam::aws:policy/AdministratorAccess")
	p := ok[*sdk.GetPolicyOutput](t)(w.GetPolicy(ctx, &sdk.GetPolicyInput{PolicyArn: admin})).Policy
	v := ok[*sdk.GetPolicyVersionOutput](t)(w.GetPolicyVersion(ctx, &sdk.GetPolicyVersionInput{PolicyArn: admin, VersionId: p.DefaultVersionId})).PolicyVersion
	if !strings.Contains(decoded(t, v.Document), `"*"`) {
		t.Error(*v.Document)
	}
	_, err := w.CreatePolicyVersion(ctx, &sdk.CreatePolicyVersionInput{PolicyArn: admin, PolicyDocument: &readClusters})
	refused(t, err, "AccessDenied", "User: arn:aws:iam::000000000000:root is not authorized to perform: iam:CreatePolicyVersion on resource: policy arn:aws:iam::aws:policy/AdministratorAccess")
	ok[*sdk.CreatePolicyOutput](t)(w.CreatePolicy(ctx, &sdk.CreatePolicyInput{PolicyName: s("mine"), PolicyDocument: &readClusters}))
	local := ok[*sdk.ListPoliciesOutput](t)(w.ListPolicies(ctx, &sdk.ListPoliciesInput{Scope: types.PolicyScopeTypeLocal})).Policies
	if len(local) != 1 || *local[0].PolicyName != "mine" {
		t.Errorf("%+v", local)
	}
	if all := ok[*sdk.ListPoliciesOutput](t)(w.ListPolicies(ctx, &sdk.ListPoliciesInput{})).Policies; len(all) < 20 {
		t.Error(len(all))
	}
	if of := ok[*sdk.ListPoliciesOutput](t)(w.other.ListPolicies(ctx, &sdk.ListPoliciesInput{Scope: types.PolicyScopeTypeLocal})).Policies; len(of) != 0 {
		t.Error("another account's policy is there")
	}
}

// [D] A simulation says what would be decided, by which statement, and what it was not told.
func TestSimulate(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	u := ok[*sdk.CreateUserOutput](t)(w.CreateUser(ctx, &sdk.CreateUserInput{UserName: s("ann")})).User
	ok[*sdk.PutUserPolicyOutput](t)(w.PutUserPolicy(ctx, &sdk.PutUserPolicyInput{UserName: s("ann"), PolicyName: s("p"), PolicyDocument: s(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecs:*","Resource":"*","Condition":{"StringEquals":{"ecs:cluster":"c"}}},{"Effect":"Deny","Action":"ecs:DeleteCluster","Resource":"*"}]}`)}))
	results := ok[*sdk.SimulatePrincipalPolicyOutput](t)(w.SimulatePrincipalPolicy(ctx, &sdk.SimulatePrincipalPolicyInput{
		PolicySourceArn: u.Arn, ActionNames: []string{"ecs:RunTask", "ecs:DeleteCluster", "iam:GetUser"},
		ContextEntries: []types.ContextEntry{{ContextKeyName: s("ecs:cluster"), ContextKeyType: types.ContextKeyTypeEnumString, ContextKeyValues: []string{"c"}}},
	})).EvaluationResults
	var got []string
	for _, r := range results {
		got = append(got, string(r.EvalDecision))
	}
	if strings.Join(got, " ") != "allowed explicitDeny implicitDeny" || len(results[0].MatchedStatements) != 1 || *results[1].MatchedStatements[0].SourcePolicyId != "p" {
		t.Errorf("%v %+v", got, results)
	}
	custom := ok[*sdk.SimulateCustomPolicyOutput](t)(w.SimulateCustomPolicy(ctx, &sdk.SimulateCustomPolicyInput{
		ActionNames: []string{"ecs:DescribeClusters", "ecs:RunTask"}, PolicyInputList: []string{readClusters},
	})).EvaluationResults
	if custom[0].EvalDecision != "allowed" || custom[1].EvalDecision != "implicitDeny" {
		t.Errorf("%+v", custom)
	}
	keys := ok[*sdk.GetContextKeysForPrincipalPolicyOutput](t)(w.GetContextKeysForPrincipalPolicy(ctx, &sdk.GetContextKeysForPrincipalPolicyInput{PolicySourceArn: u.Arn})).ContextKeyNames
	if len(keys) != 1 || keys[0] != "ecs:cluster" {
		t.Error(keys)
	}
	if m := ok[*sdk.GetAccountSummaryOutput](t)(w.GetAccountSummary(ctx, nil)).SummaryMap; m["Users"] != 1 || m["VersionsPerPolicyQuota"] != 5 {
		t.Error(m)
	}
}

// [D] Identity providers are named by their host.
func TestOIDCProvider(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	arn := ok[*sdk.CreateOpenIDConnectProviderOutput](t)(w.CreateOpenIDConnectProvider(ctx, &sdk.CreateOpenIDConnectProviderInput{
		Url: s("https://token.actions.githubusercontent.com"), ClientIDList: []string{"sts.amazonaws.com"},
	})).OpenIDConnectProviderArn
	if *arn != "arn:aws:iam::000000000000:oidc-provider/token.actions.githubusercontent.com" {
		t.Error(*arn)
	}
	ok[*sdk.AddClientIDToOpenIDConnectProviderOutput](t)(w.AddClientIDToOpenIDConnectProvider(ctx, &sdk.AddClientIDToOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn, ClientID: s("x")}))
	ok[*sdk.RemoveClientIDFromOpenIDConnectProviderOutput](t)(w.RemoveClientIDFromOpenIDConnectProvider(ctx, &sdk.RemoveClientIDFromOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn, ClientID: s("sts.amazonaws.com")}))
	p := ok[*sdk.GetOpenIDConnectProviderOutput](t)(w.GetOpenIDConnectProvider(ctx, &sdk.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn}))
	if *p.Url != "token.actions.githubusercontent.com" || len(p.ClientIDList) != 1 || p.ClientIDList[0] != "x" {
		t.Errorf("%+v", p)
	}
	_, err := w.GetOpenIDConnectProvider(ctx, &sdk.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: s("arn:aws:iam::000000000000:oidc-provider/none")})
	refused(t, err, "NoSuchEntity", "OpenIDConnect Provider not found for arn arn:aws:iam::000000000000:oidc-provider/none")
	if list := ok[*sdk.ListOpenIDConnectProvidersOutput](t)(w.ListOpenIDConnectProviders(ctx, nil)).OpenIDConnectProviderList; len(list) != 1 {
		t.Errorf("%+v", list)
	}
	ok[*sdk.DeleteOpenIDConnectProviderOutput](t)(w.DeleteOpenIDConnectProvider(ctx, &sdk.DeleteOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn}))
}
