package server

import (
	"cmp"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/roadstead/roadstead/access"
	"github.com/roadstead/roadstead/api/sts"
	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/oidc"
	"github.com/roadstead/roadstead/state"
)

// issuerPath is where the documents of issuers are; an account's id follows (docs/decisions/033).
const issuerPath = "/oidc/"

// issuerURL is the URL of an account's issuer when it is enabled.
func (s *Server) issuerURL(id string) string {
	return strings.TrimSuffix(cmp.Or(s.cfg.IssuerURL, s.cfg.Advertise), "/") + issuerPath + id
}

func (s *Server) stsConfig() sts.Config {
	return sts.Config{
		DB: s.db, Sessions: s.tokens, AssumeWeb: s.assumeWeb, Tokens: &oidc.Verifier{Now: s.cfg.Now}, Seal: s.seal, Now: s.cfg.Now,
	}
}

// assumeWeb makes the session of a web identity, if the role trusts it.
func (s *Server) assumeWeb(t *state.Tables, q *sts.WebIdentity) (auth.Credentials, *auth.Session, error) {
	return s.access.Assume(t, s.tokens, &access.Assumption{
		RoleARN: q.RoleARN, SessionName: q.SessionName, Duration: q.Duration, Tags: q.Tags, Transitive: q.Transitive, SourceIdentity: q.SourceIdentity,
		Policies: q.Policies, PolicyARNs: q.PolicyARNs, Provider: q.Provider, Claims: q.Claims, Now: s.cfg.Now(),
	})
}

// issuerRoutes are the documents with which others verify tokens. They are for everybody, and every member has them.
func (s *Server) issuerRoutes(mux *http.ServeMux) {
	serve := func(path string, document func(row *model.TokenIssuer) any) {
		mux.HandleFunc("GET "+issuerPath+"{id}"+path, func(w http.ResponseWriter, r *http.Request) {
			for row := range s.db.Snapshot().TokenIssuers.All() {
				if row.ID == r.PathValue("id") {
					w.Header().Set("Content-Type", "application/json")
					w.Header().Set("Cache-Control", "public, max-age=300")
					_ = json.NewEncoder(w).Encode(document(row))
					return
				}
			}
			http.NotFound(w, r)
		})
	}
	serve(oidc.DiscoveryPath, func(row *model.TokenIssuer) any { return oidc.Describe(row.URL, *s.publicKeys(row)) })
	serve(oidc.KeysPath, func(row *model.TokenIssuer) any { return s.publicKeys(row) })
}

func (s *Server) publicKeys(row *model.TokenIssuer) *oidc.JWKS {
	return oidc.PublicKeys(row, s.cfg.Now().UnixMilli())
}
