package s3

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/roadstead/roadstead/model"
)

// find returns the object that is asked for. Whoever may not list the bucket is not told that there is none [D].
func (a *API) find(c *call, bucket, key string) (*model.Object, error) {
	b, err := a.may(c, "GetObject", &On{Bucket: bucket, Key: key})
	if err != nil {
		return nil, err
	}
	o, ok := a.DB.Snapshot().Objects.Get(model.ObjectKey(b.ID, key))
	if ok {
		return o, nil
	}
	if _, err := a.may(c, "ListBucket", &On{Bucket: bucket, Prefix: key}); err != nil {
		return nil, err
	}
	return nil, errNoKey(key)
}

func (a *API) headObject(c *call) error { return a.read(c) }
func (a *API) getObject(c *call) error  { return a.read(c) }

func (a *API) read(c *call) error {
	o, err := a.find(c, c.bucket, c.key)
	if err != nil {
		return err
	}
	h := c.ResponseWriter.Header()
	h.Set("Etag", quoted(o.ETag))
	h.Set("Last-Modified", modified(o).Format(http.TimeFormat))
	if err := unwanted(c.Header(), "", o); err != nil {
		return err
	}
	from, n, part, err := byteRange(c.Header().Get("Range"), o.Size)
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

// send answers some bytes of contents. A content that is missing is found out before anything is sent, if it is the first.
func (a *API) send(c *call, contents []model.Content, from, n int64, status int) error {
	sent := false
	for _, part := range contents {
		if from >= part.Size {
			from -= part.Size
			continue
		}
		f, err := a.Store.Open(c.Context(), part.Digest)
		if err == nil && from > 0 {
			_, err = f.Seek(from, io.SeekStart)
		}
		if err != nil && !sent {
			return err
		}
		if err == nil {
			if !sent {
				c.WriteHeader(status)
			}
			sent = true
			var copied int64
			copied, err = io.CopyN(c.ResponseWriter, f, min(n, part.Size-from))
			n -= copied
			f.Close()
		}
		if err != nil {
			a.Log.Debug("send an object", "request", c.id, "err", err)
			panic(http.ErrAbortHandler) // the client has to see that something is missing
		}
		if from = 0; n == 0 {
			return nil
		}
	}
	if !sent {
		c.WriteHeader(status)
	}
	return nil
}
