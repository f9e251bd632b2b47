package secretsmanager

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/policy"
	"github.com/roadstead/roadstead/state"
)

// maxPolicy is how long the policy of a secret may be, in bytes [D].
const maxPolicy = 20480

// errPublic has the words that document the exception [D].
var errPublic = model.Errorf("PublicPolicyException", "The BlockPublicPolicy parameter is set to true, and the resource policy did not prevent broad access to the secret.")

// checkPolicy reads a policy as it will be read when somebody uses the secret.
func checkPolicy(t *state.Tables, text string) (*policy.Policy, error) {
	if len(text) > maxPolicy {
		return nil, model.Errorf("LimitExceededException", "The resource policy is larger than %d bytes.", maxPolicy) // [I]
	}
	p, err := policy.Parse(policy.Resource, "resource policy", text)
	if err != nil {
		return nil, model.Errorf("MalformedPolicyDocumentException", "This resource policy contains a syntax error.") // [O]
	}
	for _, arn := range p.Principals() {
		if !t.HasPrincipal(arn) {
			return nil, model.Errorf("MalformedPolicyDocumentException", "This resource policy contains an unsupported principal.") // [O]
		}
	}
	return p, nil
}

// putResourcePolicy stores a policy, which counts in the decisions of access from then on.
func (a *api) putResourcePolicy(ctx context.Context, in *sdk.PutResourcePolicyInput) (*sdk.PutResourcePolicyOutput, error) {
	row, err := a.edit(ctx, in.SecretId, func(tx *state.Tx, row *model.Secret) error {
		p, err := checkPolicy(tx.Tables, deref(in.ResourcePolicy))
		if err != nil {
			return err
		}
		if deref(in.BlockPublicPolicy) && p.Public() {
			return errPublic
		}
		row.Policy = *in.ResourcePolicy
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &sdk.PutResourcePolicyOutput{ARN: aws.String(row.ARN()), Name: &row.Name}, nil
}

func (a *api) getResourcePolicy(ctx context.Context, in *sdk.GetResourcePolicyInput) (*sdk.GetResourcePolicyOutput, error) {
	_, row, err := a.look(ctx, in.SecretId)
	if err != nil {
		return nil, err
	}
	return &sdk.GetResourcePolicyOutput{ARN: aws.String(row.ARN()), Name: aws.String(row.Name), ResourcePolicy: optional(row.Policy)}, nil
}

func (a *api) deleteResourcePolicy(ctx context.Context, in *sdk.DeleteResourcePolicyInput) (*sdk.DeleteResourcePolicyOutput, error) {
	row, err := a.edit(ctx, in.SecretId, func(_ *state.Tx, row *model.Secret) error {
		row.Policy = ""
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &sdk.DeleteResourcePolicyOutput{ARN: aws.String(row.ARN()), Name: &row.Name}, nil
}

// validateResourcePolicy says what would be wrong with a policy: a public one is.
func (a *api) validateResourcePolicy(ctx context.Context, in *sdk.ValidateResourcePolicyInput) (*sdk.ValidateResourcePolicyOutput, error) {
	t := a.DB.Snapshot().Tables
	if in.SecretId != nil {
		if _, _, err := a.look(ctx, in.SecretId); err != nil {
			return nil, err
		}
	}
	p, err := checkPolicy(t, deref(in.ResourcePolicy))
	if err != nil {
		return nil, err
	}
	out := &sdk.ValidateResourcePolicyOutput{PolicyValidationPassed: !p.Public(), ValidationErrors: []types.ValidationErrorsEntry{}}
	if p.Public() {
		out.ValidationErrors = append(out.ValidationErrors, types.ValidationErrorsEntry{
			CheckName: aws.String("PUBLIC_POLICY"), ErrorMessage: aws.String("The resource policy allows broad access to the secret."), // [I]
		})
	}
	return out, nil
}
