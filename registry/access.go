package registry

import (
	"crypto/subtle"
	"net"
	"net/http"
	"regexp"
	"strings"

	"github.com/roadstead/roadstead/model"
)

// tokenParameter carries the token of a layer URL.
const tokenParameter = "X-Roadstead-Token"

// caller is whoever sent a request to /v2/.
type caller struct {
	model.Scope
	key  model.AccessKey
	path string // if not "", the one path that may be read
}

// authenticate finds out who sent the request: user AWS with a token, an access key id with its secret, or the bearer of a
// layer URL. The host name may choose the Region, and must not name another account.
func (g *Registry) authenticate(r *http.Request) (caller, *refusal) {
	c, refused := g.credentials(r)
	if refused != nil {
		return caller{}, refused
	}
	account, region, ok := ParseHost(r.Host)
	switch {
	case ok && account != c.Account:
		return caller{}, denied("User: %s is not authorized to access the registry with id '%s'", c.key.PrincipalARN(), account)
	case ok:
		c.Region = region
	}
	return c, nil
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
	key, ok := g.cfg.Key(user)
	if !ok || key.Secret == "" || subtle.ConstantTimeCompare([]byte(key.Secret), []byte(password)) != 1 {
		return caller{}, unauthorized()
	}
	return caller{Scope: model.Scope{Account: key.Account, Region: g.cfg.Region}, key: key}, nil
}

func (g *Registry) bearer(token string) (caller, *refusal) {
	t, ok := g.tokens.parse(token)
	if !ok {
		return caller{}, unauthorized()
	}
	key, ok := g.cfg.Key(t.AccessKeyID)
	if !ok || key.Account != t.Account {
		return caller{}, unauthorized()
	}
	if g.tokens.expired(t) { // [O] the text that docker shows when a login of ECR is too old
		return caller{}, denied("Your authorization token has expired. Reauthenticate and try again.")
	}
	return caller{Scope: model.Scope{Account: t.Account, Region: t.Region}, key: key, path: t.Path}, nil
}

// may says whether the caller may make the request: nodes pull, root keys do everything.
func (c caller) may(r *http.Request) bool {
	return c.key.Kind == model.KeyRoot || c.key.Kind == model.KeyNode && reads(r)
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
