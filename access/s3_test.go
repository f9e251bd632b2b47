package access_test

import (
	"strings"
	"testing"

	"github.com/roadstead/roadstead/access"
	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// [D] A bucket's policy counts for whoever is of another account, for users, roles and the root user of its own if it denies, and never keeps
// that root user from the policy itself.
func TestBucketPolicies(t *testing.T) {
	const text = `{"Version":"2012-10-17","Statement":[
	 {"Effect":"Allow","Principal":{"AWS":"444455556666"},"Action":["s3:GetObject","s3:GetBucketPolicy"],"Resource":["arn:aws:s3:::box","arn:aws:s3:::box/open/*"]},
	 {"Effect":"Deny","Principal":"*","Action":["s3:DeleteObject","s3:PutBucketPolicy","s3:GetBucketLocation"],"Resource":["arn:aws:s3:::box","arn:aws:s3:::box/*"]}]}`
	tb := tables(t, func(tx *state.Tx) {
		tx.Buckets.Put(&model.Bucket{Scope: model.Scope{Account: account, Region: "us-east-1"}, Name: "box", ID: "1", Policy: text})
		tx.Buckets.Put(&model.Bucket{Scope: model.Scope{Account: account, Region: "us-east-1"}, Name: "bare", ID: "2"})
	})
	for _, c := range []struct {
		of, action, bucket, key string
		refused                 string // "" if allowed
	}{
		{account, "GetObject", "box", "k", ""},
		{account, "DeleteObject", "box", "k", "with an explicit deny in a resource-based policy"},
		{account, "GetBucketLocation", "box", "", "explicit deny"},
		{account, "PutBucketPolicy", "box", "", ""},
		{account, "DeleteObject", "bare", "k", ""},
		{"444455556666", "GetObject", "box", "open/k", ""},
		{"444455556666", "GetObject", "box", "k", "because no resource-based policy allows the s3:GetObject action"},
		{"444455556666", "PutObject", "box", "open/k", "no resource-based policy allows"},
		{"444455556666", "GetObject", "bare", "k", "no resource-based policy allows"},
		{"444455556666", "PutBucketPolicy", "box", "", "explicit deny"},
		{"444455556666", "GetBucketPolicy", "box", "", ""},
		{"444455556666", "CreateBucket", "box", "", ""}, // he is told that there is one
		{"444455556666", "GetObject", "none", "k", ""},  // and here, that there is none
		{"777788889999", "GetObject", "box", "open/k", "no resource-based policy allows"},
	} {
		p := auth.NewPrincipal(model.AccessKey{Account: c.of, Kind: model.KeyRoot}, "us-east-1", "s3")
		a := &access.Access{}
		err := a.Authorize(tb, &access.Call{Principal: p, Service: "s3", Operation: c.action, Input: &struct{ Bucket, Key string }{c.bucket, c.key}, Now: now})
		if c.refused == "" && err != nil || c.refused != "" && (model.ErrorCode(err) != "AccessDeniedException" || !strings.Contains(err.Error(), c.refused)) {
			t.Errorf("%s %s %s/%s: got %v, want %q", c.of, c.action, c.bucket, c.key, err, c.refused)
		}
	}
}

// [D] That a bucket's policy locks nobody out is for the root user of its owner's account, and for no other user of it.
func TestBucketPoliciesLockUsersOut(t *testing.T) {
	u := &model.User{Identity: identity("ann", "AIDAANN", allow(`"s3:*"`, `"Resource":"*"`))}
	const text = `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"s3:*BucketPolicy","Resource":"arn:aws:s3:::box"}}`
	tb := tables(t, func(tx *state.Tx) {
		tx.Users.Put(u)
		tx.Buckets.Put(&model.Bucket{Scope: model.Scope{Account: account, Region: "us-east-1"}, Name: "box", ID: "1", Policy: text})
	})
	for _, action := range []string{"GetBucketPolicy", "PutBucketPolicy", "DeleteBucketPolicy"} {
		a := &access.Access{}
		err := a.Authorize(tb, &access.Call{Principal: userKey(u), Service: "s3", Operation: action, Input: &struct{ Bucket, Key string }{"box", ""}, Now: now})
		if model.ErrorCode(err) != "AccessDeniedException" || !strings.Contains(err.Error(), "with an explicit deny in a resource-based policy") {
			t.Errorf("%s: %v", action, err)
		}
	}
}
