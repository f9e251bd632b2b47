package ecs

import (
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/scheduler"
	"github.com/roadstead/roadstead/state"
)

// share are the copies of a run that go to one capacity provider; all of them if a launch type was asked for.
type share struct {
	provider string // name, "" if a launch type was asked for
	copies   []int  // indices of run.copies
}

// shares groups the copies by provider, in the order of their first copies.
func shares(providers []string, count int) []share {
	if providers == nil {
		providers = make([]string, count)
	}
	var out []share
	at := map[string]int{}
	for i, name := range providers {
		n, ok := at[name]
		if !ok {
			n, at[name] = len(out), len(out)
			out = append(out, share{provider: name})
		}
		out[n].copies = append(out[n].copies, i)
	}
	return out
}

// placeShare finds places for the copies of a share and writes their rows. What finds none fails, or waits if its provider
// makes room for it (SEMANTICS §6.7).
func (r *run) placeShare(tx *state.Tx, s share) error {
	req := r.plan.request
	req.Count = len(s.copies)
	var p *model.CapacityProvider
	if s.provider != "" {
		var err error
		if p, err = usableProvider(tx.Tables, r.plan.cluster, s.provider); err != nil {
			return err
		}
		req.Pool = p.Pool()
	}
	res := scheduler.Place(scheduler.Head(tx), req)
	if res.Unplaced > 0 && r.short == nil {
		r.short = &req
	}
	if p == nil && res.Instances == 0 && !r.fargate() {
		return invalid("No Container Instances were found in your cluster.") // [O]
	}
	launch := r.plan.copy.Relaunched(func(l *model.Launch) { l.CapacityProvider = s.provider }).Launch
	for n, i := range s.copies {
		t := r.copies[i]
		t.Launch = launch
		switch {
		case n < len(res.Placements):
			t = r.plan.settle(t, res.Placements[n])
		case p != nil && p.Scales():
			t.Last = model.TaskProvisioning
		default:
			r.failed = append(r.failed, r.failures(tx, p, req)...)
			return nil
		}
		tx.Tasks.Put(&t)
		r.placed = append(r.placed, &t)
	}
	if tx.ClusterCount(r.plan.cluster.Key()).Waiting > r.waiting && res.Unplaced > 0 {
		return refused("Tasks provisioning capacity limit exceeded.") // [O]
	}
	return nil
}

// usableProvider returns the provider, if the cluster may still use it.
func usableProvider(t *state.Tables, c *model.Cluster, name string) (*model.CapacityProvider, error) {
	now, ok := t.Clusters.Get(c.Key())
	if p, found := findProvider(t, c.Scope, name); ok && found && p.Status == model.ProviderActive && associated(now, name) {
		return p, nil
	}
	return nil, errNotAssociated()
}

func (r *run) fargate() bool { return r.plan.copy.LaunchType == string(types.LaunchTypeFargate) }

// failures say why the copies left over have no place (SEMANTICS §1.4): the instances that could not take one, some of
// which may have taken others. FARGATE has no instances to name, and an empty pool neither.
func (r *run) failures(tx *state.Tx, p *model.CapacityProvider, req scheduler.Request) []types.Failure {
	if r.fargate() {
		return []types.Failure{failure("",
			"Capacity is unavailable at this time. Please try again later or in a different availability zone", "")} // [O]
	}
	if p != nil {
		if reason := poolReason(tx.Tables, r.plan.cluster, p); reason != "" {
			return []types.Failure{failure(p.ARN(), reason, "")} // the ARN [I]
		}
	}
	var out []types.Failure
	for _, x := range scheduler.Explain(scheduler.Head(tx), req).Rejections {
		out = append(out, failure(x.Instance.ARN(), x.Reason, x.Detail))
	}
	return out
}

// poolReason says that a provider has no instance to look at in the cluster, "" if it has (SEMANTICS §1.4) [O].
func poolReason(t *state.Tables, c *model.Cluster, p *model.CapacityProvider) string {
	reason := "EMPTY CAPACITY PROVIDER"
	for i := range t.InstancesOf(c.Scope, c.Name) {
		if i.Status == model.InstanceInactive || i.Pool() != p.Pool() {
			continue
		}
		if i.Status == model.InstanceActive {
			return ""
		}
		reason = "NO ACTIVE INSTANCES"
	}
	return reason
}
