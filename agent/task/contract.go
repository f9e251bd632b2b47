// Package task runs one task on a node: a pure Step decides the next actions from what is wanted and what is
// observed, a Runner performs them one task at a time, and an Engine owns the runners, remembers assignments on disk
// and reports what happened. The contracts it needs from the machine (Runtime, Network) are defined here, with the
// fakes that the tests run on; the real ones are agent/runtime and agent/network.
//
// It must not know containerd, netlink, the control plane's state or how reports travel.
package task

import (
	"context"
	"time"

	"github.com/roadstead/roadstead/acs"
)

// Runtime keeps containers on this node. Containers carry their Labels, and together with the assignment file these
// are the agent's only memory: after a restart of the agent, List finds every container again, running ones
// untouched.
//
// Life of a container: Pull -> Create -> Start -> (Signal)* -> exit -> Delete. Create makes everything up to but
// without the first instruction; Delete of a container that never started, or is already gone, succeeds. All methods
// may be called at the same time for different containers. A context that ends abandons the call, and the next call
// for the same container converges. Errors are *Failure where a name exists for what went wrong.
type Runtime interface {
	// Pull makes the image available and returns its digest ("sha256:..."). Many pulls of one image share one.
	Pull(ctx context.Context, image string, auth *acs.RegistryAuth) (digest string, err error)
	// Create prepares the container. Creating one that exists already succeeds.
	Create(ctx context.Context, spec ContainerSpec) error
	// Start begins the container's first process; the process id is in List and Event.
	Start(ctx context.Context, id string) (pid uint32, err error)
	// Restart runs a container again, in place, whose first process has ended: same writable layer, network and id. One that
	// runs is left alone. Until it runs, List goes on showing how it ended.
	Restart(ctx context.Context, id string) (pid uint32, err error)
	// Signal sends a signal to the container's first process; sending to one that exited succeeds.
	// signal is "SIGTERM", "15", or "" for the image's STOPSIGNAL (default SIGTERM).
	Signal(ctx context.Context, id, signal string) error
	// Check runs a command in the running container, as the user and in the environment of its first process, and returns how
	// it ended. After the timeout, counted from the command's start, or when ctx ends it is killed with all that it has started.
	// At most one check of a container is under way; what an earlier process of the agent left of one is removed. A command
	// that cannot be executed is a *Failure; other errors say nothing of the container.
	Check(ctx context.Context, id string, command []string, timeout time.Duration) (CheckRun, error)
	// Delete removes the container and its writable layer, killing it first if it runs.
	Delete(ctx context.Context, id string) error
	// List returns every container of this agent, running or not.
	List(ctx context.Context) ([]ContainerState, error)
	// Events returns exits as they happen until ctx ends. After a gap (runtime restart) it sends one Event with
	// Resync set: look at List again.
	Events(ctx context.Context) <-chan Event
}

// Network gives containers their network sandboxes. Setup and Release are idempotent; Release of what is not there
// succeeds. In mode awsvpc one sandbox serves the whole task (container ""); in mode bridge each container has its
// own; modes host and none need none, and Setup answers at once.
type Network interface {
	Setup(ctx context.Context, req SandboxRequest) (Sandbox, error)
	Release(ctx context.Context, taskID, container string) error
	// List returns what Setup made and Release has not removed, also by earlier processes.
	List(ctx context.Context) ([]Sandbox, error)
}

// Volumes gives tasks their Docker volumes and file systems. Attach is idempotent, Detach and Remove succeed where nothing is.
// Errors are *Failure where a name exists for what went wrong.
type Volumes interface {
	// Attach makes the volume, mounts it if it is one to be mounted, and notes the task as its user.
	Attach(ctx context.Context, taskID string, v acs.Volume) (Volume, error)
	// Storage makes a file system of so many GiB for what the task writes, and returns its directory. Remove removes it.
	Storage(ctx context.Context, taskID string, gib int64) (dir string, err error)
	// Detach ends the task's use of its volumes: no container of it runs any more. What only it had mounted is unmounted.
	Detach(ctx context.Context, taskID string) error
	// Remove removes the volumes that live as long as the task; shared ones stay.
	Remove(ctx context.Context, taskID string) error
	// List returns the ids of the tasks that have volumes here, also of earlier processes.
	List(ctx context.Context) ([]string, error)
}

// Volume is where an attached volume is on the node.
type Volume struct {
	Source string
	Seed   bool // an empty one is filled with what the first container's image has at its place
	// ReadOnly: no container may write there.
	ReadOnly bool
}

// SandboxRequest asks for a network sandbox.
type SandboxRequest struct {
	TaskID    string
	Container string // "" in awsvpc: the whole task's
	Mode      string // bridge, host, none, awsvpc
	Ports     []acs.PortMapping
	ENI       *acs.ENI                // awsvpc: nil means that the node chooses the address
	Proxy     *acs.ProxyConfiguration // awsvpc: that connections pass through, nil for none
	// Isolated asks for a user namespace that owns the network, if the node makes such: for FARGATE tasks.
	Isolated bool
}

// Sandbox is a network namespace with its addresses and published ports.
type Sandbox struct {
	TaskID    string
	Container string
	Mode      string
	Path      string // of the network namespace, "" = the node's own
	IPv4      string
	MAC       string
	Gateway   string
	Bindings  []Binding
	// User is the path of the user namespace that owns the network's, "" = the node's own. Its users 0 to 65535 are the node's
	// from UserBase on.
	User     string
	UserBase uint32
}

// Binding is one published port (or range), in the words of networkBindings.
type Binding struct {
	BindIP         string
	ContainerPort  int32
	HostPort       int32
	Protocol       string
	ContainerRange string
	HostRange      string
}

// ContainerSpec is all that the runtime needs to make one container.
type ContainerSpec struct {
	ID          string // unique on the node: TASKID-NAME
	TaskID      string
	Name        string
	Image       string // as in the task definition, or pinned by digest
	Labels      map[string]string
	Task        acs.Task      // for task-level limits (CPU quota, memory), pid and ipc modes
	Container   acs.Container // command, entry point, environment, limits, mounts
	Config      acs.ContainerConfig
	HostConfig  acs.HostConfig
	Environment map[string]string // on top of the image's, complete
	Region      string            // told in AWS_REGION and AWS_DEFAULT_REGION, if neither image nor Environment has one of them
	Sandbox     Sandbox
	Mounts      []Mount
	Storage     string   // directory of the task's own file system, for what the container writes; "" = the node's
	Hosts       []string // "name:ip" of linked containers, on top of HostConfig.ExtraHosts
	LogPath     string   // where stdout and stderr go, one JSON line a record
}

// Mount is a bind mount into a container.
type Mount struct {
	Source      string
	Destination string
	ReadOnly    bool
	// Seed: when it is mounted first, and empty, it gets what the image has there, with owners and modes (SEMANTICS §13.5).
	// Beside Source, Source.seeded then says that this is done.
	Seed bool
}

// Container statuses on the node, in order.
const (
	StatusCreated = "CREATED"
	StatusRunning = "RUNNING"
	StatusStopped = "STOPPED"
)

// ContainerState is what the runtime knows of one container.
type ContainerState struct {
	ID         string
	TaskID     string
	Name       string
	Labels     map[string]string
	Status     string // StatusCreated, StatusRunning or StatusStopped
	PID        uint32
	ExitCode   int32
	OOMKilled  bool
	StartedAt  time.Time
	FinishedAt time.Time
	// Unsure: whoever runs the container does not answer now, as on a machine that is very busy. Status is what it last was, and no
	// more than a guess: it may have ended meanwhile. List again soon.
	Unsure bool
}

// CheckRun is how a command ended that was run in a container.
type CheckRun struct {
	ExitCode int32
	TimedOut bool
	Output   string // the beginning of what it wrote to both streams, at most 4096 bytes
}

// Event is an exit, or with Resync the advice to List again.
type Event struct {
	Resync     bool
	ID         string
	ExitCode   int32
	OOMKilled  bool
	FinishedAt time.Time
}

// Failure is an error with the agent's name for it: "CannotPullContainerError: pull access denied ..."
// (SEMANTICS §11.2). Reason() cuts it at 1024 characters.
type Failure struct {
	Name string // CannotPullContainerError, CannotCreateContainerError, CannotStartContainerError ...
	Err  error
}

func (f *Failure) Error() string { return f.Name + ": " + f.Err.Error() }
func (f *Failure) Unwrap() error { return f.Err }

// Reason is the text for the container's reason member, at most 1024 characters.
func (f *Failure) Reason() string {
	s := f.Error()
	if len(s) > 1024 {
		s = s[:1024]
	}
	return s
}
