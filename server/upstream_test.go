package server_test

import (
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	ecrsdk "github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/roadstead/roadstead/server"
)

// One control plane has images from another by a pull through cache, with a login out of Secrets Manager; who pulls needs the right to
// fetch, by the API as by docker's protocol.
func TestPullThroughAnotherControlPlane(t *testing.T) {
	t.Parallel()
	up, _ := open(t, server.Config{})
	ecr(t, up, "CreateRepository", map[string]any{"repositoryName": "web"})
	digest := push(t, up, "web:1")

	s, _ := open(t, server.Config{Upstreams: map[string]string{"harbour.example": up.URL()}})
	root := as(s, "root", "secret", "")
	rule := &ecrsdk.CreatePullThroughCacheRuleInput{EcrRepositoryPrefix: aws.String("hub"), UpstreamRegistryUrl: aws.String("harbour.example"),
		CredentialArn: aws.String("arn:aws:secretsmanager:us-east-1:000000000000:secret:ecr-pullthroughcache/none-a1b2c3")}
	_, err := root.ecr.CreatePullThroughCacheRule(t.Context(), rule)
	refused(t, err, "SecretNotFoundException", "The ARN of the secret specified in the pull through cache rule was not found.")
	login, err := root.sec.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{
		Name: aws.String("ecr-pullthroughcache/harbour"), SecretString: aws.String(`{"username":"root","accessToken":"secret"}`)})
	ok(t, err)
	rule.CredentialArn = login.ARN
	_, err = root.ecr.CreatePullThroughCacheRule(t.Context(), rule)
	ok(t, err)
	valid, err := root.ecr.ValidatePullThroughCacheRule(t.Context(), &ecrsdk.ValidatePullThroughCacheRuleInput{EcrRepositoryPrefix: aws.String("hub")})
	ok(t, err)
	if !valid.IsValid {
		t.Errorf("the login is not valid: %s", aws.ToString(valid.Failure))
	}

	const pulls = "ecr:BatchGetImage ecr:GetDownloadUrlForLayer ecr:BatchCheckLayerAvailability ecr:CreateRepository"
	ann := user(t, s, root, "ann", document(statement("Allow", pulls, "*", "")))
	ben := user(t, s, root, "ben", document(statement("Allow", pulls+" ecr:BatchImportUpstreamImage", "arn:aws:ecr:us-east-1:000000000000:repository/hub/*", "")))
	get := func(who somebody) error {
		out, err := who.ecr.BatchGetImage(t.Context(), &ecrsdk.BatchGetImageInput{RepositoryName: aws.String("hub/web"), ImageIds: []ecrtypes.ImageIdentifier{{ImageTag: aws.String("1")}}})
		if err == nil && (len(out.Images) != 1 || *out.Images[0].ImageId.ImageDigest != digest.String()) {
			t.Errorf("%+v, want %s", out, digest)
		}
		return err
	}
	refused(t, get(ann), "RepositoryNotFoundException", "hub/web")
	ok(t, get(ben))
	ok(t, get(ann))
	if got, err := pull(t, s, "hub/web:1"); err != nil || got != digest {
		t.Errorf("docker pulls %s, %v; want %s", got, err, digest)
	}
}

// An account's images go to another one that lets them in by its registry's policy, and not otherwise.
func TestReplicationToAnotherAccount(t *testing.T) {
	t.Parallel()
	s, _ := open(t, server.Config{})
	var key madeKey
	ok(t, dial(t, s, "root", "secret").Do(t.Context(), http.MethodPost, "/roadstead/v1/accounts", map[string]string{"account": blue}, &key))
	root, theirs := as(s, "root", "secret", ""), as(s, key.AccessKeyID, key.SecretAccessKey, "")
	_, err := root.ecr.PutReplicationConfiguration(t.Context(), &ecrsdk.PutReplicationConfigurationInput{ReplicationConfiguration: &ecrtypes.ReplicationConfiguration{
		Rules: []ecrtypes.ReplicationRule{{Destinations: []ecrtypes.ReplicationDestination{{Region: aws.String("us-east-1"), RegistryId: aws.String(blue)}}}}}})
	ok(t, err)
	ecr(t, s, "CreateRepository", map[string]any{"repositoryName": "web"})
	_, cursor := s.DB().Watch()
	await := func(tag string) ecrtypes.ReplicationStatus {
		t.Helper()
		for {
			out, err := root.ecr.DescribeImageReplicationStatus(t.Context(), &ecrsdk.DescribeImageReplicationStatusInput{
				RepositoryName: aws.String("web"), ImageId: &ecrtypes.ImageIdentifier{ImageTag: &tag}})
			ok(t, err)
			if len(out.ReplicationStatuses) != 1 {
				t.Fatalf("%+v", out)
			}
			if is := out.ReplicationStatuses[0].Status; is != ecrtypes.ReplicationStatusInProgress {
				return is
			}
			_, err = cursor.Next(t.Context())
			ok(t, err)
		}
	}
	push(t, s, "web:1")
	if got := await("1"); got != ecrtypes.ReplicationStatusFailed {
		t.Errorf("without a policy: %s", got)
	}
	_, err = theirs.ecr.PutRegistryPolicy(t.Context(), &ecrsdk.PutRegistryPolicyInput{PolicyText: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow",
		"Principal":{"AWS":"arn:aws:iam::000000000000:root"},"Action":["ecr:CreateRepository","ecr:ReplicateImage"],"Resource":"arn:aws:ecr:us-east-1:` + blue + `:repository/*"}]}`)})
	ok(t, err)
	want := push(t, s, "web:2").String()
	if got := await("2"); got != ecrtypes.ReplicationStatusComplete {
		t.Errorf("with a policy: %s", got)
	}
	out, err := theirs.ecr.ListImages(t.Context(), &ecrsdk.ListImagesInput{RepositoryName: aws.String("web")})
	ok(t, err)
	if len(out.ImageIds) != 1 || *out.ImageIds[0].ImageDigest != want || *out.ImageIds[0].ImageTag != "2" {
		t.Errorf("there are %+v, want %s", out.ImageIds, want)
	}
}
