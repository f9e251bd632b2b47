package s3_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"go.uber.org/goleak"

	"github.com/roadstead/roadstead/api/s3"
	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/objectstore"
	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/test/steady"
	"github.com/roadstead/roadstead/wire"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreTopFunction("net/http.(*persistConn).readLoop"), // of clients' default transports
		goleak.IgnoreTopFunction("net/http.(*persistConn).writeLoop"))
}

// world is an endpoint with the API, as a server has it.
type world struct {
	*sdk.Client
	other *sdk.Client // root of another account
	url   string
	dir   string
	db    *state.DB
	store *objectstore.Store
	api   *s3.API
	// refuse is an action that policies do not allow on a resource: "s3:GetObject b/k"; "" for none.
	refuse atomic.Value
}

func (*world) now() time.Time { return time.Now() }

func newWorld(t *testing.T, region string) *world {
	t.Helper()
	keys := map[string]model.AccessKey{
		"test":  {ID: "test", Secret: "secret", Account: "000000000000", Kind: model.KeyRoot},
		"other": {ID: "other", Secret: "secret", Account: "111111111111", Kind: model.KeyRoot},
		"node":  {ID: "node", Secret: "secret", Account: "000000000000", Kind: model.KeyNode},
	}
	w := &world{dir: t.TempDir()}
	w.refuse.Store("")
	w.db = state.Open(state.Config{Backend: state.NewMemory().Member(), Codec: state.SpecCodec{Marshal: wire.Marshal, Unmarshal: wire.Unmarshal}})
	var err error
	if w.store, err = objectstore.Open(objectstore.Config{Dir: w.dir}); err != nil {
		t.Fatal(err)
	}
	var n atomic.Int64
	w.api = s3.New(s3.Config{
		DB: w.db, Store: w.store, Region: region, Hosts: []string{"localhost"}, Now: w.now,
		Verifier: &auth.Verifier{Lookup: func(id string) (model.AccessKey, bool) { k, ok := keys[id]; return k, ok }},
		NewID:    func() string { return fmt.Sprintf("%016x%016x", n.Add(1), 0) },
		May: func(_ *http.Request, p *auth.Principal, action string, on *s3.On) error {
			if w.refuse.Load() == "s3:"+action+" "+on.Bucket+"/"+on.Key {
				return &model.Error{Code: "AccessDeniedException", Message: "not authorized to perform: s3:" + action, Encoded: "why"}
			}
			if b, ok := w.db.Snapshot().Buckets.Get(on.Bucket); ok && b.Account != p.Account && action != "CreateBucket" && b.Policy == "" {
				return model.Errorf("AccessDeniedException", "not authorized to perform: s3:%s", action) // what policies say is decided in package access
			}
			return auth.Allowed(*p, "s3", action)
		},
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { _ = w.db.Run(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	if err := w.db.AwaitLead(ctx); err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(w.api)
	t.Cleanup(s.Close)
	w.url = s.URL
	w.Client, w.other = w.client("test", region, s.URL), w.client("other", region, s.URL)
	return w
}

func (w *world) client(id, region, url string) *sdk.Client {
	return sdk.New(sdk.Options{Region: region, BaseEndpoint: aws.String(url), RetryMaxAttempts: 1, HTTPClient: steady.Client(),
		Credentials: credentials.NewStaticCredentialsProvider(id, "secret", ""), UsePathStyle: true,
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported, ResponseChecksumValidation: aws.ResponseChecksumValidationWhenSupported})
}

// bucket makes one, with objects that hold their keys.
func (w *world) bucket(t *testing.T, name string, keys ...string) {
	t.Helper()
	_, err := w.CreateBucket(t.Context(), &sdk.CreateBucketInput{Bucket: &name})
	must(t, err)
	for _, k := range keys {
		w.put(t, name, k, k)
	}
}

func (w *world) put(t *testing.T, bucket, key, text string) *sdk.PutObjectOutput {
	t.Helper()
	out, err := w.PutObject(t.Context(), &sdk.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader(text)})
	must(t, err)
	return out
}

func (w *world) get(t *testing.T, bucket, key string) string {
	t.Helper()
	out, err := w.GetObject(t.Context(), &sdk.GetObjectInput{Bucket: &bucket, Key: &key})
	must(t, err)
	return text(t, out.Body)
}

func text(t *testing.T, r io.ReadCloser) string {
	t.Helper()
	defer r.Close()
	b, err := io.ReadAll(r)
	must(t, err)
	return string(b)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantError checks the code and text of a refusal, as the SDK reads them.
func wantError(t *testing.T, err error, code, text string) {
	t.Helper()
	var e smithy.APIError
	if !errors.As(err, &e) || e.ErrorCode() != code || !strings.Contains(e.ErrorMessage(), text) {
		t.Errorf("got %v, want %s with %q", err, code, text)
	}
}
