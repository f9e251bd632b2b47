package logs_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/smithy-go"
	"go.uber.org/goleak"

	"github.com/roadstead/roadstead/api/logs"
	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/logstore"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/test/steady"
	"github.com/roadstead/roadstead/wire"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreTopFunction("net/http.(*persistConn).readLoop"), // of clients' default transports
		goleak.IgnoreTopFunction("net/http.(*persistConn).writeLoop"))
}

// begin is when the worlds of tests begin.
var begin = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// world is an endpoint with the API, as a server has it, and a clock of its own.
type world struct {
	*sdk.Client
	other   *sdk.Client // of another account
	dir     string
	address string       // of the endpoint
	checked []string     // destinations of subscription filters
	ahead   atomic.Int64 // nanoseconds since begin
}

// check is a network in which only one destination takes messages.
func (w *world) check(_ context.Context, destination string) error {
	if w.checked = append(w.checked, destination); destination != "https://logs.example/in" {
		return errors.New("nobody listens")
	}
	return nil
}

func (w *world) now() time.Time { return begin.Add(time.Duration(w.ahead.Load())) }

func (w *world) advance(d time.Duration) { w.ahead.Add(int64(d)) }

func newWorld(t *testing.T) *world {
	t.Helper()
	keys := map[string]model.AccessKey{
		"test":  {ID: "test", Secret: "secret", Account: "000000000000", Kind: model.KeyRoot},
		"other": {ID: "other", Secret: "secret", Account: "111111111111", Kind: model.KeyRoot},
	}
	db := state.Open(state.Config{Backend: state.NewMemory().Member(), Codec: state.SpecCodec{Marshal: wire.Marshal, Unmarshal: wire.Unmarshal}})
	w := &world{dir: t.TempDir()}
	store, err := logstore.Open(logstore.Config{Dir: w.dir, Segment: 500})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	a := logs.New(logs.Config{DB: db, Store: store, NewID: func() string { n++; return fmt.Sprintf("%032d", n) }, Now: w.now, Check: w.check})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{}, 2)
	go func() { _ = db.Run(ctx); done <- struct{}{} }()
	go func() { _ = a.Run(ctx); done <- struct{}{} }()
	t.Cleanup(func() { cancel(); <-done; <-done; store.Close() })
	if err := db.AwaitLead(ctx); err != nil {
		t.Fatal(err)
	}
	v := &auth.Verifier{Lookup: func(id string) (model.AccessKey, bool) { k, ok := keys[id]; return k, ok }}
	s := httptest.NewServer(wire.NewGateway(wire.GatewayConfig{Authenticate: func(r *http.Request, body []byte) (context.Context, error) {
		p, err := v.Verify(r, body)
		return auth.WithPrincipal(r.Context(), p), err
	}}, a.Mux()))
	t.Cleanup(s.Close)
	w.address = s.Listener.Addr().String()
	open := func(id string) *sdk.Client {
		return sdk.New(sdk.Options{Region: "us-east-1", BaseEndpoint: aws.String(s.URL), RetryMaxAttempts: 1, HTTPClient: steady.Client(),
			Credentials: credentials.NewStaticCredentialsProvider(id, "secret", "")})
	}
	w.Client, w.other = open("test"), open("other")
	return w
}

// create makes a group with streams.
func (w *world) create(t *testing.T, group string, streams ...string) {
	t.Helper()
	_, err := w.CreateLogGroup(t.Context(), &sdk.CreateLogGroupInput{LogGroupName: &group})
	must(t, err)
	for _, s := range streams {
		_, err := w.CreateLogStream(t.Context(), &sdk.CreateLogStreamInput{LogGroupName: &group, LogStreamName: &s})
		must(t, err)
	}
}

// put puts lines of the form "SECONDS TEXT" after begin.
func (w *world) put(t *testing.T, group, stream string, lines ...string) *sdk.PutLogEventsOutput {
	t.Helper()
	out, err := w.tryPut(t.Context(), group, stream, lines...)
	must(t, err)
	return out
}

func (w *world) tryPut(ctx context.Context, group, stream string, lines ...string) (*sdk.PutLogEventsOutput, error) {
	in := &sdk.PutLogEventsInput{LogGroupName: &group, LogStreamName: &stream}
	for _, l := range lines {
		seconds, text, _ := strings.Cut(l, " ")
		at, err := time.ParseDuration(seconds + "s")
		if err != nil {
			return nil, err
		}
		in.LogEvents = append(in.LogEvents, types.InputLogEvent{Timestamp: aws.Int64(begin.Add(at).UnixMilli()), Message: aws.String(text)})
	}
	return w.PutLogEvents(ctx, in)
}

func must(t interface {
	Helper()
	Fatal(args ...any)
}, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantError checks the exception's code and text, as the SDK reads them.
func wantError(t *testing.T, err error, code, text string) {
	t.Helper()
	var e smithy.APIError
	if !errors.As(err, &e) || e.ErrorCode() != code || !strings.Contains(e.ErrorMessage(), text) {
		t.Errorf("got %v, want %s with %q", err, code, text)
	}
}

func messages(events []types.OutputLogEvent) string {
	var all []string
	for _, e := range events {
		all = append(all, *e.Message)
	}
	return strings.Join(all, " ")
}
