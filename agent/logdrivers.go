package agent

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/roadstead/roadstead/agent/logdriver"
	"github.com/roadstead/roadstead/agent/logs"
	"github.com/roadstead/roadstead/agent/metadata"
	"github.com/roadstead/roadstead/agent/runtime"
	"github.com/roadstead/roadstead/agent/task"
)

// newShipper sends what containers write to where their log drivers send it: to CloudWatch Logs with the rights of the task's
// execution role if it has one. The node itself asks what has arrived, and sends what is left of tasks that are over.
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

// shipping is the runtime with log drivers, and with what stands in containers' files of variables and their secrets.
type shipping struct {
	*runtime.Runtime
	agent *Agent
}

func (a *Agent) shipping() task.Runtime { return shipping{a.runtime, a} }

// Signal lets a log router that is to end take the last lines before.
func (s shipping) Signal(ctx context.Context, id, signal string) error {
	if signal != "SIGKILL" {
		s.agent.flushRouted(ctx, id)
	}
	return s.Runtime.Signal(ctx, id, signal)
}

// Create makes the container whose lines can be sent. Docker refuses options when it makes a container, and reports a log driver that
// does not begin when it starts it, and so do we.
func (s shipping) Create(ctx context.Context, spec task.ContainerSpec) error {
	who := s.agent.executing
	if err := readEnvironmentFiles(ctx, who, &spec); err != nil {
		return err
	}
	if err := injectSecrets(ctx, who, &spec); err != nil {
		return err
	}
	address := func(container string) string { return s.agent.addressOf(spec.Task.Arn, container) }
	if err := addRouting(ctx, who, &spec, address); err != nil {
		return err
	}
	if err := s.openLog(ctx, &spec); err != nil {
		return err
	}
	return s.Runtime.Create(ctx, spec)
}

// openLog has the container's lines sent to where its log driver sends them.
func (s shipping) openLog(ctx context.Context, spec *task.ContainerSpec) error {
	c := spec.HostConfig.LogConfig
	if c.Type == "" || c.Type == logdriver.None {
		return nil
	}
	if err := logdriver.Check(c.Type, c.Config); err != nil {
		return daemonSays("CannotCreateContainerError", err)
	}
	d, sends, err := destination(spec, func() (env, labels map[string]string, err error) { return s.ImageSays(ctx, spec.Image) })
	if err == nil {
		err = setLimits(spec, s.agent.shipper.File(spec.ID), sends)
	}
	if err == nil && sends {
		err = s.agent.shipper.Open(ctx, spec.ID, spec.LogPath, d)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return daemonSays("CannotStartContainerError", err)
	}
	return nil
}

func daemonSays(name string, err error) error {
	return &task.Failure{Name: name, Err: fmt.Errorf("Error response from daemon: %w", err)} // Docker's words [O]
}

// setLimits says how much of the container's log the node keeps, and may wait for its driver; sent is where that says how much it has
// taken.
func setLimits(spec *task.ContainerSpec, sent string, sends bool) error {
	c := spec.HostConfig.LogConfig
	l, err := logdriver.ReadLimits(c.Type, c.Config)
	if err != nil {
		return fmt.Errorf("failed to initialize logging driver: %w", err)
	}
	limits := logs.Limits{Keep: l.Keep}
	if sends {
		limits.Sent, limits.Backlog, limits.Blocking = sent, l.Backlog, l.Blocking
	}
	return logs.SetLimits(spec.LogPath, limits)
}

// ofImage are the variables and the labels of a container's image.
type ofImage func() (env, labels map[string]string, err error)

// destination is where a container's lines go, if they go anywhere.
func destination(spec *task.ContainerSpec, image ofImage) (d logs.Destination, sends bool, err error) {
	c := spec.HostConfig.LogConfig
	if c.Type != logdriver.AWSLogs && !logdriver.Sends(c.Type) {
		return d, false, nil
	}
	f, err := facts(spec, image)
	if err != nil {
		return d, false, err
	}
	if c.Type == logdriver.AWSLogs {
		stream, err := logdriver.Tag(c.Config, &f)
		if err != nil {
			return d, false, err
		}
		d, err = logs.ReadDestination(c.Config, spec.Name, spec.TaskID, stream)
		d.Task = spec.Task.Arn
		return d, true, err
	}
	d.Receiver = &logs.Receiver{Driver: c.Type, Options: c.Config, Facts: f}
	return d, true, err
}

// facts are what log drivers tell of the container.
func facts(spec *task.ContainerSpec, image ofImage) (logdriver.Facts, error) {
	host, err := os.Hostname()
	if err != nil {
		return logdriver.Facts{}, fmt.Errorf("read the node's name: %w", err)
	}
	extra, err := chosen(spec, image)
	return logdriver.Facts{
		ID: spec.ID, Name: metadata.DockerName(&spec.Task, spec.Name), Image: spec.Image, ImageID: spec.Labels[task.LabelDigest],
		Command: strings.Join(slices.Concat(spec.Container.EntryPoint, spec.Container.Command), " "), Created: time.Now(), Host: host, Extra: extra,
	}, err
}

// chosen are the container's labels and variables that the options name, those of its image too, which is asked only for that.
func chosen(spec *task.ContainerSpec, image ofImage) (map[string]string, error) {
	options := spec.HostConfig.LogConfig.Config
	if options["env"]+options["env-regex"]+options["labels"]+options["labels-regex"] == "" {
		return nil, nil
	}
	env, labels, err := image()
	if err != nil {
		return nil, err
	}
	env, labels = maps.Clone(env), maps.Clone(labels)
	if env == nil {
		env = map[string]string{}
	}
	if labels == nil {
		labels = map[string]string{}
	}
	maps.Copy(env, spec.Environment)
	maps.Copy(labels, spec.Labels)
	return logdriver.Extra(options, labels, env)
}
