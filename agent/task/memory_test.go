package task_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/task"
)

// [I] A full disk refuses the payload, with nothing half-written; when there is room again it is taken.
func TestDiskFull(t *testing.T) {
	for _, op := range []string{"write", "sync"} {
		t.Run(op, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *site) {
				var full atomic.Bool
				s.fault = func(o string) error {
					if full.Load() && o == op {
						return syscall.ENOSPC
					}
					return nil
				}
				l := s.start(nil)
				s.accept(l, run("t1", app("app")))
				settle()
				full.Store(true)
				err := l.Accept(t.Context(), []acs.Task{run("t2", app("app")), stop("t1")})
				if !errors.Is(err, syscall.ENOSPC) {
					t.Fatal(err)
				}
				settle()
				s.want("tasks", len(l.List()), 1)
				s.want("t1", s.plane.last("t1").Status, task.StatusRunning)
				s.end(l)
				full.Store(false)
				l = s.start(nil)
				settle()
				s.want("tasks after a restart", len(l.List()), 1)
				s.accept(l, run("t2", app("app")), stop("t1"))
				settle()
				s.want("t1", s.plane.last("t1").Status, task.StatusStopped)
				s.want("t2", s.plane.last("t2").Status, task.StatusRunning)
				s.end(l)
			})
		})
	}
}

// [I] An agent that starts on a full disk goes on with its tasks, and takes more when there is room.
func TestStartOnAFullDisk(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		var full atomic.Bool
		s.fault = func(o string) error {
			if full.Load() && o == "rename" {
				return syscall.ENOSPC
			}
			return nil
		}
		l := s.start(nil)
		s.accept(l, run("t1", app("app")))
		settle()
		s.end(l)
		full.Store(true)
		l = s.start(nil)
		settle()
		s.want("t1", s.plane.last("t1").Status, task.StatusRunning)
		if err := l.Accept(t.Context(), []acs.Task{run("t2", app("app"))}); !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
		s.end(l)
		l = s.start(nil)
		full.Store(false)
		s.accept(l, run("t2", app("app")), stop("t1"))
		settle()
		s.want("t1", s.plane.last("t1").Status, task.StatusStopped)
		s.want("t2", s.plane.last("t2").Status, task.StatusRunning)
		s.end(l)
	})
}

// [I] While the disk is full, the STOPPED of a task waits: it is told when it can be remembered.
func TestStoppedIsRememberedBeforeItIsTold(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		var full atomic.Bool
		s.fault = func(op string) error {
			if full.Load() && op == "write" {
				return syscall.ENOSPC
			}
			return nil
		}
		l := s.start(nil)
		s.accept(l, run("t1", app("app")))
		settle()
		full.Store(true)
		s.node.Exit("t1-app", 1, false)
		time.Sleep(10 * time.Second)
		s.want("status", s.plane.last("t1").Status, task.StatusRunning)
		full.Store(false)
		time.Sleep(2 * time.Second)
		settle()
		s.want("status", s.plane.last("t1").Status, task.StatusStopped)
		s.end(l)
	})
}

// [I] What waits for room on the disk happens within seconds of when there is some.
func TestRoomIsSeenSoon(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		var full atomic.Bool
		full.Store(true)
		s.node.Fail = func(op, _ string) error {
			if op == "create" && full.Load() {
				return errors.New("prepare snapshot: write /x: " + syscall.ENOSPC.Error() + ": unknown") // as text, from containerd
			}
			return nil
		}
		l := s.start(nil)
		s.accept(l, run("t1", app("app")))
		time.Sleep(2 * time.Minute)
		settle()
		s.want("told on a full disk", len(s.plane.told["t1"]), 0)
		full.Store(false)
		time.Sleep(2 * time.Second)
		settle()
		s.want("with room", s.plane.last("t1").Status, task.StatusRunning)
		s.end(l)
	})
}

// [I] What runs is adopted untouched; what exited while the agent was away is found out; what belongs to nobody goes.
func TestRestart(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		l := s.start(nil)
		s.accept(l, run("t1", app("app")), run("t2", app("app")), run("t3", app("app")))
		settle()
		s.end(l)
		s.node.Exit("t2-app", 4, false)
		s.node.Vanish("t3-app")
		orphans := s.node.Open(nil)
		if err := orphans.Runtime.Create(t.Context(), task.ContainerSpec{ID: "old-app", TaskID: "old", Name: "app"}); err != nil {
			t.Fatal(err)
		}
		if _, err := orphans.Runtime.Start(t.Context(), "old-app"); err != nil {
			t.Fatal(err)
		}
		if _, err := orphans.Network.Setup(t.Context(), task.SandboxRequest{TaskID: "old", Container: "app", Mode: "bridge"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		l = s.start(nil)
		settle()
		s.want("t1", s.plane.last("t1").Status, task.StatusRunning)
		s.want("starts", s.node.Starts("t1-app"), 1)
		r := s.plane.last("t2")
		s.want("t2", r.Status, task.StatusStopped)
		s.want("exit code", *r.Containers[1].ExitCode, int32(4))
		if r = s.plane.last("t3"); !strings.HasPrefix(r.Containers[1].Reason, "ContainerVanishedError: ") {
			t.Fatalf("t3: %+v", r)
		}
		time.Sleep(time.Minute)
		settle()
		s.want("left", s.node.Left(), []string{"t1-app", "t1/app"})
		s.end(l)
	})
}

// [I] A torn last line is dropped, a broken one before it is an error: better no agent than one that deletes
// containers because it forgot them.
func TestBrokenJournal(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		l := s.start(nil)
		s.accept(l, run("t1", app("app")))
		s.accept(l, run("t2", app("app")))
		settle()
		s.end(l)
		file := filepath.Join(s.conf.Dir, "tasks", "journal")
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, append(data, data[:50]...), 0o600); err != nil {
			t.Fatal(err)
		}
		l = s.start(nil)
		settle()
		s.want("tasks", len(l.List()), 2)
		s.end(l)
		data[20] ^= 1
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		l = s.start(nil)
		if err := <-l.ended; err == nil || !strings.Contains(err.Error(), "line 1") {
			t.Fatal(err)
		}
		l.stop()
		s.want("left", len(s.node.Left()), 4)
	})
}

// [I] The journal does not grow for ever, and nothing is lost when it is rewritten.
func TestJournalIsRewritten(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		l := s.start(nil)
		big := app("app", "sh", "-c", "exit 0")
		big.Environment = map[string]string{"A": strings.Repeat("x", 20_000)}
		s.accept(l, run("keep", app("app")))
		for i := range 200 {
			s.accept(l, run("t"+string(rune('a'+i/26))+string(rune('a'+i%26)), big))
			time.Sleep(12 * time.Second)
		}
		info, err := os.Stat(filepath.Join(s.conf.Dir, "tasks", "journal"))
		if err != nil || info.Size() > 2<<20 {
			t.Fatal("journal has", info.Size(), "bytes", err)
		}
		s.end(l)
		l = s.start(nil)
		settle()
		s.want("tasks", len(l.List()), 1)
		s.end(l)
	})
}

// [D] AGENT-PROTOCOL §1.2: credentials are memory-only; §4.1: their id is not, containers need it.
func TestCredentialsStayInMemory(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		var specs []acs.Task
		s.conf.Decorate = func(spec *task.ContainerSpec) { specs = append(specs, spec.Task) }
		l := s.start(nil)
		a := run("t1", app("app"))
		a.RoleCredentials = &acs.RoleCreds{CredentialsID: "cred-1", SecretAccessKey: "hush", SessionToken: "hush-hush"}
		s.accept(l, a)
		settle()
		s.want("secret", specs[0].RoleCredentials.SecretAccessKey, "hush")
		newer := *a.RoleCredentials
		newer.SecretAccessKey = "newer"
		a.RoleCredentials = &newer
		s.accept(l, a)
		settle()
		v, _ := l.Get("t1")
		s.want("refreshed", v.Task.RoleCredentials.SecretAccessKey, "newer")
		s.end(l)
		data, err := os.ReadFile(filepath.Join(s.conf.Dir, "tasks", "journal"))
		if err != nil || bytes.Contains(data, []byte("hush")) || bytes.Contains(data, []byte("newer")) || !bytes.Contains(data, []byte("cred-1")) {
			t.Fatalf("%v %s", err, data)
		}
	})
}

// [I] An agent that shuts down in the middle of a pull fails no task, whatever its runtime calls a cancelled pull.
func TestShutdownFailsNothing(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.node.Latency = func(op, _ string) time.Duration {
			return map[string]time.Duration{"pull": time.Minute}[op]
		}
		for range 20 {
			l := s.start(nil)
			s.accept(l, run("t1", app("app")), run("t2", app("app"), app("app2")))
			time.Sleep(time.Second)
			s.end(l)
		}
		l := s.start(nil)
		time.Sleep(2 * time.Minute)
		s.want("t1", s.plane.last("t1").Status, task.StatusRunning)
		s.want("t2", s.plane.last("t2").Status, task.StatusRunning)
		s.end(l)
	})
}
