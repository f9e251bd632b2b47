package client

import (
	"context"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// GetObject reads an object of S3, one of at most 64 MiB. A refusal is a *model.Error.
func (c *Client) GetObject(ctx context.Context, bucket, key string) ([]byte, error) {
	var out object
	path := (&url.URL{Path: "/" + bucket + "/" + key}).EscapedPath()
	if err := c.retry(ctx, call{"s3", http.MethodGet, path, http.Header{}, nil}, &out); err != nil {
		return nil, fmt.Errorf("get object %s: %w", key, err)
	}
	return out, nil
}

// PutObject writes an object of S3, whose bytes are in memory. A refusal is a *model.Error.
func (c *Client) PutObject(ctx context.Context, bucket, key string, body []byte) error {
	path := (&url.URL{Path: "/" + bucket + "/" + key}).EscapedPath()
	if err := c.retry(ctx, call{"s3", http.MethodPut, path, http.Header{}, body}, nil); err != nil {
		return fmt.Errorf("put object %s: %w", key, err)
	}
	return nil
}

// BucketEncrypted fails unless a bucket of S3 has a configuration of encryption, and the caller may see it.
func (c *Client) BucketEncrypted(ctx context.Context, bucket string) error {
	var out object
	path := (&url.URL{Path: "/" + bucket}).EscapedPath() + "?encryption="
	if err := c.retry(ctx, call{"s3", http.MethodGet, path, http.Header{}, nil}, &out); err != nil {
		return fmt.Errorf("get the encryption of bucket %s: %w", bucket, err)
	}
	return nil
}

// object is an answer that is taken as it is.
type object []byte

// signedForS3 says what is other with S3: the path is escaped once, and a header says what the body is.
func signedForS3(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }

// xmlError reads the answer of a service that speaks XML.
func xmlError(body []byte) (code, message string) {
	var e struct {
		XMLName       xml.Name `xml:"Error"`
		Code, Message string
	}
	if xml.Unmarshal(body, &e) != nil {
		return "", ""
	}
	return e.Code, e.Message
}
