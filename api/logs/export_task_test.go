package logs_test

import (
	"compress/gzip"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/roadstead/roadstead/api/logs"
	"github.com/roadstead/roadstead/test/endpoint"
)

// exportOf asks for the first hour of group g.
func exportOf(bucket string, change ...func(*sdk.CreateExportTaskInput)) *sdk.CreateExportTaskInput {
	in := &sdk.CreateExportTaskInput{
		LogGroupName: aws.String("g"), Destination: &bucket, DestinationPrefix: aws.String("p"), TaskName: aws.String("t"),
		From: aws.Int64(begin.UnixMilli()), To: aws.Int64(begin.Add(time.Hour).UnixMilli()),
	}
	for _, f := range change {
		f(in)
	}
	return in
}

// ended waits until a task has ended.
func (w *world) ended(t *testing.T, id *string) types.ExportTask {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		out, err := w.DescribeExportTasks(t.Context(), &sdk.DescribeExportTasksInput{TaskId: id})
		must(t, err)
		if e := out.ExportTasks[0]; e.ExecutionInfo.CompletionTime != nil {
			return e
		}
		<-tick.C
	}
}

// exported are the objects, unpacked, by BUCKET/KEY, with TASK for the task's id.
func (w *world) exported(t *testing.T, id *string) map[string]string {
	t.Helper()
	w.buckets.mu.Lock()
	defer w.buckets.mu.Unlock()
	out := map[string]string{}
	for key, body := range w.buckets.objects {
		if strings.HasSuffix(key, ".gz") {
			z, err := gzip.NewReader(strings.NewReader(body))
			must(t, err)
			b, err := io.ReadAll(z)
			must(t, err)
			body = string(b)
		}
		out[strings.Replace(key, *id, "TASK", 1)] = body
	}
	return out
}

// The layout is AWS's [D]: a folder for each stream, lines with their times [O]; both ends of the time are in it [D].
func TestExportTask(t *testing.T) {
	w := newWorld(t)
	w.create(t, "g", "web/1", "web-1", "db", "none")
	w.put(t, "g", "web/1", "0 first", "1 second", "3600 last", "3601 too late")
	w.put(t, "g", "web-1", "2 of another stream")
	w.put(t, "g", "db", "2 not asked for")
	w.buckets.owners["b"] = endpoint.Account
	out, err := w.CreateExportTask(t.Context(), exportOf("b", func(in *sdk.CreateExportTaskInput) { in.LogStreamNamePrefix = aws.String("web") }))
	must(t, err)
	e := w.ended(t, out.TaskId)
	if e.Status.Code != types.ExportTaskStatusCodeCompleted || *e.Status.Message != "Completed successfully" || *e.TaskName != "t" || *e.LogGroupName != "g" ||
		*e.Destination != "b" || *e.DestinationPrefix != "p" || *e.From != begin.UnixMilli() || *e.ExecutionInfo.CreationTime != begin.UnixMilli() {
		t.Errorf("got %+v, %+v", e, e.Status)
	}
	want := map[string]string{
		"b/p/aws-logs-write-test":  "Permission Check Successful",
		"b/p/TASK/web-1/000000.gz": "2026-05-01T12:00:02.000Z of another stream\n",
		"b/p/TASK/web-1/000001.gz": "2026-05-01T12:00:00.000Z first\n2026-05-01T12:00:01.000Z second\n2026-05-01T13:00:00.000Z last\n",
	}
	if got := w.exported(t, out.TaskId); !maps.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	_, err = w.CancelExportTask(t.Context(), &sdk.CancelExportTaskInput{TaskId: out.TaskId})
	wantError(t, err, "InvalidOperationException", "The operation is not valid on the specified resource.")
	list, err := w.other.DescribeExportTasks(t.Context(), &sdk.DescribeExportTasksInput{})
	must(t, err)
	if len(list.ExportTasks) != 0 {
		t.Errorf("another account sees %+v", list.ExportTasks)
	}
}

// What is large becomes several objects.
func TestExportTaskOfMuch(t *testing.T) {
	w := stillWorld(t)
	logs.SetExportBytes(w.api, 1000)
	w.run(t, w.api)
	w.create(t, "g", "s")
	var want strings.Builder
	for i := range 20 {
		var lines []string
		for j := range 100 {
			text := fmt.Sprintf("%x", uint64(i*100+j+1)*0x9E3779B97F4A7C15) // packs badly
			lines = append(lines, fmt.Sprintf("%d %s", i, strings.Repeat(text, 20)))
			fmt.Fprintf(&want, "%s %s\n", begin.Add(time.Duration(i)*time.Second).Format("2006-01-02T15:04:05.000Z"), strings.Repeat(text, 20))
		}
		w.put(t, "g", "s", lines...)
	}
	w.buckets.owners["b"] = endpoint.Account
	out, err := w.CreateExportTask(t.Context(), exportOf("b"))
	must(t, err)
	w.ended(t, out.TaskId)
	got, all := w.exported(t, out.TaskId), ""
	delete(got, "b/p/aws-logs-write-test")
	for i, key := range slices.Sorted(maps.Keys(got)) {
		if key != fmt.Sprintf("b/p/TASK/s/%06d.gz", i) {
			t.Errorf("object %d is %s", i, key)
		}
		all += got[key]
	}
	if len(got) < 2 || all != want.String() {
		t.Errorf("%d objects with %d bytes, want several with %d", len(got), len(all), want.Len())
	}
}

func TestExportTaskRefused(t *testing.T) {
	w := stillWorld(t)
	w.create(t, "g", "s")
	w.buckets.owners["b"], w.buckets.owners["theirs"] = endpoint.Account, endpoint.Other
	type change = func(*sdk.CreateExportTaskInput)
	for _, c := range []struct {
		code, text, bucket string
		change             change
	}{
		{"ResourceNotFoundException", "The specified log group does not exist.", "b", func(in *sdk.CreateExportTaskInput) { in.LogGroupName = aws.String("none") }},
		{"InvalidParameterException", "The given bucket does not exist. Please make sure the bucket is valid.", "none", nil},
		{"InvalidParameterException", "PutObject call on the given bucket failed. Please check if CloudWatch Logs has been granted permission to perform this operation.", "theirs", nil},
		{"InvalidParameterException", "The from time must not be later", "b", func(in *sdk.CreateExportTaskInput) { in.From = aws.Int64(*in.To + 1) }},
		{"InvalidParameterException", "The to time must not be earlier than the creation time", "b", func(in *sdk.CreateExportTaskInput) {
			in.From, in.To = aws.Int64(0), aws.Int64(begin.UnixMilli()-1)
		}},
		{"InvalidParameterException", "'from'", "b", func(in *sdk.CreateExportTaskInput) { in.From = aws.Int64(-1) }},
		{"InvalidParameterException", "'logStreamName'", "b", func(in *sdk.CreateExportTaskInput) { in.LogStreamNamePrefix = aws.String("a*") }},
	} {
		in := exportOf(c.bucket)
		if c.change != nil {
			c.change(in)
		}
		_, err := w.CreateExportTask(t.Context(), in)
		wantError(t, err, c.code, c.text)
	}
	// [D] The caller's own credentials have to allow it.
	ann := sdk.NewFromConfig(w.User(endpoint.Account, "ann", endpoint.Document(
		endpoint.Statement("Allow", "logs:*", `"Resource":"*"`), endpoint.Statement("Allow", "s3:PutObject", `"Resource":"arn:aws:s3:::b/p/*"`))))
	_, err := ann.CreateExportTask(t.Context(), exportOf("b", func(in *sdk.CreateExportTaskInput) { in.DestinationPrefix = nil }))
	wantError(t, err, "AccessDeniedException", "not authorized to perform: s3:PutObject on resource: arn:aws:s3:::b/exportedlogs/aws-logs-write-test because")
	bob := sdk.NewFromConfig(w.User(endpoint.Account, "bob", endpoint.Document(
		endpoint.Statement("Allow", "logs:*", `"Resource":"*"`), endpoint.Statement("Allow", "s3:PutObject", `"Resource":"arn:aws:s3:::b/p/aws-logs-write-test"`))))
	_, err = bob.CreateExportTask(t.Context(), exportOf("b")) // who may write the first object has to be allowed the others
	wantError(t, err, "AccessDeniedException", "not authorized to perform: s3:PutObject on resource: arn:aws:s3:::b/p/")
	if len(w.buckets.objects) != 0 {
		t.Errorf("there is %v", w.buckets.objects)
	}
	first, err := ann.CreateExportTask(t.Context(), exportOf("b"))
	must(t, err)
	_, err = w.CreateExportTask(t.Context(), exportOf("b"))
	wantError(t, err, "LimitExceededException", "Resource limit exceeded.")
	_, err = w.CancelExportTask(t.Context(), &sdk.CancelExportTaskInput{TaskId: aws.String("none")})
	wantError(t, err, "ResourceNotFoundException", "The specified export task does not exist.")
	_, err = w.CancelExportTask(t.Context(), &sdk.CancelExportTaskInput{TaskId: first.TaskId})
	must(t, err)
	w.run(t, w.api)
	if e := w.ended(t, first.TaskId); e.Status.Code != types.ExportTaskStatusCodeCancelled {
		t.Errorf("one that was cancelled before it began is %s", e.Status.Code)
	}
	w.Advance(time.Second)
	second, err := w.CreateExportTask(t.Context(), exportOf("b"))
	must(t, err)
	w.ended(t, second.TaskId)
	page, err := w.DescribeExportTasks(t.Context(), &sdk.DescribeExportTasksInput{Limit: aws.Int32(1)})
	must(t, err)
	rest, err := w.DescribeExportTasks(t.Context(), &sdk.DescribeExportTasksInput{Limit: aws.Int32(1), NextToken: page.NextToken})
	must(t, err)
	if *page.ExportTasks[0].TaskId != *second.TaskId || *rest.ExportTasks[0].TaskId != *first.TaskId || rest.NextToken != nil {
		t.Errorf("got %+v, then %+v", page, rest)
	}
	done, err := w.DescribeExportTasks(t.Context(), &sdk.DescribeExportTasksInput{StatusCode: types.ExportTaskStatusCodeCompleted})
	must(t, err)
	if len(done.ExportTasks) != 1 || *done.ExportTasks[0].TaskId != *second.TaskId {
		t.Errorf("complete are %+v", done.ExportTasks)
	}
}

// A task that is cancelled while it runs puts no further object; one whose group is deleted fails.
func TestExportTaskEndsEarly(t *testing.T) {
	for _, c := range []struct {
		end  func(w *world, t *testing.T, id *string) error
		want types.ExportTaskStatusCode
	}{
		{func(w *world, t *testing.T, id *string) error {
			_, err := w.CancelExportTask(t.Context(), &sdk.CancelExportTaskInput{TaskId: id})
			return err
		}, types.ExportTaskStatusCodeCancelled},
		{func(w *world, t *testing.T, _ *string) error {
			_, err := w.DeleteLogGroup(t.Context(), &sdk.DeleteLogGroupInput{LogGroupName: aws.String("g")})
			return err
		}, types.ExportTaskStatusCodeFailed},
	} {
		w := newWorld(t)
		w.create(t, "g", "a", "b")
		w.put(t, "g", "a", "0 one")
		w.put(t, "g", "b", "0 two")
		w.buckets.owners["b"] = endpoint.Account
		began, goOn := make(chan struct{}), make(chan struct{})
		w.buckets.before = func(key string) {
			if strings.HasSuffix(key, "a/000000.gz") {
				close(began)
				<-goOn
			}
		}
		out, err := w.CreateExportTask(t.Context(), exportOf("b"))
		must(t, err)
		<-began
		must(t, c.end(w, t, out.TaskId))
		close(goOn)
		e := w.ended(t, out.TaskId)
		if got := w.exported(t, out.TaskId); e.Status.Code != c.want || len(got) != 2 {
			t.Errorf("%s with %v, want %s", e.Status.Code, got, c.want)
		}
	}
}

// A task goes on when its server comes back; where another member leads instead, whose events are others, it fails, and leaves what
// was exported as it is.
func TestExportTaskSurvivesItsServer(t *testing.T) {
	for _, c := range []struct {
		same bool
		want types.ExportTaskStatusCode
	}{{true, types.ExportTaskStatusCodeCompleted}, {false, types.ExportTaskStatusCodeFailed}} {
		w := stillWorld(t)
		w.create(t, "g", "a")
		w.put(t, "g", "a", "0 one")
		w.buckets.owners["b"] = endpoint.Account
		out, err := w.CreateExportTask(t.Context(), exportOf("b"))
		must(t, err)
		next := w.api
		if !c.same {
			next = w.open(t, t.TempDir())
		}
		w.run(t, next)
		e := w.ended(t, out.TaskId)
		if got := w.exported(t, out.TaskId); e.Status.Code != c.want || (len(got) == 2) != c.same {
			t.Errorf("%+v with %v, want %s", e.Status, got, c.want)
		}
	}
}

// What retention has taken is not exported, whether its files are gone or not.
func TestExportTaskKeepsRetention(t *testing.T) {
	w := newWorld(t)
	w.create(t, "g", "s")
	w.put(t, "g", "s", "0 old")
	w.buckets.owners["b"] = endpoint.Account
	_, err := w.PutRetentionPolicy(t.Context(), &sdk.PutRetentionPolicyInput{LogGroupName: aws.String("g"), RetentionInDays: aws.Int32(1)})
	must(t, err)
	w.Advance(25 * time.Hour)
	out, err := w.CreateExportTask(t.Context(), exportOf("b"))
	must(t, err)
	e := w.ended(t, out.TaskId)
	if got := w.exported(t, out.TaskId); e.Status.Code != types.ExportTaskStatusCodeCompleted || len(got) != 1 {
		t.Errorf("%+v with %q", e.Status, got)
	}
}

// A task leaves no mark beside the events.
func TestExportTaskTidiesUp(t *testing.T) {
	w := newWorld(t)
	w.create(t, "g", "s")
	w.buckets.owners["b"] = endpoint.Account
	marks := func() []string {
		names, err := filepath.Glob(filepath.Join(w.dir, "*", "*.mark"))
		must(t, err)
		return names
	}
	out, err := w.CreateExportTask(t.Context(), exportOf("b"))
	must(t, err)
	w.ended(t, out.TaskId)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(10 * time.Second); len(marks()) > 0; <-tick.C { // it goes when the task has ended
		if time.Now().After(end) {
			t.Fatalf("%q are left", marks())
		}
	}
}

// A group that has the name by now is another one.
func TestExportTaskOfAGroupThatWasMadeAgain(t *testing.T) {
	w := stillWorld(t)
	w.create(t, "g", "s")
	w.put(t, "g", "s", "0 one")
	w.buckets.owners["b"] = endpoint.Account
	out, err := w.CreateExportTask(t.Context(), exportOf("b"))
	must(t, err)
	_, err = w.DeleteLogGroup(t.Context(), &sdk.DeleteLogGroupInput{LogGroupName: aws.String("g")})
	must(t, err)
	w.create(t, "g", "s")
	w.put(t, "g", "s", "0 two")
	w.run(t, w.api)
	if e := w.ended(t, out.TaskId); e.Status.Code != types.ExportTaskStatusCodeFailed || *e.Status.Message != "The specified log group does not exist." {
		t.Errorf("%+v", e.Status)
	}
}

// Of tasks that are created at the same time one is.
func TestExportTasksAtOnce(t *testing.T) {
	w := stillWorld(t)
	w.create(t, "g", "s")
	w.buckets.owners["b"] = endpoint.Account
	var made atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := w.CreateExportTask(t.Context(), exportOf("b")); err == nil {
				made.Add(1)
			}
		})
	}
	wg.Wait()
	if n := made.Load(); n != 1 {
		t.Errorf("%d tasks are made", n)
	}
}
