package logs_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
)

// A query runs by itself, over several groups, the newest events first [D].
func TestQueries(t *testing.T) {
	w := newWorld(t)
	w.create(t, "a", "s")
	w.create(t, "b", "s")
	for i := range 20 {
		w.put(t, []string{"a", "b"}[i%2], "s", fmt.Sprintf(`%d {"n":%d}`, i, i))
	}
	start := func(q string) *sdk.StartQueryInput {
		return &sdk.StartQueryInput{QueryString: &q, LogGroupNames: []string{"a", "b"}, StartTime: aws.Int64(begin.Unix()), EndTime: aws.Int64(begin.Unix() + 3600)}
	}
	ask := func(in *sdk.StartQueryInput) *sdk.GetQueryResultsOutput {
		t.Helper()
		w.Advance(time.Millisecond)
		q, err := w.StartQuery(t.Context(), in)
		must(t, err)
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			out, err := w.GetQueryResults(t.Context(), &sdk.GetQueryResultsInput{QueryId: q.QueryId})
			must(t, err)
			if out.Status != types.QueryStatusRunning && out.Status != types.QueryStatusScheduled {
				return out
			}
			<-tick.C
		}
	}
	out := ask(start("fields n, @log | filter n > 3 | limit 3"))
	got := ""
	for _, r := range out.Results {
		got += *r[0].Value + " " + *r[1].Value + "; "
	}
	if want := "19 000000000000:b; 18 000000000000:a; 17 000000000000:b; "; got != want || out.Status != types.QueryStatusComplete {
		t.Errorf("got %q, %s", got, out.Status)
	}
	record, err := w.GetLogRecord(t.Context(), &sdk.GetLogRecordInput{LogRecordPointer: out.Results[2][2].Value})
	must(t, err)
	if r := record.LogRecord; r["n"] != "17" || r["@message"] != `{"n":17}` || r["@logStream"] != "s" {
		t.Errorf("got %v", r)
	}
	_, err = w.GetLogRecord(t.Context(), &sdk.GetLogRecordInput{LogRecordPointer: aws.String("x")})
	wantError(t, err, "InvalidParameterException", "The specified logRecordPointer is invalid.")
	fields, err := w.GetLogGroupFields(t.Context(), &sdk.GetLogGroupFieldsInput{LogGroupName: aws.String("a"), Time: aws.Int64(begin.Unix())})
	must(t, err)
	if f := fields.LogGroupFields; len(f) != 6 || *f[5].Name != "n" || f[5].Percent != 100 {
		t.Errorf("got %v", f)
	}
	out = ask(start("filter n < 5 | stats count(*) as c, sum(n) as s"))
	if r := out.Results; len(r) != 1 || *r[0][0].Value != "5" || *r[0][1].Value != "10" {
		t.Errorf("got %+v", r)
	}
	if s := out.Statistics; s.RecordsScanned != 20 || s.RecordsMatched != 5 || s.LogGroupsScanned != 2 {
		t.Errorf("got %+v", s)
	}
	narrow := start("fields n")
	narrow.StartTime, narrow.EndTime = aws.Int64(begin.Unix()+5), aws.Int64(begin.Unix()+6) // both included
	if out := ask(narrow); len(out.Results) != 2 {
		t.Errorf("got %+v", out.Results)
	}
	_, err = w.StartQuery(t.Context(), start("fields n | nonsense"))
	wantError(t, err, "MalformedQueryException", "unexpected symbol found nonsense at line 1 and position 12")
	_, err = w.GetQueryResults(t.Context(), &sdk.GetQueryResultsInput{QueryId: aws.String("none")})
	wantError(t, err, "ResourceNotFoundException", "none")
	list, err := w.DescribeQueries(t.Context(), &sdk.DescribeQueriesInput{LogGroupName: aws.String("a"), Status: types.QueryStatusComplete})
	must(t, err)
	if len(list.Queries) != 3 || *list.Queries[2].QueryString != "fields n, @log | filter n > 3 | limit 3" {
		t.Errorf("got %+v", list.Queries)
	}
	_, err = w.StopQuery(t.Context(), &sdk.StopQueryInput{QueryId: list.Queries[0].QueryId})
	wantError(t, err, "InvalidParameterException", "has ended already")
}

// What is kept of queries that have ended is bounded, by time and by the size of their results; the last is there whatever its size.
func TestQueriesAreForgotten(t *testing.T) {
	w := newWorld(t)
	w.create(t, "g", "s")
	for i := range 8 {
		w.put(t, "g", "s", fmt.Sprint(i, " ", strings.Repeat("x", 1<<20-30)))
	}
	var ids []*string
	for range 20 { // with about 8 MB each
		w.Advance(time.Millisecond)
		q, err := w.StartQuery(t.Context(), &sdk.StartQueryInput{
			QueryString: aws.String("fields @message"), LogGroupName: aws.String("g"), StartTime: aws.Int64(begin.Unix()), EndTime: aws.Int64(begin.Unix() + 60),
		})
		must(t, err)
		ids = append(ids, q.QueryId)
		w.queryEnds(t, q.QueryId)
	}
	count := func() int {
		list, err := w.DescribeQueries(t.Context(), &sdk.DescribeQueriesInput{})
		must(t, err)
		return len(list.Queries)
	}
	if n := count(); n < 10 || n > 17 {
		t.Errorf("%d queries are kept", n)
	}
	_, err := w.GetQueryResults(t.Context(), &sdk.GetQueryResultsInput{QueryId: ids[0]})
	wantError(t, err, "ResourceNotFoundException", *ids[0])
	w.Advance(8 * 24 * time.Hour)
	q, err := w.StartQuery(t.Context(), &sdk.StartQueryInput{
		QueryString: aws.String("fields @message"), LogGroupName: aws.String("g"), StartTime: aws.Int64(begin.Unix()), EndTime: aws.Int64(begin.Unix() + 60),
	})
	must(t, err)
	w.queryEnds(t, q.QueryId)
	if n := count(); n != 1 {
		t.Errorf("after a week %d queries are kept, want the new one", n)
	}
}

// queryEnds waits for a query.
func (w *world) queryEnds(t *testing.T, id *string) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		list, err := w.DescribeQueries(t.Context(), &sdk.DescribeQueriesInput{Status: types.QueryStatusComplete})
		must(t, err)
		for _, q := range list.Queries {
			if *q.QueryId == *id {
				return
			}
		}
		<-tick.C
	}
}

// A query that was stopped before its turn is there to be looked at, as others are.
func TestStoppedQueryStays(t *testing.T) {
	w := stillWorld(t)
	w.create(t, "g", "s")
	start := func(text string) (*sdk.StartQueryOutput, error) {
		return w.StartQuery(t.Context(), &sdk.StartQueryInput{QueryString: &text, LogGroupName: aws.String("g"), StartTime: aws.Int64(begin.Unix()), EndTime: aws.Int64(begin.Unix() + 60)})
	}
	q, err := start("fields @message")
	must(t, err)
	_, err = w.StopQuery(t.Context(), &sdk.StopQueryInput{QueryId: q.QueryId})
	must(t, err)
	_, err = start("fields @message")
	must(t, err)
	out, err := w.GetQueryResults(t.Context(), &sdk.GetQueryResultsInput{QueryId: q.QueryId})
	must(t, err)
	if out.Status != types.QueryStatusCancelled {
		t.Errorf("it is %s", out.Status)
	}
	_, err = start("fields @message #" + strings.Repeat("x", 10_000)) // [D]
	wantError(t, err, "InvalidParameterException", "'queryString'")
}
