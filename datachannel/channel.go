package datachannel

import (
	"encoding/json"
	"slices"
	"time"
)

// Bounds of a Channel.
const (
	Window   = 64   // messages that may be on their way unacknowledged
	maxEarly = 1024 // messages kept that came before one that is missing
)

// When the oldest message that is not acknowledged is sent again: soon at first, for the plugin drops without an ack what comes
// before it is ready (AGENT-PROTOCOL §5.4); then ever later, for a client whose terminal stands still is not to be flooded.
const (
	firstResend = 250 * time.Millisecond
	lastResend  = 30 * time.Second
)

// Piece is a part of the stream that came.
type Piece struct {
	Type    uint32 // a payload type
	Payload []byte
}

// Channel is one end of a data channel. It belongs to one goroutine.
//
// Every message is sent until it is acknowledged, and taken once. The plugin does not acknowledge again what it already has
// [code]: an ack that is lost with its connection never comes. So on later connections, where all is sent again in order, an ack
// means that everything before it has arrived, too; and a full window has room for one message more, to draw such an ack.
type Channel struct {
	send, receive string // stream types
	newID         func() ID

	next    int64 // to be sent
	flying  []flying
	resumed bool // this is not the first connection
	window  int  // how long flying may become
	resend  time.Duration

	want    int64 // to come
	refused bool  // want came, and there was no room: what comes after it is not taken, or its ack would be taken for want's
	early   map[int64]Piece
}

// flying is a message without an ack.
type flying struct {
	seq   int64
	frame []byte
	sent  time.Time // the last time
}

// NewServer returns the node's end.
func NewServer(newID func() ID) *Channel { return newChannel(OutputStream, InputStream, newID) }

// NewClient returns the client's end.
func NewClient(newID func() ID) *Channel { return newChannel(InputStream, OutputStream, newID) }

func newChannel(send, receive string, newID func() ID) *Channel {
	return &Channel{send: send, receive: receive, newID: newID, window: Window, resend: firstResend, early: map[int64]Piece{}}
}

// Send makes a message of the stream and returns its frame.
func (c *Channel) Send(now time.Time, payloadType uint32, payload []byte) []byte {
	m := Message{Type: c.send, CreatedAt: now.UnixMilli(), Sequence: c.next, ID: c.newID(), PayloadType: payloadType, Payload: payload}
	f := flying{seq: c.next, frame: m.Encode(), sent: now}
	c.next++
	c.flying = append(c.flying, f)
	return f.frame
}

// Free reports whether there is room in the window.
func (c *Channel) Free() bool { return len(c.flying) < c.window }

// Unacknowledged is how many messages are on their way.
func (c *Channel) Unacknowledged() int { return len(c.flying) }

// Resume is to be called when another connection has taken the place of one: it returns all that is to be sent again.
func (c *Channel) Resume(now time.Time) [][]byte {
	c.resumed, c.resend, c.window = true, firstResend, max(Window, len(c.flying)+1)
	out := make([][]byte, len(c.flying))
	for i := range c.flying {
		c.flying[i].sent = now
		out[i] = c.flying[i].frame
	}
	return out
}

// Overdue returns the frame that is to be sent again, nil if none is.
func (c *Channel) Overdue(now time.Time) []byte {
	at, ok := c.Due()
	if !ok || now.Before(at) {
		return nil
	}
	c.flying[0].sent = now
	c.resend = min(2*c.resend, lastResend)
	return c.flying[0].frame
}

// Due is when to ask for Overdue; ok is false if nothing is on its way.
func (c *Channel) Due() (at time.Time, ok bool) {
	if len(c.flying) == 0 {
		return time.Time{}, false
	}
	return c.flying[0].sent.Add(c.resend), true
}

// Receive takes a frame and returns that of its ack, nil if it gets none. What it brings of the stream is handed to accept, piece
// by piece and in order; a piece that accept has no room for is not acknowledged, and the other end sends it again. Damaged
// frames and those of other streams bring nothing.
func (c *Channel) Receive(now time.Time, frame []byte, accept func(Piece) bool) (ackFrame []byte) {
	m, err := Decode(frame)
	if err != nil {
		return nil
	}
	switch m.Type {
	case Acknowledge:
		c.acknowledged(m.Payload)
	case c.receive:
		if c.take(m, accept) {
			return c.ack(now, m)
		}
	}
	return nil
}

// take reports whether the message is safe here.
func (c *Channel) take(m *Message, accept func(Piece) bool) bool {
	p := Piece{m.PayloadType, m.Payload}
	_, known := c.early[m.Sequence]
	switch {
	case m.Sequence < c.want || known:
		return true // again
	case m.Sequence > c.want:
		if c.refused || len(c.early) >= maxEarly {
			return false
		}
		c.early[m.Sequence] = p
		return true
	}
	if c.refused = !accept(p); c.refused {
		return false
	}
	c.want++
	c.Drain(accept)
	return true
}

// Drain hands on what came early and is due. Call it when accept, which had no room, has some again.
func (c *Channel) Drain(accept func(Piece) bool) {
	for {
		p, ok := c.early[c.want]
		if !ok || !accept(p) {
			return
		}
		delete(c.early, c.want)
		c.want++
	}
}

func (c *Channel) ack(now time.Time, m *Message) []byte {
	payload, err := json.Marshal(ack{MessageType: m.Type, MessageID: m.ID.String(), Sequence: m.Sequence, Sequential: true})
	if err != nil {
		panic(err) // strings and numbers always marshal
	}
	return (&Message{Type: Acknowledge, CreatedAt: now.UnixMilli(), Flags: ackFlags, ID: c.newID(), Payload: payload}).Encode()
}

func (c *Channel) acknowledged(payload []byte) {
	var a ack
	if json.Unmarshal(payload, &a) != nil || a.MessageType != c.send {
		return
	}
	i := slices.IndexFunc(c.flying, func(f flying) bool { return f.seq == a.Sequence })
	if i < 0 {
		return
	}
	c.resend, c.window = firstResend, Window
	first := i
	if c.resumed {
		first = 0
	}
	c.flying = slices.Delete(c.flying, first, i+1)
}
