package task_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/task"
	"github.com/roadstead/roadstead/agent/task/tasktest"
)

// site is a node with its disk and the control plane that it reports to; engines come and go on it.
type site struct {
	testing.TB
	node  *tasktest.Node
	plane *plane
	conf  task.Config
	fault func(op string) error
}

// plane is a control plane that remembers what it was told, and insists that it only moves forward.
type plane struct {
	testing.TB
	mu      sync.Mutex
	refuse  int // that many more calls fail
	batches int
	told    map[string][]task.Report // by task id, accepted
}

func newSite(t testing.TB) *site {
	s := &site{TB: t, node: tasktest.NewNode(), plane: &plane{TB: t, told: map[string][]task.Report{}}}
	s.conf = task.Config{
		Dir: t.TempDir(), CleanupAfter: 10 * time.Second, Log: slog.New(slog.DiscardHandler),
	}
	return s
}

func (p *plane) report(_ context.Context, batch []task.Report) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.batches++
	if p.refuse > 0 {
		p.refuse--
		return errors.New("service unavailable")
	}
	for _, r := range batch {
		id := task.ID(r.TaskArn)
		p.told[id] = append(p.told[id], r)
	}
	return nil
}

// last is the newest that the control plane knows of the task; the zero Report if nothing.
func (p *plane) last(id string) task.Report {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.told[id]); n > 0 {
		return p.told[id][n-1]
	}
	return task.Report{}
}

// passed are the different statuses that the control plane saw of a task (container ""), or of one of its containers.
func (p *plane) passed(id, container string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []string
	for _, r := range p.told[id] {
		if container == "" {
			out = append(out, r.Status)
		}
		for _, c := range r.Containers {
			if c.Name == container {
				out = append(out, c.Status)
			}
		}
	}
	// What comes again after it was passed is a repeat, which the control plane drops.
	high := -1
	out = slices.DeleteFunc(out, func(status string) bool {
		if rank(status) <= high {
			return true
		}
		high = rank(status)
		return false
	})
	return out
}

// life is one engine at work.
type life struct {
	*task.Engine
	stop  context.CancelFunc
	ended chan error
}

// start begins a life; crash, if not nil, ends it.
func (s *site) start(crash *tasktest.Crash) *life {
	m := s.node.Open(crash)
	conf := s.conf
	conf.Runtime, conf.Network = m.Runtime, m.Network
	conf.Report = func(ctx context.Context, batch []task.Report) error {
		if err := crash.Step("report"); err != nil {
			return err
		}
		if err := s.plane.report(ctx, batch); err != nil {
			return err
		}
		return crash.Step("report done")
	}
	e := task.New(conf)
	e.SetFault(func(op string) error {
		if s.fault != nil {
			if err := s.fault(op); err != nil {
				return err
			}
		}
		return crash.Step("journal " + op)
	})
	ctx, cancel := context.WithCancel(context.Background())
	l := &life{Engine: e, stop: cancel, ended: make(chan error, 1)}
	go func() { l.ended <- e.Run(ctx) }()
	return l
}

// end stops the engine as a service manager does, and waits for it.
func (s *site) end(l *life) {
	s.Helper()
	l.stop()
	if err := <-l.ended; err != nil {
		s.Fatal(err)
	}
}

func (s *site) accept(l *life, tasks ...acs.Task) {
	s.Helper()
	if err := l.Accept(context.Background(), tasks); err != nil {
		s.Fatal(err)
	}
}

const arnPrefix = "arn:aws:ecs:us-east-1:000000000000:task/default/"

// run is an assignment.
func run(id string, containers ...acs.Container) acs.Task {
	return acs.Task{
		Arn: arnPrefix + id, Family: "web", Version: "1", ClusterArn: "default", DesiredStatus: task.StatusRunning,
		Containers: containers,
	}
}

// stop is the wish that a task stops, as it comes in a payload.
func stop(id string) acs.Task {
	return acs.Task{Arn: arnPrefix + id, DesiredStatus: task.StatusStopped}
}

// app is an essential container with a command that the fake understands; none means to run until SIGTERM.
func app(name string, command ...string) acs.Container {
	return acs.Container{Name: name, Image: "busybox", Essential: true, Command: command}
}

func (s *site) want(what string, got, want any) {
	s.Helper()
	if !equal(got, want) {
		s.Fatalf("%s: %v, want %v", what, got, want)
	}
}

func equal(a, b any) bool {
	x, ok := a.([]string)
	y, ok2 := b.([]string)
	if ok && ok2 {
		return slices.Equal(x, y)
	}
	return a == b
}
