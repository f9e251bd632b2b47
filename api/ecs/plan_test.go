package ecs_test

import (
	"context"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/roadstead/roadstead/api/ecs"
	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/wire"
)

func (s *server) planner() (*ecs.Planner, context.Context) {
	root := model.AccessKey{ID: "test", Account: home, Kind: model.KeyRoot}
	return ecs.NewPlanner(s.config()), auth.WithPrincipal(s.Context(), auth.NewPrincipal(root, region, "roadstead"))
}

// A plan says what the call then does, and changes nothing.
func TestPlan(t *testing.T) {
	s := newServer(t)
	i := s.instance("default", "a")
	s.define("big", func(in *sdk.RegisterTaskDefinitionInput) { in.ContainerDefinitions[0].Cpu = 1024 })
	p, ctx := s.planner()
	before := s.db.Snapshot().Revision
	in := &sdk.RunTaskInput{TaskDefinition: aws.String("big"), Count: aws.Int32(10), ClientToken: aws.String("twice"),
		PlacementStrategy: []types.PlacementStrategy{{Type: "binpack", Field: aws.String("cpu")}}}
	plan := must(p.RunTask(ctx, in))(t)
	same(t, "no change", s.db.Snapshot().Revision, before)
	out := must(s.RunTask(t.Context(), in))(t)
	if len(plan.Placements) == 0 || len(plan.Placements) == 10 || len(plan.Placements) != len(out.Tasks) {
		t.Fatalf("%d planned, %d placed: both should be some of the 10", len(plan.Placements), len(out.Tasks))
	}
	same(t, "place", plan.Placements[0].ContainerInstanceArn, i)
	same(t, "refusals", words(plan.Left.Instances, len(plan.Left.Refused), plan.Left.Reasons[0], plan.Left.Closest.Reason), "1 1 {RESOURCE:CPU 1} RESOURCE:CPU")
	same(t, "as in failures", words(*out.Failures[0].Arn, *out.Failures[0].Reason, *out.Failures[0].Detail),
		words(plan.Left.Refused[0].ContainerInstanceArn, plan.Left.Refused[0].Reason, plan.Left.Refused[0].Detail))
	same(t, "needs and strategy", words(plan.TaskDefinition, plan.Asked, plan.Needs.CPU, plan.Strategy), "big:1 10 1024 [{binpack CPU}]")
	_, err := p.RunTask(ctx, &sdk.RunTaskInput{TaskDefinition: aws.String("none")})
	same(t, "errors are the call's", err.Error(), "ClientException: TaskDefinition not found.")
}

// The header makes the call itself a trial.
func TestDryRun(t *testing.T) {
	s := newServer(t)
	i := s.instance("default", "a")
	s.define("web")
	dry := func(o *sdk.Options) {
		o.APIOptions = append(o.APIOptions, smithyhttp.SetHeaderValue(wire.DryRunHeader, "true"))
	}
	before := s.db.Snapshot().Revision
	out := must(s.RunTask(t.Context(), &sdk.RunTaskInput{TaskDefinition: aws.String("web"), Count: aws.Int32(3)}, dry))(t)
	same(t, "answer", words(len(out.Tasks), *out.Tasks[0].ContainerInstanceArn == i, *out.Tasks[0].LastStatus), "3 true PENDING")
	started := must(s.StartTask(t.Context(), &sdk.StartTaskInput{TaskDefinition: aws.String("web"), ContainerInstances: []string{i}}, dry))(t)
	same(t, "StartTask", len(started.Tasks), 1)
	same(t, "no change", s.db.Snapshot().Revision, before)
	err := fails(s.StopTask(t.Context(), &sdk.StopTaskInput{Task: aws.String("x")}, dry))
	same(t, "others are refused", strings.Contains(err.Error(), "UnsupportedFeatureException: Roadstead does not serve a dry run of ecs StopTask."), true)
}

func TestStories(t *testing.T) {
	s := newServer(t)
	i := s.instance("default", "a")
	id := i[strings.LastIndexByte(i, '/')+1:]
	s.define("web")
	out := must(s.RunTask(t.Context(), &sdk.RunTaskInput{TaskDefinition: aws.String("web"),
		PlacementConstraints: []types.PlacementConstraint{{Type: "memberOf", Expression: aws.String("attribute:ecs.os-type == linux")}}}))(t)
	arn := *out.Tasks[0].TaskArn
	p, ctx := s.planner()
	story := must(p.Task(ctx, "", arn))(t)
	same(t, "placed", story.Why, "It is on instance "+id+" in zone us-east-1a. It was placed by memberOf attribute:ecs.os-type == linux.")
	s.changeInstance(i, func(i *model.Instance) { i.AgentConnected = false })
	same(t, "silent", strings.HasSuffix(must(p.Task(ctx, "", arn))(t).Why, "The instance's agent is not connected: what it does now is not known."), true)
	must(s.StopTask(t.Context(), &sdk.StopTaskInput{Task: &arn, Reason: aws.String("enough")}))(t)
	story = must(p.Task(ctx, "default", arn[strings.LastIndexByte(arn, '/')+1:]))(t)
	same(t, "stopping", strings.HasPrefix(story.Why, "It is being stopped (UserInitiated: enough)."), true)
	_, err := p.Task(ctx, "", "no-such-task")
	same(t, "unknown", err.Error(), "InvalidParameterException: The referenced task was not found.")
}
