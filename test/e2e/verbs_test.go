//go:build e2e

package e2e_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// patience bounds what should take a moment: the machine may be busy with something else.
const patience = 60 * time.Second

func within(d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), d)
}

// CreateCluster makes a cluster.
func (e *Env) CreateCluster(name string) {
	e.t.Helper()
	ctx, cancel := within(patience)
	defer cancel()
	_, err := e.ECS.CreateCluster(ctx, &ecs.CreateClusterInput{ClusterName: &name})
	must(e.t, err)
}

// AwaitNodes waits until n instances are connected.
func (e *Env) AwaitNodes(n int) time.Duration {
	e.t.Helper()
	return poll(e.t, patience, func(ctx context.Context) error {
		nodes, err := e.Instances(ctx)
		if err != nil {
			return errAgain(err.Error())
		}
		connected := 0
		for _, i := range nodes {
			if i.AgentConnected {
				connected++
			}
		}
		if connected < n {
			return errAgain(fmt.Sprintf("%d of %d nodes are connected", connected, n))
		}
		return nil
	})
}

// Instances describes the container instances of cluster default.
func (e *Env) Instances(ctx context.Context) ([]types.ContainerInstance, error) {
	list, err := e.ECS.ListContainerInstances(ctx, &ecs.ListContainerInstancesInput{})
	if err != nil || len(list.ContainerInstanceArns) == 0 {
		return nil, err
	}
	out, err := e.ECS.DescribeContainerInstances(ctx, &ecs.DescribeContainerInstancesInput{ContainerInstances: list.ContainerInstanceArns})
	if err != nil {
		return nil, err
	}
	return out.ContainerInstances, nil
}

// container is a container of the probe that does what verbs say.
func (e *Env) container(name string, verbs ...string) types.ContainerDefinition {
	return types.ContainerDefinition{Name: &name, Image: &e.Image, Command: verbs, Memory: aws.Int32(32), Essential: aws.Bool(true)}
}

// Define registers a task definition of these containers and returns "family:revision".
func (e *Env) Define(family string, in ecs.RegisterTaskDefinitionInput, containers ...types.ContainerDefinition) string {
	e.t.Helper()
	ctx, cancel := within(patience)
	defer cancel()
	in.Family, in.ContainerDefinitions = &family, containers
	out, err := e.ECS.RegisterTaskDefinition(ctx, &in)
	must(e.t, err)
	return fmt.Sprintf("%s:%d", family, out.TaskDefinition.Revision)
}

// awsvpc is what RunTask needs for a definition of that mode.
func awsvpc() *types.NetworkConfiguration {
	return &types.NetworkConfiguration{AwsvpcConfiguration: &types.AwsVpcConfiguration{Subnets: []string{"subnet-12345678"}}}
}

// RunTask runs one task and returns its ARN.
func (e *Env) RunTask(definition string, change ...func(*ecs.RunTaskInput)) string {
	e.t.Helper()
	ctx, cancel := within(patience)
	defer cancel()
	in := &ecs.RunTaskInput{TaskDefinition: &definition}
	for _, f := range change {
		f(in)
	}
	out, err := e.ECS.RunTask(ctx, in)
	must(e.t, err)
	if len(out.Tasks) != 1 || len(out.Failures) != 0 {
		e.t.Fatalf("RunTask %s: %d tasks, failures %+v", definition, len(out.Tasks), failures(out.Failures))
	}
	return *out.Tasks[0].TaskArn
}

func inVPC(in *ecs.RunTaskInput) { in.NetworkConfiguration = awsvpc() }

func failures(all []types.Failure) (out []string) {
	for _, f := range all {
		out = append(out, fmt.Sprintf("%s %s %s", aws.ToString(f.Arn), aws.ToString(f.Reason), aws.ToString(f.Detail)))
	}
	return out
}

// Describe describes tasks, many at a time if need be.
func (e *Env) Describe(ctx context.Context, arns ...string) ([]types.Task, error) {
	var out []types.Task
	for len(arns) > 0 {
		n := min(100, len(arns))
		page, err := e.ECS.DescribeTasks(ctx, &ecs.DescribeTasksInput{Tasks: arns[:n]})
		if err != nil {
			return nil, err
		}
		if len(page.Failures) > 0 {
			return nil, fmt.Errorf("tasks that nobody knows: %q", failures(page.Failures))
		}
		out, arns = append(out, page.Tasks...), arns[n:]
	}
	return out, nil
}

// AwaitStatus waits until the task has reached a status, and returns it.
func (e *Env) AwaitStatus(arn, status string) types.Task {
	e.t.Helper()
	var task types.Task
	poll(e.t, patience, func(ctx context.Context) error {
		all, err := e.Describe(ctx, arn)
		if err != nil {
			return err
		}
		if task = all[0]; *task.LastStatus == status {
			return nil
		}
		if *task.LastStatus == "STOPPED" {
			return fmt.Errorf("task %s stopped: %s", arn, story(&task))
		}
		return errAgain(fmt.Sprintf("task %s is %s", arn, *task.LastStatus))
	})
	return task
}

// story says of a task how it ended.
func story(t *types.Task) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %q", *t.LastStatus, t.StopCode, aws.ToString(t.StoppedReason))
	for _, c := range t.Containers {
		code := "-"
		if c.ExitCode != nil {
			code = fmt.Sprint(*c.ExitCode)
		}
		fmt.Fprintf(&b, " [%s exit %s %q]", *c.Name, code, aws.ToString(c.Reason))
	}
	return b.String()
}

// StopTask asks the task to stop.
func (e *Env) StopTask(arn string) {
	e.t.Helper()
	ctx, cancel := within(patience)
	defer cancel()
	_, err := e.ECS.StopTask(ctx, &ecs.StopTaskInput{Task: &arn, Reason: aws.String("the test has seen enough")})
	must(e.t, err)
}

// Logs returns what the task's containers have written.
func (e *Env) Logs(arn string) string {
	e.t.Helper()
	return e.CLI("logs", id(arn))
}

// AwaitLog waits until the task has written a text.
func (e *Env) AwaitLog(arn, text string) string {
	e.t.Helper()
	var got string
	poll(e.t, patience, func(ctx context.Context) error {
		var err error
		if got, err = e.cli(ctx, "logs", id(arn)); err != nil {
			return errAgain(err.Error())
		}
		if !strings.Contains(got, text) {
			return errAgain(fmt.Sprintf("no %q in the log of %s:\n%s", text, arn, got))
		}
		return nil
	})
	return got
}

func id(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }

// web asks pages with connections of their own: a kept one would hide that a port is closed, or leak.
var web = &http.Client{Timeout: 3 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

func page(ctx context.Context, url string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	resp, err := web.Do(r)
	if err != nil {
		return "", errAgain(err.Error())
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		return "", errAgain(fmt.Sprintf("%s: %s %s", url, resp.Status, b))
	}
	return string(b), err
}

// AwaitPage waits until a URL answers 200 and returns the page.
func AwaitPage(t testing.TB, url string) string {
	t.Helper()
	var text string
	poll(t, 20*time.Second, func(ctx context.Context) (err error) {
		text, err = page(ctx, url)
		return err
	})
	return text
}

// ownAddress is an address of this machine other than loopback.
func ownAddress(t testing.TB) string {
	t.Helper()
	c, err := net.Dial("udp", "198.51.100.1:9") // sends nothing
	must(t, err)
	defer c.Close()
	host, _, err := net.SplitHostPort(c.LocalAddr().String())
	must(t, err)
	return host
}
