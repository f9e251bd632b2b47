package kms_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/roadstead/roadstead/test/endpoint"
)

// [D] What a key has encrypted opens with its context and without its name, also after rotation, and not while the key is out of use.
func TestCiphertexts(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	one, two := w.create(), w.create()
	blob := w.encrypt(one, "text")
	if got := w.opens(blob, nil); got != "text" {
		t.Errorf("it opens as %q", got)
	}
	if got := w.opens(blob, two); got != "IncorrectKeyException" {
		t.Errorf("with another key's name: %q", got)
	}
	if got := w.opens([]byte("anything"), nil); got != "InvalidCiphertextException" {
		t.Errorf("what is none: %q", got)
	}
	if _, err := w.Decrypt(ctx, &sdk.DecryptInput{CiphertextBlob: blob}); code(err) != "InvalidCiphertextException" {
		t.Errorf("without its context: %v", err)
	}
	if _, err := w.other.Decrypt(ctx, &sdk.DecryptInput{CiphertextBlob: blob, EncryptionContext: map[string]string{"a": "b"}}); code(err) != "AccessDeniedException" {
		t.Errorf("another account: %v", err)
	}
	re, err := w.ReEncrypt(ctx, &sdk.ReEncryptInput{CiphertextBlob: blob, SourceEncryptionContext: map[string]string{"a": "b"}, DestinationKeyId: two, DestinationEncryptionContext: map[string]string{"a": "b"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := w.opens(re.CiphertextBlob, two); got != "text" {
		t.Errorf("what was encrypted again opens as %q", got)
	}

	if _, err := w.EnableKeyRotation(ctx, &sdk.EnableKeyRotationInput{KeyId: one, RotationPeriodInDays: aws.Int32(90)}); err != nil {
		t.Fatal(err)
	}
	w.Day(91)
	later := w.encrypt(one, "later")
	if bytes.Equal(blob[:29], later[:29]) || w.opens(blob, nil) != "text" || w.opens(later, nil) != "later" {
		t.Error("rotation: the same material, or one that is lost")
	}
	if _, err := w.DisableKey(ctx, &sdk.DisableKeyInput{KeyId: one}); err != nil {
		t.Fatal(err)
	}
	if got := w.opens(blob, nil); got != "DisabledException" {
		t.Errorf("disabled: %q", got)
	}
	if _, err := w.ScheduleKeyDeletion(ctx, &sdk.ScheduleKeyDeletionInput{KeyId: one, PendingWindowInDays: aws.Int32(7)}); err != nil {
		t.Fatal(err)
	}
	if got := w.opens(blob, nil); got != "KMSInvalidStateException" {
		t.Errorf("pending deletion: %q", got)
	}
	w.Day(99)
	if got := w.opens(blob, nil); got != "AccessDeniedException" {
		t.Errorf("deleted: %q", got)
	}
}

// [D] Aliases name keys; AWS's are made when they are first named, and nobody makes or changes them.
func TestAliases(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	one, two, name := w.create(), w.create(), aws.String("alias/app/x")
	if _, err := w.CreateAlias(ctx, &sdk.CreateAliasInput{AliasName: name, TargetKeyId: one}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.CreateAlias(ctx, &sdk.CreateAliasInput{AliasName: name, TargetKeyId: two}); code(err) != "AlreadyExistsException" {
		t.Errorf("twice: %v", err)
	}
	blob := w.encrypt(name, "text")
	if _, err := w.UpdateAlias(ctx, &sdk.UpdateAliasInput{AliasName: name, TargetKeyId: two}); err != nil {
		t.Fatal(err)
	}
	if got := w.opens(blob, name); got != "IncorrectKeyException" {
		t.Errorf("after the alias has moved: %q", got)
	}
	if _, err := w.DeleteAlias(ctx, &sdk.DeleteAliasInput{AliasName: name}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.DescribeKey(ctx, &sdk.DescribeKeyInput{KeyId: name}); code(err) != "NotFoundException" {
		t.Errorf("deleted: %v", err)
	}
	for _, bad := range []string{"alias/a b", "alias/"} {
		if _, err := w.CreateAlias(ctx, &sdk.CreateAliasInput{AliasName: &bad, TargetKeyId: one}); code(err) != "InvalidAliasNameException" {
			t.Errorf("%q: %v", bad, err)
		}
	}
	aws1, err := w.DescribeKey(ctx, &sdk.DescribeKeyInput{KeyId: aws.String("alias/aws/ssm")})
	if err != nil || aws1.KeyMetadata.KeyManager != types.KeyManagerTypeAws {
		t.Fatalf("AWS's key: %+v, %v", aws1, err)
	}
	aws2, err := w.DescribeKey(ctx, &sdk.DescribeKeyInput{KeyId: aws.String("arn:aws:kms:us-east-1:000000000000:alias/aws/ssm")})
	if err != nil || *aws2.KeyMetadata.KeyId != *aws1.KeyMetadata.KeyId {
		t.Errorf("AWS's key again: %+v, %v", aws2, err)
	}
	if _, err := w.DisableKey(ctx, &sdk.DisableKeyInput{KeyId: aws1.KeyMetadata.Arn}); code(err) != "AccessDeniedException" {
		t.Errorf("disabling AWS's key: %v", err)
	}
}

// [D] Limits and kinds are refused with AWS's codes, and another account's keys are nobody else's.
func TestRefused(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	key := w.create()
	call := map[string]func() error{
		"UnsupportedOperationException spec": func() error {
			_, err := w.CreateKey(ctx, &sdk.CreateKeyInput{KeySpec: types.KeySpecEccSecgP256k1, KeyUsage: types.KeyUsageTypeSignVerify})
			return err
		},
		"MalformedPolicyDocumentException": func() error {
			_, err := w.CreateKey(ctx, &sdk.CreateKeyInput{Policy: aws.String("{}")})
			return err
		},
		"ValidationException 4097 bytes": func() error {
			_, err := w.Encrypt(ctx, &sdk.EncryptInput{KeyId: key, Plaintext: []byte(strings.Repeat("a", 4097))})
			return err
		},
		"ValidationException both sizes": func() error {
			_, err := w.GenerateDataKey(ctx, &sdk.GenerateDataKeyInput{KeyId: key, KeySpec: types.DataKeySpecAes256, NumberOfBytes: aws.Int32(5)})
			return err
		},
		"NotFoundException key": func() error {
			_, err := w.DescribeKey(ctx, &sdk.DescribeKeyInput{KeyId: aws.String("none")})
			return err
		},
		"AccessDeniedException account": func() error {
			_, err := w.other.DescribeKey(ctx, &sdk.DescribeKeyInput{KeyId: key})
			return err
		},
		"DryRunOperationException": func() error {
			_, err := w.Encrypt(ctx, &sdk.EncryptInput{KeyId: key, Plaintext: []byte("a"), DryRun: aws.Bool(true)})
			return err
		},
		"TagException": func() error {
			_, err := w.TagResource(ctx, &sdk.TagResourceInput{KeyId: key, Tags: []types.Tag{{TagKey: aws.String("aws:x"), TagValue: aws.String("")}}})
			return err
		},
		"KMSInvalidStateException": func() error {
			_, err := w.CancelKeyDeletion(ctx, &sdk.CancelKeyDeletionInput{KeyId: key})
			return err
		},
	}
	for want, f := range call {
		if got := code(f()); got != strings.Fields(want)[0] {
			t.Errorf("%s: got %q", want, got)
		}
	}
}

// [D] Another account uses a key by its ARN as far as the key's policy says so, and manages it in no case.
func TestAnotherAccount(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	key := w.Key(endpoint.Account, endpoint.Document(
		endpoint.Statement("Allow", "kms:*", `"Principal":{"AWS":"`+endpoint.Account+`"},"Resource":"*"`),
		endpoint.Statement("Allow", "kms:Encrypt kms:Decrypt kms:ReEncryptFrom kms:DescribeKey kms:DisableKey", `"Principal":{"AWS":"`+endpoint.Other+`"},"Resource":"*"`)))
	out, err := w.other.Encrypt(ctx, &sdk.EncryptInput{KeyId: &key, Plaintext: []byte("text")})
	if err != nil {
		t.Fatal(err)
	}
	for who, c := range map[string]*sdk.Client{"its own account": w.Client, "the other": w.other} {
		if plain, err := c.Decrypt(ctx, &sdk.DecryptInput{CiphertextBlob: out.CiphertextBlob}); err != nil || string(plain.Plaintext) != "text" {
			t.Errorf("%s: %+v, %v", who, plain, err)
		}
	}
	own := w.Key(endpoint.Other, "")
	if _, err := w.other.ReEncrypt(ctx, &sdk.ReEncryptInput{CiphertextBlob: out.CiphertextBlob, DestinationKeyId: &own}); err != nil {
		t.Error(err)
	}
	_, err = w.Client.ReEncrypt(ctx, &sdk.ReEncryptInput{CiphertextBlob: out.CiphertextBlob, DestinationKeyId: &own})
	if code(err) != "AccessDeniedException" {
		t.Errorf("with a key that is not shared: %v", err)
	}
	_, err = w.other.GenerateDataKey(ctx, &sdk.GenerateDataKeyInput{KeyId: &key, KeySpec: types.DataKeySpecAes256})
	if code(err) != "AccessDeniedException" {
		t.Errorf("what the policy does not say: %v", err)
	}
	if _, err := w.other.DescribeKey(ctx, &sdk.DescribeKeyInput{KeyId: &key}); err != nil {
		t.Error(err)
	}
	if _, err := w.other.DisableKey(ctx, &sdk.DisableKeyInput{KeyId: &key}); code(err) != "AccessDeniedException" {
		t.Errorf("managing it: %v", err)
	}
	guest := sdk.NewFromConfig(w.User(endpoint.Other, "guest", ""))
	if _, err := guest.Decrypt(ctx, &sdk.DecryptInput{CiphertextBlob: out.CiphertextBlob}); code(err) != "AccessDeniedException" {
		t.Errorf("whose account does not allow it: %v", err)
	}
}
