package runtime

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	tasksapi "github.com/containerd/containerd/api/services/tasks/v1"
	tasktypes "github.com/containerd/containerd/api/types/task"
	"github.com/containerd/errdefs"
	"github.com/containerd/errdefs/pkg/errgrpc"
	"github.com/containerd/typeurl/v2"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/roadstead/roadstead/agent/task"
)

const (
	checkExec     = "health" // the id of a container's one check among its processes
	checkFifo     = "health"
	checkPatience = 5 * time.Second // for the removal of a check
	checkOutput   = 4096
	cannotExec    = "CannotExecContainerError"
)

// Check implements task.Runtime. The command is another process of the container's, whose output comes through a fifo.
func (r *Runtime) Check(ctx context.Context, id string, command []string, timeout time.Duration) (task.CheckRun, error) {
	ctx = r.in(ctx)
	cid := containerdID(id)
	p, err := r.process(ctx, cid)
	if err != nil {
		return task.CheckRun{}, fmt.Errorf("look at task: %w", err)
	}
	if p.Status != tasktypes.Status_RUNNING {
		return task.CheckRun{}, fmt.Errorf("container %s does not run", cid)
	}
	output, err := r.openCheckFifo(cid)
	if err != nil {
		return task.CheckRun{}, err
	}
	defer output.Close()
	if err := r.addCheck(ctx, cid, command, output.Name()); err != nil {
		return task.CheckRun{}, err
	}
	run, err := r.runCheck(ctx, cid, timeout, output)
	if run.TimedOut || err != nil {
		r.removeCheck(ctx, cid)
	}
	return run, err
}

// openCheckFifo opens the reading end before anybody can write, so that nothing written is lost.
func (r *Runtime) openCheckFifo(cid string) (*os.File, error) {
	name := filepath.Join(r.dir(cid), checkFifo)
	if err := unix.Mkfifo(name, 0o600); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("make fifo: %w", err)
	}
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open fifo: %w", err)
	}
	return f, nil
}

// addCheck makes the process, not started yet: like the container's first one, but for its arguments. One that is there
// was left by an agent that was killed.
func (r *Runtime) addCheck(ctx context.Context, cid string, command []string, fifo string) error {
	c, err := r.containers.Get(ctx, cid)
	if err != nil {
		return fmt.Errorf("look at container: %w", err)
	}
	v, err := typeurl.UnmarshalAny(c.Spec)
	if err != nil {
		return fmt.Errorf("decode spec: %w", err)
	}
	spec, ok := v.(*specs.Spec)
	if !ok || spec.Process == nil {
		return fmt.Errorf("container %s has no process", cid)
	}
	process := *spec.Process
	process.Args, process.Terminal, process.ConsoleSize = command, false, nil
	body, err := typeurl.MarshalAnyToProto(&process)
	if err != nil {
		return fmt.Errorf("encode process: %w", err)
	}
	q := &tasksapi.ExecProcessRequest{ContainerID: cid, ExecID: checkExec, Stdout: fifo, Stderr: fifo, Spec: body}
	for again := false; ; again = true {
		_, err := r.tasks.Exec(ctx, q)
		if err = errgrpc.ToNative(err); err == nil {
			return nil
		}
		if !errdefs.IsAlreadyExists(err) || again {
			return fmt.Errorf("add process: %w", err)
		}
		r.removeCheck(ctx, cid)
	}
}

// runCheck starts the process and waits for its end, or for its timeout: then it is killed.
func (r *Runtime) runCheck(ctx context.Context, cid string, timeout time.Duration, output *os.File) (task.CheckRun, error) {
	a, err := r.tasks.Start(ctx, &tasksapi.StartRequest{ContainerID: cid, ExecID: checkExec})
	if err != nil {
		return task.CheckRun{}, r.checkFailure(ctx, cid, errgrpc.ToNative(err))
	}
	text := make(chan string, 1)
	go func() { // ends when the shim closes its end, or Check ours
		b, _ := io.ReadAll(io.LimitReader(output, checkOutput))
		_, _ = io.Copy(io.Discard, output) // a full fifo would stop the command
		text <- string(b)
	}()
	run, err := r.awaitCheck(ctx, cid, timeout)
	if err != nil || run.TimedOut {
		if a.Pid > 1 { // it leads a session of its own, so what it has started is in its group
			_ = unix.Kill(-int(a.Pid), unix.SIGKILL)
		}
	} else if _, err = r.tasks.DeleteProcess(ctx, &tasksapi.DeleteProcessRequest{ContainerID: cid, ExecID: checkExec}); err != nil {
		err = fmt.Errorf("remove process: %w", errgrpc.ToNative(err))
	}
	if err != nil {
		return task.CheckRun{}, err
	}
	select {
	case run.Output = <-text:
	case <-time.After(100 * time.Millisecond): // something that it left behind goes on writing
	}
	return run, nil
}

// awaitCheck waits until the process has ended, or its time is over.
func (r *Runtime) awaitCheck(ctx context.Context, cid string, timeout time.Duration) (task.CheckRun, error) {
	type end struct {
		code int32
		err  error
	}
	ended := make(chan end, 1)
	wait, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // ends with wait
		a, err := r.tasks.Wait(wait, &tasksapi.WaitRequest{ContainerID: cid, ExecID: checkExec})
		ended <- end{int32(a.GetExitStatus()), errgrpc.ToNative(err)}
	}()
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case e := <-ended:
		if e.err != nil {
			return task.CheckRun{}, fmt.Errorf("wait for process: %w", e.err)
		}
		return task.CheckRun{ExitCode: e.code}, nil
	case <-timer.C:
		return task.CheckRun{TimedOut: true}, nil
	case <-ctx.Done():
		return task.CheckRun{}, ctx.Err()
	}
}

// checkFailure names an error of a start, unless it may be that of a container that has ended or a runtime that is away.
func (r *Runtime) checkFailure(ctx context.Context, cid string, err error) error {
	if p, perr := r.process(ctx, cid); perr != nil || p.Status != tasktypes.Status_RUNNING {
		return fmt.Errorf("start process: %w", err)
	}
	return failure(cannotExec, err)
}

// removeCheck ends what is there of a check. What it cannot remove now, the next check does.
func (r *Runtime) removeCheck(ctx context.Context, cid string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkPatience)
	defer cancel()
	_, err := r.tasks.Kill(ctx, &tasksapi.KillRequest{ContainerID: cid, ExecID: checkExec, Signal: uint32(unix.SIGKILL)})
	if err == nil {
		_, err = r.tasks.Wait(ctx, &tasksapi.WaitRequest{ContainerID: cid, ExecID: checkExec})
	}
	if _, derr := r.tasks.DeleteProcess(ctx, &tasksapi.DeleteProcessRequest{ContainerID: cid, ExecID: checkExec}); derr != nil {
		r.cfg.Logger.Debug("remove a health check", "container", cid, "kill", err, "err", derr)
	}
}
