package ecr

import (
	"context"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/roadstead/roadstead/model"
)

// What exclusion filters are held to [D].
const (
	maxFilters = 5
	maxStars   = 2
)

var filterPattern = regexp.MustCompile(`^[0-9a-zA-Z._*-]{1,128}$`)

// mutability reads imageTagMutability and its filters: whether tags are final, and the patterns of those that are not so.
func mutability(m types.ImageTagMutability, filters []types.ImageTagMutabilityExclusionFilter) (final bool, excluded []string, err error) {
	exclusion := false
	switch m {
	case "", types.ImageTagMutabilityMutable:
	case types.ImageTagMutabilityImmutable:
		final = true
	case types.ImageTagMutabilityImmutableWithExclusion:
		final, exclusion = true, true
	case types.ImageTagMutabilityMutableWithExclusion:
		exclusion = true
	default:
		return false, nil, invalid("imageTagMutability",
			"Member must satisfy enum value set: [IMMUTABLE_WITH_EXCLUSION, MUTABLE_WITH_EXCLUSION, IMMUTABLE, MUTABLE]")
	}
	const member = "imageTagMutabilityExclusionFilters"
	switch {
	case exclusion && len(filters) == 0:
		return false, nil, invalid(member, "must not be empty when imageTagMutability is "+string(m)) // [I]
	case !exclusion && len(filters) > 0:
		return false, nil, invalid(member, "must be empty unless imageTagMutability is IMMUTABLE_WITH_EXCLUSION or MUTABLE_WITH_EXCLUSION") // [I]
	case len(filters) > maxFilters:
		return false, nil, invalid(member, "Member must have length less than or equal to 5")
	}
	for _, f := range filters {
		text := value(f.Filter)
		switch {
		case f.FilterType != types.ImageTagMutabilityExclusionFilterTypeWildcard:
			return false, nil, invalid(member+".filterType", "Member must satisfy enum value set: [WILDCARD]")
		case !filterPattern.MatchString(text):
			return false, nil, invalid(member+".filter", "must satisfy regular expression '^[0-9a-zA-Z._*-]{1,128}'")
		case strings.Count(text, "*") > maxStars:
			return false, nil, invalid(member+".filter", "must have at most 2 wildcards") // [I] the words
		}
		excluded = append(excluded, text)
	}
	return final, excluded, nil
}

// showMutability is what mutability has read, in ECR's shape.
func showMutability(r *model.Repository) (types.ImageTagMutability, []types.ImageTagMutabilityExclusionFilter) {
	var filters []types.ImageTagMutabilityExclusionFilter
	for _, text := range r.Excluded {
		filters = append(filters, types.ImageTagMutabilityExclusionFilter{
			Filter: aws.String(text), FilterType: types.ImageTagMutabilityExclusionFilterTypeWildcard,
		})
	}
	switch {
	case r.Immutable && filters != nil:
		return types.ImageTagMutabilityImmutableWithExclusion, filters
	case r.Immutable:
		return types.ImageTagMutabilityImmutable, nil
	case filters != nil:
		return types.ImageTagMutabilityMutableWithExclusion, filters
	}
	return types.ImageTagMutabilityMutable, nil
}

func (a *API) putImageTagMutability(ctx context.Context, in *ecr.PutImageTagMutabilityInput) (*ecr.PutImageTagMutabilityOutput, error) {
	final, excluded, err := mutability(in.ImageTagMutability, in.ImageTagMutabilityExclusionFilters)
	if err != nil {
		return nil, err
	}
	row, err := a.change(ctx, in.RegistryId, in.RepositoryName, func(r *model.Repository) error {
		r.Immutable, r.Excluded = final, excluded
		return nil
	})
	if err != nil {
		return nil, err
	}
	kind, filters := showMutability(row)
	return &ecr.PutImageTagMutabilityOutput{
		ImageTagMutability: kind, ImageTagMutabilityExclusionFilters: filters,
		RegistryId: aws.String(row.Account), RepositoryName: aws.String(row.Name),
	}, nil
}
