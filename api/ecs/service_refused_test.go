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

func TestCreateServiceRefusals(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	s.cluster("default")
	s.cluster("old")
	must(s.DeleteCluster(ctx, &sdk.DeleteClusterInput{Cluster: aws.String("old")}))(t)
	s.define("web")
	s.define("gone")
	must(s.DeregisterTaskDefinition(ctx, &sdk.DeregisterTaskDefinitionInput{TaskDefinition: aws.String("gone:1")}))(t)
	s.define("vpc", awsvpc)
	s.define("far", fargate)
	type in = sdk.CreateServiceInput
	create := func(def string, changes ...func(*in)) func() error {
		return func() error {
			in := &in{ServiceName: aws.String("s"), TaskDefinition: &def, DesiredCount: aws.Int32(1)}
			for _, f := range changes {
				f(in)
			}
			return fails(s.CreateService(ctx, in))
		}
	}
	const invalid, notYet = "InvalidParameterException", "UnsupportedFeatureException"
	strategy := []types.CapacityProviderStrategyItem{{CapacityProvider: aws.String("FARGATE"), Weight: 1}}
	codeDeploy := func(i *in) { i.DeploymentController = &types.DeploymentController{Type: "CODE_DEPLOY"} }
	s.refuses(t, []refused{
		{"name [D]", invalid, "Service name must match…", create("web", func(i *in) { i.ServiceName = aws.String("a/b") })},
		{"no cluster [O]", "ClusterNotFoundException", "Cluster not found.", create("web", func(i *in) { i.Cluster = aws.String("x") })},
		{"inactive cluster [O]", "ClusterNotFoundException", "The referenced cluster was inactive.", create("web", func(i *in) { i.Cluster = aws.String("old") })},
		{"no such definition [O]", "ClientException", "TaskDefinition not found.", create("x")},
		{"inactive definition [O]", "ClientException", "TaskDefinition is inactive", create("gone:1")},
		{"no definition [D]", invalid, "TaskDefinition must not be blank.", create("", func(i *in) { i.TaskDefinition = nil })},
		{"no count [D]", invalid, "desiredCount can not be blank.", create("web", func(i *in) { i.DesiredCount = nil })},
		{"negative count [O]", invalid, "desiredCount cannot be a negative number.", create("web", func(i *in) { i.DesiredCount = aws.Int32(-1) })},
		{"count over the quota [D]", invalid, "desiredCount must be at most 5000.", create("web", func(i *in) { i.DesiredCount = aws.Int32(5001) })},
		{"token [D]", invalid, "clientToken must be at most 36…", create("web", func(i *in) { i.ClientToken = aws.String(strings.Repeat("x", 37)) })},
		{"role without a load balancer [D]", invalid, "The role parameter…", create("web", func(i *in) { i.Role = aws.String("r") })},
		{"reserved tag [O]", invalid, "aws: prefixed tag key names are not allowed for external use.", create("web", func(i *in) { i.Tags = tags("aws:x=y") })},
		{"scheduling strategy [D]", invalid, "schedulingStrategy should be one of [REPLICA,DAEMON]", create("web", func(i *in) { i.SchedulingStrategy = "X" })},
		{"grace period [O]", invalid, "healthCheckGracePeriodSeconds must be at least 0", create("web", func(i *in) { i.HealthCheckGracePeriodSeconds = aws.Int32(-1) })},
		{"propagateTags [O]", invalid, "propagateTags should be one of [TASK_DEFINITION,SERVICE,NONE]", create("web", func(i *in) { i.PropagateTags = "X" })},

		{"launch type and strategy [O]", invalid, "Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again.",
			create("web", func(i *in) { i.LaunchType, i.CapacityProviderStrategy = "EC2", strategy })},
		{"strategy of a foreign provider [O]", invalid, "The specified capacity provider strategy cannot contain…", create("far", func(i *in) { i.CapacityProviderStrategy = strategy })},
		{"launch type of another kind of definition [O]", invalid, "Task definition does not support launch_type FARGATE.", create("web", func(i *in) { i.LaunchType = "FARGATE" })},
		{"awsvpc without network [O]", invalid, "Network Configuration must be provided when networkMode 'awsvpc' is specified.", create("vpc")},
		{"network without awsvpc [O]", invalid, "Network Configuration is not valid for the given networkMode of this task definition.", create("web", func(i *in) { i.NetworkConfiguration = inSubnets("subnet-a") })},
		{"no such subnet [O]", invalid, "Error retrieving subnet information for [subnet-x]…", create("vpc", func(i *in) { i.NetworkConfiguration = inSubnets("subnet-x") })},
		{"platform version on EC2 [O]", invalid, "The platform version must be null when specifying an EC2 launch type.", create("web", func(i *in) { i.PlatformVersion = aws.String("1.4.0") })},
		{"no such platform [D]", "PlatformUnknownException", "The specified platform version does not exist.", create("far", func(i *in) {
			i.LaunchType, i.NetworkConfiguration, i.PlatformVersion = "FARGATE", inSubnets("subnet-a"), aws.String("9")
		})},
		{"placement on FARGATE [O]", invalid, "Placement constraints are not supported with FARGATE launch type.", create("far", func(i *in) {
			i.LaunchType, i.NetworkConfiguration = "FARGATE", inSubnets("subnet-a")
			i.PlacementConstraints = []types.PlacementConstraint{{Type: "distinctInstance"}}
		})},
		{"six strategies [O]", invalid, "Maximum number of strategies is 5", create("web", func(i *in) { i.PlacementStrategy = make([]types.PlacementStrategy, 6) })},

		{"load balancer", notYet, "Roadstead does not serve load balancers of services yet.", create("web", func(i *in) { i.LoadBalancers = make([]types.LoadBalancer, 1) })},
		{"registry", notYet, "Roadstead does not serve service registries of services yet.", create("web", func(i *in) { i.ServiceRegistries = make([]types.ServiceRegistry, 1) })},
		{"Service Connect", notYet, "Roadstead does not serve Service Connect of services yet.", create("web", func(i *in) { i.ServiceConnectConfiguration = &types.ServiceConnectConfiguration{Enabled: true} })},
		{"volumes", notYet, "Roadstead does not serve volume configurations of services yet.", create("web", func(i *in) { i.VolumeConfigurations = []types.ServiceVolumeConfiguration{{Name: aws.String("v")}} })},

		{"DAEMON with a count [O]", invalid, "The daemon scheduling strategy does not support a desired count for services. Remove the desired count value and try again",
			create("web", daemon, func(i *in) { i.DesiredCount = aws.Int32(0) })},
		{"DAEMON with placement strategies [O]", invalid, "The daemon scheduling strategy does not support placement strategies. Remove the placement strategy and try again",
			create("web", daemon, func(i *in) { i.PlacementStrategy = []types.PlacementStrategy{{Type: "random"}} })},
		{"DAEMON above 100 % [O]", invalid, "The daemon scheduling strategy does not support values above 100 for maximumPercent on a deployment configuration. Change the maximumPercent value to 100, and try again",
			create("web", daemon, func(i *in) { i.DeploymentConfiguration = percents(0, 200) })},
		{"DAEMON on FARGATE [D]", invalid, "The daemon scheduling strategy does not support the FARGATE launch type.", create("far", daemon, func(i *in) { i.LaunchType = "FARGATE" })},
		{"DAEMON of another controller [D]", invalid, "The daemon scheduling strategy does not support the EXTERNAL deployment controller.", create("web", external, daemon)},

		{"CODE_DEPLOY without a load balancer [O]", invalid, "When you use the CODE_DEPLOY deployment controller, the service requires an Application Load Balancer or Network Load Balancer.", create("web", codeDeploy)},
		{"EXTERNAL with a definition [O]", invalid, "TaskDefinition must be blank.", create("web", external, func(i *in) { i.TaskDefinition = aws.String("web") })},
		{"EXTERNAL with an empty definition [O]", invalid, "Family should not be null or empty.", create("web", external, func(i *in) { i.TaskDefinition = aws.String("") })},
		{"EXTERNAL with a network [O]", invalid, "NetworkConfiguration must be null.", create("web", external, func(i *in) { i.NetworkConfiguration = inSubnets("subnet-a") })},
		{"EXTERNAL with a launch type [I]", invalid, "LaunchType must be blank.", create("web", external, func(i *in) { i.LaunchType = "EC2" })},
		{"EXTERNAL with a circuit breaker [D]", invalid, "The deployment circuit breaker is only supported…", create("web", external, func(i *in) {
			i.DeploymentConfiguration = &types.DeploymentConfiguration{DeploymentCircuitBreaker: &types.DeploymentCircuitBreaker{Enable: true}}
		})},
		{"no such controller [I]", invalid, "Invalid deployment controller type 'X'. Valid values: [ECS CODE_DEPLOY EXTERNAL]", create("web", func(i *in) { i.DeploymentController = &types.DeploymentController{Type: "X"} })},
	})
	same(t, "nothing was made", len(must(s.ListServices(ctx, &sdk.ListServicesInput{}))(t).ServiceArns), 0)
}

func TestDaemonOfADefaultStrategy(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	s.cluster("default")
	s.define("web")
	s.groupProvider("od")
	must(s.PutClusterCapacityProviders(ctx, &sdk.PutClusterCapacityProvidersInput{Cluster: aws.String("default"), CapacityProviders: []string{"od"},
		DefaultCapacityProviderStrategy: []types.CapacityProviderStrategyItem{{CapacityProvider: aws.String("od"), Weight: 1}}}))(t)
	refusal(t, fails(s.CreateService(ctx, &sdk.CreateServiceInput{ServiceName: aws.String("s"), TaskDefinition: aws.String("web"), SchedulingStrategy: "DAEMON"})),
		"InvalidParameterException", "Specifying a capacity provider strategy is not supported when you create a service using the DAEMON scheduling strategy.")
	v := s.serve("s", "web", daemon, func(in *sdk.CreateServiceInput) { in.LaunchType = "EC2" })
	same(t, "with a launch type it is served [O]", v.LaunchType, "EC2")
	v = s.serve("r", "web")
	same(t, "a replica takes the cluster's strategy [D]", words(v.LaunchType, *v.CapacityProviderStrategy[0].CapacityProvider), " od")
}

func TestUpdateServiceRefusals(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	s.cluster("default")
	s.define("web")
	s.groupProvider("od")
	s.provide("default", "od")
	s.serve("s", "web")
	s.serve("daemon", "web", daemon)
	s.serve("ext", "", external)
	s.serve("cd", "web")
	s.put(func(tx *state.Tx) { // CodeDeploy itself comes later: no such service can be made yet
		row, _ := tx.Services.Get(model.ServiceKey(scope, "default", "cd"))
		foreign := *row
		foreign.Controller = model.ControllerCodeDeploy
		tx.Services.Put(&foreign)
	})
	type in = sdk.UpdateServiceInput
	update := func(name string, change func(*in)) func() error {
		return func() error {
			in := &in{Service: &name}
			change(in)
			return fails(s.UpdateService(ctx, in))
		}
	}
	const invalid, codeDeploy = "InvalidParameterException", " on services with a CODE_DEPLOY deployment controller. Use AWS CodeDeploy to trigger a new deployment."
	const mustForce = "When switching from launch type to capacity provider strategy on an existing service, or making a change to a capacity provider strategy on a service that is already using one, you must force a new deployment."
	strategy := []types.CapacityProviderStrategyItem{{CapacityProvider: aws.String("od"), Weight: 1}}
	s.refuses(t, []refused{
		{"unknown [O]", "ServiceNotFoundException", "Service not found.", update("x", func(*in) {})},
		{"no such definition [O]", "ClientException", "TaskDefinition not found.", update("s", func(i *in) { i.TaskDefinition = aws.String("x") })},
		{"negative count [O]", invalid, "desiredCount cannot be a negative number.", update("s", func(i *in) { i.DesiredCount = aws.Int32(-1) })},
		{"count of a DAEMON [O]", invalid, "The daemon scheduling strategy does not support a desired count for services. Remove the desired count value and try again",
			update("daemon", func(i *in) { i.DesiredCount = aws.Int32(1) })},
		{"a strategy without force [O]", invalid, mustForce, update("s", func(i *in) { i.CapacityProviderStrategy = strategy })},
		{"a strategy for a DAEMON [O]", invalid, "Specifying a capacity provider strategy is not supported when you create a service using the DAEMON scheduling strategy.",
			update("daemon", func(i *in) { i.CapacityProviderStrategy, i.ForceNewDeployment = strategy, true })},
		{"another controller [I]", "UnsupportedFeatureException", "Roadstead does not change the deployment controller of a service yet.",
			update("s", func(i *in) { i.DeploymentController = &types.DeploymentController{Type: "EXTERNAL"} })},
		{"rebalancing without room [O]", invalid, "Availability Zone Rebalancing does not support maximumPercent <= 100 % as deployment configuration.",
			update("s", func(i *in) { i.DeploymentConfiguration = percents(50, 100) })},
		{"CODE_DEPLOY: force [O]", invalid, "Cannot force a new deployment" + codeDeploy, update("cd", func(i *in) { i.ForceNewDeployment = true })},
		{"CODE_DEPLOY: task definition [O]", invalid, "Unable to update task definition" + codeDeploy, update("cd", func(i *in) { i.TaskDefinition = aws.String("web") })},
		{"CODE_DEPLOY: network [O]", invalid, "Unable to update network parameters" + codeDeploy, update("cd", func(i *in) { i.NetworkConfiguration = inSubnets("subnet-a") })},
		{"EXTERNAL: task definition [I]", invalid, "Unable to update task definition on services with a EXTERNAL deployment controller.", update("ext", func(i *in) { i.TaskDefinition = aws.String("web") })},
	})
	v := s.amend("ext", func(i *in) { i.DesiredCount = aws.Int32(7) })
	same(t, "EXTERNAL: the count [D]", words(v.DesiredCount, len(v.Deployments), len(v.TaskSets)), "7 0 0")
}
