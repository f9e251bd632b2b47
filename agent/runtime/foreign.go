package runtime

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"

	"github.com/roadstead/roadstead/agent/task"
)

// Foreign is what of the Leftovers belongs to none of the tasks, given with the names of their containers. It is to be called with
// tasks that were read after the Leftovers: what is being made just now is theirs.
func (r *Runtime) Foreign(l Leftovers, tasks map[string][]string) Leftovers {
	ours := map[string]bool{}
	for id, names := range tasks {
		ours[holderID(id)] = true
		for _, name := range names {
			ours[containerdID(task.ContainerID(id, name))] = true
		}
	}
	stray := func(all []string, container func(string) string) []string {
		return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return ours[container(s)] })
	}
	itself := func(s string) string { return s }
	return Leftovers{
		Containers: stray(l.Containers, itself), Snapshots: stray(l.Snapshots, itself), Files: stray(l.Files, itself),
		Shims: stray(l.Shims, shimContainer), Mounts: stray(l.Mounts, r.mountContainer),
		Cgroups: slices.DeleteFunc(slices.Clone(l.Cgroups), func(dir string) bool { _, ok := tasks[r.cgroupTask(dir)]; return ok }),
	}
}

// shimContainer is the container of a shim, which is given as "PID CMDLINE".
func shimContainer(shim string) string {
	_, rest, _ := strings.Cut(shim, " -id ")
	id, _, _ := strings.Cut(rest, " ")
	return id
}

// mountContainer is the container that a mount point belongs to.
func (r *Runtime) mountContainer(point string) string {
	for _, above := range []string{"io.containerd.runtime.v2.task/" + r.cfg.Namespace + "/", filepath.Join(r.cfg.Dir, containersDir) + "/"} {
		if _, rest, ok := strings.Cut(point, above); ok {
			id, _, _ := strings.Cut(rest, "/")
			return id
		}
	}
	return ""
}

// cgroupTask is the task of a directory below Config.Cgroup.
func (r *Runtime) cgroupTask(dir string) string {
	_, rest, _ := strings.Cut(dir, r.cfg.Cgroup+"/")
	id, _, _ := strings.Cut(rest, "/")
	return id
}

// Remove takes what is Foreign off the machine: containers with all that they have, then what no container explains. Each step
// succeeds when there is nothing to do.
func (r *Runtime) Remove(ctx context.Context, l Leftovers) error {
	ctx = r.in(ctx)
	var errs []error
	for _, cid := range slices.Concat(l.Containers, l.Files) {
		errs = append(errs, r.remove(ctx, cid))
	}
	for _, shim := range l.Shims {
		errs = append(errs, r.killShim(shim))
	}
	for _, dir := range slices.Backward(l.Cgroups) { // children come after their parents
		errs = append(errs, clearCgroup(ctx, dir))
	}
	for _, point := range slices.Backward(l.Mounts) {
		if err := unix.Unmount(point, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
			errs = append(errs, fmt.Errorf("unmount %s: %w", point, err))
		}
	}
	for _, name := range l.Snapshots {
		if err := r.snapshots.Remove(ctx, name); err != nil && !errdefs.IsNotFound(err) {
			errs = append(errs, fmt.Errorf("remove snapshot %s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// killShim kills a shim, if the process is still the one that was seen.
func (r *Runtime) killShim(shim string) error {
	number, _, _ := strings.Cut(shim, " ")
	pid, err := strconv.Atoi(number)
	if err != nil {
		return err
	}
	now, err := r.shims()
	if err != nil || !slices.Contains(now, shim) {
		return err
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("kill shim %d: %w", pid, err)
	}
	return nil
}

// clearPatience is how long processes that were killed may take to leave their cgroup.
const clearPatience = 2 * time.Second

// clearCgroup kills what is in a cgroup, and removes it.
func clearCgroup(ctx context.Context, dir string) error {
	ctx, cancel := context.WithTimeout(ctx, clearPatience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		b, _ := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
		for field := range strings.FieldsSeq(string(b)) {
			if pid, err := strconv.Atoi(field); err == nil {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		err := syscall.Rmdir(dir)
		if err == nil || errors.Is(err, syscall.ENOENT) {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("remove cgroup %s: %w", dir, err)
		}
	}
}
