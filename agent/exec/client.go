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
			AgentVersion:           agentVersion,
			RequestedClientActions: x.actions(),
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

// actions are what the client is asked to do before the session begins.
func (x *session) actions() []datachannel.Action {
	all := []datachannel.Action{{ActionType: datachannel.ActionSession, ActionParameters: x.parameters()}}
	if x.open.KMSKey != "" {
		all = append(all, datachannel.Action{ActionType: datachannel.ActionEncrypt, ActionParameters: datachannel.Parameters{KMSKeyID: x.open.KMSKey}})
	}
	return all
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
		return x.takeSealed(ctx, p.Payload)
	case datachannel.Size:
		x.resize(ctx, p.Payload)
	case datachannel.HandshakeResponse:
		x.agree(ctx, p.Payload)
	case datachannel.ChallengeResponse:
		x.proven(ctx, p.Payload)
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
	if x.agreed || x.cipher != nil {
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
	if x.open.KMSKey == "" {
		x.shaken()
	} else if err := x.challenge(ctx, &r); err != nil {
		x.fail(ctx, err)
	}
}

// shaken ends the client's part of the handshake.
func (x *session) shaken() {
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
