package server_test

import (
	"compress/gzip"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	s3sdk "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/roadstead/roadstead/server"
	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/test/steady"
)

// logsOf is CloudWatch Logs at a server, for its root user.
func logsOf(s *server.Server) *cloudwatchlogs.Client {
	return cloudwatchlogs.New(cloudwatchlogs.Options{Region: "us-east-1", BaseEndpoint: aws.String(s.URL()), Credentials: rootKey(), RetryMaxAttempts: 1,
		HTTPClient: steady.Client()})
}

// write makes a group with one line.
func write(t *testing.T, c *cloudwatchlogs.Client, group string, line string) {
	t.Helper()
	_, err := c.CreateLogGroup(t.Context(), &cloudwatchlogs.CreateLogGroupInput{LogGroupName: &group})
	ok(t, err)
	_, err = c.CreateLogStream(t.Context(), &cloudwatchlogs.CreateLogStreamInput{LogGroupName: &group, LogStreamName: aws.String("s")})
	ok(t, err)
	_, err = c.PutLogEvents(t.Context(), &cloudwatchlogs.PutLogEventsInput{LogGroupName: &group, LogStreamName: aws.String("s"),
		LogEvents: []types.InputLogEvent{{Message: &line, Timestamp: aws.Int64(time.Now().UnixMilli())}}})
	ok(t, err)
}

func lines(t *testing.T, c *cloudwatchlogs.Client, group string) string {
	t.Helper()
	out, err := c.FilterLogEvents(t.Context(), &cloudwatchlogs.FilterLogEventsInput{LogGroupName: &group})
	ok(t, err)
	var all []string
	for _, e := range out.Events {
		all = append(all, *e.Message)
	}
	return strings.Join(all, " ")
}

// All members answer with the leader's lines. They are not there while another member leads, whose group has no such stream; they are when
// theirs leads again (docs/decisions/019, and docs/logs.md tells people).
func TestLogsStayWithTheMemberThatLed(t *testing.T) {
	store, dir := state.NewMemory(), t.TempDir()
	first, stopFirst := open(t, server.Config{Backend: store.Member(), DataDir: dir})
	within(t, "a leader", func() bool { return first.DB().Leading() })
	second, stopSecond := open(t, server.Config{Backend: store.Member()})
	write(t, logsOf(second), "g", "one")
	for _, s := range []*server.Server{first, second} {
		if got := lines(t, logsOf(s), "g"); got != "one" {
			t.Errorf("while the first leads: %q", got)
		}
	}
	stopFirst()
	within(t, "another leader", func() bool { return second.DB().Leading() })
	if got := lines(t, logsOf(second), "g"); got != "" {
		t.Errorf("where another leads: %q", got)
	}
	_, err := logsOf(second).GetLogEvents(t.Context(), &cloudwatchlogs.GetLogEventsInput{LogGroupName: aws.String("g"), LogStreamName: aws.String("s")})
	refused(t, err, "ResourceNotFoundException", "The specified log stream does not exist.")

	third, _ := open(t, server.Config{Backend: store.Member(), DataDir: dir})
	stopSecond()
	within(t, "the first again", func() bool { return third.DB().Leading() })
	if got := lines(t, logsOf(third), "g"); got != "one" {
		t.Errorf("when it leads again: %q", got)
	}
}

// An export task puts what S3 then has, also where it was asked for at a member that does not lead.
func TestExportedLogsAreObjects(t *testing.T) {
	store := state.NewMemory()
	first, _ := open(t, server.Config{Backend: store.Member()})
	within(t, "a leader", func() bool { return first.DB().Leading() })
	second, _ := open(t, server.Config{Backend: store.Member()})
	c, objects := logsOf(second), objectsOf(second, rootKey())
	_, err := objects.CreateBucket(t.Context(), &s3sdk.CreateBucketInput{Bucket: new("box")})
	ok(t, err)
	write(t, c, "g", "hello")
	task, err := c.CreateExportTask(t.Context(), &cloudwatchlogs.CreateExportTaskInput{
		LogGroupName: aws.String("g"), Destination: aws.String("box"), From: aws.Int64(0), To: aws.Int64(time.Now().Add(time.Hour).UnixMilli()),
	})
	ok(t, err)
	within(t, "the end of the task", func() bool {
		out, err := c.DescribeExportTasks(t.Context(), &cloudwatchlogs.DescribeExportTasksInput{TaskId: task.TaskId})
		ok(t, err)
		return out.ExportTasks[0].Status.Code == types.ExportTaskStatusCodeCompleted
	})
	packed, err := readObject(t, objects, "box", "exportedlogs/"+*task.TaskId+"/s/000000.gz")
	ok(t, err)
	z, err := gzip.NewReader(strings.NewReader(packed))
	ok(t, err)
	b, err := io.ReadAll(z)
	ok(t, err)
	if !strings.HasSuffix(string(b), "Z hello\n") {
		t.Errorf("got %q", b)
	}
}
