//go:build e2e

package e2e_test

import (
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// TestReset empties a dev server between two test suites.
func TestReset(t *testing.T) {
	e := NewDev(t)
	c := e.container("c", "serve=:8000", "onterm=bye", "wait")
	c.Memory = aws.Int32(8)
	for i, n := range []int{0, 1, 20} {
		if i > 0 {
			e.Image = e.BuildImage("probe:1")
			c.Image = &e.Image
			def := e.Define("reset", ecs.RegisterTaskDefinitionInput{NetworkMode: types.NetworkModeAwsvpc}, c)
			e.AwaitAll(e.RunMany(def, n, 10, inVPC), "RUNNING")
		}
		began := time.Now()
		said := e.CLI("reset")
		t.Logf("with %d tasks: %s (as seen from the terminal: %s)", n, said, ms(time.Since(began)))
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("a reset takes %s", took)
		}
		if left := e.List(types.DesiredStatusRunning); len(left) > 0 {
			t.Errorf("%d tasks are left", len(left))
		}
		e.AwaitNothingOfTasks() // the kernel takes links away a little later
		ctx, cancel := within(patience)
		families, err := e.ECS.ListTaskDefinitions(ctx, &ecs.ListTaskDefinitionsInput{})
		cancel()
		must(t, err)
		if len(families.TaskDefinitionArns) > 0 {
			t.Errorf("task definitions are left: %q", families.TaskDefinitionArns)
		}
	}
}

// TestEnd stops a dev server with tasks by SIGTERM, and once more with --keep-tasks, after which the next one finds them.
func TestEnd(t *testing.T) {
	e := NewDev(t)
	c := e.container("c", "serve=:8000", "onterm=bye", "tick=20ms")
	c.Memory = aws.Int32(8)
	def := e.Define("end", ecs.RegisterTaskDefinitionInput{NetworkMode: types.NetworkModeAwsvpc}, c)
	e.AwaitAll(e.RunMany(def, 10, 10, inVPC), "RUNNING")
	began := time.Now()
	if code := e.Dev.Term(patience); code != 0 {
		t.Errorf("exit code %d", code)
	}
	t.Logf("SIGTERM with 10 tasks: ended after %s", ms(time.Since(began)))
	if left := e.Leftovers(); !left.empty() {
		t.Errorf("left behind: %s", left)
	}

	args := e.Dev.args
	e.Dev.args = append(slices.Clip(args), "--keep-tasks")
	e.Dev.again()
	e.Dev.AwaitReady(patience)
	arns := e.RunMany(def, 3, 3, inVPC)
	e.AwaitAll(arns, "RUNNING")
	lives := e.lives(arns)
	if code := e.Dev.Term(patience); code != 0 {
		t.Errorf("exit code %d", code)
	}
	e.Dev.args = args
	e.Dev.again()
	e.Dev.AwaitReady(patience)
	for arn, life := range e.lives(arns) {
		if lives[arn] != life {
			t.Errorf("task %s did not stay: %q, then %q", id(arn), lives[arn], life)
		}
		e.ticks(arn)
	}
	t.Logf("3 tasks stayed with --keep-tasks")
}
