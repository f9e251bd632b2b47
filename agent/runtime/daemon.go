package runtime

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/containerd/containerd/v2/pkg/namespaces"
	"golang.org/x/sys/unix"
)

// DaemonConfig describes a private containerd.
type DaemonConfig struct {
	Dir       string // root, state, socket, pid and log of containerd; its images live here
	Binary    string // default "containerd" in PATH
	KeepTasks bool   // at the end leave containers running under their shims, for the next Daemon of Dir
	Logger    *slog.Logger
}

// Daemon runs a containerd of our own as a child, without CRI, and keeps it alive.
type Daemon struct {
	cfg     DaemonConfig
	address string
	pid     atomic.Int64
}

// NewDaemon writes the configuration; Run starts the process. Dir must leave room for a socket path (107 bytes).
func NewDaemon(cfg DaemonConfig) (*Daemon, error) {
	if cfg.Binary == "" {
		cfg.Binary = "containerd"
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("find containerd directory: %w", err)
	}
	cfg.Dir = dir
	d := &Daemon{cfg: cfg, address: filepath.Join(dir, "containerd.sock")}
	if len(d.address)+len(".ttrpc") > 107 {
		return nil, fmt.Errorf("path of containerd's socket is too long: %s", d.address)
	}
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return nil, fmt.Errorf("make containerd directory: %w", err)
	}
	config, name := daemonConfig(dir, d.address), d.file("config.toml")
	if old, err := os.ReadFile(name); err == nil && string(old) == config {
		return d, nil // on a full disk it would be lost by being written
	}
	if err := os.WriteFile(name, []byte(config), 0o600); err != nil {
		return nil, fmt.Errorf("write containerd configuration: %w", err)
	}
	return d, nil
}

// daemonConfig is version 2, which containerd 1.6 to 2.x read.
func daemonConfig(dir, address string) string {
	return fmt.Sprintf(`version = 2
root = %q
state = %q
temp = %q
disabled_plugins = [
  "io.containerd.grpc.v1.cri", "io.containerd.internal.v1.tracing", "io.containerd.tracing.processor.v1.otlp",
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs", "io.containerd.nri.v1.nri",
]
[grpc]
  address = %q
[ttrpc]
  address = %q
[debug]
  level = "warn"
[plugins."io.containerd.internal.v1.opt"]
  path = %q
`, filepath.Join(dir, "root"), filepath.Join(dir, "state"), filepath.Join(dir, "tmp"), address, address+".ttrpc", filepath.Join(dir, "opt"))
}

// Address is the socket's path.
func (d *Daemon) Address() string { return d.address }

// PID is the process that runs now, 0 for none.
func (d *Daemon) PID() int { return int(d.pid.Load()) }

func (d *Daemon) file(name string) string { return filepath.Join(d.cfg.Dir, name) }

// Ready waits until containerd answers.
func (d *Daemon) Ready(ctx context.Context) error {
	c, err := connect(d.address, "roadstead")
	if err != nil {
		return err
	}
	defer c.Close()
	return awaitServing(ctx, c)
}

// Run keeps containerd alive until ctx ends: it adopts one that an earlier process left, or starts one, and starts
// another when that dies. At the end it stops containerd, after removing every container unless KeepTasks.
func (d *Daemon) Run(ctx context.Context) error {
	for wait := time.Duration(0); ; {
		began := time.Now()
		died, err := d.adoptOrStart()
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return d.stop(context.WithoutCancel(ctx), died)
		case err = <-died:
		}
		d.pid.Store(0)
		if wait = min(2*wait+20*time.Millisecond, 2*time.Second); time.Since(began) > 10*time.Second {
			wait = 0
		}
		d.cfg.Logger.Warn("containerd ended, starting it again", "err", err, "wait", wait)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// adoptOrStart returns a channel that says when the process is gone.
func (d *Daemon) adoptOrStart() (<-chan error, error) {
	died := make(chan error, 1)
	if fd, pid := d.living(); fd >= 0 {
		d.pid.Store(int64(pid))
		go func() { // ends with the process
			defer unix.Close(fd)
			died <- awaitExit(fd)
		}()
		return died, nil
	}
	out, err := os.OpenFile(d.file("containerd.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open containerd's log: %w", err)
	}
	defer out.Close()
	cmd := exec.Command(d.cfg.Binary, "--config", d.file("config.toml"))
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // signals for the agent's group are not for it
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start containerd: %w", err)
	}
	d.pid.Store(int64(cmd.Process.Pid))
	if err := os.WriteFile(d.file("containerd.pid"), []byte(strconv.Itoa(cmd.Process.Pid)), 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("remember containerd's pid: %w", err), cmd.Process.Kill(), cmd.Wait())
	}
	go func() { died <- cmd.Wait() }() // ends with the process
	return died, nil
}

// living finds the containerd that an earlier process started in this directory: the pid file's, if that process
// was given our configuration. The descriptor keeps the pid from being reused meanwhile.
func (d *Daemon) living() (fd, pid int) {
	b, err := os.ReadFile(d.file("containerd.pid"))
	if err != nil {
		return -1, 0
	}
	pid, err = strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return -1, 0
	}
	fd, err = unix.PidfdOpen(pid, 0)
	if err != nil {
		return -1, 0
	}
	cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil || !strings.Contains(string(cmdline), d.file("config.toml")) || unix.PidfdSendSignal(fd, 0, nil, 0) != nil {
		unix.Close(fd)
		return -1, 0
	}
	return fd, pid
}

func awaitExit(fd int) error {
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1)
		if n > 0 {
			return nil
		}
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("wait for containerd: %w", err)
		}
	}
}

func (d *Daemon) stop(ctx context.Context, died <-chan error) error {
	var err error
	if !d.cfg.KeepTasks {
		purge, cancel := context.WithTimeout(ctx, 30*time.Second)
		err = d.purge(purge)
		cancel()
	}
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		if kerr := syscall.Kill(d.PID(), s); kerr != nil && !errors.Is(kerr, syscall.ESRCH) {
			return errors.Join(err, fmt.Errorf("stop containerd: %w", kerr))
		}
		select {
		case <-died:
			d.pid.Store(0)
			return errors.Join(err, os.Remove(d.file("containerd.pid")))
		case <-time.After(10 * time.Second):
		}
	}
	return errors.Join(err, errors.New("containerd does not stop"))
}

// purge removes every container of every namespace: containerd is ours alone.
func (d *Daemon) purge(ctx context.Context) error {
	c, err := connect(d.address, "roadstead")
	if err != nil {
		return err
	}
	defer c.Close()
	all, err := c.NamespaceService().List(ctx)
	if err != nil {
		return fmt.Errorf("list namespaces: %w", err)
	}
	var errs []error
	for _, ns := range all {
		r, err := New(Config{Address: d.address, Namespace: ns, Dir: d.cfg.Dir})
		if err != nil {
			return err
		}
		errs = append(errs, r.purge(namespaces.WithNamespace(ctx, ns)), r.Close())
	}
	return errors.Join(errs...)
}
