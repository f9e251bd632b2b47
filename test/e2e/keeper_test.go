//go:build e2e

package e2e_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// TestKillKeeper kills the log keeper again and again while containers write: they go on, their output goes on, and is in order. What the
// keeper had read and not yet written is lost with it, which is a few lines at most.
func TestKillKeeper(t *testing.T) {
	t.Parallel()
	e := NewPair(t, "--cleanup-after", "1ms")
	c := e.container("c", "serve=:8000", "onterm=bye", "tick=5ms")
	c.Memory = aws.Int32(8)
	arns := e.RunMany(e.Define("writer", ecs.RegisterTaskDefinitionInput{NetworkMode: types.NetworkModeAwsvpc}, c), 3, 3, inVPC)
	e.AwaitAll(arns, "RUNNING")
	lives := e.lives(arns)
	const kills = 10
	for range kills {
		before := e.keeper()
		must(t, syscall.Kill(before, syscall.SIGKILL))
		last := e.lastTick(arns[0])
		poll(t, patience, func(context.Context) error {
			if now := e.keeper(); now == 0 || now == before {
				return errAgain("no other keeper")
			}
			if e.lastTick(arns[0]) < last+20 {
				return errAgain("the container's output does not go on")
			}
			return nil
		})
	}
	for arn, life := range e.lives(arns) {
		if life != lives[arn] {
			t.Errorf("task %s was %q and is %q", id(arn), lives[arn], life)
		}
		lines, gaps := 0, 0
		next := 0
		for line := range strings.Lines(e.Logs(arn)) {
			n, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(line, "tick ")))
			if err != nil || n < next {
				t.Errorf("task %s: line %d is %q, and %d was next", id(arn), lines, line, next)
				break
			}
			lines, gaps, next = lines+1, gaps+n-next, n+1
		}
		if gaps > kills {
			t.Errorf("task %s: %d lines were lost by %d kills", id(arn), gaps, kills)
		}
		t.Logf("task %s: %d lines, %d lost", id(arn)[:8], lines, gaps)
	}
	each(arns, 3, e.StopTask)
	e.AwaitAll(arns, "STOPPED")
	e.AwaitNothingOfTasks()
}

// keeper is the process of the node's log keeper, 0 for none.
func (e *Env) keeper() int {
	for pid, args := range processes() {
		if len(args) > 1 && args[1] == "log-keeper" && strings.HasPrefix(args[len(args)-1], e.Dir+"/") {
			return pid
		}
	}
	return 0
}

// lastTick is the number in the newest line of a container that ticks, -1 without one.
func (e *Env) lastTick(arn string) int {
	log := strings.TrimSpace(e.Logs(arn))
	last := log[strings.LastIndexByte(log, '\n')+1:]
	n, err := strconv.Atoi(strings.TrimPrefix(last, "tick "))
	if err != nil {
		return -1
	}
	return n
}

// TestUpgrade replaces the agent's program by another version, in place: tasks stay as they are, the cluster learns the version, and the
// new agent runs tasks and ends those of the old one.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	next := nextVersion(t, "9.8.7")
	e := NewPair(t, "--cleanup-after", "1ms")
	c := e.container("c", "serve=:8000", "onterm=bye", "tick=20ms")
	c.Memory = aws.Int32(8)
	def := e.Define("upgraded", ecs.RegisterTaskDefinitionInput{NetworkMode: types.NetworkModeAwsvpc}, c)
	arns := e.RunMany(def, 3, 3, inVPC)
	e.AwaitAll(arns, "RUNNING")
	lives, instance := e.lives(arns), e.onlyInstance()
	old := *instance.VersionInfo.AgentVersion

	all := e.Agent.args
	e.Agent.args = slices.DeleteFunc(slices.Clone(all), func(a string) bool { return a == "--stop-tasks" })
	e.Agent.Kill9() // an agent that is told to end would, with --stop-tasks, end its tasks, too
	e.Agent.program = next
	began := time.Now()
	e.Agent.again()
	poll(t, patience, func(context.Context) error {
		if now := e.onlyInstance(); *now.VersionInfo.AgentVersion != "9.8.7" || !now.AgentConnected {
			return errAgain(fmt.Sprintf("the agent is of version %s, connected: %v", *now.VersionInfo.AgentVersion, now.AgentConnected))
		}
		return nil
	})
	t.Logf("%s after its start, version %s has replaced %s", ms(time.Since(began)), *e.onlyInstance().VersionInfo.AgentVersion, old)
	if now := e.onlyInstance(); *now.ContainerInstanceArn != *instance.ContainerInstanceArn || now.RunningTasksCount != 3 {
		t.Errorf("the instance was %s, and is %s with %d tasks", *instance.ContainerInstanceArn, *now.ContainerInstanceArn, now.RunningTasksCount)
	}
	for arn, life := range e.lives(arns) {
		if life != lives[arn] {
			t.Errorf("task %s was %q and is %q", id(arn), lives[arn], life)
		}
		e.ticks(arn)
	}
	ctx, cancel := within(patience)
	defer cancel()
	_, err := e.ECS.UpdateContainerAgent(ctx, &ecs.UpdateContainerAgentInput{ContainerInstance: instance.ContainerInstanceArn})
	if err == nil || !strings.Contains(err.Error(), "NoUpdateAvailableException") {
		t.Errorf("an update of the newest agent: %v", err)
	}
	// Gracefully, too: an agent that ends without --stop-tasks leaves its tasks to the next.
	if code := e.Agent.Term(patience); code != 0 {
		t.Errorf("exit code %d", code)
	}
	e.Agent.args = all
	e.Agent.again()
	e.AwaitNodes(1)
	for arn, life := range e.lives(arns) {
		if life != lives[arn] {
			t.Errorf("after an end in peace, task %s was %q and is %q", id(arn), lives[arn], life)
		}
	}
	arns = append(arns, e.RunTask(def, inVPC))
	e.AwaitAll(arns, "RUNNING")
	each(arns, 4, e.StopTask)
	e.AwaitAll(arns, "STOPPED")
	e.AwaitNothingOfTasks()
}

// nextVersion builds the program with another version.
func nextVersion(t *testing.T, version string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "roadstead")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-X github.com/roadstead/roadstead/agent.Version="+version, "-o", out, "../..")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build version %s: %v\n%s", version, err, said)
	}
	return out
}

func (e *Env) onlyInstance() types.ContainerInstance {
	e.t.Helper()
	ctx, cancel := within(patience)
	defer cancel()
	all, err := e.Instances(ctx)
	must(e.t, err)
	if len(all) != 1 {
		e.t.Fatalf("%d instances", len(all))
	}
	return all[0]
}
