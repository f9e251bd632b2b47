package secretsmanager

import (
	"context"
	"encoding/json"
	"net/url"

	sdk "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/roadstead/roadstead/keyring"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// passwordTarget is the rotation that we do ourselves: the member password of a JSON object gets a new random value, and all else stays.
const passwordTarget = "roadstead:password"

// checkTarget refuses a rotation that nobody could do. Whoever sets one has to be able to use the key: the target's values are encrypted with it.
func (a *api) checkTarget(ctx context.Context, tx *state.Tx, row *model.Secret, target string) error {
	u, err := url.Parse(target)
	switch {
	case target == "":
		return badRequest("No Lambda rotation function ARN is associated with this secret.") // [O]
	case target == passwordTarget:
		if _, err := a.renewed(ctx, tx.Tables, row); err != nil {
			return err
		}
	case err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil:
		return model.Errorf("UnsupportedFeatureException", "Roadstead runs no Lambda functions: give an https:// URL that takes their events, or %s, as RotationLambdaARN.", passwordTarget)
	}
	if v, err := choose(row, "", current); err != nil || !has(tx.Tables, row, v.ID) {
		return badRequest("You can't rotate a secret that has no value.") // [I]
	}
	return a.checkKey(ctx, tx, row)
}

// has says whether a version has a value.
func has(t *state.Tables, row *model.Secret, version string) bool {
	_, ok := t.SecretValues.Get(model.SecretValueKey(row.Scope, row.Name, row.Suffix, version))
	return ok
}

// renewed is the current value with a new password.
func (a *api) renewed(ctx context.Context, t *state.Tables, row *model.Secret) ([]byte, error) {
	v, err := choose(row, "", current)
	if err != nil {
		return nil, err
	}
	kept, ok := t.SecretValues.Get(model.SecretValueKey(row.Scope, row.Name, row.Suffix, v.ID))
	if !ok {
		return nil, noVersion("", current)
	}
	plain, err := a.unlock(ctx, t, a.keys.Unasked(), row, kept)
	if err != nil {
		return nil, err
	}
	var members map[string]json.RawMessage
	if kept.Binary || json.Unmarshal(plain, &members) != nil || members["password"] == nil {
		return nil, badRequest("%s rotates secrets that are JSON objects with a member password.", passwordTarget)
	}
	const awkward = `/@"'\&<>` // where passwords are put into URLs and quotes, as AWS's own functions leave them out
	password, err := a.getRandomPassword(ctx, &sdk.GetRandomPasswordInput{ExcludeCharacters: new(awkward)})
	if err != nil {
		return nil, err
	}
	if members["password"], err = json.Marshal(*password.RandomPassword); err != nil {
		return nil, err
	}
	return json.Marshal(members)
}

// own is the API that does what a rotation needs in the name of Secrets Manager: who set the rotation was asked about the key.
func (a *api) own() *api {
	b := *a
	b.keys = keyring.Service{Ring: a.keys.Ring, Name: a.keys.Name, May: a.keys.Unasked().May}
	return &b
}
