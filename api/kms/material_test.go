package kms_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"hash"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/roadstead/roadstead/test/endpoint"
)

// external makes a key that waits for its material.
func (w *world) external(spec types.KeySpec, usage types.KeyUsageType) *string {
	w.t.Helper()
	out, err := w.CreateKey(w.t.Context(), &sdk.CreateKeyInput{Origin: types.OriginTypeExternal, KeySpec: spec, KeyUsage: usage})
	if err != nil {
		w.t.Fatal(err)
	}
	if m := out.KeyMetadata; m.KeyState != types.KeyStatePendingImport || m.Enabled || m.Origin != types.OriginTypeExternal || m.ExpirationModel != "" {
		w.t.Fatalf("a new key: %+v", m)
	}
	return out.KeyMetadata.Arn
}

// parcel is a request to import a material, with a token that was got for it now.
func (w *world) parcel(key *string, material []byte, spec types.WrappingKeySpec, algorithm types.AlgorithmSpec) *sdk.ImportKeyMaterialInput {
	w.t.Helper()
	p, err := w.GetParametersForImport(w.t.Context(), &sdk.GetParametersForImportInput{KeyId: key, WrappingKeySpec: spec, WrappingAlgorithm: algorithm})
	if err != nil {
		w.t.Fatal(err)
	}
	if want := w.Now().Add(24 * time.Hour); *p.KeyId != *key || !p.ParametersValidTo.Equal(want) {
		w.t.Errorf("parameters for %s until %v, want %v", *p.KeyId, p.ParametersValidTo, want)
	}
	return &sdk.ImportKeyMaterialInput{
		KeyId: key, ImportToken: p.ImportToken, EncryptedKeyMaterial: wrap(w.t, p.PublicKey, material, algorithm), ExpirationModel: types.ExpirationModelTypeKeyMaterialDoesNotExpire,
	}
}

func wrap(t *testing.T, public, material []byte, algorithm types.AlgorithmSpec) []byte {
	t.Helper()
	key, err := x509.ParsePKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	sum := map[types.AlgorithmSpec]hash.Hash{types.AlgorithmSpecRsaesOaepSha1: sha1.New(), types.AlgorithmSpecRsaesOaepSha256: sha256.New()}[algorithm]
	wrapped, err := rsa.EncryptOAEP(sum, rand.Reader, key.(*rsa.PublicKey), material, nil)
	if err != nil {
		t.Fatal(err)
	}
	return wrapped
}

// bring imports a material for ever, and returns the error's code.
func (w *world) bring(key *string, material []byte) string {
	w.t.Helper()
	_, err := w.ImportKeyMaterial(w.t.Context(), w.parcel(key, material, types.WrappingKeySpecRsa2048, types.AlgorithmSpecRsaesOaepSha256))
	return code(err)
}

func (w *world) state(key *string) types.KeyState {
	w.t.Helper()
	out, err := w.DescribeKey(w.t.Context(), &sdk.DescribeKeyInput{KeyId: key})
	if err != nil {
		w.t.Fatal(err)
	}
	return out.KeyMetadata.KeyState
}

// [D] A key works with the material that was brought, is pending import without it, and takes no other.
func TestImportedMaterial(t *testing.T) {
	w := newWorld(t)
	ctx, key, material := t.Context(), w.external("", ""), bytes.Repeat([]byte{7}, 32)
	_, err := w.Encrypt(ctx, &sdk.EncryptInput{KeyId: key, Plaintext: []byte("text")})
	if code(err) != "KMSInvalidStateException" {
		t.Errorf("before the import: %v", err)
	}
	if got := w.bring(key, material[:31]); got != "IncorrectKeyMaterialException" {
		t.Errorf("31 bytes: %q", got)
	}
	for i, p := range []struct {
		spec      types.WrappingKeySpec
		algorithm types.AlgorithmSpec
	}{
		{types.WrappingKeySpecRsa2048, types.AlgorithmSpecRsaesOaepSha1}, {types.WrappingKeySpecRsa3072, types.AlgorithmSpecRsaesOaepSha256}, {types.WrappingKeySpecRsa4096, types.AlgorithmSpecRsaesOaepSha256},
	} {
		out, err := w.ImportKeyMaterial(ctx, w.parcel(key, material, p.spec, p.algorithm))
		if err != nil || len(aws.ToString(out.KeyMaterialId)) != 64 || w.state(key) != types.KeyStateEnabled {
			t.Fatalf("import %d: %+v, %v, %s", i, out, err, w.state(key))
		}
	}
	blob := w.encrypt(key, "text")
	if got := w.bring(key, bytes.Repeat([]byte{8}, 32)); got != "IncorrectKeyMaterialException" {
		t.Errorf("another material: %q", got)
	}
	if _, err := w.DeleteImportedKeyMaterial(ctx, &sdk.DeleteImportedKeyMaterialInput{KeyId: key}); err != nil {
		t.Fatal(err)
	}
	if got := w.opens(blob, nil); got != "KMSInvalidStateException" || w.state(key) != types.KeyStatePendingImport {
		t.Errorf("without its material: %q, %s", got, w.state(key))
	}
	if _, err := w.DeleteImportedKeyMaterial(ctx, &sdk.DeleteImportedKeyMaterialInput{KeyId: key}); err != nil {
		t.Errorf("deleting nothing: %v", err)
	}
	if got := w.bring(key, bytes.Repeat([]byte{8}, 32)); got != "IncorrectKeyMaterialException" {
		t.Errorf("another material after the first was deleted: %q", got)
	}
	if got := w.bring(key, material); got != "" {
		t.Errorf("the same again: %q", got)
	}
	if got := w.opens(blob, nil); got != "text" {
		t.Errorf("it opens as %q", got)
	}
}

// [D] A material expires by the clock, and is brought again.
func TestMaterialExpires(t *testing.T) {
	w := newWorld(t)
	ctx, key, material := t.Context(), w.external("", ""), bytes.Repeat([]byte{7}, 32)
	in := w.parcel(key, material, types.WrappingKeySpecRsa2048, types.AlgorithmSpecRsaesOaepSha256)
	for what, set := range map[string]func(){
		"no time":           func() { in.ExpirationModel, in.ValidTo = types.ExpirationModelTypeKeyMaterialExpires, nil },
		"no model, no time": func() { in.ExpirationModel, in.ValidTo = "", nil },
		"a past time":       func() { in.ExpirationModel, in.ValidTo = "", aws.Time(w.Now()) },
		"a far time":        func() { in.ExpirationModel, in.ValidTo = "", aws.Time(w.Now().AddDate(1, 0, 1)) },
		"a time for ever": func() {
			in.ExpirationModel, in.ValidTo = types.ExpirationModelTypeKeyMaterialDoesNotExpire, aws.Time(w.Now().Add(time.Hour))
		},
	} {
		if set(); code(second(w.ImportKeyMaterial(ctx, in))) != "ValidationException" {
			t.Errorf("%s was taken", what)
		}
	}
	in.ExpirationModel, in.ValidTo = types.ExpirationModelTypeKeyMaterialExpires, aws.Time(w.Now().Add(time.Hour))
	if _, err := w.ImportKeyMaterial(ctx, in); err != nil {
		t.Fatal(err)
	}
	out, err := w.DescribeKey(ctx, &sdk.DescribeKeyInput{KeyId: key})
	if err != nil || out.KeyMetadata.ExpirationModel != types.ExpirationModelTypeKeyMaterialExpires || !aws.ToTime(out.KeyMetadata.ValidTo).Equal(*in.ValidTo) {
		t.Fatalf("%+v, %v", out, err)
	}
	blob := w.encrypt(key, "text")
	w.Advance(time.Hour - time.Second)
	if got := w.opens(blob, nil); got != "text" {
		t.Errorf("a second before: %q", got)
	}
	w.Advance(time.Second)
	if got := w.opens(blob, nil); got != "KMSInvalidStateException" || w.state(key) != types.KeyStatePendingImport {
		t.Errorf("after its time: %q, %s", got, w.state(key))
	}
	if got := w.bring(key, material); got != "" {
		t.Error(got)
	}
	if got := w.opens(blob, nil); got != "text" {
		t.Errorf("it opens as %q", got)
	}
}

func second[T any](_ T, err error) error { return err }

// [D] A token is for its key, its public key and a day.
func TestImportTokens(t *testing.T) {
	w := newWorld(t)
	ctx, key, other, material := t.Context(), w.external("", ""), w.external("", ""), bytes.Repeat([]byte{7}, 32)
	in := w.parcel(key, material, types.WrappingKeySpecRsa2048, types.AlgorithmSpecRsaesOaepSha256)
	again := w.parcel(key, material, types.WrappingKeySpecRsa2048, types.AlgorithmSpecRsaesOaepSha256)
	for want, change := range map[string]func(in *sdk.ImportKeyMaterialInput){
		"InvalidImportTokenException other": func(in *sdk.ImportKeyMaterialInput) { in.KeyId = other },
		"InvalidImportTokenException none":  func(in *sdk.ImportKeyMaterialInput) { in.ImportToken = []byte("none") },
		"InvalidImportTokenException changed": func(in *sdk.ImportKeyMaterialInput) {
			in.ImportToken = bytes.Clone(in.ImportToken)
			in.ImportToken[99] ^= 1
		},
		"InvalidCiphertextException":                 func(in *sdk.ImportKeyMaterialInput) { in.ImportToken = again.ImportToken },
		"InvalidCiphertextException text":            func(in *sdk.ImportKeyMaterialInput) { in.EncryptedKeyMaterial = []byte("text") },
		"IncorrectKeyMaterialException never before": func(in *sdk.ImportKeyMaterialInput) { in.ImportType = types.ImportTypeExistingKeyMaterial },
		"IncorrectKeyMaterialException its name":     func(in *sdk.ImportKeyMaterialInput) { in.KeyMaterialId = aws.String("00") },
		"ValidationException": func(in *sdk.ImportKeyMaterialInput) {
			in.ImportType, in.KeyMaterialId = types.ImportTypeNewKeyMaterial, aws.String("00")
		},
		"InvalidArnException": func(in *sdk.ImportKeyMaterialInput) { in.KeyId = aws.String("alias/x") },
	} {
		bad := *in
		change(&bad)
		if got := code(second(w.ImportKeyMaterial(ctx, &bad))); got+" " != (want + " ")[:len(got)+1] || got == "" {
			t.Errorf("%s: %q", want, got)
		}
	}
	w.Advance(24 * time.Hour)
	if got := code(second(w.ImportKeyMaterial(ctx, in))); got != "ExpiredImportTokenException" {
		t.Errorf("a day later: %q", got)
	}
}

// [D] HMAC keys and curves have imported materials too, as long as the hash, or PKCS #8 of the curve.
func TestImportedPairs(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	mac := w.external(types.KeySpecHmac384, types.KeyUsageTypeGenerateVerifyMac)
	for n, want := range map[int]string{32: "IncorrectKeyMaterialException", 48: ""} {
		if got := w.bring(mac, bytes.Repeat([]byte{7}, n)); got != want {
			t.Errorf("%d bytes: %q", n, got)
		}
	}
	pair, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(pair)
	if err != nil {
		t.Fatal(err)
	}
	if got := w.bring(w.external(types.KeySpecEccNistP256, types.KeyUsageTypeSignVerify), der); got != "IncorrectKeyMaterialException" {
		t.Errorf("of another curve: %q", got)
	}
	signer := w.external(types.KeySpecEccNistP384, types.KeyUsageTypeSignVerify)
	if got := w.bring(signer, der); got != "" {
		t.Fatal(got)
	}
	out, err := w.Sign(ctx, &sdk.SignInput{KeyId: signer, Message: []byte("text"), SigningAlgorithm: types.SigningAlgorithmSpecEcdsaSha384, MessageType: types.MessageTypeRaw})
	if err != nil {
		t.Fatal(err)
	}
	public, err := w.GetPublicKey(ctx, &sdk.GetPublicKeyInput{KeyId: signer})
	if err != nil {
		t.Fatal(err)
	}
	if want, _ := x509.MarshalPKIXPublicKey(&pair.PublicKey); !bytes.Equal(public.PublicKey, want) {
		t.Error("it is another key")
	}
	if sum := sha512.Sum384([]byte("text")); !ecdsa.VerifyASN1(&pair.PublicKey, sum[:], out.Signature) {
		t.Error("the signature is none of the key that was brought")
	}
	named := w.parcel(signer, der, types.WrappingKeySpecRsa2048, types.AlgorithmSpecRsaesOaepSha1)
	named.ImportType = types.ImportTypeExistingKeyMaterial
	if err := second(w.ImportKeyMaterial(ctx, named)); code(err) != "ValidationException" {
		t.Errorf("what symmetric keys have: %v", err)
	}
	err = second(w.CreateKey(ctx, &sdk.CreateKeyInput{Origin: types.OriginTypeExternal, KeySpec: types.KeySpecRsa2048, KeyUsage: types.KeyUsageTypeSignVerify}))
	if code(err) != "UnsupportedOperationException" {
		t.Errorf("RSA: %v", err)
	}
}

// [D] What a key's state refuses, and its origin (the table of key states).
func TestPendingImport(t *testing.T) {
	w := newWorld(t)
	ctx, key, own := t.Context(), w.external("", ""), w.create()
	parameters := func(key *string, algorithm types.AlgorithmSpec) error {
		return second(w.GetParametersForImport(ctx, &sdk.GetParametersForImportInput{KeyId: key, WrappingKeySpec: types.WrappingKeySpecRsa2048, WrappingAlgorithm: algorithm}))
	}
	for what, c := range map[string]struct {
		err  error
		want string
	}{
		"EnableKey":           {second(w.EnableKey(ctx, &sdk.EnableKeyInput{KeyId: key})), "KMSInvalidStateException"},
		"DisableKey":          {second(w.DisableKey(ctx, &sdk.DisableKeyInput{KeyId: key})), "KMSInvalidStateException"},
		"CreateGrant":         {second(w.CreateGrant(ctx, &sdk.CreateGrantInput{KeyId: key, GranteePrincipal: aws.String("arn:aws:iam::000000000000:root"), Operations: []types.GrantOperation{"Decrypt"}})), "KMSInvalidStateException"},
		"EnableKeyRotation":   {second(w.EnableKeyRotation(ctx, &sdk.EnableKeyRotationInput{KeyId: key})), "UnsupportedOperationException"},
		"DisableKeyRotation":  {second(w.DisableKeyRotation(ctx, &sdk.DisableKeyRotationInput{KeyId: key})), "UnsupportedOperationException"},
		"GetKeyRotation":      {second(w.GetKeyRotationStatus(ctx, &sdk.GetKeyRotationStatusInput{KeyId: key})), "UnsupportedOperationException"},
		"UpdateDescription":   {second(w.UpdateKeyDescription(ctx, &sdk.UpdateKeyDescriptionInput{KeyId: key, Description: aws.String("d")})), ""},
		"own parameters":      {parameters(own, types.AlgorithmSpecRsaesOaepSha256), "UnsupportedOperationException"},
		"own material":        {second(w.DeleteImportedKeyMaterial(ctx, &sdk.DeleteImportedKeyMaterialInput{KeyId: own})), "UnsupportedOperationException"},
		"another's":           {second(w.other.DeleteImportedKeyMaterial(ctx, &sdk.DeleteImportedKeyMaterialInput{KeyId: key})), "AccessDeniedException"},
		"a wrapping of RSA":   {parameters(key, types.AlgorithmSpecRsaAesKeyWrapSha256), "UnsupportedOperationException"},
		"a wrapping that was": {parameters(key, types.AlgorithmSpecRsaesPkcs1V15), "UnsupportedOperationException"},
	} {
		if code(c.err) != c.want || c.want == "" && c.err != nil {
			t.Errorf("%s: %v, want %s", what, c.err, c.want)
		}
	}
	if _, err := w.ScheduleKeyDeletion(ctx, &sdk.ScheduleKeyDeletionInput{KeyId: key}); err != nil {
		t.Fatal(err)
	}
	if got := code(parameters(key, types.AlgorithmSpecRsaesOaepSha256)); got != "KMSInvalidStateException" {
		t.Errorf("pending deletion: %q", got)
	}
	if _, err := w.CancelKeyDeletion(ctx, &sdk.CancelKeyDeletionInput{KeyId: key}); err != nil {
		t.Fatal(err)
	}
	if got := w.bring(key, bytes.Repeat([]byte{7}, 32)); got != "" || w.state(key) != types.KeyStateEnabled {
		t.Errorf("after that: %q, %s", got, w.state(key))
	}
}

// [D] kms:WrappingAlgorithm, kms:WrappingKeySpec, kms:ExpirationModel and kms:ValidTo decide.
func TestImportConditions(t *testing.T) {
	w := newWorld(t)
	ctx, key := t.Context(), w.external("", "")
	ann := sdk.NewFromConfig(w.User(endpoint.Account, "ann", endpoint.Document(
		endpoint.Statement("Allow", "kms:GetParametersForImport", `"Resource":"*","Condition":{"StringEquals":{"kms:WrappingAlgorithm":"RSAES_OAEP_SHA_256","kms:WrappingKeySpec":"RSA_2048"}}`),
		endpoint.Statement("Allow", "kms:ImportKeyMaterial", `"Resource":"*","Condition":{"StringEquals":{"kms:ExpirationModel":"KEY_MATERIAL_EXPIRES"},"DateLessThan":{"kms:ValidTo":"2026-05-03T00:00:00Z"}}`))))
	for algorithm, want := range map[types.AlgorithmSpec]string{types.AlgorithmSpecRsaesOaepSha256: "", types.AlgorithmSpecRsaesOaepSha1: "AccessDeniedException"} {
		_, err := ann.GetParametersForImport(ctx, &sdk.GetParametersForImportInput{KeyId: key, WrappingKeySpec: types.WrappingKeySpecRsa2048, WrappingAlgorithm: algorithm})
		if code(err) != want {
			t.Errorf("%s: %v", algorithm, err)
		}
	}
	in := w.parcel(key, bytes.Repeat([]byte{7}, 32), types.WrappingKeySpecRsa2048, types.AlgorithmSpecRsaesOaepSha256)
	if _, err := ann.ImportKeyMaterial(ctx, in); code(err) != "AccessDeniedException" {
		t.Errorf("for ever: %v", err)
	}
	in.ExpirationModel = types.ExpirationModelTypeKeyMaterialExpires
	for days, want := range map[int]string{9: "AccessDeniedException", 1: ""} {
		in.ValidTo = aws.Time(endpoint.Begin.AddDate(0, 0, days))
		if _, err := ann.ImportKeyMaterial(ctx, in); code(err) != want {
			t.Errorf("%d days: %v", days, err)
		}
	}
}
