//go:build e2e

package runtime_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/roadstead/roadstead/agent/task"
)

// TestStartIsFoundAgain plays agents that are killed around Start: containerd calls the container created all the time.
func TestStartIsFoundAgain(t *testing.T) {
	e := newEnv(t)
	e.pull(t)
	spec := e.spec("gate", "echo ran; sleep 1000")
	must(t, e.rt.Create(within(t, time.Minute), spec))
	check := func(want string, pid uint32) {
		t.Helper()
		e.open(t) // another life, which remembers nothing
		if s := e.state(t, "gate"); s.Status != want || pid != 0 && s.PID != pid {
			t.Errorf("container is %+v, want %s as %d", s, want, pid)
		}
	}
	start := func() uint32 {
		t.Helper()
		pid, err := e.rt.Start(within(t, time.Minute), "gate")
		must(t, err)
		return pid
	}
	check(task.StatusCreated, 0)
	pid := start()
	check(task.StatusRunning, pid)
	if again := start(); again != pid {
		t.Errorf("two starts gave %d and %d", pid, again)
	}
	must(t, unix.Mkfifo(filepath.Join("/run/containerd/runc", e.cfg.Namespace, "gate", "exec.fifo"), 0o622)) // as if never removed
	check(task.StatusCreated, pid)
	if again := start(); again != pid {
		t.Errorf("two starts gave %d and %d", pid, again)
	}
	check(task.StatusRunning, pid)
	must(t, e.rt.Signal(within(t, time.Minute), "gate", "KILL"))
	if s := e.awaitStopped(t, "gate"); s.ExitCode != 137 {
		t.Errorf("exit %d", s.ExitCode)
	}
	if _, err := e.rt.Start(within(t, time.Minute), "gate"); err == nil {
		t.Error("a container that has run was started again")
	}
	must(t, e.rt.Delete(within(t, time.Minute), "gate"))
	if out := e.log(t, spec); out != "ran\n" {
		t.Errorf("output %q", out)
	}
	e.leftovers(t)
}

// TestStateOfALostContainer: runc may remember a container that containerd has forgotten, because its shim died.
func TestStateOfALostContainer(t *testing.T) {
	e := newEnv(t)
	e.pull(t)
	must(t, os.MkdirAll(filepath.Join("/run/containerd/runc", e.cfg.Namespace, "lost"), 0o711))
	spec := e.spec("lost", "echo ran")
	if code, out := e.output(t, spec); code != 0 || out != "ran\n" {
		t.Errorf("exit %d, output %q", code, out)
	}
	must(t, e.rt.Delete(within(t, time.Minute), "lost"))
	e.leftovers(t)
}
