package server

import (
	"context"
	mathrand "math/rand/v2"
	"time"

	"github.com/google/uuid"

	"github.com/roadstead/roadstead/controller"
	"github.com/roadstead/roadstead/controller/deploy"
	"github.com/roadstead/roadstead/controller/lost"
	"github.com/roadstead/roadstead/controller/place"
	"github.com/roadstead/roadstead/controller/reap"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// reapLimit is how many rows that are over go in a transaction: an external etcd takes 128 operations.
const reapLimit = 100

// placePace keeps a cluster in which much comes and goes from trying its waiting tasks more often than anybody notices.
const placePace = 100 * time.Millisecond

// deployPace lets a service look once at what many of its tasks report together.
const deployPace = 20 * time.Millisecond

// newDeploy returns the loop of services, which also answers why one is not steady.
func (s *Server) newDeploy() *deploy.Loop {
	return &deploy.Loop{NewID: newID, NewUUID: uuid.NewString, Seed: mathrand.Uint64, Trusts: s.trustsTasks}
}

// serviceWhy says why a service is not steady.
func (s *Server) serviceWhy(tx *state.Tx, key string, now time.Time) (why []string, next model.Millis) {
	out, _ := s.newDeploy().Ask(tx, key, now)
	return out.Why, out.Wake
}

// serviceStep does what the leader does next for a service.
func (s *Server) serviceStep(tx *state.Tx, key string, now time.Time) error {
	_, err := s.newDeploy().Reconcile(tx, key, now)
	return err
}

// loops are what the leader does by itself.
func (s *Server) loops() []controller.Loop {
	silent := &lost.Loop{}
	waiting := &place.Loop{}
	services := s.newDeploy()
	over := &reap.Loop{Retention: reap.DefaultRetention(), Limit: reapLimit}
	return []controller.Loop{
		{Name: "lost", Touched: silent.Touched, All: silent.All, Due: silent.Due, Reconcile: silent.Reconcile, Settle: lost.Settle},
		{Name: "place", Touched: waiting.Touched, All: waiting.All, Due: waiting.Due, Reconcile: waiting.Reconcile, Pace: placePace},
		{Name: "deploy", Touched: services.Touched, All: services.All, Due: services.Due, Reconcile: services.Reconcile, Pace: deployPace},
		{Name: "reap", Touched: over.Touched, All: over.All, Due: over.Due, Reconcile: over.Reconcile, Pace: reap.Batch},
	}
}

// Times of the collection of image layers.
const (
	collectInterval = time.Hour
	collectAge      = 24 * time.Hour // an upload under way may not be referenced yet
)

// collect deletes image layers that no image of this member refers to: files, so that there is no row to watch.
func (s *Server) collect(ctx context.Context) error {
	if err := s.Ready(ctx); err != nil { // before that every row seems to be missing
		return err
	}
	tick := time.NewTicker(collectInterval)
	defer tick.Stop()
	for {
		if s.cfg.alone() { // several members do it when they replicate
			s.copyImages(ctx, s.strays(ctx))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		if _, err := s.registry.Collect(ctx, collectAge); err != nil && ctx.Err() == nil {
			s.cfg.Log.Warn("collect image layers", "err", err)
		}
	}
}
