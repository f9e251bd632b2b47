package s3

import (
	"cmp"
	"encoding/xml"
	"slices"
	"strconv"
	"strings"

	"github.com/roadstead/roadstead/model"
)

// limit reads how many entries an answer may have.
func (c *call) limit(name string) (int, error) {
	text := c.URL.Query().Get(name)
	if text == "" {
		return maxPage, nil
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < 0 {
		return 0, errArgument(name, text, "Provided "+name+" not an integer or within integer range")
	}
	return min(int(n), maxPage), nil
}

func (a *API) listParts(c *call) error {
	b, err := a.onObject(c, "ListMultipartUploadParts")
	if err != nil {
		return err
	}
	t := a.DB.Snapshot().Tables
	u, err := c.upload(t, b)
	if err != nil {
		return err
	}
	limit, err := c.limit("max-parts")
	if err != nil {
		return err
	}
	after := 0
	if text := c.URL.Query().Get("part-number-marker"); text != "" {
		if after, err = strconv.Atoi(text); err != nil || after < 0 || after > maxParts {
			return errArgument("part-number-marker", text, "Provided part-number-marker not an integer or within integer range")
		}
	}
	type part struct {
		PartNumber         int
		LastModified, ETag string
		Size               int64
	}
	out := struct {
		XMLName              xml.Name `xml:"ListPartsResult"`
		NS                   string   `xml:"xmlns,attr"`
		Bucket, Key          string
		UploadID             string `xml:"UploadId"`
		Initiator, Owner     owner
		StorageClass         string
		PartNumberMarker     int
		NextPartNumberMarker int
		MaxParts             int
		IsTruncated          bool
		Part                 []part
	}{
		NS: namespace, Bucket: c.bucket, Key: c.key, UploadID: u.ID, Initiator: owner{model.CanonicalID(b.Account)}, Owner: owner{model.CanonicalID(b.Account)},
		StorageClass: "STANDARD", PartNumberMarker: after, MaxParts: limit,
	}
	for p := range t.UploadParts.From(u.ID+"/", model.UploadPartKey(u.ID, after+1)) {
		if len(out.Part) == limit {
			out.IsTruncated = limit > 0
			break
		}
		out.Part = append(out.Part, part{p.Number, stamp(p.ModifiedAt), quoted(p.ETag), p.Content.Size})
		out.NextPartNumberMarker = p.Number
	}
	return c.answer(out)
}

type listedUpload struct {
	Key              string
	UploadID         string `xml:"UploadId"`
	Initiator, Owner owner
	StorageClass     string
	Initiated        string
}

// listUploads lists the uploads that are not complete, by key and then by id.
func (a *API) listUploads(c *call) error {
	b, err := a.onBucket(c, "ListBucketMultipartUploads")
	if err != nil {
		return err
	}
	limit, err := c.limit("max-uploads")
	if err != nil {
		return err
	}
	q := c.URL.Query()
	encode := (&listing{EncodingType: q.Get("encoding-type")}).encode
	out := struct {
		XMLName            xml.Name `xml:"ListMultipartUploadsResult"`
		NS                 string   `xml:"xmlns,attr"`
		Bucket             string
		KeyMarker          string
		UploadIDMarker     string `xml:"UploadIdMarker"`
		NextKeyMarker      string `xml:",omitempty"`
		NextUploadIDMarker string `xml:"NextUploadIdMarker,omitempty"`
		Prefix             string
		EncodingType       string `xml:",omitempty"`
		MaxUploads         int
		IsTruncated        bool
		Upload             []listedUpload
	}{
		NS: namespace, Bucket: c.bucket, KeyMarker: encode(q.Get("key-marker")), UploadIDMarker: q.Get("upload-id-marker"),
		Prefix: encode(q.Get("prefix")), EncodingType: q.Get("encoding-type"), MaxUploads: limit,
	}
	uploads := slices.SortedFunc(a.DB.Snapshot().Uploads.Prefix(b.ID+"/"), func(x, y *model.Upload) int {
		return cmp.Or(strings.Compare(x.Name, y.Name), strings.Compare(x.ID, y.ID))
	})
	for _, u := range uploads {
		past := u.Name > q.Get("key-marker") || u.Name == q.Get("key-marker") && q.Get("upload-id-marker") != "" && u.ID > q.Get("upload-id-marker")
		if !strings.HasPrefix(u.Name, q.Get("prefix")) || !past {
			continue
		}
		if len(out.Upload) == limit {
			out.IsTruncated = limit > 0
			break
		}
		who := owner{model.CanonicalID(b.Account)}
		out.Upload = append(out.Upload, listedUpload{encode(u.Name), u.ID, who, who, "STANDARD", stamp(u.CreatedAt)})
		out.NextKeyMarker, out.NextUploadIDMarker = encode(u.Name), u.ID
	}
	if !out.IsTruncated {
		out.NextKeyMarker, out.NextUploadIDMarker = "", ""
	}
	return c.answer(out)
}
