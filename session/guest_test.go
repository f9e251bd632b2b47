package session_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"testing"

	"github.com/roadstead/roadstead/session"
)

// sink is a connection that remembers what is written to it.
type sink struct {
	net.Conn
	bytes.Buffer
}

func (s *sink) Write(b []byte) (int, error) { return s.Buffer.Write(b) }
func (s *sink) Read(b []byte) (int, error)  { return s.Buffer.Read(b) }

// Frames arrive as they are, and nothing of one leaves before all of it is there.
func TestFramesLeaveWhole(t *testing.T) {
	for _, size := range []int{0, 1, 125, 126, 507, 508, 509, 1 << 10, 1<<16 - 1, 1 << 16, 1 << 20} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			out := &sink{}
			w := session.NewWhole(out)
			var sent []byte
			for n := range 3 { // the state after one must be good for the next
				head := []byte{0x81, byte(size)}
				switch {
				case size >= 1<<16:
					head = binary.BigEndian.AppendUint64([]byte{0x81, 127}, uint64(size))
				case size > 125:
					head = binary.BigEndian.AppendUint16([]byte{0x81, 126}, uint16(size))
				}
				frame := append(head, bytes.Repeat([]byte{byte('a' + n)}, size)...)
				sent = append(sent, frame...)
				if before := out.Len(); len(frame) > 512 { // as a buffer of 512 bytes passes it on
					_, _ = w.Write(frame[:512])
					if out.Len() != before {
						t.Errorf("%d bytes have left before the rest was there", out.Len()-before)
					}
					frame = frame[512:]
				}
				if n, err := w.Write(frame); n != len(frame) || err != nil {
					t.Fatal(n, err)
				}
			}
			if !bytes.Equal(out.Bytes(), sent) {
				t.Errorf("%d bytes arrived, not the %d that were sent", out.Len(), len(sent))
			}
		})
	}
}
