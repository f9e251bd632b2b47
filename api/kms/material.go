package kms

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/roadstead/roadstead/keyring"
	"github.com/roadstead/roadstead/model"
)

// Limits of imports [D].
const (
	tokenLife        = day
	longestValidity  = 365 * day
	maxMaterialWords = 256
)

// Keys whose owners bring their material (docs/decisions/043).

// made refuses a key whose owner brings its material (wording [O]).
func made(row *model.KMSKey) error {
	if row.External {
		return unsupported("%s origin is EXTERNAL which is not valid for this operation.", row.ARN())
	}
	return nil
}

// brought refuses a key that has its material from here (wording [O]).
func brought(row *model.KMSKey) error {
	if !row.External {
		return unsupported("%s origin is AWS_KMS which is not valid for this operation.", row.ARN())
	}
	return nil
}

// importable refuses a key that nobody can bring a material for now.
func importable(row *model.KMSKey) error {
	if err := brought(row); err != nil {
		return err
	}
	return waits(row)
}

// importable is look for a key of the caller's account that somebody can bring a material for.
func (a *api) importable(ctx context.Context, id *string) (*model.KMSKey, error) {
	if err := byID(id); err != nil {
		return nil, err
	}
	row, err := a.mine(ctx, id)
	if err != nil {
		return nil, err
	}
	return row, importable(row)
}

// expirationOf says of a key whose owner brings its material whether that expires; nothing while there is none [O].
func expirationOf(row *model.KMSKey) types.ExpirationModelType {
	switch {
	case row.AwaitsMaterial():
		return ""
	case row.MaterialExpires() != 0:
		return types.ExpirationModelTypeKeyMaterialExpires
	}
	return types.ExpirationModelTypeKeyMaterialDoesNotExpire
}

// materialID is the name of the material that was brought for a symmetric key [D]; others have none.
func materialID(row *model.KMSKey) *string {
	if row.Spec != "" || len(row.Materials) == 0 {
		return nil
	}
	return aws.String(row.Materials[0].ID)
}

func (a *api) getParametersForImport(ctx context.Context, in *sdk.GetParametersForImportInput) (*sdk.GetParametersForImportOutput, error) {
	row, err := a.importable(ctx, in.KeyId)
	if err != nil {
		return nil, err
	}
	w := keyring.Wrapping{Spec: string(in.WrappingKeySpec), Algorithm: string(in.WrappingAlgorithm), ValidTo: a.now() + tokenLife}
	public, token, err := a.ring.NewWrapping(row, w)
	switch {
	case errors.Is(err, keyring.ErrAlgorithm):
		return nil, unsupported("Roadstead does not wrap material of the key spec %s with the algorithm %s and a key of the spec %s.", specOf(row), w.Algorithm, w.Spec)
	case err != nil:
		return nil, err
	}
	return &sdk.GetParametersForImportOutput{KeyId: aws.String(row.ARN()), PublicKey: public, ImportToken: token, ParametersValidTo: moment(w.ValidTo)}, nil
}

func (a *api) importKeyMaterial(ctx context.Context, in *sdk.ImportKeyMaterialInput) (*sdk.ImportKeyMaterialOutput, error) {
	expires, err := a.validity(in)
	if err != nil {
		return nil, err
	}
	if err := lengths("encryptedKeyMaterial", len(in.EncryptedKeyMaterial), maxBlob); err != nil {
		return nil, err
	}
	if err := lengths("importToken", len(in.ImportToken), maxBlob); err != nil {
		return nil, err
	}
	if n := len([]rune(deref(in.KeyMaterialDescription))); n > maxMaterialWords {
		return nil, lengths("keyMaterialDescription", n, maxMaterialWords)
	}
	row, err := a.importable(ctx, in.KeyId)
	if err != nil {
		return nil, err
	}
	material, err := a.ring.Unwrap(row, in.ImportToken, in.EncryptedKeyMaterial, a.now()) // not in the update, which others wait for
	if err != nil {
		return nil, importRefusal(err)
	}
	row, err = a.edit(ctx, in.KeyId, func(row *model.KMSKey) error {
		if err := importable(row); err != nil {
			return err
		}
		if err := imports(row, in); err != nil {
			return err
		}
		if row.AwaitsMaterial() {
			row.Disabled = false // it comes to be enabled [D]; one that is disabled and has its material stays so [I]
		}
		if err := a.ring.Take(row, material, expires, a.now()); err != nil {
			return importRefusal(err)
		}
		if in.KeyMaterialDescription != nil {
			row.Materials[0].Description = *in.KeyMaterialDescription
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &sdk.ImportKeyMaterialOutput{KeyId: aws.String(row.ARN()), KeyMaterialId: materialID(row)}, nil
}

// validity is when the material of a request expires, 0 for never (the rules [D], the first wording [O]).
func (a *api) validity(in *sdk.ImportKeyMaterialInput) (model.Millis, error) {
	switch in.ExpirationModel {
	case types.ExpirationModelTypeKeyMaterialDoesNotExpire:
		if in.ValidTo != nil {
			return 0, invalid("A validTo date cannot be set if the ExpirationModel is KEY_MATERIAL_DOES_NOT_EXPIRE") // [I]
		}
		return 0, nil
	case "", types.ExpirationModelTypeKeyMaterialExpires:
	default:
		return 0, invalid("1 validation error detected: Value '%s' at 'expirationModel' failed to satisfy constraint: Member must satisfy enum value set: [KEY_MATERIAL_DOES_NOT_EXPIRE, KEY_MATERIAL_EXPIRES]", in.ExpirationModel) // [O]
	}
	if in.ValidTo == nil {
		return 0, invalid("A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES")
	}
	switch end, now := in.ValidTo.UnixMilli(), a.now(); {
	case end <= now:
		return 0, invalid("ValidTo must be in the future") // [O]
	case end > now+longestValidity:
		return 0, invalid("ValidTo must be no later than %s", time.UnixMilli(now+longestValidity).UTC().Format(time.RFC3339)) // [I]
	default:
		return end, nil
	}
}

// imports refuses what a request says of its material that is not so of the key's. A key has one material: a second would need rotation on
// demand, which is not served.
func imports(row *model.KMSKey, in *sdk.ImportKeyMaterialInput) error {
	first := len(row.Materials) == 0
	switch {
	case row.Spec != "" && (in.ImportType != "" || in.KeyMaterialId != nil || in.KeyMaterialDescription != nil):
		return invalid("ImportType, KeyMaterialId and KeyMaterialDescription are for symmetric encryption keys.") // [D] the rule, [I] the words
	case in.ImportType == types.ImportTypeNewKeyMaterial && in.KeyMaterialId != nil:
		return invalid("KeyMaterialId cannot be specified with the import type NEW_KEY_MATERIAL.") // [D] the rule, [I] the words
	case in.ImportType == types.ImportTypeNewKeyMaterial && !first:
		return unsupported("Roadstead does not serve a second material of a key.")
	case in.ImportType == types.ImportTypeExistingKeyMaterial && first,
		in.KeyMaterialId != nil && (first || *in.KeyMaterialId != row.Materials[0].ID):
		return importRefusal(keyring.ErrMaterial)
	case in.ImportType != "" && in.ImportType != types.ImportTypeNewKeyMaterial && in.ImportType != types.ImportTypeExistingKeyMaterial:
		return invalid("1 validation error detected: Value '%s' at 'importType' failed to satisfy constraint: Member must satisfy enum value set: [EXISTING_KEY_MATERIAL, NEW_KEY_MATERIAL]", in.ImportType) // [I]
	}
	return nil
}

// importRefusal is KMS's answer to what cannot be imported (codes [D], words [I]).
func importRefusal(err error) error {
	switch {
	case errors.Is(err, keyring.ErrToken):
		return model.Errorf("InvalidImportTokenException", "The import token is invalid, or is associated with a different KMS key.")
	case errors.Is(err, keyring.ErrTokenExpired):
		return model.Errorf("ExpiredImportTokenException", "The import token is expired.")
	case errors.Is(err, keyring.ErrDamaged):
		return errCiphertext
	case errors.Is(err, keyring.ErrMaterial):
		return model.Errorf("IncorrectKeyMaterialException", "The key material is invalid, or is not the same key material that was previously imported.")
	}
	return err
}

// deleteImportedKeyMaterial leaves a key as it was before its material came. One that has none stays as it is [D].
func (a *api) deleteImportedKeyMaterial(ctx context.Context, in *sdk.DeleteImportedKeyMaterialInput) (*sdk.DeleteImportedKeyMaterialOutput, error) {
	row, err := a.edit(ctx, in.KeyId, func(row *model.KMSKey) error {
		if err := brought(row); err != nil {
			return err
		}
		if id := deref(in.KeyMaterialId); id != "" && id != deref(materialID(row)) {
			return model.Errorf("NotFoundException", "The key %s has no key material %s.", row.ARN(), id) // [I]
		}
		*row = *row.WithoutMaterial()
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &sdk.DeleteImportedKeyMaterialOutput{KeyId: aws.String(row.ARN()), KeyMaterialId: materialID(row)}, nil
}
