package runtime

import (
	"context"
	"maps"
	"sync"

	"github.com/containerd/containerd/v2/core/images"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// progress is what is known of the images that are being fetched: their parts, as they are found.
type progress struct {
	mu       sync.Mutex
	fetching map[string]map[digest.Digest]int64 // sizes in bytes, by normalized name; guarded by mu
}

// begin notes that an image is fetched; end is to be called when it is not any more.
func (p *progress) begin(name string) (seen images.Handler, end func()) {
	parts := map[digest.Digest]int64{}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fetching == nil {
		p.fetching = map[string]map[digest.Digest]int64{}
	}
	p.fetching[name] = parts
	seen = images.HandlerFunc(func(_ context.Context, part ocispec.Descriptor) ([]ocispec.Descriptor, error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		parts[part.Digest] = part.Size
		return nil, nil
	})
	return seen, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.fetching, name)
	}
}

// parts are those of an image that is being fetched, nil if it is not.
func (p *progress) parts(name string) map[digest.Digest]int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.fetching[name])
}

// Fetching is how far the fetch of an image has come that is under way: bytes that are here, and bytes of all parts that are known;
// both are of packed layers, which are unpacked afterwards.
func (r *Runtime) Fetching(ctx context.Context, image string) (done, total int64, ok bool) {
	named, err := normalize(image)
	if err != nil {
		return 0, 0, false
	}
	parts := r.progress.parts(named.String())
	if parts == nil {
		return 0, 0, false
	}
	ctx = r.in(ctx)
	content := r.client.ContentStore()
	coming := map[digest.Digest]int64{}
	if all, err := content.ListStatuses(ctx); err == nil {
		for _, s := range all {
			if s.Expected != "" {
				coming[s.Expected] = s.Offset
			}
		}
	}
	for d, size := range parts {
		total += size
		if offset, under := coming[d]; under {
			done += offset
		} else if _, err := content.Info(ctx, d); err == nil {
			done += size
		}
	}
	return done, total, true
}
