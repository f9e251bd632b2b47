package sts

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/oidc"
	"github.com/roadstead/roadstead/state"
)

// signingKey opens the key of the issuer that signs with the algorithm now. If it is time for a new one, that is made: an issuer whose
// tokens nobody wants keeps its keys. One that has to wait, for room on the disk, is made when another token is asked for.
func (a *api) signingKey(ctx context.Context, issuer *model.TokenIssuer, algorithm string) (*oidc.Key, error) {
	now := a.Now().UnixMilli()
	k := oidc.Signing(issuer, algorithm, now)
	if oidc.Due(issuer, algorithm, now) {
		err := a.rotate(ctx, issuer, algorithm, now)
		if err != nil && (k == nil || !errors.Is(err, state.ErrNoSpace)) { // on a full disk the key that there is goes on
			return nil, err
		}
	}
	if k == nil {
		return nil, model.Errorf("ServerException", "The account's token issuer has no key for %s.", algorithm)
	}
	secret, err := a.Seal.Open(k.Sealed, issuer.KeyName(k))
	if err != nil {
		return nil, err
	}
	return oidc.ParseKey(k.ID, algorithm, secret)
}

// rotate publishes a new key, and lets go of those that nothing needs any more. The key is made outside of the update: that takes its time.
func (a *api) rotate(ctx context.Context, issuer *model.TokenIssuer, algorithm string, now model.Millis) error {
	key, err := oidc.MakeKey(issuer, uuid.NewString(), algorithm, now, a.Seal.Seal)
	if err != nil {
		return err
	}
	return a.DB.Update(ctx, func(tx *state.Tx) error {
		row, ok := tx.TokenIssuers.Get(issuer.Key())
		if !ok || row.ID != issuer.ID || !oidc.Due(row, algorithm, now) { // somebody else was faster
			return nil
		}
		next := *row
		next.Keys = append(oidc.Published(row, now), key)
		tx.TokenIssuers.Put(&next)
		return nil
	})
}
