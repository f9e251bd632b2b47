//go:build e2e

package e2e_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// servicePatience bounds what services do step by step: without a health check a task counts as healthy 40 s after its start.
const servicePatience = 3 * time.Minute

// TestServices lets services run real containers on one node, watched by the SDK's own waiters.
func TestServices(t *testing.T) {
	t.Parallel()
	e := NewPair(t, "--cleanup-after", "1ms")
	for name, test := range map[string]func(*testing.T, *Env){
		"scales 0-20-0":                              serviceScales,
		"a rolling update never dips":                serviceRolls,
		"a crash loop is restarted and not given up": serviceCrashes,
		"an image that is not there is rolled back":  serviceRollsBack,
		"delete with force":                          serviceDeleted,
		"a task that is UNHEALTHY is replaced":       serviceReplaces,
		"a push of the same tag does not leak in":    servicePinsImages,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mine := *e
			mine.t = t
			test(t, &mine)
		})
	}
}

// CreateService creates a REPLICA service unless change says otherwise.
func (e *Env) CreateService(name, definition string, desired int32, change ...func(*ecs.CreateServiceInput)) *types.Service {
	e.t.Helper()
	ctx, cancel := within(patience)
	defer cancel()
	in := &ecs.CreateServiceInput{ServiceName: &name, TaskDefinition: &definition, DesiredCount: &desired}
	for _, f := range change {
		f(in)
	}
	out, err := e.ECS.CreateService(ctx, in)
	must(e.t, err)
	return out.Service
}

// UpdateService changes a service.
func (e *Env) UpdateService(in ecs.UpdateServiceInput) *types.Service {
	e.t.Helper()
	ctx, cancel := within(patience)
	defer cancel()
	out, err := e.ECS.UpdateService(ctx, &in)
	must(e.t, err)
	return out.Service
}

// Scale sets the desired count.
func (e *Env) Scale(name string, n int32) {
	e.t.Helper()
	e.UpdateService(ecs.UpdateServiceInput{Service: &name, DesiredCount: &n})
}

// Service describes a service.
func (e *Env) Service(ctx context.Context, name string) (*types.Service, error) {
	out, err := e.ECS.DescribeServices(ctx, &ecs.DescribeServicesInput{Services: []string{name}})
	if err != nil {
		return nil, errAgain(err.Error())
	}
	if len(out.Services) != 1 {
		return nil, fmt.Errorf("service %s: failures %q", name, failures(out.Failures))
	}
	return &out.Services[0], nil
}

// AwaitStable waits with the SDK's waiter until the service is stable, and returns it and how long that took.
func (e *Env) AwaitStable(name string) (*types.Service, time.Duration) {
	e.t.Helper()
	began := time.Now()
	waiter := ecs.NewServicesStableWaiter(e.ECS, func(o *ecs.ServicesStableWaiterOptions) {
		o.MinDelay, o.MaxDelay = 50*time.Millisecond, 200*time.Millisecond
	})
	if err := waiter.Wait(context.Background(), &ecs.DescribeServicesInput{Services: []string{name}}, servicePatience); err != nil {
		e.t.Fatalf("service %s is not stable after %s: %v\n%s", name, ms(time.Since(began)), err, e.serviceStory(name))
	}
	ctx, cancel := within(patience)
	defer cancel()
	s, err := e.Service(ctx, name)
	must(e.t, err)
	return s, time.Since(began)
}

// serviceStory says how a service fared: its deployments and messages.
func (e *Env) serviceStory(name string) string {
	ctx, cancel := within(patience)
	defer cancel()
	s, err := e.Service(ctx, name)
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s desired %d running %d pending %d\n", *s.Status, s.DesiredCount, s.RunningCount, s.PendingCount)
	for _, d := range s.Deployments {
		fmt.Fprintf(&b, "  %s %s %s desired %d running %d pending %d failed %d: %s\n", *d.Id, *d.Status, d.RolloutState, d.DesiredCount,
			d.RunningCount, d.PendingCount, d.FailedTasks, aws.ToString(d.RolloutStateReason))
	}
	for _, m := range s.Events {
		fmt.Fprintf(&b, "  %s %s\n", m.CreatedAt.Format("15:04:05.000"), *m.Message)
	}
	return b.String()
}

// tasksOf describes the tasks of a service that are wanted RUNNING.
func (e *Env) tasksOf(ctx context.Context, name string) ([]types.Task, error) {
	var arns []string
	for pages := ecs.NewListTasksPaginator(e.ECS, &ecs.ListTasksInput{ServiceName: &name}); pages.HasMorePages(); {
		out, err := pages.NextPage(ctx)
		if err != nil {
			return nil, errAgain(err.Error())
		}
		arns = append(arns, out.TaskArns...)
	}
	return e.Describe(ctx, arns...)
}

// Tasks are the ARNs of the service's tasks that are wanted RUNNING.
func (e *Env) Tasks(name string) []string {
	e.t.Helper()
	ctx, cancel := within(patience)
	defer cancel()
	all, err := e.tasksOf(ctx, name)
	must(e.t, err)
	var out []string
	for i := range all {
		out = append(out, *all[i].TaskArn)
	}
	slices.Sort(out)
	return out
}

// checked is a container that serves a page and is HEALTHY.
func (e *Env) checked(verbs ...string) types.ContainerDefinition {
	c := e.container("c", append(verbs, "serve=:8000", "onterm=bye", "wait")...)
	c.Memory = aws.Int32(16)
	c.HealthCheck = &types.HealthCheck{Command: []string{"CMD", "/probe", "dial=127.0.0.1:8000"}, Interval: aws.Int32(5), Timeout: aws.Int32(2), Retries: aws.Int32(2)}
	return c
}

func serviceScales(t *testing.T, e *Env) {
	def := e.Define("scales", ecs.RegisterTaskDefinitionInput{}, e.checked())
	e.CreateService("scales", def, 0)
	e.AwaitStable("scales")
	for _, n := range []int32{20, 0} {
		e.Scale("scales", n)
		s, took := e.AwaitStable("scales")
		if s.RunningCount != n || s.PendingCount != 0 || len(e.Tasks("scales")) != int(n) {
			t.Errorf("it has %d of %d tasks", s.RunningCount, n)
		}
		t.Logf("scaled to %d in %s", n, ms(took))
	}
	began := time.Now()
	poll(t, patience, func(ctx context.Context) error {
		s, err := e.Service(ctx, "scales")
		if err != nil {
			return err
		}
		for _, want := range []string{"(service scales) has reached a steady state.", "(service scales) has started ", "(service scales) has stopped "} {
			if !slices.ContainsFunc(s.Events, func(m types.ServiceEvent) bool { return strings.Contains(*m.Message, want) }) {
				return errAgain(fmt.Sprintf("after %s no message %q in\n%s", ms(time.Since(began)), want, e.serviceStory("scales")))
			}
		}
		return nil
	})
}

// watch looks at a service all the time, until stop is called: the fewest healthy tasks and the most tasks it ever had.
func (e *Env) watch(name string) (stop func() (healthy, most int)) {
	ctx, cancel := context.WithCancel(context.Background())
	healthy, most := 1<<30, 0
	var wg sync.WaitGroup
	wg.Go(func() {
		for ctx.Err() == nil {
			all, err := e.tasksOf(ctx, name)
			if err != nil {
				continue
			}
			ok, there := 0, 0
			for i := range all {
				there++
				if *all[i].LastStatus == "RUNNING" && all[i].HealthStatus == types.HealthStatusHealthy {
					ok++
				}
			}
			healthy, most = min(healthy, ok), max(most, there)
		}
	})
	return func() (int, int) { cancel(); wg.Wait(); return healthy, most }
}

func serviceRolls(t *testing.T, e *Env) {
	first := e.Define("rolls", ecs.RegisterTaskDefinitionInput{}, e.checked())
	e.CreateService("rolls", first, 4)
	e.AwaitStable("rolls")
	poll(t, servicePatience, func(ctx context.Context) error {
		all, err := e.tasksOf(ctx, "rolls")
		if err != nil {
			return err
		}
		for i := range all {
			if all[i].HealthStatus != types.HealthStatusHealthy {
				return errAgain("a task is " + string(all[i].HealthStatus))
			}
		}
		return nil
	})
	old := e.Tasks("rolls")
	stop := e.watch("rolls")
	second := e.Define("rolls", ecs.RegisterTaskDefinitionInput{}, e.checked())
	s := e.UpdateService(ecs.UpdateServiceInput{Service: aws.String("rolls"), TaskDefinition: &second})
	if len(s.Deployments) != 2 || *s.Deployments[0].Status != "PRIMARY" || *s.Deployments[1].Status != "ACTIVE" {
		t.Errorf("the update answered %d deployments", len(s.Deployments))
	}
	s, took := e.AwaitStable("rolls")
	healthy, most := stop()
	t.Logf("4 tasks replaced in %s; never fewer than %d healthy, never more than %d tasks", ms(took), healthy, most)
	if healthy < 4 || most > 8 {
		t.Errorf("bounds are 4 and 8\n%s", e.serviceStory("rolls"))
	}
	if d := s.Deployments[0]; *d.TaskDefinition == "" || !strings.HasSuffix(*d.TaskDefinition, second) {
		t.Errorf("it runs %s", *d.TaskDefinition)
	}
	for _, arn := range e.Tasks("rolls") {
		if slices.Contains(old, arn) {
			t.Errorf("task %s is of before", id(arn))
		}
	}
	poll(t, servicePatience, func(ctx context.Context) error {
		list, err := e.ECS.ListServiceDeployments(ctx, &ecs.ListServiceDeploymentsInput{Service: aws.String("rolls")})
		if err != nil {
			return err
		}
		if n := len(list.ServiceDeployments); n != 2 || list.ServiceDeployments[0].Status != types.ServiceDeploymentStatusSuccessful {
			return errAgain(fmt.Sprintf("%d service deployments, the newest is %s", n, list.ServiceDeployments[0].Status))
		}
		return nil
	})
}

func serviceCrashes(t *testing.T, e *Env) {
	def := e.Define("crashes", ecs.RegisterTaskDefinitionInput{}, e.container("c", "sleep=300ms", "exit=1"))
	e.CreateService("crashes", def, 1, func(in *ecs.CreateServiceInput) {
		in.DeploymentConfiguration = &types.DeploymentConfiguration{DeploymentCircuitBreaker: &types.DeploymentCircuitBreaker{Enable: true, Rollback: true}}
	})
	began := time.Now()
	poll(t, servicePatience, func(ctx context.Context) error {
		out, err := e.ECS.ListTasks(ctx, &ecs.ListTasksInput{ServiceName: aws.String("crashes"), DesiredStatus: types.DesiredStatusStopped})
		if err != nil {
			return err
		}
		if n := len(out.TaskArns); n < 6 {
			return errAgain(fmt.Sprintf("%d tasks have crashed\n%s", n, e.serviceStory("crashes")))
		}
		return nil
	})
	t.Logf("6 crashes in %s", ms(time.Since(began)))
	ctx, cancel := within(patience)
	defer cancel()
	s, err := e.Service(ctx, "crashes")
	must(t, err)
	if d := s.Deployments[0]; d.RolloutState == types.DeploymentRolloutStateFailed {
		t.Errorf("tasks that ran made the circuit breaker go off (trap 5)\n%s", e.serviceStory("crashes"))
	}
	e.Scale("crashes", 0)
	e.AwaitStable("crashes")
}

func serviceRollsBack(t *testing.T, e *Env) {
	good := e.Define("rollsback", ecs.RegisterTaskDefinitionInput{}, e.checked())
	e.CreateService("rollsback", good, 2, func(in *ecs.CreateServiceInput) {
		in.DeploymentConfiguration = &types.DeploymentConfiguration{DeploymentCircuitBreaker: &types.DeploymentCircuitBreaker{Enable: true, Rollback: true}}
	})
	poll(t, servicePatience, e.rollout("rollsback", types.DeploymentRolloutStateCompleted))
	old := e.Tasks("rollsback")
	c := e.checked()
	c.Image = aws.String(strings.TrimSuffix(e.Image, ":1") + ":nope")
	bad := e.Define("rollsback", ecs.RegisterTaskDefinitionInput{}, c)
	e.UpdateService(ecs.UpdateServiceInput{Service: aws.String("rollsback"), TaskDefinition: &bad})
	began := time.Now()
	poll(t, servicePatience, func(ctx context.Context) error {
		out, err := e.ECS.ListServiceDeployments(ctx, &ecs.ListServiceDeploymentsInput{Service: aws.String("rollsback")})
		if err != nil {
			return err
		}
		if s := out.ServiceDeployments[0].Status; s != types.ServiceDeploymentStatusRollbackSuccessful {
			return errAgain(fmt.Sprintf("the deployment is %s\n%s", s, e.serviceStory("rollsback")))
		}
		return nil
	})
	t.Logf("rolled back after %s", ms(time.Since(began)))
	s, _ := e.AwaitStable("rollsback")
	if !strings.HasSuffix(*s.TaskDefinition, good) {
		t.Errorf("it runs %s", *s.TaskDefinition)
	}
	if now := e.Tasks("rollsback"); !slices.Equal(now, old) {
		t.Errorf("its tasks were %v and are %v", old, now)
	}
	for _, want := range []string{") deployment failed: tasks failed to start.", "rolling back to deployment ecs-svc/"} {
		if !strings.Contains(e.serviceStory("rollsback"), want) {
			t.Errorf("no message %q in\n%s", want, e.serviceStory("rollsback"))
		}
	}
}

// rollout waits for the rollout state of a service's only deployment.
func (e *Env) rollout(name string, want types.DeploymentRolloutState) func(context.Context) error {
	return func(ctx context.Context) error {
		s, err := e.Service(ctx, name)
		if err != nil {
			return err
		}
		if len(s.Deployments) != 1 || s.Deployments[0].RolloutState != want {
			return errAgain(e.serviceStory(name))
		}
		return nil
	}
}

func serviceDeleted(t *testing.T, e *Env) {
	def := e.Define("deleted", ecs.RegisterTaskDefinitionInput{}, e.checked())
	e.CreateService("deleted", def, 3)
	e.AwaitStable("deleted")
	tasks := e.Tasks("deleted")
	ctx, cancel := within(servicePatience)
	defer cancel()
	_, err := e.ECS.DeleteService(ctx, &ecs.DeleteServiceInput{Service: aws.String("deleted")})
	if err == nil || !strings.Contains(err.Error(), "The service cannot be stopped while it is scaled above 0.") {
		t.Errorf("deleting it without force: %v", err)
	}
	out, err := e.ECS.DeleteService(ctx, &ecs.DeleteServiceInput{Service: aws.String("deleted"), Force: aws.Bool(true)})
	must(t, err)
	if *out.Service.Status != "DRAINING" {
		t.Errorf("it is %s at once", *out.Service.Status)
	}
	waiter := ecs.NewServicesInactiveWaiter(e.ECS, func(o *ecs.ServicesInactiveWaiterOptions) { o.MinDelay = 50 * time.Millisecond })
	must(t, waiter.Wait(ctx, &ecs.DescribeServicesInput{Services: []string{"deleted"}}, servicePatience))
	e.AwaitAll(tasks, "STOPPED")
	list, err := e.ECS.ListServices(ctx, &ecs.ListServicesInput{MaxResults: aws.Int32(100)})
	must(t, err)
	for _, arn := range list.ServiceArns {
		if strings.HasSuffix(arn, "/deleted") {
			t.Error("it is still listed")
		}
	}
	e.CreateService("deleted", def, 1) // the name is free again
	e.AwaitStable("deleted")
}

// Trap 8: image tags are resolved once a revision.
func servicePinsImages(t *testing.T, e *Env) {
	c := e.checked()
	moving := e.BuildImage("moving:latest")
	c.Image = &moving
	def := e.Define("moving", ecs.RegisterTaskDefinitionInput{}, c)
	e.CreateService("moving", def, 1)
	e.AwaitStable("moving")
	first := e.digests("moving")
	e.CLI("image", "build", binary, "moving:latest") // another program under the same tag: it would not even start
	e.Scale("moving", 3)
	e.AwaitStable("moving")
	if got := e.digests("moving"); len(got) != 1 || got[0] != first[0] {
		t.Errorf("the service's tasks run %v, its first ran %v", got, first)
	}
	if got := e.pinned("moving"); !slices.Equal(got, first) {
		t.Errorf("the revision names %v", got)
	}
	e.BuildImage("moving:latest")
	e.Scale("moving", 0)
	e.AwaitStable("moving")
}

// digests are those of the images that a service's tasks run, each once.
func (e *Env) digests(name string) []string {
	e.t.Helper()
	ctx, cancel := within(patience)
	defer cancel()
	all, err := e.tasksOf(ctx, name)
	must(e.t, err)
	var out []string
	for i := range all {
		out = append(out, aws.ToString(all[i].Containers[0].ImageDigest))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// pinned are the digests that the service's newest revision names.
func (e *Env) pinned(name string) []string {
	e.t.Helper()
	ctx, cancel := within(patience)
	defer cancel()
	list, err := e.ECS.ListServiceDeployments(ctx, &ecs.ListServiceDeploymentsInput{Service: &name})
	must(e.t, err)
	out, err := e.ECS.DescribeServiceRevisions(ctx, &ecs.DescribeServiceRevisionsInput{ServiceRevisionArns: []string{*list.ServiceDeployments[0].TargetServiceRevisionArn}})
	must(e.t, err)
	var digests []string
	for _, i := range out.ServiceRevisions[0].ContainerImages {
		digests = append(digests, aws.ToString(i.ImageDigest))
	}
	return digests
}
