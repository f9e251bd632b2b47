package secretsmanager_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"

	"github.com/roadstead/roadstead/api/secretsmanager"
	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/model"
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
	w.Serve(secretsmanager.New(secretsmanager.Config{DB: w.DB, Seal: w.Seal, May: w.may, MayUse: w.MayUse("secretsmanager"), Now: w.Now}).Mux())
	w.Client, w.other = sdk.NewFromConfig(w.As("test")), sdk.NewFromConfig(w.As("other"))
	return w
}

// may is policies that deny GetSecretValue on what is named denied/, and ListSecrets to the other account.
func (w *world) may(ctx context.Context, operation string, in any) error {
	p, _ := auth.PrincipalFrom(ctx)
	get, ok := in.(*sdk.GetSecretValueInput)
	if ok && strings.Contains(*get.SecretId, "denied/") || operation == "ListSecrets" && p.Account != endpoint.Account {
		return model.Errorf("AccessDeniedException", "%s is not allowed", operation)
	}
	return w.World.May("secretsmanager")(ctx, operation, in)
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
