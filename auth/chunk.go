package auth

import (
	"bufio"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/roadstead/roadstead/model"
)

const (
	maxChunkLine = 512     // of a chunk's head, in bytes
	maxTrailer   = 8 << 10 // of all trailing headers
)

func errIncomplete() error {
	return model.Errorf("IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP header") // [O]
}

func errFraming() error {
	return model.Errorf("InvalidRequest", "The body of the request is not in the chunks that its headers announce.") // [I]
}

// newBody is the body of a request that claims this of it.
func newBody(r *http.Request, claim string, signer chunkSigner) (*Body, error) {
	in := r.Body
	if in == nil {
		in = http.NoBody
	}
	switch claim {
	case unsignedPayload:
		return &Body{Reader: whole{in}, Size: r.ContentLength}, nil
	case signedChunks, signedTrailer, unsignedTrailer:
	default:
		return &Body{Reader: &hashed{in: whole{in}, sum: sha256.New(), want: claim}, Size: r.ContentLength}, nil
	}
	size, err := strconv.ParseInt(r.Header.Get("X-Amz-Decoded-Content-Length"), 10, 64)
	if err != nil || size < 0 {
		return nil, model.Errorf("MissingContentLength", "You must provide the Content-Length HTTP header.") // [O]
	}
	b := &Body{Size: size, Trailer: http.Header{}}
	c := &chunks{in: bufio.NewReader(in), left: size, trailer: b.Trailer}
	if claim != unsignedTrailer {
		c.signer = &signer
	}
	if claim != signedChunks {
		for _, list := range r.Header["X-Amz-Trailer"] {
			for name := range strings.SplitSeq(list, ",") {
				c.announced = append(c.announced, http.CanonicalHeaderKey(strings.TrimSpace(name)))
			}
		}
	}
	b.Reader = c
	return b, nil
}

// whole turns a body that ends too early into a refusal.
type whole struct{ in io.Reader }

func (w whole) Read(p []byte) (int, error) {
	n, err := w.in.Read(p)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = errIncomplete()
	}
	return n, err
}

// hashed compares a body's hash with what was signed, at its end.
type hashed struct {
	in   io.Reader
	sum  hash.Hash
	want string
}

func (h *hashed) Read(p []byte) (int, error) {
	n, err := h.in.Read(p)
	h.sum.Write(p[:n])
	if errors.Is(err, io.EOF) && hex.EncodeToString(h.sum.Sum(nil)) != h.want {
		err = model.Errorf("XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed.") // [O]
	}
	return n, err
}

// chunks reads the encoding aws-chunked: "SIZE[;chunk-signature=SUM]\r\n", so many bytes, "\r\n", until a chunk of no bytes, and then
// headers. Each signature covers the one before, so that chunks can be neither left out nor put elsewhere.
type chunks struct {
	in        *bufio.Reader
	signer    *chunkSigner // nil if chunks are not signed
	announced []string     // headers that may come behind the body
	trailer   http.Header

	left int64 // bytes of the body that are to come
	rest int64 // of the chunk being read
	open bool  // a chunk is being read
	sum  hash.Hash
	sent string // the chunk's signature
	err  error
}

func (c *chunks) Read(p []byte) (int, error) {
	for c.err == nil && c.rest == 0 {
		c.err = c.next()
	}
	if c.err != nil {
		return 0, c.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	n, err := c.in.Read(p[:min(int64(len(p)), c.rest)])
	if c.signer != nil {
		c.sum.Write(p[:n])
	}
	c.rest -= int64(n)
	c.left -= int64(n)
	if err != nil {
		c.err = errIncomplete()
		if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			c.err = err
		}
		return n, c.err
	}
	return n, nil
}

// next ends a chunk and begins another. It is io.EOF after the last.
func (c *chunks) next() error {
	if c.open {
		if err := c.check(); err != nil {
			return err
		}
		if line, err := c.line(); err != nil || line != "" {
			return errors.Join(errFraming(), err)
		}
		c.open = false
	}
	head, err := c.line()
	if err != nil {
		return err
	}
	size, extension, _ := strings.Cut(head, ";")
	n, err := strconv.ParseInt(size, 16, 64)
	if err != nil || n < 0 || strings.HasPrefix(size, "+") {
		return errFraming()
	}
	if n > c.left {
		return errIncomplete()
	}
	if c.signer != nil {
		var ok bool
		if c.sent, ok = strings.CutPrefix(extension, "chunk-signature="); !ok {
			return errFraming()
		}
		c.sum = sha256.New()
	}
	if n > 0 {
		c.open, c.rest = true, n
		return nil
	}
	if err := c.check(); err != nil {
		return err
	}
	if c.left > 0 {
		return errIncomplete()
	}
	return c.readTrailer()
}

func (c *chunks) check() error {
	if c.signer == nil {
		return nil
	}
	return c.signer.check("PAYLOAD", hexHash(nil)+"\n"+hex.EncodeToString(c.sum.Sum(nil)), c.sent)
}

// line reads one, without its end.
func (c *chunks) line() (string, error) {
	var b []byte
	for len(b) <= maxChunkLine {
		one, err := c.in.ReadByte()
		if err != nil {
			return "", errIncomplete()
		}
		if b = append(b, one); one == '\n' {
			line, ok := strings.CutSuffix(string(b), "\r\n")
			if !ok {
				return "", errFraming()
			}
			return line, nil
		}
	}
	return "", errFraming()
}

// readTrailer reads the headers behind the body. Only those that the signed header X-Amz-Trailer announces may come.
func (c *chunks) readTrailer() error {
	const signature = "X-Amz-Trailer-Signature"
	var canonical strings.Builder
	sent, size := "", 0
	for {
		line, err := c.line()
		if err != nil {
			return err
		}
		if line == "" {
			break
		}
		if size += len(line); size > maxTrailer {
			return errFraming()
		}
		name, value, ok := strings.Cut(line, ":")
		name, value = http.CanonicalHeaderKey(strings.TrimSpace(name)), strings.TrimSpace(value)
		switch {
		case !ok:
			return errFraming()
		case name == signature:
			sent = value
		case slices.Contains(c.announced, name) && c.trailer[name] == nil:
			c.trailer.Set(name, value)
			canonical.WriteString(strings.ToLower(name) + ":" + value + "\n")
		default:
			return errFraming()
		}
	}
	if len(c.trailer) < len(c.announced) {
		return model.Errorf("MalformedTrailerError", "The request contained trailing data that was not well-formed or did not conform to our published schema.") // [D]
	}
	if c.signer != nil && len(c.announced) > 0 {
		if err := c.signer.check("TRAILER", hexHash([]byte(canonical.String())), sent); err != nil {
			return err
		}
	}
	return io.EOF
}

// chunkSigner computes the signatures of chunks, one after another.
type chunkSigner struct {
	key   []byte
	scope *signature
	last  string // signature, of the chunk before or of the request
}

// check compares a signature of what follows the last one.
func (s *chunkSigner) check(kind, text, sent string) error {
	scope := s.scope.scope.date + "/" + s.scope.scope.region + "/" + s.scope.scope.service + "/aws4_request"
	sum := sign(s.key, "AWS4-HMAC-SHA256-"+kind+"\n"+s.scope.date+"\n"+scope+"\n"+s.last+"\n"+text)
	want := hex.EncodeToString(sum[:])
	if subtle.ConstantTimeCompare([]byte(want), []byte(sent)) != 1 {
		return errMismatch()
	}
	s.last = want
	return nil
}
