//go:build e2e

package e2e_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// TestKill kills the parts of an installation, each while tasks run and fifty more are being started.
func TestKill(t *testing.T) {
	for _, part := range []struct {
		name string
		kill func(*Env)
	}{
		{"agent", func(e *Env) { e.Agent.Kill9(); e.Agent.again() }},
		{"server", func(e *Env) { e.Server.Kill9(); e.Server.again() }},
		{"both", func(e *Env) { e.Server.Kill9(); e.Agent.Kill9(); e.Agent.again(); e.Server.again() }},
		{"containerd", func(e *Env) { e.killContainerd(filepath.Join(e.Dir, "n", "containerd")) }},
	} {
		t.Run(part.name, func(t *testing.T) {
			e := NewPair(t, "--cleanup-after", "1ms")
			e.surviveKill(part.kill)
		})
	}
}

// TestKillDev does the same to `roadstead dev`, where all but the containers is one process.
func TestKillDev(t *testing.T) {
	e := NewDev(t, "--cleanup-after", "1ms")
	e.surviveKill(func(e *Env) { e.Dev.Kill9(); e.Dev.again(); e.Dev.AwaitReady(patience) })
}

func (e *Env) killContainerd(dir string) {
	e.t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "containerd.pid"))
	must(e.t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	must(e.t, err)
	must(e.t, syscall.Kill(pid, syscall.SIGKILL))
}

// surviveKill checks what must be true whatever is killed: nothing acknowledged is lost, what ran goes on running, nothing
// starts twice, no line of output is lost, and everything converges.
func (e *Env) surviveKill(kill func(*Env)) {
	starts := filepath.Join(e.Dir, "starts")
	in := ecs.RegisterTaskDefinitionInput{
		NetworkMode: types.NetworkModeAwsvpc,
		Volumes:     []types.Volume{{Name: aws.String("v"), Host: &types.HostVolumeProperties{SourcePath: &starts}}},
	}
	c := e.container("c", "mark=/starts/all", "serve=:8000", "onterm=bye", "tick=20ms")
	c.Memory = aws.Int32(8)
	c.MountPoints = []types.MountPoint{{SourceVolume: aws.String("v"), ContainerPath: aws.String("/starts")}}
	def := e.Define("survivor", in, c)
	old := e.RunMany(def, 5, 5, inVPC)
	e.AwaitAll(old, "RUNNING")
	before := e.lives(old)

	began := time.Now()
	acked, refused := e.runWhile(def, 50, func() { kill(e) })
	e.t.Logf("killed; %d tasks acknowledged after %s, %d calls refused on the way", len(acked), ms(time.Since(began)), len(refused))
	if len(refused) > 0 {
		e.t.Logf("a refusal: %v", refused[0])
	}
	e.AwaitNodes(1)
	reached := e.settle(acked)
	e.t.Logf("%s after the kill: %v", ms(time.Since(began)), reached)
	for arn, life := range e.lives(old) {
		if before[arn] != life {
			e.t.Errorf("task %s was %q and is %q", id(arn), before[arn], life)
		}
	}
	all := e.List(types.DesiredStatusRunning)
	if len(all) != len(old)+50 {
		e.t.Errorf("%d tasks are wanted, %d were asked for", len(all), len(old)+50)
	}
	e.AwaitAll(all, "RUNNING")
	e.startedOnce(filepath.Join(starts, "all"), len(all))
	for _, arn := range all[:min(5, len(all))] {
		e.t.Logf("task %s: %d lines in order", id(arn)[:8], e.ticks(arn))
	}
	each(all, 8, e.StopTask)
	e.AwaitAll(all, "STOPPED")
	poll(e.t, patience, func(context.Context) error {
		if left := e.Leftovers(); len(left.Shims)+len(left.Cgroups)+len(left.Netns)+len(left.Snapshots) > 0 {
			return errAgain("left behind: " + left.String())
		}
		return nil
	})
}

// lives tells the process behind each task, as it says itself.
func (e *Env) lives(arns []string) map[string]string {
	e.t.Helper()
	ctx, cancel := within(patience)
	defer cancel()
	all, err := e.Describe(ctx, arns...)
	must(e.t, err)
	out := map[string]string{}
	for i := range all {
		if last := *all[i].LastStatus; last != "RUNNING" {
			e.t.Errorf("a task that ran is %s", story(&all[i]))
			continue
		}
		out[*all[i].TaskArn] = AwaitPage(e.t, "http://"+address(e.t, &all[i])+":8000/")
	}
	return out
}

// runWhile runs n tasks, five a call, and calls kill when some are accepted. What is refused is asked for again with the same
// clientToken, as the SDKs do. It returns the tasks that were acknowledged and the refusals.
func (e *Env) runWhile(def string, n int, kill func()) (acked []string, refused []error) {
	e.t.Helper()
	var mu sync.Mutex
	var once sync.Once
	calls := make([]*ecs.RunTaskInput, n/5)
	for i := range calls {
		calls[i] = &ecs.RunTaskInput{TaskDefinition: &def, Count: aws.Int32(5), NetworkConfiguration: awsvpc(),
			ClientToken: aws.String(fmt.Sprintf("%s-%d-%d", id(e.Dir), i, time.Now().UnixNano()))}
	}
	each(calls, 4, func(in *ecs.RunTaskInput) {
		poll(e.t, patience, func(ctx context.Context) error {
			mu.Lock()
			enough := len(acked) >= n/5
			mu.Unlock()
			if enough {
				once.Do(kill)
			}
			out, err := e.ECS.RunTask(ctx, in)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				refused = append(refused, err)
				return errAgain(err.Error())
			}
			for _, task := range out.Tasks {
				acked = append(acked, *task.TaskArn)
			}
			if len(out.Tasks) != 5 {
				return fmt.Errorf("%d tasks, failures %q", len(out.Tasks), failures(out.Failures))
			}
			return nil
		})
	})
	return acked, refused
}

// settle waits until every task runs or has ended, and fails the test for those that ended: nobody asked for it.
func (e *Env) settle(arns []string) map[string]int {
	e.t.Helper()
	var reached map[string]int
	poll(e.t, 2*patience, func(ctx context.Context) error {
		all, err := e.Describe(ctx, arns...)
		if err != nil && !strings.Contains(err.Error(), "nobody knows") {
			return errAgain(err.Error())
		} else if err != nil {
			return err
		}
		reached = map[string]int{}
		for i := range all {
			reached[*all[i].LastStatus]++
			if *all[i].LastStatus == "STOPPED" {
				e.t.Errorf("task %s: %s", id(*all[i].TaskArn), story(&all[i]))
			}
		}
		if reached["RUNNING"] < len(arns) && !e.t.Failed() {
			return errAgain(fmt.Sprint(reached))
		}
		return nil
	})
	return reached
}

// startedOnce looks at the marks that each start of a container leaves.
func (e *Env) startedOnce(file string, tasks int) {
	e.t.Helper()
	times := map[string]int{}
	poll(e.t, 10*time.Second, func(context.Context) error {
		clear(times)
		for _, name := range marks(file) {
			times[name]++
		}
		if len(times) < tasks {
			return errAgain(fmt.Sprintf("%d of %d tasks have started", len(times), tasks))
		}
		return nil
	})
	for name, n := range times {
		if n > 1 {
			e.t.Errorf("%s started %d times", name, n)
		}
	}
	e.t.Logf("%d tasks, %d containers started, each once", tasks, len(times))
}

// ticks counts the lines "tick N" of a task, which must be all from 0 on.
func (e *Env) ticks(arn string) int {
	e.t.Helper()
	n := 0
	for line := range strings.Lines(e.AwaitLog(arn, "tick 0\n")) { // its node may be on its way back
		if got := strings.TrimSpace(line); got != fmt.Sprintf("tick %d", n) {
			e.t.Errorf("task %s: line %d is %q", id(arn), n, got)
			return n
		}
		n++
	}
	return n
}
