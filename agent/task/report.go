package task

import (
	"time"

	"github.com/roadstead/roadstead/acs"
)

// Report is what the control plane should know of a task now: the facts of SubmitTaskStateChange (AGENT-PROTOCOL
// §1.1). It is complete, not a difference, so a lost one is made good by the next; applying one twice is harmless
// because statuses only move forward.
type Report struct {
	TaskArn string
	// Status is PENDING, RUNNING or STOPPED. While containers have stopped but the network is not released it keeps
	// its former value. A task that ran is always reported RUNNING before it is reported STOPPED, in the same batch
	// if need be.
	Status string
	Reason string // why the node stops the task; "" if it was told to
	// Containers are those that have started or stopped, in the order of the task definition. One that ran and
	// stopped comes twice: RUNNING, then STOPPED. Apply them in order.
	Containers  []ContainerReport
	Attachments []AttachmentReport // awsvpc only

	PullStartedAt      time.Time // first pull; zero times mean: not yet, or never
	PullStoppedAt      time.Time // last pull, when all are done
	StartedAt          time.Time // last container start, when the task is or was RUNNING
	ExecutionStoppedAt time.Time // first essential container's stop
}

// ContainerReport is one container's status in a Report.
type ContainerReport struct {
	Name        string
	RuntimeID   string // id in the runtime, "" if it never got that far
	Status      string // RUNNING or STOPPED
	ExitCode    *int32 // nil if unknown or never ran
	Reason      string // at most 1024 characters
	ImageDigest string
	Bindings    []Binding
	StartedAt   time.Time
	FinishedAt  time.Time
}

// Statuses of an attachment that the node reports (SEMANTICS §13.1).
const (
	AttachmentAttached = "ATTACHED"
	AttachmentDeleted  = "DELETED"
)

// AttachmentReport is the status of a task's own network interface (awsvpc).
type AttachmentReport struct {
	AttachmentArn string // "" if the control plane left the interface to the node
	Status        string // ATTACHED, or DELETED after release
	IPv4          string // details, while ATTACHED and after
	MAC           string
	Gateway       string
}

// newReport says what the state means to the control plane.
func newReport(t *acs.Task, s *State) Report {
	r := Report{TaskArn: t.Arn, Status: s.Status(), Reason: s.Reason, ExecutionStoppedAt: s.ExecutionStoppedAt}
	id, pulled := ID(t.Arn), true
	for i := range s.Containers {
		c := &s.Containers[i]
		if at := c.PullStartedAt; !at.IsZero() && (r.PullStartedAt.IsZero() || at.Before(r.PullStartedAt)) {
			r.PullStartedAt = at
		}
		pulled = pulled && (!c.PullStoppedAt.IsZero() || c.Phase == PhaseStopped)
		if c.PullStoppedAt.After(r.PullStoppedAt) {
			r.PullStoppedAt = c.PullStoppedAt
		}
		if s.Ran && c.StartedAt.After(r.StartedAt) {
			r.StartedAt = c.StartedAt
		}
		r.Containers = append(r.Containers, containerReports(id, c, s.Net(c.Name))...)
	}
	if !pulled {
		r.PullStoppedAt = time.Time{}
	}
	if mode(t) == modeVPC {
		r.Attachments = attachments(t, s)
	}
	return r
}

// containerReports are none before the start, RUNNING, or after a run RUNNING and STOPPED.
func containerReports(taskID string, c *Container, n *Net) []ContainerReport {
	r := ContainerReport{
		Name: c.Name, Status: StatusRunning, ImageDigest: c.Digest, StartedAt: c.StartedAt,
	}
	if n != nil && n.Container != "" {
		r.Bindings = n.Sandbox.Bindings
	}
	if c.Touched {
		r.RuntimeID = ContainerID(taskID, c.Name)
	}
	var out []ContainerReport
	if c.Ran {
		out = append(out, r)
	}
	if c.Phase == PhaseStopped {
		r.Status, r.ExitCode, r.Reason, r.FinishedAt = StatusStopped, c.ExitCode, c.Reason, c.FinishedAt
		out = append(out, r)
	}
	return out
}

func attachments(t *acs.Task, s *State) []AttachmentReport {
	if len(s.Nets) == 0 || !s.Nets[0].Up {
		return nil
	}
	n := &s.Nets[0]
	a := AttachmentReport{
		Status: AttachmentAttached, IPv4: n.Sandbox.IPv4, MAC: n.Sandbox.MAC, Gateway: n.Sandbox.Gateway,
	}
	if len(t.NetworkInterfaces) > 0 {
		a.AttachmentArn = t.NetworkInterfaces[0].AttachmentArn
	}
	if n.Gone {
		a.Status = AttachmentDeleted
	}
	return []AttachmentReport{a}
}

// asRunning is the report that a stopped task would have sent while it ran.
func (r Report) asRunning() Report {
	r.Status, r.Reason, r.ExecutionStoppedAt = StatusRunning, "", time.Time{}
	var running []ContainerReport
	for _, c := range r.Containers {
		if c.Status == StatusRunning {
			running = append(running, c)
		}
	}
	r.Containers = running
	return r
}

// milestone is what changes when there is something to tell: statuses only, not details.
type milestone struct {
	status       string
	ran, stopped int  // containers
	restarts     int  // of containers, which are to be remembered
	up, gone     bool // the task's own interface
}

func (s *State) milestone() milestone {
	m := milestone{status: s.Status()}
	for i := range s.Containers {
		if s.Containers[i].Ran {
			m.ran++
		}
		m.restarts += s.Containers[i].Restarts
		if s.Containers[i].Phase == PhaseStopped {
			m.stopped++
		}
	}
	if len(s.Nets) == 1 && s.Nets[0].Container == "" {
		m.up, m.gone = s.Nets[0].Up, s.Nets[0].Gone
	}
	return m
}
