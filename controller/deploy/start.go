package deploy

import (
	"cmp"
	"slices"

	"github.com/roadstead/roadstead/definition"
	"github.com/roadstead/roadstead/deployment"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/scheduler"
)

// order is what tasks of a revision are, and what is asked for them.
type order struct {
	copy    model.Task // what all copies have in common
	request scheduler.Request
	subnets scheduler.Subnets
	// provider is where the copies get their capacity, nil if a launch type is asked for.
	provider *model.CapacityProvider
}

type orderKey struct{ revision, provider string }

// order makes tasks of a revision ready, with capacity of the provider: "" is that of the revision's launch type. why says
// that they cannot be made, "" if they can.
func (d *deed) order(revision, provider string) (o *order, why string) {
	key := orderKey{revision, provider}
	if o := d.orders[key]; o != nil {
		return o, ""
	}
	r, ok := d.tx.Revisions.Get(model.DeploymentKey(d.Service.Scope, d.Service.Cluster, d.Service.Name, revision))
	if !ok {
		return nil, "Service revision not found." // [I]: cannot be
	}
	def, ok := d.tx.Definition(r.Scope, r.Definition)
	if !ok {
		return nil, "TaskDefinition not found." // [I]
	}
	if role := d.untrusting(def); role != "" {
		return nil, definition.Unassumable(role)
	}
	o = &order{}
	launchType := cmp.Or(string(r.Spec.LaunchType), "EC2")
	if provider != "" {
		if o.provider, ok = d.provider(provider); !ok {
			return nil, "The capacity provider " + provider + " is not associated with the cluster." // [I]
		}
		launchType = string(o.provider.LaunchType())
	}
	o.copy = definition.NewServiceTask(d.Service, r, def, launchType)
	o.copy.CapacityProvider = provider
	var missing string
	if o.subnets, missing = scheduler.FindSubnets(r.Scope, o.copy.Subnets, d.Subnet); missing != "" {
		return nil, "The subnet ID '" + missing + "' does not exist" // [O] of the API's error
	}
	gpus := definition.Reserve(&def.Spec).GPU.Devices()
	o.request = scheduler.RequestFor(&o.copy, gpus, definition.Required(&def.Spec, launchType), o.subnets)
	if o.provider != nil {
		o.request.Pool = o.provider.Pool()
	}
	if d.orders == nil {
		d.orders = map[orderKey]*order{}
	}
	d.orders[key] = o
	return o, ""
}

// untrusting is the first role of the definition that ECS may not assume for the cluster's tasks, "" if there is none.
func (d *deed) untrusting(def *model.TaskDefinition) string {
	c, ok := d.tx.Clusters.Get(model.ClusterKey(d.Service.Scope, d.Service.Cluster))
	if !ok || d.Trusts == nil {
		return ""
	}
	for _, role := range []*string{def.Spec.TaskRoleArn, def.Spec.ExecutionRoleArn} {
		if role != nil && *role != "" && !d.Trusts(d.tx.Tables, c, *role) {
			return *role
		}
	}
	return ""
}

// provider returns the capacity provider, if the service's cluster may use it.
func (d *deed) provider(name string) (*model.CapacityProvider, bool) {
	c, ok := d.tx.Clusters.Get(model.ClusterKey(d.Service.Scope, d.Service.Cluster))
	if !ok || !slices.Contains(c.CapacityProviders, name) {
		return nil, false
	}
	if name == model.ProviderFargate || name == model.ProviderFargateSpot {
		return &model.CapacityProvider{Scope: c.Scope, Name: name, Status: model.ProviderActive}, true
	}
	p, ok := d.tx.Providers.Get(model.ProviderKey(c.Scope, name))
	return p, ok && p.Status == model.ProviderActive
}

// lack is copies that have no place: because of why, or what instances say to the request.
type lack struct {
	why     string
	request scheduler.Request
	// provider is theirs, nil if a launch type was asked for.
	provider *model.CapacityProvider
	// refused is what the instance of a DAEMON's task says.
	refused *scheduler.Rejection
	quiet   bool // nobody is told: the service has what it wants, only not where
}

// start starts tasks, as many as have a place.
func (d *deed) start(s *deployment.Start) {
	var started []*model.Task
	if len(s.Instances) > 0 {
		started = d.startOn(s)
	} else {
		count := d.room(s.Count)
		for _, share := range d.shares(s.Revision, count) {
			started = append(started, d.place(s, share.provider, share.count)...)
		}
	}
	d.tellStarted(s, started)
}

// startOn starts one task of a DAEMON on each of the instances.
func (d *deed) startOn(s *deployment.Start) (started []*model.Task) {
	o, why := d.order(s.Revision, "")
	if why != "" {
		d.lacks = append(d.lacks, lack{why: why})
		return nil
	}
	for _, id := range s.Instances {
		if d.left <= 0 {
			d.more = true
			return started
		}
		at, refused, ok := scheduler.Start(scheduler.Head(d.tx), o.request, model.InstanceKey(d.Service.Scope, d.Service.Cluster, id))
		if !ok {
			d.lacks = append(d.lacks, lack{request: o.request, refused: &refused})
			continue
		}
		started = append(started, d.settle(o, at))
	}
	return started
}

// share is how many copies one capacity provider gets.
type share struct {
	provider string
	count    int
}

// shares distributes copies of a revision over its capacity providers, so that with those that it has already the strategy
// holds (SEMANTICS §6.2). They are in the order of the strategy.
func (d *deed) shares(revision string, count int) []share {
	r, ok := d.tx.Revisions.Get(model.DeploymentKey(d.Service.Scope, d.Service.Cluster, d.Service.Name, revision))
	if !ok || len(r.Spec.CapacityProviderStrategy) == 0 {
		return []share{{"", count}}
	}
	var items []scheduler.ProviderShare
	var out []share
	for _, i := range r.Spec.CapacityProviderStrategy {
		items = append(items, scheduler.ProviderShare{Provider: *i.CapacityProvider, Base: int(i.Base), Weight: int(i.Weight)})
		out = append(out, share{provider: *i.CapacityProvider})
	}
	have := map[string]int{}
	for i := range d.Tasks {
		if t := d.Tasks[i].Task; t.Desired == model.TaskRunning && t.Last != model.TaskStopped && t.DeploymentID() == revision {
			have[t.CapacityProvider]++
		}
	}
	for _, name := range scheduler.Distribute(items, have, count) {
		out[slices.IndexFunc(out, func(s share) bool { return s.provider == name })].count++
	}
	return slices.DeleteFunc(out, func(s share) bool { return s.count == 0 })
}

// place starts count copies with capacity of a provider. What finds no place waits if the provider makes room for it
// (SEMANTICS §6.7), or is left to the next look.
func (d *deed) place(s *deployment.Start, provider string, count int) (started []*model.Task) {
	o, why := d.order(s.Revision, provider)
	if why != "" {
		d.lacks = append(d.lacks, lack{why: why})
		return nil
	}
	req := o.request
	req.Count, req.Seed = count, d.Seed()
	if s.Zone != "" {
		req.Zones = []string{s.Zone}
	}
	res := scheduler.Place(scheduler.Head(d.tx), req)
	for _, at := range res.Placements {
		started = append(started, d.settle(o, at))
	}
	if res.Unplaced == 0 {
		return started
	}
	l := lack{request: req, provider: o.provider, quiet: s.Rebalances}
	if o.provider == nil || !o.provider.Scales() || s.Zone != "" {
		d.lacks = append(d.lacks, l)
		return started
	}
	room := cmp.Or(d.Waiting, 500) - d.tx.ClusterCount(model.ClusterKey(d.Service.Scope, d.Service.Cluster)).Waiting
	for range min(room, res.Unplaced) {
		t := o.copy.Copy(d.Now, d.NewID, d.NewUUID)
		t.Last = model.TaskProvisioning
		started = append(started, d.put(t))
	}
	if room < res.Unplaced {
		l.why = limitReached
		d.lacks = append(d.lacks, l)
	}
	return started
}

// settle writes the row of a copy in its place.
func (d *deed) settle(o *order, at scheduler.Placement) *model.Task {
	t := o.copy.Copy(d.Now, d.NewID, d.NewUUID)
	return d.put(t.Settle(at.Instance, at.GPUs, at.Address, o.subnets.In(at.Instance.Zone())))
}

func (d *deed) put(t model.Task) *model.Task {
	d.tx.Tasks.Put(&t)
	d.left--
	return &t
}

func (d *deed) strategy() []model.PlacementStrategy { return definition.ServiceStrategy(d.Service) }
