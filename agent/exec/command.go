package exec

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/roadstead/roadstead/datachannel"
)

// begin starts the command.
func (x *session) begin(ctx context.Context) {
	if x.closing {
		return
	}
	x.deadline, x.active = time.Time{}, time.Now()
	start, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	x.record.StartedAt = time.Now().UnixMilli()
	if x.open.Port != nil {
		x.complete()
	}
	p, err := x.start(ctx, start)
	if err != nil {
		x.record.StartedAt = 0
		x.fail(ctx, err)
		return
	}
	x.command = carry(ctx, p, x.input, x.room)
}

// start makes the process, whose life is ctx, within the time of call.
func (x *session) start(ctx, call context.Context) (Process, error) {
	if x.journal.records() {
		if err := x.mayRecord(call); err != nil {
			return nil, err
		}
	}
	if err := x.journal.begin(time.Now()); err != nil {
		return nil, err
	}
	if p := x.open.Port; p != nil {
		return newForward(ctx, func(ctx context.Context) (net.Conn, error) {
			return x.cfg.Dial(ctx, Target{TaskArn: x.open.TaskArn, Container: x.open.Container, Host: p.Host, Port: p.Port})
		})
	}
	return x.cfg.Start(call, Command{
		Session: x.open.SessionID, TaskArn: x.open.TaskArn, Container: x.open.Container, Args: x.open.Command, Terminal: x.open.Terminal, Size: x.size,
	})
}

// mayRecord refuses a session whose transcript must be encrypted where it goes, and would not be.
func (x *session) mayRecord(ctx context.Context) error {
	l := x.open.Log
	if !l.GroupEncrypted && !l.BucketEncrypted {
		return nil
	}
	who, err := x.cfg.Role(ctx, x.open.TaskArn)
	if err != nil {
		return fmt.Errorf("look whether the session's transcript is encrypted: %w", err)
	}
	return checkEncrypted(ctx, who, l)
}

// wrote sends a piece of output.
func (x *session) wrote(p datachannel.Piece) {
	x.active = time.Now()
	if x.discard {
		return
	}
	x.record.BytesOut += int64(len(p.Payload))
	x.journal.shows(p.Payload)
	x.send(p.Type, p.Payload)
}

func (x *session) send(kind uint32, payload []byte) {
	if x.cipher != nil && datachannel.Sealed(kind) {
		payload = x.seal(payload)
	}
	frame := x.channel.Send(time.Now(), kind, payload)
	if x.client != nil {
		x.client.send(frame)
	}
}

func (x *session) sendJSON(kind uint32, payload any) {
	b, err := json.Marshal(payload)
	if err != nil {
		panic(err) // structs of strings and numbers always marshal
	}
	x.send(kind, b)
}

// exited is the command's end.
func (x *session) exited(ctx context.Context, e exit) {
	x.closeCommand(ctx)
	if x.record.Reason == "" {
		x.record.Reason = endExited
		if e.err != nil {
			x.record.Reason = e.err.Error()
		}
	}
	if e.err == nil {
		x.record.ExitCode = &e.code
		if x.open.Plain && !x.discard {
			x.send(datachannel.ExitCode, []byte(strconv.Itoa(int(e.code))))
		}
	}
	x.close()
}

// fail ends a session whose command cannot begin.
func (x *session) fail(ctx context.Context, err error) {
	x.text = err.Error()
	x.record.Reason = x.text
	x.cfg.Log.Info("start the command of a session", "session", x.open.SessionID, "err", err)
	if x.command != nil {
		x.kill(ctx, x.text)
		return
	}
	x.close()
}

// kill ends the command, and has the session end with it.
func (x *session) kill(ctx context.Context, reason string) {
	if x.closing {
		return
	}
	if x.record.Reason == "" {
		x.record.Reason = reason
	}
	x.discard = true
	x.deadline = time.Time{}
	if x.command == nil {
		x.close()
		return
	}
	ctx, cancel := context.WithTimeout(ctx, callPatience)
	defer cancel()
	x.command.process.Kill(ctx)
}

func (x *session) closeCommand(ctx context.Context) {
	if err := x.command.close(ctx); err != nil {
		x.cfg.Log.Warn("remove the command of a session", "session", x.open.SessionID, "err", err)
	}
	x.command = nil
}

// close begins the end: the client is told when it has all.
func (x *session) close() {
	x.closing = true
	switch {
	case x.client == nil && x.discard:
		x.finish("")
	case x.client == nil:
		x.deadline = time.Now().Add(resumePatience)
	case x.discard:
		x.tellClosed()
	default:
		x.checkAcks()
	}
}

// checkAcks tells the client that the session is over once it has acknowledged everything.
func (x *session) checkAcks() {
	if x.closing && !x.closed && x.client != nil && x.channel.Unacknowledged() == 0 {
		x.tellClosed()
	}
}

func (x *session) tellClosed() {
	now := time.Now()
	id := x.cfg.NewID()
	payload, err := json.Marshal(datachannel.Closed{
		MessageID: id.String(), CreatedDate: now.UTC().Format(time.RFC3339), DestinationID: x.open.SessionID, SessionID: x.open.SessionID,
		MessageType: datachannel.ChannelClosed, SchemaVersion: 1, Output: x.text,
	})
	if err != nil {
		panic(err) // strings always marshal
	}
	m := datachannel.Message{Type: datachannel.ChannelClosed, CreatedAt: now.UnixMilli(), ID: id, Payload: payload}
	x.client.send(m.Encode())
	x.closed, x.deadline = true, now.Add(goPatience)
}

// finish ends run.
func (x *session) finish(reason string) {
	x.ended = true
	if x.record.Reason == "" {
		x.record.Reason = reason
	}
}
