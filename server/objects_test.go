package server_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	s3sdk "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/roadstead/roadstead/server"
	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/test/steady"
)

// objectsOf is S3 at a server, with somebody's credentials.
func objectsOf(s *server.Server, who aws.CredentialsProvider) *s3sdk.Client {
	return s3sdk.New(s3sdk.Options{Region: "us-east-1", BaseEndpoint: aws.String(s.URL()), Credentials: who, RetryMaxAttempts: 1,
		HTTPClient: steady.Client(), UsePathStyle: true, RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported})
}

func rootKey() aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "root", SecretAccessKey: "secret"}, nil
	})
}

func readObject(t *testing.T, c *s3sdk.Client, bucket, key string) (string, error) {
	t.Helper()
	out, err := c.GetObject(t.Context(), &s3sdk.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return "", err
	}
	defer out.Body.Close()
	b, err := io.ReadAll(out.Body)
	return string(b), err
}

// What was acknowledged is read from the next leader, whichever member took it; one that has no majority takes nothing. Keys reach
// the leader as they are, also those that a mux would tidy up.
func TestObjectsSurviveTheirLeader(t *testing.T) {
	store := state.NewMemory()
	first, stopFirst := open(t, server.Config{Backend: store.Member(), InitialCluster: "a,b,c"})
	within(t, "a leader", func() bool { return first.DB().Leading() })
	second, stopSecond := open(t, server.Config{Backend: store.Member(), InitialCluster: "a,b,c"})
	await(t, dial(t, first, "root", "secret"), []string{first.URL(), second.URL()})

	atFirst, atSecond := objectsOf(first, rootKey()), objectsOf(second, rootKey())
	_, err := atSecond.CreateBucket(t.Context(), &s3sdk.CreateBucketInput{Bucket: new("box")})
	ok(t, err)
	keys := []string{"a.env", "v2//a//b/../ü c+d", "roadstead/v1/reset"}
	for i, key := range keys {
		_, err := []*s3sdk.Client{atFirst, atSecond}[i%2].PutObject(t.Context(), &s3sdk.PutObjectInput{Bucket: new("box"), Key: &key, Body: strings.NewReader(key)})
		ok(t, err)
	}
	if got, err := readObject(t, atSecond, "box", keys[1]); got != keys[1] {
		t.Errorf("through a member that does not lead: %q, %v", got, err)
	}
	stopFirst()
	within(t, "another leader", func() bool { return second.DB().Leading() })
	for _, key := range keys {
		if got, err := readObject(t, atSecond, "box", key); got != key {
			t.Errorf("%s: %q, %v", key, got, err)
		}
	}
	_, err = atSecond.PutObject(t.Context(), &s3sdk.PutObjectInput{Bucket: new("box"), Key: new("b.env"), Body: strings.NewReader("text")})
	refused(t, err, "InternalError", "We encountered an internal error. Please try again.")
	if _, err := readObject(t, atSecond, "box", "b.env"); err == nil {
		t.Error("what was not acknowledged is there")
	}
	stopSecond()
}

// Contents are read by members alone.
func TestContentsAreForMembers(t *testing.T) {
	s, _ := open(t, server.Config{})
	for _, path := range []string{"/roadstead/v1/objects/" + strings.Repeat("a", 64), "/roadstead/v1/objects/..%2f..%2fseal.key"} {
		resp, err := steady.Client().Get(s.URL() + path)
		ok(t, err)
		resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%s unsigned: %s", path, resp.Status)
		}
		if err := dial(t, s, "root", "secret").Do(t.Context(), "GET", path, nil, nil); err == nil {
			t.Errorf("%s is there", path)
		}
	}
}

// [D] Policies decide about objects, by bucket and key, and about lists by their prefix; whoever may only read is not told what there is.
func TestObjectsAskPolicies(t *testing.T) {
	s, _ := open(t, server.Config{})
	root := objectsOf(s, rootKey())
	_, err := root.CreateBucket(t.Context(), &s3sdk.CreateBucketInput{Bucket: new("box")})
	ok(t, err)
	for _, key := range []string{"app/a.env", "other/a.env"} {
		_, err := root.PutObject(t.Context(), &s3sdk.PutObjectInput{Bucket: new("box"), Key: &key, Body: strings.NewReader(key)})
		ok(t, err)
	}
	reader := user(t, s, as(s, "root", "secret", ""), "reader", document(
		statement("Allow", "s3:GetObject s3:PutObject", "arn:aws:s3:::box/app/*", ""),
		statement("Allow", "s3:ListBucket", "arn:aws:s3:::box", `{"StringLike":{"s3:prefix":"app/*"}}`)))
	c := objectsOf(s, reader.iam.Options().Credentials)
	if got, err := readObject(t, c, "box", "app/a.env"); got != "app/a.env" {
		t.Errorf("read %q, %v", got, err)
	}
	for _, key := range []string{"other/a.env", "app/../other/a.env", "application", "app"} {
		_, err := readObject(t, c, "box", key)
		if key == "app/../other/a.env" { // a name like any other
			refused(t, err, "NoSuchKey", "")
			continue
		}
		refused(t, err, "AccessDenied", "is not authorized to perform: s3:GetObject on resource: ")
	}
	_, err = c.ListObjectsV2(t.Context(), &s3sdk.ListObjectsV2Input{Bucket: new("box"), Prefix: new("app/")})
	ok(t, err)
	_, err = c.ListObjectsV2(t.Context(), &s3sdk.ListObjectsV2Input{Bucket: new("box")})
	refused(t, err, "AccessDenied", "s3:ListBucket")
	_, err = c.DeleteObject(t.Context(), &s3sdk.DeleteObjectInput{Bucket: new("box"), Key: new("app/a.env")})
	refused(t, err, "AccessDenied", "s3:DeleteObject")
	_, err = c.CopyObject(t.Context(), &s3sdk.CopyObjectInput{Bucket: new("box"), Key: new("app/b.env"), CopySource: new("box/other/a.env")})
	refused(t, err, "AccessDenied", "s3:GetObject")
	_, err = c.ListBuckets(t.Context(), &s3sdk.ListBucketsInput{})
	refused(t, err, "AccessDenied", "s3:ListAllMyBuckets")
	_, err = c.CreateBucket(t.Context(), &s3sdk.CreateBucketInput{Bucket: new("box-2")})
	refused(t, err, "AccessDenied", "s3:CreateBucket")
}
