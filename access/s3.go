package access

import "github.com/roadstead/roadstead/model"

// s3Targets is the bucket that a request names, or the object in it. The bucket's ARN does not say whose it is: its row does. One
// that is not there is its caller's, so that policies decide who is told that.
func (d *decider) s3Targets() []target {
	if len(d.op.Resources) == 0 {
		return d.plain(nil)
	}
	bucket := d.one("bucket")
	t := target{arn: model.BucketARN(bucket, d.one("key")), owner: d.Principal.Account}
	if row, ok := d.tables.Buckets.Get(bucket); ok {
		t.owner = row.Account
	}
	return []target{t}
}
