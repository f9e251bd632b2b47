package kms

import (
	"cmp"
	"context"
	"crypto/rsa"
	"errors"
	"io"
	"strings"

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

// dried refuses what is no more than a question [D].
func dried(dry *bool) error {
	if deref(dry) {
		return model.Errorf("DryRunOperationException", "The request would have succeeded, but the DryRun option is set.") // [I]
	}
	return nil
}

// incompatible is what an algorithm is refused with that the key has not.
func incompatible(row *model.KMSKey, algorithm string) error {
	return model.Errorf("InvalidKeyUsageException", "Algorithm %s is incompatible with key spec %s.", algorithm, specOf(row)) // [O]
}

// serves refuses a key that cannot be used, or not for that.
func serves(row *model.KMSKey, operation, usage string) error {
	if err := row.Usable(); err != nil {
		return err
	}
	return row.Serves(operation, usage)
}

// close encrypts with a key that a request names. Operations that make data keys have no algorithm, and need a symmetric key [D].
func (a *api) close(ctx context.Context, operation string, id *string, text []byte, context map[string]string, dry *bool, algorithm types.EncryptionAlgorithmSpec) (*model.KMSKey, []byte, error) {
	row, err := a.look(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	if err := serves(row, operation, keyring.Encrypts); err != nil {
		return nil, nil, err
	}
	if row.Spec == "" {
		if algorithm != "" && algorithm != types.EncryptionAlgorithmSpecSymmetricDefault {
			return nil, nil, incompatible(row, string(algorithm))
		}
		if err := dried(dry); err != nil {
			return nil, nil, err
		}
		if row, err = a.fresh(ctx, row); err != nil {
			return nil, nil, err
		}
		blob, err := a.ring.Encrypt(row, text, context)
		return row, blob, err
	}
	if strings.HasPrefix(operation, "GenerateDataKey") {
		return nil, nil, model.Errorf("InvalidKeyUsageException", "%s key spec is %s which is not valid for %s.", row.ARN(), row.Spec, operation) // [I]
	}
	if len(context) > 0 {
		return nil, nil, invalid("EncryptionContext is not supported with asymmetric keys.") // [D] the rule, [I] the words
	}
	blob, err := a.ring.EncryptRSA(row, string(algorithmOr(algorithm)), text)
	switch {
	case errors.Is(err, keyring.ErrAlgorithm):
		return nil, nil, incompatible(row, string(algorithmOr(algorithm)))
	case errors.Is(err, rsa.ErrMessageTooLong):
		return nil, nil, invalid("Algorithm %s and key spec %s cannot encrypt data larger than the key allows.", algorithm, row.Spec) // [D] the rule, [I] the words
	case err != nil:
		return nil, nil, err
	}
	return row, blob, dried(dry)
}

// algorithmOr is the algorithm of a request that may say none.
func algorithmOr(algorithm types.EncryptionAlgorithmSpec) types.EncryptionAlgorithmSpec {
	return cmp.Or(algorithm, types.EncryptionAlgorithmSpecSymmetricDefault)
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
	if algorithm != "" && algorithm != types.EncryptionAlgorithmSpecSymmetricDefault {
		return a.openRSA(ctx, id, blob, dry, algorithm)
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
	text, err := a.ring.Decrypt(row, blob, context)
	switch {
	case errors.Is(err, keyring.ErrDamaged):
		return nil, nil, errCiphertext
	case err != nil:
		return nil, nil, err
	}
	return row, text, dried(dry)
}

// openRSA decrypts with a key of RSA, which the request has to name: what it encrypts says nothing [D].
func (a *api) openRSA(ctx context.Context, id *string, text []byte, dry *bool, algorithm types.EncryptionAlgorithmSpec) (*model.KMSKey, []byte, error) {
	if id == nil {
		return nil, nil, invalid("KeyId is required with the algorithm %s.", algorithm) // [D] the rule, [I] the words
	}
	row, err := a.look(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	if err := serves(row, "Decrypt", keyring.Encrypts); err != nil {
		return nil, nil, err
	}
	plain, err := a.ring.DecryptRSA(row, string(algorithm), text)
	switch {
	case errors.Is(err, keyring.ErrAlgorithm):
		return nil, nil, incompatible(row, string(algorithm))
	case errors.Is(err, keyring.ErrDamaged):
		return nil, nil, errCiphertext
	case err != nil:
		return nil, nil, err
	}
	return row, plain, dried(dry)
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
	row, blob, err := a.close(ctx, "Encrypt", in.KeyId, in.Plaintext, in.EncryptionContext, in.DryRun, in.EncryptionAlgorithm)
	if err != nil {
		return nil, err
	}
	return &sdk.EncryptOutput{CiphertextBlob: blob, KeyId: aws.String(row.ARN()), EncryptionAlgorithm: algorithmOr(in.EncryptionAlgorithm)}, nil
}

func (a *api) decrypt(ctx context.Context, in *sdk.DecryptInput) (*sdk.DecryptOutput, error) {
	if in.Recipient != nil {
		return nil, unsupported("Roadstead does not serve enclaves.")
	}
	row, text, err := a.open(ctx, in.KeyId, in.CiphertextBlob, in.EncryptionContext, in.DryRun, in.EncryptionAlgorithm)
	if err != nil {
		return nil, err
	}
	return &sdk.DecryptOutput{Plaintext: text, KeyId: aws.String(row.ARN()), EncryptionAlgorithm: algorithmOr(in.EncryptionAlgorithm)}, nil
}

func (a *api) reEncrypt(ctx context.Context, in *sdk.ReEncryptInput) (*sdk.ReEncryptOutput, error) {
	from, text, err := a.open(ctx, in.SourceKeyId, in.CiphertextBlob, in.SourceEncryptionContext, nil, in.SourceEncryptionAlgorithm)
	if err != nil {
		return nil, err
	}
	to, blob, err := a.close(ctx, "ReEncrypt", in.DestinationKeyId, text, in.DestinationEncryptionContext, in.DryRun, in.DestinationEncryptionAlgorithm)
	if err != nil {
		return nil, err
	}
	return &sdk.ReEncryptOutput{
		CiphertextBlob: blob, KeyId: aws.String(to.ARN()), SourceKeyId: aws.String(from.ARN()),
		SourceEncryptionAlgorithm: algorithmOr(in.SourceEncryptionAlgorithm), DestinationEncryptionAlgorithm: algorithmOr(in.DestinationEncryptionAlgorithm),
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
	row, blob, err := a.close(ctx, "GenerateDataKey", in.KeyId, text, in.EncryptionContext, in.DryRun, "")
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
	row, blob, err := a.close(ctx, "GenerateDataKeyWithoutPlaintext", in.KeyId, text, in.EncryptionContext, in.DryRun, "")
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
