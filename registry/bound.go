package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// stall is how long nothing may come of a blob that is fetched.
const stall = time.Minute

// bounded is a blob on its way from somebody who may send more than he said, or nothing any more.
type bounded struct {
	io.ReadCloser
	size, left int64
	cancel     context.CancelCauseFunc
	cause      func() error // why the fetching was given up; nil if it was not
	timer      *time.Timer  // runs while something is waited for
}

// bound opens a blob of a size in bytes. Reading more than that, or waiting for too long, is an error. The context that open gets ends
// when nothing comes, and when the blob is closed.
func bound(ctx context.Context, size int64, open func(ctx context.Context) (io.ReadCloser, error)) (io.ReadCloser, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	b := &bounded{size: size, left: size, cancel: cancel, cause: func() error { return context.Cause(ctx) }}
	b.timer = time.AfterFunc(stall, func() { cancel(fmt.Errorf("nothing has come for %s", stall)) })
	defer b.timer.Stop()
	r, err := open(ctx)
	if err != nil {
		err = b.why(err)
		cancel(nil)
		return nil, err
	}
	b.ReadCloser = r
	return b, nil
}

func (b *bounded) Read(p []byte) (int, error) {
	b.timer.Reset(stall)
	defer b.timer.Stop()
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), max(b.left, 0)+1)])
	if b.left -= int64(n); b.left < 0 {
		return 0, fmt.Errorf("more has come than the %d bytes that its manifest says", b.size)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = b.why(err)
	}
	return n, err
}

// why is what went wrong, if it was not the fetching's own end.
func (b *bounded) why(err error) error {
	if cause := b.cause(); cause != nil {
		return cause
	}
	return err
}

func (b *bounded) Close() error {
	b.cancel(nil)
	return b.ReadCloser.Close()
}
