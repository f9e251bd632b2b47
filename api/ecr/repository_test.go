package ecr_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
)

// [D] A repository is created, described, deleted; the refusals are worded as ECR's [O].
func TestRepositoryLife(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	out, err := w.CreateRepository(ctx, &sdk.CreateRepositoryInput{
		RepositoryName: aws.String("team/web"), ImageTagMutability: types.ImageTagMutabilityImmutable,
		ImageScanningConfiguration: &types.ImageScanningConfiguration{ScanOnPush: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	r := out.Repository
	if *r.RepositoryArn != "arn:aws:ecr:us-east-1:000000000000:repository/team/web" || *r.RegistryId != account ||
		*r.RepositoryUri != w.host+"/team/web" || *r.RepositoryName != "team/web" || !recent(r.CreatedAt) ||
		r.ImageTagMutability != "IMMUTABLE" || !r.ImageScanningConfiguration.ScanOnPush || r.EncryptionConfiguration.EncryptionType != "AES256" {
		t.Errorf("%+v", r)
	}
	_, err = w.CreateRepository(ctx, &sdk.CreateRepositoryInput{RepositoryName: aws.String("team/web")})
	wantError(t, err, "RepositoryAlreadyExistsException", "The repository with name 'team/web' already exists in the registry with id '000000000000'")
	_, err = w.DescribeRepositories(ctx, &sdk.DescribeRepositoriesInput{RepositoryNames: []string{"team/web", "nil"}})
	wantError(t, err, "RepositoryNotFoundException", "The repository with name 'nil' does not exist in the registry with id '000000000000'")
	_, err = w.DescribeRepositories(ctx, &sdk.DescribeRepositoriesInput{RepositoryNames: []string{"team/web"}, RegistryId: aws.String("999999999999")})
	wantError(t, err, "AccessDeniedException", "because no resource-based policy allows the ecr:DescribeRepositories action")
	for _, bad := range []string{"Web", "a", "a//b", "-a", "a/", strings.Repeat("a", 257)} {
		_, err = w.CreateRepository(ctx, &sdk.CreateRepositoryInput{RepositoryName: aws.String(bad)})
		wantError(t, err, "InvalidParameterException", "Invalid parameter at 'repositoryName' failed to satisfy constraint: '")
	}
	_, err = w.CreateRepository(ctx, &sdk.CreateRepositoryInput{RepositoryName: aws.String("a_B")})
	wantError(t, err, "InvalidParameterException", "'must satisfy regular expression '(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*''")
	_, err = w.CreateRepository(ctx, &sdk.CreateRepositoryInput{RepositoryName: aws.String("aa"), ImageTagMutability: "SOMETIMES"})
	wantError(t, err, "InvalidParameterException", "imageTagMutability")
	_, err = w.CreateRepository(ctx, &sdk.CreateRepositoryInput{RepositoryName: aws.String("aa"), RegistryId: aws.String("999999999999")})
	wantError(t, err, "AccessDeniedException", "ecr:CreateRepository")

	w.push(t, "team/web:v1", nil)
	_, err = w.DeleteRepository(ctx, &sdk.DeleteRepositoryInput{RepositoryName: aws.String("team/web")})
	wantError(t, err, "RepositoryNotEmptyException", "The repository with name 'team/web' in registry with id '000000000000' cannot be deleted because it still contains images")
	if _, err = w.DeleteRepository(ctx, &sdk.DeleteRepositoryInput{RepositoryName: aws.String("team/web"), Force: true}); err != nil {
		t.Fatal(err)
	}
	_, err = w.DeleteRepository(ctx, &sdk.DeleteRepositoryInput{RepositoryName: aws.String("team/web")})
	wantError(t, err, "RepositoryNotFoundException", "")
	w.create(t, "team/web") // anew, and empty
	list, err := w.ListImages(ctx, &sdk.ListImagesInput{RepositoryName: aws.String("team/web")})
	if err != nil || len(list.ImageIds) != 0 {
		t.Error(list, err)
	}
}

// [D] Listings come in pages; an account sees its own repositories only.
func TestDescribeRepositoriesPages(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	var want, got []string
	for i := range 7 {
		want = append(want, fmt.Sprintf("repo-%d", i))
	}
	w.create(t, want...)
	pages := sdk.NewDescribeRepositoriesPaginator(w, &sdk.DescribeRepositoriesInput{MaxResults: aws.Int32(3)})
	n := 0
	for ; pages.HasMorePages(); n++ {
		page, err := pages.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Repositories {
			got = append(got, *r.RepositoryName)
		}
	}
	if n != 3 || !slices.Equal(got, want) {
		t.Errorf("%d pages: %v", n, got)
	}
	first, err := w.DescribeRepositories(ctx, &sdk.DescribeRepositoriesInput{MaxResults: aws.Int32(3)})
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.other.DescribeRepositories(ctx, &sdk.DescribeRepositoriesInput{NextToken: first.NextToken})
	wantError(t, err, "InvalidParameterException", "Invalid token.")
	for _, most := range []int32{0, 1001} {
		_, err = w.DescribeRepositories(ctx, &sdk.DescribeRepositoriesInput{MaxResults: aws.Int32(most)})
		wantError(t, err, "InvalidParameterException", "maxResults")
	}
	_, err = w.DescribeRepositories(ctx, &sdk.DescribeRepositoriesInput{MaxResults: aws.Int32(3), RepositoryNames: []string{"repo-1"}})
	wantError(t, err, "InvalidParameterException", "repositoryNames")

	theirs, err := w.other.DescribeRepositories(ctx, &sdk.DescribeRepositoriesInput{})
	if err != nil || len(theirs.Repositories) != 0 {
		t.Error(theirs, err)
	}
	_, err = w.other.DescribeRepositories(ctx, &sdk.DescribeRepositoriesInput{RepositoryNames: []string{"repo-1"}})
	wantError(t, err, "RepositoryNotFoundException", "in the registry with id '111111111111'")
	_, err = w.other.ListTagsForResource(ctx, &sdk.ListTagsForResourceInput{ResourceArn: aws.String("arn:aws:ecr:us-east-1:000000000000:repository/repo-1")})
	wantError(t, err, "AccessDeniedException", "because no resource-based policy allows the ecr:ListTagsForResource action")
}

// [D] Tags are merged, removed and listed in the user's order.
func TestTags(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	tags := func(kv ...string) (out []types.Tag) {
		for i := 0; i < len(kv); i += 2 {
			out = append(out, types.Tag{Key: aws.String(kv[i]), Value: aws.String(kv[i+1])})
		}
		return out
	}
	out, err := w.CreateRepository(ctx, &sdk.CreateRepositoryInput{RepositoryName: aws.String("web"), Tags: tags("b", "1", "a", "2")})
	if err != nil {
		t.Fatal(err)
	}
	arn := out.Repository.RepositoryArn
	if _, err := w.TagResource(ctx, &sdk.TagResourceInput{ResourceArn: arn, Tags: tags("b", "3", "c", "")}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.UntagResource(ctx, &sdk.UntagResourceInput{ResourceArn: arn, TagKeys: []string{"a", "zzz"}}); err != nil {
		t.Fatal(err)
	}
	list, err := w.ListTagsForResource(ctx, &sdk.ListTagsForResourceInput{ResourceArn: arn})
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, tag := range list.Tags {
		got += *tag.Key + "=" + *tag.Value + " "
	}
	if got != "b=3 c= " {
		t.Error(got)
	}
	_, err = w.TagResource(ctx, &sdk.TagResourceInput{ResourceArn: arn, Tags: tags("aws:x", "1")})
	wantError(t, err, "InvalidTagParameterException", "aws:")
	_, err = w.TagResource(ctx, &sdk.TagResourceInput{ResourceArn: arn, Tags: tags("x", "1", "x", "2")})
	wantError(t, err, "InvalidTagParameterException", "Duplicate")
	var many []string
	for i := range 49 {
		many = append(many, fmt.Sprint("k", i), "")
	}
	_, err = w.TagResource(ctx, &sdk.TagResourceInput{ResourceArn: arn, Tags: tags(many...)})
	wantError(t, err, "TooManyTagsException", "50")
	for _, bad := range []string{"web", "arn:aws:ecs:us-east-1:000000000000:cluster/web", "arn:aws:ecr:us-east-1:000000000000:web"} {
		_, err = w.ListTagsForResource(ctx, &sdk.ListTagsForResourceInput{ResourceArn: aws.String(bad)})
		wantError(t, err, "InvalidParameterException", "Invalid ARN")
	}
	_, err = w.ListTagsForResource(ctx, &sdk.ListTagsForResourceInput{ResourceArn: aws.String(*arn + "x")})
	wantError(t, err, "RepositoryNotFoundException", "'webx'")
}

// [D] Settings of a repository can be changed.
func TestSettings(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	w.create(t, "web")
	w.push(t, "web:v1", nil)
	m, err := w.PutImageTagMutability(ctx, &sdk.PutImageTagMutabilityInput{RepositoryName: aws.String("web"), ImageTagMutability: "IMMUTABLE"})
	if err != nil || m.ImageTagMutability != "IMMUTABLE" || *m.RegistryId != account {
		t.Error(m, err)
	}
	s, err := w.PutImageScanningConfiguration(ctx, &sdk.PutImageScanningConfigurationInput{RepositoryName: aws.String("web"),
		ImageScanningConfiguration: &types.ImageScanningConfiguration{ScanOnPush: true}})
	if err != nil || !s.ImageScanningConfiguration.ScanOnPush {
		t.Error(s, err)
	}
	d, err := w.DescribeRepositories(ctx, &sdk.DescribeRepositoriesInput{})
	if err != nil || len(d.Repositories) != 1 || d.Repositories[0].ImageTagMutability != "IMMUTABLE" || !d.Repositories[0].ImageScanningConfiguration.ScanOnPush {
		t.Error(d, err)
	}
	_, err = w.PutImageTagMutability(ctx, &sdk.PutImageTagMutabilityInput{RepositoryName: aws.String("nil"), ImageTagMutability: "MUTABLE"})
	wantError(t, err, "RepositoryNotFoundException", "")
}

// [D] The token of GetAuthorizationToken is a docker login, AWS:PASSWORD, good for twelve hours. Nodes get one.
func TestAuthorizationToken(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	for _, c := range []*sdk.Client{w.Client, w.node} {
		out, err := c.GetAuthorizationToken(ctx, &sdk.GetAuthorizationTokenInput{})
		if err != nil {
			t.Fatal(err)
		}
		d := out.AuthorizationData[0]
		b, err := base64.StdEncoding.DecodeString(*d.AuthorizationToken)
		user, password, _ := strings.Cut(string(b), ":")
		if life := time.Until(*d.ExpiresAt); err != nil || user != "AWS" || *d.ProxyEndpoint != w.url || life < 11*time.Hour || life > 12*time.Hour {
			t.Errorf("%s %v %+v", b, err, d)
		}
		r, _ := http.NewRequest("GET", *d.ProxyEndpoint+"/v2/", nil)
		r.SetBasicAuth(user, password)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 200 {
			t.Error(resp.Status)
		}
	}
	_, err := w.node.CreateRepository(ctx, &sdk.CreateRepositoryInput{RepositoryName: aws.String("web")})
	wantError(t, err, "AccessDeniedException", "is not authorized to perform: ecr:CreateRepository")
}
