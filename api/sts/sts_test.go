package sts_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/roadstead/roadstead/api/sts"
	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/wire"
)

// [D] GetCallerIdentity answers account, ARN and user id, to signed and to presigned requests; strangers are refused in
// the query protocol's words.
func TestGetCallerIdentity(t *testing.T) {
	v := &auth.Verifier{Lookup: func(id string) (model.AccessKey, bool) {
		kind := map[string]string{"test": model.KeyRoot, "node": model.KeyNode}[id]
		return model.AccessKey{ID: id, Secret: "secret", Account: "000000000000", Kind: kind}, kind != ""
	}}
	s := httptest.NewServer(wire.NewGateway(wire.GatewayConfig{
		Authenticate: func(r *http.Request, body []byte) (context.Context, error) {
			p, err := v.Verify(r, body)
			return auth.WithPrincipal(r.Context(), p), err
		},
	}, sts.New(sts.Config{})))
	defer s.Close()
	open := func(id string) *sdk.Client {
		return sdk.New(sdk.Options{Region: "us-east-1", BaseEndpoint: aws.String(s.URL),
			Credentials: credentials.NewStaticCredentialsProvider(id, "secret", "")})
	}
	for id, want := range map[string][3]string{
		"test": {"000000000000", "arn:aws:iam::000000000000:root", "000000000000"},
		"node": {"000000000000", "arn:aws:sts::000000000000:assumed-role/roadstead-node/node", "roadstead-node:node"},
	} {
		out, err := open(id).GetCallerIdentity(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := [3]string{*out.Account, *out.Arn, *out.UserId}; got != want {
			t.Errorf("%s: %v", id, got)
		}
	}
	pre, err := sdk.NewPresignClient(open("test")).PresignGetCallerIdentity(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	r, _ := http.NewRequest(pre.Method, pre.URL, nil)
	r.Header = pre.SignedHeader
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 200 {
		t.Errorf("presigned: %s", resp.Status)
	}
	_, err = open("nobody").GetCallerIdentity(t.Context(), nil)
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != "InvalidClientTokenId" {
		t.Error(err)
	}
}
