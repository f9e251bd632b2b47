package runtime

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/containerd/containerd/v2/core/remotes"
	"github.com/containerd/containerd/v2/core/remotes/docker"
	"github.com/distribution/reference"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/roadstead/roadstead/acs"
)

// normalize spells an image name out as containerd stores it: "busybox" is docker.io/library/busybox:latest.
func normalize(image string) (reference.Named, error) {
	named, err := reference.ParseDockerRef(image)
	if err != nil {
		return nil, fmt.Errorf("invalid reference format: %w", err)
	}
	return named, nil
}

// resolver talks to the registries for one pull.
func (r *Runtime) resolver(ctx context.Context, auth *acs.RegistryAuth) remotes.Resolver {
	authorizer := docker.NewDockerAuthorizer(docker.WithAuthClient(r.http), docker.WithAuthCreds(
		func(host string) (string, string, error) {
			if r.cfg.Credentials == nil {
				return "", "", nil
			}
			user, password, err := r.cfg.Credentials(ctx, host, auth)
			if err != nil {
				return "", "", &credentialsError{err}
			}
			return user, password, nil
		}))
	return docker.NewResolver(docker.ResolverOptions{
		Hosts: func(host string) ([]docker.RegistryHost, error) {
			return []docker.RegistryHost{r.registryHost(host, authorizer)}, nil
		},
		Headers: http.Header{"User-Agent": []string{"roadstead"}},
	})
}

func (r *Runtime) registryHost(host string, authorizer docker.Authorizer) docker.RegistryHost {
	h := docker.RegistryHost{
		Client: r.http, Authorizer: authorizer, Host: host, Scheme: "https", Path: "/v2",
		Capabilities: docker.HostCapabilityPull | docker.HostCapabilityResolve,
	}
	if host == "docker.io" {
		h.Host = "registry-1.docker.io"
	}
	if local, err := docker.MatchLocalhost(host); err == nil && local {
		h.Scheme = "http"
	}
	if r.cfg.Endpoint == nil {
		return h
	}
	if u := r.cfg.Endpoint(host); u != nil {
		h.Scheme, h.Host, h.Path = u.Scheme, u.Host, strings.TrimSuffix(u.Path, "/")+"/v2"
	}
	return h
}

// resolved is a resolver that has asked already, so that client.Pull does not ask again.
type resolved struct {
	remotes.Resolver
	name string
	desc ocispec.Descriptor
}

func (r resolved) Resolve(context.Context, string) (string, ocispec.Descriptor, error) {
	return r.name, r.desc, nil
}
