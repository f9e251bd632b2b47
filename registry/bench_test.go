package registry_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// BenchmarkManifest is what a node asks for each task it starts: HEAD of a tag, through the door.
func BenchmarkManifest(b *testing.B) {
	w := benchWorld(b, 1)
	token, _ := w.Token(scopeA, "node", "")
	r := httptest.NewRequest(http.MethodHead, "/v2/web/manifests/v0", nil)
	r.Header.Set("Accept", "application/vnd.docker.distribution.manifest.v2+json")
	r.SetBasicAuth("AWS", token)
	b.ReportAllocs()
	for b.Loop() {
		rec := httptest.NewRecorder()
		w.ServeHTTP(rec, r)
		if rec.Code != http.StatusOK {
			b.Fatal(rec.Code)
		}
	}
}

// BenchmarkImages lists a repository of 100 images, as DescribeImages does.
func BenchmarkImages(b *testing.B) {
	w := benchWorld(b, 100)
	p, err := w.Repository(b.Context(), scopeA, "web")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if images, err := p.Images(b.Context()); err != nil || len(images) != 100 {
			b.Fatal(len(images), err)
		}
	}
}

// BenchmarkCollect marks a repository of 100 images and finds nothing to sweep.
func BenchmarkCollect(b *testing.B) {
	w := benchWorld(b, 100)
	w.now = w.now.Add(time.Hour)
	for b.Loop() {
		if n, err := w.Collect(b.Context(), time.Minute); err != nil || n != 0 {
			b.Fatal(n, err)
		}
	}
}

func benchWorld(b *testing.B, images int) *world {
	b.Helper()
	w := newWorld(b, "web")
	for i := range images {
		img, err := random.Image(64, 2)
		if err != nil {
			b.Fatal(err)
		}
		if err := remote.Write(w.ref(b, fmt.Sprint("web:v", i)), img, basic("test", "test")); err != nil {
			b.Fatal(err)
		}
	}
	return w
}
