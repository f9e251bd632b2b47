package ecr_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// [D] A push to a repository that is not there makes it, as the template of the longest prefix says; without one it is refused.
func TestCreateOnPush(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	if err := w.tryPush(t, "team/web:1", nil); err == nil || !strings.Contains(err.Error(), "NAME_UNKNOWN") {
		t.Fatal(err)
	}
	put := func(prefix string, m types.ImageTagMutability, purpose types.RCTAppliedFor) {
		t.Helper()
		out, err := w.CreateRepositoryCreationTemplate(ctx, &sdk.CreateRepositoryCreationTemplateInput{
			Prefix: &prefix, AppliedFor: []types.RCTAppliedFor{purpose}, ImageTagMutability: m, Description: aws.String("of " + prefix),
			LifecyclePolicy: aws.String(keepTwo), RepositoryPolicy: aws.String(mayPull), ResourceTags: []types.Tag{{Key: aws.String("from"), Value: &prefix}},
		})
		if err != nil || *out.RegistryId != account || *out.RepositoryCreationTemplate.Prefix != prefix || *out.RepositoryCreationTemplate.LifecyclePolicy != keepTwoShown {
			t.Fatal(out, err)
		}
	}
	put("ROOT", "MUTABLE", "CREATE_ON_PUSH")
	put("team", "IMMUTABLE", "CREATE_ON_PUSH")
	put("team/web", "MUTABLE", "PULL_THROUGH_CACHE") // not for pushes
	w.push(t, "team/web:1", nil)
	w.push(t, "teamwork:1", nil)
	for name, want := range map[string]string{"team/web": "team IMMUTABLE", "teamwork": "ROOT MUTABLE"} {
		out, err := w.DescribeRepositories(ctx, &sdk.DescribeRepositoriesInput{RepositoryNames: []string{name}})
		if err != nil {
			t.Fatal(err)
		}
		tags, err := w.ListTagsForResource(ctx, &sdk.ListTagsForResourceInput{ResourceArn: out.Repositories[0].RepositoryArn})
		if err != nil || fmt.Sprint(*tags.Tags[0].Value, " ", out.Repositories[0].ImageTagMutability) != want {
			t.Errorf("%s: %+v %v", name, out.Repositories[0], err)
		}
		if p, err := w.GetLifecyclePolicy(ctx, &sdk.GetLifecyclePolicyInput{RepositoryName: &name}); err != nil || *p.LifecyclePolicyText != keepTwoShown {
			t.Error(p, err)
		}
		if p, err := w.GetRepositoryPolicy(ctx, &sdk.GetRepositoryPolicyInput{RepositoryName: &name}); err != nil || *p.PolicyText != mayPull {
			t.Error(p, err)
		}
	}
	// Neither a node nor another account makes any.
	for _, key := range []string{"node", "other"} {
		if err := remote.Write(w.reference(t, "made/by/"+key+":1"), randomImage(t), remote.WithAuth(&authn.Basic{Username: key, Password: "secret"})); err == nil {
			t.Errorf("%s pushed", key)
		}
	}
	all, err := w.DescribeRepositories(ctx, &sdk.DescribeRepositoriesInput{})
	if err != nil || len(all.Repositories) != 2 {
		t.Error(all, err)
	}
}

// [D] Templates are listed in pages, changed member by member, and deleted.
func TestTemplates(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	create := &sdk.CreateRepositoryCreationTemplateInput{Prefix: aws.String("a"), AppliedFor: []types.RCTAppliedFor{"REPLICATION"}}
	if _, err := w.CreateRepositoryCreationTemplate(ctx, create); err != nil {
		t.Fatal(err)
	}
	_, err := w.CreateRepositoryCreationTemplate(ctx, create)
	wantError(t, err, "TemplateAlreadyExistsException", "'a'")
	_, err = w.CreateRepositoryCreationTemplate(ctx, &sdk.CreateRepositoryCreationTemplateInput{Prefix: aws.String("A"), AppliedFor: create.AppliedFor})
	wantError(t, err, "InvalidParameterException", "prefix")
	_, err = w.CreateRepositoryCreationTemplate(ctx, &sdk.CreateRepositoryCreationTemplateInput{Prefix: aws.String("b"), AppliedFor: []types.RCTAppliedFor{"NOTHING"}})
	wantError(t, err, "InvalidParameterException", "appliedFor")
	_, err = w.CreateRepositoryCreationTemplate(ctx, &sdk.CreateRepositoryCreationTemplateInput{Prefix: aws.String("b"), AppliedFor: create.AppliedFor, RepositoryPolicy: aws.String("{}")})
	wantError(t, err, "InvalidParameterException", "Invalid repository policy provided")
	up, err := w.UpdateRepositoryCreationTemplate(ctx, &sdk.UpdateRepositoryCreationTemplateInput{Prefix: aws.String("a"), Description: aws.String("new")})
	if err != nil || *up.RepositoryCreationTemplate.Description != "new" || fmt.Sprint(up.RepositoryCreationTemplate.AppliedFor) != "[REPLICATION]" {
		t.Error(up, err)
	}
	_, err = w.UpdateRepositoryCreationTemplate(ctx, &sdk.UpdateRepositoryCreationTemplateInput{Prefix: aws.String("nil")})
	wantError(t, err, "TemplateNotFoundException", "'nil'")
	for _, prefix := range []string{"b", "c"} {
		create.Prefix = aws.String(prefix)
		if _, err := w.CreateRepositoryCreationTemplate(ctx, create); err != nil {
			t.Fatal(err)
		}
	}
	n, pages := 0, sdk.NewDescribeRepositoryCreationTemplatesPaginator(w, &sdk.DescribeRepositoryCreationTemplatesInput{MaxResults: aws.Int32(2)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		n += len(page.RepositoryCreationTemplates)
	}
	some, err := w.DescribeRepositoryCreationTemplates(ctx, &sdk.DescribeRepositoryCreationTemplatesInput{Prefixes: []string{"a", "nil"}})
	if err != nil || n != 3 || len(some.RepositoryCreationTemplates) != 1 {
		t.Error(n, some, err)
	}
	if theirs, err := w.other.DescribeRepositoryCreationTemplates(ctx, nil); err != nil || len(theirs.RepositoryCreationTemplates) != 0 {
		t.Error(theirs, err)
	}
	gone, err := w.DeleteRepositoryCreationTemplate(ctx, &sdk.DeleteRepositoryCreationTemplateInput{Prefix: aws.String("a")})
	if err != nil || *gone.RepositoryCreationTemplate.Prefix != "a" {
		t.Error(gone, err)
	}
	_, err = w.DeleteRepositoryCreationTemplate(ctx, &sdk.DeleteRepositoryCreationTemplateInput{Prefix: aws.String("a")})
	wantError(t, err, "TemplateNotFoundException", "")
}

// [D] Settings of the registry; V1 of the policy's scope takes pulls out of a registry's policy.
func TestRegistrySettings(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	w.create(t, "web")
	w.push(t, "web:1", nil)
	got, err := w.GetAccountSetting(ctx, &sdk.GetAccountSettingInput{Name: aws.String("REGISTRY_POLICY_SCOPE")})
	if err != nil || *got.Value != "V2" {
		t.Fatal(got, err)
	}
	registry := strings.Replace(mayPull, `"Action"`, `"Resource":"*","Action"`, 1)
	if _, err := w.PutRegistryPolicy(ctx, &sdk.PutRegistryPolicyInput{PolicyText: &registry}); err != nil {
		t.Fatal(err)
	}
	if err := w.foreign(t, "other", "web:1"); err != nil {
		t.Error(err)
	}
	if put, err := w.PutAccountSetting(ctx, &sdk.PutAccountSettingInput{Name: aws.String("REGISTRY_POLICY_SCOPE"), Value: aws.String("V1")}); err != nil || *put.Value != "V1" {
		t.Fatal(put, err)
	}
	if err := w.foreign(t, "other", "web:1"); err == nil {
		t.Error("V1 lets others pull")
	}
	if got, err := w.GetAccountSetting(ctx, &sdk.GetAccountSettingInput{Name: aws.String("REGISTRY_POLICY_SCOPE")}); err != nil || *got.Value != "V1" {
		t.Error(got, err)
	}
	_, err = w.PutAccountSetting(ctx, &sdk.PutAccountSettingInput{Name: aws.String("REGISTRY_POLICY_SCOPE"), Value: aws.String("V3")})
	wantError(t, err, "InvalidParameterException", "value")
	_, err = w.GetAccountSetting(ctx, &sdk.GetAccountSettingInput{Name: aws.String("COLOUR")})
	wantError(t, err, "InvalidParameterException", "enum value set")
	d, err := w.DescribeRegistry(ctx, nil)
	if err != nil || *d.RegistryId != account || d.ReplicationConfiguration == nil || len(d.ReplicationConfiguration.Rules) != 0 {
		t.Error(d, err)
	}
}

// [D] Which repositories are scanned on push: by their own setting, or by a filter of the registry.
func TestScanningConfiguration(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	w.create(t, "prod/web", "dev/web", "own")
	if _, err := w.PutImageScanningConfiguration(ctx, &sdk.PutImageScanningConfigurationInput{RepositoryName: aws.String("own"),
		ImageScanningConfiguration: &types.ImageScanningConfiguration{ScanOnPush: true}}); err != nil {
		t.Fatal(err)
	}
	filters := func(texts ...string) (out []types.ScanningRepositoryFilter) {
		for _, f := range texts {
			out = append(out, types.ScanningRepositoryFilter{Filter: aws.String(f), FilterType: "WILDCARD"})
		}
		return out
	}
	rules := []types.RegistryScanningRule{{ScanFrequency: "SCAN_ON_PUSH", RepositoryFilters: filters("prod*", "rod")}}
	if put, err := w.PutRegistryScanningConfiguration(ctx, &sdk.PutRegistryScanningConfigurationInput{Rules: rules}); err != nil || put.RegistryScanningConfiguration.ScanType != "BASIC" {
		t.Fatal(put, err)
	}
	got, err := w.GetRegistryScanningConfiguration(ctx, nil)
	if err != nil || len(got.ScanningConfiguration.Rules) != 1 || len(got.ScanningConfiguration.Rules[0].RepositoryFilters) != 2 {
		t.Fatal(got, err)
	}
	batch, err := w.BatchGetRepositoryScanningConfiguration(ctx, &sdk.BatchGetRepositoryScanningConfigurationInput{RepositoryNames: []string{"prod/web", "dev/web", "own", "nil"}})
	if err != nil || len(batch.Failures) != 1 || batch.Failures[0].FailureCode != "REPOSITORY_NOT_FOUND" {
		t.Fatal(batch, err)
	}
	var said []string
	for _, c := range batch.ScanningConfigurations {
		said = append(said, fmt.Sprint(*c.RepositoryName, c.ScanOnPush, len(c.AppliedScanFilters), c.ScanFrequency))
	}
	if s := strings.Join(said, " "); s != "prod/webtrue 2SCAN_ON_PUSH dev/webfalse 0MANUAL owntrue 0SCAN_ON_PUSH" {
		t.Error(s)
	}
	for _, bad := range []*sdk.PutRegistryScanningConfigurationInput{
		{Rules: []types.RegistryScanningRule{{ScanFrequency: "CONTINUOUS_SCAN", RepositoryFilters: filters("*")}}},
		{Rules: []types.RegistryScanningRule{{ScanFrequency: "MANUAL", RepositoryFilters: filters("A")}}},
		{Rules: []types.RegistryScanningRule{{ScanFrequency: "MANUAL", RepositoryFilters: []types.ScanningRepositoryFilter{}}}},
		{ScanType: "DEEP"},
	} {
		_, err := w.PutRegistryScanningConfiguration(ctx, bad)
		wantError(t, err, "InvalidParameterException", "")
	}
	_, err = w.PutRegistryScanningConfiguration(ctx, &sdk.PutRegistryScanningConfigurationInput{ScanType: "ENHANCED"})
	wantError(t, err, "UnsupportedFeatureException", "")
}
