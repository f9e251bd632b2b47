package policy

// S3: unlike other services, what its operations are authorised as is mostly not their name, so these rows are its actions. Their
// resources have neither account nor Region [D].
const (
	onBucket = "{bucket}"
	onObject = "{bucket}/{key}"
)

func s3Rows() []row {
	rows := []row{
		{"ListAllMyBuckets", "", ""},
		{"ListBucket", onBucket, "s3:prefix s3:delimiter s3:max-keys"},
		{"CreateBucket", onBucket, "s3:locationconstraint"},
	}
	for _, name := range []string{
		"DeleteBucket", "DeleteBucketPolicy", "GetBucketLocation", "GetBucketPolicy", "GetBucketPolicyStatus", "ListBucketMultipartUploads", "PutBucketPolicy",
	} {
		rows = append(rows, row{name, onBucket, ""})
	}
	for _, name := range []string{"AbortMultipartUpload", "DeleteObject", "GetObject", "GetObjectTagging", "ListMultipartUploadParts", "PutObject"} {
		rows = append(rows, row{name, onObject, ""})
	}
	return rows
}
