package session

import (
	"context"
	"errors"
	"strings"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// ErrNotConnected says that the task's agent is not connected to this member.
var ErrNotConnected = errors.New("the agent of the task's instance is not connected")

// ErrStockAgent says that the task's agent is the stock one, which answers no message that is not ECS's.
var ErrStockAgent = errors.New("the agent of the task's instance is not Roadstead's")

// ReadLogs asks the task's node for log records (see acs.RoadsteadReadLogs). What the node says against it is a refusal: logs that are
// not there are nobody's failure.
func (s *Sessions) ReadLogs(ctx context.Context, t *model.Task, req acs.RoadsteadReadLogs) (*acs.RoadsteadLogs, error) {
	req.MessageID, req.TaskArn = s.cfg.NewID(), t.ARN()
	answer, err := s.tell(ctx, t, call{msg: req, id: req.MessageID, answer: make(chan any, 1)})
	if err != nil {
		return nil, err
	}
	a := answer.(*acs.RoadsteadLogs)
	if a.Error != "" {
		return nil, model.Errorf("InvalidParameterException", "%s", a.Error)
	}
	return a, nil
}

// findTask looks a task up by its ARN; another account's is not found.
func findTask(t *state.Tables, account, arn string) (*model.Task, bool) {
	key, ok := taskKey(account, arn)
	if !ok {
		return nil, false
	}
	return t.Tasks.Get(key)
}

// taskKey is the key of the row of a task of the account.
func taskKey(account, arn string) (string, bool) {
	a, ok := model.ParseARN(arn)
	if !ok || a.Account != account || a.Type() != "task" {
		return "", false
	}
	return a.Scope.Key(strings.Join(a.Segments(), "/")), true
}
