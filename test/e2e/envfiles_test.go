//go:build e2e

package e2e_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// environmentFiles: a task gets the variables of files in S3 that its execution role may read; the definition's win over them, and a run's
// over all (SEMANTICS §11.5; MISSION row 18) [D].
func environmentFiles(t *testing.T, e *Env) {
	store := s3.New(s3.Options{Region: region, BaseEndpoint: &e.URL, UsePathStyle: true, Credentials: credentials.NewStaticCredentialsProvider(key, e.secret, "")})
	_, err := store.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("settings")})
	must(t, err)
	put := func(name, text string) {
		_, err := store.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("settings"), Key: &name, Body: strings.NewReader(text)})
		must(t, err)
	}
	put("mine/first.env", "# A=comment\nA=first\nB=first\nC=first\nPATH=/none\n")
	put("mine/second.env", "A=second\nD=\"a=b\"\n")
	put("theirs/a.env", "A=theirs\n")
	mine := e.role("reads-files", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::settings/mine/*"},
		{"Effect":"Allow","Action":"ecr:*","Resource":"*"}]}`)
	define := func(role *string, files ...string) string {
		c := e.container("c", "env=A", "env=B", "env=C", "env=D", "exit=0")
		c.Environment = append(c.Environment, types.KeyValuePair{Name: aws.String("B"), Value: aws.String("definition")}, types.KeyValuePair{Name: aws.String("C"), Value: aws.String("definition")})
		for _, f := range files {
			c.EnvironmentFiles = append(c.EnvironmentFiles, types.EnvironmentFile{Type: types.EnvironmentFileTypeS3, Value: aws.String("arn:aws:s3:::settings/" + f)})
		}
		return e.Define("filed", ecs.RegisterTaskDefinitionInput{ExecutionRoleArn: role}, c)
	}
	override := func(in *ecs.RunTaskInput) {
		in.Overrides = &types.TaskOverride{ContainerOverrides: []types.ContainerOverride{{Name: aws.String("c"), Environment: []types.KeyValuePair{{Name: aws.String("C"), Value: aws.String("run")}}}}}
	}
	arn := e.RunTask(define(&mine, "mine/first.env", "mine/second.env"), override)
	task := e.AwaitStatus(arn, "STOPPED")
	if got := strings.ReplaceAll(strings.TrimSpace(e.Logs(arn)), "\n", " "); got != `A=first B=definition C=run D="a=b"` {
		t.Errorf("it has %s; %s", got, story(&task))
	}
	for definition, want := range map[string]string{
		define(&mine, "mine/first.env", "theirs/a.env"): "failed to download env files: file download command: non empty error stream: get object theirs/a.env: AccessDenied: User: arn:aws:sts::000000000000:assumed-role/reads-files/",
		define(nil, "mine/first.env"):                   "environment file resource: unable to find execution role credentials",
		define(&mine, "mine/none.env"):                  "failed to download env files: file download command: non empty error stream: get object mine/none.env: AccessDenied: ",
	} {
		bad := e.AwaitStatus(e.RunTask(definition), "STOPPED")
		if got := aws.ToString(bad.StoppedReason); bad.StopCode != types.TaskStopCodeTaskFailedToStart || !strings.HasPrefix(got, "ResourceInitializationError: "+want) {
			t.Errorf("%s %s\nwant %s", bad.StopCode, got, want)
		}
	}
}
