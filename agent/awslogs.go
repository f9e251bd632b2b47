package agent

import (
	"context"
	"fmt"

	"github.com/roadstead/roadstead/agent/logs"
	"github.com/roadstead/roadstead/agent/runtime"
	"github.com/roadstead/roadstead/agent/task"
)

// newShipper sends what containers with the driver awslogs write, with the rights of the task's execution role if it has one. The
// node itself asks what has arrived, and sends what is left of tasks that are over.
func (a *Agent) newShipper() (*logs.Shipper, error) {
	return logs.NewShipper(logs.ShipperConfig{Dir: a.dir("log-shipping"), Log: a.cfg.Log,
		Call: func(ctx context.Context, task, op string, in, out any) error {
			who := a.client
			if op != "GetLogEvents" {
				var err error
				if who, _, err = a.executing(ctx, task); err != nil {
					return err
				}
			}
			return who.Once().Call(ctx, "logs", op, in, out)
		}})
}

// shipping is the runtime with a log driver for those containers that name one, and with what stands in their files of variables and their secrets.
type shipping struct {
	*runtime.Runtime
	shipper *logs.Shipper
	who     caller
}

func (a *Agent) shipping() task.Runtime { return shipping{a.runtime, a.shipper, a.executing} }

// Create makes the container whose lines can be sent. Docker reports a log driver that does not begin when it starts the container,
// and so do we.
func (s shipping) Create(ctx context.Context, spec task.ContainerSpec) error {
	if err := readEnvironmentFiles(ctx, s.who, &spec); err != nil {
		return err
	}
	if err := injectSecrets(ctx, s.who, &spec); err != nil {
		return err
	}
	if c := spec.HostConfig.LogConfig; c.Type == "awslogs" {
		d, err := logs.ReadDestination(c.Config, spec.Name, spec.TaskID, spec.ID)
		if d.Task = spec.Task.Arn; err == nil {
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
