package session

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/model"
)

// session is one agent's ACS connection. All fields below resets belong to the goroutine of run.
type session struct {
	s      *Sessions
	inst   *model.Instance
	key    string
	stock  bool // the agent is not ours
	conn   *acs.Conn
	cancel context.CancelFunc
	todo   *todo
	calls  chan call
	resets chan chan struct{} // each is closed when the agent has no task left
	ended  chan struct{}      // closed when the connection is over: nobody takes calls or resets any more

	acked     map[string]string // what the agent has acknowledged, RUNNING or STOPPED, by task key
	muchAcked int               // from how many of acked on some are to be forgotten
	flying    map[string]string // what the unacknowledged payload carries
	flyingID  string
	overdue   <-chan time.Time // fires when the unacknowledged payload is to be sent again
	seq       int64
	beats     int             // heartbeats since the agent's last ack of one
	waiting   map[string]call // questions by message id
	resetAck  map[string]chan struct{}
	manifest  string // id of the newest manifest

	renewals map[string]time.Time // when a task's role credentials are to be renewed, by task key
	renewal  <-chan time.Time     // fires at renewAt, when the first of them is due
	renewAt  time.Time
}

// call is a message for the agent. If an answer is expected, id is the message's, and answer has room for one.
type call struct {
	msg    any
	id     string
	answer chan any
}

func newSession(s *Sessions, i *model.Instance, stock bool, conn *acs.Conn, cancel context.CancelFunc) *session {
	return &session{
		s: s, inst: i, key: i.Key(), stock: stock, conn: conn, cancel: cancel,
		todo: newTodo(), calls: make(chan call), resets: make(chan chan struct{}), ended: make(chan struct{}),
		acked: map[string]string{}, flying: map[string]string{}, waiting: map[string]call{}, resetAck: map[string]chan struct{}{}, renewals: map[string]time.Time{},
	}
}

var (
	errAgentSilent  = errors.New("the agent does not acknowledge heartbeats")
	errAgentLeft    = errors.New("the connection ended")
	errDeregistered = errors.New("the instance is deregistered")
	errNotLeading   = errors.New("this member does not lead any more")
)

// unanswered is how many heartbeats an agent may leave without an ack.
const unanswered = 3

// run serves the connection until it or ctx ends.
func (x *session) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var reader sync.WaitGroup
	defer reader.Wait()
	defer cancel()
	defer x.conn.Cut() // and with it the reader
	inbox, readErr := make(chan []byte), make(chan error, 1)
	reader.Go(func() { readErr <- x.read(ctx, inbox) })
	beat := time.NewTicker(acs.HeartbeatInterval)
	defer beat.Stop()
	if err := x.s.stacks.run(func() error { return x.sendManifest(ctx) }); err != nil {
		return err
	}
	x.todo.addAll()
	var act func() error
	for {
		err := x.s.stacks.run(func() error {
			if act != nil {
				if err := act(); err != nil {
					return err
				}
			}
			if err := x.reply(ctx); err != nil {
				return err
			}
			return x.push(ctx)
		})
		if err != nil {
			return err
		}
		select {
		case <-x.todo.wake:
			act = nil
		case msg := <-inbox:
			act = func() error { return x.handle(ctx, msg) }
		case <-beat.C:
			act = func() error { return x.beat(ctx) }
		case <-x.overdue:
			act = x.again
		case <-x.renewal:
			act = func() error { return x.renewRoles(ctx) }
		case c := <-x.calls:
			act = func() error { return x.ask(ctx, c) }
		case done := <-x.resets:
			act = func() error { return x.reset(ctx, done) }
		case err := <-readErr:
			return fmt.Errorf("%w: %w", errAgentLeft, err)
		case <-x.s.closing:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// reply sends the answers that are due, and fails if the session is to end.
func (x *session) reply(ctx context.Context) error {
	answers, err := x.todo.takeAnswers()
	if err != nil {
		return err
	}
	for _, a := range answers {
		if err := x.conn.Send(ctx, a); err != nil {
			return err
		}
	}
	return nil
}

// read hands frames to run until the connection ends. Its waiting has no context: the library would note each time anew that it may end.
func (x *session) read(ctx context.Context, inbox chan<- []byte) error {
	for {
		b, err := x.conn.ReceiveFrame(context.Background())
		if err != nil {
			return err
		}
		select {
		case inbox <- b:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// beat sends a heartbeat, unless the session has no reason to go on: the agent must look for the leader within its grace.
func (x *session) beat(ctx context.Context) error {
	if !x.s.cfg.DB.Leading() {
		return errNotLeading
	}
	if x.beats++; x.beats > unanswered {
		return errAgentSilent
	}
	return x.conn.Send(ctx, acs.HeartbeatMessage{MessageID: x.s.cfg.NewID(), Healthy: true})
}

// sendManifest tells a newly connected agent all that it should have.
func (x *session) sendManifest(ctx context.Context) error {
	m := acs.TaskManifestMessage{
		MessageID: x.s.cfg.NewID(), ClusterArn: model.ClusterARN(x.inst.Scope, x.inst.Cluster),
		ContainerInstanceArn: x.inst.ARN(), GeneratedAt: time.Now().UnixMilli(), Timeline: time.Now().UnixMilli(),
		Tasks: []acs.ManifestTask{},
	}
	for t := range x.s.cfg.DB.Snapshot().TasksOn(x.key) {
		m.Tasks = append(m.Tasks, acs.ManifestTask{TaskArn: t.ARN(), DesiredStatus: t.Desired, ClusterArn: model.ClusterARN(t.Scope, t.Cluster)})
	}
	x.manifest = m.MessageID
	return x.conn.Send(ctx, m)
}

func (x *session) handle(ctx context.Context, frame []byte) error {
	msg, err := acs.Decode(frame)
	if err != nil {
		x.s.misread(x.inst, err)
		return nil
	}
	switch m := msg.(type) {
	case *acs.AckRequest:
		x.handleAck(m.MessageID)
	case *acs.HeartbeatAckRequest:
		x.beats = 0
	case *acs.TaskStopVerificationMessage:
		return x.verifyStops(ctx, m)
	case *acs.RoadsteadResetDone:
		if done, ok := x.resetAck[m.MessageID]; ok {
			delete(x.resetAck, m.MessageID)
			close(done)
		}
	case *acs.RoadsteadReports:
		x.reports(m)
	case *acs.RoadsteadLogs:
		x.answered(m.MessageID, m)
	case *acs.RoadsteadExecOpened:
		x.answered(m.MessageID, m)
	case *acs.RoadsteadExecEnded:
		return x.execEnded(ctx, m)
	}
	return nil
}

// verifyStops confirms those candidates that really should not run on this instance.
func (x *session) verifyStops(ctx context.Context, m *acs.TaskStopVerificationMessage) error {
	if m.MessageID != x.manifest {
		return nil
	}
	ack := acs.TaskStopVerificationAck{MessageID: m.MessageID, GeneratedAt: time.Now().UnixMilli(), StopTasks: []acs.ManifestTask{}}
	snap := x.s.cfg.DB.Snapshot()
	for _, c := range m.StopCandidates {
		t, ok := findTask(snap.Tables, x.inst.Account, c.TaskArn)
		if !ok || t.Desired == model.TaskStopped || t.InstanceKey() != x.key {
			ack.StopTasks = append(ack.StopTasks, acs.ManifestTask{TaskArn: c.TaskArn, DesiredStatus: model.TaskStopped, ClusterArn: c.ClusterArn})
		}
	}
	return x.conn.Send(ctx, ack)
}
