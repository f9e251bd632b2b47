package agent

import (
	"context"
	"fmt"

	"github.com/roadstead/roadstead/agent/logs"
	"github.com/roadstead/roadstead/agent/runtime"
	"github.com/roadstead/roadstead/agent/task"
)

// newShipper sends what containers with the driver awslogs write. The node itself is who sends: there are no execution roles yet.
func (a *Agent) newShipper() (*logs.Shipper, error) {
	once := a.client.Once()
	return logs.NewShipper(logs.ShipperConfig{Dir: a.dir("log-shipping"), Log: a.cfg.Log,
		Call: func(ctx context.Context, op string, in, out any) error { return once.Call(ctx, "logs", op, in, out) }})
}

// shipping is the runtime with a log driver for those containers that name one.
type shipping struct {
	*runtime.Runtime
	shipper *logs.Shipper
}

func (a *Agent) shipping() task.Runtime { return shipping{a.runtime, a.shipper} }

// Create makes the container whose lines can be sent. Docker reports a log driver that does not begin when it starts the container,
// and so do we.
func (s shipping) Create(ctx context.Context, spec task.ContainerSpec) error {
	if c := spec.HostConfig.LogConfig; c.Type == "awslogs" {
		d, err := logs.ReadDestination(c.Config, spec.Name, spec.TaskID, spec.ID)
		if err == nil {
			err = s.shipper.Open(ctx, spec.ID, spec.LogPath, d)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return &task.Failure{Name: "CannotStartContainerError", Err: fmt.Errorf("Error response from daemon: %w", err)} // Docker's words [O]
		}
	}
	return s.Runtime.Create(ctx, spec)
}
