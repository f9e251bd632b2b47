package ecs

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// TaskStory is what is known of a task, and why it is where it is.
type TaskStory struct {
	TaskArn        string           `json:"taskArn"`
	TaskDefinition string           `json:"taskDefinition"` // FAMILY:REVISION
	LastStatus     string           `json:"lastStatus"`
	DesiredStatus  string           `json:"desiredStatus"`
	Why            string           `json:"why"` // in a sentence or two
	Timeline       []Moment         `json:"timeline"`
	Containers     []ContainerStory `json:"containers"`
	// Left is why no instance takes a task that waits.
	Left *Refusals `json:"left,omitempty"`
}

// Moment is something that happened to the task.
type Moment struct {
	At   model.Millis `json:"at"`
	What string       `json:"what"`
}

// ContainerStory is how one container of the task fared.
type ContainerStory struct {
	Name     string `json:"name"`
	Status   string `json:"status"`
	ExitCode *int32 `json:"exitCode,omitempty"`
	Reason   string `json:"reason,omitempty"`
}

// Task tells the story of a task, by id or ARN; cluster is a name or ARN, "" for default. A task that is not there is an
// InvalidParameterException.
func (p *Planner) Task(ctx context.Context, cluster, ref string) (*TaskStory, error) {
	who, err := principal(ctx)
	if err != nil {
		return nil, err
	}
	t := p.api.DB.Snapshot().Tables
	c, err := findCluster(t, who.Scope(), &cluster)
	if err != nil {
		return nil, err
	}
	task, _, err := findTask(t, c, ref)
	if err != nil {
		return nil, err
	}
	if task == nil {
		return nil, errNoTask()
	}
	s := &TaskStory{TaskArn: task.ARN(), TaskDefinition: task.Definition, LastStatus: task.Last, DesiredStatus: task.Desired,
		Timeline: timeline(task), Containers: containerStories(task)}
	if task.Waiting() {
		err = p.wait(ctx, task, s)
	} else {
		s.Why = why(t, task)
	}
	return s, err
}

// wait explains a task that has no instance yet.
func (p *Planner) wait(ctx context.Context, task *model.Task, s *TaskStory) error {
	s.Why = fmt.Sprintf("It waits for capacity of %s.", task.CapacityProvider)
	if p.api.WaitingRequest == nil {
		return nil
	}
	return p.api.DB.Try(ctx, func(tx *state.Tx) error {
		req, gone := p.api.WaitingRequest(tx, task)
		if gone != "" {
			s.Why += " It will be given up: " + gone
			return nil
		}
		req.Count = 1
		s.Left = refusals(tx, req)
		if s.Left.Instances == 0 {
			s.Why += " The provider has no ACTIVE instance in the cluster."
		}
		return nil
	})
}

// why says what keeps a task that has had a place where it is.
func why(t *state.Tables, task *model.Task) string {
	if task.Last == model.TaskStopped {
		return strings.TrimSpace(task.StopCode + ": " + cmp.Or(task.StopReason, "no reason was given."))
	}
	var out []string
	if task.Desired == model.TaskStopped {
		out = append(out, fmt.Sprintf("It is being stopped (%s: %s).", task.StopCode, task.StopReason))
	}
	out = append(out, fmt.Sprintf("It is on instance %s in zone %s.", task.Instance, cmp.Or(task.Zone, "(none)")))
	if by := placedBy(task); by != "" {
		out = append(out, "It was placed by "+by+".")
	}
	i, ok := t.Instances.Get(task.InstanceKey())
	switch {
	case !ok || i.Status == model.InstanceInactive:
		out = append(out, "The instance is not registered any more.")
	case !i.AgentConnected:
		out = append(out, "The instance's agent is not connected: what it does now is not known.")
	case i.Status == model.InstanceDraining:
		out = append(out, "The instance is DRAINING.")
	}
	return strings.Join(out, " ")
}

// placedBy puts constraints, strategy and provider into words, "" without any.
func placedBy(task *model.Task) string {
	var out []string
	for _, c := range task.Constraints {
		out = append(out, strings.TrimSpace(c.Type+" "+c.Expression))
	}
	for _, s := range task.Strategy {
		out = append(out, strings.TrimSpace(s.Type+" "+s.Field))
	}
	if task.CapacityProvider != "" {
		out = append(out, "capacity provider "+task.CapacityProvider)
	}
	return strings.Join(out, ", ")
}

// timeline is the moments that the row remembers, in their order.
func timeline(t *model.Task) []Moment {
	all := []Moment{
		{t.CreatedAt, "created"}, {t.PullStartedAt, "first image pull began"}, {t.PullStoppedAt, "image pulls ended"},
		{t.ConnectivityAt, "connected"}, {t.StartedAt, "RUNNING"}, {t.StoppingAt, "stop was asked for or seen"},
		{t.ExecutionStoppedAt, "first essential container stopped"}, {t.StoppedAt, "STOPPED"},
	}
	all = slices.DeleteFunc(all, func(m Moment) bool { return m.At == 0 })
	slices.SortStableFunc(all, func(a, b Moment) int { return cmp.Compare(a.At, b.At) })
	return all
}

func containerStories(t *model.Task) []ContainerStory {
	out := []ContainerStory{}
	for i := range t.Containers {
		c := &t.Containers[i]
		s := ContainerStory{Name: c.Name, Status: c.Status, Reason: c.Reason}
		if c.Exited {
			s.ExitCode = &c.ExitCode
		}
		out = append(out, s)
	}
	return out
}
