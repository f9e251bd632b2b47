package logstore_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"github.com/roadstead/roadstead/logstore"
)

func noSync(*os.File) error { return nil }

func must(t rapid.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func tempDir(t *rapid.T) string {
	dir, err := os.MkdirTemp("", "logstore")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// open opens a store and its group "g".
func open(t rapid.TB, cfg logstore.Config) (*logstore.Store, *logstore.Group) {
	t.Helper()
	s, err := logstore.Open(cfg)
	must(t, err)
	g, err := s.Group("g")
	must(t, err)
	if c, ok := t.(interface{ Cleanup(func()) }); ok {
		c.Cleanup(func() { s.Close() })
	}
	return s, g
}

func files(t *testing.T, dir, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "g", pattern))
	must(t, err)
	return found
}

// A journal that was cut anywhere in its last frame, or holds zeros or noise there, has all that was acknowledged before it, and
// takes more.
func TestTornEnd(t *testing.T) {
	t.Run("open", func(t *testing.T) { tornEnd(t, nil) })
	t.Run("locked", func(t *testing.T) { tornEnd(t, testKey(t, 1)) })
}

func tornEnd(t *testing.T, key *logstore.Key) {
	dir := t.TempDir()
	cfg := logstore.Config{Dir: dir, Sync: noSync, Open: openTestKey}
	s, g := open(t, cfg)
	must(t, g.CreateStream("a", 1))
	must(t, g.Append("a", []logstore.Event{{Time: 1, Message: "one"}}, 3))
	must(t, g.AppendLocked("a", []logstore.Event{{Time: 2, Message: "two"}}, 3, key))
	path := files(t, dir, "*.journal")[0]
	safe, err := os.ReadFile(path)
	must(t, err)
	if key != nil {
		key = testKey(t, 2) // whose own frame is torn as well
	}
	must(t, g.AppendLocked("a", []logstore.Event{{Time: 3, Message: "torn"}, {Time: 4, Message: "torn"}}, 4, key))
	must(t, s.Close())
	whole, err := os.ReadFile(path)
	must(t, err)
	for n := len(safe); n < len(whole); n++ {
		noise := slices.Clone(whole)
		noise[n] ^= 0x40
		for kind, b := range map[string][]byte{"cut": whole[:n], "zeros": append(slices.Clone(whole[:n]), make([]byte, len(whole)-n)...), "noise": noise} {
			must(t, os.WriteFile(path, b, 0o600))
			s, g := open(t, cfg)
			if got := read(t, g, logstore.Query{}); !slices.Equal(got, []string{"a one", "a two"}) {
				t.Fatalf("%s at %d: %q", kind, n, got)
			}
			must(t, g.AppendLocked("a", []logstore.Event{{Time: 9, Message: "more"}}, 9, key))
			must(t, s.Close())
			s, g = open(t, cfg)
			if got := read(t, g, logstore.Query{}); !slices.Equal(got, []string{"a one", "a two", "a more"}) {
				t.Fatalf("%s at %d, then one more: %q", kind, n, got)
			}
			must(t, s.Close())
		}
	}
}

// The names of streams are as safe.
func TestTornRoll(t *testing.T) {
	dir := t.TempDir()
	s, g := open(t, logstore.Config{Dir: dir, Sync: noSync})
	must(t, g.CreateStream("a", 1))
	path := files(t, dir, "streams")[0]
	safe, err := os.ReadFile(path)
	must(t, err)
	must(t, g.CreateStream("b", 1))
	must(t, s.Close())
	whole, err := os.ReadFile(path)
	must(t, err)
	for n := len(safe); n < len(whole); n++ {
		must(t, os.WriteFile(path, whole[:n], 0o600))
		s, g := open(t, logstore.Config{Dir: dir, Sync: noSync})
		must(t, g.CreateStream("c", 1))
		must(t, s.Close())
		s, g = open(t, logstore.Config{Dir: dir, Sync: noSync})
		if got := g.Streams(); len(got) != 2 || got[0].Name != "a" || got[1].Name != "c" {
			t.Fatalf("cut at %d: %+v", n, got)
		}
		must(t, s.Close())
	}
}

// Wherever a seal is broken off, the events are there once.
func TestBrokenSeal(t *testing.T) {
	t.Run("open", func(t *testing.T) { brokenSeal(t, nil) })
	t.Run("locked", func(t *testing.T) { brokenSeal(t, testKey(t, 1)) })
}

func brokenSeal(t *testing.T, key *logstore.Key) {
	dir := t.TempDir()
	s, g := open(t, logstore.Config{Dir: dir, Sync: noSync})
	must(t, g.CreateStream("a", 1))
	must(t, g.AppendLocked("a", []logstore.Event{{Time: 1, Message: "one"}}, 3, key))
	must(t, s.Close())
	journal := files(t, dir, "*.journal")[0]
	before, err := os.ReadFile(journal)
	must(t, err)
	s, g = open(t, logstore.Config{Dir: dir, Sync: noSync, Segment: 1, Open: openTestKey})
	must(t, g.Append("a", []logstore.Event{{Time: 2, Message: "two"}}, 3)) // seals
	must(t, s.Close())
	sealed := files(t, dir, "*.sealed")[0]
	b, err := os.ReadFile(sealed)
	must(t, err)
	check := func(what string, want ...string) {
		t.Helper()
		s, g := open(t, logstore.Config{Dir: dir, Sync: noSync, Open: openTestKey})
		if got := read(t, g, logstore.Query{}); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
		must(t, s.Close())
	}
	check("sealed", "a one", "a two")
	must(t, os.WriteFile(journal, before, 0o600))
	check("sealed, and the journal not removed yet", "a one", "a two")
	must(t, os.WriteFile(journal, before, 0o600))
	must(t, os.Remove(sealed))
	for n := range b {
		must(t, os.WriteFile(sealed+".tmp", b[:n], 0o600))
		check(fmt.Sprintf("%d bytes of the sealed file written", n), "a one")
	}
	must(t, os.Remove(journal))
	for n := range b { // the disk has lost a part of a sealed file: it is set aside
		must(t, os.WriteFile(sealed, b[:n], 0o600))
		check(fmt.Sprintf("%d bytes of the sealed file left", n))
	}
}

// An append that cannot be synced is refused, and leaves nothing that a later one or a restart would show.
func TestRefusedAppend(t *testing.T) {
	dir := t.TempDir()
	var broken atomic.Bool
	full := errors.New("no space")
	s, g := open(t, logstore.Config{Dir: dir, Sync: func(*os.File) error {
		if broken.Load() {
			return full
		}
		return nil
	}})
	must(t, g.CreateStream("a", 1))
	must(t, g.Append("a", []logstore.Event{{Time: 1, Message: "one"}}, 1))
	broken.Store(true)
	if err := g.Append("a", []logstore.Event{{Time: 2, Message: "lost, and longer than the next"}}, 1); !errors.Is(err, full) {
		t.Fatalf("got %v", err)
	}
	if err := g.CreateStream("b", 1); !errors.Is(err, full) {
		t.Fatalf("got %v", err)
	}
	broken.Store(false)
	must(t, g.Append("a", []logstore.Event{{Time: 3, Message: "three"}}, 1))
	for range 2 {
		if got := read(t, g, logstore.Query{}); !slices.Equal(got, []string{"a one", "a three"}) || len(g.Streams()) != 1 {
			t.Fatalf("got %q, %v", got, g.Streams())
		}
		must(t, s.Close())
		s, g = open(t, logstore.Config{Dir: dir})
	}
}

// Callers that come while another waits for the disk share the next fsync; all of their events are there.
func TestShareSync(t *testing.T) {
	const callers = 50
	var syncs atomic.Int32
	held, hold := make(chan struct{}), make(chan struct{})
	_, g := open(t, logstore.Config{Dir: t.TempDir(), Sync: func(*os.File) error {
		if syncs.Add(1) == 2 { // the first was that of CreateStream
			close(held)
			<-hold
		}
		return nil
	}})
	must(t, g.CreateStream("a", 1))
	var wg sync.WaitGroup
	add := func(i int) {
		wg.Go(func() {
			if err := g.Append("a", []logstore.Event{{Time: int64(i), Message: fmt.Sprint(i)}}, 1); err != nil {
				t.Error(err)
			}
		})
	}
	add(0)
	<-held
	for i := range callers {
		add(i + 1)
	}
	for logstore.Waiting(g) < callers {
		runtime.Gosched()
	}
	close(hold)
	wg.Wait()
	if n := len(read(t, g, logstore.Query{})); n != callers+1 {
		t.Errorf("%d events of %d", n, callers+1)
	}
	if n := syncs.Load(); n != 3 {
		t.Errorf("%d callers that waited made %d syncs", callers, n-2)
	}
}
