package server_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/server"
	"github.com/roadstead/roadstead/state"
)

// imageRef names an image at a member.
func imageRef(t *testing.T, s *server.Server, image string) (name.Reference, remote.Option) {
	t.Helper()
	ref, err := name.ParseReference(strings.TrimPrefix(s.URL(), "http://")+"/"+image, name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	return ref, remote.WithAuth(&authn.Basic{Username: "root", Password: "secret"})
}

func push(t *testing.T, s *server.Server, image string) v1.Hash {
	t.Helper()
	img, err := random.Image(2048, 2)
	if err != nil {
		t.Fatal(err)
	}
	ref, auth := imageRef(t, s, image)
	if err := remote.Write(ref, img, auth); err != nil {
		t.Fatalf("push %s: %v", image, err)
	}
	d, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// pull reads all of an image and returns its digest.
func pull(t *testing.T, s *server.Server, image string) (v1.Hash, error) {
	t.Helper()
	ref, auth := imageRef(t, s, image)
	img, err := remote.Image(ref, auth)
	if err != nil {
		return v1.Hash{}, err
	}
	layers, err := img.Layers()
	if err != nil {
		return v1.Hash{}, err
	}
	for _, l := range layers {
		r, err := l.Compressed()
		if err != nil {
			return v1.Hash{}, err
		}
		if _, err := io.Copy(io.Discard, r); err != nil {
			return v1.Hash{}, err
		}
		r.Close()
	}
	return img.Digest()
}

// images is what ECR says of a repository: "DIGEST TAGS PUSHED" by digest.
func images(t *testing.T, s *server.Server, repository string) string {
	t.Helper()
	var out struct {
		ImageDetails []struct {
			ImageDigest   string
			ImageTags     []string
			ImagePushedAt float64
		}
	}
	if err := dial(t, s, "root", "secret").Call(t.Context(), "ecr", "DescribeImages", map[string]any{"repositoryName": repository}, &out); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(out.ImageDetails)
}

// ecr calls ECR.
func ecr(t *testing.T, s *server.Server, op string, in map[string]any) {
	t.Helper()
	if err := dial(t, s, "root", "secret").Call(t.Context(), "ecr", op, in, nil); err != nil {
		t.Fatal(err)
	}
}

// within waits for what comes a moment later.
func within(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("not in time: %s", what)
		}
	}
}

// What was acknowledged is served by the next leader, as it was: images, tags, dates, and what was deleted stays so. Writes
// at any member go to the leader.
func TestImagesSurviveTheirLeader(t *testing.T) {
	t.Parallel()
	store := state.NewMemory()
	first, stopFirst := open(t, server.Config{Backend: store.Member(), InitialCluster: "a,b,c"})
	within(t, "a leader", func() bool { return first.DB().Leading() })
	second, stopSecond := open(t, server.Config{Backend: store.Member(), InitialCluster: "a,b,c"})
	await(t, dial(t, first, "root", "secret"), []string{first.URL(), second.URL()})

	for _, repository := range []string{"web", "team/web", "gone"} {
		ecr(t, second, "CreateRepository", map[string]any{"repositoryName": repository})
	}
	one, two := push(t, first, "web:v1"), push(t, second, "web:v2")
	push(t, first, "web:bad")
	nested := push(t, first, "team/web:v1")
	push(t, first, "gone:v1")
	ecr(t, first, "BatchDeleteImage", map[string]any{"repositoryName": "web", "imageIds": []any{map[string]any{"imageTag": "bad"}}})
	ecr(t, first, "DeleteRepository", map[string]any{"repositoryName": "gone", "force": true})
	before := images(t, first, "web")

	stopFirst()
	within(t, "another leader", func() bool { return second.DB().Leading() })
	if after := images(t, second, "web"); after != before {
		t.Errorf("images are %s, were %s", after, before)
	}
	for image, want := range map[string]v1.Hash{"web:v1": one, "web:v2": two, "team/web:v1": nested} {
		if got, err := pull(t, second, image); err != nil || got != want {
			t.Errorf("%s: %v, %v; want %v", image, got, err, want)
		}
	}
	ecr(t, second, "CreateRepository", map[string]any{"repositoryName": "gone"})
	if left := images(t, second, "gone"); left != "[]" {
		t.Errorf("a repository begins with %s", left)
	}

	// Alone of three it takes no push, and its clients may try again; reading goes on.
	img, err := random.Image(512, 1)
	if err != nil {
		t.Fatal(err)
	}
	ref, auth := imageRef(t, second, "web:v1")
	err = remote.Write(ref, img, auth, remote.WithRetryBackoff(remote.Backoff{Steps: 1}))
	if err == nil || !strings.Contains(err.Error(), "UNAVAILABLE") {
		t.Errorf("push without a majority: %v", err)
	}
	if got, err := pull(t, second, "web:v1"); err != nil || got != one {
		t.Errorf("after a push that failed: %v, %v; want %v", got, err, one)
	}
	stopSecond()
}

// A member that comes later, or comes back, gets what the others have, by itself.
func TestMembersCatchUp(t *testing.T) {
	store := state.NewMemory()
	first, stop := open(t, server.Config{Backend: store.Member()})
	within(t, "a leader", func() bool { return first.DB().Leading() })
	ecr(t, first, "CreateRepository", map[string]any{"repositoryName": "web"})
	want := push(t, first, "web:v1") // nobody else is known: nobody else must have it
	dir := t.TempDir()
	second, _ := open(t, server.Config{Backend: store.Member(), DataDir: dir})
	blob := filepath.Join(dir, "registry/000000000000/us-east-1/docker/registry/v2/repositories/web/_manifests/tags/v1/current/link")
	within(t, "the second member copies", func() bool { _, err := os.Stat(blob); return err == nil })
	stop()
	within(t, "another leader", func() bool { return second.DB().Leading() })
	if got, err := pull(t, second, "web:v1"); err != nil || got != want {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
}

// Blobs are for members only: nodes and strangers get none.
func TestBlobsAreForMembers(t *testing.T) {
	store := state.NewMemory()
	s, _ := open(t, server.Config{Backend: store.Member()})
	token, err := s.JoinToken(t.Context(), "000000000000")
	ok(t, err)
	key, err := acs.ParseJoinToken(token)
	ok(t, err)
	const path = "/roadstead/v1/images/000000000000/us-east-1/sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	for who, c := range map[string]struct{ key, secret, code string }{
		"node": {key.KeyID, key.Secret, "AccessDeniedException"}, "stranger": {"x", "y", "UnrecognizedClientException"},
		"member": {"root", "secret", "InvalidParameterException"}, // there is no such blob
	} {
		c1 := dial(t, s, c.key, c.secret)
		if err := c1.Do(t.Context(), "GET", path, nil, nil); model.ErrorCode(err) != c.code {
			t.Errorf("%s reads a blob: %v", who, err)
		}
		if err := c1.Do(t.Context(), "POST", "/roadstead/v1/images", map[string]any{"account": "000000000000", "region": "us-east-1"}, nil); who != "member" && model.ErrorCode(err) != c.code {
			t.Errorf("%s posts: %v", who, err)
		}
	}
}
