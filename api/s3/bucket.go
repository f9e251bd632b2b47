package s3

import (
	"crypto/md5" //nolint:gosec // Content-MD5
	"encoding/base64"
	"encoding/xml"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

const namespace = "http://s3.amazonaws.com/doc/2006-03-01/"

// maxXML bounds a body that is XML, in bytes: a thousand keys of the longest sort, or ten thousand parts.
const maxXML = 8 << 20

// maxBucketPage is how many buckets one answer has at most [D].
const maxBucketPage = 10000

// maxBuckets is how many an account may have, which was AWS's own limit for most of the time.
const maxBuckets = 1000

var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`) //nolint:gochecknoglobals // a constant

// stamp is a time as XML has it.
func stamp(m model.Millis) string { return time.UnixMilli(m).UTC().Format("2006-01-02T15:04:05.000Z") }

type owner struct {
	ID string
}

func (a *API) listBuckets(c *call) error {
	if err := a.May(c.Request, &c.who, "ListAllMyBuckets", &On{}); err != nil {
		return denied(err)
	}
	limit, after, err := c.bucketPage()
	if err != nil {
		return err
	}
	type bucket struct{ Name, CreationDate, BucketRegion string }
	out := struct {
		XMLName           xml.Name `xml:"ListAllMyBucketsResult"`
		NS                string   `xml:"xmlns,attr"`
		Owner             owner
		Buckets           struct{ Bucket []bucket }
		ContinuationToken string `xml:",omitempty"`
		Prefix            string `xml:",omitempty"`
	}{NS: namespace, Owner: owner{model.CanonicalID(c.who.Account)}, Prefix: c.URL.Query().Get("prefix")}
	region := c.URL.Query().Get("bucket-region")
	for b := range a.DB.Snapshot().Buckets.Prefix(out.Prefix) {
		if b.Account != c.who.Account || b.Name <= after || region != "" && region != b.Region {
			continue
		}
		if list := out.Buckets.Bucket; len(list) == limit {
			out.ContinuationToken = base64.StdEncoding.EncodeToString([]byte(list[limit-1].Name))
			break
		}
		out.Buckets.Bucket = append(out.Buckets.Bucket, bucket{b.Name, stamp(b.CreatedAt), b.Region})
	}
	return c.answer(out)
}

// bucketPage says how many buckets are listed at most, and after which.
func (c *call) bucketPage() (limit int, after string, err error) {
	q := c.URL.Query()
	limit = maxBucketPage
	if text := q.Get("max-buckets"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > maxBucketPage {
			return 0, "", errArgument("max-buckets", text, "Argument max-buckets must be an integer between 1 and 10000")
		}
	}
	if token := q.Get("continuation-token"); token != "" {
		b, err := base64.StdEncoding.DecodeString(token)
		if err != nil {
			return 0, "", errArgument("continuation-token", token, "The continuation token provided is incorrect")
		}
		after = string(b)
	}
	return limit, after, nil
}

func checkBucketName(name string) error {
	if !bucketName.MatchString(name) || strings.Contains(name, "..") || net.ParseIP(name) != nil {
		return refused("InvalidBucketName", "The specified bucket is not valid.", "BucketName", name)
	}
	return nil
}

// readAll reads a body of at most limit bytes, and checks it; one that is longer is cut off, and not checked.
func (c *call) readAll(limit int64) ([]byte, error) {
	d, err := c.digests()
	if err != nil {
		return nil, err
	}
	sum := md5.New() //nolint:gosec // Content-MD5
	b, err := io.ReadAll(io.LimitReader(io.TeeReader(d.reader(c.body), sum), limit+1))
	if err == nil && int64(len(b)) <= limit {
		_, err = d.check(c.body.Trailer, sum.Sum(nil))
	}
	return b, err
}

// readXML decodes the body into v. It reports whether there was one.
func (c *call) readXML(v any) (bool, error) {
	b, err := c.readAll(maxXML)
	switch {
	case err != nil:
		return false, err
	case len(b) > maxXML:
		return false, errMalformed()
	case len(b) == 0:
		return false, nil
	}
	if xml.Unmarshal(b, v) != nil {
		return true, errMalformed()
	}
	return true, nil
}

func (a *API) createBucket(c *call) error {
	if err := checkBucketName(c.bucket); err != nil {
		return err
	}
	var in struct {
		XMLName            xml.Name `xml:"CreateBucketConfiguration"`
		LocationConstraint string
		Location           *struct{} // of a directory bucket
		Bucket             *struct{}
	}
	if _, err := c.readXML(&in); err != nil {
		return err
	}
	if in.Location != nil || in.Bucket != nil {
		return errNotImplemented()
	}
	if err := c.plainHeaders(); err != nil {
		return err
	}
	on := &On{Bucket: c.bucket, LocationConstraint: in.LocationConstraint}
	if err := a.May(c.Request, &c.who, "CreateBucket", on); err != nil {
		return denied(err)
	}
	if where := in.LocationConstraint; where != a.Region && (where != "" || a.Region != "us-east-1") || where == "us-east-1" {
		if where == "" {
			where = "unspecified"
		}
		return refused("IllegalLocationConstraintException", "The "+where+" location constraint is incompatible for the region specific endpoint this request was sent to.")
	}
	err := a.DB.Update(c.Context(), func(tx *state.Tx) error { return a.makeBucket(tx, c) })
	if err != nil {
		return err
	}
	c.ResponseWriter.Header().Set("Location", "/"+c.bucket)
	c.WriteHeader(http.StatusOK)
	return nil
}

func (a *API) makeBucket(tx *state.Tx, c *call) error {
	if have, ok := tx.Buckets.Get(c.bucket); ok {
		switch {
		case have.Account != c.who.Account:
			return refused("BucketAlreadyExists", "The requested bucket name is not available. The bucket namespace is shared by all users of the system. "+
				"Please select a different name and try again.", "BucketName", c.bucket)
		case a.Region == "us-east-1": // and nowhere else [D]
			return nil
		}
		return refused("BucketAlreadyOwnedByYou", "Your previous request to create the named bucket succeeded and you already own it.", "BucketName", c.bucket)
	}
	n := 0
	for b := range tx.Buckets.All() {
		if b.Account == c.who.Account {
			n++
		}
	}
	if n >= maxBuckets {
		return refused("TooManyBuckets", "You have attempted to create more buckets than allowed")
	}
	tx.Buckets.Put(&model.Bucket{Scope: c.who.Scope(), Name: c.bucket, ID: a.NewID(), CreatedAt: a.now()})
	return nil
}

func (a *API) now() model.Millis { return a.Now().UnixMilli() }

func (a *API) headBucket(c *call) error {
	b, err := a.onBucket(c, "ListBucket")
	if err != nil {
		return err
	}
	c.ResponseWriter.Header().Set("X-Amz-Bucket-Region", b.Region)
	c.ResponseWriter.Header().Set("Content-Type", "application/xml")
	c.WriteHeader(http.StatusOK)
	return nil
}

func (a *API) getBucketLocation(c *call) error {
	b, err := a.onBucket(c, "GetBucketLocation")
	if err != nil {
		return err
	}
	out := struct {
		XMLName xml.Name `xml:"LocationConstraint"`
		NS      string   `xml:"xmlns,attr"`
		Region  string   `xml:",chardata"`
	}{NS: namespace, Region: b.Region}
	if b.Region == "us-east-1" {
		out.Region = "" // [D]
	}
	return c.answer(out)
}

func (a *API) deleteBucket(c *call) error {
	b, err := a.onBucket(c, "DeleteBucket")
	if err != nil {
		return err
	}
	err = a.DB.Update(c.Context(), func(tx *state.Tx) error {
		if err := same(tx, b); err != nil {
			return err
		}
		for range tx.Objects.Prefix(model.ObjectKey(b.ID, "")) {
			return refused("BucketNotEmpty", "The bucket you tried to delete is not empty", "BucketName", b.Name)
		}
		for _, u := range slices.Collect(tx.Uploads.Prefix(b.ID + "/")) {
			dropUpload(tx, u)
		}
		tx.Buckets.Delete(b.Key())
		return nil
	})
	if err == nil {
		c.WriteHeader(http.StatusNoContent)
	}
	return err
}

// dropUpload removes an upload that is over, with its parts.
func dropUpload(tx *state.Tx, u *model.Upload) {
	for _, p := range slices.Collect(tx.UploadParts.Prefix(u.ID + "/")) {
		tx.UploadParts.Delete(p.Key())
	}
	tx.Uploads.Delete(u.Key())
}

// plainHeaders refuses what a request wants of an object or a bucket beyond what we do: silence would promise it.
func (c *call) plainHeaders() error {
	for name, values := range c.Header() {
		switch {
		case strings.HasPrefix(name, "X-Amz-Server-Side-Encryption"), strings.HasPrefix(name, "X-Amz-Object-Lock-"),
			strings.HasPrefix(name, "X-Amz-Bucket-Object-Lock-"), strings.HasPrefix(name, "X-Amz-Copy-Source-Server-Side-"),
			name == "X-Amz-Tagging", name == "X-Amz-Website-Redirect-Location", name == "X-Amz-Write-Offset-Bytes":
			return errNotImplemented()
		case strings.HasPrefix(name, "X-Amz-Grant-"):
			return errACL()
		case name == "X-Amz-Acl" && values[0] != "private" && values[0] != "bucket-owner-full-control":
			return errACL()
		case name == "X-Amz-Storage-Class" && values[0] != "STANDARD":
			return refused("InvalidStorageClass", "The storage class you specified is not valid")
		}
	}
	return nil
}

// errACL: buckets are made without access control lists, as AWS's are unless one asks for them [D].
func errACL() error {
	return refused("AccessControlListNotSupported", "The bucket does not allow ACLs")
}
