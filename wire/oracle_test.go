package wire_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/roadstead/roadstead/wire"
)

// letIn is an authenticator for tests that are not about authentication.
func letIn(r *http.Request, _ []byte) (context.Context, error) { return r.Context(), nil }

func testGateway(muxes ...*wire.Mux) *wire.Gateway {
	return wire.NewGateway(wire.GatewayConfig{
		Authenticate: letIn,
		NewRequestID: func() string { return "req-1" },
		Log:          slog.New(slog.DiscardHandler),
	}, muxes...)
}

// clientConfig points SDK clients, whatever host they would call, at the handler.
func clientConfig(t testing.TB, h http.Handler) aws.Config {
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	addr := server.Listener.Addr().String()
	var dialer net.Dialer
	transport := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return dialer.DialContext(ctx, network, addr)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	// The SDK closes its request stream as soon as the answer's head is there; net/http, if it has yet to look for the end
	// of that stream, takes the EOF for a failed write and drops the connection under the answer. A server this near and
	// this fast loses that race often (up to 83 of 400 calls under load; it happens with a handler that has nothing of ours too), so the body is
	// copied to where the SDK cannot close it. No retries: they would hide what we look for.
	client := &http.Client{Transport: transport}
	return aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String("http://" + addr), RetryMaxAttempts: 1,
		HTTPClient: roundTripper(func(r *http.Request) (*http.Response, error) {
			if r.Body != nil {
				body, err := io.ReadAll(r.Body)
				if err != nil {
					return nil, err
				}
				r.Body = io.NopCloser(bytes.NewReader(body))
			}
			return client.Do(r)
		}),
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	}
}

// Every operation of the real clients: what the client was given is what the handler sees, and what the handler answers
// is what the client returns, every member populated [D].
func TestEveryOperationOfTheRealClients(t *testing.T) {
	tests := []struct {
		service    *wire.Service
		client     func(aws.Config) any
		operations int
	}{
		{wire.ECS(), func(c aws.Config) any { return ecs.NewFromConfig(c) }, 88},
		{wire.ECR(), func(c aws.Config) any { return ecr.NewFromConfig(c) }, 62},
		{wire.STS(), func(c aws.Config) any { return sts.NewFromConfig(c) }, 11},
		{wire.IAM(), func(c aws.Config) any { return iam.NewFromConfig(c) }, 180},
		{wire.CloudWatch(), func(c aws.Config) any { return cloudwatch.NewFromConfig(c) }, 55},
	}
	for _, tt := range tests {
		t.Run(tt.service.Name, func(t *testing.T) {
			mux := wire.NewMux(tt.service)
			client := tt.client(clientConfig(t, testGateway(mux)))
			for _, op := range tt.service.Operations {
				t.Run(op, func(t *testing.T) { roundTrip(t, mux, client, op) })
			}
			if n := len(mux.Served()); n != tt.operations || len(mux.Missing()) != 0 {
				t.Errorf("drove %d operations and missed %v, want %d", n, mux.Missing(), tt.operations)
			}
		})
	}
}

func roundTrip(t *testing.T, mux *wire.Mux, client any, op string) {
	method := reflect.ValueOf(client).MethodByName(op)
	inType, outType := method.Type().In(1).Elem(), method.Type().Out(0).Elem()
	in, out := reflect.New(inType), reflect.New(outType)
	fill(in.Elem(), op, map[reflect.Type]int{})
	fill(out.Elem(), op, map[reflect.Type]int{})
	var seen any
	wire.HandleAny(mux, op, inType, outType, func(in any) (any, error) {
		seen = in
		return out.Interface(), nil
	})
	results := method.Call([]reflect.Value{reflect.ValueOf(t.Context()), in})
	if err, _ := reflect.TypeAssert[error](results[1]); err != nil {
		t.Fatal(err)
	}
	if want, got := dump(in), dump(reflect.ValueOf(seen)); want != got {
		t.Errorf("input:\n%s", firstDifference(want, got))
	}
	if want, got := dump(out), dump(results[0]); want != got {
		t.Errorf("output:\n%s", firstDifference(want, got))
	}
}

// sortedJSON rewrites JSON with its keys sorted.
func sortedJSON(raw []byte) string {
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return string(raw)
	}
	sorted, _ := json.Marshal(v)
	return string(sorted)
}
