package deployment

import (
	"slices"

	"github.com/roadstead/roadstead/model"
)

// deploy decides for a service whose deployments are its own.
func (r *run) deploy() {
	if r.primary == nil {
		r.forget()
		return
	}
	r.note()
	r.begin()
	r.judge()
	if r.lost() {
		return
	}
	g := r.staging()
	r.leaveStages(g)
	if g != nil && !r.stages(g) {
		return
	}
	c := r.crew()
	r.replace(c)
	if r.judge() { // unhealthy tasks have tripped the circuit breaker
		if r.lost() {
			return
		}
		c = r.crew()
		r.replace(c)
	}
	r.roll(c)
	r.unlist()
	r.complete(c)
	r.settled(r.steady(c))
	r.rebalance(c)
	r.out.Why = append(r.blockers(c), r.out.Why...)
}

// lost reports whether nobody knows where the PRIMARY deployment of a daemon can run: nothing can be decided then.
func (r *run) lost() bool {
	if _, known := r.Instances[r.primary.id]; known || r.service.Scheduling != model.SchedulingDaemon {
		return false
	}
	r.why("It is not known on which instances deployment %s can run.", r.primary.deployment.Name())
	return true
}

// halted reports whether the PRIMARY deployment has been given up without another in its place: no task is started.
func (r *run) halted() bool {
	d := r.primary.deployment
	return d.Rollout == model.RolloutFailed || d.State == model.StateStopped
}

// begin takes note that the deployment has begun. Alarms that are in ALARM already do not fail it (SEMANTICS §8.7) [D].
func (r *run) begin() {
	g := r.primary
	if g.deployment.State != model.StatePending {
		return
	}
	d := r.row(g)
	d.State, d.StartedAt = model.StateInProgress, r.Now
	r.ignoreAlarms(d)
	r.happen(Happening{Type: "INFO", Name: "SERVICE_DEPLOYMENT_IN_PROGRESS", Deployment: d.ID, Reason: d.RolloutReason})
}

// ignoreAlarms makes the alarms that are in ALARM already of no meaning for a deployment that begins, or to which is rolled back.
func (r *run) ignoreAlarms(d *model.Deployment) {
	d.Ignored = nil
	for _, name := range d.AlarmNames() {
		if slices.Contains(r.Alarms, name) {
			d.Ignored = append(d.Ignored, name)
		}
	}
}

// cause is why a deployment fails.
type cause struct {
	said     string // in the message "(deployment D) deployment failed: ..." (SEMANTICS §14.1) [O]
	reason   string // rolloutStateReason
	staged   string // said instead, and with a full stop the reason, of a deployment in stages [O]
	prefix   string // begins the rolloutStateReason of the deployment that is rolled back to
	rollback bool
	tripped  bool // the circuit breaker has gone off
}

// verdict says whether a deployment that is in progress has failed, and why.
func (r *run) verdict(d *model.Deployment) (c cause, failed bool) {
	if d.State == model.StateRollbackRequested {
		return cause{said: "rollback requested", reason: "ECS deployment rollback requested.", // [I]
			staged: "Service deployment rolled back because a rollback was requested", // [I]
			prefix: "ECS deployment rollback requested: ", rollback: true}, true
	}
	if d.Rollout != model.RolloutInProgress || r.halted() {
		return cause{}, false
	}
	if b := d.Breaker(); b.Enable && d.Failures >= d.Threshold(r.service.Desired) && r.breaks() {
		return cause{said: "tasks failed to start", reason: "ECS deployment circuit breaker: tasks failed to start.",
			staged: "Service deployment rolled back because the circuit breaker threshold was exceeded",
			prefix: "ECS deployment circuit breaker: ", rollback: b.Rollback, tripped: true}, true
	}
	for _, name := range d.AlarmNames() {
		if slices.Contains(r.Alarms, name) && !slices.Contains(d.Ignored, name) {
			return cause{said: "alarm detected", reason: "ECS deployment failed: alarm detected.",
				staged: "Service deployment rolled back because of one or more active alarms",
				prefix: "ECS deployment failed: ", rollback: d.Configuration.Alarms.Rollback}, true
		}
	}
	return cause{}, false
}

// judge ends the PRIMARY deployment if it has failed or is not wanted any more, and says whether it did.
func (r *run) judge() bool {
	if d := r.primary.deployment; d.State == model.StateStopRequested {
		r.endRecord(r.row(r.primary), model.StateStopped, d.StateReason)
		return true
	}
	c, failed := r.verdict(r.primary.deployment)
	if failed {
		r.giveUp(c, r.lastCompleted())
	}
	return failed
}

// endRecord puts the service deployment into a terminal state.
func (r *run) endRecord(d *model.Deployment, state, reason string) {
	d.State, d.StateReason, d.FinishedAt = state, reason, r.Now
	if state == model.StateStopped {
		d.StoppedAt = r.Now
	}
}

// giveUp fails the PRIMARY deployment, and makes another one PRIMARY again if it is to be rolled back; to is nil if there is none.
func (r *run) giveUp(c cause, to *group) {
	if c.staged != "" && r.inStages(r.primary) {
		c.said, c.reason = c.staged, c.staged+"."
	}
	d, reason := r.row(r.primary), c.reason
	d.Rollout, d.RolloutReason, d.Tripped = model.RolloutFailed, reason, c.tripped
	r.say("(deployment %s) deployment failed: %s.", d.Name(), c.said)
	r.happen(Happening{Type: "ERROR", Name: "SERVICE_DEPLOYMENT_FAILED", Deployment: d.ID, Reason: reason})
	r.endRollbacks(d.ID, model.StateRollbackFailed, reason)
	switch {
	case d.Ended(): // it was itself rolled back to: there is nothing behind it
		return
	case !c.rollback:
		r.endRecord(d, model.StateStopped, reason)
		return
	case to == nil:
		r.endRecord(d, model.StateRollbackFailed, reason+" There is no completed deployment to roll back to.")
		return
	}
	d.Status, d.State, d.StateReason = model.DeploymentActive, model.StateRollbackInProgress, reason
	d.Rollback = &model.Rollback{To: to.id, Reason: reason, StartedAt: r.Now}
	t := r.row(to)
	t.Status, t.Rollout = model.DeploymentPrimary, model.RolloutInProgress
	t.RolloutReason = c.prefix + "rolling back to deploymentId " + t.Name() + "."
	r.ignoreAlarms(t)
	t.HealthyAt, t.Failures, t.StartFailures, t.RetryAt, t.Sick, t.Tripped = 0, 0, 0, 0, nil, false
	r.primary = to
	r.say("rolling back to deployment %s.", t.Name())
	r.happen(Happening{Type: "INFO", Name: "SERVICE_DEPLOYMENT_IN_PROGRESS", Deployment: t.ID, Reason: t.RolloutReason})
}

// lastCompleted is the newest deployment that was completed once, nil if none was.
func (r *run) lastCompleted() *group {
	for _, g := range slices.Backward(r.groups) {
		if g != r.primary && g.deployment != nil && g.deployment.State == model.StateSuccessful {
			return g
		}
	}
	return nil
}

// endRollbacks ends the rollbacks to a deployment, and those to any other: they have been overtaken.
func (r *run) endRollbacks(to string, state, reason string) {
	for _, g := range r.groups {
		d := g.deployment
		if d == nil || d.State != model.StateRollbackInProgress || d.Rollback == nil {
			continue
		}
		if d.Rollback.To == to {
			r.endRecord(r.row(g), state, reason)
		} else if d.Rollback.To != r.primary.id {
			r.endRecord(r.row(g), model.StateRollbackFailed, "Superseded by a newer service deployment.")
		}
	}
}

// unlist drops deployments from the service's list whose tasks are gone; not before, because that is what clients wait for
// (SEMANTICS §18) [D]. Those to keep may need tasks again.
func (r *run) unlist(keep ...*group) {
	for _, g := range r.groups {
		if g.listed() && g != r.primary && g.gone() && !slices.Contains(keep, g) {
			r.row(g).Status = model.DeploymentInactive
		}
	}
}

// alone reports whether no other deployment is in the list, and no task of another is left.
func (r *run) alone() bool {
	return !slices.ContainsFunc(r.groups, func(g *group) bool { return g != r.primary && (g.listed() || !g.gone()) })
}

// complete ends the PRIMARY deployment's rollout when it has arrived and its bake time is over (SEMANTICS §8.7, §8.8).
func (r *run) complete(c *crew) {
	r.endRollbacks("", "", "")
	g := r.primary
	if g.deployment.Rollout != model.RolloutInProgress || r.halted() {
		return
	}
	arrived, clean := r.steady(c), true
	if percent, deferred, ok := g.deployment.EarlySuccess(); ok {
		arrived, clean = c.keptWell >= share(c.desired, int(percent)), deferred || r.alone()
	}
	if s := g.deployment.Stage; s != nil && s.Over && !g.deployment.Ended() { // its stages have seen to it
		arrived = true
	}
	if !arrived {
		if g.deployment.HealthyAt != 0 {
			r.row(g).HealthyAt = 0
		}
		return
	}
	if g.deployment.HealthyAt == 0 {
		r.row(g).HealthyAt = r.Now
	}
	if over := g.deployment.HealthyAt + r.bake(g.deployment); r.Now < over {
		r.wakeAt(over)
		r.why("Deployment %s bakes until %s.", g.deployment.Name(), clock(over))
		return
	}
	if !clean {
		return
	}
	d := r.row(g)
	d.Rollout, d.RolloutReason = model.RolloutCompleted, "ECS deployment "+d.Name()+" completed."
	if !d.Ended() {
		r.endRecord(d, model.StateSuccessful, "")
	}
	r.endRollbacks(d.ID, model.StateRollbackSuccessful, d.RolloutReason)
	r.say("(deployment %s) deployment completed.", d.Name())
	r.happen(Happening{Type: "INFO", Name: "SERVICE_DEPLOYMENT_COMPLETED", Deployment: d.ID, Reason: d.RolloutReason})
}

// bake is the deployment's bake time.
func (r *run) bake(d *model.Deployment) model.Millis {
	if d.Stage != nil { // that was one of its stages
		return 0
	}
	if m := d.BakeMinutes(); m > 0 || len(d.AlarmNames()) == 0 {
		return model.Millis(m) * 60_000
	}
	return r.AlarmBake
}
