package task_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/task"
)

// bubble runs a test on a site in fake time.
func bubble(t *testing.T, f func(t *testing.T, s *site)) {
	synctest.Test(t, func(t *testing.T) { f(t, newSite(t)) })
}

// settle lets the engine do all that needs no time to pass.
func settle() { synctest.Wait() }

// [D] SEMANTICS §11.1, §11.3: a task runs, is told to stop, gets SIGKILL after its stop time-out, and leaves nothing
// behind when the clean-up delay has passed.
func TestTaskRunsAndStops(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		l := s.start(nil)
		c := app("app", "sleep", "1000") // ignores SIGTERM
		c.PortMappings = []acs.PortMapping{{ContainerPort: 80}}
		s.accept(l, run("t1", c))
		settle()
		r := s.plane.last("t1")
		s.want("status", r.Status, task.StatusRunning)
		if len(r.Containers) != 1 || r.Containers[0].RuntimeID != "t1-app" || len(r.Containers[0].Bindings) != 1 ||
			r.Containers[0].ImageDigest == "" || r.PullStartedAt.IsZero() || r.PullStoppedAt.IsZero() || r.StartedAt.IsZero() {
			t.Fatalf("report %+v", r)
		}
		s.accept(l, stop("t1"))
		settle()
		s.want("status after the signal", s.plane.last("t1").Status, task.StatusRunning)
		v, _ := l.Get(arnPrefix + "t1")
		s.want("desired", v.Desired, task.StatusStopped)
		time.Sleep(30 * time.Second)
		settle()
		r = s.plane.last("t1")
		s.want("status", r.Status, task.StatusStopped)
		s.want("containers told", len(r.Containers), 2)
		s.want("exit code", *r.Containers[1].ExitCode, int32(137))
		s.want("statuses", s.plane.passed("t1", "app"), []string{task.StatusRunning, task.StatusStopped})
		s.want("kept", s.node.Left(), []string{"t1-app"})
		time.Sleep(10 * time.Second)
		settle()
		s.want("left", len(s.node.Left()), 0)
		s.want("tasks", len(l.List()), 0)
		s.want("reports", len(l.Reports()), 0)
		s.end(l)
	})
}

// [D] AGENT-PROTOCOL §4.3: containers are STOPPED before the network is released, the task after it (DEPROVISIONING
// to the control plane); an awsvpc attachment is ATTACHED, then DELETED (SEMANTICS §13.1).
func TestAttachmentAndDeprovisioning(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.node.Latency = func(op, _ string) time.Duration {
			return map[string]time.Duration{"release": time.Second, "pull": time.Second}[op]
		}
		l := s.start(nil)
		a := run("t1", app("app"))
		a.NetworkMode = "awsvpc"
		a.NetworkInterfaces = []acs.ENI{{
			AttachmentArn: "arn:att", MACAddress: "02:00", GatewayIPv4: "10.0.0.1/16", IPv4: []acs.IPAddr{{Address: "10.0.0.9"}},
		}}
		s.accept(l, a)
		settle()
		r := s.plane.last("t1")
		s.want("while pulling", r.Status, task.StatusPending)
		want := task.AttachmentReport{
			AttachmentArn: "arn:att", Status: task.AttachmentAttached, IPv4: "10.0.0.9", MAC: "02:00", Gateway: "10.0.0.1/16",
		}
		s.want("attachments", len(r.Attachments), 1)
		s.want("attachment", r.Attachments[0], want)
		time.Sleep(time.Second)
		settle()
		s.want("status", s.plane.last("t1").Status, task.StatusRunning)
		s.accept(l, stop("t1"))
		settle()
		r = s.plane.last("t1")
		s.want("while releasing", r.Status, task.StatusRunning)
		s.want("container", r.Containers[len(r.Containers)-1].Status, task.StatusStopped)
		time.Sleep(time.Second)
		settle()
		r = s.plane.last("t1")
		s.want("status", r.Status, task.StatusStopped)
		s.want("attachment", r.Attachments[0].Status, task.AttachmentDeleted)
		s.end(l)
	})
}

// [I] A task that ran only for a moment is told as RUNNING before STOPPED, even if the control plane was away: it did
// not fail to start.
func TestRunningIsToldBeforeStopped(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.plane.refuse = 3
		l := s.start(nil)
		s.accept(l, run("t1", app("app", "sh", "-c", "exit 3")))
		time.Sleep(5 * time.Second)
		settle()
		s.want("statuses", s.plane.passed("t1", ""), []string{task.StatusRunning, task.StatusStopped})
		s.want("statuses", s.plane.passed("t1", "app"), []string{task.StatusRunning, task.StatusStopped})
		s.end(l)
	})
}

// [D] AGENT-PROTOCOL §1.2: duplicates are ignored, a stop wins for ever, an unknown task that should stop is STOPPED;
// [I] a repeat that comes after the clean-up does not run the task again.
func TestAcceptTwice(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		l := s.start(nil)
		one := run("t1", app("app"))
		s.accept(l, one, one)
		s.accept(l, one)
		s.accept(l, stop("t2"), run("t3", app("app")), stop("t3"))
		settle()
		s.want("starts", s.node.Starts("t1-app"), 1)
		s.want("unknown", s.plane.last("t2").Status, task.StatusStopped)
		s.want("stopped in the same payload", s.plane.last("t3").Status, task.StatusStopped)
		s.accept(l, stop("t1"))
		s.accept(l, one, run("t2", app("app")))
		settle()
		s.want("stopped", s.plane.last("t1").Status, task.StatusStopped)
		time.Sleep(time.Minute)
		settle()
		s.want("tasks", len(l.List()), 0)
		s.end(l)
		l = s.start(nil)
		before := len(s.plane.told["t1"])
		s.accept(l, one, stop("t2"))
		settle()
		s.want("starts", s.node.Starts("t1-app")+s.node.Starts("t2-app")+s.node.Starts("t3-app"), 1)
		s.want("told again", len(s.plane.told["t1"]), before+1)
		s.want("status", s.plane.last("t1").Status, task.StatusStopped)
		s.end(l)
	})
}

// [I] A payload with a task that cannot be understood is refused as a whole (AGENT-PROTOCOL §1.2: no ack).
func TestAcceptRefusesNonsense(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		l := s.start(nil)
		for _, bad := range []acs.Task{{DesiredStatus: task.StatusRunning}, {Arn: arnPrefix + "t2", DesiredStatus: "MAYBE"}} {
			if err := l.Accept(t.Context(), []acs.Task{run("t1", app("app")), bad}); err == nil {
				t.Fatal("accepted", bad)
			}
		}
		settle()
		s.want("tasks", len(l.List()), 0)
		s.end(l)
		if err := l.Accept(t.Context(), []acs.Task{run("t1", app("app"))}); err == nil {
			t.Fatal("accepted after the end")
		}
	})
}

// [I] An exit without an event is found by a resync, and one that no resync was announced for by the regular look.
func TestLostEvents(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		l := s.start(nil)
		s.accept(l, run("t1", app("app")), run("t2", app("app")), run("t3", app("app")))
		settle()
		time.Sleep(time.Second)
		s.node.Vanish("t1-app")
		s.node.Resync()
		settle()
		s.want("t1", s.plane.last("t1").Status, task.StatusStopped)
		s.want("t2", s.plane.last("t2").Status, task.StatusRunning)
		s.node.Vanish("t2-app")
		time.Sleep(5 * time.Minute)
		settle()
		s.want("t2", s.plane.last("t2").Status, task.StatusStopped)
		s.node.Vanish("t3-app")
		s.accept(l, stop("t3"))
		settle() // the signal finds nobody, so the engine looks
		s.want("t3", s.plane.last("t3").Status, task.StatusStopped)
		s.end(l)
	})
}

// [I] While the runtime is away nothing is declared failed, from the first List to the last Delete.
func TestRuntimeAway(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		var away atomic.Bool
		away.Store(true)
		s.node.Fail = func(op, _ string) error {
			if away.Load() {
				return errors.New("connection refused")
			}
			return nil
		}
		l := s.start(nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		if err := l.Accept(ctx, []acs.Task{run("t1", app("app"))}); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		cancel()
		away.Store(false)
		time.Sleep(time.Minute)
		for range 3 {
			away.Store(false)
			s.accept(l, run("t1", app("app")))
			away.Store(true)
			time.Sleep(10 * time.Second)
		}
		away.Store(false)
		time.Sleep(time.Minute)
		s.want("status", s.plane.last("t1").Status, task.StatusRunning)
		away.Store(true)
		s.accept(l, stop("t1"))
		time.Sleep(time.Hour)
		s.want("status", s.plane.last("t1").Status, task.StatusRunning)
		away.Store(false)
		time.Sleep(time.Hour)
		s.want("status", s.plane.last("t1").Status, task.StatusStopped)
		s.want("left", len(s.node.Left()), 0)
		s.end(l)
	})
}

// [D] SEMANTICS §13.5: a volume without a source lives as long as its task.
func TestAnonymousVolume(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		var mounts []task.Mount
		s.conf.Decorate = func(spec *task.ContainerSpec) { mounts = spec.Mounts }
		l := s.start(nil)
		c := app("app", "sleep", "5")
		c.MountPoints = []acs.MountPoint{{SourceVolume: "scratch", ContainerPath: "/scratch"}}
		a := run("t1", c)
		a.Volumes = []acs.Volume{{Name: "scratch", Type: "host"}}
		s.accept(l, a)
		settle()
		dir := filepath.Join(s.conf.Dir, "volumes", "t1", "scratch")
		s.want("mount", mounts[0], task.Mount{Source: dir, Destination: "/scratch", Seed: true})
		if _, err := os.Stat(dir); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		settle()
		if _, err := os.Stat(filepath.Dir(dir)); !errors.Is(err, os.ErrNotExist) {
			t.Fatal("the volume outlived its task:", err)
		}
		s.end(l)
	})
}

// [I] Stops of a task that is just being forgotten do no harm, now or after a restart.
func TestStopWhileForgetting(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.conf.CleanupAfter = -1
		l := s.start(nil)
		s.accept(l, run("t1", app("app", "sh", "-c", "exit 0")))
		for range 200 {
			s.accept(l, stop("t1"))
		}
		settle()
		s.end(l)
		l = s.start(nil)
		settle()
		s.want("tasks", len(l.List()), 0)
		s.end(l)
	})
}

// [I] 250 tasks at once: reports are coalesced and handed over in batches.
func TestReportsComeInBatches(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.node.Latency = func(op, _ string) time.Duration {
			return map[string]time.Duration{"start": time.Second}[op]
		}
		l := s.start(nil)
		var tasks []acs.Task
		for i := range 250 {
			tasks = append(tasks, run(fmt.Sprintf("t%03d", i), app("app")))
		}
		s.plane.refuse = 1
		s.accept(l, tasks...)
		time.Sleep(time.Minute)
		for _, a := range tasks {
			s.want(a.Arn, s.plane.last(task.ID(a.Arn)).Status, task.StatusRunning)
		}
		if s.plane.batches > 30 {
			t.Errorf("%d batches", s.plane.batches)
		}
		s.want("waiting reports", len(l.Reports()), 0)
		s.end(l)
	})
}
