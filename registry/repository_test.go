package registry_test

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/sirupsen/logrus"

	"github.com/roadstead/roadstead/registry"
)

func (w *world) open(t *testing.T, name string) *registry.Repository {
	t.Helper()
	p, err := w.Repository(t.Context(), scopeA, name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// [D] PutImage: a manifest read by digest can be put under another tag; the same twice is refused, as is a final tag.
func TestPutManifest(t *testing.T) {
	w := newWorld(t, "web")
	p, ctx := w.open(t, "web"), t.Context()
	one, two := w.push(t, "web:v1", image(t)), w.push(t, "web:v2", image(t))
	m, err := p.Manifest(ctx, registry.Reference{Digest: one})
	if err != nil || m.Digest != one || len(m.Payload) == 0 {
		t.Fatal(m, err)
	}
	if _, err := p.Put(ctx, m.MediaType, m.Payload, "stable"); err != nil {
		t.Fatal(err)
	}
	if m, err := p.Manifest(ctx, registry.Reference{Tag: "stable"}); err != nil || m.Digest != one {
		t.Error(m, err)
	}
	_, err = p.Put(ctx, "", m.Payload, "stable")
	wantCode(t, err, "ImageAlreadyExistsException", "Image with digest '"+one+"' and tag 'stable' already exists in the repository with name 'web'")
	_, err = p.Put(ctx, "", m.Payload, "")
	wantCode(t, err, "ImageAlreadyExistsException", one)
	row := w.repos[scopeA.Key("web")]
	row.Immutable = true
	w.add(row)
	_, err = p.Put(ctx, "", m.Payload, "v2")
	wantCode(t, err, "ImageTagAlreadyExistsException", "The image tag 'v2' already exists in the 'web' repository")
	_, err = p.Put(ctx, "", m.Payload, "../x")
	wantCode(t, err, "InvalidParameterException", "imageTag")
	_, err = p.Put(ctx, "", []byte("x"), "v3")
	wantCode(t, err, "InvalidParameterException", "ImageManifest")
	missing := fmt.Sprintf(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":`+
		`"application/vnd.oci.image.config.v1+json","size":2,"digest":"sha256:%x"},"layers":[]}`, sha256.Sum256([]byte("?")))
	_, err = p.Put(ctx, "", []byte(missing), "v3")
	wantCode(t, err, "LayersNotFoundException", fmt.Sprintf("%x", sha256.Sum256([]byte("?"))))

	for _, ref := range []registry.Reference{{Tag: "nil"}, {Digest: two, Tag: "v1"}, {Digest: "sha256:00"}, {Digest: strings.Replace(one, "a", "b", 1)}} {
		_, err = p.Manifest(ctx, ref)
		wantCode(t, err, "ImageNotFoundException", "does not exist within the repository with name 'web' in the registry with id '000000000000'")
	}
	_, err = p.Manifest(ctx, registry.Reference{Tag: "nil"})
	wantCode(t, err, "ImageNotFoundException", "{imageDigest:'null', imageTag:'nil'}")
}

// [D] Deleting by tag leaves the image, by digest takes its tags; an index protects its images.
func TestDelete(t *testing.T) {
	w := newWorld(t, "web")
	p, ctx := w.open(t, "web"), t.Context()
	img := image(t)
	digest := w.push(t, "web:v1", img)
	w.push(t, "web:v2", img)
	if gone, _, err := p.Delete(ctx, registry.Reference{Tag: "v1"}); err != nil || fmt.Sprint(gone) != "[{"+digest+" v1}]" {
		t.Fatal(gone, err)
	}
	_, _, err := p.Delete(ctx, registry.Reference{Tag: "v1"})
	wantCode(t, err, "ImageNotFoundException", "v1")
	index := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{
		Platform: &v1.Platform{OS: "linux", Architecture: "amd64"}}})
	if err := remote.WriteIndex(w.ref(t, "web:all"), index, basic("test", "test")); err != nil {
		t.Fatal(err)
	}
	h, _ := index.Digest()
	gone, parents, err := p.Delete(ctx, registry.Reference{Digest: digest})
	if err != nil || gone != nil || fmt.Sprint(parents) != "["+h.String()+"]" {
		t.Errorf("parents %v, %v", parents, err)
	}
	images, err := p.Images(ctx)
	if err != nil || len(images) != 2 || images[0].Size != images[1].Size || images[0].Size == 0 {
		t.Errorf("%+v %v", images, err)
	}
	for _, d := range []string{h.String(), digest} {
		if gone, parents, err := p.Delete(ctx, registry.Reference{Digest: d}); err != nil || len(parents) != 0 || len(gone) != 1 || gone[0].Digest != d {
			t.Errorf("%v %v %v", gone, parents, err)
		}
	}
	if images, err := p.Images(ctx); err != nil || len(images) != 0 {
		t.Errorf("%+v %v", images, err)
	}
	_, _, err = p.Delete(ctx, registry.Reference{Digest: digest})
	wantCode(t, err, "ImageNotFoundException", digest)
	_, err = remote.Head(w.ref(t, "web:v2"), basic("test", "test"))
	if err == nil {
		t.Error("v2 is still there")
	}
}

// [I] Removing a repository leaves those below it.
func TestRemove(t *testing.T) {
	w := newWorld(t, "a1", "a1/b1")
	w.push(t, "a1:v1", image(t))
	digest := w.push(t, "a1/b1:v1", image(t))
	if err := w.open(t, "a1").Remove(t.Context(), func(bool) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if images, err := w.open(t, "a1").Images(t.Context()); err != nil || len(images) != 0 {
		t.Errorf("%v %v", images, err)
	}
	if m, err := w.open(t, "a1/b1").Manifest(t.Context(), registry.Reference{Tag: "v1"}); err != nil || m.Digest != digest {
		t.Error(m, err)
	}
}

// [I] Wiping empties the registry, which goes on.
func TestWipe(t *testing.T) {
	w := newWorld(t, "web")
	w.push(t, "web:v1", image(t))
	if err := w.Wipe(); err != nil {
		t.Fatal(err)
	}
	if images, err := w.open(t, "web").Images(t.Context()); err != nil || len(images) != 0 {
		t.Errorf("%v %v", images, err)
	}
	w.push(t, "web:v1", image(t))
}

// [D] Layers can be uploaded in parts through the API.
func TestUploadParts(t *testing.T) {
	w := newWorld(t, "web")
	p, ctx := w.open(t, "web"), t.Context()
	id, err := p.BeginUpload(ctx)
	if err != nil {
		t.Fatal(err)
	}
	digest := fmt.Sprintf("sha256:%x", sha256.Sum256([]byte("hello")))
	wantCode(t, p.CompleteUpload(ctx, id, digest), "EmptyUploadException", "")
	for at, part := range map[int64]string{0: "hel"} {
		if n, err := p.UploadPart(ctx, id, at, []byte(part)); err != nil || n != 3 {
			t.Fatal(n, err)
		}
	}
	_, err = p.UploadPart(ctx, id, 4, []byte("o"))
	wantCode(t, err, "InvalidLayerPartException", "")
	if n, err := p.UploadPart(ctx, id, 3, []byte("lo")); err != nil || n != 5 {
		t.Fatal(n, err)
	}
	if _, ok, err := p.Layer(ctx, digest); ok || err != nil {
		t.Error(ok, err)
	}
	if err := p.CompleteUpload(ctx, id, digest); err != nil {
		t.Fatal(err)
	}
	if l, ok, err := p.Layer(ctx, digest); !ok || err != nil || l.Size != 5 {
		t.Error(l, ok, err)
	}
	if _, ok, err := p.Layer(ctx, "sha256:x"); ok || err != nil {
		t.Error(ok, err)
	}
	for _, id := range []string{id, "../..", strings.Repeat("0", 36)} {
		_, err = p.UploadPart(ctx, id, 0, []byte("x"))
		wantCode(t, err, "UploadNotFoundException", "")
	}
	id, _ = p.BeginUpload(ctx)
	p.UploadPart(ctx, id, 0, []byte("other"))
	wantCode(t, p.CompleteUpload(ctx, id, "sha256:"+strings.Repeat("0", 64)), "InvalidLayerException", "")
}

// [I] Collect frees what no image needs and is old enough, and nothing else.
func TestCollect(t *testing.T) {
	w := newWorld(t, "web", "keep")
	shared := image(t)
	gone := w.push(t, "web:v1", image(t))
	w.push(t, "web:v2", shared)
	kept := w.push(t, "keep:v2", shared)
	if _, _, err := w.open(t, "web").Delete(t.Context(), registry.Reference{Digest: gone}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.open(t, "web").Delete(t.Context(), registry.Reference{Tag: "v2"}); err != nil {
		t.Fatal(err)
	}
	blobs := func() (n int) {
		filepath.WalkDir(w.dir, func(path string, d fs.DirEntry, _ error) error {
			if d.Name() == "data" {
				n++
			}
			return nil
		})
		return n
	}
	if n, err := w.Collect(t.Context(), time.Hour); n != 0 || err != nil || blobs() != 10 {
		t.Fatalf("young blobs: %d bytes, %v, %d left", n, err, blobs())
	}
	w.now = w.now.Add(2 * time.Hour)
	n, err := w.Collect(t.Context(), time.Hour)
	if n == 0 || err != nil || blobs() != 5 { // manifest, configuration, three layers
		t.Fatalf("%d bytes, %v, %d left", n, err, blobs())
	}
	img, err := remote.Image(w.ref(t, "keep@"+kept), basic("test", "test"))
	if err != nil {
		t.Fatal(err)
	}
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	if r, err := layers[2].Compressed(); err != nil {
		t.Error(err)
	} else {
		io.Copy(io.Discard, r)
		r.Close()
	}
	w.push(t, "web:v1", image(t)) // and pushes go on
	if n, err := newWorld(t).Collect(t.Context(), 0); n != 0 || err != nil {
		t.Errorf("empty: %d %v", n, err)
	}
}

// [I] Archives of docker save and OCI layouts, compressed or not, can be pushed.
func TestPushArchive(t *testing.T) {
	w := newWorld(t, "web")
	dir := t.TempDir()
	img := image(t)
	tag, _ := name.NewTag("web:v1")
	saved := filepath.Join(dir, "saved.tar")
	if err := tarball.WriteToFile(saved, tag, img); err != nil {
		t.Fatal(err)
	}
	ociDir := filepath.Join(dir, "oci")
	p, err := layout.Write(ociDir, empty.Index)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.AppendImage(img); err != nil {
		t.Fatal(err)
	}
	multi, err := random.Index(512, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	multiDir := filepath.Join(dir, "multi")
	if _, err := layout.Write(multiDir, multi); err != nil {
		t.Fatal(err)
	}
	want, _ := img.Digest()
	wantMulti, _ := multi.Digest()
	for n, c := range []struct{ archive, digest string }{
		{saved, ""}, {zip(t, saved), ""}, {ociDir, want.String()},
		{pack(t, ociDir), want.String()}, {zip(t, pack(t, ociDir)), want.String()}, {pack(t, multiDir), wantMulti.String()},
	} {
		ref := fmt.Sprintf("%s/web:a%d", w.host, n)
		got, err := registry.PushArchive(t.Context(), c.archive, ref, registry.PushOptions{User: "test", Password: "test"})
		if err != nil || c.digest != "" && got != c.digest {
			t.Errorf("%s: %s %v", c.archive, got, err)
			continue
		}
		d, err := remote.Head(w.ref(t, fmt.Sprintf("web:a%d", n)), basic("test", "test"))
		if err != nil || d.Digest.String() != got {
			t.Errorf("%s: %v %v", c.archive, d, err)
		}
	}
	bad := filepath.Join(dir, "bad.tar")
	os.WriteFile(bad, []byte("no tar at all"), 0o600)
	for _, archive := range []string{bad, filepath.Join(dir, "none"), t.TempDir()} {
		if _, err := registry.PushArchive(t.Context(), archive, w.host+"/web:x", registry.PushOptions{}); err == nil {
			t.Errorf("%s accepted", archive)
		}
	}
	if _, err := registry.PushArchive(t.Context(), saved, w.host+"/none:x", registry.PushOptions{User: "test", Password: "test"}); err == nil ||
		!strings.Contains(err.Error(), "The repository with name 'none' does not exist") {
		t.Error(err)
	}
}

func pack(t *testing.T, dir string) string {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "oci.tar"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := tar.NewWriter(f)
	if err := w.AddFS(os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

func zip(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "x.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z := gzip.NewWriter(f)
	z.Write(b)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

// [I] What libraries write to logrus arrives at slog, quieter.
func TestBridgeLogs(t *testing.T) {
	var b strings.Builder
	registry.BridgeLogs(slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{Level: slog.LevelInfo})))
	defer registry.BridgeLogs(slog.New(slog.DiscardHandler))
	logrus.Info("detail")
	logrus.Error("response completed with error")
	logrus.WithError(io.EOF).Error("bad")
	logrus.Warn("odd")
	if got := b.String(); strings.Contains(got, "detail") || strings.Contains(got, "response") ||
		!strings.Contains(got, "level=ERROR msg=bad err=EOF") || !strings.Contains(got, "level=WARN msg=odd") {
		t.Error(got)
	}
}
