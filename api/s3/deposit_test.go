package s3_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/roadstead/roadstead/model"
)

// What another service puts is an object like others; only into buckets of the account.
func TestDeposit(t *testing.T) {
	w, ctx := newWorld(t, "us-east-1"), t.Context()
	w.bucket(t, "box")
	mine, theirs := model.Scope{Account: "000000000000", Region: "us-east-1"}, model.Scope{Account: "111111111111", Region: "us-east-1"}
	must(t, w.api.Deposit(ctx, mine, "box", "a/b", []byte("text")))
	if got := w.get(t, "box", "a/b"); got != "text" {
		t.Errorf("got %q", got)
	}
	must(t, w.api.Deposit(ctx, mine, "box", "a/b", nil))
	head, err := w.HeadObject(ctx, &sdk.HeadObjectInput{Bucket: aws.String("box"), Key: aws.String("a/b")})
	must(t, err)
	if *head.ContentLength != 0 || *head.ETag != `"d41d8cd98f00b204e9800998ecf8427e"` || head.LastModified == nil {
		t.Errorf("got %+v", head)
	}
	for code, err := range map[string]error{
		"NoSuchBucket":    w.api.Deposit(ctx, mine, "none", "a", nil),
		"AccessDenied":    w.api.Deposit(ctx, theirs, "box", "a", nil),
		"KeyTooLongError": w.api.Deposit(ctx, mine, "box", strings.Repeat("k", 1025), nil),
	} {
		if model.ErrorCode(err) != code {
			t.Errorf("got %v, want %s", err, code)
		}
	}
}
