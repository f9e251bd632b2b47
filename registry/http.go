package registry

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/roadstead/roadstead/model"
)

// maxManifest is the largest manifest that is accepted, as ECR's quota.
const maxManifest = 4 << 20

// refusal is an error answer of the distribution protocol.
type refusal struct {
	status  int
	code    string
	message string
}

func unauthorized() *refusal {
	return &refusal{http.StatusUnauthorized, "UNAUTHORIZED", "Not Authorized"}
}

func denied(format string, args ...any) *refusal {
	return &refusal{http.StatusForbidden, "DENIED", fmt.Sprintf(format, args...)}
}

func (e *refusal) write(w http.ResponseWriter, r *http.Request) {
	if e.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", fmt.Sprintf("Basic realm=%q,service=\"ecr.amazonaws.com\"", "https://"+r.Host+"/"))
	}
	w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(e.status)
	type item struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	// A client that is gone cannot be told.
	_ = json.NewEncoder(w).Encode(map[string][]item{"errors": {{e.code, e.message}}})
}

// ServeHTTP serves the distribution protocol under /v2/.
func (g *Registry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, refused := g.authenticate(r)
	if refused == nil {
		refused = g.serve(w, r, c)
	}
	if refused != nil {
		refused.write(w, r)
	}
}

// serve checks what the caller wants against what exists and what is allowed, and lets Distribution do the work.
func (g *Registry) serve(w http.ResponseWriter, r *http.Request, c caller) *refusal {
	t, ok := parseTarget(r.URL.Path)
	if !ok {
		return &refusal{http.StatusNotFound, "NAME_INVALID", "invalid repository name or path"}
	}
	if !c.may(r) {
		return denied("User: %s is not authorized to perform: ecr:%s on resource: *", c.key.PrincipalARN(), t.action())
	}
	var row model.Repository
	if t.name != "" {
		if row, ok = g.cfg.Repository(c.Scope, t.name); !ok {
			return &refusal{http.StatusNotFound, "NAME_UNKNOWN", errNoRepository(c.Scope, t.name).Message}
		}
	}
	if r.Method == http.MethodDelete && t.kind != "uploads" {
		// Images are deleted by ecr:BatchDeleteImage, which knows about indexes and tags.
		return &refusal{http.StatusMethodNotAllowed, "UNSUPPORTED", "The operation is unsupported."}
	}
	st, err := g.store(c.Scope)
	if err != nil {
		return &refusal{http.StatusInternalServerError, "UNKNOWN", "internal error"}
	}
	if r.Method == http.MethodPut && t.kind == "manifests" {
		return st.putManifest(w, r, row, t.ref)
	}
	st.app.ServeHTTP(w, r)
	return nil
}

// putManifest lets a pushed manifest through unless it would move a final tag.
func (st *store) putManifest(w http.ResponseWriter, r *http.Request, row model.Repository, ref string) *refusal {
	// The whole body first: the lock is not held while a client dawdles.
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxManifest))
	if err != nil {
		return &refusal{http.StatusRequestEntityTooLarge, "SIZE_INVALID", "the manifest cannot be read or is larger than 4 MiB"}
	}
	r.Body = io.NopCloser(bytes.NewReader(body))

	st.manifests.Lock()
	defer st.manifests.Unlock()
	if row.Immutable && !strings.Contains(ref, ":") {
		repo, err := st.repository(row.Scope, row.Name)
		if err != nil {
			return &refusal{http.StatusInternalServerError, "UNKNOWN", "internal error"}
		}
		if has, ok := repo.tagged(r.Context(), ref); ok && has != digest.FromBytes(body) {
			return &refusal{http.StatusBadRequest, "TAG_INVALID", errTagFinal(row.Name, ref).Message}
		}
	}
	st.app.ServeHTTP(w, r)
	return nil
}

// target is what a path of the distribution protocol names.
type target struct {
	name string // repository; "" for /v2/ and /v2/_catalog
	kind string // manifests, blobs, uploads, tags or ""
	ref  string // tag or digest
}

// action is the IAM action that a refusal names.
func (t target) action() string {
	if t.kind == "manifests" {
		return "PutImage"
	}
	return "InitiateLayerUpload"
}

// parseTarget reads a path from its end: references hold no slash, repository names do.
func parseTarget(path string) (target, bool) {
	rest, ok := strings.CutPrefix(path, "/v2/")
	if !ok {
		return target{}, path == "/v2"
	}
	if rest == "" || rest == "_catalog" {
		return target{}, true
	}
	p := strings.Split(strings.TrimSuffix(rest, "/"), "/")
	if slices.Contains(p, "..") || slices.Contains(p, ".") {
		return target{}, false
	}
	n := len(p)
	t := target{}
	switch {
	case n > 2 && p[n-2] == "manifests":
		t = target{kind: "manifests", ref: p[n-1]}
		p = p[:n-2]
	case n > 2 && p[n-2] == "tags" && p[n-1] == "list":
		t = target{kind: "tags"}
		p = p[:n-2]
	case n > 2 && p[n-2] == "blobs" && p[n-1] == "uploads":
		t = target{kind: "uploads"}
		p = p[:n-2]
	case n > 3 && p[n-3] == "blobs" && p[n-2] == "uploads":
		t = target{kind: "uploads", ref: p[n-1]}
		p = p[:n-3]
	case n > 2 && p[n-2] == "blobs":
		t = target{kind: "blobs", ref: p[n-1]}
		p = p[:n-2]
	default:
		return target{}, false
	}
	t.name = strings.Join(p, "/")
	return t, ValidName(t.name)
}
