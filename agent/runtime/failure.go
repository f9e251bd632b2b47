package runtime

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/containerd/containerd/v2/core/remotes/docker"
	remoteerrors "github.com/containerd/containerd/v2/core/remotes/errors"
	"github.com/containerd/errdefs"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/task"
)

// Names of failures (SEMANTICS §11.2).
const (
	cannotPull         = "CannotPullContainerError"
	cannotPullAuth     = "CannotPullContainerAuthError"
	cannotPullECR      = "CannotPullECRContainerError"
	cannotPullManifest = "CannotPullImageManifestError"
	cannotCreate       = "CannotCreateContainerError"
	cannotStart        = "CannotStartContainerError"
	cannotCreateVolume = "CannotCreateVolumeError"
	cannotStop         = "CannotStopContainerError"
	runtimeTimeout     = "ContainerRuntimeTimeoutError"
)

// credentialsError is an error of Config.Credentials, as opposed to one of the registry.
type credentialsError struct{ err error }

func (e *credentialsError) Error() string { return e.err.Error() }
func (e *credentialsError) Unwrap() error { return e.err }

// errManifest marks an image whose manifest came but is of no use here.
var errManifest = errors.New("no usable manifest")

// pullFailure names an error of Pull in the words that users of Docker and ECS know.
func pullFailure(ref string, auth *acs.RegistryAuth, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || passing(err) {
		return fmt.Errorf("pull %s: %w", ref, err)
	}
	if creds, ok := errors.AsType[*credentialsError](err); ok {
		if named, ok := errors.AsType[*task.Failure](creds.err); ok {
			return named
		}
		name := cannotPullAuth
		if auth != nil && auth.Type == "ecr" {
			name = cannotPullECR
		}
		return &task.Failure{Name: name, Err: creds.err}
	}
	repository, _, _ := strings.Cut(ref, "@")
	if i := strings.LastIndexByte(repository, ':'); i > strings.LastIndexByte(repository, '/') {
		repository = repository[:i]
	}
	const response = "Error response from registry: "
	var status remoteerrors.ErrUnexpectedStatus
	switch {
	case errors.Is(err, errManifest):
		return &task.Failure{Name: cannotPullManifest, Err: fmt.Errorf(response+"manifest for %s is not usable: %w", ref, err)}
	case errors.Is(err, docker.ErrInvalidAuthorization), errdefs.IsPermissionDenied(err), errdefs.IsUnauthorized(err),
		errors.As(err, &status) && (status.StatusCode == 401 || status.StatusCode == 403):
		return &task.Failure{Name: cannotPull, Err: fmt.Errorf(
			response+"pull access denied for %s, repository does not exist or may require 'docker login': %w", repository, err)}
	case errdefs.IsNotFound(err):
		return &task.Failure{Name: cannotPull, Err: fmt.Errorf(response+"manifest for %s not found: manifest unknown: %w", ref, err)}
	}
	return &task.Failure{Name: cannotPull, Err: fmt.Errorf(response+"%w", err)}
}

// passing reports whether an error says nothing about the container: containerd is away, or died in the middle of making
// it. Such errors get no name, so that the call is made again.
func passing(err error) bool {
	return errdefs.IsUnavailable(err) || strings.Contains(err.Error(), "final child's") || strings.Contains(err.Error(), "ttrpc: closed")
}

// failure names an error of containerd or runc, unless it is passing, the caller's own context, or has a name already.
func failure(name string, err error) error {
	var named *task.Failure
	switch {
	case err == nil:
		return nil
	case errors.As(err, &named), errors.Is(err, context.Canceled), errdefs.IsCanceled(err), passing(err):
		return err
	case errors.Is(err, context.DeadlineExceeded), errdefs.IsDeadlineExceeded(err):
		return &task.Failure{Name: runtimeTimeout, Err: err}
	}
	return &task.Failure{Name: name, Err: err}
}
