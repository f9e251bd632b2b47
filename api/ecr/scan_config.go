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

var scanFilterPattern = regexp.MustCompile(`^[a-z0-9*](?:[._\-/a-z0-9*]?[a-z0-9*]+)*$`)

// putRegistryScanningConfiguration stores which repositories' images are scanned when they are pushed.
func (a *API) putRegistryScanningConfiguration(ctx context.Context, in *ecr.PutRegistryScanningConfigurationInput) (
	*ecr.PutRegistryScanningConfigurationOutput, error,
) {
	switch in.ScanType {
	case "", types.ScanTypeBasic:
	case types.ScanTypeEnhanced:
		return nil, model.Errorf("UnsupportedFeatureException", "Roadstead serves scanType BASIC only: images are scanned once, by a hook.")
	default:
		return nil, invalid("scanType", "Member must satisfy enum value set: [BASIC, ENHANCED]")
	}
	if len(in.Rules) > 2 {
		return nil, invalid("rules", "Member must have length less than or equal to 2")
	}
	var rules []model.ScanRule
	for _, r := range in.Rules {
		if r.ScanFrequency != types.ScanFrequencyScanOnPush && r.ScanFrequency != types.ScanFrequencyManual {
			return nil, invalid("rules.scanFrequency", "BASIC scanning has SCAN_ON_PUSH and MANUAL only") // [D] the rule, [I] the words
		}
		rule := model.ScanRule{Frequency: string(r.ScanFrequency)}
		for _, f := range r.RepositoryFilters {
			if f.FilterType != types.ScanningRepositoryFilterTypeWildcard || !scanFilterPattern.MatchString(value(f.Filter)) {
				return nil, invalid("rules.repositoryFilters.filter", "must satisfy regular expression '"+scanFilterPattern.String()+"'")
			}
			rule.Filters = append(rule.Filters, *f.Filter)
		}
		if len(rule.Filters) == 0 {
			return nil, invalid("rules.repositoryFilters", "Member must not be null or empty")
		}
		rules = append(rules, rule)
	}
	row, err := a.changeRegistry(ctx, func(r *model.Registry) error {
		r.Scanning = rules
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ecr.PutRegistryScanningConfigurationOutput{RegistryScanningConfiguration: showScanning(row)}, nil
}

func showScanning(r *model.Registry) *types.RegistryScanningConfiguration {
	out := &types.RegistryScanningConfiguration{ScanType: types.ScanTypeBasic, Rules: []types.RegistryScanningRule{}}
	for _, rule := range r.Scanning {
		out.Rules = append(out.Rules, types.RegistryScanningRule{
			ScanFrequency: types.ScanFrequency(rule.Frequency), RepositoryFilters: showFilters(rule.Filters),
		})
	}
	return out
}

func showFilters(texts []string) []types.ScanningRepositoryFilter {
	out := []types.ScanningRepositoryFilter{}
	for _, text := range texts {
		out = append(out, types.ScanningRepositoryFilter{Filter: aws.String(text), FilterType: types.ScanningRepositoryFilterTypeWildcard})
	}
	return out
}

func (a *API) getRegistryScanningConfiguration(ctx context.Context, _ *ecr.GetRegistryScanningConfigurationInput) (
	*ecr.GetRegistryScanningConfigurationOutput, error,
) {
	row, err := a.registry(ctx)
	if err != nil {
		return nil, err
	}
	return &ecr.GetRegistryScanningConfigurationOutput{RegistryId: aws.String(row.Account), ScanningConfiguration: showScanning(row)}, nil
}

// batchGetRepositoryScanningConfiguration answers what follows for repositories from the registry's rules and their own setting.
func (a *API) batchGetRepositoryScanningConfiguration(ctx context.Context, in *ecr.BatchGetRepositoryScanningConfigurationInput) (
	*ecr.BatchGetRepositoryScanningConfigurationOutput, error,
) {
	p, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	if n := len(in.RepositoryNames); n < 1 || n > 25 {
		return nil, invalid("repositoryNames", "Member must have length between 1 and 25")
	}
	t := a.DB.Snapshot().Tables
	out := &ecr.BatchGetRepositoryScanningConfigurationOutput{
		ScanningConfigurations: []types.RepositoryScanningConfiguration{}, Failures: []types.RepositoryScanningConfigurationFailure{},
	}
	for _, name := range in.RepositoryNames {
		row, err := lookup(t, p.Scope(), nil, &name)
		if model.ErrorCode(err) == "RepositoryNotFoundException" {
			out.Failures = append(out.Failures, types.RepositoryScanningConfigurationFailure{
				FailureCode: types.ScanningConfigurationFailureCodeRepositoryNotFound, FailureReason: aws.String(err.Error()), RepositoryName: aws.String(name),
			})
			continue
		}
		if err != nil {
			return nil, err
		}
		onPush, filters := scanning(registryOf(t, row.Scope), row)
		c := types.RepositoryScanningConfiguration{
			AppliedScanFilters: showFilters(filters), RepositoryArn: aws.String(row.ARN()), RepositoryName: aws.String(row.Name),
			ScanFrequency: types.ScanFrequencyManual, ScanOnPush: onPush,
		}
		if onPush {
			c.ScanFrequency = types.ScanFrequencyScanOnPush
		}
		out.ScanningConfigurations = append(out.ScanningConfigurations, c)
	}
	return out, nil
}

// scanning says whether a repository's images are scanned when they are pushed, and the filters of its registry that say so.
func scanning(r *model.Registry, repository *model.Repository) (onPush bool, filters []string) {
	onPush = repository.ScanOnPush
	for _, rule := range r.Scanning {
		for _, f := range rule.Filters {
			if rule.Frequency == string(types.ScanFrequencyScanOnPush) && matchName(f, repository.Name) {
				onPush, filters = true, append(filters, f)
			}
		}
	}
	return onPush, filters
}

// matchName: a filter without a star is part of the names that it means, one with stars is the name [D].
func matchName(filter, name string) bool {
	if !strings.Contains(filter, "*") {
		return strings.Contains(name, filter)
	}
	return regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(filter), `\*`, ".*") + "$").MatchString(name)
}
