package server_test

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
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

// What was acknowledged is read from the next leader, and written to, whichever of three members dies: lines, streams that have none, and
// streams that are gone (docs/decisions/046).
func TestLogsOutliveTheirLeader(t *testing.T) {
	store, dirs := state.NewMemory(), []string{t.TempDir(), t.TempDir(), t.TempDir()}
	members, stops := make([]*server.Server, 3), make([]func(), 3)
	start := func(i int) {
		members[i], stops[i] = open(t, server.Config{Backend: store.Member(), DataDir: dirs[i], InitialCluster: "a,b,c"})
	}
	leads := func(i int) {
		t.Helper()
		within(t, "a leader", func() bool { return members[i].DB().Leading() })
	}
	start(0)
	leads(0)
	start(1)
	start(2)
	stream, gone := aws.String("empty"), aws.String("gone")
	c := logsOf(members[2])
	write(t, c, "g", "one")
	for _, name := range []*string{stream, gone} {
		_, err := c.CreateLogStream(t.Context(), &cloudwatchlogs.CreateLogStreamInput{LogGroupName: aws.String("g"), LogStreamName: name})
		ok(t, err)
	}
	_, err := c.DeleteLogStream(t.Context(), &cloudwatchlogs.DeleteLogStreamInput{LogGroupName: aws.String("g"), LogStreamName: gone})
	ok(t, err)
	put := func(i int, line string) {
		t.Helper()
		_, err := logsOf(members[i]).PutLogEvents(t.Context(), &cloudwatchlogs.PutLogEventsInput{LogGroupName: aws.String("g"), LogStreamName: aws.String("s"),
			LogEvents: []types.InputLogEvent{{Message: &line, Timestamp: aws.Int64(time.Now().UnixMilli())}}})
		ok(t, err)
	}
	want := "one"
	for round := range 4 { // each of them leads, and is away for a while
		leader := slices.IndexFunc(members, func(s *server.Server) bool { return s.DB().Leading() })
		stops[leader]()
		left := slices.DeleteFunc([]int{0, 1, 2}, func(i int) bool { return i == leader })
		within(t, "another leader", func() bool { return members[left[0]].DB().Leading() || members[left[1]].DB().Leading() })
		for _, i := range left {
			if got := lines(t, logsOf(members[i]), "g"); got != want {
				t.Fatalf("round %d, member %d: %q, want %q", round, i, got, want)
			}
			line := fmt.Sprintf("line%d%d", round, i)
			put(i, line)
			want += " " + line
		}
		start(leader)
	}
	out, err := logsOf(members[0]).DescribeLogStreams(t.Context(), &cloudwatchlogs.DescribeLogStreamsInput{LogGroupName: aws.String("g")})
	ok(t, err)
	if len(out.LogStreams) != 2 || *out.LogStreams[0].LogStreamName != "empty" || *out.LogStreams[1].LogStreamName != "s" {
		t.Errorf("streams: %+v", out.LogStreams)
	}
}

// Events of a group that is deleted leave the disk of each member, of one too that hears of it later.
func TestDeletedLogGroupsLeaveAllMembers(t *testing.T) {
	store, dirs := state.NewMemory(), []string{t.TempDir(), t.TempDir(), t.TempDir()}
	members, stops := make([]*server.Server, 3), make([]func(), 3)
	start := func(i int) {
		members[i], stops[i] = open(t, server.Config{Backend: store.Member(), DataDir: dirs[i], InitialCluster: "a,b,c"})
	}
	start(0)
	within(t, "a leader", func() bool { return members[0].DB().Leading() })
	start(1)
	start(2)
	have := func(want int, all ...int) func() bool {
		return func() bool {
			for _, i := range all {
				if groups, err := filepath.Glob(filepath.Join(dirs[i], "logs", "*", "streams")); err != nil || len(groups) != want {
					return false
				}
			}
			return true
		}
	}
	c := logsOf(members[0])
	write(t, c, "g", "one")
	within(t, "copies", have(1, 0, 1, 2))
	stops[2]()
	_, err := c.DeleteLogGroup(t.Context(), &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: aws.String("g")})
	ok(t, err)
	within(t, "that those who are there lose it", have(0, 0, 1))
	if !have(1, 2)() {
		t.Error("who was away has lost it")
	}
	start(2)
	within(t, "that the other does", have(0, 2))
}

// A new leader that was brought nothing by the one before gets it from the third.
func TestANewLeaderCatchesUp(t *testing.T) {
	for _, left := range []int{1, 2} { // one of them leads next
		store, members, stops := state.NewMemory(), make([]*server.Server, 3), make([]func(), 3)
		var shut atomic.Value // the host that the first leader brings nothing
		shut.Store("")
		for i := range members {
			cfg := server.Config{Backend: store.Member(), InitialCluster: "a,b,c"}
			if i == 0 {
				cfg.Peers = trip(func(r *http.Request) (*http.Response, error) {
					if r.URL.Host == shut.Load() && strings.Contains(r.URL.Path, "/logs/copy/") {
						return nil, errors.New("unreachable")
					}
					return http.DefaultTransport.RoundTrip(r)
				})
			}
			members[i], stops[i] = open(t, cfg)
			within(t, "a leader", func() bool { return members[0].DB().Leading() })
		}
		shut.Store(members[left].Addr())
		write(t, logsOf(members[0]), "g", "one")
		stops[0]()
		within(t, "another leader", func() bool { return members[1].DB().Leading() || members[2].DB().Leading() })
		if got := lines(t, logsOf(members[1]), "g"); got != "one" {
			t.Errorf("member %d was brought nothing, member 1 leads: %v; read %q", left, members[1].DB().Leading(), got)
		}
	}
}

// Lines that no majority holds are not acknowledged, and say so.
func TestLogsNeedAMajority(t *testing.T) {
	store := state.NewMemory()
	first, _ := open(t, server.Config{Backend: store.Member(), InitialCluster: "a,b,c"})
	within(t, "a leader", func() bool { return first.DB().Leading() })
	_, stop := open(t, server.Config{Backend: store.Member(), InitialCluster: "a,b,c"})
	c := logsOf(first)
	write(t, c, "g", "one")
	stop()
	_, err := c.PutLogEvents(t.Context(), &cloudwatchlogs.PutLogEventsInput{LogGroupName: aws.String("g"), LogStreamName: aws.String("s"),
		LogEvents: []types.InputLogEvent{{Message: aws.String("two"), Timestamp: aws.Int64(time.Now().UnixMilli())}}})
	refused(t, err, "ServiceUnavailableException", "too few members")
}

// When the others are away for long, the new leader shows what it has; before that it says that it cannot know.
func TestLogsOfTooFewMembers(t *testing.T) {
	var ahead atomic.Int64
	s, _ := open(t, server.Config{Backend: state.NewMemory().Member(), InitialCluster: "a,b,c", Now: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }})
	within(t, "a leader", func() bool { return s.DB().Leading() })
	c, group := logsOf(s), aws.String("g")
	_, err := c.CreateLogGroup(t.Context(), &cloudwatchlogs.CreateLogGroupInput{LogGroupName: group})
	ok(t, err)
	_, err = c.FilterLogEvents(t.Context(), &cloudwatchlogs.FilterLogEventsInput{LogGroupName: group})
	refused(t, err, "ServiceUnavailableException", "too few members")
	ahead.Store(int64(3 * time.Minute))
	if got := lines(t, c, "g"); got != "" {
		t.Errorf("read %q", got)
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
