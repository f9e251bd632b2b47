package place

import (
	"cmp"
	"slices"
	"time"

	"github.com/roadstead/roadstead/definition"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/scheduler"
)

// place finds instances for tasks with the same needs, as many as have room.
func (r *round) place(tasks []*model.Task, needs string) error {
	reason, full := r.full[needs]
	if !full {
		req, gone := r.request(tasks[0])
		if gone != "" {
			r.stop(tasks, gone)
			return nil
		}
		req.Count = len(tasks)
		res := scheduler.Place(scheduler.Head(r.tx), req)
		subnets, _ := scheduler.FindSubnets(tasks[0].Scope, tasks[0].Subnets, r.Subnet)
		for i, at := range res.Placements {
			t := tasks[i].Settle(at.Instance, at.GPUs, at.Address, subnets.In(at.Instance.Zone()))
			t.Version++
			r.tx.Tasks.Put(&t)
		}
		if res.Unplaced > 0 {
			reason = r.reason(tasks[0], req)
			r.full[needs] = reason
		}
		tasks = tasks[len(res.Placements):]
	}
	for _, t := range tasks {
		if end := time.UnixMilli(t.CreatedAt).Add(cmp.Or(r.Patience, patience)); r.now.Before(end) {
			r.wakeAt(end)
		} else {
			r.stop([]*model.Task{t}, reason)
		}
	}
	return nil
}

func (r *round) wakeAt(t time.Time) {
	if r.wake.IsZero() || t.Before(r.wake) {
		r.wake = t
	}
}

// stop ends the wait of tasks: no node has heard of them (SEMANTICS §6.7).
func (r *round) stop(tasks []*model.Task, reason string) {
	for _, t := range tasks {
		if stopped, changed := t.Stop(model.StopTaskFailedToStart, reason, r.now.UnixMilli()); changed {
			r.tx.Tasks.Put(&stopped)
		}
	}
}

// request asks for one copy of the task, or says why the task can never run.
func (r *round) request(t *model.Task) (req scheduler.Request, gone string) {
	c, ok := r.tx.Clusters.Get(model.ClusterKey(t.Scope, t.Cluster))
	p, known := r.tx.Providers.Get(model.ProviderKey(t.Scope, t.CapacityProvider))
	if !ok || c.Status == model.ClusterInactive || !slices.Contains(c.CapacityProviders, t.CapacityProvider) ||
		!known || p.Status != model.ProviderActive {
		return req, "The capacity provider " + t.CapacityProvider + " is not associated with the cluster." // [I]
	}
	d, ok := r.tx.Definition(t.Scope, t.Definition)
	if !ok {
		return req, "TaskDefinition not found." // [I]
	}
	spec, err := definition.Apply(&d.Spec, t.Overrides)
	if err != nil {
		return req, "ResourceInitializationError: " + err.Error() // [I]
	}
	subnets, missing := scheduler.FindSubnets(t.Scope, t.Subnets, r.Subnet)
	if missing != "" {
		return req, "The subnet ID '" + missing + "' does not exist" // [O] of the API's error
	}
	req = scheduler.RequestFor(t, definition.Reserve(spec).GPU.Devices(), definition.Required(spec, t.LaunchType), subnets)
	req.Pool, req.Seed = p.Pool(), seed(t)
	return req, ""
}

// reason says why the task has no place, as the stoppedReason of one that is given up (SEMANTICS §1.4, §6.7) [O]: what keeps
// the instance that comes nearest from taking it, if its pool has any.
func (r *round) reason(t *model.Task, req scheduler.Request) string {
	p, _ := r.tx.Providers.Get(model.ProviderKey(t.Scope, t.CapacityProvider))
	reason := "EMPTY CAPACITY PROVIDER"
	for i := range r.tx.InstancesOf(t.Scope, t.Cluster) {
		if i.Status == model.InstanceInactive || i.Pool() != p.Pool() {
			continue
		}
		if i.Status == model.InstanceActive {
			e := scheduler.Explain(scheduler.Head(r.tx), req)
			x, _ := e.Closest()
			return x.Reason
		}
		reason = "NO ACTIVE INSTANCES"
	}
	return reason
}
