package fleet

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/roadstead/roadstead/acs"
)

// socket is the client's end of a websocket (RFC 6455), as small as it can be: one goroutine reads, and between messages it
// holds a small buffer.
type socket struct {
	conn net.Conn
	r    *bufio.Reader
	turn chan struct{} // full while somebody writes: a bubble's time stands still for a Mutex
	out  []byte
}

// The opcodes of frames.
const (
	opContinuation = 0
	opText         = 1
	opClose        = 8
	opPing         = 9
)

const (
	readBuffer    = 2 << 10 // a payload of one task comes in one piece
	writePatience = acs.SendPatience
)

var errClosedNormally = errors.New("the control plane closed the connection")

// openSocket sends the request as an upgrade. If the answer is not 101 the socket is not open, and the answer's body can be read
// from the connection. After an error the connection is closed.
func openSocket(ctx context.Context, conn net.Conn, r *http.Request) (*socket, *http.Response, error) {
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "websocket")
	r.Header.Set("Sec-WebSocket-Version", "13")
	r.Header.Set("Sec-WebSocket-Key", "cm9hZHN0ZWFkIGZsZWV0IQ==") // any 16 bytes
	s := &socket{conn: conn, turn: make(chan struct{}, 1), r: bufio.NewReaderSize(conn, readBuffer)}
	err := r.Write(conn)
	var resp *http.Response
	if err == nil {
		resp, err = http.ReadResponse(s.r, r)
	}
	if err != nil {
		conn.Close()
		return nil, nil, fmt.Errorf("upgrade: %w", errors.Join(context.Cause(ctx), err))
	}
	return s, resp, nil
}

// receive returns the next message, or an error that is os.ErrDeadlineExceeded if none has begun by the deadline: then the
// socket is still good.
func (s *socket) receive(deadline time.Time) ([]byte, error) {
	var msg []byte
	for {
		if err := s.conn.SetReadDeadline(deadline); err != nil {
			return nil, err
		}
		if _, err := s.r.Peek(1); err != nil {
			return nil, err
		}
		if err := s.conn.SetReadDeadline(time.Now().Add(writePatience)); err != nil {
			return nil, err
		}
		final, op, body, err := s.frame()
		if err != nil {
			return nil, fmt.Errorf("read frame: %w", noDeadline{err})
		}
		switch op {
		case opText, opContinuation:
			if msg == nil {
				msg = body
			} else {
				msg = append(msg, body...)
			}
			if final {
				return msg, nil
			}
		case opPing:
			if err := s.write(opPing+1, body); err != nil {
				return nil, err
			}
		case opClose:
			return nil, errClosedNormally
		}
	}
}

// noDeadline hides that an error is a missed deadline: half a frame has been read.
type noDeadline struct{ err error }

func (e noDeadline) Error() string { return e.err.Error() }

// frame reads one frame.
func (s *socket) frame() (final bool, op byte, body []byte, err error) {
	var h [8]byte
	if _, err = io.ReadFull(s.r, h[:2]); err != nil {
		return false, 0, nil, err
	}
	final, op = h[0]&0x80 != 0, h[0]&0x0f
	n := uint64(h[1] & 0x7f)
	switch n {
	case 126:
		_, err = io.ReadFull(s.r, h[:2])
		n = uint64(binary.BigEndian.Uint16(h[:]))
	case 127:
		_, err = io.ReadFull(s.r, h[:8])
		n = binary.BigEndian.Uint64(h[:])
	}
	if err == nil && n > acs.MaxFrame {
		err = fmt.Errorf("frame of %d bytes", n)
	}
	if err != nil {
		return false, 0, nil, err
	}
	body = make([]byte, n)
	_, err = io.ReadFull(s.r, body)
	return final, op, body, err
}

// send writes one message.
func (s *socket) send(msg any) error {
	b, err := acs.Encode(msg)
	if err != nil {
		return err
	}
	return s.write(opText, b)
}

// write writes one frame, with a mask of zeros: there is nobody on the way to be confused by what it says.
func (s *socket) write(op byte, body []byte) error {
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	s.out = append(s.out[:0], 0x80|op)
	switch n := len(body); {
	case n < 126:
		s.out = append(s.out, 0x80|byte(n))
	case n < 1<<16:
		s.out = binary.BigEndian.AppendUint16(append(s.out, 0x80|126), uint16(n))
	default:
		s.out = binary.BigEndian.AppendUint64(append(s.out, 0x80|127), uint64(n))
	}
	s.out = append(append(s.out, 0, 0, 0, 0), body...)
	if err := s.conn.SetWriteDeadline(time.Now().Add(writePatience)); err != nil {
		return err
	}
	_, err := s.conn.Write(s.out)
	return err
}

// close says good-bye and ends the connection.
func (s *socket) close() {
	_ = s.write(opClose, []byte{3, 232}) // 1000
	s.cut()
}

// cut ends the connection as a dying process does.
func (s *socket) cut() { s.conn.Close() }
