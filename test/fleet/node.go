package fleet

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/client"
)

// Config is what nodes have in common.
type Config struct {
	// Endpoints are the URLs of the control plane's members: a node that cannot reach one tries the next.
	Endpoints []string
	Token     acs.JoinToken
	Cluster   string
	// Dial opens a connection from the named node; nil means over TCP.
	Dial func(ctx context.Context, node, addr string) (net.Conn, error)
	// Life says what becomes of a task; nil means Forever. r is the node's own randomness.
	Life func(a *acs.Task, r *rand.Rand) Life
	Log  *slog.Logger // nil: nothing is logged
}

// Machine is what a node is made of.
type Machine struct {
	Name        string // unique in the fleet
	Zone        string
	CPU, Memory int64 // units, MiB
	GPUs        []string
	Subnet      string            // for awsvpc tasks, "10.1.128.0/17"; "" means none
	Attributes  map[string]string // custom ones
	Seed        uint64            // of everything that the node draws
}

// Node is one machine. Its containers live as long as it does; Run is its agent, which may be killed and run again.
type Node struct {
	cfg     Config
	machine Machine
	line    *line
	api     *client.Client
	wake    chan struct{} // has an entry when the tasks are to be looked at
	pulse   chan struct{} // has an entry when a task's health is another
	reports chan told     // to whichever connection there is
	answers chan *acs.RoadsteadReported
	send    func(context.Context, []acs.SubmitTaskStateChangeRequest) error // submit, but in tests

	mu    sync.Mutex
	rng   *rand.Rand
	mute  bool
	full  bool
	arn   string // of the container instance, "" before it is registered
	token string // clientToken of the registration
	tasks map[string]*task
	news  []*task             // untold, the longest waiting first
	over  map[string]struct{} // ARNs of tasks whose end was accepted
	port  int32               // the last dynamic host port
	seq   int64               // timeline of the newest manifest
	count Count
}

// Count is what a node has done so far.
type Count struct {
	Registrations, Connections int
	Payloads, Assignments      int // Assignments without repetitions
	Reports                    int // accepted
	Acks                       int // of heartbeats
}

// New returns a node that has never run. A mistake in the configuration is an error.
func New(cfg Config, m Machine) (*Node, error) {
	if cfg.Dial == nil {
		d := net.Dialer{Timeout: dialPatience}
		cfg.Dial = func(ctx context.Context, _, addr string) (net.Conn, error) { return d.DialContext(ctx, "tcp", addr) }
	}
	if cfg.Life == nil {
		cfg.Life = Forever
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	n := &Node{
		cfg: cfg, machine: m, wake: make(chan struct{}, 1), pulse: make(chan struct{}, 1), rng: rand.New(rand.NewPCG(m.Seed, 1)),
		tasks: map[string]*task{}, over: map[string]struct{}{}, reports: make(chan told), answers: make(chan *acs.RoadsteadReported),
	}
	n.send = n.submit
	n.line = newLine(n.dial)
	for _, e := range cfg.Endpoints {
		u, err := url.Parse(e)
		if err != nil {
			return nil, fmt.Errorf("parse endpoint: %w", err)
		}
		n.line.members = append(n.line.members, u.Host)
	}
	if len(cfg.Endpoints) == 0 {
		return nil, fmt.Errorf("node %s knows no endpoint", m.Name)
	}
	var err error
	n.api, err = client.New(client.Config{
		Endpoint: cfg.Endpoints[0], AccessKeyID: cfg.Token.KeyID, Secret: cfg.Token.Secret, Region: cfg.Token.Region, Transport: n.line,
	})
	n.token = n.draw()
	return n, err
}

// draw is a new token.
func (n *Node) draw() string { return fmt.Sprintf("%s-%016x", n.machine.Name, n.rng.Uint64()) }

func (n *Node) dial(ctx context.Context, addr string) (net.Conn, error) {
	return n.cfg.Dial(ctx, n.machine.Name, addr)
}

// Run is the agent's process: it stays connected to the control plane and moves tasks on, until ctx ends.
func (n *Node) Run(ctx context.Context) {
	n.mu.Lock()
	for _, t := range n.tasks {
		t.resume(time.Now())
	}
	n.seq = 0
	n.mu.Unlock()
	var wg sync.WaitGroup
	wg.Go(func() { n.live(ctx) })
	n.link(ctx)
	wg.Wait()
	n.line.hangUp()
}

// Name is the machine's.
func (n *Node) Name() string { return n.machine.Name }

// Instance is the ARN of the container instance that the node is, "" if it has not been registered.
func (n *Node) Instance() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.arn
}

// Count returns what the node has done.
func (n *Node) Count() Count {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.count
}

// Mute makes the agent read on but answer no heartbeat and no payload, or ends that.
func (n *Node) Mute(mute bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mute = mute
}

// Full makes the node's disk full, so that its agent cannot take payloads, or ends that.
func (n *Node) Full(full bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.full = full
}

// PowerFail ends all containers unseen. Call it while the agent does not run.
func (n *Node) PowerFail() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, t := range n.sorted() {
		was := t.untold
		t.move(time.Now())
		t.vanish(time.Now())
		n.note(t, was)
	}
}

// Wipe takes everything from the node, as a new disk does: it registers as another instance. Call it while the agent does
// not run.
func (n *Node) Wipe() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.forget()
}

// forget is Wipe. Caller holds mu.
func (n *Node) forget() {
	n.arn, n.token, n.news = "", n.draw(), nil
	clear(n.tasks)
	clear(n.over)
}

// View is one task as its node sees it.
type View struct {
	Arn    string
	Status string // PENDING, RUNNING or STOPPED, which is not accepted yet
	Told   bool   // to stop
}

// Tasks returns the tasks that are not over for the node, in the order of their ARNs.
func (n *Node) Tasks() []View {
	n.mu.Lock()
	defer n.mu.Unlock()
	var out []View
	for _, t := range n.sorted() {
		v := View{Arn: t.arn, Status: "PENDING", Told: t.told}
		switch {
		case t.phase == stopped:
			v.Status = "STOPPED"
		case !t.startedAt.IsZero():
			v.Status = "RUNNING"
		}
		out = append(out, v)
	}
	return out
}

// sorted are the tasks in the order of their ARNs. Caller holds mu.
func (n *Node) sorted() []*task {
	out := make([]*task, 0, len(n.tasks))
	for _, t := range n.tasks {
		out = append(out, t)
	}
	slices.SortFunc(out, func(a, b *task) int { return strings.Compare(a.arn, b.arn) })
	return out
}

// accept takes assignments, stops first, as our agent's engine does: a repetition changes nothing, a stop wins for ever, and
// an unknown task that is to stop is STOPPED.
func (n *Node) accept(tasks []acs.Task) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, stops := range []bool{true, false} {
		for i := range tasks {
			if (tasks[i].DesiredStatus == "STOPPED") == stops {
				n.assign(&tasks[i], stops)
			}
		}
	}
	n.rouse()
}

// assign takes one. Caller holds mu.
func (n *Node) assign(a *acs.Task, stop bool) {
	now := time.Now()
	t := n.tasks[a.Arn]
	_, over := n.over[a.Arn]
	was := t != nil && t.untold
	switch {
	case over:
		return // the control plane has taken the news of its end
	case t == nil:
		n.count.Assignments++
		t = newTask(a, n.cfg.Life(a, n.rng), now, n.nextPort)
		n.tasks[a.Arn] = t
	}
	if stop {
		t.stop(now)
	}
	n.note(t, was)
}

// nextPort is a dynamic host port. Caller holds mu.
func (n *Node) nextPort() int32 {
	const first, last = 32768, 60999
	if n.port++; n.port < first || n.port > last {
		n.port = first
	}
	return n.port
}

// note puts a task that has got something to tell at the end of the queue. Caller holds mu.
func (n *Node) note(t *task, was bool) {
	if t.untold && !was {
		n.news = append(n.news, t)
	}
}

func (n *Node) rouse() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}
