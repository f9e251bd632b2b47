package logstore

import (
	"errors"
	"fmt"
	"path/filepath"
)

// Members of a control plane copy what their leader's store takes (docs/decisions/046). Each term of a leader has an epoch, a number
// that is higher than those before; a Seq is the epoch and a count. Whoever has arrived at a Seq has everything that was
// acknowledged up to it, because a copy takes only what follows on what it has.

// epochBits is how many bits of a Seq count within an epoch.
const epochBits = 32

var (
	// ErrBehind says that what was brought does not follow on what a copy has: it lacks something between, or has a part of it.
	ErrBehind = errors.New("the copy of the log group has arrived at another place")
	// ErrEpoch says that a higher epoch was promised.
	ErrEpoch = errors.New("a member with a higher epoch leads")
)

func (s *Store) epochFile() string { return filepath.Join(s.cfg.Dir, "epoch") }

// Epoch is the one that was promised last, 0 if none ever was.
func (s *Store) Epoch() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.epoch
}

// Lead has the store take writes of its own in the epoch, when it has what was acknowledged in earlier ones; ErrEpoch if another was
// promised meanwhile. A store that nobody else copies leads in the one that it has.
func (s *Store) Lead(epoch uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if epoch != s.epoch {
		return ErrEpoch
	}
	s.setEpoch(epoch, true)
	return nil
}

func (s *Store) setEpoch(epoch uint64, leads bool) {
	s.epoch, s.leads = epoch, leads
	for _, g := range s.groups {
		g.commit.Lock()
		g.settle() // what was numbered in the old epoch is written before anything is said of the new one
		g.base, g.leads = epoch<<epochBits, leads
		g.seq = max(g.seq, g.base+1)
		g.mu.Unlock()
		g.commit.Unlock()
	}
}

// Promise has the store take nothing more of lower epochs, nor writes of its own before Lead. It is on the disk when Promise returns;
// ErrEpoch if the same or a higher one was promised before.
func (s *Store) Promise(epoch uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if epoch <= s.epoch {
		return ErrEpoch
	}
	if err := errors.Join(writeMark(s.epochFile(), epoch, s.cfg.Sync), syncDir(s.cfg.Dir)); err != nil {
		return fmt.Errorf("write the epoch of logs: %w", err)
	}
	s.setEpoch(epoch, false)
	return nil
}

// Positions say how far each group has arrived.
func (s *Store) Positions() (map[string]uint64, error) {
	ids, err := s.Groups()
	if err != nil {
		return nil, err
	}
	at := map[string]uint64{}
	for _, id := range ids {
		g, err := s.Group(id)
		if err != nil {
			return nil, err
		}
		at[id] = g.Arrived()
	}
	return at, nil
}
