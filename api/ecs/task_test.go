package ecs_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
)

const nobody = "ffffffffffffffffffffffffffffffff"

func TestStartTask(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	a, b, gone, off := s.instance("default", "a"), s.instance("default", "b"), s.instance("default", "a"), s.instance("default", "a")
	bare := *must(s.RegisterContainerInstance(ctx, &sdk.RegisterContainerInstanceInput{TotalResources: resources(2048, 4096)}))(t).ContainerInstance.ContainerInstanceArn
	s.connect(bare)
	s.changeInstance(gone, inactive)
	s.changeInstance(off, func(i *model.Instance) { i.AgentConnected = false })
	s.define("web", func(in *sdk.RegisterTaskDefinitionInput) { in.ContainerDefinitions[0].Memory = aws.Int32(3000) })
	s.define("vpc", awsvpc)

	id := a[strings.LastIndexByte(a, '/')+1:]
	out := must(s.StartTask(ctx, &sdk.StartTaskInput{TaskDefinition: aws.String("web"), ContainerInstances: []string{id, a, b, gone, off, nobody}}))(t)
	same(t, "one task per instance", words(len(out.Tasks), *out.Tasks[0].ContainerInstanceArn == a, *out.Tasks[1].ContainerInstanceArn == b), "2 true true")
	same(t, "per-instance failures [D]", reasons(out.Failures), []string{
		a + ": RESOURCE:MEMORY", gone + ": INACTIVE", off + ": AGENT", instanceARN + "default/" + nobody + ": MISSING"})

	must(s.UpdateContainerInstancesState(ctx, &sdk.UpdateContainerInstancesStateInput{ContainerInstances: []string{a}, Status: "DRAINING"}))(t)
	vpc := must(s.StartTask(ctx, &sdk.StartTaskInput{TaskDefinition: aws.String("vpc"), ContainerInstances: []string{a, b, bare}, NetworkConfiguration: inSubnets("subnet-a")}))(t)
	same(t, "a draining instance takes it", len(vpc.Tasks), 1)
	same(t, "zone and attributes [D]", reasons(vpc.Failures), []string{b + ": LOCATION", bare + ": LOCATION"})
	vpc = must(s.StartTask(ctx, &sdk.StartTaskInput{TaskDefinition: aws.String("vpc"), ContainerInstances: []string{bare}, NetworkConfiguration: inSubnets("subnet-a")}))(t)
	same(t, "no zone", reasons(vpc.Failures), []string{bare + ": LOCATION"})

	start := func(change func(*sdk.StartTaskInput)) func() error {
		in := &sdk.StartTaskInput{TaskDefinition: aws.String("web"), ContainerInstances: []string{a}}
		change(in)
		return func() error { return fails(s.StartTask(ctx, in)) }
	}
	s.refuses(t, []refused{
		{"no instances [O]", "InvalidParameterException", "Container instances cannot be empty.", start(func(in *sdk.StartTaskInput) { in.ContainerInstances = []string{} })},
		{"11 instances [D]", "InvalidParameterException", "Container instances cannot have more than 10 elements.", start(func(in *sdk.StartTaskInput) { in.ContainerInstances = make([]string, 11) })},
		{"an instance of another cluster [O]", "InvalidParameterException", "Identifier is for cluster other. Your cluster is default",
			start(func(in *sdk.StartTaskInput) { in.ContainerInstances = []string{instanceARN + "other/" + nobody} })},
		{"unknown definition [O]", "ClientException", "TaskDefinition not found.", start(func(in *sdk.StartTaskInput) { in.TaskDefinition = aws.String("x") })},
		{"unknown cluster [O]", "ClusterNotFoundException", "Cluster not found.", start(func(in *sdk.StartTaskInput) { in.Cluster = aws.String("x") })},
	})
}

func TestStopTask(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	s.instance("default", "a")
	s.cluster("other")
	s.define("web")
	tasks := taskARNs(s.run("web", 3).Tasks)
	s.report(tasks[0], "RUNNING", nil)
	out := must(s.StopTask(ctx, &sdk.StopTaskInput{Task: &tasks[0]}))(t).Task
	same(t, "stop [O]", words(*out.DesiredStatus, out.StopCode, *out.StoppedReason, out.StoppingAt != nil), "STOPPED UserInitiated Task stopped by user true")
	again := must(s.StopTask(ctx, &sdk.StopTaskInput{Task: &tasks[0], Reason: aws.String("again")}))(t).Task
	same(t, "stopping already: unchanged [D]", words(*again.StoppedReason, again.Version == out.Version), "Task stopped by user true")
	s.report(tasks[0], "STOPPED", aws.Int32(0))
	again = must(s.StopTask(ctx, &sdk.StopTaskInput{Task: &tasks[0]}))(t).Task
	same(t, "stopped already: unchanged [D]", words(*again.LastStatus, again.StopCode), "STOPPED UserInitiated")

	id := tasks[1][strings.LastIndexByte(tasks[1], '/')+1:]
	out = must(s.StopTask(ctx, &sdk.StopTaskInput{Task: &id, Reason: aws.String("enough")}))(t).Task
	same(t, "by id, with a reason", *out.StoppedReason, "enough")

	stop := func(cluster, task string) func() error {
		return func() error { return fails(s.StopTask(ctx, &sdk.StopTaskInput{Cluster: &cluster, Task: &task})) }
	}
	const unknown = "The referenced task was not found."
	s.refuses(t, []refused{
		{"unknown [O]", "InvalidParameterException", unknown, stop("default", nobody)},
		{"of another account [D]", "InvalidParameterException", unknown, stop("default", strings.Replace(tasks[2], home, abroad, 1))},
		{"of another Region [D]", "InvalidParameterException", unknown, stop("default", strings.Replace(tasks[2], region, "eu-west-1", 1))},
		{"an instance [I]", "InvalidParameterException", unknown, stop("default", instanceARN+"default/"+id)},
		{"of another cluster [O]", "InvalidParameterException", "Identifier is for cluster default. Your cluster is other", stop("other", tasks[2])},
		{"unknown cluster [O]", "ClusterNotFoundException", "Cluster not found.", stop("x", tasks[2])},
	})
	stranger := s.client("other", region)
	must(stranger.CreateCluster(ctx, &sdk.CreateClusterInput{}))(t)
	refusal(t, fails(stranger.StopTask(ctx, &sdk.StopTaskInput{Task: &tasks[2]})), "InvalidParameterException", unknown)
	same(t, "strangers stop nothing", *s.describe(tasks[2]).DesiredStatus, "RUNNING")
}

func TestDescribeTasks(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	s.instance("default", "a")
	s.cluster("other")
	s.define("web")
	task := must(s.RunTask(ctx, &sdk.RunTaskInput{TaskDefinition: aws.String("web"), Tags: []types.Tag{{Key: aws.String("k")}}}))(t).Tasks[0]
	foreign := strings.Replace(*task.TaskArn, home, abroad, 1)
	out := must(s.DescribeTasks(ctx, &sdk.DescribeTasksInput{Tasks: []string{nobody, *task.TaskArn, foreign}}))(t)
	same(t, "found, without tags", words(len(out.Tasks), len(out.Tasks[0].Tags)), "1 0")
	same(t, "MISSING [D]", reasons(out.Failures), []string{taskARN + "default/" + nobody + ": MISSING", foreign + ": MISSING"})
	out = must(s.DescribeTasks(ctx, &sdk.DescribeTasksInput{Tasks: []string{*task.TaskArn}, Include: []types.TaskField{"TAGS"}}))(t)
	same(t, "include=TAGS [D]", len(out.Tasks[0].Tags), 1)
	short := "arn:aws:ecs:us-east-1:000000000000:task/" + (*task.TaskArn)[len(taskARN+"default/"):]
	same(t, "the short ARN", *s.describe(short).TaskArn, *task.TaskArn)

	describe := func(cluster string, tasks ...string) func() error {
		return func() error {
			return fails(s.DescribeTasks(ctx, &sdk.DescribeTasksInput{Cluster: &cluster, Tasks: append([]string{}, tasks...)}))
		}
	}
	s.refuses(t, []refused{
		{"nothing [O]", "InvalidParameterException", "Tasks cannot be empty.", describe("default")},
		{"tasks absent [O]", "InvalidParameterException", "Tasks cannot be empty.", func() error {
			_, body := s.raw("DescribeTasks", `{}`)
			return wireError(body)
		}},
		{"101 [D]", "InvalidParameterException", "Tasks cannot have more than 100 elements.", describe("default", make([]string, 101)...)},
		{"of another cluster [O]", "InvalidParameterException", "Identifier is for cluster default. Your cluster is other", describe("other", *task.TaskArn)},
		{"unknown cluster [O]", "ClusterNotFoundException", "Cluster not found.", describe("x", *task.TaskArn)},
	})
}

func TestListTasks(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	s.cluster("default")
	a, b := s.instance("default", "a"), s.instance("default", "b")
	s.define("web")
	s.define("web-x")
	start := func(def, instance, by string) string {
		return *must(s.StartTask(ctx, &sdk.StartTaskInput{TaskDefinition: &def, ContainerInstances: []string{instance}, StartedBy: &by}))(t).Tasks[0].TaskArn
	}
	one, two, three := start("web", a, "me"), start("web-x", a, "you"), start("web", b, "me")
	must(s.StopTask(ctx, &sdk.StopTaskInput{Task: &three}))(t)
	for _, c := range []struct {
		rule string
		in   sdk.ListTasksInput
		want []string
	}{
		{"RUNNING by default [D]", sdk.ListTasksInput{}, []string{one, two}},
		{"STOPPED is the desired status [D]", sdk.ListTasksInput{DesiredStatus: "STOPPED"}, []string{three}},
		{"PENDING matches nothing [D]", sdk.ListTasksInput{DesiredStatus: "PENDING"}, []string{}},
		{"family is whole [D]", sdk.ListTasksInput{Family: aws.String("web")}, []string{one}},
		{"container instance [D]", sdk.ListTasksInput{ContainerInstance: &a}, []string{one, two}},
		{"container instance, STOPPED", sdk.ListTasksInput{ContainerInstance: &b, DesiredStatus: "STOPPED"}, []string{three}},
		{"AND-ed [D]", sdk.ListTasksInput{ContainerInstance: &a, Family: aws.String("web-x"), LaunchType: "EC2"}, []string{two}},
		{"launch type [D]", sdk.ListTasksInput{LaunchType: "FARGATE"}, []string{}},
		{"startedBy [D]", sdk.ListTasksInput{StartedBy: aws.String("you")}, []string{two}},
		{"startedBy with a status [I]", sdk.ListTasksInput{StartedBy: aws.String("me"), DesiredStatus: "STOPPED"}, []string{three}},
	} {
		t.Run(c.rule, func(t *testing.T) { same(t, "tasks", must(s.ListTasks(ctx, &c.in))(t).TaskArns, c.want) })
	}
	list := func(in sdk.ListTasksInput) func() error { return func() error { return fails(s.ListTasks(ctx, &in)) } }
	token := must(s.ListTasks(ctx, &sdk.ListTasksInput{MaxResults: aws.Int32(1)}))(t).NextToken
	same(t, "second page", must(s.ListTasks(ctx, &sdk.ListTasksInput{NextToken: token}))(t).TaskArns, []string{two})
	s.refuses(t, []refused{
		{"startedBy with a family [D]", "InvalidParameterException", "startedBy cannot be combined with other filters.", list(sdk.ListTasksInput{StartedBy: aws.String("me"), Family: aws.String("web")})},
		{"unknown service [O]", "ServiceNotFoundException", "Service not found.", list(sdk.ListTasksInput{ServiceName: aws.String("x")})},
		{"unknown instance [O]", "InvalidParameterException", "Referenced container instance " + nobody + " not found.", list(sdk.ListTasksInput{ContainerInstance: aws.String(nobody)})},
		{"unknown cluster [O]", "ClusterNotFoundException", "Cluster not found.", list(sdk.ListTasksInput{Cluster: aws.String("x")})},
		{"unknown status [I]", "InvalidParameterException", "Invalid desiredStatus 'X'.", list(sdk.ListTasksInput{DesiredStatus: "X"})},
		{"unknown launch type [I]", "InvalidParameterException", "Invalid launchType 'X'.", list(sdk.ListTasksInput{LaunchType: "X"})},
		{"a token with other filters [I]", "InvalidParameterException", "Invalid token.", list(sdk.ListTasksInput{NextToken: token, Family: aws.String("web")})},
		{"a broken token [I]", "InvalidParameterException", "Invalid token.", list(sdk.ListTasksInput{NextToken: aws.String("x")})},
	})
}

func TestSubmit(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	s.instance("default", "a")
	s.define("web", func(in *sdk.RegisterTaskDefinitionInput) {
		in.ContainerDefinitions = append(in.ContainerDefinitions, types.ContainerDefinition{
			Name: aws.String("side"), Image: aws.String("busybox"), Memory: aws.Int32(10), Essential: aws.Bool(false)})
	})
	task := *s.run("web", 1).Tasks[0].TaskArn
	node := s.client("node", region)
	ack := must(node.SubmitTaskStateChange(ctx, &sdk.SubmitTaskStateChangeInput{Cluster: aws.String("default"), Task: &task, Status: aws.String("PENDING"),
		PullStartedAt: aws.Time(fromMillis(1)), PullStoppedAt: aws.Time(fromMillis(2)),
		Containers: []types.ContainerStateChange{
			{ContainerName: aws.String("side"), Status: aws.String("RUNNING"), RuntimeId: aws.String("r1"), ImageDigest: aws.String("sha256:x"),
				NetworkBindings: []types.NetworkBinding{{BindIP: aws.String("0.0.0.0"), ContainerPort: aws.Int32(80), HostPort: aws.Int32(32768), Protocol: "tcp"}}},
			{ContainerName: aws.String("side"), Status: aws.String("STOPPED"), ExitCode: aws.Int32(0), Reason: aws.String("done")},
		}}))(t)
	same(t, "acknowledgment", words(ack.Acknowledgment != nil, aws.ToString(ack.Acknowledgment)), "true ")
	got := s.describe(task)
	c := got.Containers[1]
	same(t, "in order, the same container twice [D]", words(*c.LastStatus, *c.RuntimeId, *c.ImageDigest, *c.ExitCode, *c.Reason), "STOPPED r1 sha256:x 0 done")
	same(t, "bindings", words(*c.NetworkBindings[0].BindIP, *c.NetworkBindings[0].ContainerPort, *c.NetworkBindings[0].HostPort, c.NetworkBindings[0].Protocol), "0.0.0.0 80 32768 tcp")
	same(t, "pull times", words(got.PullStartedAt.UnixMilli(), got.PullStoppedAt.UnixMilli(), *got.LastStatus), "1 2 ACTIVATING")

	must(s.SubmitContainerStateChange(ctx, &sdk.SubmitContainerStateChangeInput{Task: &task, ContainerName: aws.String("app"), Status: aws.String("RUNNING"), RuntimeId: aws.String("r2")}))(t)
	same(t, "one container", *s.describe(task).Containers[0].LastStatus, "RUNNING")
	must(s.SubmitTaskStateChange(ctx, &sdk.SubmitTaskStateChangeInput{Task: &task, Status: aws.String("RUNNING")}))(t)
	version := s.describe(task).Version
	must(s.SubmitTaskStateChange(ctx, &sdk.SubmitTaskStateChangeInput{Task: &task, Status: aws.String("PENDING")}))(t)
	got = s.describe(task)
	same(t, "backward reports change nothing [D]", words(*got.LastStatus, got.Version == version, got.Connectivity), "RUNNING true CONNECTED")

	s.refuses(t, []refused{
		{"unknown task: the agent drops the event [D]", "InvalidParameterException", "The referenced task was not found.", func() error {
			return fails(node.SubmitTaskStateChange(ctx, &sdk.SubmitTaskStateChangeInput{Task: aws.String(taskARN + "default/" + nobody), Status: aws.String("RUNNING")}))
		}},
		{"a node of another account", "InvalidParameterException", "The referenced task was not found.", func() error {
			stranger := s.client("other", region)
			must(stranger.CreateCluster(ctx, &sdk.CreateClusterInput{}))(t)
			return fails(stranger.SubmitTaskStateChange(ctx, &sdk.SubmitTaskStateChangeInput{Task: &task, Status: aws.String("STOPPED")}))
		}},
	})
	same(t, "still there", *s.describe(task).LastStatus, "RUNNING")
	poll := must(node.DiscoverPollEndpoint(ctx, &sdk.DiscoverPollEndpointInput{}))(t)
	same(t, "poll endpoints of who does not say who it is", *poll.Endpoint+" "+*poll.TelemetryEndpoint, "http://acs.lasting http://tcs.lasting")
	mine := &sdk.DiscoverPollEndpointInput{ContainerInstance: aws.String(s.instance("default", "polls"))}
	s.changeInstance(*mine.ContainerInstance, func(i *model.Instance) { i.AgentHash = model.OwnAgent })
	poll = must(node.DiscoverPollEndpoint(ctx, mine))(t)
	same(t, "poll endpoints of our agent", *poll.Endpoint+" "+*poll.TelemetryEndpoint, "http://acs http://tcs")
	s.changeInstance(*mine.ContainerInstance, func(i *model.Instance) { i.AgentHash = "*a8b3e7d3" })
	poll = must(node.DiscoverPollEndpoint(ctx, mine))(t)
	same(t, "poll endpoints of the stock agent, which keeps them", *poll.Endpoint+" "+*poll.TelemetryEndpoint, "http://acs.lasting http://tcs.lasting")
}

// TestSubmitAttachments finds the task of an attachment that is reported alone.
func TestSubmitAttachments(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	s.instance("default", "a")
	s.define("vpc", awsvpc)
	out := must(s.RunTask(ctx, &sdk.RunTaskInput{TaskDefinition: aws.String("vpc"), Count: aws.Int32(2), NetworkConfiguration: inSubnets("subnet-a")}))(t)
	var changes []types.AttachmentStateChange
	for _, x := range out.Tasks {
		changes = append(changes, types.AttachmentStateChange{AttachmentArn: aws.String("arn:aws:ecs:us-east-1:000000000000:attachment/" + *x.Attachments[0].Id), Status: aws.String("ATTACHED")})
	}
	changes = append(changes, types.AttachmentStateChange{AttachmentArn: aws.String("arn:aws:ecs:us-east-1:000000000000:attachment/instance"), Status: aws.String("ATTACHED")})
	must(s.SubmitAttachmentStateChanges(ctx, &sdk.SubmitAttachmentStateChangesInput{Attachments: changes}))(t)
	for _, x := range out.Tasks {
		same(t, "attached", fmt.Sprint(*s.describe(*x.TaskArn).LastStatus), "PENDING")
	}
}
