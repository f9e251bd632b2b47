package kms

import (
	"context"

	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
)

// generateDataKeyPair makes a pair of keys that KMS does not keep, its private key encrypted with a symmetric key besides.
func (a *api) generateDataKeyPair(ctx context.Context, in *sdk.GenerateDataKeyPairInput) (*sdk.GenerateDataKeyPairOutput, error) {
	if in.Recipient != nil {
		return nil, unsupported("Roadstead does not serve enclaves.")
	}
	private, public, ok, err := a.ring.NewPair(string(in.KeyPairSpec))
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return nil, unsupported("Roadstead does not serve data key pairs of the spec %s.", in.KeyPairSpec)
	}
	row, blob, err := a.close(ctx, "GenerateDataKeyPair", in.KeyId, private, in.EncryptionContext, in.DryRun, "")
	if err != nil {
		return nil, err
	}
	return &sdk.GenerateDataKeyPairOutput{
		KeyId: new(row.ARN()), KeyPairSpec: in.KeyPairSpec, PrivateKeyPlaintext: private, PrivateKeyCiphertextBlob: blob, PublicKey: public,
	}, nil
}

func (a *api) generateDataKeyPairWithoutPlaintext(ctx context.Context, in *sdk.GenerateDataKeyPairWithoutPlaintextInput) (*sdk.GenerateDataKeyPairWithoutPlaintextOutput, error) {
	out, err := a.generateDataKeyPair(ctx, &sdk.GenerateDataKeyPairInput{
		KeyId: in.KeyId, KeyPairSpec: in.KeyPairSpec, EncryptionContext: in.EncryptionContext, DryRun: in.DryRun, GrantTokens: in.GrantTokens,
	})
	if err != nil {
		return nil, err
	}
	return &sdk.GenerateDataKeyPairWithoutPlaintextOutput{
		KeyId: out.KeyId, KeyPairSpec: out.KeyPairSpec, PrivateKeyCiphertextBlob: out.PrivateKeyCiphertextBlob, PublicKey: out.PublicKey,
	}, nil
}
