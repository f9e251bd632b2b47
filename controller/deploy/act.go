package deploy

import (
	"github.com/roadstead/roadstead/deployment"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/scheduler"
	"github.com/roadstead/roadstead/state"
)

// deed is one look at a service with what is done.
type deed struct {
	*Loop
	tx *state.Tx
	view
	key    string
	left   int // tasks that may still be changed
	wake   model.Millis
	orders map[orderKey]*order
	lacks  []lack // why copies have no place
	news   news
}

// perform does what Step has answered. Stops come first: starts count on the room that they make, and wait if there are more
// stops than go in one transaction.
func (d *deed) perform(out *deployment.Output) {
	d.wake = out.Wake
	if out.Service != nil {
		d.tx.Services.Put(out.Service)
	}
	for _, row := range out.Deployments {
		d.tx.Deployments.Put(row)
	}
	for _, row := range out.TaskSets {
		d.tx.TaskSets.Put(row)
	}
	for _, row := range out.Gone {
		d.tx.TaskSets.Delete(row.Key())
	}
	for _, t := range out.Counted {
		row := *t
		row.Counted = true
		d.tx.Tasks.Put(&row)
		d.left--
	}
	for _, row := range d.pins() {
		d.tx.Revisions.Put(row)
	}
	d.sayAll(out.Said, false)
	for i := range out.Happened {
		d.happen(&out.Happened[i])
	}
	for i := range out.Stops {
		d.stop(&out.Stops[i])
	}
	if !d.more || len(out.Stops) == 0 {
		for i := range out.Starts {
			d.start(&out.Starts[i])
		}
	}
	d.sayAll(out.Said, true)
	d.complain(len(out.Starts) > 0)
	d.write()
}

// room is how many of count tasks may be changed in this transaction.
func (d *deed) room(count int) int {
	if count > d.left {
		d.more = true
		return max(d.left, 0)
	}
	return count
}

// stop stops tasks: if not all, then those that the service would rather not have (SEMANTICS §5.5).
func (d *deed) stop(s *deployment.Stop) {
	count := d.room(s.Count)
	tasks := s.Tasks
	if count < len(tasks) {
		tasks = d.choose(s, count)
	}
	var running []*model.Task
	zones := map[string][]*model.Task{}
	pending := 0
	for _, t := range tasks {
		row, changed := t.Stop(model.StopServiceSchedulerInitiated, s.Reason, d.Now)
		if !changed {
			continue
		}
		row.Counted = true
		d.tx.Tasks.Put(&row)
		d.left--
		if t.Last != model.TaskRunning {
			pending++
			continue
		}
		running, zones[t.Zone] = append(running, t), append(zones[t.Zone], t)
	}
	d.tellStopped(s, running, zones, pending)
}

// choose picks the tasks that stop out of those that may. The others count for a spread.
func (d *deed) choose(s *deployment.Stop, count int) []*model.Task {
	may := make(map[*model.Task]bool, len(s.Tasks))
	for _, t := range s.Tasks {
		may[t] = true
	}
	req := scheduler.StopRequest{Count: count, Strategy: d.strategy(), Seed: d.Seed()}
	ages := d.ages()
	for i := range d.Tasks {
		t := d.Tasks[i].Task
		if t.Desired == model.TaskRunning && t.Last != model.TaskStopped {
			req.Members = append(req.Members, scheduler.Member{Task: t, Age: ages[t.DeploymentID()], Protected: !may[t]})
		}
	}
	var out []*model.Task
	for _, c := range scheduler.ChooseStops(scheduler.Head(d.tx), req) {
		out = append(out, c.Task)
	}
	return out
}

// ages are how many deployments or task sets are newer than each.
func (d *deed) ages() map[string]int {
	out := map[string]int{}
	for i, row := range d.Deployments {
		out[row.ID] = len(d.Deployments) - 1 - i
	}
	for i, row := range d.TaskSets {
		out[row.ID] = len(d.TaskSets) - 1 - i
	}
	return out
}
