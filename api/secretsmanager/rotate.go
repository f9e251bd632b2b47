package secretsmanager

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/google/uuid"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// The steps of a rotation, in their order [D].
const (
	stepCreate = "createSecret"
	stepSet    = "setSecret"
	stepTest   = "testSecret"
	stepFinish = "finishSecret"
)

// after is the step that follows one, "" after the last.
func after(step string) string {
	return map[string]string{stepCreate: stepSet, stepSet: stepTest, stepTest: stepFinish}[step]
}

// rotateSecret sets how a secret is rotated, and begins a rotation if that is not to wait for its time.
func (a *api) rotateSecret(ctx context.Context, in *sdk.RotateSecretInput) (*sdk.RotateSecretOutput, error) {
	version := deref(in.ClientRequestToken)
	switch {
	case in.ExternalSecretRotationRoleArn != nil || len(in.ExternalSecretRotationMetadata) > 0:
		return nil, model.Errorf("UnsupportedFeatureException", "Roadstead does not serve managed external secrets.")
	case version == "":
		id, err := uuid.NewRandomFromReader(a.Random)
		if err != nil {
			return nil, err
		}
		version = id.String()
	case len(version) < 32 || len(version) > 64:
		return nil, badParameter("ClientRequestToken must be 32-64 characters long.") // [O]
	}
	at := in.RotateImmediately == nil || *in.RotateImmediately
	out := &sdk.RotateSecretOutput{}
	_, err := a.edit(ctx, in.SecretId, func(tx *state.Tx, row *model.Secret) error {
		*out = sdk.RotateSecretOutput{ARN: aws.String(row.ARN()), Name: aws.String(row.Name)}
		r := model.Rotation{}
		if row.Rotation != nil {
			r = *row.Rotation
		}
		if at && r.Version == version { // a request that is repeated
			out.VersionId = &version
			return nil
		}
		if in.RotationLambdaARN != nil {
			r.Target = *in.RotationLambdaARN
		}
		if err := readRules(&r, in.RotationRules); err != nil {
			return err
		}
		if err := a.checkTarget(ctx, tx, row, r.Target); err != nil {
			return err
		}
		r.Enabled = true
		r.NextAt = opens(&r, a.now())
		row.Rotation = &r
		if !at {
			return a.try(ctx, tx, row, version)
		}
		out.VersionId = &version
		return a.begin(tx, row, version)
	})
	return out, err
}

// begin begins a rotation: the version that it makes has AWSPENDING, and no value yet.
func (a *api) begin(tx *state.Tx, row *model.Secret, version string) error {
	for _, v := range row.Versions {
		switch {
		case v.ID == version:
			return model.Errorf("ResourceExistsException", "You can't use ClientRequestToken %s because that value is already in use for a version of secret %s.", version, row.ARN()) // [O]
		case slices.Contains(v.Stages, pending) && !slices.Contains(v.Stages, current): // [D]
			return badRequest("A previous rotation isn't complete. That rotation will be reattempted.") // [O]
		}
	}
	r := *row.Rotation
	r.Version, r.Trial, r.Step, r.Failures, r.CallAt = version, false, stepCreate, 0, a.now()
	row.Rotation = &r
	row.Versions = append(slices.Clone(row.Versions), model.SecretStages{ID: version, CreatedAt: a.now()})
	attach(row, pending, version)
	row.ChangedAt = a.now()
	return trim(tx, row)
}

// cancelRotateSecret ends what is under way; staging labels stay where they are [D].
func (a *api) cancelRotateSecret(ctx context.Context, in *sdk.CancelRotateSecretInput) (*sdk.CancelRotateSecretOutput, error) {
	version := ""
	row, err := a.edit(ctx, in.SecretId, func(tx *state.Tx, row *model.Secret) error {
		if row.Rotation == nil || !row.Rotation.Enabled {
			return badRequest("You tried to cancel rotation on a secret without rotation enabled.") // [I]
		}
		r := *row.Rotation
		version = r.Version
		row.Rotation = &r
		if r.Trial {
			endTrial(tx, row)
		}
		r.Enabled, r.NextAt = false, 0
		over(&r)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &sdk.CancelRotateSecretOutput{ARN: aws.String(row.ARN()), Name: &row.Name, VersionId: optional(version)}, nil
}

// rules are those of a rotation in the shape of answers.
func rules(r *model.Rotation) *types.RotationRulesType {
	if r.Days == 0 && r.Schedule == "" && r.Duration == "" {
		return nil
	}
	out := &types.RotationRulesType{ScheduleExpression: optional(r.Schedule), Duration: optional(r.Duration)}
	if r.Days != 0 {
		out.AutomaticallyAfterDays = aws.Int64(r.Days)
	}
	return out
}

// rotationOf is how a secret is rotated, for answers: a rotation that never was to be says nothing.
func rotationOf(row *model.Secret) (r model.Rotation, enabled *bool, rule *types.RotationRulesType) {
	if row.Rotation == nil {
		return r, nil, nil
	}
	return *row.Rotation, &row.Rotation.Enabled, rules(row.Rotation)
}
