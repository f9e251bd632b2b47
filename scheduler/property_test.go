package scheduler_test

import (
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/scheduler"
)

func drawInstance(t *rapid.T, id string) model.Instance {
	amount := func(name string) int64 { return one[int64](t, name, 20, 12, 12, 8, 5, 0) }
	i := model.Instance{ID: id, Cluster: one(t, "cluster", "c", "c", "c", "d"),
		AgentConnected: one(t, "agent", true, true, true, false), AgentVersion: one(t, "version", "1.0.0", "1.2.0"),
		EC2ID: "i-" + id, RegisteredAt: rapid.Int64Range(0, 2).Draw(t, "registered"),
		Status: one(t, "status", model.InstanceActive, model.InstanceActive, model.InstanceActive, model.InstanceActive, model.InstanceActive, model.InstanceActive, model.InstanceDraining, model.InstanceInactive),
		Resources: model.Resources{CPU: amount("cpu"), Memory: amount("mem"),
			ENIs: rapid.Int32Range(0, 4).Draw(t, "enis"), PortsTCP: []int32{22}, GPUs: []string{"g0", "g1", "g2"}[:rapid.IntRange(0, 3).Draw(t, "gpus")]}}
	optional := func(a model.Attribute) {
		if rapid.Bool().Draw(t, a.Name) {
			i.Attributes = append(i.Attributes, a)
		}
	}
	optional(attribute(model.SubnetAttribute, "10.0."+id[1:]+".0/30"))
	optional(attribute("ecs.availability-zone", one(t, "zone", "a", "b", "c")))
	optional(attribute("rack", fmt.Sprint("r", rapid.IntRange(0, 11).Draw(t, "rack value"))))
	optional(attribute("name", id))
	optional(model.Attribute{Name: "ssd"})
	if one(t, "pooled", false, false, true) {
		optional(attribute(model.PoolAttribute, one(t, "pool", "p", "q", model.FargatePool)))
		optional(model.Attribute{Name: model.FargateAttribute})
	}
	return i
}

// one draws one of the values, each as often as any other, which rapid's generators do not.
func one[V any](t *rapid.T, name string, values ...V) V {
	return values[rapid.Uint64().Draw(t, name)*0x9e3779b97f4a7c15>>33%uint64(len(values))]
}

// rarely draws one of the values now and then, else none.
func rarely[V any](t *rapid.T, name string, values ...V) (v V) {
	if one(t, name+" asked", 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11) == 11 {
		v = one(t, name, values...)
	}
	return v
}

func drawRequest(t *rapid.T) scheduler.Request {
	req := request(rapid.IntRange(1, 8).Draw(t, "count"), model.Resources{
		CPU: rapid.Int64Range(0, 3).Draw(t, "cpu"), Memory: rapid.Int64Range(0, 3).Draw(t, "mem"), ENIs: rarely(t, "enis", int32(1)),
		PortsTCP: rarely(t, "tcp", []int32{22}, []int32{80}, []int32{80, 81}), PortsUDP: rarely(t, "udp", []int32{22}, []int32{80}),
	})
	req.GPUs, req.Seed = rarely(t, "gpus", 1, 2, model.AllGPUs), rapid.Uint64().Draw(t, "seed")
	req.LaunchType = one(t, "launch type", "EC2", "EC2", "EC2", "FARGATE")
	req.Pool = rarely(t, "pool", "p")
	req.Group = one(t, "group", "", "service:a", "service:a", "service:b")
	req.Family = one(t, "family", "f", "g")
	req.Zones = rarely(t, "zones", []string{"a"}, []string{"a", "b"})
	req.Attributes = rarely(t, "attributes", []model.Attribute{{Name: "ssd"}}, []model.Attribute{{Name: "rack"}}, []model.Attribute{attribute("rack", "r1"), {Name: "name"}})
	if one(t, "constrained", false, false, true) {
		req.Constraints = rapid.SliceOfN(rapid.Custom(drawConstraint), 1, 2).Draw(t, "constraints")
	}
	req.Strategy = rapid.SliceOfN(rapid.SampledFrom([]model.PlacementStrategy{
		{Type: model.StrategyRandom}, {Type: model.StrategySpread, Field: model.FieldInstance}, {Type: model.StrategySpread, Field: model.FieldInstance},
		{Type: model.StrategySpread, Field: "attribute:ecs.availability-zone"}, {Type: model.StrategySpread, Field: "attribute:rack"},
		{Type: model.StrategySpread, Field: "attribute:name"}, {Type: model.StrategyBinpack, Field: model.FieldCPU}, {Type: model.StrategyBinpack, Field: model.FieldMemory},
	}), 0, 4).Draw(t, "strategy")
	return req
}

func drawConstraint(t *rapid.T) model.PlacementConstraint {
	e := one(t, "expression", "", "", "attribute:ecs.availability-zone in [a, b]", "attribute:rack != r1", "attribute:name exists", "agentVersion >= 1.2", "agentConnected == true",
		"runningTasksCount < 2", "task:group == service:b", "not(task:group == service:b)", "task:definition-family == f", "not(task:definition-family == f)", "ec2InstanceId == i-i3",
		"registeredAt < 1970-01-01T00:00:00.002", "this is wrong")
	if e == "" {
		return model.PlacementConstraint{Type: model.ConstraintDistinctInstance}
	}
	return model.PlacementConstraint{Type: model.ConstraintMemberOf, Expression: e}
}

// Over any sequence of placements, stops and changes of instances: nothing is given twice; every copy is where the plain
// rules would have it, and has a place whenever there is one; all that do not take one say why; a decision changes nothing;
// and an index that followed the rows is the one that is made of them.
func TestAgainstThePlainRules(t *testing.T) {
	placed, unplaced := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		r := newRows(t)
		for n := range one(rt, "instances", 12, 24, 6, 2, 0) {
			r.putInstance(drawInstance(rt, fmt.Sprint("i", n)))
		}
		for range rapid.IntRange(1, 8).Draw(rt, "moves") {
			r.disturb(rt)
			req := drawRequest(rt)
			before := r.x.Dump()
			res := scheduler.Place(r.x, req)
			if after := r.x.Dump(); after != before {
				rt.Fatalf("Place changed the index from\n%s\nto\n%s", before, after)
			}
			again := r.rebuilt(req.Seed)
			if got := again.Dump(); got != before {
				rt.Fatalf("the index is\n%s\nand made anew\n%s", before, got)
			}
			if other := scheduler.Place(again, req); !reflect.DeepEqual(res, other) {
				rt.Fatalf("the same request is answered by\n    %+v\nand %+v", res, other)
			}
			r.checkResult(rt, req, res)
			placed, unplaced = placed+len(res.Placements), unplaced+res.Unplaced
			for _, i := range r.instances {
				r.checkSold(rt, i)
			}
		}
	})
	t.Logf("%d copies placed, %d not", placed, unplaced)
}

// disturb changes a row.
func (r *rows) disturb(t *rapid.T) {
	instances, tasks := slices.Sorted(maps.Keys(r.instances)), slices.Sorted(maps.Keys(r.tasks))
	switch what := rapid.IntRange(0, 7).Draw(t, "disturb"); {
	case what == 0 && len(instances) > 0:
		id := rapid.SampledFrom(instances).Draw(t, "instance")
		next := *r.instances[id]
		next.AgentConnected = !next.AgentConnected
		r.putInstance(next)
	case what == 1 && len(instances) > 0:
		id := rapid.SampledFrom(instances).Draw(t, "instance")
		old := r.instances[id]
		next := drawInstance(t, id)
		next.Cluster, next.Resources = old.Cluster, old.Resources // or what it gave away would not fit
		if a, ok := old.Attribute(model.SubnetAttribute); ok {
			next.Attributes = slices.DeleteFunc(next.Attributes, func(a model.Attribute) bool { return a.Name == model.SubnetAttribute })
			next.Attributes = append(next.Attributes, a)
		} else if _, ok := next.Attribute(model.SubnetAttribute); ok {
			return
		}
		r.putInstance(next)
	case what == 2 && len(instances) > 0:
		old := r.instances[rapid.SampledFrom(instances).Draw(t, "instance")]
		r.deleteInstance(old.ID)
		if rapid.Bool().Draw(t, "comes back") {
			r.putInstance(*old)
		}
	case what == 3 && len(tasks) > 0:
		r.deleteTask(rapid.SampledFrom(tasks).Draw(t, "task"))
	case len(tasks) > 0:
		status := one(t, "status", model.TaskRunning, model.TaskRunning, model.TaskStopping, model.TaskStopped)
		if id := rapid.SampledFrom(tasks).Draw(t, "task"); r.tasks[id].Last != model.TaskStopped {
			r.move(id, status)
		}
	}
}

// checkResult checks copy by copy, and writes the tasks.
func (r *rows) checkResult(t *rapid.T, req scheduler.Request, res scheduler.Result) {
	if len(res.Placements)+res.Unplaced != req.Count {
		t.Fatalf("%d placed and %d unplaced of %d", len(res.Placements), res.Unplaced, req.Count)
	}
	for n, p := range res.Placements {
		r.checkExplained(t, req)
		if best := r.best(&req); !slices.Contains(best, p.Instance) {
			t.Fatalf("copy %d of %+v is on %s, and should be on one of %v", n, req, p.Instance.ID, sortedIDs(best))
		}
		r.checkStart(t, req, p)
		r.occupy(&req, p)
	}
	if best := r.best(&req); res.Unplaced > 0 && len(best) > 0 {
		t.Fatalf("%d copies of %+v have no place, and could be on one of %v", res.Unplaced, req, sortedIDs(best))
	}
	r.checkExplained(t, req)
}

// checkExplained checks that every ACTIVE candidate either fits or says why not.
func (r *rows) checkExplained(t *rapid.T, req scheduler.Request) {
	e := scheduler.Explain(r.x, req)
	fit := r.fitting(&req)
	said := map[*model.Instance]bool{}
	for _, x := range e.Rejections {
		said[x.Instance] = true
		if x.Reason == "" || slices.Contains(fit, x.Instance) {
			t.Fatalf("%s fits %+v, and says %+v", x.Instance.ID, req, x)
		}
	}
	candidates := 0
	for _, i := range r.instances {
		if r.candidate(&req, i) {
			candidates++
			if !said[i] && !slices.Contains(fit, i) {
				t.Fatalf("%s does not fit %+v, and does not say why", i.ID, req)
			}
		}
	}
	if e.Fitting != len(fit) || e.Instances != candidates || len(e.Rejections)+e.Fitting != candidates {
		t.Fatalf("%d of %d candidates fit: explained %d of %d, with %d rejections", len(fit), candidates, e.Fitting, e.Instances, len(e.Rejections))
	}
	counted := 0
	for _, c := range e.Reasons {
		counted += c.Instances
	}
	if counted != len(e.Rejections) {
		t.Fatalf("%v are %d rejections", e.Reasons, len(e.Rejections))
	}
}

// checkStart checks that a copy may be started by name where it was placed, with the same devices and address.
func (r *rows) checkStart(t *rapid.T, req scheduler.Request, p scheduler.Placement) {
	if p.Instance.FargateOnly() && req.LaunchType != "FARGATE" {
		t.Fatalf("%+v is placed on %+v", req, p.Instance)
	}
	got, why, ok := scheduler.Start(r.x, req, p.Instance.Key())
	if !ok || !reflect.DeepEqual(got, p) {
		t.Fatalf("placed %+v, started %+v %+v", p, got, why)
	}
}

// checkSold checks that nothing is given twice, to tasks or to a task and the instance itself.
func (r *rows) checkSold(t *rapid.T, i *model.Instance) {
	var sum model.Resources
	for _, task := range r.on(i) {
		u := task.Reserved
		sum.CPU, sum.Memory, sum.ENIs = sum.CPU+u.CPU, sum.Memory+u.Memory, sum.ENIs+u.ENIs
		sum.PortsTCP, sum.PortsUDP = append(sum.PortsTCP, u.PortsTCP...), append(sum.PortsUDP, u.PortsUDP...)
		sum.GPUs, sum.Addresses = append(sum.GPUs, u.GPUs...), append(sum.Addresses, u.Addresses...)
	}
	has := i.Resources
	if sum.CPU > has.CPU || sum.Memory > has.Memory || sum.ENIs > has.ENIs {
		t.Fatalf("%s has %+v, and gave away %+v", i.ID, has, sum)
	}
	unique(t, "TCP ports", append(slices.Clone(has.PortsTCP), sum.PortsTCP...))
	unique(t, "UDP ports", sum.PortsUDP)
	unique(t, "GPUs", sum.GPUs)
	unique(t, "addresses", sum.Addresses)
	for _, g := range sum.GPUs {
		if !slices.Contains(has.GPUs, g) {
			t.Fatalf("%s has no GPU %s", i.ID, g)
		}
	}
	if a, ok := i.Attribute(model.SubnetAttribute); ok {
		checkAddresses(t, netip.MustParsePrefix(a.Value), sum)
	}
}

func checkAddresses(t *rapid.T, subnet netip.Prefix, sum model.Resources) {
	if int(sum.ENIs) != len(sum.Addresses) {
		t.Fatalf("%d network interfaces have the addresses %v", sum.ENIs, sum.Addresses)
	}
	for _, a := range sum.Addresses {
		ip := netip.MustParseAddr(a)
		if !subnet.Contains(ip.Prev()) || !subnet.Contains(ip.Next()) {
			t.Fatalf("address %s of %s", a, subnet)
		}
	}
}

func unique[E comparable](t *rapid.T, what string, got []E) {
	seen := map[E]bool{}
	for _, e := range got {
		if seen[e] {
			t.Fatalf("%s given twice: %v", what, got)
		}
		seen[e] = true
	}
}
