package deployment

import (
	"fmt"

	"github.com/roadstead/roadstead/model"
)

// run is one decision on its way.
type run struct {
	Input
	out     Output
	service model.Service // a copy; only Desired, Steady, Rebalancing, Status and InactiveAt are changed
	groups  []*group      // the oldest first
	primary *group        // nil if the service has no deployments
	wake    model.Millis
	// violating are the instances whose DAEMON tasks have to go though they are not drained.
	violating []string
}

// Step decides what the service does next. Asked again at the same moment after its answer was carried out, it asks for
// nothing more.
func Step(in Input) Output {
	r := newRun(in)
	switch {
	case in.Service.Status == model.ServiceInactive:
		r.forget()
	case in.Service.Status == model.ServiceDraining:
		r.forget()
		r.drain()
	case in.Service.Controller == model.ControllerECS:
		r.deploy()
	default:
		r.taskSets()
	}
	return r.finish()
}

func newRun(in Input) *run {
	r := &run{Input: in, service: *in.Service}
	byID := map[string]*group{}
	for _, d := range in.Deployments {
		g := &group{id: d.ID, deployment: d}
		if d.Status == model.DeploymentPrimary {
			r.primary = g
		}
		r.groups, byID[d.ID] = append(r.groups, g), g
	}
	for _, s := range in.TaskSets {
		g := &group{id: s.ID, set: s}
		r.groups, byID[s.ID] = append(r.groups, g), g
	}
	grace := model.Millis(deref(in.Service.Settings.HealthCheckGracePeriodSeconds)) * 1000
	all := make([]member, len(in.Tasks)) // one piece, because there may be thousands at every look
	var g *group
	for i, t := range in.Tasks {
		if i == 0 || t.StartedBy != in.Tasks[i-1].StartedBy {
			id := t.DeploymentID()
			if g = byID[id]; g == nil {
				g = &group{id: id}
				r.groups, byID[id] = append(r.groups, g), g
			}
		}
		m := &all[i]
		*m = member{Task: t, group: g, protected: t.ProtectedUntil > in.Now}
		r.wakeAt(m.classify(in.Now, grace))
		g.members = append(g.members, m)
	}
	return r
}

// wakeAt asks for another look at a moment, unless that is over.
func (r *run) wakeAt(at model.Millis) {
	if at > r.Now && (r.wake == 0 || at < r.wake) {
		r.wake = at
	}
}

// finish puts the answer together.
func (r *run) finish() Output {
	for _, g := range r.groups {
		switch {
		case !g.edited:
		case g.deployment != nil:
			r.out.Deployments = append(r.out.Deployments, g.deployment)
		default:
			r.out.TaskSets = append(r.out.TaskSets, g.set)
		}
	}
	old := r.Service
	if s := &r.service; s.Status != old.Status || s.Desired != old.Desired || s.Steady != old.Steady || s.Rebalancing != old.Rebalancing {
		r.out.Service = s
	}
	r.out.Wake = r.wake
	if r.service.Steady != 0 {
		r.out.Why = nil
	}
	return r.out
}

// say adds a message about the service.
func (r *run) say(format string, args ...any) {
	r.out.Said = append(r.out.Said, Said{Text: r.words(format, args...)})
}

// repeat adds a message that holds as long as its cause does; with happens whenever it is said.
func (r *run) repeat(with *Happening, format string, args ...any) {
	r.out.Said = append(r.out.Said, Said{Text: r.words(format, args...), Once: true, With: with})
}

func (r *run) words(format string, args ...any) string {
	return "(service " + r.service.Name + ") " + fmt.Sprintf(format, args...)
}

// why adds a sentence for operators.
func (r *run) why(format string, args ...any) {
	r.out.Why = append(r.out.Why, fmt.Sprintf(format, args...))
}

func (r *run) happen(h Happening) { r.out.Happened = append(r.out.Happened, h) }

// stop asks for count of the members to be stopped. It does not say which, so their phases stay.
func (r *run) stop(from members, count int, reason string) {
	if count <= 0 {
		return
	}
	s := Stop{Count: count, Reason: reason}
	for _, m := range from {
		s.Tasks = append(s.Tasks, m.Task.Task)
	}
	r.out.Stops = append(r.out.Stops, s)
}

// stopAll asks for all of the members to be stopped.
func (r *run) stopAll(from members, reason string) {
	r.stop(from, len(from), reason)
	for _, m := range from {
		m.phase = stopping
	}
}

func deref[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
