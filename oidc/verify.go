package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/roadstead/roadstead/model"
)

// Provider is whose tokens are believed.
type Provider struct {
	Issuer      string   // as tokens say it: "https://token.actions.githubusercontent.com"
	Audiences   []string // for whom they have to be
	Thumbprints []string // SHA-1 of certificates that stand for the provider besides those of known authorities, in hex
	// Keys are the provider's if they are known; else they are fetched from it.
	Keys *JWKS
}

// Identity is what a token says that was verified.
type Identity struct {
	Subject, Audience string
	Methods           []string // amr
	Claims            map[string]any
}

// algorithms that are believed; "none" and shared secrets are not [D].
func algorithms() []string {
	return []string{"RS256", "RS384", "RS512", "ES256", "ES384", "ES512"}
}

// The codes of refusals, as STS's queries have them [D].
const (
	codeInvalid = "InvalidIdentityToken"
	codeExpired = "ExpiredTokenException"
	codeAway    = "IDPCommunicationError"
)

func errNoToken() error {
	return model.Errorf(codeInvalid, "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)") // [O]
}

func errNoKey() error {
	return model.Errorf(codeInvalid, "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements") // [O]
}

// Issuer says who claims to have made a token. Nothing of it is verified.
func Issuer(token string) (string, error) {
	var claims jwt.MapClaims
	if _, _, err := jwt.NewParser().ParseUnverified(token, &claims); err != nil {
		return "", errNoToken()
	}
	iss, err := claims.GetIssuer()
	if err != nil || iss == "" {
		return "", errNoToken()
	}
	return iss, nil
}

// Verifier verifies tokens. It is safe for concurrent use; do not copy it.
type Verifier struct {
	Now   func() time.Time // nil means time.Now
	known keyCache
}

func (v *Verifier) now() time.Time {
	if v.Now == nil {
		return time.Now()
	}
	return v.Now()
}

// Verify returns whom the token names if the provider made it for one of the audiences, and it is good now. Refusals are
// InvalidIdentityToken, ExpiredTokenException and IDPCommunicationError, which is worth another try.
func (v *Verifier) Verify(ctx context.Context, token string, p Provider) (Identity, error) {
	var claims jwt.MapClaims
	parser := jwt.NewParser(jwt.WithValidMethods(algorithms()), jwt.WithoutClaimsValidation(), jwt.WithJSONNumber())
	_, err := parser.ParseWithClaims(token, &claims, func(t *jwt.Token) (any, error) {
		id, _ := t.Header["kid"].(string)
		return v.keys(ctx, &p, id, t.Method.Alg())
	})
	if refusal, ok := errors.AsType[*model.Error](err); ok {
		return Identity{}, refusal
	}
	switch {
	case errors.Is(err, jwt.ErrTokenMalformed):
		return Identity{}, errNoToken()
	case err != nil:
		return Identity{}, model.Errorf(codeInvalid, "JWT signature verification failed.") // [I]
	}
	if iss, err := claims.GetIssuer(); err != nil || iss != p.Issuer {
		return Identity{}, errNoToken()
	}
	if err := v.checkTimes(claims); err != nil {
		return Identity{}, err
	}
	return identify(claims, &p)
}

// keys are those that may have signed a token: the one that it names, or without a name all that suit the algorithm.
func (v *Verifier) keys(ctx context.Context, p *Provider, id, algorithm string) (any, error) {
	list := p.Keys
	if list == nil {
		var err error
		if list, err = v.known.get(ctx, p, id, v.now()); err != nil {
			return nil, err
		}
	}
	var set jwt.VerificationKeySet
	for i := range list.Keys {
		k := &list.Keys[i]
		if id != "" && k.ID != id || k.Use != "" && k.Use != "sig" || k.Algorithm != "" && k.Algorithm != algorithm {
			continue
		}
		if public, err := k.public(); err == nil {
			set.Keys = append(set.Keys, public)
		}
	}
	if len(set.Keys) == 0 {
		return nil, errNoKey()
	}
	return set, nil
}

// skew is how far clocks may differ.
const skew = 5 * time.Minute

// checkTimes: a token is good until it expires, which it has to; those from the future are nobody's.
func (v *Verifier) checkTimes(claims jwt.MapClaims) error {
	now := v.now()
	exp, ok, bad := seconds(claims, "exp")
	iat, issued, bad2 := seconds(claims, "iat")
	nbf, begins, bad3 := seconds(claims, "nbf")
	switch {
	case bad || bad2 || bad3:
		return errNoToken()
	case !ok:
		return model.Errorf(codeInvalid, "Missing a required claim: exp") // [I]
	case !issued:
		return model.Errorf(codeInvalid, "Missing a required claim: iat") // [I]
	case now.Unix() >= exp:
		return model.Errorf(codeExpired, "Token expired: current date/time %d must be before the expiration date/time%d", now.Unix(), exp) // [O]
	case iat > now.Add(skew).Unix() || begins && nbf > now.Add(skew).Unix():
		return model.Errorf(codeInvalid, "Token not yet valid.") // [I]
	}
	return nil
}

func seconds(claims jwt.MapClaims, name string) (at int64, ok, bad bool) {
	v, ok := claims[name]
	if !ok {
		return 0, false, false
	}
	n, isNumber := v.(json.Number)
	f, err := n.Float64()
	if !isNumber || err != nil || math.Abs(f) > 1<<52 {
		return 0, true, true
	}
	return int64(f), true, false
}

// identify: the party that a token was made for (azp) stands for its audience, if it names one [D].
func identify(claims jwt.MapClaims, p *Provider) (Identity, error) {
	id := Identity{Claims: claims}
	id.Subject, _ = claims["sub"].(string)
	if id.Subject == "" {
		return id, model.Errorf(codeInvalid, "Missing a required claim: sub") // [I]
	}
	audiences, err := claims.GetAudience()
	if err != nil || len(audiences) == 0 {
		return id, model.Errorf(codeInvalid, "Missing a required claim: aud") // [I]
	}
	if azp, _ := claims["azp"].(string); azp != "" {
		audiences = []string{azp}
	}
	for _, a := range audiences {
		if slices.Contains(p.Audiences, a) {
			id.Audience = a
			break
		}
	}
	if id.Audience == "" {
		return id, model.Errorf(codeInvalid, "Incorrect token audience") // [O]
	}
	switch amr := claims["amr"].(type) {
	case string:
		id.Methods = []string{amr}
	case []any:
		for _, m := range amr {
			if s, ok := m.(string); ok {
				id.Methods = append(id.Methods, s)
			}
		}
	}
	return id, nil
}

// Host is how IAM names an issuer: its URL without the scheme.
func Host(issuer string) string {
	_, host, ok := strings.Cut(issuer, "://")
	if !ok {
		host = issuer
	}
	return strings.TrimSuffix(host, "/")
}
