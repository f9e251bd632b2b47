package s3

import (
	"bytes"
	"crypto/md5"  //nolint:gosec // Content-MD5
	"crypto/sha1" //nolint:gosec // one of S3's checksums
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"
	"net/http"
	"strings"

	"github.com/roadstead/roadstead/model"
)

// algorithms are those of S3's checksums, as headers name them.
func algorithms() []string { return []string{"crc64nvme", "crc32", "crc32c", "sha1", "sha256"} }

// nvme is the polynomial of CRC64NVME, bits reversed.
const nvme = 0x9a6c9329ac4bc9b5

// newChecksum returns nil for an algorithm that is none.
func newChecksum(algorithm string) hash.Hash {
	switch algorithm {
	case "crc64nvme":
		return crc64.New(crc64.MakeTable(nvme))
	case "crc32":
		return crc32.NewIEEE()
	case "crc32c":
		return crc32.New(crc32.MakeTable(crc32.Castagnoli))
	case "sha1":
		return sha1.New() //nolint:gosec // a checksum
	case "sha256":
		return sha256.New()
	}
	return nil
}

// digests are what a request says of its body: to be compared with what came.
type digests struct {
	md5       []byte // nil for none
	algorithm string // "" for none
	want      string // base64; "" if it comes in the trailer
	sum       hash.Hash
}

// digests reads the headers Content-MD5 and x-amz-checksum-ALGORITHM.
func (c *call) digests() (*digests, error) {
	d := &digests{}
	if text := c.Header().Get("Content-Md5"); text != "" {
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(b) != md5.Size {
			return nil, refused("InvalidDigest", "The Content-MD5 you specified was invalid.")
		}
		d.md5 = b
	}
	for _, name := range algorithms() {
		v := c.Header().Get("X-Amz-Checksum-" + name)
		inTrailer := strings.EqualFold(c.Header().Get("X-Amz-Trailer"), "x-amz-checksum-"+name)
		if v == "" && !inTrailer {
			continue
		}
		if d.algorithm != "" || v != "" && inTrailer {
			return nil, refused("InvalidRequest", "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
		}
		d.algorithm, d.want = name, v
		if b, err := base64.StdEncoding.DecodeString(v); v != "" && (err != nil || len(b) != newChecksum(name).Size()) {
			return nil, refused("InvalidRequest", "Value for x-amz-checksum-"+name+" header is invalid.")
		}
	}
	return d, nil
}

// reader is the body, which is summed up as it is read. One without a checksum gets CRC64NVME, as S3 does it.
func (d *digests) reader(body io.Reader) io.Reader {
	if d.algorithm == "" {
		d.sum = newChecksum("crc64nvme")
	} else {
		d.sum = newChecksum(d.algorithm)
	}
	return io.TeeReader(body, d.sum)
}

// check compares what came, when all of it was read, and returns its checksum.
func (d *digests) check(trailer http.Header, sumMD5 []byte) ([]model.Tag, error) {
	if d.md5 != nil && !bytes.Equal(d.md5, sumMD5) {
		return nil, refused("BadDigest", "The Content-MD5 you specified did not match what we received.")
	}
	name, got := d.algorithm, base64.StdEncoding.EncodeToString(d.sum.Sum(nil))
	if name == "" {
		return []model.Tag{{Key: "crc64nvme", Value: got}}, nil
	}
	want := d.want
	if want == "" {
		want = trailer.Get("X-Amz-Checksum-" + name)
	}
	if got != want {
		return nil, refused("BadDigest", "The "+strings.ToUpper(name)+" you specified did not match the calculated checksum.")
	}
	return []model.Tag{{Key: name, Value: got}}, nil
}

// tellChecksums answers checksums of an object or a part.
func (c *call) tellChecksums(sums []model.Tag, composite bool) {
	for _, s := range sums {
		c.ResponseWriter.Header().Set("X-Amz-Checksum-"+s.Key, s.Value)
	}
	if len(sums) > 0 {
		c.ResponseWriter.Header().Set("X-Amz-Checksum-Type", checksumType(composite))
	}
}

func checksumType(composite bool) string {
	if composite {
		return "COMPOSITE"
	}
	return "FULL_OBJECT"
}
