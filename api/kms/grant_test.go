package kms_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/roadstead/roadstead/test/endpoint"
)

func arnOf(user string) *string {
	return aws.String("arn:aws:iam::" + endpoint.Account + ":user/" + user)
}

// grant lets a user do operations with a key, with constraints.
func (w *world) grant(by *sdk.Client, key *string, user string, c *types.GrantConstraints, ops ...types.GrantOperation) (*sdk.CreateGrantOutput, error) {
	return by.CreateGrant(w.t.Context(), &sdk.CreateGrantInput{KeyId: key, GranteePrincipal: arnOf(user), Operations: ops, Constraints: c})
}

// [D] A grant allows its grantee what it says, with the encryption context that it says, and nobody else; a Deny still refuses.
func TestGrants(t *testing.T) {
	w := newWorld(t)
	ctx, key := t.Context(), w.create()
	ann, bob := sdk.NewFromConfig(w.User(endpoint.Account, "ann", "")), sdk.NewFromConfig(w.User(endpoint.Account, "bob", ""))
	encrypt := func(by *sdk.Client, context map[string]string) string {
		_, err := by.Encrypt(ctx, &sdk.EncryptInput{KeyId: key, Plaintext: []byte("text"), EncryptionContext: context})
		return code(err)
	}
	expect := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	const denied = "AccessDeniedException"
	expect("without a grant", encrypt(ann, nil), denied)
	plain, err := w.grant(w.Client, key, "ann", nil, types.GrantOperationEncrypt, types.GrantOperationDescribeKey)
	if err != nil || len(*plain.GrantId) != 64 || *plain.GrantToken == "" {
		t.Fatalf("%+v, %v", plain, err)
	}
	expect("with one", encrypt(ann, map[string]string{"a": "b"}), "")
	expect("somebody else", encrypt(bob, nil), denied)
	if _, err := ann.DescribeKey(ctx, &sdk.DescribeKeyInput{KeyId: key}); err != nil {
		t.Error(err)
	}
	_, err = ann.GenerateDataKey(ctx, &sdk.GenerateDataKeyInput{KeyId: key, KeySpec: types.DataKeySpecAes256})
	expect("what it does not say", code(err), denied)
	deny := endpoint.Document(endpoint.Statement("Deny", "kms:Encrypt", `"Resource":"*"`))
	w.User(endpoint.Account, "ann", deny)
	expect("denied", encrypt(ann, nil), denied)
	w.User(endpoint.Account, "ann", "")
	if _, err := w.RevokeGrant(ctx, &sdk.RevokeGrantInput{KeyId: key, GrantId: plain.GrantId}); err != nil {
		t.Fatal(err)
	}
	expect("revoked", encrypt(ann, nil), denied)

	for _, c := range []struct {
		grant   types.GrantConstraints
		context map[string]string
		want    string
	}{
		{types.GrantConstraints{EncryptionContextSubset: map[string]string{"a": "${aws:username}"}}, map[string]string{"a": "ann"}, denied}, // no variable
		{types.GrantConstraints{EncryptionContextSubset: map[string]string{"a": "b"}}, map[string]string{"a": "b", "c": "d"}, ""},
		{types.GrantConstraints{EncryptionContextSubset: map[string]string{"a": "b"}}, nil, denied},
		{types.GrantConstraints{EncryptionContextEquals: map[string]string{"a": "b"}}, map[string]string{"a": "b"}, ""},
		{types.GrantConstraints{EncryptionContextEquals: map[string]string{"a": "b"}}, map[string]string{"a": "b", "c": "d"}, denied},
		{types.GrantConstraints{EncryptionContextEquals: map[string]string{"a": "b"}}, map[string]string{"a": "x"}, denied},
	} {
		out, err := w.grant(w.Client, key, "ann", &c.grant, types.GrantOperationEncrypt)
		if err != nil {
			t.Fatal(err)
		}
		if got := encrypt(ann, c.context); got != c.want {
			t.Errorf("%+v with %v: %q", c.grant, c.context, got)
		}
		if _, err := w.RevokeGrant(ctx, &sdk.RevokeGrantInput{KeyId: key, GrantId: out.GrantId}); err != nil {
			t.Fatal(err)
		}
	}
}

// [D] Who may make grants by a grant makes none of more than that; a grant is retired by whom it names, and by no other grant's people.
func TestGrantsOfGrants(t *testing.T) {
	w := newWorld(t)
	ctx, key := t.Context(), w.create()
	ann, bob := sdk.NewFromConfig(w.User(endpoint.Account, "ann", "")), sdk.NewFromConfig(w.User(endpoint.Account, "bob", ""))
	equals := &types.GrantConstraints{EncryptionContextEquals: map[string]string{"a": "b"}}
	if _, err := w.grant(w.Client, key, "ann", equals, types.GrantOperationEncrypt, types.GrantOperationCreateGrant); err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		grant *types.GrantConstraints
		op    types.GrantOperation
	}{
		"another operation":  {equals, types.GrantOperationDecrypt},
		"without conditions": {nil, types.GrantOperationEncrypt},
		"wider conditions":   {&types.GrantConstraints{EncryptionContextSubset: map[string]string{"a": "b"}}, types.GrantOperationEncrypt},
		"other conditions":   {&types.GrantConstraints{EncryptionContextEquals: map[string]string{"a": "c"}}, types.GrantOperationEncrypt},
	} {
		if _, err := w.grant(ann, key, "bob", c.grant, c.op); code(err) != "AccessDeniedException" {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := w.grant(ann, key, "bob", equals, types.GrantOperationEncrypt); err != nil {
		t.Fatal(err)
	}
	if _, err := bob.Encrypt(ctx, &sdk.EncryptInput{KeyId: key, Plaintext: []byte("x"), EncryptionContext: map[string]string{"a": "b"}}); err != nil {
		t.Error(err)
	}

	retired := func(retiring string) *sdk.CreateGrantOutput {
		out, err := w.CreateGrant(ctx, &sdk.CreateGrantInput{KeyId: key, GranteePrincipal: arnOf("ann"), RetiringPrincipal: arnOf(retiring), Operations: []types.GrantOperation{"Decrypt"}, Name: aws.String(retiring)})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	his, hers := retired("bob"), retired("ann")
	if again := retired("bob"); *again.GrantId != *his.GrantId {
		t.Error("the same grant twice")
	}
	list, err := w.ListRetirableGrants(ctx, &sdk.ListRetirableGrantsInput{RetiringPrincipal: arnOf("bob")})
	if err != nil || len(list.Grants) != 1 || *list.Grants[0].GrantId != *his.GrantId {
		t.Errorf("%+v, %v", list, err)
	}
	for _, in := range []*sdk.RetireGrantInput{{GrantToken: hers.GrantToken}, {KeyId: key, GrantId: hers.GrantId}} {
		if _, err := bob.RetireGrant(ctx, in); code(err) != "AccessDeniedException" {
			t.Errorf("of somebody else: %v", err)
		}
	}
	if _, err := bob.RetireGrant(ctx, &sdk.RetireGrantInput{GrantToken: his.GrantToken}); err != nil {
		t.Error(err)
	}
	if _, err := ann.RetireGrant(ctx, &sdk.RetireGrantInput{KeyId: key, GrantId: hers.GrantId}); err != nil {
		t.Error(err)
	}
	left, err := w.ListGrants(ctx, &sdk.ListGrantsInput{KeyId: key})
	if err != nil || len(left.Grants) != 2 {
		t.Errorf("%+v, %v", left, err)
	}
}

// [D] Grants that would mean nothing are refused, and so is a policy that its author could not change.
func TestGrantsRefused(t *testing.T) {
	w := newWorld(t)
	ctx, key := t.Context(), w.create()
	w.User(endpoint.Account, "ann", "")
	signer := w.made(types.KeySpecEccNistP256, types.KeyUsageTypeSignVerify)
	pair := &types.GrantConstraints{EncryptionContextSubset: map[string]string{"a": "b"}}
	for what, c := range map[string]struct {
		key   *string
		user  string
		grant *types.GrantConstraints
		op    types.GrantOperation
		want  string
	}{
		"nobody":               {key, "none", nil, "Decrypt", "InvalidArnException"},
		"no operation":         {key, "ann", nil, "Steal", "ValidationException"},
		"not of this key":      {key, "ann", nil, "Sign", "ValidationException"},
		"context of a pair":    {signer, "ann", pair, "Sign", "ValidationException"},
		"a key that is no one": {aws.String("none"), "ann", nil, "Decrypt", "NotFoundException"},
	} {
		if _, err := w.grant(w.Client, c.key, c.user, c.grant, c.op); code(err) != c.want {
			t.Errorf("%s: %v, want %s", what, err, c.want)
		}
	}
	shut := endpoint.Document(endpoint.Statement("Allow", "kms:*", `"Principal":{"AWS":"`+*arnOf("ann")+`"},"Resource":"*"`))
	put := func(by *sdk.Client, bypass bool) error {
		_, err := by.PutKeyPolicy(ctx, &sdk.PutKeyPolicyInput{KeyId: key, Policy: &shut, BypassPolicyLockoutSafetyCheck: bypass})
		return err
	}
	if _, err := w.CreateKey(ctx, &sdk.CreateKeyInput{Policy: &shut}); code(err) != "MalformedPolicyDocumentException" {
		t.Errorf("locked out by a new key: %v", err)
	}
	if err := put(w.Client, false); code(err) != "MalformedPolicyDocumentException" {
		t.Errorf("locked out: %v", err)
	}
	ann := sdk.NewFromConfig(w.User(endpoint.Account, "ann", endpoint.Document(endpoint.Statement("Allow", "kms:*", `"Resource":"*"`))))
	if err := put(ann, false); err != nil {
		t.Errorf("who is named: %v", err)
	}
	if err := put(w.Client, true); err != nil {
		t.Errorf("who wants it: %v", err)
	}
}
