//go:build e2e

package e2e_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// TestTask runs single tasks on one node and looks at how they end and at what they see.
func TestTask(t *testing.T) {
	t.Parallel()
	e := NewPair(t)
	for name, test := range map[string]func(*testing.T, *Env){
		"exit codes are kept":                             exitCodes,
		"out of memory is said":                           outOfMemory,
		"long logs are printed whole":                     longLogs,
		"SIGTERM is handled and the last line kept":       stopHandled,
		"ignored SIGTERM ends at stopTimeout":             stopIgnored,
		"an image that is not there fails to start":       noImage,
		"a command that is not there fails to start":      noCommand,
		"only essential containers stop the task":         essential,
		"dependsOn orders start and waits for completion": dependsOn,
		"health checks turn HEALTHY and UNHEALTHY":        healthChecks,
		"a task asks for its own protection":              ownProtection,
		"tasks call AWS with their roles":                 taskRoles,
		"execution roles pull and log":                    executionRoles,
		"secrets reach those who may have them":           secrets,
		"files of variables come from S3":                 environmentFiles,
		"what a task uses is seen":                        usage,
		"a task disturbs its own network":                 faults,
		"definition is seen inside":                       seenInside,
		"cgroups hold the limits":                         cgroupLimits,
		"volumes and read-only roots":                     readOnly,
		"overrides change one run":                        overrides,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mine := *e
			mine.t = t
			test(t, &mine)
		})
	}
}

// ends fails the test unless the task ended like this.
func (e *Env) ends(arn string, code types.TaskStopCode, reason string, exit int32) types.Task {
	e.t.Helper()
	task := e.AwaitStatus(arn, "STOPPED")
	e.t.Log(story(&task))
	if task.StopCode != code || !strings.Contains(aws.ToString(task.StoppedReason), reason) {
		e.t.Errorf("want stop code %s and a reason with %q", code, reason)
	}
	if got := task.Containers[0].ExitCode; exit >= 0 && (got == nil || *got != exit) {
		e.t.Errorf("want exit code %d", exit)
	} else if exit < 0 && got != nil {
		e.t.Error("want no exit code")
	}
	if task.StoppedAt == nil || task.StoppingAt == nil || *task.DesiredStatus != "STOPPED" {
		e.t.Errorf("stoppingAt %v, stoppedAt %v, desired %s", task.StoppingAt, task.StoppedAt, *task.DesiredStatus)
	}
	return task
}

const exited = "Essential container in task exited"

func exitCodes(t *testing.T, e *Env) {
	for verb, code := range map[string]int32{"exit=0": 0, "exit=3": 3} {
		arn := e.RunTask(e.Define("exits", ecs.RegisterTaskDefinitionInput{}, e.container("c", "print=hello", verb)))
		task := e.ends(arn, types.TaskStopCodeEssentialContainerExited, exited, code)
		if got := e.Logs(arn); got != "hello" {
			t.Errorf("log is %q", got)
		}
		if task.StartedAt == nil || task.PullStartedAt == nil || task.PullStoppedAt == nil || task.ExecutionStoppedAt == nil {
			t.Error("a time is missing")
		}
	}
}

func outOfMemory(t *testing.T, e *Env) {
	arn := e.RunTask(e.Define("oom", ecs.RegisterTaskDefinitionInput{}, e.container("c", "eat=64", "exit=0")))
	task := e.ends(arn, types.TaskStopCodeEssentialContainerExited, exited, 137)
	if got, want := aws.ToString(task.Containers[0].Reason), "OutOfMemoryError: Container killed due to memory usage"; got != want {
		t.Errorf("container's reason is %q, want %q", got, want)
	}
}

func stopHandled(t *testing.T, e *Env) {
	arn := e.RunTask(e.Define("handles", ecs.RegisterTaskDefinitionInput{}, e.container("c", "onterm=goodbye", "print=ready", "wait")))
	e.AwaitStatus(arn, "RUNNING")
	e.AwaitLog(arn, "ready")
	began := time.Now()
	e.StopTask(arn)
	e.ends(arn, types.TaskStopCodeUserInitiated, "the test has seen enough", 0)
	t.Logf("stopped after %s", time.Since(began).Round(time.Millisecond))
	if got := e.Logs(arn); got != "ready\ngoodbye" {
		t.Errorf("log is %q", got)
	}
}

func stopIgnored(t *testing.T, e *Env) {
	c := e.container("c", "ignore", "print=ready", "wait")
	c.StopTimeout = aws.Int32(2)
	arn := e.RunTask(e.Define("ignores", ecs.RegisterTaskDefinitionInput{}, c))
	e.AwaitStatus(arn, "RUNNING")
	e.AwaitLog(arn, "ready")
	began := time.Now()
	e.StopTask(arn)
	e.ends(arn, types.TaskStopCodeUserInitiated, "", 137)
	if took := time.Since(began); took < 2*time.Second {
		t.Errorf("killed after %s, before its stopTimeout", took)
	} else {
		t.Logf("killed after %s", took.Round(time.Millisecond))
	}
}

func noImage(t *testing.T, e *Env) {
	c := e.container("c", "exit=0")
	c.Image = aws.String(strings.TrimSuffix(e.Image, ":1") + ":nope")
	arn := e.RunTask(e.Define("noimage", ecs.RegisterTaskDefinitionInput{}, c))
	task := e.ends(arn, types.TaskStopCodeTaskFailedToStart, "CannotPullContainerError", -1)
	if !strings.Contains(aws.ToString(task.Containers[0].Reason), "CannotPullContainerError") {
		t.Error("the container does not say why")
	}
	if task.StartedAt != nil {
		t.Error("it has a startedAt")
	}
}

func noCommand(_ *testing.T, e *Env) {
	c := e.container("c")
	c.EntryPoint = []string{"/no/such/program"}
	arn := e.RunTask(e.Define("nocommand", ecs.RegisterTaskDefinitionInput{}, c))
	task := e.AwaitStatus(arn, "STOPPED")
	exit := int32(-1)
	if code := task.Containers[0].ExitCode; code != nil { // Docker gives 127; both are seen in ECS
		exit = *code
	}
	e.ends(arn, types.TaskStopCodeTaskFailedToStart, "CannotStartContainerError", exit)
}

func essential(t *testing.T, e *Env) {
	side := e.container("side", "exit=5")
	side.Essential = aws.Bool(false)
	main := e.container("main", "onterm=bye", "print=ready", "wait")
	arn := e.RunTask(e.Define("essential", ecs.RegisterTaskDefinitionInput{}, main, side))
	poll(t, patience, e.containerStopped(arn, "side", 5))
	if task := e.AwaitStatus(arn, "RUNNING"); *task.DesiredStatus != "RUNNING" {
		t.Error("a non-essential exit stopped the task")
	}
	e.AwaitLog(arn, "ready") // from here on it handles the signal
	e.StopTask(arn)
	e.ends(arn, types.TaskStopCodeUserInitiated, "", 0)

	second := e.container("second", "onterm=bye", "wait")
	arn = e.RunTask(e.Define("both", ecs.RegisterTaskDefinitionInput{}, e.container("first", "sleep=300ms", "exit=7"), second))
	task := e.ends(arn, types.TaskStopCodeEssentialContainerExited, exited, 7)
	for _, c := range task.Containers {
		if *c.Name == "second" && aws.ToInt32(c.ExitCode) != 0 {
			t.Errorf("the other container ended with %d", aws.ToInt32(c.ExitCode))
		}
	}
}

// longLogs: `roadstead logs` prints all that all containers wrote, however many records that are.
func longLogs(t *testing.T, e *Env) {
	lines := make([]string, 2500)
	for i := range lines {
		lines[i] = fmt.Sprint("print=line ", i)
	}
	second := e.container("d", "print=the other", "exit=0")
	second.Essential = aws.Bool(false)
	arn := e.RunTask(e.Define("prints", ecs.RegisterTaskDefinitionInput{}, e.container("c", append(lines, "wait=0")...), second))
	e.AwaitLog(arn, "line 2499")
	got := e.AwaitLog(arn, "the other")
	if n := strings.Count(got, "line "); n != len(lines) || !strings.HasPrefix(got, "line 0\nline 1\n") {
		t.Errorf("%d lines of %d, beginning with %.30q", n, len(lines), got)
	}
	e.StopTask(arn)
	e.AwaitStatus(arn, "STOPPED")
}
