//go:build e2e

package runtime_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/compression"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	ggcrtypes "github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/roadstead/roadstead/agent/runtime"
	"github.com/roadstead/roadstead/agent/task"
)

// format is a way in which images are written.
type format struct {
	name     string
	manifest ggcrtypes.MediaType
	config   ggcrtypes.MediaType
	layer    ggcrtypes.MediaType
	packed   compression.Compression
	index    ggcrtypes.MediaType // "" for an image without one
}

// of makes an image of the format that says its architecture when it runs.
func (f format) of(tb testing.TB, architecture string) v1.Image {
	tb.Helper()
	tar := busyboxLayer(tb)
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(tar)), nil },
		tarball.WithCompression(f.packed), tarball.WithMediaType(f.layer))
	must(tb, err)
	img, err := mutate.AppendLayers(mutate.ConfigMediaType(mutate.MediaType(empty.Image, f.manifest), f.config), layer)
	must(tb, err)
	c, err := img.ConfigFile()
	must(tb, err)
	c = c.DeepCopy()
	c.OS, c.Architecture, c.Config = "linux", architecture, v1.Config{Env: []string{"MADE_FOR=" + architecture}, Cmd: []string{"/bin/sh", "-c", "echo $MADE_FOR"}}
	img, err = mutate.ConfigFile(img, c)
	must(tb, err)
	return img
}

// [D] Docker v2 and OCI, layers packed with gzip or zstd, alone or in an index of which the node takes its own architecture's.
func TestImageFormats(t *testing.T) {
	e := newEnv(t)
	for _, f := range []format{
		{"docker", ggcrtypes.DockerManifestSchema2, ggcrtypes.DockerConfigJSON, ggcrtypes.DockerLayer, compression.GZip, ""},
		{"oci", ggcrtypes.OCIManifestSchema1, ggcrtypes.OCIConfigJSON, ggcrtypes.OCILayer, compression.GZip, ""},
		{"oci-zstd", ggcrtypes.OCIManifestSchema1, ggcrtypes.OCIConfigJSON, ggcrtypes.OCILayerZStd, compression.ZStd, ""},
		{"docker-list", ggcrtypes.DockerManifestSchema2, ggcrtypes.DockerConfigJSON, ggcrtypes.DockerLayer, compression.GZip, ggcrtypes.DockerManifestList},
		{"oci-index-zstd", ggcrtypes.OCIManifestSchema1, ggcrtypes.OCIConfigJSON, ggcrtypes.OCILayerZStd, compression.ZStd, ggcrtypes.OCIImageIndex},
	} {
		t.Run(f.name, func(t *testing.T) {
			ref, err := name.ParseReference(e.image(f.name+":1"), name.Insecure)
			must(t, err)
			if f.index == "" {
				must(t, remote.Write(ref, f.of(t, "amd64")))
			} else {
				index := mutate.IndexMediaType(empty.Index, f.index)
				for _, architecture := range []string{"arm64", "amd64", "s390x"} {
					index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: f.of(t, architecture),
						Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: architecture}}})
				}
				must(t, remote.WriteIndex(ref, index))
			}
			spec := e.spec(f.name, "")
			spec.Image, spec.Container.Command = ref.String(), nil
			_, err = e.rt.Pull(within(t, time.Minute), spec.Image, nil)
			must(t, err)
			must(t, e.rt.Create(within(t, time.Minute), spec))
			_, err = e.rt.Start(within(t, time.Minute), spec.ID)
			must(t, err)
			e.awaitStopped(t, spec.ID)
			must(t, e.rt.Delete(within(t, time.Minute), spec.ID))
			if got := e.log(t, spec); got != "amd64\n" {
				t.Errorf("it says %q", got)
			}
		})
	}
	e.leftovers(t)
}

// Images go when the disk is full, their layers too, but those of containers and of tasks to come; what is gone is pulled again.
func TestCollectImages(t *testing.T) {
	e := newEnv(t)
	for _, tag := range []string{"spare:1", "wanted:1", "bb:1"} {
		e.push(t, tag, v1.Config{Env: []string{"TAG=" + tag}, Cmd: []string{"/bin/true"}})
		_, err := e.rt.Pull(within(t, time.Minute), e.image(tag), nil)
		must(t, err)
	}
	e.start(t, e.spec("user", "sleep 1000"))
	c := runtime.CollectConfig{Path: e.dir, MinAge: time.Hour, Wanted: func() []string { return []string{e.image("wanted:1")} }}
	collect := func() []string {
		t.Helper()
		gone, err := e.rt.CollectOnce(within(t, time.Minute), c)
		must(t, err)
		return gone
	}
	if gone := collect(); len(gone) > 0 {
		t.Errorf("images that were pulled just now are removed: %q", gone)
	}
	c.MinAge = 0
	if gone := collect(); !slices.Equal(gone, []string{e.image("spare:1")}) {
		t.Errorf("removed %q", gone)
	}
	if e.state(t, "user").Status != task.StatusRunning {
		t.Error("the container that used an image does not run any more")
	}
	spec := e.spec("again", "true")
	spec.Image = e.image("spare:1")
	if err := e.rt.Create(within(t, time.Minute), spec); err == nil || !strings.Contains(err.Error(), "no such image") {
		t.Errorf("made of an image that is gone: %v", err)
	}
	_, err := e.rt.Pull(within(t, time.Minute), spec.Image, nil)
	must(t, err)
	must(t, e.rt.Create(within(t, time.Minute), spec))
	for _, id := range []string{"user", "again"} {
		must(t, e.rt.Delete(within(t, time.Minute), id))
	}
	c.Wanted = func() []string { return nil }
	if gone := collect(); len(gone) != 3 {
		t.Errorf("of nobody's images %q are removed", gone)
	}
	e.leftovers(t)
}

// When an image was used last is known after a restart of the agent.
func TestUsesAreRemembered(t *testing.T) {
	e := newEnv(t)
	for _, tag := range []string{"used:1", "spare:1"} {
		e.push(t, tag, v1.Config{Env: []string{"TAG=" + tag}, Cmd: []string{"/bin/true"}})
		_, err := e.rt.Pull(within(t, time.Minute), e.image(tag), nil)
		must(t, err)
	}
	<-time.After(3 * time.Second)
	before := time.Now()
	spec := e.spec("user", "true")
	spec.Image = e.image("used:1")
	must(t, e.rt.Create(within(t, time.Minute), spec))
	must(t, e.rt.Delete(within(t, time.Minute), "user"))
	c := runtime.CollectConfig{Path: e.dir, High: 100, MinAge: 3 * time.Second, Wanted: func() []string { return nil }}
	if gone, err := e.rt.CollectOnce(within(t, time.Minute), c); err != nil || len(gone) > 0 {
		t.Fatalf("removed %q: %v", gone, err)
	}
	e.open(t)
	c.High, c.MinAge = 0, time.Since(before)+2*time.Second // what was pulled is older
	gone, err := e.rt.CollectOnce(within(t, time.Minute), c)
	if must(t, err); !slices.Equal(gone, []string{e.image("spare:1")}) {
		t.Errorf("removed %q", gone)
	}
}

// While an image is fetched it is known how far it has come; many who want it share one fetch.
func TestFetching(t *testing.T) {
	e := newEnv(t)
	e.push(t, "slow:1", v1.Config{Cmd: []string{"/bin/true"}})
	proceed := make(chan struct{})
	var blobs atomic.Int32
	back := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: "http", Host: e.registry}) }}
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/blobs/") && r.Method == http.MethodGet {
			blobs.Add(1)
			w = &gate{ResponseWriter: w, open: proceed}
		}
		back.ServeHTTP(w, r)
	}))
	defer slow.Close()
	image := strings.TrimPrefix(slow.URL, "http://") + "/slow:1"
	const callers = 5
	ended := make(chan error, callers)
	for range callers {
		go func() { _, err := e.rt.Pull(within(t, time.Minute), image, nil); ended <- err }()
	}
	eventually(t, 20*time.Second, func() bool {
		done, total, ok := e.rt.Fetching(within(t, time.Minute), image)
		return ok && done > 0 && done < total
	})
	close(proceed)
	for range callers {
		must(t, <-ended)
	}
	if _, _, ok := e.rt.Fetching(within(t, time.Minute), image); ok {
		t.Error("it is fetched still")
	}
	if n := blobs.Load(); n != 2 {
		t.Errorf("%d blobs were fetched, of an image of a layer and a configuration", n)
	}
}

// gate lets the first bytes of a blob pass, and the rest when it is opened.
type gate struct {
	http.ResponseWriter
	open   chan struct{}
	passed int
}

func (g *gate) Write(b []byte) (int, error) {
	if g.passed += len(b); g.passed > 64<<10 {
		g.ResponseWriter.(http.Flusher).Flush()
		<-g.open
	}
	return g.ResponseWriter.Write(b)
}

func (g *gate) Unwrap() http.ResponseWriter { return g.ResponseWriter }

// Log drivers are told variables and labels that only the image has.
func TestImageSays(t *testing.T) {
	e := newEnv(t)
	e.push(t, "said:1", v1.Config{Env: []string{"A=b=c", "EMPTY="}, Labels: map[string]string{"stage": "image"}, Cmd: []string{"/bin/true"}})
	if _, _, err := e.rt.ImageSays(t.Context(), e.image("said:1")); err == nil {
		t.Error("an image that is not here says something")
	}
	_, err := e.rt.Pull(within(t, time.Minute), e.image("said:1"), nil)
	must(t, err)
	env, labels, err := e.rt.ImageSays(t.Context(), e.image("said:1"))
	must(t, err)
	if len(env) != 2 || env["A"] != "b=c" || len(labels) != 1 || labels["stage"] != "image" {
		t.Errorf("%v %v", env, labels)
	}
}
