package logstore_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/roadstead/roadstead/logstore"
)

// line is an event as the naive model keeps it.
type line struct {
	at      logstore.Position
	stream  string
	message string
}

// naive is what a group is: lines of living streams, sorted when they are asked for.
type naive struct {
	lines   []line
	streams map[string]bool
	seq     uint64
}

func (n *naive) read(q logstore.Query) []string {
	var found []line
	for _, l := range n.lines {
		switch {
		case !n.streams[l.stream], q.Streams != nil && !slices.Contains(q.Streams, l.stream):
		case l.at.Time < q.From, q.To != 0 && l.at.Time >= q.To:
		case q.After != logstore.Position{} && !q.Reverse && l.at.Compare(q.After) <= 0:
		case q.After != logstore.Position{} && q.Reverse && l.at.Compare(q.After) >= 0:
		case q.Match != nil && !q.Match(l.message):
		default:
			found = append(found, l)
		}
	}
	slices.SortFunc(found, func(a, b line) int { return a.at.Compare(b.at) })
	if q.Reverse {
		slices.Reverse(found)
	}
	var out []string
	for _, l := range found {
		out = append(out, l.stream+" "+l.message)
	}
	return out
}

func (n *naive) drop(stream string) {
	n.lines = slices.DeleteFunc(n.lines, func(l line) bool { return l.stream == stream })
	delete(n.streams, stream)
}

func read(t rapid.TB, g *logstore.Group, q logstore.Query) []string {
	t.Helper()
	var out []string
	for e, err := range g.Events(q) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, e.Stream+" "+e.Message)
	}
	return out
}

// A group answers every query as the naive model does, whatever was appended, sealed, deleted and opened again.
func TestGroupIsAsTheModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir := tempDir(t)
		cfg := logstore.Config{Dir: dir, Segment: rapid.SampledFrom([]int64{1, 200, 1 << 20}).Draw(t, "segment"), Sync: noSync, Open: openTestKey}
		keys := []*logstore.Key{nil, testKey(t, 1), testKey(t, 2)}
		store, g := open(t, cfg)
		defer func() { store.Close() }()
		model := &naive{streams: map[string]bool{}, seq: 1}
		name := rapid.SampledFrom([]string{"a", "b", "c"})
		when := rapid.Int64Range(1, 30)
		t.Repeat(map[string]func(*rapid.T){
			"create": func(t *rapid.T) {
				s := name.Draw(t, "stream")
				if err := g.CreateStream(s, 1); errors.Is(err, logstore.ErrExists) != model.streams[s] {
					t.Fatalf("create %s: %v", s, err)
				}
				model.streams[s] = true
			},
			"append": func(t *rapid.T) {
				s := name.Draw(t, "stream")
				var events []logstore.Event
				for range rapid.IntRange(1, 5).Draw(t, "n") {
					events = append(events, logstore.Event{Time: when.Draw(t, "time"), Message: rapid.StringN(0, 20, -1).Draw(t, "message")})
				}
				if err := g.AppendLocked(s, events, 31, rapid.SampledFrom(keys).Draw(t, "key")); (err == nil) != model.streams[s] {
					t.Fatalf("append to %s: %v", s, err)
				} else if err != nil {
					return
				}
				for _, e := range events {
					model.lines = append(model.lines, line{logstore.Position{Time: e.Time, Seq: model.seq}, s, e.Message})
					model.seq++
				}
			},
			"delete": func(t *rapid.T) {
				s := name.Draw(t, "stream")
				if err := g.DeleteStream(s); errors.Is(err, logstore.ErrNoStream) == model.streams[s] {
					t.Fatalf("delete %s: %v", s, err)
				}
				model.drop(s)
			},
			"open again": func(t *rapid.T) {
				if err := store.Close(); err != nil {
					t.Fatal(err)
				}
				store, g = open(t, cfg)
			},
			"": func(t *rapid.T) {
				q := logstore.Query{From: when.Draw(t, "from"), Reverse: rapid.Bool().Draw(t, "reverse")}
				if rapid.Bool().Draw(t, "to") {
					q.To = when.Draw(t, "to")
				}
				if rapid.Bool().Draw(t, "some") {
					q.Streams = rapid.SliceOfDistinct(name, rapid.ID).Draw(t, "streams")
				}
				if rapid.Bool().Draw(t, "matching") {
					q.Match = func(m string) bool { return len(m)%2 == 0 }
				}
				if len(model.lines) > 0 && rapid.Bool().Draw(t, "after") {
					q.After = rapid.SampledFrom(model.lines).Draw(t, "place").at
				}
				if got, want := read(t, g, q), model.read(q); !slices.Equal(got, want) {
					t.Fatalf("%+v, matching %v: got %q, want %q", q, q.Match != nil, got, want)
				}
				checkTotals(t, g, model)
				checkArrivals(t, g, model, rapid.Uint64Range(0, model.seq).Draw(t, "behind"), name.Draw(t, "wanted"))
			},
		})
	})
}

// checkArrivals reads what came behind a place, of all streams and of one.
func checkArrivals(t *rapid.T, g *logstore.Group, model *naive, after uint64, only string) {
	for _, all := range []bool{true, false} {
		var want, got []string
		for _, l := range model.lines {
			if l.at.Seq > after && (all || l.stream == only) {
				want = append(want, fmt.Sprint(l.at, l.stream, l.message))
			}
		}
		for e, err := range g.Arrivals(after, func(s string) bool { return all || s == only }) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, fmt.Sprint(e.At(), e.Stream, e.Message))
		}
		if !slices.Equal(got, want) {
			t.Fatalf("behind %d, all %v: got %q, want %q", after, all, got, want)
		}
	}
	if g.Arrived() != model.seq-1 {
		t.Fatalf("%d have arrived, want %d", g.Arrived(), model.seq-1)
	}
}

// checkTotals compares what the streams say of themselves.
func checkTotals(t *rapid.T, g *logstore.Group, model *naive) {
	var want, got []string
	for s := range model.streams {
		first, last, n, bytes := int64(0), int64(0), int64(0), int64(0)
		for _, l := range model.lines {
			if l.stream == s {
				if n == 0 || l.at.Time < first {
					first = l.at.Time
				}
				last, n, bytes = max(last, l.at.Time), n+1, bytes+int64(len(l.message))
			}
		}
		want = append(want, fmt.Sprint(s, first, last, n, bytes))
	}
	slices.Sort(want)
	for _, s := range g.Streams() {
		got = append(got, fmt.Sprint(s.Name, s.First, s.Last, s.Events, s.Bytes))
	}
	if !slices.Equal(got, want) {
		t.Fatalf("streams: got %q, want %q", got, want)
	}
}

// Every page of a reader that goes on behind the last event is the rest of what one read yields.
func TestPagesAreTheWhole(t *testing.T) {
	_, g := open(t, logstore.Config{Dir: t.TempDir(), Segment: 300, Sync: noSync})
	must(t, g.CreateStream("a", 1))
	for i := range 100 {
		must(t, g.Append("a", []logstore.Event{{Time: int64(i % 7), Message: strings.Repeat("x", i)}}, 9))
	}
	for _, reverse := range []bool{false, true} {
		q := logstore.Query{Reverse: reverse}
		whole, paged := read(t, g, q), []string(nil)
		for more := true; more; {
			more = false
			for e, err := range g.Events(q) {
				must(t, err)
				paged, q.After, more = append(paged, e.Stream+" "+e.Message), e.At(), true
				break
			}
		}
		if !slices.Equal(whole, paged) || len(whole) != 100 {
			t.Errorf("reverse %v: pages make %d events of %d", reverse, len(paged), len(whole))
		}
	}
}
