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
	"github.com/roadstead/roadstead/state"
)

var prefixPattern = regexp.MustCompile(`^((?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*/?|ROOT)$`)

func checkPrefix(member, prefix string) error {
	if len(prefix) > 256 || !prefixPattern.MatchString(prefix) {
		return invalid(member, "must satisfy regular expression '^((?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*/?|ROOT)$'")
	}
	return nil
}

func errNoTemplate(account, prefix string) error {
	return model.Errorf("TemplateNotFoundException", "The Repository Creation Template with prefix '%s' was not found in the registry "+
		"with id '%s'", prefix, account) // [I] the words
}

func (a *API) createRepositoryCreationTemplate(ctx context.Context, in *ecr.CreateRepositoryCreationTemplateInput) (
	*ecr.CreateRepositoryCreationTemplateOutput, error,
) {
	p, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	if len(in.AppliedFor) == 0 {
		return nil, invalid("appliedFor", "Member must not be null or empty")
	}
	now := a.Now().UnixMilli()
	row := &model.RepositoryTemplate{Scope: p.Scope(), Prefix: value(in.Prefix), Encryption: string(types.EncryptionTypeAes256), CreatedAt: now}
	if err := checkPrefix("prefix", row.Prefix); err != nil {
		return nil, err
	}
	if err := setTemplate(row, &ecr.UpdateRepositoryCreationTemplateInput{
		AppliedFor: in.AppliedFor, CustomRoleArn: in.CustomRoleArn, Description: in.Description,
		EncryptionConfiguration: in.EncryptionConfiguration, ImageTagMutability: in.ImageTagMutability,
		ImageTagMutabilityExclusionFilters: in.ImageTagMutabilityExclusionFilters, LifecyclePolicy: in.LifecyclePolicy,
		RepositoryPolicy: in.RepositoryPolicy, ResourceTags: in.ResourceTags,
	}, now); err != nil {
		return nil, err
	}
	err = a.DB.Update(ctx, func(tx *state.Tx) error {
		if _, ok := tx.RepositoryTemplates.Get(row.Key()); ok {
			return model.Errorf("TemplateAlreadyExistsException", "The Repository Creation Template with prefix '%s' already exists in the "+
				"registry with id '%s'", row.Prefix, row.Account) // [I] the words
		}
		tx.RepositoryTemplates.Put(row)
		return nil
	})
	return &ecr.CreateRepositoryCreationTemplateOutput{RegistryId: aws.String(row.Account), RepositoryCreationTemplate: showTemplate(row)}, err
}

// setTemplate sets what an update says; what it does not mention stays.
func setTemplate(row *model.RepositoryTemplate, in *ecr.UpdateRepositoryCreationTemplateInput, now model.Millis) (err error) {
	row.UpdatedAt = now
	if in.Description != nil {
		if row.Description = *in.Description; len(row.Description) > 256 {
			return invalid("description", "Member must have length less than or equal to 256")
		}
	}
	if in.AppliedFor != nil {
		row.AppliedFor = nil
		for _, f := range in.AppliedFor {
			if !slices.Contains(f.Values(), f) {
				return invalid("appliedFor", "Member must satisfy enum value set: [REPLICATION, PULL_THROUGH_CACHE, CREATE_ON_PUSH]")
			}
			row.AppliedFor = append(row.AppliedFor, string(f))
		}
	}
	if in.ImageTagMutability != "" {
		if row.Immutable, row.Excluded, err = mutability(in.ImageTagMutability, in.ImageTagMutabilityExclusionFilters); err != nil {
			return err
		}
	}
	if c := in.EncryptionConfiguration; c != nil {
		if row.Encryption, row.KMSKey, err = encryption(&types.EncryptionConfiguration{EncryptionType: c.EncryptionType, KmsKey: c.KmsKey}); err != nil {
			return err
		}
	}
	if in.ResourceTags != nil {
		if row.Tags, err = readTags(in.ResourceTags); err != nil {
			return err
		}
	}
	if in.CustomRoleArn != nil {
		row.Role = *in.CustomRoleArn
	}
	if text := value(in.LifecyclePolicy); text != "" {
		if row.Lifecycle, err = checkLifecycle(text); err != nil {
			return err
		}
	} else if in.LifecyclePolicy != nil {
		row.Lifecycle = ""
	}
	if text := value(in.RepositoryPolicy); text != "" {
		if _, err := checkPolicy("repository", text); err != nil {
			return err
		}
	}
	if in.RepositoryPolicy != nil {
		row.Policy = *in.RepositoryPolicy
	}
	return nil
}

func showTemplate(r *model.RepositoryTemplate) *types.RepositoryCreationTemplate {
	kind, filters := showMutability(&model.Repository{Immutable: r.Immutable, Excluded: r.Excluded})
	out := &types.RepositoryCreationTemplate{
		Prefix: aws.String(r.Prefix), ImageTagMutability: kind, ImageTagMutabilityExclusionFilters: filters,
		EncryptionConfiguration: &types.EncryptionConfigurationForRepositoryCreationTemplate{EncryptionType: types.EncryptionType(r.Encryption), KmsKey: given(r.KMSKey)},
		Description:             given(r.Description), CustomRoleArn: given(r.Role), LifecyclePolicy: given(r.Lifecycle), RepositoryPolicy: given(r.Policy),
		CreatedAt: aws.Time(time.UnixMilli(r.CreatedAt).UTC()), UpdatedAt: aws.Time(time.UnixMilli(r.UpdatedAt).UTC()),
	}
	for _, f := range r.AppliedFor {
		out.AppliedFor = append(out.AppliedFor, types.RCTAppliedFor(f))
	}
	for _, t := range r.Tags {
		out.ResourceTags = append(out.ResourceTags, types.Tag{Key: aws.String(t.Key), Value: aws.String(t.Value)})
	}
	return out
}

// given is nil for "".
func given(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func (a *API) updateRepositoryCreationTemplate(ctx context.Context, in *ecr.UpdateRepositoryCreationTemplateInput) (
	*ecr.UpdateRepositoryCreationTemplateOutput, error,
) {
	p, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	if in.AppliedFor != nil && len(in.AppliedFor) == 0 {
		return nil, invalid("appliedFor", "Member must not be null or empty")
	}
	var row model.RepositoryTemplate
	err = a.DB.Update(ctx, func(tx *state.Tx) error {
		have, ok := tx.RepositoryTemplates.Get(p.Scope().Key(value(in.Prefix)))
		if !ok {
			return errNoTemplate(p.Account, value(in.Prefix))
		}
		row = *have
		if err := setTemplate(&row, in, a.Now().UnixMilli()); err != nil {
			return err
		}
		tx.RepositoryTemplates.Put(&row)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ecr.UpdateRepositoryCreationTemplateOutput{RegistryId: aws.String(row.Account), RepositoryCreationTemplate: showTemplate(&row)}, nil
}

func (a *API) deleteRepositoryCreationTemplate(ctx context.Context, in *ecr.DeleteRepositoryCreationTemplateInput) (
	*ecr.DeleteRepositoryCreationTemplateOutput, error,
) {
	p, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	var row *model.RepositoryTemplate
	err = a.DB.Update(ctx, func(tx *state.Tx) error {
		var ok bool
		if row, ok = tx.RepositoryTemplates.Get(p.Scope().Key(value(in.Prefix))); !ok {
			return errNoTemplate(p.Account, value(in.Prefix))
		}
		tx.RepositoryTemplates.Delete(row.Key())
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ecr.DeleteRepositoryCreationTemplateOutput{RegistryId: aws.String(p.Account), RepositoryCreationTemplate: showTemplate(row)}, nil
}

func (a *API) describeRepositoryCreationTemplates(ctx context.Context, in *ecr.DescribeRepositoryCreationTemplatesInput) (
	*ecr.DescribeRepositoryCreationTemplatesOutput, error,
) {
	p, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	if len(in.Prefixes) > 0 && (in.MaxResults != nil || value(in.NextToken) != "") {
		return nil, invalid("prefixes", "cannot be used with maxResults or nextToken")
	}
	t := a.DB.Snapshot().Tables
	out := &ecr.DescribeRepositoryCreationTemplatesOutput{RegistryId: aws.String(p.Account), RepositoryCreationTemplates: []types.RepositoryCreationTemplate{}}
	for _, prefix := range in.Prefixes {
		if row, ok := t.RepositoryTemplates.Get(p.Scope().Key(prefix)); ok {
			out.RepositoryCreationTemplates = append(out.RepositoryCreationTemplates, *showTemplate(row))
		}
	}
	if len(in.Prefixes) > 0 {
		return out, nil
	}
	rows := slices.Collect(t.RepositoryTemplates.Prefix(p.Scope().Key("")))
	rows, out.NextToken, err = pageOf("DescribeRepositoryCreationTemplates", []string{p.Account, p.Region}, rows,
		func(r *model.RepositoryTemplate) string { return r.Prefix }, in.MaxResults, in.NextToken)
	for _, r := range rows {
		out.RepositoryCreationTemplates = append(out.RepositoryCreationTemplates, *showTemplate(r))
	}
	return out, err
}

// Make makes a repository that nobody made, as its template says: what is pushed to it (CREATE_ON_PUSH) has to be somewhere. ok is
// false if no template wants it.
func (a *API) Make(ctx context.Context, s model.Scope, name, purpose string) (ok bool, err error) {
	if !registry.ValidName(name) || templateOf(a.DB.Snapshot().Tables, s, name, purpose) == nil {
		return false, nil
	}
	return a.make(ctx, s, name, purpose, false)
}

// make is Make with a decision what becomes of names that no template covers: with plain, a repository without settings.
func (a *API) make(ctx context.Context, s model.Scope, name, purpose string, plain bool) (ok bool, err error) {
	err = a.DB.Update(ctx, func(tx *state.Tx) error {
		t := templateOf(tx.Tables, s, name, purpose)
		if _, exists := tx.Repositories.Get(s.Key(name)); exists || t == nil && !plain {
			ok = exists
			return nil
		}
		if t == nil {
			t = &model.RepositoryTemplate{Encryption: string(types.EncryptionTypeAes256)}
		}
		ok = true
		tx.Repositories.Put(&model.Repository{
			Scope: s, Name: name, CreatedAt: a.Now().UnixMilli(), Immutable: t.Immutable, Excluded: t.Excluded, Encryption: t.Encryption,
			KMSKey: t.KMSKey, Tags: t.Tags, Policy: t.Policy, Lifecycle: model.Lifecycle{Policy: t.Lifecycle},
		})
		return nil
	})
	return ok && err == nil, err
}

// templateOf is the template of the longest prefix that covers the name, of those for the purpose; nil for none.
func templateOf(t *state.Tables, s model.Scope, name, purpose string) (best *model.RepositoryTemplate) {
	longest := -1
	for row := range t.RepositoryTemplates.Prefix(s.Key("")) {
		if n, ok := model.Covers(row.Prefix, name); ok && n > longest && slices.Contains(row.AppliedFor, purpose) {
			best, longest = row, n
		}
	}
	return best
}
