package kms_test

import (
	"errors"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/smithy-go"

	"github.com/roadstead/roadstead/api/kms"
	"github.com/roadstead/roadstead/test/endpoint"
)

// world is an endpoint with the API.
type world struct {
	*endpoint.World
	*sdk.Client
	other *sdk.Client // of another account
	t     *testing.T
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{World: endpoint.New(t), t: t}
	w.Serve(kms.New(kms.Config{DB: w.DB, Seal: w.Seal, Now: w.Now}))
	w.Client, w.other = sdk.NewFromConfig(w.As("test")), sdk.NewFromConfig(w.As("other"))
	return w
}

// create makes a key and returns its ARN.
func (w *world) create() *string {
	w.t.Helper()
	out, err := w.CreateKey(w.t.Context(), &sdk.CreateKeyInput{})
	if err != nil {
		w.t.Fatal(err)
	}
	return out.KeyMetadata.Arn
}

func (w *world) encrypt(key *string, text string) []byte {
	w.t.Helper()
	out, err := w.Encrypt(w.t.Context(), &sdk.EncryptInput{KeyId: key, Plaintext: []byte(text), EncryptionContext: map[string]string{"a": "b"}})
	if err != nil {
		w.t.Fatal(err)
	}
	return out.CiphertextBlob
}

// opens is what a blob says, or the error's code.
func (w *world) opens(blob []byte, key *string) string {
	w.t.Helper()
	out, err := w.Decrypt(w.t.Context(), &sdk.DecryptInput{KeyId: key, CiphertextBlob: blob, EncryptionContext: map[string]string{"a": "b"}})
	if err != nil {
		return code(err)
	}
	return string(out.Plaintext)
}

func code(err error) string {
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		return e.ErrorCode()
	}
	return ""
}
