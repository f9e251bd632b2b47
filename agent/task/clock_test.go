package task_test

import (
	"strings"
	"testing"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/task"
)

// [I] After a restart of the agent, too, all times are kept apart by the monotonic clock, and none is later than now: the wall clock
// may be set.
func TestRecoverKeepsTimesApart(t *testing.T) {
	now := time.Now()
	wall := func(d time.Duration) time.Time { return now.Add(d).Round(0) } // as it comes from a disk
	one := run("t1", app("app"))
	saved := task.NewState(&one)
	c := &saved.Containers[0]
	c.Phase, c.Ran = task.PhaseRunning, true
	c.PullStartedAt, c.PullStoppedAt, c.CreatedAt, c.StartedAt = wall(-time.Hour), wall(-time.Minute), wall(-time.Second), wall(time.Hour)
	c.RestartedAt, c.SignalledAt = wall(-time.Second), wall(2*time.Hour)
	saved.ExecutionStoppedAt, saved.StoppedAt = wall(-time.Minute), wall(time.Minute)
	seen := task.ContainerState{Name: "app", Status: task.StatusStopped, FinishedAt: wall(3 * time.Hour)}
	s := task.Recover(&one, saved, []task.ContainerState{seen}, nil, now)
	c = &s.Containers[0]
	for what, at := range map[string]time.Time{
		"PullStartedAt": c.PullStartedAt, "PullStoppedAt": c.PullStoppedAt, "CreatedAt": c.CreatedAt, "StartedAt": c.StartedAt, "FinishedAt": c.FinishedAt,
		"RestartedAt": c.RestartedAt, "SignalledAt": c.SignalledAt, "ExecutionStoppedAt": s.ExecutionStoppedAt, "StoppedAt": s.StoppedAt,
	} {
		if !strings.Contains(at.String(), " m=") || at.After(now) {
			t.Errorf("%s is %s, and now it is %s", what, at, now)
		}
	}
	if got := now.Sub(c.PullStartedAt); got != time.Hour {
		t.Errorf("what was an hour ago is %s ago", got)
	}
}

// [I] A container that ran for its restart policy's period is restarted also when the clock was set back meanwhile.
func TestRestartAfterTheClockWasSetBack(t *testing.T) {
	c := app("app")
	c.RestartPolicy = &acs.RestartPolicy{Enabled: true, AttemptPeriod: 60}
	one := run("t1", c)
	w := newWorld(&one)
	w.step()
	for w.s.Containers[0].Phase < task.PhaseRunning {
		w.finish(0, true, nil)
	}
	saved := w.s
	w.now = w.now.Add(-3 * time.Hour)
	b := w.boxes["app"]
	b.Status, b.ExitCode, b.FinishedAt = task.StatusStopped, 1, w.now
	w.now = w.now.Add(time.Second)
	w.restart(saved)
	if !w.underWay(task.VerbRestart, "app") {
		t.Errorf("it is not restarted: %s, %+v", w.s.Status(), w.s.Containers[0])
	}
}
