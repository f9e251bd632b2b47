package logs

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// fifo reads the reading end of a named pipe. Opening it waits for no writer, and until the first writer has come
// Read waits rather than reporting the end: the container's shim opens its end some milliseconds later.
type fifo struct {
	f     *os.File
	raw   syscall.RawConn
	drain atomic.Bool // after the deadline, read what is there
}

func openFifo(path string) (*fifo, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	raw, err := f.SyscallConn()
	if err != nil {
		f.Close()
		return nil, err
	}
	return &fifo{f: f, raw: raw}, nil
}

// Read returns io.EOF when every writer has gone, and os.ErrDeadlineExceeded when the time that hurry set has
// passed without data.
func (p *fifo) Read(b []byte) (int, error) {
	var n int
	var failed error
	err := p.raw.Read(func(fd uintptr) bool {
		for {
			n, failed = unix.Read(int(fd), b)
			switch {
			case errors.Is(failed, unix.EINTR):
				continue
			case errors.Is(failed, unix.EAGAIN):
				return false
			case failed == nil && n == 0:
				return hungUp(int(fd))
			}
			return true
		}
	})
	if errors.Is(err, os.ErrDeadlineExceeded) && p.drain.Load() {
		if cerr := p.raw.Control(func(fd uintptr) { n, failed = unix.Read(int(fd), b) }); cerr == nil && failed == nil && n > 0 {
			return n, nil
		}
	}
	switch {
	case err != nil:
		return 0, err
	case failed != nil:
		return 0, fmt.Errorf("read fifo: %w", failed)
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

// hungUp tells "all writers have gone" from "no writer has come yet": the kernel raises POLLHUP only for the first.
func hungUp(fd int) bool {
	fds := []unix.PollFd{{Fd: int32(fd)}}
	if _, err := unix.Poll(fds, 0); err != nil {
		return false
	}
	return fds[0].Revents&unix.POLLHUP != 0
}

// hurry ends reads that wait for longer than until. With drain, what is in the fifo is read all the same.
func (p *fifo) hurry(until time.Time, drain bool) {
	p.drain.Store(drain)
	_ = p.f.SetReadDeadline(until)
}

func (p *fifo) close() { p.f.Close() }

// copyStream moves a fifo's lines into the sink until its writers have gone. A sink that cannot be written (a full
// disk) loses lines but never blocks the container; the first such error is returned at the end.
func copyStream(from *fifo, to *splitter) error {
	buf := make([]byte, 32<<10)
	var lost error
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if werr := to.write(buf[:n], time.Now()); werr != nil && lost == nil {
				lost = fmt.Errorf("write log: %w", werr)
			}
		}
		if err == nil {
			continue
		}
		if werr := to.end(time.Now()); werr != nil && lost == nil {
			lost = fmt.Errorf("write log: %w", werr)
		}
		if errors.Is(err, io.EOF) || errors.Is(err, os.ErrDeadlineExceeded) {
			return lost
		}
		return errors.Join(lost, err)
	}
}
