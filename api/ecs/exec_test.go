package ecs_test

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/api/ecs"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/wire"
)

// TestExecuteCommand: SEMANTICS §2.5, §13.8; the answer is what the aws command line reads (AGENT-PROTOCOL §5.1) [run].
func TestExecuteCommand(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	s.instance("default", "a")
	s.define("web")
	run := must(s.RunTask(ctx, &sdk.RunTaskInput{TaskDefinition: aws.String("web"), EnableExecuteCommand: true}))(t)
	task := *run.Tasks[0].TaskArn
	call := func(change func(*sdk.ExecuteCommandInput)) error {
		in := &sdk.ExecuteCommandInput{Task: &task, Command: aws.String("/bin/sh"), Interactive: true}
		change(in)
		return fails(s.ExecuteCommand(ctx, in))
	}
	s.refuses(t, []refused{
		{"where there is no exec [I]", "UnsupportedFeatureException", "Roadstead does not serve ExecuteCommand here.", func() error { return call(func(*sdk.ExecuteCommandInput) {}) }},
	})
	cfg := s.config()
	var asked string
	cfg.Exec = func(_ context.Context, t *model.Task, container, command string) (ecs.ExecSession, error) {
		asked = words(t.ARN(), container, command)
		if command == "refused" {
			return ecs.ExecSession{}, model.Errorf("TargetNotConnectedException", "away")
		}
		return ecs.ExecSession{Container: &t.Containers[0], ID: "s", StreamURL: "ws://x", Token: "token"}, nil
	}
	s.gateway = wire.NewGateway(wire.GatewayConfig{Authenticate: authenticate}, ecs.New(cfg))
	s.refuses(t, []refused{
		{"not interactive [O]", "InvalidParameterException", "Interactive is the only mode supported currently.", func() error {
			return call(func(in *sdk.ExecuteCommandInput) { in.Interactive = false })
		}},
		{"no such task [O]", "InvalidParameterException", "The referenced task was not found.", func() error {
			return call(func(in *sdk.ExecuteCommandInput) { in.Task = aws.String("x") })
		}},
		{"no such cluster [O]", "ClusterNotFoundException", "Cluster not found.", func() error {
			return call(func(in *sdk.ExecuteCommandInput) { in.Cluster = aws.String("x") })
		}},
		{"refused by exec", "TargetNotConnectedException", "away", func() error {
			return call(func(in *sdk.ExecuteCommandInput) { in.Command = aws.String("refused") })
		}},
	})
	out := must(s.ExecuteCommand(ctx, &sdk.ExecuteCommandInput{Task: &task, Container: aws.String("app"), Command: aws.String("ls -l"), Interactive: true}))(t)
	same(t, "asked", asked, task+" app ls -l")
	same(t, "answer", words(*out.ClusterArn, *out.TaskArn, *out.ContainerArn, *out.ContainerName, out.Interactive, *out.Session.SessionId, *out.Session.StreamUrl, *out.Session.TokenValue),
		words("arn:aws:ecs:us-east-1:000000000000:cluster/default", task, *s.describe(task).Containers[0].ContainerArn, "app true s ws://x token"))
}

// [D] SEMANTICS §13.8: the agent of a container is as the container is, and tasks started without it show none.
func TestManagedAgents(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	instance := s.instance("default", "a")
	s.define("web")
	if agents := s.run("web", 1).Tasks[0].Containers[0].ManagedAgents; len(agents) != 0 {
		t.Errorf("without execute command: %+v", agents)
	}
	start := must(s.StartTask(ctx, &sdk.StartTaskInput{TaskDefinition: aws.String("web"), ContainerInstances: []string{instance}, EnableExecuteCommand: true}))(t)
	run := must(s.RunTask(ctx, &sdk.RunTaskInput{TaskDefinition: aws.String("web"), EnableExecuteCommand: true}))(t)
	task := *run.Tasks[0].TaskArn
	show := func(agents []types.ManagedAgent) string {
		if len(agents) != 1 {
			return words(agents)
		}
		return words(agents[0].Name, *agents[0].LastStatus, agents[0].LastStartedAt != nil)
	}
	same(t, "of StartTask", show(start.Tasks[0].Containers[0].ManagedAgents), "ExecuteCommandAgent PENDING false")
	same(t, "at first", show(run.Tasks[0].Containers[0].ManagedAgents), "ExecuteCommandAgent PENDING false")
	s.report(task, "RUNNING", nil)
	same(t, "running", show(s.describe(task).Containers[0].ManagedAgents), "ExecuteCommandAgent RUNNING true")
	s.report(task, "STOPPED", aws.Int32(0))
	same(t, "stopped", show(s.describe(task).Containers[0].ManagedAgents), "ExecuteCommandAgent STOPPED true")
}
