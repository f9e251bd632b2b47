package registry

import (
	"cmp"
	"crypto/subtle"
	"errors"
	"net"
	"net/http"
	"regexp"
	"strings"

	"github.com/roadstead/roadstead/model"
)

// tokenParameter carries the token of a layer URL.
const tokenParameter = "X-Roadstead-Token"

// caller is whoever sent a request to /v2/, and the registry that it is for: the caller's account's own, or another's.
type caller struct {
	model.Scope
	key     model.AccessKey
	session string // token of the key, "" if it needs none
	path    string // if not "", the one path that may be read
}

// authenticate finds out who sent the request: user AWS with a token, an access key id with its secret, or the bearer of a
// layer URL. The host name may choose the Region, and another account's registry, if there is any repository to be had there.
func (g *Registry) authenticate(r *http.Request) (caller, *refusal) {
	c, refused := g.credentials(r)
	if refused != nil {
		return caller{}, refused
	}
	if account, region, ok := meant(r); ok && c.path == "" {
		c.Account, c.Region = account, region
	}
	return c, nil
}

// meant is the registry that a request's host name names. Nodes reach it at the control plane's address, and say like other clients of
// mirrors for which name they ask: containerd has the parameter ns for it.
func meant(r *http.Request) (account, region string, ok bool) {
	if account, region, ok = ParseHost(r.Host); ok {
		return account, region, true
	}
	return ParseHost(r.URL.Query().Get("ns"))
}

func (g *Registry) credentials(r *http.Request) (caller, *refusal) {
	if token := r.URL.Query().Get(tokenParameter); token != "" {
		c, refused := g.bearer(token)
		if refused == nil && (c.path != r.URL.Path || !reads(r)) {
			return caller{}, denied("This URL does not allow the request.")
		}
		return c, refused
	}
	user, password, ok := r.BasicAuth()
	if !ok {
		return caller{}, unauthorized()
	}
	if user == "AWS" {
		c, refused := g.bearer(password)
		if refused == nil && c.path != "" { // a layer URL's token is no login
			return caller{}, unauthorized()
		}
		return c, refused
	}
	key, ok := g.cfg.Key(user, "")
	if !ok || key.Secret == "" || key.Inactive || subtle.ConstantTimeCompare([]byte(key.Secret), []byte(password)) != 1 {
		return caller{}, unauthorized()
	}
	return caller{Scope: model.Scope{Account: key.Account, Region: g.cfg.Region}, key: key}, nil
}

func (g *Registry) bearer(token string) (caller, *refusal) {
	t, ok := g.tokens.parse(token)
	if !ok {
		return caller{}, unauthorized()
	}
	key, ok := g.cfg.Key(t.AccessKeyID, t.Session)
	if !ok || key.Inactive || t.Path == "" && key.Account != t.Account {
		return caller{}, unauthorized()
	}
	if g.tokens.expired(t) { // [O] the text that docker shows when a login of ECR is too old
		return caller{}, denied("Your authorization token has expired. Reauthenticate and try again.")
	}
	return caller{Scope: model.Scope{Account: t.Account, Region: t.Region}, key: key, session: t.Session, path: t.Path}, nil
}

// refuse says why the caller may not make the request, nil if he may: a layer URL opens its layer, nodes only pull, and for the rest it
// is as with the call of ECR's API that the request stands for.
func (g *Registry) refuse(c caller, r *http.Request, t target) *refusal {
	action := t.action(r.Method)
	foreign, all := c.Account != c.key.Account, strings.HasSuffix(r.URL.Path, "/_catalog")
	switch {
	case c.path != "":
		return nil
	case c.key.Kind == model.KeyNode && !reads(r), foreign && all:
		return denied("User: %s is not authorized to perform: ecr:%s on resource: *", c.key.PrincipalARN(), action)
	case t.name == "" && !all: // a login, which the token allows
		return nil
	case g.cfg.May == nil && !foreign && (c.key.Kind == model.KeyRoot || c.key.Kind == model.KeyNode):
		return nil
	case g.cfg.May == nil:
		return denied("User: %s is not authorized to perform: ecr:%s on resource: *", c.key.PrincipalARN(), action)
	}
	if err := g.cfg.May(c.key.ID, c.session, action, c.Scope, cmp.Or(t.name, "*")); err != nil {
		return refusedBy(err)
	}
	// A layer that is mounted from another repository is read there. Who may not has to upload it.
	if q := r.URL.Query(); q.Has("from") && g.cfg.May(c.key.ID, c.session, "GetDownloadUrlForLayer", c.Scope, q.Get("from")) != nil {
		q.Del("from")
		q.Del("mount")
		r.URL.RawQuery = q.Encode()
	}
	return nil
}

// refusedBy words the refusal of a policy, and of an owner who is gone.
func refusedBy(err error) *refusal {
	var e *model.Error
	switch {
	case !errors.As(err, &e):
		return &refusal{http.StatusInternalServerError, "UNKNOWN", "internal error"}
	case strings.HasPrefix(e.Code, "AccessDenied"):
		return denied("%s", e.Message)
	}
	return unauthorized()
}

func reads(r *http.Request) bool { return r.Method == http.MethodGet || r.Method == http.MethodHead }

var ecrHost = regexp.MustCompile(`^([0-9]{12})\.dkr[.-]ecr\.([a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|on\.aws)$`)

// ParseHost splits a registry host name of ECR's form, ACCOUNT.dkr.ecr.REGION.amazonaws.com, with or without a port.
func ParseHost(host string) (account, region string, ok bool) {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	m := ecrHost.FindStringSubmatch(strings.ToLower(host))
	if m == nil {
		return "", "", false
	}
	return m[1], m[2], true
}
