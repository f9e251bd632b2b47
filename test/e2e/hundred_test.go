//go:build e2e

package e2e_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// tasksAtOnce is how many TestHundredTasks starts.
var tasksAtOnce = flag.Int("e2e.tasks", 100, "tasks that are started at once on one node")

// TestHundredTasks starts a hundred tasks on one node at once and stops them again: then the machine is as before.
func TestHundredTasks(t *testing.T) {
	e := NewPair(t, "--cleanup-after", "1ms")
	for name, in := range map[string]ecs.RegisterTaskDefinitionInput{
		"bridge": {NetworkMode: types.NetworkModeBridge}, "awsvpc": {NetworkMode: types.NetworkModeAwsvpc},
	} {
		t.Run(name, func(t *testing.T) {
			mine := *e
			mine.t = t
			mine.hundred(name, in, *tasksAtOnce)
		})
	}
}

func (e *Env) hundred(name string, in ecs.RegisterTaskDefinitionInput, n int) {
	c := e.container("c", "serve=:8000", "onterm=bye", "wait")
	c.Memory = aws.Int32(4)
	c.PortMappings = []types.PortMapping{{ContainerPort: aws.Int32(8000)}}
	def := e.Define("hundred-"+name, in, c)
	e.AwaitStatus(e.RunTask(def, inMode(name)), "RUNNING") // the image is there now
	agent := e.Agent.cmd.Process.Pid
	began, before := time.Now(), cpuTime(e.t, agent)
	arns := e.RunMany(def, n-1, 10, inMode(name))
	accepted := time.Since(began)
	e.AwaitAll(arns, "RUNNING")
	running := time.Since(began)
	e.t.Logf("%d more tasks: accepted after %s, all RUNNING after %s; the machine has %v", n-1, ms(accepted), ms(running), e.Leftovers().ofTasks())
	e.t.Logf("the agent: %d MiB, %s of processor time a task", residentMiB(e.t, agent), ms((cpuTime(e.t, agent)-before)/time.Duration(n-1)))

	began = time.Now()
	all := e.List("RUNNING")
	if len(all) != n {
		e.t.Errorf("%d tasks are listed", len(all))
	}
	each(all, 16, e.StopTask)
	e.AwaitAll(all, "STOPPED")
	stopped := time.Since(began)
	e.t.Logf("%d tasks STOPPED after %s, nothing of them on the machine %s later", n, ms(stopped), ms(e.AwaitNothingOfTasks()))
}

// cpuTime is what a process has used of processors.
func cpuTime(t testing.TB, pid int) time.Duration {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	must(t, err)
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	user, err := strconv.Atoi(fields[11])
	must(t, err)
	system, err := strconv.Atoi(fields[12])
	must(t, err)
	return time.Duration(user+system) * 10 * time.Millisecond // USER_HZ is 100 on Linux
}

// residentMiB is a process's resident memory.
func residentMiB(t testing.TB, pid int) int {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	must(t, err)
	pages, err := strconv.Atoi(strings.Fields(string(b))[1])
	must(t, err)
	return pages * os.Getpagesize() >> 20
}

// AwaitNothingOfTasks waits until no task has anything on the machine.
func (e *Env) AwaitNothingOfTasks() time.Duration {
	return poll(e.t, patience, func(context.Context) error {
		for what, n := range e.Leftovers().ofTasks() {
			if n > 0 {
				return errAgain(fmt.Sprintf("%s: %d; all: %v", what, n, e.Leftovers().ofTasks()))
			}
		}
		return nil
	})
}

func inMode(name string) func(*ecs.RunTaskInput) {
	if name == "awsvpc" {
		return inVPC
	}
	return func(*ecs.RunTaskInput) {}
}

func ms(d time.Duration) time.Duration { return d.Round(time.Millisecond) }

// each calls f for every item, n at a time, and waits.
func each[T any](items []T, n int, f func(T)) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, n)
	for _, x := range items {
		slots <- struct{}{}
		wg.Go(func() { f(x); <-slots })
	}
	wg.Wait()
}

// RunMany runs so many tasks, in calls of up to ten of them, all at the same time.
func (e *Env) RunMany(def string, n, perCall int, change ...func(*ecs.RunTaskInput)) []string {
	e.t.Helper()
	var calls []int32
	for ; n > 0; n -= perCall {
		calls = append(calls, int32(min(n, perCall)))
	}
	var mu sync.Mutex
	var arns []string
	each(calls, len(calls), func(count int32) {
		ctx, cancel := within(patience)
		defer cancel()
		in := &ecs.RunTaskInput{TaskDefinition: &def, Count: &count}
		for _, f := range change {
			f(in)
		}
		out, err := e.ECS.RunTask(ctx, in)
		if err != nil || len(out.Failures) > 0 {
			e.t.Errorf("RunTask: %v", err)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		for _, task := range out.Tasks {
			arns = append(arns, *task.TaskArn)
		}
	})
	return arns
}

// AwaitAll waits until all tasks have reached a status.
func (e *Env) AwaitAll(arns []string, status string) {
	e.t.Helper()
	poll(e.t, 2*patience, func(ctx context.Context) error {
		all, err := e.Describe(ctx, arns...)
		if err != nil {
			return err
		}
		waiting := map[string]int{}
		for i := range all {
			if last := *all[i].LastStatus; last == "STOPPED" && status != "STOPPED" {
				return fmt.Errorf("task %s: %s", id(*all[i].TaskArn), story(&all[i]))
			} else if last != status {
				waiting[last]++
			}
		}
		if len(waiting) > 0 {
			return errAgain(fmt.Sprintf("statuses other than %s: %v", status, waiting))
		}
		return nil
	})
}

// List returns the ARNs of all tasks with a desired status.
func (e *Env) List(desired types.DesiredStatus) []string {
	e.t.Helper()
	ctx, cancel := within(patience)
	defer cancel()
	var arns []string
	for pages := ecs.NewListTasksPaginator(e.ECS, &ecs.ListTasksInput{DesiredStatus: desired}); pages.HasMorePages(); {
		out, err := pages.NextPage(ctx)
		must(e.t, err)
		arns = append(arns, out.TaskArns...)
	}
	return arns
}

// short is a list that fits into a message.
func short(all []string) string {
	if len(all) > 4 {
		return fmt.Sprintf("%q and %d more", all[:4], len(all)-4)
	}
	return fmt.Sprintf("%q", all)
}

// TestEndWhileStarting ends a node while containers are being created: what comes up late goes, too (the environment looks
// at its end).
func TestEndWhileStarting(t *testing.T) {
	e := NewPair(t)
	c := e.container("c", "onterm=bye", "wait")
	c.Memory = aws.Int32(8)
	def := e.Define("early-end", ecs.RegisterTaskDefinitionInput{}, c)
	e.AwaitStatus(e.RunTask(def), "RUNNING")
	e.RunMany(def, 90, 10)
	poll(t, patience, func(context.Context) error {
		if n := len(e.Leftovers().Shims); n < 5 {
			return errAgain(fmt.Sprintf("%d shims", n))
		}
		return nil
	})
	shims := len(e.Leftovers().Shims)
	began := time.Now()
	if code := e.Agent.Term(45 * time.Second); code != 0 {
		t.Errorf("exit code %d", code)
	}
	t.Logf("ended with %d shims running and more coming, after %s", shims, ms(time.Since(began)))
}
