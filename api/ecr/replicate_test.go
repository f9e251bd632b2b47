package ecr_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/google/go-containerregistry/pkg/v1/random"
)

const elsewhere = "111111111111"

// destination is a registry to copy to.
func destination(account, region string) types.ReplicationDestination {
	return types.ReplicationDestination{RegistryId: &account, Region: &region}
}

func rule(prefix string, to ...types.ReplicationDestination) types.ReplicationRule {
	r := types.ReplicationRule{Destinations: to}
	if prefix != "" {
		r.RepositoryFilters = []types.RepositoryFilter{{Filter: &prefix, FilterType: types.RepositoryFilterTypePrefixMatch}}
	}
	return r
}

func replicates(t *testing.T, c *sdk.Client, rules ...types.ReplicationRule) error {
	t.Helper()
	if rules == nil {
		rules = []types.ReplicationRule{}
	}
	_, err := c.PutReplicationConfiguration(t.Context(), &sdk.PutReplicationConfigurationInput{ReplicationConfiguration: &types.ReplicationConfiguration{Rules: rules}})
	return err
}

// copies is what DescribeImageReplicationStatus says of an image: "ACCOUNT REGION STATUS CODE", ....
func (w *world) copies(t *testing.T, name, tag string) string {
	t.Helper()
	out, err := w.DescribeImageReplicationStatus(t.Context(), &sdk.DescribeImageReplicationStatusInput{RepositoryName: &name, ImageId: &types.ImageIdentifier{ImageTag: &tag}})
	if err != nil {
		t.Fatal(err)
	}
	text := ""
	for _, s := range out.ReplicationStatuses {
		text += fmt.Sprint(*s.RegistryId, " ", *s.Region, " ", s.Status, " ", aws.ToString(s.FailureCode), ",")
	}
	return text
}

// in says which tags a repository has, by a client.
func in(t *testing.T, c *sdk.Client, name string) map[string]string {
	t.Helper()
	out, err := c.ListImages(t.Context(), &sdk.ListImagesInput{RepositoryName: &name})
	if err != nil {
		t.Fatal(err)
	}
	tags := map[string]string{}
	for _, i := range out.ImageIds {
		tags[aws.ToString(i.ImageTag)] = *i.ImageDigest
	}
	return tags
}

// west is the client in another Region.
func (w *world) west() *sdk.Client {
	o := w.Options()
	o.Region = "eu-west-1"
	return sdk.New(o)
}

const lets = `{"Version":"2012-10-17","Statement":[{"Sid":"copies","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:root"},
 "Action":["ecr:ReplicateImage","ecr:CreateRepository"],"Resource":"arn:aws:ecr:us-east-1:111111111111:repository/*"}]}`

// [D] What is pushed goes to other Regions of the account, and to other accounts that let it: the same digest, by the same tags, in a
// repository that is made if need be. What was pushed before does not go, nor what no filter names; copies are not copied on.
func TestReplication(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	w.create(t, "prod/web", "test/web")
	w.push(t, "prod/web:0", nil)
	w.age(t)
	if err := replicates(t, w.Client, rule("prod/", destination(account, "eu-west-1"), destination(elsewhere, "us-east-1"))); err != nil {
		t.Fatal(err)
	}
	if err := replicates(t, w.other, rule("", destination(account, "eu-west-1"))); err != nil {
		t.Fatal(err)
	}
	if _, err := w.other.PutRegistryPolicy(ctx, &sdk.PutRegistryPolicyInput{PolicyText: aws.String(lets)}); err != nil {
		t.Fatal(err)
	}
	one := w.push(t, "prod/web:1", nil)
	w.push(t, "test/web:1", nil)
	if got := w.copies(t, "prod/web", "1"); got != "000000000000 eu-west-1 IN_PROGRESS ,111111111111 us-east-1 IN_PROGRESS ," {
		t.Errorf("before: %s", got)
	}
	w.api.Replicate(ctx)
	if got := w.copies(t, "prod/web", "1"); got != "000000000000 eu-west-1 COMPLETE ,111111111111 us-east-1 COMPLETE ," {
		t.Errorf("after: %s", got)
	}
	for _, c := range []*sdk.Client{w.west(), w.other} {
		if got := in(t, c, "prod/web"); len(got) != 1 || got["1"] != one {
			t.Errorf("tags %v, want 1 for %s", got, one)
		}
		if out, err := c.DescribeRepositories(ctx, nil); err != nil || len(out.Repositories) != 1 {
			t.Errorf("repositories: %v %v", out, err)
		}
	}
	for _, tag := range []string{"0"} {
		if got := w.copies(t, "prod/web", tag); got != "" {
			t.Errorf("%s: %s", tag, got)
		}
	}
	if got := w.copies(t, "test/web", "1"); got != "" {
		t.Errorf("of another prefix: %s", got)
	}
	for range 2 { // the other account would send on what is its own
		w.api.Replicate(ctx)
	}
	out, err := w.other.DescribeImageReplicationStatus(ctx, &sdk.DescribeImageReplicationStatusInput{RepositoryName: aws.String("prod/web"), ImageId: &types.ImageIdentifier{ImageTag: aws.String("1")}})
	if err != nil || len(out.ReplicationStatuses) != 0 {
		t.Errorf("a copy is copied on: %+v %v", out, err)
	}
	// An index, and another tag of what is there.
	index, err := random.Index(256, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	w.pushIndex(t, "prod/web:all", index)
	w.api.Replicate(ctx)
	want, _ := index.Digest()
	if got := in(t, w.other, "prod/web"); got["all"] != want.String() || got["1"] != one {
		t.Errorf("tags %v", got)
	}
	// What is deleted stays deleted here, and there where it is.
	if _, err := w.BatchDeleteImage(ctx, &sdk.BatchDeleteImageInput{RepositoryName: aws.String("prod/web"), ImageIds: []types.ImageIdentifier{{ImageDigest: &one}}}); err != nil {
		t.Fatal(err)
	}
	w.api.Replicate(ctx)
	if got := in(t, w.other, "prod/web"); got["1"] != one {
		t.Errorf("tags after a deletion: %v", got)
	}
}

// [D] Another account gets copies only as far as its registry's policy says. A push after that is copied.
func TestReplicationIsAllowedThere(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	w.create(t, "web")
	if err := replicates(t, w.Client, rule("", destination(elsewhere, "us-east-1"))); err != nil {
		t.Fatal(err)
	}
	w.push(t, "web:1", nil)
	w.api.Replicate(ctx)
	if got := w.copies(t, "web", "1"); got != "111111111111 us-east-1 FAILED AccessDeniedException," {
		t.Errorf("without a policy: %s", got)
	}
	if out, err := w.other.DescribeRepositories(ctx, nil); err != nil || len(out.Repositories) != 0 {
		t.Errorf("repositories: %v %v", out, err)
	}
	const noNew = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:root"},"Action":"ecr:ReplicateImage","Resource":"*"}]}`
	if _, err := w.other.PutRegistryPolicy(ctx, &sdk.PutRegistryPolicyInput{PolicyText: aws.String(noNew)}); err != nil {
		t.Fatal(err)
	}
	two := w.push(t, "web:2", nil)
	w.api.Replicate(ctx)
	if got := w.copies(t, "web", "2"); got != "111111111111 us-east-1 FAILED AccessDeniedException," {
		t.Errorf("where none may be made: %s", got)
	}
	if _, err := w.other.CreateRepository(ctx, &sdk.CreateRepositoryInput{RepositoryName: web}); err != nil {
		t.Fatal(err)
	}
	w.push(t, "web:3", nil)
	w.api.Replicate(ctx)
	if got := in(t, w.other, "web"); len(got) != 1 || got["3"] == "" || got["3"] == two {
		t.Errorf("tags %v", got)
	}
}

// A push is copied by the leader at once, and a copy is made as the template says.
func TestReplicationFollowsAPush(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.api.Run(ctx) }()
	defer func() { cancel(); <-done }()
	w.create(t, "web")
	_, err := w.west().CreateRepositoryCreationTemplate(ctx, &sdk.CreateRepositoryCreationTemplateInput{
		Prefix: aws.String("ROOT"), AppliedFor: []types.RCTAppliedFor{types.RCTAppliedForReplication}, ImageTagMutability: types.ImageTagMutabilityImmutable})
	if err != nil {
		t.Fatal(err)
	}
	if err := replicates(t, w.Client, rule("", destination(account, "eu-west-1"))); err != nil {
		t.Fatal(err)
	}
	_, cursor := w.db.Watch()
	one := w.push(t, "web:1", nil)
	for w.copies(t, "web", "1") != "000000000000 eu-west-1 COMPLETE ," {
		if _, err := cursor.Next(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if got := in(t, w.west(), "web"); got["1"] != one {
		t.Errorf("tags %v", got)
	}
	out, err := w.west().DescribeRepositories(ctx, nil)
	if err != nil || out.Repositories[0].ImageTagMutability != types.ImageTagMutabilityImmutable {
		t.Errorf("%+v %v", out, err)
	}
}

// [D] What a configuration may say; DescribeRegistry shows it, and an empty one ends it.
func TestReplicationConfiguration(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	var many []types.ReplicationDestination
	for i := range 26 {
		many = append(many, destination(fmt.Sprintf("2222222222%02d", i), "us-east-1"))
	}
	for text, rules := range map[string][]types.ReplicationRule{
		"Region 'mars-1' is not valid":    {rule("", destination(account, "mars-1"))},
		"must not be the registry itself": {rule("", destination(account, "us-east-1"))},
		"'[0-9]{12}'":                     {rule("", destination("1", "us-east-1"))},
		"greater than or equal to 2":      {rule("x", destination(elsewhere, "us-east-1"))},
		"regular expression '^":           {rule("UPPER", destination(elsewhere, "us-east-1"))},
		"less than or equal to 10":        make([]types.ReplicationRule, 11),
		"25 unique destinations":          {rule("", many...)},
		"enum value set: [PREFIX_MATCH]":  {{RepositoryFilters: []types.RepositoryFilter{{Filter: aws.String("web"), FilterType: "SUFFIX"}}}},
	} {
		for i := range rules {
			if rules[i].Destinations == nil {
				rules[i].Destinations = []types.ReplicationDestination{}
			}
		}
		wantError(t, replicates(t, w.Client, rules...), "InvalidParameterException", text)
	}
	if err := replicates(t, w.Client, rule("prod", destination(elsewhere, "us-east-1"))); err != nil {
		t.Fatal(err)
	}
	out, err := w.DescribeRegistry(ctx, nil)
	if err != nil || len(out.ReplicationConfiguration.Rules) != 1 {
		t.Fatal(out, err)
	}
	if r := out.ReplicationConfiguration.Rules[0]; *r.Destinations[0].RegistryId != elsewhere || *r.Destinations[0].Region != "us-east-1" || *r.RepositoryFilters[0].Filter != "prod" {
		t.Errorf("%+v", r)
	}
	if err := replicates(t, w.Client); err != nil {
		t.Fatal(err)
	}
	if out, err := w.DescribeRegistry(ctx, nil); err != nil || len(out.ReplicationConfiguration.Rules) != 0 {
		t.Error(out, err)
	}
	w.create(t, "web")
	_, err = w.DescribeImageReplicationStatus(ctx, &sdk.DescribeImageReplicationStatusInput{RepositoryName: web, ImageId: &types.ImageIdentifier{ImageTag: aws.String("1")}})
	wantError(t, err, "ImageNotFoundException", "")
}
