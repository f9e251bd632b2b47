package server

import (
	"context"
	"errors"
	"time"

	"github.com/roadstead/roadstead/logstore"
)

// bring brings a member what it lacks until ctx ends, or it has promised another epoch. What fails of one group waits, and nothing else does.
func (s *Server) bring(ctx context.Context, url string, p *logPeer, epoch uint64) error {
	retry := time.NewTicker(copyRetry)
	defer retry.Stop()
	failed := map[string]bool{}
	for {
		select {
		case <-p.kick:
		case <-retry.C:
			s.noteDirty(p, failed)
			if err := s.fetchLacking(ctx, url, epoch); err != nil {
				s.cfg.Log.Debug("fetch log events from a member", "member", url, "err", err)
			}
		case <-ctx.Done():
			return ctx.Err()
		}
		for id := range s.dirtyGroups(p) {
			err := s.bringGroup(ctx, url, p, id, epoch)
			switch {
			case errors.Is(err, logstore.ErrEpoch) || errors.Is(err, errPromise) || ctx.Err() != nil:
				return err
			case err == nil || errors.Is(err, logstore.ErrRemoved):
				delete(failed, id)
				continue
			case failed[id]:
			case errors.Is(err, logstore.ErrShut):
				s.cfg.Log.Warn("a member waits for log events whose key cannot be used", "member", url, "group", id, "err", err)
			default:
				s.cfg.Log.Debug("bring log events to a member", "member", url, "group", id, "err", err)
			}
			failed[id] = true
		}
	}
}

// noteDirty marks groups again that something failed of.
func (s *Server) noteDirty(p *logPeer, failed map[string]bool) {
	s.logCopies.mu.Lock()
	defer s.logCopies.mu.Unlock()
	for id := range failed {
		p.mark(id)
	}
}

// mark notes that the member lacks something of a group. The caller holds mu.
func (p *logPeer) mark(id string) {
	p.dirty[id] = struct{}{}
	select {
	case p.kick <- struct{}{}:
	default:
	}
}

func (s *Server) dirtyGroups(p *logPeer) map[string]struct{} {
	s.logCopies.mu.Lock()
	defer s.logCopies.mu.Unlock()
	dirty := p.dirty
	p.dirty = map[string]struct{}{}
	return dirty
}

// errPromise says that a member's promise is not to this leader any more: it made another since, or its disk is another. It is asked again.
var errPromise = errors.New("the member has promised another epoch")

func (s *Server) bringGroup(ctx context.Context, url string, p *logPeer, id string, epoch uint64) error {
	if !s.logStore.Has(id) {
		return s.callMember(ctx, url, "/drop/"+id, promise{Epoch: epoch}, nil)
	}
	g, err := s.logStore.Group(id)
	if err != nil {
		return err
	}
	for more := true; more; {
		s.logCopies.mu.Lock()
		at := p.at[id]
		s.logCopies.mu.Unlock()
		in := copied{Epoch: epoch, After: at}
		if in.Frames, in.To, in.More, err = g.Since(at, copyBytes); err != nil {
			return err
		}
		var out position
		if err := s.callMember(ctx, url, "/copy/"+id, in, &out); err != nil {
			return err
		}
		if out.Epoch != epoch {
			return errPromise
		}
		more = in.More || out.At < in.To
		s.noteCopies(func(*logCopies) { p.at[id] = out.At })
	}
	return nil
}
