package runtime

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	tasksapi "github.com/containerd/containerd/api/services/tasks/v1"
	tasktypes "github.com/containerd/containerd/api/types/task"
	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/errdefs"
	"github.com/containerd/errdefs/pkg/errgrpc"
	"github.com/moby/sys/signal"
	"golang.org/x/sys/unix"

	"github.com/roadstead/roadstead/agent/task"
)

func withLabels(l map[string]string) snapshots.Opt { return snapshots.WithLabels(l) }

func (i identity) tty() bool { return strings.Contains(i.io, "tty") }

func ioMode(spec task.ContainerSpec) string {
	var modes []string
	if spec.Config.Tty {
		modes = append(modes, "tty")
	}
	if spec.Config.OpenStdin {
		modes = append(modes, "stdin")
	}
	return strings.Join(modes, ",")
}

func cutUser(name string) (user, group string) {
	user, group, _ = strings.Cut(name, ":")
	return user, group
}

// Signal implements task.Runtime.
func (r *Runtime) Signal(ctx context.Context, id, name string) error {
	ctx = r.in(ctx)
	cid := containerdID(id)
	if name == "" {
		who, err := r.identify(ctx, cid)
		if errdefs.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return failure(cannotStop, err)
		}
		name = who.stopSignal
	}
	number, err := parseSignal(name)
	if err != nil {
		return failure(cannotStop, err)
	}
	_, err = r.tasks.Kill(ctx, &tasksapi.KillRequest{ContainerID: cid, Signal: uint32(number)})
	if err = errgrpc.ToNative(err); alreadyGone(err) {
		return nil
	}
	return failure(cannotStop, err)
}

// parseSignal reads "SIGTERM", "TERM", "15", "SIGRTMIN+3" or "" (SIGTERM).
func parseSignal(name string) (unix.Signal, error) {
	if name == "" {
		return unix.SIGTERM, nil
	}
	n, err := strconv.Atoi(name)
	if err == nil && (n < 1 || n > 64) {
		return 0, fmt.Errorf("invalid signal: %s", name)
	}
	s, err := signal.ParseSignal(name)
	if err != nil {
		return 0, fmt.Errorf("invalid signal: %s", name)
	}
	return s, nil
}

func alreadyGone(err error) bool {
	return err == nil || errdefs.IsNotFound(err) || strings.Contains(err.Error(), "process already finished")
}

// Delete implements task.Runtime.
func (r *Runtime) Delete(ctx context.Context, id string) error {
	return failure("InternalError", r.remove(r.in(ctx), containerdID(id)))
}

// remove takes everything of a container away but its log. Each step succeeds when it has nothing to do, so that a
// removal that was cut short converges.
func (r *Runtime) remove(ctx context.Context, cid string) error {
	who, err := r.identify(ctx, cid)
	if err != nil && !errdefs.IsNotFound(err) {
		return err
	}
	if err := r.removeParts(ctx, cid, who); err != nil {
		return err
	}
	return r.dropHolderOf(ctx, who.task)
}

// removeParts ends with the container in containerd, which is what the next agent finds of it if this one is killed on the way.
func (r *Runtime) removeParts(ctx context.Context, cid string, who identity) error {
	if err := r.deleteTask(ctx, cid); err != nil {
		return err
	}
	r.cfg.Reached("delete.task")
	if err := r.snapshots.Remove(ctx, cid); err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("remove snapshot: %w", err)
	}
	r.cfg.Reached("delete.snapshot")
	if r.cfg.CloseLog != nil {
		if _, err := os.Stat(r.dir(cid)); err == nil {
			if err := r.cfg.CloseLog(ctx, cid); err != nil {
				return err
			}
		}
	}
	if err := unmountAll(filepath.Join(r.dir(cid), shmDir)); err != nil {
		return err
	}
	if err := r.removeIdmaps(cid); err != nil {
		return err
	}
	if err := os.RemoveAll(r.dir(cid)); err != nil {
		return fmt.Errorf("remove container directory: %w", err)
	}
	r.cfg.Reached("delete.directory")
	if who.cgroup != "" {
		r.dropCgroup(who.cgroup)
	}
	r.cfg.Reached("delete.cgroup")
	if err := r.containers.Delete(ctx, cid); err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("delete container: %w", err)
	}
	r.forget(cid)
	return nil
}

// deleteTask ends a container's processes and its shim.
func (r *Runtime) deleteTask(ctx context.Context, cid string) error {
	p, err := r.process(ctx, cid)
	if isNotYet(err) {
		return r.dropShim(ctx, cid)
	}
	if errdefs.IsNotFound(err) {
		return r.clearShim(ctx, cid)
	}
	if err != nil && !errors.Is(err, errSilent) {
		return fmt.Errorf("look at task: %w", err)
	}
	if err != nil || p.Status != tasktypes.Status_STOPPED {
		_, err := r.tasks.Kill(ctx, &tasksapi.KillRequest{ContainerID: cid, Signal: uint32(unix.SIGKILL), All: true})
		if err = errgrpc.ToNative(err); !alreadyGone(err) {
			return fmt.Errorf("kill task: %w", err)
		}
		if _, err := r.tasks.Wait(ctx, &tasksapi.WaitRequest{ContainerID: cid}); err != nil {
			if err = errgrpc.ToNative(err); !errdefs.IsNotFound(err) {
				return fmt.Errorf("wait for task: %w", err)
			}
		}
	}
	err = r.endTask(ctx, cid)
	if errdefs.IsNotFound(err) { // a call that was cut short has made containerd forget it, and may have left its shim
		return r.clearShim(ctx, cid)
	}
	if err != nil {
		return fmt.Errorf("delete task: %w", err)
	}
	return nil
}

// errSilent is a shim that does not answer containerd within its two seconds, on a machine that is busy with other things: containerd
// then calls the task's status unknown. It passes.
var errSilent = fmt.Errorf("its shim does not answer: %w", errdefs.ErrUnavailable)

func (r *Runtime) process(ctx context.Context, cid string) (*tasktypes.Process, error) {
	a, err := r.tasks.Get(ctx, &tasksapi.GetRequest{ContainerID: cid})
	if err != nil {
		return nil, errgrpc.ToNative(err)
	}
	if a.Process.Status == tasktypes.Status_UNKNOWN {
		return nil, fmt.Errorf("container %s: %w", cid, errSilent)
	}
	return r.observed(cid, a.Process), nil
}

// identify finds who a container is, in memory or in containerd.
func (r *Runtime) identify(ctx context.Context, cid string) (identity, error) {
	if who, ok := r.recall(cid); ok {
		return who, nil
	}
	c, err := r.containers.Get(ctx, cid)
	if err != nil {
		return identity{}, fmt.Errorf("look at container: %w", err)
	}
	who, ok := identityOf(c.Labels)
	if !ok {
		return identity{}, fmt.Errorf("container %s is not ours: %w", cid, errdefs.ErrNotFound)
	}
	r.remember(cid, who)
	return who, nil
}
