package task_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/task"
)

// drawTask makes a task of one to four containers whose dependencies point backwards.
func drawTask(t *rapid.T) *acs.Task {
	a := &acs.Task{
		Arn:         "arn:aws:ecs:us-east-1:000000000000:task/default/t1",
		NetworkMode: rapid.SampledFrom([]string{"", "awsvpc", "host"}).Draw(t, "mode"),
	}
	n := rapid.IntRange(1, 4).Draw(t, "containers")
	for i := range n {
		c := acs.Container{
			Name: string(rune('a' + i)), Essential: i == n-1 || rapid.Bool().Draw(t, "essential"),
			StopTimeout: rapid.Int64Range(0, 3).Draw(t, "stop"), StartTimeout: rapid.Int64Range(0, 5).Draw(t, "start"),
		}
		if rapid.IntRange(0, 3).Draw(t, "policy") == 0 {
			c.RestartPolicy = &acs.RestartPolicy{Enabled: true, AttemptPeriod: 1, IgnoredExitCodes: []int32{0}}
		}
		for j := range i {
			condition := rapid.SampledFrom([]string{"", "", "START", "COMPLETE", "SUCCESS"}).Draw(t, "condition")
			if condition != "" {
				c.DependsOn = append(c.DependsOn, acs.Dependency{ContainerName: string(rune('a' + j)), Condition: condition})
			}
		}
		a.Containers = append(a.Containers, c)
	}
	return a
}

// withChecks gives some containers health checks, and lets some of those that depend on them wait for HEALTHY.
func withChecks(t *rapid.T, a *acs.Task) *acs.Task {
	checked := map[string]bool{}
	for i := range a.Containers {
		c := &a.Containers[i]
		if rapid.Bool().Draw(t, "checked") {
			checked[c.Name], c.HealthCheckType = true, "docker"
			c.Docker.Config = `{"Healthcheck":{"Test":["CMD","true"],"Interval":5000000000,"Retries":1}}`
		}
		for j := range c.DependsOn {
			if d := &c.DependsOn[j]; checked[d.ContainerName] && rapid.Bool().Draw(t, "healthy") {
				d.Condition = "HEALTHY"
			}
		}
	}
	return a
}

// watcher checks what must hold after every step, whatever happens.
type watcher struct {
	*rapid.T
	w        *world
	saved    []task.State // what may be on disk: everything since the last state that had to be
	reported map[string]int
}

func newWatcher(t *rapid.T, a *acs.Task) *watcher {
	c := &watcher{T: t, w: newWorld(a), reported: map[string]int{}}
	c.w.d.CleanupAfter = 10 * time.Second
	c.w.before = c.action
	c.saved = []task.State{{}}
	return c
}

// rank orders statuses.
func rank(status string) int {
	return slices.Index([]string{task.StatusPending, task.StatusRunning, task.StatusStopped}, status)
}

// check looks at the state as the control plane would see it, and keeps what the runner would have saved before
// telling: every state with a stopped container.
func (c *watcher) check() {
	s := c.w.s
	stopped := false
	for _, b := range s.Containers {
		c.forward(b.Name, b.Phase.Status())
		stopped = stopped || b.Phase == task.PhaseStopped
	}
	c.forward("the task", s.Status())
	if s.Status() == task.StatusStopped {
		if len(c.w.sandboxes) > 0 {
			c.Fatalf("STOPPED with sandboxes %v", c.w.sandboxes)
		}
		for name, b := range c.w.boxes {
			if b.Status == task.StatusRunning {
				c.Fatalf("STOPPED, but %s runs", name)
			}
		}
	}
	for name, n := range c.w.starts {
		if n > 1 && policy(c.w.d.Task, name) == nil {
			c.Fatalf("%s was started %d times", name, n)
		}
	}
	if stopped {
		c.saved = nil
	}
	c.saved = append(c.saved, s)
}

// policy is the restart policy of a container, nil without one.
func policy(a *acs.Task, container string) *acs.RestartPolicy {
	i := slices.IndexFunc(a.Containers, func(c acs.Container) bool { return c.Name == container })
	return a.Containers[i].RestartPolicy
}

func (c *watcher) forward(what, status string) {
	if rank(status) < c.reported[what] {
		c.Fatalf("%s went back to %s", what, status)
	}
	c.reported[what] = rank(status)
}

// action checks an action when Step asks for it.
func (c *watcher) action(a task.Action) {
	if a.Verb == task.VerbSetup || a.Verb == task.VerbRelease || a.Cancels == task.VerbSetup {
		return
	}
	if b := c.w.s.Container(a.Container); b.Deleted {
		c.Fatalf("%s of %s after it was deleted", a.Verb, a.Container)
	}
	if a.Verb == task.VerbCheck && (c.w.s.Container(a.Container).Phase != task.PhaseRunning || c.w.underWay(task.VerbCheck, a.Container)) {
		c.Fatalf("check of %s, which is %+v", a.Container, c.w.s.Container(a.Container))
	}
	if a.Verb == task.VerbStart {
		c.startAllowed(a.Container)
	}
	if a.Verb == task.VerbSignal || a.Verb == task.VerbKill || a.Verb == task.VerbDelete {
		for _, d := range c.w.d.Task.Containers {
			if b := c.w.boxes[d.Name]; b != nil && b.Status == task.StatusRunning && dependsOn(&d, a.Container) {
				c.Fatalf("%s of %s while %s, which depends on it, runs", a.Verb, a.Container, d.Name)
			}
		}
	}
}

func (c *watcher) startAllowed(name string) {
	for _, spec := range c.w.d.Task.Containers {
		if spec.Name != name {
			continue
		}
		for _, d := range spec.DependsOn {
			b := c.w.boxes[d.ContainerName]
			switch {
			case c.w.starts[d.ContainerName] == 0:
				c.Fatalf("start of %s before %s ever started", name, d.ContainerName)
			case d.Condition == "HEALTHY" && c.w.s.Container(d.ContainerName).Vitals.Health == task.HealthHealthy:
			case d.Condition == "START" || b != nil && b.Status == task.StatusStopped &&
				(d.Condition == "COMPLETE" || b.ExitCode == 0):
			default:
				c.Fatalf("start of %s, but %s is %+v, not %s", name, d.ContainerName, b, d.Condition)
			}
		}
	}
}

func dependsOn(c *acs.Container, name string) bool {
	return slices.ContainsFunc(c.DependsOn, func(d acs.Dependency) bool { return d.ContainerName == name })
}

// chaos lets something happen to the task.
func (c *watcher) chaos(crashes bool) {
	w := c.w
	kinds := []string{"ok", "ok", "ok", "lost", "away", "failure", "exit", "time", "stop"}
	if crashes {
		kinds = append(kinds, "crash")
	}
	kind := rapid.SampledFrom(kinds).Draw(c.T, "event")
	pick := 0
	if len(w.doing) > 0 {
		pick = rapid.IntRange(0, len(w.doing)-1).Draw(c.T, "which")
	}
	switch {
	case kind == "exit":
		name := w.d.Task.Containers[rapid.IntRange(0, len(w.d.Task.Containers)-1).Draw(c.T, "container")].Name
		w.exit(name, rapid.SampledFrom([]int32{0, 1, 137}).Draw(c.T, "code"), rapid.Bool().Draw(c.T, "oom"))
		w.step()
	case kind == "time":
		w.advance(rapid.SampledFrom([]time.Duration{0, time.Second, time.Minute}).Draw(c.T, "time"))
	case kind == "stop":
		if rapid.IntRange(0, 9).Draw(c.T, "really") == 0 {
			w.d.Stop = true
			w.step()
		}
	case kind == "crash":
		saved := c.saved[rapid.IntRange(0, len(c.saved)-1).Draw(c.T, "saved")]
		c.saved = []task.State{saved}
		w.now = w.now.Add(rapid.SampledFrom([]time.Duration{0, 0, -5 * time.Hour, 5 * time.Hour}).Draw(c.T, "clock")) // set meanwhile
		w.restart(saved)
	case len(w.doing) == 0:
	case kind == "ok":
		w.finish(pick, true, nil)
	case kind == "lost":
		w.finish(pick, true, errors.New("connection reset"))
	case kind == "away":
		w.finish(pick, false, errors.New("connection refused"))
	case kind == "failure":
		w.finish(pick, false, &task.Failure{Name: "InternalError", Err: errors.New("no")})
	}
	c.check()
}

// end stops the task, lets everything succeed from now on, and wants it to come to its end and leave nothing behind.
func (c *watcher) end() {
	w := c.w
	w.d.Stop = true
	w.step()
	c.check()
	began := w.now
	for range 500 {
		if w.now.Sub(began) > time.Hour {
			c.Fatalf("does not end for an hour: %s", dump(w))
		}
		switch {
		case w.s.Done:
			if len(w.boxes)+len(w.sandboxes)+len(w.doing) > 0 {
				c.Fatalf("left behind: %v %v %v", w.boxes, w.sandboxes, w.doing)
			}
			return
		case len(w.doing) > 0:
			w.finish(0, true, nil)
		case w.s.Status() == task.StatusStopped && !w.s.Acked:
			w.s = w.s.Ack()
			w.step()
		case w.wake.IsZero():
			c.Fatalf("stuck: %s", dump(w))
		default:
			w.advance(w.wake.Sub(w.now))
		}
		c.check()
	}
	c.Fatalf("does not end: %s", dump(w))
}

func dump(w *world) string { return fmt.Sprintf("%+v\ndoing %+v\nboxes %+v", w.s, w.doing, w.boxes) }

// [I] Whatever happens: statuses go forward only, a stop always reaches STOPPED and a clean node, nothing is done to a
// deleted container, dependencies are obeyed on the way up and down, nothing is started twice, and all of it holds
// across crashes of the agent at any point, with any state on disk that the runner could have left there.
func TestTasksSurviveAnything(t *testing.T) {
	for _, crashes := range []bool{false, true} {
		t.Run(fmt.Sprintf("crashes=%t", crashes), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				c := newWatcher(t, withChecks(t, drawTask(t)))
				c.w.step()
				c.check()
				for range rapid.IntRange(0, 60).Draw(t, "events") {
					c.chaos(crashes)
				}
				c.end()
			})
		})
	}
}

// fate is how a container ends in a quiet world.
type fate struct {
	ran  bool
	code int32
}

// quietly runs the task in a world where every action succeeds at once and containers end by themselves with the
// given codes, in order, when nothing else can happen; crash (if not negative) is the step after which the agent
// crashes, with a state on disk that is old steps older. It returns how everything ended and the number of steps.
func quietly(t *rapid.T, a *acs.Task, codes []int32, crash, old int) (map[string]fate, int) {
	c := newWatcher(t, a)
	w := c.w
	w.step()
	c.check()
	for n := range 1000 {
		if n == crash {
			saved := c.saved[max(len(c.saved)-1-old, 0)]
			c.saved = []task.State{saved}
			w.restart(saved)
			c.check()
		}
		running := slices.IndexFunc(a.Containers, func(b acs.Container) bool {
			s := w.boxes[b.Name]
			return s != nil && s.Status == task.StatusRunning
		})
		switch {
		case len(w.doing) > 0:
			w.finish(0, true, nil)
		case w.s.Status() == task.StatusStopped:
			end := map[string]fate{}
			for _, b := range w.s.Containers {
				f := fate{ran: b.Ran}
				if b.ExitCode != nil {
					f.code = *b.ExitCode
				}
				end[b.Name] = f
			}
			return end, n
		case running >= 0:
			w.exit(a.Containers[running].Name, codes[running], false)
			w.step()
		default:
			t.Fatalf("stuck: %s", dump(w))
		}
		c.check()
	}
	t.Fatalf("does not end: %s", dump(w))
	return nil, 0
}

// [I] A crash of the agent at any point changes nothing in how a task ends.
func TestCrashesChangeNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := drawTask(t)
		codes := make([]int32, len(a.Containers))
		for i := range codes {
			codes[i] = rapid.SampledFrom([]int32{0, 0, 1}).Draw(t, "code")
		}
		want, steps := quietly(t, a, codes, -1, 0)
		for crash := range steps {
			for old := range 3 {
				if got, _ := quietly(t, a, codes, crash, old); fmt.Sprint(got) != fmt.Sprint(want) {
					t.Fatalf("after a crash at step %d of %d with a state %d steps old: %v, want %v", crash, steps, old, got, want)
				}
			}
		}
	})
}

// [I] Step is a function: the same input gives the same output, and the input is not written to.
func TestStepIsPure(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newWatcher(t, withChecks(t, drawTask(t)))
		c.w.step()
		for range rapid.IntRange(0, 40).Draw(t, "events") {
			c.chaos(true)
			before := fmt.Sprintf("%+v", c.w.s)
			later := c.w.now.Add(time.Hour)
			s1, a1, w1 := task.Step(c.w.d, c.w.s, later)
			s2, a2, w2 := task.Step(c.w.d, c.w.s, later)
			// Exit codes are pointers: compare what the states say.
			if say(s1) != say(s2) || fmt.Sprint(a1) != fmt.Sprint(a2) || !w1.Equal(w2) {
				t.Fatalf("two answers:\n%s %v %s\n%s %v %s", say(s1), a1, w1, say(s2), a2, w2)
			}
			if after := fmt.Sprintf("%+v", c.w.s); after != before {
				t.Fatalf("Step wrote its input:\n%s\n%s", before, after)
			}
		}
	})
}

// say is the state with its exit codes written out.
func say(s task.State) string {
	for i := range s.Containers {
		if code := s.Containers[i].ExitCode; code != nil {
			s.Containers[i].Reason += fmt.Sprint(" code ", *code)
			s.Containers[i].ExitCode = nil
		}
	}
	return fmt.Sprintf("%+v", s)
}
