package auth_test

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/model"
)

// chunked is the example of AWS's documentation of signed chunks: 66,560 letters in chunks of 65,536 and 1,024 [D].
func chunked(edit func(body string) string) *http.Request {
	body := "10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n" + strings.Repeat("a", 65536) + "\r\n" +
		"400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n" + strings.Repeat("a", 1024) + "\r\n" +
		"0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n"
	r, _ := http.NewRequest(http.MethodPut, "http://s3.amazonaws.com/examplebucket/chunkObject.txt", strings.NewReader(edit(body)))
	r.Host, r.ContentLength = "s3.amazonaws.com", 66824
	for name, v := range map[string]string{
		"X-Amz-Date": "20130524T000000Z", "X-Amz-Storage-Class": "REDUCED_REDUNDANCY", "Content-Encoding": "aws-chunked", "Content-Length": "66824",
		"X-Amz-Content-Sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "X-Amz-Decoded-Content-Length": "66560",
		"Authorization": "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request," +
			"SignedHeaders=content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class," +
			"Signature=4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
	} {
		r.Header.Set(name, v)
	}
	return r
}

// [D] Signed chunks are AWS's, and whatever is changed in them, left out or put elsewhere is refused before the end.
func TestSignedChunks(t *testing.T) {
	v := newVerifier(time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC))
	v.Lookup = func(string) (model.AccessKey, bool) {
		return model.AccessKey{ID: keyID, Secret: strings.Replace(secret, "+", "/", 1), Kind: model.KeyRoot}, true // as in the documentation
	}
	for name, c := range map[string]struct {
		edit func(string) string
		code string
	}{
		"as documented":       {func(b string) string { return b }, ""},
		"a byte changed":      {func(b string) string { return strings.Replace(b, "aaa", "aba", 1) }, "InvalidSignatureException"},
		"in the second chunk": {func(b string) string { return strings.Replace(b, "\r\n400;", "\r\n3ff;", 1) }, "InvalidSignatureException"},
		"cut off":             {func(b string) string { return b[:70000-4000] }, "IncompleteBody"},
		"the last chunk lost": {func(b string) string { return b[:strings.Index(b, "0;chunk-signature=b6")] }, "IncompleteBody"},
		"the second one lost": {func(b string) string {
			return b[:strings.Index(b, "400;")] + b[strings.Index(b, "0;chunk-signature=b6"):]
		}, "InvalidSignatureException"},
		"no signatures":        {func(b string) string { return strings.Replace(b, ";chunk-signature=", ";x=", 1) }, "InvalidRequest"},
		"a size below zero":    {func(b string) string { return "-" + b }, "InvalidRequest"},
		"a size beyond":        {func(b string) string { return "f" + b }, "IncompleteBody"},
		"headers behind":       {func(b string) string { return strings.TrimSuffix(b, "\r\n") + "x-amz-meta-a:b\r\n\r\n" }, "InvalidRequest"},
		"a line without end":   {func(b string) string { return strings.Repeat("0", 1<<20) + b }, "InvalidRequest"},
		"nothing":              {func(string) string { return "" }, "IncompleteBody"},
		"no chunks":            {func(string) string { return strings.Repeat("a", 66560) }, "InvalidRequest"},
		"the plain empty line": {func(b string) string { return strings.Replace(b, "\r\n", "\n", 1) }, "InvalidRequest"},
	} {
		t.Run(name, func(t *testing.T) {
			p, body, err := v.VerifyObject(received(chunked(c.edit)))
			if err != nil || p.AccessKeyID != keyID || body.Size != 66560 {
				t.Fatalf("got %v, %v", p, err)
			}
			b, err := io.ReadAll(body)
			if c.code != "" {
				if model.ErrorCode(err) != c.code {
					t.Errorf("got %v, want %s", err, c.code)
				}
			} else if err != nil || string(b) != strings.Repeat("a", 66560) {
				t.Errorf("read %d bytes: %v", len(b), err)
			}
		})
	}
}

// signedFor signs a request as S3 wants it, which says so of its body.
func signedFor(t *testing.T, r *http.Request, claim string) *http.Request {
	t.Helper()
	r.Header.Set("X-Amz-Content-Sha256", claim)
	if err := signerS3().SignHTTP(t.Context(), credentials(), r, claim, "s3", "us-east-1", now); err != nil {
		t.Fatal(err)
	}
	return received(r)
}

// [D] A body is what its sender says: by its hash, by a checksum in its trailer, or not at all.
func TestVerifyObject(t *testing.T) {
	v := newVerifier(now)
	for _, c := range []struct {
		name, claim, body, code, want string
	}{
		{"hash", hash([]byte("text")), "text", "", "text"},
		{"another hash", hash([]byte("text")), "test", "XAmzContentSHA256Mismatch", ""},
		{"unsigned", "UNSIGNED-PAYLOAD", "text", "", "text"},
		{"trailer", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "4\r\ntext\r\n0\r\nx-amz-checksum-crc32:O5sLfQ==\r\n\r\n", "", "text"},
		{"no trailer", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "4\r\ntext\r\n0\r\n\r\n", "MalformedTrailerError", ""},
		{"trailer not announced", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "4\r\ntext\r\n0\r\nx-amz-acl:public-read\r\n\r\n", "InvalidRequest", ""},
		{"trailer twice", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "4\r\ntext\r\n0\r\nx-amz-checksum-crc32:a\r\nx-amz-checksum-crc32:b\r\n\r\n", "InvalidRequest", ""},
		{"shorter than announced", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "3\r\ntex\r\n0\r\nx-amz-checksum-crc32:a\r\n\r\n", "IncompleteBody", ""},
		{"longer", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "5\r\ntexts\r\n0\r\nx-amz-checksum-crc32:a\r\n\r\n", "IncompleteBody", ""},
		{"unsigned instead of signed", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", "4\r\ntext\r\n0\r\nx-amz-checksum-crc32:a\r\n\r\n", "InvalidRequest", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := request(t, http.MethodPut, "http://127.0.0.1/b/a%20b%2Bc/../d", []byte(c.body))
			if strings.HasPrefix(c.claim, "STREAMING-") {
				r.Header.Set("X-Amz-Decoded-Content-Length", "4")
				r.Header.Set("X-Amz-Trailer", "x-amz-checksum-crc32")
			}
			_, body, err := v.VerifyObject(signedFor(t, r, c.claim))
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(body)
			if model.ErrorCode(err) != c.code || err == nil && string(b) != c.want {
				t.Errorf("read %q, %v", b, err)
			}
			if c.name == "trailer" && body.Trailer.Get("X-Amz-Checksum-Crc32") != "O5sLfQ==" {
				t.Errorf("trailer %v", body.Trailer)
			}
		})
	}
}

// [D] What S3 refuses before it reads a body.
func TestVerifyObjectRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(*http.Request)
		code string
	}{
		"path changed":       {func(r *http.Request) { r.URL.Path, r.URL.RawPath = "/b/other", "" }, "InvalidSignatureException"},
		"bytes of the path":  {func(r *http.Request) { r.URL.RawPath = "/%62/a%20b" }, "InvalidSignatureException"},
		"header not signed":  {func(r *http.Request) { r.Header.Set("X-Amz-Acl", "public-read") }, "InvalidSignatureException"},
		"claim changed":      {func(r *http.Request) { r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD") }, "InvalidSignatureException"},
		"claim gone":         {func(r *http.Request) { r.Header.Del("X-Amz-Content-Sha256") }, "InvalidRequest"},
		"claim of two minds": {func(r *http.Request) { r.Header.Add("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD") }, "InvalidRequest"},
		"no hash":            {func(r *http.Request) { r.Header.Set("X-Amz-Content-Sha256", "abc") }, "InvalidArgument"},
		"elliptic signatures": {func(r *http.Request) {
			r.Header.Set("X-Amz-Content-Sha256", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD")
		}, "NotImplemented"},
		"for another service": {func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "/s3/", "/ecs/", 1))
		}, "AuthorizationHeaderMalformed"},
	} {
		t.Run(name, func(t *testing.T) {
			r := signedFor(t, request(t, http.MethodPut, "http://127.0.0.1/b/a%20b", nil), hash(nil))
			c.edit(r)
			if _, _, err := newVerifier(now).VerifyObject(r); model.ErrorCode(err) != c.code {
				t.Errorf("got %v, want %s", err, c.code)
			}
		})
	}
	r := signedFor(t, request(t, http.MethodGet, "http://127.0.0.1/b/a", nil), hash(nil))
	if _, _, err := newVerifier(now.Add(time.Hour)).VerifyObject(r); model.ErrorCode(err) != "RequestTimeTooSkewed" {
		t.Errorf("an hour later: %v", err)
	}
	presigned := request(t, http.MethodGet, "http://127.0.0.1/b/a?X-Amz-Expires=60", nil)
	url, _, err := signerS3().PresignHTTP(t.Context(), credentials(), presigned, "UNSIGNED-PAYLOAD", "s3", "us-east-1", now)
	if err != nil {
		t.Fatal(err)
	}
	for at, code := range map[time.Duration]string{0: "", 59 * time.Second: "", 61 * time.Second: "AccessDenied"} {
		r := received(request(t, http.MethodGet, url, nil))
		if !auth.ForS3(r) {
			t.Error("a presigned request is not one for S3")
		}
		if _, _, err := newVerifier(now.Add(at)).VerifyObject(r); model.ErrorCode(err) != code {
			t.Errorf("after %s: %v", at, err)
		}
	}
	if _, _, err := newVerifier(now).VerifyObject(received(request(t, http.MethodGet, strings.Replace(url, "Expires=60", "Expires=6000", 1), nil))); model.ErrorCode(err) != "InvalidSignatureException" {
		t.Errorf("a longer life: %v", err)
	}
	if auth.ForS3(received(request(t, http.MethodGet, "http://127.0.0.1/b/a", nil))) {
		t.Error("an unsigned request is one for S3")
	}
}

// A reader of chunks neither panics nor reads more than was announced, whatever comes.
func FuzzChunks(f *testing.F) {
	for _, b := range []string{"4\r\ntext\r\n0\r\nx-amz-checksum-crc32:a\r\n\r\n", "4;chunk-signature=a\r\ntext\r\n0\r\n\r\n", "2\r\nte\r\n2\r\nxt\r\n0\r\n\r\n"} {
		f.Add([]byte(b))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := request(t, http.MethodPut, "http://127.0.0.1/b/a", b)
		r.Header.Set("X-Amz-Decoded-Content-Length", "4")
		signedFor := func(claim string) *http.Request {
			r.Header.Set("X-Amz-Content-Sha256", claim)
			_ = signerS3().SignHTTP(t.Context(), credentials(), r, claim, "s3", "us-east-1", now)
			return received(r)
		}
		_, body, err := newVerifier(now).VerifyObject(signedFor("STREAMING-UNSIGNED-PAYLOAD-TRAILER"))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(body)
		if len(got) > 4 || err == nil && len(got) != 4 {
			t.Errorf("read %q, %v", got, err)
		}
		if e, ok := errors.AsType[*model.Error](err); err != nil && !ok {
			t.Errorf("%v is no refusal: %v", err, e)
		}
		if err == nil && !slices.Equal(got, []byte("text")) && !strings.Contains(string(b), string(got[:1])) {
			t.Errorf("%q is not in %q", got, b)
		}
	})
}

func signerS3() *v4.Signer {
	return v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
}
