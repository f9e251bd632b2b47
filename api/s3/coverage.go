package s3

import (
	"slices"
	"strings"
)

// operations are all that S3 has, to be counted. The SDK's client has them as its methods, and a test compares.
func operations() []string {
	return strings.Fields(`
		AbortMultipartUpload CompleteMultipartUpload CopyObject CreateBucket CreateBucketMetadataConfiguration
		CreateBucketMetadataTableConfiguration CreateMultipartUpload CreateSession DeleteBucket DeleteBucketAnalyticsConfiguration
		DeleteBucketCors DeleteBucketEncryption DeleteBucketIntelligentTieringConfiguration DeleteBucketInventoryConfiguration
		DeleteBucketLifecycle DeleteBucketMetadataConfiguration DeleteBucketMetadataTableConfiguration DeleteBucketMetricsConfiguration
		DeleteBucketOwnershipControls DeleteBucketPolicy DeleteBucketReplication DeleteBucketTagging DeleteBucketWebsite DeleteObject
		DeleteObjectAnnotation DeleteObjectTagging DeleteObjects DeletePublicAccessBlock GetBucketAbac GetBucketAccelerateConfiguration
		GetBucketAcl GetBucketAnalyticsConfiguration GetBucketCors GetBucketEncryption GetBucketIntelligentTieringConfiguration
		GetBucketInventoryConfiguration GetBucketLifecycleConfiguration GetBucketLocation GetBucketLogging
		GetBucketMetadataConfiguration GetBucketMetadataTableConfiguration GetBucketMetricsConfiguration
		GetBucketNotificationConfiguration GetBucketOwnershipControls GetBucketPolicy GetBucketPolicyStatus GetBucketReplication
		GetBucketRequestPayment GetBucketTagging GetBucketVersioning GetBucketWebsite GetObject GetObjectAcl GetObjectAnnotation
		GetObjectAttributes GetObjectLegalHold GetObjectLockConfiguration GetObjectRetention GetObjectTagging GetObjectTorrent
		GetPublicAccessBlock HeadBucket HeadObject ListBucketAnalyticsConfigurations ListBucketIntelligentTieringConfigurations
		ListBucketInventoryConfigurations ListBucketMetricsConfigurations ListBuckets ListDirectoryBuckets ListMultipartUploads
		ListObjectAnnotations ListObjectVersions ListObjects ListObjectsV2 ListParts PutBucketAbac PutBucketAccelerateConfiguration
		PutBucketAcl PutBucketAnalyticsConfiguration PutBucketCors PutBucketEncryption PutBucketIntelligentTieringConfiguration
		PutBucketInventoryConfiguration PutBucketLifecycleConfiguration PutBucketLogging PutBucketMetricsConfiguration
		PutBucketNotificationConfiguration PutBucketOwnershipControls PutBucketPolicy PutBucketReplication PutBucketRequestPayment
		PutBucketTagging PutBucketVersioning PutBucketWebsite PutObject PutObjectAcl PutObjectAnnotation PutObjectLegalHold
		PutObjectLockConfiguration PutObjectRetention PutObjectTagging PutPublicAccessBlock RenameObject RestoreObject
		SelectObjectContent UpdateBucketMetadataAnnotationTableConfiguration UpdateBucketMetadataInventoryTableConfiguration
		UpdateBucketMetadataJournalTableConfiguration UpdateObjectEncryption UploadPart UploadPartCopy WriteGetObjectResponse
	`)
}

// Name is the service's, as policies call it.
func (a *API) Name() string { return "s3" }

// Served returns the operations that are served, sorted.
func (a *API) Served() []string {
	out := []string{"CopyObject", "UploadPartCopy"} // PutObject and UploadPart with a header
	for _, h := range a.handlers {
		out = append(out, h.name)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Missing returns the operations that are not served, sorted.
func (a *API) Missing() []string {
	served := a.Served()
	return slices.DeleteFunc(operations(), func(op string) bool { return slices.Contains(served, op) })
}
