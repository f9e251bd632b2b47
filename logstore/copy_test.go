package logstore_test

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/roadstead/roadstead/logstore"
)

// copier is the store of a member of three, which may be down.
type copier struct {
	t       rapid.TB
	dir     string
	store   *logstore.Store
	open    func(wrapped []byte) ([]byte, error) // nil means openTestKey
	segment int64                                // 0 means 600
	fails   int                                  // the disk fails after as many times, and then no more; 0 for never
}

func (c *copier) start() {
	var err error
	cfg := logstore.Config{Dir: c.dir, Segment: cmp.Or(c.segment, 600), Open: c.open, Sync: c.sync, Log: slog.New(slog.DiscardHandler)}
	if cfg.Open == nil {
		cfg.Open = openTestKey
	}
	if c.store, err = logstore.Open(cfg); err != nil {
		c.t.Fatal(err)
	}
}

var errDisk = errors.New("the disk fails")

func (c *copier) sync(*os.File) error {
	if c.fails == 0 {
		return nil
	}
	if c.fails--; c.fails == 0 {
		return errDisk
	}
	return nil
}

func (c *copier) stop() {
	if err := c.store.Close(); err != nil {
		c.t.Fatal(err)
	}
	c.store = nil
}

func (c *copier) group() *logstore.Group {
	g, err := c.store.Group("g")
	if err != nil {
		c.t.Fatal(err)
	}
	return g
}

// carry brings what one copy lacks of another, in small pieces.
func carry(epoch uint64, from, to *logstore.Group) error {
	for more := true; more; {
		at := to.Arrived()
		frames, end, left, err := from.Since(at, 200)
		if err == nil {
			_, err = to.Accept(epoch, at, frames, end)
		}
		if err != nil {
			return err
		}
		if more = left; end < at {
			return nil
		}
	}
	return nil
}

func bring(t rapid.TB, epoch uint64, from, to *logstore.Group) {
	t.Helper()
	must(t, carry(epoch, from, to))
}

// contents are the living streams and the events of a group, and what is marked.
func contents(t rapid.TB, g *logstore.Group) (streams, events []string) {
	for _, s := range g.Streams() {
		streams = append(streams, fmt.Sprintf("%s %d %d", s.Name, s.CreatedAt, s.Events))
	}
	for e, err := range g.Events(logstore.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, fmt.Sprintf("%d %s %s", e.Time, e.Stream, e.Message))
	}
	return streams, events
}

func promise(t rapid.TB, epoch uint64, all ...*copier) {
	for _, c := range all {
		if err := c.store.Promise(epoch); err != nil {
			t.Fatal(err)
		}
	}
}

// A copy has the streams, those that are gone and made again too, the events, their places, and the marks; and keeps them when it is opened
// again. What it is brought twice it has once.
func TestCopy(t *testing.T) {
	a, b := &copier{t: t, dir: t.TempDir()}, &copier{t: t, dir: t.TempDir()}
	a.start()
	b.start()
	promise(t, 1, a, b)
	if err := a.group().CreateStream("s", 1); !errors.Is(err, logstore.ErrEpoch) {
		t.Fatalf("before it leads: %v", err)
	}
	if err := a.store.Lead(1); err != nil {
		t.Fatal(err)
	}
	g := a.group()
	now := int64(1000)
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	write := func(stream string, n int) {
		t.Helper()
		for range n {
			now++
			do(g.Append(stream, []logstore.Event{{Time: now, Message: strings.Repeat("x", int(now%50)) + fmt.Sprint(now)}, {Time: now, Message: "second"}}, now))
		}
	}
	do(g.CreateStream("s", 1))
	do(g.CreateStream("gone", 2))
	do(g.CreateStream("empty", 3))
	write("s", 20)
	write("gone", 20)
	do(g.DeleteStream("gone"))
	do(g.SetMark("filter", 7))
	do(g.SetMark("begun", 0))
	bring(t, 1, g, b.group())
	write("s", 3)
	do(g.CreateStream("gone", 4))
	write("gone", 2)
	frames, end, more, err := g.Since(b.group().Arrived(), 1<<20)
	if err != nil || more {
		t.Fatal(more, err)
	}
	before := b.group().Arrived()
	for range 2 {
		if at, err := b.group().Accept(1, before, frames, end); err != nil || at != g.Arrived() {
			t.Fatalf("arrived at %d, want %d, %v", at, g.Arrived(), err)
		}
	}
	if sealed := files(t, b.dir, "*.sealed"); len(sealed) == 0 {
		t.Error("the copy seals nothing")
	}
	check := func() {
		t.Helper()
		wantStreams, wantEvents := contents(t, g)
		streams, events := contents(t, b.group())
		if !slices.Equal(streams, wantStreams) || !slices.Equal(events, wantEvents) || len(events) != 50 {
			t.Errorf("streams %q, %d events; want %q, %d", streams, len(events), wantStreams, len(wantEvents))
		}
		var places, want []logstore.Position
		for e := range b.group().Arrivals(0, nil) {
			places = append(places, e.At())
		}
		for e := range g.Arrivals(0, nil) {
			want = append(want, e.At())
		}
		if !slices.Equal(places, want) {
			t.Error("events have other places")
		}
		if seq, ok := b.group().Mark("filter"); !ok || seq != 7 {
			t.Errorf("marked %d", seq)
		}
		if _, ok := b.group().Mark("begun"); !ok {
			t.Error("a mark at 0 is lost")
		}
	}
	check()
	b.stop()
	b.start()
	if b.group().Arrived() != g.Arrived() || b.store.Epoch() != 1 {
		t.Errorf("opened again it has arrived at %d of %d, in epoch %d", b.group().Arrived(), g.Arrived(), b.store.Epoch())
	}
	check()

	refusals(t, a, b, frames, end)
	a.stop()
	b.stop()
}

// Marks go to copies without events, and leave them when they leave the leader. A new leader that gets what it lacks loses none of its own.
func TestMarksAreCopied(t *testing.T) {
	all := []*copier{{t: t, dir: t.TempDir()}, {t: t, dir: t.TempDir()}, {t: t, dir: t.TempDir()}}
	for _, c := range all {
		c.start()
		t.Cleanup(func() { c.store.Close() })
	}
	promise(t, 1, all...)
	must(t, all[0].store.Lead(1))
	a, b, c := all[0].group(), all[1].group(), all[2].group()
	check := func(what string, g *logstore.Group, want string) {
		t.Helper()
		got := ""
		for _, name := range []string{"x", "y", "z"} {
			if seq, ok := g.Mark(name); ok {
				got += fmt.Sprint(name, seq, " ")
			}
		}
		if got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	must(t, a.CreateStream("s", 1))
	bring(t, 1, a, b)
	must(t, a.SetMark("x", 1))
	must(t, a.SetMark("y", 1))
	bring(t, 1, a, b)
	check("without events", b, "x1 y1 ")
	must(t, a.SetMark("x", 2))
	must(t, a.Unmark("y"))
	bring(t, 1, a, b)
	check("moved and gone", b, "x2 ")

	must(t, c.SetMark("z", 5))
	promise(t, 2, all[1], all[2])
	bring(t, 2, b, c)
	check("a new leader", c, "x2 z5 ")
	must(t, all[2].store.Lead(2))
	must(t, c.Unmark("z"))
	bring(t, 2, c, b)
	check("its copy", b, "x2 ")
}

// refusals: a copy takes nothing that does not follow, is not whole, or is of another epoch, nor does a leader whose epoch is over write.
func refusals(t *testing.T, a, b *copier, frames []byte, end uint64) {
	if _, err := b.group().Accept(1, end+5, frames, end+9); !errors.Is(err, logstore.ErrBehind) {
		t.Errorf("what does not follow: %v", err)
	}
	if _, err := b.group().Accept(1, end, frames[:len(frames)-1], end); err == nil {
		t.Error("half a frame is taken")
	}
	if err := b.store.Promise(1); !errors.Is(err, logstore.ErrEpoch) {
		t.Errorf("an epoch is promised twice: %v", err)
	}
	if _, err := b.group().Accept(2, end, frames, end); !errors.Is(err, logstore.ErrEpoch) {
		t.Errorf("of an epoch that was not promised: %v", err)
	}
	promise(t, 2, a)
	if err := a.group().Append("s", []logstore.Event{{Time: 1, Message: "late"}}, 1); !errors.Is(err, logstore.ErrEpoch) {
		t.Errorf("a leader whose epoch is over writes: %v", err)
	}
}
