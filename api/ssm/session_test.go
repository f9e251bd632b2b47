package ssm_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/smithy-go"

	"github.com/roadstead/roadstead/api/ssm"
	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/wire"
)

// [D] SEMANTICS §13.8: what the documents of Session Manager ask for, at a container of a task, and what is refused.
func TestStartSession(t *testing.T) {
	task := strings.Repeat("a", 32)
	here := "ecs:default_" + task + "_rt-1"
	mux := ssm.New(ssm.Config{
		Start: func(_ context.Context, s model.Scope, r ssm.SessionRequest) (ssm.Session, error) {
			what := r.Command
			if r.Port != nil {
				what = fmt.Sprintf("%s:%d from %q", r.Port.Host, r.Port.Number, r.Port.Local)
			}
			return ssm.Session{ID: s.Account + " " + r.Target.Runtime, StreamURL: "ws://x", Token: what}, nil
		},
		Connected: func(_ model.Scope, at ssm.Target) bool { return at.Runtime == "rt-1" },
	})
	s := httptest.NewServer(wire.NewGateway(wire.GatewayConfig{Authenticate: func(r *http.Request, _ []byte) (context.Context, error) {
		return auth.WithPrincipal(r.Context(), auth.Principal{Account: "000000000000", Region: "us-east-1"}), nil
	}}, mux))
	defer s.Close()
	c := sdk.New(sdk.Options{Region: "us-east-1", BaseEndpoint: aws.String(s.URL), Credentials: credentials.NewStaticCredentialsProvider("test", "test", "")})
	const shell, command, port, far = "", "AWS-StartInteractiveCommand", "AWS-StartPortForwardingSession", "AWS-StartPortForwardingSessionToRemoteHost"
	type values = map[string][]string
	for _, x := range []struct {
		target, document string
		parameters       values
		want, code       string
	}{
		{here, shell, nil, "sh", ""},
		{here, command, values{"command": {"ls -l"}}, "ls -l", ""},
		{here, port, values{"portNumber": {"8080"}, "localPortNumber": {"9000"}}, `localhost:8080 from "9000"`, ""},
		{here, port, nil, `localhost:80 from ""`, ""},
		{here, far, values{"host": {"db.internal"}, "portNumber": {"5432"}}, `db.internal:5432 from ""`, ""},
		{here, far, values{"portNumber": {"5432"}}, "host is required", "InvalidParameters"},
		{here, port, values{"host": {"db.internal"}}, "no parameter host", "InvalidParameters"},
		{here, port, values{"portNumber": {"0"}}, "0 is no port", "InvalidParameters"},
		{here, port, values{"portNumber": {"65536"}}, "65536 is no port", "InvalidParameters"},
		{here, port, values{"localPortNumber": {"x"}}, "x is no port", "InvalidParameters"},
		{here, port, values{"portNumber": {"1", "2"}}, "more than one value", "InvalidParameters"},
		{here, command, nil, "command is required", "InvalidParameters"},
		{here, "AWS-RunShellScript", nil, "AWS-RunShellScript does not exist", "InvalidDocument"},
		{"i-0123", shell, nil, "i-0123 is not connected.", "TargetNotConnected"},
	} {
		in := &sdk.StartSessionInput{Target: &x.target, Parameters: x.parameters}
		if x.document != "" {
			in.DocumentName = &x.document
		}
		out, err := c.StartSession(t.Context(), in)
		var failed smithy.APIError
		switch {
		case x.code == "" && (err != nil || *out.TokenValue != x.want || *out.SessionId != "000000000000 rt-1" || *out.StreamUrl != "ws://x"):
			t.Errorf("%s %s %v: %+v, %v", x.target, x.document, x.parameters, out, err)
		case x.code != "" && (!errors.As(err, &failed) || failed.ErrorCode() != x.code || !strings.Contains(failed.ErrorMessage(), x.want)):
			t.Errorf("%s %s %v: %v", x.target, x.document, x.parameters, err)
		}
	}
	for target, want := range map[string]string{here: "connected", "ecs:default_" + task + "_rt-2": "notconnected", "i-0123": "notconnected"} {
		if out, err := c.GetConnectionStatus(t.Context(), &sdk.GetConnectionStatusInput{Target: &target}); err != nil || string(out.Status) != want || *out.Target != target {
			t.Errorf("%s: %+v, %v", target, out, err)
		}
	}
}
