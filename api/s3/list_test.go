package s3_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
)

// keys are those of all pages of a list, and common prefixes, in the order of the answers.
func (w *world) keys(t *testing.T, bucket string, in *sdk.ListObjectsV2Input) string {
	t.Helper()
	var all []string
	in.Bucket = &bucket
	for {
		out, err := w.ListObjectsV2(t.Context(), in)
		must(t, err)
		if n := len(out.Contents) + len(out.CommonPrefixes); n != int(*out.KeyCount) || in.MaxKeys != nil && n > int(*in.MaxKeys) {
			t.Errorf("%d entries, %d announced", n, *out.KeyCount)
		}
		var page []string
		for _, o := range out.Contents {
			page = append(page, *o.Key)
		}
		for _, p := range out.CommonPrefixes {
			page = append(page, *p.Prefix)
		}
		slices.Sort(page)
		all = append(all, page...)
		if !*out.IsTruncated {
			return strings.Join(all, " ")
		}
		in.ContinuationToken = out.NextContinuationToken
	}
}

// [D] Lists by prefix, with delimiters, from a key on, in the order of keys.
func TestList(t *testing.T) {
	w := newWorld(t, "us-east-1")
	w.bucket(t, "box", "a", "a/1", "a/2", "a/b/1", "b", "c/1", "c0", "ü/1", "ü")
	w.bucket(t, "box-2", "z")
	for _, c := range []struct{ prefix, delimiter, after, want string }{
		{"", "", "", "a a/1 a/2 a/b/1 b c/1 c0 ü ü/1"},
		{"", "/", "", "a a/ b c/ c0 ü ü/"},
		{"a/", "/", "", "a/1 a/2 a/b/"},
		{"a", "", "", "a a/1 a/2 a/b/1"},
		{"", "", "a/2", "a/b/1 b c/1 c0 ü ü/1"},
		{"", "/", "b", "c/ c0 ü ü/"},
		{"x", "", "", ""},
		{"", "1", "", "a a/1 a/2 a/b/1 b c/1 c0 ü ü/1"},
	} {
		for _, size := range []int32{1, 2, 3, 1000} {
			in := &sdk.ListObjectsV2Input{Prefix: &c.prefix, Delimiter: &c.delimiter, StartAfter: &c.after, MaxKeys: &size}
			if got := w.keys(t, "box", in); got != c.want {
				t.Errorf("%+v by %d: %s", c, size, got)
			}
		}
	}
	_, err := w.ListObjectsV2(t.Context(), &sdk.ListObjectsV2Input{Bucket: new("box"), ContinuationToken: new("!")})
	wantError(t, err, "InvalidArgument", "The continuation token provided is incorrect")
	_, err = w.ListObjectsV2(t.Context(), &sdk.ListObjectsV2Input{Bucket: new("box"), MaxKeys: new(int32(-1))})
	wantError(t, err, "InvalidArgument", "Provided max-keys not an integer or within integer range")
}

// [D] The older way to list says where to go on by markers.
func TestListByMarker(t *testing.T) {
	w := newWorld(t, "us-east-1")
	w.bucket(t, "box", "a/1", "a/2", "b", "c/1")
	var got []string
	in := &sdk.ListObjectsInput{Bucket: new("box"), Delimiter: new("/"), MaxKeys: new(int32(1))}
	for range 5 {
		out, err := w.ListObjects(t.Context(), in)
		must(t, err)
		for _, o := range out.Contents {
			got = append(got, *o.Key)
		}
		for _, p := range out.CommonPrefixes {
			got = append(got, *p.Prefix)
		}
		if !*out.IsTruncated {
			break
		}
		in.Marker = out.NextMarker
	}
	if strings.Join(got, " ") != "a/ b c/" {
		t.Errorf("got %v", got)
	}
}

// Whatever the pages, a list has each key or common prefix once.
func TestListProperty(t *testing.T) {
	w := newWorld(t, "us-east-1")
	w.bucket(t, "box")
	r := rand.New(rand.NewPCG(1, 2))
	keys := map[string]bool{}
	for range 60 {
		var b strings.Builder
		for range 1 + r.IntN(5) {
			b.WriteByte("ab/"[r.IntN(3)])
		}
		keys[b.String()] = true
		w.put(t, "box", b.String(), "")
	}
	for range 40 {
		prefix, delimiter := []string{"", "a", "a/", "/", "b//"}[r.IntN(5)], []string{"", "/", "b", "a/"}[r.IntN(4)]
		want := map[string]bool{}
		for k := range keys {
			rest, ok := strings.CutPrefix(k, prefix)
			if i := strings.Index(rest, delimiter); delimiter != "" && i >= 0 {
				k = prefix + rest[:i] + delimiter
			}
			if ok {
				want[k] = true
			}
		}
		var sorted []string
		for k := range want {
			sorted = append(sorted, k)
		}
		slices.Sort(sorted)
		size := int32(1 + r.IntN(7))
		if got := w.keys(t, "box", &sdk.ListObjectsV2Input{Prefix: &prefix, Delimiter: &delimiter, MaxKeys: aws.Int32(size)}); got != strings.Join(sorted, " ") {
			t.Errorf("%q %q by %d: %s, want %v", prefix, delimiter, size, got, sorted)
		}
	}
}
