package ecr_test

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/smithy-go"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"go.uber.org/goleak"

	"github.com/roadstead/roadstead/access"
	"github.com/roadstead/roadstead/api/ecr"
	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/registry"
	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/test/steady"
	"github.com/roadstead/roadstead/wire"
)

func TestMain(m *testing.M) {
	registry.BridgeLogs(slog.New(slog.DiscardHandler))
	goleak.VerifyTestMain(m,
		goleak.IgnoreTopFunction("github.com/docker/go-events.(*Broadcaster).run"), // one per storage tree, for good
		goleak.IgnoreTopFunction("net/http.(*persistConn).readLoop"),               // of clients' default transports
		goleak.IgnoreTopFunction("net/http.(*persistConn).writeLoop"))
}

const account = "000000000000"

// world is an endpoint with the ECR API and the registry, as a server has it.
type world struct {
	*sdk.Client
	api   *ecr.API
	db    *state.DB
	now   func() time.Time // of the API
	other *sdk.Client      // of another account
	node  *sdk.Client
	url   string
	host  string
	dir   string // of the registry

	upstreams map[string]string
	secrets   map[string]string // by ARN
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return newScannedWorld(t, "")
}

// newScannedWorld has a scanner at a URL, "" for none.
func newScannedWorld(t *testing.T, scanner string) *world {
	t.Helper()
	keys := map[string]model.AccessKey{
		"test":  {ID: "test", Secret: "secret", Account: account, Kind: model.KeyRoot},
		"other": {ID: "other", Secret: "secret", Account: "111111111111", Kind: model.KeyRoot},
		"node":  {ID: "node", Secret: "secret", Account: account, Kind: model.KeyNode},
		"guest": {ID: "guest", Secret: "secret", Account: "111111111111", Kind: model.KeyNode},
	}
	lookup := func(id string) (model.AccessKey, bool) { k, ok := keys[id]; return k, ok }
	db := state.Open(state.Config{Backend: state.NewMemory().Member(), Codec: state.SpecCodec{Marshal: wire.Marshal, Unmarshal: wire.Unmarshal}})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = db.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	if err := db.AwaitLead(ctx); err != nil {
		t.Fatal(err)
	}
	decider := &access.Access{}
	w := &world{now: time.Now, db: db, dir: t.TempDir(), upstreams: map[string]string{}, secrets: map[string]string{}}
	images, err := registry.New(registry.Config{
		Dir: w.dir, Region: "us-east-1", TokenKey: []byte(strings.Repeat("k", 32)), Key: func(id, _ string) (model.AccessKey, bool) { return lookup(id) },
		May: func(id, _, action string, of model.Scope, name string) error {
			in := struct{ RegistryId, RepositoryName string }{of.Account, name}
			p := auth.NewPrincipal(keys[id], of.Region, "ecr")
			return decider.Authorize(db.Snapshot().Tables, &access.Call{Principal: p, Service: "ecr", Operation: action, Input: &in, Now: time.Now()})
		},
		Make: func(ctx context.Context, s model.Scope, name string) (bool, error) {
			return w.api.Make(ctx, s, name, "CREATE_ON_PUSH")
		},
		Fetch: func(ctx context.Context, s model.Scope, name, ref string, may func(string) error) error {
			return w.api.Fetch(ctx, s, name, ref, may)
		},
		Pushed: func(s model.Scope, name string) { w.api.Pushed(s, name) },
		Pulled: func(ctx context.Context, p registry.Pull) error { return w.api.Pulled(ctx, p) },
		Archived: func(s model.Scope, name, digest string, pushedAt model.Millis) bool {
			return w.api.Archived(s, name, digest, pushedAt)
		},
		Repository: func(s model.Scope, name string) (model.Repository, bool) {
			r, ok := db.Snapshot().Repositories.Get(s.Key(name))
			if !ok {
				return model.Repository{}, false
			}
			return *r, true
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.api = ecr.New(ecr.Config{DB: db, Images: images, Endpoint: func() string { return w.url }, Now: func() time.Time { return w.now() }, Scanner: scanner,
		Regions: []string{"us-east-1", "eu-west-1"}, Upstreams: w.upstreams,
		Secret: func(_ model.Scope, arn string) (string, error) {
			text, ok := w.secrets[arn]
			if !ok {
				return "", model.Errorf("SecretNotFoundException", "no such secret")
			}
			return text, nil
		},
		Grants: func(of, action string, on model.Scope, name string) error {
			in := struct{ RegistryId, RepositoryName string }{on.Account, name}
			p := auth.NewPrincipal(model.AccessKey{Account: of, Kind: model.KeyRoot}, on.Region, "ecr")
			return decider.Authorize(db.Snapshot().Tables, &access.Call{Principal: p, Service: "ecr", Operation: action, Input: &in, Now: time.Now()})
		}})
	v := &auth.Verifier{Lookup: lookup}
	gateway := wire.NewGateway(wire.GatewayConfig{Authorize: func(ctx context.Context, _ *http.Request, in any) error {
		p, _ := auth.PrincipalFrom(ctx)
		call, _ := wire.CallFrom(ctx)
		return decider.Authorize(db.Snapshot().Tables, &access.Call{Principal: p, Service: call.Service, Operation: call.Operation, Input: in, Now: time.Now()})
	}, Authenticate: func(r *http.Request, body []byte) (context.Context, error) {
		p, err := v.Verify(r, body)
		if err != nil {
			return nil, err
		}
		call, _ := wire.CallFrom(r.Context())
		return auth.WithPrincipal(r.Context(), p), auth.Allowed(p, call.Service, call.Operation)
	}}, w.api.Mux())
	mux := http.NewServeMux()
	mux.Handle("/v2/", images)
	mux.Handle("/", gateway)
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	w.url, w.host = s.URL, strings.TrimPrefix(s.URL, "http://")
	open := func(id string) *sdk.Client {
		return sdk.New(sdk.Options{Region: "us-east-1", BaseEndpoint: aws.String(s.URL), RetryMaxAttempts: 1, HTTPClient: steady.Client(),
			Credentials: credentials.NewStaticCredentialsProvider(id, "secret", "")})
	}
	w.Client, w.other, w.node = open("test"), open("other"), open("node")
	return w
}

func (w *world) create(t *testing.T, names ...string) {
	t.Helper()
	for _, n := range names {
		if _, err := w.CreateRepository(t.Context(), &sdk.CreateRepositoryInput{RepositoryName: aws.String(n)}); err != nil {
			t.Fatal(err)
		}
	}
}

func (w *world) push(t *testing.T, ref string, img v1.Image) string {
	t.Helper()
	if img == nil {
		img = randomImage(t)
	}
	if err := w.tryPush(t, ref, img); err != nil {
		t.Fatal(err)
	}
	d, _ := img.Digest()
	return d.String()
}

func (w *world) tryPush(t *testing.T, ref string, img v1.Image) error {
	t.Helper()
	if img == nil {
		img = randomImage(t)
	}
	return remote.Write(w.reference(t, ref), img, remote.WithAuth(&authn.Basic{Username: "test", Password: "secret"}))
}

func (w *world) pushIndex(t *testing.T, ref string, index v1.ImageIndex) {
	t.Helper()
	if err := remote.WriteIndex(w.reference(t, ref), index, remote.WithAuth(&authn.Basic{Username: "test", Password: "secret"})); err != nil {
		t.Fatal(err)
	}
}

func (w *world) reference(t *testing.T, ref string) name.Reference {
	t.Helper()
	r, err := name.ParseReference(w.host + "/" + ref)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func randomImage(t *testing.T) v1.Image {
	t.Helper()
	img, err := random.Image(512, 2)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// firstLayer is the digest of the first layer that a manifest refers to.
func firstLayer(t *testing.T, manifest string) string {
	t.Helper()
	m, err := v1.ParseManifest(strings.NewReader(manifest))
	if err != nil {
		t.Fatal(err)
	}
	return m.Layers[0].Digest.String()
}

// wantError checks the exception's code and text, as the SDK reads them.
func wantError(t *testing.T, err error, code, text string) {
	t.Helper()
	var e smithy.APIError
	if !errors.As(err, &e) || e.ErrorCode() != code || !strings.Contains(e.ErrorMessage(), text) {
		t.Errorf("got %v, want %s with %q", err, code, text)
	}
}

func recent(at *time.Time) bool { return at != nil && time.Since(*at).Abs() < time.Minute }

// age dates all images that are stored as an hour older.
func (w *world) age(t *testing.T) {
	t.Helper()
	err := filepath.WalkDir(w.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() != "link" {
			return err
		}
		at := time.Now().Add(-time.Hour)
		return os.Chtimes(path, at, at)
	})
	if err != nil {
		t.Fatal(err)
	}
}
