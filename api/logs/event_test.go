package logs_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"pgregory.net/rapid"

	"github.com/roadstead/roadstead/api/logs"
	"github.com/roadstead/roadstead/logquery"
	"github.com/roadstead/roadstead/logstore"
)

// What a PutLogEvents may bring [D], in AWS's words [O].
func TestPutRefused(t *testing.T) {
	w := newWorld(t)
	w.create(t, "g", "s")
	many := make([]string, 10_001)
	for i := range many {
		many[i] = "0 x"
	}
	for name, c := range map[string]struct {
		group, stream, code, text string
		lines                     []string
	}{
		"no group":       {"none", "s", "ResourceNotFoundException", "The specified log group does not exist.", []string{"0 a"}},
		"no stream":      {"g", "none", "ResourceNotFoundException", "The specified log stream does not exist.", []string{"0 a"}},
		"not in order":   {"g", "s", "InvalidParameterException", "must be in chronological order", []string{"1 a", "0 b"}},
		"over 24 hours":  {"g", "s", "InvalidParameterException", "cannot span more than 24 hours", []string{"-86400 a", "0.001 b"}},
		"too large":      {"g", "s", "InvalidParameterException", "Upload too large: 1048602 bytes exceeds limit of 1048576", []string{"0 " + strings.Repeat("x", 1<<20)}},
		"none":           {"g", "s", "InvalidParameterException", "greater than or equal to 1", nil},
		"too many":       {"g", "s", "InvalidParameterException", "less than or equal to 10000", many},
		"nothing in one": {"g", "s", "InvalidParameterException", "Value '' at 'logEvents.1.member.message'", []string{"0 "}},
		"a bad name":     {"g g", "s", "InvalidParameterException", `regular expression pattern: [\.\-_/#A-Za-z0-9]+`, []string{"0 a"}},
	} {
		_, err := w.tryPut(t.Context(), c.group, c.stream, c.lines...)
		if err == nil {
			t.Errorf("%s: taken", name)
			continue
		}
		wantError(t, err, c.code, c.text)
	}
	w.put(t, "g", "s", "0 "+strings.Repeat("x", 1<<20-26))
}

// Events that are too old, too new or past retention are told of, and the others taken [D].
func TestPutRejects(t *testing.T) {
	w := newWorld(t)
	w.create(t, "g", "s")
	w.Advance(14 * 24 * time.Hour)
	out := w.put(t, "g", "s", "-1 old", "0 young")
	if r := out.RejectedLogEventsInfo; r == nil || *r.TooOldLogEventEndIndex != 1 || r.TooNewLogEventStartIndex != nil || r.ExpiredLogEventEndIndex != nil {
		t.Errorf("too old: %+v", r)
	}
	out = w.put(t, "g", "s", "1216799 now", "1216801 future") // two hours ahead are taken
	if r := out.RejectedLogEventsInfo; r == nil || *r.TooNewLogEventStartIndex != 1 || r.TooOldLogEventEndIndex != nil {
		t.Errorf("too new: %+v", r)
	}
	_, err := w.PutRetentionPolicy(t.Context(), &sdk.PutRetentionPolicyInput{LogGroupName: aws.String("g"), RetentionInDays: aws.Int32(3)})
	must(t, err)
	out = w.put(t, "g", "s", "950399 expired", "950401 kept")
	if r := out.RejectedLogEventsInfo; r == nil || *r.ExpiredLogEventEndIndex != 1 || r.TooOldLogEventEndIndex != nil {
		t.Errorf("expired: %+v", r)
	}
	got, err := w.GetLogEvents(t.Context(), &sdk.GetLogEventsInput{LogGroupName: aws.String("g"), LogStreamName: aws.String("s")})
	must(t, err)
	if m := messages(got.Events); m != "kept now" { // "young" is past the retention that the group has now
		t.Errorf("got %q", m)
	}
}

// GetLogEvents goes both ways by tokens; at an end the same token comes back [D].
func TestGetBothWays(t *testing.T) {
	w := newWorld(t)
	w.create(t, "g", "s", "empty")
	w.put(t, "g", "s", "0 a", "1 b", "1 c", "2 d")
	w.put(t, "g", "s", "1 late", "3 e")
	get := func(token *string, head bool, limit int32) *sdk.GetLogEventsOutput {
		t.Helper()
		out, err := w.GetLogEvents(t.Context(), &sdk.GetLogEventsInput{
			LogGroupName: aws.String("g"), LogStreamName: aws.String("s"), NextToken: token, StartFromHead: &head, Limit: &limit,
		})
		must(t, err)
		return out
	}
	for _, c := range []struct {
		head bool
		want []string
	}{{true, []string{"a b", "c late", "d e"}}, {false, []string{"d e", "c late", "a b"}}} {
		var token *string
		for _, want := range c.want {
			out := get(token, c.head, 2)
			if got := messages(out.Events); got != want {
				t.Errorf("head %v: %q, want %q", c.head, got, want)
			}
			if token = out.NextBackwardToken; c.head {
				token = out.NextForwardToken
			}
		}
		out := get(token, c.head, 2)
		same, back := out.NextBackwardToken, out.NextForwardToken
		if c.head {
			same, back = back, same
		}
		if len(out.Events) != 0 || *same != *token {
			t.Errorf("head %v: at the end %q, and %s after %s", c.head, messages(out.Events), *same, *token)
		}
		if got, want := messages(get(back, c.head, 2).Events), c.want[2]; got != want {
			t.Errorf("head %v: turned round %q, want %q", c.head, got, want)
		}
	}
	for _, token := range []string{"f/1", "x", "g/" + strings.Repeat("0", 56), "f/" + strings.Repeat("9", 56)} {
		_, err := w.GetLogEvents(t.Context(), &sdk.GetLogEventsInput{LogGroupName: aws.String("g"), LogStreamName: aws.String("s"), NextToken: &token})
		wantError(t, err, "InvalidParameterException", "The specified nextToken is invalid.")
	}
	// A reader at the end of a stream that is empty yet sees what comes.
	out, err := w.GetLogEvents(t.Context(), &sdk.GetLogEventsInput{LogGroupName: aws.String("g"), LogStreamName: aws.String("empty"), StartFromHead: aws.Bool(true)})
	must(t, err)
	w.put(t, "g", "empty", "0 first")
	out, err = w.GetLogEvents(t.Context(), &sdk.GetLogEventsInput{LogGroupName: aws.String("g"), LogStreamName: aws.String("empty"), NextToken: out.NextForwardToken})
	must(t, err)
	if messages(out.Events) != "first" {
		t.Errorf("after the token of an empty stream: %q", messages(out.Events))
	}
}

// The window of times has its beginning and not its end [D].
func TestGetWindow(t *testing.T) {
	w := newWorld(t)
	w.create(t, "g", "s")
	w.put(t, "g", "s", "0 a", "1 b", "2 c", "3 d")
	out, err := w.GetLogEvents(t.Context(), &sdk.GetLogEventsInput{
		LogGroupIdentifier: aws.String("arn:aws:logs:us-east-1:000000000000:log-group:g"), LogStreamName: aws.String("s"),
		StartTime: aws.Int64(begin.UnixMilli() + 1000), EndTime: aws.Int64(begin.UnixMilli() + 3000),
	})
	must(t, err)
	if messages(out.Events) != "b c" {
		t.Errorf("got %q", messages(out.Events))
	}
}

// FilterLogEvents merges streams by time, page by page, each event once [D].
func TestFilter(t *testing.T) {
	w := newWorld(t)
	w.create(t, "g", "web/1", "web/2", "db/1")
	for i := range 30 {
		at := time.Duration(i) * time.Second
		w.put(t, "g", []string{"web/1", "web/2", "db/1"}[i%3], strings.TrimSuffix(at.String(), "s")+" ERROR "+string(rune('A'+i)), strings.TrimSuffix(at.String(), "s")+" fine")
	}
	filter := func(in *sdk.FilterLogEventsInput) (text string, pages int) {
		t.Helper()
		in.LogGroupName = aws.String("g")
		ids := map[string]bool{}
		for p := sdk.NewFilterLogEventsPaginator(w.Client, in); p.HasMorePages(); pages++ {
			out, err := p.NextPage(t.Context())
			must(t, err)
			for _, e := range out.Events {
				if ids[*e.EventId] {
					t.Errorf("event %s twice", *e.EventId)
				}
				ids[*e.EventId] = true
				text += strings.TrimPrefix(*e.Message, "ERROR ")
			}
		}
		return text, pages
	}
	const abc = "ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^"
	if got, pages := filter(&sdk.FilterLogEventsInput{FilterPattern: aws.String("ERROR"), Limit: aws.Int32(7)}); got != abc || pages != 5 {
		t.Errorf("all: %q on %d pages", got, pages)
	}
	if got, _ := filter(&sdk.FilterLogEventsInput{FilterPattern: aws.String("ERROR"), StartTime: aws.Int64(begin.UnixMilli() + 28000)}); got != "]^" {
		t.Errorf("window: %q", got)
	}
	if got, _ := filter(&sdk.FilterLogEventsInput{FilterPattern: aws.String("ERROR -A"), LogStreamNamePrefix: aws.String("web/1")}); got != "DGJMPSVY\\" {
		t.Errorf("prefix: %q", got)
	}
	if got, _ := filter(&sdk.FilterLogEventsInput{FilterPattern: aws.String("?A ?B ?C"), LogStreamNames: []string{"db/1", "web/2"}}); got != "BC" {
		t.Errorf("names: %q", got)
	}
	_, err := w.FilterLogEvents(t.Context(), &sdk.FilterLogEventsInput{LogGroupName: aws.String("g"), FilterPattern: aws.String("a:b")})
	wantError(t, err, "InvalidParameterException", "Invalid filter pattern: Invalid character(s) in term 'a:b'")
	_, err = w.FilterLogEvents(t.Context(), &sdk.FilterLogEventsInput{LogGroupName: aws.String("g"), LogStreamNames: []string{"none"}})
	wantError(t, err, "ResourceNotFoundException", "The specified log stream does not exist.")
}

// However little a page looks through, all pages together have each event that matches once, in order, both ways.
func TestFilterPages(t *testing.T) {
	outer := t
	rapid.Check(t, func(t *rapid.T) {
		dir := outer.TempDir()
		store, err := logstore.Open(logstore.Config{Dir: dir, Segment: 300, Sync: func(*os.File) error { return nil }})
		must(t, err)
		defer store.Close()
		g, err := store.Group("g")
		must(t, err)
		must(t, g.CreateStream("a", 1))
		must(t, g.CreateStream("b", 1))
		for i := range rapid.IntRange(0, 40).Draw(t, "events") {
			e := logstore.Event{Time: rapid.Int64Range(1, 20).Draw(t, "time"), Message: fmt.Sprint(rapid.SampledFrom([]string{"x", "y y y y y"}).Draw(t, "word"), " ", i)}
			must(t, g.Append(rapid.SampledFrom([]string{"a", "b"}).Draw(t, "stream"), []logstore.Event{e}, 1))
		}
		pattern, err := logquery.ParsePattern("x")
		must(t, err)
		q := logstore.Query{Reverse: rapid.Bool().Draw(t, "reverse")}
		var want, got []string
		for e, err := range g.Events(q) {
			if must(t, err); pattern.Match(e.Message) {
				want = append(want, e.Message)
			}
		}
		size, most := rapid.IntRange(1, 5).Draw(t, "size"), rapid.IntRange(0, 300).Draw(t, "most")
		for {
			found, next, err := logs.FilterPage(context.Background(), g, q, pattern, size, most)
			must(t, err)
			for _, e := range found {
				got = append(got, e.Message)
			}
			if len(found) > size {
				t.Fatalf("a page of %d", len(found))
			}
			if next == nil {
				break
			}
			q.After = *next
		}
		if !slices.Equal(got, want) {
			t.Fatalf("pages have %q, want %q", got, want)
		}
	})
}

// Metric filters are stored and described, and patterns tried [D].
func TestMetricFilters(t *testing.T) {
	w := newWorld(t)
	w.create(t, "g")
	for _, name := range []string{"b", "a", "b"} {
		_, err := w.PutMetricFilter(t.Context(), &sdk.PutMetricFilterInput{
			LogGroupName: aws.String("g"), FilterName: &name, FilterPattern: aws.String("{ $.latency = * }"),
			MetricTransformations: []types.MetricTransformation{{MetricName: aws.String("l"), MetricNamespace: aws.String("n"), MetricValue: aws.String("$.latency")}},
		})
		must(t, err)
	}
	out, err := w.DescribeMetricFilters(t.Context(), &sdk.DescribeMetricFiltersInput{LogGroupName: aws.String("g")})
	must(t, err)
	if len(out.MetricFilters) != 2 || *out.MetricFilters[0].FilterName != "a" || *out.MetricFilters[1].MetricTransformations[0].MetricValue != "$.latency" {
		t.Errorf("got %+v", out.MetricFilters)
	}
	_, err = w.DeleteMetricFilter(t.Context(), &sdk.DeleteMetricFilterInput{LogGroupName: aws.String("g"), FilterName: aws.String("a")})
	must(t, err)
	_, err = w.DeleteMetricFilter(t.Context(), &sdk.DeleteMetricFilterInput{LogGroupName: aws.String("g"), FilterName: aws.String("a")})
	wantError(t, err, "ResourceNotFoundException", "The specified metric filter does not exist.")
	tried, err := w.TestMetricFilter(t.Context(), &sdk.TestMetricFilterInput{
		FilterPattern: aws.String("{ $.latency > 3 }"), LogEventMessages: []string{`{"latency":2}`, `{"latency":4}`},
	})
	must(t, err)
	if m := tried.Matches; len(m) != 1 || m[0].EventNumber != 2 || m[0].ExtractedValues["$.latency"] != "4" {
		t.Errorf("got %+v", m)
	}
}

// The tokens of a page without events lead on from where it was, both ways: nothing is passed over, and nothing comes twice.
func TestTokensOfNothing(t *testing.T) {
	w := newWorld(t)
	w.create(t, "g", "s")
	page := func(token *string) *sdk.GetLogEventsOutput {
		t.Helper()
		out, err := w.GetLogEvents(t.Context(), &sdk.GetLogEventsInput{
			LogGroupName: aws.String("g"), LogStreamName: aws.String("s"), StartTime: aws.Int64(begin.UnixMilli()), NextToken: token,
		})
		must(t, err)
		return out
	}
	first := page(nil)
	back := page(first.NextBackwardToken)
	w.put(t, "g", "s", "0 x")
	if got := messages(page(back.NextForwardToken).Events); got != "x" {
		t.Errorf("forward from there: %q", got)
	}
	if got := messages(page(first.NextBackwardToken).Events); got != "" {
		t.Errorf("backward from the beginning: %q", got)
	}
}
