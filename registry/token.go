package registry

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"github.com/roadstead/roadstead/model"
)

// TokenLife is how long a token of GetAuthorizationToken is good for.
const TokenLife = 12 * time.Hour

// URLLife is how long a URL of GetDownloadUrlForLayer is good for.
const URLLife = time.Hour

// tokens issues and checks signed grants. A token is not stored: it says itself what it is good for.
type tokens struct {
	key []byte
	now func() time.Time
}

// grant is what a token is good for.
type grant struct {
	Account     string       `json:"a"`
	Region      string       `json:"r"`
	AccessKeyID string       `json:"k"`           // the grant ends with the key
	Session     string       `json:"s,omitempty"` // and with the session that the key is of
	Expires     model.Millis `json:"e"`
	Path        string       `json:"p,omitempty"` // only for reading this one path
}

func (t tokens) issue(g grant) string {
	b, err := json.Marshal(g)
	if err != nil {
		panic("registry: " + err.Error()) // a struct of strings and a number
	}
	payload := base64.RawURLEncoding.EncodeToString(b)
	return payload + "." + base64.RawURLEncoding.EncodeToString(t.sum(payload))
}

// parse returns the grant of a token that is ours, expired or not.
func (t tokens) parse(token string) (g grant, ok bool) {
	payload, sum, _ := strings.Cut(token, ".")
	got, err := base64.RawURLEncoding.DecodeString(sum)
	if err != nil || !hmac.Equal(got, t.sum(payload)) {
		return grant{}, false
	}
	b, err := base64.RawURLEncoding.DecodeString(payload)
	return g, err == nil && json.Unmarshal(b, &g) == nil
}

func (t tokens) sum(payload string) []byte {
	h := hmac.New(sha256.New, t.key)
	h.Write([]byte("token " + payload))
	return h.Sum(nil)
}

func (t tokens) expired(g grant) bool { return t.now().UnixMilli() >= g.Expires }

// Token returns a password for user AWS that lets the key's owner use the account's repositories in the Region. Session is the
// token of temporary credentials, "" for others.
func (g *Registry) Token(s model.Scope, accessKeyID, session string) (password string, expires time.Time) {
	expires = g.cfg.Now().Add(TokenLife)
	return g.tokens.issue(grant{
		Account: s.Account, Region: s.Region, AccessKeyID: accessKeyID, Session: session, Expires: expires.UnixMilli(),
	}), expires
}

// LayerPath returns the path and query of a URL by which anybody can read one layer for an hour.
func (g *Registry) LayerPath(s model.Scope, accessKeyID, session, repository, digest string) string {
	path := "/v2/" + repository + "/blobs/" + digest
	return path + "?" + tokenParameter + "=" + g.tokens.issue(grant{
		Account: s.Account, Region: s.Region, AccessKeyID: accessKeyID, Session: session, Path: path,
		Expires: g.cfg.Now().Add(URLLife).UnixMilli(),
	})
}
