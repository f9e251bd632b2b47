package s3

import (
	"crypto/md5" //nolint:gosec // the ETag of S3
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// minPart is how many bytes every part has but the last [D].
const minPart = 5 << 20

// named is a part as a request to complete an upload names it.
type named struct {
	PartNumber        int
	ETag              string
	ChecksumCRC32     string
	ChecksumCRC32C    string
	ChecksumCRC64NVME string
	ChecksumSHA1      string
	ChecksumSHA256    string
}

func (n *named) checksum(algorithm string) string {
	switch algorithm {
	case "crc32":
		return n.ChecksumCRC32
	case "crc32c":
		return n.ChecksumCRC32C
	case "crc64nvme":
		return n.ChecksumCRC64NVME
	case "sha1":
		return n.ChecksumSHA1
	case "sha256":
		return n.ChecksumSHA256
	}
	return ""
}

// assemble makes the object of the parts that are named.
func assemble(t *state.Tables, u *model.Upload, parts []named) (*model.Object, error) {
	for i := 1; i < len(parts); i++ {
		if parts[i].PartNumber <= parts[i-1].PartNumber {
			return nil, refused("InvalidPartOrder", "The list of parts was not in ascending order. The parts list must be specified in order by part number.")
		}
	}
	o := &model.Object{Bucket: u.Bucket, Name: u.Name, Meta: u.Meta, Upload: u.ID}
	var checksums []byte
	for i, n := range parts {
		p, ok := t.UploadParts.Get(model.UploadPartKey(u.ID, n.PartNumber))
		if !ok || strings.Trim(n.ETag, `"`) != p.ETag || !agrees(&n, p) {
			return nil, refused("InvalidPart", "One or more of the specified parts could not be found.  The part may not have been uploaded, "+
				"or the specified entity tag may not match the part's entity tag.")
		}
		if p.Content.Size < minPart && i < len(parts)-1 {
			return nil, refused("EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size")
		}
		for _, c := range p.Checksums {
			if b, err := base64.StdEncoding.DecodeString(c.Value); err == nil && c.Key == u.Algorithm {
				checksums = append(checksums, b...)
			}
		}
		if o.Size += p.Content.Size; p.Content.Size > 0 {
			o.Contents = append(o.Contents, p.Content)
		}
	}
	if o.Size > maxObject {
		return nil, errTooLarge()
	}
	o.ETag = etagOf(parts)
	if h := newChecksum(u.Algorithm); h != nil && !u.Full && len(checksums) == len(parts)*h.Size() {
		h.Write(checksums)
		o.Composite = true
		o.Checksums = []model.Tag{{Key: u.Algorithm, Value: base64.StdEncoding.EncodeToString(h.Sum(nil)) + "-" + strconv.Itoa(len(parts))}}
	}
	return o, nil
}

// agrees says whether the checksums that a request names are a part's.
func agrees(n *named, p *model.UploadPart) bool {
	for _, name := range algorithms() {
		if want := n.checksum(name); want != "" && !slices.Contains(p.Checksums, model.Tag{Key: name, Value: want}) {
			return false
		}
	}
	return true
}

func (a *API) completeUpload(c *call) error {
	b, err := a.onObject(c, "PutObject")
	if err != nil {
		return err
	}
	var in struct {
		XMLName xml.Name `xml:"CompleteMultipartUpload"`
		Part    []named
	}
	whole := c.checksums() // of the object, not of this request's body
	for name := range whole {
		c.Header().Del("X-Amz-Checksum-" + name)
	}
	if _, err := c.readXML(&in); err != nil {
		return err
	}
	if len(in.Part) == 0 || len(in.Part) > maxParts {
		return errMalformed()
	}
	o, err := a.complete(c, b, in.Part, whole)
	if err != nil {
		return err
	}
	return c.answer(struct {
		XMLName                     xml.Name `xml:"CompleteMultipartUploadResult"`
		NS                          string   `xml:"xmlns,attr"`
		Location, Bucket, Key, ETag string
	}{NS: namespace, Location: "http://" + c.Host + c.URL.EscapedPath(), Bucket: c.bucket, Key: c.key, ETag: quoted(o.ETag)})
}

// complete makes the object of an upload. Whoever was not told that it is made, and asks again, is: the upload is gone then, and the object of
// these parts is there.
func (a *API) complete(c *call, b *model.Bucket, parts []named, whole map[string]string) (*model.Object, error) {
	t := a.DB.Snapshot().Tables
	u, err := c.upload(t, b)
	if err != nil {
		if o, ok := t.Objects.Get(model.ObjectKey(b.ID, c.key)); ok && o.Upload != "" && o.Upload == c.URL.Query().Get("uploadId") && o.ETag == etagOf(parts) {
			return o, nil
		}
		return nil, err
	}
	o, err := assemble(t, u, parts)
	if err != nil {
		return nil, err
	}
	if err := a.checkWhole(c, u, o, whole); err != nil {
		return nil, err
	}
	return o, a.putUpload(c, b, o, parts)
}

// etagOf is the ETag of an object that is made of these parts: that of their ETags' bytes, and how many there are [O].
func etagOf(parts []named) string {
	sum := md5.New() //nolint:gosec // the ETag of S3
	for _, n := range parts {
		b, _ := hex.DecodeString(strings.Trim(n.ETag, `"`)) // what is none is not that of a part that we have
		sum.Write(b)
	}
	return hex.EncodeToString(sum.Sum(nil)) + "-" + strconv.Itoa(len(parts))
}

// checksums are those that the request's headers have.
func (c *call) checksums() map[string]string {
	out := map[string]string{}
	for _, name := range algorithms() {
		if v := c.Header().Get("X-Amz-Checksum-" + name); v != "" {
			out[name] = v
		}
	}
	return out
}

// checkWhole compares what a request says of the whole object. A checksum of all bytes is made by reading them.
func (a *API) checkWhole(c *call, u *model.Upload, o *model.Object, whole map[string]string) error {
	if text := c.Header().Get("X-Amz-Mp-Object-Size"); text != "" && text != strconv.FormatInt(o.Size, 10) {
		return refused("InvalidRequest", "The provided 'x-amz-mp-object-size' header value "+text+" does not match what was computed: "+strconv.FormatInt(o.Size, 10))
	}
	if u.Full {
		r, sum := a.reader(c, o.Contents, 0, o.Size), newChecksum(u.Algorithm)
		defer r.Close()
		if _, err := io.Copy(sum, r); err != nil {
			return err
		}
		o.Checksums = []model.Tag{{Key: u.Algorithm, Value: base64.StdEncoding.EncodeToString(sum.Sum(nil))}}
	}
	for name, want := range whole {
		if bare, _, _ := strings.Cut(want, "-"); !slices.ContainsFunc(o.Checksums, func(t model.Tag) bool {
			return t.Key == name && (t.Value == want || o.Composite && strings.HasPrefix(t.Value, bare+"-"))
		}) {
			return refused("BadDigest", "The "+strings.ToUpper(name)+" you specified did not match the calculated checksum.")
		}
	}
	return nil
}

// putUpload makes the object, if its parts are still those that were looked at, and ends the upload.
func (a *API) putUpload(c *call, b *model.Bucket, o *model.Object, parts []named) error {
	return a.DB.Update(c.Context(), func(tx *state.Tx) error {
		if err := same(tx, b); err != nil {
			return err
		}
		u, err := c.upload(tx.Tables, b)
		if err != nil {
			return err
		}
		now, err := assemble(tx.Tables, u, parts)
		if err != nil {
			return err
		}
		if !slices.Equal(now.Contents, o.Contents) {
			return refused("OperationAborted", "A conflicting conditional operation is currently in progress against this resource. Please try again.")
		}
		if err := c.mayReplace(tx, o.Key()); err != nil {
			return err
		}
		o.ModifiedAt = a.now()
		tx.Objects.Put(o)
		dropUpload(tx, u)
		return nil
	})
}
