package s3

import (
	"encoding/xml"
	"net/url"
	"strings"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// copySource is the bucket and the key that a copy is made of.
func (c *call) copySource() (bucket, key string, err error) {
	text := c.Header().Get("X-Amz-Copy-Source")
	text, version, _ := strings.Cut(text, "?versionId=")
	if version != "" && version != "null" {
		return "", "", errNotImplemented()
	}
	if text, err = url.PathUnescape(text); err != nil {
		return "", "", errArgument("x-amz-copy-source", text, "Copy Source must mention the source bucket and key: sourcebucket/sourcekey")
	}
	bucket, key, _ = strings.Cut(strings.TrimPrefix(text, "/"), "/")
	if bucket == "" || key == "" {
		return "", "", errArgument("x-amz-copy-source", text, "Copy Source must mention the source bucket and key: sourcebucket/sourcekey")
	}
	return bucket, key, checkKey(key)
}

// source returns the object that a copy is made of, if it is as the request wants it.
func (a *API) source(c *call) (*model.Object, error) {
	bucket, key, err := c.copySource()
	if err != nil {
		return nil, err
	}
	o, err := a.find(c, bucket, key, "X-Amz-Source-Expected-Bucket-Owner")
	if err != nil {
		return nil, err
	}
	return o, unwanted(c.Header(), "X-Amz-Copy-Source-", o)
}

// copyObject makes an object of the contents of another: nothing is read or written but rows.
func (a *API) copyObject(c *call) error {
	b, err := a.onObject(c, "PutObject")
	if err != nil {
		return err
	}
	if err := c.plainHeaders(); err != nil {
		return err
	}
	from, err := a.source(c)
	if err != nil {
		return err
	}
	row := *from
	row.Bucket, row.Name, row.Upload = b.ID, c.key, ""
	switch directive := c.Header().Get("X-Amz-Metadata-Directive"); {
	case directive == "REPLACE":
		if row.Meta, err = c.meta(); err != nil {
			return err
		}
	case directive != "" && directive != "COPY":
		return errArgument("x-amz-metadata-directive", directive, "Unknown metadata directive.")
	case row.Key() == from.Key():
		return refused("InvalidRequest", "This copy request is illegal because it is trying to copy an object to itself without changing the object's "+
			"metadata, storage class, website redirect location or encryption attributes.")
	}
	if err := a.putCopy(c, b, from, &row); err != nil {
		return err
	}
	return c.answer(struct {
		XMLName      xml.Name `xml:"CopyObjectResult"`
		NS           string   `xml:"xmlns,attr"`
		LastModified string
		ETag         string
	}{NS: namespace, LastModified: stamp(row.ModifiedAt), ETag: quoted(row.ETag)})
}

// putCopy writes the row of a copy while its source is still there: contents that no row names are swept.
func (a *API) putCopy(c *call, b *model.Bucket, from, row *model.Object) error {
	return a.DB.Update(c.Context(), func(tx *state.Tx) error {
		if err := same(tx, b); err != nil {
			return err
		}
		if now, ok := tx.Objects.Get(from.Key()); !ok || now.ETag != from.ETag || now.ModifiedAt != from.ModifiedAt {
			return refused("OperationAborted", "A conflicting conditional operation is currently in progress against this resource. Please try again.")
		}
		if err := c.mayReplace(tx, row.Key()); err != nil {
			return err
		}
		row.ModifiedAt = a.now()
		tx.Objects.Put(row)
		return nil
	})
}
