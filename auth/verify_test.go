package auth_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/model"
)

const (
	keyID  = "AKIAIOSFODNN7EXAMPLE"
	secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
)

var (
	now  = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	body = []byte(`{"cluster":"default"}`)
)

func newVerifier(at time.Time) *auth.Verifier {
	return &auth.Verifier{
		Lookup: func(id string) (model.AccessKey, bool) {
			return model.AccessKey{ID: keyID, Secret: secret, Account: "000000000000", Kind: model.KeyRoot}, id == keyID
		},
		Now: func() time.Time { return at },
	}
}

func hash(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

func credentials() aws.Credentials {
	return aws.Credentials{AccessKeyID: keyID, SecretAccessKey: secret}
}

func request(t testing.TB, method, url string, b []byte) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, url, bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// received turns a request that a client would send into the one that a server sees: a Host and no URL host.
func received(r *http.Request) *http.Request {
	if r.Host == "" {
		r.Host = r.URL.Host
	}
	r.URL.Host, r.URL.Scheme = "", ""
	return r
}

// signedECS is a typical request: what the Go SDK sends for an ECS operation.
func signedECS(t testing.TB) *http.Request {
	t.Helper()
	r := request(t, "POST", "http://127.0.0.1:4566/", body)
	r.Header.Set("X-Amz-Target", "AmazonEC2ContainerServiceV20141113.ListTasks")
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("Amz-Sdk-Invocation-Id", "7b0ac1f0-5c6b-4b76-b4cc-cf5ac2a9e51a")
	r.Header.Set("Amz-Sdk-Request", "attempt=1; max=3")
	r.Header.Set("User-Agent", "aws-sdk-go-v2")
	if err := v4.NewSigner().SignHTTP(context.Background(), credentials(), r, hash(body), "ecs", "us-east-1", now); err != nil {
		t.Fatal(err)
	}
	return received(r)
}

// presignedSTS is a presigned GetCallerIdentity, good for a minute.
func presignedSTS(t testing.TB, expires string) *http.Request {
	t.Helper()
	r := request(t, "GET", "http://127.0.0.1:4566/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Expires="+expires, nil)
	u, _, err := v4.NewSigner().PresignHTTP(context.Background(), credentials(), r, hash(nil), "sts", "us-east-1", now)
	if err != nil {
		t.Fatal(err)
	}
	return received(request(t, "GET", u, nil))
}

func wantCode(t testing.TB, err error, code, text string) {
	t.Helper()
	if model.ErrorCode(err) != code || !strings.Contains(err.Error(), text) {
		t.Errorf("got %v, want %s with %q", err, code, text)
	}
}

// [D] A request signed by the SDK is its key's owner's.
func TestVerifyHeader(t *testing.T) {
	p, err := newVerifier(now).Verify(signedECS(t), body)
	want := auth.Principal{
		Account: "000000000000", Region: "us-east-1", Service: "ecs", ARN: "arn:aws:iam::000000000000:root",
		UserID: "000000000000", AccessKeyID: keyID, Kind: model.KeyRoot,
	}
	if err != nil || p != want {
		t.Fatalf("got %+v, %v\nwant %+v", p, err, want)
	}
}

// [D] A presigned URL is good from its date until its expiry.
func TestVerifyPresigned(t *testing.T) {
	for at, ok := range map[time.Duration]bool{0: true, 59 * time.Second: true, 61 * time.Second: false,
		-4 * time.Minute: true, -6 * time.Minute: false} {
		p, err := newVerifier(now.Add(at)).Verify(presignedSTS(t, "60"), nil)
		if (err == nil) != ok {
			t.Errorf("at %v: %v", at, err)
		}
		if ok && (p.Service != "sts" || p.Account != "000000000000") {
			t.Errorf("at %v: %+v", at, p)
		}
	}
	v := newVerifier(now)
	for _, expires := range []string{"0", "604801", "-1", "1e3", "99999999999999999999"} { // [D] at most seven days
		_, err := v.Verify(presignedSTS(t, expires), nil)
		wantCode(t, err, "IncompleteSignatureException", "X-Amz-Expires")
	}
	if _, err := v.Verify(presignedSTS(t, "604800"), nil); err != nil {
		t.Error(err)
	}
}

// [D] Whatever the signature covers cannot be changed, and what matters cannot be left out of it.
func TestTampered(t *testing.T) {
	const invalid = "InvalidSignatureException"
	header := func(f func(a string) string) func(*http.Request) []byte {
		return func(r *http.Request) []byte {
			r.Header.Set("Authorization", f(r.Header.Get("Authorization")))
			return body
		}
	}
	replace := func(old, new string) func(*http.Request) []byte {
		return header(func(a string) string { return strings.Replace(a, old, new, 1) })
	}
	for name, c := range map[string]struct {
		code, text string
		change     func(r *http.Request) []byte // returns the body
	}{
		"body":   {invalid, "does not match", func(*http.Request) []byte { return []byte(`{"cluster":"other"}`) }},
		"method": {invalid, "does not match", func(r *http.Request) []byte { r.Method = "PUT"; return body }},
		"path":   {invalid, "does not match", func(r *http.Request) []byte { r.URL.Path = "/v1"; return body }},
		"query":  {invalid, "does not match", func(r *http.Request) []byte { r.URL.RawQuery = "a=b"; return body }},
		"host":   {invalid, "does not match", func(r *http.Request) []byte { r.Host = "evil"; return body }},
		"length": {invalid, "does not match", func(r *http.Request) []byte { r.ContentLength++; return body }},
		"target": {invalid, "does not match", func(r *http.Request) []byte {
			r.Header.Set("X-Amz-Target", "AmazonEC2ContainerServiceV20141113.DeleteCluster")
			return body
		}},
		"second value of a signed header": {invalid, "does not match", func(r *http.Request) []byte {
			r.Header.Add("X-Amz-Target", "x")
			return body
		}},
		"unsigned x-amz header": {invalid, "'x-amz-extra' must be a 'SignedHeader'", func(r *http.Request) []byte {
			r.Header.Set("X-Amz-Extra", "1")
			return body
		}},
		"unsigned x-amz header of odd spelling": {invalid, "'x-amz-extra' must be a 'SignedHeader'", func(r *http.Request) []byte {
			r.Header["x-AMZ-extra"] = []string{"1"}
			return body
		}},
		"host not signed": {invalid, "'Host' must be a 'SignedHeader'", replace(";host;", ";")},
		"header dropped":  {invalid, "does not match", replace("content-type;", "")},
		"date": {invalid, "does not match", func(r *http.Request) []byte {
			r.Header.Set("X-Amz-Date", now.Add(time.Second).Format("20060102T150405Z"))
			return body
		}},
		"date of another day": {invalid, "Date in Credential scope", func(r *http.Request) []byte {
			r.Header.Set("X-Amz-Date", now.Add(24*time.Hour).Format("20060102T150405Z"))
			return body
		}},
		"region":     {invalid, "does not match", replace("us-east-1", "us-west-2")},
		"service":    {invalid, "does not match", replace("/ecs/", "/iam/")},
		"terminator": {invalid, "valid terminator", replace("aws4_request", "aws5_request")},
		"scope":      {"IncompleteSignatureException", "5 slash-delimited", replace("/us-east-1", "")},
		"access key": {"UnrecognizedClientException", "The security token included in the request is invalid.",
			replace(keyID, "AKIDUNKNOWN")},
		"signature": {invalid, "does not match", header(func(a string) string { return a[:len(a)-1] + "g" })},
		"signature cut": {invalid, "does not match", header(func(a string) string {
			return a[:len(a)-2]
		})},
		"no signature":   {"IncompleteSignatureException", "'Signature' parameter", replace("Signature=", "Nothing=")},
		"two signatures": {"IncompleteSignatureException", "Duplicate", header(func(a string) string { return a + ", Signature=00" })},
		"no date": {"IncompleteSignatureException", "'X-Amz-Date' or a 'Date' header", func(r *http.Request) []byte {
			r.Header.Del("X-Amz-Date")
			return body
		}},
		"bearer":   {"IncompleteSignatureException", "Unsupported AWS 'algorithm'", header(func(string) string { return "Bearer x" })},
		"unsigned": {"MissingAuthenticationTokenException", "Missing Authentication Token", func(r *http.Request) []byte { r.Header.Del("Authorization"); return body }},
		"two mechanisms": {"IncompleteSignatureException", "Only one", func(r *http.Request) []byte {
			r.URL.RawQuery = "X-Amz-Algorithm=AWS4-HMAC-SHA256"
			return body
		}},
		"claimed hash": {invalid, "", func(r *http.Request) []byte {
			r.Header.Set("X-Amz-Content-Sha256", hash(body))
			return []byte("other")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			r := signedECS(t)
			b := c.change(r)
			_, err := newVerifier(now).Verify(r, b)
			wantCode(t, err, c.code, c.text)
		})
	}
}

// [D] Every parameter of a presigned URL is covered.
func TestTamperedPresigned(t *testing.T) {
	for _, p := range [][2]string{
		{"GetCallerIdentity", "AssumeRole"}, {"X-Amz-Expires=60", "X-Amz-Expires=61"},
		{"050607Z", "050608Z"}, {"SignedHeaders=host", "SignedHeaders=host%3Bx"}, {"us-east-1", "us-east-2"},
		{"Version=", "Version=1&Version="}, {"X-Amz-Signature=", "X-Amz-Signature=0"},
		{"X-Amz-Signature=", "X-Amz-Signature=00&X-Amz-Signature="}, {"X-Amz-Algorithm=AWS4-HMAC-SHA256", ""},
	} {
		r := presignedSTS(t, "60")
		q := strings.Replace(r.URL.RawQuery, p[0], p[1], 1)
		if q == r.URL.RawQuery {
			t.Fatalf("%s is not in %s", p[0], q)
		}
		r.URL.RawQuery = q
		if _, err := newVerifier(now).Verify(r, nil); err == nil {
			t.Errorf("%v accepted", p)
		}
	}
	if _, err := newVerifier(now).Verify(presignedSTS(t, "60"), []byte("x")); err == nil {
		t.Error("a body was accepted where none was signed")
	}
}

// [D] Clocks may differ by five minutes.
func TestSkew(t *testing.T) {
	_, err := newVerifier(now.Add(5*time.Minute+time.Second)).Verify(signedECS(t), body)
	wantCode(t, err, "InvalidSignatureException",
		"Signature expired: 20260304T050607Z is now earlier than 20260304T050608Z (20260304T051108Z - 5 min.)")
	_, err = newVerifier(now.Add(-5*time.Minute-time.Second)).Verify(signedECS(t), body)
	wantCode(t, err, "InvalidSignatureException",
		"Signature not yet current: 20260304T050607Z is still later than 20260304T050606Z (20260304T050106Z + 5 min.)")
	for _, d := range []time.Duration{5 * time.Minute, -5 * time.Minute} {
		if _, err := newVerifier(now.Add(d)).Verify(signedECS(t), body); err != nil {
			t.Errorf("%v: %v", d, err)
		}
	}
}

// [D] A permanent key comes without a session token, even one that is signed.
func TestSessionToken(t *testing.T) {
	r := request(t, "POST", "http://h/", body)
	c := credentials()
	c.SessionToken = "token"
	if err := v4.NewSigner().SignHTTP(context.Background(), c, r, hash(body), "ecs", "us-east-1", now); err != nil {
		t.Fatal(err)
	}
	_, err := newVerifier(now).Verify(received(r), body)
	wantCode(t, err, "UnrecognizedClientException", "security token")
}

// [D] Only S3 may leave a body unsigned.
func TestUnsignedPayload(t *testing.T) {
	for service, ok := range map[string]bool{"s3": true, "ecs": false} {
		r := request(t, "PUT", "http://h/bucket/a%20b", body)
		r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
		err := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = service == "s3" }).
			SignHTTP(context.Background(), credentials(), r, "UNSIGNED-PAYLOAD", service, "us-east-1", now)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := newVerifier(now).Verify(received(r), body); (err == nil) != ok {
			t.Errorf("%s: %v", service, err)
		}
	}
}

// [D] A key answers only with the secret it has now: a cached derived key does not outlive it.
func TestSecretReplaced(t *testing.T) {
	v := newVerifier(now)
	if _, err := v.Verify(signedECS(t), body); err != nil {
		t.Fatal(err)
	}
	v.Lookup = func(string) (model.AccessKey, bool) { return model.AccessKey{ID: keyID, Secret: "new"}, true }
	_, err := v.Verify(signedECS(t), body)
	wantCode(t, err, "InvalidSignatureException", "does not match")
	v.Lookup = func(string) (model.AccessKey, bool) { return model.AccessKey{ID: keyID}, true }
	_, err = v.Verify(signedECS(t), body) // a row without a secret is nobody's
	wantCode(t, err, "UnrecognizedClientException", "")
}

// [D] A scope names a Region that we serve; sts and iam are global.
func TestRegions(t *testing.T) {
	for _, c := range []struct {
		regions []string
		ok      bool
	}{{nil, true}, {[]string{"eu-west-1", "us-east-1"}, true}, {[]string{"eu-west-1"}, false}} {
		v := newVerifier(now)
		v.Regions = c.regions
		if _, err := v.Verify(signedECS(t), body); (err == nil) != c.ok {
			t.Errorf("ecs, %v: %v", c.regions, err)
		}
		if _, err := v.Verify(presignedSTS(t, "60"), nil); err != nil {
			t.Errorf("sts, %v: %v", c.regions, err)
		}
	}
}

// [D] The Date header stands in for X-Amz-Date, in the form of RFC 1123 or ISO 8601; the string to sign has the latter.
// No SDK signs so: the signature is made here, step by step.
func TestDateHeader(t *testing.T) {
	mac := func(key []byte, text string) []byte {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(text))
		return h.Sum(nil)
	}
	for date, ok := range map[string]bool{now.Format(http.TimeFormat): true, "20260304T050607Z": true, "yesterday": false,
		now.Add(time.Second).Format(http.TimeFormat): false} {
		r := httptest.NewRequest("POST", "http://h/", nil)
		r.Header.Set("Date", date)
		canonical := "POST\n/\n\nhost:h\n\nhost\n" + hash(body)
		text := "AWS4-HMAC-SHA256\n20260304T050607Z\n20260304/us-east-1/ecs/aws4_request\n" + hash([]byte(canonical))
		key := mac(mac(mac(mac([]byte("AWS4"+secret), "20260304"), "us-east-1"), "ecs"), "aws4_request")
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+keyID+"/20260304/us-east-1/ecs/aws4_request,"+
			"SignedHeaders=host,Signature="+hex.EncodeToString(mac(key, text)))
		if _, err := newVerifier(now).Verify(r, body); (err == nil) != ok {
			t.Errorf("%s: %v", date, err)
		}
	}
}
