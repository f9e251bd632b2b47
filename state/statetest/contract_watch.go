package statetest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/roadstead/roadstead/state"
)

// watchIsWhole commits batches of several sizes from several goroutines while several watches run, some of them ending
// and beginning again, and compares what each saw with what was acknowledged.
func (s *suite) watchIsWhole() {
	b, term := s.lead()
	other := s.open()
	const writers, commits = 4, 40
	ctx := s.ctx()
	last := make(chan int64) // closed after the last commit
	var end int64
	type seen map[int64]string
	watch := func(b state.Backend, restart int) seen {
		got := seen{}
		for at := term.Revision(); ; {
			n := 0
			for batch, err := range b.Watch(ctx, at) {
				s.must(err)
				if batch.Revision <= at {
					s.Errorf("revision %d after %d", batch.Revision, at)
				}
				at = batch.Revision
				if len(batch.Pairs) > 0 {
					got[at] = text(batch)
				}
				if n++; n == restart {
					break
				}
				select {
				case <-last:
				default:
					continue
				}
				if at >= end {
					return got
				}
			}
			select {
			case <-last:
				if at >= end {
					return got
				}
			case <-ctx.Done():
				s.Error("watch does not end")
				return got
			default:
			}
		}
	}
	results := make(chan seen, 4)
	var watches sync.WaitGroup
	for i, w := range []state.Backend{b, other, b, other} {
		watches.Go(func() { results <- watch(w, i*7) }) // 0: never
	}
	want, mu := seen{}, sync.Mutex{}
	parallel(writers, func(w int) {
		for i := range commits {
			var batch state.Batch
			for k := range 1 + (w+i)%5 {
				batch.Pairs = append(batch.Pairs, put(fmt.Sprintf("t/%d-%d", w, k), fmt.Sprint(i)))
			}
			rev, err := b.Commit(ctx, term, 0, batch.Pairs)
			if err != nil {
				s.Error(err)
				return
			}
			mu.Lock()
			if want[rev] != "" {
				s.Errorf("revision %d was given twice", rev)
			}
			want[rev] = text(batch)
			end = max(end, rev)
			mu.Unlock()
		}
	})
	close(last)
	// Something for the watches to see after the end is known.
	s.commit(b, term, put("t/end", "1"))
	watches.Wait()
	close(results)
	for got := range results {
		for rev, batch := range want {
			if got[rev] != batch {
				s.Errorf("revision %d is %q, want %q", rev, got[rev], batch)
			}
		}
		if len(got) > len(want)+1 {
			s.Errorf("%d batches, %d were committed", len(got), len(want))
		}
	}
}

func (s *suite) watchFromRevision() {
	b, term := s.lead()
	var revs []int64
	for i := range 10 {
		revs = append(revs, s.commit(b, term, put("t/a", fmt.Sprint(i))))
	}
	for i := range 9 {
		got := s.watch(b, revs[i], revs[9])
		if len(got) != 9-i || got[0].Revision != revs[i+1] {
			s.Fatalf("after %d: %v", revs[i], got)
		}
	}
	rev, _ := s.load(b)
	done := make(chan []state.Batch, 1)
	go func() { done <- s.watch(b, rev, rev+1) }()
	s.commit(b, term, put("t/a", "new"))
	if got := <-done; len(got) != 1 || text(got[0]) != "+t/a=new" {
		s.Fatalf("got %v", got)
	}
}

func (s *suite) watchSeesTerms() {
	b, first := s.lead()
	ctx, cancel := context.WithCancel(s.ctx())
	defer cancel()
	revs := make(chan int64, 100)
	var wg sync.WaitGroup
	wg.Go(func() {
		for batch, err := range b.Watch(ctx, first.Revision()) {
			if err != nil {
				s.Error(err)
				return
			}
			revs <- batch.Revision
		}
	})
	for range 3 {
		s.must(b.Resign(s.ctx(), first))
		term, err := b.Campaign(s.ctx(), "http://again")
		s.must(err)
		for rev := range revs {
			if rev == term.Revision() {
				break
			}
			if rev > term.Revision() {
				s.Fatalf("saw %d, but not the term's %d", rev, term.Revision())
			}
		}
		first = term
	}
	cancel()
	wg.Wait()
}

func (s *suite) compaction() {
	b, term := s.lead()
	old := s.commit(b, term, put("t/a", "1"))
	s.commit(b, term, put("t/a", "2"))
	s.commit(b, term, put("t/b", "3"))
	live := make(chan []state.Batch, 1)
	newest, _ := s.load(b)
	go func() { live <- s.watch(b, newest, newest+1) }() // one that is up to date does not mind
	s.store.Compact()
	var err error
	for _, e := range b.Watch(s.ctx(), old-1) {
		err = e
		break
	}
	if !errors.Is(err, state.ErrCompacted) {
		s.Fatalf("watch from before the compaction: %v", err)
	}
	rev := s.wantRows(b, "t/a=2", "t/b=3")
	next := s.commit(b, term, put("t/c", "4"))
	if got := s.watch(b, rev, next); len(got) != 1 || text(got[0]) != "+t/c=4" {
		s.Fatalf("got %v", got)
	}
	<-live
}
