package registry

import (
	"context"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// drip is a blob of which a byte comes now and then, and at last no more.
type drip struct {
	ended <-chan struct{} // with its request
	every time.Duration
	left  int
}

func (d *drip) Read(p []byte) (int, error) {
	wait := d.every
	if d.left == 0 {
		wait = 24 * time.Hour
	}
	select {
	case <-time.After(wait):
	case <-d.ended:
		return 0, context.Canceled
	}
	d.left--
	return copy(p, "x"), nil
}

func (d *drip) Close() error { return nil }

// A blob is as long as its manifest says. It may come slowly, for as long as it comes.
func TestBlobsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fetch := func(size int64, open func(ctx context.Context) (io.ReadCloser, error)) (int, string, time.Duration) {
			t.Helper()
			began := time.Now()
			r, err := bound(t.Context(), size, open)
			var b []byte
			if err == nil {
				b, err = io.ReadAll(r)
				r.Close()
			}
			if err == nil {
				return len(b), "", time.Since(began)
			}
			return len(b), err.Error(), time.Since(began)
		}
		text := func(n int) func(context.Context) (io.ReadCloser, error) {
			return func(context.Context) (io.ReadCloser, error) {
				return io.NopCloser(strings.NewReader(strings.Repeat("x", n))), nil
			}
		}
		slow := func(ctx context.Context) (io.ReadCloser, error) { return &drip{ctx.Done(), 50 * time.Second, 100}, nil }
		never := func(ctx context.Context) (io.ReadCloser, error) { <-ctx.Done(); return nil, ctx.Err() }
		for _, c := range []struct {
			what string
			size int64
			open func(ctx context.Context) (io.ReadCloser, error)
			n    int
			err  string
			took time.Duration
		}{
			{"as long as it says", 5000, text(5000), 5000, "", 0},
			{"shorter, which its digest says", 5000, text(4999), 4999, "", 0},
			{"nothing", 0, text(0), 0, "", 0},
			{"a byte more", 5000, text(5001), 0, "more has come than the 5000 bytes that its manifest says", 0},
			{"no size", -1, text(1), 0, "more has come than the -1 bytes that its manifest says", 0},
			{"slow, and at last nothing", 5000, slow, 100, "nothing has come for 1m0s", 100*50*time.Second + time.Minute},
			{"never an answer", 5000, never, 0, "nothing has come for 1m0s", time.Minute},
		} {
			n, err, took := fetch(c.size, c.open)
			if c.n != 0 && n != c.n || err != c.err || took != c.took {
				t.Errorf("%s: %d bytes, %q after %v", c.what, n, err, took)
			}
		}
	})
}
