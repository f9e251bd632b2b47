package ecs_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

const serviceARN = "arn:aws:ecs:us-east-1:000000000000:service/"

// serve creates a service of two tasks of the definition in the default cluster.
func (s *server) serve(name, def string, change ...func(*sdk.CreateServiceInput)) types.Service {
	s.Helper()
	in := &sdk.CreateServiceInput{ServiceName: &name, TaskDefinition: &def, DesiredCount: aws.Int32(2)}
	for _, f := range change {
		f(in)
	}
	return *must(s.CreateService(s.Context(), in))(s).Service
}

// amend updates a service of the default cluster.
func (s *server) amend(name string, change ...func(*sdk.UpdateServiceInput)) types.Service {
	s.Helper()
	in := &sdk.UpdateServiceInput{Service: &name}
	for _, f := range change {
		f(in)
	}
	return *must(s.UpdateService(s.Context(), in))(s).Service
}

// service describes one service of the default cluster, tags included.
func (s *server) service(name string) types.Service {
	s.Helper()
	out := must(s.DescribeServices(s.Context(), &sdk.DescribeServicesInput{Services: []string{name}, Include: []types.ServiceField{"TAGS"}}))(s)
	if len(out.Services) != 1 {
		s.Fatalf("describe %s: %v", name, reasons(out.Failures))
	}
	return out.Services[0]
}

// put writes rows as a loop would.
func (s *server) put(f func(*state.Tx)) {
	s.Helper()
	if err := s.db.Update(s.Context(), func(tx *state.Tx) error { f(tx); return nil }); err != nil {
		s.Fatal(err)
	}
}

// serviceTask writes a task of the deployment of a service of the default cluster, and returns its id.
func (s *server) serviceTask(service, deployment, last string, change ...func(*model.Task)) string {
	s.Helper()
	now := s.clock.Load()
	t := &model.Task{Launch: &model.Launch{Scope: scope, Cluster: "default", Definition: "web:1", LaunchType: "EC2", Group: "service:" + service, StartedBy: deployment},
		ID: model.TaskID(now, fmt.Sprintf("%032x", s.ids.Add(1))), Desired: model.TaskRunning, Last: last, CreatedAt: now}
	for _, f := range change {
		f(t)
	}
	s.put(func(tx *state.Tx) { tx.Tasks.Put(t) })
	return t.ID
}

func daemon(in *sdk.CreateServiceInput) { in.SchedulingStrategy, in.DesiredCount = "DAEMON", nil }

func external(in *sdk.CreateServiceInput) {
	in.TaskDefinition, in.DeploymentController = nil, &types.DeploymentController{Type: "EXTERNAL"}
}

func percents(least, most int32) *types.DeploymentConfiguration {
	return &types.DeploymentConfiguration{MinimumHealthyPercent: &least, MaximumPercent: &most}
}

// number is what follows "ecs-svc/".
func number(id *string) string { return strings.TrimPrefix(*id, "ecs-svc/") }

func TestCreateService(t *testing.T) {
	s := newServer(t)
	s.cluster("default")
	s.define("web")
	made := s.serve("s", "web", func(in *sdk.CreateServiceInput) {
		in.Tags, in.LoadBalancers, in.ServiceRegistries = tags("a=1"), []types.LoadBalancer{}, []types.ServiceRegistry{}
		in.PlacementStrategy = []types.PlacementStrategy{{Type: "spread", Field: aws.String("attribute:ecs.availability-zone")}, {Type: "binpack", Field: aws.String("memory")}}
	})
	v := s.service("s")
	same(t, "the answer is the service", words(*made.ServiceArn, *made.Status, len(made.Deployments)), words(*v.ServiceArn, *v.Status, len(v.Deployments)))
	same(t, "names [D]", words(*v.ServiceArn, *v.ClusterArn, *v.TaskDefinition), words(serviceARN+"default/s", clusterARN+"default", defARN+"web:1"))
	same(t, "defaults [D]", words(*v.Status, v.SchedulingStrategy, v.DeploymentController.Type, v.LaunchType, v.PropagateTags, v.AvailabilityZoneRebalancing, v.ResourceManagementType),
		"ACTIVE REPLICA ECS EC2 NONE ENABLED CUSTOMER")
	same(t, "counts", words(v.DesiredCount, v.RunningCount, v.PendingCount), "2 0 0")
	c := v.DeploymentConfiguration
	same(t, "deploymentConfiguration [D]", words(*c.MaximumPercent, *c.MinimumHealthyPercent, c.Strategy, *c.BakeTimeInMinutes, c.DeploymentCircuitBreaker.Enable,
		c.DeploymentCircuitBreaker.Rollback, *c.DeploymentCircuitBreaker.ResetOnHealthyTask, c.DeploymentCircuitBreaker.ThresholdConfiguration.Type,
		c.DeploymentCircuitBreaker.ThresholdConfiguration.Value), "200 100 ROLLING 0 false false true BOUNDED_PERCENT 50")
	same(t, "zero values are there [O]", words(*v.HealthCheckGracePeriodSeconds, v.EnableECSManagedTags, v.EnableExecuteCommand), "0 false false")
	same(t, "networkConfiguration is absent if it was not given [O]", words(v.NetworkConfiguration == nil, v.Deployments[0].NetworkConfiguration == nil), "true true")
	same(t, "strategy in its normal form [O]", words(v.PlacementStrategy[1].Type, *v.PlacementStrategy[1].Field), "binpack MEMORY")
	same(t, "who made it", *v.CreatedBy, "arn:aws:iam::000000000000:root")
	same(t, "tags", words(len(made.Tags), *v.Tags[0].Key), "1 a")
	d := v.Deployments[0]
	same(t, "deployment [O]", words(*d.Status, d.RolloutState, *d.RolloutStateReason, d.DesiredCount, *d.TaskDefinition, d.LaunchType),
		words("PRIMARY IN_PROGRESS ECS deployment", *d.Id, "in progress. 2", defARN+"web:1 EC2"))
	same(t, "an id of 19 digits", words(len(number(d.Id)), strings.HasPrefix(number(d.Id), fmt.Sprint(s.clock.Load()))), "19 true")
	same(t, "the revision shares the deployment's number [O]", *v.CurrentServiceRevisions[0].Arn, "arn:aws:ecs:us-east-1:000000000000:service-revision/default/s/"+number(d.Id))
	same(t, "the service deployment's id", len(strings.TrimPrefix(*v.CurrentServiceDeployment, "arn:aws:ecs:us-east-1:000000000000:service-deployment/default/s/")), 21)
}

func TestServiceOfFargate(t *testing.T) {
	s := newServer(t)
	s.cluster("default")
	s.define("far", fargate)
	s.provide("default", "FARGATE", "FARGATE_SPOT")
	v := s.serve("s", "far", func(in *sdk.CreateServiceInput) {
		in.LaunchType, in.NetworkConfiguration = "FARGATE", inSubnets("subnet-a")
	})
	d := v.Deployments[0]
	same(t, "platform: as given on the service, resolved on the deployment [O]", words(*v.PlatformVersion, *v.PlatformFamily, *d.PlatformVersion, *d.PlatformFamily),
		"LATEST Linux 1.4.0 Linux")
	n := v.NetworkConfiguration.AwsvpcConfiguration
	same(t, "network with its defaults [O]", words(n.Subnets, n.SecurityGroups != nil, n.AssignPublicIp), "[subnet-a] true DISABLED")
	same(t, "the role of awsvpc services [O]", *v.RoleArn, "arn:aws:iam::000000000000:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS")
	v = s.serve("p", "far", func(in *sdk.CreateServiceInput) {
		in.NetworkConfiguration = inSubnets("subnet-a")
		in.CapacityProviderStrategy = []types.CapacityProviderStrategyItem{{CapacityProvider: aws.String(providerARN + "FARGATE_SPOT"), Weight: 1}}
	})
	same(t, "a strategy has no launch type [D]", words(v.LaunchType, *v.CapacityProviderStrategy[0].CapacityProvider, *v.PlatformVersion), " FARGATE_SPOT LATEST")
}

// TestCreateServiceAgain: SEMANTICS §1.5, §2.6.
func TestCreateServiceAgain(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	s.cluster("default")
	s.define("web")
	first := s.serve("s", "web")
	same(t, "the same call again [O]", *s.serve("s", "web").Deployments[0].Id, *first.Deployments[0].Id)
	same(t, "another token does not matter [I]", *s.serve("s", "web", func(in *sdk.CreateServiceInput) { in.ClientToken = aws.String("t") }).Deployments[0].Id, *first.Deployments[0].Id)
	create := func() error {
		return fails(s.CreateService(ctx, &sdk.CreateServiceInput{ServiceName: aws.String("s"), TaskDefinition: aws.String("web"), DesiredCount: aws.Int32(3)}))
	}
	refusal(t, create(), "InvalidParameterException", "Creation of service was not idempotent.")
	must(s.DeleteService(ctx, &sdk.DeleteServiceInput{Service: aws.String("s"), Force: aws.Bool(true)}))(t)
	refusal(t, create(), "InvalidParameterException", "Unable to Start a service that is still Draining.")

	s.put(func(tx *state.Tx) {
		row, _ := tx.Services.Get(model.ServiceKey(scope, "default", "s"))
		gone := *row
		gone.Status = model.ServiceInactive
		tx.Services.Put(&gone)
	})
	again := s.serve("s", "web")
	same(t, "a new one has nothing of the old one", words(len(again.Deployments), again.DesiredCount, again.CreatedAt.After(*first.CreatedAt)), "1 2 true")
}

func TestServiceDaemon(t *testing.T) {
	s := newServer(t)
	s.cluster("default")
	s.define("web")
	v := s.serve("s", "web", daemon)
	c := v.DeploymentConfiguration
	same(t, "defaults of DAEMON [D]", words(*c.MinimumHealthyPercent, *c.MaximumPercent, v.DesiredCount, v.AvailabilityZoneRebalancing), "0 100 0 DISABLED")
	must(s.DeleteService(t.Context(), &sdk.DeleteServiceInput{Service: aws.String("s")}))(t)
	same(t, "is deleted without force [D]", *s.service("s").Status, "DRAINING")
}

func TestDescribeServices(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	s.cluster("default")
	s.define("web")
	old := *s.serve("s", "web").Deployments[0].Id
	s.clock.Add(1000)
	s.define("web")
	primary := *s.amend("s", func(in *sdk.UpdateServiceInput) { in.TaskDefinition = aws.String("web") }).Deployments[0].Id
	for _, last := range []string{"RUNNING", "RUNNING", "PENDING", "STOPPED"} {
		s.serviceTask("s", old, last)
	}
	s.serviceTask("s", old, "RUNNING", func(t *model.Task) { t.Desired = "STOPPED" })
	s.serviceTask("s", primary, "PROVISIONING")
	s.serviceTask("other", primary, "RUNNING")
	s.put(func(tx *state.Tx) {
		for n := range int64(102) {
			tx.Messages.Put(&model.Message{Scope: scope, Cluster: "default", Service: "s", ID: fmt.Sprint(n), At: s.clock.Load(), Number: n + 1, Text: fmt.Sprint("text ", n)})
		}
	})
	v := s.service(serviceARN + "default/s")
	same(t, "tasks of all deployments", words(v.DesiredCount, v.RunningCount, v.PendingCount), "2 3 2")
	show := func(d types.Deployment) string {
		return words(*d.Id, *d.Status, d.DesiredCount, d.RunningCount, d.PendingCount)
	}
	same(t, "PRIMARY first", show(v.Deployments[0]), words(primary, "PRIMARY 2 0 1"))
	same(t, "ACTIVE wants its tasks that are wanted RUNNING [D]", show(v.Deployments[1]), words(old, "ACTIVE 3 3 1"))
	same(t, "events: 100, newest first [D]", words(len(v.Events), *v.Events[0].Message, *v.Events[99].Message), "100 text 101 text 2")

	out := must(s.DescribeServices(ctx, &sdk.DescribeServicesInput{Services: []string{"s", "x", serviceARN + "default/y", serviceARN + "z"}}))(t)
	same(t, "failures", reasons(out.Failures), []string{serviceARN + "default/x: MISSING", serviceARN + "default/y: MISSING", serviceARN + "z: MISSING"})
	same(t, "the short ARN names it, too [D]", *s.service(serviceARN + "s").ServiceName, "s")
	const invalid = "InvalidParameterException"
	describe := func(refs ...string) func() error {
		return func() error {
			return fails(s.DescribeServices(ctx, &sdk.DescribeServicesInput{Services: refs}))
		}
	}
	s.refuses(t, []refused{
		{"none [O]", invalid, "Services cannot be empty.", describe([]string{}...)},
		{"eleven [D]", invalid, "Services cannot have more than 10 elements.", describe(strings.Split("abcdefghijk", "")...)},
		{"another cluster's [O]", invalid, "Identifier is for cluster c. Your cluster is default", describe(serviceARN + "c/s")},
		{"no cluster [O]", "ClusterNotFoundException", "Cluster not found.", func() error {
			return fails(s.DescribeServices(ctx, &sdk.DescribeServicesInput{Services: []string{"s"}, Cluster: aws.String("x")}))
		}},
	})
}

func TestListServices(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	s.cluster("default")
	s.define("web")
	s.define("far", fargate)
	for i := range 12 {
		s.serve(fmt.Sprintf("s%02d", i), "web")
	}
	s.serve("daemon", "web", daemon)
	s.serve("far", "far", func(in *sdk.CreateServiceInput) {
		in.LaunchType, in.NetworkConfiguration = "FARGATE", inSubnets("subnet-a")
	})
	must(s.DeleteService(ctx, &sdk.DeleteServiceInput{Service: aws.String("s05"), Force: aws.Bool(true)}))(t)
	list := func(change func(*sdk.ListServicesInput)) (names []string, pages int) {
		in := &sdk.ListServicesInput{}
		change(in)
		for pages = 1; ; pages++ {
			out := must(s.ListServices(ctx, in))(t)
			for _, arn := range out.ServiceArns {
				names = append(names, strings.TrimPrefix(arn, serviceARN+"default/"))
			}
			if in.NextToken = out.NextToken; out.NextToken == nil {
				return names, pages
			}
		}
	}
	all, pages := list(func(*sdk.ListServicesInput) {})
	same(t, "ten a page [D], no DRAINING ones [D]", words(len(all), pages, slices.IsSorted(all), slices.Contains(all, "s05")), "13 2 true false")
	got, pages := list(func(in *sdk.ListServicesInput) { in.MaxResults = aws.Int32(100) })
	same(t, "up to 100 [D]", words(len(got), pages), "13 1")
	got, _ = list(func(in *sdk.ListServicesInput) { in.SchedulingStrategy = "DAEMON" })
	same(t, "by scheduling strategy [D]", got, []string{"daemon"})
	got, _ = list(func(in *sdk.ListServicesInput) { in.LaunchType = "FARGATE" })
	same(t, "by launch type [D]", got, []string{"far"})
	got, _ = list(func(in *sdk.ListServicesInput) { in.ResourceManagementType = "ECS" })
	same(t, "by resource management type [D]", len(got), 0)
	s.refuses(t, []refused{
		{"101 a page [D]", "InvalidParameterException", "maxResults must be between 1 and 100.", func() error {
			return fails(s.ListServices(ctx, &sdk.ListServicesInput{MaxResults: aws.Int32(101)}))
		}},
		{"no such namespace [D]", "NamespaceNotFoundException", "The specified namespace was not found.", func() error {
			return fails(s.ListServicesByNamespace(ctx, &sdk.ListServicesByNamespaceInput{Namespace: aws.String("x")}))
		}},
	})
	must(s.CreateCluster(ctx, &sdk.CreateClusterInput{ClusterName: aws.String("c"), ServiceConnectDefaults: &types.ClusterServiceConnectDefaultsRequest{Namespace: aws.String("n")}}))(t)
	same(t, "a namespace without services", len(must(s.ListServicesByNamespace(ctx, &sdk.ListServicesByNamespaceInput{Namespace: aws.String("n")}))(t).ServiceArns), 0)
}

func TestDeleteService(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	s.cluster("default")
	s.define("web")
	s.serve("s", "web")
	del := func(name string, force bool) error {
		return fails(s.DeleteService(ctx, &sdk.DeleteServiceInput{Service: &name, Force: &force}))
	}
	s.refuses(t, []refused{
		{"scaled above 0 [O]", "InvalidParameterException", "The service cannot be stopped while it is scaled above 0.", func() error { return del("s", false) }},
		{"unknown [O]", "ServiceNotFoundException", "Service not found.", func() error { return del("x", true) }},
	})
	s.amend("s", func(in *sdk.UpdateServiceInput) { in.DesiredCount = aws.Int32(0) })
	out := must(s.DeleteService(ctx, &sdk.DeleteServiceInput{Service: aws.String("s")}))(t)
	same(t, "DRAINING [D]", words(*out.Service.Status, out.Service.DesiredCount), "DRAINING 0")
	if err := del("s", false); err != nil {
		t.Error("again:", err)
	}
	refusal(t, fails(s.UpdateService(ctx, &sdk.UpdateServiceInput{Service: aws.String("s")})), "ServiceNotActiveException", "Service was not ACTIVE.")
	s.put(func(tx *state.Tx) {
		row, _ := tx.Services.Get(model.ServiceKey(scope, "default", "s"))
		gone := *row
		gone.Status = model.ServiceInactive
		tx.Services.Put(&gone)
	})
	same(t, "INACTIVE is described [D]", *s.service("s").Status, "INACTIVE")
	refusal(t, del("s", false), "ServiceNotFoundException", "Service not found.")
}
