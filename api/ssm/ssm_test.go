package ssm_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/roadstead/roadstead/api/ssm"
	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/wire"
)

// [code] AGENT-PROTOCOL §5.1: the plugin resumes and terminates sessions; a session that is over has no token.
func TestSessions(t *testing.T) {
	var ended []string
	mux := ssm.New(ssm.Config{
		Resume: func(_ context.Context, s model.Scope, id string) (string, string, bool) {
			return "ws://" + s.Account, "token", id == "s1"
		},
		Terminate: func(_ context.Context, s model.Scope, id string) error {
			ended = append(ended, s.Account+" "+id)
			return nil
		},
	})
	s := httptest.NewServer(wire.NewGateway(wire.GatewayConfig{Authenticate: func(r *http.Request, _ []byte) (context.Context, error) {
		return auth.WithPrincipal(r.Context(), auth.Principal{Account: "000000000000", Region: "us-east-1"}), nil
	}}, mux))
	defer s.Close()
	c := sdk.New(sdk.Options{Region: "us-east-1", BaseEndpoint: aws.String(s.URL), Credentials: credentials.NewStaticCredentialsProvider("test", "test", "")})
	out, err := c.ResumeSession(t.Context(), &sdk.ResumeSessionInput{SessionId: aws.String("s1")})
	if err != nil || *out.SessionId != "s1" || *out.StreamUrl != "ws://000000000000" || *out.TokenValue != "token" {
		t.Errorf("resume: %+v, %v", out, err)
	}
	out, err = c.ResumeSession(t.Context(), &sdk.ResumeSessionInput{SessionId: aws.String("s2")})
	if err != nil || *out.SessionId != "s2" || out.TokenValue != nil {
		t.Errorf("resume what is over: %+v, %v", out, err)
	}
	end, err := c.TerminateSession(t.Context(), &sdk.TerminateSessionInput{SessionId: aws.String("s1")})
	if err != nil || *end.SessionId != "s1" || len(ended) != 1 || ended[0] != "000000000000 s1" {
		t.Errorf("terminate: %+v, %v, %q", end, err, ended)
	}
}
