package task_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/task"
)

// checkedApp is an essential container whose health is whether the file exists.
func checkedApp(name, config string) acs.Container {
	c := app(name)
	c.HealthCheckType = "docker"
	c.Docker.Config = `{"Healthcheck":{"Test":["CMD","test","-e","/well"]` + config + `}}`
	return c
}

// healths is what the engine says of all tasks: "t1: app=HEALTHY".
func healths(l *life) string {
	var out []string
	for _, t := range l.Health() {
		for _, c := range t.Containers {
			out = append(out, fmt.Sprintf("%s: %s=%s", task.ID(t.TaskArn), c.Name, c.Health))
		}
	}
	return strings.Join(out, ", ")
}

// told takes the token that says that Health has changed.
func told(l *life) bool {
	select {
	case <-l.HealthChanged():
		return true
	default:
		return false
	}
}

// [D] SEMANTICS §7: UNKNOWN, HEALTHY at the first success, UNHEALTHY after three failures in a row; each change is told.
func TestHealthIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		l := s.start(nil)
		s.accept(l, run("t1", checkedApp("app", ""), app("other")), run("t2", app("app")))
		settle()
		s.want("at first", healths(l), "t1: app=UNKNOWN")
		s.want("told", told(l), true)
		time.Sleep(29 * time.Second)
		settle()
		s.want("after failures in the first interval", healths(l), "t1: app=UNKNOWN")
		s.want("told", told(l), false)
		s.node.Touch("t1-app", "/well")
		time.Sleep(time.Second)
		settle()
		s.want("after a success", healths(l), "t1: app=HEALTHY")
		s.want("told", told(l), true)
		s.node.Remove("t1-app", "/well")
		time.Sleep(60 * time.Second)
		settle()
		s.want("after two failures", healths(l), "t1: app=HEALTHY")
		time.Sleep(30 * time.Second)
		settle()
		s.want("after three", healths(l), "t1: app=UNHEALTHY")
		s.want("told", told(l), true)
		s.accept(l, stop("t1"))
		time.Sleep(30 * time.Second)
		settle()
		s.want("status", s.plane.last("t1").Status, task.StatusStopped)
		s.want("of a stopped task", healths(l), "")
		s.end(l)
	})
}

// [I] A container that is well soon is HEALTHY soon, whatever its interval: roll-outs wait for that.
func TestHealthIsSeenEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		l := s.start(nil)
		s.accept(l, run("t1", checkedApp("app", "")))
		settle()
		time.Sleep(900 * time.Millisecond) // looks at 250 ms and 500 ms have failed
		s.node.Touch("t1-app", "/well")
		time.Sleep(200 * time.Millisecond)
		settle()
		s.want("a second after the start", healths(l), "t1: app=HEALTHY")
		s.end(l)
	})
}

// [I] The agent ends in the middle of a check, and the next one finds the container running: nothing is told of it until a
// check has ended, which begins at once.
func TestHealthAfterRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.node.Latency = func(op, _ string) time.Duration {
			return map[string]time.Duration{"check": 2 * time.Second}[op]
		}
		l := s.start(nil)
		s.accept(l, run("t1", checkedApp("app", "")))
		settle()
		s.node.Touch("t1-app", "/well")
		time.Sleep(33 * time.Second)
		s.end(l)
		l = s.start(nil)
		settle()
		s.want("at first", healths(l), "")
		time.Sleep(2 * time.Second)
		settle()
		s.want("after the first check", healths(l), "t1: app=HEALTHY")
		s.end(l)
	})
}

// [D] AGENT-PROTOCOL §4.5: a container that is to be checked, and nobody knows how, does not run.
func TestHealthCheckWithoutCommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		l := s.start(nil)
		c := app("app")
		c.HealthCheckType = "docker"
		s.accept(l, run("t1", c))
		settle()
		s.want("reason", s.plane.last("t1").Reason, "DockerClientConfigError: the container has no health check of the type docker")
		s.end(l)
	})
}

// [D] SEMANTICS §7: Judge gives what the rule says of all results so far: the last success makes HEALTHY; retries failures
// after it, or after the start period and the first interval, UNHEALTHY.
func TestJudgeFollowsTheRule(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := &task.HealthCheck{
			Interval: 10 * time.Second, Retries: rapid.IntRange(1, 4).Draw(t, "retries"),
			StartPeriod: time.Duration(rapid.IntRange(0, 60).Draw(t, "period")) * time.Second,
		}
		v, results := task.Vitals{Health: task.HealthUnknown}, []task.Result{}
		for now := epoch; len(results) < 30; {
			next := h.Next(v, epoch)
			if !next.After(now) || next.Sub(now) > h.Interval {
				t.Fatalf("%s after the last check comes the next", next.Sub(now))
			}
			r := task.Result{Began: next, Ended: next.Add(time.Second), Passed: rapid.Bool().Draw(t, "passed")}
			results, now = append(results, r), r.Ended
			v = h.Judge(v, r, epoch)
			if want := verdict(h, results); v.Health != want {
				t.Fatalf("after %d results it is %s, want %s", len(results), v.Health, want)
			}
		}
	})
}

// verdict is the rule, said another way.
func verdict(h *task.HealthCheck, results []task.Result) string {
	health := task.HealthUnknown
	for i, r := range results {
		row, counted := 0, false
		for _, before := range results[:i+1] {
			counted = counted || before.Passed || !before.Began.Before(epoch.Add(max(h.StartPeriod, h.Interval)))
			if row++; before.Passed || !counted {
				row = 0
			}
		}
		switch {
		case r.Passed:
			health = task.HealthHealthy
		case row >= h.Retries:
			health = task.HealthUnhealthy
		}
	}
	return health
}
