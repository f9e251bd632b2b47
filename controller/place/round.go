package place

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
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
		for i, at := range res.Placements {
			t := tasks[i].Settle(at.Instance, at.GPUs, at.Address, r.subnetIn(tasks[i], at.Instance.Zone()))
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
	family, revision, _ := strings.Cut(t.Definition, ":")
	n, _ := strconv.ParseInt(revision, 10, 32)
	d, ok := r.tx.Definitions.Get(model.DefinitionKey(t.Scope, family, int32(n)))
	if !ok {
		return req, "TaskDefinition not found." // [I]
	}
	spec, err := definition.Apply(&d.Spec, t.Overrides)
	if err != nil {
		return req, "ResourceInitializationError: " + err.Error() // [I]
	}
	req = scheduler.Request{Scope: t.Scope, Cluster: t.Cluster, Need: t.Reserved, GPUs: int(definition.Reserve(spec).GPU.Count),
		Attributes: definition.Required(spec, t.LaunchType), LaunchType: "EC2", Pool: p.Pool(),
		Group: t.Group, Family: family, Constraints: t.Constraints, Strategy: t.Strategy, Seed: seed(t)}
	if req.Zones, gone = r.zones(t); gone != "" {
		return req, gone
	}
	return req, ""
}

// zones are those of the task's subnets, none if it may go anywhere.
func (r *round) zones(t *model.Task) (zones []string, gone string) {
	everywhere := false
	for _, id := range t.Subnets {
		zone, ok := r.zone(t, id)
		if !ok {
			return nil, "The subnet ID '" + id + "' does not exist" // [O] of the API's error
		}
		everywhere = everywhere || zone == ""
		zones = append(zones, zone)
	}
	if everywhere {
		return nil, ""
	}
	return zones, ""
}

func (r *round) zone(t *model.Task, subnet string) (string, bool) {
	if r.Subnet == nil {
		return "", true
	}
	return r.Subnet(t.Scope, subnet)
}

// subnetIn returns the task's first subnet in the zone, or the first of all if none is known to be there; "" without any.
func (r *round) subnetIn(t *model.Task, zone string) string {
	if len(t.Subnets) == 0 {
		return ""
	}
	for _, id := range t.Subnets {
		if z, _ := r.zone(t, id); z == zone {
			return id
		}
	}
	return t.Subnets[0]
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
