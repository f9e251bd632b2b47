package session

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/roadstead/roadstead/acs"
)

// guest is an agent at one of its connections, which has left its HTTP request. One of its methods is called at a time.
type guest interface {
	open(ctx context.Context) error // when ctx ends the connection stops, too
	hear() error                    // something is there to be received
	close(why error)                // comes also after an open that failed
}

// invite makes a websocket of the request's connection, and has Run serve it. The request ends: thousands of
// agents are connected and mostly silent, and none of them shall keep what a request holds, nor a stack of its depth.
func (s *Sessions) invite(w http.ResponseWriter, r *http.Request, come func(*line) guest) {
	t := &thin{ResponseWriter: w}
	ws, err := websocket.Accept(t, r, nil)
	if err != nil {
		return // Accept has answered
	}
	l := newLine(acs.NewConnOver(ws, t.conn), t)
	select {
	case s.guests <- visit{line: l, guest: come(l)}:
		return
	case <-s.closing:
	case <-r.Context().Done():
	}
	_ = ws.CloseNow()
}

// visit is a guest with its connection.
type visit struct {
	line *line
	guest
	over func() // called when the guest is gone
}

// host serves the guests that come until ctx ends.
func (s *Sessions) host(ctx context.Context) {
	defer s.stacks.wg.Wait()
	var all sync.WaitGroup
	defer all.Wait()
	var mu sync.Mutex
	here := map[*line]struct{}{} // guarded by mu
	for {
		select {
		case v := <-s.guests:
			all.Add(1)
			mu.Lock()
			here[v.line] = struct{}{}
			mu.Unlock()
			v.over = func() {
				mu.Lock()
				delete(here, v.line)
				mu.Unlock()
				all.Done()
			}
			s.stacks.start(func() { s.attend(&v, v.open(ctx)) })
		case <-ctx.Done():
			mu.Lock()
			defer mu.Unlock() // before all are waited for
			for l := range here {
				l.stop()
			}
			return
		}
	}
}

// attend has a guest heard when it says something, or closed if there is an error. Who waits does so in a goroutine that is made for it:
// that has a stack as small as there is, of 2 KiB, even where many deep ones were needed when the guest came.
func (s *Sessions) attend(v *visit, err error) {
	if err != nil {
		v.close(err)
		v.over()
		return
	}
	go func() {
		err := v.line.await()
		s.stacks.start(func() {
			if err == nil {
				err = v.hear()
			}
			s.attend(v, err)
		})
	}()
}

// thinBuffer is the size of a connection's two buffers: heartbeats and acks fit, and what is larger passes them by.
const thinBuffer = 512

// thin is a ResponseWriter whose hijacker gets small buffers instead of net/http's of 4 KiB.
type thin struct {
	http.ResponseWriter
	conn  net.Conn      // once it is hijacked
	in    *bufio.Reader // of conn
	early int           // bytes that came with the request
}

func (t *thin) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(t.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	t.conn, t.early = conn, rw.Reader.Buffered()                                         // what came with the request must be in the new buffer: it is all that is looked at
	t.in = bufio.NewReaderSize(struct{ io.Reader }{rw.Reader}, max(thinBuffer, t.early)) // a bufio.Reader would be taken as it is
	if _, err := t.in.Peek(t.early); err != nil {
		conn.Close()
		return nil, nil, err
	}
	return conn, bufio.NewReadWriter(t.in, bufio.NewWriterSize(&whole{conn: conn}, thinBuffer)), nil
}

// whole sends frames in one piece. What does not fit into the buffer in front of it comes in two, and the agent would be woken for each.
type whole struct {
	conn    net.Conn
	head    []byte // the first piece of a frame, until the next comes
	missing int    // bytes of the frame that has begun
}

func (w *whole) Write(b []byte) (int, error) {
	if w.missing > 0 {
		w.missing = max(0, w.missing-len(b))
		pieces := net.Buffers{w.head, b}
		w.head = nil
		if _, err := pieces.WriteTo(w.conn); err != nil {
			return 0, err
		}
		return len(b), nil
	}
	if w.missing = frameSize(b) - len(b); w.missing > 0 {
		w.head = slices.Clone(b)
		return len(b), nil
	}
	return w.conn.Write(b)
}

// frameSize is the size of a frame that begins so (RFC 6455 §5.2), whose header is whole; a server does not mask.
func frameSize(b []byte) int {
	switch n := int(b[1] & 0x7f); n {
	case 126:
		return 4 + int(binary.BigEndian.Uint16(b[2:]))
	case 127:
		return 10 + int(binary.BigEndian.Uint64(b[2:]))
	default:
		return 2 + n
	}
}

// pulse calls a function again and again, in a goroutine that exists only meanwhile.
type pulse struct {
	turn  chan struct{} // has room for who runs the function, or ends it for good
	timer *time.Timer
}

// newPulse calls f whenever so much time has passed as every says, until stop.
func newPulse(every func() time.Duration, f func()) *pulse {
	p := &pulse{turn: make(chan struct{}, 1)}
	p.turn <- struct{}{} // until timer is set
	p.timer = time.AfterFunc(every(), func() {
		select {
		case p.turn <- struct{}{}:
		default: // stopped
			return
		}
		f()
		p.timer.Reset(every())
		<-p.turn
	})
	<-p.turn
	return p
}

// stop returns when the function does not run and never will again.
func (p *pulse) stop() {
	p.turn <- struct{}{}
	p.timer.Stop()
}
