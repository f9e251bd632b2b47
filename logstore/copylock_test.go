package logstore_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/roadstead/roadstead/logstore"
)

// leading is the store of the member that leads in the first epoch, and those of others.
func leading(t *testing.T, segments ...int64) []*copier {
	t.Helper()
	var all []*copier
	for _, n := range segments {
		c := &copier{t: t, dir: t.TempDir(), segment: n}
		c.start()
		t.Cleanup(func() { c.store.Close() })
		all = append(all, c)
	}
	must(t, all[0].group().CreateStream("other", 1)) // numbers of streams differ
	promise(t, 1, all...)
	must(t, all[0].store.Lead(1))
	must(t, all[0].group().DeleteStream("other"))
	must(t, all[0].group().CreateStream("s", 1))
	return all
}

func messages(t *testing.T, g *logstore.Group) string {
	t.Helper()
	var all []string
	for _, e := range read(t, g, logstore.Query{}) {
		all = append(all, e[:min(len(e), 12)])
	}
	return strings.Join(all, ", ")
}

// Events that are encrypted travel so, and a copy needs no key to take and to seal them. Who has the key reads them there.
func TestCopiesStayEncrypted(t *testing.T) {
	all := leading(t, 1<<20, 1)
	g, closed := all[0].group(), true
	all[1].stop()
	all[1].open = func(wrapped []byte) ([]byte, error) {
		if closed {
			return nil, errors.New("the key is disabled")
		}
		return openTestKey(wrapped)
	}
	all[1].start()
	for _, key := range []*logstore.Key{testKey(t, 1), nil, testKey(t, 2), testKey(t, 1)} {
		text := "open sesame"
		if key == nil {
			text = "for all"
		}
		must(t, g.AppendLocked("s", []logstore.Event{{Time: 1, Message: text}, {Time: 2, Message: text}}, 3, key))
	}
	frames, _, _, err := g.Since(0, 1<<20)
	must(t, err)
	if bytes.Contains(frames, []byte("sesame")) || !bytes.Contains(frames, []byte("for all")) {
		t.Errorf("between members: %q", frames)
	}
	bring(t, 1, g, all[1].group())
	must(t, filepath.WalkDir(all[1].dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if bytes.Contains(b, []byte("sesame")) {
			t.Errorf("it stands in %s", path)
		}
		return err
	}))
	if n := len(files(t, all[1].dir, "*.sealed")); n == 0 {
		t.Error("nothing was sealed")
	}
	third := &copier{t: t, dir: t.TempDir()}
	third.start()
	defer third.stop()
	promise(t, 1, third)
	bring(t, 1, all[1].group(), third.group()) // of a sealed file, with keys that nobody has
	closed = false
	for _, c := range []*copier{all[1], third} {
		if got, want := messages(t, c.group()), messages(t, g); got != want {
			t.Errorf("read %q, want %q", got, want)
		}
	}
}

// Blocks of sealed files have to be opened for a copy: one whose key is shut waits, and nothing is lost when it is not any more.
func TestCopyOfBlocks(t *testing.T) {
	all := leading(t, 1, 1<<20)
	all[0].stop()
	closed := true
	all[0].open = func(wrapped []byte) ([]byte, error) {
		if closed {
			return nil, errors.New("the key is disabled")
		}
		return openTestKey(wrapped)
	}
	all[0].start()
	must(t, all[0].store.Lead(1))
	g := all[0].group()
	must(t, g.AppendLocked("s", []logstore.Event{{Time: 1, Message: "open sesame"}, {Time: 2, Message: "two"}}, 3, testKey(t, 1)))
	if err := carry(1, g, all[1].group()); !errors.Is(err, logstore.ErrShut) {
		t.Fatalf("with a shut key: %v", err)
	}
	closed = false
	frames, _, _, err := g.Since(0, 1<<20)
	must(t, err)
	if bytes.Contains(frames, []byte("sesame")) {
		t.Errorf("between members: %q", frames)
	}
	bring(t, 1, g, all[1].group())
	if got := messages(t, all[1].group()); got != "s open sesam, s two" {
		t.Errorf("read %q", got)
	}
}

// A copy that has a part of an encrypted frame, because it got that from where it was cut otherwise, gets the rest.
func TestPartOfALockedFrame(t *testing.T) {
	all := leading(t, 1<<20, 1<<20, 1<<20)
	a, b, c := all[0], all[1], all[2]
	long := strings.Repeat("x", 40<<10)
	must(t, a.group().AppendLocked("s", []logstore.Event{{Time: 1, Message: "1" + long}, {Time: 2, Message: "2" + long}, {Time: 3, Message: "3"}}, 3, testKey(t, 1)))
	bring(t, 1, a.group(), b.group())
	a.stop()
	a.segment = 1
	a.start()
	must(t, a.store.Lead(1))
	must(t, a.group().Append("s", []logstore.Event{{Time: 4, Message: "4"}}, 3)) // seals
	frames, to, more, err := a.group().Since(0, 1)
	must(t, err)
	if at, err := c.group().Accept(1, 0, frames, to); err != nil || !more || at >= b.group().Arrived() {
		t.Fatalf("arrived at %d of %d, %v", at, b.group().Arrived(), err)
	}
	promise(t, 2, b, c)
	must(t, b.store.Lead(2))
	frames, to, _, err = b.group().Since(0, 1<<20)
	must(t, err)
	before := messages(t, c.group())
	if at, err := c.group().Accept(2, 0, frames, to); !errors.Is(err, logstore.ErrBehind) || at != c.group().Arrived() || messages(t, c.group()) != before {
		t.Errorf("a whole frame on a part of it: %d, %v", at, err)
	}
	bring(t, 2, b.group(), c.group())
	if got, want := messages(t, c.group()), messages(t, b.group()); got != want || strings.Count(got, "s 3") != 1 {
		t.Errorf("read %q, want %q", got, want)
	}
}

// What members took alone, before they copied, stays theirs, and is read where it is. A member that has nothing gets all of it.
func TestAloneBefore(t *testing.T) {
	members := make([]*copier, 3)
	for i, n := range []int{3, 1, 0} {
		members[i] = &copier{t: t, dir: t.TempDir(), segment: 1 << 20}
		members[i].start()
		defer members[i].stop()
		if n > 0 {
			must(t, members[i].group().CreateStream("s", 1))
		}
		for k := range n {
			must(t, members[i].group().AppendLocked("s", []logstore.Event{{Time: int64(k), Message: string(rune('a'+10*i+k)) + " alone"}}, 3, testKey(t, 1)))
		}
	}
	promise(t, 1, members...)
	must(t, members[0].store.Lead(1))
	g := members[0].group()
	must(t, g.Append("s", []logstore.Event{{Time: 9, Message: "together"}}, 3))
	for _, c := range members[1:] {
		bring(t, 1, g, c.group())
	}
	for i, want := range []string{"s a alone, s b alone, s c alone, s together", "s k alone, s b alone, s c alone, s together", "s a alone, s b alone, s c alone, s together"} {
		if got := messages(t, members[i].group()); got != want {
			t.Errorf("member %d: read %q, want %q", i, got, want)
		}
	}
}

// What was numbered before an epoch is promised is on the disk before anything is said of it; nothing of it comes later.
func TestPromiseSettles(t *testing.T) {
	s, g := open(t, logstore.Config{Dir: t.TempDir(), Sync: func(*os.File) error { runtime.Gosched(); return nil }})
	must(t, g.CreateStream("a", 1))
	for epoch := uint64(1); epoch < 200; epoch += 2 {
		must(t, s.Promise(epoch))
		must(t, s.Lead(epoch))
		var running sync.WaitGroup
		for range 8 {
			running.Go(func() {
				for range 20 {
					if err := g.Append("a", []logstore.Event{{Message: "1"}}, 1); err != nil && !errors.Is(err, logstore.ErrEpoch) {
						t.Error(err)
					}
				}
			})
		}
		must(t, s.Promise(epoch+1))
		at := g.Arrived()
		running.Wait()
		if at != g.Arrived() {
			t.Fatalf("arrived at %x when it promised, then at %x", at, g.Arrived())
		}
	}
}
