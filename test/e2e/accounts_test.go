//go:build e2e

package e2e_test

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/smithy-go"
)

// blue is a second account.
const blue = "111122223333"

// tenant is an account of the environment that is not the operator's, with a node of its own.
type tenant struct {
	*Env
	id, secret string // root access key
	ECR        *ecr.Client
	IAM        *iam.Client
}

// newTenant makes the account blue, and starts a node that works for it.
func (e *Env) newTenant(flags ...string) *tenant {
	e.t.Helper()
	said := e.CLI("account", "create", blue, "--name", "Blue")
	mine := *e
	b := &tenant{Env: &mine}
	for line := range strings.Lines(said) {
		switch name, value, _ := strings.Cut(strings.TrimSpace(line), "="); name {
		case "AWS_ACCESS_KEY_ID":
			b.id = value
		case "AWS_SECRET_ACCESS_KEY":
			b.secret = value
		}
	}
	who := credentials.NewStaticCredentialsProvider(b.id, b.secret, "")
	mine.ECS = ecs.New(ecs.Options{Region: region, BaseEndpoint: &e.URL, Retryer: aws.NopRetryer{}, HTTPClient: e.http, Credentials: who})
	b.ECR = ecr.New(ecr.Options{Region: region, BaseEndpoint: &e.URL, Retryer: aws.NopRetryer{}, HTTPClient: e.http, Credentials: who})
	b.IAM = iam.New(iam.Options{Region: region, BaseEndpoint: &e.URL, Retryer: aws.NopRetryer{}, HTTPClient: e.http, Credentials: who})
	b.CreateCluster("default")
	b.StartAgent(append([]string{"--token", e.CLI("token", "create", "--account", blue)}, flags...)...)
	e.Agent, e.Node = b.Agent, b.Node
	return b
}

// run runs the image, pulled with a role unless it is "", and returns the task when it has stopped.
func (b *tenant) run(image, role string) types.Task {
	b.t.Helper()
	c := b.container("c", "exit=7")
	c.Image = &image
	var in ecs.RegisterTaskDefinitionInput
	if role != "" {
		in.ExecutionRoleArn = &role
	}
	return b.AwaitStatus(b.RunTask(b.Define("foreign", in, c)), "STOPPED")
}

// executionRole makes a role of the account that tasks are started with, and that may do what a policy says.
func (b *tenant) executionRole(name, document string) string {
	b.t.Helper()
	const trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
	out, err := b.IAM.CreateRole(b.t.Context(), &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: aws.String(trust)})
	must(b.t, err)
	_, err = b.IAM.PutRolePolicy(b.t.Context(), &iam.PutRolePolicyInput{RoleName: &name, PolicyName: &name, PolicyDocument: &document})
	must(b.t, err)
	return *out.Role.Arn
}

// TestSharedRepository: tasks of an account run another account's image as far and as long as the repository's policy lets them; they
// push nothing, the owner reads who has pulled, and nothing is stored twice (MISSION rows 92, 93).
func TestSharedRepository(t *testing.T) {
	t.Parallel()
	e := NewServer(t)
	b := e.newTenant("--image-pull", "always")
	e.BuildImage("shared:1")
	own := ecr.New(ecr.Options{Region: region, BaseEndpoint: &e.URL, HTTPClient: e.http, Credentials: credentials.NewStaticCredentialsProvider(key, e.secret, "")})
	const host = "000000000000.dkr.ecr.us-east-1.amazonaws.com"
	const image = host + "/shared:1"
	before := e.blobs()

	denied := func(when, role string) {
		t.Helper()
		task := b.run(image, role)
		reason := aws.ToString(task.Containers[0].Reason)
		if task.StopCode != types.TaskStopCodeTaskFailedToStart || !strings.HasPrefix(reason, "CannotPullContainerError: ") || !strings.Contains(reason, "pull access denied") {
			t.Errorf("%s: %s", when, story(&task))
		}
	}
	denied("without a policy", "")
	const policy = `{"Version":"2012-10-17","Statement":[{"Sid":"blue pulls","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + blue + `:root"},
		"Action":["ecr:BatchGetImage","ecr:GetDownloadUrlForLayer","ecr:BatchCheckLayerAvailability"]}]}`
	_, err := own.SetRepositoryPolicy(t.Context(), &ecr.SetRepositoryPolicyInput{RepositoryName: aws.String("shared"), PolicyText: aws.String(policy)})
	must(t, err)
	const login = `{"Effect":"Allow","Action":"ecr:GetAuthorizationToken","Resource":"*"}`
	puller := b.executionRole("puller", `{"Version":"2012-10-17","Statement":[`+login+`,{"Effect":"Allow","Action":["ecr:BatchGetImage",
		"ecr:GetDownloadUrlForLayer","ecr:BatchCheckLayerAvailability"],"Resource":"arn:aws:ecr:us-east-1:000000000000:repository/shared"}]}`)
	for _, role := range []string{"", puller} {
		task := b.run(image, role)
		if code := task.Containers[0].ExitCode; code == nil || *code != 7 {
			t.Errorf("with a policy, as %q: %s", role, story(&task))
		}
	}
	denied("with a role that may not", b.executionRole("visitor", `{"Version":"2012-10-17","Statement":[`+login+`]}`))

	b.mayNotPush(host)
	if got := e.CLI("events"); !strings.Contains(got, "repository/shared") || !strings.Contains(got, "pulled by account "+blue) {
		t.Errorf("the owner's events: %s", got)
	}
	after := e.blobs()
	for digest, n := range after {
		if n != 1 || before[digest] != 1 {
			t.Errorf("%s is stored %d times, and was %d times", digest, n, before[digest])
		}
	}
	if len(after) == 0 || len(after) != len(before) {
		t.Errorf("%d blobs are stored, and were %d", len(after), len(before))
	}

	_, err = own.DeleteRepositoryPolicy(t.Context(), &ecr.DeleteRepositoryPolicyInput{RepositoryName: aws.String("shared")})
	must(t, err)
	denied("when the policy is gone", "")
	denied("when the policy is gone", puller)
}

// mayNotPush tries to push into the other account's repository, by the API and as docker does.
func (b *tenant) mayNotPush(host string) {
	t := b.t
	t.Helper()
	_, err := b.ECR.InitiateLayerUpload(t.Context(), &ecr.InitiateLayerUploadInput{RegistryId: aws.String("000000000000"), RepositoryName: aws.String("shared")})
	if refused, ok := errors.AsType[smithy.APIError](err); !ok || refused.ErrorCode() != "AccessDeniedException" {
		t.Errorf("an upload by the API: %v", err)
	}
	r, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodPost, b.URL+"/v2/shared/blobs/uploads/", nil)
	must(t, err)
	r.Host = host
	r.SetBasicAuth(b.id, b.secret)
	resp, err := b.http.Do(r)
	must(t, err)
	resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("docker push: %s", resp.Status)
	}
}

// blobs counts how often each blob is stored in the registry, over all accounts.
func (e *Env) blobs() map[string]int {
	e.t.Helper()
	found := map[string]int{}
	err := filepath.WalkDir(filepath.Join(e.Dir, "server", "registry"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Name() == "data" && strings.Contains(path, "/v2/blobs/") {
			found[filepath.Base(filepath.Dir(path))]++
		}
		return err
	})
	must(e.t, err)
	return found
}
