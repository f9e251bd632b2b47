package s3

import (
	"encoding/hex"
	"encoding/xml"
	"errors"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/objectstore"
	"github.com/roadstead/roadstead/state"
)

const (
	maxKey    = 1024    // bytes [D]
	maxObject = 5 << 30 // bytes: what AWS takes in one PutObject [D], and we in an upload too
	maxMeta   = 2 << 10 // bytes of all names and values of x-amz-meta- [D]
	maxDelete = 1000    // keys of a DeleteObjects [D]
)

// checkKey: a key has at most 1024 bytes of UTF-8, and read as a path, never leads out of its bucket [D]. To us it is only a name.
func checkKey(key string) error {
	if len(key) > maxKey {
		return refused("KeyTooLongError", "Your key is too long")
	}
	if !utf8.ValidString(key) || strings.ContainsRune(key, 0) {
		return refused("InvalidURI", "Couldn't parse the specified URI.")
	}
	depth := 0
	for part := range strings.SplitSeq(key, "/") {
		switch part {
		case "", ".":
		case "..":
			depth--
		default:
			depth++
		}
		if depth < 0 {
			return refused("InvalidURI", "Couldn't parse the specified URI.")
		}
	}
	return nil
}

// kept are the headers of a request that an object is answered with later.
func kept() []string {
	return []string{"Content-Type", "Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Expires"}
}

// meta is what a request says about the object that it makes.
func (c *call) meta() (model.ObjectMeta, error) {
	var m model.ObjectMeta
	for _, name := range kept() {
		v := c.Header().Get(name)
		if name == "Content-Encoding" { // aws-chunked is the request's, not the object's [D]
			v = strings.Trim(strings.TrimPrefix(strings.TrimSuffix(strings.TrimSpace(v), "aws-chunked"), "aws-chunked"), ", ")
		}
		if v != "" {
			m.Headers = append(m.Headers, model.Tag{Key: name, Value: v})
		}
	}
	size := 0
	for name, values := range c.Header() {
		if user, ok := strings.CutPrefix(name, "X-Amz-Meta-"); ok {
			tag := model.Tag{Key: strings.ToLower(user), Value: strings.Join(values, ",")}
			size += len(tag.Key) + len(tag.Value)
			m.User = append(m.User, tag)
		}
	}
	if size > maxMeta {
		return m, refused("MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size")
	}
	return m, nil
}

// store stores the body, checked, and returns what came.
func (a *API) store(c *call) (content objectstore.Content, sums []model.Tag, err error) {
	d, err := c.digests()
	if err != nil {
		return content, nil, err
	}
	switch size := c.body.Size; {
	case size < 0:
		return content, nil, errNoLength()
	case size > maxObject:
		return content, nil, errTooLarge()
	}
	content, err = a.Store.Put(c.Context(), d.reader(c.body), c.body.Size)
	if errors.Is(err, objectstore.ErrTooLarge) || err == nil && content.Size < c.body.Size {
		return content, nil, refused("IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP header")
	}
	if err != nil {
		return content, nil, err
	}
	sums, err = d.check(c.body.Trailer, content.MD5[:])
	return content, sums, err
}

// contents is what an object with one content is made of.
func contents(c objectstore.Content) []model.Content {
	if c.Size == 0 {
		return nil
	}
	return []model.Content{{Digest: c.Digest, Size: c.Size}}
}

func (a *API) putObject(c *call) error {
	if c.Header().Get("X-Amz-Copy-Source") != "" {
		return a.copyObject(c)
	}
	b, err := a.onObject(c, "PutObject")
	if err != nil {
		return err
	}
	if err := c.plainHeaders(); err != nil {
		return err
	}
	row := model.Object{Bucket: b.ID, Name: c.key}
	if row.Meta, err = c.meta(); err != nil {
		return err
	}
	content, sums, err := a.store(c)
	if err != nil {
		return err
	}
	row.Size, row.ETag, row.Contents, row.Checksums = content.Size, hex.EncodeToString(content.MD5[:]), contents(content), sums
	if err := a.put(c, b, &row); err != nil {
		return err
	}
	c.tellChecksums(sums, false)
	c.ResponseWriter.Header().Set("Etag", quoted(row.ETag))
	c.WriteHeader(http.StatusOK)
	return nil
}

func quoted(etag string) string { return `"` + etag + `"` }

// put makes an object, or puts it in the place of the one that is there, if that is as the request wants it.
func (a *API) put(c *call, b *model.Bucket, row *model.Object) error {
	return a.DB.Update(c.Context(), func(tx *state.Tx) error {
		if err := same(tx, b); err != nil {
			return err
		}
		if err := c.mayReplace(tx, row.Key()); err != nil {
			return err
		}
		row.ModifiedAt = a.now()
		tx.Objects.Put(row)
		return nil
	})
}

// mayReplace: If-None-Match: * wants no object there, and If-Match one with an ETag [D].
func (c *call) mayReplace(tx *state.Tx, key string) error {
	have, ok := tx.Objects.Get(key)
	if want := c.Header().Get("If-None-Match"); want != "" {
		if want != "*" {
			return errNotImplemented() // [O]
		}
		if ok {
			return errPrecondition("If-None-Match")
		}
	}
	if want := c.Header().Get("If-Match"); want != "" {
		if !ok {
			return errNoKey(c.key)
		}
		if !matches(want, have.ETag) {
			return errPrecondition("If-Match")
		}
	}
	return nil
}

func (a *API) deleteObject(c *call) error {
	b, err := a.onObject(c, "DeleteObject")
	if err != nil {
		return err
	}
	err = a.DB.Update(c.Context(), func(tx *state.Tx) error {
		if err := same(tx, b); err != nil {
			return err
		}
		key := model.ObjectKey(b.ID, c.key)
		if c.Header().Get("If-Match") != "" {
			if err := c.mayReplace(tx, key); err != nil {
				return err
			}
		}
		tx.Objects.Delete(key) // none is no error [D]
		return nil
	})
	if err == nil {
		c.WriteHeader(http.StatusNoContent)
	}
	return err
}

// deletion is one of the keys of a DeleteObjects, and what became of it.
type deletion struct {
	Key       string
	VersionID string `xml:"VersionId"`
	ETag      string
	err       error
}

func (a *API) deleteObjects(c *call) error {
	var in struct {
		XMLName xml.Name   `xml:"Delete"`
		Object  []deletion `xml:"Object"`
		Quiet   bool
	}
	if _, err := c.readXML(&in); err != nil {
		return err
	}
	if len(in.Object) == 0 || len(in.Object) > maxDelete {
		return errMalformed()
	}
	var b *model.Bucket
	for i := range in.Object {
		o := &in.Object[i]
		if o.err = checkKey(o.Key); o.err != nil || o.Key == "" {
			return errMalformed()
		}
		if o.VersionID != "" || o.ETag != "" {
			return errNotImplemented()
		}
		row, err := a.may(c, "DeleteObject", &On{Bucket: c.bucket, Key: o.Key})
		var refusal *model.Error
		if err != nil && (!errors.As(err, &refusal) || refusal.Code != "AccessDenied") {
			return err
		}
		if o.err = err; err == nil {
			b = row
		}
	}
	if b != nil {
		if err := a.DB.Update(c.Context(), func(tx *state.Tx) error { return deleteAll(tx, b, in.Object) }); err != nil {
			return err
		}
	}
	return c.answer(deleted(in.Object, in.Quiet))
}

func deleteAll(tx *state.Tx, b *model.Bucket, objects []deletion) error {
	if err := same(tx, b); err != nil {
		return err
	}
	for i := range objects {
		if objects[i].err == nil {
			tx.Objects.Delete(model.ObjectKey(b.ID, objects[i].Key))
		}
	}
	return nil
}

// deleted is the answer to a DeleteObjects.
func deleted(objects []deletion, quiet bool) any {
	type done struct{ Key string }
	type failed struct{ Key, Code, Message string }
	out := struct {
		XMLName xml.Name `xml:"DeleteResult"`
		NS      string   `xml:"xmlns,attr"`
		Deleted []done
		Error   []failed
	}{NS: namespace}
	for _, o := range objects {
		var e *model.Error
		switch {
		case errors.As(o.err, &e):
			out.Error = append(out.Error, failed{o.Key, e.Code, e.Message})
		case !quiet:
			out.Deleted = append(out.Deleted, done{o.Key})
		}
	}
	return out
}
