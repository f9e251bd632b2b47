package ecr_test

import (
	"strconv"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	ggcr "github.com/google/go-containerregistry/pkg/v1/types"
)

// [D] ListImageReferrers lists what is about an image, page by page, and by kind.
func TestListImageReferrers(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	w.create(t, "web")
	img := randomImage(t)
	digest := w.push(t, "web:1", img)
	desc, err := partial.Descriptor(img)
	if err != nil {
		t.Fatal(err)
	}
	for i, kind := range []string{"a/signature", "a/signature", "a/list"} {
		artifact := mutate.ConfigMediaType(mutate.MediaType(empty.Image, ggcr.OCIManifestSchema1), ggcr.MediaType(kind))
		annotated, _ := mutate.Annotations(artifact, map[string]string{"n": strconv.Itoa(i)}).(v1.Image)
		about, _ := mutate.Subject(annotated, *desc).(v1.Image)
		w.push(t, "web:about"+strconv.Itoa(i), about)
	}
	list := func(change func(*sdk.ListImageReferrersInput)) (*sdk.ListImageReferrersOutput, error) {
		in := &sdk.ListImageReferrersInput{RepositoryName: web, SubjectId: &types.SubjectIdentifier{ImageDigest: &digest}}
		change(in)
		return w.ListImageReferrers(ctx, in)
	}
	seen := map[string]bool{}
	for token, pages := (*string)(nil), 0; ; pages++ {
		out, err := list(func(in *sdk.ListImageReferrersInput) { in.MaxResults, in.NextToken = aws.Int32(2), token })
		if err != nil || pages > 1 {
			t.Fatal(pages, err)
		}
		for _, r := range out.Referrers {
			seen[r.Annotations["n"]] = *r.ArtifactType != "" && *r.Size > 0 && r.ArtifactStatus == types.ArtifactStatusActive
		}
		if token = out.NextToken; token == nil {
			break
		}
	}
	if len(seen) != 3 || !seen["0"] || !seen["1"] || !seen["2"] {
		t.Errorf("seen %v", seen)
	}
	out, err := list(func(in *sdk.ListImageReferrersInput) {
		in.Filter = &types.ListImageReferrersFilter{ArtifactTypes: []string{"a/list"}}
	})
	if err != nil || len(out.Referrers) != 1 || *out.Referrers[0].ArtifactType != "a/list" {
		t.Errorf("%+v %v", out, err)
	}
	_, err = list(func(in *sdk.ListImageReferrersInput) { in.MaxResults = aws.Int32(51) })
	wantError(t, err, "InvalidParameterException", "maxResults")
	_, err = list(func(in *sdk.ListImageReferrersInput) { in.RepositoryName = aws.String("none") })
	wantError(t, err, "RepositoryNotFoundException", "none")
	_, err = list(func(in *sdk.ListImageReferrersInput) { in.SubjectId.ImageDigest = aws.String("x") })
	wantError(t, err, "InvalidParameterException", "subjectId.imageDigest")
}
