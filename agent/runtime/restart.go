package runtime

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	tasktypes "github.com/containerd/containerd/api/types/task"
	"github.com/containerd/errdefs"

	"github.com/roadstead/roadstead/agent/task"
)

// endedMark holds how a container ended that is being restarted: from before its old process is forgotten until a new one runs,
// containerd cannot say it.
const endedMark = "ended"

// ending is the content of that mark.
type ending struct {
	ExitCode  int32     `json:"exitCode"`
	OOMKilled bool      `json:"oomKilled,omitempty"`
	At        time.Time `json:"at"`
}

// Restart implements task.Runtime. containerd's container and its layer stay; only the process is another. Cut short at any
// step, the next call goes on.
func (r *Runtime) Restart(ctx context.Context, id string) (uint32, error) {
	ctx = r.in(ctx)
	pid, err := r.restart(ctx, containerdID(id))
	if err != nil && errdefs.IsUnavailable(err) {
		return 0, err
	}
	return pid, failure(cannotStart, err)
}

func (r *Runtime) restart(ctx context.Context, cid string) (uint32, error) {
	who, err := r.identify(ctx, cid)
	if err != nil {
		return 0, err
	}
	p, err := r.process(ctx, cid)
	switch {
	case err == nil && p.Status == tasktypes.Status_STOPPED:
		end := ending{ExitCode: int32(p.ExitStatus), OOMKilled: r.oomKilled(who, p.ExitStatus), At: p.ExitedAt.AsTime()}
		if err := r.writeEnding(cid, end); err != nil {
			return 0, err
		}
		if err := r.deleteTask(ctx, cid); err != nil {
			return 0, err
		}
	case err == nil && p.Status != tasktypes.Status_CREATED: // it was restarted, and the answer was lost
		return p.Pid, r.dropEnding(cid)
	case err != nil && !errdefs.IsNotFound(err):
		return 0, err
	case err != nil && r.readEnding(cid) == nil:
		return 0, fmt.Errorf("container %s has run, and its end was not seen", cid)
	}
	return r.runAgain(ctx, cid, who, err == nil && p.Status == tasktypes.Status_CREATED)
}

// runAgain makes the new process, unless it is there already, and lets it run.
func (r *Runtime) runAgain(ctx context.Context, cid string, who identity, created bool) (uint32, error) {
	var pid uint32
	if !created {
		if r.cfg.CloseLog != nil {
			if err := r.cfg.CloseLog(ctx, cid); err != nil {
				return 0, err
			}
		}
		rootfs, err := r.rootfs(ctx, cid, who)
		if err != nil {
			return 0, fmt.Errorf("mount snapshot: %w", err)
		}
		if pid, err = r.newTask(ctx, cid, who, rootfs); err != nil {
			return 0, err
		}
		who.pid = pid
		r.remember(cid, who)
	}
	pid, err := r.release(ctx, cid, pid)
	if err != nil {
		return 0, err
	}
	return pid, errors.Join(r.markStarted(cid), r.dropEnding(cid))
}

func (r *Runtime) writeEnding(cid string, e ending) error {
	b, err := json.Marshal(e)
	if err != nil {
		return err
	}
	name := filepath.Join(r.dir(cid), endedMark)
	if err := os.WriteFile(name+".new", b, 0o600); err != nil {
		return fmt.Errorf("mark end: %w", err)
	}
	return os.Rename(name+".new", name)
}

// readEnding returns nil if no restart is under way.
func (r *Runtime) readEnding(cid string) *ending {
	b, err := os.ReadFile(filepath.Join(r.dir(cid), endedMark))
	if err != nil {
		return nil
	}
	e := new(ending)
	if json.Unmarshal(b, e) != nil {
		return nil
	}
	return e
}

func (r *Runtime) dropEnding(cid string) error {
	if err := os.Remove(filepath.Join(r.dir(cid), endedMark)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove mark: %w", err)
	}
	return nil
}

// observeEnding shows a container whose restart is under way as it ended.
func (r *Runtime) observeEnding(s *task.ContainerState, cid string, p *tasktypes.Process) bool {
	if p != nil && p.Status != tasktypes.Status_CREATED {
		return false
	}
	e := r.readEnding(cid)
	if e == nil {
		return false
	}
	s.Status, s.ExitCode, s.OOMKilled, s.FinishedAt = task.StatusStopped, e.ExitCode, e.OOMKilled, e.At
	return true
}
