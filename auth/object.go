package auth

import (
	"io"
	"net/http"
	"regexp"
	"strings"

	"github.com/roadstead/roadstead/model"
)

// What X-Amz-Content-Sha256 says of a body instead of its hash.
const (
	unsignedPayload  = "UNSIGNED-PAYLOAD"
	signedChunks     = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	signedTrailer    = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
	unsignedTrailer  = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
	streamingPayload = "STREAMING-"
)

var hexSum = regexp.MustCompile("^[0-9a-f]{64}$") //nolint:gochecknoglobals // a constant

// ForS3 says whether a request is signed, or presigned, for S3, whose requests have nothing else that tells them from others. It
// verifies nothing.
func ForS3(r *http.Request) bool {
	const scope = "/s3/aws4_request"
	for _, h := range r.Header["Authorization"] {
		if strings.Contains(h, scope+",") || strings.HasSuffix(h, scope) {
			return true
		}
	}
	return strings.Contains(r.URL.RawQuery, "X-Amz-Credential=") && strings.HasSuffix(r.URL.Query().Get("X-Amz-Credential"), scope)
}

// VerifyObject is Verify for S3, where a body may be larger than memory: the signature over everything else is checked at once, the
// body while it is read. Nothing may be made of the body before its Read has returned io.EOF. Errors of both have the codes
// of S3.
func (v *Verifier) VerifyObject(r *http.Request) (Principal, *Body, error) {
	s, err := parse(r)
	if err != nil {
		return Principal{}, nil, err
	}
	if s.scope.service != "s3" || !v.serves(s.scope) {
		return Principal{}, nil, model.Errorf("AuthorizationHeaderMalformed",
			"The authorization header is malformed; the region '%s' is wrong; expecting '%s'", s.scope.region, strings.Join(v.Regions, ",")) // [O]
	}
	if s.checkTime(v.now()) != nil {
		if s.presigned {
			return Principal{}, nil, model.Errorf("AccessDenied", "Request has expired") // [O]
		}
		return Principal{}, nil, model.Errorf("RequestTimeTooSkewed", "The difference between the request time and the current time is too large.") // [O]
	}
	secret, p, err := v.find(s)
	if err != nil {
		return Principal{}, nil, err
	}
	if err := checkSigned(r, s); err != nil {
		return Principal{}, nil, err
	}
	claim, err := claimedPayload(r, s)
	if err != nil {
		return Principal{}, nil, err
	}
	if !v.matches(r, s, secret, claim) {
		return Principal{}, nil, errMismatch()
	}
	key, _ := v.keys.get(s.scope, secret)
	body, err := newBody(r, claim, chunkSigner{key: key[:], scope: s, last: s.sum})
	return p, body, err
}

// claimedPayload is what a request says of its body: a hash, or one of the words for a body that comes otherwise.
func claimedPayload(r *http.Request, s *signature) (string, error) {
	claims := r.Header["X-Amz-Content-Sha256"]
	if len(claims) == 0 && s.presigned {
		claims = s.query["X-Amz-Content-Sha256"]
		if len(claims) == 0 {
			return unsignedPayload, nil
		}
	}
	if len(claims) != 1 {
		return "", model.Errorf("InvalidRequest", "Missing required header for this request: x-amz-content-sha256") // [O]
	}
	switch c := claims[0]; c {
	case unsignedPayload, signedChunks, signedTrailer, unsignedTrailer:
		return c, nil
	default:
		if strings.HasPrefix(c, streamingPayload) {
			return "", model.Errorf("NotImplemented", "A header you provided implies functionality that is not implemented")
		}
		if !hexSum.MatchString(c) {
			return "", model.Errorf("InvalidArgument", "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, "+
				"STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value.") // [O]
		}
		return c, nil
	}
}

// Body is the body of a request to S3, without the framing in which it came. It is checked as it is read.
type Body struct {
	io.Reader
	// Size is the number of bytes, -1 if the request does not say.
	Size int64
	// Trailer has the headers that came behind the body. It is complete when Read has returned io.EOF.
	Trailer http.Header
}
