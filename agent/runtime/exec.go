package runtime

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	tasksapi "github.com/containerd/containerd/api/services/tasks/v1"
	tasktypes "github.com/containerd/containerd/api/types/task"
	"github.com/containerd/errdefs"
	"github.com/containerd/errdefs/pkg/errgrpc"
	"github.com/containerd/typeurl/v2"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

const (
	execPrefix = "exec-"                // of what a session's process is called, and its directory of fifos
	execQuiet  = 500 * time.Millisecond // without output after its end, a process has said all; something that it started may go on
	execAgain  = 100 * time.Millisecond
	execTerm   = "TERM=xterm-256color"
)

// ExecSpec is a command to run in a container.
type ExecSpec struct {
	Name     string // letters and digits, unique among the container's
	Args     []string
	Terminal bool   // with a terminal of its own, of Cols x Rows characters; else with three pipes
	Cols     uint32 // 0: unknown
	Rows     uint32
}

// Process is a command that runs in a container beside its first process. Nothing in the container helps with it, so it needs
// nothing there but the command.
type Process struct {
	r        *Runtime
	cid      string
	id       string
	dir      string
	terminal bool
	pid      uint32

	stdin, stdout, stderr *os.File // stderr is nil with a terminal

	ended chan struct{} // closed when the process has ended, or nobody will ever know how
	code  int32
	err   error
	wait  context.CancelFunc
}

// Exec starts a command in a running container, as root in the environment of its first process (SEMANTICS §13.8). Close it when
// it is over. A command that cannot be executed is a *task.Failure.
func (r *Runtime) Exec(ctx context.Context, id string, spec ExecSpec) (*Process, error) {
	ctx = r.in(ctx)
	cid := containerdID(id)
	main, err := r.process(ctx, cid)
	if err != nil {
		return nil, fmt.Errorf("look at task: %w", err)
	}
	if main.Status != tasktypes.Status_RUNNING {
		return nil, fmt.Errorf("container %s does not run", cid)
	}
	p := &Process{
		r: r, cid: cid, id: execPrefix + spec.Name, dir: filepath.Join(r.dir(cid), execPrefix+spec.Name), terminal: spec.Terminal,
		ended: make(chan struct{}),
	}
	if err := p.openFifos(); err != nil {
		return nil, errors.Join(err, p.closeFifos())
	}
	if err := p.add(ctx, spec); err != nil {
		return nil, errors.Join(err, p.closeFifos())
	}
	a, err := r.tasks.Start(ctx, &tasksapi.StartRequest{ContainerID: cid, ExecID: p.id})
	if err != nil {
		err = r.checkFailure(ctx, cid, errgrpc.ToNative(err))
		p.remove(ctx)
		return nil, errors.Join(err, p.closeFifos())
	}
	p.pid = a.Pid
	wait, cancel := context.WithCancel(context.WithoutCancel(ctx))
	p.wait = cancel
	go p.await(wait) // ends with Close
	return p, nil
}

// openFifos makes the fifos and opens our ends before anybody can use the others.
func (p *Process) openFifos() (err error) {
	if err := os.Mkdir(p.dir, 0o700); err != nil {
		return fmt.Errorf("make directory of fifos: %w", err)
	}
	open := func(name string, flag int) *os.File {
		if err != nil {
			return nil
		}
		path := filepath.Join(p.dir, name)
		if err = unix.Mkfifo(path, 0o600); err != nil {
			err = fmt.Errorf("make fifo: %w", err)
			return nil
		}
		var f *os.File
		if f, err = os.OpenFile(path, flag|unix.O_NONBLOCK, 0); err != nil {
			err = fmt.Errorf("open fifo: %w", err)
			return nil
		}
		return f
	}
	p.stdin = open("stdin", os.O_RDWR) // with a reader of its own it can be opened now
	p.stdout = open("stdout", os.O_RDONLY)
	if !p.terminal {
		p.stderr = open("stderr", os.O_RDONLY)
	}
	return err
}

func (p *Process) closeFifos() error {
	for _, f := range []*os.File{p.stdin, p.stdout, p.stderr} {
		if f != nil {
			f.Close() // a second time it fails, and that is well
		}
	}
	return os.RemoveAll(p.dir)
}

// add makes the process, not started yet.
func (p *Process) add(ctx context.Context, spec ExecSpec) error {
	c, err := p.r.containers.Get(ctx, p.cid)
	if err != nil {
		return fmt.Errorf("look at container: %w", err)
	}
	v, err := typeurl.UnmarshalAny(c.Spec)
	if err != nil {
		return fmt.Errorf("decode spec: %w", err)
	}
	s, ok := v.(*specs.Spec)
	if !ok || s.Process == nil {
		return fmt.Errorf("container %s has no process", p.cid)
	}
	body, err := typeurl.MarshalAnyToProto(execProcess(s.Process, spec))
	if err != nil {
		return fmt.Errorf("encode process: %w", err)
	}
	q := &tasksapi.ExecProcessRequest{
		ContainerID: p.cid, ExecID: p.id, Terminal: spec.Terminal, Spec: body, Stdin: p.stdin.Name(), Stdout: p.stdout.Name(),
	}
	if p.stderr != nil {
		q.Stderr = p.stderr.Name()
	}
	if _, err := p.r.tasks.Exec(ctx, q); err != nil {
		return fmt.Errorf("add process: %w", errgrpc.ToNative(err))
	}
	return nil
}

// execProcess is like the container's first process, but root, with all that the container's root may do.
func execProcess(first *specs.Process, spec ExecSpec) *specs.Process {
	p := *first
	p.Args, p.Terminal, p.ConsoleSize = spec.Args, spec.Terminal, nil
	p.User = specs.User{Umask: first.User.Umask}
	if first.Capabilities != nil {
		caps := *first.Capabilities
		caps.Permitted, caps.Effective = caps.Bounding, caps.Bounding
		p.Capabilities = &caps
	}
	if !spec.Terminal {
		return &p
	}
	if spec.Cols > 0 && spec.Rows > 0 {
		p.ConsoleSize = &specs.Box{Width: uint(spec.Cols), Height: uint(spec.Rows)}
	}
	env := make([]string, 0, len(p.Env)+1)
	for _, kv := range p.Env {
		if !strings.HasPrefix(kv, "TERM=") {
			env = append(env, kv)
		}
	}
	p.Env = append(env, execTerm)
	return &p
}

// await waits for the end of the process, also while containerd is away. Then output has its last moment.
func (p *Process) await(ctx context.Context) {
	defer close(p.ended)
	for {
		a, err := p.r.tasks.Wait(ctx, &tasksapi.WaitRequest{ContainerID: p.cid, ExecID: p.id})
		err = errgrpc.ToNative(err)
		if err == nil {
			p.code = int32(a.ExitStatus)
			break
		}
		if ctx.Err() != nil || errdefs.IsNotFound(err) {
			p.err = fmt.Errorf("wait for process: %w", cmp.Or(ctx.Err(), err))
			break
		}
		select {
		case <-time.After(execAgain):
		case <-ctx.Done():
		}
	}
	for _, f := range []*os.File{p.stdout, p.stderr} {
		if f != nil {
			_ = f.SetReadDeadline(time.Now().Add(execQuiet))
		}
	}
}

// Wait returns the process's exit code when it has ended; there may be output to read still.
func (p *Process) Wait(ctx context.Context) (int32, error) {
	select {
	case <-p.ended:
		return p.code, p.err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// Stdout and Stderr, which is nil with a terminal, end with io.EOF when the process has ended and nothing more comes. Who does not
// read holds the process up.
func (p *Process) Stdout() io.Reader { return &execOutput{p, p.stdout} }

// Stderr is the other stream.
func (p *Process) Stderr() io.Reader {
	if p.stderr == nil {
		return nil
	}
	return &execOutput{p, p.stderr}
}

type execOutput struct {
	p *Process
	f *os.File
}

func (o *execOutput) Read(b []byte) (int, error) {
	for {
		select {
		case <-o.p.ended: // counted from now on: the reader may have been away
			_ = o.f.SetReadDeadline(time.Now().Add(execQuiet))
		default:
		}
		n, err := o.f.Read(b)
		switch {
		case n > 0:
			return n, nil
		case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, os.ErrClosed):
			return 0, io.EOF
		default:
			return 0, err
		}
	}
}

// Write hands input to the process; it waits while the process does not read.
func (p *Process) Write(b []byte) (int, error) { return p.stdin.Write(b) }

// CloseStdin ends the process's input; at a terminal as a user does, by ctrl-D.
func (p *Process) CloseStdin(ctx context.Context) error {
	if p.terminal {
		_, err := p.stdin.Write([]byte{4})
		return err
	}
	p.stdin.Close()
	_, err := p.r.tasks.CloseIO(p.r.in(ctx), &tasksapi.CloseIORequest{ContainerID: p.cid, ExecID: p.id, Stdin: true})
	return errgrpc.ToNative(err)
}

// Resize tells the process's terminal its size in characters.
func (p *Process) Resize(ctx context.Context, cols, rows uint32) error {
	_, err := p.r.tasks.ResizePty(p.r.in(ctx), &tasksapi.ResizePtyRequest{ContainerID: p.cid, ExecID: p.id, Width: cols, Height: rows})
	return errgrpc.ToNative(err)
}

// Kill kills the process with all that it has started and that has not left its session.
func (p *Process) Kill(ctx context.Context) {
	ctx = p.r.in(ctx)
	a, err := p.r.tasks.ListPids(ctx, &tasksapi.ListPidsRequest{ContainerID: p.cid})
	if err == nil {
		for _, q := range a.Processes {
			if sid, err := unix.Getsid(int(q.Pid)); err == nil && sid == int(p.pid) {
				_ = unix.Kill(int(q.Pid), unix.SIGKILL)
			}
		}
	}
	_, _ = p.r.tasks.Kill(ctx, &tasksapi.KillRequest{ContainerID: p.cid, ExecID: p.id, Signal: uint32(unix.SIGKILL)})
}

// Close removes what is there of the process, and ends its readers and writers.
func (p *Process) Close(ctx context.Context) error {
	select {
	case <-p.ended:
	default:
		p.Kill(ctx)
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkPatience)
		_, _ = p.Wait(last)
		cancel()
	}
	p.wait()
	<-p.ended
	p.remove(ctx)
	return p.closeFifos()
}

func (p *Process) remove(ctx context.Context) {
	ctx, cancel := context.WithTimeout(p.r.in(context.WithoutCancel(ctx)), checkPatience)
	defer cancel()
	_, err := p.r.tasks.DeleteProcess(ctx, &tasksapi.DeleteProcessRequest{ContainerID: p.cid, ExecID: p.id})
	if err = errgrpc.ToNative(err); err != nil && !errdefs.IsNotFound(err) {
		p.r.cfg.Logger.Debug("remove a session's process", "container", p.cid, "err", err)
	}
}

// EndExecs kills the commands that an earlier process of the agent left: nobody reads what they write, or can.
func (r *Runtime) EndExecs(ctx context.Context) error {
	all := r.dir("")
	found, err := fs.Glob(os.DirFS(all), "*/"+execPrefix+"*")
	if err != nil {
		return fmt.Errorf("look for sessions: %w", err)
	}
	for _, name := range found {
		dir := filepath.Join(all, name)
		p := &Process{r: r, cid: filepath.Base(filepath.Dir(dir)), id: filepath.Base(dir), dir: dir}
		ctx := r.in(ctx)
		a, err := r.tasks.Get(ctx, &tasksapi.GetRequest{ContainerID: p.cid, ExecID: p.id})
		if err == nil {
			p.pid = a.Process.Pid
			p.Kill(ctx)
			last, cancel := context.WithTimeout(ctx, checkPatience)
			_, _ = r.tasks.Wait(last, &tasksapi.WaitRequest{ContainerID: p.cid, ExecID: p.id})
			cancel()
		}
		p.remove(ctx)
		if err := p.closeFifos(); err != nil {
			return fmt.Errorf("remove what a session left: %w", err)
		}
	}
	return nil
}
