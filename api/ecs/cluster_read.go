package ecs

import (
	"context"
	"strconv"

	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// describeClusters shows clusters, INACTIVE ones too; an empty list means the default one (SEMANTICS §1.3, §2.1) [D].
func (a *api) describeClusters(ctx context.Context, in *sdk.DescribeClustersInput) (*sdk.DescribeClustersOutput, error) {
	who, err := principal(ctx)
	if err != nil {
		return nil, err
	}
	refs := in.Clusters
	if len(refs) == 0 {
		refs = []string{model.DefaultCluster}
	}
	if err := checkBatch("Clusters", len(refs), 100); err != nil {
		return nil, err
	}
	show := clusterDetail{}
	for _, f := range in.Include {
		if err := show.include(f); err != nil {
			return nil, err
		}
	}
	t := a.DB.Snapshot().Tables
	out := &sdk.DescribeClustersOutput{Clusters: []types.Cluster{}, Failures: []types.Failure{}}
	for _, ref := range refs {
		name, ok := clusterName(who.Scope(), &ref)
		if c, found := t.Clusters.Get(model.ClusterKey(who.Scope(), name)); ok && found {
			out.Clusters = append(out.Clusters, viewCluster(t, c, show))
			continue
		}
		if _, isARN := model.ParseARN(ref); !isARN {
			ref = model.ClusterARN(who.Scope(), name)
		}
		out.Failures = append(out.Failures, missing(ref))
	}
	return out, nil
}

// listClusters lists the ACTIVE ones (SEMANTICS §2.1).
func (a *api) listClusters(ctx context.Context, in *sdk.ListClustersInput) (*sdk.ListClustersOutput, error) {
	who, err := principal(ctx)
	if err != nil {
		return nil, err
	}
	s := who.Scope()
	p, err := newPager("ListClusters", []string{s.Account, s.Region}, 100, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	for c := range a.DB.Snapshot().Clusters.From(s.Key(""), p.start()) {
		if c.Status == model.ClusterActive && !p.add(c.Key(), c.ARN()) {
			break
		}
	}
	return &sdk.ListClustersOutput{ClusterArns: p.out, NextToken: p.next}, nil
}

// clusterDetail says which of the gated members of a cluster are shown (SEMANTICS §2.1: include).
type clusterDetail struct {
	attachments, configuration, settings, statistics, tags bool
}

func (d *clusterDetail) include(f types.ClusterField) error {
	switch f {
	case types.ClusterFieldAttachments:
		d.attachments = true
	case types.ClusterFieldConfigurations:
		d.configuration = true
	case types.ClusterFieldSettings:
		d.settings = true
	case types.ClusterFieldStatistics:
		d.statistics = true
	case types.ClusterFieldTags:
		d.tags = true
	default:
		return invalid("The include value '%s' is not valid. Valid values: %v", f, f.Values()) // [I]
	}
	return nil
}

func viewCluster(t *state.Tables, c *model.Cluster, show clusterDetail) types.Cluster {
	arn, n := c.ARN(), t.ClusterCount(c.Key())
	v := types.Cluster{
		ClusterArn: &arn, ClusterName: &c.Name, Status: &c.Status,
		RunningTasksCount:                 int32(n.RunningEC2 + n.RunningFargate + n.RunningExternal),
		PendingTasksCount:                 int32(n.PendingEC2 + n.PendingFargate + n.PendingExternal),
		RegisteredContainerInstancesCount: registered(t, c),
		ActiveServicesCount:               int32(countServices(t, c).active),
		CapacityProviders:                 list(c.CapacityProviders),
		DefaultCapacityProviderStrategy:   list(c.DefaultStrategy),
		Settings:                          []types.ClusterSetting{},
		Statistics:                        []types.KeyValuePair{},
		Tags:                              []types.Tag{},
	}
	if c.ConnectNamespace != "" {
		v.ServiceConnectDefaults = &types.ClusterServiceConnectDefaults{Namespace: &c.ConnectNamespace}
	}
	if show.settings {
		if v.Settings = list(c.Settings); len(v.Settings) == 0 { // of a cluster that this package did not make
			v.Settings = withSettings(*c, t, nil).Settings
		}
	}
	if show.configuration {
		v.Configuration = c.Configuration
	}
	if show.tags {
		v.Tags = tagViews(c.Tags)
	}
	if show.statistics {
		v.Statistics = statistics(n, countServicesBy(t, c))
	}
	if show.attachments {
		v.Attachments = providerAttachments(t, c)
		if len(c.CapacityProviders) > 0 {
			v.AttachmentsStatus = text("UPDATE_COMPLETE") // providers are attached in the call itself
		}
	}
	return v
}

// registered counts the ACTIVE and DRAINING instances (SEMANTICS §2.1); nodes that take FARGATE tasks only are nobody's.
func registered(t *state.Tables, c *model.Cluster) (n int32) {
	for i := range t.InstancesOf(c.Scope, c.Name) {
		if i.Status != model.InstanceInactive && !i.FargateOnly() {
			n++
		}
	}
	return n
}

// serviceCounts counts the services of a cluster.
type serviceCounts struct{ active, draining int }

func (n *serviceCounts) add(s *model.Service) {
	switch s.Status {
	case model.ServiceActive:
		n.active++
	case model.ServiceDraining:
		n.draining++
	}
}

func countServices(t *state.Tables, c *model.Cluster) (n serviceCounts) {
	for s := range t.ServicesOf(c.Scope, c.Name) {
		n.add(s)
	}
	return n
}

// countServicesBy counts them by launch type; one that runs nothing yet is nowhere.
func countServicesBy(t *state.Tables, c *model.Cluster) map[types.LaunchType]serviceCounts {
	out := map[types.LaunchType]serviceCounts{}
	for s := range t.ServicesOf(c.Scope, c.Name) {
		kind := types.LaunchType(serviceLaunchType(t, s))
		n := out[kind]
		n.add(s)
		out[kind] = n
	}
	return out
}

// statistics names the counts as AWS does, odd capital included (SEMANTICS §2.1) [D/O].
func statistics(n state.ClusterCount, services map[types.LaunchType]serviceCounts) []types.KeyValuePair {
	ec2, fargate, external := services[types.LaunchTypeEc2], services[types.LaunchTypeFargate], services[types.LaunchTypeExternal]
	var out []types.KeyValuePair
	for _, s := range []struct {
		name  string
		count int
	}{
		{"runningEC2TasksCount", n.RunningEC2},
		{"RunningFargateTasksCount", n.RunningFargate},
		{"runningExternalTasksCount", n.RunningExternal},
		{"pendingEC2TasksCount", n.PendingEC2},
		{"pendingFargateTasksCount", n.PendingFargate},
		{"pendingExternalTasksCount", n.PendingExternal},
		{"activeEC2ServiceCount", ec2.active},
		{"activeFargateServiceCount", fargate.active},
		{"activeExternalServiceCount", external.active},
		{"drainingEC2ServiceCount", ec2.draining},
		{"drainingFargateServiceCount", fargate.draining},
		{"drainingExternalServiceCount", external.draining},
	} {
		out = append(out, types.KeyValuePair{Name: &s.name, Value: text(strconv.Itoa(s.count))})
	}
	return out
}
