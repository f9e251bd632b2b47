package secretsmanager_test

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

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"

	"github.com/roadstead/roadstead/api/secretsmanager"
	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/model"
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
	mux := secretsmanager.New(secretsmanager.Config{DB: w.db, Seal: sealer, May: w.may, Now: func() time.Time {
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

// may is a policy that denies GetSecretValue on what is named denied/, and ListSecrets to the other account.
func (w *world) may(ctx context.Context, operation string, in any) error {
	p, _ := auth.PrincipalFrom(ctx)
	get, ok := in.(*sdk.GetSecretValueInput)
	if ok && strings.Contains(*get.SecretId, "denied/") || operation == "ListSecrets" && p.Account != "000000000000" {
		return model.Errorf("AccessDeniedException", "%s is not allowed", operation)
	}
	return nil
}

// create makes a secret and returns its ARN.
func (w *world) create(name, value string) string {
	w.t.Helper()
	out, err := w.CreateSecret(w.t.Context(), &sdk.CreateSecretInput{Name: &name, SecretString: &value, ClientRequestToken: token(name)})
	if err != nil {
		w.t.Fatal(err)
	}
	return *out.ARN
}

// token is a version's id for a word.
func token(word string) *string {
	return aws.String((word + strings.Repeat("-", 36))[:36])
}

func (w *world) put(id, value, version string, stages ...string) {
	w.t.Helper()
	_, err := w.PutSecretValue(w.t.Context(), &sdk.PutSecretValueInput{SecretId: &id, SecretString: &value, ClientRequestToken: token(version), VersionStages: stages})
	if err != nil {
		w.t.Fatal(err)
	}
}

// get is the value of a version: "" for the current one, else a staging label.
func (w *world) get(id, stage string) string {
	w.t.Helper()
	in := &sdk.GetSecretValueInput{SecretId: &id}
	if stage != "" {
		in.VersionStage = &stage
	}
	out, err := w.GetSecretValue(w.t.Context(), in)
	if err != nil {
		return err.Error()
	}
	return *out.SecretString
}

func refused(t *testing.T, what string, err error, code, text string) {
	t.Helper()
	e, ok := errors.AsType[smithy.APIError](err)
	if !ok || e.ErrorCode() != code || !strings.Contains(e.ErrorMessage(), text) {
		t.Errorf("%s: got %v\nwant %s: %s", what, err, code, text)
	}
}
