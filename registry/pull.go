package registry

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/roadstead/roadstead/model"
)

// Pull is that somebody reads an image's manifest, which every pull begins with.
type Pull struct {
	model.Scope       // of the repository
	Repository        string
	Digest, Tag       string // Tag is "" if it was pulled by digest
	Principal         string // ARN
	PrincipalsAccount string
}

// tellPull refuses a request for the manifest of an image that is archived, and tells Config.Pulled of one whose sender will get it.
func (g *Registry) tellPull(r *http.Request, c caller, t target) *refusal {
	if t.kind != "manifests" || !reads(r) || g.cfg.Archived == nil && (g.cfg.Pulled == nil || r.Method != http.MethodGet) {
		return nil
	}
	p, err := g.Repository(r.Context(), c.Scope, t.name)
	if err != nil {
		return unavailable(err)
	}
	ref := Reference{Tag: t.ref}
	if strings.Contains(t.ref, ":") {
		ref = Reference{Digest: t.ref}
	}
	m, err := p.Manifest(r.Context(), ref)
	if err != nil {
		return nil // Distribution says so
	}
	if archived, err := g.archived(r.Context(), p, m.Digest); err != nil {
		return unavailable(err)
	} else if archived {
		return &refusal{http.StatusNotFound, "MANIFEST_UNKNOWN", "The image with digest '" + m.Digest + "' is archived and cannot be pulled."} // [D] the code, [I] the words
	}
	if g.cfg.Pulled == nil || r.Method != http.MethodGet {
		return nil
	}
	err = g.cfg.Pulled(r.Context(), Pull{
		Scope: c.Scope, Repository: t.name, Digest: m.Digest, Tag: ref.Tag, Principal: c.key.PrincipalARN(), PrincipalsAccount: c.key.Account,
	})
	if err != nil {
		return &refusal{http.StatusServiceUnavailable, "UNAVAILABLE", "try again later: the pull could not be recorded"}
	}
	return nil
}

func (g *Registry) archived(ctx context.Context, p *Repository, d string) (bool, error) {
	if g.cfg.Archived == nil {
		return false, nil
	}
	at, err := p.PushedAt(ctx, d)
	return err == nil && g.cfg.Archived(p.scope, p.name, d, at.UnixMilli()), err
}

// fetch has an image fetched that is pulled and may come from elsewhere.
func (g *Registry) fetch(r *http.Request, c caller, t target) *refusal {
	if g.cfg.Fetch == nil || t.kind != "manifests" || !reads(r) {
		return nil
	}
	err := g.cfg.Fetch(r.Context(), c.Scope, t.name, t.ref, func(action string) error {
		if g.cfg.May == nil {
			return nil
		}
		return g.cfg.May(c.key.ID, c.session, action, c.Scope, t.name)
	})
	var refused *model.Error
	switch {
	case errors.As(err, &refused) && refused.Code != "UnableToGetUpstreamImageException": // its login, which trying again does not mend
		return denied("%s: %s", refused.Code, refused.Message)
	case err != nil:
		return unavailable(err)
	}
	return nil
}
