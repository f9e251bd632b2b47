package logs

import (
	"context"
	"encoding/json"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// What resource policies are held to [D].
const (
	maxPolicies    = 10
	maxPolicyBytes = 5120
)

// putResourcePolicy stores a policy. Nobody asks it yet.
func (a *API) putResourcePolicy(ctx context.Context, in *cloudwatchlogs.PutResourcePolicyInput) (*cloudwatchlogs.PutResourcePolicyOutput, error) {
	s, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	row := &model.LogPolicy{Scope: s, Name: value(in.PolicyName), Document: value(in.PolicyDocument), UpdatedAt: a.now()}
	switch {
	case in.ResourceArn != nil || in.ExpectedRevisionId != nil:
		return nil, model.Errorf("UnsupportedFeatureException", "Roadstead serves resource policies of the account only, not those of a log group.")
	case row.Name == "":
		return nil, invalid("Policy name cannot be empty.") // [I]
	case len(row.Document) > maxPolicyBytes:
		return nil, violation(row.Document, "policyDocument", "Member must have length less than or equal to 5120")
	case !json.Valid([]byte(row.Document)):
		return nil, invalid("Policy document is not valid JSON.") // [I]
	}
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

func showPolicy(p *model.LogPolicy) types.ResourcePolicy {
	return types.ResourcePolicy{
		LastUpdatedTime: aws.Int64(p.UpdatedAt), PolicyDocument: aws.String(p.Document), PolicyName: aws.String(p.Name),
	}
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
	var rows []*model.LogPolicy
	if in.ResourceArn == nil && in.PolicyScope != types.PolicyScopeResource {
		for p := range a.DB.Snapshot().LogPolicies.Prefix(s.Key("")) {
			rows = append(rows, p)
		}
	}
	out := &cloudwatchlogs.DescribeResourcePoliciesOutput{ResourcePolicies: []types.ResourcePolicy{}}
	rows, out.NextToken, err = pageOf("DescribeResourcePolicies", []string{s.Account, s.Region}, rows,
		func(p *model.LogPolicy) string { return p.Name }, size, in.NextToken)
	for _, p := range rows {
		out.ResourcePolicies = append(out.ResourcePolicies, showPolicy(p))
	}
	return out, err
}

func (a *API) deleteResourcePolicy(ctx context.Context, in *cloudwatchlogs.DeleteResourcePolicyInput) (*cloudwatchlogs.DeleteResourcePolicyOutput, error) {
	s, err := caller(ctx)
	if err != nil {
		return nil, err
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
