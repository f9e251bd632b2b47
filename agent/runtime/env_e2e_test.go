//go:build e2e

package runtime_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	ggcrtypes "github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/logs"
	"github.com/roadstead/roadstead/agent/runtime"
	"github.com/roadstead/roadstead/agent/task"
)

// TestMain doubles as the log keeper: the test binary stands in for roadstead's.
func TestMain(m *testing.M) {
	if len(os.Args) > 3 && os.Args[1] == "log-keeper" {
		if err := keep(os.Args[2], os.Args[3]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func keep(containerd, dir string) error {
	calls, err := runtime.NewWholeCalls(containerd)
	if err != nil {
		return err
	}
	return logs.Main(context.Background(), dir, logs.Service{Name: "whole", Serve: calls.Serve, Busy: calls.Busy})
}

// env is one private containerd with a log keeper, a registry and a Runtime on it.
type env struct {
	dir      string
	run      string // on tmpfs, as /run is
	daemon   *runtime.Daemon
	keeper   *logs.Keeper
	registry string // host:port
	rt       *runtime.Runtime
	cfg      runtime.Config
}

func newEnv(tb testing.TB) *env {
	tb.Helper()
	if os.Geteuid() != 0 {
		tb.Skip("needs root")
	}
	dir, err := os.MkdirTemp("/tmp", "rse2e") // short: a socket's path must fit
	must(tb, err)
	run, err := os.MkdirTemp("/dev/shm", "rse2e")
	must(tb, err)
	must(tb, errors.Join(os.Chmod(dir, 0o711), os.Chmod(run, 0o711))) //nolint:gosec // users of namespaces pass through
	e := &env{dir: dir, run: run}
	logger := slog.New(slog.NewTextHandler(tb.Output(), nil))
	e.daemon, err = runtime.NewDaemon(runtime.DaemonConfig{Dir: filepath.Join(dir, "cd"), Logger: logger})
	must(tb, err)
	e.keeper, err = logs.NewKeeper(logs.KeeperConfig{
		Dir: filepath.Join(run, "keeper"), Command: []string{os.Args[0], "log-keeper", e.daemon.Address()}, Logger: logger,
	})
	must(tb, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	go func() { ended <- e.daemon.Run(ctx) }()
	go func() { ended <- e.keeper.Run(ctx) }()
	server := httptest.NewServer(registry.New(registry.Logger(slog.NewLogLogger(slog.DiscardHandler, 0))))
	e.registry = strings.TrimPrefix(server.URL, "http://")
	e.cfg = runtime.Config{
		Address: e.daemon.Address(), Namespace: "e2e", Dir: filepath.Join(run, "rt"), Cgroup: "/rse2e",
		OpenLog: e.keeper.Open, CloseLog: e.keeper.Close, Whole: e.keeper.Dial("whole"), Logger: logger,
	}
	tb.Cleanup(func() {
		must(tb, e.rt.Purge(within(tb, 30*time.Second)))
		e.rt.Close()
		cancel()
		for range 2 {
			must(tb, <-ended)
		}
		server.Close()
		must(tb, os.RemoveAll(dir))
		must(tb, os.RemoveAll(run))
	})
	e.open(tb)
	must(tb, e.rt.Ready(within(tb, 20*time.Second)))
	e.push(tb, "bb:1", v1.Config{Cmd: []string{"/bin/busybox", "sh"}, Env: []string{"FROM=image", "BOTH=image"}})
	return e
}

func (e *env) open(tb testing.TB) {
	tb.Helper()
	var err error
	if e.rt != nil {
		e.rt.Close()
	}
	e.rt, err = runtime.New(e.cfg)
	must(tb, err)
}

func (e *env) image(tag string) string { return e.registry + "/" + tag }

// push makes an image of busybox with applets linked, and returns its digest.
func (e *env) push(tb testing.TB, tag string, config v1.Config) string {
	tb.Helper()
	img, err := mutate.AppendLayers(empty.Image, static.NewLayer(busyboxLayer(tb), ggcrtypes.DockerLayer))
	must(tb, err)
	img, err = mutate.ConfigFile(img, withConfig(tb, img, config))
	must(tb, err)
	ref, err := name.ParseReference(e.image(tag), name.Insecure)
	must(tb, err)
	must(tb, remote.Write(ref, img))
	d, err := img.Digest()
	must(tb, err)
	return d.String()
}

func withConfig(tb testing.TB, img v1.Image, config v1.Config) *v1.ConfigFile {
	f, err := img.ConfigFile()
	must(tb, err)
	f = f.DeepCopy()
	f.OS, f.Architecture, f.Config = "linux", "amd64", config
	return f
}

func busyboxLayer(tb testing.TB) []byte {
	body, err := os.ReadFile("/bin/busybox")
	must(tb, err)
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	add := func(h *tar.Header, data []byte) {
		h.Size = int64(len(data))
		must(tb, w.WriteHeader(h))
		_, err := w.Write(data)
		must(tb, err)
	}
	for _, d := range []string{"bin/", "etc/", "tmp/", "home/"} {
		add(&tar.Header{Name: d, Typeflag: tar.TypeDir, Mode: 0o755}, nil)
	}
	add(&tar.Header{Name: "home/app/", Typeflag: tar.TypeDir, Mode: 0o750, Uid: 1234, Gid: 2345}, nil)
	add(&tar.Header{Name: "home/app/notes", Typeflag: tar.TypeReg, Mode: 0o640, Uid: 1234, Gid: 2345}, []byte("from the image\n"))
	add(&tar.Header{Name: "bin/busybox", Typeflag: tar.TypeReg, Mode: 0o755}, body)
	for _, a := range []string{"sh", "sleep", "cat", "echo", "id", "true", "false", "nc", "httpd", "wget", "hostname", "ulimit", "head", "tr", "kill", "ls", "touch", "ip", "grep", "cut", "sort", "df", "tail", "unshare", "ps", "stat", "wc", "mkdir", "rm", "mount"} {
		add(&tar.Header{Name: "bin/" + a, Typeflag: tar.TypeSymlink, Linkname: "busybox", Mode: 0o777}, nil)
	}
	add(&tar.Header{Name: "etc/passwd", Typeflag: tar.TypeReg, Mode: 0o644}, []byte("root:x:0:0::/root:/bin/sh\napp:x:1234:2345::/home:/bin/sh\n"))
	add(&tar.Header{Name: "etc/group", Typeflag: tar.TypeReg, Mode: 0o644}, []byte("root:x:0:\napp:x:2345:\nextra:x:3456:app\n"))
	must(tb, w.Close())
	return b.Bytes()
}

// spec is a container running a shell script, in the node's network.
func (e *env) spec(id, script string) task.ContainerSpec {
	return task.ContainerSpec{
		ID: id, TaskID: "task-" + id, Name: "main", Image: e.image("bb:1"),
		Container: acs.Container{Name: "main", Command: []string{"/bin/sh", "-c", script}},
		Sandbox:   task.Sandbox{Mode: "none"},
		LogPath:   filepath.Join(e.dir, "logs", id+".log"),
	}
}

func (e *env) pull(tb testing.TB) {
	tb.Helper()
	_, err := e.rt.Pull(within(tb, time.Minute), e.image("bb:1"), nil)
	must(tb, err)
}

// start pulls, creates and starts.
func (e *env) start(tb testing.TB, spec task.ContainerSpec) uint32 {
	tb.Helper()
	e.pull(tb)
	must(tb, e.rt.Create(within(tb, time.Minute), spec))
	pid, err := e.rt.Start(within(tb, time.Minute), spec.ID)
	must(tb, err)
	return pid
}

func (e *env) state(tb testing.TB, id string) task.ContainerState {
	tb.Helper()
	all, err := e.rt.List(within(tb, 20*time.Second))
	must(tb, err)
	for _, s := range all {
		if s.ID == id {
			return s
		}
	}
	return task.ContainerState{}
}

func (e *env) awaitStopped(tb testing.TB, id string) task.ContainerState {
	tb.Helper()
	var s task.ContainerState
	eventually(tb, 20*time.Second, func() bool { s = e.state(tb, id); return s.Status == task.StatusStopped })
	return s
}

// output runs a script to its end and returns its exit code and what it wrote.
func (e *env) output(tb testing.TB, spec task.ContainerSpec) (int32, string) {
	tb.Helper()
	e.start(tb, spec)
	s := e.awaitStopped(tb, spec.ID)
	must(tb, e.rt.Delete(within(tb, time.Minute), spec.ID))
	return s.ExitCode, e.log(tb, spec)
}

func (e *env) log(tb testing.TB, spec task.ContainerSpec) string {
	tb.Helper()
	var b strings.Builder
	for r, err := range logs.Read(context.Background(), spec.LogPath, logs.ReadOptions{}) {
		must(tb, err)
		b.WriteString(r.Log)
	}
	return b.String()
}

func (e *env) leftovers(tb testing.TB) {
	tb.Helper()
	l, err := e.rt.Leftovers(within(tb, 20*time.Second))
	must(tb, err)
	if !l.Empty() {
		tb.Errorf("left over: %+v", l)
	}
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func within(tb testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	tb.Cleanup(cancel)
	return ctx
}

func eventually(tb testing.TB, d time.Duration, ok func() bool) {
	tb.Helper()
	deadline, tick := time.After(d), time.NewTicker(10*time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			tb.Fatalf("not within %v", d)
		case <-tick.C:
		}
	}
}
