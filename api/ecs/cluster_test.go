package ecs_test

import (
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

const (
	clusterARN  = "arn:aws:ecs:us-east-1:000000000000:cluster/"
	taskARN     = "arn:aws:ecs:us-east-1:000000000000:task/"
	instanceARN = "arn:aws:ecs:us-east-1:000000000000:container-instance/"
	defARN      = "arn:aws:ecs:us-east-1:000000000000:task-definition/"
)

func TestCreateCluster(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	c := must(s.CreateCluster(ctx, &sdk.CreateClusterInput{}))(t).Cluster
	same(t, "name default [D]", *c.ClusterName+" "+*c.ClusterArn+" "+*c.Status, "default "+clusterARN+"default ACTIVE")
	same(t, "containerInsights of the account [D]", *c.Settings[0].Value, "disabled")

	tags := []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}
	must(s.CreateCluster(ctx, &sdk.CreateClusterInput{ClusterName: aws.String("a"), Tags: tags}))(t)
	again := must(s.CreateCluster(ctx, &sdk.CreateClusterInput{ClusterName: aws.String("a"),
		Settings: []types.ClusterSetting{{Name: "containerInsights", Value: aws.String("enabled")}}}))(t).Cluster
	same(t, "an ACTIVE cluster is returned unchanged [O]", *again.Settings[0].Value+*again.Tags[0].Key, "disabledk")

	must(s.DeleteCluster(ctx, &sdk.DeleteClusterInput{Cluster: aws.String("a")}))(t)
	fresh := must(s.CreateCluster(ctx, &sdk.CreateClusterInput{ClusterName: aws.String("a")}))(t).Cluster
	same(t, "an INACTIVE name starts afresh [D]", words(*fresh.Status, len(fresh.Tags)), "ACTIVE 0")
}

func TestClusterRefusals(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	s.cluster("old")
	must(s.DeleteCluster(ctx, &sdk.DeleteClusterInput{Cluster: aws.String("old")}))(t)
	s.cluster("c")
	setting := func(name, v string) []types.ClusterSetting {
		return []types.ClusterSetting{{Name: types.ClusterSettingName(name), Value: &v}}
	}
	create := func(in *sdk.CreateClusterInput) func() error {
		return func() error { return fails(s.CreateCluster(ctx, in)) }
	}
	exec := func(logging types.ExecuteCommandLogging, l *types.ExecuteCommandLogConfiguration) *types.ClusterConfiguration {
		return &types.ClusterConfiguration{ExecuteCommandConfiguration: &types.ExecuteCommandConfiguration{Logging: logging, LogConfiguration: l}}
	}
	s.refuses(t, []refused{
		{"bad name [I]", "InvalidParameterException", "Cluster name must match…", create(&sdk.CreateClusterInput{ClusterName: aws.String("a b")})},
		{"a log configuration without OVERRIDE [O]", "InvalidParameterException", "You must set logging to 'OVERRIDE' when you supply a log configuration.",
			create(&sdk.CreateClusterInput{Configuration: exec("DEFAULT", &types.ExecuteCommandLogConfiguration{S3BucketName: aws.String("b")})})},
		{"OVERRIDE without a log configuration [I]", "InvalidParameterException", "You must supply a log configuration when you set logging to 'OVERRIDE'.",
			create(&sdk.CreateClusterInput{Configuration: exec("OVERRIDE", nil)})},
		{"OVERRIDE to nowhere [I]", "InvalidParameterException", "You must supply a CloudWatch log group, an S3 bucket or both…",
			create(&sdk.CreateClusterInput{Configuration: exec("OVERRIDE", &types.ExecuteCommandLogConfiguration{S3KeyPrefix: aws.String("p")})})},
		{"logging [I]", "InvalidParameterException", "The logging value 'X' is not valid…", func() error {
			return fails(s.UpdateCluster(ctx, &sdk.UpdateClusterInput{Cluster: aws.String("c"), Configuration: exec("X", nil)}))
		}},
		{"bad setting [I]", "InvalidParameterException", "The cluster setting name 'x' is not valid…", create(&sdk.CreateClusterInput{Settings: setting("x", "y")})},
		{"bad value [I]", "InvalidParameterException", "The value 'y' is not valid…", create(&sdk.CreateClusterInput{Settings: setting("containerInsights", "y")})},
		{"reserved tag [O]", "InvalidParameterException", "aws: prefixed tag key names are not allowed for external use.",
			create(&sdk.CreateClusterInput{Tags: []types.Tag{{Key: aws.String("aws:x")}}})},
		{"unknown provider [I]", "InvalidParameterException", "The specified capacity provider 'p' was not found…", create(&sdk.CreateClusterInput{CapacityProviders: []string{"p"}})},
		{"delete unknown [O]", "ClusterNotFoundException", "Cluster not found.", func() error {
			return fails(s.DeleteCluster(ctx, &sdk.DeleteClusterInput{Cluster: aws.String("x")}))
		}},
		{"delete inactive [O]", "ClusterNotFoundException", "The referenced cluster was inactive.", func() error {
			return fails(s.DeleteCluster(ctx, &sdk.DeleteClusterInput{Cluster: aws.String("old")}))
		}},
		{"ARN of another Region [D]", "ClusterNotFoundException", "Cluster not found.", func() error {
			return fails(s.DeleteCluster(ctx, &sdk.DeleteClusterInput{Cluster: aws.String("arn:aws:ecs:eu-west-1:000000000000:cluster/c")}))
		}},
		{"ARN of another account [D]", "ClusterNotFoundException", "Cluster not found.", func() error {
			return fails(s.DeleteCluster(ctx, &sdk.DeleteClusterInput{Cluster: aws.String("arn:aws:ecs:us-east-1:111111111111:cluster/c")}))
		}},
		{"include [I]", "InvalidParameterException", "The include value 'X' is not valid…", func() error {
			return fails(s.DescribeClusters(ctx, &sdk.DescribeClustersInput{Include: []types.ClusterField{"X"}}))
		}},
		{"more than 100 [D]", "InvalidParameterException", "Clusters cannot have more than 100 elements.", func() error {
			return fails(s.DescribeClusters(ctx, &sdk.DescribeClustersInput{Clusters: make([]string, 101)}))
		}},
		{"strategy of a provider not associated [O]", "InvalidParameterException", "The specified capacity provider strategy cannot contain a capacity " +
			"provider that is not associated with the cluster. Associate the capacity provider with the cluster and try again.", func() error {
			return fails(s.PutClusterCapacityProviders(ctx, &sdk.PutClusterCapacityProvidersInput{Cluster: aws.String("c"), CapacityProviders: []string{},
				DefaultCapacityProviderStrategy: []types.CapacityProviderStrategyItem{{CapacityProvider: aws.String("FARGATE"), Weight: 1}}}))
		}},
	})
}

func TestDescribeClusters(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	s.cluster("default")
	d := must(s.DescribeClusters(ctx, &sdk.DescribeClustersInput{}))(t)
	same(t, "empty list is default [D]", *d.Clusters[0].ClusterName, "default")

	d = must(s.DescribeClusters(ctx, &sdk.DescribeClustersInput{Clusters: []string{"x", clusterARN + "default", "arn:aws:ecs:us-east-1:111111111111:cluster/default"}}))(t)
	same(t, "found", len(d.Clusters), 1)
	same(t, "MISSING with the ARN it would have [D]", reasons(d.Failures), []string{clusterARN + "x: MISSING", "arn:aws:ecs:us-east-1:111111111111:cluster/default: MISSING"})

	must(s.DeleteCluster(ctx, &sdk.DeleteClusterInput{Cluster: aws.String("default")}))(t)
	d = must(s.DescribeClusters(ctx, &sdk.DescribeClustersInput{}))(t)
	same(t, "INACTIVE stays describable [D]", *d.Clusters[0].Status, "INACTIVE")
}

func TestClusterCounts(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	s.instance("default", "a")
	s.define("web")
	out := s.run("web", 3)
	s.report(*out.Tasks[0].TaskArn, "RUNNING", nil)
	c := must(s.DescribeClusters(ctx, &sdk.DescribeClustersInput{Include: []types.ClusterField{"STATISTICS"}}))(t).Clusters[0]
	same(t, "counts", words(c.RunningTasksCount, c.PendingTasksCount, c.RegisteredContainerInstancesCount), "1 2 1")
	got := map[string]string{}
	for _, p := range c.Statistics {
		got[*p.Name] = *p.Value
	}
	same(t, "statistics [D/O]", got["runningEC2TasksCount"]+got["pendingEC2TasksCount"]+got["RunningFargateTasksCount"]+got["drainingFargateServiceCount"], "1200")
}

func TestListClustersPages(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	for i := range 5 {
		s.cluster(fmt.Sprintf("c%d", i))
	}
	must(s.DeleteCluster(ctx, &sdk.DeleteClusterInput{Cluster: aws.String("c3")}))(t)
	var got []string
	in := &sdk.ListClustersInput{MaxResults: aws.Int32(2)}
	for pages := 0; pages == 0 || in.NextToken != nil; pages++ {
		out := must(s.ListClusters(ctx, in))(t)
		got, in.NextToken = append(got, out.ClusterArns...), out.NextToken
	}
	same(t, "ACTIVE only, in order", got, []string{clusterARN + "c0", clusterARN + "c1", clusterARN + "c2", clusterARN + "c4"})
	token := must(s.ListClusters(ctx, &sdk.ListClustersInput{MaxResults: aws.Int32(1)}))(t).NextToken
	s.refuses(t, []refused{
		{"a token of another account [I]", "InvalidParameterException", "Invalid token.", func() error {
			return fails(s.client("other", region).ListClusters(ctx, &sdk.ListClustersInput{NextToken: token}))
		}},
		{"a token of another operation [I]", "InvalidParameterException", "Invalid token.", func() error {
			return fails(s.ListTaskDefinitions(ctx, &sdk.ListTaskDefinitionsInput{NextToken: token}))
		}},
		{"maxResults 0 [I]", "InvalidParameterException", "maxResults must be between 1 and 100.", func() error {
			return fails(s.ListClusters(ctx, &sdk.ListClustersInput{MaxResults: aws.Int32(0)}))
		}},
		{"maxResults 101 [I]", "InvalidParameterException", "maxResults must be between 1 and 100.", func() error {
			return fails(s.ListClusters(ctx, &sdk.ListClustersInput{MaxResults: aws.Int32(101)}))
		}},
	})
	same(t, "accounts are apart", len(must(s.client("other", region).ListClusters(ctx, &sdk.ListClustersInput{}))(t).ClusterArns), 0)
	same(t, "Regions are apart", len(must(s.client("test", "eu-west-1").ListClusters(ctx, &sdk.ListClustersInput{}))(t).ClusterArns), 0)
}

func TestUpdateCluster(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	s.cluster("c")
	name := aws.String("c")
	conf := &types.ClusterConfiguration{ExecuteCommandConfiguration: &types.ExecuteCommandConfiguration{Logging: types.ExecuteCommandLoggingNone}}
	c := must(s.UpdateCluster(ctx, &sdk.UpdateClusterInput{Cluster: name, Configuration: conf,
		ServiceConnectDefaults: &types.ClusterServiceConnectDefaultsRequest{Namespace: aws.String("ns")}}))(t).Cluster
	same(t, "set", words(c.Configuration.ExecuteCommandConfiguration.Logging, *c.ServiceConnectDefaults.Namespace), "NONE ns")
	c = must(s.UpdateClusterSettings(ctx, &sdk.UpdateClusterSettingsInput{Cluster: name,
		Settings: []types.ClusterSetting{{Name: "containerInsights", Value: aws.String("enhanced")}}}))(t).Cluster
	same(t, "one setting [D]", words(len(c.Settings), *c.Settings[0].Value), "1 enhanced")
	c = must(s.UpdateCluster(ctx, &sdk.UpdateClusterInput{Cluster: name,
		ServiceConnectDefaults: &types.ClusterServiceConnectDefaultsRequest{Namespace: aws.String("")}}))(t).Cluster
	if c.ServiceConnectDefaults != nil || c.Configuration == nil || *c.Settings[0].Value != "enhanced" {
		t.Errorf(`namespace "" clears, absent members stay [D]: %+v`, c)
	}
}

func TestPutClusterCapacityProviders(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	s.changeInstance(s.instance("default", "a"), fargateToo)
	s.define("web", fargate)
	put := func(names ...string) (*sdk.PutClusterCapacityProvidersOutput, error) {
		in := &sdk.PutClusterCapacityProvidersInput{Cluster: aws.String("default"), CapacityProviders: append([]string{}, names...),
			DefaultCapacityProviderStrategy: []types.CapacityProviderStrategyItem{}}
		if len(names) > 0 {
			in.DefaultCapacityProviderStrategy = append(in.DefaultCapacityProviderStrategy, types.CapacityProviderStrategyItem{CapacityProvider: &names[0], Weight: 1})
		}
		return s.PutClusterCapacityProviders(ctx, in)
	}
	c := must(put("FARGATE", "FARGATE_SPOT"))(t).Cluster
	same(t, "replaced [D]", words(c.CapacityProviders, len(c.DefaultCapacityProviderStrategy), *c.AttachmentsStatus), "[FARGATE FARGATE_SPOT] 1 UPDATE_COMPLETE")

	run := must(s.RunTask(ctx, &sdk.RunTaskInput{TaskDefinition: aws.String("web"), NetworkConfiguration: inSubnets("subnet-a")}))(t)
	same(t, "the default strategy places the task [D]", words(run.Tasks[0].LaunchType, *run.Tasks[0].CapacityProviderName), "FARGATE FARGATE")
	refusal(t, fails(put()), "ResourceInUseException", "The specified capacity provider is in use and cannot be removed.") // [O]
	s.report(*run.Tasks[0].TaskArn, "STOPPED", aws.Int32(0))
	c = must(put())(t).Cluster
	same(t, "cleared [D]", words(c.CapacityProviders, c.DefaultCapacityProviderStrategy), "[] []")
}

// TestDeleteClusterOrder pins the order of the checks [O].
func TestDeleteClusterOrder(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	i := s.instance("default", "a")
	s.define("web")
	task := *s.run("web", 1).Tasks[0].TaskArn
	del := func() error {
		return fails(s.DeleteCluster(ctx, &sdk.DeleteClusterInput{Cluster: aws.String("default")}))
	}
	refusal(t, del(), "ClusterContainsContainerInstancesException", "The Cluster cannot be deleted while Container Instances are active or draining.")
	s.changeInstance(i, inactive)
	refusal(t, del(), "ClusterContainsTasksException", "The Cluster cannot be deleted while Tasks are active.")
	s.report(task, "STOPPED", aws.Int32(0))
	if err := del(); err != nil {
		t.Error(err)
	}
	refusal(t, fails(s.RunTask(ctx, &sdk.RunTaskInput{TaskDefinition: aws.String("web")})), "ClusterNotFoundException", "The referenced cluster was inactive.")
	same(t, "reading goes on", *s.describe(task).LastStatus, "STOPPED")
}
