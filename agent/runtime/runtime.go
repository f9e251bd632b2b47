// Package runtime keeps a node's containers on containerd: it pulls images, makes, starts, signals and removes
// containers, reports their exits, and can run a private containerd as a child (Daemon).
//
// It must not know where tasks come from, how networks are made (it gets a namespace's path) or what becomes of
// exits. Its memory is containerd's own: what it needs later is in the labels of the containers.
package runtime

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"sync"
	"time"

	tasksapi "github.com/containerd/containerd/api/services/tasks/v1"
	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/containers"
	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"google.golang.org/grpc"

	"github.com/roadstead/roadstead/acs"
)

// Pull behaviours (ECS_IMAGE_PULL_BEHAVIOR). The zero value is the default.
const (
	PullDefault      = "default"       // ask the registry, fall back to the cached image
	PullAlways       = "always"        // ask the registry, fail with it
	PullOnce         = "once"          // ask only if the node has never pulled it
	PullPreferCached = "prefer-cached" // ask only if the image is not here
)

// Config is what a Runtime is made of.
type Config struct {
	Address     string              // containerd's socket
	Namespace   string              // containerd namespace of this node alone; default "roadstead"
	Dir         string              // fifos, hosts files and start marks of containers; on disk, so that what ran before a power cut is not taken for new
	Cgroup      string              // parent of all tasks' cgroups; default "/roadstead"
	Snapshotter string              // default "overlayfs"
	GPUs        map[string][]string // device files by id
	// OCIRuntime is what runs containers, as containerd calls it: "io.containerd.runsc.v1"; default runc.
	OCIRuntime string
	PidsLimit  int64 // processes of one container; 0 = 32768, -1 = no limit

	DNS       []string // name servers of containers that ask for none; default: the node's own
	DNSSearch []string

	PullBehavior string
	// Credentials answers for one registry host; auth is the container's registryAuthentication or nil. Empty
	// user and password mean: ask anonymously. nil Credentials: always anonymously.
	Credentials func(ctx context.Context, host string, auth *acs.RegistryAuth) (user, password string, err error)
	// Endpoint says where a registry host is really served, nil for the host itself (https; http if it is a
	// loopback address).
	Endpoint func(host string) *url.URL

	// OpenLog has somebody read the fifos of a container into a file (logs.Keeper.Open), CloseLog waits until all is
	// there (logs.Keeper.Close). Without OpenLog both streams go raw into the file.
	OpenLog  func(ctx context.Context, id, stdin, stdout, stderr, path string) error
	CloseLog func(ctx context.Context, id string) error

	// Whole connects to a process that serves WholeCalls; without it a kill of this process can cut a Create short.
	Whole func(ctx context.Context) (net.Conn, error)

	Logger *slog.Logger // default slog.Default()

	// Reached, if not nil, is told where a Create, Start or Delete is: "create.recorded", "create.made", "start.marked",
	// "start.released", "delete.task", "delete.snapshot", "delete.directory", "delete.cgroup". Tests kill the process there.
	Reached func(point string)
}

// initName is the program that a container with initProcessEnabled starts with, and that holds the namespaces that the
// containers of a task share. It is Debian's, as containerd and runc are: static, 100 KiB of memory, and it does both. Our own
// binary would take 35 MiB in each container.
const initName = "catatonit"

// Runtime implements task.Runtime. Close it at the end; containers stay.
type Runtime struct {
	cfg    Config
	client *client.Client
	http   *http.Client
	cgroup cgroups

	apparmor string // the default profile, "" without AppArmor
	init     string // path of initName, "" if the node has none

	containers containers.Store
	snapshots  snapshots.Snapshotter
	tasks      tasksapi.TasksClient
	whole      *grpc.ClientConn // to WholeCalls; nil without

	images imageCache
	pulls  pullGroup

	progress progress
	// pulling is held for reading while an image is pulled, and for writing while one is removed.
	pulling sync.RWMutex

	seeding   sync.Mutex // volumes are filled one at a time
	remapping sync.Mutex // an image's owners are changed once
	sweeping  sync.Mutex // directories of forgotten snapshots are removed one at a time
	holding   sync.Mutex // holders are made and removed one at a time

	mu     sync.Mutex
	known  map[string]identity // by containerd's id; guarded by mu
	making map[string]int      // Creates under way, by the task's cgroup; guarded by mu
}

// New connects lazily: containerd need not be up yet, and may go and come again.
func New(cfg Config) (*Runtime, error) {
	if cfg.Namespace == "" {
		cfg.Namespace = "roadstead"
	}
	if cfg.Cgroup == "" {
		cfg.Cgroup = "/roadstead"
	}
	if cfg.Snapshotter == "" {
		cfg.Snapshotter = "overlayfs"
	}
	if cfg.OCIRuntime == "" {
		cfg.OCIRuntime = runcShim
	}
	if cfg.PidsLimit == 0 {
		cfg.PidsLimit = 32768
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Reached == nil {
		cfg.Reached = func(string) {}
	}
	if cfg.Address == "" || cfg.Dir == "" {
		return nil, errors.New("runtime needs an address and a directory")
	}
	tree, err := findCgroups()
	if err != nil {
		return nil, err
	}
	profile, err := loadProfile()
	if err != nil {
		cfg.Logger.Warn("containers run without an AppArmor profile", "err", err)
	}
	initProgram, _ := exec.LookPath(initName)
	c, err := connect(cfg.Address, cfg.Namespace)
	if err != nil {
		return nil, err
	}
	whole, err := cfg.wholeCalls()
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	return &Runtime{
		cfg: cfg, client: c, cgroup: tree, apparmor: profile, init: initProgram,
		http:       &http.Client{Transport: transport},
		containers: c.ContainerService(),
		snapshots:  c.SnapshotService(cfg.Snapshotter),
		tasks:      c.TaskService(),
		whole:      whole,
		known:      map[string]identity{},
		making:     map[string]int{},
	}, nil
}

// connect keeps the pauses between attempts short: containerd on the same machine is back within a second.
func connect(address, namespace string) (*client.Client, error) {
	c, err := client.New(address, client.WithDefaultNamespace(namespace), client.WithTimeout(500*time.Millisecond))
	if err != nil {
		return nil, fmt.Errorf("connect to containerd at %s: %w", address, err)
	}
	return c, nil
}

// Ready waits until containerd answers.
func (r *Runtime) Ready(ctx context.Context) error { return awaitServing(ctx, r.client) }

func awaitServing(ctx context.Context, c *client.Client) error {
	for {
		probe, cancel := context.WithTimeout(ctx, 2*time.Second)
		_, err := c.Version(probe)
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for containerd: %w", errors.Join(ctx.Err(), err))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Close ends the connections. Containers keep running.
func (r *Runtime) Close() error {
	r.http.CloseIdleConnections()
	if r.whole != nil {
		return errors.Join(r.whole.Close(), r.client.Close())
	}
	return r.client.Close()
}

// Snapshotter is what keeps containers' file systems.
func (r *Runtime) Snapshotter() string { return r.cfg.Snapshotter }

// in puts our containerd namespace on ctx.
func (r *Runtime) in(ctx context.Context) context.Context {
	return namespaces.WithNamespace(ctx, r.cfg.Namespace)
}
