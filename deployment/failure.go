package deployment

import (
	"slices"
	"strings"

	"github.com/roadstead/roadstead/model"
)

// forget takes note of tasks whose ends mean nothing any more.
func (r *run) forget() {
	for _, g := range r.groups {
		for _, m := range g.members {
			if m.phase == ended {
				r.out.Counted = append(r.out.Counted, m.Task.Task)
			}
		}
	}
}

// note takes note of what the tasks have done since: those that got on end a series of failures, those that ended may begin
// one.
func (r *run) note() {
	for _, g := range r.groups {
		r.mend(g)
		for _, m := range g.members {
			if m.phase == ended {
				r.out.Counted = append(r.out.Counted, m.Task.Task)
				r.fail(g, m)
			}
		}
		r.cure(g) // of what ended where the DAEMON does not run any more, too
	}
}

// streak is what a row remembers of failures in a row.
type streak struct {
	failures    *int32
	last, retry *model.Millis
}

// streak returns the one that a task belongs to, to be changed: the group's, or of a DAEMON that of the task's instance. ok is
// false for tasks of a deployment that is not known.
func (r *run) streak(g *group, instance string) (s streak, ok bool) {
	switch {
	case g.deployment != nil && r.service.Scheduling == model.SchedulingDaemon:
		i := r.sick(g, instance)
		return streak{&i.StartFailures, &i.LastFailureAt, &i.RetryAt}, true
	case g.deployment != nil:
		d := r.row(g)
		return streak{&d.StartFailures, &d.LastFailureAt, &d.RetryAt}, true
	case g.set != nil:
		set := r.setRow(g)
		return streak{&set.StartFailures, &set.LastFailureAt, &set.RetryAt}, true
	}
	return streak{}, false
}

// sick returns the series of failures on an instance, to be changed.
func (r *run) sick(g *group, instance string) *model.SickInstance {
	d := r.row(g)
	i, found := slices.BinarySearchFunc(d.Sick, instance, func(s model.SickInstance, id string) int { return strings.Compare(s.Instance, id) })
	if d.Sick = slices.Clone(d.Sick); !found { // the row is a copy, its slice is not
		d.Sick = slices.Insert(d.Sick, i, model.SickInstance{Instance: instance})
	}
	return &d.Sick[i]
}

// retryOn is when a DAEMON may start a task on the instance again.
func (g *group) retryOn(instance string) model.Millis {
	for _, i := range g.deployment.Sick {
		if i.Instance == instance {
			return i.RetryAt
		}
	}
	return 0
}

// retryAt is when the group may start tasks again.
func (g *group) retryAt() model.Millis {
	switch {
	case g.deployment != nil:
		return g.deployment.RetryAt
	case g.set != nil:
		return g.set.RetryAt
	}
	return 0
}

// mend ends the group's series: of start failures when a task came to run after the last one (SEMANTICS §8.5), of the
// circuit breaker's when one became healthy (§8.6).
func (r *run) mend(g *group) {
	ran, well := model.Millis(0), model.Millis(0)
	for _, m := range g.members {
		ran = max(ran, m.StartedAt)
		if m.phase == healthy {
			well = max(well, m.since)
		}
	}
	failures, last := int32(0), model.Millis(0)
	if d := g.deployment; d != nil {
		failures, last = d.StartFailures, d.LastFailureAt
		r.cure(g)
		if reset := d.Breaker().ResetOnHealthyTask; d.Failures > 0 && well > last && (reset == nil || *reset) {
			r.row(g).Failures = 0
		}
	} else if g.set != nil {
		failures, last = g.set.StartFailures, g.set.LastFailureAt
	}
	if failures > 0 && ran > last {
		s, _ := r.streak(g, "")
		*s.failures, *s.retry = 0, 0
	}
}

// cure ends the series of instances on which a task came to run after the last failure, and of those that the DAEMON does not run
// on any more.
func (r *run) cure(g *group) {
	if g.deployment == nil {
		return
	}
	wanted, known := r.Instances[g.id]
	well := func(i model.SickInstance) bool {
		if known && !slices.Contains(wanted, i.Instance) {
			return true
		}
		return slices.ContainsFunc(g.members, func(m *member) bool {
			return m.Instance == i.Instance && m.phase != ended && m.StartedAt > i.LastFailureAt
		})
	}
	if slices.ContainsFunc(g.deployment.Sick, well) {
		d := r.row(g)
		d.Sick = slices.DeleteFunc(slices.Clone(d.Sick), well)
	}
}

const (
	retryFloor = 1_000   // between two starts of a task that ends at once [I]
	retryStep  = 10_000  // SEMANTICS §8.5 [I]
	retryLimit = 900_000 // 15 minutes [D]
	impaired   = 3       // failures in a row from which on starts are delayed
)

// fail takes note of the end of one of the group's tasks that nobody asked for.
func (r *run) fail(g *group, m *member) {
	if m.StopCode == model.StopUserInitiated || m.StopCode == model.StopServiceSchedulerInitiated || m.LostHost() {
		return
	}
	s, ok := r.streak(g, m.Instance)
	if !ok {
		return
	}
	*s.last = r.Now
	if d := g.deployment; d != nil {
		d.LastFailure, d.LastFailureAt = m.StopReason, r.Now
	}
	if m.StartedAt != 0 { // what ran is replaced without a growing delay (SEMANTICS §8.5) [D]
		*s.failures, *s.retry = 0, max(*s.retry, m.StartedAt+retryFloor)
		return
	}
	r.countFailure(g, 1)
	if m.CreatedAt < *s.retry { // it was started together with one that has failed
		return
	}
	*s.failures++
	*s.retry = r.Now + retryDelay(*s.failures)
	if *s.failures >= impaired && g.deploying() {
		r.repeat(nil, "is unable to consistently start tasks successfully.")
		r.happen(Happening{Type: "WARN", Name: "SERVICE_TASK_START_IMPAIRED"})
	}
}

// retryDelay is how long to wait after the k-th attempt that failed in a row.
func retryDelay(k int32) model.Millis {
	if k < impaired {
		return retryFloor
	}
	return min(model.Millis(retryStep)<<min(k-2, 10), retryLimit)
}

// deploying reports whether new tasks are wanted of the group.
func (g *group) deploying() bool {
	return g.set != nil || g.deployment != nil && g.deployment.Status == model.DeploymentPrimary
}

// countFailure counts failed tasks of a deployment: for deployments[].failedTasks, and for the circuit breaker while it is on.
func (r *run) countFailure(g *group, n int) {
	if g.deployment == nil || n == 0 {
		return
	}
	d := r.row(g)
	d.FailedTasks += int32(n)
	if d.Status == model.DeploymentPrimary && d.Rollout == model.RolloutInProgress {
		d.Failures += int32(n)
	}
}
