package ecr_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

const mayPull = `{"Version":"2012-10-17","Statement":[{"Sid":"other pulls","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:root"},
 "Action":["ecr:BatchGetImage","ecr:GetDownloadUrlForLayer","ecr:BatchCheckLayerAvailability"]}]}`

// [D] Policies of repositories and registries are stored as they are written, and deleted.
func TestPolicies(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	w.create(t, "web")
	_, err := w.GetRepositoryPolicy(ctx, &sdk.GetRepositoryPolicyInput{RepositoryName: web})
	wantError(t, err, "RepositoryPolicyNotFoundException", "Repository policy does not exist for the repository with name 'web' in the registry with id '000000000000'")
	_, err = w.SetRepositoryPolicy(ctx, &sdk.SetRepositoryPolicyInput{RepositoryName: web, PolicyText: aws.String(`{"Statement":[{"Effect":"Allow","Action":"ecr:*"}]}`)})
	wantError(t, err, "InvalidParameterException", "Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Invalid repository policy provided'")
	set, err := w.SetRepositoryPolicy(ctx, &sdk.SetRepositoryPolicyInput{RepositoryName: web, PolicyText: aws.String(mayPull)})
	if err != nil || *set.PolicyText != mayPull || *set.RegistryId != account {
		t.Fatal(set, err)
	}
	if got, err := w.GetRepositoryPolicy(ctx, &sdk.GetRepositoryPolicyInput{RepositoryName: web}); err != nil || *got.PolicyText != mayPull {
		t.Error(got, err)
	}
	if gone, err := w.DeleteRepositoryPolicy(ctx, &sdk.DeleteRepositoryPolicyInput{RepositoryName: web}); err != nil || *gone.PolicyText != mayPull {
		t.Error(gone, err)
	}
	_, err = w.DeleteRepositoryPolicy(ctx, &sdk.DeleteRepositoryPolicyInput{RepositoryName: web})
	wantError(t, err, "RepositoryPolicyNotFoundException", "")

	const deny = `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"ecr:*"}}`
	_, err = w.SetRepositoryPolicy(ctx, &sdk.SetRepositoryPolicyInput{RepositoryName: web, PolicyText: aws.String(deny)})
	wantError(t, err, "InvalidParameterException", "force")
	if _, err = w.SetRepositoryPolicy(ctx, &sdk.SetRepositoryPolicyInput{RepositoryName: web, PolicyText: aws.String(deny), Force: true}); err != nil {
		t.Fatal(err)
	}
	_, err = w.ListImages(ctx, &sdk.ListImagesInput{RepositoryName: web})
	wantError(t, err, "AccessDeniedException", "with an explicit deny in a resource-based policy")

	_, err = w.GetRegistryPolicy(ctx, nil)
	wantError(t, err, "RegistryPolicyNotFoundException", "Registry policy does not exist in the registry with id '000000000000'")
	registry := strings.Replace(mayPull, `"Action"`, `"Resource":"arn:aws:ecr:us-east-1:000000000000:repository/shared/*","Action"`, 1)
	if put, err := w.PutRegistryPolicy(ctx, &sdk.PutRegistryPolicyInput{PolicyText: aws.String(registry)}); err != nil || *put.PolicyText != registry {
		t.Fatal(put, err)
	}
	if got, err := w.GetRegistryPolicy(ctx, nil); err != nil || *got.PolicyText != registry || *got.RegistryId != account {
		t.Error(got, err)
	}
	_, err = w.other.GetRegistryPolicy(ctx, nil)
	wantError(t, err, "RegistryPolicyNotFoundException", "111111111111")
	if gone, err := w.DeleteRegistryPolicy(ctx, nil); err != nil || *gone.PolicyText != registry {
		t.Error(gone, err)
	}
	_, err = w.DeleteRegistryPolicy(ctx, nil)
	wantError(t, err, "RegistryPolicyNotFoundException", "")
	_, err = w.PutRegistryPolicy(ctx, &sdk.PutRegistryPolicyInput{PolicyText: aws.String("{")})
	wantError(t, err, "InvalidParameterException", "'Invalid registry policy provided'")
}

// ecrHost sends what is for a registry of ECR's name to ours.
type ecrHost struct{ host string }

func (e ecrHost) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Host, r.URL.Host, r.URL.Scheme = r.URL.Host, e.host, "http"
	return http.DefaultTransport.RoundTrip(r)
}

// foreign pulls, as docker does, an image of this account with the key of another.
func (w *world) foreign(t *testing.T, key, ref string) error {
	t.Helper()
	r, err := name.ParseReference(account + ".dkr.ecr.us-east-1.amazonaws.com/" + ref)
	if err != nil {
		t.Fatal(err)
	}
	img, err := remote.Image(r, remote.WithTransport(ecrHost{w.host}), remote.WithAuth(&authn.Basic{Username: key, Password: "secret"}))
	if err != nil {
		return err
	}
	layers, err := img.Layers()
	if err != nil {
		return err
	}
	for _, l := range layers {
		body, err := l.Compressed()
		if err != nil {
			return err
		}
		body.Close()
	}
	return nil
}

// [D] MISSION 92, 93: another account pulls while a policy lets it, through docker's protocol and through the API, and never pushes.
func TestCrossAccount(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	w.create(t, "web", "shared/base", "private")
	for _, repository := range []string{"web", "shared/base", "private"} {
		w.push(t, repository+":1", nil)
	}
	ids := []types.ImageIdentifier{byTag("1")}
	get := func(repository string) error {
		_, err := w.other.BatchGetImage(ctx, &sdk.BatchGetImageInput{RegistryId: aws.String(account), RepositoryName: &repository, ImageIds: ids})
		return err
	}
	const refused = "is not authorized to perform: ecr:BatchGetImage on resource: arn:aws:ecr:us-east-1:000000000000:repository/web because no resource-based policy allows the ecr:BatchGetImage action"
	mayNot := func() {
		t.Helper()
		wantError(t, get("web"), "AccessDeniedException", "User: arn:aws:iam::111111111111:root "+refused)
		for _, key := range []string{"other", "guest"} {
			if err := w.foreign(t, key, "web:1"); err == nil || !strings.Contains(err.Error(), refused) {
				t.Errorf("%s pulls: %v", key, err)
			}
		}
	}
	mayNot()
	if _, err := w.SetRepositoryPolicy(ctx, &sdk.SetRepositoryPolicyInput{RepositoryName: web, PolicyText: aws.String(mayPull)}); err != nil {
		t.Fatal(err)
	}
	if err := get("web"); err != nil {
		t.Error(err)
	}
	for _, key := range []string{"other", "guest"} { // guest is a node of the other account
		if err := w.foreign(t, key, "web:1"); err != nil {
			t.Errorf("%s: %v", key, err)
		}
	}
	if err := w.foreign(t, "other", "private:1"); err == nil {
		t.Error("what has no policy was pulled")
	}
	layers, err := w.other.BatchGetImage(ctx, &sdk.BatchGetImageInput{RegistryId: aws.String(account), RepositoryName: web, ImageIds: ids})
	if err != nil {
		t.Fatal(err)
	}
	layer := firstLayer(t, *layers.Images[0].ImageManifest)
	url, err := w.other.GetDownloadUrlForLayer(ctx, &sdk.GetDownloadUrlForLayerInput{RegistryId: aws.String(account), RepositoryName: web, LayerDigest: &layer})
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := http.Get(*url.DownloadUrl); err != nil || resp.StatusCode != http.StatusOK {
		t.Error("the layer's URL:", resp, err)
	}
	// Not more than it says.
	_, err = w.other.PutImage(ctx, &sdk.PutImageInput{RegistryId: aws.String(account), RepositoryName: web, ImageManifest: layers.Images[0].ImageManifest, ImageTag: aws.String("2")})
	wantError(t, err, "AccessDeniedException", "ecr:PutImage")
	_, err = w.other.InitiateLayerUpload(ctx, &sdk.InitiateLayerUploadInput{RegistryId: aws.String(account), RepositoryName: web})
	wantError(t, err, "AccessDeniedException", "ecr:InitiateLayerUpload")
	_, err = w.other.DescribeRepositories(ctx, &sdk.DescribeRepositoriesInput{RegistryId: aws.String(account)})
	wantError(t, err, "AccessDeniedException", "ecr:DescribeRepositories")

	if _, err := w.DeleteRepositoryPolicy(ctx, &sdk.DeleteRepositoryPolicyInput{RepositoryName: web}); err != nil {
		t.Fatal(err)
	}
	mayNot()

	// The registry's policy says it for many repositories.
	registry := strings.Replace(mayPull, `"Action"`, `"Resource":"arn:aws:ecr:us-east-1:000000000000:repository/shared/*","Action"`, 1)
	if _, err := w.PutRegistryPolicy(ctx, &sdk.PutRegistryPolicyInput{PolicyText: aws.String(registry)}); err != nil {
		t.Fatal(err)
	}
	if err := w.foreign(t, "other", "shared/base:1"); err != nil {
		t.Error(err)
	}
	mayNot()
}
