package sts_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/roadstead/roadstead/api/sts"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/oidc"
	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/test/endpoint"
)

// [I] A key that is due has a successor made when somebody asks for a token, which signs a week later; tokens of the old one can be
// verified to their end.
func TestIssuersKeysTakeTurns(t *testing.T) {
	w := endpoint.New(t)
	issuer := &model.TokenIssuer{Account: endpoint.Account, ID: "i", URL: "https://issuer.example/i", Enabled: true}
	k, err := oidc.MakeKey(issuer, uuid.NewString(), oidc.ES384, w.Now().UnixMilli(), w.Seal.Seal)
	if err != nil {
		t.Fatal(err)
	}
	issuer.Keys = append(issuer.Keys, k)
	w.Update(func(tx *state.Tx) { tx.TokenIssuers.Put(issuer) })
	w.Serve(sts.New(sts.Config{DB: w.DB, Seal: w.Seal, Now: w.Now}))
	ann := sdk.NewFromConfig(w.User(endpoint.Account, "ann", endpoint.Document(endpoint.Statement("Allow", "*", `"Resource":"*"`))))
	row := func() *model.TokenIssuer {
		r, _ := w.DB.Snapshot().TokenIssuers.Get(endpoint.Account)
		return r
	}
	token := func() (text, kid string) {
		t.Helper()
		out, err := ann.GetWebIdentityToken(t.Context(), &sdk.GetWebIdentityTokenInput{Audience: []string{"us"}, SigningAlgorithm: aws.String(oidc.ES384), DurationSeconds: aws.Int32(3600)})
		if err != nil {
			t.Fatal(err)
		}
		parsed, _, err := jwt.NewParser().ParseUnverified(*out.WebIdentityToken, jwt.MapClaims{})
		if err != nil {
			t.Fatal(err)
		}
		return *out.WebIdentityToken, parsed.Header["kid"].(string)
	}
	verify := func(text string) error {
		v := oidc.Verifier{Now: w.Now}
		_, err := v.Verify(t.Context(), text, oidc.Provider{Issuer: issuer.URL, Audiences: []string{"us"}, Keys: oidc.PublicKeys(row(), w.Now().UnixMilli())})
		return err
	}
	w.Day(89)
	if _, kid := token(); kid != k.ID || len(row().Keys) != 1 {
		t.Errorf("before its time: %s, %d keys", kid, len(row().Keys))
	}
	w.Day(90)
	w.Fill(true)
	if text, kid := token(); kid != k.ID || len(row().Keys) != 1 || verify(text) != nil {
		t.Errorf("when it is due and the disk is full: %s, %d keys", kid, len(row().Keys))
	}
	w.Fill(false)
	if _, kid := token(); kid != k.ID || len(row().Keys) != 2 {
		t.Errorf("when it is due: %s, %d keys", kid, len(row().Keys))
	}
	w.Day(97)
	w.Advance(-time.Second)
	old, kid := token()
	if kid != k.ID {
		t.Errorf("the new key signs before it was published for a week")
	}
	w.Advance(time.Second)
	fresh, kid := token()
	if kid == k.ID || kid != row().Keys[1].ID {
		t.Errorf("the key %s signs", kid)
	}
	w.Advance(58 * time.Minute)
	for what, text := range map[string]string{"old": old, "new": fresh} {
		if err := verify(text); err != nil {
			t.Errorf("a token of the %s key: %v", what, err)
		}
	}
	w.Day(98)
	if n := len(oidc.PublicKeys(row(), w.Now().UnixMilli()).Keys); n != 1 {
		t.Errorf("%d keys are published when the old one's tokens are over", n)
	}
	w.Day(180)
	token()
	if n := len(row().Keys); n != 2 {
		t.Errorf("%d keys are kept", n)
	}
}
