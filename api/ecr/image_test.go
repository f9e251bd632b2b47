package ecr_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

var web = aws.String("web")

func byTag(tag string) types.ImageIdentifier { return types.ImageIdentifier{ImageTag: aws.String(tag)} }

func byDigest(d string) types.ImageIdentifier {
	return types.ImageIdentifier{ImageDigest: aws.String(d)}
}

// [D] What docker pushes, ListImages and DescribeImages show.
func TestImages(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	w.create(t, "web")
	img := randomImage(t)
	one := w.push(t, "web:v1", img)
	w.push(t, "web:latest", img)
	w.push(t, "web:v2", nil)
	two := w.push(t, "web:old", nil)
	w.push(t, "web:old", nil) // two loses its only tag
	m, _ := img.Manifest()

	d, err := w.DescribeImages(ctx, &sdk.DescribeImagesInput{RepositoryName: web, ImageIds: []types.ImageIdentifier{byTag("v1"), byDigest(one)}})
	if err != nil || len(d.ImageDetails) != 1 {
		t.Fatal(d, err)
	}
	got := d.ImageDetails[0]
	if *got.ImageDigest != one || fmt.Sprint(got.ImageTags) != "[latest v1]" || !recent(got.ImagePushedAt) || *got.RepositoryName != "web" ||
		*got.ImageSizeInBytes != m.Config.Size+m.Layers[0].Size+m.Layers[1].Size || *got.ImageManifestMediaType != string(m.MediaType) ||
		*got.ArtifactMediaType != string(m.Config.MediaType) || got.ImageStatus != "ACTIVE" {
		t.Errorf("%+v", got)
	}
	for status, want := range map[types.TagStatus]int{"": 5, "ANY": 5, "TAGGED": 4, "UNTAGGED": 1} {
		n, pages := 0, sdk.NewListImagesPaginator(w, &sdk.ListImagesInput{RepositoryName: web, MaxResults: aws.Int32(2),
			Filter: &types.ListImagesFilter{TagStatus: status}})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				t.Fatal(err)
			}
			n += len(page.ImageIds)
		}
		if n != want {
			t.Errorf("%s: %d", status, n)
		}
	}
	d, err = w.DescribeImages(ctx, &sdk.DescribeImagesInput{RepositoryName: web, Filter: &types.DescribeImagesFilter{TagStatus: "UNTAGGED"}})
	if err != nil || len(d.ImageDetails) != 1 || *d.ImageDetails[0].ImageDigest != two || len(d.ImageDetails[0].ImageTags) != 0 {
		t.Error(d, err)
	}
	_, err = w.DescribeImages(ctx, &sdk.DescribeImagesInput{RepositoryName: web, ImageIds: []types.ImageIdentifier{byTag("nil")}})
	wantError(t, err, "ImageNotFoundException", "The image with imageId {imageDigest:'null', imageTag:'nil'} does not exist within "+
		"the repository with name 'web' in the registry with id '000000000000'")
	_, err = w.ListImages(ctx, &sdk.ListImagesInput{RepositoryName: aws.String("nil")})
	wantError(t, err, "RepositoryNotFoundException", "")
}

// [D] BatchGetImage answers manifests and failures; PutImage retags.
func TestGetAndPutImage(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	w.create(t, "web")
	digest := w.push(t, "web:v1", nil)
	out, err := w.node.BatchGetImage(ctx, &sdk.BatchGetImageInput{RepositoryName: web, ImageIds: []types.ImageIdentifier{
		byTag("v1"), byDigest(digest), byTag("nil"), {}, byDigest("x")}})
	if err != nil || len(out.Images) != 2 || len(out.Failures) != 3 {
		t.Fatal(out, err)
	}
	codes := ""
	for _, f := range out.Failures {
		codes += string(f.FailureCode) + " "
	}
	if codes != "ImageNotFound MissingDigestAndTag InvalidImageDigest " || *out.Failures[0].FailureReason != "Requested image not found" {
		t.Error(codes)
	}
	got := out.Images[0]
	if *got.ImageId.ImageDigest != digest || *got.ImageId.ImageTag != "v1" || fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(*got.ImageManifest))) != digest {
		t.Errorf("%+v", got)
	}
	put := &sdk.PutImageInput{RepositoryName: web, ImageManifest: got.ImageManifest, ImageTag: aws.String("stable"), ImageDigest: aws.String(digest)}
	p, err := w.PutImage(ctx, put)
	if err != nil || *p.Image.ImageId.ImageTag != "stable" || *p.Image.ImageId.ImageDigest != digest {
		t.Fatal(p, err)
	}
	_, err = w.PutImage(ctx, put)
	wantError(t, err, "ImageAlreadyExistsException", "Image with digest '"+digest+"' and tag 'stable' already exists in the repository with name 'web' in registry with id '000000000000'")
	put.ImageDigest = aws.String("sha256:00")
	_, err = w.PutImage(ctx, put)
	wantError(t, err, "ImageDigestDoesNotMatchException", "")
	w.push(t, "web:v2", nil)
	if _, err := w.PutImageTagMutability(ctx, &sdk.PutImageTagMutabilityInput{RepositoryName: web, ImageTagMutability: "IMMUTABLE"}); err != nil {
		t.Fatal(err)
	}
	_, err = w.PutImage(ctx, &sdk.PutImageInput{RepositoryName: web, ImageManifest: got.ImageManifest, ImageTag: aws.String("v2")})
	wantError(t, err, "ImageTagAlreadyExistsException", "The image tag 'v2' already exists in the 'web' repository and cannot be overwritten")
}

// [D] Deleting: by tag, the last of which takes the image; by digest; not what an index needs, unless with it.
func TestBatchDeleteImage(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	w.create(t, "web")
	img := randomImage(t)
	one := w.push(t, "web:v1", img)
	w.push(t, "web:v2", img)
	del := func(ids ...types.ImageIdentifier) string {
		t.Helper()
		out, err := w.BatchDeleteImage(ctx, &sdk.BatchDeleteImageInput{RepositoryName: web, ImageIds: ids})
		if err != nil {
			t.Fatal(err)
		}
		text := ""
		for _, id := range out.ImageIds {
			text += "-" + aws.ToString(id.ImageTag) + " "
		}
		for _, f := range out.Failures {
			text += string(f.FailureCode) + " "
		}
		return text
	}
	count := func() int {
		t.Helper()
		d, err := w.DescribeImages(ctx, &sdk.DescribeImagesInput{RepositoryName: web})
		if err != nil {
			t.Fatal(err)
		}
		return len(d.ImageDetails)
	}
	index := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: img})
	ref, _ := name.ParseReference(w.host + "/web:all")
	if err := remote.WriteIndex(ref, index, remote.WithAuth(&authn.Basic{Username: "test", Password: "secret"})); err != nil {
		t.Fatal(err)
	}
	h, _ := index.Digest()
	wrong := types.ImageIdentifier{ImageDigest: aws.String(h.String()), ImageTag: aws.String("v1")}
	for _, c := range []struct {
		ids  []types.ImageIdentifier
		want string
		left int
	}{
		{[]types.ImageIdentifier{byTag("nil"), {}, byDigest("x"), wrong}, "ImageNotFound MissingDigestAndTag InvalidImageDigest ImageTagDoesNotMatchDigest ", 2},
		{[]types.ImageIdentifier{byDigest(one)}, "ImageReferencedByManifestList ", 2},
		{[]types.ImageIdentifier{byTag("v1")}, "-v1 ", 2},
		{[]types.ImageIdentifier{byTag("v2")}, "-v2 ", 2}, // the last tag, but the index needs the image
		{[]types.ImageIdentifier{byDigest(one), byTag("all")}, "-all - ", 0},
	} {
		if got := del(c.ids...); got != c.want || count() != c.left {
			t.Errorf("%v: %s, %d left", c.ids, got, count())
		}
	}
	w.push(t, "web:v1", img)
	w.push(t, "web:v2", img)
	if got := del(byDigest(one)); got != "-v1 -v2 " || count() != 0 {
		t.Error(got)
	}
	w.push(t, "web:v1", img)
	if got := del(byTag("v1")); got != "-v1 " || count() != 0 {
		t.Error(got)
	}
}

// [D] Layers: availability, download by URL without credentials, upload in parts, then an image of them.
func TestLayers(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	w.create(t, "web")
	upload := func(content string) string {
		t.Helper()
		up, err := w.InitiateLayerUpload(ctx, &sdk.InitiateLayerUploadInput{RepositoryName: web})
		if err != nil {
			t.Fatal(err)
		}
		half := len(content) / 2
		for _, p := range [][2]int{{0, half}, {half, len(content)}} {
			out, err := w.UploadLayerPart(ctx, &sdk.UploadLayerPartInput{RepositoryName: web, UploadId: up.UploadId,
				PartFirstByte: aws.Int64(int64(p[0])), PartLastByte: aws.Int64(int64(p[1] - 1)), LayerPartBlob: []byte(content[p[0]:p[1]])})
			if err != nil || *out.LastByteReceived != int64(p[1]-1) {
				t.Fatal(out, err)
			}
		}
		digest := fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(content)))
		if _, err := w.CompleteLayerUpload(ctx, &sdk.CompleteLayerUploadInput{RepositoryName: web, UploadId: up.UploadId, LayerDigests: []string{digest}}); err != nil {
			t.Fatal(err)
		}
		_, err = w.CompleteLayerUpload(ctx, &sdk.CompleteLayerUploadInput{RepositoryName: web, UploadId: up.UploadId, LayerDigests: []string{digest}})
		wantError(t, err, "UploadNotFoundException", "")
		return digest
	}
	layer, config := upload("a layer, more or less"), upload("{}")
	missing := "sha256:" + strings.Repeat("0", 64)
	check, err := w.node.BatchCheckLayerAvailability(ctx, &sdk.BatchCheckLayerAvailabilityInput{RepositoryName: web, LayerDigests: []string{layer, missing, "x"}})
	if err != nil || len(check.Layers) != 2 || check.Layers[0].LayerAvailability != "AVAILABLE" || *check.Layers[0].LayerSize != 21 ||
		check.Layers[1].LayerAvailability != "UNAVAILABLE" || len(check.Failures) != 1 || check.Failures[0].FailureCode != "InvalidLayerDigest" {
		t.Errorf("%+v %v", check, err)
	}
	u, err := w.node.GetDownloadUrlForLayer(ctx, &sdk.GetDownloadUrlForLayerInput{RepositoryName: web, LayerDigest: aws.String(layer)})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Get(*u.DownloadUrl)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); err != nil || !bytes.Equal(b, []byte("a layer, more or less")) {
		t.Errorf("%s %v", b, err)
	}
	_, err = w.GetDownloadUrlForLayer(ctx, &sdk.GetDownloadUrlForLayerInput{RepositoryName: web, LayerDigest: aws.String(missing)})
	wantError(t, err, "LayersNotFoundException", missing)

	manifest := fmt.Sprintf(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",`+
		`"config":{"mediaType":"application/vnd.oci.image.config.v1+json","size":2,"digest":"%s"},`+
		`"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","size":21,"digest":"%s"}]}`, config, layer)
	if _, err := w.PutImage(ctx, &sdk.PutImageInput{RepositoryName: web, ImageManifest: aws.String(manifest), ImageTag: aws.String("made")}); err != nil {
		t.Fatal(err)
	}
	_, err = w.PutImage(ctx, &sdk.PutImageInput{RepositoryName: web, ImageManifest: aws.String(strings.Replace(manifest, layer, missing, 1)), ImageTag: aws.String("x")})
	wantError(t, err, "LayersNotFoundException", missing)
	ref, _ := name.ParseReference(w.host + "/web:made")
	if d, err := remote.Head(ref, remote.WithAuth(&authn.Basic{Username: "test", Password: "secret"})); err != nil || d.Size != int64(len(manifest)) {
		t.Error(d, err)
	}
}
