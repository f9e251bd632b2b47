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

// node registers an instance with 2048 CPU units and 4096 MiB in the pool, and connects its agent. One of the pool
// "fargate" has what `roadstead agent --pool fargate` registers.
func (s *server) node(cluster, zone, pool string) string {
	s.Helper()
	attrs := append(s.attributes(zone), types.Attribute{Name: aws.String(model.PoolAttribute), Value: &pool})
	if pool == model.FargatePool {
		attrs = append(attrs, types.Attribute{Name: aws.String(model.FargateAttribute)})
	}
	out := must(s.client("node", region).RegisterContainerInstance(s.Context(), &sdk.RegisterContainerInstanceInput{
		Cluster: &cluster, TotalResources: resources(2048, 4096), Attributes: attrs}))(s)
	s.connect(*out.ContainerInstance.ContainerInstanceArn)
	return *out.ContainerInstance.ContainerInstanceArn
}

// fargateToo makes an instance take FARGATE tasks besides its own, as `roadstead dev` does.
func fargateToo(i *model.Instance) {
	i.Attributes = append(slices.Clip(i.Attributes), model.Attribute{Name: model.FargateAttribute})
}

// through runs tasks of a definition with the strategy of one provider.
func (s *server) through(cluster, def, provider string, count int32, change ...func(*sdk.RunTaskInput)) (*sdk.RunTaskOutput, error) {
	in := &sdk.RunTaskInput{Cluster: &cluster, TaskDefinition: &def, Count: &count,
		CapacityProviderStrategy: []types.CapacityProviderStrategyItem{{CapacityProvider: &provider, Weight: 1}}}
	for _, f := range change {
		f(in)
	}
	return s.RunTask(s.Context(), in)
}

// TestPools: a provider's tasks go to the instances of its pool only (SEMANTICS §5 step 1, §6).
func TestPools(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	web, batch := s.node("default", "a", "web-group"), s.node("default", "a", "batch-group")
	s.groupProvider("web")
	s.groupProvider("batch")
	s.managedProvider("default-mi", "default")
	mi := s.node("default", "a", "default-mi")
	s.provide("default", "web", "batch", "default-mi")
	s.define("app")
	s.define("host", func(in *sdk.RegisterTaskDefinitionInput) { in.NetworkMode = types.NetworkModeHost })

	task := must(s.through("default", "app", "web", 1))(t).Tasks[0]
	same(t, "in the pool [D]", words(*task.ContainerInstanceArn == web, *task.CapacityProviderName, task.LaunchType, *task.LastStatus), "true web EC2 PENDING")
	task = must(s.through("default", "host", "default-mi", 1))(t).Tasks[0]
	same(t, "managed instances [D]", words(*task.ContainerInstanceArn == mi, *task.CapacityProviderName, task.LaunchType), "true default-mi MANAGED_INSTANCES")
	refusal(t, fails(s.through("default", "app", "default-mi", 1)), "InvalidParameterException", "Task definition does not support launch_type MANAGED_INSTANCES.")

	out := must(s.RunTask(ctx, &sdk.RunTaskInput{TaskDefinition: aws.String("app"), Count: aws.Int32(5), CapacityProviderStrategy: []types.CapacityProviderStrategyItem{
		{CapacityProvider: aws.String("web"), Base: 1, Weight: 1}, {CapacityProvider: aws.String(providerARN + "batch"), Weight: 1}}}))(t)
	got := map[string]int{}
	for _, x := range out.Tasks {
		got[*x.CapacityProviderName]++
		if (*x.ContainerInstanceArn == batch) != (*x.CapacityProviderName == "batch") {
			t.Errorf("%s of %s is on %s", *x.TaskArn, *x.CapacityProviderName, *x.ContainerInstanceArn)
		}
	}
	same(t, "shares [D]", got, map[string]int{"web": 3, "batch": 2})

	must(s.PutClusterCapacityProviders(ctx, &sdk.PutClusterCapacityProvidersInput{Cluster: aws.String("default"), CapacityProviders: []string{"web", "batch", "default-mi"},
		DefaultCapacityProviderStrategy: []types.CapacityProviderStrategyItem{{CapacityProvider: aws.String("batch"), Weight: 1}}}))(t)
	same(t, "by the default strategy [D]", *s.run("app", 1).Tasks[0].CapacityProviderName, "batch")
	same(t, "a launch type sets it aside [D]", must(s.RunTask(ctx, &sdk.RunTaskInput{TaskDefinition: aws.String("app"), LaunchType: "EC2"}))(t).Tasks[0].CapacityProviderName == nil, true)
}

// TestPoolFailures: without managed scaling a task that finds no room fails, and names the instances of the pool only
// (SEMANTICS §1.4, §6.7).
func TestPoolFailures(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	s.cluster("default")
	s.groupProvider("web")
	s.groupProvider("mixed", scales)
	s.provide("default", "web", "mixed", "FARGATE")
	s.define("big", func(in *sdk.RegisterTaskDefinitionInput) { in.ContainerDefinitions[0].Memory = aws.Int32(3000) })
	run := func() []string { return reasons(must(s.through("default", "big", "web", 2))(t).Failures) }

	same(t, "no instance at all [D]", run(), []string{providerARN + "web: EMPTY CAPACITY PROVIDER"})
	other := s.node("default", "a", "other-group")
	same(t, "none in the pool [D]", run(), []string{providerARN + "web: EMPTY CAPACITY PROVIDER"})
	i := s.node("default", "a", "web-group")
	s.changeInstance(i, func(i *model.Instance) { i.Status = model.InstanceDraining })
	same(t, "none ACTIVE [D]", run(), []string{providerARN + "web: NO ACTIVE INSTANCES"})
	s.changeInstance(i, func(i *model.Instance) { i.Status = model.InstanceActive })
	same(t, "room for one [D]", run(), []string{i + ": RESOURCE:MEMORY"})
	s.changeInstance(i, func(i *model.Instance) { i.AgentConnected = false })
	same(t, "agent away [D]", run(), []string{i + ": AGENT"})
	same(t, "the other instance is free", len(must(s.RunTask(ctx, &sdk.RunTaskInput{TaskDefinition: aws.String("big"), LaunchType: "EC2"}))(t).Tasks), 1)
	same(t, "and was not named", other != i, true)

	s.refuses(t, []refused{
		{"mixed with FARGATE [O]", "InvalidParameterException", "A capacity provider strategy cannot contain a mix of capacity providers using Auto Scaling groups and Fargate providers. Specify one or the other and try again.",
			func() error {
				return fails(s.through("default", "big", "web", 1, func(in *sdk.RunTaskInput) {
					in.CapacityProviderStrategy = append(in.CapacityProviderStrategy, types.CapacityProviderStrategyItem{CapacityProvider: aws.String("FARGATE"), Weight: 1})
				}))
			}},
		{"not associated [O]", "InvalidParameterException", "The specified capacity provider strategy cannot contain a capacity provider that is not associated with the cluster.…",
			func() error { return fails(s.through("default", "big", "FARGATE_SPOT", 1)) }},
		{"with a launch type [O]", "InvalidParameterException", "Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again.",
			func() error {
				return fails(s.through("default", "big", "web", 1, func(in *sdk.RunTaskInput) { in.LaunchType = "EC2" }))
			}},
	})
}

// TestWaitForCapacity: with managed scaling a task that finds no room is accepted, and keeps all that it was asked with
// (SEMANTICS §1.4, §6.7; MISSION trap 22).
func TestWaitForCapacity(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	s.cluster("default")
	s.groupProvider("web", scales)
	s.provide("default", "web")
	s.define("app")
	s.define("vpc", awsvpc)
	full := func(in *sdk.RunTaskInput) {
		in.Group, in.StartedBy, in.Tags, in.ClientToken = aws.String("g"), aws.String("me"), tags("a=1"), aws.String("once")
		in.Overrides = &types.TaskOverride{ContainerOverrides: []types.ContainerOverride{{Name: aws.String("app"), Command: []string{"sh"}, Memory: aws.Int32(700)}}}
	}
	out := must(s.through("default", "app", "web", 2, full))(t)
	same(t, "accepted [D]", words(len(out.Tasks), len(out.Failures)), "2 0")
	task := s.describe(*out.Tasks[0].TaskArn)
	same(t, "waits [D]", words(*task.LastStatus, *task.DesiredStatus, *task.CapacityProviderName, task.LaunchType, task.ContainerInstanceArn == nil), "PROVISIONING RUNNING web EC2 true")
	same(t, "with what was asked [D]", words(*task.Group, *task.StartedBy, task.Overrides.ContainerOverrides[0].Command, *task.Memory, s.tagsOf(*task.TaskArn)), "g me [sh] 700 a=1")
	same(t, "the same call is the same tasks [D]", taskARNs(must(s.through("default", "app", "web", 2, full))(t).Tasks), taskARNs(out.Tasks))
	c := must(s.DescribeClusters(ctx, &sdk.DescribeClustersInput{}))(t).Clusters[0]
	same(t, "pending", c.PendingTasksCount, 2)

	vpc := must(s.through("default", "vpc", "web", 1, func(in *sdk.RunTaskInput) { in.NetworkConfiguration = inSubnets("subnet-a") }))(t).Tasks[0]
	same(t, "with an interface to come", words(*vpc.LastStatus, *vpc.Attachments[0].Status, len(vpc.Attachments[0].Details)), "PROVISIONING PRECREATED 0")

	s.node("default", "a", "web-group")
	out = must(s.through("default", "app", "web", 10))(t)
	var last string
	for _, x := range out.Tasks {
		last += (*x.LastStatus)[:3] + " "
	}
	same(t, "eight have room, two wait", last, "PEN PEN PEN PEN PEN PEN PEN PEN PRO PRO ")

	stopped := must(s.StopTask(ctx, &sdk.StopTaskInput{Task: task.TaskArn}))(t).Task
	same(t, "stopped at once", words(*stopped.LastStatus, stopped.StopCode, *stopped.StoppedReason, *stopped.Containers[0].LastStatus), "STOPPED UserInitiated Task stopped by user STOPPED")
	stopped = must(s.StopTask(ctx, &sdk.StopTaskInput{Task: vpc.TaskArn}))(t).Task
	same(t, "its interface, too", words(*stopped.LastStatus, *stopped.Attachments[0].Status), "STOPPED DELETED")
	refusal(t, fails(s.PutClusterCapacityProviders(ctx, &sdk.PutClusterCapacityProvidersInput{Cluster: aws.String("default"), CapacityProviders: []string{},
		DefaultCapacityProviderStrategy: []types.CapacityProviderStrategyItem{}})), "ResourceInUseException", "The specified capacity provider is in use and cannot be removed.")
}

// TestWaitingLimit: at most 500 tasks of a cluster wait (SEMANTICS §1.4, §17) [D].
func TestWaitingLimit(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	for _, c := range []string{"default", "other"} {
		s.cluster(c)
		s.groupProvider("p-"+c, scales)
		s.provide(c, "p-"+c)
	}
	s.define("app")
	var first string
	for range 50 {
		first = *must(s.through("default", "app", "p-default", 10))(t).Tasks[0].TaskArn
	}
	refusal(t, fails(s.through("default", "app", "p-default", 1)), "ClientException", "Tasks provisioning capacity limit exceeded.")
	same(t, "another cluster has its own", len(must(s.through("other", "app", "p-other", 1))(t).Tasks), 1)
	must(s.StopTask(ctx, &sdk.StopTaskInput{Task: &first}))(t)
	refusal(t, fails(s.through("default", "app", "p-default", 2)), "ClientException", "Tasks provisioning capacity limit exceeded.")
	same(t, "none of the two was started", must(s.DescribeClusters(ctx, &sdk.DescribeClustersInput{}))(t).Clusters[0].PendingTasksCount, 499)
	must(s.through("default", "app", "p-default", 1))(t)
}

// TestFargateNodes: nodes that take FARGATE tasks only are nobody's instances (SEMANTICS §4.1; MISSION row 40).
func TestFargateNodes(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	s.cluster("home")
	i := s.node("home", "a", model.FargatePool)
	home := aws.String("home")
	same(t, "not listed [D]", len(must(s.ListContainerInstances(ctx, &sdk.ListContainerInstancesInput{Cluster: home}))(t).ContainerInstanceArns), 0)
	same(t, "not described [D]", reasons(must(s.DescribeContainerInstances(ctx, &sdk.DescribeContainerInstancesInput{Cluster: home, ContainerInstances: []string{i}}))(t).Failures), []string{i + ": MISSING"})
	same(t, "not counted [D]", must(s.DescribeClusters(ctx, &sdk.DescribeClustersInput{Clusters: []string{"home"}}))(t).Clusters[0].RegisteredContainerInstancesCount, 0)
	same(t, "no attributes", len(must(s.ListAttributes(ctx, &sdk.ListAttributesInput{Cluster: home, TargetType: types.TargetTypeContainerInstance}))(t).Attributes), 0)
	s.define("app")
	same(t, "nothing is started on it", reasons(must(s.StartTask(ctx, &sdk.StartTaskInput{Cluster: home, TaskDefinition: aws.String("app"), ContainerInstances: []string{i}}))(t).Failures), []string{i + ": MISSING"})
	refusal(t, fails(s.ListTasks(ctx, &sdk.ListTasksInput{Cluster: home, ContainerInstance: &i})), "InvalidParameterException", "Referenced container instance "+i+" not found.")

	must(s.DeleteCluster(ctx, &sdk.DeleteClusterInput{Cluster: home}))(t)
	again := must(s.client("node", region).RegisterContainerInstance(ctx, &sdk.RegisterContainerInstanceInput{Cluster: home, ContainerInstanceArn: &i, TotalResources: resources(2048, 4096),
		Attributes: append(s.attributes("a"), types.Attribute{Name: aws.String(model.PoolAttribute), Value: aws.String(model.FargatePool)})}))(t)
	same(t, "it outlives its cluster [I]", *again.ContainerInstance.ContainerInstanceArn, i)
	drained := must(s.UpdateContainerInstancesState(ctx, &sdk.UpdateContainerInstancesStateInput{Cluster: home, ContainerInstances: []string{i}, Status: "DRAINING"}))(t)
	same(t, "its operator drains it by its ARN [I]", *drained.ContainerInstances[0].Status, "DRAINING")
}

// TestFargatePool: FARGATE tasks of any cluster go to the nodes that take them, and only they go to the pool's own (SEMANTICS
// §4.1; MISSION rows 33, 40).
func TestFargatePool(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	for _, c := range []string{"home", "empty"} {
		s.cluster(c)
		s.provide(c, "FARGATE", "FARGATE_SPOT")
	}
	s.define("far", fargate)
	s.define("app")
	run := func(cluster string, count int32, change ...func(*sdk.RunTaskInput)) *sdk.RunTaskOutput {
		return must(s.through(cluster, "far", "FARGATE_SPOT", count, append(change, func(in *sdk.RunTaskInput) { in.NetworkConfiguration = inSubnets("subnet-a") })...))(t)
	}
	const unavailable = ": Capacity is unavailable at this time. Please try again later or in a different availability zone"
	mixed := s.instance("home", "a")
	same(t, "a node of the cluster that does not take them [O]", reasons(run("home", 1).Failures), []string{unavailable})
	pool, _ := model.ParseARN(s.node("home", "a", model.FargatePool))
	same(t, "the pool takes nothing else [D]", *must(s.RunTask(ctx, &sdk.RunTaskInput{Cluster: aws.String("home"), TaskDefinition: aws.String("app"), Count: aws.Int32(1)}))(t).Tasks[0].ContainerInstanceArn, mixed)

	out := run("empty", 10)
	same(t, "room for eight", words(len(out.Tasks), reasons(out.Failures)), words(8, []string{unavailable}))
	task := out.Tasks[0]
	same(t, "without an instance [D]", words(task.ContainerInstanceArn == nil, task.LaunchType, *task.CapacityProviderName, *task.AvailabilityZone), "true FARGATE FARGATE_SPOT us-east-1a")
	same(t, "in its cluster [D]", *task.ClusterArn, clusterARN+"empty")
	same(t, "its cluster has no instances [D]", must(s.DescribeClusters(ctx, &sdk.DescribeClustersInput{Clusters: []string{"empty"}}))(t).Clusters[0].RegisteredContainerInstancesCount, 0)
	row, _ := s.db.Snapshot().Tasks.Get(model.TaskKey(scope, "empty", (*task.TaskArn)[strings.LastIndexByte(*task.TaskArn, '/')+1:]))
	same(t, "on the pool's node", row.InstanceKey(), model.InstanceKey(scope, "home", pool.Segments()[1]))
	same(t, "no one else's room", len(must(s.RunTask(ctx, &sdk.RunTaskInput{Cluster: aws.String("home"), TaskDefinition: aws.String("app"), Count: aws.Int32(7)}))(t).Tasks), 7)
	same(t, "of another account", reasons(must(s.client("other", region).RunTask(ctx, s.strange("far")))(t).Failures), []string{unavailable})

	must(s.client("node", region).SubmitTaskStateChange(ctx, &sdk.SubmitTaskStateChangeInput{Cluster: aws.String("home"), Task: task.TaskArn, Status: aws.String("STOPPED")}))(t)
	same(t, "room again", words(len(run("home", 2).Tasks)), "1")
	s.changeInstance(mixed, fargateToo)
	s.changeInstance(mixed, func(i *model.Instance) { i.Resources.CPU, i.Resources.Memory = 2560, 5120 })
	same(t, "a node of both kinds takes both", len(run("empty", 2).Tasks), 2)
	refusal(t, fails(s.DeleteCluster(ctx, &sdk.DeleteClusterInput{Cluster: aws.String("empty")})), "ClusterContainsTasksException", "The Cluster cannot be deleted while Tasks are active.")
	refusal(t, fails(s.DeregisterContainerInstance(ctx, &sdk.DeregisterContainerInstanceInput{Cluster: aws.String("home"), ContainerInstance: &mixed})),
		"InvalidParameterException", "Found running tasks on the instance.")
}

// strange prepares another account for the FARGATE definition of the family, and returns the call that runs it there.
func (s *server) strange(family string) *sdk.RunTaskInput {
	s.Helper()
	other := s.client("other", region)
	must(other.CreateCluster(s.Context(), &sdk.CreateClusterInput{}))(s)
	in := &sdk.RegisterTaskDefinitionInput{Family: &family, ContainerDefinitions: []types.ContainerDefinition{{Name: aws.String("app"), Image: aws.String("busybox")}}}
	fargate(in)
	must(other.RegisterTaskDefinition(s.Context(), in))(s)
	return &sdk.RunTaskInput{TaskDefinition: &family, LaunchType: "FARGATE", NetworkConfiguration: inSubnets("subnet-a")}
}

// TestReportsFromAfar: an agent reports FARGATE tasks of other clusters under its own cluster's name (AGENT-PROTOCOL §1.1).
func TestReportsFromAfar(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	s.cluster("home")
	s.cluster("far")
	i, _ := model.ParseARN(s.node("home", "a", model.FargatePool))
	s.changeTaskRow("far", func(task *model.Task) {
		task.LaunchType, task.Instance, task.InstanceCluster, task.Last = "FARGATE", i.Segments()[1], "home", model.TaskProvisioning
		task.Containers = []model.Container{{Name: "app", ID: "c1", Status: model.TaskPending, Essential: true}}
		task.Attachments = []model.Attachment{{ID: "a1", Type: "ElasticNetworkInterface", Status: "PRECREATED"}}
	})
	node, home := s.client("node", region), aws.String("home")
	arn := model.TaskARN(scope, "far", "t")
	show := func() types.Task {
		return must(s.DescribeTasks(ctx, &sdk.DescribeTasksInput{Cluster: aws.String("far"), Tasks: []string{arn}}))(t).Tasks[0]
	}
	must(node.SubmitAttachmentStateChanges(ctx, &sdk.SubmitAttachmentStateChangesInput{Cluster: home, Attachments: []types.AttachmentStateChange{
		{AttachmentArn: aws.String("arn:aws:ecs:us-east-1:000000000000:attachment/a1"), Status: aws.String("ATTACHED")}}}))(t)
	same(t, "attachment", words(*show().Attachments[0].Status, *show().LastStatus), "ATTACHED PENDING")
	must(node.SubmitContainerStateChange(ctx, &sdk.SubmitContainerStateChangeInput{Cluster: home, Task: &arn, ContainerName: aws.String("app"), Status: aws.String("RUNNING")}))(t)
	same(t, "container", *show().Containers[0].LastStatus, "RUNNING")
	must(node.SubmitTaskStateChange(ctx, &sdk.SubmitTaskStateChangeInput{Cluster: home, Task: &arn, Status: aws.String("RUNNING")}))(t)
	same(t, "task", words(*show().LastStatus, show().ContainerInstanceArn == nil), "RUNNING true")

	s.cluster("third")
	refusal(t, fails(node.SubmitTaskStateChange(ctx, &sdk.SubmitTaskStateChangeInput{Cluster: aws.String("third"), Task: &arn, Status: aws.String("STOPPED")})),
		"InvalidParameterException", "Identifier is for cluster far. Your cluster is third")
	must(s.DeregisterContainerInstance(ctx, &sdk.DeregisterContainerInstanceInput{Cluster: home, ContainerInstance: aws.String(i.String()), Force: aws.Bool(true)}))(t)
	same(t, "lost with its node", words(*show().LastStatus), "STOPPED")
}
