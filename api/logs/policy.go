package logs

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/policy"
	"github.com/roadstead/roadstead/state"
)

// What resource policies are held to [D].
const (
	maxPolicies    = 10 // of an account, besides those of its groups
	maxPolicyBytes = 5120
)

// putResourcePolicy stores a policy, which counts in the decisions of access from then on: about all groups of the account, or about the
// one that it is put on.
func (a *API) putResourcePolicy(ctx context.Context, in *cloudwatchlogs.PutResourcePolicyInput) (*cloudwatchlogs.PutResourcePolicyOutput, error) {
	s, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	name, text := value(in.PolicyName), value(in.PolicyDocument)
	if err := checkResourcePolicy(text); err != nil {
		return nil, err
	}
	if in.ResourceArn != nil {
		return a.putGroupPolicy(ctx, in)
	}
	if name == "" {
		return nil, invalid("Policy name cannot be empty.") // [I]
	}
	row := &model.LogPolicy{Scope: s, Name: name, Document: text, UpdatedAt: a.now()}
	err = a.DB.Update(ctx, func(tx *state.Tx) error {
		n := 0
		for p := range tx.LogPolicies.Prefix(s.Key("")) {
			if p.Name != row.Name {
				n++
			}
		}
		if n >= maxPolicies {
			return model.Errorf("LimitExceededException", "Resource limit exceeded.") // [O]
		}
		tx.LogPolicies.Put(row)
		return nil
	})
	if err != nil {
		return nil, err
	}
	shown := showPolicy(row)
	return &cloudwatchlogs.PutResourcePolicyOutput{ResourcePolicy: &shown}, nil
}

func checkResourcePolicy(text string) error {
	if len(text) > maxPolicyBytes {
		return violation(text, "policyDocument", "Member must have length less than or equal to 5120")
	}
	if _, err := policy.Parse(policy.Resource, "resource policy", text); err != nil {
		return invalid("Policy document is not valid: %s", strings.TrimPrefix(err.Error(), model.ErrorCode(err)+": ")) // [I]
	}
	return nil
}

// putGroupPolicy puts the policy of one group. Whoever changes one names the revision that he has seen [D].
func (a *API) putGroupPolicy(ctx context.Context, in *cloudwatchlogs.PutResourcePolicyInput) (*cloudwatchlogs.PutResourcePolicyOutput, error) {
	p := model.LogGroupPolicy{Name: value(in.PolicyName), Document: *in.PolicyDocument, Revision: uuidOf(a.NewID()), UpdatedAt: a.now()}
	shown, err := a.changePolicy(ctx, in.ResourceArn, in.ExpectedRevisionId, p)
	if err != nil {
		return nil, err
	}
	return &cloudwatchlogs.PutResourcePolicyOutput{ResourcePolicy: &shown, RevisionId: aws.String(p.Revision)}, nil
}

func (a *API) changePolicy(ctx context.Context, arn, expected *string, p model.LogGroupPolicy) (shown types.ResourcePolicy, err error) {
	name, err := a.byARN(ctx, arn)
	if err != nil {
		return shown, err
	}
	err = a.change(ctx, name, func(r *model.LogGroup) error {
		if r.Policy.Revision != value(expected) {
			return model.Errorf("OperationAbortedException", "The expected revision ID is not that of the resource policy.") // [I]
		}
		if r.Policy.Revision == "" && p.Revision == "" {
			return model.Errorf("ResourceNotFoundException", "The log group has no resource policy.") // [I]
		}
		r.Policy = p
		shown = showGroupPolicy(r)
		return nil
	})
	return shown, err
}

func showPolicy(p *model.LogPolicy) types.ResourcePolicy {
	return types.ResourcePolicy{
		LastUpdatedTime: aws.Int64(p.UpdatedAt), PolicyDocument: aws.String(p.Document), PolicyName: aws.String(p.Name), PolicyScope: types.PolicyScopeAccount,
	}
}

func showGroupPolicy(r *model.LogGroup) types.ResourcePolicy {
	p := types.ResourcePolicy{
		LastUpdatedTime: aws.Int64(r.Policy.UpdatedAt), PolicyDocument: aws.String(r.Policy.Document), PolicyScope: types.PolicyScopeResource,
		ResourceArn: aws.String(r.ARN()), RevisionId: aws.String(r.Policy.Revision),
	}
	if r.Policy.Name != "" {
		p.PolicyName = aws.String(r.Policy.Name)
	}
	return p
}

func (a *API) describeResourcePolicies(ctx context.Context, in *cloudwatchlogs.DescribeResourcePoliciesInput) (
	*cloudwatchlogs.DescribeResourcePoliciesOutput, error,
) {
	s, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	size, err := limit(in.Limit, "limit", 50, 50)
	if err != nil {
		return nil, err
	}
	var all []types.ResourcePolicy
	switch {
	case in.PolicyScope != "" && !slices.Contains(in.PolicyScope.Values(), in.PolicyScope):
		return nil, violation(in.PolicyScope, "policyScope", "Member must satisfy enum value set: [ACCOUNT, RESOURCE]")
	case in.ResourceArn == nil && in.PolicyScope != types.PolicyScopeResource:
		for p := range a.DB.Snapshot().LogPolicies.Prefix(s.Key("")) {
			all = append(all, showPolicy(p))
		}
	default:
		if all, err = a.groupPolicies(ctx, in.ResourceArn); err != nil {
			return nil, err
		}
	}
	out := &cloudwatchlogs.DescribeResourcePoliciesOutput{ResourcePolicies: []types.ResourcePolicy{}}
	all, out.NextToken, err = pageOf("DescribeResourcePolicies", []string{s.Account, s.Region, value(in.ResourceArn), string(in.PolicyScope)}, all,
		func(p types.ResourcePolicy) string { return value(p.ResourceArn) + " " + value(p.PolicyName) }, size, in.NextToken)
	out.ResourcePolicies = append(out.ResourcePolicies, all...)
	return out, err
}

// groupPolicies are those of the group with the ARN, or of all groups.
func (a *API) groupPolicies(ctx context.Context, arn *string) ([]types.ResourcePolicy, error) {
	s, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	groups := a.groups(s, "", "", "")
	if arn != nil {
		name, err := a.byARN(ctx, arn)
		if err != nil {
			return nil, err
		}
		row, err := a.find(ctx, name)
		if err != nil {
			return nil, err
		}
		groups = []*model.LogGroup{row}
	}
	var all []types.ResourcePolicy
	for _, r := range groups {
		if r.Policy.Revision != "" {
			all = append(all, showGroupPolicy(r))
		}
	}
	return all, nil
}

func (a *API) deleteResourcePolicy(ctx context.Context, in *cloudwatchlogs.DeleteResourcePolicyInput) (*cloudwatchlogs.DeleteResourcePolicyOutput, error) {
	s, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	if in.ResourceArn != nil {
		_, err := a.changePolicy(ctx, in.ResourceArn, in.ExpectedRevisionId, model.LogGroupPolicy{})
		return &cloudwatchlogs.DeleteResourcePolicyOutput{}, err
	}
	return &cloudwatchlogs.DeleteResourcePolicyOutput{}, a.DB.Update(ctx, func(tx *state.Tx) error {
		key := s.Key(value(in.PolicyName))
		if _, ok := tx.LogPolicies.Get(key); !ok || in.PolicyName == nil {
			return model.Errorf("ResourceNotFoundException", "Policy with name [%s] does not exist.", value(in.PolicyName)) // [O]
		}
		tx.LogPolicies.Delete(key)
		return nil
	})
}
