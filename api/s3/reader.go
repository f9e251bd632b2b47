package s3

import (
	"errors"
	"io"
	"os"

	"github.com/roadstead/roadstead/model"
)

// reader reads some bytes of contents that follow each other. Each is opened when it comes to it.
type reader struct {
	open     func(digest string) (*os.File, error)
	contents []model.Content // those that are not opened yet
	from, n  int64           // where in the first of them it goes on, and how many bytes are left

	file *os.File // being read, nil for none
	rest int64    // of it
}

func (a *API) reader(c *call, contents []model.Content, from, n int64) *reader {
	ctx := c.Context()
	return &reader{open: func(d string) (*os.File, error) { return a.Store.Open(ctx, d) }, contents: contents, from: from, n: n}
}

// next opens the content that has the next byte, unless one is open. It is io.EOF when there is none.
func (r *reader) next() error {
	for r.file == nil {
		if r.n == 0 || len(r.contents) == 0 {
			if r.n > 0 {
				return errors.New("the contents of an object end too early")
			}
			return io.EOF
		}
		first := r.contents[0]
		r.contents = r.contents[1:]
		if r.from >= first.Size {
			r.from -= first.Size
			continue
		}
		f, err := r.open(first.Digest)
		if err != nil {
			return err
		}
		r.file, r.rest = f, min(first.Size-r.from, r.n)
		if _, err := f.Seek(r.from, io.SeekStart); err != nil {
			return err
		}
		r.from = 0
	}
	return nil
}

func (r *reader) Read(p []byte) (int, error) {
	if err := r.next(); err != nil {
		return 0, err
	}
	n, err := r.file.Read(p[:min(int64(len(p)), r.rest)])
	r.rest -= int64(n)
	r.n -= int64(n)
	if errors.Is(err, io.EOF) && r.rest > 0 {
		return n, io.ErrUnexpectedEOF
	}
	if r.rest == 0 {
		r.Close()
		err = nil
	}
	return n, err
}

// Close closes the content that is open.
func (r *reader) Close() {
	if r.file != nil {
		r.file.Close()
		r.file = nil
	}
}
