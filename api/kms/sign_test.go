package kms_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// made makes a key of a spec and returns its ARN.
func (w *world) made(spec types.KeySpec, usage types.KeyUsageType) *string {
	w.t.Helper()
	out, err := w.CreateKey(w.t.Context(), &sdk.CreateKeyInput{KeySpec: spec, KeyUsage: usage})
	if err != nil {
		w.t.Fatalf("%s: %v", spec, err)
	}
	if out.KeyMetadata.KeySpec != spec || out.KeyMetadata.KeyUsage != usage {
		w.t.Errorf("%s %s: %+v", spec, usage, out.KeyMetadata)
	}
	return out.KeyMetadata.Arn
}

// public is the public key as a program reads it.
func (w *world) public(key *string) crypto.PublicKey {
	w.t.Helper()
	out, err := w.GetPublicKey(w.t.Context(), &sdk.GetPublicKeyInput{KeyId: key})
	if err != nil {
		w.t.Fatal(err)
	}
	public, err := x509.ParsePKIXPublicKey(out.PublicKey)
	if err != nil {
		w.t.Fatal(err)
	}
	return public
}

// [D] Whoever has the public key can check what a key has signed; KMS does so too, and says of what is wrong nothing but that.
func TestSignatures(t *testing.T) {
	w := newWorld(t)
	ctx, message := t.Context(), []byte("message")
	sum := sha256.Sum256(message)
	pair, curve := w.made(types.KeySpecRsa2048, types.KeyUsageTypeSignVerify), w.made(types.KeySpecEccNistP256, types.KeyUsageTypeSignVerify)
	checks := map[types.SigningAlgorithmSpec]func(signature []byte) bool{
		types.SigningAlgorithmSpecRsassaPkcs1V15Sha256: func(s []byte) bool {
			return rsa.VerifyPKCS1v15(w.public(pair).(*rsa.PublicKey), crypto.SHA256, sum[:], s) == nil
		},
		types.SigningAlgorithmSpecRsassaPssSha256: func(s []byte) bool {
			return rsa.VerifyPSS(w.public(pair).(*rsa.PublicKey), crypto.SHA256, sum[:], s, nil) == nil
		},
		types.SigningAlgorithmSpecEcdsaSha256: func(s []byte) bool {
			return ecdsa.VerifyASN1(w.public(curve).(*ecdsa.PublicKey), sum[:], s)
		},
	}
	for algorithm, check := range checks {
		key := pair
		if algorithm == types.SigningAlgorithmSpecEcdsaSha256 {
			key = curve
		}
		for kind, text := range map[types.MessageType][]byte{types.MessageTypeRaw: message, types.MessageTypeDigest: sum[:]} {
			signed, err := w.Sign(ctx, &sdk.SignInput{KeyId: key, Message: text, MessageType: kind, SigningAlgorithm: algorithm})
			if err != nil {
				t.Errorf("%s %s: %v", algorithm, kind, err)
				continue
			}
			if !check(signed.Signature) {
				t.Errorf("%s %s: the public key does not fit", algorithm, kind)
			}
			right, err := w.Verify(ctx, &sdk.VerifyInput{KeyId: key, Message: message, Signature: signed.Signature, SigningAlgorithm: algorithm})
			if err != nil || !right.SignatureValid {
				t.Errorf("%s %s: %+v, %v", algorithm, kind, right, err)
			}
			_, err = w.Verify(ctx, &sdk.VerifyInput{KeyId: key, Message: []byte("other"), Signature: signed.Signature, SigningAlgorithm: algorithm})
			if code(err) != "KMSInvalidSignatureException" {
				t.Errorf("%s %s, another message: %v", algorithm, kind, err)
			}
		}
	}
	sign := func(key *string, text []byte, kind types.MessageType, algorithm types.SigningAlgorithmSpec) string {
		_, err := w.Sign(ctx, &sdk.SignInput{KeyId: key, Message: text, MessageType: kind, SigningAlgorithm: algorithm})
		return code(err)
	}
	if got := sign(curve, message, types.MessageTypeDigest, types.SigningAlgorithmSpecEcdsaSha256); got != "ValidationException" {
		t.Errorf("a digest that is none: %q", got)
	}
	if got := sign(curve, message, types.MessageTypeRaw, types.SigningAlgorithmSpecRsassaPssSha256); got != "InvalidKeyUsageException" {
		t.Errorf("an algorithm of other keys: %q", got)
	}
	if got := sign(w.create(), message, types.MessageTypeRaw, types.SigningAlgorithmSpecEcdsaSha256); got != "InvalidKeyUsageException" {
		t.Errorf("a symmetric key: %q", got)
	}
	if _, err := w.EnableKeyRotation(ctx, &sdk.EnableKeyRotationInput{KeyId: pair}); code(err) != "UnsupportedOperationException" {
		t.Errorf("rotation: %v", err)
	}
	if _, err := w.GenerateDataKey(ctx, &sdk.GenerateDataKeyInput{KeyId: pair, KeySpec: types.DataKeySpecAes256}); code(err) != "InvalidKeyUsageException" {
		t.Errorf("a data key: %v", err)
	}
}

// [D] What anybody has encrypted with the public key opens with the key's name and algorithm.
func TestEncryptionByPair(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	pair := w.made(types.KeySpecRsa2048, types.KeyUsageTypeEncryptDecrypt)
	outside, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, w.public(pair).(*rsa.PublicKey), []byte("text"), nil)
	if err != nil {
		t.Fatal(err)
	}
	const algorithm = types.EncryptionAlgorithmSpecRsaesOaepSha256
	inside, err := w.Encrypt(ctx, &sdk.EncryptInput{KeyId: pair, Plaintext: []byte("text"), EncryptionAlgorithm: algorithm})
	if err != nil {
		t.Fatal(err)
	}
	for where, blob := range map[string][]byte{"outside": outside, "here": inside.CiphertextBlob} {
		out, err := w.Decrypt(ctx, &sdk.DecryptInput{KeyId: pair, CiphertextBlob: blob, EncryptionAlgorithm: algorithm})
		if err != nil || string(out.Plaintext) != "text" {
			t.Errorf("encrypted %s: %+v, %v", where, out, err)
		}
		_, err = w.Decrypt(ctx, &sdk.DecryptInput{KeyId: pair, CiphertextBlob: blob, EncryptionAlgorithm: types.EncryptionAlgorithmSpecRsaesOaepSha1})
		if code(err) != "InvalidCiphertextException" {
			t.Errorf("encrypted %s, with another algorithm: %v", where, err)
		}
	}
	if _, err := w.Encrypt(ctx, &sdk.EncryptInput{KeyId: pair, Plaintext: make([]byte, 300), EncryptionAlgorithm: algorithm}); code(err) != "ValidationException" {
		t.Errorf("too much: %v", err)
	}
	if _, err := w.Encrypt(ctx, &sdk.EncryptInput{KeyId: pair, Plaintext: []byte("text")}); code(err) != "InvalidKeyUsageException" {
		t.Errorf("without an algorithm: %v", err)
	}
}

// [D] A code is the HMAC of a message, which only KMS can make.
func TestMacs(t *testing.T) {
	w := newWorld(t)
	ctx, message := t.Context(), []byte("message")
	key := w.made(types.KeySpecHmac256, types.KeyUsageTypeGenerateVerifyMac)
	const algorithm = types.MacAlgorithmSpecHmacSha256
	made, err := w.GenerateMac(ctx, &sdk.GenerateMacInput{KeyId: key, Message: message, MacAlgorithm: algorithm})
	if err != nil || len(made.Mac) != sha256.Size || hmac.Equal(made.Mac, hmac.New(sha256.New, nil).Sum(nil)) {
		t.Fatalf("%+v, %v", made, err)
	}
	verify := func(text string) error {
		_, err := w.VerifyMac(ctx, &sdk.VerifyMacInput{KeyId: key, Message: []byte(text), Mac: made.Mac, MacAlgorithm: algorithm})
		return err
	}
	if err := verify("message"); err != nil {
		t.Error(err)
	}
	if err := verify("other"); code(err) != "KMSInvalidMacException" {
		t.Errorf("another message: %v", err)
	}
	if _, err := w.GenerateMac(ctx, &sdk.GenerateMacInput{KeyId: key, Message: message, MacAlgorithm: types.MacAlgorithmSpecHmacSha512}); code(err) != "InvalidKeyUsageException" {
		t.Errorf("an algorithm of other keys: %v", err)
	}
	if _, err := w.GetPublicKey(ctx, &sdk.GetPublicKeyInput{KeyId: key}); code(err) != "UnsupportedOperationException" {
		t.Errorf("its public key: %v", err)
	}
	for spec, usage := range map[types.KeySpec]types.KeyUsageType{types.KeySpecHmac256: types.KeyUsageTypeSignVerify, types.KeySpecRsa2048: "", types.KeySpecEccNistP384: types.KeyUsageTypeEncryptDecrypt} {
		if _, err := w.CreateKey(ctx, &sdk.CreateKeyInput{KeySpec: spec, KeyUsage: usage}); code(err) != "ValidationException" {
			t.Errorf("%s for %q: %v", spec, usage, err)
		}
	}
	if _, err := w.DisableKey(ctx, &sdk.DisableKeyInput{KeyId: key}); err != nil {
		t.Fatal(err)
	}
	if err := verify("message"); code(err) != "DisabledException" {
		t.Errorf("disabled: %v", aws.ToString(key))
	}
}
