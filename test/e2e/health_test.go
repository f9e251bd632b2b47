//go:build e2e

package e2e_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// healthChecks: a container is HEALTHY while a file is there, and one that waits for that starts then (SEMANTICS §7, §11.4).
func healthChecks(t *testing.T, e *Env) {
	shared := filepath.Join(e.Dir, "health")
	must(t, os.Mkdir(shared, 0o755))
	app := e.container("app", "print=up", "onterm=bye", "wait")
	app.MountPoints = []types.MountPoint{{SourceVolume: aws.String("v"), ContainerPath: aws.String("/shared")}}
	app.HealthCheck = &types.HealthCheck{
		Command: []string{"CMD", "/probe", "there=/shared/well"}, Interval: aws.Int32(5), Timeout: aws.Int32(5), Retries: aws.Int32(1), StartPeriod: aws.Int32(10),
	}
	side := e.container("side", "print=after", "onterm=bye", "wait")
	side.Essential = aws.Bool(false)
	side.DependsOn = []types.ContainerDependency{{ContainerName: aws.String("app"), Condition: types.ContainerConditionHealthy}}
	arn := e.RunTask(e.Define("health", ecs.RegisterTaskDefinitionInput{
		Volumes: []types.Volume{{Name: aws.String("v"), Host: &types.HostVolumeProperties{SourcePath: &shared}}},
	}, app, side))
	e.AwaitLog(arn, "up")
	e.awaitHealth(arn, types.HealthStatusUnknown)
	if strings.Contains(e.Logs(arn), "after") {
		t.Error("a container that waits for HEALTHY has started")
	}
	must(t, os.WriteFile(filepath.Join(shared, "well"), nil, 0o644))
	t.Logf("HEALTHY after %s", e.awaitHealth(arn, types.HealthStatusHealthy))
	e.AwaitStatus(arn, "RUNNING")
	e.AwaitLog(arn, "after")
	must(t, os.Remove(filepath.Join(shared, "well")))
	t.Logf("UNHEALTHY after %s", e.awaitHealth(arn, types.HealthStatusUnhealthy))
	if task := e.AwaitStatus(arn, "RUNNING"); *task.DesiredStatus != "RUNNING" {
		t.Error("a task without a service is stopped for being UNHEALTHY")
	}
	e.StopTask(arn)
	e.ends(arn, types.TaskStopCodeUserInitiated, "", 0)
}

// awaitHealth waits until the task and its container app are said to be in that state.
func (e *Env) awaitHealth(arn string, want types.HealthStatus) time.Duration {
	e.t.Helper()
	return poll(e.t, patience, func(ctx context.Context) error {
		all, err := e.Describe(ctx, arn)
		if err != nil {
			return err
		}
		got := map[string]types.HealthStatus{"task": all[0].HealthStatus}
		for _, c := range all[0].Containers {
			got[*c.Name] = c.HealthStatus
		}
		if got["task"] != want || got["app"] != want || got["side"] != types.HealthStatusUnknown {
			return errAgain(fmt.Sprint(got))
		}
		return nil
	})
}

// serviceReplaces: a task whose health command begins to fail becomes UNHEALTHY after its retries, and its service replaces it and says
// why (SEMANTICS §7; MISSION row 84).
func serviceReplaces(t *testing.T, e *Env) {
	shared := filepath.Join(e.Dir, "replaces")
	must(t, os.Mkdir(shared, 0o755))
	well := filepath.Join(shared, "well")
	must(t, os.WriteFile(well, nil, 0o644))
	app := e.container("app", "onterm=bye", "wait")
	app.MountPoints = []types.MountPoint{mount("v", "/shared")}
	app.HealthCheck = &types.HealthCheck{Command: []string{"CMD", "/probe", "there=/shared/well"}, Interval: aws.Int32(5), Timeout: aws.Int32(5), Retries: aws.Int32(2)}
	def := e.Define("replaces", ecs.RegisterTaskDefinitionInput{
		Volumes: []types.Volume{{Name: aws.String("v"), Host: &types.HostVolumeProperties{SourcePath: &shared}}},
	}, app)
	e.CreateService("replaces", def, 1)
	e.AwaitStable("replaces")
	first := e.Tasks("replaces")[0]
	must(t, os.Remove(well))
	began := time.Now()
	task := e.AwaitStatus(first, "STOPPED")
	must(t, os.WriteFile(well, nil, 0o644))
	t.Logf("replaced after %s", time.Since(began).Round(time.Millisecond))
	if task.StopCode != types.TaskStopCodeServiceSchedulerInitiated || aws.ToString(task.StoppedReason) != "Task failed container health checks" || task.HealthStatus != types.HealthStatusUnhealthy {
		t.Errorf("it was %s, and stopped by %s: %q", task.HealthStatus, task.StopCode, aws.ToString(task.StoppedReason))
	}
	if e.AwaitStable("replaces"); e.Tasks("replaces")[0] == first {
		t.Error("it was not replaced")
	}
	e.Scale("replaces", 0)
	e.AwaitStable("replaces")
}
