package agent

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/roadstead/roadstead/agent/network"
	"github.com/roadstead/roadstead/agent/runtime"
	"github.com/roadstead/roadstead/agent/task"
	"github.com/roadstead/roadstead/agent/volumes"
)

// DoctorConfig says which node is looked at.
type DoctorConfig struct {
	DataDir string // of the agent
	Repair  bool   // remove what belongs to no task
	Log     *slog.Logger
}

// Diagnosis is what the doctor found on a node.
type Diagnosis struct {
	Node    string
	Running bool // an agent works there now
	Tasks   int  // that the node has assignments of, ended ones included until they are cleaned up
	Leaks   []Leak
	Left    []Leak // after Repair
}

// Leak is something that the node has on its machine and no task explains.
type Leak struct {
	Kind string // container, snapshot, shim, mount, cgroup, directory, namespace, link, address, fault, sandbox, volume
	Name string
}

// site is what a node is known by, kept for the doctor.
type site struct {
	Name       string `json:"name"`
	Subnet     string `json:"subnet"`
	Containerd string `json:"containerd,omitempty"` // of somebody else
}

const (
	siteFile = "node.json"
	lockFile = "agent.lock"
)

// wherever is the data directory without symbolic links, and from the root: the names that the kernel has for mounts and processes are
// compared with it.
func wherever(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err == nil {
		abs, err = filepath.EvalSymlinks(abs)
	}
	if err != nil {
		return "", fmt.Errorf("find data directory: %w", err)
	}
	return abs, nil
}

// lockNode keeps a second agent, and a doctor that would believe that there is none, out of the directory.
func lockNode(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock data directory: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, errBusy
	}
	return f, nil
}

var errBusy = errors.New("another agent works in this data directory: choose another with --data-dir")

// Doctor looks at a node, whether its agent runs or not, and repairs it if that is wanted.
func Doctor(ctx context.Context, cfg DoctorConfig) (Diagnosis, error) {
	var d Diagnosis
	b, err := os.ReadFile(filepath.Join(cfg.DataDir, siteFile))
	if errors.Is(err, fs.ErrNotExist) {
		return d, fmt.Errorf("no agent has worked in %s: say where one did with --data-dir (that of `roadstead dev` is DIR/node)", cfg.DataDir)
	}
	var s site
	if err == nil {
		err = json.Unmarshal(b, &s)
	}
	if err != nil {
		return d, fmt.Errorf("read %s: %w", siteFile, err)
	}
	if cfg.DataDir, err = wherever(cfg.DataDir); err != nil {
		return d, err
	}
	lock, err := lockNode(cfg.DataDir)
	if err != nil && !errors.Is(err, errBusy) {
		return d, err
	}
	if lock != nil {
		defer lock.Close()
	}
	d.Node, d.Running = s.Name, lock == nil
	w, closeWard, err := openWard(ctx, cfg, s, lock != nil)
	if err != nil {
		return d, err
	}
	defer closeWard()
	found, err := w.look(ctx)
	if err != nil {
		return d, err
	}
	d.Tasks, d.Leaks = len(found.tasks), found.leaks()
	if !cfg.Repair || len(d.Leaks) == 0 {
		return d, nil
	}
	if d.Running {
		found.network.Sandboxes = nil // the agent knows of them, and releases them itself
	}
	err = w.repair(ctx, found)
	again, lookErr := w.look(ctx)
	d.Left = again.leaks()
	return d, errors.Join(err, lookErr)
}

// ward is a node as the doctor sees it.
type ward struct {
	engine  string // directory
	runtime *runtime.Runtime
	volumes *volumes.Volumes
	network network.Config
}

// dialPatience is how long a containerd that runs may take to answer.
const dialPatience = 3 * time.Second

// openWard opens what the node works with. A private containerd that does not run, as its agent does not, is started for the time:
// it alone knows the containers.
func openWard(ctx context.Context, cfg DoctorConfig, s site, idle bool) (*ward, func(), error) {
	subnet, err := netip.ParsePrefix(s.Subnet)
	if err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", siteFile, err)
	}
	dir := func(name string) string { return filepath.Join(cfg.DataDir, name) }
	w := &ward{engine: dir("engine"), network: network.Config{Dir: dir("network"), Bridge: "rs-" + s.Name, Subnet: subnet}}
	daemon, err := runtime.NewDaemon(runtime.DaemonConfig{Dir: dir("containerd"), KeepTasks: true, Logger: cfg.Log})
	if err != nil {
		return nil, nil, err
	}
	w.runtime, err = runtime.New(runtime.Config{
		Address: cmp.Or(s.Containerd, daemon.Address()), Namespace: "roadstead-" + s.Name, Dir: dir("runtime"), Cgroup: "/roadstead/" + s.Name, Logger: cfg.Log,
	})
	if err != nil {
		return nil, nil, err
	}
	if w.volumes, err = volumes.New(volumes.Config{Dir: dir("volumes")}); err != nil {
		return nil, nil, err
	}
	end := func() {}
	probe, cancel := context.WithTimeout(ctx, dialPatience)
	err = w.runtime.Ready(probe)
	cancel()
	if err != nil && idle && s.Containerd == "" {
		life, stop := context.WithCancel(context.WithoutCancel(ctx))
		ended := make(chan error, 1)
		go func() { ended <- daemon.Run(life) }()
		end = func() { stop(); <-ended }
		err = w.runtime.Ready(ctx)
	}
	closeAll := func() { w.runtime.Close(); end() }
	if err != nil {
		closeAll()
		return nil, nil, fmt.Errorf("look at containers: %w", err)
	}
	return w, closeAll, nil
}

// found is what a look at a node saw that no task explains.
type found struct {
	tasks   map[string][]string // that the node has
	runtime runtime.Leftovers
	network network.Foreign
	dirs    []string // of volumes and logs
	users   []string // tasks that volumes are noted for
}

// look sees the machine first and reads the tasks then: what is being made meanwhile belongs to one of them.
func (w *ward) look(ctx context.Context) (f found, err error) {
	left, err := w.runtime.Leftovers(ctx)
	if err != nil {
		return f, err
	}
	users, err := w.volumes.List(ctx)
	if err != nil {
		return f, err
	}
	f.network, err = network.FindForeign(w.network, func() (tasks map[string][]string, err error) {
		f.tasks, err = task.Known(w.engine)
		return f.tasks, err
	})
	if err != nil {
		return f, err
	}
	f.runtime = w.runtime.Foreign(left, f.tasks)
	f.users = slices.DeleteFunc(users, func(id string) bool { _, ok := f.tasks[id]; return ok })
	f.dirs, err = task.Stray(w.engine, f.tasks)
	return f, err
}

// leaks lists it, in the order in which it depends on each other.
func (f *found) leaks() []Leak {
	var out []Leak
	for _, group := range []struct {
		kind  string
		names []string
	}{
		{"container", f.runtime.Containers}, {"shim", f.runtime.Shims}, {"directory", f.runtime.Files}, {"mount", f.runtime.Mounts},
		{"snapshot", f.runtime.Snapshots}, {"cgroup", f.runtime.Cgroups}, {"sandbox", f.network.Sandboxes}, {"namespace", f.network.Namespaces},
		{"link", f.network.Links}, {"address", f.network.Addresses}, {"fault", f.network.Faults}, {"volume", f.users}, {"directory", f.dirs},
	} {
		for _, name := range group.names {
			out = append(out, Leak{group.kind, name})
		}
	}
	return out
}

// repair removes it.
func (w *ward) repair(ctx context.Context, f found) error {
	errs := []error{w.runtime.Remove(ctx, f.runtime), network.RemoveForeign(w.network, f.network)}
	for _, id := range f.users {
		errs = append(errs, w.volumes.Remove(ctx, id))
	}
	for _, dir := range f.dirs {
		errs = append(errs, os.RemoveAll(dir))
	}
	return errors.Join(errs...)
}

// tidy removes what an earlier agent of the node left, before this one begins. Sandboxes are the engine's to release. What cannot be
// removed is in nobody's way.
func (a *Agent) tidy(ctx context.Context) {
	netConfig, err := a.networkConfig()
	if err != nil {
		return // New has seen it
	}
	w := &ward{engine: a.dir("engine"), runtime: a.runtime, volumes: a.volumes, network: netConfig}
	f, err := w.look(ctx)
	f.network.Sandboxes = nil
	if err == nil && len(f.leaks()) > 0 {
		a.cfg.Log.Warn("remove what belongs to no task", "leaks", fmt.Sprint(f.leaks()))
		err = w.repair(ctx, f)
	}
	if err != nil && ctx.Err() == nil {
		a.cfg.Log.Warn("look for what belongs to no task", "err", err)
	}
}
