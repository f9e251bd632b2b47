package kms

import (
	"context"
	"crypto/hmac"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/roadstead/roadstead/keyring"
	"github.com/roadstead/roadstead/model"
)

// The messages of these are empty [O].
var (
	errSignature = model.Errorf("KMSInvalidSignatureException", "")
	errMac       = model.Errorf("KMSInvalidMacException", "")
)

// tool returns a key for an operation of a usage.
func (a *api) tool(ctx context.Context, id *string, operation, usage string) (*model.KMSKey, error) {
	row, err := a.look(ctx, id)
	if err != nil {
		return nil, err
	}
	return row, serves(row, operation, usage)
}

func (a *api) getPublicKey(ctx context.Context, in *sdk.GetPublicKeyInput) (*sdk.GetPublicKeyOutput, error) {
	row, err := a.look(ctx, in.KeyId)
	if err != nil {
		return nil, err
	}
	if err := row.Usable(); err != nil {
		return nil, err
	}
	if row.Spec == "" || row.Usage == keyring.Macs {
		return nil, unsupported("%s is not an asymmetric KMS key.", row.ARN()) // [I]
	}
	public, err := a.ring.Public(row)
	if err != nil {
		return nil, err
	}
	out := &sdk.GetPublicKeyOutput{
		KeyId: aws.String(row.ARN()), PublicKey: public, KeySpec: types.KeySpec(row.Spec), CustomerMasterKeySpec: types.CustomerMasterKeySpec(row.Spec), KeyUsage: types.KeyUsageType(row.Usage),
	}
	out.EncryptionAlgorithms, out.SigningAlgorithms, _ = algorithmsOf(row)
	return out, nil
}

// digested says whether a message is a digest.
func digested(kind types.MessageType) (bool, error) {
	switch kind {
	case "", types.MessageTypeRaw:
		return false, nil
	case types.MessageTypeDigest:
		return true, nil
	}
	return false, invalid("1 validation error detected: Value '%s' at 'messageType' failed to satisfy constraint: Member must satisfy enum value set: [RAW, DIGEST]", kind) // [I]
}

// refusal is KMS's answer to what a key cannot do.
func refusal(row *model.KMSKey, algorithm string, err error) error {
	switch {
	case errors.Is(err, keyring.ErrAlgorithm):
		return incompatible(row, algorithm)
	case errors.Is(err, keyring.ErrDigest):
		return invalid("Digest is invalid length for algorithm %s.", algorithm) // [O]
	}
	return err
}

func (a *api) sign(ctx context.Context, in *sdk.SignInput) (*sdk.SignOutput, error) {
	if err := lengths("message", len(in.Message), maxPlain); err != nil {
		return nil, err
	}
	isDigest, err := digested(in.MessageType)
	if err != nil {
		return nil, err
	}
	row, err := a.tool(ctx, in.KeyId, "Sign", keyring.Signs)
	if err != nil {
		return nil, err
	}
	signature, err := a.ring.Sign(row, string(in.SigningAlgorithm), in.Message, isDigest)
	if err != nil {
		return nil, refusal(row, string(in.SigningAlgorithm), err)
	}
	return &sdk.SignOutput{KeyId: aws.String(row.ARN()), Signature: signature, SigningAlgorithm: in.SigningAlgorithm}, dried(in.DryRun)
}

// verify answers only that a signature is right: one that is not is an error [D].
func (a *api) verify(ctx context.Context, in *sdk.VerifyInput) (*sdk.VerifyOutput, error) {
	if err := lengths("message", len(in.Message), maxPlain); err != nil {
		return nil, err
	}
	isDigest, err := digested(in.MessageType)
	if err != nil {
		return nil, err
	}
	row, err := a.tool(ctx, in.KeyId, "Verify", keyring.Signs)
	if err != nil {
		return nil, err
	}
	right, err := a.ring.Verify(row, string(in.SigningAlgorithm), in.Message, isDigest, in.Signature)
	switch {
	case err != nil:
		return nil, refusal(row, string(in.SigningAlgorithm), err)
	case !right:
		return nil, errSignature
	}
	return &sdk.VerifyOutput{KeyId: aws.String(row.ARN()), SignatureValid: true, SigningAlgorithm: in.SigningAlgorithm}, dried(in.DryRun)
}

func (a *api) generateMac(ctx context.Context, in *sdk.GenerateMacInput) (*sdk.GenerateMacOutput, error) {
	row, mac, err := a.mac(ctx, in.KeyId, "GenerateMac", in.MacAlgorithm, in.Message)
	if err != nil {
		return nil, err
	}
	return &sdk.GenerateMacOutput{KeyId: aws.String(row.ARN()), Mac: mac, MacAlgorithm: in.MacAlgorithm}, dried(in.DryRun)
}

func (a *api) mac(ctx context.Context, id *string, operation string, algorithm types.MacAlgorithmSpec, message []byte) (*model.KMSKey, []byte, error) {
	if err := lengths("message", len(message), maxPlain); err != nil {
		return nil, nil, err
	}
	row, err := a.tool(ctx, id, operation, keyring.Macs)
	if err != nil {
		return nil, nil, err
	}
	mac, err := a.ring.Mac(row, string(algorithm), message)
	return row, mac, refusal(row, string(algorithm), err)
}

// verifyMac answers only that a code is right: one that is not is an error [D].
func (a *api) verifyMac(ctx context.Context, in *sdk.VerifyMacInput) (*sdk.VerifyMacOutput, error) {
	row, mac, err := a.mac(ctx, in.KeyId, "VerifyMac", in.MacAlgorithm, in.Message)
	switch {
	case err != nil:
		return nil, err
	case !hmac.Equal(mac, in.Mac):
		return nil, errMac
	}
	return &sdk.VerifyMacOutput{KeyId: aws.String(row.ARN()), MacValid: true, MacAlgorithm: in.MacAlgorithm}, dried(in.DryRun)
}
