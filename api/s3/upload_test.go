package s3_test

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

const minPart = 5 << 20

// begun is an upload with the parts that were put so far.
type begun struct {
	*world
	id    *string
	parts []types.CompletedPart
}

func (w *world) begin(t *testing.T, key string, algorithm types.ChecksumAlgorithm) *begun {
	t.Helper()
	out, err := w.CreateMultipartUpload(t.Context(), &sdk.CreateMultipartUploadInput{
		Bucket: new("box"), Key: &key, ChecksumAlgorithm: algorithm, ContentType: new("text/plain"), Metadata: map[string]string{"who": "me"}})
	must(t, err)
	return &begun{world: w, id: out.UploadId}
}

func (u *begun) part(t *testing.T, key string, n int32, text []byte, algorithm types.ChecksumAlgorithm) {
	t.Helper()
	out, err := u.UploadPart(t.Context(), &sdk.UploadPartInput{Bucket: new("box"), Key: &key, UploadId: u.id, PartNumber: &n, Body: bytes.NewReader(text), ChecksumAlgorithm: algorithm})
	must(t, err)
	u.parts = append(u.parts, types.CompletedPart{PartNumber: &n, ETag: out.ETag, ChecksumCRC32: out.ChecksumCRC32, ChecksumCRC64NVME: out.ChecksumCRC64NVME, ChecksumSHA256: out.ChecksumSHA256})
}

func (u *begun) complete(t *testing.T, key string, parts ...types.CompletedPart) (*sdk.CompleteMultipartUploadOutput, error) {
	t.Helper()
	return u.CompleteMultipartUpload(t.Context(), &sdk.CompleteMultipartUploadInput{Bucket: new("box"), Key: &key, UploadId: u.id, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts}})
}

// [D] Parts become an object, whatever the order in which they came; it is read over their borders, and by part.
func TestUpload(t *testing.T) {
	w, ctx := newWorld(t, "us-east-1"), t.Context()
	w.bucket(t, "box", "a")
	first, second := bytes.Repeat([]byte("1"), minPart), []byte("second")
	for _, algorithm := range []types.ChecksumAlgorithm{types.ChecksumAlgorithmCrc32, types.ChecksumAlgorithmCrc64nvme, types.ChecksumAlgorithmSha256} {
		u := w.begin(t, "a", algorithm)
		u.part(t, "a", 7, []byte("lost"), algorithm)
		u.part(t, "a", 7, second, algorithm)
		u.part(t, "a", 2, first, algorithm)
		if w.get(t, "box", "a")[:1] == "l" {
			t.Error("a part is there before the upload is complete")
		}
		list, err := w.ListParts(ctx, &sdk.ListPartsInput{Bucket: new("box"), Key: new("a"), UploadId: u.id})
		must(t, err)
		if len(list.Parts) != 2 || *list.Parts[0].PartNumber != 2 || *list.Parts[1].Size != 6 || list.Parts[0].LastModified.After(time.Now()) {
			t.Errorf("got %+v", list.Parts)
		}
		out, err := u.complete(t, "a", u.parts[2], u.parts[1])
		must(t, err)
		one, two := md5.Sum(first), md5.Sum(second)
		if all := md5.Sum(append(one[:], two[:]...)); *out.ETag != `"`+hex.EncodeToString(all[:])+`-2"` {
			t.Errorf("got %s", *out.ETag)
		}
		get, err := w.GetObject(ctx, &sdk.GetObjectInput{Bucket: new("box"), Key: new("a"), ChecksumMode: types.ChecksumModeEnabled})
		must(t, err)
		if got := text(t, get.Body); got != string(first)+"second" || *get.ContentType != "text/plain" || get.Metadata["who"] != "me" || get.ChecksumType == "" {
			t.Errorf("%s: %d bytes, %+v", algorithm, len(got), get)
		}
		if _, err := u.complete(t, "a", u.parts[2]); err == nil {
			t.Error("it is completed twice")
		}
	}
	across, err := w.GetObject(ctx, &sdk.GetObjectInput{Bucket: new("box"), Key: new("a"), Range: aws.String(fmt.Sprintf("bytes=%d-%d", minPart-2, minPart+2))})
	must(t, err)
	if got := text(t, across.Body); got != "11sec" {
		t.Errorf("over the border: %q", got)
	}
	part, err := w.GetObject(ctx, &sdk.GetObjectInput{Bucket: new("box"), Key: new("a"), PartNumber: new(int32(2))})
	must(t, err)
	if got := text(t, part.Body); got != "second" || *part.PartsCount != 2 {
		t.Errorf("the second part: %q, %+v", got, part)
	}
	_, err = w.GetObject(ctx, &sdk.GetObjectInput{Bucket: new("box"), Key: new("a"), PartNumber: new(int32(3))})
	wantError(t, err, "InvalidPartNumber", "The requested partnumber is not satisfiable")
	if n := w.db.Snapshot().Uploads.Len() + w.db.Snapshot().UploadParts.Len(); n != 0 {
		t.Errorf("%d rows are left", n)
	}
}

// [D] What is no list of parts makes no object, and the upload goes on.
func TestUploadRefused(t *testing.T) {
	w, ctx := newWorld(t, "us-east-1"), t.Context()
	w.bucket(t, "box", "a")
	u := w.begin(t, "a", types.ChecksumAlgorithmCrc32)
	u.part(t, "a", 1, []byte("small"), types.ChecksumAlgorithmCrc32)
	u.part(t, "a", 2, []byte("last"), types.ChecksumAlgorithmCrc32)
	one, two := u.parts[0], u.parts[1]
	other, wrong := one, one
	other.ETag, wrong.ChecksumCRC32 = two.ETag, two.ChecksumCRC32
	for _, c := range []struct {
		parts []types.CompletedPart
		code  string
	}{
		{[]types.CompletedPart{one, two}, "EntityTooSmall"}, {[]types.CompletedPart{two, one}, "InvalidPartOrder"}, {[]types.CompletedPart{one, one}, "InvalidPartOrder"},
		{[]types.CompletedPart{other}, "InvalidPart"}, {[]types.CompletedPart{wrong}, "InvalidPart"}, {[]types.CompletedPart{{PartNumber: new(int32(3)), ETag: one.ETag}}, "InvalidPart"},
		{nil, "MalformedXML"},
	} {
		_, err := u.complete(t, "a", c.parts...)
		wantError(t, err, c.code, "")
	}
	_, err := u.UploadPart(ctx, &sdk.UploadPartInput{Bucket: new("box"), Key: new("a"), UploadId: u.id, PartNumber: new(int32(1)), Body: strings.NewReader("x"), ChecksumAlgorithm: types.ChecksumAlgorithmSha1})
	wantError(t, err, "InvalidRequest", "Checksum Type mismatch occurred, expected checksum Type: crc32, actual checksum Type: sha1")
	for _, n := range []int32{0, 10001, -1} {
		_, err := u.UploadPart(ctx, &sdk.UploadPartInput{Bucket: new("box"), Key: new("a"), UploadId: u.id, PartNumber: &n, Body: strings.NewReader("x")})
		wantError(t, err, "InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive")
	}
	_, err = u.CompleteMultipartUpload(ctx, &sdk.CompleteMultipartUploadInput{Bucket: new("box"), Key: new("a"), UploadId: u.id, IfNoneMatch: new("*"),
		MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{one}}})
	wantError(t, err, "PreconditionFailed", "")
	if _, err = u.complete(t, "b", one); err == nil {
		t.Error("the upload makes another object")
	}
	for _, id := range []string{"", "none", "../" + *u.id} {
		_, err := w.UploadPart(ctx, &sdk.UploadPartInput{Bucket: new("box"), Key: new("a"), UploadId: &id, PartNumber: new(int32(1)), Body: strings.NewReader("x")})
		if err == nil {
			t.Errorf("the upload %q is one", id)
		}
	}
	if w.get(t, "box", "a") != "a" {
		t.Error("the object was changed")
	}
	uploads, err := w.ListMultipartUploads(ctx, &sdk.ListMultipartUploadsInput{Bucket: new("box")})
	must(t, err)
	if len(uploads.Uploads) != 1 || *uploads.Uploads[0].UploadId != *u.id || *uploads.Uploads[0].Key != "a" {
		t.Errorf("got %+v", uploads)
	}
	theirs := &begun{world: &world{Client: w.other}, id: u.id}
	if _, err := theirs.complete(t, "a", one); err == nil {
		t.Error("another account completes it")
	}
	_, err = w.other.AbortMultipartUpload(ctx, &sdk.AbortMultipartUploadInput{Bucket: new("box"), Key: new("a"), UploadId: u.id})
	wantError(t, err, "AccessDenied", "")
	_, err = w.AbortMultipartUpload(ctx, &sdk.AbortMultipartUploadInput{Bucket: new("box"), Key: new("a"), UploadId: u.id})
	must(t, err)
	_, err = u.complete(t, "a", one)
	wantError(t, err, "NoSuchUpload", "The specified upload does not exist.")
	if n := w.db.Snapshot().UploadParts.Len(); n != 0 {
		t.Errorf("%d parts are left", n)
	}
}

// [D] Parts are made of other objects, and of ranges of them, over the borders of their own parts.
func TestUploadOfCopies(t *testing.T) {
	w, ctx := newWorld(t, "us-east-1"), t.Context()
	w.bucket(t, "box", "0123456789")
	u := w.begin(t, "a", "")
	u.part(t, "a", 1, bytes.Repeat([]byte("1"), minPart), "")
	u.part(t, "a", 2, []byte("second"), "")
	_, err := u.complete(t, "a", u.parts...)
	must(t, err)
	v := w.begin(t, "b", "")
	var parts []types.CompletedPart
	for i, c := range []struct{ from, span string }{{"box/a", ""}, {"box/a", fmt.Sprintf("bytes=%d-%d", minPart-1, minPart+1)}} {
		in := &sdk.UploadPartCopyInput{Bucket: new("box"), Key: new("b"), UploadId: v.id, PartNumber: new(int32(i + 1)), CopySource: &c.from}
		if c.span != "" {
			in.CopySourceRange = &c.span
		}
		out, err := w.UploadPartCopy(ctx, in)
		must(t, err)
		parts = append(parts, types.CompletedPart{PartNumber: in.PartNumber, ETag: out.CopyPartResult.ETag})
	}
	_, err = v.complete(t, "b", parts...)
	must(t, err)
	if got := w.get(t, "box", "b"); got[minPart-1:] != "1second1se" {
		t.Errorf("it ends with %q", got[minPart-1:])
	}
	_, err = w.UploadPartCopy(ctx, &sdk.UploadPartCopyInput{Bucket: new("box"), Key: new("b"), UploadId: v.id, PartNumber: new(int32(1)), CopySource: new("box/a")})
	wantError(t, err, "NoSuchUpload", "")
	_, err = w.DeleteObject(ctx, &sdk.DeleteObjectInput{Bucket: new("box"), Key: new("a")})
	must(t, err)
	if _, err := w.store.Sweep(ctx, func(d string) bool {
		for o := range w.db.Snapshot().Objects.All() {
			for _, c := range o.Contents {
				if c.Digest == d {
					return true
				}
			}
		}
		return false
	}, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if got := w.get(t, "box", "b"); len(got) != minPart+6+3 {
		t.Errorf("%d bytes are left", len(got))
	}
}
