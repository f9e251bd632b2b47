// Package deploy keeps services going: it shows deployment.Step a service as it is, finds places for the tasks that are to be
// started, chooses those that are to be stopped, and writes what came of it: tasks, deployments, messages and events
// (SEMANTICS §7-§11, §14).
//
// It must not know the clock or when it is asked, and it decides nothing that deployment.Step decides. It touches no task
// that belongs to no service.
package deploy

import (
	"cmp"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/roadstead/roadstead/definition"
	"github.com/roadstead/roadstead/deployment"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/scheduler"
	"github.com/roadstead/roadstead/state"
)

// Loop is the controller of services. Its key is that of a service. NewID, NewUUID and Seed are required.
type Loop struct {
	NewID   func() string // 32 hex digits
	NewUUID func() string
	Seed    func() uint64 // decides ties of placement, and which of equal tasks stop
	// Subnet returns the availability zone of a subnet; ok is false if there is no such subnet. Nil: any subnet exists and
	// is everywhere.
	Subnet func(s model.Scope, id string) (zone string, ok bool)
	// Trusts says whether ECS may assume a role for tasks of the cluster. Nil: any role.
	Trusts func(t *state.Tables, c *model.Cluster, role string) bool
	// Limit is how many tasks change in one transaction; 0 means 500. The rest follows at once.
	Limit int
	// Waiting is how many tasks of a cluster may wait for capacity (SEMANTICS §6.7); 0 means 500.
	Waiting int

	mu    sync.Mutex
	hints hints
	known known
}

// known is what has been derived of a table of instances that never changes.
type known struct {
	instances *state.Table[model.Instance]
	zones     map[model.Scope][]string // of all ACTIVE instances, sorted
}

// All yields every service that is not INACTIVE.
func (l *Loop) All(t *state.Tables) iter.Seq[string] {
	l.mu.Lock()
	l.hints = newHints(t)
	l.mu.Unlock()
	return func(yield func(string) bool) {
		for s := range t.Services.All() {
			if s.Status != model.ServiceInactive && !yield(s.Key()) {
				return
			}
		}
	}
}

// Due asks deployment.Step whether anything is to be done, so that a service that has what it wants costs the head nothing.
// What only the head knows is assumed: that there is room, and something to do for a DAEMON service.
func (l *Loop) Due(t *state.Tables, key string, now time.Time) time.Time {
	s, ok := t.Services.Get(key)
	if !ok {
		return time.Time{}
	}
	if s.Scheduling == model.SchedulingDaemon && s.Status == model.ServiceActive {
		return now
	}
	v := look(t, s, now.UnixMilli(), l.limit())
	if len(v.Tasks) > 1 && s.Status == model.ServiceActive && string(s.Settings.AvailabilityZoneRebalancing) == "ENABLED" {
		v.Zones, v.MoveAt = l.zones(t, s.Scope), l.moveAt(key)
	}
	out := deployment.Step(v.Input)
	if v.more || !v.idle(&out) || len(v.pins()) > 0 {
		return now
	}
	return at(out.Wake)
}

// at is the moment, or the zero time for none.
func at(m model.Millis) time.Time {
	if m == 0 {
		return time.Time{}
	}
	return time.UnixMilli(m)
}

// zones are those of all the scope's ACTIVE instances: more than those of one service perhaps, which makes it look once in vain.
func (l *Loop) zones(t *state.Tables, s model.Scope) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.known.instances != t.Instances {
		l.known = known{t.Instances, map[model.Scope][]string{}}
		for i := range t.Instances.All() {
			if i.Status == model.InstanceActive && !slices.Contains(l.known.zones[i.Scope], i.Zone()) {
				l.known.zones[i.Scope] = append(l.known.zones[i.Scope], i.Zone())
			}
		}
		for _, z := range l.known.zones {
			slices.Sort(z)
		}
	}
	return l.known.zones[s]
}

func (l *Loop) limit() int { return cmp.Or(l.Limit, 500) }

// Reconcile does what is to be done for a service, and has to be asked again at wake.
func (l *Loop) Reconcile(tx *state.Tx, key string, now time.Time) (wake time.Time, err error) {
	s, ok := tx.Services.Get(key)
	if !ok {
		l.forget(key)
		return time.Time{}, nil
	}
	d := deed{Loop: l, tx: tx, view: look(tx.Tables, s, now.UnixMilli(), l.limit()), key: key, left: l.limit()}
	d.survey()
	out := deployment.Step(d.Input)
	d.perform(&out)
	if d.more {
		return now, nil
	}
	return at(d.wake), nil
}

// Ask returns what deployment.Step would have done for the service now, and why it is not steady; ok is false if there is no
// such service. Nothing is written.
func (l *Loop) Ask(tx *state.Tx, key string, now time.Time) (out deployment.Output, ok bool) {
	s, ok := tx.Services.Get(key)
	if !ok {
		return out, false
	}
	d := deed{Loop: l, tx: tx, view: look(tx.Tables, s, now.UnixMilli(), l.limit()), key: key}
	d.survey()
	return deployment.Step(d.Input), true
}

// survey finds the instances of a DAEMON service, and the zones that a service may be rebalanced over.
func (d *deed) survey() {
	daemon := d.Service.Scheduling == model.SchedulingDaemon
	if d.Service.Status != model.ServiceActive || !daemon && string(d.Service.Settings.AvailabilityZoneRebalancing) != "ENABLED" {
		return
	}
	for _, row := range d.Deployments {
		if row.Status != model.DeploymentPrimary {
			continue
		}
		o, why := d.order(row.ID, "")
		if why != "" {
			return
		}
		if !daemon {
			d.Zones, d.MoveAt = scheduler.Zones(scheduler.Head(d.tx), o.request), d.moveAt(d.key)
			return
		}
		d.Instances = map[string][]string{row.ID: nil}
		for i := range scheduler.Eligible(scheduler.Head(d.tx), o.request) {
			d.Instances[row.ID] = append(d.Instances[row.ID], i.ID)
		}
	}
}

// view is a service as it is.
type view struct {
	deployment.Input
	tables *state.Tables
	more   bool // ends of tasks are left for the next look
}

// look gathers the service's rows. Of the tasks that have ended it takes limit at most.
func look(t *state.Tables, s *model.Service, now model.Millis, limit int) view {
	v := view{tables: t}
	v.Now, v.Service, v.Limit = now, s, limit
	v.Deployments = current(t.DeploymentsOf(s))
	if s.Controller != model.ControllerECS {
		v.TaskSets = slices.Collect(t.TaskSetsOf(s))
	}
	ended := 0
	draining := map[string]bool{} // by instance id
	for task := range t.TasksOfService(s.Key()) {
		if task.Last == model.TaskStopped {
			if ended == limit {
				v.more = true
				continue
			}
			ended++
		}
		leaving := false
		if task.Instance != "" && task.Last != model.TaskStopped {
			var asked bool
			if leaving, asked = draining[task.Instance]; !asked {
				i, ok := t.Instances.Get(task.InstanceKey())
				leaving = ok && i.Status == model.InstanceDraining
				draining[task.Instance] = leaving
			}
		}
		v.Tasks = append(v.Tasks, deployment.Task{Task: task, Leaving: leaving})
	}
	return v
}

// current leaves out the deployments that are history: of those that have left the list only the last successful one counts,
// as what may be rolled back to, and those whose record has not ended.
func current(all iter.Seq[*model.Deployment]) []*model.Deployment {
	var out []*model.Deployment
	last := -1
	for d := range all {
		if d.Status == model.DeploymentInactive && d.Ended() {
			if d.State != model.StateSuccessful {
				continue
			}
			if last >= 0 {
				out = slices.Delete(out, last, last+1)
			}
			last = len(out)
		}
		out = append(out, d)
	}
	return out
}

// idle reports whether an answer asks for nothing. Messages that would be suppressed are nothing; neither is that the service
// is still in its steady state: who looks for another reason says it.
func (v *view) idle(out *deployment.Output) bool {
	n := len(out.Deployments) + len(out.TaskSets) + len(out.Gone) + len(out.Counted) + len(out.Starts) + len(out.Stops) + len(out.Happened)
	if out.Service != nil || n > 0 {
		return false
	}
	for i := range out.Said {
		if s := &out.Said[i]; !v.suppressed(s) && !(s.Once && concludes(s)) {
			return false
		}
	}
	return true
}

// pins are the revisions in use with the digests that their tasks have pulled since.
func (v *view) pins() (out []*model.Revision) {
	pin := func(id string) {
		r, ok := v.tables.Revisions.Get(model.DeploymentKey(v.Service.Scope, v.Service.Cluster, v.Service.Name, id))
		if !ok {
			return
		}
		d, ok := v.tables.Definition(r.Scope, r.Definition)
		if !ok {
			return
		}
		tasks := func(yield func(*model.Task) bool) {
			for i := range v.Tasks {
				if t := v.Tasks[i].Task; t.DeploymentID() == id && !yield(t) {
					return
				}
			}
		}
		if images := definition.Pin(&d.Spec, r.Images, tasks); images != nil {
			row := *r
			row.Images = images
			out = append(out, &row)
		}
	}
	for _, d := range v.Deployments {
		if d.Status != model.DeploymentInactive {
			pin(d.ID)
		}
	}
	for _, s := range v.TaskSets {
		pin(s.ID)
	}
	return out
}
