//go:build e2e

package e2e_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// TestKillPoints kills the agent, or its containerd, or its log keeper, at each named point of a task's life: on the way up the task comes to RUNNING
// with each container started once, on the way down to STOPPED, and nothing is left.
func TestKillPoints(t *testing.T) {
	t.Parallel()
	for name, group := range map[string]struct {
		up, down []string
	}{
		"agent, until containers are there": {up: []string{
			"agent:accept.saved", "agent:save.saved", "agent:pull.begin", "agent:pull.end", "agent:setup.begin+5ms", "agent:setup.end",
			"agent:create.begin", "agent:create.begin+20ms", "agent:create.begin+60ms", "agent:create.recorded", "agent:create.recorded+20ms", "agent:create.made",
			"agent:create.made#2",
		}},
		"agent, containers start and stop": {
			up:   []string{"agent:create.end", "agent:create.end#2", "agent:start.marked", "agent:start.released", "agent:start.released#2", "agent:start.end"},
			down: []string{"agent:signal.begin", "agent:signal.end", "agent:save.saved", "agent:report.accepted", "agent:kill.begin", "agent:kill.end"},
		},
		"agent, clean-up": {down: []string{
			"agent:release.begin", "agent:release.begin+5ms", "agent:release.end", "agent:delete.begin", "agent:delete.begin+5ms", "agent:delete.task", "agent:delete.snapshot",
			"agent:delete.directory", "agent:delete.cgroup", "agent:delete.end", "agent:delete.end#2",
		}},
		"containerd": {
			up: []string{
				"containerd:pull.begin", "containerd:pull.begin+5ms", "containerd:setup.end", "containerd:create.begin", "containerd:create.begin+5ms",
				"containerd:create.begin+20ms", "containerd:create.begin+60ms", "containerd:create.recorded", "containerd:create.recorded+20ms",
				"containerd:create.recorded#2+20ms", "containerd:create.made", "containerd:create.made#2", "containerd:create.end",
			},
		},
		"containerd, containers start and stop": {
			up: []string{
				"containerd:start.marked", "containerd:start.marked#2", "containerd:start.released", "containerd:start.released#2", "containerd:start.end",
			},
			down: []string{
				"containerd:signal.begin", "containerd:signal.end", "containerd:kill.begin", "containerd:kill.end", "containerd:release.begin",
				"containerd:delete.begin", "containerd:delete.begin+5ms", "containerd:delete.begin+20ms", "containerd:delete.task", "containerd:delete.snapshot",
				"containerd:delete.directory", "containerd:delete.cgroup", "containerd:delete.end",
			},
		},
		"keeper": {
			up: []string{
				"keeper:create.begin", "keeper:create.recorded", "keeper:create.recorded+5ms", "keeper:create.recorded+20ms", "keeper:create.recorded+60ms",
				"keeper:create.recorded#2+20ms", "keeper:create.made", "keeper:create.made#2", "keeper:start.marked", "keeper:start.released#2",
			},
			down: []string{"keeper:signal.begin", "keeper:kill.end", "keeper:delete.begin", "keeper:delete.begin+5ms", "keeper:delete.task", "keeper:delete.snapshot", "keeper:delete.end"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newKillPoints(t)
			for _, point := range group.up {
				k.wayUp(point)
			}
			for _, point := range group.down {
				k.wayDown(point)
			}
			k.AwaitStatus(k.run(), "RUNNING") // an agent that has just begun would not hear that it is to end
		})
	}
}

// killPoints runs a task of two containers that share processes and a volume, again and again.
type killPoints struct {
	*Env
	definition string
	starts     string // directory of the containers' marks
	tasks      int
}

func newKillPoints(t *testing.T) *killPoints {
	k := &killPoints{Env: NewPair(t, "--cleanup-after", "1ms")}
	k.starts = filepath.Join(k.Dir, "starts")
	app := k.container("app", "mark=/starts/app", "onterm=bye", "wait")
	side := k.container("side", "mark=/starts/side", "ignore", "wait")
	side.StopTimeout = aws.Int32(2)
	app.MountPoints = []types.MountPoint{mount("starts", "/starts"), mount("v", "/v")}
	side.MountPoints = app.MountPoints
	k.definition = k.Define("points", ecs.RegisterTaskDefinitionInput{
		NetworkMode: types.NetworkModeAwsvpc, PidMode: types.PidModeTask,
		Volumes: []types.Volume{{Name: aws.String("starts"), Host: &types.HostVolumeProperties{SourcePath: &k.starts}}, {Name: aws.String("v")}},
	}, app, side)
	return k
}

func (k *killPoints) wayUp(point string) {
	k.t.Helper()
	k.arm(point)
	task := k.run()
	k.await(point)
	k.AwaitStatus(task, "RUNNING")
	k.awaitMarks(point)
	k.StopTask(task)
	k.over(point, task)
}

func (k *killPoints) wayDown(point string) {
	k.t.Helper()
	task := k.run()
	k.AwaitStatus(task, "RUNNING")
	k.awaitMarks("before " + point)
	k.arm(point)
	k.StopTask(task)
	k.await(point)
	k.over(point, task)
}

func (k *killPoints) run() string {
	k.tasks++
	return k.RunTask(k.definition, inVPC)
}

// arm begins another life of the agent, which is to meet its end, or its containerd's or log keeper's, at the point.
func (k *killPoints) arm(point string) {
	k.t.Helper()
	k.Agent.Kill9()
	if err := os.Remove(k.killed()); err != nil && !os.IsNotExist(err) {
		k.t.Fatal(err)
	}
	k.Agent.env = []string{"ROADSTEAD_TEST_KILL_AT=" + point}
	k.Agent.again()
	k.Agent.env = nil
}

// await waits for that end, and begins the next life.
func (k *killPoints) await(point string) {
	k.t.Helper()
	poll(k.t, patience, func(context.Context) error {
		_, err := os.Stat(k.killed())
		if err != nil {
			return errAgain(point + " is not reached")
		}
		return nil
	})
	if point[0] == 'a' {
		<-k.Agent.ended
		k.Agent.again()
	}
}

func (k *killPoints) killed() string { return filepath.Join(k.Dir, "n", "killed") }

// over waits until the task has stopped and nothing of it is on the machine.
func (k *killPoints) over(point, task string) {
	k.t.Helper()
	began := time.Now()
	k.AwaitStatus(task, "STOPPED")
	poll(k.t, patience, func(context.Context) error {
		for what, n := range k.Leftovers().ofTasks() {
			if n > 0 {
				return errAgain(fmt.Sprintf("%s: %d %s are left: %s", point, n, what, k.Leftovers()))
			}
		}
		return nil
	})
	k.t.Logf("%s: over %s after the stop", point, ms(time.Since(began)))
}

// awaitMarks waits until the containers of each task have started, once each.
func (k *killPoints) awaitMarks(point string) {
	k.t.Helper()
	for _, name := range []string{"app", "side"} {
		poll(k.t, patience, func(context.Context) error {
			if n := len(marks(filepath.Join(k.starts, name))); n < k.tasks {
				return errAgain(fmt.Sprintf("%s: container %s has started %d times in %d tasks", point, name, n, k.tasks))
			} else if n > k.tasks {
				k.t.Fatalf("%s: container %s has started %d times in %d tasks", point, name, n, k.tasks)
			}
			return nil
		})
	}
}
