package ecr_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

const (
	// keepTwo is written with spaces and out of order; as ECR shows it, rules go by priority without them [O].
	keepTwo = `{"rules": [
 {"rulePriority": 5, "selection": {"tagStatus": "tagged", "tagPrefixList": ["v"], "countType": "imageCountMoreThan", "countNumber": 2}, "action": {"type": "expire"}},
 {"rulePriority": 1, "selection": {"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 7}, "action": {"type": "expire"}}]}`
	keepTwoShown = `{"rules":[{"rulePriority":1,"selection":{"tagStatus":"untagged","countType":"sinceImagePushed","countUnit":"days","countNumber":7},"action":{"type":"expire"}},` +
		`{"rulePriority":5,"selection":{"tagStatus":"tagged","tagPrefixList":["v"],"countType":"imageCountMoreThan","countNumber":2},"action":{"type":"expire"}}]}`
)

func (w *world) tags(t *testing.T, repository string) string {
	t.Helper()
	out, err := w.DescribeImages(t.Context(), &sdk.DescribeImagesInput{RepositoryName: &repository})
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, d := range out.ImageDetails {
		all = append(all, fmt.Sprint(d.ImageTags))
	}
	return strings.Join(all, " ")
}

// [D] A policy is stored, shown in its normal form, deleted; what has none answers LifecyclePolicyNotFoundException.
func TestLifecyclePolicy(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	w.create(t, "web")
	_, err := w.GetLifecyclePolicy(ctx, &sdk.GetLifecyclePolicyInput{RepositoryName: web})
	wantError(t, err, "LifecyclePolicyNotFoundException", "Lifecycle policy does not exist for the repository with name 'web' in the registry with id '000000000000'")
	put, err := w.PutLifecyclePolicy(ctx, &sdk.PutLifecyclePolicyInput{RepositoryName: web, LifecyclePolicyText: aws.String(keepTwo)})
	if err != nil || *put.LifecyclePolicyText != keepTwoShown || *put.RegistryId != account {
		t.Fatal(put, err)
	}
	w.api.Expire(ctx)
	got, err := w.GetLifecyclePolicy(ctx, &sdk.GetLifecyclePolicyInput{RepositoryName: web})
	if err != nil || *got.LifecyclePolicyText != keepTwoShown || !recent(got.LastEvaluatedAt) {
		t.Fatal(got, err)
	}
	_, err = w.PutLifecyclePolicy(ctx, &sdk.PutLifecyclePolicyInput{RepositoryName: web, LifecyclePolicyText: aws.String(strings.Replace(keepTwo, `"tagPrefixList": ["v"],`, "", 1))})
	wantError(t, err, "InvalidParameterException", "Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: "+
		"'Lifecycle policy validation failure: Must specify tagPrefixList or tagPatternList when tagStatus=TAGGED.'")
	_, err = w.PutLifecyclePolicy(ctx, &sdk.PutLifecyclePolicyInput{RepositoryName: web, LifecyclePolicyText: aws.String("{}")})
	wantError(t, err, "InvalidParameterException", "Member must have length greater than or equal to 100")
	_, err = w.other.PutLifecyclePolicy(ctx, &sdk.PutLifecyclePolicyInput{RepositoryName: web, LifecyclePolicyText: aws.String(keepTwo)})
	wantError(t, err, "RepositoryNotFoundException", "")
	gone, err := w.DeleteLifecyclePolicy(ctx, &sdk.DeleteLifecyclePolicyInput{RepositoryName: web})
	if err != nil || *gone.LifecyclePolicyText != keepTwoShown || !recent(gone.LastEvaluatedAt) {
		t.Fatal(gone, err)
	}
	_, err = w.DeleteLifecyclePolicy(ctx, &sdk.DeleteLifecyclePolicyInput{RepositoryName: web})
	wantError(t, err, "LifecyclePolicyNotFoundException", "")
}

// [D] What a preview shows is what then goes; an image of an index stays with it; nothing is judged before it is due again.
func TestLifecycleIsPerformed(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	w.create(t, "web", "other")
	for _, tag := range []string{"v1", "v2", "v3", "latest"} {
		w.push(t, "web:"+tag, nil)
		w.push(t, "other:"+tag, nil)
	}
	bare := w.push(t, "web:moved", nil)
	w.push(t, "web:moved", nil) // takes the tag away
	part := randomImage(t)
	w.pushIndex(t, "web:all", mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: part}))

	_, err := w.GetLifecyclePolicyPreview(ctx, &sdk.GetLifecyclePolicyPreviewInput{RepositoryName: web})
	wantError(t, err, "LifecyclePolicyPreviewNotFoundException", "")
	_, err = w.StartLifecyclePolicyPreview(ctx, &sdk.StartLifecyclePolicyPreviewInput{RepositoryName: web})
	wantError(t, err, "LifecyclePolicyNotFoundException", "")

	later := time.Now().Add(8 * 24 * time.Hour)
	w.now = func() time.Time { return later }
	started, err := w.StartLifecyclePolicyPreview(ctx, &sdk.StartLifecyclePolicyPreviewInput{RepositoryName: web, LifecyclePolicyText: aws.String(keepTwo)})
	if err != nil || started.Status != "IN_PROGRESS" {
		t.Fatal(started, err)
	}
	preview, err := w.GetLifecyclePolicyPreview(ctx, &sdk.GetLifecyclePolicyPreviewInput{RepositoryName: web})
	if err != nil || preview.Status != "COMPLETE" || *preview.Summary.ExpiringImageTotalCount != 2 || len(preview.PreviewResults) != 2 {
		t.Fatal(preview, err)
	}
	one, err := w.GetLifecyclePolicyPreview(ctx, &sdk.GetLifecyclePolicyPreviewInput{RepositoryName: web, ImageIds: []types.ImageIdentifier{byDigest(bare)}})
	if err != nil || len(one.PreviewResults) != 1 {
		t.Fatal(one, err)
	}
	if r := one.PreviewResults[0]; r.Action.Type != "EXPIRE" || *r.AppliedRulePriority != 1 || *r.ImageDigest != bare || !recent(r.ImagePushedAt) {
		t.Errorf("%+v", r)
	}
	tagged, err := w.GetLifecyclePolicyPreview(ctx, &sdk.GetLifecyclePolicyPreviewInput{RepositoryName: web, Filter: &types.LifecyclePolicyPreviewFilter{TagStatus: "TAGGED"}})
	if err != nil || len(tagged.PreviewResults) != 1 || fmt.Sprint(tagged.PreviewResults[0].ImageTags) != "[v1]" || *tagged.PreviewResults[0].AppliedRulePriority != 5 {
		t.Fatal(tagged, err)
	}

	if _, err := w.PutLifecyclePolicy(ctx, &sdk.PutLifecyclePolicyInput{RepositoryName: web, LifecyclePolicyText: aws.String(keepTwo)}); err != nil {
		t.Fatal(err)
	}
	w.api.Expire(ctx)
	if got := w.tags(t, "web"); strings.Contains(got, "v1") || !strings.Contains(got, "v2") || !strings.Contains(got, "all") || strings.Count(got, "[]") != 1 {
		t.Errorf("web has %s", got) // the one without a tag is the index's
	}
	if got := w.tags(t, "other"); !strings.Contains(got, "v1") {
		t.Errorf("other has %s", got)
	}
	w.push(t, "web:v4", nil)
	w.api.Expire(ctx)
	if got := w.tags(t, "web"); !strings.Contains(got, "v2") {
		t.Errorf("before it is due, web has %s", got)
	}
	later = later.Add(time.Hour)
	w.api.Expire(ctx)
	if got := w.tags(t, "web"); strings.Contains(got, "v2") || !strings.Contains(got, "v4") {
		t.Errorf("when it is due, web has %s", got)
	}
}

// [D] Filters make some tags an exception, through docker's protocol as through the API.
func TestExclusionFilters(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	filters := func(texts ...string) (out []types.ImageTagMutabilityExclusionFilter) {
		for _, f := range texts {
			out = append(out, types.ImageTagMutabilityExclusionFilter{Filter: aws.String(f), FilterType: "WILDCARD"})
		}
		return out
	}
	made, err := w.CreateRepository(ctx, &sdk.CreateRepositoryInput{RepositoryName: web, ImageTagMutability: "IMMUTABLE_WITH_EXCLUSION", ImageTagMutabilityExclusionFilters: filters("latest", "dev-*")})
	if err != nil || made.Repository.ImageTagMutability != "IMMUTABLE_WITH_EXCLUSION" || len(made.Repository.ImageTagMutabilityExclusionFilters) != 2 {
		t.Fatal(made, err)
	}
	try := func(tag string, final bool) {
		t.Helper()
		w.push(t, "web:"+tag, nil)
		err := w.tryPush(t, "web:"+tag, nil)
		if final != (err != nil) || final && !strings.Contains(err.Error(), "The image tag '"+tag+"' already exists in the 'web' repository and cannot be overwritten because the tag is immutable.") {
			t.Errorf("docker push again of %s: %v", tag, err)
		}
		w.push(t, "web:from", randomImage(t))
		m, err := w.BatchGetImage(ctx, &sdk.BatchGetImageInput{RepositoryName: web, ImageIds: []types.ImageIdentifier{byTag("from")}})
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.PutImage(ctx, &sdk.PutImageInput{RepositoryName: web, ImageManifest: m.Images[0].ImageManifest, ImageTag: &tag})
		if final {
			wantError(t, err, "ImageTagAlreadyExistsException", "The image tag '"+tag+"' already exists in the 'web' repository")
		} else if err != nil {
			t.Errorf("PutImage again of %s: %v", tag, err)
		}
		if _, err := w.BatchDeleteImage(ctx, &sdk.BatchDeleteImageInput{RepositoryName: web, ImageIds: []types.ImageIdentifier{byTag("from")}}); err != nil {
			t.Fatal(err)
		}
	}
	try("v1", true)
	try("latest", false)
	try("dev-7", false)
	put, err := w.PutImageTagMutability(ctx, &sdk.PutImageTagMutabilityInput{RepositoryName: web, ImageTagMutability: "MUTABLE_WITH_EXCLUSION", ImageTagMutabilityExclusionFilters: filters("r*")})
	if err != nil || put.ImageTagMutability != "MUTABLE_WITH_EXCLUSION" || *put.ImageTagMutabilityExclusionFilters[0].Filter != "r*" {
		t.Fatal(put, err)
	}
	try("r1", true)
	try("v2", false)
	for _, c := range []struct {
		kind    types.ImageTagMutability
		filters []types.ImageTagMutabilityExclusionFilter
		want    string
	}{
		{"IMMUTABLE_WITH_EXCLUSION", nil, "must not be empty"},
		{"IMMUTABLE", filters("a"), "must be empty"},
		{"MUTABLE_WITH_EXCLUSION", filters("a", "b", "c", "d", "e", "f"), "Member must have length less than or equal to 5"},
		{"MUTABLE_WITH_EXCLUSION", filters("a*b*c*"), "at most 2 wildcards"},
		{"MUTABLE_WITH_EXCLUSION", filters("a/b"), "must satisfy regular expression"},
		{"SOMETIMES", nil, "Member must satisfy enum value set"},
	} {
		_, err := w.PutImageTagMutability(ctx, &sdk.PutImageTagMutabilityInput{RepositoryName: web, ImageTagMutability: c.kind, ImageTagMutabilityExclusionFilters: c.filters})
		wantError(t, err, "InvalidParameterException", c.want)
	}
}
