package logstore_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/roadstead/roadstead/logstore"
)

// Retention removes files whose events are all too old, and counts what is left.
func TestExpire(t *testing.T) {
	dir := t.TempDir()
	s, g := open(t, logstore.Config{Dir: dir, Segment: 1, Sync: noSync})
	must(t, g.CreateStream("a", 1))
	must(t, g.CreateStream("b", 1))
	must(t, g.Append("a", []logstore.Event{{Time: 10, Message: "ten"}}, 10))
	must(t, g.Append("a", []logstore.Event{{Time: 20, Message: "twenty"}, {Time: 30, Message: "thirty"}}, 30))
	must(t, g.Append("b", []logstore.Event{{Time: 15, Message: "fifteen"}}, 30))
	for _, step := range []struct {
		before  int64
		removed int
		left    []string
		bytes   int64
	}{
		{10, 0, []string{"a ten", "b fifteen", "a twenty", "a thirty"}, 22},
		{20, 2, []string{"a twenty", "a thirty"}, 12},
		{30, 0, []string{"a twenty", "a thirty"}, 12}, // "twenty" is in a file with one that is young enough
		{31, 1, nil, 0},
	} {
		n, err := g.Expire(step.before)
		must(t, err)
		if got := read(t, g, logstore.Query{}); n != step.removed || !slices.Equal(got, step.left) || g.Usage().Bytes != step.bytes {
			t.Errorf("before %d: removed %d, left %q, %+v", step.before, n, got, g.Usage())
		}
	}
	if st, ok := g.Stream("b"); !ok || st.Events != 0 {
		t.Errorf("an empty stream stays: %+v %v", st, ok)
	}
	must(t, g.Append("b", []logstore.Event{{Time: 40, Message: "more"}}, 40))
	must(t, s.Close())
	_, g = open(t, logstore.Config{Dir: dir, Sync: noSync})
	if got := read(t, g, logstore.Query{}); !slices.Equal(got, []string{"b more"}) {
		t.Errorf("after a restart: %q", got)
	}
}

// A journal that is old as a whole goes too, though nothing was appended that would have sealed it.
func TestExpireJournal(t *testing.T) {
	dir := t.TempDir()
	_, g := open(t, logstore.Config{Dir: dir, Sync: noSync})
	must(t, g.CreateStream("a", 1))
	must(t, g.Append("a", []logstore.Event{{Time: 10, Message: "ten"}}, 10))
	if n, err := g.Expire(11); n != 1 || err != nil || len(files(t, dir, "*.sealed")) != 0 {
		t.Errorf("removed %d, %v", n, err)
	}
}

// Readers that wait are woken by an append and by the end of the group.
func TestWake(t *testing.T) {
	s, g := open(t, logstore.Config{Dir: t.TempDir(), Sync: noSync})
	must(t, g.CreateStream("a", 1))
	changed := g.Changed()
	must(t, g.Append("a", []logstore.Event{{Time: 10, Message: "ten"}}, 10))
	<-changed
	changed = g.Changed()
	must(t, s.Remove("g"))
	<-changed
	if err := g.Append("a", []logstore.Event{{Time: 10, Message: "ten"}}, 10); !errors.Is(err, logstore.ErrRemoved) {
		t.Errorf("got %v", err)
	}
	g, err := s.Group("g")
	must(t, err)
	if len(g.Streams()) != 0 {
		t.Errorf("a removed group left %v", g.Streams())
	}
}

// A group whose events have all gone counts on from where it was, also after it was opened again: a place that a follower has kept stays
// behind what comes.
func TestCountsOnAfterAllHasGone(t *testing.T) {
	cfg := logstore.Config{Dir: t.TempDir(), Sync: noSync}
	s, g := open(t, cfg)
	must(t, g.CreateStream("a", 1))
	must(t, g.Append("a", []logstore.Event{{Time: 10, Message: "old"}, {Time: 11, Message: "old"}}, 11))
	if n, err := g.Expire(20); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	must(t, s.Close())
	s, g = open(t, cfg)
	defer s.Close()
	if g.Arrived() != 2 {
		t.Errorf("%d have arrived", g.Arrived())
	}
	must(t, g.Append("a", []logstore.Event{{Time: 30, Message: "new"}}, 30))
	var got []string
	for e, err := range g.Arrivals(2, nil) {
		must(t, err)
		got = append(got, e.Message)
	}
	if !slices.Equal(got, []string{"new"}) {
		t.Errorf("behind what a follower has seen: %q", got)
	}
}
