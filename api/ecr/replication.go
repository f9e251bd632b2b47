package ecr

import (
	"context"
	"regexp"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/registry"
)

// Bounds of a replication configuration [D].
const (
	maxReplicationRules   = 10
	maxReplicationTargets = 25 // that differ
	maxReplicationFilters = 100
)

// fileClock is how much older than its making the date of a file may be: kernels look at the clock a hundred times a second.
const fileClock = 10 * time.Millisecond

var replicationFilter = regexp.MustCompile(`^(?:[a-z0-9]+(?:[._-][a-z0-9]*)*/)*[a-z0-9]*(?:[._-][a-z0-9]*)*$`)

// putReplicationConfiguration stores where images go that are pushed from now on.
func (a *API) putReplicationConfiguration(ctx context.Context, in *ecr.PutReplicationConfigurationInput) (
	*ecr.PutReplicationConfigurationOutput, error,
) {
	p, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	rules, err := a.replicationRules(p.Scope(), in.ReplicationConfiguration.Rules)
	if err != nil {
		return nil, err
	}
	row, err := a.changeRegistry(ctx, func(r *model.Registry) error {
		r.Replication, r.ReplicatedFrom = rules, a.Now().Add(-fileClock).UnixMilli()
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ecr.PutReplicationConfigurationOutput{ReplicationConfiguration: showReplication(row)}, nil
}

func (a *API) replicationRules(own model.Scope, in []types.ReplicationRule) (rules []model.ReplicationRule, err error) {
	if len(in) > maxReplicationRules {
		return nil, invalid("replicationConfiguration.rules", "Member must have length less than or equal to 10")
	}
	targets := map[model.Destination]bool{}
	for _, r := range in {
		rule := model.ReplicationRule{}
		for _, d := range r.Destinations {
			to := model.Destination{RegistryID: value(d.RegistryId), Region: value(d.Region)}
			switch {
			case !accountPattern.MatchString(to.RegistryID):
				return nil, invalid("replicationConfiguration.rules.destinations.registryId", "must satisfy regular expression '[0-9]{12}'")
			case !slices.Contains(a.Regions, to.Region):
				return nil, invalid("replicationConfiguration.rules.destinations.region", "Region '"+to.Region+"' is not valid") // [D] the code, [I] the words
			case to.Scope() == own:
				return nil, invalid("replicationConfiguration.rules.destinations", "The destination must not be the registry itself") // [D] the rule, [I] the words
			}
			targets[to] = true
			rule.To = append(rule.To, to)
		}
		if rule.Prefixes, err = replicationFilters(r.RepositoryFilters); err != nil {
			return nil, err
		}
		rules = append(rules, rule)
	}
	if len(targets) > maxReplicationTargets {
		return nil, invalid("replicationConfiguration", "The rules may have 25 unique destinations") // [D] the rule, [I] the words
	}
	return rules, nil
}

func replicationFilters(in []types.RepositoryFilter) (prefixes []string, err error) {
	const at = "replicationConfiguration.rules.repositoryFilters"
	if len(in) > maxReplicationFilters {
		return nil, invalid(at, "Member must have length less than or equal to 100")
	}
	for _, f := range in {
		prefix := value(f.Filter)
		switch {
		case f.FilterType != types.RepositoryFilterTypePrefixMatch:
			return nil, invalid(at+".filterType", "Member must satisfy enum value set: [PREFIX_MATCH]")
		case len(prefix) < 2:
			return nil, invalid(at+".filter", "Member must have length greater than or equal to 2")
		case len(prefix) > 256 || !replicationFilter.MatchString(prefix):
			return nil, invalid(at+".filter", "must satisfy regular expression '"+replicationFilter.String()+"'")
		}
		prefixes = append(prefixes, prefix)
	}
	return prefixes, nil
}

func showReplication(r *model.Registry) *types.ReplicationConfiguration {
	out := &types.ReplicationConfiguration{Rules: []types.ReplicationRule{}}
	for _, rule := range r.Replication {
		shown := types.ReplicationRule{Destinations: []types.ReplicationDestination{}}
		for _, to := range rule.To {
			shown.Destinations = append(shown.Destinations, types.ReplicationDestination{Region: aws.String(to.Region), RegistryId: aws.String(to.RegistryID)})
		}
		for _, p := range rule.Prefixes {
			shown.RepositoryFilters = append(shown.RepositoryFilters, types.RepositoryFilter{Filter: aws.String(p), FilterType: types.RepositoryFilterTypePrefixMatch})
		}
		out.Rules = append(out.Rules, shown)
	}
	return out
}

// describeImageReplicationStatus answers how far an image's copies are. One that is to be made, and of which nothing is written down
// yet, is in progress.
func (a *API) describeImageReplicationStatus(ctx context.Context, in *ecr.DescribeImageReplicationStatusInput) (
	*ecr.DescribeImageReplicationStatusOutput, error,
) {
	row, images, err := a.open(ctx, in.RegistryId, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	if f := checkID(*in.ImageId); f != nil {
		return nil, invalid("imageId", value(f.FailureReason))
	}
	m, err := images.Manifest(ctx, reference(*in.ImageId))
	if err != nil {
		return nil, err
	}
	stored, err := images.Arrivals(ctx)
	if err != nil {
		return nil, err
	}
	t := a.DB.Snapshot().Tables
	out := &ecr.DescribeImageReplicationStatusOutput{
		ImageId: &types.ImageIdentifier{ImageDigest: aws.String(m.Digest), ImageTag: in.ImageId.ImageTag}, RepositoryName: in.RepositoryName,
		ReplicationStatuses: []types.ImageReplicationStatus{},
	}
	shown := map[model.Destination]bool{}
	for r := range t.Replications.Prefix(model.ReplicationPrefix(row.Scope, row.Name, m.Digest)) {
		shown[r.To] = true
		out.ReplicationStatuses = append(out.ReplicationStatuses, types.ImageReplicationStatus{
			Region: aws.String(r.To.Region), RegistryId: aws.String(r.To.RegistryID), Status: types.ReplicationStatus(r.Status), FailureCode: given(r.Failure),
		})
	}
	i := slices.IndexFunc(stored, func(i registry.Arrival) bool { return i.Digest == m.Digest })
	for _, d := range registryOf(t, row.Scope).Destinations(row.Name) {
		if i >= 0 && !shown[d] && isDue(t, row, stored[i], d) {
			out.ReplicationStatuses = append(out.ReplicationStatuses, types.ImageReplicationStatus{
				Region: aws.String(d.Region), RegistryId: aws.String(d.RegistryID), Status: types.ReplicationStatusInProgress,
			})
		}
	}
	return out, nil
}
