//go:build e2e

package e2e_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// ownProtection: a task of every mode with a network reaches the endpoint, and gets nobody else's task there (SEMANTICS §8.11).
func ownProtection(t *testing.T, e *Env) {
	for mode, host := range map[types.NetworkMode]string{
		types.NetworkModeBridge: "169.254.170.2/", types.NetworkModeAwsvpc: "169.254.170.2/", types.NetworkModeHost: "",
	} {
		t.Run(string(mode), func(t *testing.T) {
			mine := *e
			mine.t = t
			mine.protectionIn(t, mode, host)
		})
	}
}

func (e *Env) protectionIn(t *testing.T, mode types.NetworkMode, host string) {
	var change []func(*ecs.RunTaskInput)
	if mode == types.NetworkModeAwsvpc {
		change = append(change, inVPC)
	}
	c := e.container("c", "env=ECS_AGENT_URI", "protection", `protection={"ProtectionEnabled":true,"ExpiresInMinutes":5}`, "protection={}", "metadata=/task", "print=done", "onterm=bye", "wait")
	arn := e.RunTask(e.Define("protects-"+string(mode), ecs.RegisterTaskDefinitionInput{NetworkMode: mode}, c), change...)
	log := strings.Split(e.AwaitLog(arn, "done"), "\n")
	uri := strings.TrimPrefix(log[0], "ECS_AGENT_URI=")
	if !strings.HasPrefix(uri, "http://"+host) {
		t.Errorf("it is told %s", uri)
	}
	if len(log) < 5 {
		t.Fatalf("log is %q", log)
	}
	for _, answer := range log[1:3] { // of a task without a service
		if !strings.Contains(answer, arn) {
			t.Errorf("answered %s", answer)
		}
		t.Log(answer)
	}
	if !strings.HasPrefix(log[3], "400 ") || !strings.Contains(log[3], "does not contain 'ProtectionEnabled' field") {
		t.Errorf("a body without ProtectionEnabled is answered %s", log[3])
	}
	if !strings.HasPrefix(log[4], "200 ") || !strings.Contains(log[4], `"TaskARN":"`+arn+`"`) {
		t.Errorf("its metadata is %s", log[4])
	}
	other := e.RunTask(e.Define("spies-"+string(mode), ecs.RegisterTaskDefinitionInput{}, e.container("c", "fetch="+uri+"/task-protection/v1/state", "exit=0")))
	e.AwaitStatus(other, "STOPPED")
	if got := e.Logs(other); !strings.HasPrefix(got, "404 ") {
		t.Errorf("another task that knows the id is answered %s", got)
	}
	e.StopTask(arn)
	e.AwaitStatus(arn, "STOPPED")
}

// TestProtectedTask: a task of a service protects itself, and is not stopped when the service wants fewer, until the protection is
// taken away (SEMANTICS §8.11).
func TestProtectedTask(t *testing.T) {
	t.Parallel()
	e := NewPair(t)
	ctx, cancel := within(2 * patience)
	defer cancel()
	def := e.Define("worker", ecs.RegisterTaskDefinitionInput{}, e.container("c",
		`protection={"ProtectionEnabled":true,"ExpiresInMinutes":60}`, "protection", "print=done", "onterm=bye", "wait"))
	_, err := e.ECS.CreateService(ctx, &ecs.CreateServiceInput{ServiceName: aws.String("s"), TaskDefinition: &def, DesiredCount: aws.Int32(1)})
	must(t, err)
	var arn string
	poll(t, patience, func(ctx context.Context) error {
		list, err := e.ECS.ListTasks(ctx, &ecs.ListTasksInput{ServiceName: aws.String("s")})
		if err != nil || len(list.TaskArns) != 1 {
			return errAgain(fmt.Sprint("no task: ", err))
		}
		arn = list.TaskArns[0]
		return nil
	})
	for _, answer := range strings.Split(e.AwaitLog(arn, "done"), "\n")[:2] {
		t.Log(answer)
		if !strings.HasPrefix(answer, `200 {"protection":{"ExpirationDate":"20`) || !strings.Contains(answer, `"ProtectionEnabled":true,"TaskArn":"`+arn+`"`) {
			t.Errorf("answered %s", answer)
		}
	}
	_, err = e.ECS.UpdateService(ctx, &ecs.UpdateServiceInput{Service: aws.String("s"), DesiredCount: aws.Int32(0)})
	must(t, err)
	poll(t, patience, func(ctx context.Context) error { // the service has looked at it
		out, err := e.ECS.DescribeServices(ctx, &ecs.DescribeServicesInput{Services: []string{"s"}})
		if err != nil || len(out.Services) != 1 {
			return errAgain(fmt.Sprint(err))
		}
		for _, said := range out.Services[0].Events {
			if strings.Contains(*said.Message, "unable to scale in due to") {
				t.Log(*said.Message)
				return nil
			}
		}
		return errAgain("the service does not say that it cannot scale in")
	})
	if task := e.AwaitStatus(arn, "RUNNING"); *task.DesiredStatus != "RUNNING" {
		t.Errorf("a protected task is to be %s", *task.DesiredStatus)
	}
	_, err = e.ECS.UpdateTaskProtection(ctx, &ecs.UpdateTaskProtectionInput{Cluster: aws.String("default"), Tasks: []string{arn}, ProtectionEnabled: false})
	must(t, err)
	e.ends(arn, types.TaskStopCodeServiceSchedulerInitiated, "", 0)
	_, err = e.ECS.DeleteService(ctx, &ecs.DeleteServiceInput{Service: aws.String("s")})
	must(t, err)
}
