package iam

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/policy"
	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/wire"
)

func (a *api) serveSimulation(m *wire.Mux) {
	wire.Handle(m, "SimulatePrincipalPolicy", a.simulatePrincipalPolicy)
	wire.Handle(m, "SimulateCustomPolicy", a.simulateCustomPolicy)
	wire.Handle(m, "GetContextKeysForPrincipalPolicy", a.contextKeysForPrincipal)
	wire.Handle(m, "GetContextKeysForCustomPolicy", a.contextKeysForCustom)
	wire.Handle(m, "GetAccountSummary", a.getAccountSummary)
}

// simulation is what both simulating operations have in common.
type simulation struct {
	who       *policy.Principal
	policies  *policy.Policies
	actions   []string
	resources []string
	owner     string
	context   policy.Context
}

func (a *api) simulatePrincipalPolicy(ctx context.Context, in *iam.SimulatePrincipalPolicyInput) (*iam.SimulatePrincipalPolicyOutput, error) {
	t, account, err := a.look(ctx)
	if err != nil {
		return nil, err
	}
	source := value(in.PolicySourceArn)
	if arn, ok := model.ParseARN(source); !ok || arn.Service != "iam" {
		return nil, model.Errorf("InvalidInput", "Invalid Entity Arn: %s does not clearly define entity type and name.", source) // [O]
	} else if arn.Account != account {
		return nil, model.Errorf("NoSuchEntity", "The policy source with ARN %s cannot be found.", source) // [I]
	}
	who, ps, err := a.Policies(t, source)
	if err != nil {
		return nil, err
	}
	s := simulation{who: who, policies: ps, actions: in.ActionNames, resources: in.ResourceArns, owner: accountOf(value(in.ResourceOwner))}
	if err := s.read(a, t, in.CallerArn, in.PolicyInputList, in.PermissionsBoundaryPolicyInputList, in.ResourcePolicy, in.ContextEntries); err != nil {
		return nil, err
	}
	results, p, err := pageOf("SimulatePrincipalPolicy", *in.PolicySourceArn, s.run(), resultKey, in.MaxItems, in.Marker)
	return &iam.SimulatePrincipalPolicyOutput{EvaluationResults: bare(results), IsTruncated: p.truncated, Marker: p.marker}, err
}

func (a *api) simulateCustomPolicy(ctx context.Context, in *iam.SimulateCustomPolicyInput) (*iam.SimulateCustomPolicyOutput, error) {
	t, account, err := a.look(ctx)
	if err != nil {
		return nil, err
	}
	who := &policy.Principal{Kind: policy.User, Account: account, ARN: model.IAMARN(account, "user", "/", "simulated")}
	s := simulation{who: who, policies: &policy.Policies{}, actions: in.ActionNames, resources: in.ResourceArns, owner: accountOf(value(in.ResourceOwner))}
	if err := s.read(a, t, in.CallerArn, in.PolicyInputList, in.PermissionsBoundaryPolicyInputList, in.ResourcePolicy, in.ContextEntries); err != nil {
		return nil, err
	}
	results, p, err := pageOf("SimulateCustomPolicy", account, s.run(), resultKey, in.MaxItems, in.Marker)
	return &iam.SimulateCustomPolicyOutput{EvaluationResults: bare(results), IsTruncated: p.truncated, Marker: p.marker}, err
}

// accountOf is the account of an ARN like arn:aws:iam::111122223333:root, or the account itself.
func accountOf(owner string) string {
	if a, ok := model.ParseARN(owner); ok {
		return a.Account
	}
	return owner
}

// read takes the policies and facts that the request brings.
func (s *simulation) read(a *api, t *state.Tables, caller *string, identity, boundaries []string, resource *string, entries []types.ContextEntry) error {
	if c := value(caller); c != "" {
		who, _, err := a.Policies(t, c)
		if err != nil {
			return err
		}
		s.who = who
	}
	for i, text := range identity {
		p, err := policy.Parse(policy.Managed, "PolicyInputList."+decimal(i+1), text)
		if err != nil {
			return invalidInput(err)
		}
		s.policies.Identity = append(s.policies.Identity, p)
	}
	if len(boundaries) > 0 {
		p, err := policy.Parse(policy.Managed, "PermissionsBoundaryPolicyInputList.1", boundaries[0])
		if err != nil {
			return invalidInput(err)
		}
		s.policies.Boundary = p
	}
	if value(resource) != "" {
		p, err := policy.Parse(policy.Resource, "ResourcePolicy", *resource)
		if err != nil {
			return invalidInput(err)
		}
		s.policies.Resource = p
	}
	s.who.Describe(&s.context)
	for _, e := range entries {
		s.context.Set(value(e.ContextKeyName), e.ContextKeyValues...)
	}
	if len(s.resources) == 0 {
		s.resources = []string{"*"}
	}
	return nil
}

// invalidInput is what a simulation calls a policy that IAM would not store [O].
func invalidInput(err error) error {
	return model.Errorf("InvalidInput", "Invalid Input: %s", strings.TrimPrefix(err.Error(), model.ErrorCode(err)+": "))
}

// result is one action on one resource, in its place.
type result struct {
	key string
	types.EvaluationResult
}

func resultKey(r result) string { return r.key }

func bare(results []result) []types.EvaluationResult {
	out := []types.EvaluationResult{}
	for _, r := range results {
		out = append(out, r.EvaluationResult)
	}
	return out
}

// run decides every action on every resource.
func (s *simulation) run() []result {
	var out []result
	for i, action := range s.actions {
		for k, resource := range s.resources {
			r := &policy.Request{Principal: s.who, Action: action, Resource: resource, Owner: s.owner, Context: &s.context}
			d := policy.Decide(r, s.policies)
			e := types.EvaluationResult{
				EvalActionName: aws.String(action), EvalResourceName: aws.String(resource), EvalDecision: decision(d),
				MatchedStatements: matches(r, s.policies, d), MissingContextValues: policy.Missing(r, s.policies),
			}
			if s.policies.Boundary != nil {
				e.PermissionsBoundaryDecisionDetail = &types.PermissionsBoundaryDecisionDetail{AllowedByPermissionsBoundary: boundedBy(r, s.policies)}
			}
			out = append(out, result{key: place(i) + place(k), EvaluationResult: e})
		}
	}
	return out
}

// place is a number as a key that sorts.
func place(n int) string { return strings.Repeat("0", 6-min(6, len(decimal(n)))) + decimal(n) }

func boundedBy(r *policy.Request, ps *policy.Policies) bool {
	return policy.Decide(r, &policy.Policies{Identity: []*policy.Policy{ps.Boundary}}).Allowed
}

func decision(d policy.Decision) types.PolicyEvaluationDecisionType {
	switch {
	case d.Allowed:
		return types.PolicyEvaluationDecisionTypeAllowed
	case d.Explicit:
		return types.PolicyEvaluationDecisionTypeExplicitDeny
	}
	return types.PolicyEvaluationDecisionTypeImplicitDeny
}

// matches are the statements that decided: those that deny if one does, else those that allow.
func matches(r *policy.Request, ps *policy.Policies, d policy.Decision) []types.Statement {
	out := []types.Statement{}
	for _, m := range policy.Matches(r, ps) {
		if m.Allow == d.Explicit {
			continue
		}
		out = append(out, types.Statement{
			SourcePolicyId: aws.String(m.Policy.Name), SourcePolicyType: sourceType(m),
			StartPosition: &types.Position{Line: int32(m.Begin.Line), Column: int32(m.Begin.Column)},
			EndPosition:   &types.Position{Line: int32(m.End.Line), Column: int32(m.End.Column)},
		})
	}
	return out
}

func sourceType(m policy.Match) types.PolicySourceType {
	switch {
	case m.Layer == policy.ByResource:
		return types.PolicySourceTypeResource
	case strings.HasPrefix(m.Policy.Name, "arn:aws:iam::aws:"):
		return types.PolicySourceTypeAwsManaged
	case strings.HasPrefix(m.Policy.Name, "arn:"):
		return types.PolicySourceTypeUserManaged
	}
	switch m.Policy.Kind() {
	case policy.UserInline:
		return types.PolicySourceTypeUser
	case policy.GroupInline:
		return types.PolicySourceTypeGroup
	case policy.RoleInline:
		return types.PolicySourceTypeRole
	}
	return types.PolicySourceTypeNone
}

func (a *api) contextKeysForPrincipal(ctx context.Context, in *iam.GetContextKeysForPrincipalPolicyInput) (*iam.GetContextKeysForPrincipalPolicyOutput, error) {
	t, account, err := a.look(ctx)
	if err != nil {
		return nil, err
	}
	if accountOf(*in.PolicySourceArn) != account {
		return nil, model.Errorf("NoSuchEntity", "The policy source with ARN %s cannot be found.", *in.PolicySourceArn) // [I]
	}
	_, ps, err := a.Policies(t, *in.PolicySourceArn)
	if err != nil {
		return nil, err
	}
	keys, err := contextKeys(ps.Identity, in.PolicyInputList)
	return &iam.GetContextKeysForPrincipalPolicyOutput{ContextKeyNames: keys}, err
}

func (a *api) contextKeysForCustom(_ context.Context, in *iam.GetContextKeysForCustomPolicyInput) (*iam.GetContextKeysForCustomPolicyOutput, error) {
	keys, err := contextKeys(nil, in.PolicyInputList)
	return &iam.GetContextKeysForCustomPolicyOutput{ContextKeyNames: keys}, err
}

func contextKeys(have []*policy.Policy, texts []string) ([]string, error) {
	keys := []string{}
	for _, text := range texts {
		p, err := policy.Parse(policy.Managed, "", text)
		if err != nil {
			return nil, invalidInput(err)
		}
		have = append(slices.Clone(have), p)
	}
	for _, p := range have {
		keys = append(keys, p.Keys()...)
	}
	slices.SortFunc(keys, cmp.Compare[string])
	return slices.Compact(keys), nil
}

// getAccountSummary counts what the account has, and says what it may have.
func (a *api) getAccountSummary(ctx context.Context, _ *iam.GetAccountSummaryInput) (*iam.GetAccountSummaryOutput, error) {
	t, account, err := a.look(ctx)
	if err != nil {
		return nil, err
	}
	m := map[string]int32{
		"AccessKeysPerUserQuota": maxKeys, "AttachedPoliciesPerGroupQuota": maxAttached, "AttachedPoliciesPerRoleQuota": maxAttached,
		"AttachedPoliciesPerUserQuota": maxAttached, "VersionsPerPolicyQuota": maxVersions, "GroupsPerUserQuota": 10,
		"UserPolicySizeQuota": int32(policy.UserInline.Limit()), "GroupPolicySizeQuota": int32(policy.GroupInline.Limit()),
		"RolePolicySizeQuota": int32(policy.RoleInline.Limit()), "PolicySizeQuota": int32(policy.Managed.Limit()),
		"AssumeRolePolicySizeQuota": int32(policy.Trust.Limit()),
	}
	count := func(name string) { m[name]++ }
	for _, name := range []string{"Users", "Groups", "Roles", "Policies", "InstanceProfiles", "Providers"} {
		m[name] = 0
	}
	for range t.Users.Prefix(account + "/") {
		count("Users")
	}
	for range t.Groups.Prefix(account + "/") {
		count("Groups")
	}
	for range t.Roles.Prefix(account + "/") {
		count("Roles")
	}
	for range t.Policies.Prefix(account + "/") {
		count("Policies")
	}
	for range t.Profiles.Prefix(account + "/") {
		count("InstanceProfiles")
	}
	for range t.OIDCProviders.Prefix(account + "/") {
		count("Providers")
	}
	return &iam.GetAccountSummaryOutput{SummaryMap: m}, nil
}
