package s3

import (
	"encoding/base64"
	"encoding/xml"
	"net/url"
	"strings"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// maxPage is how many keys and prefixes one answer has at most [D].
const maxPage = 1000

// page is a part of a bucket's list.
type page struct {
	objects  []*model.Object
	prefixes []string
	last     string // the last key or prefix
	more     bool
}

// lister says which objects are listed.
type lister struct {
	bucketID, prefix, delimiter string
	after                       string // only keys that come later; of prefixes, those that are another
	max                         int
}

// pastAll sorts behind every key that begins like what is before it: keys are UTF-8, which has no such byte.
const pastAll = "\xff"

// list returns a page of the bucket's objects. Keys with the delimiter behind the prefix are one entry, as far as that, and passed over
// all at once.
func (l lister) list(t *state.Table[model.Object]) page {
	var p page
	all := model.ObjectKey(l.bucketID, l.prefix)
	start := all
	if l.after != "" {
		start = max(start, model.ObjectKey(l.bucketID, l.after)+"\x00")
	}
	for {
		common := ""
		for o := range t.From(all, start) {
			if i := strings.Index(o.Name[len(l.prefix):], l.delimiter); l.delimiter != "" && i >= 0 {
				common = o.Name[:len(l.prefix)+i+len(l.delimiter)]
				if common != l.after && len(p.objects)+len(p.prefixes) == l.max {
					p.more = true
					return p
				}
				break
			}
			if len(p.objects)+len(p.prefixes) == l.max {
				p.more = true
				return p
			}
			p.objects, p.last = append(p.objects, o), o.Name
		}
		if common == "" {
			return p
		}
		if common != l.after {
			p.prefixes, p.last = append(p.prefixes, common), common
		}
		start = model.ObjectKey(l.bucketID, common+pastAll)
	}
}

type listedObject struct {
	Key               string
	LastModified      string
	ETag              string
	ChecksumAlgorithm []string `xml:",omitempty"`
	ChecksumType      string   `xml:",omitempty"`
	Size              int64
	Owner             *owner
	StorageClass      string
}

type listedPrefix struct{ Prefix string }

// listing is the answer to both ways to list.
type listing struct {
	XMLName               xml.Name `xml:"ListBucketResult"`
	NS                    string   `xml:"xmlns,attr"`
	Name                  string
	Prefix                string
	Marker                *string
	StartAfter            string `xml:",omitempty"`
	ContinuationToken     string `xml:",omitempty"`
	NextContinuationToken string `xml:",omitempty"`
	NextMarker            string `xml:",omitempty"`
	KeyCount              *int
	MaxKeys               int
	Delimiter             string `xml:",omitempty"`
	EncodingType          string `xml:",omitempty"`
	IsTruncated           bool
	Contents              []listedObject
	CommonPrefixes        []listedPrefix
}

func (a *API) listObjects(c *call) error {
	out, p, err := a.list(c, c.URL.Query().Get("marker"), true)
	if err != nil {
		return err
	}
	marker := out.encode(c.URL.Query().Get("marker"))
	out.Marker = &marker
	if p.more && out.Delimiter != "" { // without one, the last key says it [D]
		out.NextMarker = out.encode(p.last)
	}
	return c.answer(out)
}

func (a *API) listObjectsV2(c *call) error {
	q := c.URL.Query()
	if q.Get("list-type") != "2" {
		return errArgument("list-type", q.Get("list-type"), "Invalid List Type specified in Query String")
	}
	after := q.Get("start-after")
	if token := q.Get("continuation-token"); q.Has("continuation-token") {
		b, err := base64.StdEncoding.DecodeString(token)
		if err != nil || len(b) == 0 {
			return errArgument("continuation-token", token, "The continuation token provided is incorrect")
		}
		after = string(b)
	}
	out, p, err := a.list(c, after, q.Get("fetch-owner") == "true")
	if err != nil {
		return err
	}
	out.StartAfter, out.ContinuationToken = out.encode(q.Get("start-after")), q.Get("continuation-token")
	n := len(p.objects) + len(p.prefixes)
	out.KeyCount = &n
	if p.more {
		out.NextContinuationToken = base64.StdEncoding.EncodeToString([]byte(p.last))
	}
	return c.answer(out)
}

// list is what both answers have in common.
func (a *API) list(c *call, after string, owners bool) (*listing, page, error) {
	q := c.URL.Query()
	out := &listing{NS: namespace, Name: c.bucket, EncodingType: q.Get("encoding-type")}
	b, err := a.may(c, "ListBucket", &On{Bucket: c.bucket, Prefix: q.Get("prefix"), Delimiter: q.Get("delimiter"), MaxKeys: q.Get("max-keys")})
	if err != nil {
		return nil, page{}, err
	}
	if out.MaxKeys, err = c.limit("max-keys"); err != nil {
		return nil, page{}, err
	}
	if e := out.EncodingType; e != "" && e != "url" {
		return nil, page{}, errArgument("encoding-type", e, "Invalid Encoding Method specified in Request")
	}
	out.Prefix, out.Delimiter = out.encode(q.Get("prefix")), out.encode(q.Get("delimiter"))
	var p page
	if out.MaxKeys > 0 {
		p = lister{b.ID, q.Get("prefix"), q.Get("delimiter"), after, out.MaxKeys}.list(a.DB.Snapshot().Objects)
	}
	out.IsTruncated = p.more
	for _, o := range p.objects {
		one := listedObject{Key: out.encode(o.Name), LastModified: stamp(o.ModifiedAt), ETag: quoted(o.ETag), Size: o.Size, StorageClass: "STANDARD"}
		for _, s := range o.Checksums {
			one.ChecksumAlgorithm, one.ChecksumType = append(one.ChecksumAlgorithm, strings.ToUpper(s.Key)), checksumType(o.Composite)
		}
		if owners {
			one.Owner = &owner{model.CanonicalID(b.Account)}
		}
		out.Contents = append(out.Contents, one)
	}
	for _, prefix := range p.prefixes {
		out.CommonPrefixes = append(out.CommonPrefixes, listedPrefix{out.encode(prefix)})
	}
	return out, p, nil
}

// encode writes a key as the request wants it: XML has no words for some of what keys may hold.
func (l *listing) encode(key string) string {
	if l.EncodingType != "url" {
		return key
	}
	return strings.ReplaceAll(strings.ReplaceAll(url.QueryEscape(key), "+", "%20"), "%2F", "/")
}
