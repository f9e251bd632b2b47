package kms_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/smithy-go"

	"github.com/roadstead/roadstead/api/kms"
	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/seal"
	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/test/steady"
	"github.com/roadstead/roadstead/wire"
)

// world is an endpoint with the API as a server has it, and a clock of its own.
type world struct {
	*sdk.Client
	other *sdk.Client // of another account
	t     *testing.T
	db    *state.DB
	day   atomic.Int64
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t}
	w.db = state.Open(state.Config{Backend: state.NewMemory().Member(), Codec: state.SpecCodec{Marshal: wire.Marshal, Unmarshal: wire.Unmarshal}})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.db.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	if err := w.db.AwaitLead(t.Context()); err != nil {
		t.Fatal(err)
	}
	sealer, err := seal.New(bytes.Repeat([]byte{1}, seal.KeyBytes))
	if err != nil {
		t.Fatal(err)
	}
	mux := kms.New(kms.Config{DB: w.db, Seal: sealer, Now: func() time.Time {
		return time.UnixMilli(1000).Add(time.Duration(w.day.Load()) * 24 * time.Hour)
	}})
	s := httptest.NewServer(wire.NewGateway(wire.GatewayConfig{Authenticate: func(r *http.Request, _ []byte) (context.Context, error) {
		account := "000000000000"
		if strings.Contains(r.Header.Get("Authorization"), "Credential=other/") {
			account = "111111111111"
		}
		return auth.WithPrincipal(r.Context(), auth.Principal{Account: account, Region: "us-east-1"}), nil
	}}, mux))
	t.Cleanup(s.Close)
	as := func(key string) *sdk.Client {
		return sdk.New(sdk.Options{Region: "us-east-1", BaseEndpoint: &s.URL, Credentials: credentials.NewStaticCredentialsProvider(key, "x", ""), RetryMaxAttempts: 1, HTTPClient: steady.Client()})
	}
	w.Client, w.other = as("test"), as("other")
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
