// Package statetest holds what every state.Backend must do, as a suite that each implementation runs, and a backend
// that fails on purpose. It must not know any implementation but the one it is handed.
package statetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roadstead/roadstead/state"
)

// Store is a store under test.
type Store struct {
	// Open opens another member's backend on the store; the suite closes it.
	Open func() state.Backend
	// Compact makes the store forget all revisions before its newest.
	Compact func()
	// Depose ends the term of the current leader behind its back, as when its lease runs out.
	Depose func()
}

// Run runs the contract suite; open makes a new, empty store for each subtest. Most subtests run in parallel: they wait
// more than they work.
func Run(t *testing.T, open func(t *testing.T) Store) {
	const compaction = "a watch from before a compaction fails, and load begins anew"
	for _, c := range []struct {
		name string
		f    func(*suite)
	}{
		{compaction, (*suite).compaction},
		{"a commit is one batch with a growing revision", (*suite).commitIsOneBatch},
		{"load sees every commit before it, in key order, at one revision", (*suite).loadIsLinearizable},
		{"load of many rows is complete", (*suite).loadManyRows},
		{"a deletion deletes, also what is not there", (*suite).deletions},
		{"deleting a prefix deletes just that, and watches are told each key", (*suite).prefixDeletion},
		{"a batch of MaxBatch pairs is committed whole", (*suite).biggestBatch},
		{"a batch beyond MaxBatch is refused and writes nothing", (*suite).tooLargeBatch},
		{"numbered commits are written in their order or not at all", (*suite).numbered},
		{"one leads, and a campaign waits for it to resign", (*suite).campaignHandsOver},
		{"a resigned term is fenced", (*suite).resignedTermIsFenced},
		{"a deposed term is lost and fenced", (*suite).deposedTermIsFenced},
		{"the same member may lead again, in a term with a greater revision", (*suite).leadAgain},
		{"everybody learns who leads", (*suite).leaderIsKnown},
		{"a watch has every batch once, whole and in order, while others commit", (*suite).watchIsWhole},
		{"a watch from a revision goes on right after it", (*suite).watchFromRevision},
		{"the beginning of a term is seen by watches", (*suite).watchSeesTerms},
		{"a cancelled context ends every call", (*suite).cancellation},
		{"after Close every call fails, and blocked ones return", (*suite).closing},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.name != compaction { // stores may share a server, and with it their history
				t.Parallel()
			}
			c.f(&suite{T: t, store: open(t)})
		})
	}
}

// patience bounds what the suite waits for; nothing takes nearly that long.
const patience = 30 * time.Second

type suite struct {
	*testing.T
	store Store
}

func (s *suite) open() state.Backend {
	b := s.store.Open()
	s.Cleanup(func() { _ = b.Close() })
	return b
}

func (s *suite) ctx() context.Context {
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	s.Cleanup(cancel)
	return ctx
}

func (s *suite) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// lead returns a member that leads.
func (s *suite) lead() (state.Backend, state.Term) {
	s.Helper()
	b := s.open()
	term, err := b.Campaign(s.ctx(), "http://leader")
	s.must(err)
	return b, term
}

func (s *suite) commit(b state.Backend, t state.Term, pairs ...state.Pair) int64 {
	s.Helper()
	rev, err := b.Commit(s.ctx(), t, 0, pairs)
	s.must(err)
	return rev
}

func put(key, value string) state.Pair { return state.Pair{Key: key, Value: []byte(value)} }
func del(key string) state.Pair        { return state.Pair{Key: key} }
func wipe(prefix string) state.Pair    { return state.Pair{Key: prefix, Prefix: true} }

// load returns all rows as "key=value" lines, and their revision.
func (s *suite) load(b state.Backend) (int64, []string) {
	s.Helper()
	rev, pairs, err := b.Load(s.ctx())
	s.must(err)
	var rows []string
	for p, err := range pairs {
		s.must(err)
		rows = append(rows, p.Key+"="+string(p.Value))
	}
	return rev, rows
}

func (s *suite) wantRows(b state.Backend, want ...string) int64 {
	s.Helper()
	rev, rows := s.load(b)
	if !slices.Equal(rows, want) {
		s.Fatalf("rows are\n%s\nwant\n%s", strings.Join(rows, "\n"), strings.Join(want, "\n"))
	}
	return rev
}

// watch returns the batches with pairs after a revision, up to and including the given one.
func (s *suite) watch(b state.Backend, after, until int64) []state.Batch {
	s.Helper()
	var out []state.Batch
	for batch, err := range b.Watch(s.ctx(), after) {
		s.must(err)
		if batch.Revision <= after {
			s.Fatalf("revision %d after %d", batch.Revision, after)
		}
		after = batch.Revision
		if len(batch.Pairs) > 0 {
			out = append(out, batch)
		}
		if after >= until {
			return out
		}
	}
	s.Fatalf("watch ended at %d, want %d", after, until)
	return nil
}

// text writes a batch's pairs in key order: "+key=value -key".
func text(b state.Batch) string {
	var out []string
	for _, p := range b.Pairs {
		if p.Value == nil {
			out = append(out, "-"+p.Key)
		} else {
			out = append(out, "+"+p.Key+"="+string(p.Value))
		}
	}
	slices.SortFunc(out, func(a, b string) int { return strings.Compare(a[1:], b[1:]) })
	return strings.Join(out, " ")
}

func (s *suite) commitIsOneBatch() {
	b, term := s.lead()
	first := s.commit(b, term, put("t/a", "1"), put("t/b", "2"))
	second := s.commit(b, term, put("t/a", "3"), del("t/b"), put("t/c", ""))
	if first <= 0 || second <= first || first <= term.Revision() {
		s.Fatalf("revisions: term %d, %d, %d", term.Revision(), first, second)
	}
	got := s.watch(b, first-1, second)
	if len(got) != 2 || text(got[0]) != "+t/a=1 +t/b=2" || text(got[1]) != "+t/a=3 -t/b +t/c=" {
		s.Fatalf("batches are %v", got)
	}
	if got[0].Revision != first || got[1].Revision != second {
		s.Fatalf("revisions are %d and %d, want %d and %d", got[0].Revision, got[1].Revision, first, second)
	}
	s.wantRows(b, "t/a=3", "t/c=")
}

func (s *suite) loadIsLinearizable() {
	b, term := s.lead()
	other := s.open()
	for i := range 20 {
		rev := s.commit(b, term, put("t/x", fmt.Sprint(i)), put("t/a", fmt.Sprint(i)))
		at := s.wantRows(other, fmt.Sprintf("t/a=%d", i), fmt.Sprintf("t/x=%d", i))
		if at < rev {
			s.Fatalf("loaded revision %d after %d was committed", at, rev)
		}
	}
}

func (s *suite) loadManyRows() {
	b, term := s.lead()
	const rows = 3500 // several pages
	var pairs []state.Pair
	for i := range rows {
		pairs = append(pairs, put(fmt.Sprintf("t/%05d", i), "v"))
	}
	rev := s.commit(b, term, pairs...)
	at, pages, err := b.Load(s.ctx())
	s.must(err)
	n := 0
	for p, err := range pages {
		s.must(err)
		if p.Key != pairs[n].Key {
			s.Fatalf("row %d is %s", n, p.Key)
		}
		if n++; n == 10 { // later pages must not show this
			s.commit(b, term, put("t/99999", "late"), del("t/03000"))
		}
	}
	if n != rows || at < rev { // other stores may share the counter
		s.Fatalf("%d rows at %d, want %d at %d", n, at, rows, rev)
	}
}

func (s *suite) deletions() {
	b, term := s.lead()
	s.commit(b, term, put("t/a", "1"), put("t/b", "2"), put("u/a", "3"))
	rev := s.commit(b, term, del("t/a"), del("t/never"), put("t/c", "4"))
	got := s.watch(b, rev-1, rev)
	if len(got) != 1 || text(got[0]) != "-t/a +t/c=4" {
		s.Fatalf("got %v", got)
	}
	s.wantRows(b, "t/b=2", "t/c=4", "u/a=3")
}

func (s *suite) prefixDeletion() {
	b, term := s.lead()
	s.commit(b, term, put("s/z", "0"), put("t/a", "1"), put("t/b/", "2"), put("tt/a", "3"), put("u/a", "4"), put("u/b", "5"))
	rev := s.commit(b, term, wipe("t/"), wipe("u/"), wipe("none/"), put("v/new", "6"))
	got := s.watch(b, rev-1, rev)
	if len(got) != 1 || text(got[0]) != "-t/a -t/b/ -u/a -u/b +v/new=6" {
		s.Fatalf("got %v", got)
	}
	s.wantRows(b, "s/z=0", "tt/a=3", "v/new=6")
}

func (s *suite) biggestBatch() {
	b, term := s.lead()
	rows, bytes := b.MaxBatch()
	value := strings.Repeat("x", bytes/rows-10)
	var pairs []state.Pair
	for i := range rows {
		pairs = append(pairs, put(fmt.Sprintf("t/%06d", i), value))
	}
	rev := s.commit(b, term, pairs...)
	if got := s.watch(b, rev-1, rev); len(got) != 1 || len(got[0].Pairs) != rows {
		s.Fatalf("watch shows %d batches", len(got))
	}
	if _, all := s.load(b); len(all) != rows {
		s.Fatalf("%d rows, want %d", len(all), rows)
	}
	if bytes = bytes - 10; bytes > 0 {
		s.commit(b, term, put("u/big", strings.Repeat("y", bytes)))
	}
}

func (s *suite) tooLargeBatch() {
	b, term := s.lead()
	rows, bytes := b.MaxBatch()
	var many []state.Pair
	for i := range rows + 1 {
		many = append(many, put(fmt.Sprintf("t/%06d", i), "v"))
	}
	for _, pairs := range [][]state.Pair{many, {put("t/big", strings.Repeat("y", bytes))}} {
		if _, err := b.Commit(s.ctx(), term, 0, pairs); !errors.Is(err, state.ErrTooLarge) {
			s.Fatalf("got %v", err)
		}
	}
	s.wantRows(b)
	s.commit(b, term, put("t/a", "the term goes on"))
}

// parallel runs f n times at once and waits.
func parallel(n int, f func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}
