package task

import (
	"slices"
	"time"

	"github.com/roadstead/roadstead/acs"
)

// Phase is how far a container has come on this node. It only moves forward (AGENT-PROTOCOL §4.3).
type Phase uint8

// The phases of a container. Everything before PhaseRunning is PENDING to the world.
const (
	PhaseNone Phase = iota
	PhasePulled
	PhaseCreated
	PhaseRunning
	PhaseStopped
)

// StatusPending is a task or container that does not run yet; StatusRunning and StatusStopped follow it.
const StatusPending = "PENDING"

// Status is the phase in the words of the API: PENDING, RUNNING or STOPPED.
func (p Phase) Status() string {
	switch p {
	case PhaseRunning:
		return StatusRunning
	case PhaseStopped:
		return StatusStopped
	default:
		return StatusPending
	}
}

// Health of a container as the health checker tells it (SEMANTICS §7).
const (
	HealthUnknown   = "UNKNOWN"
	HealthHealthy   = "HEALTHY"
	HealthUnhealthy = "UNHEALTHY"
)

// Try is the book-keeping of the one action that a container or a sandbox performs at a time. It is not persisted:
// after a restart of the agent no action is under way.
type Try struct {
	Verb      Verb      // the current action, or the last one
	Doing     bool      // it is under way
	Cancelled bool      // and was asked to give up
	Attempts  int       // tries of Verb that ended in a passing error
	Since     time.Time // start of the first try of Verb
	NotBefore time.Time // the next try waits until then
}

// Container is what is known of one container of a task. Writer: Step and State's methods.
type Container struct {
	Name  string `json:"name"`
	Phase Phase  `json:"phase"`
	Try   Try    `json:"-"`

	Digest        string    `json:"digest,omitempty"` // of the image, "sha256:..."
	PullStartedAt time.Time `json:"pullStartedAt,omitzero"`
	PullStoppedAt time.Time `json:"pullStoppedAt,omitzero"`
	PID           uint32    `json:"pid,omitempty"`
	CreatedAt     time.Time `json:"createdAt,omitzero"`
	StartedAt     time.Time `json:"startedAt,omitzero"`
	FinishedAt    time.Time `json:"finishedAt,omitzero"`
	ExitCode      *int32    `json:"exitCode,omitempty"` // never written through: replaced
	Reason        string    `json:"reason,omitempty"`   // at most 1024 characters

	Vitals Vitals  `json:"-"` // not persisted: the control plane keeps what it was told
	Check  Try     `json:"-"` // of the health check, which may be under way beside another action
	result *Result // of the last check, until Step has judged it; never written through

	// Of a restart policy: how often the container was restarted and when last, and that it is about to be: it has ended, but
	// counts as running.
	Restarts    int       `json:"restarts,omitempty"`
	RestartedAt time.Time `json:"restartedAt,omitzero"`
	Restarting  bool      `json:"restarting,omitempty"`

	Ran    bool `json:"ran,omitempty"`    // its process was started once
	Failed bool `json:"failed,omitempty"` // pull, create or start failed for good: the task stops
	// Touched: create was tried, so the runtime may hold something. Purge: what it may hold is to be deleted before
	// the task counts as stopped, because it may run. Deleted: it is gone, and no action follows.
	Touched bool `json:"touched,omitempty"`
	Purge   bool `json:"purge,omitempty"`
	Deleted bool `json:"deleted,omitempty"`

	SignalledAt time.Time `json:"signalledAt,omitzero"` // the stop signal was first sent
	Delivered   bool      `json:"-"`                    // the runtime took the stop signal
}

// Net is what is known of one network sandbox of a task: one per container, or in awsvpc one with Container "".
type Net struct {
	Container string  `json:"container,omitempty"`
	Try       Try     `json:"-"`
	Tried     bool    `json:"tried,omitempty"` // Setup was tried, so something may be there to release
	Up        bool    `json:"up,omitempty"`
	Gone      bool    `json:"gone,omitempty"`
	Failed    bool    `json:"failed,omitempty"`
	Reason    string  `json:"reason,omitempty"`
	Sandbox   Sandbox `json:"sandbox"`
}

// State is all that the node knows of one task: what was observed, and what was decided of it. A State handed out is
// never written again; Step and the methods return a changed copy.
type State struct {
	Containers []Container `json:"containers,omitempty"` // in the order of the assignment
	Nets       []Net       `json:"nets,omitempty"`

	Ran                bool      `json:"ran,omitempty"`      // the task was RUNNING once
	Stopping           bool      `json:"stopping,omitempty"` // no way back: everything is to stop
	Reason             string    `json:"reason,omitempty"`   // why the task stops, if the node decided it
	ExecutionStoppedAt time.Time `json:"executionStoppedAt,omitzero"`
	StoppedAt          time.Time `json:"stoppedAt,omitzero"` // containers stopped and sandboxes released
	Acked              bool      `json:"acked,omitempty"`    // the control plane accepted STOPPED
	Done               bool      `json:"done,omitempty"`     // cleaned up: the node may forget the task
}

// NewState is the state of a task of which nothing has happened yet.
func NewState(t *acs.Task) State {
	var s State
	for i := range t.Containers {
		c := Container{Name: t.Containers[i].Name}
		if healthCheck(&t.Containers[i]) != nil {
			c.Vitals.Health = HealthUnknown
		}
		s.Containers = append(s.Containers, c)
	}
	switch {
	case len(t.Containers) == 0:
	case mode(t) == modeVPC:
		s.Nets = []Net{{}}
	default:
		for i := range t.Containers {
			s.Nets = append(s.Nets, Net{Container: t.Containers[i].Name})
		}
	}
	return s
}

// Network modes (SEMANTICS §13.1).
const (
	modeBridge = "bridge"
	modeHost   = "host"
	modeNone   = "none"
	modeVPC    = "awsvpc"
)

// mode is the task's network mode; "" means bridge.
func mode(t *acs.Task) string {
	if t.NetworkMode == "" {
		return modeBridge
	}
	return t.NetworkMode
}

// Status is the task's status as the control plane hears it: PENDING, RUNNING or STOPPED. While containers have
// stopped but the network is not released yet it stays what it was (AGENT-PROTOCOL §4.3, SEMANTICS §11.1).
func (s *State) Status() string {
	switch {
	case !s.StoppedAt.IsZero():
		return StatusStopped
	case s.Ran:
		return StatusRunning
	default:
		return StatusPending
	}
}

// Container returns the container with the name, or nil.
func (s *State) Container(name string) *Container {
	if i := s.index(name); i >= 0 {
		return &s.Containers[i]
	}
	return nil
}

func (s *State) index(name string) int {
	return slices.IndexFunc(s.Containers, func(c Container) bool { return c.Name == name })
}

// Net returns the sandbox that serves the container, or nil.
func (s *State) Net(container string) *Net {
	i := slices.IndexFunc(s.Nets, func(n Net) bool { return n.Container == "" || n.Container == container })
	if i < 0 {
		return nil
	}
	return &s.Nets[i]
}

// clone is a copy that may be changed.
func (s State) clone() State {
	s.Containers = slices.Clone(s.Containers)
	s.Nets = slices.Clone(s.Nets)
	return s
}

// settled is true when the container has stopped, certainly does not run, and no action on it is under way.
func (c *Container) settled() bool {
	return c.Phase == PhaseStopped && !c.Try.Doing && !c.Check.Doing && (!c.Purge || c.Deleted)
}
