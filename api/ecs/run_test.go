package ecs_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
)

func TestRunTask(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	i := s.instance("default", "a")
	s.define("web", func(in *sdk.RegisterTaskDefinitionInput) {
		in.Tags = []types.Tag{{Key: aws.String("k"), Value: aws.String("definition")}, {Key: aws.String("d"), Value: aws.String("definition")}}
	})
	out := must(s.RunTask(ctx, &sdk.RunTaskInput{TaskDefinition: aws.String("web"), Count: aws.Int32(2), StartedBy: aws.String("me"),
		PropagateTags: "TASK_DEFINITION", EnableECSManagedTags: true, EnableExecuteCommand: true,
		Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("mine")}}}))(t)
	same(t, "placed", words(len(out.Tasks), len(out.Failures)), "2 0")
	task := out.Tasks[0]
	same(t, "defaults [D]", words(*task.Group, *task.LastStatus, *task.DesiredStatus, task.LaunchType, *task.StartedBy, task.Version, task.EnableExecuteCommand),
		"family:web PENDING RUNNING EC2 me 1 true")
	same(t, "place", words(*task.ContainerInstanceArn == i, *task.AvailabilityZone, *task.TaskDefinitionArn), "true us-east-1a "+defARN+"web:1")
	same(t, "a task without a size shows what it reserves [O]", words(*task.Cpu, *task.Memory), "256 512")
	same(t, "architecture of the instance", words(*task.Attributes[0].Name, *task.Attributes[0].Value), "ecs.cpu-architecture x86_64")
	tags := map[string]string{}
	for _, x := range task.Tags {
		tags[*x.Key] = *x.Value
	}
	same(t, "tags: the caller's win [D]", tags, map[string]string{"k": "mine", "d": "definition", "aws:ecs:clusterName": "default"})
	c := task.Containers[0]
	same(t, "container", words(*c.Name, *c.Cpu, *c.Memory, *c.LastStatus, c.HealthStatus, *c.TaskArn == *task.TaskArn), "app 256 512 PENDING UNKNOWN true")
	same(t, "containers have ids of their own", *out.Tasks[1].Containers[0].ContainerArn == *c.ContainerArn, false)
}

func TestRunTaskRefusals(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	s.cluster("empty")
	s.cluster("old")
	must(s.DeleteCluster(ctx, &sdk.DeleteClusterInput{Cluster: aws.String("old")}))(t)
	s.instance("default", "a")
	s.define("web")
	s.define("gone")
	must(s.DeregisterTaskDefinition(ctx, &sdk.DeregisterTaskDefinitionInput{TaskDefinition: aws.String("gone:1")}))(t)
	s.define("vpc", awsvpc)
	s.define("far", fargate)
	run := func(def string, change func(*sdk.RunTaskInput)) func() error {
		return func() error {
			in := &sdk.RunTaskInput{TaskDefinition: &def}
			change(in)
			return fails(s.RunTask(ctx, in))
		}
	}
	const invalid, notAvailable = "InvalidParameterException", "UnsupportedFeatureException"
	strategy := []types.CapacityProviderStrategyItem{{CapacityProvider: aws.String("FARGATE"), Weight: 1}}
	s.refuses(t, []refused{
		{"no instances [O]", invalid, "No Container Instances were found in your cluster.", run("web", func(in *sdk.RunTaskInput) { in.Cluster = aws.String("empty") })},
		{"unknown cluster [O]", "ClusterNotFoundException", "Cluster not found.", run("web", func(in *sdk.RunTaskInput) { in.Cluster = aws.String("x") })},
		{"inactive cluster [O]", "ClusterNotFoundException", "The referenced cluster was inactive.", run("web", func(in *sdk.RunTaskInput) { in.Cluster = aws.String("old") })},
		{"unknown definition [O]", "ClientException", "TaskDefinition not found.", run("x", func(*sdk.RunTaskInput) {})},
		{"foreign definition [D]", "ClientException", "TaskDefinition not found.", run("arn:aws:ecs:us-east-1:111111111111:task-definition/web:1", func(*sdk.RunTaskInput) {})},
		{"inactive definition [O]", "ClientException", "TaskDefinition is inactive", run("gone:1", func(*sdk.RunTaskInput) {})},
		{"inactive family [O]", "ClientException", "TaskDefinition not found.", run("gone", func(*sdk.RunTaskInput) {})},
		{"count 0 [D]", invalid, "Count must be between 1 and 10.", run("web", func(in *sdk.RunTaskInput) { in.Count = aws.Int32(0) })},
		{"count 11 [D]", invalid, "Count must be between 1 and 10.", run("web", func(in *sdk.RunTaskInput) { in.Count = aws.Int32(11) })},
		{"startedBy 129 [D]", invalid, "startedBy must be at most 128 characters long.", run("web", func(in *sdk.RunTaskInput) { in.StartedBy = aws.String(strings.Repeat("x", 129)) })},
		{"group of a service [I]", invalid, "The task group must not begin with 'service:'.", run("web", func(in *sdk.RunTaskInput) { in.Group = aws.String("service:x") })},
		{"launch type and strategy [O]", invalid, "Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again.",
			run("web", func(in *sdk.RunTaskInput) { in.LaunchType, in.CapacityProviderStrategy = "EC2", strategy })},
		{"strategy of a foreign provider [O]", invalid, "The specified capacity provider strategy cannot contain a capacity provider that is not associated with the cluster. " +
			"Associate the capacity provider with the cluster and try again.", run("far", func(in *sdk.RunTaskInput) { in.CapacityProviderStrategy = strategy })},
		{"launch type of another kind of definition [O]", invalid, "Task definition does not support launch_type FARGATE.", run("web", func(in *sdk.RunTaskInput) { in.LaunchType = "FARGATE" })},
		{"no such launch type [I]", invalid, "The launch type 'X' is not valid.", run("web", func(in *sdk.RunTaskInput) { in.LaunchType = "X" })},
		{"propagate SERVICE [O]", invalid, "The propagateTags value SERVICE…", run("web", func(in *sdk.RunTaskInput) { in.PropagateTags = "SERVICE" })},
		{"awsvpc without network [O]", invalid, "Network Configuration must be provided when networkMode 'awsvpc' is specified.", run("vpc", func(*sdk.RunTaskInput) {})},
		{"network without awsvpc [O]", invalid, "Network Configuration is not valid for the given networkMode of this task definition.",
			run("web", func(in *sdk.RunTaskInput) { in.NetworkConfiguration = inSubnets("subnet-a") })},
		{"unknown subnet [O]", invalid, "Error retrieving subnet information for [subnet-x]: The subnet ID 'subnet-x' does not exist (ErrorCode: InvalidSubnetID.NotFound)",
			run("vpc", func(in *sdk.RunTaskInput) { in.NetworkConfiguration = inSubnets("subnet-x") })},
		{"no subnets [O]", invalid, "subnets can not be empty.", run("vpc", func(in *sdk.RunTaskInput) { in.NetworkConfiguration = inSubnets([]string{}...) })},
		{"17 subnets [D]", invalid, "subnets can have at most 16 items.", run("vpc", func(in *sdk.RunTaskInput) { in.NetworkConfiguration = inSubnets(make([]string, 17)...) })},
		{"public IP on EC2 [O]", invalid, "Assign public IP is not supported for this launch type.", run("vpc", func(in *sdk.RunTaskInput) {
			in.NetworkConfiguration = inSubnets("subnet-a")
			in.NetworkConfiguration.AwsvpcConfiguration.AssignPublicIp = "ENABLED"
		})},
		{"platform version on EC2 [O]", invalid, "The platform version must be null when specifying an EC2 launch type.", run("web", func(in *sdk.RunTaskInput) { in.PlatformVersion = aws.String("LATEST") })},
		{"unknown platform version [D]", "PlatformUnknownException", "The specified platform version does not exist.", run("far", func(in *sdk.RunTaskInput) {
			in.LaunchType, in.PlatformVersion, in.NetworkConfiguration = "FARGATE", aws.String("9"), inSubnets("subnet-a")
		})},
		{"override of an unknown container [O]", invalid, "Override for container named x is not a container in the TaskDefinition.", run("web", func(in *sdk.RunTaskInput) {
			in.Overrides = &types.TaskOverride{ContainerOverrides: []types.ContainerOverride{{Name: aws.String("x"), Cpu: aws.Int32(1)}}}
		})},
		{"overrides over 8192 [O]", invalid, "Container Overrides length must be at most 8192", run("web", func(in *sdk.RunTaskInput) {
			in.Overrides = &types.TaskOverride{ContainerOverrides: []types.ContainerOverride{{Name: aws.String("app"), Command: []string{strings.Repeat("x", 8192)}}}}
		})},
		{"override to no FARGATE size [O]", invalid, "No Fargate configuration exists for given values: 256 CPU, 8192 memory.", run("far", func(in *sdk.RunTaskInput) {
			in.LaunchType, in.NetworkConfiguration, in.Overrides = "FARGATE", inSubnets("subnet-a"), &types.TaskOverride{Memory: aws.String("8192")}
		})},
		{"token of 65 [D]", invalid, "clientToken must be at most 64…", run("web", func(in *sdk.RunTaskInput) { in.ClientToken = aws.String(strings.Repeat("x", 65)) })},
		{"token with a space [D]", invalid, "clientToken must be at most 64…", run("web", func(in *sdk.RunTaskInput) { in.ClientToken = aws.String("a b") })},
		{"reserved tag [O]", invalid, "aws: prefixed tag key names are not allowed for external use.", run("web", func(in *sdk.RunTaskInput) { in.Tags = []types.Tag{{Key: aws.String("AWS:x")}} })},
	})
	same(t, "nothing was started", len(must(s.ListTasks(ctx, &sdk.ListTasksInput{}))(t).TaskArns), 0)
}

// TestRunTaskPartialSuccess is a 200 with what could be placed and the instances that could take no more (MISSION trap
// 23) [D].
func TestRunTaskPartialSuccess(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	a, b := s.instance("default", "a"), s.instance("default", "b")
	s.define("big", func(in *sdk.RegisterTaskDefinitionInput) { in.ContainerDefinitions[0].Memory = aws.Int32(3000) })
	s.define("port", hostPort(8080))
	out := s.run("big", 5)
	same(t, "placed", len(out.Tasks), 2)
	same(t, "one failure per instance [D]", reasons(out.Failures), []string{a + ": RESOURCE:MEMORY", b + ": RESOURCE:MEMORY"})
	same(t, "ports [D]", reasons(s.run("port", 3).Failures), []string{a + ": RESOURCE:PORTS", b + ": RESOURCE:PORTS"})
	s.changeInstance(a, func(i *model.Instance) { i.AgentConnected = false })
	must(s.UpdateContainerInstancesState(ctx, &sdk.UpdateContainerInstancesStateInput{ContainerInstances: []string{b}, Status: "DRAINING"}))(t)
	same(t, "a disconnected agent, a draining instance [D]", reasons(s.run("big", 1).Failures), []string{a + ": AGENT"})
	must(s.UpdateContainerInstancesState(ctx, &sdk.UpdateContainerInstancesStateInput{ContainerInstances: []string{a}, Status: "DRAINING"}))(t)
	refusal(t, fails(s.RunTask(ctx, &sdk.RunTaskInput{TaskDefinition: aws.String("big")})), "InvalidParameterException", "No Container Instances were found in your cluster.")
}

// TestResourcesComeBackOnStopped pins MISSION trap 13.
func TestResourcesComeBackOnStopped(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	s.instance("default", "a")
	s.define("big", func(in *sdk.RegisterTaskDefinitionInput) { in.ContainerDefinitions[0].Memory = aws.Int32(3000) })
	task := *s.run("big", 1).Tasks[0].TaskArn
	s.report(task, "RUNNING", nil)
	must(s.StopTask(ctx, &sdk.StopTaskInput{Task: &task}))(t)
	same(t, "while STOPPING", len(s.run("big", 1).Tasks), 0)
	s.report(task, "STOPPED", aws.Int32(143))
	same(t, "when STOPPED", len(s.run("big", 1).Tasks), 1)
}

func TestRunTaskToken(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	s.instance("default", "a")
	s.define("web")
	in := &sdk.RunTaskInput{TaskDefinition: aws.String("web:1"), ClientToken: aws.String("tok"), Count: aws.Int32(2)}
	first := must(s.RunTask(ctx, in))(t)
	in.Cluster = aws.String(clusterARN + "default")
	again := must(s.RunTask(ctx, in))(t)
	same(t, "same tasks again [D]", taskARNs(again.Tasks), taskARNs(first.Tasks))

	must(s.DeregisterTaskDefinition(ctx, &sdk.DeregisterTaskDefinitionInput{TaskDefinition: aws.String("web:1")}))(t)
	same(t, "even of a definition that is gone", taskARNs(must(s.RunTask(ctx, in))(t).Tasks), taskARNs(first.Tasks))
	s.define("web")

	in.TaskDefinition = aws.String("web:2")
	_, err := s.RunTask(ctx, in)
	var conflict *types.ConflictException
	if !errors.As(err, &conflict) {
		t.Fatalf("other parameters [D]: %v", err)
	}
	same(t, "resourceIds [D]", conflict.ResourceIds, taskARNs(first.Tasks))

	s.clock.Add(24 * 3600 * 1000)
	fresh := must(s.RunTask(ctx, in))(t)
	same(t, "24 hours later [D]", len(fresh.Tasks) == 2 && taskARNs(fresh.Tasks)[0] != taskARNs(first.Tasks)[0], true)
}

func taskARNs(tasks []types.Task) []string {
	out := []string{}
	for _, t := range tasks {
		out = append(out, *t.TaskArn)
	}
	return out
}

func TestRunTaskAwsvpc(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	a, b := s.instance("default", "a"), s.instance("default", "b")
	s.define("vpc", awsvpc)
	out := must(s.RunTask(ctx, &sdk.RunTaskInput{TaskDefinition: aws.String("vpc"), NetworkConfiguration: inSubnets("subnet-b")}))(t)
	task := out.Tasks[0]
	same(t, "in the subnet's zone [D]", words(*task.ContainerInstanceArn == b, *task.LastStatus), "true PROVISIONING")
	at := task.Attachments[0]
	same(t, "attachment [D]", words(*at.Type, *at.Status, *at.Details[0].Name, *at.Details[0].Value), "ElasticNetworkInterface PRECREATED subnetId subnet-b")

	must(s.SubmitTaskStateChange(ctx, &sdk.SubmitTaskStateChangeInput{Task: task.TaskArn, Status: aws.String("PENDING"), Attachments: []types.AttachmentStateChange{
		{AttachmentArn: aws.String("arn:aws:ecs:us-east-1:000000000000:attachment/" + *at.Id), Status: aws.String("ATTACHED")}}}))(t)
	same(t, "attached", words(*s.describe(*task.TaskArn).LastStatus, *s.describe(*task.TaskArn).Attachments[0].Status), "PENDING ATTACHED")

	s.changeInstance(b, inactive)
	out = must(s.RunTask(ctx, &sdk.RunTaskInput{TaskDefinition: aws.String("vpc"), NetworkConfiguration: inSubnets("subnet-b")}))(t)
	same(t, "nothing in the zone [D]", reasons(out.Failures), []string{a + ": LOCATION"})
}

// TestRunTaskFargate: one node also serves FARGATE tasks, which show no instance (SEMANTICS §4.1) [D].
func TestRunTaskFargate(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	s.cluster("default")
	s.define("far", fargate)
	run := func() *sdk.RunTaskOutput {
		return must(s.RunTask(ctx, &sdk.RunTaskInput{TaskDefinition: aws.String("far"), LaunchType: "FARGATE", NetworkConfiguration: inSubnets("subnet-a")}))(t)
	}
	same(t, "no capacity [O]", reasons(run().Failures), []string{": Capacity is unavailable at this time. Please try again later or in a different availability zone"})
	i := s.instance("default", "a")
	s.changeInstance(i, fargateToo)
	task := run().Tasks[0]
	if task.ContainerInstanceArn != nil {
		t.Error("a FARGATE task shows its instance")
	}
	same(t, "platform [D]", words(*task.PlatformVersion, *task.PlatformFamily, task.EphemeralStorage.SizeInGiB, *task.Cpu, *task.Memory), "1.4.0 Linux 20 256 512")
	same(t, "not listed by instance", len(must(s.ListTasks(ctx, &sdk.ListTasksInput{ContainerInstance: &i}))(t).TaskArns), 0)
	same(t, "listed by launch type", len(must(s.ListTasks(ctx, &sdk.ListTasksInput{LaunchType: "FARGATE"}))(t).TaskArns), 1)
}

// TestProviderStrategy: the base first, then by weight (SEMANTICS §6.2; MISSION row 66).
func TestProviderStrategy(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	s.changeInstance(s.instance("default", "a"), func(i *model.Instance) {
		fargateToo(i)
		i.Resources.CPU, i.Resources.Memory = 10_240, 10_240
	})
	s.define("far", fargate)
	s.provide("default", "FARGATE", "FARGATE_SPOT")
	for _, c := range []struct {
		name               string
		count, base        int32
		weight, spotWeight int32
		want               map[string]int
	}{
		{"base 2 and 1:3 of ten [D]", 10, 2, 1, 3, map[string]int{"FARGATE": 4, "FARGATE_SPOT": 6}},
		{"1:4 of one goes to the first [I]", 1, 0, 1, 4, map[string]int{"FARGATE": 1}},
		{"1:4 of six [I]", 6, 0, 1, 4, map[string]int{"FARGATE": 2, "FARGATE_SPOT": 4}},
		{"the base takes all there are [D]", 2, 5, 0, 1, map[string]int{"FARGATE": 2}},
		{"weight 0 has only its base [D]", 4, 1, 0, 1, map[string]int{"FARGATE": 1, "FARGATE_SPOT": 3}},
		{"weight 0 and no base has nothing [D]", 2, 0, 0, 1, map[string]int{"FARGATE_SPOT": 2}},
	} {
		out := must(s.RunTask(ctx, &sdk.RunTaskInput{TaskDefinition: aws.String("far"), Count: &c.count, NetworkConfiguration: inSubnets("subnet-a"),
			CapacityProviderStrategy: []types.CapacityProviderStrategyItem{
				{CapacityProvider: aws.String("FARGATE"), Base: c.base, Weight: c.weight}, {CapacityProvider: aws.String("FARGATE_SPOT"), Weight: c.spotWeight}}}))(t)
		got := map[string]int{}
		for _, x := range out.Tasks {
			got[*x.CapacityProviderName]++
		}
		same(t, c.name, got, c.want)
		for _, x := range out.Tasks {
			s.report(*x.TaskArn, "STOPPED", aws.Int32(0))
		}
	}
	one := must(s.through("default", "far", "FARGATE", 2, func(in *sdk.RunTaskInput) {
		in.CapacityProviderStrategy[0].Weight, in.NetworkConfiguration = 0, inSubnets("subnet-a")
	}))(t)
	same(t, "one provider needs no weight [O]", len(one.Tasks), 2)
}

func TestOverrides(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	i := s.instance("default", "a")
	s.define("web")
	in := &sdk.RunTaskInput{TaskDefinition: aws.String("web"), Overrides: &types.TaskOverride{ContainerOverrides: []types.ContainerOverride{
		{Name: aws.String("app"), Memory: aws.Int32(1000), Environment: []types.KeyValuePair{{Name: aws.String("A"), Value: aws.String("1")}}}}}}
	task := must(s.RunTask(ctx, in))(t).Tasks[0]
	same(t, "echo", words(*task.Overrides.ContainerOverrides[0].Environment[0].Name, *task.Overrides.ContainerOverrides[0].Memory), "A 1000")
	same(t, "shown", *task.Containers[0].Memory, "1000")
	d := must(s.DescribeContainerInstances(ctx, &sdk.DescribeContainerInstancesInput{ContainerInstances: []string{i}}))(t).ContainerInstances[0]
	same(t, "the reservation follows [D]", d.RemainingResources[1].IntegerValue, 3096)
	plain := s.run("web", 1).Tasks[0]
	same(t, "containerOverrides are always there [O]", *plain.Overrides.ContainerOverrides[0].Name, "app")
}
