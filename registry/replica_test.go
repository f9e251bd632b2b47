package registry_test

import (
	"context"
	"errors"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/registry"
)

// pair is two servers with the same rows, that have no more than what they were told to hold until somebody asks.
type pair struct {
	leader, follower *world

	mu       sync.Mutex
	rows     map[string]model.Repository
	lost     error               // what becomes of a publication
	spared   int                 // so many come before those that are lost
	deaf     error               // what the follower says to everything
	spoiling []byte              // added to blobs on their way
	late     func()              // what happens when a row was read, once; nil for nothing
	slow     func(digest string) // what happens on the way to a blob, nil for nothing
}

func newPair(t *testing.T, repos ...string) *pair {
	t.Helper()
	p := &pair{rows: map[string]model.Repository{}}
	for _, name := range repos {
		r := model.Repository{Scope: scopeA, Name: name, CreatedAt: time.Now().UnixMilli()}
		p.rows[r.Key()] = r
	}
	p.leader, p.follower = &world{dir: t.TempDir()}, &world{dir: t.TempDir()}
	p.join(t, p.leader, p.follower)
	p.join(t, p.follower, p.leader)
	return p
}

// join opens a server's registry beside the other's.
func (p *pair) join(t *testing.T, w, other *world) {
	t.Helper()
	g, err := registry.New(registry.Config{
		Dir: w.dir, Region: "us-east-1", TokenKey: []byte(strings.Repeat("k", 32)),
		Key: func(id, _ string) (model.AccessKey, bool) {
			return model.AccessKey{ID: id, Secret: "test", Account: scopeA.Account, Kind: model.KeyRoot}, true
		},
		Repository: p.row,
		Replicas: &registry.Replicas{
			Hold: func(ctx context.Context, s model.Scope, digests []string) error {
				return errors.Join(p.deaf, other.Keep(ctx, s, digests))
			},
			Fetch: func(ctx context.Context, s model.Scope, digest string) (io.ReadCloser, error) {
				if p.slow != nil {
					p.slow(digest)
				}
				r, ok, err := other.Blob(ctx, s, digest)
				if err != nil || !ok {
					return nil, errors.Join(errors.New("the other has no such blob"), err)
				}
				defer r.Close()
				b, err := io.ReadAll(r)
				return io.NopCloser(strings.NewReader(string(append(b, p.spoiling...)))), err
			},
			Publish: p.publish,
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.Registry = g
	s := httptest.NewServer(g)
	t.Cleanup(s.Close)
	w.host = strings.TrimPrefix(s.URL, "http://")
}

func (p *pair) row(s model.Scope, name string) (model.Repository, bool) {
	p.mu.Lock()
	r, ok := p.rows[s.Key(name)]
	late := p.late
	p.late = nil
	p.mu.Unlock()
	if late != nil {
		late()
	}
	return r, ok
}

func (p *pair) publish(_ context.Context, s model.Scope, name, old, listing string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.rows[s.Key(name)]
	if r.Images != old {
		return errors.New("out of date")
	}
	if p.lost != nil && p.spared == 0 {
		return p.lost
	}
	p.spared = max(0, p.spared-1)
	r.Images = listing
	p.rows[s.Key(name)] = r
	return nil
}

// holds checks that a server has exactly these tags, and can serve all of them.
func (w *world) holds(t *testing.T, repository string, want map[string]string) {
	t.Helper()
	p, err := w.Repository(t.Context(), scopeA, repository)
	if err != nil {
		t.Fatal(err)
	}
	all, err := p.Images(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, i := range all {
		for _, tag := range i.Tags {
			got[tag] = i.Digest
		}
	}
	if len(got) != len(want) {
		t.Errorf("%s has %v, want %v", repository, got, want)
	}
	for tag, digest := range want {
		if got[tag] != digest {
			t.Errorf("%s:%s is %q, want %s", repository, tag, got[tag], digest)
		}
		if err := w.pull(t, repository+":"+tag); err != nil {
			t.Errorf("pull %s:%s: %v", repository, tag, err)
		}
	}
}

// pull reads every layer of an image, or of an index's.
func (w *world) pull(t *testing.T, ref string) error {
	t.Helper()
	img, err := remote.Image(w.ref(t, ref), basic("test", "test"), remote.WithPlatform(v1.Platform{OS: "linux", Architecture: "amd64"}))
	if err != nil {
		return err
	}
	layers, err := img.Layers()
	if err != nil {
		return err
	}
	for _, l := range layers {
		r, err := l.Compressed()
		if err != nil {
			return err
		}
		defer r.Close()
		if _, err := io.Copy(io.Discard, r); err != nil {
			return err
		}
	}
	return nil
}

func TestFollowerServesWhatWasAcknowledged(t *testing.T) {
	p, ctx := newPair(t, "web"), t.Context()
	img := image(t)
	one := p.leader.push(t, "web:v1", img)
	two := p.leader.push(t, "web:v2", image(t))
	index := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{
		Platform: &v1.Platform{OS: "linux", Architecture: "amd64"}}})
	if err := remote.WriteIndex(p.leader.ref(t, "web:all"), index, basic("test", "test")); err != nil {
		t.Fatal(err)
	}
	h, _ := index.Digest()
	p.follower.holds(t, "web", map[string]string{"v1": one, "v2": two, "all": h.String()})

	// Now the follower takes the changes: it leads.
	web, err := p.follower.Repository(ctx, scopeA, "web")
	if err != nil {
		t.Fatal(err)
	}
	m, err := web.Manifest(ctx, registry.Reference{Tag: "v2"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := web.Put(ctx, m.MediaType, m.Payload, "stable"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := web.Delete(ctx, registry.Reference{Tag: "v1"}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := web.Delete(ctx, registry.Reference{Digest: h.String()}); err != nil {
		t.Fatal(err)
	}
	p.leader.holds(t, "web", map[string]string{"v2": two, "stable": two})
}

// [I] Dates are those of the push, wherever one asks.
func TestDatesAreCopied(t *testing.T) {
	p := newPair(t, "web")
	p.leader.push(t, "web:v1", image(t))
	var dates []time.Time
	for _, w := range []*world{p.leader, p.follower} {
		web, err := w.Repository(t.Context(), scopeA, "web")
		if err != nil {
			t.Fatal(err)
		}
		all, err := web.Images(t.Context())
		if err != nil || len(all) != 1 {
			t.Fatal(all, err)
		}
		dates = append(dates, all[0].PushedAt.Truncate(time.Millisecond))
	}
	if !dates[0].Equal(dates[1]) {
		t.Errorf("pushed at %v", dates)
	}
}

// A push that could not be made safe is refused, and has not happened.
func TestRefusedPushLeavesNothing(t *testing.T) {
	p := newPair(t, "web")
	once := remote.WithRetryBackoff(remote.Backoff{Steps: 1})
	one := p.leader.push(t, "web:v1", image(t))
	for name, fault := range map[string]func(){
		"nobody holds it":     func() { p.deaf = errors.New("deaf") },
		"it is not published": func() { p.lost = errors.New("lost") },
		"it is spoiled":       func() { p.spoiling = []byte("x") },
	} {
		t.Run(name, func(t *testing.T) {
			fault()
			err := remote.Write(p.leader.ref(t, "web:v1"), image(t), basic("test", "test"), once)
			refused(t, err, 503, "UNAVAILABLE", "try again later")
			web, err := p.leader.Repository(t.Context(), scopeA, "web")
			if err != nil {
				t.Fatal(err)
			}
			if p.spoiling == nil { // else nothing need be copied
				if _, _, err := web.Delete(t.Context(), registry.Reference{Tag: "v1"}); err == nil {
					t.Error("a tag was removed")
				}
			}
			p.deaf, p.lost, p.spoiling = nil, nil, nil
			p.leader.holds(t, "web", map[string]string{"v1": one})
			p.follower.holds(t, "web", map[string]string{"v1": one})
		})
	}
	two := p.leader.push(t, "web:v1", image(t))
	p.follower.holds(t, "web", map[string]string{"v1": two})
}

// [I] A repository that is made again under its name begins empty everywhere.
func TestNameIsGivenAgain(t *testing.T) {
	p, ctx := newPair(t, "web"), t.Context()
	p.leader.push(t, "web:v1", image(t))
	p.follower.holds(t, "web", map[string]string{"v1": p.tag(t, "v1")})
	key := scopeA.Key("web")
	r := p.rows[key]
	r.CreatedAt, r.Images = time.Now().Add(time.Second).UnixMilli(), ""
	p.rows[key] = r
	p.follower.holds(t, "web", nil)
	p.leader.holds(t, "web", nil)
	delete(p.rows, key)
	for _, w := range []*world{p.leader, p.follower} {
		strays, err := w.Strays(ctx)
		if err != nil || len(strays) != 1 || strays[0].Name != "web" {
			t.Errorf("strays %v, %v", strays, err)
		}
		if err := w.Drop(ctx, scopeA, "web"); err != nil {
			t.Error(err)
		}
		if strays, err := w.Strays(ctx); err != nil || len(strays) != 0 {
			t.Errorf("strays %v, %v", strays, err)
		}
	}
}

// The first push is no exception: there is an empty listing to go back to.
func TestRefusedFirstPushLeavesNothing(t *testing.T) {
	p := newPair(t, "web")
	p.lost, p.spared = errors.New("lost"), 1
	img := image(t)
	err := remote.Write(p.leader.ref(t, "web:v1"), img, basic("test", "test"), remote.WithRetryBackoff(remote.Backoff{Steps: 1}))
	refused(t, err, 503, "UNAVAILABLE", "try again later")
	p.lost = nil
	p.leader.holds(t, "web", nil)
	p.follower.holds(t, "web", map[string]string{"v1": p.follower.push(t, "web:v1", img)})
}

func (p *pair) tag(t *testing.T, tag string) string {
	t.Helper()
	web, err := p.leader.Repository(t.Context(), scopeA, "web")
	if err != nil {
		t.Fatal(err)
	}
	m, err := web.Manifest(t.Context(), registry.Reference{Tag: tag})
	if err != nil {
		t.Fatal(err)
	}
	return m.Digest
}

// Images that were pushed when there was one server are the others' too, once it shares them.
func TestShare(t *testing.T) {
	p := newPair(t, "web")
	alone := newWorld(t, "web")
	one := alone.push(t, "web:v1", image(t))
	if err := os.CopyFS(filepath.Join(p.leader.dir, scopeA.Account), os.DirFS(filepath.Join(alone.dir, scopeA.Account))); err != nil {
		t.Fatal(err)
	}
	p.leader.holds(t, "web", map[string]string{"v1": one})
	if err := p.leader.Share(t.Context(), scopeA, "web"); err != nil {
		t.Fatal(err)
	}
	if r, _ := p.row(scopeA, "web"); r.Images == "" {
		t.Error("nothing was published")
	}
	p.follower.holds(t, "web", map[string]string{"v1": one})
}

// [I] What a listing speaks of is not collected, however old it is, and neither is the listing.
func TestCollectKeepsListings(t *testing.T) {
	p := newPair(t, "web")
	one := p.leader.push(t, "web:v1", image(t))
	for _, w := range []*world{p.leader, p.follower} {
		w.holds(t, "web", map[string]string{"v1": one})
		if _, err := w.Collect(t.Context(), -time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	r, _ := p.row(scopeA, "web")
	for _, w := range []*world{p.leader, p.follower} {
		if b, ok, err := w.Blob(t.Context(), scopeA, r.Images); err != nil || !ok {
			t.Errorf("the listing is gone: %v", err)
		} else {
			b.Close()
		}
		w.holds(t, "web", map[string]string{"v1": one})
	}
}

// A server that copies a large image serves the account's other repositories meanwhile, and fetches each blob once.
func TestCopyingHoldsNobodyUp(t *testing.T) {
	p := newPair(t, "large", "small")
	p.deaf = nil
	img := image(t)
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	slow, err := layers[0].Digest()
	if err != nil {
		t.Fatal(err)
	}
	large, small := p.leader.push(t, "large:1", img), p.leader.push(t, "small:1", image(t))
	if err := os.RemoveAll(p.follower.dir); err != nil { // it knows nothing, and opens anew
		t.Fatal(err)
	}
	p.follower.dir = t.TempDir()
	p.join(t, p.follower, p.leader)
	asked, release := make(chan struct{}, 9), make(chan struct{})
	p.slow = func(d string) {
		if d == slow.String() {
			asked <- struct{}{}
			<-release
		}
	}
	done := make(chan error, 2)
	for range 2 {
		go func() { done <- p.follower.Follow(t.Context(), scopeA, "large") }()
	}
	<-asked
	p.follower.holds(t, "small", map[string]string{"1": small})
	close(release)
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	p.follower.holds(t, "large", map[string]string{"1": large})
	if len(asked) != 0 {
		t.Errorf("the blob was fetched %d times", 1+len(asked))
	}
}

// Who has read a row and then waits while an image is pushed does not make the files again what they were.
func TestAnOldRowUndoesNothing(t *testing.T) {
	p := newPair(t, "web")
	p.leader.push(t, "web:1", image(t))
	files, err := p.leader.Repository(t.Context(), scopeA, "web")
	if err != nil {
		t.Fatal(err)
	}
	pushed := ""
	p.late = func() { pushed = p.leader.push(t, "web:2", image(t)) }
	if err := p.leader.Follow(t.Context(), scopeA, "web"); err != nil {
		t.Fatal(err)
	}
	all, err := files.Images(t.Context())
	if err != nil || len(all) != 2 || pushed == "" {
		t.Errorf("%d images are there, %v", len(all), err)
	}
}

// What another server refuses is no refusal of what the caller asked for: it is worth another try.
func TestRefusalsOfOthersAreFaults(t *testing.T) {
	p := newPair(t, "web", "copy")
	p.leader.push(t, "web:v1", image(t))
	web, err := p.leader.Repository(t.Context(), scopeA, "web")
	if err != nil {
		t.Fatal(err)
	}
	m, err := web.Manifest(t.Context(), registry.Reference{Tag: "v1"})
	if err != nil {
		t.Fatal(err)
	}
	p.deaf = model.Errorf("AccessDeniedException", "it does not know the key yet")
	_, copied := p.leader.Copy(t.Context(), scopeA, "copy", m, nil, web.Source())
	_, _, deleted := web.Delete(t.Context(), registry.Reference{Tag: "v1"})
	for what, err := range map[string]error{"copy": copied, "delete": deleted} {
		if err == nil || model.ErrorCode(err) != "" || !strings.Contains(err.Error(), "does not know the key") {
			t.Errorf("%s: %v", what, err)
		}
	}
}
