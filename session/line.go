package session

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/roadstead/roadstead/acs"
)

// line is an agent's connection. Agents are mostly silent, and for each a goroutine waits until something comes: await does so on the
// smallest stack that there is. What has come is then received on a deep one.
type line struct {
	*acs.Conn
	conn  net.Conn
	in    *bufio.Reader   // what of conn has been read and not received
	raw   syscall.RawConn // of conn; nil if it cannot say that something has come, as with TLS
	early bool            // something came with the request
	asked bool            // ready has been called since await was
	peek  [1]byte         // for ready to look at
	came  []byte          // what await has received itself, without raw
}

func newLine(c *acs.Conn, t *thin) *line {
	l := &line{Conn: c, conn: t.conn, in: t.in, early: t.early > 0}
	if s, ok := t.conn.(syscall.Conn); ok {
		l.raw, _ = s.SyscallConn()
	}
	return l
}

// await blocks until receive has something to begin with, or the connection ends: errAgentLeft.
func (l *line) await() (err error) {
	switch {
	case l.raw == nil:
		l.came, err = l.ReceiveFrame(context.Background())
	case l.early || l.in.Buffered() > 0:
	default:
		l.asked = false
		err = l.raw.Read(l.ready)
	}
	return left(err)
}

// left is why a connection has ended.
func left(err error) error {
	if err != nil {
		err = fmt.Errorf("%w: %w", errAgentLeft, err)
	}
	return err
}

// ready says whether there is something to read, or an error or the end. The second time it is asked because there is.
func (l *line) ready(fd uintptr) bool {
	if l.asked {
		return true
	}
	l.asked = true
	_, _, no := unix.Syscall6(unix.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(&l.peek)), 1, unix.MSG_PEEK|unix.MSG_DONTWAIT, 0, 0)
	return no != unix.EAGAIN
}

// receive has f deal with a frame after await. Afterwards the frame is another one's. It has no context: the library would note each time
// anew that it may end.
func (l *line) receive(f func(frame []byte) error) error {
	if l.raw == nil {
		frame := l.came
		l.came = nil
		return f(frame)
	}
	l.early = false
	b := frames.Get().(*[]byte)
	defer frames.Put(b)
	frame, err := l.ReceiveInto(context.Background(), *b)
	if err != nil {
		return left(err)
	}
	if cap(frame) <= mostKept {
		*b = frame
	}
	return f(frame)
}

// frames are buffers for what is received, and mostKept is the size of those that are kept.
var frames = sync.Pool{New: func() any { return new([]byte) }}

const mostKept = 64 << 10

// stop has await, receive and what is being sent return an error, await and receive ever after.
func (l *line) stop() { _ = l.conn.SetDeadline(time.Unix(1, 0)) }

// goodbye is how long the agent may take to answer that the connection ends.
const goodbye = time.Second

// end says why the connection ends, and ends it.
func (l *line) end(reason string) {
	_ = l.conn.SetDeadline(time.Now().Add(goodbye))
	_ = l.Close(reason)
}
