package logdriver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A link carries chunks over a connection that is made again when it breaks. Protocols without answers do not say what has arrived,
// but the kernel says a good deal. A unix socket is waited for until the receiver has read. Over TCP the link keeps what the
// receiver's machine has not acknowledged, and what it has for a few seconds more: if Linux ends a connection with something unread it
// resets it. What may be lost with a connection is sent again: some twice rather than one never.
type link struct {
	to *address

	conn   net.Conn
	ended  chan error // has why conn ended, once it has; nil if the driver reads itself
	recent []chunk    // of TCP: written, and perhaps not read yet
	again  [][]byte   // to be sent before anything else
}

// chunk is what was written at a time.
type chunk struct {
	at   time.Time
	data []byte
}

const (
	unreadFor   = 5 * time.Second // a receiver that lives has read a chunk after that
	unreadBytes = 8 << 20         // and has no room for more
	deadAfter   = 2 * time.Minute // a machine that acknowledges nothing
	awaitFirst  = 100 * time.Microsecond
	awaitLast   = 50 * time.Millisecond
)

// connect makes the connection if there is none. With watch somebody waits for its end.
func (l *link) connect(ctx context.Context, watch bool) error {
	if l.conn != nil {
		return nil
	}
	c, err := l.to.dial(ctx)
	if err != nil {
		return err
	}
	if raw := rawConn(c); raw != nil && l.to.network == "tcp" {
		_ = raw.Control(func(fd uintptr) {
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(deadAfter.Milliseconds()))
		})
	}
	l.conn = c
	if watch {
		l.ended = make(chan error, 1)
		go func(ended chan<- error) { // drop waits for it
			_, err := io.Copy(io.Discard, c)
			if err == nil {
				err = io.EOF
			}
			ended <- err
		}(l.ended)
	}
	return nil
}

// send has the chunk taken, after what a broken connection may have lost.
func (l *link) send(ctx context.Context, data []byte) error {
	if err := l.settle(ctx); err != nil {
		return err
	}
	if err := l.connect(ctx, true); err != nil {
		return err
	}
	if err := l.put(ctx, data); err != nil {
		return err
	}
	l.remember(data, time.Now())
	return nil
}

// settle notices the end of the connection, and sends again what may be lost with it.
func (l *link) settle(ctx context.Context) error {
	if l.conn != nil && l.ended != nil {
		select {
		case err := <-l.ended:
			l.ended <- err
			l.drop(nil)
		default:
		}
	}
	for len(l.again) > 0 {
		if err := l.connect(ctx, true); err != nil {
			return err
		}
		if err := l.put(ctx, l.again[0]); err != nil {
			return err
		}
		l.remember(l.again[0], time.Now())
		l.again = l.again[1:]
	}
	return nil
}

// remember keeps the chunk, and lets go of those that have been read by now.
func (l *link) remember(data []byte, now time.Time) {
	if l.to.network != "tcp" {
		return
	}
	l.recent = append(l.recent, chunk{now, data})
	size := 0
	for _, c := range l.recent {
		size += len(c.data)
	}
	for now.Sub(l.recent[0].at) > unreadFor || size > unreadBytes {
		if size -= len(l.recent[0].data); size < max(l.left(), 1) {
			return
		}
		l.recent = l.recent[1:]
	}
}

// left is how many bytes the receiver has not acknowledged: over a unix socket, not read.
func (l *link) left() int {
	n := 0
	if raw := rawConn(l.conn); raw != nil {
		_ = raw.Control(func(fd uintptr) { n, _ = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) })
	}
	return n
}

// put writes, over a unix socket until it has been read. If that fails the connection is dropped.
func (l *link) put(ctx context.Context, data []byte) error {
	err := l.write(ctx, data)
	if err == nil && l.to.network == "unix" {
		err = l.await(ctx)
	}
	if err != nil {
		l.drop(err)
	}
	return err
}

// write waits for a slow receiver. After an error the connection is of no use.
func (l *link) write(ctx context.Context, data []byte) error {
	conn := l.conn
	stop := context.AfterFunc(ctx, func() { _ = conn.SetWriteDeadline(time.Unix(1, 0)) })
	defer stop()
	_, err := conn.Write(data)
	return err
}

// await waits until the receiver has read all that was written.
func (l *link) await(ctx context.Context) error {
	for wait := awaitFirst; l.left() > 0; wait = min(2*wait, awaitLast) {
		select {
		case err := <-l.ended:
			l.ended <- err
			return fmt.Errorf("the receiver has gone: %w", err)
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
	if !hungUp(l.conn) {
		return nil
	}
	err := <-l.ended
	l.ended <- err
	if !errors.Is(err, io.EOF) { // it went with something unread, of which nothing is left then
		return fmt.Errorf("the receiver has gone: %w", err)
	}
	return nil
}

// hungUp says that the receiver has ended the connection.
func hungUp(c net.Conn) (yes bool) {
	if raw := rawConn(c); raw != nil {
		_ = raw.Control(func(fd uintptr) {
			fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
			n, err := unix.Poll(fds, 0)
			yes = n > 0 && err == nil
		})
	}
	return yes
}

// drop ends the connection, and finds what may be lost with it. The kernel tells of a reset once: failed may have it, if the one who
// watches has not.
func (l *link) drop(failed error) {
	if l.conn == nil {
		return
	}
	left := l.left()
	l.conn.Close()
	l.conn = nil
	why := io.EOF
	if l.ended != nil {
		why = <-l.ended
		l.ended = nil
	}
	reset := !errors.Is(why, io.EOF) || errors.Is(failed, syscall.ECONNRESET)
	for _, c := range slices.Backward(l.recent) {
		if left <= 0 && (!reset || time.Since(c.at) > unreadFor) {
			break
		}
		left -= len(c.data)
		l.again = slices.Insert(l.again, 0, c.data)
	}
	l.recent = nil
}

// rawConn is the socket below a connection.
func rawConn(c net.Conn) syscall.RawConn {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	s, ok := c.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}

// close ends the connection after what was written.
func (l *link) close() error {
	l.drop(nil)
	return nil
}
