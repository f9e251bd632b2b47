package ecs

import (
	"context"
	"slices"

	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// describeServices shows services of one cluster, INACTIVE ones as long as they are kept (SEMANTICS §2.6, trap 25).
func (a *api) describeServices(ctx context.Context, in *sdk.DescribeServicesInput) (*sdk.DescribeServicesOutput, error) {
	who, err := principal(ctx)
	if err != nil {
		return nil, err
	}
	if err := checkBatch("Services", len(in.Services), 10); err != nil {
		return nil, err
	}
	t := a.DB.Snapshot().Tables
	c, err := findCluster(t, who.Scope(), in.Cluster)
	if err != nil {
		return nil, err
	}
	tags := slices.Contains(in.Include, types.ServiceFieldTags)
	out := &sdk.DescribeServicesOutput{Services: []types.Service{}, Failures: []types.Failure{}}
	for _, ref := range in.Services {
		s, m, err := findService(t, c, ref)
		switch {
		case err != nil:
			return nil, err
		case s == nil:
			out.Failures = append(out.Failures, missing(m.arn(model.ServiceARN, c)))
		default:
			out.Services = append(out.Services, viewService(t, s, tags))
		}
	}
	return out, nil
}

// listServices lists the ACTIVE services of a cluster (SEMANTICS §2.6), ten a page if not asked otherwise (§1.2).
func (a *api) listServices(ctx context.Context, in *sdk.ListServicesInput) (*sdk.ListServicesOutput, error) {
	who, err := principal(ctx)
	if err != nil {
		return nil, err
	}
	t := a.DB.Snapshot().Tables
	c, err := findCluster(t, who.Scope(), in.Cluster)
	if err != nil {
		return nil, err
	}
	switch {
	case in.LaunchType != "" && !slices.Contains(in.LaunchType.Values(), in.LaunchType):
		return nil, invalid("Invalid launchType '%s'.", in.LaunchType) // [I]
	case in.SchedulingStrategy != "" && !slices.Contains(in.SchedulingStrategy.Values(), in.SchedulingStrategy):
		return nil, invalid("schedulingStrategy should be one of [REPLICA,DAEMON]") // [I]
	}
	p, err := newPager("ListServices", []string{c.Account, c.Region, c.Name, string(in.LaunchType), string(in.SchedulingStrategy),
		string(in.ResourceManagementType)}, 100, pageSize(in.MaxResults, 10), in.NextToken)
	if err != nil {
		return nil, err
	}
	for s := range t.Services.From(c.Scope.Key(c.Name, ""), p.start()) {
		if s.Status == model.ServiceActive && serviceListed(t, s, in) && !p.add(s.Key(), s.ARN()) {
			break
		}
	}
	return &sdk.ListServicesOutput{ServiceArns: p.out, NextToken: p.next}, nil
}

// pageSize is the size asked for, or else the operation's own.
func pageSize(asked *int32, own int32) *int32 {
	if asked == nil {
		return &own
	}
	return asked
}

// serviceListed reports whether the filters let the service through. All services are their customer's, and none ECS's own.
func serviceListed(t *state.Tables, s *model.Service, in *sdk.ListServicesInput) bool {
	return (in.SchedulingStrategy == "" || s.Scheduling == string(in.SchedulingStrategy)) &&
		(in.ResourceManagementType == "" || in.ResourceManagementType == types.ResourceManagementTypeCustomer) &&
		(in.LaunchType == "" || serviceLaunchType(t, s) == string(in.LaunchType))
}

// serviceLaunchType is the launch type of what the service runs, that of its providers if it has a strategy [I]; "" if it
// runs nothing yet.
func serviceLaunchType(t *state.Tables, s *model.Service) string {
	r := primaryRevision(t, s)
	if r == nil {
		return ""
	}
	return capacityOf(t, r).launchType
}

// listServicesByNamespace lists the services of a Cloud Map namespace, of which there are none yet: a namespace is known by
// the clusters that have it for their services.
func (a *api) listServicesByNamespace(ctx context.Context, in *sdk.ListServicesByNamespaceInput) (*sdk.ListServicesByNamespaceOutput, error) {
	who, err := principal(ctx)
	if err != nil {
		return nil, err
	}
	s := who.Scope()
	if _, err := newPager("ListServicesByNamespace", []string{s.Account, s.Region, value(in.Namespace)}, 100,
		pageSize(in.MaxResults, 10), in.NextToken); err != nil {
		return nil, err
	}
	for c := range a.DB.Snapshot().Clusters.Prefix(s.Key("")) {
		if c.ConnectNamespace != "" && c.ConnectNamespace == value(in.Namespace) {
			return &sdk.ListServicesByNamespaceOutput{ServiceArns: []string{}}, nil
		}
	}
	return nil, model.Errorf("NamespaceNotFoundException", "The specified namespace was not found.") // [I]; the sentence [D]
}
