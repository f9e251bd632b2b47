package ecs_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// setServiceStatus writes the status of a service of the default cluster, as who looks after it would.
func (s *server) setServiceStatus(name, status string) {
	s.Helper()
	s.put(func(tx *state.Tx) {
		old, _ := tx.Services.Get(model.ServiceKey(scope, "default", name))
		row := *old
		row.Status = status
		tx.Services.Put(&row)
	})
}

// TestClusterWithServices: SEMANTICS §2.1.
func TestClusterWithServices(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	s.cluster("default")
	s.instance("default", "a")
	s.define("web")
	s.define("far", fargate)
	s.provide("default", "FARGATE")
	s.serve("a", "web")
	s.serve("b", "web")
	s.serve("x", "web", func(in *sdk.CreateServiceInput) { in.LaunchType = "EXTERNAL" })
	s.serve("f", "far", func(in *sdk.CreateServiceInput) {
		in.NetworkConfiguration = inSubnets("subnet-a")
		in.CapacityProviderStrategy = []types.CapacityProviderStrategyItem{{CapacityProvider: aws.String("FARGATE"), Weight: 1}}
	})
	must(s.DeleteService(ctx, &sdk.DeleteServiceInput{Service: aws.String("b"), Force: aws.Bool(true)}))(t)
	out := must(s.DescribeClusters(ctx, &sdk.DescribeClustersInput{Include: []types.ClusterField{"STATISTICS"}}))(t)
	stats := map[string]string{}
	for _, x := range out.Clusters[0].Statistics {
		if strings.Contains(*x.Name, "Service") {
			stats[*x.Name] = *x.Value
		}
	}
	same(t, "statistics [D/O]", stats, map[string]string{"activeEC2ServiceCount": "1", "activeFargateServiceCount": "1", "activeExternalServiceCount": "1",
		"drainingEC2ServiceCount": "1", "drainingFargateServiceCount": "0", "drainingExternalServiceCount": "0"})
	same(t, "activeServicesCount [D]", out.Clusters[0].ActiveServicesCount, 3)

	del := func() error {
		return fails(s.DeleteCluster(ctx, &sdk.DeleteClusterInput{Cluster: aws.String("default")}))
	}
	const active = "The Cluster cannot be deleted while Services are active."
	refusal(t, del(), "ClusterContainsServicesException", active) // before it looks at instances [O]
	for _, name := range []string{"a", "b", "x"} {
		s.setServiceStatus(name, model.ServiceInactive)
	}
	s.setServiceStatus("f", model.ServiceDraining)
	refusal(t, del(), "ClusterContainsServicesException", active)
	s.setServiceStatus("f", model.ServiceInactive)
	refusal(t, del(), "ClusterContainsContainerInstancesException", "The Cluster cannot be deleted while Container Instances are active or draining.")
}

// TestListTasksOfService: SEMANTICS §2.5.
func TestListTasksOfService(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	s.cluster("default")
	s.define("web")
	id := *s.serve("s", "web").Deployments[0].Id
	s.serve("other", "web")
	var want []string
	for range 3 {
		s.clock.Add(1)
		want = append(want, s.serviceTask("s", id, "RUNNING"))
	}
	stopped := s.serviceTask("s", id, "STOPPED", func(t *model.Task) { t.Desired = "STOPPED" })
	s.serviceTask("other", id, "RUNNING")
	list := func(change func(*sdk.ListTasksInput)) (ids []string) {
		in := &sdk.ListTasksInput{ServiceName: aws.String("s")}
		change(in)
		for {
			out := must(s.ListTasks(ctx, in))(t)
			for _, arn := range out.TaskArns {
				ids = append(ids, arn[strings.LastIndex(arn, "/")+1:])
			}
			if in.NextToken = out.NextToken; out.NextToken == nil {
				return ids
			}
		}
	}
	same(t, "wanted RUNNING [D]", list(func(*sdk.ListTasksInput) {}), want)
	same(t, "by ARN", list(func(in *sdk.ListTasksInput) { in.ServiceName = aws.String(serviceARN + "default/s") }), want)
	same(t, "one a page", list(func(in *sdk.ListTasksInput) { in.MaxResults = aws.Int32(1) }), want)
	same(t, "wanted STOPPED [D]", list(func(in *sdk.ListTasksInput) { in.DesiredStatus = "STOPPED" }), []string{stopped})
	same(t, "with a family [D]", len(list(func(in *sdk.ListTasksInput) { in.Family = aws.String("x") })), 0)
	refusal(t, fails(s.ListTasks(ctx, &sdk.ListTasksInput{ServiceName: aws.String("x")})), "ServiceNotFoundException", "Service not found.")
}

// TestServiceTags: SEMANTICS §2.8, §16.
func TestServiceTags(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	s.cluster("default")
	s.define("web")
	arn := *s.serve("s", "web", func(in *sdk.CreateServiceInput) { in.Tags = tags("a=1") }).ServiceArn
	must(s.TagResource(ctx, &sdk.TagResourceInput{ResourceArn: &arn, Tags: tags("a=2", "b=")}))(t)
	same(t, "merged [D]", s.tagsOf(arn), "a=2 b=")
	must(s.UntagResource(ctx, &sdk.UntagResourceInput{ResourceArn: &arn, TagKeys: []string{"a"}}))(t)
	same(t, "shown with the service [D]", len(s.service("s").Tags), 1)
	out := must(s.DescribeServices(ctx, &sdk.DescribeServicesInput{Services: []string{"s"}}))(t)
	same(t, "only if asked for [D]", len(out.Services[0].Tags), 0)
	tag := func(arn string) func() error {
		return func() error {
			return fails(s.TagResource(ctx, &sdk.TagResourceInput{ResourceArn: &arn, Tags: tags("a=")}))
		}
	}
	const invalid, nothing = "InvalidParameterException", "The specified resource does not exist. Specify a valid resource ARN and try again."
	s.refuses(t, []refused{
		{"short ARN [O]", invalid, "Long arn format must be used for tagging operations", tag(serviceARN + "s")},
		{"no service [O]", invalid, nothing, tag(serviceARN + "default/x")},
	})
	s.setServiceStatus("s", model.ServiceInactive)
	refusal(t, tag(arn)(), invalid, nothing)
}

// TestProviderOfAService: SEMANTICS §2.1.
func TestProviderOfAService(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	s.cluster("default")
	s.define("web")
	s.groupProvider("od")
	s.provide("default", "od")
	s.serve("s", "web", func(in *sdk.CreateServiceInput) {
		in.CapacityProviderStrategy = []types.CapacityProviderStrategyItem{{CapacityProvider: aws.String("od"), Weight: 1}}
	})
	refusal(t, fails(s.PutClusterCapacityProviders(ctx, &sdk.PutClusterCapacityProvidersInput{Cluster: aws.String("default"), CapacityProviders: []string{},
		DefaultCapacityProviderStrategy: []types.CapacityProviderStrategyItem{}})), "ResourceInUseException", "The specified capacity provider is in use and cannot be removed.")
	s.setServiceStatus("s", model.ServiceInactive)
	s.provide("default")
}

// TestInstanceOfAServiceGoes: its tasks are lost, and their service is told by their rows (SEMANTICS §2.3).
func TestInstanceOfAServiceGoes(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	arn := s.instance("default", "a")
	s.define("web")
	id := *s.serve("s", "web").Deployments[0].Id
	s.serviceTask("s", id, "RUNNING", func(t *model.Task) { t.Instance = arn[strings.LastIndex(arn, "/")+1:] })
	in := &sdk.DeregisterContainerInstanceInput{ContainerInstance: &arn}
	refusal(t, fails(s.DeregisterContainerInstance(ctx, in)), "InvalidParameterException", "Found running tasks on the instance.")
	in.Force = aws.Bool(true)
	must(s.DeregisterContainerInstance(ctx, in))(t)
	n := 0
	for task := range s.db.Snapshot().TasksOfService(model.ServiceKey(scope, "default", "s")) {
		n++
		same(t, "lost, and not noted yet", words(task.Last, task.Counted), "STOPPED false")
	}
	same(t, "tasks", n, 1)
}
