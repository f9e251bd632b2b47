package runtime

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/errdefs"
	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	imageid "github.com/opencontainers/image-spec/identity"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// image is what Create needs of an image; it never changes for a digest.
type image struct {
	name   string // in containerd's image store
	digest digest.Digest
	// configDigest is what containerd's references of the layers hang on.
	configDigest digest.Digest
	chainID      string // the snapshot of its unpacked layers
	config       ocispec.ImageConfig
}

// imageCache spares Create from reading manifests and configs from containerd for every container.
type imageCache struct {
	mu       sync.Mutex
	byName   map[string]*image // guarded by mu
	users    map[userKey]specs.User
	unpacked map[digest.Digest]bool
	used     map[string]time.Time // by name, of this process's life
}

type userKey struct{ chainID, user string }

// get is asked for each container, and so knows when an image was used.
func (c *imageCache) get(name string) *image {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.used == nil {
		c.used = map[string]time.Time{}
	}
	c.used[name] = time.Now()
	return c.byName[name]
}

// uses are the times of the images' last uses in this process's life.
func (c *imageCache) uses() map[string]time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.used)
}

func (c *imageCache) put(name string, i *image) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byName == nil {
		c.byName = map[string]*image{}
	}
	c.byName[name] = i
}

// drop forgets a name whose image turned out to be gone.
func (c *imageCache) drop(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := c.byName[name]; i != nil {
		delete(c.unpacked, i.digest)
	}
	delete(c.byName, name)
	delete(c.used, name)
}

func (c *imageCache) user(k userKey) (specs.User, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	u, ok := c.users[k]
	return u, ok
}

func (c *imageCache) putUser(k userKey, u specs.User) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.users == nil {
		c.users = map[userKey]specs.User{}
	}
	c.users[k] = u
}

func (c *imageCache) isUnpacked(d digest.Digest) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.unpacked[d]
}

func (c *imageCache) setUnpacked(d digest.Digest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.unpacked == nil {
		c.unpacked = map[digest.Digest]bool{}
	}
	c.unpacked[d] = true
}

// image finds an image that is on the node, by its name or, if it is pinned, under any name of its digest.
func (r *Runtime) image(ctx context.Context, name string) (*image, error) {
	named, err := normalize(name)
	if err != nil {
		return nil, err
	}
	ref := named.String()
	if i := r.images.get(ref); i != nil {
		return i, nil
	}
	img, err := r.client.ImageService().Get(ctx, ref)
	if errdefs.IsNotFound(err) {
		img, err = r.imageByDigest(ctx, named)
	}
	if err != nil {
		return nil, fmt.Errorf("no such image: %s: %w", ref, err)
	}
	i, err := r.readImage(ctx, img)
	if err != nil {
		return nil, err
	}
	r.images.put(ref, i)
	return i, nil
}

func (r *Runtime) imageByDigest(ctx context.Context, named reference.Named) (images.Image, error) {
	pinned, ok := named.(reference.Digested)
	if !ok {
		return images.Image{}, errdefs.ErrNotFound
	}
	found, err := r.client.ImageService().List(ctx, fmt.Sprintf("target.digest==%q", pinned.Digest()))
	if err != nil {
		return images.Image{}, err
	}
	if len(found) == 0 {
		return images.Image{}, errdefs.ErrNotFound
	}
	return found[0], nil
}

// readImage reads an image's config and makes sure that its layers are unpacked.
func (r *Runtime) readImage(ctx context.Context, img images.Image) (*image, error) {
	c := client.NewImage(r.client, img)
	desc, err := c.Config(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: read manifest of %s: %w", errManifest, img.Name, err)
	}
	b, err := content.ReadBlob(ctx, r.client.ContentStore(), desc)
	if err != nil {
		return nil, fmt.Errorf("read config of %s: %w", img.Name, err)
	}
	var o ocispec.Image
	if err := json.Unmarshal(b, &o); err != nil {
		return nil, fmt.Errorf("%w: config of %s: %w", errManifest, img.Name, err)
	}
	if !r.images.isUnpacked(img.Target.Digest) {
		if err := r.pastStale(func() error { return c.Unpack(ctx, r.cfg.Snapshotter) }); err != nil {
			return nil, fmt.Errorf("unpack %s: %w", img.Name, err)
		}
		r.images.setUnpacked(img.Target.Digest)
	}
	return &image{
		name: img.Name, digest: img.Target.Digest, configDigest: desc.Digest,
		chainID: imageid.ChainID(o.RootFS.DiffIDs).String(), config: o.Config,
	}, nil
}
