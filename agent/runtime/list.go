package runtime

import (
	"context"
	"fmt"

	tasksapi "github.com/containerd/containerd/api/services/tasks/v1"
	tasktypes "github.com/containerd/containerd/api/types/task"
	"github.com/containerd/errdefs/pkg/errgrpc"

	"github.com/roadstead/roadstead/agent/task"
)

// exitLost is the exit code of a container that ran when the machine went down: nobody saw it end.
const exitLost = 255

// List implements task.Runtime. A container whose creation was cut short counts as created; Start completes it.
func (r *Runtime) List(ctx context.Context) ([]task.ContainerState, error) {
	ctx = r.in(ctx)
	all, err := r.containers.List(ctx)
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", err)
	}
	a, err := r.tasks.List(ctx, &tasksapi.ListTasksRequest{})
	if err != nil {
		return nil, fmt.Errorf("list tasks: %w", errgrpc.ToNative(err))
	}
	processes := make(map[string]*tasktypes.Process, len(a.Tasks))
	for _, p := range a.Tasks {
		id := p.ContainerID
		if id == "" { // containerd 1.x fills ID only
			id = p.ID
		}
		processes[id] = r.observed(id, p)
	}
	r.rememberAll(all)
	r.dropHolders(ctx, all)
	out := make([]task.ContainerState, 0, len(all))
	for _, c := range all {
		who, ok := identityOf(c.Labels)
		if !ok {
			continue
		}
		s := task.ContainerState{
			ID: who.id, TaskID: who.task, Name: who.name, Labels: publicLabels(c.Labels),
			Status: task.StatusCreated, StartedAt: r.startedAt(c.ID),
		}
		if p := processes[c.ID]; !r.observeEnding(&s, c.ID, p) {
			r.observe(&s, who, p)
		}
		out = append(out, s)
	}
	return out, nil
}

// Cgroup is where the cgroup of a container is that exists: a directory for each controller of version 1, or one under "".
func (r *Runtime) Cgroup(id string) (map[string]string, bool) {
	who, ok := r.recall(containerdID(id))
	if !ok || who.cgroup == "" {
		return nil, false
	}
	return r.cgroup.directories(who.cgroup), true
}

func (r *Runtime) observe(s *task.ContainerState, who identity, p *tasktypes.Process) {
	switch {
	case p == nil && !s.StartedAt.IsZero(): // its shim died with the machine
		s.Status, s.ExitCode, s.FinishedAt = task.StatusStopped, exitLost, s.StartedAt
	case p == nil:
	case p.Status == tasktypes.Status_UNKNOWN:
		s.Unsure = true
		if !s.StartedAt.IsZero() {
			s.Status, s.PID = task.StatusRunning, who.pid
		}
	case p.Status == tasktypes.Status_STOPPED:
		s.Status, s.ExitCode, s.FinishedAt = task.StatusStopped, int32(p.ExitStatus), p.ExitedAt.AsTime()
		s.OOMKilled = r.oomKilled(who, p.ExitStatus)
	case p.Status == tasktypes.Status_CREATED:
		s.PID = p.Pid
	default: // running, pausing, paused
		s.Status, s.PID = task.StatusRunning, p.Pid
	}
}

// oomKilled asks the container's cgroup, which stays until Delete. A container that goes on after the kernel killed
// one of its processes, and ends well, was not killed.
func (r *Runtime) oomKilled(who identity, exit uint32) bool {
	return exit != 0 && r.cgroup.oomKills(who.cgroup) > 0
}
