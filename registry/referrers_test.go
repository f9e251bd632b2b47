package registry_test

import (
	"net/http"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// [D] Images that are about another one are listed by the distribution protocol, by kind if asked, and are no tags of it.
func TestReferrers(t *testing.T) {
	w := newWorld(t, "web")
	subject := image(t)
	w.push(t, "web:1", subject)
	desc, err := partial.Descriptor(subject)
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"application/vnd.example.signature", "application/vnd.example.sbom"} {
		artifact := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.MediaType(kind))
		annotated, _ := mutate.Annotations(artifact, map[string]string{"kind": kind}).(v1.Image)
		about, _ := mutate.Subject(annotated, *desc).(v1.Image)
		d, _ := about.Digest()
		ref, err := name.NewDigest(w.host + "/web@" + d.String())
		if err != nil {
			t.Fatal(err)
		}
		if err := remote.Write(ref, about, basic("test", "test")); err != nil {
			t.Fatal(err)
		}
	}
	of := func(d string, options ...remote.Option) []v1.Descriptor {
		t.Helper()
		ref, err := name.NewDigest(w.host + "/web@" + d)
		if err != nil {
			t.Fatal(err)
		}
		index, err := remote.Referrers(ref, append(options, basic("test", "test"))...)
		if err != nil {
			t.Fatal(err)
		}
		m, err := index.IndexManifest()
		if err != nil {
			t.Fatal(err)
		}
		return m.Manifests
	}
	all := of(desc.Digest.String())
	if len(all) != 2 {
		t.Fatalf("%+v", all)
	}
	for _, m := range all {
		if m.ArtifactType == "" || m.ArtifactType != m.Annotations["kind"] || m.MediaType != types.OCIManifestSchema1 || m.Size == 0 {
			t.Errorf("%+v", m)
		}
	}
	if some := of(desc.Digest.String(), remote.WithFilter("artifactType", "application/vnd.example.sbom")); len(some) != 1 {
		t.Errorf("of one kind: %+v", some)
	}
	if none := of(all[0].Digest.String()); len(none) != 0 {
		t.Errorf("of an image that nothing is about: %+v", none)
	}
	p, err := w.Repository(t.Context(), scopeA, "web")
	if err != nil {
		t.Fatal(err)
	}
	if listed, err := p.Images(t.Context()); err != nil || len(listed) != 3 {
		t.Errorf("%d images, %v", len(listed), err)
	}
	if tags := w.tagsOf(t, scopeA, "web"); len(tags) != 1 {
		t.Errorf("tags %v", tags) // a client that is not told of the subject falls back on a tag
	}
	for path, status := range map[string]int{"/v2/web/referrers/nonsense": 400, "/v2/none/referrers/" + desc.Digest.String(): 404} {
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+w.host+path, nil)
		r.SetBasicAuth("test", "test")
		if got := w.status(t, r); got != status {
			t.Errorf("%s: %d", path, got)
		}
	}
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+w.host+"/v2/web/referrers/"+desc.Digest.String(), nil)
	if got := w.status(t, r); got != 401 {
		t.Errorf("without a login: %d", got)
	}
}
