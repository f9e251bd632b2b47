package agent

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"os"
	"time"

	"github.com/roadstead/roadstead/agent/metadata"
	"github.com/roadstead/roadstead/agent/task"
)

const (
	secretFile  = "metadata.key"
	secretBytes = 32
	listenAgain = 5 * time.Second // after somebody else had the port
	idleAsker   = 10 * time.Second
	maxHeader   = 16 << 10
)

// openMetadata makes the handler of the node's metadata server. Its secret is on disk: containers outlive the agent, and what
// they were told to ask for does, too.
func (a *Agent) openMetadata() error {
	secret, err := os.ReadFile(a.dir(secretFile))
	if errors.Is(err, fs.ErrNotExist) {
		secret = make([]byte, secretBytes)
		_, _ = rand.Read(secret) // never fails
		err = writeWhole(a.dir(secretFile), secret)
	}
	if err == nil && len(secret) != secretBytes {
		err = errors.New("it is damaged: remove it")
	}
	if err != nil {
		return fmt.Errorf("open the metadata server's secret %s: %w", a.dir(secretFile), err)
	}
	a.metadata = metadata.New(metadata.Config{
		Secret: secret, Tasks: a.tasks, Zone: a.cfg.Zone, Subnet: a.network.Subnet(), Snapshotter: a.runtime.Snapshotter(), Own: a.network.Own,
		Storage: a.volumes.StorageUsed,
		Instance: func() string {
			if arn := a.instance.Load(); arn != nil {
				return *arn
			}
			return ""
		},
		Log: a.cfg.Log, Faults: metadata.Faults{
			Start:   func(v *task.View, f task.Fault) error { return a.network.StartFault(sandboxOf(v), f) },
			Stop:    func(v *task.View, f task.Fault) error { return a.network.StopFault(sandboxOf(v), f) },
			Running: func(v *task.View, f task.Fault) (bool, error) { return a.network.FaultRuns(sandboxOf(v), f) },
		},
		Stats: func(v *task.View, i int) any {
			if d := a.stats.Container(v, i); d != nil {
				return d
			}
			return nil
		},
		Call: func(ctx context.Context, op string, in, out any) error { return a.client.Call(ctx, "ecs", op, in, out) },
	})
	return nil
}

// sandboxOf is the one sandbox of a task in awsvpc, or what stands for the node's own network in mode host.
func sandboxOf(v *task.View) task.Sandbox {
	if v.Task.NetworkMode == "awsvpc" && len(v.State.Nets) > 0 {
		return v.State.Nets[0].Sandbox
	}
	return task.Sandbox{TaskID: task.ID(v.Task.Arn), Mode: v.Task.NetworkMode}
}

// tasks are those that the node has now.
func (a *Agent) tasks() []task.View {
	if e := a.engine.Load(); e != nil {
		return e.List()
	}
	return nil
}

// decorate tells a container where the metadata server is, and in which Region it runs.
func (a *Agent) decorate(spec *task.ContainerSpec) {
	host := a.network.MetadataHost(spec.Task.NetworkMode)
	maps.Copy(spec.Environment, a.metadata.Environment(host, spec.TaskID, spec.Name))
	if role := spec.Task.RoleCredentials; role != nil {
		spec.Environment["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = "/v2/credentials/" + role.CredentialsID
	}
	spec.Region = a.client.Region()
	a.tellEndpoint(spec)
}

// serveMetadata answers containers until ctx ends.
func (a *Agent) serveMetadata(ctx context.Context) error {
	return a.serveTasks(ctx, a.network.Metadata(), &http.Server{
		Handler: a.metadata, ReadTimeout: metadata.Timeout, WriteTimeout: metadata.Timeout, IdleTimeout: idleAsker, MaxHeaderBytes: maxHeader,
	})
}

// serveTasks serves at an address of the node until ctx ends. A node whose port somebody else has runs its tasks without.
func (a *Agent) serveTasks(ctx context.Context, at netip.AddrPort, s *http.Server) error {
	s.ErrorLog = slog.NewLogLogger(a.cfg.Log.Handler(), slog.LevelDebug)
	for {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp4", at.String())
		if err == nil {
			defer context.AfterFunc(ctx, func() { s.Close() })()
			if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("serve tasks at %s: %w", at, err)
			}
			return nil
		}
		a.cfg.Log.Warn("listen for questions of tasks", "err", err, "retry", listenAgain)
		select {
		case <-time.After(listenAgain):
		case <-ctx.Done():
			return nil
		}
	}
}
