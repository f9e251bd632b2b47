package kms_test

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/roadstead/roadstead/test/endpoint"
)

// [D] A data key pair is one of the spec; KMS keeps none of it, and decrypts its private key as it decrypts anything.
func TestDataKeyPairs(t *testing.T) {
	w := newWorld(t)
	ctx, key, with := t.Context(), w.create(), map[string]string{"a": "b"}
	for _, spec := range []types.DataKeyPairSpec{types.DataKeyPairSpecRsa2048, types.DataKeyPairSpecEccNistP256, types.DataKeyPairSpecEccNistP521} {
		out, err := w.GenerateDataKeyPair(ctx, &sdk.GenerateDataKeyPairInput{KeyId: key, KeyPairSpec: spec, EncryptionContext: with})
		if err != nil {
			t.Fatalf("%s: %v", spec, err)
		}
		public, err := x509.ParsePKIXPublicKey(out.PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		for what, der := range map[string][]byte{"plain": out.PrivateKeyPlaintext, "decrypted": []byte(w.opens(out.PrivateKeyCiphertextBlob, nil))} {
			private, err := x509.ParsePKCS8PrivateKey(der)
			if err != nil {
				t.Fatalf("%s, %s: %v", spec, what, err)
			}
			if same := public.(interface{ Equal(crypto.PublicKey) bool }).Equal(private.(crypto.Signer).Public()); !same || *out.KeyId != *key || out.KeyPairSpec != spec {
				t.Errorf("%s, %s: %+v", spec, what, out)
			}
		}
		sealed, err := w.GenerateDataKeyPairWithoutPlaintext(ctx, &sdk.GenerateDataKeyPairWithoutPlaintextInput{KeyId: key, KeyPairSpec: spec, EncryptionContext: with})
		if err != nil || bytes.Equal(sealed.PublicKey, out.PublicKey) {
			t.Fatalf("%s: %+v, %v", spec, sealed, err)
		}
		if _, err := x509.ParsePKCS8PrivateKey([]byte(w.opens(sealed.PrivateKeyCiphertextBlob, nil))); err != nil {
			t.Errorf("%s: %v", spec, err)
		}
	}
	for want, in := range map[string]*sdk.GenerateDataKeyPairInput{
		"UnsupportedOperationException": {KeyId: key, KeyPairSpec: types.DataKeyPairSpecSm2},
		"NotFoundException":             {KeyId: aws.String("alias/none"), KeyPairSpec: types.DataKeyPairSpecEccNistP256},
		"InvalidKeyUsageException":      {KeyId: w.made(types.KeySpecEccNistP256, types.KeyUsageTypeSignVerify), KeyPairSpec: types.DataKeyPairSpecEccNistP256},
		"DryRunOperationException":      {KeyId: key, KeyPairSpec: types.DataKeyPairSpecEccNistP256, DryRun: aws.Bool(true)},
	} {
		if _, err := w.GenerateDataKeyPair(ctx, in); code(err) != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	only := endpoint.Document(endpoint.Statement("Allow", "kms:GenerateDataKeyPair", `"Resource":"*","Condition":{"StringEquals":{"kms:DataKeyPairSpec":"ECC_NIST_P384"}}`))
	ann := sdk.NewFromConfig(w.User(endpoint.Account, "ann", only))
	for spec, want := range map[types.DataKeyPairSpec]string{types.DataKeyPairSpecEccNistP384: "", types.DataKeyPairSpecEccNistP256: "AccessDeniedException"} {
		if _, err := ann.GenerateDataKeyPair(ctx, &sdk.GenerateDataKeyPairInput{KeyId: key, KeyPairSpec: spec}); code(err) != want {
			t.Errorf("%s: %v", spec, err)
		}
	}
}
