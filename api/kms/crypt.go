package kms

import (
	"context"
	"errors"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/roadstead/roadstead/keyring"
	"github.com/roadstead/roadstead/model"
)

// Limits [D].
const (
	maxPlain  = 4096 // bytes
	maxBlob   = 6144
	maxRandom = 1024
)

// lengths refuses a text of a wrong length.
func lengths(member string, n, most int) error {
	switch {
	case n < 1:
		return invalid("1 validation error detected: Value at '%s' failed to satisfy constraint: Member must have length greater than or equal to 1", member) // [O]
	case n > most:
		return invalid("1 validation error detected: Value at '%s' failed to satisfy constraint: Member must have length less than or equal to %d", member, most) // [O]
	}
	return nil
}

// plain refuses what other keys than symmetric ones would do, and what is no more than a question [D].
func plain(dry *bool, algorithms ...types.EncryptionAlgorithmSpec) error {
	for _, alg := range algorithms {
		if alg != "" && alg != types.EncryptionAlgorithmSpecSymmetricDefault {
			return model.Errorf("InvalidKeyUsageException", "Algorithm %s is incompatible with key spec SYMMETRIC_DEFAULT.", alg) // [O]
		}
	}
	if deref(dry) {
		return model.Errorf("DryRunOperationException", "The request would have succeeded, but the DryRun option is set.") // [I]
	}
	return nil
}

// close encrypts with a key that a request names.
func (a *api) close(ctx context.Context, id *string, text []byte, context map[string]string, dry *bool, algorithm types.EncryptionAlgorithmSpec) (*model.KMSKey, []byte, error) {
	row, err := a.look(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	if err := row.Usable(); err != nil {
		return nil, nil, err
	}
	if err := plain(dry, algorithm); err != nil {
		return nil, nil, err
	}
	if row, err = a.fresh(ctx, row); err != nil {
		return nil, nil, err
	}
	blob, err := a.ring.Encrypt(row, text, context)
	return row, blob, err
}

// The messages of these are empty [O].
var (
	errCiphertext = model.Errorf("InvalidCiphertextException", "")
	errOtherKey   = model.Errorf("IncorrectKeyException", "The key ID in the request does not identify a CMK that can perform this operation.")
)

// open decrypts a blob with the key that it names, which has to be the one that the request names, if it does.
func (a *api) open(ctx context.Context, id *string, blob []byte, context map[string]string, dry *bool, algorithm types.EncryptionAlgorithmSpec) (*model.KMSKey, []byte, error) {
	if err := lengths("ciphertextBlob", len(blob), maxBlob); err != nil {
		return nil, nil, err
	}
	by, ok := keyring.Encrypted(blob)
	if !ok {
		return nil, nil, errCiphertext
	}
	key, err := keyOf(ctx, by)
	if err != nil {
		return nil, nil, err
	}
	if id != nil {
		named, err := a.look(ctx, id)
		if err != nil {
			return nil, nil, err
		}
		if named.ARN() != key {
			return nil, nil, errOtherKey
		}
	}
	row, err := a.look(ctx, &key)
	if err != nil {
		return nil, nil, model.Errorf("AccessDeniedException", "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.") // [O]
	}
	if err := row.Usable(); err != nil {
		return nil, nil, err
	}
	if err := plain(nil, algorithm); err != nil {
		return nil, nil, err
	}
	text, err := a.ring.Decrypt(row, blob, context)
	switch {
	case errors.Is(err, keyring.ErrDamaged):
		return nil, nil, errCiphertext
	case err != nil:
		return nil, nil, err
	}
	return row, text, plain(dry)
}

// keyOf is the ARN of the key that has encrypted a blob.
func keyOf(ctx context.Context, by keyring.Ref) (string, error) {
	s, err := scopeOf(ctx)
	if by.Account != "" {
		s.Account = by.Account
	}
	return s.ARN("kms", "key/"+by.Key), err
}

func (a *api) encrypt(ctx context.Context, in *sdk.EncryptInput) (*sdk.EncryptOutput, error) {
	if err := lengths("plaintext", len(in.Plaintext), maxPlain); err != nil {
		return nil, err
	}
	row, blob, err := a.close(ctx, in.KeyId, in.Plaintext, in.EncryptionContext, in.DryRun, in.EncryptionAlgorithm)
	if err != nil {
		return nil, err
	}
	return &sdk.EncryptOutput{CiphertextBlob: blob, KeyId: aws.String(row.ARN()), EncryptionAlgorithm: types.EncryptionAlgorithmSpecSymmetricDefault}, nil
}

func (a *api) decrypt(ctx context.Context, in *sdk.DecryptInput) (*sdk.DecryptOutput, error) {
	if in.Recipient != nil {
		return nil, unsupported("Roadstead does not serve enclaves.")
	}
	row, text, err := a.open(ctx, in.KeyId, in.CiphertextBlob, in.EncryptionContext, in.DryRun, in.EncryptionAlgorithm)
	if err != nil {
		return nil, err
	}
	return &sdk.DecryptOutput{Plaintext: text, KeyId: aws.String(row.ARN()), EncryptionAlgorithm: types.EncryptionAlgorithmSpecSymmetricDefault}, nil
}

func (a *api) reEncrypt(ctx context.Context, in *sdk.ReEncryptInput) (*sdk.ReEncryptOutput, error) {
	from, text, err := a.open(ctx, in.SourceKeyId, in.CiphertextBlob, in.SourceEncryptionContext, nil, in.SourceEncryptionAlgorithm)
	if err != nil {
		return nil, err
	}
	to, blob, err := a.close(ctx, in.DestinationKeyId, text, in.DestinationEncryptionContext, in.DryRun, in.DestinationEncryptionAlgorithm)
	if err != nil {
		return nil, err
	}
	const algorithm = types.EncryptionAlgorithmSpecSymmetricDefault
	return &sdk.ReEncryptOutput{
		CiphertextBlob: blob, KeyId: aws.String(to.ARN()), SourceKeyId: aws.String(from.ARN()),
		SourceEncryptionAlgorithm: algorithm, DestinationEncryptionAlgorithm: algorithm,
	}, nil
}

// dataKey makes as many random bytes as a request asks for.
func (a *api) dataKey(spec types.DataKeySpec, bytes *int32) ([]byte, error) {
	n := int(deref(bytes))
	switch {
	case (spec == "") == (bytes == nil):
		return nil, invalid("Please specify either number of bytes or key spec.") // [O]
	case spec == types.DataKeySpecAes256:
		n = 32
	case spec == types.DataKeySpecAes128:
		n = 16
	case spec != "":
		return nil, invalid("1 validation error detected: Value '%s' at 'keySpec' failed to satisfy constraint: Member must satisfy enum value set: [AES_256, AES_128]", spec) // [O]
	}
	return a.random(n)
}

func (a *api) random(n int) ([]byte, error) {
	if n < 1 || n > maxRandom {
		return nil, invalid("1 validation error detected: Value '%d' at 'numberOfBytes' failed to satisfy constraint: Member must have value between 1 and %d", n, maxRandom) // [I]
	}
	out := make([]byte, n)
	_, err := io.ReadFull(a.Random, out)
	return out, err
}

func (a *api) generateDataKey(ctx context.Context, in *sdk.GenerateDataKeyInput) (*sdk.GenerateDataKeyOutput, error) {
	if in.Recipient != nil {
		return nil, unsupported("Roadstead does not serve enclaves.")
	}
	text, err := a.dataKey(in.KeySpec, in.NumberOfBytes)
	if err != nil {
		return nil, err
	}
	row, blob, err := a.close(ctx, in.KeyId, text, in.EncryptionContext, in.DryRun, "")
	if err != nil {
		return nil, err
	}
	return &sdk.GenerateDataKeyOutput{CiphertextBlob: blob, Plaintext: text, KeyId: aws.String(row.ARN())}, nil
}

func (a *api) generateDataKeyWithoutPlaintext(ctx context.Context, in *sdk.GenerateDataKeyWithoutPlaintextInput) (*sdk.GenerateDataKeyWithoutPlaintextOutput, error) {
	text, err := a.dataKey(in.KeySpec, in.NumberOfBytes)
	if err != nil {
		return nil, err
	}
	row, blob, err := a.close(ctx, in.KeyId, text, in.EncryptionContext, in.DryRun, "")
	if err != nil {
		return nil, err
	}
	return &sdk.GenerateDataKeyWithoutPlaintextOutput{CiphertextBlob: blob, KeyId: aws.String(row.ARN())}, nil
}

func (a *api) generateRandom(_ context.Context, in *sdk.GenerateRandomInput) (*sdk.GenerateRandomOutput, error) {
	if in.Recipient != nil || in.CustomKeyStoreId != nil {
		return nil, unsupported("Roadstead does not serve enclaves and custom key stores.")
	}
	text, err := a.random(int(deref(in.NumberOfBytes)))
	if err != nil {
		return nil, err
	}
	return &sdk.GenerateRandomOutput{Plaintext: text}, nil
}
