package s3_test

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/roadstead/roadstead/test/steady"
)

// [D] An object is what was put last, with what was said about it.
func TestPutAndGet(t *testing.T) {
	w, ctx := newWorld(t, "us-east-1"), t.Context()
	w.bucket(t, "box")
	b, k := new("box"), new("a b+c/ü%2F/ö.env")
	put, err := w.PutObject(ctx, &sdk.PutObjectInput{
		Bucket: b, Key: k, Body: strings.NewReader("text"), ContentType: new("text/plain"), CacheControl: new("no-store"), Metadata: map[string]string{"who": "me"},
	})
	must(t, err)
	sum := md5.Sum([]byte("text"))
	if etag := hex.EncodeToString(sum[:]); *put.ETag != `"`+etag+`"` {
		t.Errorf("got %+v", put)
	}
	get, err := w.GetObject(ctx, &sdk.GetObjectInput{Bucket: b, Key: k, ChecksumMode: types.ChecksumModeEnabled})
	must(t, err)
	if text(t, get.Body) != "text" || *get.ContentType != "text/plain" || *get.CacheControl != "no-store" || get.Metadata["who"] != "me" ||
		*get.ContentLength != 4 || *get.ETag != *put.ETag || aws.ToString(get.ChecksumCRC32) != aws.ToString(put.ChecksumCRC32) || put.ChecksumCRC32 == nil {
		t.Errorf("got %+v", get)
	}
	head, err := w.HeadObject(ctx, &sdk.HeadObjectInput{Bucket: b, Key: k})
	must(t, err)
	if *head.ContentLength != 4 || head.LastModified == nil || *head.AcceptRanges != "bytes" {
		t.Errorf("got %+v", head)
	}
	w.put(t, "box", *k, "")
	if w.get(t, "box", *k) != "" {
		t.Error("it does not hold what was put last")
	}
	_, err = w.GetObject(ctx, &sdk.GetObjectInput{Bucket: b, Key: new("none")})
	wantError(t, err, "NoSuchKey", "The specified key does not exist.")
	_, err = w.GetObject(ctx, &sdk.GetObjectInput{Bucket: new("none"), Key: k})
	wantError(t, err, "NoSuchBucket", "")
	w.refuse.Store("s3:ListBucket box/")
	_, err = w.GetObject(ctx, &sdk.GetObjectInput{Bucket: b, Key: new("none")})
	wantError(t, err, "AccessDenied", "s3:ListBucket") // who may not list does not learn what there is [D]
}

// [D] All the checksums that clients send are checked: one that is wrong refuses the object.
func TestChecksums(t *testing.T) {
	w, ctx := newWorld(t, "us-east-1"), t.Context()
	w.bucket(t, "box")
	for _, algorithm := range types.ChecksumAlgorithm("").Values() {
		switch algorithm {
		case types.ChecksumAlgorithmCrc32, types.ChecksumAlgorithmCrc32c, types.ChecksumAlgorithmCrc64nvme, types.ChecksumAlgorithmSha1, types.ChecksumAlgorithmSha256:
			_, err := w.PutObject(ctx, &sdk.PutObjectInput{Bucket: new("box"), Key: new(string(algorithm)), Body: strings.NewReader("text"), ChecksumAlgorithm: algorithm})
			must(t, err)
			get, err := w.GetObject(ctx, &sdk.GetObjectInput{Bucket: new("box"), Key: new(string(algorithm)), ChecksumMode: types.ChecksumModeEnabled})
			must(t, err)
			text(t, get.Body) // and the SDK compares
		}
	}
	for _, c := range []struct{ header, value, code string }{
		{"Content-Md5", base64.StdEncoding.EncodeToString(make([]byte, 16)), "BadDigest"},
		{"Content-Md5", "abc", "InvalidDigest"},
		{"X-Amz-Checksum-Crc32", "AAAAAA==", "BadDigest"},
		{"X-Amz-Checksum-Crc64nvme", "rosUhgp5mIg=", ""}, // of "123456789", as in the catalogue of CRCs
		{"X-Amz-Checksum-Sha256", "AAAAAA==", "InvalidRequest"},
	} {
		status, body := w.raw(t, http.MethodPut, "/box/wrong", "123456789", map[string]string{c.header: c.value})
		if c.code == "" && status != 200 || c.code != "" && !strings.Contains(body, "<Code>"+c.code+"</Code>") {
			t.Errorf("%s: %s: %d %s", c.header, c.value, status, body)
		}
	}
}

// raw sends a request as no SDK would.
func (w *world) raw(t *testing.T, method, path, body string, header map[string]string) (status int, answer string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, w.url+path, strings.NewReader(body))
	must(t, err)
	for name, v := range header {
		r.Header.Set(name, v)
	}
	r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	must(t, signer.SignHTTP(t.Context(), aws.Credentials{AccessKeyID: "test", SecretAccessKey: "secret"}, r, "UNSIGNED-PAYLOAD", "s3", "us-east-1", w.now()))
	resp, err := steady.Client().Do(r)
	must(t, err)
	return resp.StatusCode, text(t, resp.Body)
}

// [D] What a key names stays in its bucket, and nothing that callers write is a name of a file.
func TestKeysAreNoPaths(t *testing.T) {
	w := newWorld(t, "us-east-1")
	w.bucket(t, "box")
	w.bucket(t, "other-box", "secret")
	for _, path := range []string{"/box/..", "/box/../other-box/secret", "/box/a/../../other-box/secret", "/box/%2e%2e/other-box/secret",
		"/box/..%2fother-box%2fsecret", "/box/../../../etc/passwd", "/box/a%00b", "/box/%ff"} {
		for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
			if status, body := w.raw(t, method, path, "x", nil); status != 400 || !strings.Contains(body, "<Code>InvalidURI</Code>") {
				t.Errorf("%s %s: %d %s", method, path, status, body)
			}
		}
	}
	if status, body := w.raw(t, http.MethodPut, "/box/"+strings.Repeat("k", 1025), "x", nil); status != 400 || !strings.Contains(body, "KeyTooLongError") {
		t.Errorf("%d %s", status, body)
	}
	for _, key := range []string{"a/../b", "//", "a//b", "./a", "a\nb", `a\..\b`, "tmp/x", strings.Repeat("k", 1024)} {
		w.put(t, "box", key, "is "+key)
		if got := w.get(t, "box", key); got != "is "+key {
			t.Errorf("%q holds %q", key, got)
		}
	}
	must(t, filepath.WalkDir(w.dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && len(d.Name()) != 64 {
			t.Errorf("there is a file %s", path)
		}
		return err
	}))
}

// [D] An operation that is not served is refused, and never taken for the one whose request is like it.
func TestNotServed(t *testing.T) {
	w := newWorld(t, "us-east-1")
	w.bucket(t, "box", "a")
	for _, c := range []struct{ method, path, header, want string }{
		{"PUT", "/box?acl", "", "NotImplemented"},
		{"PUT", "/box?anything-new=1", "", "NotImplemented"},
		{"DELETE", "/box?tagging", "", "NotImplemented"},
		{"DELETE", "/box/a?tagging", "", "NotImplemented"},
		{"PUT", "/box/a?retention", "", "NotImplemented"},
		{"GET", "/box/a?versionId=1", "", "NotImplemented"},
		{"GET", "/box?versions", "", "NotImplemented"},
		{"PUT", "/box/a", "X-Amz-Acl: public-read", "AccessControlListNotSupported"},
		{"PUT", "/box/a", "X-Amz-Grant-Read: id=1", "AccessControlListNotSupported"},
		{"PUT", "/box/a", "X-Amz-Server-Side-Encryption: aws:kms", "NotImplemented"},
		{"PUT", "/box/a", "X-Amz-Tagging: a=b", "NotImplemented"},
		{"PUT", "/box/a", "X-Amz-Storage-Class: GLACIER", "InvalidStorageClass"},
		{"PUT", "/box/a", "X-Amz-Meta-A: " + strings.Repeat("a", 2048), "MetadataTooLarge"},
		{"POST", "/box/a", "", "MethodNotAllowed"},
		{"PATCH", "/box", "", "MethodNotAllowed"},
	} {
		header := map[string]string{}
		if name, v, ok := strings.Cut(c.header, ": "); ok {
			header[name] = v
		}
		if _, body := w.raw(t, c.method, c.path, "x", header); !strings.Contains(body, "<Code>"+c.want+"</Code>") {
			t.Errorf("%s %s %s: %s", c.method, c.path, c.header, body)
		}
	}
	if w.get(t, "box", "a") != "a" {
		t.Error("the object was changed")
	}
}

// [D] Ranges, and what is answered for those that are none.
func TestRanges(t *testing.T) {
	w, ctx := newWorld(t, "us-east-1"), t.Context()
	w.bucket(t, "box")
	w.put(t, "box", "a", "0123456789")
	w.put(t, "box", "empty", "")
	for _, c := range []struct{ key, header, want, content string }{
		{"a", "bytes=2-4", "234", "bytes 2-4/10"}, {"a", "bytes=7-", "789", "bytes 7-9/10"}, {"a", "bytes=-2", "89", "bytes 8-9/10"},
		{"a", "bytes=8-100", "89", "bytes 8-9/10"}, {"a", "bytes=-100", "0123456789", "bytes 0-9/10"}, {"a", "bytes=0-0", "0", "bytes 0-0/10"},
		{"a", "bytes=4-2", "0123456789", ""}, {"a", "lines=1-2", "0123456789", ""}, {"a", "bytes=1-2,4-5", "0123456789", ""},
		{"a", "bytes=+1-2", "0123456789", ""}, {"a", "bytes=10-", "", "InvalidRange"}, {"a", "bytes=-0", "", "InvalidRange"}, {"empty", "bytes=0-", "", "InvalidRange"},
	} {
		out, err := w.GetObject(ctx, &sdk.GetObjectInput{Bucket: new("box"), Key: &c.key, Range: &c.header})
		if c.content == "InvalidRange" {
			wantError(t, err, "InvalidRange", "The requested range is not satisfiable")
			continue
		}
		must(t, err)
		if got := text(t, out.Body); got != c.want || aws.ToString(out.ContentRange) != c.content {
			t.Errorf("%s: %q, %s", c.header, got, aws.ToString(out.ContentRange))
		}
	}
}

// [D] Conditions: those about ETags come before those about times.
func TestConditions(t *testing.T) {
	w := newWorld(t, "us-east-1")
	w.bucket(t, "box")
	etag := *w.put(t, "box", "a", "text").ETag
	past, future := time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat), time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)
	for _, c := range []struct {
		method, path string
		header       map[string]string
		want         int
	}{
		{"GET", "/box/a", map[string]string{"If-Match": etag}, 200},
		{"GET", "/box/a", map[string]string{"If-Match": `"x"`}, 412},
		{"GET", "/box/a", map[string]string{"If-Match": etag, "If-Unmodified-Since": past}, 200},
		{"GET", "/box/a", map[string]string{"If-Unmodified-Since": past}, 412},
		{"GET", "/box/a", map[string]string{"If-None-Match": etag}, 304},
		{"GET", "/box/a", map[string]string{"If-None-Match": `"x"`, "If-Modified-Since": future}, 200},
		{"HEAD", "/box/a", map[string]string{"If-Modified-Since": future}, 304},
		{"HEAD", "/box/a", map[string]string{"If-Modified-Since": past}, 200},
		{"PUT", "/box/a", map[string]string{"If-None-Match": "*"}, 412},
		{"PUT", "/box/b", map[string]string{"If-None-Match": "*"}, 200},
		{"PUT", "/box/b", map[string]string{"If-Match": etag}, 412},
		{"PUT", "/box/c", map[string]string{"If-Match": etag}, 404},
		{"DELETE", "/box/a", map[string]string{"If-Match": `"x"`}, 412},
		{"DELETE", "/box/a", map[string]string{"If-Match": etag}, 204},
	} {
		if got, body := w.raw(t, c.method, c.path, "more", c.header); got != c.want {
			t.Errorf("%s %s %v: %d %s", c.method, c.path, c.header, got, body)
		}
	}
}

// [D] Deleting: one by one, where none is no error, or many at once, each of which is decided about.
func TestDelete(t *testing.T) {
	w, ctx := newWorld(t, "us-east-1"), t.Context()
	w.bucket(t, "box", "a", "b", "c")
	w.refuse.Store("s3:DeleteObject box/b")
	_, err := w.DeleteObject(ctx, &sdk.DeleteObjectInput{Bucket: new("box"), Key: new("none")})
	must(t, err)
	out, err := w.DeleteObjects(ctx, &sdk.DeleteObjectsInput{Bucket: new("box"), Delete: &types.Delete{Objects: []types.ObjectIdentifier{{Key: new("a")}, {Key: new("b")}, {Key: new("none")}}}})
	must(t, err)
	if len(out.Deleted) != 2 || len(out.Errors) != 1 || *out.Errors[0].Key != "b" || *out.Errors[0].Code != "AccessDenied" {
		t.Errorf("got %+v", out)
	}
	if got := w.keys(t, "box", &sdk.ListObjectsV2Input{}); got != "b c" {
		t.Errorf("there are %s", got)
	}
	if _, body := w.raw(t, "POST", "/box?delete", "<Delete><Object><Key>c</Key></Object>", nil); !strings.Contains(body, "MalformedXML") {
		t.Error(body)
	}
	if _, body := w.raw(t, "POST", "/box?delete", "<Delete><Object><Key>c</Key></Object></Delete>", map[string]string{"Content-Md5": "AAAAAAAAAAAAAAAAAAAAAA=="}); !strings.Contains(body, "BadDigest") {
		t.Error(body)
	}
	if got := w.keys(t, "box", &sdk.ListObjectsV2Input{}); got != "b c" {
		t.Errorf("there are %s", got)
	}
}

// [D] Objects have no tags, and say so.
func TestNoTags(t *testing.T) {
	w, ctx := newWorld(t, "us-east-1"), t.Context()
	w.bucket(t, "box", "a")
	out, err := w.GetObjectTagging(ctx, &sdk.GetObjectTaggingInput{Bucket: new("box"), Key: new("a")})
	must(t, err)
	if len(out.TagSet) != 0 {
		t.Errorf("got %+v", out)
	}
	_, err = w.GetObjectTagging(ctx, &sdk.GetObjectTaggingInput{Bucket: new("box"), Key: new("none")})
	wantError(t, err, "NoSuchKey", "")
	_, err = w.other.GetObjectTagging(ctx, &sdk.GetObjectTaggingInput{Bucket: new("box"), Key: new("a")})
	wantError(t, err, "AccessDenied", "")
}

// [D] A copy has the contents of its source, and its metadata unless others are given.
func TestCopy(t *testing.T) {
	w, ctx := newWorld(t, "us-east-1"), t.Context()
	w.bucket(t, "box")
	w.bucket(t, "other-box")
	_, err := w.PutObject(ctx, &sdk.PutObjectInput{Bucket: new("box"), Key: new("a b"), Body: strings.NewReader("text"), Metadata: map[string]string{"who": "me"}})
	must(t, err)
	out, err := w.CopyObject(ctx, &sdk.CopyObjectInput{Bucket: new("other-box"), Key: new("c"), CopySource: new("box/a%20b")})
	must(t, err)
	head, err := w.HeadObject(ctx, &sdk.HeadObjectInput{Bucket: new("other-box"), Key: new("c")})
	must(t, err)
	if w.get(t, "other-box", "c") != "text" || head.Metadata["who"] != "me" || *out.CopyObjectResult.ETag != *head.ETag {
		t.Errorf("got %+v", head)
	}
	in := &sdk.CopyObjectInput{Bucket: new("box"), Key: new("a b"), CopySource: new("/box/a%20b")}
	_, err = w.CopyObject(ctx, in)
	wantError(t, err, "InvalidRequest", "This copy request is illegal")
	in.MetadataDirective, in.ContentType = types.MetadataDirectiveReplace, new("text/plain")
	_, err = w.CopyObject(ctx, in)
	must(t, err)
	head, err = w.HeadObject(ctx, &sdk.HeadObjectInput{Bucket: new("box"), Key: new("a b")})
	must(t, err)
	if *head.ContentType != "text/plain" || head.Metadata["who"] != "" {
		t.Errorf("got %+v", head)
	}
	for source, code := range map[string]string{"box": "InvalidArgument", "box/none": "NoSuchKey", "none/a": "NoSuchBucket", "box/../x": "InvalidURI"} {
		_, err := w.CopyObject(ctx, &sdk.CopyObjectInput{Bucket: new("box"), Key: new("d"), CopySource: &source})
		wantError(t, err, code, "")
	}
	w.refuse.Store("s3:GetObject box/a b")
	_, err = w.CopyObject(ctx, &sdk.CopyObjectInput{Bucket: new("other-box"), Key: new("d"), CopySource: new("box/a%20b")})
	wantError(t, err, "AccessDenied", "s3:GetObject")
}

// [D] Presigned requests, and those whose bucket is in the host name.
func TestWaysToAsk(t *testing.T) {
	w, ctx := newWorld(t, "us-east-1"), t.Context()
	w.bucket(t, "box", "a/b c")
	url, err := sdk.NewPresignClient(w.Client).PresignGetObject(ctx, &sdk.GetObjectInput{Bucket: new("box"), Key: new("a/b c"), ResponseContentType: new("text/html")})
	must(t, err)
	for u, want := range map[string]int{url.URL: 200, strings.Replace(url.URL, "b%20c", "b%20d", 1): 403, w.url + "/box/a": 403} {
		resp, err := steady.Client().Get(u)
		must(t, err)
		if body := text(t, resp.Body); resp.StatusCode != want {
			t.Errorf("%d %s", resp.StatusCode, body)
		} else if want == 200 && (body != "a/b c" || resp.Header.Get("Content-Type") != "text/html" || resp.Header.Get("Content-Security-Policy") != "sandbox") {
			t.Errorf("got %q with %v", body, resp.Header)
		}
	}
	c := w.client("test", "us-east-1", w.url)
	out, err := c.GetObject(ctx, &sdk.GetObjectInput{Bucket: new("box"), Key: new("a/b c")}, func(o *sdk.Options) {
		o.UsePathStyle, o.BaseEndpoint = false, aws.String(strings.Replace(w.url, "127.0.0.1", "localhost", 1))
		o.HTTPClient = &http.Client{Transport: toLoopback{}}
	})
	must(t, err)
	if text(t, out.Body) != "a/b c" {
		t.Error("another object")
	}
}

// [O] What a presigned URL says in parameters x-amz-* counts as if headers said it: metadata, conditions, checksums, and what is not to be
// had is refused.
func TestPresignedHeaders(t *testing.T) {
	w, ctx := newWorld(t, "us-east-1"), t.Context()
	w.bucket(t, "box", "a")
	at := func(what string) string { return w.url + "/box/" + what }
	for _, c := range []struct {
		url, header, body string
		want              int
		says              string
	}{
		{at("b?x-amz-meta-color=blue&x-amz-meta-two-words=%C3%A9&x-amz-acl=private&X-Amz-Storage-Class=STANDARD"), "", "b", 200, ""},
		{at("c?x-amz-acl=public-read"), "", "c", 400, "AccessControlListNotSupported"},
		{at("c?x-amz-grant-read=id%3D1"), "", "c", 400, "AccessControlListNotSupported"},
		{at("c?x-amz-storage-class=GLACIER"), "", "c", 400, "InvalidStorageClass"},
		{at("c?x-amz-tagging=a%3Db"), "", "c", 501, "NotImplemented"},
		{at("c?x-amz-server-side-encryption=aws%3Akms"), "", "c", 501, "NotImplemented"},
		{at("c?x-amz-expected-bucket-owner=111111111111"), "", "c", 403, "AccessDenied"},
		{at("c?x-amz-checksum-crc32=AAAAAA%3D%3D"), "", "c", 400, "BadDigest"},
		{at("c?x-amz-meta-long=" + strings.Repeat("x", 2050)), "", "c", 400, "MetadataTooLarge"},
		{at("d?x-amz-copy-source=box%2Fa"), "", "", 200, "CopyObjectResult"},
		{at("e?x-amz-meta-color=blue"), "green", "e", 200, ""},
	} {
		r, err := http.NewRequestWithContext(ctx, http.MethodPut, c.url, nil)
		must(t, err)
		if c.header != "" {
			r.Header.Set("X-Amz-Meta-Color", c.header)
		}
		url, signed, err := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping, o.DisableHeaderHoisting = true, true }).
			PresignHTTP(ctx, aws.Credentials{AccessKeyID: "test", SecretAccessKey: "secret"}, withExpiry(r), "UNSIGNED-PAYLOAD", "s3", "us-east-1", time.Now())
		must(t, err)
		r, err = http.NewRequestWithContext(ctx, http.MethodPut, url, strings.NewReader(c.body))
		must(t, err)
		signed.Del("Host")
		r.Header = signed
		resp, err := steady.Client().Do(r)
		must(t, err)
		if body := text(t, resp.Body); resp.StatusCode != c.want || !strings.Contains(body, c.says) {
			t.Errorf("%s: %d %s", c.url, resp.StatusCode, body)
		}
	}
	for key, want := range map[string]map[string]string{"b": {"color": "blue", "two-words": "é"}, "d": {}, "e": {"color": "green"}} {
		out, err := w.HeadObject(ctx, &sdk.HeadObjectInput{Bucket: new("box"), Key: &key})
		must(t, err)
		if !maps.Equal(out.Metadata, want) {
			t.Errorf("%s has %v", key, out.Metadata)
		}
	}
	if w.get(t, "box", "d") != "a" {
		t.Error("d is no copy")
	}
	_, err := w.HeadObject(ctx, &sdk.HeadObjectInput{Bucket: new("box"), Key: new("c")})
	wantError(t, err, "NotFound", "")
}

// withExpiry says how long a presigned request is good for.
func withExpiry(r *http.Request) *http.Request {
	q := r.URL.Query()
	q.Set("X-Amz-Expires", "60")
	r.URL.RawQuery = q.Encode()
	return r
}

// The SDK puts metadata of a presigned upload there: it arrives.
func TestPresignedPut(t *testing.T) {
	w, ctx := newWorld(t, "us-east-1"), t.Context()
	w.bucket(t, "box")
	made, err := sdk.NewPresignClient(w.Client).PresignPutObject(ctx, &sdk.PutObjectInput{Bucket: new("box"), Key: new("k"), Metadata: map[string]string{"color": "blue"}})
	must(t, err)
	r, err := http.NewRequestWithContext(ctx, made.Method, made.URL, strings.NewReader("text"))
	must(t, err)
	made.SignedHeader.Del("Host")
	made.SignedHeader.Del("Content-Length")
	r.Header = made.SignedHeader
	resp, err := steady.Client().Do(r)
	must(t, err)
	if body := text(t, resp.Body); resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %s", made.URL, resp.StatusCode, body)
	}
	out, err := w.HeadObject(ctx, &sdk.HeadObjectInput{Bucket: new("box"), Key: new("k")})
	must(t, err)
	if out.Metadata["color"] != "blue" {
		t.Errorf("%s: the object has %v", made.URL, out.Metadata)
	}
}

// toLoopback sends requests for box.localhost, a name that not every machine knows.
type toLoopback struct{}

func (toLoopback) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.HasPrefix(r.URL.Host, "box.localhost:") {
		return nil, fmt.Errorf("sent to %s", r.URL.Host)
	}
	out := r.Clone(r.Context())
	out.Host, out.URL.Host = r.URL.Host, strings.Replace(r.URL.Host, "box.localhost", "127.0.0.1", 1)
	return steady.Client().Do(out)
}

// A body is stored as it comes, not kept in memory; one that breaks off leaves nothing.
func TestBodies(t *testing.T) {
	w, ctx := newWorld(t, "us-east-1"), t.Context()
	w.bucket(t, "box", "a")
	large := bytes.Repeat([]byte("0123456789abcdef"), 1<<18)
	_, err := w.PutObject(ctx, &sdk.PutObjectInput{Bucket: new("box"), Key: new("large"), Body: bytes.NewReader(large)})
	must(t, err)
	if w.get(t, "box", "large") != string(large) {
		t.Error("another object")
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, w.url+"/box/a", io.MultiReader(strings.NewReader("te"), broken{}))
	must(t, err)
	r.ContentLength = 4
	r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	must(t, signer.SignHTTP(ctx, aws.Credentials{AccessKeyID: "test", SecretAccessKey: "secret"}, r, "UNSIGNED-PAYLOAD", "s3", "us-east-1", w.now()))
	if resp, err := steady.Client().Do(r); err == nil {
		resp.Body.Close()
		t.Error("a body that broke off was answered")
	}
	if w.get(t, "box", "a") != "a" {
		t.Error("the object was changed")
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrClosedPipe }
