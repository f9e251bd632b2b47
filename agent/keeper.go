package agent

import (
	"context"

	"github.com/roadstead/roadstead/agent/logs"
	"github.com/roadstead/roadstead/agent/runtime"
)

// wholeService is what the keeper process calls its service for calls to containerd that must not be cut short.
const wholeService = "whole"

// Keep is the process of a node that outlives its agents: it reads containers' output, and makes tasks in the containerd at the
// given socket. Agents start it as `roadstead log-keeper --containerd SOCKET DIR` (docs/decisions/006, 022).
func Keep(ctx context.Context, containerd, dir string) error {
	calls, err := runtime.NewWholeCalls(containerd)
	if err != nil {
		return err
	}
	return logs.Main(ctx, dir, logs.Service{Name: wholeService, Serve: calls.Serve, Busy: calls.Busy})
}
