package runtime

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	tasksapi "github.com/containerd/containerd/api/services/tasks/v1"
	tasktypes "github.com/containerd/containerd/api/types/task"
	"github.com/containerd/errdefs"
	"github.com/containerd/errdefs/pkg/errgrpc"
	"golang.org/x/sys/unix"
)

// A container that is created is a process of runc that waits at a fifo, its gate, until somebody opens it; then it
// becomes the container's command. `runc start` does nothing but open it, at the price of a process of runc's and two
// calls, so Start opens it itself (docs/decisions/011). containerd goes on calling such a container created, until it
// ends; whether it has started is said by the gate, which is removed behind it.
const (
	runcRoot = "/run/containerd/runc" // where containerd's shims have runc keep its state: NAMESPACE/CONTAINER
	gateName = "exec.fifo"
	waiting  = "runc:[2:INIT]" // how the process is called until it becomes the command
)

var (
	errNoGate = errors.New("no gate")
	errDead   = errors.New("container process is already dead") // runc's words
)

// Start implements task.Runtime. A container that runs already is left alone; one that has run does not run again:
// the caller may only have missed the answer to its first call.
func (r *Runtime) Start(ctx context.Context, id string) (uint32, error) {
	ctx = r.in(ctx)
	pid, err := r.start(ctx, containerdID(id))
	return pid, failure(cannotStart, err)
}

func (r *Runtime) start(ctx context.Context, cid string) (uint32, error) {
	before := !r.startedAt(cid).IsZero()
	if !before { // written first: what may have run must not look as if it never had
		if err := r.markStarted(cid); err != nil {
			return 0, err
		}
	}
	r.cfg.Reached("start.marked")
	who, _ := r.recall(cid)
	pid, err := r.release(ctx, cid, who.pid)
	if err == nil {
		r.cfg.Reached("start.released")
		return pid, r.markStarted(cid) // again, for the time
	}
	if ctx.Err() != nil || errdefs.IsUnavailable(err) {
		return 0, err
	}
	p, gerr := r.process(ctx, cid)
	switch {
	case gerr == nil && p.Status == tasktypes.Status_RUNNING:
		return p.Pid, nil
	case gerr == nil && p.Status == tasktypes.Status_STOPPED && before:
		return 0, fmt.Errorf("container %s has run", cid)
	case errdefs.IsNotFound(gerr) && before:
		return 0, fmt.Errorf("container %s has run, and its end was not seen", cid)
	case errdefs.IsNotFound(gerr):
		pid, cerr := r.completeAndStart(ctx, cid)
		if cerr != nil {
			cerr = errors.Join(cerr, err) // why it was not simply released
		}
		return pid, cerr
	}
	return 0, errors.Join(err, gerr)
}

// completeAndStart is for a container whose Create was killed before its last step.
func (r *Runtime) completeAndStart(ctx context.Context, cid string) (uint32, error) {
	who, err := r.identify(ctx, cid)
	if err != nil {
		return 0, err
	}
	rootfs, err := r.rootfs(ctx, cid, who)
	if err != nil {
		return 0, fmt.Errorf("mount snapshot: %w", err)
	}
	if who.pid, err = r.newTask(ctx, cid, who, rootfs); err != nil {
		return 0, err
	}
	r.remember(cid, who)
	return r.release(ctx, cid, who.pid)
}

// release lets a created container run and returns its process: pid if it is known, else 0. Where there is no gate,
// because the container runs or its runtime is not runc, containerd is asked.
func (r *Runtime) release(ctx context.Context, cid string, pid uint32) (uint32, error) {
	if pid == 0 {
		p, err := r.process(ctx, cid)
		if err != nil {
			return 0, err
		}
		pid = p.Pid
	}
	err := passGate(ctx, filepath.Join(r.runcDir(cid), gateName), int(pid))
	if !errors.Is(err, errNoGate) {
		return pid, err
	}
	a, err := r.tasks.Start(ctx, &tasksapi.StartRequest{ContainerID: cid})
	if err != nil {
		return 0, errgrpc.ToNative(err)
	}
	return a.Pid, nil
}

func (r *Runtime) runcDir(cid string) string { return filepath.Join(runcRoot, r.cfg.Namespace, cid) }

// runcKnows is how runc says that it knows a container of this id; when containerd knows none, it has lost the shim.
const runcKnows = "container with given ID already exists"

// cleanupPatience is for containerd's clean-up behind a shim that died.
const cleanupPatience = 3 * time.Second

// forgetInRunc waits until containerd has cleaned up behind a shim that died, and does it if containerd does not. What
// is left of such a container cannot be waited for, and its command has never run.
func (r *Runtime) forgetInRunc(ctx context.Context, cid string) error {
	wait, cancel := context.WithTimeout(ctx, cleanupPatience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for wait.Err() == nil {
		if _, err := os.Stat(r.runcDir(cid)); errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		select {
		case <-tick.C:
		case <-wait.Done():
		}
	}
	r.cfg.Logger.Warn("runc remembers a container that containerd has forgotten", "container", cid)
	return r.deleteInRunc(ctx, cid)
}

// deleteInRunc kills and removes a container behind containerd's back.
func (r *Runtime) deleteInRunc(ctx context.Context, cid string) error {
	root := filepath.Join(runcRoot, r.cfg.Namespace)
	if out, err := exec.CommandContext(ctx, "runc", "--root", root, "delete", "--force", cid).CombinedOutput(); err != nil {
		return fmt.Errorf("delete lost container: %w: %s", err, out)
	}
	return nil
}

// observed corrects what containerd says of a container whose gate we opened.
func (r *Runtime) observed(cid string, p *tasktypes.Process) *tasktypes.Process {
	if p.Status != tasktypes.Status_CREATED {
		return p
	}
	dir := r.runcDir(cid)
	if _, err := os.Stat(dir); err != nil {
		return p
	}
	if _, err := os.Stat(filepath.Join(dir, gateName)); errors.Is(err, fs.ErrNotExist) {
		p.Status = tasktypes.Status_RUNNING
	}
	return p
}

// passGate opens the gate and waits until the process behind it has become the command. A gate that somebody opened
// before, and was killed before it could remove it, is removed. errNoGate: there is none.
func passGate(ctx context.Context, gate string, pid int) error {
	if _, err := os.Lstat(gate); errors.Is(err, fs.ErrNotExist) {
		return errNoGate
	}
	process, err := unix.PidfdOpen(pid, 0) // first: from the moment that the gate is open, the command may be over
	if err != nil {
		return errors.Join(errDead, err)
	}
	defer unix.Close(process)
	fd, err := unix.Open(gate, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) {
		return errNoGate
	}
	if err != nil {
		return fmt.Errorf("open gate: %w", err)
	}
	defer unix.Close(fd)
	passed := false
	for ctx.Err() == nil {
		wait := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}, {Fd: int32(process), Events: unix.POLLIN}}
		n, err := unix.Poll(wait, int((100 * time.Millisecond).Milliseconds()))
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return fmt.Errorf("wait at gate: %w", err)
		case wait[0].Revents != 0: // a byte, and the end when the command takes over
			var b [8]byte
			n, err := unix.Read(fd, b[:])
			if err != nil && !errors.Is(err, unix.EAGAIN) {
				return fmt.Errorf("read gate: %w", err)
			}
			if passed = passed || n > 0; n == 0 {
				return leaveGate(gate, passed)
			}
		case wait[1].Revents != 0:
			return leaveGate(gate, passed)
		case n == 0 && !isWaiting(pid):
			return leaveGate(gate, true)
		}
	}
	return ctx.Err()
}

func leaveGate(gate string, passed bool) error {
	if !passed {
		return errDead
	}
	if err := os.Remove(gate); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove gate: %w", err)
	}
	return nil
}

// isWaiting says whether a process is still runc's.
func isWaiting(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	return err == nil && strings.TrimSpace(string(b)) == waiting
}
