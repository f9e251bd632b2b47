//go:build e2e

package e2e_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// What AWS documents that a task's role needs, so that the transcripts of sessions can be put away.
const mayLogSessions = `{"Version":"2012-10-17","Statement":[
	{"Effect":"Allow","Action":"logs:DescribeLogGroups","Resource":"*"},
	{"Effect":"Allow","Action":["logs:CreateLogStream","logs:DescribeLogStreams","logs:PutLogEvents"],"Resource":["arn:aws:logs:us-east-1:000000000000:log-group:/audit:*","arn:aws:logs:us-east-1:000000000000:log-group:/own:*"]},
	{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::sessions/*"},
	{"Effect":"Allow","Action":"s3:GetEncryptionConfiguration","Resource":"arn:aws:s3:::sessions"}]}`

// [D] SEMANTICS §13.8: executeCommandConfiguration, with the aws command line and the real plugin: what a session shows is in the log group
// and the bucket that the cluster names, in the container's own group, or nowhere; an agent that is killed in its middle loses nothing.
func TestTranscripts(t *testing.T) {
	e := NewPair(t)
	for _, group := range []string{"/audit", "/own"} {
		_, err := e.logs().CreateLogGroup(t.Context(), &cloudwatchlogs.CreateLogGroupInput{LogGroupName: &group})
		must(t, err)
	}
	_, err := e.store().CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("sessions")})
	must(t, err)
	may, mayNot := e.role("logs-sessions", mayLogSessions), e.role("logs-nothing", "")
	run := func(role string) string {
		c := e.container("app", "wait")
		c.LogConfiguration = &types.LogConfiguration{LogDriver: types.LogDriverAwslogs, Options: map[string]string{
			"awslogs-group": "/own", "awslogs-region": region, "awslogs-stream-prefix": "s",
		}}
		task := e.RunTask(e.Define("recorded", ecs.RegisterTaskDefinitionInput{TaskRoleArn: &role}, c), withExec)
		e.AwaitStatus(task, "RUNNING")
		return task
	}
	task := run(may)
	override := types.ExecuteCommandConfiguration{Logging: "OVERRIDE", LogConfiguration: &types.ExecuteCommandLogConfiguration{
		CloudWatchLogGroupName: aws.String("/audit"), S3BucketName: aws.String("sessions"), S3KeyPrefix: aws.String("exec"),
	}}
	t.Run("by default", func(t *testing.T) {
		id := e.chat(t, task, "by default")
		if got := e.recorded(t, "/own", id); !strings.Contains(got, `heard "by default"`) {
			t.Errorf("the stream has %q", got)
		}
	})
	t.Run("OVERRIDE", func(t *testing.T) {
		e.configure(override)
		id := e.chat(t, task, "overridden")
		got := e.recorded(t, "/audit", id)
		if !strings.Contains(got, "uid 0") || !strings.Contains(got, "overridden\r\n") || !strings.Contains(got, `heard "overridden"`) {
			t.Errorf("the stream has %q", got)
		}
		if object := e.object(t, "exec/"+id+".log"); object != got {
			t.Errorf("the object has %q, the stream %q", object, got)
		}
		e.awaitEvent(t, "transcript in /audit:"+id+" in s3://sessions/exec/"+id+".log")
	})
	t.Run("a role that may not", func(t *testing.T) {
		id := e.chat(t, run(mayNot), "hidden")
		e.awaitEvent(t, "transcript refused: AccessDeniedException: User: arn:aws:sts::000000000000:assumed-role/logs-nothing/",
			"is not authorized to perform: logs:CreateLogStream", "; AccessDenied: ", "/exec/kept/"+id+".log)")
	})
	t.Run("killed in the middle", func(t *testing.T) {
		x := atTerminal(t, e.execute(task, "/probe talk"))
		x.await("uid 0")
		id := session(x)
		x.typed("before the kill\n")
		x.await(`heard "before the kill"`)
		e.Agent.Kill9()
		e.Agent.again()
		e.awaitEvent(t, "transcript in /audit:"+id)
		got := e.recorded(t, "/audit", id)
		if n := strings.Count(got, `heard "before the kill"`); n != 1 || e.object(t, "exec/"+id+".log") != got {
			t.Errorf("the stream has %q, the object %q", got, e.object(t, "exec/"+id+".log"))
		}
	})
	t.Run("encrypted, they say", func(t *testing.T) {
		l := *override.LogConfiguration
		l.CloudWatchEncryptionEnabled = true
		e.configure(types.ExecuteCommandConfiguration{Logging: "OVERRIDE", LogConfiguration: &l})
		if out := without(t, e.execute(task, "/probe")); !strings.Contains(out, "We couldn't start the session because encryption is not set up on the selected CloudWatch Logs log group.") {
			t.Errorf("it shows\n%s", out)
		}
	})
	t.Run("kmsKeyId", func(t *testing.T) { e.encryptedSessions(t, may) })
	t.Run("NONE", func(t *testing.T) {
		e.configure(types.ExecuteCommandConfiguration{Logging: "NONE"})
		id := e.chat(t, task, "off the record")
		e.awaitEvent(t, `["/probe" "talk"] ended: exit code 0`)
		for _, group := range []string{"/own", "/audit"} {
			if e.hasStream(t, group, id) {
				t.Errorf("%s has a stream of it", group)
			}
		}
	})
}

// encryptedSessions: [D] with kmsKeyId the plugin and our own command line encrypt what goes between them and the node, with a key that KMS
// makes for the caller and decrypts for the task's role; a role that may not has no sessions.
func (e *Env) encryptedSessions(t *testing.T, mayNot string) {
	may := e.role("decrypts-sessions", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:Decrypt","Resource":"*"}]}`)
	box := kms.New(kms.Options{Region: region, BaseEndpoint: &e.URL, Credentials: credentials.NewStaticCredentialsProvider(key, e.secret, "")})
	k, err := box.CreateKey(t.Context(), &kms.CreateKeyInput{})
	must(t, err)
	e.configure(types.ExecuteCommandConfiguration{Logging: "NONE", KmsKeyId: k.KeyMetadata.Arn})
	run := func(role string) string {
		task := e.RunTask(e.Define("encrypted", ecs.RegisterTaskDefinitionInput{TaskRoleArn: &role}, e.container("app", "serve=127.0.0.1:8000", "wait")), withExec)
		e.AwaitStatus(task, "RUNNING")
		return task
	}
	task := run(may)
	cmd := e.execute(task, "/probe talk")
	cmd.Env = append(cmd.Env, "AWS_ENDPOINT_URL="+e.URL) // the plugin has no flag for KMS
	x := atTerminal(t, cmd)
	x.await("uid 0")
	x.typed("secretly\n")
	x.await(`heard "secretly"`)
	x.typed("exit 0\n")
	x.await("Exiting session")
	x.end()
	own := e.own(t, task)
	own.typed("exit 5\n")
	if code := own.end(); code != 5 {
		t.Errorf("our own command line ends with %d", code)
	}
	if page := e.ownForward(t, task, "0:8000").get("/"); !strings.Contains(page, " born ") {
		t.Errorf("through an encrypted port comes %q", page)
	}
	if _, err := e.cli(t.Context(), "exec", run(mayNot), "--", "/probe"); err == nil || !strings.Contains(err.Error(), "decrypt the session's key") ||
		!strings.Contains(err.Error(), "is not authorized to perform: kms:Decrypt") {
		t.Errorf("a role that may not decrypt: %v", err)
	}
}

// configure sets the cluster's executeCommandConfiguration.
func (e *Env) configure(c types.ExecuteCommandConfiguration) {
	e.t.Helper()
	_, err := e.ECS.UpdateCluster(e.t.Context(), &ecs.UpdateClusterInput{Cluster: aws.String("default"), Configuration: &types.ClusterConfiguration{ExecuteCommandConfiguration: &c}})
	must(e.t, err)
}

// chat is a short session; its id is returned.
func (e *Env) chat(t *testing.T, task, what string) string {
	t.Helper()
	x := atTerminal(t, e.execute(task, "/probe talk"))
	x.await("uid 0")
	x.typed(what + "\n")
	x.await(fmt.Sprintf("heard %q", what))
	x.typed("exit 0\n")
	x.await("Exiting session")
	x.end()
	return session(x)
}

// session is the id that the plugin shows.
func session(x *terminal) string {
	x.mu.Lock()
	defer x.mu.Unlock()
	_, rest, _ := strings.Cut(x.all.String(), "SessionId: ")
	id, _, _ := strings.Cut(rest, "\r\n")
	return id
}

func (e *Env) store() *s3.Client {
	return s3.New(s3.Options{Region: region, BaseEndpoint: &e.URL, UsePathStyle: true, Credentials: credentials.NewStaticCredentialsProvider(key, e.secret, "")})
}

func (e *Env) hasStream(t *testing.T, group, name string) bool {
	t.Helper()
	out, err := e.logs().DescribeLogStreams(t.Context(), &cloudwatchlogs.DescribeLogStreamsInput{LogGroupName: &group, LogStreamNamePrefix: &name})
	must(t, err)
	return len(out.LogStreams) > 0
}

// recorded is the text of a session's stream, when it is there.
func (e *Env) recorded(t *testing.T, group, id string) (text string) {
	t.Helper()
	poll(t, patience, func(ctx context.Context) error {
		out, err := e.logs().GetLogEvents(ctx, &cloudwatchlogs.GetLogEventsInput{LogGroupName: &group, LogStreamName: &id, StartFromHead: aws.Bool(true)})
		if err != nil || len(out.Events) == 0 {
			return errAgain(fmt.Sprintf("no events in %s:%s: %v", group, id, err))
		}
		text = ""
		for _, event := range out.Events {
			text += *event.Message
		}
		return nil
	})
	return text
}

func (e *Env) object(t *testing.T, name string) (text string) {
	t.Helper()
	poll(t, patience, func(ctx context.Context) error {
		out, err := e.store().GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("sessions"), Key: &name})
		if err != nil {
			return errAgain(err.Error())
		}
		defer out.Body.Close()
		b, err := io.ReadAll(out.Body)
		text = string(b)
		return err
	})
	return text
}

// awaitEvent waits until an event says all of this.
func (e *Env) awaitEvent(t *testing.T, wants ...string) {
	t.Helper()
	poll(t, patience, func(context.Context) error {
		events := e.CLI("events")
	lines:
		for line := range strings.SplitSeq(events, "\n") {
			for _, want := range wants {
				if !strings.Contains(line, want) {
					continue lines
				}
			}
			return nil
		}
		return errAgain(fmt.Sprintf("no event says %q:\n%s", wants, events))
	})
}
