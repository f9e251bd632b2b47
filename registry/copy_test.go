package registry_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/registry"
)

// copyTo copies what a tag of the first account points to into a repository of the second.
func (w *world) copyTo(t *testing.T, name, tag string, tags ...string) ([]string, error) {
	t.Helper()
	p, err := w.Repository(t.Context(), scopeA, name)
	if err != nil {
		t.Fatal(err)
	}
	m, err := p.Manifest(t.Context(), registry.Reference{Tag: tag})
	if err != nil {
		t.Fatal(err)
	}
	return w.Copy(t.Context(), scopeB, name, m, tags, p.Source())
}

func (w *world) tagsOf(t *testing.T, s model.Scope, name string) map[string]string {
	t.Helper()
	p, err := w.Repository(t.Context(), s, name)
	if err != nil {
		t.Fatal(err)
	}
	all, err := p.Arrivals(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	tags := map[string]string{}
	for _, i := range all {
		for _, tag := range i.Tags {
			tags[tag] = i.Digest
		}
	}
	return tags
}

// An image that is copied to another account is the same there, in all its parts, and takes no room on the disk; it stays when the
// first is gone.
func TestCopy(t *testing.T) {
	w := newWorld(t, "web")
	w.add(model.Repository{Scope: scopeB, Name: "web"})
	index, err := random.Index(512, 2, 3)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(w.ref(t, "web:all"), index, basic("test", "test")); err != nil {
		t.Fatal(err)
	}
	want, _ := index.Digest()
	if stay, err := w.copyTo(t, "web", "all", "all", "latest"); err != nil || stay != nil {
		t.Fatal(stay, err)
	}
	if got := w.tagsOf(t, scopeB, "web"); len(got) != 2 || got["all"] != want.String() || got["latest"] != want.String() {
		t.Errorf("tags %v, want %s", got, want)
	}
	blobs := 0
	err = filepath.Walk(filepath.Join(w.dir, scopeB.Account), func(path string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() || info.Name() != "data" {
			return err
		}
		other, err := os.Stat(strings.Replace(path, scopeB.Account, scopeA.Account, 1))
		if blobs++; err != nil || !os.SameFile(info, other) {
			t.Errorf("%s is there twice: %v", path, err)
		}
		return nil
	})
	if err != nil || blobs < 1+3+3+6 {
		t.Errorf("%d blobs: %v", blobs, err)
	}
	first, err := w.Repository(t.Context(), scopeA, "web")
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Remove(t.Context(), func(bool) error { return nil }); err != nil {
		t.Fatal(err)
	}
	delete(w.repos, scopeA.Key("web"))
	if _, err := w.Collect(t.Context(), -1); err != nil {
		t.Fatal(err)
	}
	got, err := remote.Index(w.ref(t, "web:all"), basic("other", "s"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := got.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range m.Manifests {
		img, err := got.Image(d.Digest)
		if err != nil {
			t.Fatal(err)
		}
		layers, _ := img.Layers()
		for _, l := range layers {
			r, err := l.Compressed()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, r); err != nil {
				t.Error(err)
			}
			r.Close()
		}
	}
}

// [D] A tag that is final and taken stays where it is: the image comes without it.
func TestCopyLeavesFinalTags(t *testing.T) {
	w := newWorld(t, "web")
	w.add(model.Repository{Scope: scopeB, Name: "web", Immutable: true})
	one := w.push(t, "web:1", image(t))
	if stay, err := w.copyTo(t, "web", "1", "1"); err != nil || len(stay) != 0 {
		t.Fatal(stay, err)
	}
	w.push(t, "web:1", image(t))
	stay, err := w.copyTo(t, "web", "1", "1", "2")
	if err != nil || len(stay) != 1 || stay[0] != "1" {
		t.Error(stay, err)
	}
	if got := w.tagsOf(t, scopeB, "web"); got["1"] != one || got["2"] == "" || got["2"] == one {
		t.Errorf("tags %v", got)
	}
}

// spoiled is a source that gives something else for each layer, or each manifest.
type spoiled struct {
	registry.Source
	manifests bool
}

func (s spoiled) Blob(ctx context.Context, d string) (io.ReadCloser, error) {
	if s.manifests {
		return s.Source.Blob(ctx, d)
	}
	return io.NopCloser(strings.NewReader("something else")), nil
}

func (s spoiled) Manifest(ctx context.Context, d string) (registry.Manifest, error) {
	m, err := s.Source.Manifest(ctx, d)
	if s.manifests {
		m.Payload = append(m.Payload, ' ')
	}
	return m, err
}

// What a source gives is checked; half an image is none. A repository without a row gets nothing.
func TestCopyChecks(t *testing.T) {
	w := newWorld(t, "web")
	w.push(t, "web:1", image(t))
	if _, err := w.copyTo(t, "web", "1", "1"); model.ErrorCode(err) != "RepositoryNotFoundException" {
		t.Errorf("into nothing: %v", err)
	}
	w.add(model.Repository{Scope: scopeB, Name: "web"})
	index, err := random.Index(512, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(w.ref(t, "web:all"), index, basic("test", "test")); err != nil {
		t.Fatal(err)
	}
	p, err := w.Repository(t.Context(), scopeA, "web")
	if err != nil {
		t.Fatal(err)
	}
	for _, from := range []registry.Source{spoiled{p.Source(), false}, spoiled{p.Source(), true}} {
		m, err := p.Manifest(t.Context(), registry.Reference{Tag: "all"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Copy(t.Context(), scopeB, "web", m, []string{"all"}, from); err == nil {
			t.Errorf("%+v was believed", from)
		}
		m.Payload = append(m.Payload, ' ')
		if _, err := w.Copy(t.Context(), scopeB, "web", m, []string{"all"}, p.Source()); err == nil {
			t.Error("a manifest of another digest was believed")
		}
	}
	if got := w.tagsOf(t, scopeB, "web"); len(got) != 0 {
		t.Errorf("tags %v", got)
	}
}
