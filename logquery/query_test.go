package logquery_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/roadstead/roadstead/logquery"
)

// events are what the queries of the tests are about: one a minute, the newest first.
func events() []logquery.Record {
	lines := []string{
		`{"level":"INFO","ms":10,"user":{"id":"ann"},"list":[1,2]}`,
		`{"level":"ERROR","ms":250,"user":{"id":"bob"}}`,
		`{"level":"INFO","ms":30,"user":{"id":"ann"}}`,
		`GET /a?b=1 [200] took 12ms`,
		`GET /b [500] took 900ms`,
		`{"level":"ERROR","ms":50,"user":{"id":"ann"}}`,
	}
	var all []logquery.Record
	for i, line := range slices.Backward(lines) {
		all = append(all, logquery.Record{
			Time: 1777636800000 + int64(i)*60_000, Message: line, Stream: fmt.Sprint("s", i%2), Log: "000000000000:g", Pointer: fmt.Sprint("p", i),
		})
	}
	return all
}

// Commands of Insights, by AWS's pages "CloudWatch Logs Insights query syntax" [D]. One line a row: its fields without @ptr.
func TestQuery(t *testing.T) {
	for query, want := range map[string]string{
		"fields @timestamp, level | limit 2":                                                                                                                     "@timestamp=2026-05-01 12:05:00.000 level=ERROR; @timestamp=2026-05-01 12:04:00.000",
		"fields ms | filter level = 'ERROR' and ms > 100":                                                                                                        "ms=250",
		"fields ms | filter level = \"ERROR\" or ms = 10 | sort ms":                                                                                              "ms=10; ms=50; ms=250",
		"filter @message like /took \\d{3}ms/ | fields @logStream":                                                                                               "@logStream=s0",
		"filter @message like 'took' and @message not like \"500\" | fields @logStream as s":                                                                     "s=s1",
		"filter level in ['INFO', 'DEBUG'] | fields user.id, ms | sort ms desc":                                                                                  "user.id=ann ms=30; user.id=ann ms=10",
		"filter ispresent(list.1) | fields list.1 + 1 as two, ms / 4, strlen(level)":                                                                             "two=3 ms / 4=2.5 strlen(level)=4",
		"parse @message 'GET * [*] took *ms' as path, status, took | filter ispresent(path) | display path, status, took":                                        "path=/b status=500 took=900; path=/a?b=1 status=200 took=12",
		"parse @message /\\[(?<code>\\d+)\\]/ | filter code >= 500 | display code":                                                                               "code=500",
		"stats count(*), avg(ms) as mean, max(ms), min(ms), sum(ms), pct(ms, 50)":                                                                                "count(*)=6 mean=85 max(ms)=250 min(ms)=10 sum(ms)=340 pct(ms, 50)=30",
		"stats count(*) as n by level | sort n desc, level":                                                                                                      "n=2; level=ERROR n=2; level=INFO n=2",
		"filter ispresent(level) | stats count(*) by user.id, bin(5m) | sort user.id, `bin(5m)`":                                                                 "user.id=ann bin(5m)=2026-05-01 12:00:00.000 count(*)=2; user.id=ann bin(5m)=2026-05-01 12:05:00.000 count(*)=1; user.id=bob bin(5m)=2026-05-01 12:00:00.000 count(*)=1",
		"stats count_distinct(user.id) as people, latest(ms) as l, earliest(ms) as e":                                                                            "people=2 l=50 e=10",
		"filter level = 'NONE' | stats count(*) as n":                                                                                                            "n=0",
		"fields user.id | filter ispresent(user.id) | dedup user.id":                                                                                             "user.id=ann; user.id=bob",
		"stats sum(ms) as s by user.id | filter s > 100 | stats count(*) as heavy":                                                                               "heavy=1",
		"filter ispresent(level) | stats max(ms) as top, avg(ms) as mean, top - mean as spread, count(*) / 2 as half":                                            "top=250 mean=85 spread=165 half=2",
		"stats sum(strcontains(@message, 'ERROR')) / count(*) * 100 as percent":                                                                                  "percent=33.33333333333333",
		"fields level | dedup level | limit 10":                                                                                                                  "level=ERROR; ; ; level=INFO",
		"filter @timestamp >= now() * 1000 - 60000 | stats count(*) as recent, now() as t":                                                                       "recent=2 t=1777637100",
		"stats count(*) as n by bin(1mo) | display `bin(1mo)`, n":                                                                                                "bin(1mo)=2026-05-01 00:00:00.000 n=6",
		"fields datefloor(@timestamp, 2quarters) as f, dateceil(@timestamp, 1year) as c, datefloor(@timestamp, 2hrs) as h | limit 1":                             "f=2026-01-01 00:00:00.000 c=2027-01-01 00:00:00.000 h=2026-05-01 12:00:00.000",
		"fields jsonParse('{\"a\":{\"b\":[1,{\"c\":\"x\"}]}}') as j, j.a.b[1].c as c, j.a.b[0] + 1 as n, jsonStringify(j.a) as s | display c, n, s, j | limit 1": `c=x n=2 s={"b":[1,{"c":"x"}]} j={"a":{"b":[1,{"c":"x"}]}}`,
		"filter list[1] = 2 | fields list[0] as first":                                                                                                           "first=1",
		"fields trim('xxaxx', 'x') as t, ltrim('  b ') as l, rtrim(' b  ') as r, unmask(level) as m | limit 1":                                                   "t=a l=b  r= b m=ERROR",
		"fields isValidIp('10.0.0.1') as a, isValidIpV4('::1') as b, isIpInSubnet('10.1.2.3', '10.0.0.0/8') as c, isIpv6InSubnet('10.1.2.3', '10.0.0.0/8') as d, isIpv4InSubnet(level, '10.0.0.0/8') as e | limit 1": "a=1 b=0 c=1 d=0 e=0",
		"filterIndex level = 'ERROR' | stats count(*) as n":                                 "n=2",
		"fields user.id,\n@message | sort user.id, ms desc | limit 3 | display user.id, ms": "; ; user.id=ann ms=50",
		"fields toupper(user.id) as u | filter not isempty(u) | limit 1":                    "u=ANN",
		"# nothing but a comment\nfields level\n| filter level = 'INFO'\n| limit 1":         "level=INFO",
	} {
		q, err := logquery.ParseQuery(query)
		if err != nil {
			t.Errorf("%s: %v", query, err)
			continue
		}
		run := q.Start(1777637100000)
		for _, e := range events() {
			if !run.Add(e) {
				break
			}
		}
		var rows []string
		for _, r := range run.Rows() {
			var fields []string
			for _, f := range r {
				if f.Name != "@ptr" {
					fields = append(fields, f.Name+"="+f.Value)
				}
			}
			rows = append(rows, strings.Join(fields, " "))
		}
		if got := strings.Join(rows, "; "); got != want {
			t.Errorf("%s:\n\tgot  %s\n\twant %s", query, got, want)
		}
	}
}

func TestQueryRefused(t *testing.T) {
	for query, at := range map[string]int{
		"":                              0,
		"felds @message":                0,
		"fields":                        6,
		"filter level = ":               15,
		"filter level = 'open":          15,
		"stats nothing(*)":              6,
		"limit 0":                       6,
		"limit 10001":                   6,
		"parse @message 'a * b' as x,y": 15,
		"filter @message like level":    21,
		"fields a b":                    9,
		"stats level by user.id":        6,
		"stats sum(count(*))":           10,
		"fields a[b]":                   9,
		"fields x | pattern @message":   11,
		"fields bin(1fortnight)":        11,
	} {
		_, err := logquery.ParseQuery(query)
		e, ok := errors.AsType[*logquery.QueryError](err)
		if !ok || e.Start != at {
			t.Errorf("%s: %v, at %+v, want one at %d", query, err, e, at)
		}
	}
}

func FuzzQuery(f *testing.F) {
	f.Add("fields @timestamp, a + 1 as b | filter a like /x/ and not b in [1, 'c'] | stats count(*) as n, pct(a, 99) by bin(5m) | sort n desc | limit 3")
	f.Add("parse @message '* [*]' as a, b | dedup a | display b, concat(a, 'x'), datefloor(@timestamp, 1h)")
	f.Fuzz(func(_ *testing.T, query string) {
		q, err := logquery.ParseQuery(query)
		if err != nil {
			return
		}
		run := q.Start(1777637100000)
		for _, e := range events() {
			run.Add(e)
		}
		run.Rows()
	})
}

func TestFields(t *testing.T) {
	got := logquery.Fields(`{"a":{"b":1.50,"c":null},"list":["x",{"y":true}]}`)
	if want := map[string]string{"a.b": "1.50", "list.0": "x", "list.1.y": "true"}; !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := logquery.Fields(`[WARN] {not} it: {"a":1} {"b":2}`); !maps.Equal(got, map[string]string{"a": "1"}) { // [D] the first
		t.Errorf("got %v", got)
	}
	if got := logquery.Fields("plain"); len(got) != 0 {
		t.Errorf("got %v", got)
	}
}

// sort orders as AWS's page about it shows [D].
func TestNaturalOrder(t *testing.T) {
	want := []string{"!:", "#", "*%04", "0#", "5A", "111A", "2345_", "@", "@_", "A", "A9876fghj", "a12345hfh", "0", "1", "2", "3", "10"}
	q, err := logquery.ParseQuery("sort v | display v")
	if err != nil {
		t.Fatal(err)
	}
	run := q.Start(0)
	for _, i := range []int{5, 16, 0, 12, 8, 3, 15, 1, 9, 14, 2, 11, 7, 4, 13, 10, 6} {
		run.Add(logquery.Record{Message: fmt.Sprintf(`{"v":%q}`, want[i])})
	}
	var got []string
	for _, r := range run.Rows() {
		got = append(got, r[0].Value)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// A query that would hold more than it may fails, and one that needs only the first rows holds no others.
func TestQueriesAreBounded(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	for query, want := range map[string]error{
		"sort @timestamp | limit 10":                    nil,
		"sort @timestamp | fields 1 as one | limit 10":  nil,
		"sort @timestamp | filter @message like 'x'":    logquery.ErrTooMuch,
		"sort @timestamp":                               logquery.ErrTooMuch,
		"fields @message":                               logquery.ErrTooMuch,
		"dedup @message":                                logquery.ErrTooMuch,
		"stats count(*) by @message":                    logquery.ErrTooMuch,
		"stats count_distinct(@message)":                logquery.ErrTooMuch,
		"stats count(*), earliest(@message) by bin(1h)": nil,
		"stats latest(@message) by @timestamp":          logquery.ErrTooMuch,
	} {
		q, err := logquery.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		run := q.Start(0)
		for i := range 300 {
			if !run.Add(logquery.Record{Time: int64(-i), Message: long[i:]}) {
				break
			}
		}
		run.Rows()
		if err := run.Err(); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", query, err, want)
		}
	}
}

// What cannot be understood is named with its line.
func TestQueryErrorsNameTheLine(t *testing.T) {
	_, err := logquery.ParseQuery("fields a\n| nonsense")
	if want := "unexpected symbol found nonsense at line 2 and position 3"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// A query can be nested as deep as one that people write, and no deeper: the stack is everybody's.
func TestQueryIsNotNestedDeeply(t *testing.T) {
	for _, piece := range []string{"-", "(", "not ", "abs("} {
		_, err := logquery.ParseQuery("fields " + strings.Repeat(piece, 2000) + "1")
		if e, ok := errors.AsType[*logquery.QueryError](err); !ok || e.Message != "the query is nested too deeply" {
			t.Errorf("%q: %v", piece, err)
		}
	}
}

// answers are the rows of a query about messages, without @ptr.
func answers(t *testing.T, query string, messages ...string) string {
	t.Helper()
	q, err := logquery.ParseQuery(query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	run := q.Start(0)
	for _, m := range messages {
		run.Add(logquery.Record{Message: m})
	}
	var rows []string
	for _, r := range run.Rows() {
		text := ""
		for _, f := range r {
			if f.Name != "@ptr" {
				text += f.Name + "=" + f.Value + " "
			}
		}
		rows = append(rows, text)
	}
	return strings.Join(rows, ";")
}

// Texts that functions make are bounded: what would be longer than an event may be is nothing.
func TestTextsAreBounded(t *testing.T) {
	message := strings.Repeat("a", 100_000)
	for _, f := range []string{"replace(@message, 'a', substr(@message, 0, 20))", "concat(" + strings.Repeat("@message, ", 15) + "'b')"} {
		if got := answers(t, "fields "+f+" as x, strlen(@message) as n", message); got != "n=100000 " {
			t.Errorf("%s makes %d bytes", f, len(got))
		}
	}
	if got := answers(t, "fields replace(@message, 'a', 'bc') as x, concat(@message, 'd') as y", "aa"); got != "x=bcbc y=aad " {
		t.Errorf("got %s", got)
	}
}

// Values are told from each other whatever is in them, also what keys of groups are made of.
func TestKeysOfRows(t *testing.T) {
	one, two := `{"a":"x\u00001y","b":"z"}`, `{"a":"x","b":"y\u00001z"}`
	if got := answers(t, "dedup a, b | stats count(*) as n", one, two, one); got != "n=2 " {
		t.Errorf("dedup: %s", got)
	}
	if got := answers(t, "stats count(*) as n by a, b | sort n | display n", one, two, one); got != "n=1 ;n=2 " {
		t.Errorf("stats: %s", got)
	}
}

// Of many fields always the same are discovered.
func TestManyFields(t *testing.T) {
	var b strings.Builder
	for i := range 300 {
		fmt.Fprintf(&b, `,"f%03d":1`, i)
	}
	got := slices.Sorted(maps.Keys(logquery.Fields("{" + b.String()[1:] + "}")))
	if len(got) != 200 || got[0] != "f000" || got[199] != "f199" {
		t.Errorf("%d fields, %v", len(got), got)
	}
}
