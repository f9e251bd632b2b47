package ssm_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/roadstead/roadstead/api/ssm"
	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/wire"
)

// [D] DescribeSessions: those under way, connected and disconnected, or those that are over, and its filters.
func TestDescribeSessions(t *testing.T) {
	at := func(cluster string) ssm.Target {
		return ssm.Target{Cluster: cluster, Task: strings.Repeat("a", 32), Runtime: "r"}
	}
	mux := ssm.New(ssm.Config{Known: func(model.Scope) []ssm.KnownSession {
		return []ssm.KnownSession{
			{ID: "s1", Target: at("c"), Principal: "arn:a", OpenedAt: 1000, EndedAt: 2000, Began: true},
			{ID: "s2", Target: at("c"), Principal: "arn:a", OpenedAt: 2000, EndedAt: 2000},
			{ID: "s3", Target: at("c"), Principal: "arn:a", OpenedAt: 3000, Began: true, Connected: true},
			{ID: "s4", Target: at("d"), Principal: "arn:b", OpenedAt: 4000, Forward: "localhost:80"},
			{ID: "s5", Target: at("d"), Principal: "arn:b", OpenedAt: 5000, Forward: "db:80", Connected: true},
		}
	}})
	s := httptest.NewServer(wire.NewGateway(wire.GatewayConfig{Authenticate: func(r *http.Request, _ []byte) (context.Context, error) {
		return auth.WithPrincipal(r.Context(), auth.Principal{Account: "000000000000", Region: "us-east-1"}), nil
	}}, mux))
	defer s.Close()
	c := sdk.New(sdk.Options{Region: "us-east-1", BaseEndpoint: aws.String(s.URL), Credentials: credentials.NewStaticCredentialsProvider("test", "test", "")})
	for _, x := range []struct {
		state      types.SessionState
		key, value string
		want       string
	}{
		{"Active", "", "", "s5 Connected AWS-StartPortForwardingSessionToRemoteHost, s4 Disconnected AWS-StartPortForwardingSession, s3 Connected AmazonECS-ExecuteInteractiveCommand"},
		{"History", "", "", "s2 Failed AmazonECS-ExecuteInteractiveCommand, s1 Terminated AmazonECS-ExecuteInteractiveCommand"},
		{"Active", "Status", "Disconnected", "s4 Disconnected AWS-StartPortForwardingSession"},
		{"Active", "Owner", "arn:a", "s3 Connected AmazonECS-ExecuteInteractiveCommand"},
		{"Active", "Target", "ecs:c_" + strings.Repeat("a", 32) + "_r", "s3 Connected AmazonECS-ExecuteInteractiveCommand"},
		{"Active", "SessionId", "s4", "s4 Disconnected AWS-StartPortForwardingSession"},
		{"History", "InvokedAfter", "1970-01-01T00:00:02Z", "s2 Failed AmazonECS-ExecuteInteractiveCommand"},
		{"History", "InvokedBefore", "1970-01-01T00:00:02Z", "s1 Terminated AmazonECS-ExecuteInteractiveCommand"},
		{"History", "InvokedBefore", "yesterday", "ValidationException"},
		{"History", "Colour", "x", "InvalidFilterKey"},
		{"Past", "", "", "ValidationException"},
	} {
		in := &sdk.DescribeSessionsInput{State: x.state, MaxResults: aws.Int32(1)}
		if x.key != "" {
			in.Filters = []types.SessionFilter{{Key: types.SessionFilterKey(x.key), Value: &x.value}}
		}
		var got []string
		for first := true; first || in.NextToken != nil; first = false {
			out, err := c.DescribeSessions(t.Context(), in)
			if err != nil {
				got = append(got, err.Error())
				break
			}
			for _, k := range out.Sessions {
				got = append(got, *k.SessionId+" "+string(k.Status)+" "+*k.DocumentName)
			}
			in.NextToken = out.NextToken
		}
		if all := strings.Join(got, ", "); all != x.want && !(strings.HasSuffix(x.want, "Exception") || x.want == "InvalidFilterKey") || !strings.Contains(all, x.want) {
			t.Errorf("%s %s=%s: %s", x.state, x.key, x.value, all)
		}
	}
}
