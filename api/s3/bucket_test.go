package s3_test

import (
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// [D] Buckets are made, told of, and deleted when they are empty; their names are one namespace.
func TestBuckets(t *testing.T) {
	w, ctx := newWorld(t, "eu-west-1"), t.Context()
	in := func(name, where string) *sdk.CreateBucketInput {
		return &sdk.CreateBucketInput{Bucket: &name, CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(where)}}
	}
	for _, c := range []struct{ name, where, code, text string }{
		{"first", "eu-west-1", "", ""},
		{"first", "eu-west-1", "BucketAlreadyOwnedByYou", "succeeded and you already own it"},
		{"third", "eu-central-1", "IllegalLocationConstraintException", "The eu-central-1 location constraint is incompatible"},
		{"ab", "eu-west-1", "InvalidBucketName", "The specified bucket is not valid."},
		{"Upper", "eu-west-1", "InvalidBucketName", ""},
		{"a..b", "eu-west-1", "InvalidBucketName", ""},
		{"10.0.0.1", "eu-west-1", "InvalidBucketName", ""},
		{strings.Repeat("a", 64), "eu-west-1", "InvalidBucketName", ""},
	} {
		_, err := w.CreateBucket(ctx, in(c.name, c.where))
		if c.code != "" {
			wantError(t, err, c.code, c.text)
		} else {
			must(t, err)
		}
	}
	_, err := w.CreateBucket(ctx, &sdk.CreateBucketInput{Bucket: new("fourth")})
	wantError(t, err, "IllegalLocationConstraintException", "The unspecified location constraint is incompatible")
	_, err = w.other.CreateBucket(ctx, in("first", "eu-west-1"))
	wantError(t, err, "BucketAlreadyExists", "The requested bucket name is not available.")
	_, err = w.other.CreateBucket(ctx, in("second", "eu-west-1"))
	must(t, err)

	list, err := w.ListBuckets(ctx, &sdk.ListBucketsInput{})
	must(t, err)
	if len(list.Buckets) != 1 || *list.Buckets[0].Name != "first" || list.Buckets[0].CreationDate == nil || *list.Owner.ID == "" {
		t.Errorf("got %+v", list)
	}
	head, err := w.HeadBucket(ctx, &sdk.HeadBucketInput{Bucket: new("first")})
	must(t, err)
	if *head.BucketRegion != "eu-west-1" {
		t.Errorf("got %+v", head)
	}
	where, err := w.GetBucketLocation(ctx, &sdk.GetBucketLocationInput{Bucket: new("first")})
	must(t, err)
	if where.LocationConstraint != "eu-west-1" {
		t.Errorf("got %+v", where)
	}
	w.put(t, "first", "a", "text")
	_, err = w.DeleteBucket(ctx, &sdk.DeleteBucketInput{Bucket: new("first")})
	wantError(t, err, "BucketNotEmpty", "The bucket you tried to delete is not empty")
	_, err = w.DeleteObject(ctx, &sdk.DeleteObjectInput{Bucket: new("first"), Key: new("a")})
	must(t, err)
	_, err = w.DeleteBucket(ctx, &sdk.DeleteBucketInput{Bucket: new("first")})
	must(t, err)
	_, err = w.DeleteBucket(ctx, &sdk.DeleteBucketInput{Bucket: new("first")})
	wantError(t, err, "NoSuchBucket", "The specified bucket does not exist")
	_, err = w.HeadBucket(ctx, &sdk.HeadBucketInput{Bucket: new("first")})
	wantError(t, err, "NotFound", "")
}

// [D] In us-east-1 alone, making a bucket again is no error, and a constraint is.
func TestBucketsOfTheFirstRegion(t *testing.T) {
	w, ctx := newWorld(t, "us-east-1"), t.Context()
	w.bucket(t, "first")
	w.bucket(t, "first")
	_, err := w.CreateBucket(ctx, &sdk.CreateBucketInput{Bucket: new("next"), CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: "us-east-1"}})
	if err == nil {
		t.Error("us-east-1 is a constraint")
	}
	where, err := w.GetBucketLocation(ctx, &sdk.GetBucketLocationInput{Bucket: new("first")})
	must(t, err)
	if where.LocationConstraint != "" {
		t.Errorf("got %+v", where)
	}
}

// [D] Another account, root user or not, neither sees nor changes anything of a bucket, by whatever operation.
func TestOtherAccounts(t *testing.T) {
	w, ctx := newWorld(t, "us-east-1"), t.Context()
	w.bucket(t, "mine", "a")
	w.bucket(t, "more", "a")
	b, k := new("mine"), new("a")
	calls := map[string]func(c *sdk.Client) error{
		"HeadBucket": func(c *sdk.Client) error { _, err := c.HeadBucket(ctx, &sdk.HeadBucketInput{Bucket: b}); return err },
		"DeleteBucket": func(c *sdk.Client) error {
			_, err := c.DeleteBucket(ctx, &sdk.DeleteBucketInput{Bucket: b})
			return err
		},
		"GetBucketLocation": func(c *sdk.Client) error {
			_, err := c.GetBucketLocation(ctx, &sdk.GetBucketLocationInput{Bucket: b})
			return err
		},
		"ListObjects": func(c *sdk.Client) error { _, err := c.ListObjects(ctx, &sdk.ListObjectsInput{Bucket: b}); return err },
		"ListObjectsV2": func(c *sdk.Client) error {
			_, err := c.ListObjectsV2(ctx, &sdk.ListObjectsV2Input{Bucket: b})
			return err
		},
		"GetObject": func(c *sdk.Client) error {
			_, err := c.GetObject(ctx, &sdk.GetObjectInput{Bucket: b, Key: k})
			return err
		},
		"HeadObject": func(c *sdk.Client) error {
			_, err := c.HeadObject(ctx, &sdk.HeadObjectInput{Bucket: b, Key: k})
			return err
		},
		"PutObject": func(c *sdk.Client) error {
			_, err := c.PutObject(ctx, &sdk.PutObjectInput{Bucket: b, Key: k})
			return err
		},
		"DeleteObject": func(c *sdk.Client) error {
			_, err := c.DeleteObject(ctx, &sdk.DeleteObjectInput{Bucket: b, Key: k})
			return err
		},
		"CopyObject": func(c *sdk.Client) error {
			_, err := c.CopyObject(ctx, &sdk.CopyObjectInput{Bucket: new("theirs"), Key: k, CopySource: new("mine/a")})
			return err
		},
	}
	_, err := w.other.CreateBucket(ctx, &sdk.CreateBucketInput{Bucket: new("theirs")})
	must(t, err)
	for name, call := range calls {
		err := call(w.other)
		if err == nil || !strings.Contains(err.Error(), "403") {
			t.Errorf("%s: %v", name, err)
		}
		if err := call(w.client("node", "us-east-1", w.url)); err == nil || !strings.Contains(err.Error(), "403") {
			t.Errorf("%s by a node: %v", name, err)
		}
	}
	out, err := w.other.DeleteObjects(ctx, &sdk.DeleteObjectsInput{Bucket: b, Delete: &types.Delete{Objects: []types.ObjectIdentifier{{Key: k}}}})
	if err == nil && (len(out.Deleted) != 0 || len(out.Errors) != 1 || *out.Errors[0].Code != "AccessDenied") {
		t.Errorf("got %+v", out)
	}
	_, err = w.GetObject(ctx, &sdk.GetObjectInput{Bucket: b, Key: k, ExpectedBucketOwner: new("111111111111")})
	wantError(t, err, "AccessDenied", "Access Denied")
	if w.get(t, "mine", "a") != "a" {
		t.Error("it was changed")
	}
}
