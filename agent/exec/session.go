package exec

import (
	"context"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/datachannel"
)

// Why a session ended, for its record.
const (
	endExited       = "the command has ended"
	endTerminated   = "the session was terminated"
	endIdle         = "nothing came for 20 minutes"
	endDisconnected = "its client was cut off and did not come back"
	endUnclaimed    = "its client never came"
	endAgent        = "the agent has ended"
	endKilled       = "the agent was killed"
	endContainer    = "its container has stopped"
)

// agentVersion is what the handshake says: the plugin asks nothing of it.
const agentVersion = "3.3.0.0"

// session is one data channel and its command. Its fields below over belong to the goroutine of run.
type session struct {
	cfg     *Config
	open    *acs.RoadsteadOpenExec
	journal *journal
	attach  chan *attachment
	lost    chan *attachment
	frames  chan received
	stops   chan string   // reasons; has room for one
	over    chan struct{} // closed when run has ended

	channel *datachannel.Channel
	client  *attachment // nil while there is none
	input   chan []byte // for the command
	room    chan struct{}
	command *running // nil before it begins, and after its end
	size    datachannel.WindowSize

	cipher *datachannel.Cipher // of an encrypted session, when it has its key
	riddle []byte              // what the client is to show that it has the key

	shaking  time.Time // when the handshake began; zero before
	agreed   bool      // the handshake is complete
	deadline time.Time // for what the session waits for: see late
	active   time.Time // the last byte, either way
	closing  bool      // the command is over: only acks are waited for
	closed   bool      // the client has been told
	discard  bool      // nobody wants the rest of the output
	ended    bool
	text     string // for the client, at the end
	record   acs.RoadsteadExecEnded
}

func newSession(cfg *Config, m *acs.RoadsteadOpenExec, j *journal) *session {
	return &session{
		cfg: cfg, open: m, journal: j, attach: make(chan *attachment), lost: make(chan *attachment), frames: make(chan received),
		stops: make(chan string, 1), over: make(chan struct{}),
		channel: datachannel.NewServer(cfg.NewID), input: make(chan []byte, queued), room: make(chan struct{}, 1),
		record: endedOf(m),
	}
}

// endedOf begins the record of a session.
func endedOf(m *acs.RoadsteadOpenExec) acs.RoadsteadExecEnded {
	return acs.RoadsteadExecEnded{
		SessionID: m.SessionID, TaskArn: m.TaskArn, Container: m.Container, Command: m.Command, Forward: forwards(m), Principal: m.Principal,
	}
}

// forwards is host:port of a session that carries connections.
func forwards(m *acs.RoadsteadOpenExec) string {
	if m.Port == nil {
		return ""
	}
	return m.Port.String()
}

// stop ends the session from outside.
func (x *session) stop(reason string) {
	select {
	case x.stops <- reason:
	default:
	}
}

// run is the session's life. It returns what is to be remembered of it.
func (x *session) run(ctx context.Context) acs.RoadsteadExecEnded {
	defer close(x.over)
	now := time.Now()
	x.active, x.deadline = now, now.Add(claimPatience)
	timer := time.NewTimer(claimPatience)
	defer timer.Stop()
	for !x.ended {
		timer.Reset(time.Until(x.wake()))
		x.turn(ctx, timer)
	}
	if x.command != nil {
		x.closeCommand(ctx)
	}
	if x.client != nil {
		x.client.drop()
	}
	x.record.EndedAt = time.Now().UnixMilli()
	return x.record
}

// turn takes one thing that happens. Output is taken only if it can be sent, and frames not while the command's input is full:
// each side waits for the other. But acks come with the frames: while output is on its way, frames are taken, and the input in them
// that has no room comes again.
func (x *session) turn(ctx context.Context, timer *time.Timer) {
	var output <-chan datachannel.Piece
	var exited <-chan exit
	if x.command != nil {
		exited = x.command.exited
		if x.discard || x.channel.Free() {
			output = x.command.output
		}
	}
	frames := x.frames
	if len(x.input) == cap(x.input) && x.channel.Unacknowledged() == 0 {
		frames = nil
	}
	select {
	case a := <-x.attach:
		x.attached(a)
	case a := <-x.lost:
		x.detached(a)
	case f := <-frames:
		if f.from == x.client {
			x.received(ctx, f.frame)
		}
	case p := <-output:
		x.wrote(p)
	case e := <-exited:
		x.exited(ctx, e)
	case <-x.room:
		x.channel.Drain(func(p datachannel.Piece) bool { return x.accept(ctx, p) })
	case reason := <-x.stops:
		x.kill(ctx, reason)
	case <-timer.C:
		x.late(ctx)
	case <-ctx.Done():
		x.finish(endAgent)
	}
}

// wake is when late has something to do.
func (x *session) wake() time.Time {
	at := x.active.Add(idlePatience)
	earlier := func(t time.Time) {
		if t.Before(at) {
			at = t
		}
	}
	if !x.deadline.IsZero() {
		earlier(x.deadline)
	}
	if due, ok := x.channel.Due(); ok && x.client != nil {
		earlier(due)
	}
	return at
}

// late does what time asks for.
func (x *session) late(ctx context.Context) {
	now := time.Now()
	if x.client != nil {
		if frame := x.channel.Overdue(now); frame != nil {
			x.client.send(frame)
		}
	}
	waited := !x.deadline.IsZero() && !now.Before(x.deadline)
	switch {
	case waited && x.closed, waited && x.closing && x.client == nil:
		x.finish("")
	case waited && x.closing:
		x.tellClosed()
	case waited && x.client == nil && x.shaking.IsZero():
		x.finish(endUnclaimed)
	case waited && x.client == nil:
		x.kill(ctx, endDisconnected)
	case waited && x.agreed && x.record.StartedAt == 0: // the plugin always tells a size, but who knows
		x.begin(ctx)
	case !now.Before(x.active.Add(idlePatience)) && x.closing: // its client is there, and takes nothing
		x.finish("")
	case !now.Before(x.active.Add(idlePatience)):
		x.active = now
		x.text = "The session timed out: " + endIdle + "."
		x.kill(ctx, endIdle)
	case waited:
		x.deadline = time.Time{}
	}
}
