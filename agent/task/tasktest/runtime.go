package tasktest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/task"
)

// Runtime is the fake container runtime of one Machine. Containers run the commands that parseProgram knows.
type Runtime struct{ m *machine }

var _ task.Runtime = (*Runtime)(nil)

// Pull finds the image in Node.Images.
func (r *Runtime) Pull(ctx context.Context, image string, _ *acs.RegistryAuth) (string, error) {
	var digest string
	err := r.m.do(ctx, "pull", image, func(n *Node) error {
		var ok bool
		if digest, ok = n.Images[image]; !ok && n.Images != nil {
			return &task.Failure{Name: "CannotPullContainerError", Err: fmt.Errorf("pull %s: not found", image)}
		}
		if digest == "" {
			digest = "sha256:" + strings.Repeat("0", 64)
		}
		return nil
	})
	if err != nil && ctx.Err() != nil {
		// A registry client calls everything that goes wrong a failed pull, its own cancellation too.
		err = &task.Failure{Name: "CannotPullContainerError", Err: err}
	}
	return digest, err
}

// Create makes the container.
func (r *Runtime) Create(ctx context.Context, spec task.ContainerSpec) error {
	return r.m.do(ctx, "create", spec.ID, func(n *Node) error {
		if n.containers[spec.ID] != nil {
			return nil
		}
		p, err := parseProgram(spec.Container.EntryPoint, spec.Container.Command, spec.Config.StopSignal)
		if err != nil {
			return &task.Failure{Name: "CannotCreateContainerError", Err: err}
		}
		n.containers[spec.ID] = &box{spec: spec, program: p, files: map[string]bool{}, state: task.ContainerState{
			ID: spec.ID, TaskID: spec.TaskID, Name: spec.Name, Labels: maps.Clone(spec.Labels), Status: task.StatusCreated,
		}}
		return nil
	})
}

// Start runs the container's command.
func (r *Runtime) Start(ctx context.Context, id string) (uint32, error) {
	var pid uint32
	err := r.m.do(ctx, "start", id, func(n *Node) error {
		b := n.containers[id]
		switch {
		case b == nil:
			return &task.Failure{Name: "CannotStartContainerError", Err: fmt.Errorf("no container %s", id)}
		case b.state.Status == task.StatusRunning:
			pid = b.state.PID
			return nil
		case b.state.Status == task.StatusStopped:
			return &task.Failure{Name: "CannotStartContainerError", Err: fmt.Errorf("container %s has run", id)}
		}
		pid = n.run(b)
		return nil
	})
	return pid, err
}

// Restart runs the container's command again.
func (r *Runtime) Restart(ctx context.Context, id string) (uint32, error) {
	var pid uint32
	err := r.m.do(ctx, "restart", id, func(n *Node) error {
		b := n.containers[id]
		switch {
		case b == nil:
			return &task.Failure{Name: "CannotStartContainerError", Err: fmt.Errorf("no container %s", id)}
		case b.state.Status == task.StatusRunning:
			pid = b.state.PID
			return nil
		}
		pid = n.run(b)
		return nil
	})
	return pid, err
}

// run starts a container's process. It wants n.mu.
func (n *Node) run(b *box) uint32 {
	n.pids++
	n.starts[b.spec.ID]++
	pid := n.pids
	b.state.Status, b.state.PID, b.state.StartedAt = task.StatusRunning, pid, time.Now()
	b.state.ExitCode, b.state.FinishedAt, b.state.OOMKilled = 0, time.Time{}, false
	switch {
	case b.program.forever:
	case b.program.runs == 0:
		n.exit(b, b.program.code, false)
	default:
		b.timer = time.AfterFunc(b.program.runs, func() {
			n.mu.Lock()
			defer n.mu.Unlock()
			if b.state.Status == task.StatusRunning && b.state.PID == pid {
				n.exit(b, b.program.code, false)
			}
		})
	}
	return pid
}

// Signal ends the process if it does not ignore the signal. Like the first process of any container, a program
// ignores what it has no trap for, except SIGKILL.
func (r *Runtime) Signal(ctx context.Context, id, signal string) error {
	return r.m.do(ctx, "signal", id, func(n *Node) error {
		b := n.containers[id]
		if b == nil {
			return &task.Failure{Name: "CannotStopContainerError", Err: fmt.Errorf("no container %s", id)}
		}
		if b.state.Status != task.StatusRunning {
			return nil
		}
		signal := signalName(signal, b.program.stopSignal)
		if code, ok := b.program.traps[signal]; ok {
			n.exit(b, code, false)
		} else if signal == "KILL" {
			n.exit(b, 137, false)
		}
		return nil
	})
}

// Check runs a command that parseProgram knows, or "test -e FILE", of which Node.Touch and Node.Remove make the files.
func (r *Runtime) Check(ctx context.Context, id string, command []string, timeout time.Duration) (task.CheckRun, error) {
	var p program
	err := r.m.do(ctx, "check", id, func(n *Node) error {
		b := n.containers[id]
		if b == nil || b.state.Status != task.StatusRunning {
			return fmt.Errorf("container %s does not run", id)
		}
		if len(command) == 3 && command[0] == "test" && command[1] == "-e" {
			if !b.files[command[2]] {
				p.code = 1
			}
			return nil
		}
		var err error
		if p, err = parseProgram(nil, command, ""); err != nil {
			return &task.Failure{Name: "CannotExecError", Err: err}
		}
		return nil
	})
	if err != nil {
		return task.CheckRun{}, err
	}
	t := time.NewTimer(min(p.runs, timeout))
	defer t.Stop()
	select {
	case <-t.C:
		if p.runs > timeout {
			return task.CheckRun{TimedOut: true}, nil
		}
		return task.CheckRun{ExitCode: p.code, Output: p.says}, nil
	case <-ctx.Done():
		return task.CheckRun{}, ctx.Err()
	}
}

// Delete kills and removes the container.
func (r *Runtime) Delete(ctx context.Context, id string) error {
	return r.m.do(ctx, "delete", id, func(n *Node) error {
		if b := n.containers[id]; b != nil && b.state.Status == task.StatusRunning {
			n.exit(b, 137, false)
		}
		delete(n.containers, id)
		return nil
	})
}

// List shows all containers of the node.
func (r *Runtime) List(ctx context.Context) ([]task.ContainerState, error) {
	var out []task.ContainerState
	err := r.m.do(ctx, "list", "", func(n *Node) error {
		for _, id := range sortedKeys(n.containers) {
			s := n.containers[id].state
			if n.Silent != nil && n.Silent(id) {
				s = task.ContainerState{ID: s.ID, TaskID: s.TaskID, Name: s.Name, Labels: s.Labels, Status: s.Status, StartedAt: s.StartedAt, Unsure: true}
				if s.Status == task.StatusStopped {
					s.Status = task.StatusRunning
				}
			}
			out = append(out, s)
		}
		return nil
	})
	return out, err
}

// Events passes on exits until ctx ends, then closes the channel.
func (r *Runtime) Events(ctx context.Context) <-chan task.Event {
	n, l, to := r.m.node, &listener{wake: make(chan struct{}, 1)}, make(chan task.Event)
	n.mu.Lock()
	n.listeners[l] = true
	n.mu.Unlock()
	go func() { // owned by ctx
		l.run(ctx, to)
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.listeners, l)
	}()
	return to
}

// program is what a container's command does, as far as the fake understands commands.
type program struct {
	runs       time.Duration
	forever    bool
	code       int32
	says       string
	traps      map[string]int32 // signal without SIG -> exit code
	stopSignal string
}

// parseProgram understands "sleep N", "true", "false", "sh -c SCRIPT" with statements "trap 'exit N' SIGNAL...",
// "sleep N", "sleep N & wait", "echo WORD" and "exit N", separated by semicolons. No command means to run for ever and to end
// with 0 on SIGTERM, as most images' own commands do.
func parseProgram(entry, command []string, stopSignal string) (program, error) {
	p := program{traps: map[string]int32{}, stopSignal: stopSignal}
	args := slices.Concat(entry, command)
	switch {
	case len(args) == 0:
		p.forever = true
		p.traps[signalName(stopSignal, "")] = 0
		return p, nil
	case path.Base(args[0]) == "sh" && len(args) == 3 && args[1] == "-c":
		for statement := range strings.SplitSeq(args[2], ";") {
			if err := p.add(statement); err != nil {
				return p, err
			}
		}
		return p, nil
	default:
		return p, p.add(strings.Join(args, " "))
	}
}

func (p *program) add(statement string) error {
	f := strings.Fields(strings.NewReplacer("& wait", "", "'", "", `"`, "").Replace(statement))
	if len(f) == 0 {
		return nil
	}
	var n int
	if len(f) > 1 && f[0] != "trap" && f[0] != "echo" {
		var err error
		if n, err = strconv.Atoi(f[1]); err != nil {
			return err
		}
	}
	switch f[0] {
	case "true":
		p.code = 0
	case "false":
		p.code = 1
	case "sleep":
		p.runs += time.Duration(n) * time.Second
	case "echo":
		p.says += strings.Join(f[1:], " ") + "\n"
	case "exit":
		p.code = int32(n)
	case "trap":
		if len(f) < 4 || f[1] != "exit" {
			return errors.New("trap what?")
		}
		code, err := strconv.Atoi(f[2])
		for _, s := range f[3:] {
			p.traps[signalName(s, "")] = int32(code)
		}
		return err
	default:
		return fmt.Errorf("exec: %q: executable file not found in $PATH", f[0])
	}
	return nil
}

// signalName is the signal without SIG; "" is the image's.
func signalName(s, image string) string {
	if s == "" {
		s = image
	}
	switch s = strings.TrimPrefix(strings.ToUpper(s), "SIG"); s {
	case "", "15":
		return "TERM"
	case "9":
		return "KILL"
	case "2":
		return "INT"
	case "3":
		return "QUIT"
	}
	return s
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
