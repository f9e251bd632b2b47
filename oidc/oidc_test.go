package oidc_test

import (
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"pgregory.net/rapid"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/oidc"
)

// issuer is an identity provider on loopback.
type issuer struct {
	*httptest.Server
	keys   atomic.Pointer[oidc.JWKS]
	says   atomic.Pointer[string] // in place of its URL
	status atomic.Int32           // in place of 200
	asked  atomic.Int32           // for keys
	print  string                 // thumbprint
}

func newIssuer(t *testing.T, keys ...*oidc.Key) *issuer {
	t.Helper()
	i := &issuer{}
	i.publish(t, keys...)
	i.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s := i.status.Load(); s != 0 {
			w.WriteHeader(int(s))
			return
		}
		switch r.URL.Path {
		case oidc.DiscoveryPath:
			d := oidc.Describe(i.URL, *i.keys.Load())
			if says := i.says.Load(); says != nil {
				d.Issuer = *says
			}
			_ = json.NewEncoder(w).Encode(d)
		case oidc.KeysPath:
			i.asked.Add(1)
			_ = json.NewEncoder(w).Encode(i.keys.Load())
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(i.Close)
	sum := sha1.Sum(i.Certificate().Raw)
	i.print = hex.EncodeToString(sum[:])
	return i
}

func (i *issuer) publish(t *testing.T, keys ...*oidc.Key) {
	t.Helper()
	set := &oidc.JWKS{}
	for _, k := range keys {
		public, err := k.JWK()
		must(t, err)
		set.Keys = append(set.Keys, public)
	}
	i.keys.Store(set)
}

func (i *issuer) provider() oidc.Provider {
	return oidc.Provider{Issuer: i.URL, Audiences: []string{"us", "sts.amazonaws.com"}, Thumbprints: []string{strings.ToUpper(i.print)}}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newKey(t *testing.T, id, algorithm string) *oidc.Key {
	t.Helper()
	k, err := oidc.NewKey(id, algorithm)
	must(t, err)
	secret, err := k.Marshal()
	must(t, err)
	k, err = oidc.ParseKey(id, algorithm, secret) // as it comes from its row
	must(t, err)
	return k
}

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// claims of a token that is good at noon.
func claims(iss string, change map[string]any) map[string]any {
	c := map[string]any{"iss": iss, "sub": "repo:ours", "aud": "us", "iat": noon.Unix(), "exp": noon.Add(time.Minute).Unix()}
	maps.Copy(c, change)
	for k, v := range c {
		if v == nil {
			delete(c, k)
		}
	}
	return c
}

func sign(t *testing.T, k *oidc.Key, c map[string]any) string {
	t.Helper()
	token, err := k.Sign(c)
	must(t, err)
	return token
}

// [D] Tokens of a provider are believed in both algorithms, and say who it is; everything else is refused with STS's code.
func TestVerify(t *testing.T) {
	rs, es, theirs := newKey(t, "rs", oidc.RS256), newKey(t, "es", oidc.ES384), newKey(t, "rs", oidc.RS256)
	i := newIssuer(t, rs, es)
	v := &oidc.Verifier{Now: func() time.Time { return noon }}
	none, err := jwt.NewWithClaims(jwt.SigningMethodNone, jwt.MapClaims(claims(i.URL, nil))).SignedString(jwt.UnsafeAllowNoneSignatureType)
	must(t, err)
	public, err := json.Marshal(i.keys.Load().Keys[0])
	must(t, err)
	confused, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims(claims(i.URL, nil))).SignedString(public)
	must(t, err)
	with := func(change map[string]any) string { return sign(t, rs, claims(i.URL, change)) }
	type m = map[string]any
	const invalid = "InvalidIdentityToken: "
	for name, c := range map[string]struct{ token, want string }{
		"RS256":                {with(nil), "repo:ours us []"},
		"ES384":                {sign(t, es, claims(i.URL, nil)), "repo:ours us []"},
		"one of its audiences": {with(m{"aud": []string{"else", "sts.amazonaws.com"}, "amr": []string{"pwd"}}), "repo:ours sts.amazonaws.com [pwd]"},
		"for a party":          {with(m{"aud": []string{"else"}, "azp": "us"}), "repo:ours us []"},
		"for another party":    {with(m{"azp": "else"}), invalid + "Incorrect token audience"},
		"another audience":     {with(m{"aud": "else"}), invalid + "Incorrect token audience"},
		"no audience":          {with(m{"aud": nil}), invalid + "Missing a required claim: aud"},
		"nobody":               {with(m{"sub": ""}), invalid + "Missing a required claim: sub"},
		"for ever":             {with(m{"exp": nil}), invalid + "Missing a required claim: exp"},
		"over":                 {with(m{"exp": noon.Unix()}), fmt.Sprintf("ExpiredTokenException: Token expired: current date/time %d must be before the expiration date/time%d", noon.Unix(), noon.Unix())},
		"from the future":      {with(m{"iat": noon.Add(time.Hour).Unix(), "exp": noon.Add(2 * time.Hour).Unix()}), invalid + "Token not yet valid."},
		"not yet good":         {with(m{"nbf": noon.Add(time.Hour).Unix(), "exp": noon.Add(2 * time.Hour).Unix()}), invalid + "Token not yet valid."},
		"times that are none":  {with(m{"exp": "later"}), invalid + "The ID Token provided is not a valid JWT."},
		"another issuer":       {with(m{"iss": "https://else"}), invalid + "The ID Token provided is not a valid JWT."},
		"another key":          {sign(t, theirs, claims(i.URL, nil)), invalid + "JWT signature verification failed."},
		"unsigned":             {none, invalid + "JWT signature verification failed."},
		"signed with a shared": {confused, invalid + "JWT signature verification failed."},
		"no token":             {"opaque", invalid + "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"},
	} {
		id, err := v.Verify(t.Context(), c.token, i.provider())
		got := fmt.Sprintf("%s %s %v", id.Subject, id.Audience, id.Methods)
		if err != nil {
			got = model.ErrorCode(err) + ": " + message(err)
		}
		if got != c.want && (err == nil || !strings.HasPrefix(got, c.want)) {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func message(err error) string {
	_, text, _ := strings.Cut(err.Error(), ": ")
	return text
}

// Whatever is changed in a token, it is not believed.
func TestChangedTokens(t *testing.T) {
	k := newKey(t, "es", oidc.ES384)
	public, err := k.JWK()
	must(t, err)
	v := &oidc.Verifier{Now: func() time.Time { return noon }}
	p := oidc.Provider{Issuer: "https://ours", Audiences: []string{"us"}, Keys: &oidc.JWKS{Keys: []oidc.JWK{public}}}
	good := sign(t, k, claims("https://ours", nil))
	if _, err := v.Verify(t.Context(), good, p); err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		parts := strings.Split(good, ".")
		n := rapid.IntRange(0, 2).Draw(rt, "part")
		b, err := base64.RawURLEncoding.DecodeString(parts[n])
		must(t, err)
		b[rapid.IntRange(0, len(b)-1).Draw(rt, "byte")] ^= byte(1 << rapid.IntRange(0, 7).Draw(rt, "bit"))
		parts[n] = base64.RawURLEncoding.EncodeToString(b)
		if _, err := v.Verify(t.Context(), strings.Join(parts, "."), p); err == nil {
			rt.Errorf("believed: %s", strings.Join(parts, "."))
		}
	})
}

// Keys are fetched once, and again for a key that is new, though not as often as somebody asks; a provider that is away is worth
// another try, one that is not who it is, is not.
func TestKeysAreFetched(t *testing.T) {
	one, two := newKey(t, "one", oidc.ES384), newKey(t, "two", oidc.ES384)
	i := newIssuer(t, one)
	now := noon
	v := &oidc.Verifier{Now: func() time.Time { return now }}
	try := func(k *oidc.Key, p oidc.Provider) string {
		_, err := v.Verify(t.Context(), sign(t, k, claims(i.URL, map[string]any{"exp": noon.Add(24 * time.Hour).Unix()})), p)
		return model.ErrorCode(err)
	}
	want := func(what, got, code string, asked int32) {
		t.Helper()
		if got != code || i.asked.Load() != asked {
			t.Errorf("%s: %q, asked %d times; want %q, %d", what, got, i.asked.Load(), code, asked)
		}
	}
	stranger := i.provider()
	stranger.Thumbprints = []string{strings.Repeat("0", 40)}
	want("another certificate", try(one, stranger), "InvalidIdentityToken", 0)
	want("at first", try(one, i.provider()), "", 1)
	want("again", try(one, i.provider()), "", 1)
	i.publish(t, one, two)
	want("a new key, soon", try(two, i.provider()), "InvalidIdentityToken", 1)
	now = now.Add(10 * time.Second)
	want("a new key", try(two, i.provider()), "", 2)
	now = now.Add(time.Hour)
	i.publish(t, two)
	want("after an hour", try(two, i.provider()), "", 3)
	want("an old key", try(one, i.provider()), "InvalidIdentityToken", 3)
	now = now.Add(time.Hour)
	i.status.Store(http.StatusBadGateway)
	want("away", try(two, i.provider()), "IDPCommunicationError", 3)
	i.status.Store(0)
	now = now.Add(10 * time.Second)
	want("back", try(two, i.provider()), "", 4)
	now = now.Add(time.Hour)
	other := "https://somebody.else"
	i.says.Store(&other)
	want("somebody else", try(two, i.provider()), "InvalidIdentityToken", 4)
	now = now.Add(time.Hour)
	i.Close()
	want("gone", try(two, i.provider()), "IDPCommunicationError", 4)
}
