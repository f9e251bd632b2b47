package secretsmanager

import (
	"bytes"
	"context"
	"slices"

	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/keyring"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// Errors of keys, in AWS's words.
var (
	errNoKMS      = model.Errorf("AccessDeniedException", "Access to KMS is not allowed")                                                                                                                               // [O]
	errEncrypt    = model.Errorf("EncryptionFailure", "Secrets Manager can't encrypt the protected secret text using the provided KMS key. Check that the KMS key is available, enabled, and not in an invalid state.") // [D]
	errDecrypt    = model.Errorf("DecryptionFailure", "Secrets Manager can't decrypt the protected secret text using the provided KMS key.")                                                                            // [D]
	errDefaultKey = badRequest("You can't access a secret from a different AWS account if you encrypt the secret with the default KMS service key.")                                                                    // [O]
)

// refusedByKMS is what Secrets Manager says when KMS refuses: other is for all that is no want of permission.
func refusedByKMS(err, other error) error {
	switch {
	case err == nil:
		return nil
	case model.ErrorCode(err) == "AccessDeniedException":
		return errNoKMS
	}
	return other
}

// contextOf is the encryption context of a version's data key [D].
func contextOf(row *model.Secret, version string) map[string]string {
	return map[string]string{"SecretARN": row.ARN(), "SecretVersionId": version}
}

// keyOf returns the key that new versions of a secret are encrypted with. The default one is for its own account alone [D].
func (a *api) keyOf(ctx context.Context, tx *state.Tx, row *model.Secret) (*model.KMSKey, error) {
	if err := a.checkAccount(ctx, row, row.KMSKey); err != nil {
		return nil, err
	}
	key, err := a.keys.Key(tx, row.Scope, row.KMSKey, a.now())
	return key, refusedByKMS(err, errEncrypt)
}

// checkAccount refuses other accounts what is encrypted with the default key, whatever that was called.
func (a *api) checkAccount(ctx context.Context, row *model.Secret, key string) error {
	p, ok := auth.PrincipalFrom(ctx)
	if ok && p.Account != row.Account && (key == "" || keyring.ManagedBy(row.Scope, key) != "") {
		return errDefaultKey
	}
	return nil
}

// checkKey refuses a key that the caller cannot encrypt and decrypt with now: that is tried with a context of its own [D].
func (a *api) checkKey(ctx context.Context, tx *state.Tx, row *model.Secret) error {
	if row.KMSKey == "" {
		return nil
	}
	key, err := a.keyOf(ctx, tx, row)
	if err != nil {
		return err
	}
	return refusedByKMS(a.keys.Try(ctx, tx.Tables, key, contextOf(row, "RequestToValidateKeyAccess")), errEncrypt)
}

// lock encrypts the value of a version with the secret's key.
func (a *api) lock(ctx context.Context, tx *state.Tx, row *model.Secret, kept *model.SecretValue, plain []byte) error {
	key, err := a.keyOf(ctx, tx, row)
	if err != nil {
		return err
	}
	locked, err := a.keys.Lock(ctx, tx.Tables, key, plain, contextOf(row, kept.ID))
	kept.Sealed, kept.DataKey = locked.Text, locked.DataKey
	return refusedByKMS(err, errEncrypt)
}

// unlock decrypts the value of a version: in the caller's name, or in that of Secrets Manager.
func (a *api) unlock(ctx context.Context, t *state.Tables, by *keyring.Service, row *model.Secret, kept *model.SecretValue) ([]byte, error) {
	if kept.DataKey == nil {
		plain, err := a.Seal.Open(kept.Sealed, kept.Key())
		if err != nil {
			return nil, model.Errorf("DecryptionFailure", "Secrets Manager can't decrypt the protected secret text: %v", err)
		}
		return plain, nil
	}
	plain, err := by.Unlock(ctx, t, row.Scope, keyring.Locked{DataKey: kept.DataKey, Text: kept.Sealed}, contextOf(row, kept.ID), a.now())
	return plain, refusedByKMS(err, errDecrypt)
}

// Open reads a version of a secret in a service's own name, which its owner gave the secret to: nobody's permission is asked for.
func (a *API) Open(ctx context.Context, t *state.Tables, row *model.Secret, kept *model.SecretValue) ([]byte, error) {
	return a.unlock(ctx, t, a.keys.Unasked(), row, kept)
}

// repeats reports whether the secret has the version already, with that value. Secrets Manager looks for itself [D].
func (a *api) repeats(ctx context.Context, t *state.Tables, row *model.Secret, v *value) bool {
	have, ok := t.SecretValues.Get(model.SecretValueKey(row.Scope, row.Name, row.Suffix, v.id))
	if !ok || have.Binary != v.binary {
		return false
	}
	plain, err := a.unlock(ctx, t, a.keys.Unasked(), row, have)
	return err == nil && bytes.Equal(plain, v.plain)
}

// rewrap encrypts the data keys of the versions in use with the secret's new key, as far as the caller may use both [D].
func (a *api) rewrap(ctx context.Context, tx *state.Tx, row *model.Secret) error {
	key, err := a.keyOf(ctx, tx, row)
	if err != nil {
		return err
	}
	row.Versions = slices.Clone(row.Versions)
	for i := range row.Versions {
		v := &row.Versions[i]
		kept, ok := tx.SecretValues.Get(model.SecretValueKey(row.Scope, row.Name, row.Suffix, v.ID))
		if !ok || kept.DataKey == nil || !slices.ContainsFunc(v.Stages, func(s string) bool { return s == current || s == previous || s == pending }) {
			continue
		}
		data, err := a.keys.Unwrap(ctx, tx.Tables, row.Scope, kept.DataKey, contextOf(row, v.ID), a.now())
		if err != nil {
			continue // it stays with the key that it has
		}
		next := *kept
		if next.DataKey, err = a.keys.Wrap(ctx, tx.Tables, key, data, contextOf(row, v.ID)); err != nil {
			continue
		}
		tx.SecretValues.Put(&next)
		v.KMSKey = row.KMSKey
	}
	return nil
}
