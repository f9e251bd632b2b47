package access

import (
	"strings"

	"github.com/roadstead/roadstead/model"
)

// s3Targets is the bucket that a request names, or the object in it. The bucket's ARN does not say whose it is: its row does. One
// that is not there is its caller's, so that policies decide who is told that.
func (d *decider) s3Targets() []target {
	if len(d.op.Resources) == 0 {
		return d.plain(nil)
	}
	bucket := d.one("bucket")
	t := target{arn: model.BucketARN(bucket, d.one("key")), owner: d.Principal.Account}
	if row, ok := d.tables.Buckets.Get(bucket); ok && d.op.Name != "CreateBucket" { // who wants to make it is told that it is there
		t.owner = row.Account
	}
	return []target{t}
}

// bucketPolicy is the policy that counts for a bucket or an object in it, "" for none. The root user of its owner's account can always read,
// replace and delete it [D]: nobody locks himself out.
func (d *decider) bucketPolicy(a model.ARN) string {
	name, _, _ := strings.Cut(a.Tail, "/")
	row, ok := d.tables.Buckets.Get(name)
	if !ok || d.op.Name == "CreateBucket" {
		return ""
	}
	switch d.op.Name {
	case "GetBucketPolicy", "PutBucketPolicy", "DeleteBucketPolicy":
		if d.Principal.Kind == model.KeyRoot && d.Principal.Account == row.Account {
			return ""
		}
	}
	return row.Policy
}
