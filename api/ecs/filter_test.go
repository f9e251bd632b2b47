package ecs_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
)

// TestListContainerInstancesByFilter asks for each fact that a row has; the language itself is tested in query.
func TestListContainerInstancesByFilter(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	a := s.instance("default", "a")
	s.clock.Add(1000)
	b := s.instance("default", "b")
	must(s.PutAttributes(ctx, &sdk.PutAttributesInput{Attributes: []types.Attribute{
		{Name: aws.String("stack"), Value: aws.String("prod"), TargetId: &a}, {Name: aws.String("flag"), TargetId: &b}}}))(t)
	s.changeInstance(b, func(i *model.Instance) { i.AgentConnected, i.AgentVersion, i.EC2ID = false, "1.9.0", "i-b" })
	s.define("web")
	s.define("batch")
	start := func(def, group, on string) string {
		out := must(s.StartTask(ctx, &sdk.StartTaskInput{TaskDefinition: &def, Group: &group, ContainerInstances: []string{on}}))(t)
		return *out.Tasks[0].TaskArn
	}
	running := start("web", "front", a)
	s.report(running, "RUNNING", nil)
	s.changeInstance(b, func(i *model.Instance) { i.AgentConnected = true })
	over := start("batch", "jobs", b)
	s.changeInstance(b, func(i *model.Instance) { i.AgentConnected = false })
	s.report(over, "STOPPED", aws.Int32(0))

	all := []string{a, b}
	for filter, want := range map[string][]string{
		`attribute:stack == prod`:                               {a},
		`attribute:ecs.availability-zone in [us-east-1b]`:       {b},
		`attribute:flag exists and attribute:flag == ''`:        {b}, // [I] an attribute without value
		`attribute:stack != prod`:                               {b}, // [I] without the attribute
		`agentConnected == true`:                                {a},
		`agentVersion < 1.10.0`:                                 {b},
		`ec2InstanceId == i-b`:                                  {b},
		`registeredAt > 2023-11-14T22:13:20`:                    {b},
		`runningTasksCount == 1`:                                {a},
		`task:group == front`:                                   {a},
		`task:definition-family == web`:                         {a},
		`task:group exists`:                                     {a}, // tasks that are STOPPED do not count [I]
		`not(task:group == front) and not (task:group == jobs)`: {b},
		`attribute:ecs.os-type == linux`:                        all,
		`attribute:ecs.os-type == windows`:                      {},
		``:                                                      all,
	} {
		out := must(s.ListContainerInstances(ctx, &sdk.ListContainerInstancesInput{Filter: &filter}))(t)
		same(t, filter, out.ContainerInstanceArns, want)
	}
	out := must(s.ListContainerInstances(ctx, &sdk.ListContainerInstancesInput{Filter: aws.String("attribute:stack exists"), Status: "DRAINING"}))(t)
	same(t, "with status [D]", len(out.ContainerInstanceArns), 0)
}

// TestFilteredPages pins that a token goes on where its page ended, and only with the same filter [I].
func TestFilteredPages(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	var linux []string
	for range 5 {
		linux = append(linux, s.instance("default", "a"))
		s.changeInstance(s.instance("default", "b"), func(i *model.Instance) { i.Attributes = nil })
	}
	in := &sdk.ListContainerInstancesInput{Filter: aws.String("attribute:ecs.os-type == linux"), MaxResults: aws.Int32(2)}
	var got []string
	for {
		out := must(s.ListContainerInstances(ctx, in))(t)
		got = append(got, out.ContainerInstanceArns...)
		if in.NextToken = out.NextToken; out.NextToken == nil {
			break
		}
		other := *in
		other.Filter = aws.String("attribute:ecs.os-type == windows")
		refusal(t, fails(s.ListContainerInstances(ctx, &other)), "InvalidParameterException", "Invalid token.")
	}
	same(t, "all pages", got, linux)
}

func TestFilterRefusals(t *testing.T) {
	s := newServer(t)
	s.cluster("default")
	list := func(filter string) func() error {
		return func() error {
			return fails(s.ListContainerInstances(t.Context(), &sdk.ListContainerInstancesInput{Filter: &filter}))
		}
	}
	const invalid = "InvalidParameterException"
	s.refuses(t, []refused{
		{"bad syntax [D]", invalid, "The filter is invalid: expected an operator, found \"=\" at offset 16.", list("attribute:stack = prod")},
		{"only space [I]", invalid, "The filter is invalid: expected a condition on…", list(" ")},
		{"bad pattern [D]", invalid, "The filter is invalid: back-references are not supported in patterns at offset 22.", list(`attribute:stack =~ '()\1'`)},
		{"2001 characters [D]", invalid, "The filter is invalid: the expression has 2001 characters, more than 2000, at offset 2000.", list(`attribute:a == ` + strings.Repeat("b", 1986))},
	})
}
