package datachannel

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// Message types.
const (
	InputStream   = "input_stream_data"  // from the client
	OutputStream  = "output_stream_data" // to the client
	Acknowledge   = "acknowledge"
	ChannelClosed = "channel_closed" // to the client: the session is over
)

// Payload types of stream messages.
const (
	Output            = 1 // bytes: of standard output, or the client's input
	Size              = 3 // WindowSize
	HandshakeRequest  = 5
	HandshakeResponse = 6
	HandshakeComplete = 7
	ChallengeRequest  = 8 // Challenge: does the client have the key?
	ChallengeResponse = 9
	Flag              = 10 // four bytes, see FlagTerminate
	StdErr            = 11 // to `roadstead exec` only: the plugin would print it like output
	ExitCode          = 12 // to `roadstead exec` only: a decimal number
)

// Flags of sessions that forward a port.
const (
	FlagDisconnect  = 1
	FlagTerminate   = 2
	FlagConnectFail = 3
)

// MaxPayload is the most that one message carries of ours, in bytes.
const MaxPayload = 4096

const (
	headerLength  = 116 // what a frame says of it; the payload's length follows
	payloadAt     = headerLength + 4
	typeLength    = 32
	schemaVersion = 1
	ackFlags      = 3
)

// ID is a message's id, in the order of its digits.
type ID [16]byte

func (id ID) String() string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}

// Message is one frame.
type Message struct {
	Type        string
	CreatedAt   int64 // ms
	Sequence    int64
	Flags       uint64
	ID          ID
	PayloadType uint32
	Payload     []byte
}

// Encode writes the frame (AGENT-PROTOCOL §5.3).
func (m *Message) Encode() []byte {
	b := make([]byte, payloadAt+len(m.Payload))
	order := binary.BigEndian
	order.PutUint32(b, headerLength)
	copy(b[4:4+typeLength], m.Type+strings.Repeat(" ", max(typeLength-len(m.Type), 0)))
	order.PutUint32(b[36:], schemaVersion)
	order.PutUint64(b[40:], uint64(m.CreatedAt))
	order.PutUint64(b[48:], uint64(m.Sequence))
	order.PutUint64(b[56:], m.Flags)
	copy(b[64:], m.ID[8:]) // the second half goes first
	copy(b[72:], m.ID[:8])
	sum := sha256.Sum256(m.Payload)
	copy(b[80:], sum[:])
	order.PutUint32(b[112:], m.PayloadType)
	order.PutUint32(b[headerLength:], uint32(len(m.Payload)))
	copy(b[payloadAt:], m.Payload)
	return b
}

var errFrame = errors.New("not a frame of a data channel")

// Decode reads a frame. Its payload is part of b.
func Decode(b []byte) (*Message, error) {
	order := binary.BigEndian
	if len(b) < payloadAt {
		return nil, fmt.Errorf("%w: %d bytes", errFrame, len(b))
	}
	if n := order.Uint32(b); n != headerLength {
		return nil, fmt.Errorf("%w: a header of %d bytes", errFrame, n)
	}
	m := &Message{
		Type:      strings.TrimRight(string(b[4:4+typeLength]), " \x00"),
		CreatedAt: int64(order.Uint64(b[40:])), Sequence: int64(order.Uint64(b[48:])), Flags: order.Uint64(b[56:]),
		PayloadType: order.Uint32(b[112:]), Payload: b[payloadAt:],
	}
	copy(m.ID[8:], b[64:72])
	copy(m.ID[:8], b[72:80])
	if n := order.Uint32(b[headerLength:]); int64(n) != int64(len(m.Payload)) {
		return nil, fmt.Errorf("%w: %d bytes of %d", errFrame, len(m.Payload), n)
	}
	if sum := sha256.Sum256(m.Payload); len(m.Payload) > 0 && !bytes.Equal(sum[:], b[80:112]) {
		return nil, fmt.Errorf("%w: its digest is wrong", errFrame)
	}
	return m, nil
}
