package runtime

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/containerd/containerd/v2/core/remotes/docker"
	remoteerrors "github.com/containerd/containerd/v2/core/remotes/errors"
	"github.com/containerd/errdefs"
)

func TestMayPass(t *testing.T) {
	status := func(code int) error {
		return fmt.Errorf("pull: %w", remoteerrors.ErrUnexpectedStatus{StatusCode: code})
	}
	for want, all := range map[bool][]error{
		true:  {errors.New("dial tcp: connection refused"), errors.New("unexpected EOF"), status(500), status(503), status(429), status(408), context.DeadlineExceeded},
		false: {fmt.Errorf("x: %w", errdefs.ErrNotFound), errManifest, errdefs.ErrUnavailable, docker.ErrInvalidAuthorization, &credentialsError{errors.New("no")}, status(403), status(404), context.Canceled},
	} {
		for _, err := range all {
			if mayPass(err) != want {
				t.Errorf("mayPass(%v) is not %v", err, want)
			}
		}
	}
}

// [I] as the original agent: five tries, whose pauses grow from 1.1 s to 5 s.
func TestPullAgain(t *testing.T) {
	refused := errors.New("connection refused")
	for name, c := range map[string]struct {
		fails    int
		err      error
		tries    int
		ok       bool
		from, to time.Duration
	}{
		"at once":         {0, nil, 1, true, 0, 0},
		"the third time":  {2, refused, 3, true, 2400 * time.Millisecond, 3100 * time.Millisecond},
		"never":           {99, refused, 5, false, 8 * time.Second, 10 * time.Second},
		"what stays lost": {99, errdefs.ErrNotFound, 1, false, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began, tries := time.Now(), 0
				digest, err := pullAgain(t.Context(), func(context.Context) (string, error) {
					if tries++; tries <= c.fails {
						return "", c.err
					}
					return "sha256:1", nil
				})
				took := time.Since(began)
				if tries != c.tries || (err == nil) != c.ok || c.ok && digest == "" || !c.ok && !errors.Is(err, c.err) || took < c.from || took > c.to {
					t.Errorf("%d tries, %q, %v after %s", tries, digest, err, took)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) { // nobody waits for it any more
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		if _, err := pullAgain(ctx, func(context.Context) (string, error) { return "", refused }); !errors.Is(err, refused) {
			t.Errorf("given up: %v", err)
		}
	})
}
