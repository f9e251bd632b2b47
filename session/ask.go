package session

import (
	"context"
	"errors"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/model"
)

// tell sends the agent of the task's node a message; c.answer is nil if none is expected.
func (s *Sessions) tell(ctx context.Context, t *model.Task, c call) (answer any, err error) {
	x, ok := s.of(t.InstanceKey())
	switch {
	case !ok:
		return nil, ErrNotConnected
	case x.stock:
		return nil, ErrStockAgent
	}
	select {
	case <-x.ended:
		return nil, ErrNotConnected
	default:
	}
	x.todo.do(func(ctx context.Context) error { return x.ask(ctx, c) })
	if c.answer == nil {
		return nil, nil
	}
	select {
	case a := <-c.answer:
		return a, nil
	case <-x.ended:
		return nil, ErrNotConnected
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// ask sends a message, and remembers who waits for its answer.
func (x *session) ask(ctx context.Context, c call) error {
	if c.answer != nil {
		x.waiting[c.id] = c
	}
	return x.conn.Send(ctx, c.msg)
}

// answered hands an answer to who waits for it.
func (x *session) answered(id string, msg any) {
	if c, ok := x.waiting[id]; ok {
		delete(x.waiting, id)
		c.answer <- msg
	}
}

// OpenExec tells the task's node of a session with a command in a container; the message's id is chosen here.
func (s *Sessions) OpenExec(ctx context.Context, t *model.Task, m acs.RoadsteadOpenExec) error {
	m.MessageID, m.TaskArn = s.cfg.NewID(), t.ARN()
	return s.askExec(ctx, t, m.MessageID, m)
}

// AttachExec tells the task's node that the client of a session is there. The error says so if the session is over.
func (s *Sessions) AttachExec(ctx context.Context, t *model.Task, session string) error {
	m := acs.RoadsteadAttachExec{MessageID: s.cfg.NewID(), SessionID: session}
	return s.askExec(ctx, t, m.MessageID, m)
}

func (s *Sessions) askExec(ctx context.Context, t *model.Task, id string, msg any) error {
	a, err := s.tell(ctx, t, call{msg: msg, id: id, answer: make(chan any, 1)})
	if err != nil {
		return err
	}
	if a, ok := a.(*acs.RoadsteadExecOpened); ok && a.Error != "" {
		return errors.New(a.Error)
	}
	return nil
}

// EndExec tells the task's node to end a session.
func (s *Sessions) EndExec(ctx context.Context, t *model.Task, session string) error {
	_, err := s.tell(ctx, t, call{msg: acs.RoadsteadEndExec{SessionID: session}})
	return err
}

// execEnded has the record of a session kept, and then tells the agent so.
func (x *session) execEnded(ctx context.Context, m *acs.RoadsteadExecEnded) error {
	if x.s.cfg.ExecEnded == nil {
		return nil
	}
	t, ok := findTask(x.s.cfg.DB.Snapshot().Tables, x.inst.Account, m.TaskArn)
	if ok && t.InstanceKey() == x.key { // of others it has nothing to say
		if err := x.s.cfg.ExecEnded(ctx, t, m); err != nil {
			return err
		}
	}
	return x.conn.Send(ctx, acs.RoadsteadExecNoted{SessionID: m.SessionID})
}
