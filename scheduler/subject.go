package scheduler

import (
	"time"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/query"
)

// subject is a node as an expression sees it.
type subject node

// Attribute implements query.Subject.
func (s *subject) Attribute(name string) (string, bool) {
	a, ok := s.instance.Attribute(name)
	return a.Value, ok
}

// AgentConnected implements query.Subject.
func (s *subject) AgentConnected() bool { return s.instance.AgentConnected }

// AgentVersion implements query.Subject.
func (s *subject) AgentVersion() string { return s.instance.AgentVersion }

// EC2InstanceID implements query.Subject.
func (s *subject) EC2InstanceID() string { return s.instance.EC2ID }

// RegisteredAt implements query.Subject.
func (s *subject) RegisteredAt() time.Time { return time.UnixMilli(s.instance.RegisteredAt) }

// RunningTasks implements query.Subject.
func (s *subject) RunningTasks() int { return s.running }

// AnyTask implements query.Subject.
func (s *subject) AnyTask(field string, match func(string) bool) bool {
	switch field {
	case query.TaskGroup:
		for _, h := range s.groups {
			if match(h.group.name) {
				return true
			}
		}
	case query.TaskFamily:
		for _, c := range s.families {
			if match(c.family) {
				return true
			}
		}
	}
	return false
}

// has reports whether the instance has the required attribute: with the same value, if it asks for one.
func has(i *model.Instance, want model.Attribute) bool {
	a, ok := i.Attribute(want.Name)
	return ok && (!want.HasValue || a.Value == want.Value)
}
