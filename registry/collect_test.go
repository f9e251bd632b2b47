package registry_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/roadstead/roadstead/registry"
)

// [I] Beside pushes of images that share layers, deletions and indexes, even a collector that spares nothing for its youth never
// takes what an acknowledged image needs: a push may fail, an image may not.
func TestCollectBesidePushes(t *testing.T) {
	w := newWorld(t, "aa", "bb", "cc")
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	var layers []v1.Layer
	for range 5 {
		l, err := random.Layer(256, types.DockerLayer)
		if err != nil {
			t.Fatal(err)
		}
		layers = append(layers, l)
	}
	pushed := make(chan struct{}, 100)
	var collector, pushers sync.WaitGroup
	collector.Go(func() {
		for range pushed {
			if _, err := w.Collect(t.Context(), -time.Hour); err != nil && !strings.Contains(err.Error(), "purge uploads") {
				t.Error(err) // an upload under way is in its way, and it goes on
			}
		}
	})
	var mu sync.Mutex
	stored := map[string]bool{} // tags that were acknowledged, and are not deleted; guarded by mu
	for n, name := range []string{"aa", "bb", "cc"} {
		p := w.open(t, name)
		pushers.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(n)))
			for i := range 15 {
				ref := fmt.Sprintf("%s:%d", name, i)
				img := mixed(t, r, layers)
				err := remote.Write(w.ref(t, ref), img, basic("test", "test"))
				if err == nil {
					mu.Lock()
					stored[ref] = true
					mu.Unlock()
				}
				if i%4 == 3 && err == nil {
					index := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: img})
					_ = remote.WriteIndex(w.ref(t, name+":index"), index, basic("test", "test")) // which may fail like any push
				}
				if i%3 == 2 {
					forget(t, p, fmt.Sprint(i-1))
					mu.Lock()
					delete(stored, fmt.Sprintf("%s:%d", name, i-1))
					mu.Unlock()
				}
				pushed <- struct{}{}
			}
		})
	}
	pushers.Wait()
	close(pushed)
	collector.Wait()
	if _, err := w.Collect(t.Context(), -time.Hour); err != nil {
		t.Fatal(err)
	}
	if len(stored) == 0 {
		t.Fatal("no push came through: nothing is shown")
	}
	t.Logf("%d images", len(stored))
	for ref := range stored {
		img, err := remote.Image(w.ref(t, ref), basic("test", "test"))
		if err == nil {
			err = validate.Image(img)
		}
		if err != nil {
			t.Errorf("seed %d: %s was acknowledged, and is broken: %v", seed, ref, err)
		}
	}
}

// mixed is an image of its own with some of the layers.
func mixed(t *testing.T, r *rand.Rand, layers []v1.Layer) v1.Image {
	img, err := mutate.AppendLayers(empty.Image, layers[r.IntN(len(layers))], layers[r.IntN(len(layers))])
	if err == nil {
		img, err = mutate.CreatedAt(img, v1.Time{Time: time.Unix(r.Int64N(1e9), 0)})
	}
	if err != nil {
		t.Error(err)
	}
	return img
}

// forget deletes what a tag points to, if it does.
func forget(t *testing.T, p *registry.Repository, tag string) {
	m, err := p.Manifest(t.Context(), registry.Reference{Tag: tag})
	if err != nil {
		return
	}
	if _, _, err := p.Delete(t.Context(), registry.Reference{Digest: m.Digest}); err != nil {
		t.Error(err)
	}
}
