package s3

import (
	"encoding/hex"
	"encoding/xml"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// maxParts is the highest number that a part may have [D].
const maxParts = 10000

func errNoUpload() error {
	return refused("NoSuchUpload", "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.")
}

func partNumber(text string) (int, error) {
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil || n < 1 || n > maxParts {
		return 0, errArgument("partNumber", text, "Part number must be an integer between 1 and 10000, inclusive")
	}
	return int(n), nil //nolint:gosec // 31 bits
}

func (a *API) createUpload(c *call) error {
	b, err := a.onObject(c, "PutObject")
	if err != nil {
		return err
	}
	if err := c.plainHeaders(); err != nil {
		return err
	}
	u := &model.Upload{Bucket: b.ID, Name: c.key, ID: a.NewID(), CreatedAt: a.now(), Algorithm: strings.ToLower(c.Header().Get("X-Amz-Checksum-Algorithm"))}
	if u.Meta, err = c.meta(); err != nil {
		return err
	}
	if u.Algorithm != "" && !slices.Contains(algorithms(), u.Algorithm) {
		return refused("InvalidRequest", "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]")
	}
	kind, sha := c.Header().Get("X-Amz-Checksum-Type"), strings.HasPrefix(u.Algorithm, "sha")
	u.Full = kind == "FULL_OBJECT" || u.Algorithm == "crc64nvme"
	if u.Full && sha || kind == "COMPOSITE" && u.Full || kind != "" && u.Algorithm == "" {
		return refused("InvalidRequest", "The "+kind+" checksum type cannot be used with the "+c.Header().Get("X-Amz-Checksum-Algorithm")+" checksum algorithm.")
	}
	err = a.DB.Update(c.Context(), func(tx *state.Tx) error {
		if err := same(tx, b); err != nil {
			return err
		}
		tx.Uploads.Put(u)
		return nil
	})
	if err != nil {
		return err
	}
	if u.Algorithm != "" {
		c.ResponseWriter.Header().Set("X-Amz-Checksum-Algorithm", strings.ToUpper(u.Algorithm))
		c.ResponseWriter.Header().Set("X-Amz-Checksum-Type", checksumType(!u.Full))
	}
	return c.answer(struct {
		XMLName     xml.Name `xml:"InitiateMultipartUploadResult"`
		NS          string   `xml:"xmlns,attr"`
		Bucket, Key string
		UploadID    string `xml:"UploadId"`
	}{NS: namespace, Bucket: c.bucket, Key: c.key, UploadID: u.ID})
}

// upload is the upload that is asked for.
func (c *call) upload(t *state.Tables, b *model.Bucket) (*model.Upload, error) {
	u, ok := t.Uploads.Get(b.ID + "/" + c.URL.Query().Get("uploadId"))
	if !ok || u.Name != c.key {
		return nil, errNoUpload()
	}
	return u, nil
}

func (a *API) uploadPart(c *call) error {
	b, err := a.onObject(c, "PutObject")
	if err != nil {
		return err
	}
	n, err := partNumber(c.URL.Query().Get("partNumber"))
	if err != nil {
		return err
	}
	u, err := c.upload(a.DB.Snapshot().Tables, b)
	if err != nil {
		return err
	}
	if err := c.plainHeaders(); err != nil {
		return err
	}
	p := &model.UploadPart{Upload: u.ID, Number: n}
	copied := c.Header().Get("X-Amz-Copy-Source") != ""
	if copied {
		err = a.copyPart(c, p)
	} else {
		err = a.storePart(c, u, p)
	}
	if err != nil {
		return err
	}
	err = a.DB.Update(c.Context(), func(tx *state.Tx) error {
		if _, err := c.upload(tx.Tables, b); err != nil {
			return err
		}
		p.ModifiedAt = a.now()
		tx.UploadParts.Put(p)
		return nil
	})
	if err != nil {
		return err
	}
	if copied {
		return c.answer(struct {
			XMLName            xml.Name `xml:"CopyPartResult"`
			NS                 string   `xml:"xmlns,attr"`
			LastModified, ETag string
		}{NS: namespace, LastModified: stamp(p.ModifiedAt), ETag: quoted(p.ETag)})
	}
	c.tellChecksums(p.Checksums, false)
	c.ResponseWriter.Header().Del("X-Amz-Checksum-Type")
	c.ResponseWriter.Header().Set("Etag", quoted(p.ETag))
	c.WriteHeader(http.StatusOK)
	return nil
}

// storePart stores the body as a part, whose checksum has to be of the upload's sort.
func (a *API) storePart(c *call, u *model.Upload, p *model.UploadPart) error {
	d, err := c.digests()
	if err != nil {
		return err
	}
	if u.Algorithm != "" && d.algorithm != u.Algorithm {
		actual := d.algorithm
		if actual == "" {
			actual = "null"
		}
		return refused("InvalidRequest", "Checksum Type mismatch occurred, expected checksum Type: "+u.Algorithm+", actual checksum Type: "+actual)
	}
	content, sums, err := a.store(c)
	if err != nil {
		return err
	}
	p.ETag, p.Checksums = hex.EncodeToString(content.MD5[:]), sums
	p.Content = model.Content{Digest: content.Digest, Size: content.Size}
	return nil
}

// copyPart makes a part of an object, or of a range of it.
func (a *API) copyPart(c *call, p *model.UploadPart) error {
	from, err := a.source(c)
	if err != nil {
		return err
	}
	first, n := int64(0), from.Size
	if text := c.Header().Get("X-Amz-Copy-Source-Range"); text != "" {
		var part bool
		if first, n, part, err = byteRange(text, from.Size); err != nil || !part {
			return errArgument("x-amz-copy-source-range", text, "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy")
		}
	}
	r := a.reader(c, from.Contents, first, n)
	defer r.Close()
	d := &digests{}
	content, err := a.Store.Put(c.Context(), d.reader(r), n)
	if err != nil {
		return err
	}
	if p.Checksums, err = d.check(nil, content.MD5[:]); err != nil {
		return err
	}
	p.ETag, p.Content = hex.EncodeToString(content.MD5[:]), model.Content{Digest: content.Digest, Size: content.Size}
	return nil
}

func (a *API) abortUpload(c *call) error {
	b, err := a.onObject(c, "AbortMultipartUpload")
	if err != nil {
		return err
	}
	err = a.DB.Update(c.Context(), func(tx *state.Tx) error {
		u, err := c.upload(tx.Tables, b)
		if err == nil {
			dropUpload(tx, u)
		}
		return err
	})
	if err == nil {
		c.WriteHeader(http.StatusNoContent)
	}
	return err
}
