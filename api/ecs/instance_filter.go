package ecs

import (
	"strings"
	"time"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/query"
	"github.com/roadstead/roadstead/state"
)

// readFilter reads the filter of a list of instances, nil if there is none (SEMANTICS §5.3).
func readFilter(filter *string) (*query.Expr, error) {
	if value(filter) == "" {
		return nil, nil
	}
	e, err := query.Parse(*filter)
	if err != nil {
		return nil, invalid("The filter is invalid: %v.", err) // [I]; the exception is [D]
	}
	return e, nil
}

// instanceSubject is an instance as the cluster query language sees it.
type instanceSubject struct {
	t *state.Tables
	*model.Instance
}

func (s instanceSubject) Attribute(name string) (string, bool) {
	a, ok := s.Instance.Attribute(name)
	return a.Value, ok
}

func (s instanceSubject) AgentConnected() bool    { return s.Instance.AgentConnected }
func (s instanceSubject) AgentVersion() string    { return s.Instance.AgentVersion }
func (s instanceSubject) EC2InstanceID() string   { return s.EC2ID }
func (s instanceSubject) RegisteredAt() time.Time { return time.UnixMilli(s.Instance.RegisteredAt) }
func (s instanceSubject) RunningTasks() int       { return s.t.Usage(s.Key()).Running }

func (s instanceSubject) AnyTask(field string, match func(string) bool) bool {
	for task := range s.t.TasksOn(s.Key()) {
		v := task.Group
		if field == query.TaskFamily {
			v, _, _ = strings.Cut(task.Definition, ":")
		}
		if match(v) {
			return true
		}
	}
	return false
}
