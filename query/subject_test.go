package query_test

import (
	"slices"
	"testing"
	"time"

	"github.com/roadstead/roadstead/query"
)

// instance is a subject.
type instance struct {
	attributes map[string]string
	connected  bool
	version    string
	ec2        string
	registered time.Time
	running    int
	tasks      []map[string]string // their fields
}

func (i *instance) Attribute(name string) (string, bool) { v, ok := i.attributes[name]; return v, ok }
func (i *instance) AgentConnected() bool                 { return i.connected }
func (i *instance) AgentVersion() string                 { return i.version }
func (i *instance) EC2InstanceID() string                { return i.ec2 }
func (i *instance) RegisteredAt() time.Time              { return i.registered }
func (i *instance) RunningTasks() int                    { return i.running }
func (i *instance) AnyTask(field string, match func(string) bool) bool {
	return slices.ContainsFunc(i.tasks, func(t map[string]string) bool { return match(t[field]) })
}

// sample is the instance that the tables ask about.
func sample() *instance {
	return &instance{
		attributes: map[string]string{
			"ecs.instance-type": "t2.small", "ecs.availability-zone": "us-east-1a", "stack": "prod", "flag": "", "disk": "100",
			`odd\name/x_1.y-z`: "it has: @signs", "apostrophe": "o'clock",
		},
		connected: true, version: "1.14.5", ec2: "i-0abc", running: 3,
		registered: time.Date(2018, 6, 18, 22, 28, 28, 123e6, time.UTC),
		tasks: []map[string]string{
			{"group": "service:production", "definition-family": "web"}, {"group": "family:batch", "definition-family": "batch"},
		},
	}
}

func match(t *testing.T, text string, s query.Subject) bool {
	t.Helper()
	e, err := query.Parse(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return e.Match(s)
}
