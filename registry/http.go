package registry

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
)

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
	type item struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	answerJSON(w, e.status, map[string][]item{"errors": {{e.code, e.message}}})
}

func answerJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a client that is gone cannot be told
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
	refused := g.refuse(c, r, t)
	if refused != nil {
		return refused
	}
	if refused := g.fetch(r, c, t); refused != nil {
		return refused
	}
	if t.name != "" {
		if ok, refused := g.exists(c, r, t); refused != nil {
			return refused
		} else if !ok {
			return &refusal{http.StatusNotFound, "NAME_UNKNOWN", errNoRepository(c.Scope, t.name).Message}
		}
	}
	if r.Method == http.MethodDelete && t.kind != "uploads" && t.kind != "manifests" { // layers go when no image needs them
		return &refusal{http.StatusMethodNotAllowed, "UNSUPPORTED", "The operation is unsupported."}
	}
	if t.name == "" && g.nameless(w, r, &c) {
		return nil
	}
	st, err := g.store(c.Scope)
	if err != nil {
		return &refusal{http.StatusInternalServerError, "UNKNOWN", "internal error"}
	}
	if t.name != "" {
		p, err := g.Repository(r.Context(), c.Scope, t.name)
		switch {
		case err != nil:
			return unavailable(err)
		case t.kind == "manifests" && r.Method == http.MethodPut:
			return p.putManifest(w, r, t.ref)
		case t.kind == "manifests" && r.Method == http.MethodDelete:
			return p.serveDelete(w, r, t.ref)
		case t.kind == "referrers":
			return p.serveReferrers(w, r, t.ref)
		}
	}
	if refused := g.tellPull(r, c, t); refused != nil {
		return refused
	}
	promised := t.promised(r)
	if promised.Validate() == nil && promised.Algorithm() != digest.SHA256 && !reads(r) {
		// It would be stored by its SHA-256, and nobody would find it again.
		return &refusal{http.StatusBadRequest, "DIGEST_INVALID", "only digests of sha256 are supported"}
	}
	if _, err := st.renew(promised); err != nil {
		return unavailable(err)
	}
	st.distribute(w, r)
	return nil
}

// nameless looks which store a request without a repository is about: none that is another's, or a new one. It says whether it has answered.
func (g *Registry) nameless(w http.ResponseWriter, r *http.Request, c *caller) bool {
	c.Account = c.key.Account
	switch catalog := strings.HasSuffix(r.URL.Path, "/_catalog"); {
	case !catalog: // the answer is the same everywhere
		c.Region = g.cfg.Region
	case !g.stored(c.Scope):
		answerJSON(w, http.StatusOK, map[string][]string{"repositories": {}})
		return true
	}
	return false
}

// distribute has Distribution answer. It reads parameters by FormValue, which prefers those of a form in the body: we have looked at those of the
// query, and the body may be a layer.
func (st *store) distribute(w http.ResponseWriter, r *http.Request) {
	r.Form = r.URL.Query()
	st.app.ServeHTTP(w, r)
}

// exists says whether the repository has a row that a request is about, and lets it be made by a push whose sender may make it.
func (g *Registry) exists(c caller, r *http.Request, t target) (bool, *refusal) {
	_, ok := g.cfg.Repository(c.Scope, t.name)
	if ok || g.cfg.Make == nil || r.Method != http.MethodPost || t.kind != "uploads" {
		return ok, nil
	}
	if g.cfg.May != nil {
		if err := g.cfg.May(c.key.ID, c.session, "CreateRepository", c.Scope, t.name); err != nil {
			return false, nil // as if nothing could be made
		}
	}
	made, err := g.cfg.Make(r.Context(), c.Scope, t.name)
	if err != nil {
		return false, unavailable(err)
	}
	if made {
		_, ok = g.cfg.Repository(c.Scope, t.name)
	}
	return ok, nil
}

// unavailable refuses what other servers could not be asked for, or could not be given.
func unavailable(err error) *refusal {
	return &refusal{http.StatusServiceUnavailable, "UNAVAILABLE", "try again later: " + err.Error()}
}

// target is what a path of the distribution protocol names.
type target struct {
	name string // repository; "" for /v2/ and /v2/_catalog
	kind string // manifests, blobs, uploads, tags, referrers or ""
	ref  string // tag or digest
}

// action is the operation of ECR that a request stands for.
func (t target) action(method string) string {
	write := method != http.MethodGet && method != http.MethodHead
	switch {
	case t.kind == "manifests" && method == http.MethodDelete:
		return "BatchDeleteImage"
	case t.kind == "manifests" && write:
		return "PutImage"
	case t.kind == "manifests", t.kind == "referrers": // [D] that it is the same right
		return "BatchGetImage"
	case t.kind == "blobs" && method == http.MethodHead:
		return "BatchCheckLayerAvailability"
	case t.kind == "blobs" && !write:
		return "GetDownloadUrlForLayer"
	case t.kind == "tags":
		return "ListImages"
	case t.kind == "":
		return "DescribeRepositories"
	case method == http.MethodPut:
		return "CompleteLayerUpload"
	case t.ref != "":
		return "UploadLayerPart"
	}
	return "InitiateLayerUpload"
}

// promised is the blob that a request's sender may be told is here, so that he need not send it: he asks for it, mounts it, or has sent one that
// was here before. It is "" for none.
func (t target) promised(r *http.Request) digest.Digest {
	switch q := r.URL.Query(); {
	case t.kind == "blobs" && r.Method == http.MethodHead:
		return digest.Digest(t.ref)
	case t.kind == "uploads" && r.Method == http.MethodPost && q.Has("mount"):
		return digest.Digest(q.Get("mount"))
	case t.kind == "uploads":
		return digest.Digest(q.Get("digest"))
	}
	return ""
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
	case n > 2 && p[n-2] == "referrers":
		t = target{kind: "referrers", ref: p[n-1]}
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
