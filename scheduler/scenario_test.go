package scheduler_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/scheduler"
	"github.com/roadstead/roadstead/test/scenario"
)

// TestScenarios plays testdata/*.txt:
//
//	instance ID [cpu=4096] [mem=8192] [az=a] [tcp=22,...] [udp=...] [enis=N] [gpus=ID,...] [subnet=CIDR] [version=1.0.0]
//	         [pool=NAME] [attr=NAME,NAME:VALUE,...] [status=ACTIVE] [agent=on] [cluster=c]   register an instance, or change one
//	place    REQUEST [count=1]           decide, and run what has a place
//	start    ID REQUEST                  the same for one copy on this instance
//	explain  REQUEST                     what each instance says, counted
//	eligible REQUEST                     where a daemon would run
//	task     ID STATUS                   a task (t0001, ...) has this status now
//	tasks    [group=G]                   where the group's tasks are
//	distribute N ITEM... [have=P:N,...]  to capacity providers; ITEM is NAME:BASE:WEIGHT
//	stop     N [group=g] [by=STRATEGY] [protected=ID,...] [old=ID,...] [unhealthy=ID,...] [seed=0]   which, and why
//
// REQUEST is [cpu=] [mem=] [tcp=] [udp=] [enis=] [gpus=N, -1 for all of an instance] [az=a,b] [attr=...] [pool=] [group=] [launch=EC2] [distinct=yes]
// [where=EXPRESSION] [by=STRATEGY] [seed=0]. In an expression "_" stands for a blank. A STRATEGY is a list of
// az, instance, attribute:NAME, cpu, memory and random.
func TestScenarios(t *testing.T) {
	scenario.Run(t, "testdata/*.txt", func(t *testing.T) scenario.Verbs {
		r := newRows(t)
		return scenario.Verbs{
			"instance":   r.instanceVerb,
			"place":      r.placeVerb,
			"start":      r.startVerb,
			"explain":    r.explainVerb,
			"eligible":   r.eligibleVerb,
			"task":       func(call *scenario.Call) { r.move(call.Arg(), call.Arg()) },
			"tasks":      r.tasksVerb,
			"distribute": distributeVerb,
			"stop":       r.stopVerb,
		}
	})
}

func (r *rows) instanceVerb(call *scenario.Call) {
	i := model.Instance{ID: call.Arg(), Cluster: call.Text("cluster", "c"), Status: call.Text("status", model.InstanceActive),
		AgentConnected: call.Text("agent", "on") == "on", AgentVersion: call.Text("version", "1.0.0"), Attributes: attributes(call)}
	i.Resources = need(call, 4096, 8192)
	i.Resources.GPUs = call.List("gpus")
	for _, a := range []model.Attribute{attribute("ecs.availability-zone", call.Text("az", "")), attribute(model.SubnetAttribute, call.Text("subnet", "")),
		attribute(model.PoolAttribute, call.Text("pool", ""))} {
		if a.Value != "" {
			i.Attributes = append(i.Attributes, a)
		}
	}
	r.putInstance(i)
}

func (r *rows) placeVerb(call *scenario.Call) {
	req := r.request(call)
	res := scheduler.Place(r.x, req)
	var at []string
	for _, p := range res.Placements {
		at = append(at, placed(p))
	}
	if len(at) > 0 {
		call.Printf("placed on %s", strings.Join(at, ", "))
	}
	r.occupy(&req, res.Placements...)
	if res.Unplaced > 0 {
		call.Printf("unplaced %d, active instances %d", res.Unplaced, res.Instances)
		e := scheduler.Explain(r.x, req)
		for _, x := range e.Rejections {
			call.Printf("%s", refused(x))
		}
		if x, ok := e.Closest(); ok {
			call.Printf("closest match: %s", x.Instance.ID)
		}
	}
}

func (r *rows) startVerb(call *scenario.Call) {
	id, req := call.Arg(), r.request(call)
	p, x, ok := scheduler.Start(r.x, req, model.InstanceKey(scope, "c", id))
	if !ok {
		if x.Instance == nil {
			call.Printf("%s", x.Reason)
			return
		}
		call.Printf("%s", refused(x))
		return
	}
	call.Printf("placed on %s", placed(p))
	r.occupy(&req, p)
}

func (r *rows) explainVerb(call *scenario.Call) {
	e := scheduler.Explain(r.x, r.request(call))
	call.Printf("%d of %d instances fit", e.Fitting, e.Instances)
	for _, c := range e.Reasons {
		call.Printf("%d %s", c.Instances, c.Reason)
	}
	if x, ok := e.Closest(); ok {
		call.Printf("closest match: %s", refused(x))
	}
}

func (r *rows) eligibleVerb(call *scenario.Call) {
	var ids []string
	for i := range scheduler.Eligible(r.x, r.request(call)) {
		ids = append(ids, i.ID)
	}
	call.Printf("%s", strings.Join(ids, " "))
}

func (r *rows) tasksVerb(call *scenario.Call) {
	group := call.Text("group", "g")
	for _, id := range sortedKeys(r.instances) {
		var on []string
		for _, t := range r.on(r.instances[id]) {
			if t.Group == group {
				on = append(on, t.ID)
			}
		}
		call.Printf("%s %d", id, len(on))
	}
}

func distributeVerb(call *scenario.Call) {
	n, err := strconv.Atoi(call.Arg())
	if err != nil {
		call.Fatal(err)
	}
	var items []scheduler.ProviderShare
	for arg := call.Arg(); arg != ""; arg = call.Arg() {
		var i scheduler.ProviderShare
		if _, err := fmt.Sscanf(strings.ReplaceAll(arg, ":", " "), "%s %d %d", &i.Provider, &i.Base, &i.Weight); err != nil {
			call.Fatal(err)
		}
		items = append(items, i)
	}
	have := map[string]int{}
	for _, s := range call.List("have") {
		name, n, _ := strings.Cut(s, ":")
		if have[name], err = strconv.Atoi(n); err != nil {
			call.Fatal(err)
		}
	}
	given := map[string]int{}
	got := scheduler.Distribute(items, have, n)
	for _, p := range got {
		given[p]++
	}
	call.Printf("%s = %v", strings.Join(got, " "), given)
}

func (r *rows) stopVerb(call *scenario.Call) {
	n, err := strconv.Atoi(call.Arg())
	if err != nil {
		call.Fatal(err)
	}
	group, protected, old, unhealthy := call.Text("group", "g"), call.List("protected"), call.List("old"), call.List("unhealthy")
	req := scheduler.StopRequest{Count: n, Strategy: strategy(call), Seed: uint64(call.Int("seed", 0))}
	for _, id := range sortedKeys(r.tasks) {
		t := *r.tasks[id]
		if t.Group != group || t.Last == model.TaskStopped {
			continue
		}
		if slices.Contains(unhealthy, id) {
			t.Health = "UNHEALTHY"
		}
		age := 0
		if slices.Contains(old, id) {
			age = 1
		}
		req.Members = append(req.Members, scheduler.Member{Task: &t, Age: age, Protected: slices.Contains(protected, id)})
	}
	for _, s := range scheduler.ChooseStops(r.x, req) {
		call.Printf("%s on %s: %s", s.Task.ID, s.Task.Instance, s.Reason)
	}
}

func (r *rows) request(call *scenario.Call) scheduler.Request {
	req := request(int(call.Int("count", 1)), need(call, 0, 0))
	req.GPUs, req.Zones, req.Seed = int(call.Int("gpus", 0)), call.List("az"), uint64(call.Int("seed", 0))
	req.Attributes, req.Pool, req.LaunchType = attributes(call), call.Text("pool", ""), call.Text("launch", "EC2")
	req.Group, req.Family = call.Text("group", "g"), call.Text("family", "f")
	if call.Text("distinct", "") == "yes" {
		req.Constraints = append(req.Constraints, model.PlacementConstraint{Type: model.ConstraintDistinctInstance})
	}
	if e := call.Text("where", ""); e != "" {
		req.Constraints = append(req.Constraints, model.PlacementConstraint{Type: model.ConstraintMemberOf, Expression: strings.ReplaceAll(e, "_", " ")})
	}
	req.Strategy = strategy(call)
	return req
}

func strategy(call *scenario.Call) (out []model.PlacementStrategy) {
	for _, s := range call.List("by") {
		switch s {
		case "random":
			out = append(out, model.PlacementStrategy{Type: model.StrategyRandom})
		case "cpu", "memory":
			out = append(out, model.PlacementStrategy{Type: model.StrategyBinpack, Field: strings.ToUpper(s)})
		case "instance":
			out = append(out, model.PlacementStrategy{Type: model.StrategySpread, Field: model.FieldInstance})
		case "az":
			out = append(out, model.PlacementStrategy{Type: model.StrategySpread, Field: "attribute:ecs.availability-zone"})
		default:
			out = append(out, model.PlacementStrategy{Type: model.StrategySpread, Field: s})
		}
	}
	return out
}

func placed(p scheduler.Placement) string {
	s := p.Instance.ID
	if len(p.GPUs) > 0 {
		s += fmt.Sprint(" with ", p.GPUs)
	}
	if p.Address != "" {
		s += " as " + p.Address
	}
	return s
}

func refused(x scheduler.Rejection) string {
	return strings.TrimSpace(fmt.Sprintf("%s %s %s", x.Instance.ID, x.Reason, x.Detail))
}

func need(call *scenario.Call, cpu, mem int64) model.Resources {
	return model.Resources{CPU: call.Int("cpu", cpu), Memory: call.Int("mem", mem), ENIs: int32(call.Int("enis", 0)),
		PortsTCP: ports(call, "tcp"), PortsUDP: ports(call, "udp")}
}

func ports(call *scenario.Call, protocol string) (out []int32) {
	for _, s := range call.List(protocol) {
		n, err := strconv.ParseInt(s, 10, 32)
		if err != nil {
			call.Fatal(err)
		}
		out = append(out, int32(n))
	}
	return out
}

func attributes(call *scenario.Call) (out []model.Attribute) {
	for _, s := range call.List("attr") {
		name, value, has := strings.Cut(s, ":")
		out = append(out, model.Attribute{Name: name, Value: value, HasValue: has})
	}
	return out
}
