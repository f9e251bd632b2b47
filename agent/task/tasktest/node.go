// Package tasktest holds a behaving fake of a node's container runtime and network, the contract suites that the fake
// and the real ones run, and the means to crash an engine at any step. It is for tests only.
//
// It must not assert which calls were made: a fake is asked what is true on its node.
package tasktest

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/roadstead/roadstead/agent/task"
)

// Node is a fake machine. It outlives the processes (Machines) that work on it. Set the exported fields before use.
type Node struct {
	// Latency is how long an operation ("pull", "setup", "create", "start", "check", "signal", "delete", "release", "list")
	// on a container or sandbox takes; nil means no time.
	Latency func(op, key string) time.Duration
	// Fail, if it returns an error, makes the operation fail with it and have no effect. nil means: nothing fails.
	Fail func(op, key string) error
	// Silent, if it returns true, has List be unsure of a container.
	Silent func(id string) bool
	// Images maps the images that can be pulled to their digests; nil means that every image can.
	Images map[string]string

	mu         sync.Mutex
	containers map[string]*box
	sandboxes  map[string]task.Sandbox
	ports      map[int32]bool
	starts     map[string]int
	listeners  map[*listener]bool
	pids       uint32
	addresses  int
}

// box is one container on a Node.
type box struct {
	spec    task.ContainerSpec
	state   task.ContainerState
	program program
	files   map[string]bool // that its health check looks for
	timer   *time.Timer     // its process ends by itself then
}

// NewNode is an empty machine.
func NewNode() *Node {
	return &Node{
		containers: map[string]*box{}, sandboxes: map[string]task.Sandbox{}, ports: map[int32]bool{},
		starts: map[string]int{}, listeners: map[*listener]bool{},
	}
}

// Machine is what one process sees of a Node: its runtime and its network.
type Machine struct {
	Runtime *Runtime
	Network *Network
}

// Open is a new process on the node. crash, if not nil, counts its operations and ends it.
func (n *Node) Open(crash *Crash) *Machine {
	m := &machine{node: n, crash: crash}
	return &Machine{Runtime: &Runtime{m}, Network: &Network{m}}
}

type machine struct {
	node  *Node
	crash *Crash
}

// errDead is what operations of a dead process return; nobody is there to read it.
var errDead = errors.New("the process is dead")

// do performs an operation: it takes its time, may fail, has its effect at once, and may be the process's last,
// before or after the effect.
func (m *machine) do(ctx context.Context, op, key string, effect func(n *Node) error) error {
	if m.crash.Step(op+" "+key) != nil {
		return errDead
	}
	if m.node.Latency != nil {
		if d := m.node.Latency(op, key); d > 0 {
			t := time.NewTimer(d)
			defer t.Stop()
			select {
			case <-t.C:
			case <-ctx.Done():
			}
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if m.crash.Dead() {
		return errDead
	}
	if m.node.Fail != nil {
		if err := m.node.Fail(op, key); err != nil {
			return err
		}
	}
	m.node.mu.Lock()
	err := effect(m.node)
	m.node.mu.Unlock()
	if m.crash.Step(op+" "+key+" done") != nil {
		return errDead
	}
	return err
}

// Exit ends the process of a running container from outside, as a crash or the kernel's memory killer does. It
// reports whether the container ran.
func (n *Node) Exit(id string, code int32, oom bool) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	b := n.containers[id]
	if b == nil || b.state.Status != task.StatusRunning {
		return false
	}
	n.exit(b, code, oom)
	return true
}

// Touch makes a file in a container, and Remove takes it away again.
func (n *Node) Touch(id, file string)  { n.touch(id, file, true) }
func (n *Node) Remove(id, file string) { n.touch(id, file, false) }

func (n *Node) touch(id, file string, there bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if b := n.containers[id]; b != nil {
		b.files[file] = there
	}
}

// Vanish removes a container behind the runtime's back, without an event.
func (n *Node) Vanish(id string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.containers, id)
}

// Resync tells every process that it missed events.
func (n *Node) Resync() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.publish(task.Event{Resync: true})
}

// Starts is how often a container's process was started.
func (n *Node) Starts(id string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.starts[id]
}

// Left is what is on the node: ids of containers and keys of sandboxes.
func (n *Node) Left() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append(sortedKeys(n.containers), sortedKeys(n.sandboxes)...)
}

// State is what the node knows of a container; ok is false if it has none with the id.
func (n *Node) State(id string) (state task.ContainerState, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	b := n.containers[id]
	if b == nil {
		return task.ContainerState{}, false
	}
	return b.state, true
}

// exit is called with mu held.
func (n *Node) exit(b *box, code int32, oom bool) {
	if b.timer != nil {
		b.timer.Stop()
	}
	b.state.Status, b.state.ExitCode, b.state.OOMKilled = task.StatusStopped, code, oom
	b.state.FinishedAt, b.state.PID = time.Now(), 0
	n.publish(task.Event{ID: b.spec.ID, ExitCode: code, OOMKilled: oom, FinishedAt: b.state.FinishedAt})
}

func (n *Node) publish(ev task.Event) {
	for l := range n.listeners {
		l.add(ev)
	}
}

// listener is one subscription to a node's events.
type listener struct {
	mu    sync.Mutex
	queue []task.Event
	wake  chan struct{}
}

func (l *listener) add(ev task.Event) {
	l.mu.Lock()
	l.queue = append(l.queue, ev)
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// run hands the events on until ctx ends, then closes to.
func (l *listener) run(ctx context.Context, to chan<- task.Event) {
	defer close(to)
	for {
		l.mu.Lock()
		queue := l.queue
		l.queue = nil
		l.mu.Unlock()
		for _, ev := range queue {
			select {
			case to <- ev:
			case <-ctx.Done():
				return
			}
		}
		select {
		case <-l.wake:
		case <-ctx.Done():
			return
		}
	}
}

// Crash ends a process after a number of steps: what it does afterwards has no effect any more. A nil Crash counts
// nothing. Safe for concurrent use.
type Crash struct {
	mu    sync.Mutex
	left  int
	dead  bool
	last  string
	count int
	died  func()
}

// NewCrash lets a process make after steps (or any number, if after is negative); the next one is not made, and died
// is called.
func NewCrash(after int, died func()) *Crash { return &Crash{left: after, died: died} }

// Step counts one step and fails when the process is dead.
func (c *Crash) Step(name string) error {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead {
		return errDead
	}
	if c.left == 0 {
		c.dead, c.last = true, name
		c.died()
		return errDead
	}
	c.left--
	c.count++
	return nil
}

// Dead reports whether the process has crashed.
func (c *Crash) Dead() bool {
	if c == nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dead
}

// Count is the number of steps made so far.
func (c *Crash) Count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.count
}

// Where is the step that was not made, "" while the process lives.
func (c *Crash) Where() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}
