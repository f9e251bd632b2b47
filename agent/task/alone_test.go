package task_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/task"
)

// A node that is cut off from the control plane for an hour keeps its tasks, checks their health and restarts what its policy says;
// when it is back it tells the newest of each, and nothing has started that did not have to.
func TestAnHourAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.conf.CleanupAfter = 0 // the default
		l := s.start(nil)
		restarted := app("app")
		restarted.RestartPolicy = &acs.RestartPolicy{Enabled: true, AttemptPeriod: 60}
		s.accept(l, run("calm", checkedApp("app", "")), run("crashing", restarted), run("ending", app("app")), run("stopped", app("app")))
		settle()
		s.node.Touch("calm-app", "/well")
		time.Sleep(30 * time.Second)
		settle()
		s.want("health before", healths(l), "calm: app=HEALTHY")
		_ = told(l)

		s.plane.refuse = 1 << 30 // nobody answers
		s.accept(l, stop("stopped"))
		time.Sleep(2 * time.Minute)
		s.node.Exit("crashing-app", 1, false) // later than its attempt period: it is started again
		s.node.Exit("ending-app", 7, false)
		s.node.Remove("calm-app", "/well")
		time.Sleep(5 * time.Minute)
		settle()
		s.want("health, alone", healths(l), "calm: app=UNHEALTHY")
		s.node.Touch("calm-app", "/well")
		time.Sleep(53 * time.Minute)
		settle()
		s.want("health, an hour later", healths(l), "calm: app=HEALTHY")
		s.want("what is told again", told(l), true)
		s.want("the plane still thinks", s.plane.last("ending").Status, task.StatusRunning)

		s.plane.mu.Lock()
		s.plane.refuse = 0
		s.plane.mu.Unlock()
		// The control plane sends all that it wants once more, as to any node that connects.
		s.accept(l, run("calm", checkedApp("app", "")), run("crashing", restarted), stop("stopped"))
		time.Sleep(time.Minute) // reports have waited for longer and longer
		settle()
		s.want("the task that ended", s.plane.last("ending").Status, task.StatusStopped)
		all := s.plane.last("ending").Containers // RUNNING is told before STOPPED
		s.want("its exit code", *all[len(all)-1].ExitCode, int32(7))
		s.want("the task that was stopped", s.plane.last("stopped").Status, task.StatusStopped)
		s.want("the task that crashed", s.plane.last("crashing").Status, task.StatusRunning)
		for id, starts := range map[string]int{"calm-app": 1, "crashing-app": 2, "ending-app": 1, "stopped-app": 1} {
			s.want("starts of "+id, s.node.Starts(id), starts)
		}
		s.want("reports that wait", len(l.Reports()), 0)

		// [D] AGENT-PROTOCOL §4.3: ended tasks are cleaned up three hours after they stopped.
		kept := func(when string, want bool) {
			t.Helper()
			for _, id := range []string{"ending-app", "stopped-app"} {
				_, ok := s.node.State(id)
				s.want(id+" is kept "+when, ok, want)
			}
		}
		kept("for a while", true)
		time.Sleep(2*time.Hour + 5*time.Minute)
		settle()
		kept("for three hours", false)
		s.want("tasks", len(l.List()), 2)
		s.end(l)
	})
}
