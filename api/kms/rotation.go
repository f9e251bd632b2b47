package kms

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/roadstead/roadstead/keyring"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

func (a *api) enableKeyRotation(ctx context.Context, in *sdk.EnableKeyRotationInput) (*sdk.EnableKeyRotationOutput, error) {
	period := in.RotationPeriodInDays
	if period != nil && (*period < shortestRound || *period > longestRound) {
		return nil, invalid("1 validation error detected: Value '%d' at 'rotationPeriodInDays' failed to satisfy constraint: Member must have value between %d and %d", *period, shortestRound, longestRound) // [I]
	}
	_, err := a.edit(ctx, in.KeyId, func(row *model.KMSKey) error {
		if err := rotates(row); err != nil {
			return err
		}
		if row.RotateDays == 0 || period != nil {
			row.RotateFrom = a.now() // the period begins with the call that sets it [D]
		}
		switch {
		case period != nil:
			row.RotateDays = *period
		case row.RotateDays == 0:
			row.RotateDays = defaultRotation
		}
		return nil
	})
	return &sdk.EnableKeyRotationOutput{}, err
}

// rotates refuses keys that cannot be used, or have their material for good [D].
func rotates(row *model.KMSKey) error {
	if err := made(row); err != nil {
		return err
	}
	if err := row.Usable(); err != nil {
		return err
	}
	if row.Spec != "" {
		return unsupported("") // [O]
	}
	return nil
}

func (a *api) disableKeyRotation(ctx context.Context, in *sdk.DisableKeyRotationInput) (*sdk.DisableKeyRotationOutput, error) {
	_, err := a.edit(ctx, in.KeyId, func(row *model.KMSKey) error {
		row.RotateDays, row.RotateFrom = 0, 0
		return rotates(row)
	})
	return &sdk.DisableKeyRotationOutput{}, err
}

func (a *api) getKeyRotationStatus(ctx context.Context, in *sdk.GetKeyRotationStatusInput) (*sdk.GetKeyRotationStatusOutput, error) {
	row, err := a.look(ctx, in.KeyId)
	if err != nil {
		return nil, err
	}
	if err := made(row); err != nil {
		return nil, err
	}
	if err := waits(row); err != nil {
		return nil, err
	}
	out := &sdk.GetKeyRotationStatusOutput{KeyId: aws.String(row.ARN()), KeyRotationEnabled: row.RotateDays != 0}
	if row.RotateDays != 0 {
		out.RotationPeriodInDays, out.NextRotationDate = &row.RotateDays, moment(keyring.NextRotation(row))
	}
	return out, nil
}

// fresh returns the key, after its rotation if that is due: nobody can tell when a key that is not used was rotated.
func (a *api) fresh(ctx context.Context, row *model.KMSKey) (*model.KMSKey, error) {
	if !keyring.Due(row, a.now()) {
		return row, nil
	}
	err := a.DB.Update(ctx, func(tx *state.Tx) error {
		now, err := tx.FindKMSKey(row.Scope, row.ID, a.now())
		if err != nil {
			return err
		}
		row, err = a.ring.Fresh(tx, now, a.now())
		return err
	})
	return row, err
}
