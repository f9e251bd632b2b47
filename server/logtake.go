package server

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/roadstead/roadstead/logstore"
)

// enlist has a member promise the epoch, and gets from it what this one lacks.
func (s *Server) enlist(ctx context.Context, url string, epoch uint64) (*logPeer, error) {
	var out promise
	if err := s.callMember(ctx, url, "/promise", promise{Epoch: epoch}, &out); err != nil {
		return nil, err
	}
	if out.Epoch > epoch {
		return nil, errors.Join(logstore.ErrEpoch, s.outbid(out.Epoch))
	}
	p := &logPeer{at: map[string]uint64{}, dirty: map[string]struct{}{}, kick: make(chan struct{}, 1)}
	for row := range s.db.Snapshot().LogGroups.All() {
		g, err := s.logStore.Group(row.ID)
		if err != nil {
			return nil, err
		}
		if err := s.catchUp(ctx, url, row.ID, g, out.Positions[row.ID], epoch); err != nil {
			return nil, err
		}
		p.at[row.ID], p.dirty[row.ID] = out.Positions[row.ID], struct{}{}
	}
	for id := range out.Positions {
		if !s.logStore.Has(id) {
			p.dirty[id] = struct{}{}
		}
	}
	p.kick <- struct{}{}
	s.noteCopies(func(c *logCopies) { c.peers[url] = p })
	return p, nil
}

// outbid remembers an epoch that is higher than this member's, so that it chooses a higher one.
func (s *Server) outbid(epoch uint64) error {
	if err := s.logStore.Promise(epoch); err != nil && !errors.Is(err, logstore.ErrEpoch) {
		return err
	}
	return nil
}

// catchUp gets what another member has of a group and this one lacks. If a key of KMS is why it cannot be had now, the group waits for it.
func (s *Server) catchUp(ctx context.Context, url, id string, g *logstore.Group, there, epoch uint64) error {
	err := s.fetchLogs(ctx, url, id, g, there, epoch)
	if !errors.Is(err, logstore.ErrShut) {
		return err
	}
	s.noteCopies(func(c *logCopies) {
		l, known := c.lacking[id]
		if !known {
			s.cfg.Log.Warn("a log group waits for events that another member has", "group", id, "member", url, "err", err)
		}
		if there >= l.at {
			c.lacking[id] = lacking{url, there, s.cfg.Now()}
		}
	})
	return nil
}

func (s *Server) fetchLogs(ctx context.Context, url, id string, g *logstore.Group, there, epoch uint64) error {
	for g.Arrived() < there {
		var out copied
		at := g.Arrived()
		if err := s.callMember(ctx, url, "/since/"+id, copied{After: at}, &out); err != nil {
			return fmt.Errorf("fetch events of log group %s: %w", id, err)
		}
		s.answered(url, id)
		if out.Shut != "" {
			return fmt.Errorf("%w: %s", logstore.ErrShut, out.Shut)
		}
		_, err := g.Accept(epoch, at, out.Frames, out.To)
		if errors.Is(err, logstore.ErrBehind) { // another member brought something meanwhile
			continue
		}
		if err != nil {
			return fmt.Errorf("take events of log group %s: %w", id, err)
		}
		if out.To <= at && !out.More {
			break
		}
	}
	return nil
}

// fetchLacking tries again to get what a member has of groups that wait for it.
func (s *Server) fetchLacking(ctx context.Context, url string, epoch uint64) error {
	s.logCopies.mu.Lock()
	waiting := maps.Clone(s.logCopies.lacking)
	s.logCopies.mu.Unlock()
	for id, l := range waiting {
		if l.url != url {
			continue
		}
		g, err := s.logStore.Group(id)
		if err == nil {
			err = s.catchUp(ctx, url, id, g, l.at, epoch)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// answered notes that the member is there that a group waits for.
func (s *Server) answered(url, id string) {
	c := &s.logCopies
	c.mu.Lock()
	defer c.mu.Unlock()
	if l, waits := c.lacking[id]; waits && l.url == url {
		l.seen = s.cfg.Now()
		c.lacking[id] = l
	}
}

// forgetLacking lets groups go on that have what they waited for, or whose member with it is gone for long.
func (s *Server) forgetLacking() {
	c, changed := &s.logCopies, false
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, l := range c.lacking {
		lost := s.cfg.Now().Sub(l.seen) >= memberLife
		if lost {
			s.cfg.Log.Error("log events are missing: the member that has them is gone", "group", id, "member", l.url)
		}
		if g, err := s.logStore.Group(id); lost || err != nil || g.Arrived() >= l.at {
			delete(c.lacking, id)
			changed = true
		}
	}
	if changed {
		c.wake()
	}
}
