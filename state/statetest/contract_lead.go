package statetest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/roadstead/roadstead/state"
)

// elected is the outcome of a campaign.
type elected struct {
	term state.Term
	err  error
}

func (s *suite) campaign(ctx context.Context, b state.Backend, advertise string) <-chan elected {
	out := make(chan elected, 1)
	go func() {
		t, err := b.Campaign(ctx, advertise)
		out <- elected{t, err}
	}()
	return out
}

func (s *suite) campaignHandsOver() {
	a, first := s.lead()
	b := s.open()
	waiting := s.campaign(s.ctx(), b, "http://b")
	rev := s.commit(a, first, put("t/a", "1"))
	select {
	case <-waiting:
		s.Fatal("two lead at once")
	default:
	}
	s.must(a.Resign(s.ctx(), first))
	s.lost(first)
	won := <-waiting
	s.must(won.err)
	if won.term.Revision() <= rev {
		s.Fatalf("the term began at %d, the one before committed at %d", won.term.Revision(), rev)
	}
	s.commit(b, won.term, put("t/a", "2"))
}

func (s *suite) lost(t state.Term) {
	s.Helper()
	select {
	case <-t.Lost():
	case <-s.ctx().Done():
		s.Fatal("Lost is not closed")
	}
}

func (s *suite) fenced(b state.Backend, t state.Term) {
	s.Helper()
	if _, err := b.Commit(s.ctx(), t, 0, []state.Pair{put("t/fenced", "x")}); !errors.Is(err, state.ErrFenced) {
		s.Fatalf("a commit in a lost term: %v", err)
	}
}

func (s *suite) numbered() {
	b, term := s.lead()
	at := func(t state.Term, seq int64, want error) {
		s.Helper()
		_, err := b.Commit(s.ctx(), t, seq, []state.Pair{put(fmt.Sprintf("t/%d", seq), "x")})
		if !errors.Is(err, want) {
			s.Fatalf("commit %d: %v, want %v", seq, err, want)
		}
	}
	at(term, 2, state.ErrOrder)
	at(term, 1, nil)
	at(term, 1, state.ErrOrder)
	at(term, 3, state.ErrOrder)
	at(term, 2, nil)
	s.commit(b, term, put("t/any", "x")) // unnumbered ones come between
	at(term, 3, nil)
	s.wantRows(b, "t/1=x", "t/2=x", "t/3=x", "t/any=x")
	s.must(b.Resign(s.ctx(), term))
	next, err := b.Campaign(s.ctx(), "http://again")
	s.must(err)
	at(term, 4, state.ErrFenced)
	at(next, 4, state.ErrOrder) // each term counts anew
	at(next, 1, nil)
	at(next, 2, nil)
}

func (s *suite) resignedTermIsFenced() {
	a, first := s.lead()
	s.must(a.Resign(s.ctx(), first))
	s.fenced(a, first)
	b := s.open()
	second, err := b.Campaign(s.ctx(), "http://b")
	s.must(err)
	s.fenced(a, first)
	s.fenced(b, first)
	s.must(a.Resign(s.ctx(), first)) // of a term that is over: nothing happens
	s.commit(b, second, put("t/a", "1"))
	s.wantRows(a, "t/a=1")
}

func (s *suite) deposedTermIsFenced() {
	a, first := s.lead()
	s.commit(a, first, put("t/a", "1"))
	b := s.open()
	waiting := s.campaign(s.ctx(), b, "http://b")
	s.store.Depose()
	won := <-waiting
	s.must(won.err)
	// The member may not know yet; if it learns it during the commit, the outcome is unknown to it.
	if _, err := a.Commit(s.ctx(), first, 0, []state.Pair{put("t/fenced", "x")}); err == nil {
		s.Fatal("a commit in a deposed term")
	}
	s.lost(first)
	s.fenced(a, first)
	s.commit(b, won.term, put("t/a", "2"))
	s.fenced(a, first)
	s.wantRows(a, "t/a=2")
}

func (s *suite) leadAgain() {
	b, term := s.lead()
	for i := range 5 {
		rev := s.commit(b, term, put("t/a", fmt.Sprint(i)))
		if i%2 == 0 {
			s.must(b.Resign(s.ctx(), term))
		} else {
			s.store.Depose()
		}
		again, err := b.Campaign(s.ctx(), "http://again")
		s.must(err)
		s.lost(term)
		if again.Revision() <= rev {
			s.Fatalf("the term began at %d, after %d", again.Revision(), rev)
		}
		s.fenced(b, term)
		term = again
	}
}

// awaitLeader waits until the member knows the leader to be the given one.
func (s *suite) awaitLeader(b state.Backend, want string) {
	s.Helper()
	ctx := s.ctx()
	for {
		got, changed, err := b.Leader(ctx)
		s.must(err)
		if got == want {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			s.Fatalf("the leader is %q, want %q", got, want)
		}
	}
}

func (s *suite) leaderIsKnown() {
	a, b := s.open(), s.open()
	s.awaitLeader(a, "")
	s.awaitLeader(b, "")
	term, err := a.Campaign(s.ctx(), "http://10.0.0.1:4566")
	s.must(err)
	s.awaitLeader(a, "http://10.0.0.1:4566")
	s.awaitLeader(b, "http://10.0.0.1:4566")
	s.must(a.Resign(s.ctx(), term))
	s.awaitLeader(b, "")
	s.awaitLeader(a, "")
	_, err = b.Campaign(s.ctx(), "http://b")
	s.must(err)
	s.awaitLeader(a, "http://b")
	s.store.Depose()
	s.awaitLeader(a, "")
}

func (s *suite) cancellation() {
	b, term := s.lead()
	other := s.open()
	ctx, cancel := context.WithCancel(s.Context())
	waiting := s.campaign(ctx, other, "http://other")
	watching := make(chan error, 1)
	go func() {
		for _, err := range other.Watch(ctx, term.Revision()) {
			watching <- err
			return
		}
		watching <- nil
	}()
	cancel()
	if won := <-waiting; !errors.Is(won.err, context.Canceled) {
		s.Errorf("campaign: %v", won.err)
	}
	if err := <-watching; err != nil {
		s.Errorf("watch: %v", err)
	}
	if _, err := b.Commit(ctx, term, 0, []state.Pair{put("t/a", "1")}); !errors.Is(err, context.Canceled) {
		s.Errorf("commit: %v", err)
	}
	if _, _, err := b.Load(ctx); !errors.Is(err, context.Canceled) {
		s.Errorf("load: %v", err)
	}
	s.commit(b, term, put("t/b", "the term goes on"))
}

func (s *suite) closing() {
	leader, held := s.lead()
	b := s.open()
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := b.Campaign(s.ctx(), "http://b"); !errors.Is(err, state.ErrClosed) {
			s.Errorf("blocked campaign: %v", err)
		}
	})
	wg.Go(func() {
		var last error
		for _, err := range b.Watch(s.ctx(), held.Revision()) {
			last = err
		}
		if !errors.Is(last, state.ErrClosed) {
			s.Errorf("blocked watch: %v", last)
		}
	})
	_, rows := s.load(b) // give the two a chance to block
	if len(rows) != 0 {
		s.Errorf("rows: %v", rows)
	}
	s.must(b.Close())
	wg.Wait()
	s.must(b.Close())
	_, campaign := b.Campaign(s.ctx(), "http://b")
	_, _, who := b.Leader(s.ctx())
	_, _, load := b.Load(s.ctx())
	_, commit := b.Commit(s.ctx(), held, 0, []state.Pair{put("t/a", "1")})
	var watch error
	for _, err := range b.Watch(s.ctx(), 1) {
		watch = err
	}
	for name, err := range map[string]error{"campaign": campaign, "leader": who, "load": load, "commit": commit, "watch": watch, "resign": b.Resign(s.ctx(), held)} {
		if !errors.Is(err, state.ErrClosed) {
			s.Errorf("%s: %v", name, err)
		}
	}
	s.commit(leader, held, put("t/a", "others go on"))
	s.must(leader.Close())
	s.lost(held)
}
