package ecr_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

func (w *world) class(t *testing.T, tag string, to types.TargetStorageClass) (types.ImageStatus, error) {
	t.Helper()
	out, err := w.UpdateImageStorageClass(t.Context(), &sdk.UpdateImageStorageClassInput{
		RepositoryName: web, ImageId: &types.ImageIdentifier{ImageTag: &tag}, TargetStorageClass: to})
	if err != nil {
		return "", err
	}
	return out.ImageStatus, nil
}

func (w *world) read(t *testing.T, ref string) error {
	t.Helper()
	_, err := remote.Get(w.reference(t, ref), remote.WithAuth(&authn.Basic{Username: "test", Password: "secret"}))
	return err
}

// listed are the tags of the images with a status.
func (w *world) listed(t *testing.T, status types.ImageStatusFilter) string {
	t.Helper()
	out, err := w.ListImages(t.Context(), &sdk.ListImagesInput{RepositoryName: web, Filter: &types.ListImagesFilter{ImageStatus: status}})
	if err != nil {
		t.Fatal(err)
	}
	details, err := w.DescribeImages(t.Context(), &sdk.DescribeImagesInput{RepositoryName: web, Filter: &types.DescribeImagesFilter{ImageStatus: status}})
	if err != nil {
		t.Fatal(err)
	}
	var tags, described []string
	for _, id := range out.ImageIds {
		tags = append(tags, *id.ImageTag)
	}
	for _, d := range details.ImageDetails {
		described = append(described, d.ImageTags...)
	}
	if fmt.Sprint(tags) != fmt.Sprint(described) {
		t.Errorf("%s: listed %v, described %v", status, tags, described)
	}
	return fmt.Sprint(tags)
}

// [D] An archived image is not pulled, and listed for whoever asks for such; it is restored by a call, or by being pushed again.
func TestArchive(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	w.create(t, "web")
	img := randomImage(t)
	digest := w.push(t, "web:old", img)
	if got, err := w.class(t, "old", types.TargetStorageClassArchive); got != types.ImageStatusArchived || err != nil {
		t.Fatal(got, err)
	}
	_, err := w.class(t, "old", types.TargetStorageClassArchive)
	wantError(t, err, "ImageStorageClassUpdateNotSupportedException", "The requested image storage class update is not supported.")
	_, err = w.class(t, "none", types.TargetStorageClassArchive)
	wantError(t, err, "ImageNotFoundException", "")
	_, err = w.class(t, "old", "GLACIER")
	wantError(t, err, "InvalidParameterException", "[STANDARD, ARCHIVE]")
	for _, ref := range []string{"web:old", "web@" + digest} {
		if err := w.read(t, ref); err == nil {
			t.Errorf("%s was pulled", ref)
		}
	}
	got, err := w.BatchGetImage(ctx, &sdk.BatchGetImageInput{RepositoryName: web, ImageIds: []types.ImageIdentifier{{ImageTag: aws.String("old")}}})
	if err != nil || len(got.Images) != 0 || len(got.Failures) != 1 || got.Failures[0].FailureCode != types.ImageFailureCodeImageInaccessible {
		t.Errorf("%+v %v", got, err)
	}
	_, err = w.StartImageScan(ctx, &sdk.StartImageScanInput{RepositoryName: web, ImageId: &types.ImageIdentifier{ImageTag: aws.String("old")}})
	wantError(t, err, "ImageArchivedException", "")
	if a, b, c := w.listed(t, ""), w.listed(t, types.ImageStatusFilterArchived), w.listed(t, types.ImageStatusFilterAny); a != "[]" || b != "[old]" || c != "[old]" {
		t.Error(a, b, c)
	}
	d, err := w.DescribeImages(ctx, &sdk.DescribeImagesInput{RepositoryName: web, ImageIds: []types.ImageIdentifier{{ImageTag: aws.String("old")}}})
	if err != nil || len(d.ImageDetails) != 1 || d.ImageDetails[0].ImageStatus != types.ImageStatusArchived || !recent(d.ImageDetails[0].LastArchivedAt) {
		t.Fatalf("%+v %v", d, err)
	}

	if got, err := w.class(t, "old", types.TargetStorageClassStandard); got != types.ImageStatusActive || err != nil {
		t.Fatal(got, err)
	}
	if err := w.read(t, "web:old"); err != nil {
		t.Error(err)
	}
}

// [D] Pushing an archived image again restores it, by docker's protocol and by PutImage.
func TestPushRestores(t *testing.T) {
	for name, again := range map[string]func(w *world, img v1.Image){
		"docker": func(w *world, img v1.Image) { w.push(t, "web:old", img) },
		"PutImage": func(w *world, img v1.Image) {
			text, err := img.RawManifest()
			if err != nil {
				t.Fatal(err)
			}
			in := &sdk.PutImageInput{RepositoryName: web, ImageTag: aws.String("old"), ImageManifest: aws.String(string(text))}
			if _, err := w.PutImage(t.Context(), in); err != nil {
				t.Error(err)
			}
			_, err = w.PutImage(t.Context(), in)
			wantError(t, err, "ImageAlreadyExistsException", "")
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, img := newWorld(t), randomImage(t)
			w.create(t, "web")
			w.push(t, "web:old", img)
			w.age(t)
			w.now = func() time.Time { return time.Now().Add(-time.Minute) }
			if _, err := w.class(t, "old", types.TargetStorageClassArchive); err != nil {
				t.Fatal(err)
			}
			if err := w.read(t, "web:old"); err == nil {
				t.Fatal("it is not archived")
			}
			w.now = time.Now
			if again(w, img); w.read(t, "web:old") != nil {
				t.Error("it is archived still")
			}
		})
	}
}

// [I] An image of an index stays with it, in the archive too.
func TestArchivedIndex(t *testing.T) {
	w := newWorld(t)
	w.create(t, "web")
	part := randomImage(t)
	w.push(t, "web:part", part)
	w.pushIndex(t, "web:all", mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: part}))
	_, err := w.class(t, "part", types.TargetStorageClassArchive)
	wantError(t, err, "ImageStorageClassUpdateNotSupportedException", "")
	for _, tag := range []string{"all", "part"} {
		if _, err := w.class(t, tag, types.TargetStorageClassArchive); err != nil {
			t.Errorf("%s: %v", tag, err)
		}
	}
}

// [D] A policy archives what was not pulled, and lets go what rests for long; a preview shows both.
func TestLifecycleArchives(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	w.create(t, "web")
	w.push(t, "web:idle", nil)
	w.push(t, "web:busy", nil)
	const policy = `{"rules":[
 {"rulePriority":1,"selection":{"tagStatus":"any","countType":"sinceImagePulled","countUnit":"days","countNumber":30},"action":{"type":"transition","targetStorageClass":"archive"}},
 {"rulePriority":2,"selection":{"tagStatus":"any","storageClass":"archive","countType":"sinceImageTransitioned","countUnit":"days","countNumber":90},"action":{"type":"expire"}}]}`
	if _, err := w.PutLifecyclePolicy(ctx, &sdk.PutLifecyclePolicyInput{RepositoryName: web, LifecyclePolicyText: aws.String(policy)}); err != nil {
		t.Fatal(err)
	}
	day := 24 * time.Hour
	at := func(days time.Duration) { w.now = func() time.Time { return time.Now().Add(days * day) } }
	at(20)
	if err := w.read(t, "web:busy"); err != nil {
		t.Fatal(err)
	}
	at(31)
	if _, err := w.StartLifecyclePolicyPreview(ctx, &sdk.StartLifecyclePolicyPreviewInput{RepositoryName: web}); err != nil {
		t.Fatal(err)
	}
	preview, err := w.GetLifecyclePolicyPreview(ctx, &sdk.GetLifecyclePolicyPreviewInput{RepositoryName: web})
	if err != nil || len(preview.PreviewResults) != 1 || preview.PreviewResults[0].Action.Type != types.ImageActionTypeTransition ||
		*preview.Summary.ExpiringImageTotalCount != 0 || *preview.Summary.TransitioningImageTotalCounts[0].ImageTotalCount != 1 {
		t.Fatalf("%+v %v", preview, err)
	}
	w.api.Expire(ctx)
	if a, b := w.listed(t, types.ImageStatusFilterArchived), w.listed(t, ""); a != "[idle]" || b != "[busy]" {
		t.Fatal(a, b)
	}
	at(49)
	if err := w.read(t, "web:busy"); err != nil {
		t.Fatal(err)
	}
	at(31 + 89)
	w.api.Expire(ctx)
	if got := w.listed(t, types.ImageStatusFilterArchived); got != "[busy idle]" && got != "[idle busy]" {
		t.Errorf("after 89 days: %s", got)
	}
	at(31 + 91)
	w.api.Expire(ctx)
	if got := w.listed(t, types.ImageStatusFilterArchived); got != "[busy]" {
		t.Errorf("after 91 days: %s", got)
	}
}
