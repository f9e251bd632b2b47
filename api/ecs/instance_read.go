package ecs

import (
	"context"
	"slices"

	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// describeInstances shows container instances, INACTIVE ones too while they are kept (SEMANTICS §2.3).
func (a *api) describeInstances(ctx context.Context, in *sdk.DescribeContainerInstancesInput) (*sdk.DescribeContainerInstancesOutput, error) {
	who, err := principal(ctx)
	if err != nil {
		return nil, err
	}
	if err := checkBatch("Container instances", len(in.ContainerInstances), 100); err != nil {
		return nil, err
	}
	t := a.DB.Snapshot().Tables
	c, err := findCluster(t, who.Scope(), in.Cluster)
	if err != nil {
		return nil, err
	}
	show := instanceDetail{
		tags:   slices.Contains(in.Include, types.ContainerInstanceFieldTags),
		health: slices.Contains(in.Include, types.ContainerInstanceFieldContainerInstanceHealth),
	}
	out := &sdk.DescribeContainerInstancesOutput{ContainerInstances: []types.ContainerInstance{}, Failures: []types.Failure{}}
	for _, ref := range in.ContainerInstances {
		i, m, err := findInstance(t, c, ref)
		switch {
		case err != nil:
			return nil, err
		case i == nil:
			out.Failures = append(out.Failures, missing(m.arn(model.InstanceARN, c)))
		default:
			out.ContainerInstances = append(out.ContainerInstances, viewInstance(t, i, show))
		}
	}
	return out, nil
}

// listInstances lists instances by status, all but INACTIVE ones by default, and by filter (SEMANTICS §2.3).
func (a *api) listInstances(ctx context.Context, in *sdk.ListContainerInstancesInput) (*sdk.ListContainerInstancesOutput, error) {
	who, err := principal(ctx)
	if err != nil {
		return nil, err
	}
	filter, err := readFilter(in.Filter)
	if err != nil {
		return nil, err
	}
	if in.Status != "" && !slices.Contains(in.Status.Values(), in.Status) {
		return nil, invalid("Invalid container instance status '%s'. Valid values: %v", in.Status, in.Status.Values()) // [I]
	}
	t := a.DB.Snapshot().Tables
	c, err := findCluster(t, who.Scope(), in.Cluster)
	if err != nil {
		return nil, err
	}
	p, err := newPager("ListContainerInstances", []string{c.Account, c.Region, c.Name, string(in.Status), value(in.Filter)}, 100, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	prefix := c.Scope.Key(c.Name, "")
	for i := range t.Instances.From(prefix, prefix+p.start()) {
		wanted := i.Status == string(in.Status) || in.Status == "" && i.Status != model.InstanceInactive
		if wanted && !i.FargateOnly() && (filter == nil || filter.Match(instanceSubject{t, i})) && !p.add(i.ID, i.ARN()) {
			break
		}
	}
	return &sdk.ListContainerInstancesOutput{ContainerInstanceArns: p.out, NextToken: p.next}, nil
}

// instanceDetail says which of the gated members of an instance are shown.
type instanceDetail struct{ tags, health bool }

func viewInstance(t *state.Tables, i *model.Instance, show instanceDetail) types.ContainerInstance {
	arn, used := i.ARN(), t.Usage(i.Key())
	v := types.ContainerInstance{
		AgentConnected: i.AgentConnected, Attachments: []types.Attachment{}, Attributes: attributeViews(i.Attributes),
		ContainerInstanceArn: &arn, Ec2InstanceId: text(i.EC2ID), Status: &i.Status, StatusReason: text(i.StatusReason),
		PendingTasksCount: int32(used.Pending), RunningTasksCount: int32(used.Running),
		RegisteredAt: moment(i.RegisteredAt), RegisteredResources: resourceViews(&i.Resources),
		RemainingResources: remainingViews(i, used), Tags: []types.Tag{}, Version: i.Version,
		VersionInfo: &types.VersionInfo{AgentVersion: text(i.AgentVersion), AgentHash: text(i.AgentHash), DockerVersion: text(i.DockerVersion)},
	}
	if show.tags {
		v.Tags = tagViews(i.Tags)
	}
	if show.health {
		v.HealthStatus = healthView(i)
	}
	return v
}

// healthView shows the agent's verdict on its container runtime [D].
func healthView(i *model.Instance) *types.ContainerInstanceHealthStatus {
	status := types.InstanceHealthCheckState(i.RuntimeStatus)
	if status == "" {
		status = types.InstanceHealthCheckStateInitializing
	}
	return &types.ContainerInstanceHealthStatus{OverallStatus: status, Details: []types.InstanceHealthCheckResult{{
		Type: types.InstanceHealthCheckTypeContainerRuntime, Status: status,
		LastUpdated: moment(i.RuntimeStatusAt), LastStatusChange: moment(i.RuntimeStatusAt),
	}}}
}
