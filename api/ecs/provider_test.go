package ecs_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

const providerARN = "arn:aws:ecs:us-east-1:000000000000:capacity-provider/"

// groupARN is the ARN of an Auto Scaling group.
func groupARN(name string) string {
	return "arn:aws:autoscaling:us-east-1:000000000000:autoScalingGroup:a1b2:autoScalingGroupName/" + name
}

// groupProvider makes a provider NAME of the group NAME-group.
func (s *server) groupProvider(name string, change ...func(*types.AutoScalingGroupProvider)) {
	s.Helper()
	p := &types.AutoScalingGroupProvider{AutoScalingGroupArn: aws.String(groupARN(name + "-group"))}
	for _, f := range change {
		f(p)
	}
	must(s.CreateCapacityProvider(s.Context(), &sdk.CreateCapacityProviderInput{Name: &name, AutoScalingGroupProvider: p}))(s)
}

func scales(p *types.AutoScalingGroupProvider) {
	p.ManagedScaling = &types.ManagedScaling{Status: types.ManagedScalingStatusEnabled}
}

func managed(subnet string) *types.CreateManagedInstancesProviderConfiguration {
	return &types.CreateManagedInstancesProviderConfiguration{
		InfrastructureRoleArn: aws.String("arn:aws:iam::000000000000:role/infra"),
		InstanceLaunchTemplate: &types.InstanceLaunchTemplate{
			Ec2InstanceProfileArn: aws.String("arn:aws:iam::000000000000:instance-profile/node"),
			NetworkConfiguration:  &types.ManagedInstancesNetworkConfiguration{Subnets: []string{subnet}},
			Monitoring:            types.ManagedInstancesMonitoringOptionsBasic,
		}}
}

func (s *server) managedProvider(name, cluster string) {
	s.Helper()
	must(s.CreateCapacityProvider(s.Context(), &sdk.CreateCapacityProviderInput{Name: &name, Cluster: &cluster, ManagedInstancesProvider: managed("subnet-a")}))(s)
}

// provide gives a cluster its providers, without a default strategy.
func (s *server) provide(cluster string, names ...string) {
	s.Helper()
	if names == nil {
		names = []string{}
	}
	must(s.PutClusterCapacityProviders(s.Context(), &sdk.PutClusterCapacityProvidersInput{Cluster: &cluster, CapacityProviders: names,
		DefaultCapacityProviderStrategy: []types.CapacityProviderStrategyItem{}}))(s)
}

func (s *server) provider(ref string) types.CapacityProvider {
	s.Helper()
	out := must(s.DescribeCapacityProviders(s.Context(), &sdk.DescribeCapacityProvidersInput{CapacityProviders: []string{ref}, Include: []types.CapacityProviderField{"TAGS"}}))(s)
	if len(out.CapacityProviders) != 1 {
		s.Fatalf("describe %s: %+v", ref, out.Failures)
	}
	return out.CapacityProviders[0]
}

func groupView(p types.CapacityProvider) string {
	g := p.AutoScalingGroupProvider
	m := g.ManagedScaling
	return words(m.Status, *m.TargetCapacity, *m.MinimumScalingStepSize, *m.MaximumScalingStepSize, *m.InstanceWarmupPeriod, g.ManagedTerminationProtection, g.ManagedDraining)
}

// TestGroupProvider: an Auto Scaling group's provider from its creation to its end (SEMANTICS §2.2), as Terraform's
// aws_ecs_capacity_provider goes.
func TestGroupProvider(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	out := must(s.CreateCapacityProvider(ctx, &sdk.CreateCapacityProviderInput{Name: aws.String("spot"), Tags: tags("a=1"),
		AutoScalingGroupProvider: &types.AutoScalingGroupProvider{AutoScalingGroupArn: aws.String(groupARN("spot-group"))}}))(t).CapacityProvider
	same(t, "created [D]", words(*out.CapacityProviderArn, *out.Name, out.Status, out.Type, out.UpdateStatus, *out.Tags[0].Key),
		providerARN+"spot spot ACTIVE EC2_AUTOSCALING  a")
	same(t, "no cluster", out.Cluster == nil, true)
	same(t, "defaults [O]", groupView(*out), "DISABLED 100 1 10000 300 DISABLED ENABLED")
	same(t, "described by ARN", *s.provider(providerARN + "spot").AutoScalingGroupProvider.AutoScalingGroupArn, groupARN("spot-group"))

	out = must(s.UpdateCapacityProvider(ctx, &sdk.UpdateCapacityProviderInput{Name: aws.String("spot"), AutoScalingGroupProvider: &types.AutoScalingGroupProviderUpdate{
		ManagedScaling: &types.ManagedScaling{Status: "ENABLED", TargetCapacity: aws.Int32(90)}, ManagedTerminationProtection: "ENABLED"}}))(t).CapacityProvider
	same(t, "update under way [D]", words(out.Status, out.UpdateStatus), "ACTIVE UPDATE_IN_PROGRESS")
	same(t, "update done [D]", s.provider("spot").UpdateStatus, "UPDATE_COMPLETE")
	same(t, "the rest is as it was [D]", groupView(s.provider("spot")), "ENABLED 90 1 10000 300 ENABLED ENABLED")
	must(s.UpdateCapacityProvider(ctx, &sdk.UpdateCapacityProviderInput{Name: aws.String("spot"), AutoScalingGroupProvider: &types.AutoScalingGroupProviderUpdate{
		ManagedDraining: "DISABLED", ManagedScaling: &types.ManagedScaling{InstanceWarmupPeriod: aws.Int32(0)}}}))(t)
	same(t, "0 is a value", groupView(s.provider("spot")), "ENABLED 90 1 10000 0 ENABLED DISABLED")

	must(s.TagResource(ctx, &sdk.TagResourceInput{ResourceArn: aws.String(providerARN + "spot"), Tags: tags("b=2")}))(t)
	must(s.UntagResource(ctx, &sdk.UntagResourceInput{ResourceArn: aws.String(providerARN + "spot"), TagKeys: []string{"a"}}))(t)
	same(t, "tags [D]", s.tagsOf(providerARN+"spot"), "b=2")
	same(t, "tags are gated by include [D]", len(s.describeProviders(nil, nil)[2].Tags), 0)

	out = must(s.DeleteCapacityProvider(ctx, &sdk.DeleteCapacityProviderInput{CapacityProvider: aws.String(providerARN + "spot")}))(t).CapacityProvider
	same(t, "deletion under way [D]", words(out.Status, out.UpdateStatus), "ACTIVE DELETE_IN_PROGRESS")
	same(t, "deleted [D]", words(s.provider("spot").Status, s.provider("spot").UpdateStatus), "INACTIVE DELETE_COMPLETE")
	same(t, "not listed any more", len(s.describeProviders(nil, nil)), 2)
	s.groupProvider("spot")
	same(t, "the name is free again [I]", words(s.provider("spot").Status, len(s.provider("spot").Tags)), "ACTIVE 0")
}

// TestManagedProvider: accepted and kept with its settings, and belongs to its cluster (SEMANTICS §2.2, §6.9) [D].
func TestManagedProvider(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	s.cluster("c")
	s.cluster("d")
	s.managedProvider("mi", "c")
	p := s.provider("mi")
	same(t, "created", words(*p.Cluster, p.Status, p.UpdateStatus, p.Type), "c ACTIVE CREATE_COMPLETE MANAGED_INSTANCES")
	same(t, "defaults [D]", words(p.ManagedInstancesProvider.InstanceLaunchTemplate.CapacityOptionType, p.ManagedInstancesProvider.PropagateTags), "ON_DEMAND NONE")

	must(s.UpdateCapacityProvider(ctx, &sdk.UpdateCapacityProviderInput{Name: aws.String("mi"), Cluster: aws.String("c"),
		ManagedInstancesProvider: &types.UpdateManagedInstancesProviderConfiguration{InfrastructureRoleArn: aws.String("arn:aws:iam::000000000000:role/new"),
			InstanceLaunchTemplate:     &types.InstanceLaunchTemplateUpdate{NetworkConfiguration: &types.ManagedInstancesNetworkConfiguration{Subnets: []string{"subnet-b"}}},
			InfrastructureOptimization: &types.InfrastructureOptimization{ScaleInAfter: aws.Int32(-1)}}}))(t)
	m := s.provider("mi").ManagedInstancesProvider
	same(t, "updated", words(*m.InfrastructureRoleArn, m.InstanceLaunchTemplate.NetworkConfiguration.Subnets, *m.InfrastructureOptimization.ScaleInAfter),
		"arn:aws:iam::000000000000:role/new [subnet-b] -1")
	same(t, "the rest is as it was", words(*m.InstanceLaunchTemplate.Ec2InstanceProfileArn, m.InstanceLaunchTemplate.Monitoring), "arn:aws:iam::000000000000:instance-profile/node BASIC")

	s.refuses(t, []refused{
		{"in another cluster [D]", "InvalidParameterException", "The specified capacity provider 'mi' was not found. Specify a valid name or ARN and try again.",
			func() error {
				return fails(s.PutClusterCapacityProviders(ctx, &sdk.PutClusterCapacityProvidersInput{Cluster: aws.String("d"), CapacityProviders: []string{"mi"}, DefaultCapacityProviderStrategy: []types.CapacityProviderStrategyItem{}}))
			}},
		{"deleted from another cluster [D]", "ClientException", "The specified capacity provider does not exist. Specify a valid name or ARN and try again.",
			func() error {
				return fails(s.DeleteCapacityProvider(ctx, &sdk.DeleteCapacityProviderInput{CapacityProvider: aws.String("mi"), Cluster: aws.String("d")}))
			}},
		{"its cluster stays [O]", "ClusterContainsCapacityProviderException", "The Cluster cannot be deleted while Cluster Scoped Capacity Providers are attached to the cluster.",
			func() error { return fails(s.DeleteCluster(ctx, &sdk.DeleteClusterInput{Cluster: aws.String("c")})) }},
		{"another kind of settings [I]", "InvalidParameterException", "The type of a capacity provider can't be changed.", func() error {
			return fails(s.UpdateCapacityProvider(ctx, &sdk.UpdateCapacityProviderInput{Name: aws.String("mi"), AutoScalingGroupProvider: &types.AutoScalingGroupProviderUpdate{}}))
		}},
	})
	must(s.DeleteCapacityProvider(ctx, &sdk.DeleteCapacityProviderInput{CapacityProvider: aws.String("mi")}))(t)
	must(s.DeleteCluster(ctx, &sdk.DeleteClusterInput{Cluster: aws.String("c")}))(t)
}

func (s *server) describeProviders(cluster, token *string) []types.CapacityProvider {
	s.Helper()
	return must(s.DescribeCapacityProviders(s.Context(), &sdk.DescribeCapacityProvidersInput{Cluster: cluster, NextToken: token}))(s).CapacityProviders
}

func providerNames(ps []types.CapacityProvider) string {
	var out []string
	for _, p := range ps {
		out = append(out, *p.Name)
	}
	return strings.Join(out, " ")
}

// TestDescribeCapacityProviders: FARGATE's are always there; pages of ten; a cluster's; MISSING (SEMANTICS §1.2, §2.2).
func TestDescribeCapacityProviders(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	all := must(s.DescribeCapacityProviders(ctx, &sdk.DescribeCapacityProvidersInput{}))(t).CapacityProviders
	same(t, "without any [D]", words(len(all), *all[0].CapacityProviderArn, all[0].Status, all[0].Type, all[1].Type),
		"2 "+providerARN+"FARGATE ACTIVE FARGATE FARGATE_SPOT")
	for i := range 9 {
		s.groupProvider(fmt.Sprintf("p%d", i))
	}
	first := must(s.DescribeCapacityProviders(ctx, &sdk.DescribeCapacityProvidersInput{}))(t)
	same(t, "ten a page [D]", providerNames(first.CapacityProviders), "FARGATE FARGATE_SPOT p0 p1 p2 p3 p4 p5 p6 p7")
	same(t, "the rest", providerNames(s.describeProviders(nil, first.NextToken)), "p8")
	same(t, "of another account", len(must(s.client("other", region).DescribeCapacityProviders(ctx, &sdk.DescribeCapacityProvidersInput{}))(t).CapacityProviders), 2)

	s.cluster("c")
	s.provide("c", "FARGATE", "p3")
	s.managedProvider("mi", "c")
	c := aws.String("c")
	same(t, "of a cluster [D]", providerNames(s.describeProviders(c, nil)), "FARGATE mi p3")
	out := must(s.DescribeCapacityProviders(ctx, &sdk.DescribeCapacityProvidersInput{CapacityProviders: []string{"p3", "nope", providerARN + "gone", "p4"}, Cluster: c}))(t)
	same(t, "by name", providerNames(out.CapacityProviders), "p3")
	same(t, "failures [D]", reasons(out.Failures), []string{providerARN + "nope: MISSING", providerARN + "gone: MISSING", providerARN + "p4: MISSING"})

	s.refuses(t, []refused{
		{"more than ten a page [D]", "InvalidParameterException", "maxResults must be between 1 and 10.",
			func() error {
				return fails(s.DescribeCapacityProviders(ctx, &sdk.DescribeCapacityProvidersInput{MaxResults: aws.Int32(11)}))
			}},
		{"token with another filter [I]", "InvalidParameterException", "Invalid token.",
			func() error {
				return fails(s.DescribeCapacityProviders(ctx, &sdk.DescribeCapacityProvidersInput{NextToken: first.NextToken, Cluster: c}))
			}},
		{"more than 100 [D]", "InvalidParameterException", "Capacity providers cannot have more than 100 elements.",
			func() error {
				return fails(s.DescribeCapacityProviders(ctx, &sdk.DescribeCapacityProvidersInput{CapacityProviders: make([]string, 101)}))
			}},
		{"unknown include [I]", "InvalidParameterException", "The include value 'X' is not valid. Valid values: [TAGS]",
			func() error {
				return fails(s.DescribeCapacityProviders(ctx, &sdk.DescribeCapacityProvidersInput{Include: []types.CapacityProviderField{"X"}}))
			}},
		{"unknown cluster [O]", "ClusterNotFoundException", "Cluster not found.",
			func() error {
				return fails(s.DescribeCapacityProviders(ctx, &sdk.DescribeCapacityProvidersInput{Cluster: aws.String("x")}))
			}},
	})
}

const badProviderName = `The specified capacity provider name is invalid. Up to 255 characters are allowed, including letters (upper and ` +
	`lowercase), numbers, underscores, and hyphens. The name cannot be prefixed with "aws", "ecs", or "fargate". Specify a valid name and try again.`

// TestCreateProviderRefusals: SEMANTICS §2.2.
func TestCreateProviderRefusals(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	s.cluster("c")
	s.groupProvider("taken")
	create := func(name string, change ...func(*sdk.CreateCapacityProviderInput)) func() error {
		return func() error {
			in := &sdk.CreateCapacityProviderInput{Name: &name, AutoScalingGroupProvider: &types.AutoScalingGroupProvider{AutoScalingGroupArn: aws.String("g")}}
			for _, f := range change {
				f(in)
			}
			return fails(s.CreateCapacityProvider(ctx, in))
		}
	}
	group := func(f func(*types.AutoScalingGroupProvider)) func(*sdk.CreateCapacityProviderInput) {
		return func(in *sdk.CreateCapacityProviderInput) { f(in.AutoScalingGroupProvider) }
	}
	scaling := func(m types.ManagedScaling) func(*sdk.CreateCapacityProviderInput) {
		return group(func(p *types.AutoScalingGroupProvider) { p.ManagedScaling = &m })
	}
	mi := func(cluster string, change ...func(*types.CreateManagedInstancesProviderConfiguration)) func(*sdk.CreateCapacityProviderInput) {
		return func(in *sdk.CreateCapacityProviderInput) {
			in.AutoScalingGroupProvider, in.ManagedInstancesProvider, in.Cluster = nil, managed("subnet-a"), &cluster
			for _, f := range change {
				f(in.ManagedInstancesProvider)
			}
		}
	}
	const oneOf = "Exactly one of autoScalingGroupProvider and managedInstancesProvider must be specified."
	const noGroup = "The specified Auto Scaling group ARN is invalid. Specify a valid ARN and try again."
	const ipe = "InvalidParameterException"
	s.refuses(t, []refused{
		{"prefix aws [O]", "ClientException", badProviderName, create("aws-x")},
		{"prefix ecs in capitals [O]", "ClientException", badProviderName, create("ECSx")},
		{"prefix fargate [O]", "ClientException", badProviderName, create("Fargate2")},
		{"letters [O]", "ClientException", badProviderName, create("a.b")},
		{"length [O]", "ClientException", badProviderName, create(strings.Repeat("x", 256))},
		{"neither [D]", ipe, oneOf, create("x", func(in *sdk.CreateCapacityProviderInput) { in.AutoScalingGroupProvider = nil })},
		{"both [D]", ipe, oneOf, create("x", func(in *sdk.CreateCapacityProviderInput) { in.ManagedInstancesProvider = managed("s") })},
		{"a name that exists [O]", "ClientException", "The specified capacity provider already exists. To change the configuration of an existing capacity " +
			"provider, update the capacity provider.", create("taken")},
		{"a group that is used [O]", "ClientException", "The specified Auto Scaling group ARN is already being used by another capacity provider. Specify a " +
			"unique Auto Scaling group ARN and try again.", create("x", group(func(p *types.AutoScalingGroupProvider) { p.AutoScalingGroupArn = aws.String("taken-group") }))},
		{"group and cluster [D]", ipe, "A cluster can only be specified for a managed instances capacity provider.", create("x", func(in *sdk.CreateCapacityProviderInput) { in.Cluster = aws.String("c") })},
		{"no group name [I]", ipe, noGroup, create("x", group(func(p *types.AutoScalingGroupProvider) { p.AutoScalingGroupArn = aws.String("a/") }))},
		{"the FARGATE pool [I]", ipe, noGroup, create("x", group(func(p *types.AutoScalingGroupProvider) { p.AutoScalingGroupArn = aws.String(groupARN("fargate")) }))},
		{"protection without scaling [O]", "ClientException", "The managed termination protection setting for the capacity provider is invalid.…",
			create("x", group(func(p *types.AutoScalingGroupProvider) { p.ManagedTerminationProtection = "ENABLED" }))},
		{"target capacity [D]", ipe, "targetCapacity must be between 1 and 100.", create("x", scaling(types.ManagedScaling{TargetCapacity: aws.Int32(0)}))},
		{"target capacity over 100 [D]", ipe, "targetCapacity must be between 1 and 100.", create("x", scaling(types.ManagedScaling{TargetCapacity: aws.Int32(101)}))},
		{"least step [D]", ipe, "minimumScalingStepSize must be between 1 and 10000.", create("x", scaling(types.ManagedScaling{MinimumScalingStepSize: aws.Int32(0)}))},
		{"most step [D]", ipe, "maximumScalingStepSize must be between 1 and 10000.", create("x", scaling(types.ManagedScaling{MaximumScalingStepSize: aws.Int32(10001)}))},
		{"steps crossed [I]", ipe, "minimumScalingStepSize must not be greater than maximumScalingStepSize.", create("x", scaling(types.ManagedScaling{MinimumScalingStepSize: aws.Int32(5), MaximumScalingStepSize: aws.Int32(4)}))},
		{"warm-up [D]", ipe, "instanceWarmupPeriod must be between 0 and 10000.", create("x", scaling(types.ManagedScaling{InstanceWarmupPeriod: aws.Int32(-1)}))},
		{"scaling status [I]", ipe, "Invalid managedScaling status 'ON'. Valid values: [ENABLED DISABLED]", create("x", scaling(types.ManagedScaling{Status: "ON"}))},
		{"protection [I]", ipe, "Invalid managedTerminationProtection 'ON'. Valid values: [ENABLED DISABLED]", create("x", group(func(p *types.AutoScalingGroupProvider) { p.ManagedTerminationProtection = "ON" }))},
		{"draining [I]", ipe, "Invalid managedDraining 'ON'. Valid values: [ENABLED DISABLED]", create("x", group(func(p *types.AutoScalingGroupProvider) { p.ManagedDraining = "ON" }))},
		{"managed without cluster [D]", ipe, "A cluster must be specified for a managed instances capacity provider.", create("x", mi(""))},
		{"managed in no cluster [O]", "ClusterNotFoundException", "Cluster not found.", create("x", mi("nope"))},
		{"capacity option [I]", ipe, "Invalid capacityOptionType 'CHEAP'. Valid values: [ON_DEMAND SPOT RESERVED]",
			create("x", mi("c", func(m *types.CreateManagedInstancesProviderConfiguration) {
				m.InstanceLaunchTemplate.CapacityOptionType = "CHEAP"
			}))},
		{"scale-in after [D]", ipe, "scaleInAfter must be between -1 and 3600.",
			create("x", mi("c", func(m *types.CreateManagedInstancesProviderConfiguration) {
				m.InfrastructureOptimization = &types.InfrastructureOptimization{ScaleInAfter: aws.Int32(3601)}
			}))},
		{"propagation [I]", ipe, "Invalid propagateTags 'ALL'. Valid values: [CAPACITY_PROVIDER NONE]",
			create("x", mi("c", func(m *types.CreateManagedInstancesProviderConfiguration) { m.PropagateTags = "ALL" }))},
		{"tags [O]", ipe, "aws: prefixed tag key names are not allowed for external use.", create("x", func(in *sdk.CreateCapacityProviderInput) { in.Tags = tags("aws:x=1") })},
	})
	same(t, "nothing was made", providerNames(s.describeProviders(nil, nil)), "FARGATE FARGATE_SPOT taken")
	for i := range 20 {
		s.managedProvider(fmt.Sprintf("mi%d", i), "c")
	}
	refusal(t, create("one-more", mi("c"))(), "LimitExceededException", "The limit for the resource was exceeded.")
}

// TestChangeProviderRefusals: what cannot be updated or deleted (SEMANTICS §2.2).
func TestChangeProviderRefusals(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	s.groupProvider("gone")
	remove := func(ref string) func() error {
		return func() error {
			return fails(s.DeleteCapacityProvider(ctx, &sdk.DeleteCapacityProviderInput{CapacityProvider: &ref}))
		}
	}
	update := func(in *sdk.UpdateCapacityProviderInput) func() error {
		return func() error { return fails(s.UpdateCapacityProvider(ctx, in)) }
	}
	must(s.DeleteCapacityProvider(ctx, &sdk.DeleteCapacityProviderInput{CapacityProvider: aws.String("gone")}))(t)
	s.groupProvider("p")
	const missing = "The specified capacity provider does not exist. Specify a valid name or ARN and try again."
	const reserved = "The FARGATE and FARGATE_SPOT capacity providers are reserved and can't be deleted or changed."
	nothing := &types.AutoScalingGroupProviderUpdate{}
	s.refuses(t, []refused{
		{"delete nothing [O]", "ClientException", missing, remove("x")},
		{"delete what is deleted [O]", "ClientException", missing, remove("gone")},
		{"delete another account's [O]", "ClientException", missing, remove("arn:aws:ecs:us-east-1:111111111111:capacity-provider/p")},
		{"delete FARGATE [D]", "ClientException", reserved, remove("FARGATE")},
		{"delete FARGATE_SPOT by ARN [D]", "ClientException", reserved, remove(providerARN + "FARGATE_SPOT")},
		{"update nothing [O]", "ClientException", missing, update(&sdk.UpdateCapacityProviderInput{Name: aws.String("x"), AutoScalingGroupProvider: nothing})},
		{"update FARGATE [D]", "ClientException", reserved, update(&sdk.UpdateCapacityProviderInput{Name: aws.String("FARGATE"), AutoScalingGroupProvider: nothing})},
		{"without settings [I]", "InvalidParameterException", "Exactly one of autoScalingGroupProvider and managedInstancesProvider must be specified.", update(&sdk.UpdateCapacityProviderInput{Name: aws.String("p")})},
		{"protection without scaling [O]", "ClientException", "The managed termination protection setting for the capacity provider is invalid.…",
			update(&sdk.UpdateCapacityProviderInput{Name: aws.String("p"), AutoScalingGroupProvider: &types.AutoScalingGroupProviderUpdate{ManagedTerminationProtection: "ENABLED"}})},
	})
	same(t, "a refused update changes nothing", words(s.provider("p").UpdateStatus, groupView(s.provider("p"))), " DISABLED 100 1 10000 300 DISABLED ENABLED")
	refusal(t, fails(s.TagResource(ctx, &sdk.TagResourceInput{ResourceArn: aws.String(providerARN + "gone"), Tags: tags("a=1")})),
		"InvalidParameterException", "The specified resource does not exist.…")
}

// TestClusterProviders: association, what AWS attaches for it, and deletion while associated (SEMANTICS §2.1, §2.2).
func TestClusterProviders(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	s.groupProvider("scaled", scales)
	s.groupProvider("static", func(p *types.AutoScalingGroupProvider) { p.ManagedDraining = "DISABLED" })
	created := must(s.CreateCluster(ctx, &sdk.CreateClusterInput{ClusterName: aws.String("c"), CapacityProviders: []string{"scaled", providerARN + "static", "FARGATE"},
		DefaultCapacityProviderStrategy: []types.CapacityProviderStrategyItem{{CapacityProvider: aws.String("scaled"), Weight: 1}}}))(t).Cluster
	same(t, "with the cluster [D]", words(created.CapacityProviders, *created.DefaultCapacityProviderStrategy[0].CapacityProvider), "[scaled static FARGATE] scaled")
	show := func() types.Cluster {
		return must(s.DescribeClusters(ctx, &sdk.DescribeClustersInput{Clusters: []string{"c"}, Include: []types.ClusterField{"ATTACHMENTS"}}))(t).Clusters[0]
	}
	var shown []string
	for _, at := range show().Attachments {
		shown = append(shown, words(*at.Type, *at.Status, *at.Details[0].Name, *at.Details[0].Value, *at.Details[1].Name))
	}
	same(t, "attachments [O]", strings.Join(shown, "; "), "as_policy CREATED capacityProviderName scaled scalingPolicyName; "+
		"managed_draining CREATED capacityProviderName scaled autoScalingLifecycleHookName")
	same(t, "status [D]", *show().AttachmentsStatus, "UPDATE_COMPLETE")
	same(t, "ids stay", *show().Attachments[0].Id, *show().Attachments[0].Id)

	out := must(s.DeleteCapacityProvider(ctx, &sdk.DeleteCapacityProviderInput{CapacityProvider: aws.String("static")}))(t).CapacityProvider
	same(t, "deleted while associated [O]", words(out.Status, out.UpdateStatus, *out.UpdateStatusReason), "ACTIVE DELETE_FAILED The capacity provider cannot be "+
		"deleted because it is associated with cluster: c. Remove the capacity provider from the cluster and try again.")
	s.provide("c", "scaled")
	must(s.DeleteCapacityProvider(ctx, &sdk.DeleteCapacityProviderInput{CapacityProvider: aws.String("static")}))(t)
	same(t, "deleted afterwards", words(s.provider("static").Status, s.provider("static").UpdateStatusReason == nil), "INACTIVE true")

	must(s.DeleteCluster(ctx, &sdk.DeleteClusterInput{Cluster: aws.String("c")}))(t)
	must(s.DeleteCapacityProvider(ctx, &sdk.DeleteCapacityProviderInput{CapacityProvider: aws.String("scaled")}))(t)
	same(t, "a cluster that is gone does not hold it", s.provider("scaled").Status, "INACTIVE")
}

// TestClusterProviderRefusals: SEMANTICS §2.1, §6.1.
func TestClusterProviderRefusals(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	s.groupProvider("asg")
	s.cluster("c")
	item := func(name string) types.CapacityProviderStrategyItem {
		return types.CapacityProviderStrategyItem{CapacityProvider: &name, Weight: 1}
	}
	put := func(names []string, items ...types.CapacityProviderStrategyItem) func() error {
		if items == nil {
			items = []types.CapacityProviderStrategyItem{}
		}
		return func() error {
			return fails(s.PutClusterCapacityProviders(ctx, &sdk.PutClusterCapacityProvidersInput{Cluster: aws.String("c"), CapacityProviders: names, DefaultCapacityProviderStrategy: items}))
		}
	}
	many := slices.Repeat([]string{"FARGATE"}, 21)
	const ipe, notFound = "InvalidParameterException", "The specified capacity provider 'x' was not found. Specify a valid name or ARN and try again."
	const mix = "A capacity provider strategy cannot contain a mix of capacity providers using Auto Scaling groups and Fargate providers. Specify one or the other and try again."
	s.refuses(t, []refused{
		{"unknown [I]", ipe, notFound, put([]string{"x"})},
		{"unknown at creation [I]", ipe, notFound, func() error {
			return fails(s.CreateCluster(ctx, &sdk.CreateClusterInput{ClusterName: aws.String("new"), CapacityProviders: []string{"x"}}))
		}},
		{"more than 20 [O]", ipe, "The maximum number of capacity providers per cluster has been exceeded.", put(many)},
		{"mixed [O]", ipe, mix, put([]string{"FARGATE", "asg"}, item("FARGATE"), item("asg"))},
		{"not associated [O]", ipe, "The specified capacity provider strategy cannot contain a capacity provider that is not associated with the cluster. Associate the capacity provider with the cluster and try again.",
			put([]string{"FARGATE"}, item("asg"))},
	})
	same(t, "a refusal changes nothing", len(must(s.DescribeClusters(ctx, &sdk.DescribeClustersInput{Clusters: []string{"c", "new"}}))(t).Clusters[0].CapacityProviders), 0)
}
