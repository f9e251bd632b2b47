package task_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/task"
)

// [I] What ended while no agent looked, and of which the runtime could not tell at first that it had, is found soon: no event tells
// it. What the runtime is unsure of, and runs, is left alone.
func TestNobodyAnswersForAContainer(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		var silent atomic.Bool
		s.node.Silent = func(string) bool { return silent.Load() }
		l := s.start(nil)
		restarted := app("app")
		restarted.RestartPolicy = &acs.RestartPolicy{Enabled: true, AttemptPeriod: 60}
		s.accept(l, run("ended", app("app")), run("runs", app("app")), run("again", restarted))
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		s.end(l)
		s.node.Exit("ended-app", 4, false)
		s.node.Exit("again-app", 5, false)
		silent.Store(true)
		l = s.start(nil)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		for _, id := range []string{"ended", "runs", "again"} {
			s.want(id+", while nobody knows", s.plane.last(id).Status, task.StatusRunning)
		}
		s.node.Resync() // as after an end of containerd
		synctest.Wait()
		silent.Store(false)
		time.Sleep(20 * time.Second)
		synctest.Wait()
		r := s.plane.last("ended")
		s.want("what ended", r.Status, task.StatusStopped)
		s.want("its exit code", *r.Containers[1].ExitCode, int32(4))
		for id, starts := range map[string]int{"ended-app": 1, "runs-app": 1, "again-app": 2} {
			s.want("starts of "+id, s.node.Starts(id), starts)
		}
		s.want("what runs", s.plane.last("runs").Status, task.StatusRunning)
		s.end(l)
	})
}
