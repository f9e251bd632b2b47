package auth

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// appendCanonical appends the canonical request: method, path, query, signed headers, their names, payload hash.
func appendCanonical(b []byte, r *http.Request, s *signature, payload string) []byte {
	b = append(append(b, r.Method...), '\n')
	b = append(appendPath(b, r.URL, s.scope.service), '\n')
	b = append(appendQuery(b, s.query), '\n')
	for _, name := range s.headers {
		b = append(append(b, name...), ':')
		b = append(appendHeader(b, r, name), '\n')
	}
	b = append(b, '\n')
	b = append(append(b, s.signedHeaders...), '\n')
	return append(b, payload...)
}

// appendPath appends the path as it came over the wire, escaped once more for every service but S3.
func appendPath(b []byte, u *url.URL, service string) []byte {
	path := u.EscapedPath()
	switch {
	case path == "":
		return append(b, '/')
	case service == "s3":
		return append(b, path...)
	}
	return appendEscaped(b, path, true)
}

// appendQuery appends the parameters but the signature itself, escaped and then sorted by name and value.
func appendQuery(b []byte, q url.Values) []byte {
	if len(q) == 0 {
		return b
	}
	type param struct{ name, value string }
	var params []param
	for name, values := range q {
		if name == "X-Amz-Signature" {
			continue
		}
		name = escape(name)
		for _, v := range values {
			params = append(params, param{name, escape(v)})
		}
	}
	slices.SortFunc(params, func(x, y param) int {
		if c := strings.Compare(x.name, y.name); c != 0 {
			return c
		}
		return strings.Compare(x.value, y.value)
	})
	for i, p := range params {
		if i > 0 {
			b = append(b, '&')
		}
		b = append(append(append(b, p.name...), '='), p.value...)
	}
	return b
}

func appendHeader(b []byte, r *http.Request, name string) []byte {
	switch name {
	case "host": // net/http keeps these two apart from the other headers
		return appendTrimmed(b, r.Host)
	case "content-length":
		return strconv.AppendInt(b, r.ContentLength, 10)
	}
	for i, v := range r.Header[http.CanonicalHeaderKey(name)] {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendTrimmed(b, v)
	}
	return b
}

// appendTrimmed appends a header value without surrounding white space, runs of spaces inside folded to one.
func appendTrimmed(b []byte, v string) []byte {
	v = strings.TrimSpace(v)
	for i := 0; i < len(v); i++ {
		if v[i] == ' ' && v[i-1] == ' ' { // v begins with no space, so i > 0
			continue
		}
		b = append(b, v[i])
	}
	return b
}

func escape(s string) string { return string(appendEscaped(nil, s, false)) }

// appendEscaped percent-encodes all but RFC 3986's unreserved characters, and slashes of a path.
func appendEscaped(b []byte, s string, path bool) []byte {
	const digits = "0123456789ABCDEF"
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', '0' <= c && c <= '9',
			c == '-', c == '_', c == '.', c == '~', path && c == '/':
			b = append(b, c)
		default:
			b = append(b, '%', digits[c>>4], digits[c&15])
		}
	}
	return b
}

func hexHash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
