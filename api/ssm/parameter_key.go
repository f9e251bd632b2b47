package ssm

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/roadstead/roadstead/keyring"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// contextOf is the encryption context of a value [D].
func contextOf(v *model.ParameterVersion) map[string]string {
	return map[string]string{"PARAMETER_ARN": model.ParameterARN(v.Scope, v.Name)}
}

// close encrypts the value of a SecureString with the key that it names: that of an advanced one with a data key [D].
func (a *api) close(ctx context.Context, tx *state.Tx, v *model.ParameterVersion) error {
	if v.Type != string(types.ParameterTypeSecureString) {
		if v.KeyID != "" {
			return invalid("KeyId is required for SecureString type parameter only.") // [O]
		}
		return nil
	}
	if v.KeyID == "" {
		v.KeyID = defaultKey
	}
	key, err := a.keys.Key(tx, v.Scope, v.KeyID, v.At)
	if err != nil {
		return badKey(err)
	}
	if v.Tier == string(types.ParameterTierAdvanced) {
		locked, err := a.keys.Lock(ctx, tx.Tables, key, []byte(v.Value), contextOf(v))
		v.Sealed, v.DataKey, v.Wrapped, v.Value = locked.Text, locked.DataKey, true, ""
		return badKey(err)
	}
	v.Sealed, err = a.keys.Wrap(ctx, tx.Tables, key, []byte(v.Value), contextOf(v))
	v.Wrapped, v.Value = true, ""
	return badKey(err)
}

// open decrypts the value of a SecureString in the caller's name.
func (a *api) open(ctx context.Context, t *state.Tables, v *model.ParameterVersion) (string, error) {
	var plain []byte
	var err error
	switch {
	case !v.Wrapped:
		plain, err = a.Seal.Open(v.Sealed, v.Key())
	case v.DataKey != nil:
		plain, err = a.keys.Unlock(ctx, t, v.Scope, keyring.Locked{DataKey: v.DataKey, Text: v.Sealed}, contextOf(v), a.Now().UnixMilli())
	default:
		plain, err = a.keys.Unwrap(ctx, t, v.Scope, v.Sealed, contextOf(v), a.Now().UnixMilli())
	}
	if _, refused := errors.AsType[*model.Error](err); err != nil && !refused {
		return "", model.Errorf("InternalServerError", "The value of parameter %s cannot be read: %v", v.Name, err)
	}
	return string(plain), badKey(err)
}

// badKey is KMS's answer as the Parameter Store passes it on [O].
func badKey(err error) error {
	e, ok := errors.AsType[*model.Error](err)
	if !ok {
		return err
	}
	code := "InvalidKeyId"
	if e.Code == "AccessDeniedException" {
		code = e.Code
	}
	return model.Errorf(code, "%s (Service: AWSKMS; Status Code: 400; Error Code: %s)", e.Message, e.Code)
}
