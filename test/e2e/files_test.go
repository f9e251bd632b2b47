//go:build e2e

package e2e_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
)

// TestSecretFiles: secrets are files in memory that follow their values, of tasks in and out of user namespaces, also over a kill of
// the agent; no value is on the node's disk, and nothing is left (MISSION superset row 6, docs/decisions/029).
func TestSecretFiles(t *testing.T) {
	t.Parallel()
	e := NewPair(t, "--fargate")
	store := secretsmanager.New(secretsmanager.Options{Region: region, BaseEndpoint: &e.URL, Credentials: credentials.NewStaticCredentialsProvider(key, e.secret, "")})
	made, err := store.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("db"), SecretString: aws.String(`{"user":"open-ann","pass":"sesame-one"}`)})
	must(t, err)
	rotate := func(pass string) {
		t.Helper()
		_, err := store.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: made.ARN, SecretString: aws.String(`{"user":"open-ann","pass":"` + pass + `"}`)})
		must(t, err)
	}
	role := e.role("reads-files", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["secretsmanager:GetSecretValue","kms:Decrypt"],"Resource":"`+
		*made.ARN+`"},{"Effect":"Allow","Action":["ecr:*","ssm:GetParameters","ssm:GetParametersByPath","s3:GetObject"],"Resource":"*"}]}`)
	volume := func(driver string, opts map[string]string) types.Volume {
		return types.Volume{Name: aws.String("s"), DockerVolumeConfiguration: &types.DockerVolumeConfiguration{Driver: &driver, DriverOpts: opts}}
	}
	opts := map[string]string{"secret": *made.ARN, "signal": "SIGHUP", "refresh": "2s"}
	define := func(family string, in ecs.RegisterTaskDefinitionInput, opts map[string]string) string {
		app := e.container("app", "read=/s/pass", "read=/s/user", "write=/s/user,no", "onhup=/s/pass", "onterm=bye", "print=ready", "wait")
		app.MountPoints = []types.MountPoint{mount("s", "/s")}
		side := e.container("side", "wait=0") // SIGHUP would be its end
		in.ExecutionRoleArn, in.Volumes = &role, []types.Volume{volume("roadstead-secret", opts)}
		return e.Define(family, in, app, side)
	}
	plain := e.RunTask(define("plain", ecs.RegisterTaskDefinitionInput{}, opts))
	apart := e.RunTask(define("apart", ecs.RegisterTaskDefinitionInput{
		RequiresCompatibilities: []types.Compatibility{types.CompatibilityFargate}, NetworkMode: types.NetworkModeAwsvpc, Cpu: aws.String("256"), Memory: aws.String("512"),
	}, opts), inVPC, func(in *ecs.RunTaskInput) { in.LaunchType = types.LaunchTypeFargate })
	all := []string{plain, apart}
	for _, arn := range all {
		log := e.AwaitLog(arn, "ready")
		for _, want := range []string{"/s/pass 0:0 400: sesame-one", "/s/user 0:0 400: open-ann", "write refused"} {
			if !strings.Contains(log, want) {
				t.Errorf("%s is not in %s", want, log)
			}
		}
	}
	e.configFiles(role)
	rotate("sesame-two")
	for _, arn := range all {
		e.AwaitLog(arn, "SIGHUP: /s/pass 0:0 400: sesame-two")
	}
	e.Agent.Kill9()
	rotate("sesame-three")
	e.Agent.again()
	for _, arn := range all {
		e.AwaitLog(arn, "SIGHUP: /s/pass 0:0 400: sesame-three")
	}
	notOnDisk(t, e, "sesame", made)
	for _, arn := range all {
		if got, err := e.Describe(t.Context(), arn); err != nil || aws.ToString(got[0].LastStatus) != "RUNNING" {
			t.Errorf("%v, %v", got, err)
		}
		e.StopTask(arn)
		e.AwaitStatus(arn, "STOPPED")
		if left, _ := filepath.Glob(filepath.Join(e.Dir, "n", "volumes", "tasks", id(arn), "s", "data", "*")); len(left) > 0 {
			t.Errorf("values of a task that is over: %v", left)
		}
	}
	opts["secret"] = "/nosuch"
	bad := e.AwaitStatus(e.RunTask(define("bad", ecs.RegisterTaskDefinitionInput{}, opts)), "STOPPED")
	reason := aws.ToString(bad.StoppedReason)
	if bad.StopCode != types.TaskStopCodeTaskFailedToStart || !strings.HasPrefix(reason, "ResourceInitializationError: unable to pull secrets or registry auth: ") {
		t.Errorf("without the value: %s %s", bad.StopCode, reason)
	}
}

// configFiles: configuration comes from parameters, from all below a path, and from objects, for users that are not root.
func (e *Env) configFiles(role string) {
	t := e.t
	who := credentials.NewStaticCredentialsProvider(key, e.secret, "")
	params := ssm.New(ssm.Options{Region: region, BaseEndpoint: &e.URL, Credentials: who})
	for name, value := range map[string]string{"/conf/app/a": "alpha", "/conf/app/b": "beta", "/conf/app/below/c": "gamma", "/conf/json": `{"port":8080}`} {
		_, err := params.PutParameter(t.Context(), &ssm.PutParameterInput{Name: &name, Value: &value, Type: "String"})
		must(t, err)
	}
	box := s3.New(s3.Options{Region: region, BaseEndpoint: &e.URL, Credentials: who, UsePathStyle: true})
	_, err := box.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("conf-box")})
	must(t, err)
	_, err = box.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("conf-box"), Key: aws.String("web/nginx.conf"), Body: strings.NewReader("worker 1;")})
	must(t, err)
	c := e.container("c", "read=/c/a", "read=/c/b", "read=/c/c", "read=/c/port", "read=/c/web.conf", "exit=0")
	c.User = aws.String("1234:2345")
	c.MountPoints = []types.MountPoint{mount("c", "/c")}
	arn := e.RunTask(e.Define("configured", ecs.RegisterTaskDefinitionInput{ExecutionRoleArn: &role, Volumes: []types.Volume{{Name: aws.String("c"),
		DockerVolumeConfiguration: &types.DockerVolumeConfiguration{Driver: aws.String("roadstead-config"), DriverOpts: map[string]string{
			"path": "/conf/app", "config": "/conf/json", "configs": "web.conf=arn:aws:s3:::conf-box/web/nginx.conf", "mode": "0440", "gid": "2345"}}}}}, c))
	task := e.AwaitStatus(arn, "STOPPED")
	log := e.Logs(arn)
	for _, want := range []string{"/c/a 0:2345 440: alpha", "/c/b 0:2345 440: beta", "not read: /c/c", "/c/port 0:2345 440: 8080", "/c/web.conf 0:2345 440: worker 1;"} {
		if !strings.Contains(log, want) {
			t.Errorf("%s is not in %s: %s", want, log, story(&task))
		}
	}
}

// TestWebIdentityFile: a task has a token that says who it is, as a file, which is another one before the first is over; with it
// the SDK becomes a role that trusts the issuer (MISSION row 77, docs/decisions/033).
func TestWebIdentityFile(t *testing.T) {
	t.Parallel()
	e := NewPair(t)
	client := iam.New(iam.Options{Region: region, BaseEndpoint: &e.URL, Credentials: credentials.NewStaticCredentialsProvider(key, e.secret, "")})
	issuer, err := client.EnableOutboundWebIdentityFederation(t.Context(), nil)
	must(t, err)
	mine := e.role("mine", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:GetWebIdentityToken","Resource":"*"}]}`)
	p, err := client.CreateOpenIDConnectProvider(t.Context(), &iam.CreateOpenIDConnectProviderInput{Url: issuer.IssuerIdentifier, ClientIDList: []string{"us"}})
	must(t, err)
	trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"` + *p.OpenIDConnectProviderArn + `"},"Action":"sts:AssumeRoleWithWebIdentity",
		"Condition":{"StringEquals":{"` + strings.TrimPrefix(*issuer.IssuerIdentifier, "http://") + `:sub":"` + mine + `"}}}]}`
	theirs, err := client.CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: aws.String("theirs"), AssumeRolePolicyDocument: &trust})
	must(t, err)
	run := func(family, role, audience string) string {
		c := e.container("c", "aws=vouched", "read=/t/token", "print=ready", "sleep=16s", "read=/t/token", "onterm=bye", "print=again", "wait")
		c.MountPoints = []types.MountPoint{mount("t", "/t")}
		for name, value := range map[string]string{"AWS_WEB_IDENTITY_TOKEN_FILE": "/t/token", "AWS_ROLE_ARN": *theirs.Role.Arn} {
			c.Environment = append(c.Environment, types.KeyValuePair{Name: &name, Value: &value})
		}
		return e.RunTask(e.Define(family, ecs.RegisterTaskDefinitionInput{TaskRoleArn: &role, Volumes: []types.Volume{{Name: aws.String("t"),
			DockerVolumeConfiguration: &types.DockerVolumeConfiguration{Driver: aws.String("roadstead-web-identity"), DriverOpts: map[string]string{"audience": audience, "duration": "1m"}}}}}, c))
	}
	arn := run("vouched", mine, "us")
	nobody := e.role("nobody", "")
	bad := e.AwaitStatus(run("unvouched", nobody, "us"), "STOPPED")
	if reason := aws.ToString(bad.StoppedReason); bad.StopCode != types.TaskStopCodeTaskFailedToStart ||
		!strings.HasPrefix(reason, "ResourceInitializationError: unable to get a web identity token: ") || !strings.Contains(reason, "sts:GetWebIdentityToken") {
		t.Errorf("without the right: %s %s", bad.StopCode, reason)
	}
	log := strings.Split(e.AwaitLog(arn, "again"), "\n")
	if len(log) < 5 || !strings.HasPrefix(log[0], "arn:aws:sts::000000000000:assumed-role/theirs/") {
		t.Fatalf("it says %q", log)
	}
	if !strings.HasPrefix(log[1], "/t/token 0:0 400: ey") || log[3] == log[1] {
		t.Errorf("tokens: %q, %q", log[1], log[3])
	}
	e.StopTask(arn)
	e.AwaitStatus(arn, "STOPPED")
}

// notOnDisk looks for a text in the files of the server and the node that are on their disk; containers' own lines do not count.
func notOnDisk(t *testing.T, e *Env, text string, made *secretsmanager.CreateSecretOutput) {
	t.Helper()
	var root syscall.Stat_t
	must(t, syscall.Stat(e.Dir, &root))
	began, searched := time.Now(), false
	for _, dir := range []string{"server", "n"} {
		err := filepath.WalkDir(filepath.Join(e.Dir, dir), func(path string, d fs.DirEntry, err error) error {
			var st syscall.Stat_t
			switch {
			case err != nil || syscall.Lstat(path, &st) != nil: // gone meanwhile
				return nil
			case st.Dev != root.Dev && d.IsDir(): // mounted there
				return fs.SkipDir
			case !d.Type().IsRegular() || strings.Contains(path, "/logs/"):
				return nil
			}
			b, err := os.ReadFile(path)
			if err != nil {
				return nil
			}
			if bytes.Contains(b, []byte(text)) {
				t.Errorf("%s holds a secret", path)
			}
			searched = searched || strings.HasPrefix(path, filepath.Join(e.Dir, "n", "engine")) && bytes.Contains(b, []byte(*made.ARN))
			return nil
		})
		must(t, err)
	}
	if !searched {
		t.Error("the node's disk was not searched")
	}
	t.Logf("searched for %s", time.Since(began).Round(time.Millisecond))
}
