package s3_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/roadstead/roadstead/wire"
)

// policyOf is a bucket policy with one statement.
func policyOf(principal, action, resource string) string {
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":%s,"Action":%q,"Resource":%q}]}`, principal, action, resource)
}

const other = `{"AWS":"111111111111"}`

// [D] A bucket's policy is put, read as it was written, and deleted by its owner's account alone; with one, another account gets in.
func TestBucketPolicy(t *testing.T) {
	w := newWorld(t, "us-east-1")
	ctx, b := t.Context(), aws.String("box")
	w.bucket(t, "box", "k")
	_, err := w.GetBucketPolicy(ctx, &sdk.GetBucketPolicyInput{Bucket: b})
	wantError(t, err, "NoSuchBucketPolicy", "The bucket policy does not exist")
	_, err = w.other.GetObject(ctx, &sdk.GetObjectInput{Bucket: b, Key: aws.String("k")})
	wantError(t, err, "AccessDenied", "")
	text := policyOf(other, "s3:GetObject", "arn:aws:s3:::box/*")
	_, err = w.PutBucketPolicy(ctx, &sdk.PutBucketPolicyInput{Bucket: b, Policy: &text})
	must(t, err)
	got, err := w.GetBucketPolicy(ctx, &sdk.GetBucketPolicyInput{Bucket: b})
	must(t, err)
	if *got.Policy != text {
		t.Errorf("got %s", *got.Policy)
	}
	status, err := w.GetBucketPolicyStatus(ctx, &sdk.GetBucketPolicyStatusInput{Bucket: b})
	must(t, err)
	if *status.PolicyStatus.IsPublic {
		t.Error("one account is not the public")
	}
	if _, err = w.other.GetObject(ctx, &sdk.GetObjectInput{Bucket: b, Key: aws.String("k")}); err != nil {
		t.Error(err)
	}
	_, err = w.other.GetBucketPolicy(ctx, &sdk.GetBucketPolicyInput{Bucket: b}) // even if the policy allowed it
	wantError(t, err, "MethodNotAllowed", "The specified method is not allowed against this resource.")
	w.put(t, "box", "k", "still its owner's")
	_, err = w.DeleteBucketPolicy(ctx, &sdk.DeleteBucketPolicyInput{Bucket: b})
	must(t, err)
	_, err = w.DeleteBucketPolicy(ctx, &sdk.DeleteBucketPolicyInput{Bucket: b}) // none is no error [O]
	must(t, err)
	_, err = w.GetBucketPolicyStatus(ctx, &sdk.GetBucketPolicyStatusInput{Bucket: b})
	wantError(t, err, "NoSuchBucketPolicy", "")
}

// [O] What a policy must not be.
func TestBucketPolicyRefused(t *testing.T) {
	w := newWorld(t, "us-east-1")
	w.bucket(t, "box")
	for text, want := range map[string]string{
		"x":  "Policies must be valid JSON and the first byte must be '{'",
		"{}": "Syntax errors in policy.",
		policyOf(other, "s3:GetObject", "arn:aws:s3:::boxes/*"):                          "Policy has invalid resource",
		policyOf(other, "s3:GetObject", "*"):                                             "Policy has invalid resource",
		policyOf(`{"AWS":"somebody"}`, "s3:GetObject", "arn:aws:s3:::box/*"):             "Invalid principal in policy",
		`{"Statement":{"Effect":"Deny","Principal":"*","Action":"s3:GetObject"}}`:        "Missing required field Resource",
		policyOf(other, "s3:GetObject", "arn:aws:s3:::box/"+strings.Repeat("k", 20<<10)): "Policy exceeds the maximum allowed document size.",
	} {
		_, err := w.PutBucketPolicy(t.Context(), &sdk.PutBucketPolicyInput{Bucket: aws.String("box"), Policy: &text})
		wantError(t, err, "MalformedPolicy", want)
	}
	everybody := policyOf(`"*"`, "s3:GetObject", "arn:aws:s3:::box/*")
	_, err := w.PutBucketPolicy(t.Context(), &sdk.PutBucketPolicyInput{Bucket: aws.String("box"), Policy: &everybody})
	wantError(t, err, "AccessDenied", "public policies are prevented by the BlockPublicPolicy setting")
	nobody := strings.Replace(everybody, "Allow", "Deny", 1)
	_, err = w.PutBucketPolicy(t.Context(), &sdk.PutBucketPolicyInput{Bucket: aws.String("box"), Policy: &nobody})
	must(t, err)
}

// [I] Completing an upload again, for whoever was not told that it is complete, is no error; another list of parts is, and so is it when
// the object is another by then.
func TestCompleteAgain(t *testing.T) {
	w := newWorld(t, "us-east-1")
	w.bucket(t, "box")
	ctx, b, k := t.Context(), aws.String("box"), aws.String("k")
	u, err := w.CreateMultipartUpload(ctx, &sdk.CreateMultipartUploadInput{Bucket: b, Key: k})
	must(t, err)
	p, err := w.UploadPart(ctx, &sdk.UploadPartInput{Bucket: b, Key: k, UploadId: u.UploadId, PartNumber: aws.Int32(1), Body: strings.NewReader("hello")})
	must(t, err)
	in := &sdk.CompleteMultipartUploadInput{Bucket: b, Key: k, UploadId: u.UploadId, MultipartUpload: &types.CompletedMultipartUpload{
		Parts: []types.CompletedPart{{PartNumber: aws.Int32(1), ETag: p.ETag}}}, IfNoneMatch: aws.String("*")}
	first, err := w.CompleteMultipartUpload(ctx, in)
	must(t, err)
	again, err := w.CompleteMultipartUpload(ctx, in)
	must(t, err)
	if *again.ETag != *first.ETag {
		t.Errorf("%s and then %s", *first.ETag, *again.ETag)
	}
	wrong := *in
	wrong.MultipartUpload = &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{PartNumber: aws.Int32(1), ETag: aws.String("00")}}}
	_, err = w.CompleteMultipartUpload(ctx, &wrong)
	wantError(t, err, "NoSuchUpload", "")
	w.put(t, "box", "k", "another")
	_, err = w.CompleteMultipartUpload(ctx, in)
	wantError(t, err, "NoSuchUpload", "")
}

// [I] A refusal has none of the headers of the answer that it is instead of: its length, above all.
func TestRefusalsHaveTheirOwnHeaders(t *testing.T) {
	w := newWorld(t, "us-east-1")
	w.bucket(t, "box", "a key that is longer than the words of an error, so that whoever waits for as many bytes as the object has waits for long, and is not told what is the matter with it: "+
		strings.Repeat("x", 500))
	keys, err := w.ListObjectsV2(t.Context(), &sdk.ListObjectsV2Input{Bucket: aws.String("box")})
	must(t, err)
	must(t, filepath.WalkDir(w.dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			err = os.Remove(path) // a disk that has lost what it kept
		}
		return err
	}))
	_, err = w.GetObject(t.Context(), &sdk.GetObjectInput{Bucket: aws.String("box"), Key: keys.Contents[0].Key})
	wantError(t, err, "InternalError", "We encountered an internal error. Please try again.")
	var answer *awshttp.ResponseError
	if !errors.As(err, &answer) || answer.Response.Header.Get("Etag") != "" || answer.Response.StatusCode != http.StatusInternalServerError {
		t.Errorf("%v", err)
	}
}

// [D] Buckets come in pages.
func TestBucketPages(t *testing.T) {
	w := newWorld(t, "us-east-1")
	for _, name := range []string{"one", "three", "two"} {
		w.bucket(t, name)
	}
	var got []string
	for pages := sdk.NewListBucketsPaginator(w, &sdk.ListBucketsInput{MaxBuckets: aws.Int32(2), BucketRegion: aws.String("us-east-1")}); pages.HasMorePages(); {
		page, err := pages.NextPage(t.Context())
		must(t, err)
		names := ""
		for _, b := range page.Buckets {
			names += *b.Name + " "
		}
		got = append(got, names)
	}
	if fmt.Sprint(got) != "[one three  two ]" {
		t.Errorf("%q", got)
	}
	elsewhere, err := w.ListBuckets(t.Context(), &sdk.ListBucketsInput{BucketRegion: aws.String("eu-west-1")})
	must(t, err)
	if len(elsewhere.Buckets) != 0 {
		t.Errorf("%v", elsewhere.Buckets)
	}
	_, err = w.ListBuckets(t.Context(), &sdk.ListBucketsInput{MaxBuckets: aws.Int32(10001)})
	wantError(t, err, "InvalidArgument", "max-buckets")
}

// A refusal by policies brings along the message that says more of it (docs/decisions/038).
func TestRefusalsAreExplained(t *testing.T) {
	w := newWorld(t, "us-east-1")
	w.bucket(t, "box", "k")
	w.refuse.Store("s3:GetObject box/k")
	_, err := w.GetObject(t.Context(), &sdk.GetObjectInput{Bucket: aws.String("box"), Key: aws.String("k")})
	wantError(t, err, "AccessDenied", "")
	var answer *awshttp.ResponseError
	if !errors.As(err, &answer) || answer.Response.Header.Get(wire.EncodedHeader) != "why" {
		t.Errorf("no message beside %v", err)
	}
}

// [D] Of a copy from one account's bucket to another's, each header says whose its own bucket has to be.
func TestExpectedOwners(t *testing.T) {
	w := newWorld(t, "us-east-1")
	w.bucket(t, "box", "k")
	text := policyOf(other, "s3:GetObject", "arn:aws:s3:::box/*")
	_, err := w.PutBucketPolicy(t.Context(), &sdk.PutBucketPolicyInput{Bucket: aws.String("box"), Policy: &text})
	must(t, err)
	_, err = w.other.CreateBucket(t.Context(), &sdk.CreateBucketInput{Bucket: aws.String("theirs")})
	must(t, err)
	for _, c := range []struct {
		bucket, source string
		ok             bool
	}{{"111111111111", "000000000000", true}, {"000000000000", "000000000000", false}, {"111111111111", "111111111111", false}} {
		_, err := w.other.CopyObject(t.Context(), &sdk.CopyObjectInput{
			Bucket: aws.String("theirs"), Key: aws.String("k"), CopySource: aws.String("box/k"), ExpectedBucketOwner: &c.bucket, ExpectedSourceBucketOwner: &c.source,
		})
		if c.ok {
			must(t, err)
		} else {
			wantError(t, err, "AccessDenied", "")
		}
	}
}
