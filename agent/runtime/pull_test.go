package runtime

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/containerd/containerd/v2/core/remotes/docker"
	remoteerrors "github.com/containerd/containerd/v2/core/remotes/errors"
	"github.com/containerd/errdefs"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/task"
)

func TestPullFailures(t *testing.T) {
	ecr := &acs.RegistryAuth{Type: "ecr"}
	for name, c := range map[string]struct {
		auth *acs.RegistryAuth
		err  error
		want string
	}{
		"unknown image": {nil, fmt.Errorf("r/x:1: %w", errdefs.ErrNotFound), "CannotPullContainerError: Error response from registry: manifest for r:5000/x:1 not found: manifest unknown: "},
		"forbidden": {nil, remoteerrors.ErrUnexpectedStatus{StatusCode: 403, Status: "403 Forbidden"},
			"CannotPullContainerError: Error response from registry: pull access denied for r:5000/x, repository does not exist or may require 'docker login': "},
		"no login":        {nil, fmt.Errorf("x: %w", docker.ErrInvalidAuthorization), "CannotPullContainerError: Error response from registry: pull access denied for r:5000/x, "},
		"wrong platform":  {nil, fmt.Errorf("%w: %w", errManifest, errdefs.ErrNotFound), "CannotPullImageManifestError: "},
		"ECR credentials": {ecr, &credentialsError{errors.New("no role")}, "CannotPullECRContainerError: no role"},
		"credentials":     {&acs.RegistryAuth{Type: "asm"}, &credentialsError{errors.New("no secret")}, "CannotPullContainerAuthError: no secret"},
		"network":         {nil, errors.New("dial tcp: refused"), "CannotPullContainerError: Error response from registry: dial tcp: refused"},
	} {
		t.Run(name, func(t *testing.T) {
			err := pullFailure("r:5000/x:1", c.auth, c.err)
			var f *task.Failure
			if !errors.As(err, &f) || !strings.HasPrefix(f.Reason(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
	var f *task.Failure
	if err := pullFailure("x", nil, context.Canceled); errors.As(err, &f) || !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if err := pullFailure("x", nil, nil); err != nil {
		t.Error(err)
	}
}

func TestFailure(t *testing.T) {
	var f *task.Failure
	if err := failure(cannotStart, fmt.Errorf("start: %w", context.DeadlineExceeded)); !errors.As(err, &f) || f.Name != runtimeTimeout {
		t.Errorf("deadline: %v", err)
	}
	if err := failure(cannotStart, &task.Failure{Name: "X", Err: errors.New("y")}); err.Error() != "X: y" {
		t.Errorf("named already: %v", err)
	}
	if err := failure(cannotStart, context.Canceled); errors.As(err, new(*task.Failure)) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestPullsAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g pullGroup
		calls := 0
		pull := func(ctx context.Context) (string, error) {
			calls++
			select {
			case <-time.After(time.Minute):
				return "sha256:1", nil
			case <-ctx.Done():
				return "", ctx.Err()
			}
		}
		results := make(chan error, 3)
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for _, ctx := range []context.Context{impatient, t.Context(), t.Context()} {
			go func() {
				_, err := g.do(ctx, "x", pull)
				results <- err
			}()
			synctest.Wait()
		}
		if err := <-results; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the impatient one got %v", err)
		}
		for range 2 { // the others are not disturbed
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
		if calls != 1 || len(g.calls) != 0 {
			t.Errorf("%d pulls, %d left", calls, len(g.calls))
		}
		alone, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if _, err := g.do(alone, "x", pull); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		synctest.Wait() // a pull that nobody waits for ends
		if time.Since(began) > 2*time.Second || len(g.calls) != 0 {
			t.Error("an abandoned pull goes on")
		}
	})
}

func TestNormalize(t *testing.T) {
	for image, want := range map[string]string{
		"busybox":            "docker.io/library/busybox:latest",
		"127.0.0.1:5000/a:1": "127.0.0.1:5000/a:1",
		"a/b:1@sha256:" + strings.Repeat("0", 64): "docker.io/a/b@sha256:" + strings.Repeat("0", 64),
	} {
		if got, err := normalize(image); err != nil || got.String() != want {
			t.Errorf("%s is %v, %v", image, got, err)
		}
	}
}

func TestRegistryHosts(t *testing.T) {
	r := &Runtime{cfg: Config{Endpoint: func(host string) *url.URL {
		if host == "000000000000.dkr.ecr.us-east-1.amazonaws.com" {
			return &url.URL{Scheme: "http", Host: "127.0.0.1:4566"}
		}
		return nil
	}}}
	for host, want := range map[string]string{
		"docker.io":      "https://registry-1.docker.io/v2",
		"127.0.0.1:5000": "http://127.0.0.1:5000/v2",
		"quay.io":        "https://quay.io/v2",
		"000000000000.dkr.ecr.us-east-1.amazonaws.com": "http://127.0.0.1:4566/v2",
	} {
		h := r.registryHost(host, nil)
		if got := h.Scheme + "://" + h.Host + h.Path; got != want {
			t.Errorf("%s is at %s, want %s", host, got, want)
		}
	}
}
