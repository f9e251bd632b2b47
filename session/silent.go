package session

import (
	"context"
	"time"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// watchSilent marks instances disconnected when their grace is over. Whenever this member takes the lead, every instance
// that the last leader left connected is silent until its agent comes.
func (s *Sessions) watchSilent(ctx context.Context) {
	for s.cfg.DB.AwaitLead(ctx) == nil {
		_, elected, err := s.cfg.DB.Leader(ctx)
		if err == nil {
			s.expectAll()
			err = s.watchTerm(ctx, elected)
		}
		if err != nil && ctx.Err() == nil {
			s.cfg.Log.Warn("mark silent agents", "err", err)
			select {
			case <-time.After(silentRetry):
			case <-ctx.Done():
			}
		}
	}
}

// silentRetry is the pause after a write that did not succeed.
const silentRetry = time.Second

// watchTerm marks silent agents until there may be another leader.
func (s *Sessions) watchTerm(ctx context.Context, elected <-chan struct{}) error {
	for {
		timer := time.NewTimer(s.untilNext())
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-elected:
			timer.Stop()
			return nil
		case <-s.changed:
		case <-timer.C:
		}
		timer.Stop()
		if err := s.markSilent(ctx); err != nil {
			return err
		}
	}
}

// expectAll starts the grace of every instance said to be connected that is not, and forgets those of earlier terms.
func (s *Sessions) expectAll() {
	snap := s.cfg.DB.Snapshot()
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.silent)
	for i := range snap.Instances.All() {
		if i.AgentConnected && s.sessions[i.Key()] == nil {
			s.hush(i.Key())
		}
	}
}

// untilNext is the time until the next grace ends, an hour if there is none.
func (s *Sessions) untilNext() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	wait := time.Hour
	for _, since := range s.silent {
		wait = min(wait, max(0, AgentGrace-time.Since(since)))
	}
	return wait
}

// markSilent writes down the instances whose grace is over.
func (s *Sessions) markSilent(ctx context.Context) error {
	for key, since := range s.overdue() {
		err := s.setConnected(ctx, key, func(i *model.Instance) {
			if _, came := s.of(key); !came && i.AgentConnected { // it may have come since
				i.AgentConnected, i.DisconnectedAt = false, since.UnixMilli()
			}
		})
		if err != nil {
			return err
		}
		s.mu.Lock()
		if s.silent[key].Equal(since) { // or it came, and left again
			delete(s.silent, key)
			s.cfg.Log.Warn("agent is silent", "instance", key)
		}
		s.mu.Unlock()
	}
	return nil
}

// overdue are the instances whose grace is over, with the beginning of their silence.
func (s *Sessions) overdue() map[string]time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]time.Time{}
	for key, since := range s.silent {
		if time.Since(since) >= AgentGrace {
			out[key] = since
		}
	}
	return out
}

// setConnected changes an instance's agent members, if it still exists and that is a change.
func (s *Sessions) setConnected(ctx context.Context, key string, change func(*model.Instance)) error {
	return s.cfg.DB.Update(ctx, func(tx *state.Tx) error {
		i, ok := tx.Instances.Get(key)
		if !ok || i.Status == model.InstanceInactive {
			return nil
		}
		next := *i
		change(&next)
		if next.AgentConnected == i.AgentConnected && next.DisconnectedAt == i.DisconnectedAt && next.AgentVersion == i.AgentVersion && next.AgentHash == i.AgentHash &&
			next.DockerVersion == i.DockerVersion && next.RuntimeStatus == i.RuntimeStatus {
			return nil
		}
		next.Version++
		tx.Instances.Put(&next)
		return nil
	})
}
