package attack_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/roadstead/roadstead/server"
)

// A forger changes a signed request on its way. It is the transport of a client.
type forger struct {
	forge   func(r *http.Request, body []byte) []byte // returns the body to send
	answers map[int]int                               // how often each status was the answer
}

func (f *forger) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
	}
	if r.Header.Get("Authorization") != "" { // AssumeRoleWithWebIdentity has none: its token says who it is
		body = f.forge(r, body)
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err == nil {
		f.answers[resp.StatusCode]++
	}
	return resp, err
}

// resign signs the request anew with the secret, as if it were that time.
func resign(r *http.Request, body []byte, secret string, at time.Time) {
	service := strings.Split(r.Header.Get("Authorization"), "/")[3]
	sum := sha256.Sum256(body)
	r.Header.Del("Authorization")
	who := aws.Credentials{AccessKeyID: "K" + alpha, SecretAccessKey: secret}
	if err := v4.NewSigner().SignHTTP(r.Context(), who, r, hex.EncodeToString(sum[:]), service, region, at); err != nil {
		panic(err)
	}
}

var forgeries = map[string]func(r *http.Request, body []byte) []byte{
	"unsigned":     func(r *http.Request, body []byte) []byte { r.Header.Del("Authorization"); return body },
	"wrong secret": func(r *http.Request, body []byte) []byte { resign(r, body, "wrong", time.Now()); return body },
	"replayed after the skew": func(r *http.Request, body []byte) []byte {
		resign(r, body, "secret", time.Now().Add(-6*time.Minute))
		return body
	},
	"signed ahead of time": func(r *http.Request, body []byte) []byte {
		resign(r, body, "secret", time.Now().Add(6*time.Minute))
		return body
	},
	"another body": func(r *http.Request, body []byte) []byte {
		if body = bytes.TrimRight(body, " "); bytes.HasPrefix(body, []byte("{")) {
			return append(body, ' ')
		}
		return append(body, "&Also=this"...)
	},
	"a header that is not signed": func(r *http.Request, body []byte) []byte { r.Header.Set("X-Amz-Forged", "1"); return body },
	"a token that is not signed":  func(r *http.Request, body []byte) []byte { r.Header.Set("X-Amz-Security-Token", "x"); return body },
	"another key": func(r *http.Request, body []byte) []byte {
		r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "K"+alpha, "K"+beta, 1))
		return body
	},
	"for another service": func(r *http.Request, body []byte) []byte {
		a := r.Header.Get("Authorization")
		r.Header.Set("Authorization", strings.Replace(a, "/"+strings.Split(a, "/")[3]+"/", "/events/", 1))
		return body
	},
}

// [D] A request that is not signed, or changed after it was, does nothing and gets nothing, in every operation that is served.
func TestForgedRequests(t *testing.T) {
	s := open(t)
	furnish(t, s)
	for name, forge := range forgeries {
		before := rows(s.DB().Snapshot().Tables, alpha)
		f := &forger{forge, map[int]int{}}
		for o := range operations(t, clients(s, alpha, f)) {
			g := &generator{rand.New(rand.NewPCG(*seed, 3)), guesses(before), map[string]bool{}}
			for range 5 {
				_, err := o.try(t.Context(), g.input(o))
				if g.learn(err) {
					continue
				}
				if err == nil {
					t.Errorf("%s: %s %s succeeded", name, o.service, o.name)
				}
				break
			}
		}
		refusals := []int{http.StatusBadRequest, http.StatusForbidden}
		if name == "another body" { // S3 refuses some calls before it reads what they bring
			refusals = append(refusals, http.StatusNotFound, http.StatusNotImplemented)
		}
		for status, n := range f.answers {
			if !slices.Contains(refusals, status) {
				t.Errorf("%s: %d answers have the status %d", name, n, status)
			}
		}
		if n := f.answers[400] + f.answers[403]; n < 150 {
			t.Errorf("%s: only %d requests were sent", name, n)
		}
		if !maps.Equal(before, rows(s.DB().Snapshot().Tables, alpha)) {
			t.Errorf("%s: rows have changed", name)
		}
	}
}

// [I] A body that unpacks to far more than it is, and a request of ten thousand headers, are refused before they cost much.
func TestOversizedRequests(t *testing.T) {
	s := open(t)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	for range 64 {
		_, _ = z.Write(bytes.Repeat([]byte{' '}, 1<<20)) // 64 MiB of blanks in 64 KiB
	}
	_ = z.Close()
	send := func(body []byte, change func(r *http.Request)) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), "POST", s.URL()+"/", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-amz-json-1.1")
		r.Header.Set("X-Amz-Target", "AmazonEC2ContainerServiceV20141113.ListTasks")
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=K/20261126/ecs/ecs/aws4_request")
		change(r)
		resign(r, body, "secret", time.Now())
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { resp.Body.Close() })
		return resp
	}
	if got := send(packed.Bytes(), func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") }).StatusCode; got != http.StatusRequestEntityTooLarge && got != http.StatusBadRequest {
		t.Errorf("64 MiB of blanks: status %d", got)
	}
	many := send([]byte("{}"), func(r *http.Request) {
		for i := range 10_000 {
			r.Header.Set("X-Header-"+strconv.Itoa(i), strings.Repeat("x", 200))
		}
	})
	if many.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("ten thousand headers: status %d", many.StatusCode)
	}
	alive(t, s)
}

// alive checks that the server answers.
func alive(t *testing.T, s *server.Server) {
	t.Helper()
	resp, err := http.Get(s.URL() + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("status %d", resp.StatusCode)
	}
}

// [D] A presigned URL is good for what it says, as long as it says, and for nothing else.
func TestForgedURLs(t *testing.T) {
	s := open(t)
	furnish(t, s)
	objects := clients(s, alpha, http.DefaultTransport)["s3"].Interface().(*s3.Client)
	made, err := s3.NewPresignClient(objects).PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("thing"), Key: aws.String("thing")}, s3.WithPresignExpires(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	status := func(method, url string) int {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return resp.StatusCode
	}
	if got := status(http.MethodGet, made.URL); got != http.StatusOK {
		t.Fatalf("as it was made: status %d", got)
	}
	for name, c := range map[string]struct{ method, old, new string }{
		"a longer life":       {http.MethodGet, "X-Amz-Expires=60", "X-Amz-Expires=604800"},
		"no end":              {http.MethodGet, "X-Amz-Expires=60&", ""},
		"a life of its own":   {http.MethodGet, "X-Amz-Expires=60", "X-Amz-Expires=604800&X-Amz-Expires=60"},
		"another object":      {http.MethodGet, "/thing/thing?", "/thing/other?"},
		"another bucket":      {http.MethodGet, "/thing/thing?", "/" + secret + "-thing/" + secret + "-thing?"},
		"another method":      {http.MethodDelete, "?", "?"},
		"another operation":   {http.MethodGet, "?", "?tagging=&"},
		"without a signature": {http.MethodGet, "X-Amz-Signature=", "X-Amz-Nothing="},
	} {
		url := strings.Replace(made.URL, c.old, c.new, 1)
		if url == made.URL && c.old != c.new {
			t.Fatalf("%s: %s is not in %s", name, c.old, made.URL)
		}
		if got := status(c.method, url); got != http.StatusForbidden && got != http.StatusBadRequest {
			t.Errorf("%s: status %d", name, got)
		}
	}
	alive(t, s)
}
