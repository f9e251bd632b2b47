package session

import (
	"context"
	"errors"
	"strings"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// ErrNotConnected is returned by ReadLogs when the task's agent is not connected to this member.
var ErrNotConnected = errors.New("the agent of the task's instance is not connected")

// ReadLogs asks the task's node for log records (see acs.RoadsteadReadLogs).
func (s *Sessions) ReadLogs(ctx context.Context, t *model.Task, req acs.RoadsteadReadLogs) (*acs.RoadsteadLogs, error) {
	x, ok := s.of(t.InstanceKey())
	if !ok {
		return nil, ErrNotConnected
	}
	req.MessageID, req.TaskArn = s.cfg.NewID(), t.ARN()
	c := call{msg: req, answer: make(chan *acs.RoadsteadLogs, 1)}
	select {
	case x.calls <- c:
	case <-x.ended:
		return nil, ErrNotConnected
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case a := <-c.answer:
		if a.Error != "" {
			return nil, errors.New(a.Error)
		}
		return a, nil
	case <-x.ended:
		return nil, ErrNotConnected
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// ask sends a log request and remembers who waits for the answer.
func (x *session) ask(ctx context.Context, c call) error {
	x.waiting[c.msg.MessageID] = c
	return x.conn.Send(ctx, c.msg)
}

// findTask looks a task up by its ARN; another account's is not found.
func findTask(t *state.Tables, account, arn string) (*model.Task, bool) {
	a, ok := model.ParseARN(arn)
	if !ok || a.Account != account || a.Type() != "task" {
		return nil, false
	}
	return t.Tasks.Get(a.Scope.Key(strings.Join(a.Segments(), "/")))
}
