//go:build e2e

package e2e_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// TestServiceNodes runs services on three nodes, one of which is drained and one of which dies with all its containers.
func TestServiceNodes(t *testing.T) {
	e := NewDev(t, "--nodes", "3", "--cleanup-after", "1ms")
	def := e.Define("spread", ecs.RegisterTaskDefinitionInput{}, e.checked())
	e.CreateService("spread", def, 6)
	e.CreateService("daemon", def, 0, func(in *ecs.CreateServiceInput) {
		in.SchedulingStrategy, in.DesiredCount = types.SchedulingStrategyDaemon, nil
	})
	e.AwaitStable("spread")
	s, took := e.AwaitStable("daemon")
	if s.DesiredCount != 3 || s.RunningCount != 3 {
		t.Errorf("the daemon wants %d and has %d\n%s", s.DesiredCount, s.RunningCount, e.serviceStory("daemon"))
	}
	t.Logf("a daemon on three nodes after %s", ms(took))
	for _, name := range []string{"spread", "daemon"} {
		poll(t, servicePatience, e.rollout(name, types.DeploymentRolloutStateCompleted))
	}
	on := e.placesOf("spread")
	if len(on) != 3 || on[0] != 2 || on[2] != 2 {
		t.Errorf("6 tasks are spread as %v over the zones", on) // SEMANTICS §5.4
	}

	nodes := e.nodesByName()
	stop := e.watch("spread")
	began := time.Now()
	e.setState(nodes["n2"], types.ContainerInstanceStatusDraining)
	poll(t, servicePatience, func(ctx context.Context) error {
		if n := e.tasksOn(ctx, nodes["n2"]); n > 0 {
			return errAgain(fmt.Sprintf("%d tasks are on the draining node\n%s", n, e.serviceStory("spread")))
		}
		return nil
	})
	e.AwaitStable("spread")
	healthy, _ := stop()
	t.Logf("drained after %s; never fewer than %d healthy", ms(time.Since(began)), healthy)
	if healthy < 6 {
		t.Errorf("draining a node left %d of 6 healthy", healthy)
	}
	if s, _ := e.AwaitStable("daemon"); s.DesiredCount != 2 {
		t.Errorf("the daemon wants %d tasks on two nodes", s.DesiredCount)
	}
	e.setState(nodes["n2"], types.ContainerInstanceStatusActive)
	poll(t, servicePatience, func(ctx context.Context) error {
		s, err := e.Service(ctx, "daemon")
		if err == nil && s.RunningCount != 3 {
			err = errAgain(fmt.Sprintf("the daemon has %d tasks", s.RunningCount))
		}
		return err
	})

	before := e.Tasks("spread")
	began = time.Now()
	e.killNode("n3")
	poll(t, servicePatience, func(ctx context.Context) error {
		for _, name := range []string{"spread", "daemon"} {
			s, err := e.Service(ctx, name)
			if err != nil {
				return err
			}
			if s.RunningCount != s.DesiredCount || len(s.Deployments) != 1 || slices.Equal(e.Tasks("spread"), before) {
				return errAgain(e.serviceStory(name))
			}
		}
		return nil
	})
	t.Logf("agent and containers of a node killed; services full again after %s", ms(time.Since(began)))
	for _, name := range []string{"spread", "daemon"} {
		ctx, cancel := within(patience)
		_, err := e.ECS.DeleteService(ctx, &ecs.DeleteServiceInput{Service: &name, Force: aws.Bool(true)})
		cancel()
		must(t, err)
	}
	poll(t, servicePatience, func(context.Context) error {
		if n := len(e.List(types.DesiredStatusRunning)); n > 0 {
			return errAgain(fmt.Sprintf("%d tasks are wanted", n))
		}
		return nil
	})
}

// placesOf counts the service's tasks by zone, in order.
func (e *Env) placesOf(name string) []int {
	e.t.Helper()
	ctx, cancel := within(patience)
	defer cancel()
	all, err := e.tasksOf(ctx, name)
	must(e.t, err)
	by := map[string]int{}
	for i := range all {
		by[aws.ToString(all[i].AvailabilityZone)]++
	}
	var out []int
	for _, n := range by {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

// nodesByName maps n1, n2, n3 to instance ARNs: their zones are in that order.
func (e *Env) nodesByName() map[string]string {
	e.t.Helper()
	ctx, cancel := within(patience)
	defer cancel()
	all, err := e.Instances(ctx)
	must(e.t, err)
	out := map[string]string{}
	for _, i := range all {
		for _, a := range i.Attributes {
			if zone := aws.ToString(a.Value); *a.Name == "ecs.availability-zone" {
				out[fmt.Sprintf("n%d", zone[len(zone)-1]-'a'+1)] = *i.ContainerInstanceArn
			}
		}
	}
	if len(out) != 3 {
		e.t.Fatalf("nodes are %v", out)
	}
	return out
}

func (e *Env) setState(instance string, status types.ContainerInstanceStatus) {
	e.t.Helper()
	ctx, cancel := within(patience)
	defer cancel()
	_, err := e.ECS.UpdateContainerInstancesState(ctx, &ecs.UpdateContainerInstancesStateInput{ContainerInstances: []string{instance}, Status: status})
	must(e.t, err)
}

// tasksOn counts the tasks on an instance that are not STOPPED.
func (e *Env) tasksOn(ctx context.Context, instance string) int {
	n := 0
	for _, desired := range []types.DesiredStatus{types.DesiredStatusRunning, types.DesiredStatusStopped} {
		list, err := e.ECS.ListTasks(ctx, &ecs.ListTasksInput{ContainerInstance: &instance, DesiredStatus: desired})
		if err != nil || len(list.TaskArns) == 0 {
			continue
		}
		all, err := e.Describe(ctx, list.TaskArns...)
		must(e.t, err)
		for i := range all {
			if *all[i].LastStatus != "STOPPED" {
				n++
			}
		}
	}
	return n
}

// TestServiceSurvivesServer kills the server in the middle of a rolling update, which goes on as if nothing had been.
func TestServiceSurvivesServer(t *testing.T) {
	e := NewPair(t, "--cleanup-after", "1ms")
	first := e.Define("survives", ecs.RegisterTaskDefinitionInput{}, e.checked())
	e.CreateService("survives", first, 4)
	e.AwaitStable("survives")
	poll(t, servicePatience, e.rollout("survives", types.DeploymentRolloutStateCompleted))
	stop := e.watch("survives")
	second := e.Define("survives", ecs.RegisterTaskDefinitionInput{}, e.checked())
	e.UpdateService(ecs.UpdateServiceInput{Service: aws.String("survives"), TaskDefinition: &second})
	e.Server.Kill9()
	began := time.Now()
	e.Server.again()
	e.Server.AwaitReady(30 * time.Second)
	poll(t, servicePatience, e.rollout("survives", types.DeploymentRolloutStateCompleted))
	healthy, most := stop()
	t.Logf("the update ended %s after the server was killed; never fewer than %d healthy, never more than %d tasks", ms(time.Since(began)), healthy, most)
	if healthy < 4 || most > 8 {
		t.Errorf("bounds are 4 and 8\n%s", e.serviceStory("survives"))
	}
	ctx, cancel := within(patience)
	defer cancel()
	s, err := e.Service(ctx, "survives")
	must(t, err)
	if !strings.HasSuffix(*s.TaskDefinition, second) || s.RunningCount != 4 {
		t.Errorf("it runs %d tasks of %s", s.RunningCount, *s.TaskDefinition)
	}
	all, err := e.tasksOf(ctx, "survives")
	must(t, err)
	for i := range all {
		if !strings.HasSuffix(*all[i].TaskDefinitionArn, second) {
			t.Errorf("task %s is of %s", id(*all[i].TaskArn), *all[i].TaskDefinitionArn)
		}
	}
	e.Scale("survives", 0)
	e.AwaitStable("survives")
}
