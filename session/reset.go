package session

import (
	"context"
	"slices"
	"sync"

	"github.com/roadstead/roadstead/acs"
)

// Reset asks every connected agent of ours to kill and forget its tasks, and returns how many agents there were when all have
// done so or left, or ctx ends.
func (s *Sessions) Reset(ctx context.Context) int {
	all := slices.DeleteFunc(s.all(), func(x *session) bool { return x.stock }) // which would not answer
	var wg sync.WaitGroup
	for _, x := range all {
		wg.Go(func() {
			done := make(chan struct{})
			x.todo.do(func(ctx context.Context) error { return x.reset(ctx, done) })
			select {
			case <-done:
			case <-x.ended:
			case <-ctx.Done():
			}
		})
	}
	wg.Wait()
	return len(all)
}

// reset passes the wish on.
func (x *session) reset(ctx context.Context, done chan struct{}) error {
	m := acs.RoadsteadReset{MessageID: x.s.cfg.NewID()}
	x.resetAck[m.MessageID] = done
	return x.conn.Send(ctx, m)
}

// Disconnect ends every session; agents come back at once.
func (s *Sessions) Disconnect() {
	for _, x := range s.all() {
		x.dismiss()
	}
}

func (s *Sessions) all() []*session {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*session, 0, len(s.sessions))
	for _, x := range s.sessions {
		all = append(all, x)
	}
	return all
}
