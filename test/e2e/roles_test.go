//go:build e2e

package e2e_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/smithy-go"
)

// role makes a role that tasks may have, with a policy; a document of "" is none.
func (e *Env) role(name, document string) string {
	e.t.Helper()
	client := iam.New(iam.Options{Region: region, BaseEndpoint: &e.URL, Credentials: credentials.NewStaticCredentialsProvider(key, e.secret, "")})
	const trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole",
		"Condition":{"ArnLike":{"aws:SourceArn":"arn:aws:ecs:us-east-1:000000000000:*"},"StringEquals":{"aws:SourceAccount":"000000000000"}}}]}`
	out, err := client.CreateRole(e.t.Context(), &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: aws.String(trust)})
	if err != nil {
		e.t.Fatal(err)
	}
	if document != "" {
		_, err := client.PutRolePolicy(e.t.Context(), &iam.PutRolePolicyInput{RoleName: &name, PolicyName: &name, PolicyDocument: &document})
		if err != nil {
			e.t.Fatal(err)
		}
	}
	return *out.Role.Arn
}

// taskRoles: programs in tasks reach the control plane with their role's rights and without being told anything; a
// neighbour gets nobody else's credentials (SEMANTICS §11.6; MISSION rows 75, 76).
func taskRoles(t *testing.T, e *Env) {
	lists := e.role("lists", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecs:ListClusters","Resource":"*"}]}`)
	nothing := e.role("nothing", "")
	for _, mode := range []types.NetworkMode{types.NetworkModeBridge, types.NetworkModeAwsvpc} {
		t.Run(string(mode), func(t *testing.T) {
			mine := *e
			mine.t = t
			mine.rolesIn(mode, lists, nothing)
		})
	}
	for _, mode := range []types.NetworkMode{types.NetworkModeBridge, types.NetworkModeHost} {
		e.stolen(mode, lists)
	}
	def := e.Define("untrusted", ecs.RegisterTaskDefinitionInput{TaskRoleArn: aws.String("arn:aws:iam::000000000000:role/missing")}, e.container("c", "exit=0"))
	_, err := e.ECS.RunTask(t.Context(), &ecs.RunTaskInput{TaskDefinition: &def})
	if refused, ok := errors.AsType[smithy.APIError](err); !ok || refused.ErrorCode() != "ClientException" ||
		!strings.HasPrefix(refused.ErrorMessage(), "ECS was unable to assume the role 'arn:aws:iam::000000000000:role/missing' that was provided for this task.") {
		t.Errorf("a role that does not exist: %v", err)
	}
}

func (e *Env) rolesIn(mode types.NetworkMode, lists, nothing string) {
	t := e.t
	var change []func(*ecs.RunTaskInput)
	if mode == types.NetworkModeAwsvpc {
		change = append(change, inVPC)
	}
	run := func(role string, does ...string) string {
		in := ecs.RegisterTaskDefinitionInput{NetworkMode: mode}
		if role != "" {
			in.TaskRoleArn = &role
		}
		return e.RunTask(e.Define("calls-"+string(mode), in, e.container("c", does...)), change...)
	}
	able := run(lists, "env=AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "aws=identity", "aws=clusters", "print=done", "onterm=bye", "wait")
	log := strings.Split(e.AwaitLog(able, "done"), "\n")
	id := able[strings.LastIndexByte(able, '/')+1:]
	if want := "arn:aws:sts::000000000000:assumed-role/lists/" + id; len(log) < 3 || log[1] != want || !strings.Contains(log[2], ":cluster/default") {
		t.Errorf("with a role that may list clusters: %q, want %s", log, want)
	}
	unable := run(nothing, "aws=identity", "aws=clusters", "exit=0")
	e.AwaitStatus(unable, "STOPPED")
	if got := e.Logs(unable); !strings.Contains(got, "assumed-role/nothing/") || !strings.Contains(got, "AccessDeniedException") ||
		!strings.Contains(got, "is not authorized to perform: ecs:ListClusters") {
		t.Errorf("with a role that may do nothing: %s", got)
	}
	path := strings.TrimPrefix(log[0], "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=")
	without := run("", "env=AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "fetch=http://169.254.170.2"+path, "exit=0")
	e.AwaitStatus(without, "STOPPED")
	if got := strings.Split(e.Logs(without), "\n"); len(got) < 2 || got[0] != "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=" ||
		!strings.HasPrefix(got[1], "400 ") || !strings.Contains(got[1], "Credentials not found") {
		t.Errorf("a neighbour that knows the path: %q", got)
	}
	e.StopTask(able)
	e.AwaitStatus(able, "STOPPED")
}

// executionRoles: the node pulls a task's image and sends its lines with the rights of the execution role, and with no others (MISSION
// row 80).
func executionRoles(t *testing.T, e *Env) {
	const pulls = `{"Effect":"Allow","Action":["ecr:GetAuthorizationToken","ecr:BatchCheckLayerAvailability","ecr:GetDownloadUrlForLayer","ecr:BatchGetImage"],"Resource":"*"}`
	const writes = `{"Effect":"Allow","Action":["logs:CreateLogGroup","logs:CreateLogStream","logs:PutLogEvents"],"Resource":"arn:aws:logs:*:*:log-group:/mine*"}`
	may := func(name string, statements ...string) string {
		return e.role(name, `{"Version":"2012-10-17","Statement":[`+strings.Join(statements, ",")+`]}`)
	}
	all, pull, none := may("all", pulls, writes), may("pull", pulls), e.role("none", "")
	e.privateRegistry(e.BuildImage("hidden:1"))
	private := e.BuildImage("private:1") // nobody has pulled it: a node falls back on what it has, as AWS's does [D]
	run := func(family, role, group, image string) types.Task {
		c := e.container("c", "print=said", "exit=0")
		c.Image = &image
		c.LogConfiguration = &types.LogConfiguration{LogDriver: types.LogDriverAwslogs, Options: map[string]string{
			"awslogs-group": group, "awslogs-region": region, "awslogs-stream-prefix": "p", "awslogs-create-group": "true"}}
		return e.AwaitStatus(e.RunTask(e.Define(family, ecs.RegisterTaskDefinitionInput{ExecutionRoleArn: &role}, c)), "STOPPED")
	}
	logs := cloudwatchlogs.New(cloudwatchlogs.Options{Region: region, BaseEndpoint: &e.URL, Credentials: credentials.NewStaticCredentialsProvider(key, e.secret, "")})
	good := run("pulls-and-logs", all, "/mine", e.Image)
	if good.StopCode != types.TaskStopCodeEssentialContainerExited {
		t.Errorf("with all rights: %s", story(&good))
	}
	poll(t, 10*time.Second, func(ctx context.Context) error {
		out, err := logs.FilterLogEvents(ctx, &cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String("/mine")})
		if err != nil || len(out.Events) != 1 || *out.Events[0].Message != "said" {
			return errAgain("no line has come")
		}
		return nil
	})
	for _, c := range []struct{ name, role, group, image, reason string }{
		{"without rights to pull", none, "/mine", private, "CannotPullECRContainerError: call ecr GetAuthorizationToken: AccessDeniedException"},
		{"without rights to write there", all, "/other", e.Image, "AccessDeniedException: User: arn:aws:sts::000000000000:assumed-role/all/"},
		{"without rights to write", pull, "/mine", private, "is not authorized to perform: logs:CreateLogStream"},
	} {
		bad := run("pulls-or-logs", c.role, c.group, c.image)
		reason := aws.ToString(bad.StoppedReason) + " " + aws.ToString(bad.Containers[0].Reason)
		if bad.StopCode != types.TaskStopCodeTaskFailedToStart || !strings.Contains(reason, c.reason) {
			t.Errorf("%s: %s %s", c.name, bad.StopCode, reason)
		}
	}
}

// secrets: a task gets the parameters that its execution role may read, as they are when it starts, and no others; a value stands
// in no file of the server or the agent, and in no answer (SEMANTICS §13.6; MISSION rows 78, 79).
func secrets(t *testing.T, e *Env) {
	params := ssm.New(ssm.Options{Region: region, BaseEndpoint: &e.URL, Credentials: credentials.NewStaticCredentialsProvider(key, e.secret, "")})
	put := func(name, value string) {
		_, err := params.PutParameter(t.Context(), &ssm.PutParameterInput{Name: &name, Value: &value, Type: "SecureString", Overwrite: aws.Bool(true)})
		if err != nil {
			t.Fatal(err)
		}
	}
	put("/app/mine", "sesame-one")
	put("/app/theirs", "sesame-two")
	reader := func(name string) string {
		return e.role("reads-"+name, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ssm:GetParameters","Resource":"arn:aws:ssm:us-east-1:000000000000:parameter/app/`+name+`"},
			{"Effect":"Allow","Action":"secretsmanager:GetSecretValue","Resource":"arn:aws:secretsmanager:us-east-1:000000000000:secret:`+name+`-*"},
			{"Effect":"Allow","Action":["ecr:*","kms:Decrypt"],"Resource":"*"}]}`)
	}
	store := secretsmanager.New(secretsmanager.Options{Region: region, BaseEndpoint: &e.URL, Credentials: credentials.NewStaticCredentialsProvider(key, e.secret, "")})
	made := map[string]string{}
	for _, name := range []string{"mine", "theirs"} {
		out, err := store.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: &name, SecretString: aws.String(`{"password":"sesame-json","port":5432}`)})
		if err != nil {
			t.Fatal(err)
		}
		made[name] = *out.ARN
	}
	mine := reader("mine")
	run := func(role string, from ...string) types.Task {
		c := e.container("c", "env=S0", "env=S1", "exit=0")
		for i, f := range from {
			c.Secrets = append(c.Secrets, types.Secret{Name: aws.String(fmt.Sprint("S", i)), ValueFrom: &f})
		}
		return e.AwaitStatus(e.RunTask(e.Define("secretive", ecs.RegisterTaskDefinitionInput{ExecutionRoleArn: &role}, c)), "STOPPED")
	}
	said := func(task types.Task) string {
		return strings.ReplaceAll(strings.TrimSpace(e.Logs(*task.TaskArn)), "\n", " ")
	}
	first := run(mine, "/app/mine", "arn:aws:ssm:us-east-1:000000000000:parameter/app/mine:1")
	if got := said(first); got != "S0=sesame-one S1=sesame-one" {
		t.Errorf("the first: %s, %s", got, story(&first))
	}
	put("/app/mine", "sesame-new")
	if got := said(run(mine, "/app/mine", "/app/mine:1")); got != "S0=sesame-new S1=sesame-one" {
		t.Errorf("after a new version: %s", got)
	}
	if got := said(run(mine, made["mine"]+":password::", made["mine"]+":port:AWSCURRENT:")); got != "S0=sesame-json S1=5432" {
		t.Errorf("members of a secret: %s", got)
	}
	keyed := e.keyedSecret(store, "keyed")
	if got := said(run(reader("keyed"), keyed)); got != "S0=sesame-keyed S1=" {
		t.Errorf("with a key of KMS: %s", got)
	}
	noKey := e.role("reads-no-key", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"secretsmanager:GetSecretValue","Resource":"*"},
		{"Effect":"Allow","Action":"ecr:*","Resource":"*"}]}`)
	shut := run(noKey, keyed)
	if reason := aws.ToString(shut.StoppedReason); shut.StopCode != types.TaskStopCodeTaskFailedToStart || !strings.Contains(reason, "AccessDeniedException: Access to KMS is not allowed") {
		t.Errorf("without the key: %s %s", shut.StopCode, reason)
	}
	for ref, text := range map[string]string{
		made["theirs"]:           "unable to retrieve secret from asm: call secretsmanager GetSecretValue: AccessDeniedException: ",
		made["mine"] + ":user::": "retrieved secret from Secrets Manager did not contain json key user",
		"/app/theirs":            "unable to retrieve secrets from ssm: call ssm GetParameters: AccessDeniedException: User: arn:aws:sts::000000000000:assumed-role/reads-mine/",
		"/app/mine:9":            "unable to retrieve secrets from ssm: invalid parameters: /app/mine:9",
	} {
		bad := run(mine, ref)
		reason := aws.ToString(bad.StoppedReason)
		if bad.StopCode != types.TaskStopCodeTaskFailedToStart ||
			!strings.HasPrefix(reason, "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "+text) {
			t.Errorf("%s: %s %s", ref, bad.StopCode, reason)
		}
	}
	if text, _ := json.Marshal(first); bytes.Contains(text, []byte("sesame")) {
		t.Errorf("DescribeTasks says %s", text)
	}
	if _, err := params.PutParameter(t.Context(), &ssm.PutParameterInput{Name: aws.String("/app/plain"), Value: aws.String("open-one"), Type: "String"}); err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{} // what is no secret is found: the search can
	for _, dir := range []string{"server", "n/engine"} {
		err := filepath.WalkDir(filepath.Join(e.Dir, dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() || strings.Contains(path, "/logs/") { // what the container printed itself
				return nil
			}
			b, err := os.ReadFile(path)
			if err != nil { // gone meanwhile
				return nil
			}
			if bytes.Contains(b, []byte("sesame")) {
				t.Errorf("%s holds a secret", path)
			}
			found[dir] = found[dir] || bytes.Contains(b, []byte(map[string]string{"server": "open-one", "n/engine": "/app/mine"}[dir]))
			return nil
		})
		if err != nil || !found[dir] {
			t.Errorf("%s was not searched: %v", dir, err)
		}
	}
}

// keyedSecret makes a secret with a key of KMS that the account's policies decide about, and returns its ARN.
func (e *Env) keyedSecret(store *secretsmanager.Client, name string) string {
	e.t.Helper()
	key, err := kms.New(kms.Options{Region: region, BaseEndpoint: &e.URL, Credentials: credentials.NewStaticCredentialsProvider(key, e.secret, "")}).CreateKey(e.t.Context(), &kms.CreateKeyInput{})
	if err != nil {
		e.t.Fatal(err)
	}
	out, err := store.CreateSecret(e.t.Context(), &secretsmanager.CreateSecretInput{Name: &name, SecretString: aws.String("sesame-keyed"), KmsKeyId: key.KeyMetadata.Arn})
	if err != nil {
		e.t.Fatal(err)
	}
	return *out.ARN
}

// privateRegistry: with repositoryCredentials the node logs in with what a secret says, and with no right of its own; ours stands for
// a registry of somebody else (SEMANTICS §13.6).
func (e *Env) privateRegistry(image string) {
	t := e.t
	who := credentials.NewStaticCredentialsProvider(key, e.secret, "")
	login, err := ecr.New(ecr.Options{Region: region, BaseEndpoint: &e.URL, Credentials: who}).GetAuthorizationToken(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := base64.StdEncoding.DecodeString(*login.AuthorizationData[0].AuthorizationToken)
	if err != nil {
		t.Fatal(err)
	}
	store := secretsmanager.New(secretsmanager.Options{Region: region, BaseEndpoint: &e.URL, Credentials: who})
	secret := func(name, value string) string {
		out, err := store.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: &name, SecretString: &value})
		if err != nil {
			t.Fatal(err)
		}
		return *out.ARN
	}
	good := secret("login", fmt.Sprintf(`{"username":"AWS","password":%q}`, strings.TrimPrefix(string(plain), "AWS:")))
	bad := secret("nonsense", "nonsense")
	role := e.role("logs-in", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"secretsmanager:GetSecretValue","Resource":"*"}]}`)
	run := func(secret string) types.Task {
		c := e.container("c", "exit=7")
		c.Image, c.RepositoryCredentials = &image, &types.RepositoryCredentials{CredentialsParameter: &secret}
		return e.AwaitStatus(e.RunTask(e.Define("hidden", ecs.RegisterTaskDefinitionInput{ExecutionRoleArn: &role}, c)), "STOPPED")
	}
	no := run(bad)
	if got := aws.ToString(no.StoppedReason); !strings.HasPrefix(got, "ResourceInitializationError: unable to pull secrets or registry auth: ") {
		t.Errorf("a secret that is no login: %s", got)
	}
	yes := run(good)
	if code := yes.Containers[0].ExitCode; code == nil || *code != 7 {
		t.Errorf("with a login: %s", story(&yes))
	}
}

// stolen: credentials that somebody took out of a task are good as long as the task runs, and no longer. They are used at the endpoint
// that the task was told of, which the machine reaches as a task of mode host does.
func (e *Env) stolen(mode types.NetworkMode, role string) {
	t := e.t
	arn := e.RunTask(e.Define("careless", ecs.RegisterTaskDefinitionInput{NetworkMode: mode, TaskRoleArn: &role},
		e.container("c", "credentials", "env=AWS_ENDPOINT_URL", "print=done", "onterm=bye", "wait")))
	var c struct{ AccessKeyID, SecretAccessKey, Token string }
	log := strings.Split(e.AwaitLog(arn, "done"), "\n")
	if err := json.Unmarshal([]byte(strings.TrimPrefix(log[0], "200 ")), &c); err != nil || c.Token == "" {
		t.Fatalf("%v: %s", err, log)
	}
	endpoint := strings.TrimPrefix(log[1], "AWS_ENDPOINT_URL=")
	if mode != types.NetworkModeHost {
		if endpoint != "http://169.254.170.2:51680" {
			t.Errorf("it is told %s", endpoint)
		}
		endpoint = e.URL
	}
	thief := ecs.New(ecs.Options{Region: region, BaseEndpoint: &endpoint, Retryer: aws.NopRetryer{}, HTTPClient: e.http,
		Credentials: credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, c.Token)})
	if _, err := thief.ListClusters(t.Context(), &ecs.ListClustersInput{}); err != nil {
		t.Errorf("%s, while the task runs: %v", mode, err)
	}
	e.StopTask(arn)
	e.AwaitStatus(arn, "STOPPED")
	_, err := thief.ListClusters(t.Context(), &ecs.ListClustersInput{})
	if refused, ok := errors.AsType[smithy.APIError](err); !ok || refused.ErrorCode() != "UnrecognizedClientException" {
		t.Errorf("when it has stopped: %v", err)
	}
}
