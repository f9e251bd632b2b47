package auth

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/roadstead/roadstead/model"
)

const (
	algorithm  = "AWS4-HMAC-SHA256"
	timeFormat = "20060102T150405Z"
	// maxSkew is how far apart the clocks of client and server may be.
	maxSkew = 5 * time.Minute
	// maxExpiry is the longest life of a presigned URL, in seconds (7 days).
	maxExpiry = 604800
)

// signature is what a request says about its own signature; nothing of it is trusted yet.
type signature struct {
	presigned     bool
	scope         keyID
	signedHeaders string   // as sent: "host;x-amz-date"
	headers       []string // split
	sum           string   // hex
	token         string   // session token, "" if none
	query         url.Values

	date   string // as it enters the string to sign
	time   time.Time
	expiry time.Duration // how long after time the signature is good
}

// parse reads the signature from the Authorization header or from the query of a presigned URL.
func parse(r *http.Request) (*signature, error) {
	s := &signature{expiry: maxSkew}
	if r.URL.RawQuery != "" {
		q, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil {
			return nil, model.Errorf(codeIncomplete, "The query string of the request is malformed.")
		}
		s.query = q
	}
	headers := r.Header["Authorization"]
	presigned := s.query.Has("X-Amz-Algorithm") || s.query.Has("X-Amz-Signature")
	var credential string
	var err error
	switch {
	case len(headers) == 0 && !presigned:
		return nil, errMissing()
	case len(headers) > 1, len(headers) == 1 && presigned:
		return nil, model.Errorf(codeIncomplete, "Only one authentication mechanism allowed per request.")
	case presigned:
		credential, err = s.fromQuery()
	default:
		credential, err = s.fromHeader(r.Header, headers[0])
	}
	if err != nil {
		return nil, err
	}
	if s.time, err = parseTime(s.date); err != nil {
		return nil, err
	}
	if !isBasicTime(s.date) { // an RFC 1123 Date header; the string to sign holds the ISO 8601 form
		s.date = s.time.Format(timeFormat)
	}
	if err := s.setScope(credential); err != nil {
		return nil, err
	}
	s.headers = strings.Split(s.signedHeaders, ";")
	return s, nil
}

func (s *signature) fromHeader(h http.Header, v string) (credential string, err error) {
	name, rest, _ := strings.Cut(v, " ")
	if name != algorithm {
		return "", model.Errorf(codeIncomplete, "Unsupported AWS 'algorithm': '%s'.", name)
	}
	for part := range strings.SplitSeq(rest, ",") {
		part = strings.TrimSpace(part)
		k, val, ok := strings.Cut(part, "=")
		if !ok {
			return "", model.Errorf(codeIncomplete,
				"'%s' not a valid key=value pair (missing equal-sign) in Authorization header.", part)
		}
		var field *string
		switch k {
		case "Credential":
			field = &credential
		case "SignedHeaders":
			field = &s.signedHeaders
		case "Signature":
			field = &s.sum
		default:
			continue
		}
		if *field != "" { // two of a kind: which one did a proxy before us look at?
			return "", model.Errorf(codeIncomplete, "Duplicate '%s' in Authorization header.", k)
		}
		*field = val
	}
	s.date, s.token = h.Get("X-Amz-Date"), h.Get("X-Amz-Security-Token")
	if s.date == "" {
		s.date = h.Get("Date")
	}
	var missing []string
	for _, f := range [...]struct{ value, name string }{
		{credential, "'Credential'"}, {s.sum, "'Signature'"}, {s.signedHeaders, "'SignedHeaders'"},
	} {
		if f.value == "" {
			missing = append(missing, "Authorization header requires "+f.name+" parameter.")
		}
	}
	if s.date == "" {
		missing = append(missing, "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
	}
	if len(missing) > 0 {
		return "", model.Errorf(codeIncomplete, "%s", strings.Join(missing, " "))
	}
	return credential, nil
}

func (s *signature) fromQuery() (credential string, err error) {
	s.presigned = true
	get := func(name string, required bool) string {
		switch v := s.query[name]; {
		case err != nil:
		case len(v) > 1:
			err = model.Errorf(codeIncomplete, "Duplicate query-string parameter '%s'.", name)
		case len(v) == 1 && v[0] != "":
			return v[0]
		case required:
			err = model.Errorf(codeIncomplete, "AWS query-string parameters must include '%s'. Re-examine the query-string parameters.", name)
		}
		return ""
	}
	alg := get("X-Amz-Algorithm", true)
	credential = get("X-Amz-Credential", true)
	s.signedHeaders = get("X-Amz-SignedHeaders", true)
	s.sum = get("X-Amz-Signature", true)
	s.date = get("X-Amz-Date", true)
	s.token = get("X-Amz-Security-Token", false)
	expires := get("X-Amz-Expires", false)
	if err != nil {
		return "", err
	}
	if alg != algorithm {
		return "", model.Errorf(codeIncomplete, "Unsupported AWS 'algorithm': '%s'.", alg)
	}
	if expires != "" {
		n, ok := parseSeconds(expires)
		if !ok || n < 1 || n > maxExpiry {
			return "", model.Errorf(codeIncomplete,
				"X-Amz-Expires must be a number of seconds between 1 and 604800, not '%s'.", expires)
		}
		s.expiry = time.Duration(n) * time.Second
	}
	return credential, nil
}

// setScope splits KEY/DATE/REGION/SERVICE/aws4_request and holds its date against the request's.
func (s *signature) setScope(credential string) error {
	p := strings.Split(credential, "/")
	if len(p) != 5 || p[0] == "" || p[2] == "" || p[3] == "" {
		return model.Errorf(codeIncomplete, "Credential must have exactly 5 slash-delimited elements, "+
			"e.g. keyid/date/region/service/term, got '%s'", credential)
	}
	if p[4] != "aws4_request" {
		return model.Errorf(codeInvalid, "Credential should be scoped with a valid terminator: 'aws4_request', not '%s'.", p[4])
	}
	if day := s.date[:8]; p[1] != day {
		return model.Errorf(codeInvalid, "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date "+
			"from HTTP: '%s' != '%s', from '%s'.", p[1], day, s.date)
	}
	s.scope = keyID{accessKey: p[0], date: p[1], region: p[2], service: p[3]}
	return nil
}

// checkTime refuses signatures from outside their window.
func (s *signature) checkTime(now time.Time) error {
	now = now.UTC()
	if limit := now.Add(maxSkew); s.time.After(limit) {
		return model.Errorf(codeInvalid, "Signature not yet current: %s is still later than %s (%s + 5 min.)",
			s.date, limit.Format(timeFormat), now.Format(timeFormat))
	}
	if limit := now.Add(-s.expiry); s.time.Before(limit) {
		return model.Errorf(codeInvalid, "Signature expired: %s is now earlier than %s (%s - %d min.)",
			s.date, limit.Format(timeFormat), now.Format(timeFormat), int(s.expiry.Minutes()))
	}
	return nil
}

func parseTime(v string) (time.Time, error) {
	if t, err := time.Parse(timeFormat, v); err == nil {
		return t, nil
	}
	if t, err := http.ParseTime(v); err == nil {
		return t.UTC(), nil
	}
	return time.Time{}, model.Errorf(codeIncomplete,
		"Date must be in ISO-8601 'basic format'. Got '%s'. See http://en.wikipedia.org/wiki/ISO_8601", v)
}

func isBasicTime(v string) bool { return len(v) == len(timeFormat) && v[8] == 'T' }

// parseSeconds reads a plain decimal of at most seven digits: no sign, no blank, no fraction.
func parseSeconds(v string) (n int, ok bool) {
	if v == "" || len(v) > 7 {
		return 0, false
	}
	for _, c := range v {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}
