package logs

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// A trough is a log with limits, and somebody who says how much of it has been taken.
type trough struct {
	t    *testing.T
	path string
	sent string
	*sink
	n int // records written
}

func newTrough(t *testing.T, dir string, l Limits) *trough {
	tr := &trough{t: t, path: filepath.Join(dir, "c.json"), sent: filepath.Join(dir, "sent")}
	if l.Backlog > 0 {
		l.Sent = tr.sent
	}
	if err := SetLimits(tr.path, l); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(tr.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if tr.sink, err = newSink(f, limitsOf(tr.path)); err != nil {
		t.Fatal(err)
	}
	return tr
}

// put writes a record of about 100 bytes.
func (tr *trough) put() {
	line := fmt.Sprintf("%-40d\n", tr.n)
	if _, err := tr.Write(appendRecord(nil, []byte(line), Stdout, time.Unix(0, 0))); err != nil {
		tr.t.Error(err)
	}
	tr.n++
}

func (tr *trough) take(offset int64) {
	if err := os.WriteFile(tr.sent, fmt.Appendf(nil, `{"offset":%d}`, offset), 0o600); err != nil {
		tr.t.Error(err)
	}
}

// read returns the numbers of the records from offset on, and where the first ends.
func (tr *trough) read(o ReadOptions) (numbers []int, next int64) {
	tr.t.Helper()
	for e, err := range Read(context.Background(), tr.path, o) {
		if err != nil {
			tr.t.Fatal(err)
		}
		n := -1
		if _, err := fmt.Sscan(e.Log, &n); err != nil {
			tr.t.Fatal(err)
		}
		if numbers = append(numbers, n); next == 0 {
			next = e.Next
		}
	}
	return numbers, next
}

// Non-blocking: what comes while too much waits is lost, and nothing waits; what comes later is not [D].
func TestNonBlocking(t *testing.T) {
	tr := newTrough(t, t.TempDir(), Limits{Backlog: 1000, Keep: -1})
	for range 30 {
		tr.put()
	}
	got, next := tr.read(ReadOptions{})
	if len(got) < 8 || len(got) > 12 || got[len(got)-1] != len(got)-1 {
		t.Fatalf("it has %v", got)
	}
	size, err := os.Stat(tr.path)
	if err != nil {
		t.Fatal(err)
	}
	if record := size.Size() / int64(len(got)); tr.lost() != (loss{Lines: 30 - int64(len(got)), Bytes: (30 - int64(len(got))) * record}) || tr.lost() != (loss{}) {
		t.Errorf("of 30 records %d are there, and it is not said that the others are lost, once", len(got))
	}
	tr.take(3 * next)
	for range 3 {
		tr.put()
	}
	more, _ := tr.read(ReadOptions{})
	if len(more) != len(got)+3 || more[len(more)-1] != 32 {
		t.Errorf("then it has %v", more)
	}
}

// Blocking: whoever writes waits until there is room, and nothing is lost; what a container that has ended left in its pipe is
// taken at once [D].
func TestBlocking(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		tr := newTrough(t, dir, Limits{Backlog: 1000, Blocking: true, Keep: -1})
		written := make(chan struct{})
		go func() {
			defer close(written)
			for range 30 {
				tr.put()
			}
		}()
		time.Sleep(time.Minute)
		had, next := tr.read(ReadOptions{})
		if len(had) > 12 {
			t.Fatalf("it does not wait: %d", len(had))
		}
		tr.take(5 * next)
		time.Sleep(time.Minute)
		if more, _ := tr.read(ReadOptions{}); len(more) != len(had)+5 {
			t.Errorf("with room for 5 more than %d it has %d", len(had), len(more))
		}
		tr.overrun.Store(true)
		<-written
		all, _ := tr.read(ReadOptions{})
		if len(all) != 30 || tr.lost() != (loss{}) {
			t.Errorf("in the end it has %v", all)
		}
	})
}

// What is no longer kept is given back to the file system, and the rest stays where it is for readers; what has not been sent stays,
// too.
func TestTrim(t *testing.T) {
	tr := newTrough(t, t.TempDir(), Limits{Backlog: 1 << 30, Keep: 32 << 10})
	used := func() int64 {
		var st syscall.Stat_t
		if err := syscall.Stat(tr.path, &st); err != nil {
			t.Fatal(err)
		}
		return st.Blocks * 512
	}
	for range 5000 {
		tr.put()
	}
	if all, _ := tr.read(ReadOptions{}); len(all) != 5000 || used() < tr.size {
		t.Fatalf("something is gone that was not sent: %d, %d bytes", len(all), used())
	}
	record := tr.size / 5000
	tr.take(4000 * record)
	tr.put()
	first, _ := tr.read(ReadOptions{})
	if first[0] < 3900 || first[0] > 4000 || first[len(first)-1] != 5000 {
		t.Errorf("of what was sent all is kept from %d on", first[0])
	}
	tr.take(1 << 40)
	for range 1000 {
		tr.put()
	}
	if used() > 120<<10 {
		t.Errorf("%d bytes are in use", used())
	}
	got, _ := tr.read(ReadOptions{})
	for i, n := range got {
		if n != got[0]+i {
			t.Fatalf("after %d comes %d", got[i-1], n)
		}
	}
	if len(got) < (32<<10)/int(record) || got[len(got)-1] != tr.n-1 {
		t.Errorf("it has %d to %d", got[0], got[len(got)-1])
	}
	if last, _ := tr.read(ReadOptions{Offset: (int64(tr.n) - 1) * record}); len(last) != 1 || last[0] != tr.n-1 {
		t.Errorf("at the last one's offset is %v", last)
	}
	if tail, _ := tr.read(ReadOptions{Tail: 3}); len(tail) != 3 || tail[0] != tr.n-3 {
		t.Errorf("the tail is %v", tail)
	}
	if tail, _ := tr.read(ReadOptions{Tail: 1 << 20}); len(tail) != len(got) {
		t.Errorf("a long tail is %d records", len(tail))
	}
	if strings.Contains(fmt.Sprint(got), "-1") {
		t.Error("a torn record was read")
	}
}

// A full disk holds a container up that blocks, and tears no record.
func TestFullDisk(t *testing.T) {
	f, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s, err := newSink(f, Limits{Keep: -1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Write([]byte("x\n")); err == nil {
		t.Error("nothing is said")
	}
	if l := s.lost(); l.Lines != 1 {
		t.Errorf("%+v are said to be lost", l)
	}
	s.limits.Blocking = true
	written := make(chan error)
	go func() { _, err := s.Write([]byte("x\n")); written <- err }()
	select {
	case err := <-written:
		t.Errorf("it does not wait: %v", err)
	case <-time.After(3 * roomLook):
	}
	s.overrun.Store(true)
	if err := <-written; err == nil {
		t.Error("nothing is said at the end")
	}
}

// Whatever is taken and whenever: what was accepted and not taken is there, in order, and no more of it than there is room for.
func TestSinkKeepsWhatIsNotTaken(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir := t.TempDir()
		backlog := rapid.Int64Range(300, 200_000).Draw(rt, "backlog")
		tr := newTrough(t, dir, Limits{Backlog: backlog, Keep: rapid.Int64Range(0, 50_000).Draw(rt, "keep")})
		var ends []int64 // of accepted records, with their numbers
		var numbers []int
		taken, offset := 0, int64(0)
		for _, step := range rapid.SliceOfN(rapid.IntRange(0, 400), 1, 30).Draw(rt, "steps") {
			for range step {
				before := tr.size
				if tr.put(); tr.size > before {
					ends, numbers = append(ends, tr.size), append(numbers, tr.n-1)
				}
			}
			if tr.size-offset > backlog {
				rt.Fatalf("%d bytes wait, and there is room for %d", tr.size-offset, backlog)
			}
			if taken = min(len(ends), taken+step*2/3); taken > 0 {
				offset = ends[taken-1]
				tr.take(offset)
			}
			got, _ := tr.read(ReadOptions{Offset: offset})
			if !slices.Equal(got, numbers[taken:]) {
				rt.Fatalf("at %d are %d records, want %d", offset, len(got), len(numbers)-taken)
			}
		}
	})
}
