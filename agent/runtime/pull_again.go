package runtime

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/containerd/containerd/v2/core/remotes/docker"
	remoteerrors "github.com/containerd/containerd/v2/core/remotes/errors"
	"github.com/containerd/errdefs"
)

// A pull that fails for a passing reason is tried again, as the original agent does it: pauses of 1.1 to 5 s, half as long again
// each, with a fifth of chance.
const (
	pullTries      = 5
	firstPullPause = 1100 * time.Millisecond
	lastPullPause  = 5 * time.Second
)

// pullAgain calls pull until it succeeds, fails for good, or has failed too often.
func pullAgain(ctx context.Context, pull func(context.Context) (string, error)) (string, error) {
	pause := firstPullPause
	for try := 1; ; try++ {
		digest, err := pull(ctx)
		if err == nil || try == pullTries || !mayPass(err) {
			return digest, err
		}
		select {
		case <-time.After(pause - pause/10 + rand.N(pause/5)):
		case <-ctx.Done():
			return "", err
		}
		pause = min(pause*3/2, lastPullPause)
	}
}

// mayPass says whether an error of a pull may be another one next time: a registry that does not answer, or that is busy. That an
// image is not there, or not for us, is an answer.
func mayPass(err error) bool {
	var status remoteerrors.ErrUnexpectedStatus
	var login *credentialsError
	switch {
	case passing(err), // containerd is away: that is the caller's to wait out
		errors.Is(err, context.Canceled), errdefs.IsNotFound(err), errors.Is(err, errManifest), errors.Is(err, docker.ErrInvalidAuthorization), errors.As(err, &login):
		return false
	case errors.As(err, &status):
		return status.StatusCode >= http.StatusInternalServerError || status.StatusCode == http.StatusTooManyRequests || status.StatusCode == http.StatusRequestTimeout
	}
	return true
}
