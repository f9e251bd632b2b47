package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// Upstream is a registry of somebody else, from which images are fetched.
type Upstream struct {
	URL            string // "https://quay.io"; http is for those whom the operator trusts
	User, Password string // "" for anonymous
}

// ErrNotUpstream says that an upstream registry answers that it has no such image, or none for us.
var ErrNotUpstream = errors.New("the upstream registry has no such image")

// Manifest reads what a reference, a tag or a digest, names in a repository there.
func (u Upstream) Manifest(ctx context.Context, repository, ref string) (Manifest, error) {
	r, err := u.reference(repository, ref)
	if err != nil {
		return Manifest{}, err
	}
	d, err := remote.Get(r, u.options(ctx)...)
	if err != nil {
		return Manifest{}, notUpstream(err)
	}
	return Manifest{Digest: d.Digest.String(), MediaType: string(d.MediaType), Payload: d.Manifest}, nil
}

// Source is a repository there as a source of copies.
func (u Upstream) Source(repository string) Source { return fetched{u, repository} }

// Ping says whether the registry is there, and lets us in.
func (u Upstream) Ping(ctx context.Context) error {
	r, err := u.reference("roadstead/ping", "latest")
	if err != nil {
		return err
	}
	auth := authn.Anonymous
	if u.User != "" {
		auth = &authn.Basic{Username: u.User, Password: u.Password}
	}
	client, err := transport.NewWithContext(ctx, r.Context().Registry, auth, http.DefaultTransport, nil)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.Context().Scheme()+"://"+r.Context().RegistryStr()+"/v2/", nil)
	if err != nil {
		return err
	}
	resp, err := client.RoundTrip(request)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", u.URL, resp.Status)
	}
	return nil
}

func (u Upstream) reference(repository, ref string) (name.Reference, error) {
	base, err := url.Parse(u.URL)
	if err != nil {
		return nil, err
	}
	var options []name.Option
	if base.Scheme == "http" {
		options = append(options, name.Insecure)
	}
	separator := ":"
	if strings.Contains(ref, ":") {
		separator = "@"
	}
	return name.ParseReference(base.Host+"/"+repository+separator+ref, options...)
}

func (u Upstream) options(ctx context.Context) []remote.Option {
	options := []remote.Option{remote.WithContext(ctx), remote.WithRetryBackoff(remote.Backoff{Duration: 100 * time.Millisecond, Factor: 3, Steps: 3})}
	if u.User != "" {
		options = append(options, remote.WithAuth(&authn.Basic{Username: u.User, Password: u.Password}))
	}
	return options
}

// notUpstream tells an answer from a failure.
func notUpstream(err error) error {
	e, ok := errors.AsType[*transport.Error](err)
	if ok && e.StatusCode >= 400 && e.StatusCode < 500 && e.StatusCode != http.StatusTooManyRequests && e.StatusCode != http.StatusRequestTimeout {
		return fmt.Errorf("%w: %w", ErrNotUpstream, err)
	}
	return err
}

// fetched is an upstream repository as a source.
type fetched struct {
	Upstream
	repository string
}

func (f fetched) Manifest(ctx context.Context, d string) (Manifest, error) {
	return f.Upstream.Manifest(ctx, f.repository, d)
}

func (f fetched) Blob(ctx context.Context, d string) (io.ReadCloser, error) {
	r, err := f.reference(f.repository, d)
	if err != nil {
		return nil, err
	}
	digest, ok := r.(name.Digest)
	if !ok {
		return nil, fmt.Errorf("%s is no digest", d)
	}
	layer, err := remote.Layer(digest, f.options(ctx)...)
	if err != nil {
		return nil, notUpstream(err)
	}
	return layer.Compressed()
}
