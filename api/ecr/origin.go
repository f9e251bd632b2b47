package ecr

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/registry"
)

// origin is a repository from which images are fetched.
type origin struct {
	manifest func(ctx context.Context, ref string) (registry.Manifest, error)
	source   registry.Source
}

// origin finds where a rule's images come from: a registry elsewhere, or another registry of this control plane.
func (a *API) origin(ctx context.Context, rule *model.PullThroughRule, repository string) (origin, error) {
	if s, ok := ecrScope(rule.Upstream); ok {
		return a.neighbour(ctx, rule, s, repository)
	}
	up, err := a.upstream(rule)
	return origin{
		manifest: func(ctx context.Context, ref string) (registry.Manifest, error) {
			return up.Manifest(ctx, repository, ref)
		},
		source: up.Source(repository),
	}, err
}

// ecrScope is the registry that an upstream's host names, if it is one of ECR's.
func ecrScope(host string) (s model.Scope, ok bool) {
	s.Account, s.Region, ok = registry.ParseHost(host)
	return s, ok
}

// serves says whether a registry is one of this control plane.
func (a *API) serves(s model.Scope) bool {
	_, ok := a.DB.Snapshot().Accounts.Get(s.Account)
	return ok && slices.Contains(a.Regions, s.Region)
}

// neighbour is a repository of another account, or of another Region. Its policies decide about the account that wants to have its
// images, and its owner reads who had them.
func (a *API) neighbour(ctx context.Context, rule *model.PullThroughRule, s model.Scope, repository string) (o origin, err error) {
	if err := a.granted(rule.Account, "BatchGetImage", s, repository); err != nil {
		return o, errors.Join(registry.ErrNotUpstream, err)
	}
	if _, ok := a.DB.Snapshot().Repositories.Get(s.Key(repository)); !ok {
		return o, fmt.Errorf("%w: %w", registry.ErrNotUpstream, errNoRepository(s.Account, repository))
	}
	images, err := a.Images.Repository(ctx, s, repository)
	if err != nil {
		return o, err
	}
	o.source = images.Source()
	o.manifest = func(ctx context.Context, ref string) (registry.Manifest, error) {
		by := registry.Reference{Tag: ref}
		if isDigest(ref) {
			by = registry.Reference{Digest: ref}
		}
		m, err := images.Manifest(ctx, by)
		if err != nil {
			return m, errors.Join(registry.ErrNotUpstream, err)
		}
		return m, a.Pulled(ctx, registry.Pull{
			Scope: s, Repository: repository, Digest: m.Digest, Tag: by.Tag, Principal: "arn:aws:iam::" + rule.Account + ":root", PrincipalsAccount: rule.Account,
		})
	}
	return o, nil
}
