package acs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// HeartbeatInterval is how often the control plane sends a heartbeat; an agent gives a connection up after 60 to 120
// seconds of silence, the control plane after three heartbeats without an ack.
const HeartbeatInterval = 20 * time.Second

// SendPatience is how long Send waits for a peer that does not read; then the connection is broken.
const SendPatience = 30 * time.Second

// MaxFrame is the greatest frame accepted, in bytes: a full payload for an instance with thousands of tasks fits.
const MaxFrame = 32 << 20

// frame is how messages travel, both ways.
type frame struct {
	Type    string          `json:"type"`
	Message json.RawMessage `json:"message"`
}

// ErrUnknownMessage is returned by Decode for a type that this version does not know; such frames are to be ignored.
var ErrUnknownMessage = errors.New("unknown message type")

// Encode frames a message, which is a struct of this package or a pointer to one.
func Encode(msg any) ([]byte, error) {
	m, err := json.Marshal(msg)
	if err != nil {
		return nil, err
	}
	name := reflect.Indirect(reflect.ValueOf(msg)).Type().Name()
	return slices.Concat([]byte(`{"type":"`+name+`","message":`), m, []byte{'}'}), nil // a frame, without reading m again
}

// Decode reads a frame into a pointer to the message's struct. Telemetry frames of agents begin with the headers of a
// signed request, which end at the first blank line and are skipped (AGENT-PROTOCOL §1.3).
func Decode(b []byte) (any, error) {
	if len(b) > 0 && b[0] != '{' {
		_, rest, ok := bytes.Cut(b, []byte("\r\n\r\n"))
		if !ok {
			return nil, errors.New("frame is neither JSON nor a signed request")
		}
		b = rest
	}
	if f, ok := cut(b); ok {
		if msg, err := f.open(); err == nil {
			return msg, nil
		}
	}
	return decodeAny(b)
}

// decodeAny reads a frame in whatever form.
func decodeAny(b []byte) (any, error) {
	var f frame
	if err := json.Unmarshal(b, &f); err != nil {
		return nil, fmt.Errorf("read frame: %w", err)
	}
	return f.open()
}

// open reads the message.
func (f *frame) open() (any, error) {
	msg := message(f.Type)
	if msg == nil {
		return nil, fmt.Errorf("%w %q", ErrUnknownMessage, f.Type)
	}
	if err := json.Unmarshal(f.Message, msg); err != nil {
		return nil, fmt.Errorf("read %s: %w", f.Type, err)
	}
	return msg, nil
}

// cut finds the parts of a frame in the form that Encode writes, without reading the message: whoever decodes that reads it anyway.
func cut(b []byte) (*frame, bool) {
	rest, ok := bytes.CutPrefix(b, []byte(`{"type":"`))
	name, rest, found := bytes.Cut(rest, []byte(`","message":`))
	if !ok || !found || bytes.ContainsAny(name, `"\`) || !bytes.HasSuffix(rest, []byte{'}'}) {
		return nil, false
	}
	return &frame{Type: string(name), Message: rest[:len(rest)-1]}, true
}

// Conn sends and receives messages over a websocket. One goroutine may receive, any number may send.
type Conn struct {
	ws   *websocket.Conn
	over net.Conn   // nil: not known
	mu   sync.Mutex // one frame at a time
}

// NewConn wraps an open websocket.
func NewConn(ws *websocket.Conn) *Conn {
	ws.SetReadLimit(MaxFrame)
	return &Conn{ws: ws}
}

// NewConnOver is NewConn of a websocket whose connection is known. Then the context of what is sent does not count, only SendPatience and
// the connection's deadline: that takes a fraction of the processor time.
func NewConnOver(ws *websocket.Conn, over net.Conn) *Conn {
	c := NewConn(ws)
	c.over = over
	return c
}

// Send writes one message. Without its patience a peer that stopped reading would hold its sender for ever.
func (c *Conn) Send(ctx context.Context, msg any) error {
	b, err := Encode(msg)
	if err != nil {
		return err
	}
	return c.SendFrame(ctx, b)
}

// SendFrame writes one message that is encoded already.
func (c *Conn) SendFrame(ctx context.Context, b []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over != nil {
		if err := c.over.SetWriteDeadline(time.Now().Add(SendPatience)); err != nil {
			return err
		}
		return c.ws.Write(context.Background(), websocket.MessageText, b)
	}
	ctx, cancel := context.WithTimeout(ctx, SendPatience)
	defer cancel()
	return c.ws.Write(ctx, websocket.MessageText, b)
}

// ReceiveFrame blocks until there is a message, and leaves it to the caller to decode it: a goroutine that waits here has a
// small stack, and no buffer.
func (c *Conn) ReceiveFrame(ctx context.Context) ([]byte, error) { return c.ReceiveInto(ctx, nil) }

// ReceiveInto is ReceiveFrame into a buffer, as far as it is large enough.
func (c *Conn) ReceiveInto(ctx context.Context, buffer []byte) ([]byte, error) {
	_, r, err := c.ws.Reader(ctx)
	if err != nil {
		return nil, err
	}
	msg := slices.Grow(buffer[:0], leastRead)
	for {
		n, err := r.Read(msg[len(msg):cap(msg)])
		msg = msg[:len(msg)+n]
		switch {
		case errors.Is(err, io.EOF):
			return msg, nil
		case err != nil:
			return nil, err
		case len(msg) == cap(msg):
			msg = slices.Grow(msg, 7*len(msg))
		}
	}
}

// leastRead is how many bytes are asked for first: most messages are shorter. Then it is eight times as many each time, for nobody says
// beforehand how many there are, and each time may be a system call.
const leastRead = 512

// Receive blocks until there is a message that this version knows.
func (c *Conn) Receive(ctx context.Context) (any, error) {
	for {
		b, err := c.ReceiveFrame(ctx)
		if err != nil {
			return nil, err
		}
		msg, err := Decode(b)
		if errors.Is(err, ErrUnknownMessage) {
			continue
		}
		return msg, err
	}
}

// Cut ends the connection at once: who waits for a message gets an error.
func (c *Conn) Cut() { _ = c.ws.CloseNow() }

// Close ends the connection with a close frame.
func (c *Conn) Close(reason string) error { return c.ws.Close(websocket.StatusNormalClosure, reason) }
