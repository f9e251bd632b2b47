package iam

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/google/uuid"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/oidc"
	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/wire"
)

func (a *api) serveIssuer(m *wire.Mux) {
	wire.Handle(m, "EnableOutboundWebIdentityFederation", a.enableIssuer)
	wire.Handle(m, "DisableOutboundWebIdentityFederation", a.disableIssuer)
	wire.Handle(m, "GetOutboundWebIdentityFederationInfo", a.getIssuer)
}

func errEnabled() error {
	return model.Errorf("FeatureEnabled", "Outbound web identity federation is already enabled for this account.") // [I]
}

func errDisabled() error {
	return model.Errorf("FeatureDisabled", "Outbound web identity federation is not enabled for this account.") // [I]
}

// enableIssuer lets the account's users and roles have tokens for others. Keys and the issuer's id are made once, and stay [I]; its URL
// is what the server calls itself now.
func (a *api) enableIssuer(ctx context.Context, _ *iam.EnableOutboundWebIdentityFederationInput) (*iam.EnableOutboundWebIdentityFederationOutput, error) {
	t, account, err := a.look(ctx)
	if err != nil {
		return nil, err
	}
	fresh, ok := t.TokenIssuers.Get(account)
	switch {
	case ok && fresh.Enabled:
		return nil, errEnabled()
	case !ok: // made outside of the update: a key takes its time
		if fresh, err = a.newIssuer(account); err != nil {
			return nil, err
		}
	}
	var at string
	err = a.change(ctx, func(tx *state.Tx, account string) error {
		row := *fresh
		if old, ok := tx.TokenIssuers.Get(account); ok {
			if row = *old; row.Enabled {
				return errEnabled()
			}
		}
		at = a.IssuerURL(row.ID)
		row.Enabled, row.URL = true, at
		tx.TokenIssuers.Put(&row)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &iam.EnableOutboundWebIdentityFederationOutput{IssuerIdentifier: &at}, nil
}

// newIssuer makes an issuer with a key for each algorithm.
func (a *api) newIssuer(account string) (*model.TokenIssuer, error) {
	row := &model.TokenIssuer{Account: account, ID: uuid.NewString(), CreatedAt: a.now()}
	for _, algorithm := range []string{oidc.RS256, oidc.ES384} {
		key, err := oidc.MakeKey(row, uuid.NewString(), algorithm, row.CreatedAt, a.Seal.Seal)
		if err != nil {
			return nil, err
		}
		row.Keys = append(row.Keys, key)
	}
	return row, nil
}

// disableIssuer: there are no new tokens; those that there are can be verified until they are over [I].
func (a *api) disableIssuer(ctx context.Context, _ *iam.DisableOutboundWebIdentityFederationInput) (*iam.DisableOutboundWebIdentityFederationOutput, error) {
	return &iam.DisableOutboundWebIdentityFederationOutput{}, a.change(ctx, func(tx *state.Tx, account string) error {
		old, ok := tx.TokenIssuers.Get(account)
		if !ok || !old.Enabled {
			return errDisabled()
		}
		row := *old
		row.Enabled = false
		tx.TokenIssuers.Put(&row)
		return nil
	})
}

func (a *api) getIssuer(ctx context.Context, _ *iam.GetOutboundWebIdentityFederationInfoInput) (*iam.GetOutboundWebIdentityFederationInfoOutput, error) {
	t, account, err := a.look(ctx)
	if err != nil {
		return nil, err
	}
	row, ok := t.TokenIssuers.Get(account)
	if !ok {
		return nil, errDisabled()
	}
	return &iam.GetOutboundWebIdentityFederationInfoOutput{IssuerIdentifier: aws.String(row.URL), JwtVendingEnabled: row.Enabled}, nil
}
