package server

import (
	"context"
	"time"

	"github.com/roadstead/roadstead/controller/reap"
	"github.com/roadstead/roadstead/state"
)

// Times of the house-keeping of a leader.
const (
	reapInterval    = time.Minute
	reapBatch       = 100 // rows a transaction: an external etcd takes 128
	collectInterval = time.Hour
	collectAge      = 24 * time.Hour // an upload under way may not be referenced yet
)

// reap deletes rows that are over, and layers that no image refers to, while this member leads.
func (s *Server) reap(ctx context.Context) error {
	rows, layers := time.NewTicker(reapInterval), time.NewTicker(collectInterval)
	defer rows.Stop()
	defer layers.Stop()
	for {
		select {
		case <-rows.C:
			if err := s.reapRows(ctx); err != nil && ctx.Err() == nil {
				s.cfg.Log.Warn("delete rows that are over", "err", err)
			}
		case <-layers.C:
			if s.db.Leading() {
				if _, err := s.registry.Collect(ctx, collectAge); err != nil && ctx.Err() == nil {
					s.cfg.Log.Warn("collect image layers", "err", err)
				}
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *Server) reapRows(ctx context.Context) error {
	keep := reap.DefaultRetention()
	for s.db.Leading() && reap.Due(s.db.Snapshot().Tables, s.cfg.Now(), keep) {
		err := s.db.Update(ctx, func(tx *state.Tx) error { reap.Reconcile(tx, s.cfg.Now(), keep, reapBatch); return nil })
		if err != nil {
			return err
		}
	}
	return nil
}
