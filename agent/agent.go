package agent

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/exec"
	"github.com/roadstead/roadstead/agent/logs"
	"github.com/roadstead/roadstead/agent/metadata"
	"github.com/roadstead/roadstead/agent/network"
	"github.com/roadstead/roadstead/agent/runtime"
	"github.com/roadstead/roadstead/agent/stats"
	"github.com/roadstead/roadstead/agent/task"
	"github.com/roadstead/roadstead/agent/volumes"
	"github.com/roadstead/roadstead/client"
)

// Version is what the agent calls itself. It is a variable for the linker (-X) alone.
var Version = "0.1.0" //nolint:gochecknoglobals // a constant, but for the linker

// Config is what a node needs to know.
type Config struct {
	Server  string // URL of the control plane, or those of several members, comma separated
	Token   string // acs.JoinToken
	Cluster string
	// Name tells nodes of one machine apart: it names the containerd namespace, the cgroup and the bridge.
	Name    string
	DataDir string
	// Containerd is the socket of a containerd that runs already; "" starts a private one under DataDir.
	Containerd string
	// StopTasks removes every container when the agent ends, and the network with them.
	StopTasks  bool
	Zone       string            // availability zone
	Address    string            // at which published ports are reached; "" means that of the route to the server
	Attributes map[string]string // custom attributes
	// Pool is the pool that the node belongs to, where AWS has an Auto Scaling group: a capacity provider's. Those of
	// model.FargatePool take FARGATE tasks only, of whatever cluster; Fargate makes others take them too.
	Pool    string
	Fargate bool
	CPU     int64  // units; 0 means all that the machine has
	Memory  int64  // MiB; 0 means all but a reserve
	Share   int64  // nodes that share this machine, each offering its part; 0 means 1
	Subnet  string // of bridge and awsvpc tasks, "10.88.0.0/16"
	// Runtime runs containers, as containerd calls it; "" means runc's, which alone puts FARGATE tasks into user namespaces, of
	// 65,536 users from UserBase on; 0 means none.
	Runtime  string
	UserBase uint32
	// GPUs are "ID=/dev/a,/dev/b"; none means those of NVIDIA's driver. EFS are "fs-12345=/srv/data", or a directory below which
	// file systems lie, called by their ids.
	GPUs, EFS []string
	// PullBehavior says when a registry is asked for an image that is here (ECS_IMAGE_PULL_BEHAVIOR): "default", "always", "once" or
	// "prefer-cached"; "" means default.
	PullBehavior string
	// Images are removed when more than ImageHigh percent of the disk are in use, until no more than ImageLow are, and none that
	// was used within ImageMinAge. 0 means 85, 80 and 1 h; ImageHigh 100 means never.
	ImageHigh, ImageLow int
	ImageMinAge         time.Duration
	// CleanupAfter is how long a stopped task's containers and logs stay; 0 means 3 h.
	CleanupAfter time.Duration
	Log          *slog.Logger
}

// Agent is one node.
type Agent struct {
	cfg     Config
	client  *client.Client
	daemon  *runtime.Daemon // nil with a containerd of somebody else
	runtime *runtime.Runtime
	network *network.Network
	volumes *volumes.Volumes
	gpus    map[string][]string // device files by id
	keeper  *logs.Keeper
	shipper *logs.Shipper
	auth    *pullAuth

	kill     *killPoint // nil but in tests
	lock     *os.File   // of the data directory, while the agent works there
	metadata *metadata.Server
	stats    *stats.Sampler
	exec     *exec.Sessions
	engine   atomic.Pointer[task.Engine] // nil while a reset replaces it
	instance atomic.Pointer[string]      // the ARN of its container instance; nil before it has registered
	// registry is the host under which the control plane serves images if that is no member's own; nil if there is none.
	registry atomic.Pointer[string]
}

// New opens what the node works with, and makes its bridge; nothing runs before Run.
func New(ctx context.Context, cfg Config) (*Agent, error) {
	if err := checkImages(&cfg); err != nil {
		return nil, err
	}
	cfg.Subnet = cmp.Or(cfg.Subnet, "10.88.0.0/16")
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(cfg.DataDir, 0o711); err != nil {
		return nil, fmt.Errorf("make data directory: %w", err)
	}
	var err error
	if cfg.DataDir, err = wherever(cfg.DataDir); err != nil {
		return nil, err
	}
	lock, err := lockNode(cfg.DataDir)
	if err != nil {
		return nil, err
	}
	a := &Agent{cfg: cfg, lock: lock}
	if a.kill, err = newKillPoint(os.Getenv(killAt), a.killNow); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	if err := a.open(ctx); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return a, nil
}

// open opens all that the node works with.
func (a *Agent) open(ctx context.Context) error {
	cfg := a.cfg
	token, err := acs.ParseJoinToken(cfg.Token)
	if err != nil {
		return err
	}
	here, err := json.Marshal(site{Name: cfg.Name, Subnet: cfg.Subnet, Containerd: cfg.Containerd})
	if err == nil {
		err = writeWhole(a.dir(siteFile), here)
	}
	if err != nil {
		return fmt.Errorf("say where the node is: %w", err)
	}
	a.client, err = client.New(client.Config{Endpoint: cfg.Server, AccessKeyID: token.KeyID, Secret: token.Secret, Region: token.Region})
	if err != nil {
		return err
	}
	if err := a.recallMembers(); err != nil {
		cfg.Log.Warn("recall the members of the control plane", "err", err)
	}
	a.auth = newPullAuth(a.executing, a.serves)
	if a.gpus, err = findGPUs("/", cfg.GPUs); err != nil {
		return err
	}
	if err := a.openVolumes(); err != nil {
		return err
	}
	if err := a.openRuntime(); err != nil {
		return err
	}
	netConfig, err := a.networkConfig()
	if err != nil {
		return err
	}
	if a.network, err = network.New(ctx, netConfig); err != nil {
		return fmt.Errorf("open network: %w", err)
	}
	a.stats = stats.New(stats.Config{Tasks: a.tasks, Cgroup: a.runtime.Cgroup})
	if err := a.openMetadata(); err != nil {
		return err
	}
	a.exec = a.newExec()
	return nil
}

func (a *Agent) openVolumes() error {
	efs, err := readEFS(a.cfg.EFS)
	if err != nil {
		return err
	}
	a.volumes, err = volumes.New(volumes.Config{Dir: a.dir("volumes"), EFS: efs, Values: a.fileValues()})
	return err
}

func (a *Agent) openRuntime() (err error) {
	address := a.cfg.Containerd
	if address == "" {
		a.daemon, err = runtime.NewDaemon(runtime.DaemonConfig{
			Dir: filepath.Join(a.cfg.DataDir, "containerd"), KeepTasks: !a.cfg.StopTasks, Logger: a.cfg.Log,
		})
		if err != nil {
			return err
		}
		address = a.daemon.Address()
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find own executable: %w", err)
	}
	a.keeper, err = logs.NewKeeper(logs.KeeperConfig{
		Dir: a.dir("log-keeper"), Command: []string{self, "log-keeper", "--containerd", address}, Logger: a.cfg.Log,
	})
	if err != nil {
		return err
	}
	if a.shipper, err = a.newShipper(); err != nil {
		return err
	}
	a.runtime, err = runtime.New(runtime.Config{
		Address: address, Namespace: "roadstead-" + a.cfg.Name, Dir: a.dir("runtime"), Cgroup: "/roadstead/" + a.cfg.Name,
		Credentials: a.auth.credentials, Endpoint: a.registryEndpoint,
		GPUs: a.gpus, OCIRuntime: a.cfg.Runtime, PullBehavior: a.cfg.PullBehavior,
		OpenLog: a.keeper.Open, CloseLog: a.keeper.Close, Whole: a.keeper.Dial(wholeService), Reached: a.kill.reached, Logger: a.cfg.Log,
	})
	return err
}

// registryEndpoint sends pulls from an ECR-like host name, or from a member, to the member that is called now: all of them
// serve the registry.
func (a *Agent) registryEndpoint(host string) *url.URL {
	if !strings.Contains(host, ".dkr.ecr.") && !a.serves(host) {
		return nil
	}
	u, err := url.Parse(a.client.Endpoint())
	if err != nil {
		return nil
	}
	return u
}

func (a *Agent) dir(name string) string { return filepath.Join(a.cfg.DataDir, name) }

// Run keeps the node going until ctx ends. It returns nil if that is the reason.
func (a *Agent) Run(ctx context.Context) error {
	machinery, stopMachinery := context.WithCancel(context.WithoutCancel(ctx))
	defer stopMachinery()
	failed := make(chan error, 8)
	var wg sync.WaitGroup
	start := func(run func(context.Context) error) {
		wg.Go(func() {
			if err := run(machinery); err != nil && machinery.Err() == nil {
				failed <- err
			}
		})
	}
	if a.daemon != nil {
		start(a.daemon.Run)
	}
	start(a.keeper.Run)
	start(a.shipper.Run)
	start(a.volumes.Run)
	start(a.network.Run)
	start(a.serveMetadata)
	start(a.serveEndpoint)
	start(a.stats.Run)
	start(a.collectImages)

	life, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- a.live(life) }()
	var err error
	select {
	case err = <-ended:
	case err = <-failed:
		cancel()
		<-ended
	}
	if ctx.Err() != nil {
		err = nil
	}
	last, done := context.WithTimeout(context.WithoutCancel(ctx), clearPatience)
	defer done()
	if a.cfg.StopTasks {
		err = errors.Join(err, a.clear(last))
	}
	stopMachinery()
	wg.Wait()
	if a.cfg.StopTasks {
		err = errors.Join(err, a.network.Cleanup(last))
	}
	a.client.Close()
	return errors.Join(err, a.runtime.Close(), a.lock.Close())
}

// clearPatience bounds the removal of all containers and sandboxes of the node.
const clearPatience = 30 * time.Second

// live runs the engine and the tie to the control plane until ctx ends or the engine fails.
func (a *Agent) live(ctx context.Context) error {
	if err := a.runtime.Ready(ctx); err != nil {
		return fmt.Errorf("wait for containerd: %w", err)
	}
	if left, err := a.runtime.Leftovers(ctx); err == nil {
		a.killShims(orphans(left))
	}
	a.tidy(ctx)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	l := newLink(a)
	if err := a.runtime.EndExecs(ctx); err != nil {
		a.cfg.Log.Warn("end the sessions of an earlier agent", "err", err)
	}
	l.startEngine(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { _ = a.exec.Run(ctx) })
	wg.Go(func() { l.run(ctx) })
	var err error
	select {
	case err = <-l.failed:
	case <-ctx.Done():
		err = ctx.Err()
	}
	cancel()
	wg.Wait()
	l.stopEngine()
	return err
}

// forget removes all containers, sandboxes and assignments, and who the node was.
func (a *Agent) forget(ctx context.Context) error {
	err := a.clear(ctx)
	return errors.Join(err, os.RemoveAll(a.dir("engine")), removeIdentity(a.cfg.DataDir))
}

// clear removes every container and sandbox of the node, many at a time. A container that the engine was creating when it
// ended may come up in containerd after the first look, and its cgroup was made before it: clear looks until there are none.
func (a *Agent) clear(ctx context.Context) error {
	began := time.Now()
	for {
		err := a.clearOnce(ctx)
		left, lookErr := a.runtime.Leftovers(ctx)
		if err = errors.Join(err, lookErr); err == nil && len(left.Containers)+len(left.Shims)+len(left.Mounts)+len(left.Cgroups) == 0 {
			a.runtime.LeaveCgroup()
			return nil
		}
		if err == nil {
			err = a.runtime.Purge(ctx)
		}
		if lookErr == nil && len(left.Containers) == 0 && time.Since(began) > shimPatience {
			a.killShims(left.Shims)
		}
		select {
		case <-time.After(clearInterval):
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("remove everything: %d containers, %d shims and %d cgroups are left: %w",
				len(left.Containers), len(left.Shims), len(left.Cgroups), ctx.Err()), err)
		}
	}
}

const (
	clearInterval = 20 * time.Millisecond
	shimPatience  = time.Second // a shim ends by itself after its container
)

// killShims ends shims ("PID CMDLINE") that containerd has forgotten: it does so when a call that makes one is cut short.
func (a *Agent) killShims(shims []string) {
	for _, shim := range shims {
		number, _, _ := strings.Cut(shim, " ")
		if pid, err := strconv.Atoi(number); err == nil {
			a.cfg.Log.Warn("kill a shim without a container", "shim", shim, "err", syscall.Kill(pid, syscall.SIGKILL))
		}
	}
}

// orphans are the shims of containers that containerd does not have.
func orphans(left runtime.Leftovers) []string {
	return slices.DeleteFunc(left.Shims, func(shim string) bool {
		return slices.ContainsFunc(left.Containers, func(id string) bool { return strings.Contains(shim+" ", "-id "+id+" ") })
	})
}

func (a *Agent) clearOnce(ctx context.Context) error {
	containers, err := a.runtime.List(ctx)
	if err != nil {
		return fmt.Errorf("list containers: %w", err)
	}
	err = each(containers, func(c task.ContainerState) error { return a.runtime.Delete(ctx, c.ID) })
	sandboxes, listErr := a.network.List(ctx)
	if listErr != nil {
		return errors.Join(err, fmt.Errorf("list sandboxes: %w", listErr))
	}
	err = errors.Join(err, each(sandboxes, func(s task.Sandbox) error { return a.network.Release(ctx, s.TaskID, s.Container) }))
	users, listErr := a.volumes.List(ctx)
	return errors.Join(err, listErr, a.network.EndFaults(), each(users, func(id string) error { return a.volumes.Remove(ctx, id) }))
}

// each calls f for every item, 16 at a time.
func each[T any](items []T, f func(T) error) error {
	var wg sync.WaitGroup
	errs := make([]error, len(items))
	slots := make(chan struct{}, 16)
	for i, item := range items {
		slots <- struct{}{}
		wg.Go(func() { errs[i] = f(item); <-slots })
	}
	wg.Wait()
	return errors.Join(errs...)
}
