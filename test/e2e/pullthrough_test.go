//go:build e2e

package e2e_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// TestPullThroughCache: a task whose image is another registry's runs by a rule, which makes the repository and logs in with a secret; and
// runs again when that registry is gone.
func TestPullThroughCache(t *testing.T) {
	t.Parallel()
	up := NewServer(t)
	up.BuildImage("sailed:1")
	e := NewServer(t, "--upstream-registry", "harbour.example="+up.URL)
	e.CreateCluster("default")
	e.StartAgent()
	who := credentials.NewStaticCredentialsProvider(key, e.secret, "")
	login := fmt.Sprintf(`{"username":%q,"accessToken":%q}`, key, up.secret)
	made, err := secretsmanager.New(secretsmanager.Options{Region: region, BaseEndpoint: &e.URL, Credentials: who}).CreateSecret(t.Context(),
		&secretsmanager.CreateSecretInput{Name: aws.String("ecr-pullthroughcache/harbour"), SecretString: &login})
	must(t, err)
	own := ecr.New(ecr.Options{Region: region, BaseEndpoint: &e.URL, HTTPClient: e.http, Credentials: who})
	_, err = own.CreatePullThroughCacheRule(t.Context(), &ecr.CreatePullThroughCacheRuleInput{
		EcrRepositoryPrefix: aws.String("harbour"), UpstreamRegistryUrl: aws.String("harbour.example"), CredentialArn: made.ARN})
	must(t, err)
	valid, err := own.ValidatePullThroughCacheRule(t.Context(), &ecr.ValidatePullThroughCacheRuleInput{EcrRepositoryPrefix: aws.String("harbour")})
	if err != nil || !valid.IsValid {
		t.Fatalf("%+v %v", valid, err)
	}

	_, host, _ := strings.Cut(e.URL, "://")
	run := func(tag string) (string, *int32) {
		c := e.container("c", "exit=7")
		c.Image = aws.String(host + "/harbour/sailed:" + tag)
		task := e.AwaitStatus(e.RunTask(e.Define("sailed", ecs.RegisterTaskDefinitionInput{}, c)), "STOPPED")
		if tag == "1" && (task.Containers[0].ExitCode == nil || *task.Containers[0].ExitCode != 7) {
			t.Errorf("%s", story(&task))
		}
		return aws.ToString(task.Containers[0].Reason) + aws.ToString(task.Containers[0].ImageDigest), task.Containers[0].ExitCode
	}
	digest, _ := run("1")
	images, err := own.DescribeImages(t.Context(), &ecr.DescribeImagesInput{RepositoryName: aws.String("harbour/sailed")})
	must(t, err)
	if len(images.ImageDetails) != 1 || aws.ToString(images.ImageDetails[0].ImageDigest) != digest || images.ImageDetails[0].LastRecordedPullTime == nil {
		t.Errorf("ran %s, the cache has %+v", digest, images.ImageDetails)
	}
	up.end(up.Server, 15*time.Second)
	if again, _ := run("1"); again != digest {
		t.Errorf("without the registry that it came from: %s", again)
	}
	if reason, code := run("2"); code != nil || !strings.Contains(reason, "CannotPullContainerError") {
		t.Errorf("an image that was never here: %s", reason)
	}
}
