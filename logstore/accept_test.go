package logstore_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/roadstead/roadstead/logstore"
)

// places are the Seqs and the beginnings of all events, in the order in which they came.
func places(t *testing.T, g *logstore.Group) (all []string) {
	t.Helper()
	for e, err := range g.Arrivals(0, nil) {
		must(t, err)
		all = append(all, fmt.Sprint(uint32(e.Seq), " ", e.Stream, " ", e.Message[:1]))
	}
	return all
}

func same(t *testing.T, what string, from, to *logstore.Group) {
	t.Helper()
	streams, events := contents(t, to)
	wantStreams, wantEvents := contents(t, from)
	if got, want := places(t, to), places(t, from); !slices.Equal(got, want) || !slices.Equal(streams, wantStreams) || !slices.Equal(events, wantEvents) {
		t.Errorf("%s: streams %q at %q, want %q at %q", what, streams, got, wantStreams, want)
	}
}

func letters(words ...string) (out []logstore.Event) {
	for i, w := range words {
		out = append(out, logstore.Event{Time: int64(i + 1), Message: strings.Repeat(w, 40<<10)})
	}
	return out
}

// A copy that has a part of what was added in one piece takes the rest of it, and nothing twice.
func TestRestOfAPiece(t *testing.T) {
	all := leading(t, 1<<20, 1, 1<<20)
	g, sealed, late := all[0].group(), all[1].group(), all[2].group()
	must(t, g.Append("s", letters("a", "b", "c"), 5))
	bring(t, 1, g, sealed)
	whole, end, _, err := g.Since(0, 1<<20)
	must(t, err)
	part, to, more, err := sealed.Since(0, 1) // a sealed file is sent in pieces of 64 KiB
	must(t, err)
	if _, err := late.Accept(1, 0, part, to); err != nil || !more || len(places(t, late)) != 2 {
		t.Fatalf("%q, %v, %v", places(t, late), more, err)
	}
	if at, err := late.Accept(1, 0, whole, end); err != nil || at != end {
		t.Fatal(at, err)
	}
	same(t, "the rest", g, late)
}

// How far a copy has arrived outlives it, also when the last that happened was no event; so does it of who leads.
func TestArrivalsAreKept(t *testing.T) {
	all := leading(t, 1<<20, 1<<20)
	g := all[0].group()
	must(t, g.Append("s", letters("a"), 5))
	must(t, g.CreateStream("new", 6))
	must(t, g.Append("new", letters("b"), 7))
	must(t, g.DeleteStream("new"))
	at := g.Arrived()
	bring(t, 1, g, all[1].group())
	for i, c := range all {
		c.stop()
		c.start()
		if got := c.group().Arrived(); got != at {
			t.Errorf("member %d has arrived at %d, want %d", i, got, at)
		}
	}
}

// What happened to streams is taken once, in its order: brought again it takes away nothing that came after it.
func TestStreamsAreTakenOnce(t *testing.T) {
	all := leading(t, 1<<20, 1<<20)
	g, late := all[0].group(), all[1].group()
	bring(t, 1, g, late)
	from := late.Arrived()
	must(t, g.DeleteStream("s"))
	must(t, g.CreateStream("s", 2))
	must(t, g.Append("s", letters("n"), 5))
	must(t, g.CreateStream("brief", 3))
	must(t, g.DeleteStream("brief"))
	frames, to, _, err := g.Since(from, 1<<20)
	must(t, err)
	for n := range 3 {
		if at, err := late.Accept(1, from, frames, to); err != nil || at != to {
			t.Fatal(at, err)
		}
		same(t, fmt.Sprint("brought ", n+1), g, late)
	}
}

// Events between which others are gone keep their places, and those that are encrypted are not sent in clear because their neighbours are.
func TestSealedEventsTravelAsTheyAre(t *testing.T) {
	all := leading(t, 1, 1<<20)
	g := all[0].group()
	must(t, g.CreateStream("gone", 1))
	must(t, g.CreateStream("t", 1))
	word := func(w string) []logstore.Event { return []logstore.Event{{Time: 1, Message: w}} }
	all[0].stop()
	all[0].segment = 1 << 20 // all in one file
	all[0].start()
	must(t, all[0].store.Lead(1))
	g = all[0].group()
	key := testKey(t, 1)
	must(t, g.Append("s", word("all"), 9))
	for _, stream := range []string{"s", "gone", "s", "t", "t", "s", "gone"} {
		must(t, g.AppendLocked(stream, word("sesame"), 9, key))
	}
	must(t, g.DeleteStream("gone"))
	all[0].stop()
	all[0].segment = 1
	all[0].start()
	must(t, all[0].store.Lead(1))
	g = all[0].group()
	must(t, g.AppendLocked("s", word("sesame"), 10, testKey(t, 1))) // seals what was there
	if len(files(t, all[0].dir, "*.sealed")) == 0 {
		t.Fatal("nothing is sealed")
	}
	frames, _, _, err := g.Since(0, 1<<20)
	must(t, err)
	if bytes.Contains(frames, []byte("sesame")) {
		t.Errorf("sent in clear: %q", frames)
	}
	bring(t, 1, g, all[1].group())
	same(t, "with gaps", g, all[1].group())
}

// split are the frames that members send each other, each with its head: length, checksum.
func split(frames []byte) (out [][]byte) {
	for len(frames) > 0 {
		n := 8 + int(binary.LittleEndian.Uint32(frames))
		out, frames = append(out, frames[:n]), frames[n:]
	}
	return out
}

// What nobody of ours sends is an error, and nothing of it is taken.
func TestNonsenseIsNotTaken(t *testing.T) {
	all := leading(t, 1<<20, 1<<20)
	g, late := all[0].group(), all[1].group()
	must(t, g.AppendLocked("s", letters("a"), 5, testKey(t, 1)))
	must(t, g.Append("s", letters("b"), 6))
	frames, to, _, err := g.Since(0, 1<<20)
	must(t, err)
	pieces := split(frames)[1:] // behind the marks
	if len(pieces) != 4 {       // streams, the key, and two pieces of events
		t.Fatalf("%d frames", len(pieces))
	}
	for name, nonsense := range map[string][]byte{
		"without the key":   bytes.Join([][]byte{pieces[0], pieces[2], pieces[3]}, nil),
		"in another order":  bytes.Join([][]byte{pieces[0], pieces[3], pieces[1], pieces[2]}, nil),
		"one piece of them": bytes.Join([][]byte{pieces[1], pieces[2], pieces[2]}, nil),
	} {
		if _, err := late.Accept(1, 0, nonsense, to); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if _, err := late.Accept(1, 0, frames, to-1); err == nil {
		t.Error("more than is said: taken")
	}
	if got := places(t, late); len(got) != 0 || late.Arrived() != 0 {
		t.Errorf("%q, arrived at %d", got, late.Arrived())
	}
	if _, err := late.Accept(1, 0, frames, to); err != nil {
		t.Error(err)
	}
	if err := all[1].store.Lead(2); !errors.Is(err, logstore.ErrEpoch) {
		t.Errorf("it leads in an epoch that it has not promised: %v", err)
	}
}

// What is added in an epoch is counted in it, whatever was counted before: it is after all that earlier leaders may have added.
func TestEpochsCountAnew(t *testing.T) {
	all := leading(t, 1<<20, 1<<20)
	g := all[0].group()
	for epoch := range uint64(4) {
		if epoch > 1 {
			promise(t, epoch, all...)
			must(t, all[0].store.Lead(epoch))
		}
		must(t, g.Append("s", letters("a", "b"), 5))
		if at := g.Arrived(); at>>32 != max(epoch, 1) {
			t.Errorf("in epoch %d it arrives at %d of %d", epoch, uint32(at), at>>32)
		}
	}
}
