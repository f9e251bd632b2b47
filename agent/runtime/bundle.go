package runtime

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	tasksapi "github.com/containerd/containerd/api/services/tasks/v1"
)

// bundleStays is how containerd says that a container's bundle is there. Either another call is making the task just now, or an
// agent was killed while it did: containerd then gives up, forgets the shim and leaves the bundle for ever.
const bundleStays = "failed to start shim: mkdir "

// othersPatience is for another call that makes a task. There should be none: WholeCalls makes one at a time.
const othersPatience = time.Second

// createTask waits for another call that makes the same task, and cleans up behind one that nobody will end. listen has somebody read
// what the container writes.
func (r *Runtime) createTask(ctx context.Context, q *tasksapi.CreateTaskRequest, listen func(context.Context) error) (*tasksapi.CreateTaskResponse, error) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	began, cleared := time.Now(), false
	for {
		a, err := r.makeTask(ctx, q, listen)
		if err == nil || !strings.Contains(err.Error(), bundleStays) {
			return a, err
		}
		if !cleared && time.Since(began) > othersPatience {
			if cerr := r.clearBundle(ctx, q.ContainerID, bundleOf(err)); cerr != nil {
				return nil, errors.Join(err, cerr)
			}
			cleared = true
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, err
		}
	}
}

// bundleOf is the directory that an error speaks of, "" if it speaks of none.
func bundleOf(err error) string {
	_, rest, _ := strings.Cut(err.Error(), bundleStays)
	dir, _, ok := strings.Cut(rest, ": file exists")
	if !ok {
		return ""
	}
	return dir
}

// clearBundle removes what is left of a task that containerd does not have.
func (r *Runtime) clearBundle(ctx context.Context, cid, dir string) error {
	if !strings.HasSuffix(dir, filepath.Join("/io.containerd.runtime.v2.task", r.cfg.Namespace, cid)) {
		return fmt.Errorf("%q is no bundle of container %s", dir, cid)
	}
	r.cfg.Logger.Warn("clean up behind a call that was cut short", "container", cid)
	shims, err := r.shims()
	if err != nil {
		return err
	}
	for _, shim := range shims {
		if shimContainer(shim) == cid && !strings.HasSuffix(shim, cleansUp) {
			if err := r.killShim(shim); err != nil {
				return err
			}
		}
	}
	if err := r.settled(ctx, cid, dir); err != nil {
		return err
	}
	if _, err := os.Stat(r.runcDir(cid)); err == nil {
		if err := r.deleteInRunc(ctx, cid); err != nil {
			return err
		}
	}
	for _, d := range []string{dir, leaving(dir)} {
		if err := unmountAll(filepath.Join(d, "rootfs")); err != nil {
			return err
		}
		if err := os.RemoveAll(d); err != nil {
			return fmt.Errorf("remove bundle: %w", err)
		}
	}
	return nil
}

// leaving is the name of a bundle while containerd removes it.
func leaving(dir string) string { return filepath.Join(filepath.Dir(dir), "."+filepath.Base(dir)) }

// cleansUp ends the command line of a shim that containerd has started to clean up behind another one.
const cleansUp = " delete"

// calm is how long nobody may have been at work on a container for it to be left alone, and calmCheck how often that is looked at.
const (
	calm      = 250 * time.Millisecond
	calmCheck = 25 * time.Millisecond
)

// settled waits until nobody works on a container that has no task: containerd cleans up behind a call that was cut short, and behind
// a shim that died, in several steps and in its own time, and would take the next container of this id for the one that it
// cleans up behind. What it leaves in the bundle is there when nobody has come for it within othersPatience.
func (r *Runtime) settled(ctx context.Context, cid, bundle string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*cleanupPatience)
	defer cancel()
	tick := time.NewTicker(calmCheck)
	defer tick.Stop()
	for quiet := time.Duration(0); ; quiet += calmCheck {
		shims, err := r.shims()
		if err != nil {
			return err
		}
		if slices.ContainsFunc(shims, func(s string) bool { return shimContainer(s) == cid }) {
			quiet = 0
		}
		_, err = os.Lstat(bundle)
		if left := err == nil; quiet >= calm && !left || quiet >= othersPatience {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("containerd does not end its clean-up of %s: %w", cid, ctx.Err())
		}
	}
}

// dropShim ends a shim that will never make its container, because the call that was to do so ended with its agent, and waits
// until containerd has forgotten it. Nothing has run in it.
func (r *Runtime) dropShim(ctx context.Context, cid string) error {
	all, err := r.shims()
	if err != nil {
		return err
	}
	for _, shim := range all {
		if shimContainer(shim) == cid {
			if err := r.killShim(shim); err != nil {
				return err
			}
		}
	}
	wait, cancel := context.WithTimeout(ctx, cleanupPatience)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		_, err := r.tasks.Get(wait, &tasksapi.GetRequest{ContainerID: cid})
		text := ""
		if err != nil {
			text = err.Error()
		}
		if strings.Contains(text, "not found") && !strings.Contains(text, notYet) {
			return nil
		}
		select {
		case <-tick.C:
		case <-wait.Done():
			return fmt.Errorf("containerd does not forget the killed shim of %s: %w", cid, errors.Join(err, wait.Err()))
		}
	}
}

// notYet is how a shim says that it is still making its container: for the call of an agent that was killed meanwhile.
const notYet = "container not created"

func isNotYet(err error) bool { return err != nil && strings.Contains(err.Error(), notYet) }

// awaitMade waits for another call that makes the task, and returns its process. An error that isNotYet says that nobody seems to.
func (r *Runtime) awaitMade(ctx context.Context, cid string) (uint32, error) {
	wait, cancel := context.WithTimeout(ctx, othersPatience)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		p, err := r.process(ctx, cid)
		if err == nil {
			return p.Pid, nil
		}
		if !isNotYet(err) {
			return 0, err
		}
		select {
		case <-tick.C:
		case <-wait.Done():
			return 0, err
		}
	}
}

// clearShim takes away a shim of a task that containerd does not know: the call that was to end it was cut short.
func (r *Runtime) clearShim(ctx context.Context, cid string) error {
	shims, err := r.shims()
	if err != nil {
		return err
	}
	for _, shim := range shims {
		if shimContainer(shim) != cid {
			continue
		}
		pid, _, _ := strings.Cut(shim, " ")
		bundle, err := os.Readlink(filepath.Join("/proc", pid, "cwd"))
		if err != nil {
			continue // it has ended just now
		}
		bundle = strings.TrimSuffix(bundle, " (deleted)")
		if filepath.Base(bundle) == "."+cid { // on its way
			bundle = filepath.Join(filepath.Dir(bundle), cid)
		}
		if err := r.clearBundle(ctx, cid, bundle); err != nil {
			return err
		}
	}
	return nil
}
