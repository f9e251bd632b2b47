package deployment

import "github.com/roadstead/roadstead/model"

// settle is how long a task without health checks and targets has to run until it counts as healthy (SEMANTICS §7) [D].
const settle = 40_000

// phase is what a task is to its service. The first four are those of tasks that are wanted RUNNING.
type phase int

const (
	pending   phase = iota // not RUNNING yet
	warming                // RUNNING, but not healthy yet
	healthy                // RUNNING, and its checks and targets agree
	unhealthy              // RUNNING, and to be replaced
	stopping               // on its way down
	ended                  // STOPPED, and the service has not taken note yet
)

// member is a task of a service, classified.
type member struct {
	Task
	group     *group
	phase     phase
	protected bool
	since     model.Millis // of a healthy one: when it became so, as far as is known
}

// wanted reports whether the task is to run.
func (m *member) wanted() bool { return m.phase <= unhealthy }

// classify says what the task is at the moment, and when it becomes something else by time alone, 0 if it does not.
// grace is the service's health check grace period in milliseconds.
func (m *member) classify(now, grace model.Millis) (wake model.Millis) {
	t := &m.Task
	switch t.Last {
	case model.TaskStopped:
		m.phase = ended
		return 0
	case model.TaskProvisioning, model.TaskPending, model.TaskActivating:
		m.phase = pending
	case model.TaskRunning:
		m.phase, wake = health(t, now, grace)
		m.since = max(t.StartedAt, t.HealthyAt)
		if !t.HealthChecked() && t.Targets == "" {
			m.since = t.StartedAt + settle
		}
	default: // its containers are over, or it is being stopped
		m.phase = stopping
	}
	if t.Desired == model.TaskStopped {
		m.phase, wake = stopping, 0
	}
	return wake
}

// health is the phase of a RUNNING task (SEMANTICS §7) [D]: its essential containers' checks and its targets decide, or 40 s
// if it has neither. The grace period keeps one from being unhealthy.
func health(t *Task, now, grace model.Millis) (p phase, wake model.Millis) {
	switch {
	case t.Health == "UNHEALTHY" || t.Targets == "unhealthy":
		if over := t.StartedAt + grace; now < over {
			return warming, over
		}
		return unhealthy, 0
	case t.HealthChecked() || t.Targets != "":
		if t.HealthChecked() && t.Health != "HEALTHY" || t.Targets != "" && t.Targets != "healthy" {
			return warming, 0
		}
		return healthy, 0
	default:
		if over := t.StartedAt + settle; now < over {
			return warming, over
		}
		return healthy, 0
	}
}

// group is the tasks of one revision, with the row of the deployment or task set that started them.
type group struct {
	id         string
	deployment *model.Deployment // nil for a task set's, and for tasks of a deployment that is not known
	set        *model.TaskSet
	edited     bool // the row is a copy that has been changed
	members    members
}

// listed reports whether the group's deployment is in the service's list.
func (g *group) listed() bool {
	return g.deployment != nil && g.deployment.Status != model.DeploymentInactive
}

// gone reports whether no task of the group is left.
func (g *group) gone() bool {
	for _, m := range g.members {
		if m.phase != ended {
			return false
		}
	}
	return true
}

// row returns the deployment's row to be changed.
func (r *run) row(g *group) *model.Deployment {
	if !g.edited {
		copied := *g.deployment
		g.deployment, g.edited = &copied, true
	}
	g.deployment.UpdatedAt = r.Now
	return g.deployment
}

// setRow returns the task set's row to be changed.
func (r *run) setRow(g *group) *model.TaskSet {
	if !g.edited {
		copied := *g.set
		g.set, g.edited = &copied, true
	}
	return g.set
}
