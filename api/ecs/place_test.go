package ecs_test

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/api/ecs"
	"github.com/roadstead/roadstead/wire"
)

// TestServed pins which operations have a handler; the others are refused with a modelled 4xx (CLIENTS.md).
func TestServed(t *testing.T) {
	s := newServer(t)
	same(t, "operations", len(ecs.New(s.config()).Served()), 61)
	status, body := s.raw("CreateDaemon", `{"daemonName":"d","daemonTaskDefinitionArn":"x","capacityProviderArns":["x"]}`)
	same(t, "status", status, 400)
	refusal(t, wireError(body), "UnsupportedFeatureException", "Roadstead does not serve ecs CreateDaemon.")
}

// TestRunTaskConcurrently: whoever comes first takes what is left, and nobody more.
func TestRunTaskConcurrently(t *testing.T) {
	s := newServer(t)
	s.instance("default", "a") // 2048 CPU units: eight tasks
	s.define("web")
	var placed, refused atomic.Int32
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			out, err := s.RunTask(t.Context(), &sdk.RunTaskInput{TaskDefinition: aws.String("web")})
			if err != nil {
				t.Error(err)
				return
			}
			placed.Add(int32(len(out.Tasks)))
			refused.Add(int32(len(out.Failures)))
		})
	}
	wg.Wait()
	same(t, "placed and refused", words(placed.Load(), refused.Load()), "8 12")
}

// TestRequiredAttributes: what the definition needs and the instance does not have is an ATTRIBUTE failure that names it
// (SEMANTICS §1.4, §5) [D].
func TestRequiredAttributes(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	i := s.instance("default", "a")
	for _, c := range []struct {
		rule, detail string
		launch       types.LaunchType
		change       func(*sdk.RegisterTaskDefinitionInput)
	}{
		{"capability", "com.amazonaws.ecs.capability.privileged-container", "", func(in *sdk.RegisterTaskDefinitionInput) {
			in.ContainerDefinitions[0].Privileged = aws.Bool(true)
		}},
		{"processor", "ecs.cpu-architecture", "", func(in *sdk.RegisterTaskDefinitionInput) {
			in.RuntimePlatform = &types.RuntimePlatform{CpuArchitecture: "ARM64", OperatingSystemFamily: "LINUX"}
		}},
		{"external instances", "ecs.capability.external", "EXTERNAL", func(*sdk.RegisterTaskDefinitionInput) {}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			def := s.define("x", c.change)
			out := must(s.RunTask(ctx, &sdk.RunTaskInput{TaskDefinition: &def, LaunchType: c.launch}))(t)
			same(t, "failure", reasons(out.Failures), []string{i + ": ATTRIBUTE"})
			same(t, "detail", aws.ToString(out.Failures[0].Detail), c.detail)
		})
	}
	s.define("x86", func(in *sdk.RegisterTaskDefinitionInput) {
		in.RuntimePlatform = &types.RuntimePlatform{CpuArchitecture: "X86_64", OperatingSystemFamily: "LINUX"}
	})
	same(t, "X86_64 is x86_64 [D]", len(s.run("x86", 1).Tasks), 1)
}

// TestUndeliverable: what no node can be told to do is not started.
func TestUndeliverable(t *testing.T) {
	s := newServer(t)
	s.instance("default", "a")
	def := s.define("x", func(in *sdk.RegisterTaskDefinitionInput) {
		in.ContainerDefinitions[0].CredentialSpecs = []string{"credentialspec:arn:aws:s3:::b/x"}
	})
	refusal(t, fails(s.RunTask(t.Context(), &sdk.RunTaskInput{TaskDefinition: &def})), "UnsupportedFeatureException", "Roadstead does not serve credentialSpecs of container app yet.")
}

// TestGPUs: devices are pinned by id and come back (SEMANTICS §4.5).
func TestGPUs(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	i := must(s.RegisterContainerInstance(ctx, &sdk.RegisterContainerInstanceInput{TotalResources: append(resources(2048, 4096),
		types.Resource{Name: aws.String("GPU"), Type: aws.String("STRINGSET"), StringSetValue: []string{"g0", "g1", "g2"}})}))(t).ContainerInstance
	s.connect(*i.ContainerInstanceArn)
	s.define("gpu", func(in *sdk.RegisterTaskDefinitionInput) {
		in.ContainerDefinitions[0].ResourceRequirements = []types.ResourceRequirement{{Type: "GPU", Value: aws.String("2")}}
	})
	out := s.run("gpu", 2)
	same(t, "placed", words(len(out.Tasks), reasons(out.Failures)), "1 ["+*i.ContainerInstanceArn+": RESOURCE:GPU]")
	same(t, "gpuIds", out.Tasks[0].Containers[0].GpuIds, []string{"g0", "g1"})
	left := must(s.DescribeContainerInstances(ctx, &sdk.DescribeContainerInstancesInput{ContainerInstances: []string{*i.ContainerInstanceArn}}))(t)
	if got := show(left.ContainerInstances[0].RemainingResources); !strings.HasSuffix(got, "GPU=[g2]") {
		t.Errorf("remaining: %s", got)
	}
	s.report(*out.Tasks[0].TaskArn, "STOPPED", aws.Int32(0))
	one := s.run("gpu", 1)
	same(t, "back", len(one.Tasks), 1)

	s.define("all", func(in *sdk.RegisterTaskDefinitionInput) {
		in.ContainerDefinitions[0].ResourceRequirements = []types.ResourceRequirement{{Type: "GPU", Value: aws.String("ALL")}}
	})
	same(t, "all of an instance, of which some are in use", reasons(s.run("all", 1).Failures), "["+*i.ContainerInstanceArn+": RESOURCE:GPU]")
	s.report(*one.Tasks[0].TaskArn, "STOPPED", aws.Int32(0))
	out = s.run("all", 2)
	same(t, "all of an instance, once", words(len(out.Tasks), reasons(out.Failures)), "1 ["+*i.ContainerInstanceArn+": RESOURCE:GPU]")
	same(t, "gpuIds", out.Tasks[0].Containers[0].GpuIds, []string{"g0", "g1", "g2"})
}

// TestTokenOfNothing: a RunTask that placed nothing is tried anew with the same token [I].
func TestTokenOfNothing(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	s.instance("default", "a")
	s.define("huge", hostless(1024, 4096), func(in *sdk.RegisterTaskDefinitionInput) { in.ContainerDefinitions[0].Memory = aws.Int32(4096) })
	first := *s.run("huge", 1).Tasks[0].TaskArn
	in := &sdk.RunTaskInput{TaskDefinition: aws.String("huge"), ClientToken: aws.String("t")}
	same(t, "full", len(must(s.RunTask(ctx, in))(t).Tasks), 0)
	s.report(first, "STOPPED", aws.Int32(0))
	same(t, "free", len(must(s.RunTask(ctx, in))(t).Tasks), 1)
}

// TestRowsSurvive: what handlers write can be stored and read back.
func TestRowsSurvive(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	s.instance("default", "a")
	s.define("web")
	must(s.RunTask(ctx, &sdk.RunTaskInput{TaskDefinition: aws.String("web"), Overrides: &types.TaskOverride{Cpu: aws.String("256")}}))(t)
	for task := range s.db.Snapshot().TasksOf(scope, "default") {
		b, err := wire.Marshal(task.Overrides)
		if err != nil {
			t.Fatal(err)
		}
		var back types.TaskOverride
		if err := wire.Unmarshal(b, &back); err != nil || *back.Cpu != "256" {
			t.Errorf("%v %s", err, b)
		}
	}
}

// TestStrategyRefusals pins SEMANTICS §6.1.
func TestStrategyRefusals(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	s.cluster("default")
	item := func(provider string, base, weight int32) types.CapacityProviderStrategyItem {
		return types.CapacityProviderStrategyItem{CapacityProvider: &provider, Base: base, Weight: weight}
	}
	put := func(items ...types.CapacityProviderStrategyItem) func() error {
		return func() error {
			return fails(s.PutClusterCapacityProviders(ctx, &sdk.PutClusterCapacityProvidersInput{Cluster: aws.String("default"),
				CapacityProviders: []string{"FARGATE", "FARGATE_SPOT"}, DefaultCapacityProviderStrategy: items}))
		}
	}
	const invalid = "InvalidParameterException"
	s.refuses(t, []refused{
		{"weight [D]", invalid, "The weight of a capacity provider must be between 0 and 1000.", put(item("FARGATE", 0, 1001))},
		{"base [D]", invalid, "The base of a capacity provider must be between 0 and 100000.", put(item("FARGATE", 100001, 1))},
		{"one base [D]", invalid, "Only one capacity provider in a capacity provider strategy can have a base defined.", put(item("FARGATE", 1, 1), item("FARGATE_SPOT", 1, 1))},
		{"no weight at all [D]", invalid, "At least one capacity provider in a capacity provider strategy must have a weight greater than 0.", put(item("FARGATE", 0, 0), item("FARGATE_SPOT", 0, 0))},
		{"21 items [D]", invalid, "A capacity provider strategy can contain a maximum of 20 capacity providers.", put(slices.Repeat([]types.CapacityProviderStrategyItem{item("FARGATE", 0, 1)}, 21)...)},
	})
}
