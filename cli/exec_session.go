package cli

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/coder/websocket"
	"github.com/google/uuid"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent"
	"github.com/roadstead/roadstead/client"
	"github.com/roadstead/roadstead/datachannel"
)

// How long a session goes on without a connection, and how often another one is tried.
const (
	execPatience = 45 * time.Second
	execRetry    = 250 * time.Millisecond
)

// execSession is the client's end of a session. It belongs to the goroutine of run.
type execSession struct {
	client         *client.Client
	grant          acs.ExecGrant
	stdout, stderr io.Writer
	size           func() datachannel.WindowSize // nil without a terminal
	begun          func()                        // the handshake is complete; may be nil
	flag           func(uint32)                  // a flag came; may be nil

	channel *datachannel.Channel
	ws      *websocket.Conn
	code    *int
	text    string // what the session ended with
	over    bool
	ready   bool                // the handshake is complete
	broken  error               // our own output, or the encryption
	cipher  *datachannel.Cipher // of an encrypted session
}

func newExecSession(c *client.Client, grant acs.ExecGrant, stdout, stderr io.Writer) *execSession {
	newID := func() (id datachannel.ID) { _, _ = rand.Read(id[:]); return id } // never fails
	return &execSession{client: c, grant: grant, stdout: stdout, stderr: stderr, channel: datachannel.NewClient(newID)}
}

// run carries bytes until the session is over, or ctx ends, which ends the session.
func (x *execSession) run(ctx context.Context, stdin io.Reader) error {
	input := make(chan []byte)
	defer x.hangUp()
	resized := make(chan os.Signal, 1)
	if x.size != nil {
		signal.Notify(resized, syscall.SIGWINCH)
		defer signal.Stop(resized)
	}
	life, cancel := context.WithCancel(ctx)
	defer cancel()
	frames, err := x.connect(life)
	if err != nil {
		return err
	}
	go readInput(life, stdin, input) // ends with the process, if nothing more is typed
	for !x.over && x.broken == nil {
		if err := x.turn(life, &frames, input, resized); err != nil {
			x.terminate()
			if ctx.Err() != nil {
				break
			}
			return err
		}
	}
	if x.broken != nil {
		x.terminate()
		return x.broken
	}
	return x.result(ctx)
}

// turn takes one thing that happens.
func (x *execSession) turn(ctx context.Context, frames *<-chan []byte, input <-chan []byte, resized <-chan os.Signal) error {
	if !x.channel.Free() || !x.ready {
		input = nil
	}
	pause := time.Hour
	if due, ok := x.channel.Due(); ok {
		pause = time.Until(due)
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case frame, ok := <-*frames:
		if !ok {
			return x.reconnect(ctx, frames)
		}
		x.receive(ctx, frame)
	case b := <-input:
		x.send(ctx, datachannel.Output, b)
	case <-resized:
		x.tellSize(ctx)
	case <-timer.C:
		if frame := x.channel.Overdue(time.Now()); frame != nil {
			x.put(ctx, frame)
		}
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// readInput reads standard input; its end is an empty piece.
func readInput(ctx context.Context, from io.Reader, to chan<- []byte) {
	for {
		b := make([]byte, datachannel.MaxPayload)
		n, err := from.Read(b)
		var pieces [][]byte
		if n > 0 {
			pieces = append(pieces, b[:n])
		}
		if errors.Is(err, io.EOF) {
			pieces = append(pieces, nil)
		}
		for _, piece := range pieces {
			select {
			case to <- piece:
			case <-ctx.Done():
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// connect opens the session's websocket, shows the token, and returns the frames that come; their end is that of the connection.
func (x *execSession) connect(ctx context.Context) (<-chan []byte, error) {
	dial, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	ws, _, err := websocket.Dial(dial, x.grant.StreamURL, nil) //nolint:bodyclose // websocket.Dial closes it
	if err != nil {
		return nil, fmt.Errorf("open the session: %w", err)
	}
	ws.SetReadLimit(acs.MaxFrame)
	x.hangUp()
	x.ws = ws
	open, err := json.Marshal(datachannel.Open{
		MessageSchemaVersion: "1.0", RequestID: uuid.NewString(), TokenValue: x.grant.Token, ClientID: uuid.NewString(), ClientVersion: "roadstead-" + agent.Version,
	})
	if err == nil {
		err = ws.Write(dial, websocket.MessageText, open)
	}
	if err != nil {
		return nil, fmt.Errorf("open the session: %w", err)
	}
	frames := make(chan []byte)
	go func() { // ends with the connection
		defer close(frames)
		for {
			_, b, err := ws.Read(ctx)
			if err != nil {
				return
			}
			select {
			case frames <- b:
			case <-ctx.Done():
				return
			}
		}
	}()
	return frames, nil
}

// reconnect comes back to the session with a new token.
func (x *execSession) reconnect(ctx context.Context, frames *<-chan []byte) error {
	patience, cancel := context.WithTimeout(ctx, execPatience)
	defer cancel()
	for {
		var out struct {
			StreamURL string `json:"StreamUrl"`
			Token     string `json:"TokenValue"`
		}
		err := x.client.Call(patience, "ssm", "ResumeSession", map[string]string{"SessionId": x.grant.SessionID}, &out)
		if err == nil && out.Token == "" {
			return errors.New("the connection broke, and the session is over: the task has ended, or its node is gone")
		}
		if err == nil {
			x.grant.StreamURL, x.grant.Token = out.StreamURL, out.Token
			if *frames, err = x.connect(ctx); err == nil {
				for _, frame := range x.channel.Resume(time.Now()) {
					x.put(ctx, frame)
				}
				return nil
			}
		}
		if pause(patience, execRetry) != nil {
			return fmt.Errorf("the connection broke, and there was no other within %s: %w", execPatience, err)
		}
	}
}

// hangUp closes the connection.
func (x *execSession) hangUp() {
	if x.ws != nil {
		_ = x.ws.CloseNow()
	}
}

// terminate ends the session at its node.
func (x *execSession) terminate() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second) // whatever has ended: this is the last
	defer cancel()
	_ = x.client.Call(ctx, "ssm", "TerminateSession", map[string]string{"SessionId": x.grant.SessionID}, nil)
}

func (x *execSession) send(ctx context.Context, kind uint32, payload []byte) {
	if x.cipher != nil && datachannel.Sealed(kind) {
		payload = x.seal(payload)
	}
	x.put(ctx, x.channel.Send(time.Now(), kind, payload))
}

// put writes a frame. One that does not get through is sent again.
func (x *execSession) put(ctx context.Context, frame []byte) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if x.ws.Write(ctx, websocket.MessageBinary, frame) != nil {
		x.hangUp() // the reader notices
	}
}

func (x *execSession) tellSize(ctx context.Context) {
	var size datachannel.WindowSize
	if x.size != nil {
		size = x.size()
	}
	b, err := json.Marshal(size)
	if err == nil {
		x.send(ctx, datachannel.Size, b)
	}
}

func (x *execSession) receive(ctx context.Context, frame []byte) {
	if m, err := datachannel.Decode(frame); err == nil && m.Type == datachannel.ChannelClosed {
		var c datachannel.Closed
		_ = json.Unmarshal(m.Payload, &c)
		x.text, x.over = c.Output, true
		return
	}
	ack := x.channel.Receive(time.Now(), frame, func(p datachannel.Piece) bool { x.take(ctx, p); return true })
	if ack != nil {
		x.put(ctx, ack)
	}
}

func (x *execSession) write(to io.Writer, b []byte) error {
	if _, err := to.Write(b); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return nil
}

func (x *execSession) take(ctx context.Context, p datachannel.Piece) {
	var err error
	if x.cipher != nil && datachannel.Sealed(p.Type) {
		if p.Payload, err = x.cipher.Open(p.Payload); err != nil {
			x.broken = err
			return
		}
	}
	switch p.Type {
	case datachannel.Output:
		err = x.write(x.stdout, p.Payload)
	case datachannel.StdErr:
		err = x.write(x.stderr, p.Payload)
	case datachannel.ExitCode:
		if n, err := strconv.Atoi(string(p.Payload)); err == nil {
			x.code = &n
		}
	case datachannel.HandshakeRequest:
		var q datachannel.Request
		if json.Unmarshal(p.Payload, &q) != nil {
			return
		}
		var key []byte
		if q.EncryptWith() != "" {
			if key, err = x.makeKey(ctx, q.EncryptWith()); err != nil {
				break
			}
		}
		if b, err := json.Marshal(q.Agree(agent.Version, key)); err == nil {
			x.send(ctx, datachannel.HandshakeResponse, b)
		}
	case datachannel.ChallengeRequest:
		err = x.answerChallenge(ctx, p.Payload)
	case datachannel.HandshakeComplete:
		x.ready = true
		if x.begun != nil {
			x.begun()
		}
		x.tellSize(ctx)
	case datachannel.Flag:
		if x.flag != nil && len(p.Payload) == 4 {
			x.flag(binary.BigEndian.Uint32(p.Payload))
		}
	}
	if err != nil {
		x.broken = err
	}
}
