//go:build e2e

package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/logs"
	"github.com/roadstead/roadstead/agent/task"
)

func TestLifeOfAContainer(t *testing.T) {
	e := newEnv(t)
	t.Run("exit code, both streams", func(t *testing.T) {
		spec := e.spec("life", "echo out; echo err >&2; exit 7")
		code, out := e.output(t, spec)
		if code != 7 || !strings.Contains(out, "out\n") || !strings.Contains(out, "err\n") {
			t.Errorf("exit %d, output %q", code, out)
		}
		must(t, e.rt.Delete(within(t, time.Minute), "life"))
	})
	t.Run("environment, directory, user, host name", func(t *testing.T) {
		spec := e.spec("env", "echo $FROM $BOTH $OWN; pwd; id -u; id -g; id -G; hostname; cat /etc/hosts; touch /x 2>&1")
		spec.Environment = map[string]string{"BOTH": "task", "OWN": "1"}
		spec.Config = acs.ContainerConfig{User: "app", WorkingDir: "/tmp", Hostname: "box"}
		spec.HostConfig = acs.HostConfig{ExtraHosts: []string{"db:10.1.2.3"}, ReadonlyRootfs: true}
		code, out := e.output(t, spec)
		for _, want := range []string{"image task 1\n/tmp\n1234\n2345\n", "3456", "box\n", "10.1.2.3\tdb\n", "Read-only file system"} {
			if !strings.Contains(out, want) {
				t.Errorf("no %q in %q", want, out)
			}
		}
		if code == 0 {
			t.Error("a read-only root file system was written")
		}
	})
	t.Run("limits", func(t *testing.T) {
		spec := e.spec("limits", "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/cpu/cpu.shares /sys/fs/cgroup/memory.max 2>/dev/null; ulimit -n; grep CapEff /proc/self/status; grep Seccomp: /proc/self/status; cut -d: -f3 /proc/self/cgroup | sort -u")
		spec.Container.Memory, spec.Container.CPU = 32, 256
		spec.Task = acs.Task{CPU: 0.5, Memory: 64}
		spec.HostConfig = acs.HostConfig{Ulimits: []acs.Ulimit{{Name: "nofile", Soft: 100, Hard: 200}}, CapDrop: []string{"ALL"}, CapAdd: []string{"CHOWN"}}
		_, out := e.output(t, spec)
		for _, want := range []string{"33554432\n", "100\n", "CapEff:\t0000000000000001\n", "Seccomp:\t2\n/\n"} {
			if !strings.Contains(out, want) {
				t.Errorf("no %q in %q", want, out)
			}
		}
	})
	t.Run("out of memory", func(t *testing.T) {
		spec := e.spec("oom", "head -c 200000000 /dev/zero | tr '\\0' x > /tmp/f; exec tail /dev/zero")
		spec.HostConfig.Tmpfs = map[string]string{"/tmp": ""}
		spec.Container.Memory = 16
		spec.Container.Command = []string{"/bin/busybox", "tail", "/dev/zero"}
		e.start(t, spec)
		if s := e.awaitStopped(t, "oom"); s.ExitCode != 137 || !s.OOMKilled {
			t.Errorf("exit %d, OOMKilled %v", s.ExitCode, s.OOMKilled)
		}
		must(t, e.rt.Delete(within(t, time.Minute), "oom"))
	})
	t.Run("stop signal of the image", func(t *testing.T) {
		e.push(t, "sig:1", v1.Config{Cmd: []string{"/bin/sh", "-c", "trap 'exit 3' USR1; while :; do sleep 0.05; done"}, StopSignal: "SIGUSR1"})
		spec := e.spec("signal", "")
		spec.Image, spec.Container.Command = e.image("sig:1"), nil
		_, err := e.rt.Pull(within(t, time.Minute), spec.Image, nil)
		must(t, err)
		must(t, e.rt.Create(within(t, time.Minute), spec))
		must(t, e.rt.Create(within(t, time.Minute), spec)) // again is nothing new
		if s := e.state(t, "signal"); s.Status != task.StatusCreated || s.PID == 0 {
			t.Errorf("created container is %+v", s)
		}
		first, err := e.rt.Start(within(t, time.Minute), "signal")
		must(t, err)
		again, err := e.rt.Start(within(t, time.Minute), "signal")
		must(t, err)
		if first != again {
			t.Errorf("two starts gave %d and %d", first, again)
		}
		eventually(t, 10*time.Second, func() bool { // the trap is not set at once
			must(t, e.rt.Signal(within(t, time.Minute), "signal", ""))
			return e.state(t, "signal").Status == task.StatusStopped
		})
		if s := e.state(t, "signal"); s.StartedAt.IsZero() || s.FinishedAt.Before(s.StartedAt) {
			t.Errorf("times %v and %v", s.StartedAt, s.FinishedAt)
		}
		must(t, e.rt.Signal(within(t, time.Minute), "signal", "SIGKILL"))
		must(t, e.rt.Delete(within(t, time.Minute), "signal"))
		must(t, e.rt.Signal(within(t, time.Minute), "signal", "SIGKILL"))
	})
	t.Run("removal of a running and of a created one", func(t *testing.T) {
		e.start(t, e.spec("running", "sleep 1000"))
		must(t, e.rt.Create(within(t, time.Minute), e.spec("created", "true")))
		must(t, e.rt.Delete(within(t, time.Minute), "running"))
		must(t, e.rt.Delete(within(t, time.Minute), "created"))
	})
	t.Run("long and odd names", func(t *testing.T) {
		spec := e.spec("0123456789abcdef0123456789abcdef-web__"+strings.Repeat("x", 200), "echo odd")
		if code, out := e.output(t, spec); code != 0 || out != "odd\n" {
			t.Errorf("exit %d, output %q", code, out)
		}
	})
	t.Run("what has run does not run again", func(t *testing.T) {
		spec := e.spec("again", "echo run; exit 1")
		e.start(t, spec)
		e.awaitStopped(t, "again")
		if _, err := e.rt.Start(within(t, time.Minute), "again"); err == nil {
			t.Error("it started again")
		}
		must(t, e.rt.Delete(within(t, time.Minute), "again"))
		if out := e.log(t, spec); out != "run\n" {
			t.Errorf("output %q", out)
		}
	})
	e.leftovers(t)
}

func TestFailuresHaveNames(t *testing.T) {
	e := newEnv(t)
	e.pull(t)
	check := func(err error, name, text string) {
		t.Helper()
		var f *task.Failure
		if !errors.As(err, &f) || f.Name != name || !strings.Contains(f.Reason(), text) {
			t.Errorf("%v; want %s ... %s", err, name, text)
		}
	}
	_, err := e.rt.Pull(within(t, time.Minute), e.image("nothing:1"), nil)
	check(err, "CannotPullContainerError", "manifest unknown")
	_, err = e.rt.Pull(within(t, time.Minute), "127.0.0.1:1/x:1", nil)
	check(err, "CannotPullContainerError", "connection refused")
	_, err = e.rt.Pull(within(t, time.Minute), "Not A Reference", nil)
	check(err, "CannotPullContainerError", "invalid reference format")
	spec := e.spec("nocmd", "")
	spec.Container.Command = []string{"/no/such/file"}
	err = e.rt.Create(within(t, time.Minute), spec)
	if err == nil { // where the command is looked up depends on runc's version
		_, err = e.rt.Start(within(t, time.Minute), "nocmd")
		check(err, "CannotStartContainerError", "no such file")
		must(t, e.rt.Delete(within(t, time.Minute), "nocmd"))
	} else {
		check(err, "CannotStartContainerError", "no such file")
	}
	spec = e.spec("noimage", "true")
	spec.Image = e.image("nothing:1")
	check(e.rt.Create(within(t, time.Minute), spec), "CannotCreateContainerError", "no such image")
	e.leftovers(t)
}

func TestPull(t *testing.T) {
	e := newEnv(t)
	first := e.push(t, "app:1", v1.Config{Cmd: []string{"/bin/echo", "one"}})
	digests := make([]string, 8)
	var wg sync.WaitGroup
	for i := range digests {
		wg.Go(func() {
			var err error
			if digests[i], err = e.rt.Pull(within(t, time.Minute), e.image("app:1"), nil); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, d := range digests {
		if d != first {
			t.Errorf("pulled %s, want %s", d, first)
		}
	}
	second := e.push(t, "app:1", v1.Config{Cmd: []string{"/bin/echo", "two"}})
	if d, err := e.rt.Pull(within(t, time.Minute), e.image("app:1"), nil); err != nil || d != second {
		t.Errorf("a moved tag pulled %s, %v; want %s", d, err, second)
	}
	for pinned, want := range map[string]string{first: "one\n", second: "two\n"} {
		spec := e.spec("pinned-"+strings.TrimSpace(want), "")
		spec.Image, spec.Container.Command = e.image("app@"+pinned), nil
		_, err := e.rt.Pull(within(t, time.Minute), spec.Image, nil)
		must(t, err)
		must(t, e.rt.Create(within(t, time.Minute), spec))
		_, err = e.rt.Start(within(t, time.Minute), spec.ID)
		must(t, err)
		e.awaitStopped(t, spec.ID)
		must(t, e.rt.Delete(within(t, time.Minute), spec.ID))
		eventually(t, 5*time.Second, func() bool { return e.log(t, spec) == want })
	}
}

func TestAgentAndContainerdGoAndCome(t *testing.T) {
	e := newEnv(t)
	spec := e.spec("steady", "i=0; while :; do echo $i; i=$((i+1)); sleep 0.01; done")
	spec.Labels = map[string]string{"com.amazonaws.ecs.task-arn": "arn:x"}
	pid := e.start(t, spec)
	e.start(t, e.spec("brief", "sleep 0.3; exit 5"))

	e.open(t) // a new agent
	if s := e.state(t, "steady"); s.PID != pid || s.Status != task.StatusRunning || s.Labels["com.amazonaws.ecs.task-arn"] != "arn:x" || s.TaskID != "task-steady" || s.Name != "main" {
		t.Errorf("adopted %+v", s)
	}
	ctx, cancel := context.WithCancel(context.Background())
	events := e.rt.Events(ctx)
	next := func() task.Event {
		select {
		case ev := <-events:
			return ev
		case <-time.After(20 * time.Second):
			t.Fatal("no event")
			return task.Event{}
		}
	}
	if ev := next(); !ev.Resync {
		t.Errorf("first event is %+v", ev)
	}
	if s := e.awaitStopped(t, "brief"); s.ExitCode != 5 {
		t.Errorf("exit while away: %+v", s)
	}
	must(t, e.rt.Signal(within(t, time.Minute), "steady", "SIGCONT"))
	e.start(t, e.spec("evented", "exit 9"))
	for ev := next(); ; ev = next() {
		if ev.ID == "evented" {
			if ev.ExitCode != 9 || ev.FinishedAt.IsZero() {
				t.Errorf("event %+v", ev)
			}
			break
		}
	}

	e.start(t, e.spec("orphan", "sleep 0.5; exit 6"))
	killed := e.daemon.PID()
	must(t, syscall.Kill(killed, syscall.SIGKILL))
	for ev := next(); !ev.Resync; ev = next() {
	}
	if e.daemon.PID() == killed || e.state(t, "steady").PID != pid {
		t.Error("containerd was not replaced under its containers")
	}
	if s := e.awaitStopped(t, "orphan"); s.ExitCode != 6 {
		t.Errorf("exit without containerd: %+v", s)
	}
	cancel()
	for range events {
	}
	must(t, e.rt.Delete(within(t, time.Minute), "steady"))
	checkCounting(t, e, spec)
	for _, id := range []string{"brief", "evented", "orphan"} {
		must(t, e.rt.Delete(within(t, time.Minute), id))
	}
	e.leftovers(t)
}

// checkCounting says that no line of a counting container was lost or came twice.
func checkCounting(t *testing.T, e *env, spec task.ContainerSpec) {
	t.Helper()
	want := 0
	for r, err := range logs.Read(context.Background(), spec.LogPath, logs.ReadOptions{}) {
		must(t, err)
		if r.Log != strconv.Itoa(want)+"\n" || r.Stream != logs.Stdout || time.Since(r.Time) > time.Hour {
			t.Fatalf("record %+v, want %d", r, want)
		}
		want++
	}
	if want < 20 {
		t.Errorf("only %d lines", want)
	}
}

func TestPortsAndSharedLocalhost(t *testing.T) {
	e := newEnv(t)
	n, tidy := newNetwork(t)
	defer tidy()
	ctx := within(t, time.Minute)
	spec := e.spec("web", "while :; do echo hi | nc -l -p 80; done")
	var err error
	spec.Sandbox, err = n.Setup(ctx, task.SandboxRequest{TaskID: spec.TaskID, Container: "main", Mode: "bridge", Ports: []acs.PortMapping{
		{ContainerPort: 80, HostPort: 28180}, {ContainerPort: 80},
	}})
	must(t, err)
	e.start(t, spec)
	for _, b := range spec.Sandbox.Bindings {
		eventually(t, 10*time.Second, func() bool {
			c, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", b.HostPort), time.Second)
			if err != nil {
				return false
			}
			defer c.Close()
			buf := make([]byte, 2)
			_, err = c.Read(buf)
			return err == nil && string(buf) == "hi"
		})
	}
	shared, err := n.Setup(ctx, task.SandboxRequest{TaskID: "vpc", Mode: "awsvpc"})
	must(t, err)
	server, asker := e.spec("vpc-server", "while :; do echo local | nc -l -p 81; done"), e.spec("vpc-asker", "while ! nc 127.0.0.1 81; do sleep 0.1; done; ip addr show eth0 | grep -c "+shared.IPv4)
	server.Sandbox, asker.Sandbox = shared, shared
	server.TaskID, asker.TaskID, server.Name, asker.Name = "vpc", "vpc", "server", "asker"
	e.start(t, server)
	if code, out := e.output(t, asker); code != 0 || out != "local\n1\n" {
		t.Errorf("exit %d, output %q", code, out)
	}
	for _, id := range []string{"web", "vpc-server"} {
		must(t, e.rt.Delete(ctx, id))
	}
	must(t, n.Release(ctx, spec.TaskID, "main"))
	must(t, n.Release(ctx, "vpc", ""))
	e.leftovers(t)
}

func TestFiftyAtOnce(t *testing.T) {
	e := newEnv(t)
	e.pull(t)
	n, tidy := newNetwork(t)
	defer tidy()
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			ctx := within(t, 2*time.Minute)
			id := fmt.Sprintf("many-%d", i)
			spec := e.spec(id, "echo "+id+"; sleep 1000")
			spec.TaskID = fmt.Sprintf("task-%d", i/2) // two containers a task
			spec.Name = strconv.Itoa(i % 2)
			spec.Task = acs.Task{CPU: 0.25, Memory: 128}
			var err error
			spec.Sandbox, err = n.Setup(ctx, task.SandboxRequest{TaskID: spec.TaskID, Container: spec.Name, Mode: "bridge", Ports: []acs.PortMapping{{ContainerPort: 80}}})
			if err == nil {
				err = e.rt.Create(ctx, spec)
			}
			if err == nil {
				_, err = e.rt.Start(ctx, id)
			}
			if err == nil {
				err = e.rt.Delete(ctx, id)
			}
			if err == nil {
				err = n.Release(ctx, spec.TaskID, spec.Name)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	e.leftovers(t)
}

func TestKeeperDies(t *testing.T) {
	e := newEnv(t)
	spec := e.spec("steady", "i=0; while :; do echo $i; i=$((i+1)); sleep 0.01; done")
	e.start(t, spec)
	eventually(t, 10*time.Second, func() bool { _, err := os.Stat(spec.LogPath); return err == nil && e.log(t, spec) != "" })
	pid := keeperPID(t, e)
	must(t, syscall.Kill(pid, syscall.SIGKILL))
	size := len(e.log(t, spec))
	eventually(t, 10*time.Second, func() bool { return len(e.log(t, spec)) > size+50 })
	must(t, e.rt.Delete(within(t, time.Minute), "steady"))
	checkCounting(t, e, spec)
}

func keeperPID(t *testing.T, e *env) int {
	t.Helper()
	procs, err := filepath.Glob("/proc/[0-9]*/cmdline")
	must(t, err)
	for _, p := range procs {
		if b, err := os.ReadFile(p); err == nil && strings.Contains(string(b), "log-keeper\x00"+e.daemon.Address()) {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(p)))
			must(t, err)
			return pid
		}
	}
	t.Fatal("no log keeper")
	return 0
}
