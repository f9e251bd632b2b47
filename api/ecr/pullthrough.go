package ecr

import (
	"context"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

const (
	maxPullThroughRules = 50 // of an account in a Region [D]
	maxPullThroughName  = 30 // characters of a prefix [D]
)

var credentialPattern = regexp.MustCompile(`^arn:aws:secretsmanager:[a-zA-Z0-9-:]+:secret:ecr-pullthroughcache/[a-zA-Z0-9/_+=.@-]+$`)

func errNoRule(account, prefix string) error {
	return model.Errorf("PullThroughCacheRuleNotFoundException", "The pull through cache rule with prefix '%s' was not found in the registry "+
		"with id '%s'", prefix, account) // [I] the words
}

func errUpstream() error {
	return model.Errorf("UnsupportedUpstreamRegistryException", "The specified upstream registry isn't supported.")
}

// ownRegistry refuses requests about the registry of somebody else.
func ownRegistry(p auth.Principal, action string, id *string) error {
	if value(id) == "" || *id == p.Account {
		return nil
	}
	return model.Errorf("AccessDeniedException", "User: %s is not authorized to perform: ecr:%s on resource: * because no resource-based policy "+
		"allows the ecr:%s action", p.ARN, action, action)
}

// upstreamOf is the host of a URL that a rule names, and what ECR calls it. Others than those of ECR's list are the operator's to allow:
// the server goes to any that a rule says.
func (a *API) upstreamOf(own model.Scope, rawURL string, said types.UpstreamRegistry) (host, kind string, err error) {
	host = strings.TrimSuffix(strings.TrimPrefix(rawURL, "https://"), "/")
	if _, ok := a.Upstreams[host]; ok {
		return host, string(said), nil
	}
	if s, ok := ecrScope(host); ok {
		if !a.serves(s) || s == own || said != "" && said != types.UpstreamRegistryEcr {
			return "", "", errUpstream()
		}
		return host, string(types.UpstreamRegistryEcr), nil
	}
	known := map[string]types.UpstreamRegistry{
		"public.ecr.aws": types.UpstreamRegistryEcrPublic, "registry-1.docker.io": types.UpstreamRegistryDockerHub, "quay.io": types.UpstreamRegistryQuay,
		"registry.k8s.io": types.UpstreamRegistryK8s, "ghcr.io": types.UpstreamRegistryGitHubContainerRegistry,
		"registry.gitlab.com": types.UpstreamRegistryGitLabContainerRegistry, "cgr.dev": types.UpstreamRegistryChainguard,
	}
	is := known[host]
	if azureHost.MatchString(host) {
		is = types.UpstreamRegistryAzureContainerRegistry
	}
	if is == "" || said != "" && said != is {
		return "", "", errUpstream()
	}
	return host, string(is), nil
}

var azureHost = regexp.MustCompile(`^[a-z0-9]{5,50}\.azurecr\.io$`)

// upstreamURL is where the host of a rule is reached.
func (a *API) upstreamURL(host string) string {
	if at := a.Upstreams[host]; at != "" {
		return at
	}
	return (&url.URL{Scheme: "https", Host: host}).String()
}

func checkRulePrefix(member, prefix string) error {
	if len(prefix) < 2 || len(prefix) > maxPullThroughName {
		return invalid(member, "Member must have length between 2 and 30")
	}
	return checkPrefix(member, prefix)
}

func (a *API) createPullThroughCacheRule(ctx context.Context, in *ecr.CreatePullThroughCacheRuleInput) (*ecr.CreatePullThroughCacheRuleOutput, error) {
	p, err := caller(ctx)
	if err == nil {
		err = ownRegistry(p, "CreatePullThroughCacheRule", in.RegistryId)
	}
	if err != nil {
		return nil, err
	}
	now := a.Now().UnixMilli()
	row := &model.PullThroughRule{
		Scope: p.Scope(), Prefix: value(in.EcrRepositoryPrefix), UpstreamPrefix: value(in.UpstreamRepositoryPrefix), Role: value(in.CustomRoleArn),
		Credential: value(in.CredentialArn), CreatedAt: now, UpdatedAt: now,
	}
	if err := checkRulePrefix("ecrRepositoryPrefix", row.Prefix); err != nil {
		return nil, err
	}
	if row.UpstreamPrefix == "" {
		row.UpstreamPrefix = model.RootPrefix
	}
	if err := checkRulePrefix("upstreamRepositoryPrefix", row.UpstreamPrefix); err != nil {
		return nil, err
	}
	if row.Upstream, row.Kind, err = a.upstreamOf(row.Scope, value(in.UpstreamRegistryUrl), in.UpstreamRegistry); err != nil {
		return nil, err
	}
	if err := a.checkCredential(row); err != nil {
		return nil, err
	}
	err = a.DB.Update(ctx, func(tx *state.Tx) error {
		if _, ok := tx.PullThroughRules.Get(row.Key()); ok {
			return model.Errorf("PullThroughCacheRuleAlreadyExistsException", "A pull through cache rule with prefix '%s' already exists in the "+
				"registry with id '%s'", row.Prefix, row.Account) // [I] the words
		}
		if len(slices.Collect(tx.PullThroughRules.Prefix(row.Scope.Key("")))) >= maxPullThroughRules {
			return model.Errorf("LimitExceededException", "The registry with id '%s' has %d pull through cache rules already.", row.Account, maxPullThroughRules) // [I] the words
		}
		tx.PullThroughRules.Put(row)
		return nil
	})
	if err != nil {
		return nil, err
	}
	r := showRule(row)
	return &ecr.CreatePullThroughCacheRuleOutput{
		CreatedAt: r.CreatedAt, CredentialArn: r.CredentialArn, CustomRoleArn: r.CustomRoleArn, EcrRepositoryPrefix: r.EcrRepositoryPrefix, RegistryId: r.RegistryId,
		UpstreamRegistry: r.UpstreamRegistry, UpstreamRegistryUrl: r.UpstreamRegistryUrl, UpstreamRepositoryPrefix: r.UpstreamRepositoryPrefix,
	}, nil
}

// checkCredential checks that a rule's secret, if it has one, is of the account, has the name of such secrets, and is there.
func (a *API) checkCredential(row *model.PullThroughRule) error {
	if row.Credential == "" {
		return nil
	}
	if !credentialPattern.MatchString(row.Credential) {
		return invalid("credentialArn", "must satisfy regular expression '"+credentialPattern.String()+"'")
	}
	_, _, err := a.login(row)
	return err
}

func showRule(r *model.PullThroughRule) types.PullThroughCacheRule {
	return types.PullThroughCacheRule{
		CreatedAt: aws.Time(time.UnixMilli(r.CreatedAt).UTC()), UpdatedAt: aws.Time(time.UnixMilli(r.UpdatedAt).UTC()), RegistryId: aws.String(r.Account),
		EcrRepositoryPrefix: aws.String(r.Prefix), UpstreamRegistryUrl: aws.String(r.Upstream), UpstreamRegistry: types.UpstreamRegistry(r.Kind),
		UpstreamRepositoryPrefix: aws.String(r.UpstreamPrefix), CredentialArn: given(r.Credential), CustomRoleArn: given(r.Role),
	}
}

func (a *API) describePullThroughCacheRules(ctx context.Context, in *ecr.DescribePullThroughCacheRulesInput) (*ecr.DescribePullThroughCacheRulesOutput, error) {
	p, err := caller(ctx)
	if err == nil {
		err = ownRegistry(p, "DescribePullThroughCacheRules", in.RegistryId)
	}
	if err != nil {
		return nil, err
	}
	if len(in.EcrRepositoryPrefixes) > 0 && (in.MaxResults != nil || value(in.NextToken) != "") {
		return nil, invalid("ecrRepositoryPrefixes", "cannot be used with maxResults or nextToken")
	}
	t := a.DB.Snapshot().Tables
	out := &ecr.DescribePullThroughCacheRulesOutput{PullThroughCacheRules: []types.PullThroughCacheRule{}}
	for _, prefix := range in.EcrRepositoryPrefixes {
		row, ok := t.PullThroughRules.Get(p.Scope().Key(prefix))
		if !ok {
			return nil, errNoRule(p.Account, prefix)
		}
		out.PullThroughCacheRules = append(out.PullThroughCacheRules, showRule(row))
	}
	if len(in.EcrRepositoryPrefixes) > 0 {
		return out, nil
	}
	rows := slices.Collect(t.PullThroughRules.Prefix(p.Scope().Key("")))
	rows, out.NextToken, err = pageOf("DescribePullThroughCacheRules", []string{p.Account, p.Region}, rows,
		func(r *model.PullThroughRule) string { return r.Prefix }, in.MaxResults, in.NextToken)
	for _, r := range rows {
		out.PullThroughCacheRules = append(out.PullThroughCacheRules, showRule(r))
	}
	return out, err
}

func (a *API) updatePullThroughCacheRule(ctx context.Context, in *ecr.UpdatePullThroughCacheRuleInput) (*ecr.UpdatePullThroughCacheRuleOutput, error) {
	p, err := caller(ctx)
	if err == nil {
		err = ownRegistry(p, "UpdatePullThroughCacheRule", in.RegistryId)
	}
	if err != nil {
		return nil, err
	}
	if err := a.checkCredential(&model.PullThroughRule{Scope: p.Scope(), Credential: value(in.CredentialArn)}); err != nil {
		return nil, err
	}
	var row model.PullThroughRule
	err = a.DB.Update(ctx, func(tx *state.Tx) error {
		have, ok := tx.PullThroughRules.Get(p.Scope().Key(value(in.EcrRepositoryPrefix)))
		if !ok {
			return errNoRule(p.Account, value(in.EcrRepositoryPrefix))
		}
		row = *have
		if row.UpdatedAt = a.Now().UnixMilli(); in.CredentialArn != nil {
			row.Credential = *in.CredentialArn
		}
		if in.CustomRoleArn != nil {
			row.Role = *in.CustomRoleArn
		}
		tx.PullThroughRules.Put(&row)
		return nil
	})
	if err != nil {
		return nil, err
	}
	r := showRule(&row)
	return &ecr.UpdatePullThroughCacheRuleOutput{
		CredentialArn: r.CredentialArn, CustomRoleArn: r.CustomRoleArn, EcrRepositoryPrefix: r.EcrRepositoryPrefix, RegistryId: r.RegistryId,
		UpdatedAt: r.UpdatedAt, UpstreamRepositoryPrefix: r.UpstreamRepositoryPrefix,
	}, nil
}

// deletePullThroughCacheRule deletes a rule; what was fetched by it stays [D].
func (a *API) deletePullThroughCacheRule(ctx context.Context, in *ecr.DeletePullThroughCacheRuleInput) (*ecr.DeletePullThroughCacheRuleOutput, error) {
	p, err := caller(ctx)
	if err == nil {
		err = ownRegistry(p, "DeletePullThroughCacheRule", in.RegistryId)
	}
	if err != nil {
		return nil, err
	}
	var row *model.PullThroughRule
	err = a.DB.Update(ctx, func(tx *state.Tx) error {
		var ok bool
		if row, ok = tx.PullThroughRules.Get(p.Scope().Key(value(in.EcrRepositoryPrefix))); !ok {
			return errNoRule(p.Account, value(in.EcrRepositoryPrefix))
		}
		tx.PullThroughRules.Delete(row.Key())
		return nil
	})
	if err != nil {
		return nil, err
	}
	r := showRule(row)
	return &ecr.DeletePullThroughCacheRuleOutput{
		CreatedAt: r.CreatedAt, CredentialArn: r.CredentialArn, CustomRoleArn: r.CustomRoleArn, EcrRepositoryPrefix: r.EcrRepositoryPrefix,
		RegistryId: r.RegistryId, UpstreamRegistryUrl: r.UpstreamRegistryUrl, UpstreamRepositoryPrefix: r.UpstreamRepositoryPrefix,
	}, nil
}

// validatePullThroughCacheRule tries whether the upstream registry lets us in.
func (a *API) validatePullThroughCacheRule(ctx context.Context, in *ecr.ValidatePullThroughCacheRuleInput) (*ecr.ValidatePullThroughCacheRuleOutput, error) {
	p, err := caller(ctx)
	if err == nil {
		err = ownRegistry(p, "ValidatePullThroughCacheRule", in.RegistryId)
	}
	if err != nil {
		return nil, err
	}
	row, ok := a.DB.Snapshot().PullThroughRules.Get(p.Scope().Key(value(in.EcrRepositoryPrefix)))
	if !ok {
		return nil, errNoRule(p.Account, value(in.EcrRepositoryPrefix))
	}
	r := showRule(row)
	out := &ecr.ValidatePullThroughCacheRuleOutput{
		CredentialArn: r.CredentialArn, CustomRoleArn: r.CustomRoleArn, EcrRepositoryPrefix: r.EcrRepositoryPrefix, RegistryId: r.RegistryId,
		UpstreamRegistryUrl: r.UpstreamRegistryUrl, UpstreamRepositoryPrefix: r.UpstreamRepositoryPrefix, IsValid: true,
	}
	up, err := a.upstream(row)
	if _, here := ecrScope(row.Upstream); !here && err == nil {
		ctx, cancel := context.WithTimeout(ctx, lookPatience)
		defer cancel()
		err = up.Ping(ctx)
	}
	if err != nil {
		out.IsValid, out.Failure = false, aws.String(err.Error())
	}
	return out, nil
}
