package scheduler_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/scheduler"
	"github.com/roadstead/roadstead/test/scenario"
)

// TestScenarios plays testdata/*.txt:
//
//	instance ID [cpu=4096] [mem=8192] [az=a] [tcp=22,...] [udp=...] [enis=N] [gpus=ID,...] [subnet=CIDR]
//	         [attr=NAME,NAME:VALUE,...] [status=ACTIVE] [agent=on]     register an instance, or change one
//	place    [count=1] NEED [az=a,b] [attr=...] [seed=0]               decide, and run what has a place
//	start ID NEED ...                                                  the same for one copy on this instance
//	task ID STATUS                                                     a task (t0001, ...) has this status now
//
// NEED is [cpu=] [mem=] [tcp=] [udp=] [enis=] [gpus=N].
func TestScenarios(t *testing.T) {
	scenario.Run(t, "testdata/*.txt", func(t *testing.T) scenario.Verbs {
		c := newCluster(t)
		return scenario.Verbs{
			"instance": c.instanceVerb,
			"place":    c.placeVerb,
			"start":    c.startVerb,
			"task":     func(call *scenario.Call) { c.move(call.Arg(), call.Arg()) },
		}
	})
}

func (c *cluster) instanceVerb(call *scenario.Call) {
	i := model.Instance{ID: call.Arg(), Status: call.Text("status", model.InstanceActive), AgentConnected: call.Text("agent", "on") == "on",
		Attributes: attributes(call)}
	i.Resources = need(call, 4096, 8192)
	i.Resources.GPUs = call.List("gpus")
	for name, v := range map[string]string{"ecs.availability-zone": call.Text("az", ""), model.SubnetAttribute: call.Text("subnet", "")} {
		if v != "" {
			i.Attributes = append(i.Attributes, model.Attribute{Name: name, Value: v, HasValue: true})
		}
	}
	c.putInstance(i)
}

func (c *cluster) placeVerb(call *scenario.Call) {
	req := c.request(call)
	r := scheduler.Place(c.tables(), req)
	var at []string
	for _, p := range r.Placements {
		at = append(at, placed(p))
	}
	if len(at) > 0 {
		call.Printf("placed on %s", strings.Join(at, ", "))
	}
	if r.Unplaced > 0 {
		call.Printf("unplaced %d, active instances %d", r.Unplaced, r.Instances)
		for _, x := range r.Rejections {
			call.Printf("%s", refused(x))
		}
		if x, ok := r.Closest(); ok {
			call.Printf("closest match: %s", x.Instance.ID)
		}
	}
	c.occupy(req.Need, r.Placements...)
}

func (c *cluster) startVerb(call *scenario.Call) {
	i, req := c.instance(call.Arg()), c.request(call)
	p, x, ok := scheduler.Start(c.tables(), req, i)
	if !ok {
		call.Printf("%s", refused(x))
		return
	}
	call.Printf("placed on %s", placed(p))
	c.occupy(req.Need, p)
}

func (c *cluster) request(call *scenario.Call) scheduler.Request {
	req := request(int(call.Int("count", 1)), need(call, 0, 0))
	req.GPUs, req.Zones, req.Seed = int(call.Int("gpus", 0)), call.List("az"), uint64(call.Int("seed", 0))
	req.Attributes = attributes(call)
	return req
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
