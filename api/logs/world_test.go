package logs_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/smithy-go"
	"go.uber.org/goleak"

	"github.com/roadstead/roadstead/api/logs"
	"github.com/roadstead/roadstead/keyring"
	"github.com/roadstead/roadstead/logstore"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/test/endpoint"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreTopFunction("net/http.(*persistConn).readLoop"), // of clients' default transports
		goleak.IgnoreTopFunction("net/http.(*persistConn).writeLoop"))
}

// begin is when the worlds of tests begin.
var begin = endpoint.Begin

// world is an endpoint with the API.
type world struct {
	*endpoint.World
	*sdk.Client
	other   *sdk.Client // of another account
	api     *logs.API
	dir     string
	address string   // of the endpoint
	checked []string // destinations of subscription filters
	buckets buckets
	ids     atomic.Int64
}

// newWorld returns a world whose API runs.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := stillWorld(t)
	w.run(t, w.api)
	return w
}

// stillWorld returns one whose API answers, and does nothing by itself.
func stillWorld(t *testing.T) *world {
	t.Helper()
	w := &world{World: endpoint.New(t), dir: t.TempDir(), buckets: buckets{owners: map[string]string{}, objects: map[string]string{}}}
	w.api = w.open(t, w.dir)
	w.Serve(w.api.Mux())
	w.address = strings.TrimPrefix(*w.As("test").BaseEndpoint, "http://")
	w.Client, w.other = sdk.NewFromConfig(w.As("test")), sdk.NewFromConfig(w.As("other"))
	return w
}

// open returns an API with the rows of the world, and with the events of a folder.
func (w *world) open(t *testing.T, dir string) *logs.API {
	t.Helper()
	var a *logs.API
	store, err := logstore.Open(logstore.Config{Dir: dir, Segment: 500, Open: func(wrapped []byte) ([]byte, error) { return a.OpenKey(wrapped) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	a = logs.New(logs.Config{
		Keys: keyring.Service{Ring: keyring.Ring{Seal: w.Seal, Random: rand.Reader}, Name: "logs", May: w.MayOwn("logs")}, DB: w.DB, Store: store, NewID: func() string { return fmt.Sprintf("%032d", w.ids.Add(1)) }, Now: w.Now, Check: w.check,
		MayDeposit: func(ctx context.Context, bucket, key string) error {
			return w.May("s3")(ctx, "PutObject", &struct{ Bucket, Key string }{bucket, key})
		},
		Deposit: w.buckets.deposit,
	})
	return a
}

// run runs an API until the test ends, or what it returns is called.
func (*world) run(t *testing.T, a *logs.API) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan struct{})
	go func() { defer close(done); _ = a.Run(ctx) }()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return stop
}

// check is a network in which only one destination takes messages, and an operator who allows no http:// URLs.
func (w *world) check(_ context.Context, destination string) error {
	if strings.HasPrefix(destination, "http://") {
		return model.Errorf("InvalidParameterException", "The operator has not allowed %s.", destination)
	}
	if w.checked = append(w.checked, destination); destination != "https://logs.example/in" {
		return errors.New("nobody listens")
	}
	return nil
}

// buckets are those of S3, in memory.
type buckets struct {
	mu      sync.Mutex
	owners  map[string]string // account by bucket
	objects map[string]string // by BUCKET/KEY
	before  func(key string)  // an object is put; nil means nothing
}

func (b *buckets) deposit(_ context.Context, of model.Scope, bucket, key string, body []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch owner, ok := b.owners[bucket]; {
	case !ok:
		return model.Errorf("NoSuchBucket", "The specified bucket does not exist")
	case owner != of.Account:
		return model.Errorf("AccessDenied", "Access Denied")
	}
	if b.before != nil {
		b.before(key)
	}
	b.objects[bucket+"/"+key] = string(body)
	return nil
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
	in := &sdk.PutLogEventsInput{LogGroupName: &group, LogStreamName: &stream, LogEvents: []types.InputLogEvent{}}
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
