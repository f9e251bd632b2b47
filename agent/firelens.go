package agent

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/firelens"
	"github.com/roadstead/roadstead/agent/logdriver"
	"github.com/roadstead/roadstead/agent/task"
	"github.com/roadstead/roadstead/model"
)

// routerDir holds what a task's log router has of its node: its configuration, and the directory of its socket. It goes with the
// task's logs.
func routerDir(spec *task.ContainerSpec) string {
	return filepath.Join(filepath.Dir(spec.LogPath), "firelens")
}

// socketDir is what the router has at the place of firelens.Socket's directory.
func socketDir(spec *task.ContainerSpec) string { return filepath.Join(routerDir(spec), "socket") }

// addRouting gives a log router its configuration, and has a container's lines go to it, with the driver fluentd. address finds the
// router's in bridge mode.
func addRouting(ctx context.Context, who caller, spec *task.ContainerSpec, address func(container string) string) error {
	router := task.Router(&spec.Task)
	switch {
	case router != nil && router.Name == spec.Name:
		return configureRouter(ctx, who, spec, router.Firelens)
	case spec.HostConfig.LogConfig.Type != task.Awsfirelens:
		return nil
	case router == nil:
		return noRouter(errors.New("the task has no log router"))
	}
	given := spec.HostConfig.LogConfig.Config
	options := map[string]string{
		"tag": firelens.Tag(spec.Name, spec.TaskID), "fluentd-address": "unix://" + filepath.Join(socketDir(spec), filepath.Base(firelens.Socket)),
		"fluentd-async": "true", "fluentd-sub-second-precision": "true",
	}
	for _, name := range deliveryOptions() {
		if v, set := given[name]; set {
			options[name] = v
		}
	}
	if limit := given[firelens.BufferLimit]; limit != "" {
		options["fluentd-buffer-limit"] = limit
	}
	spec.HostConfig.LogConfig = acs.LogConfig{Type: logdriver.Fluentd, Config: options}
	host := ""
	switch spec.Task.NetworkMode {
	case "awsvpc":
		host = "127.0.0.1"
	case "", "bridge":
		host = address(router.Name)
	}
	if host != "" {
		spec.Environment = maps.Clone(spec.Environment)
		spec.Environment["FLUENT_HOST"], spec.Environment["FLUENT_PORT"] = host, firelens.Port
	}
	return nil
}

// deliveryOptions are for the way to the router, whatever the router makes of others.
func deliveryOptions() []string { return []string{"mode", "max-buffer-size"} }

func noRouter(err error) error {
	return &task.Failure{Name: "ResourceInitializationError", Err: err} // [I]
}

// configureRouter writes what the router reads and mounts it where it looks for it.
func configureRouter(ctx context.Context, who caller, spec *task.ContainerSpec, f *acs.Firelens) error {
	dir := routerDir(spec)
	text, err := routerConfig(spec, f).Generate()
	if err != nil {
		return noRouter(fmt.Errorf("unable to generate firelens config file: %w", err))
	}
	for _, d := range []string{dir, socketDir(spec)} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return noRouter(err)
		}
	}
	// Whoever the router runs as makes its socket there, and whoever's namespace it is in reaches it by its path.
	if err := errors.Join(os.Chmod(socketDir(spec), 0o777), os.Chmod(filepath.Dir(dir), 0o711)); err != nil { //nolint:gosec // see above
		return noRouter(err)
	}
	own := filepath.Join(dir, "generated.conf")
	if err := os.WriteFile(own, []byte(text), 0o644); err != nil { //nolint:gosec // whoever the router runs as reads it
		return noRouter(err)
	}
	mounts := append(slices.Clone(spec.Mounts), task.Mount{Source: own, Destination: firelens.Path(f.Type)},
		task.Mount{Source: socketDir(spec), Destination: filepath.Dir(firelens.Socket)})
	if f.Options["config-file-type"] == "s3" {
		b, err := configFromS3(ctx, who, spec.Task.Arn, f.Options["config-file-value"])
		if err != nil {
			return noRouter(fmt.Errorf("unable to download firelens s3 config file: %w", err))
		}
		external := filepath.Join(dir, "external.conf")
		if err := os.WriteFile(external, b, 0o644); err != nil { //nolint:gosec // as before
			return noRouter(err)
		}
		mounts = append(mounts, task.Mount{Source: external, Destination: firelens.ExternalPath(f.Type)})
	}
	spec.Mounts = mounts
	return nil
}

func configFromS3(ctx context.Context, who caller, taskARN, file string) ([]byte, error) {
	arn, ok := model.ParseARN(file)
	bucket, key, _ := strings.Cut(arn.Tail, "/")
	if !ok || bucket == "" || key == "" {
		return nil, errors.New(file + " is not the ARN of an S3 object")
	}
	c, _, err := who(ctx, taskARN)
	if err != nil {
		return nil, err
	}
	return c.GetObject(ctx, bucket, key)
}

// routerConfig is what the router is to do for the task's other containers.
func routerConfig(spec *task.ContainerSpec, f *acs.Firelens) *firelens.Config {
	t := &spec.Task
	c := &firelens.Config{
		Type: f.Type, NetworkMode: t.NetworkMode, Metadata: wantsMetadata(f.Options),
		Cluster: task.ID(t.ClusterArn), TaskARN: t.Arn, Definition: t.Family + ":" + t.Version,
	}
	switch f.Options["config-file-type"] {
	case "s3":
		c.External = firelens.ExternalPath(f.Type)
	case "file":
		c.External = f.Options["config-file-value"]
	}
	for i := range t.Containers {
		other := &t.Containers[i]
		if !task.LogsToRouter(other) {
			continue
		}
		options := maps.Clone(task.LogOptions(other))
		if options == nil {
			options = map[string]string{}
		}
		for _, name := range deliveryOptions() {
			delete(options, name)
		}
		for _, s := range other.Secrets {
			if s.Target == acs.SecretForLogDriver {
				options[s.Name] = firelens.Refer(f.Type, firelens.Variable(s.Name, i))
			}
		}
		c.Outputs = append(c.Outputs, firelens.Output{Container: other.Name, Options: options})
	}
	return c
}

// wantsMetadata: the option is true unless it is given; what is neither true nor false is false [O].
func wantsMetadata(options map[string]string) bool {
	text, set := options["enable-ecs-log-metadata"]
	wants, err := strconv.ParseBool(text)
	return !set || err == nil && wants
}

// lastLines bounds how long a log router that is to end takes the lines of those that have ended before it.
const lastLines = 5 * time.Second

// flushRouted has a log router take what is left of its task's lines, before it is told to end.
func (a *Agent) flushRouted(ctx context.Context, id string) {
	for _, v := range a.tasks() {
		router := task.Router(v.Task)
		if router != nil && task.ContainerID(task.ID(v.Task.Arn), router.Name) == id {
			a.flushTask(ctx, &v)
			return
		}
	}
}

func (a *Agent) flushTask(ctx context.Context, v *task.View) {
	ctx, cancel := context.WithTimeout(ctx, lastLines)
	defer cancel()
	for i := range v.Task.Containers {
		c := &v.Task.Containers[i]
		if !task.LogsToRouter(c) {
			continue
		}
		cid := task.ContainerID(task.ID(v.Task.Arn), c.Name)
		var err error
		if v.State.Containers[i].Phase == task.PhaseStopped { // all that it wrote is in its file then
			err = a.keeper.Close(ctx, cid)
		}
		if err = errors.Join(err, a.shipper.Flush(ctx, cid)); err != nil {
			a.cfg.Log.Warn("log lines have not reached the task's log router", "container", cid, "err", err)
		}
	}
}

// addressOf is where the task's container is in bridge mode, "" if that is not known.
func (a *Agent) addressOf(taskARN, container string) string {
	e := a.engine.Load()
	if e == nil {
		return ""
	}
	v, ok := e.Get(taskARN)
	if !ok {
		return ""
	}
	n := v.State.Net(container)
	if n == nil {
		return ""
	}
	ip, _, _ := strings.Cut(n.Sandbox.IPv4, "/")
	return ip
}
