package deployment_test

import (
	"fmt"
	"slices"

	"github.com/roadstead/roadstead/deployment"
	"github.com/roadstead/roadstead/model"
)

// healthy are the tasks that count as healthy (SEMANTICS §7), said in other words than the package's: those on the instances of
// a daemon only.
func (p *play) healthy() (out []*row) {
	for _, t := range p.tasks {
		checked, good := false, true
		if t.HealthChecked() {
			checked, good = true, t.Task.Health == "HEALTHY"
		}
		if t.targets != "" {
			checked, good = true, good && t.targets == "healthy"
		}
		if !checked {
			good = p.now-t.StartedAt >= 40_000
		}
		if t.Last == model.TaskRunning && t.Desired == model.TaskRunning && good && p.placedWell(t) {
			out = append(out, t)
		}
	}
	return out
}

// placedWell reports whether a daemon's task is where it belongs.
func (p *play) placedWell(t *row) bool {
	return p.service.Scheduling != model.SchedulingDaemon || slices.Contains(p.instances, t.Instance) && !slices.Contains(p.leaving, t.Instance)
}

// wanted are the tasks that are to run.
func (p *play) wanted() (out []*row) {
	for _, t := range p.tasks {
		if t.Desired == model.TaskRunning && t.Last != model.TaskStopped {
			out = append(out, t)
		}
	}
	return out
}

func (p *play) primary() *model.Deployment {
	for _, d := range p.deployments {
		if d.Status == model.DeploymentPrimary {
			return d
		}
	}
	return nil
}

// staged reports whether a deployment goes through its stages: then each revision has the number of tasks that its stage says,
// whatever that makes in all.
func (p *play) staged() bool {
	return slices.ContainsFunc(p.deployments, func(d *model.Deployment) bool {
		return d.Status != model.DeploymentInactive && d.Staged() && (d.Stage == nil || !d.Stage.Over)
	})
}

// sound holds of every answer by itself.
func (p *play) sound(out *deployment.Output) {
	seen := map[string]bool{}
	for _, s := range out.Stops {
		if s.Count < 1 || s.Count > len(s.Tasks) || s.Reason == "" {
			p.Fatalf("%d of %d tasks are to be stopped for %q", s.Count, len(s.Tasks), s.Reason)
		}
		for _, t := range s.Tasks {
			switch {
			case seen[t.ID]:
				p.Fatalf("task %s is in two stops", t.ID)
			case t.Desired != model.TaskRunning:
				p.Fatalf("task %s is stopped again", t.ID)
			case t.ProtectedUntil > p.now && p.service.Status == model.ServiceActive:
				p.Fatalf("task %s is stopped, but protected", t.ID)
			}
			seen[t.ID] = true
		}
	}
	for _, s := range out.Starts {
		if s.Count < 1 || s.Replaced > s.Count || len(s.Instances) > 0 && len(s.Instances) != s.Count {
			p.Fatalf("strange start: %+v", s)
		}
		if s.Zone != "" && !slices.Contains(p.zones, s.Zone) {
			p.Fatalf("start in a zone that is not there: %+v", s)
		}
	}
	if out.Wake != 0 && out.Wake <= p.now {
		p.Fatalf("it wants to be woken in the past: %d at %d", out.Wake, p.now)
	}
}

// bounded holds after an answer was carried out: starts do not go above the maximum, stops of healthy tasks not below the
// minimum.
func (p *play) bounded(out *deployment.Output, before int) {
	if p.service.Status != model.ServiceActive {
		return
	}
	if p.service.Controller != model.ControllerECS {
		for _, s := range p.sets {
			desired, live := int(float64(p.service.Desired)*s.Scale/100+0.999), 0
			for _, t := range p.wanted() {
				if t.DeploymentID() == s.ID {
					live++
				}
			}
			for _, start := range out.Starts {
				if start.Revision == s.ID && (live > 2*desired || s.Status == "DRAINING") {
					p.Fatalf("task set %s of %d tasks has %d after a start", s.ID, desired, live)
				}
			}
		}
		return
	}
	c, desired := p.service.Settings.DeploymentConfiguration, p.service.Desired
	minimum, maximum := int((desired*(*c.MinimumHealthyPercent)+99)/100), int(desired*(*c.MaximumPercent)/100)
	after := len(p.healthy())
	if after < before && after < minimum {
		p.Fatalf("healthy %d -> %d by stops, but the minimum is %d: %+v", before, after, minimum, out)
	}
	live := 0
	on := map[string]int{}
	for _, t := range p.wanted() {
		on[t.Instance]++
		live++
	}
	if len(out.Starts) > 0 && p.service.Scheduling == model.SchedulingReplica && live > maximum {
		p.Fatalf("%d tasks after a start, but the maximum is %d: %+v", live, maximum, out)
	}
	for _, s := range out.Starts {
		for _, i := range s.Instances {
			if on[i] > 1 || !slices.Contains(p.instances, i) || slices.Contains(p.leaving, i) {
				p.Fatalf("%d tasks on instance %s after a start there", on[i], i)
			}
		}
	}
}

// shown are the rows, to be read.
func (p *play) shown() (out string) {
	for _, d := range p.deployments {
		out += showDeployment(d) + "\n"
	}
	for _, t := range p.tasks {
		out += fmt.Sprintf("%s of %s %s %s %s %s started %d protected %d on %s\n", t.ID, t.DeploymentID(), t.Last, t.Desired, t.Task.Health, t.targets,
			t.StartedAt-p.now, t.ProtectedUntil-p.now, t.Instance)
	}
	return out
}

// consistent holds of the rows after an answer was carried out.
func (p *play) consistent(out *deployment.Output) {
	primaries := 0
	for _, d := range p.deployments {
		if d.Status == model.DeploymentPrimary {
			primaries++
		}
		if d.Status == model.DeploymentInactive && slices.ContainsFunc(p.tasks, func(t *row) bool { return t.DeploymentID() == d.ID && t.Last != model.TaskStopped }) {
			p.Fatalf("deployment %s has left the list, but tasks of it are there\n%v\n%+v", d.ID, p.shown(), out)
		}
		if d.Ended() && d.Stage != nil && !d.Stage.Back && len(d.Stage.Hooks) > 0 {
			p.Fatalf("deployment %s has ended, and its hooks are called", d.ID)
		}
		if d.Rollout == model.RolloutCompleted && !slices.Contains(p.completed, d.ID) {
			p.completed = append(p.completed, d.ID)
		}
		if d.Rollback != nil && !slices.Contains(p.completed, d.Rollback.To) {
			p.Fatalf("deployment %s is rolled back to %s, which was never completed", d.ID, d.Rollback.To)
		}
	}
	if p.service.Controller == model.ControllerECS && p.service.Status == model.ServiceActive && primaries != 1 {
		p.Fatalf("%d deployments are PRIMARY", primaries)
	}
	for _, d := range out.Deployments {
		if d.State == model.StateRollbackSuccessful && !slices.Contains(p.back, d.ID) {
			p.back = append(p.back, d.ID)
			p.restored(d.Rollback.To)
		}
	}
	for _, s := range out.Starts {
		d := p.primary()
		if slices.ContainsFunc(p.deployments, func(d *model.Deployment) bool {
			return d.Status != model.DeploymentInactive && d.Stage != nil && s.Revision == d.Stage.Blue
		}) {
			continue // a deployment in stages keeps the one before it whole
		}
		if p.service.Controller == model.ControllerECS && (d.ID != s.Revision || d.Rollout == model.RolloutFailed || d.State == model.StateStopped) {
			p.Fatalf("a task of %s is started, but the PRIMARY deployment is %+v", s.Revision, d)
		}
	}
}

// restored holds when a rollback has succeeded: the old revision is there at the desired count, unless it may succeed early.
func (p *play) restored(id string) {
	d := p.primary()
	if d.ID != id {
		p.Fatalf("rolled back to %s, but %s is PRIMARY", id, d.ID)
	}
	if _, _, early := d.EarlySuccess(); early {
		return
	}
	healthy := p.healthy()
	for _, t := range healthy {
		if t.DeploymentID() != id {
			p.Fatalf("rolled back to %s, but task %s is of %s", id, t.ID, t.DeploymentID())
		}
	}
	if len(healthy) != int(p.service.Desired) {
		p.Fatalf("rolled back to %s with %d tasks of %d", id, len(healthy), p.service.Desired)
	}
}

// round lets everything go on as far as it can at one moment, and says whether anything did.
func (p *play) round() (moved bool) {
	for _, t := range slices.Clone(p.tasks) {
		if t.Last == model.TaskRunning && t.Desired == model.TaskRunning && p.bad[t.DeploymentID()] == "" && slices.Contains(p.healthy(), t) {
			continue
		}
		last, desired, health, targets := t.Last, t.Desired, t.Task.Health, t.targets
		p.goOn(t)
		moved = moved || t.Last != last || t.Desired != desired || t.Task.Health != health || t.targets != targets
	}
	for _, d := range p.deployments {
		p.answer(d.ID, model.HookSucceeded)
	}
	made, stops := p.made, len(p.wanted())
	p.step()
	return moved || p.made != made || len(p.wanted()) != stops
}

// settle goes on until nothing moves, neither by itself nor by time.
func (p *play) settle(rounds int) {
	for range rounds {
		for n := 0; p.round(); n++ {
			if n > 200 {
				p.Fatalf("at one moment it goes round and round: %q", deployment.Step(p.input()).Why)
			}
		}
		sick := slices.ContainsFunc(p.wanted(), func(t *row) bool { return p.bad[t.DeploymentID()] == "sick" })
		switch {
		case sick && (p.wake == 0 || p.wake > p.now+checkup):
			p.now += checkup
		case p.wake == 0:
			return
		default:
			p.now = p.wake
		}
	}
}

// behave lets everything behave from now on: then every deployment ends, and the service becomes steady with what it wants.
func (p *play) behave() {
	p.alarms, p.leaving, p.roomy = nil, nil, true
	d := p.primary()
	if d != nil && p.bad[d.ID] != "" && p.bad[d.ID] != "crash" && d.Breaker().Enable && d.State == model.StateInProgress && p.service.Desired > 0 {
		p.settle(600) // the circuit breaker ends it
		if d = p.primary(); p.bad[d.ID] != "" && d.State == model.StateInProgress && !p.deadlocked() && (d.Stage == nil || d.Stage.Name == model.StageScaleUp) {
			p.Fatalf("the circuit breaker has not ended deployment %s\n%s\nwhy: %q", d.ID, p.shown(), deployment.Step(p.input()).Why)
		}
	}
	clear(p.bad)
	p.unlock()
	p.settle(200)
	if d = p.primary(); d != nil {
		if d.Rollout == model.RolloutFailed || d.State == model.StateStopped { // only another one helps
			p.last++
			p.deploy("99")
			p.settle(200)
			d = p.primary()
		}
		if d.Rollout != model.RolloutCompleted || !d.Ended() {
			p.Fatalf("deployment %s does not end: %+v\nwhy: %q", d.ID, d, deployment.Step(p.input()).Why)
		}
		for _, x := range p.deployments {
			if x.ID != d.ID && x.Status != model.DeploymentInactive {
				p.Fatalf("deployment %s does not leave the list", x.ID)
			}
			if !x.Ended() {
				p.Fatalf("deployment %s is left in state %s", x.ID, x.State)
			}
		}
	}
	p.arrived()
}

// deadlocked: the bounds leave no way (MISSION trap 1), or nothing may be started beside what is protected.
func (p *play) deadlocked() bool {
	c, desired := p.service.Settings.DeploymentConfiguration, p.service.Desired
	return (desired*(*c.MinimumHealthyPercent)+99)/100 >= desired*(*c.MaximumPercent)/100 || p.service.Scheduling == model.SchedulingDaemon ||
		slices.ContainsFunc(p.tasks, func(t *row) bool { return t.ProtectedUntil > p.now })
}

// unlock gives the service bounds with which everything can be done.
func (p *play) unlock() {
	c := *p.service.Settings.DeploymentConfiguration
	c.MinimumHealthyPercent, c.MaximumPercent = percent(50), percent(200)
	if p.service.Scheduling == model.SchedulingDaemon {
		c.MinimumHealthyPercent, c.MaximumPercent = percent(0), percent(100)
	}
	p.service.Settings.DeploymentConfiguration = &c
}

// arrived holds when everything has behaved for long enough: the service has what it wants, is steady, and sleeps.
func (p *play) arrived() {
	desired := int(p.service.Desired)
	if p.service.Controller != model.ControllerECS {
		desired = 0
		for _, s := range p.sets {
			if s.Status == "DRAINING" {
				p.Fatalf("task set %s does not go", s.ID)
			}
			desired += deployment.ComputedDesired(p.service.Desired, s.Scale)
		}
	}
	out := deployment.Step(p.input())
	if n := len(p.healthy()); n != desired || len(p.tasks) != desired {
		p.Fatalf("%d tasks, %d of them healthy, but %d are desired\nwhy: %q", len(p.tasks), n, desired, out.Why)
	}
	if p.service.Steady == 0 && (len(p.sets) > 0 || p.service.Controller == model.ControllerECS) {
		p.Fatalf("the service is not steady\nwhy: %q", out.Why)
	}
	if out.Wake != 0 || len(out.Why) > 0 && p.service.Steady != 0 {
		p.Fatalf("a steady service wants to be woken at %d: %q", out.Wake, out.Why)
	}
	if p.service.Rebalancing != 0 {
		p.Fatalf("the service is being rebalanced for ever")
	}
}

// depart deletes the service: everything goes, protected or not.
func (p *play) depart() {
	for _, t := range p.tasks {
		p.protect(t, 3_600_000)
	}
	p.service.Status, p.service.Desired = model.ServiceDraining, 0
	p.settle(10)
	if p.service.Status != model.ServiceInactive || len(p.wanted()) > 0 || p.service.InactiveAt == 0 {
		p.Fatalf("the service does not go: %+v", p.service)
	}
}
