package s3

import (
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/roadstead/roadstead/model"
)

// find returns the object that is asked for. Whoever may not list the bucket is not told that there is none [D]. Owner is the header with
// the bucket's expected owner.
func (a *API) find(c *call, bucket, key, owner string) (*model.Object, error) {
	b, err := a.mayOf(c, "GetObject", &On{Bucket: bucket, Key: key}, owner)
	if err != nil {
		return nil, err
	}
	o, ok := a.DB.Snapshot().Objects.Get(model.ObjectKey(b.ID, key))
	if ok {
		return o, nil
	}
	if _, err := a.mayOf(c, "ListBucket", &On{Bucket: bucket, Prefix: key}, owner); err != nil {
		return nil, err
	}
	return nil, errNoKey(key)
}

func (a *API) headObject(c *call) error { return a.read(c) }
func (a *API) getObject(c *call) error  { return a.read(c) }

func (a *API) read(c *call) error {
	o, err := a.find(c, c.bucket, c.key, "X-Amz-Expected-Bucket-Owner")
	if err != nil {
		return err
	}
	h := c.ResponseWriter.Header()
	h.Set("Etag", quoted(o.ETag))
	h.Set("Last-Modified", modified(o).Format(http.TimeFormat))
	if err := unwanted(c.Header(), "", o); err != nil {
		return err
	}
	from, n, part, err := c.wanted(o)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if part {
		status = http.StatusPartialContent
		h.Set("Content-Range", "bytes "+strconv.FormatInt(from, 10)+"-"+strconv.FormatInt(from+n-1, 10)+"/"+strconv.FormatInt(o.Size, 10))
	}
	c.describe(o)
	if !part && c.Header().Get("X-Amz-Checksum-Mode") == "ENABLED" {
		c.tellChecksums(o.Checksums, o.Composite)
	}
	h.Set("Content-Length", strconv.FormatInt(n, 10))
	if c.Method == http.MethodHead {
		c.WriteHeader(status)
		return nil
	}
	return a.send(c, o.Contents, from, n, status)
}

// getObjectTagging answers that an object has no tags, as none here has: the command line asks before it copies one that is large.
func (a *API) getObjectTagging(c *call) error {
	b, err := a.onObject(c, "GetObjectTagging")
	if err != nil {
		return err
	}
	if _, ok := a.DB.Snapshot().Objects.Get(model.ObjectKey(b.ID, c.key)); !ok {
		return errNoKey(c.key)
	}
	return c.answer(struct {
		XMLName xml.Name `xml:"Tagging"`
		NS      string   `xml:"xmlns,attr"`
		TagSet  struct{}
	}{NS: namespace})
}

// wanted are the bytes of an object that a request is for: all, a range, or those of a part of the upload that it was.
func (c *call) wanted(o *model.Object) (from, n int64, part bool, err error) {
	text := c.URL.Query().Get("partNumber")
	if text == "" {
		return byteRange(c.Header().Get("Range"), o.Size)
	}
	if c.Header().Get("Range") != "" {
		return 0, 0, false, refused("InvalidRequest", "Cannot specify both Range header and partNumber query parameter")
	}
	number, err := partNumber(text)
	if err != nil {
		return 0, 0, false, err
	}
	if !strings.Contains(o.ETag, "-") && number == 1 {
		return 0, o.Size, o.Size > 0, nil
	}
	if !strings.Contains(o.ETag, "-") || number > len(o.Contents) {
		return 0, 0, false, refused("InvalidPartNumber", "The requested partnumber is not satisfiable")
	}
	for _, before := range o.Contents[:number-1] {
		from += before.Size
	}
	c.ResponseWriter.Header().Set("X-Amz-Mp-Parts-Count", strconv.Itoa(len(o.Contents)))
	return from, o.Contents[number-1].Size, true, nil
}

func modified(o *model.Object) time.Time {
	return time.UnixMilli(o.ModifiedAt).UTC().Truncate(time.Second)
}

// describe sets the headers that an object is answered with: its own, or those that the request wants instead.
func (c *call) describe(o *model.Object) {
	h := c.ResponseWriter.Header()
	h.Set("Accept-Ranges", "bytes")
	h.Set("Content-Type", "binary/octet-stream") // [D]
	for _, t := range o.Meta.Headers {
		h.Set(t.Key, t.Value)
	}
	for _, t := range o.Meta.User {
		h["x-amz-meta-"+t.Key] = []string{t.Value} // in lower case, as clients sent them
	}
	query := c.URL.Query()
	for _, name := range kept() {
		if v := query.Get("response-" + strings.ToLower(name)); v != "" {
			h.Set(name, v)
		}
	}
	// The endpoint serves others too: what somebody has stored never runs in a browser as one of its pages.
	h.Set("Content-Security-Policy", "sandbox")
	h.Set("X-Content-Type-Options", "nosniff")
}

// unwanted says why an object is not answered: the request's conditions, whose names have a prefix if they are about the source of a
// copy. Those about ETags come before those about times [D].
func unwanted(h http.Header, prefix string, o *model.Object) error {
	since := func(name string) (time.Time, bool) {
		t, err := http.ParseTime(h.Get(prefix + name))
		return t, err == nil
	}
	if want := h.Get(prefix + "If-Match"); want != "" {
		if !matches(want, o.ETag) {
			return errPrecondition(prefix + "If-Match")
		}
	} else if t, ok := since("If-Unmodified-Since"); ok && modified(o).After(t) {
		return errPrecondition(prefix + "If-Unmodified-Since")
	}
	fresh := false
	if not := h.Get(prefix + "If-None-Match"); not != "" {
		fresh = matches(not, o.ETag)
	} else if t, ok := since("If-Modified-Since"); ok {
		fresh = !modified(o).After(t)
	}
	switch {
	case fresh && prefix != "":
		return errPrecondition(prefix + "If-None-Match")
	case fresh:
		return refused("NotModified", "Not Modified")
	}
	return nil
}

// matches says whether a list of ETags, or *, has one.
func matches(list, etag string) bool {
	for want := range strings.SplitSeq(list, ",") {
		want = strings.TrimPrefix(strings.TrimSpace(want), "W/")
		if want == "*" || strings.Trim(want, `"`) == etag {
			return true
		}
	}
	return false
}

// byteRange reads a header Range: the first byte and how many there are. What is no range, or several, means all [I].
func byteRange(header string, size int64) (from, n int64, part bool, err error) {
	spec, ok := strings.CutPrefix(header, "bytes=")
	first, last, dash := strings.Cut(spec, "-")
	if !ok || !dash || strings.Contains(spec, ",") {
		return 0, size, false, nil
	}
	to := size - 1
	if first == "" { // the last bytes
		count, err := parseOffset(last)
		if err != nil {
			return 0, size, false, nil //nolint:nilerr // it is no range
		}
		from = max(size-count, 0)
		if count == 0 {
			from = size
		}
	} else {
		if from, err = parseOffset(first); err != nil {
			return 0, size, false, nil //nolint:nilerr // it is no range
		}
		if last != "" {
			end, err := parseOffset(last)
			if err != nil || end < from {
				return 0, size, false, nil //nolint:nilerr // it is no range
			}
			to = min(end, to)
		}
	}
	if from >= size {
		return 0, 0, false, refused("InvalidRange", "The requested range is not satisfiable",
			"RangeRequested", header, "ActualObjectSize", strconv.FormatInt(size, 10))
	}
	return from, to - from + 1, true, nil
}

// parseOffset reads a decimal without a sign.
func parseOffset(text string) (int64, error) {
	n, err := strconv.ParseUint(text, 10, 63)
	return int64(n), err //nolint:gosec // 63 bits
}

// send answers some bytes of contents. One that is missing is found out before anything is sent, if it is the first.
func (a *API) send(c *call, contents []model.Content, from, n int64, status int) error {
	r := a.reader(c, contents, from, n)
	defer r.Close()
	if err := r.next(); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	c.WriteHeader(status)
	if _, err := io.Copy(c.ResponseWriter, r); err != nil {
		a.Log.Debug("send an object", "request", c.id, "err", err)
		panic(http.ErrAbortHandler) // the client has to see that something is missing
	}
	return nil
}
