package ecs

import (
	"fmt"
	"strconv"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// deploy starts a deployment of a revision of the service, in the place of those that there are (SEMANTICS §8.3). It gives
// the revision its id and age.
func (a *api) deploy(tx *state.Tx, s *model.Service, rev *model.Revision, before []*model.Deployment) {
	now := max(a.nowMillis(), s.CreatedAt)
	d := &model.Deployment{Scope: s.Scope, Cluster: s.Cluster, Service: s.Name, RecordID: a.NewID()[11:], // 21 digits
		Status: model.DeploymentPrimary, Rollout: model.RolloutInProgress, State: model.StatePending,
		CreatedAt: now, UpdatedAt: now, Configuration: s.Settings.DeploymentConfiguration}
	last := ""
	for _, old := range before {
		last = old.ID
		if old.Status != model.DeploymentInactive {
			d.Sources = append(d.Sources, old.ID)
		}
		if next, changed := superseded(old, now); changed {
			tx.Deployments.Put(&next)
		}
	}
	d.ID = nextDeploymentID(last, now, a.Seed())
	d.RolloutReason = "ECS deployment " + d.Name() + " in progress." // [O]
	rev.ID, rev.CreatedAt = d.ID, now
	tx.Revisions.Put(rev)
	tx.Deployments.Put(d)
}

// superseded is a deployment in whose place another one comes.
func superseded(d *model.Deployment, now model.Millis) (model.Deployment, bool) {
	next := *d
	changed := ended(&next, model.StateStopped, "Superseded by a newer service deployment.", now) // [I]
	if d.Status == model.DeploymentPrimary {
		next.Status, changed = model.DeploymentActive, true
		if d.State == model.StateSuccessful && d.Rollout != model.RolloutCompleted {
			// It was being rolled back to. It has completed once, and may be rolled back to again.
			next.Rollout, next.RolloutReason = model.RolloutCompleted, "ECS deployment "+d.Name()+" completed." // [O]
		}
	}
	if changed {
		next.UpdatedAt = now
	}
	return next, changed
}

// ended ends a service deployment that has not come to its end by itself, and reports whether it had not.
func ended(d *model.Deployment, state, reason string, now model.Millis) bool {
	if d.Ended() {
		return false
	}
	if d.State == model.StateRollbackInProgress {
		state = model.StateRollbackFailed // the only other way out (SEMANTICS §3)
	}
	d.State, d.StateReason, d.UpdatedAt, d.FinishedAt, d.StoppedAt = state, reason, now, now, now
	return true
}

// nextDeploymentID is an id for a deployment or task set made now, greater than the last one of the service.
func nextDeploymentID(last string, now model.Millis, seed uint64) string {
	id := model.NewDeploymentID(now, seed)
	if id > last {
		return id
	}
	n, _ := strconv.ParseInt(last, 10, 64) // 19 digits, and not the greatest: they begin with a time
	return fmt.Sprintf("%019d", n+1)
}

// deploymentMoment is when the deployment or task set with the id was made.
func deploymentMoment(id string) model.Millis {
	n, _ := strconv.ParseInt(id, 10, 64)
	return n / 1_000_000
}
