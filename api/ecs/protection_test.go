package ecs_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
)

const taskPrefix = "arn:aws:ecs:us-east-1:000000000000:task/default/"

// TestTaskProtection: SEMANTICS §2.5, §8.11.
func TestTaskProtection(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	s.instance("default", "a")
	s.define("web")
	alone := *s.run("web", 1).Tasks[0].TaskArn
	id := *s.serve("s", "web").Deployments[0].Id // two tasks
	var tasks []string
	for range 3 {
		tasks = append(tasks, s.serviceTask("s", id, "RUNNING"))
	}
	stopped := s.serviceTask("s", id, "STOPPED")
	leaving := s.serviceTask("s", id, "RUNNING", func(t *model.Task) { t.Desired = "STOPPED" })
	protect := func(on bool, minutes *int32, ids ...string) *sdk.UpdateTaskProtectionOutput {
		return must(s.UpdateTaskProtection(ctx, &sdk.UpdateTaskProtectionInput{Cluster: aws.String("default"), ProtectionEnabled: on, ExpiresInMinutes: minutes, Tasks: ids}))(t)
	}
	get := func(ids ...string) *sdk.GetTaskProtectionOutput {
		return must(s.GetTaskProtection(ctx, &sdk.GetTaskProtectionInput{Cluster: aws.String("default"), Tasks: ids}))(t)
	}
	after := func(p types.ProtectedTask) float64 { return p.ExpirationDate.Sub(fromMillis(s.clock.Load())).Minutes() }

	same(t, "not protected", words(get(tasks[0]).ProtectedTasks[0].ProtectionEnabled, get(tasks[0]).ProtectedTasks[0].ExpirationDate), "false <nil>")
	out := protect(true, nil, tasks[0], tasks[0])
	same(t, "two hours if nothing is said [D]", words(len(out.ProtectedTasks), *out.ProtectedTasks[0].TaskArn, out.ProtectedTasks[0].ProtectionEnabled, after(out.ProtectedTasks[0])),
		words(1, taskPrefix+tasks[0], "true 120"))
	s.clock.Add(60_000)
	same(t, "each call sets a new end [D]", after(protect(true, aws.Int32(1), tasks[0]).ProtectedTasks[0]), 1)
	s.clock.Add(60_000)
	same(t, "over [D]", words(get(tasks[0]).ProtectedTasks[0].ProtectionEnabled, get(tasks[0]).ProtectedTasks[0].ExpirationDate), "false <nil>")

	out = protect(true, aws.Int32(2880), alone, stopped, leaving, "x", tasks[1])
	same(t, "failures [D]", reasons(out.Failures), []string{alone + ": TASK_NOT_VALID", taskPrefix + stopped + ": TASK_NOT_VALID", taskPrefix + leaving + ": TASK_NOT_VALID", taskPrefix + "x: MISSING"})
	same(t, "the others are protected", len(out.ProtectedTasks), 1)
	out = protect(true, nil, tasks[0], tasks[2])
	same(t, "no more than are desired [D]", words(len(out.ProtectedTasks), reasons(out.Failures)), words(1, []string{taskPrefix + tasks[2] + ": DEPLOYMENT_BLOCKED"}))
	same(t, "one that is protected may be again", len(protect(true, nil, tasks[0]).Failures), 0)
	same(t, "taken back [D]", words(protect(false, nil, tasks[0]).ProtectedTasks[0].ProtectionEnabled, get(tasks[0]).ProtectedTasks[0].ProtectionEnabled), "false false")
	same(t, "then there is room", len(protect(true, nil, tasks[2]).ProtectedTasks), 1)

	update := func(minutes int32, tasks []string) func() error {
		return func() error {
			return fails(s.UpdateTaskProtection(ctx, &sdk.UpdateTaskProtectionInput{Cluster: aws.String("default"), Tasks: tasks, ExpiresInMinutes: &minutes, ProtectionEnabled: true}))
		}
	}
	const invalid = "InvalidParameterException"
	s.refuses(t, []refused{
		{"0 minutes [D]", invalid, "expiresInMinutes must be between 1 and 2880.", update(0, tasks)},
		{"2881 minutes [D]", invalid, "expiresInMinutes must be between 1 and 2880.", update(2881, tasks)},
		{"no tasks [O]", invalid, "Tasks cannot be empty.", update(1, []string{})},
		{"eleven tasks [D]", invalid, "Tasks cannot have more than 10 elements.", update(1, make([]string, 11))},
		{"no cluster [O]", "ClusterNotFoundException", "Cluster not found.", func() error {
			return fails(s.GetTaskProtection(ctx, &sdk.GetTaskProtectionInput{Cluster: aws.String("x"), Tasks: tasks}))
		}},
	})
}

// TestTaskProtectionByNode: a node speaks for its own tasks [I].
func TestTaskProtectionByNode(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	i := s.instance("default", "a")
	s.define("web")
	id := *s.serve("s", "web").Deployments[0].Id
	on := func(t *model.Task) { t.Instance = i[strings.LastIndex(i, "/")+1:] }
	task := s.serviceTask("s", id, "RUNNING", on)
	node := s.client("node", region)
	protect := func() error {
		return fails(node.UpdateTaskProtection(ctx, &sdk.UpdateTaskProtectionInput{Cluster: aws.String("default"), Tasks: []string{task}, ProtectionEnabled: true}))
	}
	refusal(t, protect(), "AccessDeniedException", "User: …")
	s.changeInstance(i, func(i *model.Instance) { i.NodeKey = "node" })
	if err := protect(); err != nil {
		t.Error(err)
	}
	must(node.GetTaskProtection(ctx, &sdk.GetTaskProtectionInput{Cluster: aws.String("default"), Tasks: []string{task}}))(t)
}
