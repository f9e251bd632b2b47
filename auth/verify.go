package auth

import (
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/roadstead/roadstead/model"
)

// Verifier checks signatures. It is safe for concurrent use; do not copy it.
type Verifier struct {
	// Lookup finds an access key by its id.
	Lookup func(accessKeyID string) (model.AccessKey, bool)
	// Regions are those that a credential scope may name; none means any. The global services (sts, iam) may always
	// be signed for us-east-1, as clients do.
	Regions []string
	// Further are the Regions that a credential scope of some services may name besides.
	Further map[string][]string
	// Sessions opens temporary credentials; nil knows none.
	Sessions *Sessions
	// Now is the server's clock; nil means time.Now.
	Now func() time.Time

	keys keyCache
}

// Verify checks the request's SigV4 signature over the body as it came over the wire (before any decompression) and
// returns its sender. The request must still have the Host, path and headers that the client sent: a proxy in front
// of Verify has to keep them.
func (v *Verifier) Verify(r *http.Request, body []byte) (Principal, error) {
	s, err := parse(r)
	if err != nil {
		return Principal{}, err
	}
	if !v.serves(s.scope) {
		return Principal{}, model.Errorf(codeInvalid, "Credential should be scoped to a valid region, not '%s'. ", s.scope.region)
	}
	if err := s.checkTime(v.now()); err != nil {
		return Principal{}, err
	}
	secret, p, err := v.find(s)
	if err != nil {
		return Principal{}, err
	}
	if err := checkSigned(r, s); err != nil {
		return Principal{}, err
	}
	payload, err := payloadHash(r, s, body)
	if err != nil {
		return Principal{}, err
	}
	if !v.matches(r, s, secret, payload) {
		return Principal{}, errMismatch()
	}
	return p, nil
}

// find returns the secret of the access key that a request names, and whose it is. Temporary credentials have to come with
// their token, others without one.
func (v *Verifier) find(s *signature) (secret string, p Principal, err error) {
	if s.token == "" {
		key, ok := v.Lookup(s.scope.accessKey)
		if !ok || key.Secret == "" || key.Inactive {
			return "", Principal{}, ErrUnrecognized()
		}
		return key.Secret, NewPrincipal(key, s.scope.region, s.scope.service), nil
	}
	session, secret, ok := v.Sessions.open(s.scope.accessKey, s.token)
	switch {
	case !ok:
		return "", Principal{}, ErrUnrecognized()
	case v.now().UnixMilli() >= session.Expires:
		return "", Principal{}, errExpired()
	}
	return secret, session.principal(s.scope, s.token), nil
}

// Holder returns whose an access key is, without a signature: of what was signed with it before. Token is that of temporary
// credentials, "" for others.
func (v *Verifier) Holder(accessKeyID, token string) (Principal, error) {
	_, p, err := v.find(&signature{scope: keyID{accessKey: accessKeyID}, token: token})
	return p, err
}

// matches computes the signature and compares it in constant time.
func (v *Verifier) matches(r *http.Request, s *signature, secret, payload string) bool {
	canonical := appendCanonical(make([]byte, 0, 1024), r, s, payload)
	scope := s.scope.date + "/" + s.scope.region + "/" + s.scope.service + "/aws4_request"
	text := algorithm + "\n" + s.date + "\n" + scope + "\n" + hexHash(canonical)
	key, cached := v.keys.get(s.scope, secret)
	sum := sign(key[:], text)
	var want [2 * len(sum)]byte
	hex.Encode(want[:], sum[:])
	if subtle.ConstantTimeCompare(want[:], []byte(s.sum)) != 1 {
		return false
	}
	if !cached {
		v.keys.put(s.scope, secret, key)
	}
	return true
}

func (v *Verifier) now() time.Time {
	if v.Now == nil {
		return time.Now()
	}
	return v.Now()
}

func (v *Verifier) serves(scope keyID) bool {
	global := scope.service == "sts" || scope.service == "iam"
	return len(v.Regions) == 0 || slices.Contains(v.Regions, scope.region) || global && scope.region == "us-east-1" ||
		slices.Contains(v.Further[scope.service], scope.region)
}

// checkSigned demands that the signature covers the host and every x-amz- header: what is not covered could have been
// added on the way, and X-Amz-Target chooses the operation.
func checkSigned(r *http.Request, s *signature) error {
	if !slices.Contains(s.headers, "host") {
		return model.Errorf(codeInvalid, "'Host' must be a 'SignedHeader' in the AWS Authorization.")
	}
	for name := range r.Header {
		if len(name) < 6 || !strings.EqualFold(name[:6], "x-amz-") {
			continue
		}
		if name = strings.ToLower(name); !slices.Contains(s.headers, name) {
			return model.Errorf(codeInvalid, "'%s' must be a 'SignedHeader' in the AWS Authorization.", name)
		}
	}
	return nil
}

// payloadHash returns the hash that enters the canonical request. We compute it: a claimed hash only ever has to be
// equal. S3 alone lets a client leave its body unsigned, by its header or, presigned, by default.
func payloadHash(r *http.Request, s *signature, body []byte) (string, error) {
	claim := r.Header.Get("X-Amz-Content-Sha256")
	if s.presigned && claim == "" {
		claim = s.query.Get("X-Amz-Content-Sha256")
	}
	if s.scope.service == "s3" && (claim == unsignedPayload || s.presigned && claim == "") {
		return unsignedPayload, nil
	}
	hash := hexHash(body)
	if claim != "" && claim != hash {
		return "", model.Errorf(codeInvalid, "The provided 'x-amz-content-sha256' header does not match what was computed.")
	}
	return hash, nil
}
