// Package reap decides which rows are over: stopped tasks, inactive instances, deleted secrets and spent tokens after a while, and task
// definitions that are being deleted as soon as nothing runs them; and what services and their deployments leave.
//
// It must not know the clock or when it is asked, and it touches nothing that is still alive.
package reap

import (
	"iter"
	"slices"
	"time"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// Retention is how long rows stay after their end.
type Retention struct {
	// StoppedTasks stay describable so long: ECS keeps them an hour at least (SEMANTICS §2.5).
	StoppedTasks time.Duration
	// InactiveInstances likewise.
	InactiveInstances time.Duration
	// InactiveServices likewise, with their deployments, revisions and messages: clients wait for one that they have deleted
	// to be shown INACTIVE (MISSION trap 25).
	InactiveServices time.Duration
	// Events can be asked for so long.
	Events time.Duration
	// LogExports are described so long after their end.
	LogExports time.Duration
}

// DefaultRetention keeps what stopped or ended for seven days, so that last week's failure can still be explained, and a day's
// events.
func DefaultRetention() Retention {
	const week = 7 * 24 * time.Hour
	return Retention{StoppedTasks: week, InactiveInstances: week, InactiveServices: week, Events: 24 * time.Hour, LogExports: week}
}

// Batch is how long rows that are over may wait for others, so that the tables are not walked for each.
const Batch = time.Minute

// Loop is the controller of rows that are over. It has one key, which stands for all of them.
type Loop struct {
	Retention
	// Limit is how many rows go in one transaction: an external etcd takes 128.
	Limit int
}

const everything = "rows"

// All yields the one key.
func (l *Loop) All(*state.Tables) iter.Seq[string] { return slices.Values([]string{everything}) }

// Touched appends the key if the changed row is at its end, or has an end from its beginning.
func (l *Loop) Touched(dst []string, c *state.Change) []string {
	ends := false
	switch row := c.New.(type) {
	case *model.Task:
		old, _ := c.Old.(*model.Task)
		ends = row.Last == model.TaskStopped && (old == nil || old.Last != row.Last)
	case *model.Instance:
		ends = row.Status == model.InstanceInactive
	case *model.RunToken, *model.Event:
		ends = true
	case *model.Secret:
		ends = row.GoneAt != 0
	case *model.KMSKey:
		ends = row.GoneAt != 0 || row.MaterialExpires() != 0
	case *model.Parameter:
		ends = row.GoneAt != 0
	case *model.LogExport:
		ends = row.EndedAt != 0
	case *model.TaskDefinition:
		ends = row.Status == model.DefinitionDeleting
	case *model.Deployment:
		ends = row.Status == model.DeploymentInactive
	case *model.Service:
		old, _ := c.Old.(*model.Service)
		ends = row.Status == model.ServiceInactive || old != nil && old.CreatedAt != row.CreatedAt
	case nil:
		_, ends = c.Old.(*model.TaskSet)
	}
	if ends {
		dst = append(dst, everything)
	}
	return dst
}

// Due is when Reconcile would delete something. It is asked of a snapshot, where a walk through all rows holds nobody up.
func (l *Loop) Due(t *state.Tables, _ string, now time.Time) time.Time {
	r := reaper{tx: &state.Tx{Tables: t}, now: now.UnixMilli(), left: 1, dry: true}
	return r.reap(l.Retention)
}

// Reconcile deletes up to Limit rows that are over at now, and wants to be asked again when there are more.
func (l *Loop) Reconcile(tx *state.Tx, _ string, now time.Time) (wake time.Time, err error) {
	r := reaper{tx: tx, now: now.UnixMilli(), left: l.Limit}
	return r.reap(l.Retention), nil
}

type reaper struct {
	tx   *state.Tx
	now  model.Millis
	next model.Millis // when the next row is over, 0 if there is none
	left int
	dry  bool
}

// reap deletes what is over, and returns when there is more: now if there was no room for all of it, zero for never.
func (r *reaper) reap(keep Retention) time.Time {
	r.tasks(keep.StoppedTasks.Milliseconds())
	r.instances(keep.InactiveInstances.Milliseconds())
	r.tokens()
	r.services(keep.InactiveServices.Milliseconds())
	r.events(keep.Events)
	r.definitions()
	r.secrets()
	r.kmsKeys()
	r.parameters()
	r.logExports(keep.LogExports.Milliseconds())
	switch {
	case r.left == 0:
		return time.UnixMilli(r.now)
	case r.next == 0:
		return time.Time{}
	}
	return time.UnixMilli(max(r.next, r.now+Batch.Milliseconds()))
}

// take counts a row whose time ends at end, and reports whether it is to be deleted.
func (r *reaper) take(end model.Millis) bool {
	if end >= r.now {
		if r.next == 0 || end < r.next-1 {
			r.next = end + 1
		}
		return false
	}
	if r.left == 0 {
		return false
	}
	r.left--
	return !r.dry
}

func (r *reaper) tasks(keep model.Millis) {
	var keys []string
	for t := range r.tx.Tasks.All() {
		if t.Last == model.TaskStopped && r.take(t.StoppedAt+keep) {
			keys = append(keys, t.Key())
		}
		if r.left == 0 {
			break
		}
	}
	for _, k := range keys { // not while the table is walked
		r.tx.Tasks.Delete(k)
	}
}

func (r *reaper) logExports(keep model.Millis) {
	for _, e := range slices.Collect(r.tx.LogExports.All()) {
		if e.EndedAt != 0 && r.take(e.EndedAt+keep) {
			r.tx.LogExports.Delete(e.Key())
		}
	}
}

// instances leaves those alone that tasks still count on: their end touches this loop too.
func (r *reaper) instances(keep model.Millis) {
	var keys []string
	for i := range r.tx.Instances.All() {
		if i.Status == model.InstanceInactive && r.tx.Usage(i.Key()).Tasks == 0 && r.take(i.RegisteredAt+keep) {
			keys = append(keys, i.Key())
		}
	}
	for _, k := range keys {
		r.tx.Instances.Delete(k)
	}
}

func (r *reaper) tokens() {
	var keys []string
	for t := range r.tx.RunTokens.All() {
		if r.take(t.ExpiresAt) {
			keys = append(keys, t.Key())
		}
	}
	for _, k := range keys {
		r.tx.RunTokens.Delete(k)
	}
}

// definitions deletes those in DELETE_IN_PROGRESS that no task and no service runs any more (SEMANTICS §2.4).
func (r *reaper) definitions() {
	var deleting []*model.TaskDefinition
	for d := range r.tx.Definitions.All() {
		if d.Status == model.DefinitionDeleting {
			deleting = append(deleting, d)
		}
	}
	if len(deleting) == 0 {
		return
	}
	inUse := map[used]bool{}
	for t := range r.tx.Tasks.All() {
		if t.Last != model.TaskStopped {
			inUse[used{t.Scope, t.Definition}] = true
		}
	}
	for s := range r.tx.Services.All() {
		if s.Status != model.ServiceInactive {
			r.serves(s, inUse)
		}
	}
	for _, d := range deleting {
		if !inUse[used{d.Scope, d.Name()}] && r.take(0) {
			r.tx.Definitions.Delete(d.Key())
		}
	}
}

// used names a task definition.
type used struct {
	model.Scope
	name string
}

// serves notes what a service runs or may be rolled back to: the deployments in its list, the last one that completed, and its
// task sets.
func (r *reaper) serves(s *model.Service, inUse map[used]bool) {
	completed := ""
	for d := range r.tx.DeploymentsOf(s) {
		if d.Status != model.DeploymentInactive {
			r.uses(d.Key(), inUse)
		}
		if d.Rollout == model.RolloutCompleted {
			completed = d.Key()
		}
	}
	r.uses(completed, inUse)
	for x := range r.tx.TaskSetsOf(s) {
		r.uses(x.Key(), inUse)
	}
}

func (r *reaper) uses(revisionKey string, inUse map[used]bool) {
	if rev, ok := r.tx.Revisions.Get(revisionKey); ok {
		inUse[used{rev.Scope, rev.Definition}] = true
	}
}
