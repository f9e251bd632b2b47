package deployment

import (
	"reflect"
	"slices"

	"github.com/roadstead/roadstead/model"
)

// walking is the deployment that goes through its stages (SEMANTICS §9), on its way or back; nil if there is none.
func (r *run) walking() *group {
	for _, g := range r.groups {
		if d := g.deployment; d != nil && g.listed() && d.Stage != nil && d.Stage.Back && !d.Stage.Over {
			return g
		}
	}
	d := r.primary.deployment
	if !d.Staged() || d.Stage != nil && d.Stage.Over || d.Ended() || d.State == model.StateStopRequested || d.Rollout != model.RolloutInProgress ||
		r.service.Scheduling == model.SchedulingDaemon {
		return nil
	}
	return r.primary
}

// walked reports whether the deployment has passed its last stage and so succeeded.
func walked(d *model.Deployment) bool {
	return d.Staged() && d.Stage != nil && d.Stage.Over && !d.Stage.Back && !d.Ended()
}

// walk takes a deployment through its stages, and gives every revision the tasks that it is to have there. It returns false if no
// stage is left, so that the rest is as with any other deployment.
func (r *run) walk(green *group) bool {
	out := r.advance(green)
	pools := r.walkPools(green, &out)
	for range 2 { // unhealthy tasks may trip the circuit breaker, which changes what is wanted
		before := out
		out = r.advance(green)
		if out.green == before.green && out.blue == before.blue && out.failed == "" {
			break
		}
		pools = r.walkPools(green, &out)
	}
	if out.stage.Over {
		return false
	}
	var keep []*group
	steady := out.green && !out.stage.Back
	for _, p := range pools {
		r.roll(p)
		if p.desired > 0 {
			r.out.Why = append(r.out.Why, r.waiting(p)...)
		}
		if p.to == green {
			steady = steady && p.started == 0 && p.live == p.desired && p.well == p.desired && p.leaving == 0 && !r.short()
		}
		if p.to == green || p.to.id == out.stage.Blue && out.blue {
			keep = append(keep, p.to)
		}
	}
	r.unlist(keep...)
	r.endRollbacks("", "", "")
	r.settled(steady && r.alone())
	r.out.Why = append(out.why, r.out.Why...)
	return true
}

// walkPools are those of all revisions, each by itself, after their unhealthy tasks have been seen to.
func (r *run) walkPools(green *group, out *stageOutput) (pools []*pool) {
	for _, g := range r.groups {
		p := &pool{to: g, by: r.primary.id, own: true}
		if g == green && out.green || g.id == out.stage.Blue && out.blue {
			p.desired = int(r.service.Desired)
		}
		p.halted = g.deployment == nil || g.deployment.Rollout == model.RolloutFailed || g != r.primary && g.id != out.stage.Blue
		p.minimum, p.maximum = boundsOf(&r.service, p.desired)
		for _, m := range g.members {
			p.sort(m)
		}
		p.tally()
		pools = append(pools, p)
		r.replace(p)
	}
	return pools
}

// advance takes the deployment as far as it comes now, and gives it up if it comes no further.
func (r *run) advance(green *group) stageOutput {
	d, begins := green.deployment, green.deployment.Stage == nil
	in := stageInput{now: r.Now, deployment: d, green: !green.gone()}
	if blue := r.lastCompleted(); blue != nil && blue.listed() {
		in.from = blue.id
	}
	if !begins {
		in.from = d.Stage.Blue
	}
	in.ready = green.members.count(healthy) >= int(r.service.Desired)
	for _, g := range r.groups {
		if g != green && !g.gone() {
			in.blue, in.strays = in.blue || g.id == in.from, in.strays || g.id != in.from
		}
	}
	c, failed := r.verdict(d)
	if failed && green == r.primary {
		in.failure = c.reason
	}
	out := advance(in)
	if begins || !reflect.DeepEqual(*d.Stage, out.stage) {
		stage := out.stage
		r.row(green).Stage = &stage
	}
	r.out.Happened = append(r.out.Happened, out.happened...)
	switch {
	case out.weights != nil:
		r.out.Weights = out.weights
	case begins && r.traffic(green): // what was overtaken has to give it back
		r.out.Weights = &Weights{Deployment: d.ID}
	}
	r.wakeAt(out.wake)
	if out.failed != "" {
		if !failed {
			c = cause{said: "a stage of its lifecycle failed", reason: out.failed, prefix: "ECS deployment failed: "} // [I]
		}
		c.rollback = true
		var to *group
		if i := slices.IndexFunc(r.groups, func(g *group) bool { return out.stage.Blue != "" && g.id == out.stage.Blue }); i >= 0 {
			to = r.groups[i]
		}
		r.giveUp(c, to)
	}
	return out
}

// traffic reports whether another deployment that did not succeed has traffic.
func (r *run) traffic(green *group) bool {
	return slices.ContainsFunc(r.groups, func(g *group) bool {
		return g != green && g.listed() && g.deployment.Stage != nil && g.deployment.State != model.StateSuccessful &&
			g.deployment.Stage.TestWeight+g.deployment.Stage.ProductionWeight > 0
	})
}

// overtaken ends the stages of deployments that were overtaken or stopped on their way: nobody answers their hooks any more.
func (r *run) overtaken() {
	for _, g := range r.groups {
		if d := g.deployment; d != nil && d.Ended() && d.Stage != nil && !d.Stage.Back {
			r.endStages(g)
		}
	}
}

// endStages ends the stages of a deployment wherever it is.
func (r *run) endStages(g *group) {
	if s := g.deployment.Stage; s != nil && !s.Over {
		stage := *s
		stage.Over, stage.Hooks = true, nil
		r.row(g).Stage = &stage
	}
}
