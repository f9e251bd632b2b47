package registry_test

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/registry"
)

// exchange sends a request as user test. Headers are pairs.
func (w *world) exchange(t *testing.T, method, at string, body []byte, headers ...string) (*http.Response, string) {
	t.Helper()
	if strings.HasPrefix(at, "/") {
		at = "http://" + w.host + at
	}
	r, err := http.NewRequestWithContext(t.Context(), method, at, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth("test", "test")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

func digestOf(b []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(b)) }

// upload stores a blob by POST and PUT.
func (w *world) upload(t *testing.T, repository string, blob []byte) string {
	t.Helper()
	resp, _ := w.exchange(t, "POST", "/v2/"+repository+"/blobs/uploads/", nil)
	at := w.location(t, resp)
	if resp, text := w.exchange(t, "PUT", at+"&digest="+digestOf(blob), blob, "Content-Type", "application/octet-stream"); resp.StatusCode != 201 {
		t.Fatal(resp.Status, text)
	}
	return digestOf(blob)
}

func (w *world) location(t *testing.T, r *http.Response) string {
	t.Helper()
	l := r.Header.Get("Location")
	if l == "" {
		t.Fatalf("%s: no Location", r.Status)
	}
	if strings.HasPrefix(l, "/") {
		l = "http://" + w.host + l
	}
	return l
}

// [D] The distribution specification: a blob in chunks, the state of an upload, a chunk that does not follow, and giving an upload up.
func TestChunks(t *testing.T) {
	w := newWorld(t, "web")
	blob := []byte("hello world")
	resp, _ := w.exchange(t, "POST", "/v2/web/blobs/uploads/", nil)
	if resp.StatusCode != 202 {
		t.Fatal(resp.Status)
	}
	at := w.location(t, resp)
	chunk := func(from int, b []byte) *http.Response {
		resp, _ := w.exchange(t, "PATCH", at, b, "Content-Type", "application/octet-stream", "Content-Range", fmt.Sprintf("%d-%d", from, from+len(b)-1))
		return resp
	}
	if resp = chunk(0, blob[:6]); resp.StatusCode != 202 || resp.Header.Get("Range") != "0-5" {
		t.Fatal(resp.Status, resp.Header)
	}
	at = w.location(t, resp)
	if resp = chunk(3, blob[3:]); resp.StatusCode != 416 {
		t.Errorf("a chunk out of order: %s", resp.Status)
	}
	if resp, _ = w.exchange(t, "GET", at, nil); resp.StatusCode != 204 || resp.Header.Get("Range") != "0-5" {
		t.Errorf("the upload's state: %s %v", resp.Status, resp.Header)
	}
	if resp = chunk(6, blob[6:]); resp.StatusCode != 202 || resp.Header.Get("Range") != "0-10" {
		t.Fatal(resp.Status, resp.Header)
	}
	at = w.location(t, resp)
	if resp, text := w.exchange(t, "PUT", at+"&digest="+digestOf(blob[1:]), nil); resp.StatusCode != 400 || !strings.Contains(text, "DIGEST_INVALID") {
		t.Errorf("another digest: %s %s", resp.Status, text)
	}
	w.upload(t, "web", blob)
	if resp, _ = w.exchange(t, "HEAD", "/v2/web/blobs/"+digestOf(blob), nil); resp.StatusCode != 200 || resp.ContentLength != int64(len(blob)) {
		t.Errorf("%s %d", resp.Status, resp.ContentLength)
	}
	if resp, text := w.exchange(t, "GET", "/v2/web/blobs/"+digestOf(blob), nil, "Range", "bytes=6-"); resp.StatusCode != 206 || text != "world" {
		t.Errorf("%s %s", resp.Status, text)
	}
	if resp, _ = w.exchange(t, "GET", "/v2/web/blobs/"+digestOf([]byte("?")), nil); resp.StatusCode != 404 {
		t.Error(resp.Status)
	}

	resp, _ = w.exchange(t, "POST", "/v2/web/blobs/uploads/", nil)
	at = w.location(t, resp)
	if resp, _ = w.exchange(t, "DELETE", at, nil); resp.StatusCode != 204 {
		t.Errorf("give up: %s", resp.Status)
	}
	if resp, text := w.exchange(t, "GET", at, nil); resp.StatusCode != 404 || !strings.Contains(text, "BLOB_UPLOAD_UNKNOWN") {
		t.Errorf("what was given up: %s %s", resp.Status, text)
	}
}

// [I] A client that says that its body is a form, as curl does unless told otherwise, still sends a blob.
func TestABlobIsNoForm(t *testing.T) {
	w := newWorld(t, "web")
	blob := []byte("digest=sha256:00&x=1")
	resp, _ := w.exchange(t, "POST", "/v2/web/blobs/uploads/", nil)
	at := w.location(t, resp) + "&digest=" + digestOf(blob)
	if resp, text := w.exchange(t, "PUT", at, blob, "Content-Type", "application/x-www-form-urlencoded"); resp.StatusCode != 201 {
		t.Fatal(resp.Status, text)
	}
	if _, text := w.exchange(t, "GET", "/v2/web/blobs/"+digestOf(blob), nil); text != string(blob) {
		t.Errorf("%q", text)
	}
}

// [D] A layer is mounted from a repository that the caller may read, and from no other, wherever in the request he names it; without one to
// mount from, or of a blob that is not there, it has to be uploaded.
func TestMount(t *testing.T) {
	w := newWorld(t, "web", "open", "secret")
	w.serve(t, registry.Config{May: func(_, _, action string, _ model.Scope, name string) error {
		if name == "secret" && action == "GetDownloadUrlForLayer" {
			return model.Errorf("AccessDeniedException", "no")
		}
		return nil
	}})
	open, secret := w.upload(t, "open", []byte("open")), w.upload(t, "secret", []byte("secret"))
	const form = "application/x-www-form-urlencoded"
	for _, c := range []struct {
		query, body, kind string
		status            int
	}{
		{"?mount=" + open + "&from=open", "", "", 201},
		{"?mount=" + open, "", "", 202},
		{"?mount=" + digestOf([]byte("?")) + "&from=open", "", "", 202},
		{"?mount=" + secret + "&from=secret", "", "", 202},
		{"", "mount=" + secret + "&from=secret", form, 202},
		{"?mount=" + secret + "&from=open", "from=secret", form, 202},
	} {
		resp, text := w.exchange(t, "POST", "/v2/web/blobs/uploads/"+c.query, []byte(c.body), "Content-Type", c.kind)
		if resp.StatusCode != c.status {
			t.Errorf("%s, %s: %s %s", c.query, c.body, resp.Status, text)
		}
	}
	if resp, _ := w.exchange(t, "HEAD", "/v2/web/blobs/"+open, nil); resp.StatusCode != 200 {
		t.Errorf("what was mounted: %s", resp.Status)
	}
	if resp, _ := w.exchange(t, "HEAD", "/v2/web/blobs/"+secret, nil); resp.StatusCode != 404 {
		t.Errorf("what was not to be had: %s", resp.Status)
	}
}

// [D] A layer that others keep by intent need not be here; one that nobody keeps has to. Digests are of sha256, as ECR's.
func TestForeignLayers(t *testing.T) {
	w := newWorld(t, "web")
	config := w.upload(t, "web", []byte("{}"))
	manifest := func(layer string) []byte {
		return fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",`+
			`"config":{"mediaType":"application/vnd.oci.image.config.v1+json","size":2,"digest":%q},"layers":[%s]}`, config, layer)
	}
	layer := fmt.Sprintf(`"mediaType":"application/vnd.oci.image.layer.nondistributable.v1.tar","size":3,"digest":%q`, digestOf([]byte("far")))
	for text, status := range map[string]int{
		"{" + layer + `,"urls":["https://example.com/far"]}`: 201, "{" + layer + `,"urls":["file:///etc/passwd"]}`: 400, "{" + layer + "}": 400,
	} {
		resp, answer := w.exchange(t, "PUT", "/v2/web/manifests/1", manifest(text), "Content-Type", "application/vnd.oci.image.manifest.v1+json")
		if resp.StatusCode != status {
			t.Errorf("%s: %s %s", text, resp.Status, answer)
		}
	}
	resp, _ := w.exchange(t, "POST", "/v2/web/blobs/uploads/", nil)
	resp, answer := w.exchange(t, "PUT", w.location(t, resp)+"&digest="+fmt.Sprintf("sha512:%x", sha512.Sum512([]byte("x"))), []byte("x"))
	if resp.StatusCode != 400 || !strings.Contains(answer, "DIGEST_INVALID") {
		t.Errorf("sha512: %s %s", resp.Status, answer)
	}
}

// [D] Tags come in pages, of which the header Link names the next.
func TestTagPages(t *testing.T) {
	w := newWorld(t, "web")
	img := image(t)
	for _, tag := range []string{"a", "b", "c"} {
		w.push(t, "web:"+tag, img)
	}
	var got []string
	at := "/v2/web/tags/list?n=2"
	for range 2 {
		resp, text := w.exchange(t, "GET", at, nil)
		var page struct{ Tags []string }
		if err := json.Unmarshal([]byte(text), &page); err != nil || resp.StatusCode != 200 {
			t.Fatal(resp.Status, text, err)
		}
		got = append(got, fmt.Sprint(page.Tags))
		next, more := strings.CutSuffix(strings.TrimPrefix(resp.Header.Get("Link"), "<"), ">; rel=\"next\"")
		if at = next; !more {
			break
		}
	}
	if fmt.Sprint(got) != "[[a b] [c]]" || at != "" {
		t.Errorf("%v, and then %q", got, at)
	}
	if _, text := w.exchange(t, "GET", "/v2/web/tags/list?last=a", nil); !strings.Contains(text, `["b","c"]`) {
		t.Error(text)
	}
	if _, text := w.exchange(t, "GET", "/v2/web/tags/list?n=0", nil); strings.Contains(text, `"a"`) {
		t.Error(text)
	}
}

// [D] A manifest is deleted by its digest with all its tags, by a tag with its last one (as ecr:BatchDeleteImage does), and not while an
// index needs it.
func TestDeleteManifests(t *testing.T) {
	w := newWorld(t, "web")
	img := image(t)
	d := w.push(t, "web:one", img)
	w.push(t, "web:two", img)
	index := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: img})
	if err := remote.WriteIndex(w.ref(t, "web:all"), index, basic("test", "test")); err != nil {
		t.Fatal(err)
	}
	refused(t, remote.Delete(w.ref(t, "web@"+d), basic("test", "test")), 403, "DENIED", "Requested image referenced by manifest list")
	for _, ref := range []string{":all", ":one", ":two"} {
		if err := remote.Delete(w.ref(t, "web"+ref), basic("test", "test")); err != nil {
			t.Errorf("%s: %v", ref, err)
		}
	}
	for _, ref := range []string{":two", "@" + d} {
		refused(t, remote.Delete(w.ref(t, "web"+ref), basic("test", "test")), 404, "MANIFEST_UNKNOWN", "")
	}
	w.push(t, "web:one", img)
	w.push(t, "web:two", img)
	if err := remote.Delete(w.ref(t, "web@"+d), basic("test", "test")); err != nil {
		t.Error(err)
	}
	if _, err := remote.Head(w.ref(t, "web:two"), basic("test", "test")); err == nil {
		t.Error("a tag has outlived its image")
	}
}

// [I] Who is told that a layer is here may rely on it: it is not collected before he could say what he needs it for.
func TestToldLayersStay(t *testing.T) {
	for name, tell := range map[string]func(t *testing.T, w *world, d string) int{
		"asked": func(t *testing.T, w *world, d string) int {
			resp, _ := w.exchange(t, "HEAD", "/v2/web/blobs/"+d, nil)
			return resp.StatusCode
		},
		"mounted": func(t *testing.T, w *world, d string) int {
			resp, _ := w.exchange(t, "POST", "/v2/other/blobs/uploads/?mount="+d+"&from=web", nil)
			return resp.StatusCode - 1
		},
		"sent again": func(t *testing.T, w *world, _ string) int {
			w.upload(t, "web", []byte("layer"))
			return 200
		},
		"asked by ecr:BatchCheckLayerAvailability": func(t *testing.T, w *world, d string) int {
			if _, ok, err := w.open(t, "web").Layer(t.Context(), d); !ok || err != nil {
				t.Fatal(ok, err)
			}
			return 200
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "web", "other")
			w.push(t, "web:v1", image(t))
			d := w.upload(t, "web", []byte("layer"))
			w.now = w.now.Add(2 * time.Hour)
			if got := tell(t, w, d); got != 200 {
				t.Fatal(got)
			}
			if _, err := w.Collect(t.Context(), time.Hour); err != nil {
				t.Fatal(err)
			}
			if resp, _ := w.exchange(t, "GET", "/v2/web/blobs/"+d, nil); resp.StatusCode != 200 {
				t.Errorf("after a collection: %s", resp.Status)
			}
			w.now = w.now.Add(2 * time.Hour)
			if _, err := w.Collect(t.Context(), time.Hour); err != nil {
				t.Fatal(err)
			}
			if resp, _ := w.exchange(t, "GET", "/v2/web/blobs/"+d, nil); resp.StatusCode != 404 {
				t.Errorf("after it was of no use for hours: %s", resp.Status)
			}
		})
	}
}

// [I] A repository that is to be deleted if it is empty is either refused, or no push into it is acknowledged.
func TestRemoveBesidePushes(t *testing.T) {
	w := newWorld(t, "web")
	p := w.open(t, "web")
	m := w.push(t, "web:v1", image(t))
	payload, err := p.Manifest(t.Context(), registry.Reference{Digest: m})
	if err != nil {
		t.Fatal(err)
	}
	full := errors.New("it has images")
	end := func(empty bool) error {
		if !empty {
			return full
		}
		delete(w.repos, scopeA.Key("web"))
		return nil
	}
	if err := p.Remove(t.Context(), end); !errors.Is(err, full) {
		t.Fatal(err)
	}
	if _, _, err := p.Delete(t.Context(), registry.Reference{Digest: m}); err != nil {
		t.Fatal(err)
	}
	if err := p.Remove(t.Context(), end); err != nil {
		t.Fatal(err)
	}
	_, err = p.Put(t.Context(), payload.MediaType, payload.Payload, "v2") // it was opened while there was one
	wantCode(t, err, "RepositoryNotFoundException", "web")
}

// What a client calls a Region opens nothing: each tree that is open costs memory for as long as the process lives.
func TestNamesOfRegionsOpenNothing(t *testing.T) {
	w := newWorld(t, "web")
	w.push(t, "web:v1", image(t))
	before := w.Opened()
	for i := range 20 {
		for path, want := range map[string]string{"/v2/": "{}", "/v2/_catalog": `{"repositories":[]}`} {
			r, _ := http.NewRequest("GET", fmt.Sprintf("http://%s%s?ns=000000000000.dkr.ecr.region-%d.amazonaws.com", w.host, path, i), nil)
			r.SetBasicAuth("test", "test")
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			b, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if resp.StatusCode != http.StatusOK || strings.TrimSpace(string(b)) != want || resp.Header.Get("Docker-Distribution-Api-Version") != "registry/2.0" {
				t.Errorf("%s: %d %s", path, resp.StatusCode, b)
			}
		}
	}
	if n := w.Opened(); n != before {
		t.Errorf("%d trees are open, %d were", n, before)
	}
}

// reads calls f when somebody reads, and is the reader then.
type reads struct {
	io.Reader
	f func()
}

func (r *reads) Read(b []byte) (int, error) {
	if r.f != nil {
		r.f()
		r.f = nil
	}
	return r.Reader.Read(b)
}

// Tags become final while a manifest is on its way: they are so when it arrives.
func TestTagsBecomeFinalMeanwhile(t *testing.T) {
	w := newWorld(t, "web")
	first := w.push(t, "web:v1", image(t))
	next := image(t)
	w.push(t, "web:v2", next)
	raw, err := next.RawManifest()
	if err != nil {
		t.Fatal(err)
	}
	kind, _ := next.MediaType()
	final := func() {
		row := w.repos[scopeA.Key("web")]
		row.Immutable = true
		w.add(row)
	}
	r := httptest.NewRequest("PUT", "/v2/web/manifests/v1", &reads{bytes.NewReader(raw), final})
	r.SetBasicAuth("test", "test")
	r.Header.Set("Content-Type", string(kind))
	a := httptest.NewRecorder()
	w.ServeHTTP(a, r)
	if a.Code != http.StatusBadRequest || !strings.Contains(a.Body.String(), "TAG_INVALID") {
		t.Errorf("%d %s", a.Code, a.Body)
	}
	p, err := w.Repository(t.Context(), scopeA, "web")
	if err != nil {
		t.Fatal(err)
	}
	if m, err := p.Manifest(t.Context(), registry.Reference{Tag: "v1"}); err != nil || m.Digest != first {
		t.Errorf("v1 is %s, %v; it was %s", m.Digest, err, first)
	}
}
