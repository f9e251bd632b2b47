package runtime

import (
	"context"
	"fmt"
	"sync"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/errdefs"
	"github.com/containerd/platforms"
	"github.com/distribution/reference"

	"github.com/roadstead/roadstead/acs"
)

// Pull implements task.Runtime. It asks the registry for the digest and fetches only what is missing; an image
// pinned by digest that is here asks nobody.
func (r *Runtime) Pull(ctx context.Context, name string, auth *acs.RegistryAuth) (string, error) {
	named, err := normalize(name)
	if err != nil {
		return "", pullFailure(name, auth, err)
	}
	key := named.String()
	if auth != nil { // another way to authenticate is another right to pull
		key += " " + auth.Type + " " + auth.Role
		if auth.ASM != nil {
			key += " " + auth.ASM.CredentialsParameter
		}
	}
	digest, err := r.pulls.do(ctx, key, func(ctx context.Context) (string, error) {
		return pullAgain(r.in(ctx), func(ctx context.Context) (string, error) {
			r.pulling.RLock()
			defer r.pulling.RUnlock()
			return r.pull(ctx, named, auth)
		})
	})
	return digest, pullFailure(named.String(), auth, err)
}

func (r *Runtime) pull(ctx context.Context, named reference.Named, auth *acs.RegistryAuth) (string, error) {
	ref := named.String()
	cached, err := r.client.ImageService().Get(ctx, ref)
	switch {
	case errdefs.IsNotFound(err):
		cached = images.Image{}
	case err != nil:
		return "", err
	case r.trustsCached(named):
		return r.adopt(ctx, cached)
	}
	i, err := r.fetch(ctx, ref, cached, auth)
	if err == nil {
		return i.digest.String(), nil
	}
	if cached.Name == "" || r.cfg.PullBehavior == PullAlways || ctx.Err() != nil {
		return "", err
	}
	r.cfg.Logger.Warn("pull failed, using the cached image", "image", ref, "err", err)
	return r.adopt(ctx, cached)
}

// trustsCached says whether an image that is here need not be asked for.
func (r *Runtime) trustsCached(named reference.Named) bool {
	_, pinned := named.(reference.Digested)
	return pinned || r.cfg.PullBehavior == PullOnce || r.cfg.PullBehavior == PullPreferCached
}

func (r *Runtime) adopt(ctx context.Context, img images.Image) (string, error) {
	i, err := r.current(ctx, img)
	if err != nil {
		return "", err
	}
	return i.digest.String(), nil
}

// current reads img unless the cache has that digest under that name.
func (r *Runtime) current(ctx context.Context, img images.Image) (*image, error) {
	if i := r.images.get(img.Name); i != nil && i.digest == img.Target.Digest {
		return i, nil
	}
	i, err := r.readImage(ctx, img)
	if err != nil {
		return nil, err
	}
	r.images.put(img.Name, i)
	return i, nil
}

func (r *Runtime) fetch(ctx context.Context, ref string, cached images.Image, auth *acs.RegistryAuth) (*image, error) {
	from := r.resolver(ctx, auth)
	name, desc, err := from.Resolve(ctx, ref)
	if err != nil {
		return nil, err
	}
	if cached.Name != "" && cached.Target.Digest == desc.Digest {
		if i, err := r.current(ctx, cached); err == nil {
			return i, nil
		} // half of it is missing: fetch it again
	}
	seen, end := r.progress.begin(ref)
	defer end()
	var img client.Image
	err = r.pastStale(func() (err error) {
		img, err = r.client.Pull(ctx, ref,
			client.WithImageHandler(seen),
			client.WithResolver(resolved{Resolver: from, name: name, desc: desc}),
			client.WithPlatformMatcher(platforms.Default()),
			client.WithPullUnpack, client.WithPullSnapshotter(r.cfg.Snapshotter))
		return err
	})
	if err != nil {
		if errdefs.IsNotFound(err) { // the name resolved: what is missing is our platform, or a part of the image
			err = fmt.Errorf("%w: %w", errManifest, err)
		}
		return nil, err
	}
	r.images.setUnpacked(img.Target().Digest)
	return r.current(ctx, img.Metadata())
}

// pullGroup lets callers of one image share one pull. The pull goes on while anybody waits for it and no longer.
type pullGroup struct {
	mu    sync.Mutex
	calls map[string]*pullCall // guarded by mu
}

type pullCall struct {
	done    chan struct{} // closed when digest and err are set
	cancel  context.CancelFunc
	waiters int // guarded by pullGroup.mu
	digest  string
	err     error
}

func (g *pullGroup) do(ctx context.Context, key string, pull func(context.Context) (string, error)) (string, error) {
	g.mu.Lock()
	c := g.calls[key]
	if c == nil {
		shared, cancel := context.WithCancel(context.WithoutCancel(ctx))
		c = &pullCall{done: make(chan struct{}), cancel: cancel}
		if g.calls == nil {
			g.calls = map[string]*pullCall{}
		}
		g.calls[key] = c
		go g.run(shared, key, c, pull) // owned by its waiters: the last one to leave cancels it
	}
	c.waiters++
	g.mu.Unlock()
	defer g.leave(key, c)
	select {
	case <-c.done:
		return c.digest, c.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

func (g *pullGroup) run(ctx context.Context, key string, c *pullCall, pull func(context.Context) (string, error)) {
	c.digest, c.err = pull(ctx)
	g.mu.Lock()
	if g.calls[key] == c {
		delete(g.calls, key)
	}
	g.mu.Unlock()
	close(c.done)
}

func (g *pullGroup) leave(key string, c *pullCall) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c.waiters--; c.waiters > 0 {
		return
	}
	c.cancel()
	if g.calls[key] == c { // a newcomer must not join a pull that is being cancelled
		delete(g.calls, key)
	}
}
