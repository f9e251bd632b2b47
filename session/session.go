package session

import (
	"context"
	"errors"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/model"
)

// session is one agent's ACS connection. One goroutine hears what the agent says; another is there only while there is something to do
// that others have asked for or that is due. They work in turns; all fields below turn belong to who has it.
type session struct {
	s      *Sessions
	inst   *model.Instance
	key    string
	stock  bool // the agent is not ours
	conn   *line
	began  time.Time
	note   func(*model.Instance)  // what the row is to say of the agent; nil once it does
	within func() context.Context // of the connection
	cancel context.CancelFunc
	todo   *todo
	ended  chan struct{} // closed when the connection is over: nobody does what is to do any more
	turn   chan struct{} // full while somebody works: a bubble's time stands still for a Mutex

	acked     map[string]string // what the agent has acknowledged, RUNNING or STOPPED, by task key
	muchAcked int               // from how many of acked on some are to be forgotten
	flying    map[string]string // what the unacknowledged payload carries
	flyingID  string
	seq       int64
	beats     int             // heartbeats since the agent's last ack of one
	waiting   map[string]call // questions by message id
	resetAck  map[string]chan struct{}
	manifest  string               // id of the newest manifest
	renewals  map[string]time.Time // when a task's role credentials are to be renewed, by task key

	beatAt    time.Time // of the next heartbeat
	overdueAt time.Time // when the unacknowledged payload is to be sent again; zero: there is none
	renewAt   time.Time // the first of renewals; zero: there is none
	alarm     *time.Timer
	alarmAt   time.Time // when it has somebody look: at the first of the three
}

// call is a message for the agent. If an answer is expected, id is the message's, and answer has room for one.
type call struct {
	msg    any
	id     string
	answer chan any
}

func newSession(s *Sessions, i *model.Instance, stock bool, conn *line, note func(*model.Instance)) *session {
	return &session{
		s: s, inst: i, key: i.Key(), stock: stock, conn: conn, began: time.Now(), note: note,
		todo: newTodo(), ended: make(chan struct{}), turn: make(chan struct{}, 1),
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

// begin has the agent welcomed, and everything done that there is to do until end.
func (x *session) begin() {
	wait := x.s.untilBeat()
	x.beatAt = time.Now().Add(wait)
	x.alarm = time.AfterFunc(wait, x.todo.signal)
	x.turn <- struct{}{} // whatever the agent says: first it is told what it should have
	x.s.stacks.start(func() {
		err := x.welcome(x.within())
		<-x.turn
		x.endFor(err)
	})
	x.todo.begin(func() {
		x.s.stacks.start(func() { x.endFor(x.work(x.within(), nil)) })
	})
}

// hear deals with something that the agent says.
func (x *session) hear() error {
	return x.conn.receive(func(frame []byte) error {
		return x.work(x.within(), func() error { return x.handle(x.within(), frame) })
	})
}

// dismiss has the session end for another one of its instance, or for none.
func (x *session) dismiss() {
	x.cancel()
	x.conn.stop()
}

// endFor has the session end if there is a reason. It does so in its turn: afterwards the connection has something to say yet.
func (x *session) endFor(err error) {
	if err == nil {
		return
	}
	x.todo.end(err)
	select {
	case x.turn <- struct{}{}:
		x.conn.stop()
		<-x.turn
	case <-x.within().Done():
	}
}

// end returns when nobody works any more, with the first reason for the end.
func (x *session) end(why error) error {
	if first := x.todo.close(); first != nil {
		why = first
	} else if x.within().Err() != nil {
		why = x.within().Err()
	}
	if x.alarm != nil {
		x.alarm.Stop()
	}
	x.cancel()
	x.turn <- struct{}{} // for ever
	return why
}

// welcome tells the agent all that it should have, and what it has to do.
func (x *session) welcome(ctx context.Context) error {
	if err := x.sendManifest(ctx); err != nil {
		return err
	}
	x.todo.addAll()
	err := x.push(ctx)
	x.setAlarm(time.Now())
	return err
}

// work takes the turn and does something, if f is not nil, and then all that there is to do.
func (x *session) work(ctx context.Context, f func() error) error {
	select {
	case x.turn <- struct{}{}:
		defer func() { <-x.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if f != nil {
		if err := f(); err != nil {
			return err
		}
	}
	if err := x.catchUp(ctx); err != nil {
		return err
	}
	err := x.push(ctx)
	x.setAlarm(time.Now())
	return err
}

// catchUp does what others have asked for and what is due, or says why the session is to end.
func (x *session) catchUp(ctx context.Context) error {
	jobs, err := x.todo.takeJobs()
	for i := 0; i < len(jobs) && err == nil; i++ {
		err = jobs[i](ctx)
	}
	now := time.Now()
	if err == nil && due(x.beatAt, now) {
		x.beatAt = x.beatAt.Add(acs.HeartbeatInterval)
		err = x.beat(ctx)
	}
	if err == nil && due(x.overdueAt, now) {
		x.again()
	}
	if err == nil && due(x.renewAt, now) {
		err = x.renewRoles(ctx)
	}
	return err
}

func due(at, now time.Time) bool { return !at.IsZero() && !at.After(now) }

// setAlarm has somebody look when something will be due.
func (x *session) setAlarm(now time.Time) {
	first := x.beatAt
	for _, at := range []time.Time{x.overdueAt, x.renewAt} {
		if !at.IsZero() && at.Before(first) {
			first = at
		}
	}
	if !first.Equal(x.alarmAt) || due(first, now) {
		x.alarmAt = first
		x.alarm.Reset(first.Sub(now))
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
