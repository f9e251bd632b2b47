package model

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
)

// Bucket is a bucket of S3. Its name is its own among all accounts. Writer: api/s3.
type Bucket struct {
	Scope
	Name      string `json:"name"`
	ID        string `json:"id"` // begins the keys of its objects' rows: a bucket that is made again has another
	CreatedAt Millis `json:"createdAt"`
	Policy    string `json:"policy,omitempty"` // as it was put, "" for none
}

// Key is the bucket's row key.
func (b *Bucket) Key() string { return b.Name }

// BucketARN is the Amazon resource name of a bucket, or with a key of an object in it.
func BucketARN(bucket, key string) string {
	if key == "" {
		return "arn:aws:s3:::" + bucket
	}
	return "arn:aws:s3:::" + bucket + "/" + key
}

// CanonicalID is how S3 names an account.
func CanonicalID(account string) string {
	sum := sha256.Sum256([]byte("roadstead canonical user " + account))
	return hex.EncodeToString(sum[:])
}

// Object is an object of S3. What it holds is in the object store, in one or several contents. Writer: api/s3.
type Object struct {
	Bucket     string     `json:"bucket"` // Bucket.ID
	Name       string     `json:"key"`
	Size       int64      `json:"size"`
	ETag       string     `json:"etag"` // without quotes
	ModifiedAt Millis     `json:"modifiedAt"`
	Contents   []Content  `json:"contents,omitempty"` // one after another; none if it is empty
	Meta       ObjectMeta `json:"meta"`
	Checksums  []Tag      `json:"checksums,omitempty"` // by algorithm as headers have it: "crc32"; base64
	// Composite says that the checksums are those of the checksums of its parts.
	Composite bool `json:"composite,omitempty"`
	// Upload is the id of the multipart upload that it was, "" for none: who completes that again is told that it is complete.
	Upload string `json:"upload,omitempty"`
}

// Content is a content of the object store that an object is made of.
type Content struct {
	Digest string `json:"digest"`
	Size   int64  `json:"size"`
}

// ObjectMeta is what a client says about an object when it makes it.
type ObjectMeta struct {
	Headers []Tag `json:"headers,omitempty"` // Content-Type and others, as they are answered
	User    []Tag `json:"user,omitempty"`    // x-amz-meta-NAME, by NAME
}

// Key is the object's row key: those of a bucket follow each other in the order in which S3 lists them.
func (o *Object) Key() string { return ObjectKey(o.Bucket, o.Name) }

// ObjectKey is the row key of an object; with a beginning of a key, or "", that of all objects that have it.
func ObjectKey(bucketID, key string) string { return bucketID + "/" + key }

// Upload is a multipart upload that is not complete. Writer: api/s3.
type Upload struct {
	Bucket    string     `json:"bucket"` // Bucket.ID
	Name      string     `json:"key"`    // of the object that it will be
	ID        string     `json:"id"`
	CreatedAt Millis     `json:"createdAt"`
	Meta      ObjectMeta `json:"meta"`
	Algorithm string     `json:"algorithm,omitempty"` // of the checksums of its parts, "" for none
	Full      bool       `json:"full,omitempty"`      // the object's checksum is that of all its bytes
}

// Key is the upload's row key.
func (u *Upload) Key() string { return u.Bucket + "/" + u.ID }

// UploadPart is a part of an upload. Writer: api/s3.
type UploadPart struct {
	Upload     string  `json:"upload"`
	Number     int     `json:"number"` // 1 to 10000
	ETag       string  `json:"etag"`
	ModifiedAt Millis  `json:"modifiedAt"`
	Content    Content `json:"content"`
	Checksums  []Tag   `json:"checksums,omitempty"`
}

// Key is the part's row key: those of an upload follow each other by number.
func (p *UploadPart) Key() string { return UploadPartKey(p.Upload, p.Number) }

// UploadPartKey is the row key of a part of an upload.
func UploadPartKey(upload string, number int) string {
	return upload + "/" + strconv.Itoa(100000+number)
}
