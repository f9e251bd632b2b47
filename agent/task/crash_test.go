package task_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/task"
	"github.com/roadstead/roadstead/agent/task/tasktest"
)

// story is what the control plane wants of the node in the crash tests: payloads by the time at which they are sent,
// each again until it is accepted.
type story struct {
	after    time.Duration
	payloads [][]acs.Task
}

func crashStory() []story {
	job := app("job", "sh", "-c", "sleep 5; exit 3")
	job.DependsOn = []acs.Dependency{{ContainerName: "init", Condition: "SUCCESS"}}
	init := app("init", "sleep", "2")
	init.Essential = false
	vpc := run("vpc", app("app", "sh", "-c", "trap 'exit 0' TERM; sleep 1000 & wait"), app("deaf", "sleep", "1000"))
	vpc.NetworkMode = "awsvpc"
	vpc.Containers[1].DependsOn = []acs.Dependency{{ContainerName: "app", Condition: "START"}}
	vpc.Containers[1].StopTimeout = 3
	missing := run("missing", app("ok"), app("app"))
	missing.Containers[1].Image = "nosuchimage"
	return []story{
		{payloads: [][]acs.Task{{run("job", init, job), vpc}, {missing}}},
		{after: 4 * time.Second, payloads: [][]acs.Task{{stop("vpc"), stop("unknown")}}},
	}
}

// lives runs engine after engine on a site: each is ended by its crash, and the next one starts after a while.
type lives struct {
	s       *site
	crashes []*tasktest.Crash
	down    time.Duration
	died    chan struct{}
	now     *life
}

// crash makes the n-th life end after its given number of steps.
func newLives(s *site, down time.Duration, after ...int) *lives {
	l := &lives{s: s, down: down, died: make(chan struct{}, len(after)+1)}
	for _, n := range after {
		l.crashes = append(l.crashes, tasktest.NewCrash(n, func() { l.died <- struct{}{} }))
	}
	l.next()
	return l
}

func (l *lives) next() {
	var crash *tasktest.Crash
	if len(l.crashes) > 0 {
		crash, l.crashes = l.crashes[0], l.crashes[1:]
	}
	l.now = l.s.start(crash)
}

// wait lets d pass, or what is left of it after a crash.
func (l *lives) wait(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			return
		case <-l.died:
			l.now.stop()
			<-l.now.ended // a crash may also end Run with an error, at start-up
			time.Sleep(l.down)
			l.next()
		}
	}
}

// accept sends a payload until it is accepted.
func (l *lives) accept(tasks []acs.Task) {
	for range 100 {
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		err := l.now.Accept(ctx, tasks)
		cancel()
		if err == nil {
			return
		}
		l.wait(time.Second)
	}
	l.s.Fatal("payload is never accepted")
}

func tell(t *testing.T, down time.Duration, after ...int) {
	s := newSite(t)
	s.node.Images = map[string]string{"busybox": ""}
	s.node.Latency = func(op, _ string) time.Duration {
		return map[string]time.Duration{"pull": 300 * time.Millisecond, "create": 20 * time.Millisecond, "start": 5 * time.Millisecond}[op]
	}
	l := newLives(s, down, after...)
	defer func() { l.now.stop() }()
	for _, part := range crashStory() {
		l.wait(part.after)
		for _, p := range part.payloads {
			l.accept(p)
		}
	}
	for i := 0; ; i++ {
		over := len(s.node.Left()) == 0 && len(l.now.List()) == 0 && len(l.now.Reports()) == 0
		for _, id := range []string{"job", "vpc", "missing", "unknown"} {
			over = over && s.plane.last(id).Status == task.StatusStopped
		}
		if over {
			break
		}
		if i > 600 {
			t.Fatalf("does not converge: left %v, tasks %d", s.node.Left(), len(l.now.List()))
		}
		l.wait(time.Second)
	}
	for _, id := range []string{"job-init", "job-job", "vpc-app", "vpc-deaf", "missing-ok", "missing-app"} {
		if n := s.node.Starts(id); n > 1 {
			t.Errorf("%s was started %d times", id, n)
		}
	}
	s.want("starts of the job", s.node.Starts("job-job"), 1)
	s.want("starts after a failed pull", s.node.Starts("missing-app"), 0)
	r := s.plane.last("job")
	if c := r.Containers[len(r.Containers)-1]; c.Name != "job" || c.ExitCode == nil || *c.ExitCode != 3 {
		t.Errorf("the job ended as %+v", c)
	}
	s.want("statuses of the job", beyondPending(s.plane.passed("job", "")), []string{task.StatusRunning, task.StatusStopped})
	s.want("statuses without the image", beyondPending(s.plane.passed("missing", "")), []string{task.StatusStopped})
	l.now.stop()
	if err := <-l.now.ended; err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// beyondPending leaves out PENDING, which is told when containers change before the task runs, or not.
func beyondPending(statuses []string) []string {
	return slices.DeleteFunc(statuses, func(s string) bool { return s == task.StatusPending })
}

// steps is how many steps the story takes without a crash, roughly: goroutines take turns as they like.
func steps(t *testing.T) int {
	counter := tasktest.NewCrash(-1, nil)
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.node.Images = map[string]string{"busybox": ""}
		l := &lives{s: s, crashes: []*tasktest.Crash{counter}, died: make(chan struct{})}
		l.next()
		for _, part := range crashStory() {
			l.wait(part.after)
			for _, p := range part.payloads {
				l.accept(p)
			}
		}
		l.wait(2 * time.Minute)
		s.end(l.now)
	})
	return counter.Count()
}

// [I] STYLE, testing habit 8: kill the agent after step k, for every k. Whatever it was doing on the disk, the node
// or towards the control plane, the next one converges: no task is lost, none is started twice, and nothing is left
// behind. Every second time the agent is away for three seconds; every third time its successor crashes as well.
func TestCrashAtEveryStep(t *testing.T) {
	n := steps(t)
	if n < 50 {
		t.Fatalf("only %d steps", n)
	}
	t.Logf("%d failpoints", n)
	for k := range n + 2 {
		t.Run(fmt.Sprint(k), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				after := []int{k}
				if k%3 == 0 {
					after = append(after, k*7%40)
				}
				tell(t, time.Duration(k%2)*3*time.Second, after...)
			})
		})
	}
}
