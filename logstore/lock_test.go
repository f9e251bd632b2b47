package logstore_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/roadstead/roadstead/logstore"
)

// testKey is a data key whose wrapped form is its number.
func testKey(t rapid.TB, number byte) *logstore.Key {
	t.Helper()
	k, err := logstore.NewKey(bytes.Repeat([]byte{number}, 32), []byte{number})
	must(t, err)
	return k
}

func openTestKey(wrapped []byte) ([]byte, error) { return bytes.Repeat(wrapped, 32), nil }

// A group whose events are encrypted has their words nowhere on the disk, in its journal or its sealed files; one whose are not has them.
func TestWordsAreNowhere(t *testing.T) {
	for _, key := range []*logstore.Key{nil, testKey(t, 1)} {
		dir := t.TempDir()
		cfg := logstore.Config{Dir: dir, Segment: 1000, Sync: noSync, Open: openTestKey}
		s, g := open(t, cfg)
		must(t, g.CreateStream("a", 1))
		for i := range 99 {
			must(t, g.AppendLocked("a", []logstore.Event{{Time: int64(i), Message: fmt.Sprintf("%d: open sesame", i*7919)}}, 100, key))
		}
		if len(files(t, dir, "*.sealed")) < 2 || len(files(t, dir, "*.journal")) != 1 {
			t.Fatal("nothing was sealed")
		}
		must(t, s.Close())
		_, g = open(t, cfg)
		if got := read(t, g, logstore.Query{}); len(got) != 99 || got[98] != "a 776062: open sesame" {
			t.Errorf("read %d events: %q", len(got), got)
		}
		found := 0
		must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			b, err := os.ReadFile(path)
			if bytes.Contains(b, []byte("sesame")) {
				found++
			}
			return err
		}))
		if (found > 0) != (key == nil) {
			t.Errorf("encrypted %v: the word is in %d files", key != nil, found)
		}
	}
}

// Who may not open a key reads what was not encrypted with it, and learns why not the rest. The group goes on taking and sealing
// events, and nothing is lost when the key can be opened again.
func TestShutKey(t *testing.T) {
	shut := errors.New("the key is disabled")
	dir, closed := t.TempDir(), false
	cfg := logstore.Config{Dir: dir, Sync: noSync, Open: func(wrapped []byte) ([]byte, error) {
		if closed && wrapped[0] == 1 {
			return nil, shut
		}
		return openTestKey(wrapped)
	}}
	s, g := open(t, cfg)
	must(t, g.CreateStream("a", 1))
	must(t, g.CreateStream("gone", 1))
	must(t, g.Append("a", []logstore.Event{{Time: 1, Message: "before"}}, 9))
	must(t, g.AppendLocked("a", []logstore.Event{{Time: 2, Message: "first"}, {Time: 3, Message: "key"}}, 9, testKey(t, 1)))
	must(t, g.AppendLocked("gone", []logstore.Event{{Time: 2, Message: "gone"}}, 9, testKey(t, 1)))
	must(t, g.AppendLocked("a", []logstore.Event{{Time: 4, Message: "second key"}}, 9, testKey(t, 2)))
	must(t, g.DeleteStream("gone"))
	check := func(when string) {
		t.Helper()
		for _, closed = range []bool{true, false} {
			for name, events := range map[string]func(func(logstore.Event, error) bool){"events": g.Events(logstore.Query{}), "arrivals": g.Arrivals(0, nil)} {
				var got []string
				var refused error
				for e, err := range events {
					if err != nil {
						refused = err
						break
					}
					got = append(got, e.Message)
				}
				switch {
				case closed && (!errors.Is(refused, shut) || slices.Contains(got, "first")):
					t.Errorf("%s, shut, %s: %q, %v", when, name, got, refused)
				case !closed && strings.Join(got[:min(4, len(got))], " ") != "before first key second key":
					t.Errorf("%s, %s: %q, %v", when, name, got, refused)
				}
			}
			if got := read(t, g, logstore.Query{From: 4}); len(got) == 0 || got[0] != "a second key" {
				t.Errorf("%s, what needs another key: %q", when, got)
			}
			if st, _ := g.Stream("a"); st.Events < 4 || st.First != 1 {
				t.Errorf("%s: the stream is %+v", when, st)
			}
		}
	}
	check("in the journal")
	must(t, s.Close())
	closed, cfg.Segment = true, 1
	s, g = open(t, cfg)
	must(t, g.Append("a", []logstore.Event{{Time: 5, Message: "after"}}, 9)) // seals
	if len(files(t, dir, "*.sealed")) != 1 {
		t.Fatal("nothing was sealed")
	}
	check("sealed by who has not the key")
	must(t, s.Close())
	_, g = open(t, cfg)
	check("opened again")
	closed = false
	if got := read(t, g, logstore.Query{}); len(got) != 5 || got[4] != "a after" || g.Arrived() != 6 {
		t.Errorf("at last: %q, %d arrived", got, g.Arrived())
	}
	if n, err := g.Expire(100); n != 1 || err != nil {
		t.Errorf("expired %d, %v", n, err)
	}
}

// Of a group one of whose keys is gone for good, followers and copies get the rest, in its order, and followers learn what is lost; if the
// key is only shut they wait there.
func TestGoneKey(t *testing.T) {
	why := errors.New("the key is disabled")
	leader, other := &copier{t: t, dir: t.TempDir(), segment: 1 << 20}, &copier{t: t, dir: t.TempDir()}
	leader.open = func(wrapped []byte) ([]byte, error) {
		if wrapped[0] == 1 {
			return nil, why
		}
		return openTestKey(wrapped)
	}
	other.open = leader.open
	leader.start()
	other.start()
	promise(t, 1, leader, other)
	must(t, leader.store.Lead(1))
	must(t, leader.group().CreateStream("s", 1))
	add := func(key byte, messages ...string) {
		var events []logstore.Event
		for _, m := range messages {
			events = append(events, logstore.Event{Time: 1, Message: m})
		}
		k := (*logstore.Key)(nil)
		if key > 0 {
			k = testKey(t, key)
		}
		must(t, leader.group().AppendLocked("s", events, 9, k))
	}
	follow := func(g *logstore.Group) (text string, last uint64, err error) {
		for e, err := range g.Arrivals(0, nil) {
			loss, ok := errors.AsType[*logstore.Loss](err)
			switch {
			case ok && errors.Is(err, logstore.ErrGone) && e.Seq == loss.Seq && e.Seq >= last:
				text += fmt.Sprintf("-%d ", loss.Events)
			case err != nil:
				return text, last, err
			default:
				text += e.Message + " "
			}
			last = e.Seq
		}
		return text, last, nil
	}
	check := func(when, shut, gone string) {
		t.Helper()
		why = errors.New("the key is disabled")
		if got, _, err := follow(leader.group()); got != shut || !errors.Is(err, logstore.ErrShut) || errors.Is(err, logstore.ErrGone) {
			t.Errorf("%s, shut: %q, %v", when, got, err)
		}
		why = logstore.Gone(why)
		if got, last, err := follow(leader.group()); got != gone || err != nil || last != leader.group().Arrived() {
			t.Errorf("%s: %q up to %d, %v", when, got, last, err)
		}
	}
	add(1, "a", "b")
	add(0, "c")
	add(1, "d")
	add(2, "e")
	check("in the journal", "", "-2 c -1 e ")
	why = nil
	leader.open = openTestKey // seals with it
	leader.segment = 1
	leader.stop()
	leader.start()
	must(t, leader.store.Lead(1))
	add(0, "f")
	leader.open = other.open
	leader.segment = 1 << 20
	leader.stop()
	leader.start()
	must(t, leader.store.Lead(1))
	add(1, "g")
	add(0, "h")
	check("sealed", "", "c e f -3 -1 h ")

	g, c := leader.group(), other.group()
	must(t, carry(1, g, c)) // why is that the key is gone
	if got, _, err := follow(c); got != "c e f -1 h " || err != nil || c.Arrived() != g.Arrived() {
		t.Errorf("the copy has %q, %v, and has arrived at %d of %d", got, err, c.Arrived(), g.Arrived())
	}
}

// Whatever is changed of what is encrypted is noticed, checksums being right; so is what was put into another place.
func TestTampering(t *testing.T) {
	dir := t.TempDir()
	cfg := logstore.Config{Dir: dir, Sync: noSync, Open: openTestKey}
	key := testKey(t, 1)
	s, g := open(t, cfg)
	must(t, g.CreateStream("a", 1))
	must(t, g.AppendLocked("a", []logstore.Event{{Time: 1, Message: "one"}}, 3, key))
	must(t, g.AppendLocked("a", []logstore.Event{{Time: 2, Message: "two"}}, 3, key))
	must(t, s.Close())
	journal := files(t, dir, "*.journal")[0]
	whole, err := os.ReadFile(journal)
	must(t, err)
	intact := func() (bool, []string) {
		s, g := open(t, cfg)
		defer s.Close()
		var got []string
		for e, err := range g.Events(logstore.Query{}) {
			if err != nil {
				return false, got
			}
			got = append(got, e.Message)
		}
		return true, got
	}
	frames := logstore.Frames(whole)
	if len(frames) != 3 { // the key's, and one each
		t.Fatalf("%d frames", len(frames))
	}
	for i := range frames[2] {
		changed := slices.Clone(frames)
		changed[2] = slices.Clone(frames[2])
		changed[2][i] ^= 1
		must(t, os.WriteFile(journal, logstore.Journal(changed...), 0o600))
		if whole, got := intact(); whole && len(got) == 2 || len(got) > 1 && got[1] != "two" {
			t.Errorf("byte %d of a frame was changed, and it reads %q", i, got)
		}
	}
	must(t, os.WriteFile(journal, logstore.Journal(frames...), 0o600))
	if ok, got := intact(); !ok || len(got) != 2 {
		t.Fatalf("as it was: %q", got)
	}
	readElsewhere(t, cfg)
}

// readElsewhere gives the files of the group to another one, which must not read them.
func readElsewhere(t *testing.T, cfg logstore.Config) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Join(cfg.Dir, "other"), 0o700))
	for _, path := range files(t, cfg.Dir, "*") {
		b, err := os.ReadFile(path)
		must(t, err)
		must(t, os.WriteFile(filepath.Join(cfg.Dir, "other", filepath.Base(path)), b, 0o600))
	}
	s, _ := open(t, cfg)
	defer s.Close()
	other, err := s.Group("other")
	must(t, err)
	if st, ok := other.Stream("a"); !ok || st.Events == 0 {
		t.Errorf("another group has nothing of it: %+v", st)
	}
	for e, err := range other.Events(logstore.Query{}) {
		if err == nil {
			t.Errorf("another group reads %q", e.Message)
		}
	}
}

// A block of a sealed file is as safe.
func TestTamperedBlock(t *testing.T) {
	dir := t.TempDir()
	cfg := logstore.Config{Dir: dir, Sync: noSync, Segment: 1, Open: openTestKey}
	s, g := open(t, cfg)
	must(t, g.CreateStream("a", 1))
	must(t, g.AppendLocked("a", []logstore.Event{{Time: 1, Message: "one"}}, 3, testKey(t, 1)))
	path := files(t, dir, "*.sealed")[0]
	whole, err := os.ReadFile(path)
	must(t, err)
	for i := range 12 + 16 + 10 { // nonce, tag and some of the block, which is first
		b := slices.Clone(whole)
		b[i] ^= 1
		must(t, os.WriteFile(path, b, 0o600))
		for e, err := range g.Events(logstore.Query{}) {
			if err == nil {
				t.Errorf("byte %d was changed, and it reads %q", i, e.Message)
			}
		}
	}
	must(t, os.WriteFile(path, whole, 0o600))
	if got := read(t, g, logstore.Query{}); len(got) != 1 {
		t.Errorf("as it was: %q", got)
	}
	must(t, s.Close())
	readElsewhere(t, cfg)
}

// No two frames or blocks that a key has encrypted have the same nonce, whatever failed and was written again.
func TestNoncesDiffer(t *testing.T) {
	dir, fails := t.TempDir(), false
	key, seen := testKey(t, 1), map[string]bool{}
	for range 3 {
		s, g := open(t, logstore.Config{Dir: dir, Open: openTestKey, Sync: func(*os.File) error {
			if fails = !fails; fails {
				return errors.New("no space")
			}
			return nil
		}})
		_ = g.CreateStream("a", 1)
		_ = g.CreateStream("a", 1)
		for range 50 {
			_ = g.AppendLocked("a", []logstore.Event{{Time: 1, Message: "the same"}}, 3, key)
		}
		must(t, s.Close())
	}
	whole, err := os.ReadFile(files(t, dir, "*.journal")[0])
	must(t, err)
	n := 0
	for _, f := range logstore.Frames(whole) {
		if text, ok := logstore.Encrypted(f); ok {
			if n++; seen[string(text[:12])] {
				t.Errorf("a nonce stands twice")
			}
			seen[string(text[:12])] = true
		}
	}
	if n < 70 {
		t.Errorf("%d frames", n)
	}
}
