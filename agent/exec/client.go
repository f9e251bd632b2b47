package exec

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/roadstead/roadstead/datachannel"
)

// attached begins with a client, or goes on with it.
func (x *session) attached(a *attachment) {
	if x.client != nil {
		x.client.drop()
	}
	x.client, x.deadline = a, time.Time{}
	now := time.Now()
	if x.shaking.IsZero() {
		x.shaking = now
		x.sendJSON(datachannel.HandshakeRequest, datachannel.Request{
			AgentVersion: agentVersion,
			RequestedClientActions: []datachannel.Action{{ActionType: "SessionType",
				ActionParameters: x.parameters()}},
		})
		return
	}
	for _, frame := range x.channel.Resume(now) {
		a.send(frame)
	}
	if x.agreed && x.record.StartedAt == 0 {
		x.deadline = now.Add(sizePatience)
	}
	if x.closing {
		x.deadline = now.Add(ackPatience)
		x.checkAcks()
	}
}

// parameters say what kind of session it is.
func (x *session) parameters() datachannel.Parameters {
	p := x.open.Port
	if p == nil {
		return datachannel.Parameters{SessionType: datachannel.SessionInteractive, Properties: struct{}{}}
	}
	return datachannel.Parameters{SessionType: datachannel.SessionPort, Properties: datachannel.PortProperties{
		PortNumber: strconv.Itoa(int(p.Port)), LocalPortNumber: p.LocalPort, Type: datachannel.LocalPortForwarding,
	}}
}

func (x *session) detached(a *attachment) {
	if a != x.client {
		return
	}
	x.client.drop()
	x.client = nil
	if x.closed {
		x.finish("")
		return
	}
	x.deadline = time.Now().Add(resumePatience)
}

func (x *session) received(ctx context.Context, frame []byte) {
	ack := x.channel.Receive(time.Now(), frame, func(p datachannel.Piece) bool { return x.accept(ctx, p) })
	if ack != nil && x.client != nil {
		x.client.send(ack)
	}
	x.checkAcks()
}

// accept takes a piece that the client sent, unless there is no room for it.
func (x *session) accept(ctx context.Context, p datachannel.Piece) bool {
	switch p.Type {
	case datachannel.Output:
		return x.take(p.Payload)
	case datachannel.Size:
		x.resize(ctx, p.Payload)
	case datachannel.HandshakeResponse:
		x.agree(ctx, p.Payload)
	case datachannel.Flag:
		if len(p.Payload) == 4 && p.Payload[3] == datachannel.FlagTerminate {
			x.kill(ctx, endTerminated)
		}
	}
	return true
}

// take queues input for the command.
func (x *session) take(b []byte) bool {
	if len(b) == 0 && !x.open.Plain {
		return true
	}
	if len(b) == 0 {
		b = nil
	}
	select {
	case x.input <- b:
	default:
		return false
	}
	x.active = time.Now()
	x.record.BytesIn += int64(len(b))
	return true
}

// agree completes the handshake.
func (x *session) agree(ctx context.Context, payload []byte) {
	if x.agreed {
		return
	}
	var r datachannel.Response
	err := json.Unmarshal(payload, &r)
	if refusal := r.Refusal(); err == nil && refusal != "" {
		err = fmt.Errorf("the client refuses: %s", refusal)
	}
	if err != nil {
		x.fail(ctx, fmt.Errorf("handshake: %w", err))
		return
	}
	x.agreed = true
	if x.open.Port != nil { // see portPatience
		x.deadline = time.Now().Add(portPatience)
		return
	}
	x.complete()
	x.deadline = time.Now().Add(sizePatience)
}

func (x *session) complete() {
	x.sendJSON(datachannel.HandshakeComplete, datachannel.Complete{HandshakeTimeToComplete: int64(time.Since(x.shaking))})
}

// resize remembers the size of the client's terminal, which may come before the command has one, or begins.
func (x *session) resize(ctx context.Context, payload []byte) {
	var size datachannel.WindowSize
	if json.Unmarshal(payload, &size) != nil || size.Cols > 0xffff || size.Rows > 0xffff {
		return
	}
	x.size = size
	switch {
	case x.command != nil && x.open.Terminal:
		ctx, cancel := context.WithTimeout(ctx, callPatience)
		defer cancel()
		if err := x.command.process.Resize(ctx, size.Cols, size.Rows); err != nil {
			x.cfg.Log.Debug("resize a terminal", "session", x.open.SessionID, "err", err)
		}
	case x.agreed && x.record.StartedAt == 0:
		x.begin(ctx)
	}
}
