package registry_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"go.uber.org/goleak"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/registry"
)

func TestMain(m *testing.M) {
	registry.BridgeLogs(slog.New(slog.DiscardHandler))
	goleak.VerifyTestMain(m,
		// One per storage tree, for as long as the process lives: Distribution gives no way to end it.
		goleak.IgnoreTopFunction("github.com/docker/go-events.(*Broadcaster).run"),
		goleak.IgnoreTopFunction("net/http.(*persistConn).readLoop"), // of go-containerregistry's default transport
		goleak.IgnoreTopFunction("net/http.(*persistConn).writeLoop"))
}

var (
	scopeA = model.Scope{Account: "000000000000", Region: "us-east-1"}
	scopeB = model.Scope{Account: "111111111111", Region: "us-east-1"}
)

// world is a registry with two accounts, a node and the repositories that a test says.
type world struct {
	*registry.Registry
	host  string
	dir   string
	now   time.Time
	repos map[string]model.Repository
	keys  map[string]model.AccessKey
}

func newWorld(t testing.TB, repos ...string) *world {
	t.Helper()
	w := &world{dir: t.TempDir(), now: time.Now(), repos: map[string]model.Repository{}, keys: map[string]model.AccessKey{
		"test":  {ID: "test", Secret: "test", Account: scopeA.Account, Kind: model.KeyRoot},
		"other": {ID: "other", Secret: "s", Account: scopeB.Account, Kind: model.KeyRoot},
		"node":  {ID: "node", Secret: "n", Account: scopeA.Account, Kind: model.KeyNode},
	}}
	for _, name := range repos {
		w.add(model.Repository{Scope: scopeA, Name: name})
	}
	w.serve(t, registry.Config{})
	return w
}

// serve starts the registry with what is missing in a configuration.
func (w *world) serve(t testing.TB, c registry.Config) {
	t.Helper()
	c.Dir, c.Region, c.TokenKey = w.dir, "us-east-1", []byte(strings.Repeat("k", 32))
	c.Key = func(id, _ string) (model.AccessKey, bool) { k, ok := w.keys[id]; return k, ok }
	c.Repository = func(s model.Scope, name string) (model.Repository, bool) { r, ok := w.repos[s.Key(name)]; return r, ok }
	c.Now = func() time.Time { return w.now }
	g, err := registry.New(c)
	if err != nil {
		t.Fatal(err)
	}
	w.Registry = g
	s := httptest.NewServer(g)
	t.Cleanup(s.Close)
	w.host = strings.TrimPrefix(s.URL, "http://")
}

func (w *world) add(r model.Repository) { w.repos[r.Key()] = r }

func basic(user, password string) remote.Option {
	return remote.WithAuth(&authn.Basic{Username: user, Password: password})
}

func (w *world) ref(t testing.TB, s string) name.Reference {
	t.Helper()
	ref, err := name.ParseReference(w.host + "/" + s)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func image(t *testing.T) v1.Image {
	t.Helper()
	img, err := random.Image(1024, 3)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func (w *world) push(t *testing.T, ref string, img v1.Image) string {
	t.Helper()
	if err := remote.Write(w.ref(t, ref), img, basic("test", "test")); err != nil {
		t.Fatal(err)
	}
	d, _ := img.Digest()
	return d.String()
}

// refused checks that err is an answer with the status, code and text.
func refused(t *testing.T, err error, status int, code, text string) {
	t.Helper()
	var e *transport.Error
	if !errors.As(err, &e) || e.StatusCode != status || len(e.Errors) == 0 || string(e.Errors[0].Code) != code ||
		!strings.Contains(e.Errors[0].Message, text) {
		t.Errorf("got %v, want %d %s %q", err, status, code, text)
	}
}

func wantCode(t *testing.T, err error, code, text string) {
	t.Helper()
	if model.ErrorCode(err) != code || !strings.Contains(err.Error(), text) {
		t.Errorf("got %v, want %s with %q", err, code, text)
	}
}

// [D] docker login and its like: a challenge, then user AWS with a token, or an access key.
func TestLogin(t *testing.T) {
	w := newWorld(t)
	token, expires := w.Token(scopeA, "test", "")
	get := func(user, password string) (*http.Response, string) {
		r, _ := http.NewRequest("GET", "http://"+w.host+"/v2/", nil)
		if user != "" {
			r.SetBasicAuth(user, password)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return resp, string(b)
	}
	for _, c := range []struct {
		user, password string
		status         int
	}{
		{"", "", 401}, {"AWS", token, 200}, {"AWS", token + "x", 401}, {"AWS", "x." + token, 401}, {"AWS", "", 401},
		{"test", "test", 200}, {"test", "wrong", 401}, {"test", "", 401}, {"nobody", "test", 401}, {"node", "n", 200},
	} {
		resp, body := get(c.user, c.password)
		if resp.StatusCode != c.status {
			t.Errorf("%s %s: %d %s", c.user, c.password, resp.StatusCode, body)
		}
		if ch := resp.Header.Get("WWW-Authenticate"); c.status == 401 && !strings.HasPrefix(ch, `Basic realm="`) {
			t.Errorf("challenge %q", ch)
		}
	}
	if d := expires.Sub(w.now); d != 12*time.Hour {
		t.Errorf("good for %v", d)
	}
	w.now = expires
	if resp, body := get("AWS", token); resp.StatusCode != 403 || !strings.Contains(body, "Your authorization token has expired. Reauthenticate") {
		t.Errorf("expired: %d %s", resp.StatusCode, body)
	}
	w.now = expires.Add(-time.Second)
	delete(w.keys, "test") // a token ends with its key
	if resp, _ := get("AWS", token); resp.StatusCode != 401 {
		t.Errorf("deleted key: %d", resp.StatusCode)
	}
}

// [D] What is pushed can be pulled, by tag and by digest, and is listed with tags, size and date.
func TestPushPull(t *testing.T) {
	w := newWorld(t, "team/web", "team")
	img := image(t)
	token, _ := w.Token(scopeA, "test", "")
	if err := remote.Write(w.ref(t, "team/web:v1"), img, basic("AWS", token)); err != nil {
		t.Fatal(err)
	}
	digest, _ := img.Digest()
	for _, ref := range []string{"team/web:v1", "team/web@" + digest.String()} {
		got, err := remote.Image(w.ref(t, ref), basic("node", "n"))
		if err != nil {
			t.Fatal(err)
		}
		layers, err := got.Layers()
		if err != nil || len(layers) != 3 {
			t.Fatalf("%d layers, %v", len(layers), err)
		}
		r, err := layers[0].Compressed()
		if err != nil {
			t.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, r); n == 0 || err != nil { // checks the digest
			t.Error(n, err)
		}
		r.Close()
	}
	w.push(t, "team/web:latest", img)
	p, err := w.Repository(t.Context(), scopeA, "team/web")
	if err != nil {
		t.Fatal(err)
	}
	images, err := p.Images(t.Context())
	if err != nil || len(images) != 1 {
		t.Fatalf("%+v %v", images, err)
	}
	var size int64
	m, _ := img.Manifest()
	for _, l := range append(m.Layers, m.Config) {
		size += l.Size
	}
	got := images[0]
	if got.Digest != digest.String() || fmt.Sprint(got.Tags) != "[latest v1]" || got.Size != size ||
		got.ConfigType != string(m.Config.MediaType) || got.MediaType != string(m.MediaType) || time.Since(got.PushedAt) > time.Minute {
		t.Errorf("%+v, size %d", got, size)
	}
	if p, _ := w.Repository(t.Context(), scopeA, "team"); p != nil { // its directory holds that of team/web
		if images, err := p.Images(t.Context()); err != nil || len(images) != 0 {
			t.Errorf("%+v %v", images, err)
		}
	}
}

// [D] A push to a repository that does not exist fails as in ECR; nothing comes into being by it.
func TestUnknownRepository(t *testing.T) {
	w := newWorld(t, "web")
	err := remote.Write(w.ref(t, "other:v1"), image(t), basic("test", "test"))
	refused(t, err, 404, "NAME_UNKNOWN", "The repository with name 'other' does not exist in the registry with id '000000000000'")
	_, err = remote.Image(w.ref(t, "web:v1"), basic("test", "test"))
	refused(t, err, 404, "MANIFEST_UNKNOWN", "")
}

// [D] An account sees its own repositories only, even one of the same name.
func TestAccountsAreApart(t *testing.T) {
	w := newWorld(t, "web")
	img := image(t)
	digest := w.push(t, "web:v1", img)
	_, err := remote.Image(w.ref(t, "web:v1"), basic("other", "s"))
	refused(t, err, 404, "NAME_UNKNOWN", "in the registry with id '111111111111'")
	w.add(model.Repository{Scope: scopeB, Name: "web"})
	for _, ref := range []string{"web:v1", "web@" + digest} {
		_, err = remote.Image(w.ref(t, ref), basic("other", "s"))
		refused(t, err, 404, "MANIFEST_UNKNOWN", "")
	}
	layers, _ := img.Layers()
	h, _ := layers[0].Digest()
	r, _ := http.NewRequest("GET", "http://"+w.host+"/v2/web/blobs/"+h.String(), nil)
	for user, status := range map[string]int{"test": 200, "other": 404} {
		r.SetBasicAuth(user, w.keys[user].Secret)
		if got := w.status(t, r); got != status {
			t.Errorf("layer as %s: %d", user, got)
		}
	}
	// Nor does mounting reach across.
	r, _ = http.NewRequest("POST", "http://"+w.host+"/v2/web/blobs/uploads/?mount="+h.String()+"&from=web", nil)
	r.SetBasicAuth("other", "s")
	if got := w.status(t, r); got != 202 { // "upload it": not 201, "mounted"
		t.Errorf("mount: %d", got)
	}
	if _, err := os.Stat(filepath.Join(w.dir, scopeA.Account, scopeA.Region, "docker")); err != nil {
		t.Error(err)
	}
}

func (w *world) status(t *testing.T, r *http.Request) int {
	t.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// [D] ECR's own host names work: they choose account and Region.
func TestHostName(t *testing.T) {
	w := newWorld(t)
	west := model.Scope{Account: scopeA.Account, Region: "eu-west-1"}
	w.add(model.Repository{Scope: west, Name: "web"})
	upload := func(host string) int {
		r, _ := http.NewRequest("POST", "http://"+w.host+"/v2/web/blobs/uploads/", nil)
		if ns, ok := strings.CutPrefix(host, "ns="); ok { // as containerd says it to a mirror
			r.URL.RawQuery = "ns=" + ns
		} else {
			r.Host = host
		}
		r.SetBasicAuth("test", "test")
		return w.status(t, r)
	}
	for host, status := range map[string]int{
		"000000000000.dkr.ecr.eu-west-1.amazonaws.com":      202,
		"000000000000.dkr.ecr.us-east-1.amazonaws.com:4566": 404,
		"111111111111.dkr.ecr.eu-west-1.amazonaws.com":      403,
		"ns=000000000000.dkr.ecr.eu-west-1.amazonaws.com":   202,
		"ns=111111111111.dkr.ecr.eu-west-1.amazonaws.com":   403,
		"ns=docker.io": 404,
	} {
		if got := upload(host); got != status {
			t.Errorf("%s: %d", host, got)
		}
	}
	for host, want := range map[string]string{
		"123456789012.dkr.ecr.us-west-2.amazonaws.com":      "123456789012 us-west-2 true",
		"123456789012.dkr.ecr.us-west-2.amazonaws.com:4566": "123456789012 us-west-2 true",
		"123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn":  "123456789012 cn-north-1 true",
		"12345678901.dkr.ecr.us-west-2.amazonaws.com":       "  false",
		"x.123456789012.dkr.ecr.us-west-2.amazonaws.com":    "  false",
		"127.0.0.1:4566": "  false",
	} {
		account, region, ok := registry.ParseHost(host)
		if got := fmt.Sprint(account, " ", region, " ", ok); got != want {
			t.Errorf("%s: %s", host, got)
		}
	}
}

// [I] Nodes pull and neither push nor delete; layers are nobody's to delete.
func TestWhoMayWhat(t *testing.T) {
	w := newWorld(t, "web")
	digest := w.push(t, "web:v1", image(t))
	err := remote.Write(w.ref(t, "web:v2"), image(t), basic("node", "n"))
	refused(t, err, 403, "DENIED", "User: arn:aws:sts::000000000000:assumed-role/roadstead-node/node is not authorized to perform: ecr:InitiateLayerUpload")
	err = remote.Delete(w.ref(t, "web@"+digest), basic("node", "n"))
	refused(t, err, 403, "DENIED", "is not authorized to perform: ecr:BatchDeleteImage")
	r := httptest.NewRequest("DELETE", "/v2/web/blobs/"+digest, nil)
	r.SetBasicAuth("test", "test")
	rec := httptest.NewRecorder()
	if w.ServeHTTP(rec, r); rec.Code != 405 || !strings.Contains(rec.Body.String(), "UNSUPPORTED") {
		t.Errorf("delete a layer: %d %s", rec.Code, rec.Body)
	}
	for path, status := range map[string]int{
		"/v2/web/manifests/../../x/manifests/v1": 404, "/v2/web/manifests/": 404, "/v2/WEB/manifests/v1": 404, "/v2/web/nothing/x": 404,
		"/v2/web/blobs/uploads/%2e%2e": 404, "/v2//manifests/v1": 404, "/v2/_catalog": 200, "/v2/web/tags/list": 200, "/v2": 301,
	} {
		r := httptest.NewRequest("GET", path, nil)
		r.SetBasicAuth("test", "test")
		rec := httptest.NewRecorder()
		w.ServeHTTP(rec, r)
		if rec.Code != status {
			t.Errorf("%s: %d %s", path, rec.Code, rec.Body)
		}
	}
}

// [D] An immutable repository's tags stay where they are; pushing the same image again is no move.
func TestImmutable(t *testing.T) {
	w := newWorld(t)
	w.add(model.Repository{Scope: scopeA, Name: "web", Immutable: true})
	img := image(t)
	digest := w.push(t, "web:v1", img)
	w.push(t, "web:v1", img)
	err := remote.Write(w.ref(t, "web:v1"), image(t), basic("test", "test"))
	refused(t, err, 400, "TAG_INVALID", "The image tag 'v1' already exists in the 'web' repository and cannot be overwritten because the tag is immutable.")
	w.push(t, "web:v2", image(t))
	if d, err := remote.Head(w.ref(t, "web:v1"), basic("test", "test")); err != nil || d.Digest.String() != digest {
		t.Error(d, err)
	}
}

// [D] A layer URL reads its layer for an hour, and nothing else.
func TestLayerURL(t *testing.T) {
	w := newWorld(t, "web")
	img := image(t)
	w.push(t, "web:v1", img)
	layers, _ := img.Layers()
	one, _ := layers[0].Digest()
	two, _ := layers[1].Digest()
	url := w.LayerPath(scopeA, "test", "", "web", one.String())
	get := func(method, url string) int {
		r, _ := http.NewRequest(method, "http://"+w.host+url, nil)
		return w.status(t, r)
	}
	_, token, _ := strings.Cut(url, "=")
	for _, c := range []struct {
		method, url string
		status      int
	}{
		{"GET", url, 200}, {"HEAD", url, 200}, {"DELETE", url, 403}, {"GET", url + "x", 401},
		{"GET", strings.Replace(url, one.String(), two.String(), 1), 403},
		{"GET", "/v2/web/manifests/v1?X-Roadstead-Token=" + token, 403},
	} {
		if got := get(c.method, c.url); got != c.status {
			t.Errorf("%s %s: %d", c.method, c.url, got)
		}
	}
	r, _ := http.NewRequest("GET", "http://"+w.host+"/v2/", nil)
	r.SetBasicAuth("AWS", token)
	if got := w.status(t, r); got != 401 {
		t.Errorf("as a login: %d", got)
	}
	w.now = w.now.Add(registry.URLLife)
	if got := get("GET", url); got != 403 {
		t.Errorf("after an hour: %d", got)
	}
}

func TestNewRefusesShortKey(t *testing.T) {
	if _, err := registry.New(registry.Config{Dir: t.TempDir(), TokenKey: []byte("short")}); err == nil {
		t.Error("accepted")
	}
	w := newWorld(t)
	for _, s := range []model.Scope{{}, {Account: "..", Region: "us-east-1"}, {Account: scopeA.Account, Region: "../x"}} {
		if _, err := w.Repository(t.Context(), s, "web"); err == nil {
			t.Errorf("%v accepted", s)
		}
	}
}
