package ecs_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
)

func memberOf(expression string) types.PlacementConstraint {
	return types.PlacementConstraint{Type: "memberOf", Expression: &expression}
}

func strategy(kind types.PlacementStrategyType, field string) types.PlacementStrategy {
	return types.PlacementStrategy{Type: kind, Field: &field}
}

// constrained registers definitions with constraints.
func constrained(expressions ...string) func(*sdk.RegisterTaskDefinitionInput) {
	return func(in *sdk.RegisterTaskDefinitionInput) {
		for _, e := range expressions {
			in.PlacementConstraints = append(in.PlacementConstraints, types.TaskDefinitionPlacementConstraint{Type: "memberOf", Expression: &e})
		}
	}
}

var distinct = types.PlacementConstraint{Type: "distinctInstance"} //nolint:gochecknoglobals // a constant

func TestPlacementRefusals(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	s.instance("default", "a")
	s.define("web")
	s.define("far", fargate)
	s.define("bound", constrained("attribute:a exists", "attribute:b exists"))
	run := func(def string, change func(*sdk.RunTaskInput)) func() error {
		return func() error {
			in := &sdk.RunTaskInput{TaskDefinition: &def}
			change(in)
			return fails(s.RunTask(ctx, in))
		}
	}
	constraints := func(def string, cs ...types.PlacementConstraint) func() error {
		return run(def, func(in *sdk.RunTaskInput) { in.PlacementConstraints = cs })
	}
	strategies := func(ss ...types.PlacementStrategy) func() error {
		return run("web", func(in *sdk.RunTaskInput) { in.PlacementStrategy = ss })
	}
	onFargate := func(change func(*sdk.RunTaskInput)) func() error {
		return run("far", func(in *sdk.RunTaskInput) {
			in.LaunchType, in.NetworkConfiguration = "FARGATE", inSubnets("subnet-a")
			change(in)
		})
	}
	register := func(cs ...types.TaskDefinitionPlacementConstraint) func() error {
		return func() error {
			return fails(s.RegisterTaskDefinition(ctx, &sdk.RegisterTaskDefinitionInput{Family: aws.String("new"), PlacementConstraints: cs,
				ContainerDefinitions: []types.ContainerDefinition{{Name: aws.String("app"), Image: aws.String("busybox"), Memory: aws.Int32(64)}}}))
		}
	}
	const invalid, client = "InvalidParameterException", "ClientException"
	s.refuses(t, []refused{
		{"constraints on FARGATE [O]", invalid, "Placement constraints are not supported with FARGATE launch type.",
			onFargate(func(in *sdk.RunTaskInput) { in.PlacementConstraints = []types.PlacementConstraint{distinct} })},
		{"strategies on FARGATE [O]", invalid, "Placement strategies are not supported with FARGATE launch type.",
			onFargate(func(in *sdk.RunTaskInput) { in.PlacementStrategy = []types.PlacementStrategy{{Type: "random"}} })},
		{"distinctInstance with expression [O]", invalid, "distinctInstance expression should not be specified.",
			constraints("web", types.PlacementConstraint{Type: "distinctInstance", Expression: aws.String("attribute:a exists")})},
		{"distinctInstance with an empty expression [O]", invalid, "distinctInstance expression should not be specified.",
			constraints("web", types.PlacementConstraint{Type: "distinctInstance", Expression: aws.String("")})},
		{"memberOf without expression [I]", invalid, "memberOf expression should be specified.", constraints("web", types.PlacementConstraint{Type: "memberOf"})},
		{"memberOf with a blank expression [I]", invalid, "memberOf expression should be specified.", constraints("web", memberOf(" "))},
		{"memberOf with bad syntax [D]", invalid, "memberOf expression is invalid: expected an operator, found the end of the expression at offset 15.", constraints("web", memberOf("attribute:stack"))},
		{"memberOf of 2001 characters [D]", invalid, "memberOf expression is invalid: the expression has 2001 characters, more than 2000, at offset 2000.", constraints("web", memberOf("attribute:a == "+strings.Repeat("b", 1986)))},
		{"unknown constraint [I]", invalid, "constraint.type 'x' is not supported.", constraints("web", types.PlacementConstraint{Type: "x"})},
		{"constraint without type [I]", invalid, "constraint.type '' is not supported.", constraints("web", types.PlacementConstraint{})},
		{"eleven constraints [D]", invalid, "Maximum number of constraints is 10", constraints("web", slices.Repeat([]types.PlacementConstraint{distinct}, 11)...)},
		{"nine constraints and two of the definition [D]", invalid, "Maximum number of constraints is 10", constraints("bound", slices.Repeat([]types.PlacementConstraint{distinct}, 9)...)},
		{"six strategies [O]", invalid, "Maximum number of strategies is 5", strategies(slices.Repeat([]types.PlacementStrategy{{Type: "random"}}, 6)...)},
		{"unknown strategy [I]", invalid, "strategy.type 'x' is not supported.", strategies(strategy("x", ""))},
		{"random with field [I]", invalid, "random strategy field should not be specified.", strategies(strategy("random", "cpu"))},
		{"spread without field [I]", invalid, "spread strategy field should be specified.", strategies(types.PlacementStrategy{Type: "spread"})},
		{"spread over nothing known [D]", invalid, "spread strategy field 'memory' is not supported.", strategies(strategy("spread", "memory"))},
		{"spread over an attribute without name [D]", invalid, "spread strategy field 'attribute:' is not supported.", strategies(strategy("spread", "attribute:"))},
		{"spread over a bad name [D]", invalid, "spread strategy field 'attribute:a b' is not supported.", strategies(strategy("spread", "attribute:a b"))},
		{"binpack without field [I]", invalid, "binpack strategy field should be specified.", strategies(strategy("binpack", ""))},
		{"binpack of nothing known [D]", invalid, "binpack strategy field 'instanceId' is not supported.", strategies(strategy("binpack", "instanceId"))},

		{"distinctInstance of a definition [O]", client, "constraint.type 'distinctInstance' is not supported.", register(types.TaskDefinitionPlacementConstraint{Type: "distinctInstance"})},
		{"memberOf of a definition without expression [I]", client, "memberOf expression should be specified.", register(types.TaskDefinitionPlacementConstraint{Type: "memberOf"})},
		{"memberOf of a definition with bad syntax [D]", client, "memberOf expression is invalid: expected an operator, found \"x\" at offset 12.",
			register(types.TaskDefinitionPlacementConstraint{Type: "memberOf", Expression: aws.String("attribute:a x")})},
		{"eleven constraints of a definition [D]", client, "Maximum number of constraints is 10",
			register(make([]types.TaskDefinitionPlacementConstraint, 11)...)},
	})
	same(t, "nothing was started", len(must(s.ListTasks(ctx, &sdk.ListTasksInput{}))(t).TaskArns), 0)
}

// TestPlacementIsKept pins what a task remembers of its placement: the definition's constraints first, fields in their normal
// form (SEMANTICS §5.4).
func TestPlacementIsKept(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	i := s.instance("default", "a")
	s.define("web", constrained("attribute:ecs.os-type == linux"))
	out := must(s.RunTask(ctx, &sdk.RunTaskInput{TaskDefinition: aws.String("web"),
		PlacementConstraints: []types.PlacementConstraint{memberOf("not(task:group == database)"), distinct},
		PlacementStrategy: []types.PlacementStrategy{strategy("spread", "host"), strategy("spread", "InstanceID"), strategy("spread", "attribute:ecs.availability-zone"),
			strategy("binpack", "cpu"), {Type: "random"}}}))(t)
	row := s.task(*out.Tasks[0].TaskArn)
	same(t, "constraints [D]", row.Constraints, []model.PlacementConstraint{{Type: "memberOf", Expression: "attribute:ecs.os-type == linux"},
		{Type: "memberOf", Expression: "not(task:group == database)"}, {Type: "distinctInstance"}})
	same(t, "strategy [O]", row.Strategy, []model.PlacementStrategy{{Type: "spread", Field: "instanceId"}, {Type: "spread", Field: "instanceId"},
		{Type: "spread", Field: "attribute:ecs.availability-zone"}, {Type: "binpack", Field: "CPU"}, {Type: "random"}})

	s.define("elsewhere", constrained("attribute:ecs.os-type == windows"))
	started := must(s.StartTask(ctx, &sdk.StartTaskInput{TaskDefinition: aws.String("elsewhere"), ContainerInstances: []string{i}}))(t)
	same(t, "StartTask does not ask them [D]", len(started.Tasks), 1)
	same(t, "nor keep them", len(s.task(*started.Tasks[0].TaskArn).Constraints), 0)
}

// task is a task's row.
func (s *server) task(arn string) *model.Task {
	s.Helper()
	a, _ := model.ParseARN(arn)
	row, ok := s.db.Snapshot().Tables.Tasks.Get(model.TaskKey(a.Scope, a.Segments()[0], a.Segments()[1]))
	if !ok {
		s.Fatalf("no task %s", arn)
	}
	return row
}

// TestConstraintsBind runs tasks where the constraints of a request and of its definition let them, and says where not.
func TestConstraintsBind(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	a, b := s.instance("default", "a"), s.instance("default", "b")
	s.define("web")
	s.define("bound", constrained("attribute:ecs.availability-zone == us-east-1b"))
	run := func(def string, count int32, cs ...types.PlacementConstraint) *sdk.RunTaskOutput {
		return must(s.RunTask(ctx, &sdk.RunTaskInput{TaskDefinition: &def, Count: &count, PlacementConstraints: cs}))(t)
	}
	same(t, "memberOf [D]", placesOf(run("web", 3, memberOf("attribute:ecs.availability-zone =~ .*a"))), []string{a, a, a})
	same(t, "of the definition [D]", placesOf(run("bound", 2)), []string{b, b})
	const unsatisfied = "MemberOf placement constraint unsatisfied."
	out := run("bound", 1, memberOf("attribute:ecs.availability-zone == us-east-1a"))
	same(t, "both bind [D]", len(out.Tasks), 0)
	same(t, "unsatisfied [O]", reasons(out.Failures), []string{a + ": " + unsatisfied, b + ": " + unsatisfied})
	same(t, "affinity [D]", placesOf(run("web", 2, memberOf("task:group == family:bound"))), []string{b, b})
	same(t, "anti-affinity [D]", placesOf(run("web", 1, memberOf("not(task:group == family:bound)"))), []string{a})

	s.define("apart")
	out = run("apart", 3, distinct)
	same(t, "distinctInstance [D]", placesOf(out), []string{a, b})
	same(t, "one failure per instance [D]", len(out.Failures), 2)
	same(t, "of the same group, later too (MISSION trap 16) [D]", len(run("apart", 1, distinct).Tasks), 0)
	out = must(s.RunTask(ctx, &sdk.RunTaskInput{TaskDefinition: aws.String("apart"), Group: aws.String("other"), PlacementConstraints: []types.PlacementConstraint{distinct}}))(t)
	same(t, "another group does not count (MISSION trap 16) [D]", len(out.Tasks), 1)
}

// TestStrategiesPrefer runs tasks where a strategy wants them.
func TestStrategiesPrefer(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	a, b, c := s.instance("default", "a"), s.instance("default", "a"), s.instance("default", "b")
	s.define("web")
	run := func(group string, count int32, ss ...types.PlacementStrategy) []string {
		return placesOf(must(s.RunTask(ctx, &sdk.RunTaskInput{TaskDefinition: aws.String("web"), Group: &group, Count: &count, PlacementStrategy: ss}))(t))
	}
	packed := run("pack", 2, strategy("binpack", "memory"))
	same(t, "binpack fills one instance [D]", packed[0], packed[1])
	same(t, "spread over instances [D]", run("wide", 3, strategy("spread", "host")), []string{a, b, c})
	zones := run("zones", 2, strategy("spread", "attribute:ecs.availability-zone"))
	same(t, "spread over zones [D]", zones[1], c)
	same(t, "random [D]", len(run("any", 3, types.PlacementStrategy{Type: "random"})), 3)
}

// placesOf are the instances of the tasks, sorted.
func placesOf(out *sdk.RunTaskOutput) []string {
	var at []string
	for _, task := range out.Tasks {
		at = append(at, *task.ContainerInstanceArn)
	}
	slices.Sort(at)
	return at
}
