package s3

import (
	"io"
	"net/http"
	"slices"
	"strings"
)

// routes are the operations that are served: by method, what the path names (nothing, a Bucket, or a Key in one), and the parameter
// that says which operation is meant.
func (a *API) routes() map[string]handler {
	const listing = "prefix delimiter max-keys encoding-type "
	const answer = "response-content-type response-content-language response-expires response-cache-control response-content-disposition response-content-encoding "
	return map[string]handler{
		"GET /":              {"ListBuckets", a.listBuckets, "prefix bucket-region max-buckets continuation-token"},
		"PUT B":              {"CreateBucket", a.createBucket, ""},
		"HEAD B":             {"HeadBucket", a.headBucket, ""},
		"DELETE B":           {"DeleteBucket", a.deleteBucket, ""},
		"GET B?location":     {"GetBucketLocation", a.getBucketLocation, ""},
		"GET B?policy":       {"GetBucketPolicy", a.getBucketPolicy, ""},
		"PUT B?policy":       {"PutBucketPolicy", a.putBucketPolicy, ""},
		"DELETE B?policy":    {"DeleteBucketPolicy", a.deleteBucketPolicy, ""},
		"GET B?policyStatus": {"GetBucketPolicyStatus", a.getBucketPolicyStatus, ""},
		"GET B":              {"ListObjects", a.listObjects, listing + "marker"},
		"GET B?list-type":    {"ListObjectsV2", a.listObjectsV2, listing + "continuation-token start-after fetch-owner"},
		"POST B?delete":      {"DeleteObjects", a.deleteObjects, ""},
		"PUT K":              {"PutObject", a.putObject, ""},
		"GET K":              {"GetObject", a.getObject, answer + "partNumber"},
		"HEAD K":             {"HeadObject", a.headObject, answer + "partNumber"},
		"DELETE K":           {"DeleteObject", a.deleteObject, ""},
		"GET K?tagging":      {"GetObjectTagging", a.getObjectTagging, ""},
		"POST K?uploads":     {"CreateMultipartUpload", a.createUpload, ""},
		"PUT K?uploadId":     {"UploadPart", a.uploadPart, "partNumber"},
		"POST K?uploadId":    {"CompleteMultipartUpload", a.completeUpload, ""},
		"DELETE K?uploadId":  {"AbortMultipartUpload", a.abortUpload, ""},
		"GET K?uploadId":     {"ListParts", a.listParts, "max-parts part-number-marker"},
		"GET B?uploads":      {"ListMultipartUploads", a.listUploads, "prefix encoding-type max-uploads key-marker upload-id-marker"},
	}
}

// route finds the handler. A parameter that the handler does not know may mean another operation, which is not served: it never
// falls back to the one without it.
func (a *API) route(c *call) (handler, error) {
	level := "/"
	switch {
	case c.key != "":
		level = "K"
	case c.bucket != "":
		level = "B"
	}
	var params []string
	for name := range c.URL.Query() {
		if name != "x-id" && !strings.HasPrefix(strings.ToLower(name), "x-amz-") {
			params = append(params, name)
		}
	}
	plain := c.Method + " " + level
	h, ok := a.handlers[plain]
	for _, name := range params {
		if named, is := a.handlers[plain+"?"+name]; is {
			h, ok, params = named, true, slices.DeleteFunc(params, func(p string) bool { return p == name })
			break
		}
	}
	known := strings.Fields(h.query)
	for _, name := range params {
		if !ok || !slices.Contains(known, name) {
			return h, errNotImplemented()
		}
	}
	if !ok {
		return h, errMethod()
	}
	return h, nil
}

// takesBody says whether the handler reads the body of a request: whatever puts or posts, but for copies and the beginning of an upload.
func (c *call) takesBody(operation string) bool {
	writes := c.Method == http.MethodPut || c.Method == http.MethodPost
	return writes && operation != "CreateMultipartUpload" && c.Header().Get("X-Amz-Copy-Source") == ""
}

// ignoreBody reads a body that means nothing, because one that is not what was signed is refused whatever it is for.
func (c *call) ignoreBody() error {
	n, err := io.Copy(io.Discard, io.LimitReader(c.body, maxXML+1))
	if err == nil && n > maxXML {
		err = errMalformed()
	}
	return err
}
