package deployment

import (
	"slices"
	"strings"

	"github.com/roadstead/roadstead/model"
)

// staging is the group whose deployment is on its way through stages (SEMANTICS §9): the PRIMARY one, or the one that is being
// rolled back to it; nil if there is none.
func (r *run) staging() *group {
	if r.inStages(r.primary) {
		return r.primary
	}
	for _, g := range slices.Backward(r.groups) {
		if r.inStages(g) && g.deployment.State == model.StateRollbackInProgress && g.deployment.Rollback.To == r.primary.id {
			return g
		}
	}
	return nil
}

// inStages reports whether the group's deployment has stages to pass. A DAEMON's has none [I]: there is no second task on an
// instance.
func (r *run) inStages(g *group) bool {
	d := g.deployment
	return d != nil && d.Staged() && r.service.Scheduling != model.SchedulingDaemon && (d.Stage == nil || !d.Stage.Over)
}

// breaks reports whether the circuit breaker may go off: of a deployment in stages, only in SCALE_UP (SEMANTICS §9) [D].
func (r *run) breaks() bool {
	s := r.primary.deployment.Stage
	return !r.inStages(r.primary) || s != nil && s.Name == model.StageScaleUp
}

// leaveStages ends the stages of deployments that others have taken the place of: their hooks are of no interest any more, and
// traffic is theirs only if they are blue now.
func (r *run) leaveStages(staging *group) {
	blue := ""
	if staging != nil {
		if b := r.blueOf(staging); b != nil {
			blue = b.id
		}
	}
	for _, g := range r.groups {
		if g == staging || g.deployment == nil || g.deployment.Stage == nil || g.deployment.Stage.Over {
			continue
		}
		stage := *g.deployment.Stage
		if staging != nil && g.id != blue && (stage.TestWeight != 0 || stage.ProductionWeight != 0) {
			r.out.Weights = &Weights{Deployment: g.id}
			stage.TestWeight, stage.ProductionWeight = 0, 0
		}
		stage.Over, stage.Hooks = true, nil
		r.row(g).Stage = &stage
	}
}

// blueOf is the group that the deployment's traffic is taken from: that of the one that was completed last, if it is in the list,
// or else the newest before it that has tasks, and was not rolled back; nil for a first deployment. Once it has begun, its row
// knows.
func (r *run) blueOf(g *group) *group {
	var newest, completed *group
	for _, x := range r.groups {
		switch {
		case x == g || x.deployment == nil:
		case g.deployment.Stage != nil:
			if x.id == g.deployment.Stage.Blue {
				return x
			}
		case !x.listed() || x.id > g.id:
		case x.deployment.State == model.StateSuccessful:
			completed = x
		case !x.gone() && (x.deployment.Stage == nil || !x.deployment.Stage.Back):
			newest = x
		}
	}
	if completed != nil {
		return completed
	}
	return newest
}

// stages takes the deployment through its stages and gives each revision the tasks that it is to have: its own number of them,
// whatever the others have (SEMANTICS §9). It returns true when the last stage is over: then the service is like any other.
func (r *run) stages(g *group) (over bool) {
	blue := r.blueOf(g)
	green, old := r.revisionCrew(g), (*crew)(nil)
	if blue != nil {
		old = r.revisionCrew(blue)
	}
	want := wanted{blue: true}
	if s := g.deployment.Stage; s != nil {
		want = wantedIn(s)
	}
	r.replaceIn(green, want.green && g.deployment.State != model.StateStopped)
	r.replaceIn(old, old != nil && want.blue && blue.deployment.Rollout != model.RolloutFailed)
	r.judge() // unhealthy tasks may have tripped the circuit breaker
	out := r.advance(g, blue, green)
	if out.stage.Over {
		return true
	}
	r.rollRevision(green, out.green, g.deployment.State == model.StateStopped)
	r.rollRevision(old, out.blue, blue != nil && blue.deployment.Rollout == model.RolloutFailed)
	for _, x := range r.groups {
		if x == g || x == blue {
			continue
		}
		r.dismiss(x)
		if x.listed() && x != r.primary && x.gone() {
			r.row(x).Status = model.DeploymentInactive
		}
	}
	r.settled(false)
	if d := g.deployment; d.State == model.StateStopped {
		r.why("Deployment %s has been stopped in stage %s: %s", d.Name(), out.stage.Name, d.StateReason)
	}
	r.out.Why = append(out.why, r.out.Why...)
	return false
}

// advance asks the stage machine, and does to the rows what it says.
func (r *run) advance(g, blue *group, green *crew) stageOutput {
	in := stageInput{now: r.Now, deployment: g.deployment, green: !g.gone(), ready: green.keptWell >= green.desired}
	if blue != nil {
		in.from, in.blue = blue.id, !blue.gone()
	}
	for _, x := range r.groups {
		in.strays = in.strays || x != g && x != blue && !x.gone()
	}
	if g.deployment.Rollout == model.RolloutFailed {
		in.failure = g.deployment.StateReason
	}
	var out stageOutput
	if g.deployment.State == model.StateStopped {
		out = stay(in)
	} else {
		out = advance(in)
	}
	r.out.Happened = append(r.out.Happened, out.happened...)
	if out.failed != "" && g.deployment.Rollout != model.RolloutFailed {
		r.giveUp(cause{staged: strings.TrimSuffix(out.failed, "."), prefix: "ECS deployment failed: ", rollback: true}, r.lastCompleted())
	}
	if had := g.deployment.Stage; had == nil || !sameStage(had, &out.stage) {
		r.row(g).Stage = &out.stage
	}
	if out.weights != nil {
		r.out.Weights = out.weights
	}
	r.wakeAt(out.wake)
	return out
}

// stay is advance for a deployment that was stopped: it stays in the stage that it is in, and calls nobody.
func stay(in stageInput) stageOutput {
	w := newStageWalk(in)
	w.stage.Hooks, w.happened = nil, nil
	out := w.output()
	out.wake, out.why = 0, nil
	return out
}

func sameStage(a, b *model.Stage) bool {
	x, y := *a, *b
	x.Hooks, y.Hooks = nil, nil
	return x.Name == y.Name && x.Since == y.Since && x.Step == y.Step && x.TestWeight == y.TestWeight && x.ProductionWeight == y.ProductionWeight &&
		x.Blue == y.Blue && x.Back == y.Back && x.Over == y.Over && slices.Equal(a.Hooks, b.Hooks)
}

// revisionCrew is the tasks of one revision, which the bounds apply to as if they were all.
func (r *run) revisionCrew(g *group) *crew {
	c := &crew{to: g, by: g.id, own: true, desired: int(r.service.Desired)}
	for _, m := range g.members {
		c.sort(m)
	}
	c.minimum, c.maximum = Bounds(&r.service)
	c.maximum = max(c.maximum, c.desired)
	c.tally()
	return c
}

// replaceIn replaces the unhealthy tasks of a revision that is to have tasks.
func (r *run) replaceIn(c *crew, wanted bool) {
	if c != nil && wanted {
		r.replace(c)
	}
}

// rollRevision brings a revision closer to its number of tasks, or to none.
func (r *run) rollRevision(c *crew, wanted, halted bool) {
	switch {
	case c == nil:
	case !wanted:
		r.dismiss(c.to)
	default:
		c.halted = halted
		r.roll(c)
		r.out.Why = append(r.out.Why, r.waiting(c)...)
	}
}

// dismiss stops all tasks of a group that is to have none.
func (r *run) dismiss(g *group) {
	var left, free members
	for _, m := range g.members {
		if !m.wanted() {
			continue
		}
		left = append(left, m)
		if !m.protected {
			free = append(free, m)
		}
	}
	r.stop(free, len(free), "Scaling activity initiated by (deployment "+r.primary.deployment.Name()+")")
	r.protection(g, left, 0)
}
