package wire

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"strings"

	"github.com/roadstead/roadstead/model"
)

// protocol is how one request is encoded. It is a property of the request: one service may be spoken to in several.
type protocol uint8

const (
	protocolJSON protocol = iota
	protocolCBOR
	protocolQuery
	protocolEC2
)

func (p protocol) String() string {
	return [...]string{"awsJson", "rpc-v2-cbor", "awsQuery", "ec2Query"}[p]
}

func (p protocol) query() bool { return p == protocolQuery || p == protocolEC2 }

// A request is what the gateway makes of an HTTP request before any handler sees it.
type request struct {
	http        *http.Request
	protocol    protocol
	jsonVersion string
	mux         *Mux   // nil until routed
	target      string // service part of X-Amz-Target or of the CBOR path, "" for query
	operation   string
	raw         []byte     // body as received: what the signature covers
	body        []byte     // decompressed
	params      url.Values // of query requests
}

// detect finds the protocol from the headers and the path alone, so that even a request we cannot read gets its error in
// a form the client understands.
func detect(r *http.Request) *request {
	q := &request{http: r}
	content, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	version, isJSON := strings.CutPrefix(content, "application/x-amz-json-")
	target := r.Header.Get("X-Amz-Target")
	switch {
	case r.Header.Get("Smithy-Protocol") == "rpc-v2-cbor":
		q.protocol = protocolCBOR
		// The service may stand behind a prefix, and may be namespaced: /service/com.amazonaws#Name/operation/Op.
		if _, rest, ok := strings.Cut(r.URL.Path, "/service/"); ok {
			service, op, _ := strings.Cut(rest, "/operation/")
			q.target, q.operation = service[strings.LastIndexByte(service, '.')+1:], op
		}
	case isJSON || target != "":
		q.protocol, q.jsonVersion = protocolJSON, version
		if dot := strings.LastIndexByte(target, '.'); dot >= 0 {
			q.target, q.operation = target[:dot], target[dot+1:]
		} else {
			q.operation = target
		}
	default:
		q.protocol = protocolQuery
	}
	return q
}

// IsCall reports whether a request looks like an AWS API call, for servers that share the endpoint with other handlers.
func IsCall(r *http.Request) bool {
	h := r.Header
	if h.Get("X-Amz-Target") != "" || h.Get("Smithy-Protocol") != "" || strings.HasPrefix(h.Get("Authorization"), "AWS4-") {
		return true
	}
	if content := h.Get("Content-Type"); strings.HasPrefix(content, "application/x-amz-json-") ||
		r.URL.Path == "/" && r.Method == http.MethodPost && strings.HasPrefix(content, "application/x-www-form-urlencoded") {
		return true
	}
	query := r.URL.Query()
	return query.Has("X-Amz-Credential") || query.Has("Action")
}

// read takes the body in, at most limit bytes both as sent and decompressed.
func (q *request) read(limit int64) error {
	var err error
	if q.raw, err = readAtMost(q.http.Body, limit); err != nil {
		if model.ErrorCode(err) == "" { // broken off or badly framed: the sender's doing
			err = &decodeError{msg: "The body could not be read: " + err.Error()}
		}
		return err
	}
	q.body = q.raw
	switch encoding := strings.ToLower(strings.TrimSpace(q.http.Header.Get("Content-Encoding"))); encoding {
	case "", "identity":
	case "gzip":
		z, err := gzip.NewReader(bytes.NewReader(q.raw))
		if err == nil {
			q.body, err = readAtMost(z, limit)
		}
		if model.ErrorCode(err) != "" {
			return err
		}
		if err != nil {
			return &decodeError{msg: "The body is not valid gzip."}
		}
	default:
		return &decodeError{msg: "The content encoding " + encoding + " is not supported."}
	}
	if q.protocol.query() {
		return q.readParams()
	}
	return nil
}

func readAtMost(r io.Reader, limit int64) ([]byte, error) {
	if r == nil {
		return nil, nil
	}
	body, err := io.ReadAll(io.LimitReader(r, limit+1))
	var over *http.MaxBytesError
	if errors.As(err, &over) || err == nil && int64(len(body)) > limit {
		return nil, model.Errorf("RequestEntityTooLargeException", "Request body exceeds the limit of %d bytes.", limit)
	}
	return body, err
}

// readParams joins the parameters of the URL (presigned requests carry all of them there) and of the body.
func (q *request) readParams() error {
	params, err := url.ParseQuery(q.http.URL.RawQuery)
	if err == nil && len(q.body) > 0 {
		var posted url.Values
		posted, err = url.ParseQuery(strings.TrimSpace(string(q.body)))
		maps.Copy(params, posted)
	}
	q.params, q.operation = params, params.Get("Action")
	if err != nil {
		return &decodeError{msg: "The query string is malformed: " + err.Error()}
	}
	return nil
}

// signingName returns the service in the credential scope of the request's signature, or "" if it is not signed. The
// signature is not verified here: the scope only chooses who will refuse.
func (q *request) signingName() string {
	credential := ""
	if _, rest, ok := strings.Cut(q.http.Header.Get("Authorization"), "Credential="); ok {
		credential, _, _ = strings.Cut(rest, ",")
		credential, _, _ = strings.Cut(credential, " ")
	} else if credential = q.params.Get("X-Amz-Credential"); credential == "" {
		credential = q.http.URL.Query().Get("X-Amz-Credential")
	}
	scope := strings.Split(credential, "/")
	if len(scope) < 4 {
		return ""
	}
	return scope[len(scope)-2]
}

// route finds the mux: by credential scope, which separates services that share our one endpoint, then, for unsigned
// requests (AssumeRoleWithWebIdentity) and services that share a signing name, by target or API version.
func (q *request) route(muxes []*Mux) bool {
	signed := q.signingName()
	var candidates []*Mux
	for _, m := range muxes {
		if signed == "" || m.service.SigningName == signed {
			candidates = append(candidates, m)
		}
	}
	if signed != "" && len(candidates) == 1 {
		q.mux = candidates[0]
	} else {
		for _, m := range candidates {
			if q.addresses(m.service) {
				q.mux = m
				break
			}
		}
	}
	if q.mux != nil && q.protocol == protocolQuery && q.mux.service.EC2 {
		q.protocol = protocolEC2
	}
	return q.mux != nil
}

// addresses reports whether the request names the service other than by its signature.
func (q *request) addresses(s *Service) bool {
	if !q.protocol.query() {
		return q.target == s.TargetPrefix
	}
	return q.params.Get("Version") == s.APIVersion && s.knows(q.operation)
}

// decode fills in, the operation's input struct.
func (q *request) decode(op *operation, in reflect.Value) error {
	switch q.protocol {
	case protocolCBOR:
		if len(q.body) == 0 {
			return nil
		}
		return decodeCBOR(q.body, op.in, in)
	case protocolJSON:
		if len(bytes.TrimSpace(q.body)) == 0 { // some clients send nothing for an input without members
			return nil
		}
		return decodeJSON(q.body, op.in, in)
	}
	f, err := parseForm(q.params)
	if err != nil {
		return err
	}
	return formReader{ec2: q.protocol == protocolEC2}.object(op.in, f, in)
}
