package server

import (
	"context"
	"sync"
	"time"

	"github.com/roadstead/roadstead/model"
)

// logCopies are what the leader knows of copies of its log events on other members.
type logCopies struct {
	mu      sync.Mutex
	ready   bool
	peers   map[string]*logPeer
	lacking map[string]lacking // groups that wait
	changed chan struct{}      // closed and replaced when something else here changes
}

// lacking is what a group waits for: a member has it up to a Seq, and cannot send it because the key of KMS cannot be used.
type lacking struct {
	url  string
	at   uint64
	seen time.Time // when the member last answered
}

// logPeer is a member that has promised the leader's epoch.
type logPeer struct {
	at    map[string]uint64   // by group
	dirty map[string]struct{} // groups that it may lack something of
	kick  chan struct{}       // holds a token when there are some
}

func (c *logCopies) wake() {
	if c.changed != nil {
		close(c.changed)
	}
	c.changed = make(chan struct{})
}

// look calls f until it says that it is done, each time that something has changed.
func (c *logCopies) look(ctx context.Context, f func() bool) error {
	for {
		c.mu.Lock()
		if c.changed == nil {
			c.changed = make(chan struct{})
		}
		done, changed := f(), c.changed
		c.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// logsLed waits until this member has all log events that were acknowledged before it led, but for groups that wait for their key.
func (s *Server) logsLed(ctx context.Context) error { return s.logsOf(ctx, "") }

// logsOf waits until it has those of a group.
func (s *Server) logsOf(ctx context.Context, id string) error {
	if s.cfg.alone() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, copyPatience)
	defer cancel()
	c := &s.logCopies
	if c.look(ctx, func() bool { _, waits := c.lacking[id]; return c.ready && !waits }) != nil {
		return model.Errorf("ServiceUnavailableException", "The service cannot complete the request: too few members of the control plane are there.")
	}
	return nil
}

// offerLogs has members brought what they lack of a group: its marks, or that it is gone.
func (s *Server) offerLogs(id string) {
	c := &s.logCopies
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.peers {
		p.mark(id)
	}
}

// holdLogs waits until a majority of members has a group up to a Seq, 0 for nothing.
func (s *Server) holdLogs(ctx context.Context, id string, seq uint64) error {
	if s.cfg.alone() {
		return nil
	}
	if s.offerLogs(id); seq == 0 {
		return nil
	}
	need := s.copies()
	ctx, cancel := context.WithTimeout(ctx, copyPatience)
	defer cancel()
	c := &s.logCopies
	err := c.look(ctx, func() bool {
		n := 0
		for _, p := range c.peers {
			if p.at[id] >= seq {
				n++
			}
		}
		return c.ready && n >= need
	})
	if err != nil {
		return model.Errorf("ServiceUnavailableException", "The service cannot complete the request: too few members of the control plane hold the events.")
	}
	return nil
}
