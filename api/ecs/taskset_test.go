package ecs_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

const taskSetARN = "arn:aws:ecs:us-east-1:000000000000:task-set/"

// taskSet makes a task set of the service "s" of the default cluster.
func (s *server) taskSet(change ...func(*sdk.CreateTaskSetInput)) types.TaskSet {
	s.Helper()
	in := &sdk.CreateTaskSetInput{Cluster: aws.String("default"), Service: aws.String("s"), TaskDefinition: aws.String("web")}
	for _, f := range change {
		f(in)
	}
	return *must(s.CreateTaskSet(s.Context(), in))(s).TaskSet
}

func percent(v float64) *types.Scale { return &types.Scale{Unit: "PERCENT", Value: v} }

// newExternal is a server with the EXTERNAL service "s" of five tasks in the default cluster.
func newExternal(t *testing.T) *server {
	s := newServer(t)
	s.cluster("default")
	s.define("web")
	s.serve("s", "", external, func(in *sdk.CreateServiceInput) { in.DesiredCount = aws.Int32(5) })
	return s
}

// TestTaskSets: SEMANTICS §2.7, §10.
func TestTaskSets(t *testing.T) {
	s, ctx := newExternal(t), t.Context()
	same(t, "a service without any", words(len(s.service("s").TaskSets), len(s.service("s").Deployments), s.service("s").TaskDefinition == nil), "0 0 true")
	x := s.taskSet(func(in *sdk.CreateTaskSetInput) {
		in.Scale, in.ExternalId, in.Tags = percent(30), aws.String("e"), tags("a=1")
	})
	same(t, "names [D]", words(strings.HasPrefix(*x.Id, "ecs-svc/"), len(number(x.Id)), *x.TaskSetArn == taskSetARN+"default/s/"+*x.Id, *x.ServiceArn, *x.TaskDefinition),
		words("true 19 true", serviceARN+"default/s", defARN+"web:1"))
	same(t, "30 % of 5 [D]", words(*x.Status, x.Scale.Value, x.Scale.Unit, x.ComputedDesiredCount, x.StabilityStatus, *x.ExternalId, x.LaunchType, len(x.Tags)), "ACTIVE 30 PERCENT 2 STABILIZING e EC2 1")
	s.serviceTask("s", *x.Id, "RUNNING")
	s.serviceTask("s", *x.Id, "PENDING")
	y := s.taskSet()
	same(t, "all of them if nothing is said [I]", y.ComputedDesiredCount, 5)
	same(t, "ids of one millisecond rise", number(x.Id) < number(y.Id), true)

	describe := func(refs ...string) *sdk.DescribeTaskSetsOutput {
		return must(s.DescribeTaskSets(ctx, &sdk.DescribeTaskSetsInput{Cluster: aws.String("default"), Service: aws.String("s"), TaskSets: refs, Include: []types.TaskSetField{"TAGS"}}))(t)
	}
	out := describe()
	same(t, "all [D]", len(out.TaskSets), 2)
	same(t, "counts", words(out.TaskSets[0].RunningCount, out.TaskSets[0].PendingCount, len(out.TaskSets[0].Tags)), "1 1 1")
	out = describe(*y.TaskSetArn, *x.Id, number(x.Id), "x")
	same(t, "by ARN and id", words(len(out.TaskSets), reasons(out.Failures)), words(3, []string{taskSetARN + "default/s/x: MISSING"}))

	primary := func(ref *string) types.TaskSet {
		return *must(s.UpdateServicePrimaryTaskSet(ctx, &sdk.UpdateServicePrimaryTaskSetInput{Cluster: aws.String("default"), Service: aws.String("s"), PrimaryTaskSet: ref}))(t).TaskSet
	}
	same(t, "primary [D]", *primary(x.Id).Status, "PRIMARY")
	primary(y.TaskSetArn)
	v := s.service("s")
	same(t, "one of them is, and comes first [D]", words(*v.TaskSets[0].Id == *y.Id, *v.TaskSets[0].Status, *v.TaskSets[1].Status, *v.TaskDefinition, v.LaunchType), words("true PRIMARY ACTIVE", defARN+"web:1", "EC2"))
	same(t, "revisions", words(len(v.CurrentServiceRevisions), v.CurrentServiceRevisions[0].RequestedTaskCount, v.RunningCount, v.PendingCount), "2 5 1 1")

	up := must(s.UpdateTaskSet(ctx, &sdk.UpdateTaskSetInput{Cluster: aws.String("default"), Service: aws.String("s"), TaskSet: x.Id, Scale: percent(0)}))(t)
	same(t, "scaled [D]", words(up.TaskSet.Scale.Value, up.TaskSet.ComputedDesiredCount), "0 0")
	del := func(ref *string, force bool) (*sdk.DeleteTaskSetOutput, error) {
		return s.DeleteTaskSet(ctx, &sdk.DeleteTaskSetInput{Cluster: aws.String("default"), Service: aws.String("s"), TaskSet: ref, Force: &force})
	}
	same(t, "deleted [D]", *must(del(x.Id, false))(t).TaskSet.Status, "DRAINING")
	refusal(t, fails(del(y.Id, false)), "InvalidParameterException", "The primary task set of a service cannot be deleted without force.")
	same(t, "by force [D]", *must(del(y.Id, true))(t).TaskSet.Status, "DRAINING")
}

func TestTaskSetTags(t *testing.T) {
	s, ctx := newExternal(t), t.Context()
	arn := *s.taskSet().TaskSetArn
	must(s.TagResource(ctx, &sdk.TagResourceInput{ResourceArn: &arn, Tags: tags("a=1")}))(t)
	same(t, "tags [D]", s.tagsOf(arn), "a=1")
	refusal(t, fails(s.TagResource(ctx, &sdk.TagResourceInput{ResourceArn: aws.String(arn + "9"), Tags: tags("a=1")})),
		"InvalidParameterException", "The specified resource does not exist. Specify a valid resource ARN and try again.")
}

// TestTaskSetAgain: SEMANTICS §1.5.
func TestTaskSetAgain(t *testing.T) {
	s := newExternal(t)
	token := func(in *sdk.CreateTaskSetInput) { in.ClientToken = aws.String("t") }
	same(t, "the token's task set [D]", *s.taskSet(token).Id, *s.taskSet(token).Id)
	first, second := s.taskSet(), s.taskSet()
	same(t, "without one, another", *first.Id == *second.Id, false)
}

func TestTaskSetRefusals(t *testing.T) {
	s, ctx := newExternal(t), t.Context()
	s.define("vpc", awsvpc)
	s.serve("own", "web")
	type in = sdk.CreateTaskSetInput
	create := func(change func(*in)) func() error {
		return func() error {
			in := &in{Cluster: aws.String("default"), Service: aws.String("s"), TaskDefinition: aws.String("web")}
			change(in)
			return fails(s.CreateTaskSet(ctx, in))
		}
	}
	const invalid, notExternal = "InvalidParameterException", "Amazon ECS only supports task set management on services configured to use external deployment controllers."
	s.refuses(t, []refused{
		{"no service [O]", "ServiceNotFoundException", "Service not found.", create(func(i *in) { i.Service = aws.String("x") })},
		{"of an ECS service [O]", invalid, notExternal, create(func(i *in) { i.Service = aws.String("own") })},
		{"no definition [O]", "ClientException", "TaskDefinition not found.", create(func(i *in) { i.TaskDefinition = aws.String("x") })},
		{"awsvpc without network [O]", invalid, "Network Configuration must be provided when networkMode 'awsvpc' is specified.", create(func(i *in) { i.TaskDefinition = aws.String("vpc") })},
		{"launch type and strategy [O]", invalid, "Specifying both a launch type…", create(func(i *in) {
			i.LaunchType, i.CapacityProviderStrategy = "EC2", []types.CapacityProviderStrategyItem{{CapacityProvider: aws.String("x")}}
		})},
		{"scale [D]", invalid, "The value of a task set's scale must be between 0.0 and 100.0.", create(func(i *in) { i.Scale = percent(100.1) })},
		{"scale's unit [D]", invalid, "Invalid scale unit 'X'. Valid values: [PERCENT]", create(func(i *in) { i.Scale = &types.Scale{Unit: "X"} })},
		{"load balancer", "UnsupportedFeatureException", "Roadstead does not serve load balancers of services yet.", create(func(i *in) { i.LoadBalancers = make([]types.LoadBalancer, 1) })},
		{"token [D]", invalid, "clientToken must be at most 36…", create(func(i *in) { i.ClientToken = aws.String("a b") })},
		{"describe those of an ECS service [O]", invalid, notExternal, func() error {
			return fails(s.DescribeTaskSets(ctx, &sdk.DescribeTaskSetsInput{Cluster: aws.String("default"), Service: aws.String("own")}))
		}},
		{"no such task set [D]", "TaskSetNotFoundException", "The specified task set was not found.", func() error {
			return fails(s.UpdateTaskSet(ctx, &sdk.UpdateTaskSetInput{Cluster: aws.String("default"), Service: aws.String("s"), TaskSet: aws.String("x"), Scale: percent(1)}))
		}},
	})
	var last types.TaskSet
	for range 5 {
		last = s.taskSet()
	}
	refusal(t, create(func(*in) {})(), invalid, "5 deployments exist on the service. Unable to create new TaskSet since this exceeds the maximum limit.")
	del := func(force bool) error {
		return fails(s.DeleteTaskSet(ctx, &sdk.DeleteTaskSetInput{Cluster: aws.String("default"), Service: aws.String("s"), TaskSet: last.Id, Force: &force}))
	}
	refusal(t, del(false), invalid, "The task set cannot be deleted while it is scaled above 0.")
	for range 2 {
		if err := del(true); err != nil {
			t.Fatal(err)
		}
	}
	for what, err := range map[string]error{
		"updated": fails(s.UpdateTaskSet(ctx, &sdk.UpdateTaskSetInput{Cluster: aws.String("default"), Service: aws.String("s"), TaskSet: last.Id, Scale: percent(1)})),
		"the primary one": fails(s.UpdateServicePrimaryTaskSet(ctx, &sdk.UpdateServicePrimaryTaskSetInput{Cluster: aws.String("default"), Service: aws.String("s"),
			PrimaryTaskSet: last.Id})),
	} {
		refusal(t, err, invalid, fmt.Sprintf("The task set is DRAINING and can't be %s.", what))
	}
}

// TestServiceOfTaskSetsGoes: with its service each task set is DRAINING.
func TestServiceOfTaskSetsGoes(t *testing.T) {
	s, ctx := newExternal(t), t.Context()
	s.taskSet()
	must(s.DeleteService(ctx, &sdk.DeleteServiceInput{Service: aws.String("s"), Force: aws.Bool(true)}))(t)
	v := s.service("s")
	same(t, "DRAINING", words(*v.Status, *v.TaskSets[0].Status, v.TaskSets[0].ComputedDesiredCount), "DRAINING DRAINING 0")
	s.setServiceStatus("s", model.ServiceInactive)
	refusal(t, fails(s.DescribeTaskSets(ctx, &sdk.DescribeTaskSetsInput{Cluster: aws.String("default"), Service: aws.String("s")})), "ServiceNotActiveException", "Service was not ACTIVE.")
	s.put(func(tx *state.Tx) {
		for x := range tx.TaskSets.All() {
			tx.TaskSets.Delete(x.Key())
			return
		}
	})
	again := s.serve("s", "", external)
	same(t, "a new one has none of the old ones", len(again.TaskSets), 0)
}
