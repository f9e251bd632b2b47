package runtime

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	tasksapi "github.com/containerd/containerd/api/services/tasks/v1"
)

// bundleStays is how containerd says that a container's bundle is there. Either another call is making the task just now, or an
// agent was killed while it did: containerd then gives up, forgets the shim and leaves the bundle for ever.
const bundleStays = "failed to start shim: mkdir "

// createTask waits for another call that makes the same task, and cleans up behind one that nobody will end.
func (r *Runtime) createTask(ctx context.Context, q *tasksapi.CreateTaskRequest) (*tasksapi.CreateTaskResponse, error) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	began, cleared := time.Now(), false
	for {
		a, err := r.makeTask(ctx, q)
		if err == nil || !strings.Contains(err.Error(), bundleStays) {
			return a, err
		}
		if !cleared && time.Since(began) > cleanupPatience {
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
		if shimContainer(shim) == cid {
			if err := r.killShim(shim); err != nil {
				return err
			}
		}
	}
	if _, err := os.Stat(r.runcDir(cid)); err == nil {
		if err := r.deleteInRunc(ctx, cid); err != nil {
			return err
		}
	}
	if err := unmountAll(filepath.Join(dir, "rootfs")); err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove bundle: %w", err)
	}
	return nil
}
