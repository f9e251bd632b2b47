//go:build e2e

package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
)

// TestFirelens: a log router reads the configuration that is generated for it, and gets the lines of its task's other container, all of
// them up to the last before a stop and across a kill of the agent, with its secrets (SEMANTICS §13.7; MISSION row 52).
func TestFirelens(t *testing.T) {
	e := NewPair(t, "--fargate")
	for _, mode := range []types.NetworkMode{types.NetworkModeBridge, types.NetworkModeAwsvpc, types.NetworkModeHost} {
		t.Run(string(mode), func(t *testing.T) { routes(t, e, mode, types.LaunchTypeEc2) })
	}
	t.Run("a configuration in S3", func(t *testing.T) { routerFromS3(t, e) })
	t.Run("fargate", func(t *testing.T) { routes(t, e, types.NetworkModeAwsvpc, types.LaunchTypeFargate) })
}

func routes(t *testing.T, e *Env, mode types.NetworkMode, launch types.LaunchType) {
	params := ssm.New(ssm.Options{Region: region, BaseEndpoint: &e.URL, Credentials: credentials.NewStaticCredentialsProvider(key, e.secret, "")})
	name := "/firelens/" + string(mode) + string(launch)
	_, err := params.PutParameter(t.Context(), &ssm.PutParameterInput{Name: &name, Value: aws.String("sesame"), Type: "SecureString"})
	must(t, err)
	role := e.role("firelens-"+string(mode)+string(launch), `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ssm:GetParameters","kms:Decrypt","ecr:*"],"Resource":"*"}]}`)
	router := e.container("router", "route=/fluent-bit/etc/fluent-bit.conf", "wait=0")
	router.FirelensConfiguration = &types.FirelensConfiguration{Type: types.FirelensConfigurationTypeFluentbit}
	app := logTo(e.container("app", "env=FLUENT_HOST", "env=FLUENT_PORT", "onterm=the last line", "tick=2ms"), types.LogDriverAwsfirelens, "Name", "http")
	app.LogConfiguration.SecretOptions = []types.Secret{{Name: aws.String("apikey"), ValueFrom: &name}}
	in := ecs.RegisterTaskDefinitionInput{NetworkMode: mode, ExecutionRoleArn: &role}
	var change []func(*ecs.RunTaskInput)
	if mode == types.NetworkModeAwsvpc {
		change = append(change, inVPC)
	}
	if launch == types.LaunchTypeFargate {
		in.RequiresCompatibilities, in.Cpu, in.Memory = []types.Compatibility{types.CompatibilityFargate}, aws.String("256"), aws.String("512")
		change = append(change, func(r *ecs.RunTaskInput) { r.LaunchType = launch })
	}
	task := e.RunTask(e.Define("routed", in, app, router), change...)
	e.AwaitStatus(task, "RUNNING")
	read := func() string {
		b, err := os.ReadFile(filepath.Join(e.Dir, "n", "engine", "logs", id(task), id(task)+"-router.json"))
		must(t, err)
		return string(b)
	}
	e.AwaitLog(task, "tick 200")
	if mode == types.NetworkModeBridge {
		e.Agent.Kill9()
		e.Agent.again()
		e.AwaitNodes(1)
	}
	e.StopTask(task)
	e.AwaitStatus(task, "STOPPED")
	got := read()
	for _, want := range []string{
		"output Name http", "output Match app-firelens*", "output apikey sesame", "filter Record ecs_cluster default", "filter Record ecs_task_arn " + task,
		"app-firelens-" + id(task), `container_name\":\"/ecs-routed-`, `\"source\":\"stdout\"`, `\"log\":\"the last line\"`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the router has no %s", want)
		}
	}
	host := map[types.NetworkMode]string{types.NetworkModeAwsvpc: `FLUENT_HOST=127.0.0.1\"`, types.NetworkModeBridge: "FLUENT_HOST=10.", types.NetworkModeHost: `FLUENT_HOST=\"`}[mode]
	if !strings.Contains(got, `\"log\":\"`+host) {
		t.Errorf("no %s", host)
	}
	n := 0
	for strings.Contains(got, fmt.Sprintf(`\"log\":\"tick %d\"`, n)) {
		n++
	}
	if all := strings.Count(got, `\"log\":\"tick `); n < 200 || all < n {
		t.Errorf("%d ticks without a gap, of %d", n, all)
	}
	if t.Failed() {
		t.Logf("the router printed %.3000s", got)
	}
	left, err := os.ReadDir(filepath.Join(e.Dir, "n", "engine", "logs", id(task), "firelens"))
	if err != nil || len(left) != 2 {
		t.Errorf("of the router: %v %v", left, err)
	}
}

// routerFromS3: the router has the file that its configuration includes, if the execution role may read it; options without an output end
// the task with the agent's words.
func routerFromS3(t *testing.T, e *Env) {
	store := s3.New(s3.Options{Region: region, BaseEndpoint: &e.URL, UsePathStyle: true, Credentials: credentials.NewStaticCredentialsProvider(key, e.secret, "")})
	_, err := store.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("routers")})
	must(t, err)
	_, err = store.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("routers"), Key: aws.String("mine.conf"), Body: strings.NewReader("[FILTER]\n    Name mine\n")})
	must(t, err)
	role := e.role("routers", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::routers/mine.conf"},{"Effect":"Allow","Action":"ecr:*","Resource":"*"}]}`)
	run := func(file string, options ...string) types.Task {
		router := e.container("router", "read=/fluentd/etc/external.conf", "read=/fluentd/etc/fluent.conf", "exit=0")
		router.FirelensConfiguration = &types.FirelensConfiguration{Type: types.FirelensConfigurationTypeFluentd, Options: map[string]string{
			"config-file-type": "s3", "config-file-value": "arn:aws:s3:::routers/" + file, "enable-ecs-log-metadata": "false"}}
		app := logTo(e.container("app", "wait=0"), types.LogDriverAwsfirelens, options...)
		return e.AwaitStatus(e.RunTask(e.Define("included", ecs.RegisterTaskDefinitionInput{ExecutionRoleArn: &role}, router, app)), "STOPPED")
	}
	task := run("mine.conf", "@type", "stdout")
	got := e.Logs(*task.TaskArn)
	for _, want := range []string{"/fluentd/etc/external.conf 0:0 644: [FILTER] Name mine", "@include /fluentd/etc/external.conf", "<match app-firelens**> @type stdout </match>"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in %s; %s", want, got, story(&task))
		}
	}
	for want, task := range map[string]types.Task{
		"ResourceInitializationError: unable to download firelens s3 config file: get object theirs.conf: AccessDenied: ":                                                 run("theirs.conf", "@type", "stdout"),
		"ResourceInitializationError: unable to generate firelens config file: unable to apply log options of container app to firelens config: missing output key @type": run("mine.conf", "region", "r"),
	} {
		if got := aws.ToString(task.StoppedReason); task.StopCode != types.TaskStopCodeTaskFailedToStart || !strings.HasPrefix(got, want) {
			t.Errorf("%s %s, want %s", task.StopCode, got, want)
		}
	}
}
