package scheduler

import (
	"fmt"
	"slices"

	"github.com/roadstead/roadstead/model"
)

// Rejection is why one instance does not get a copy.
type Rejection struct {
	Instance *model.Instance
	Reason   string // as in failures[].reason: AGENT, RESOURCE:MEMORY, LOCATION, ATTRIBUTE ...
	Detail   string // what exactly is missing, "" if the reason says it all
	Passed   int    // filters that the instance did pass: the most is the closest match
}

// The reasons that are sentences. AWS has none of its own for distinctInstance [I].
const (
	reasonMemberOf = "MemberOf placement constraint unsatisfied." // [O]
	reasonDistinct = "DistinctInstance placement constraint unsatisfied."
)

// filters ask one node after the other, and say why not. They are the rules; a search finds the nodes that pass them without
// asking each.
type filters struct {
	req   *Request
	group *group
	exprs []parsed // of the memberOf constraints, in their order
}

func (x *Index) newFilters(req *Request) *filters {
	f := &filters{req: req, group: x.groups[groupKey{req.Scope, req.Cluster, req.Group}]}
	for _, c := range req.Constraints {
		if c.Type == model.ConstraintMemberOf {
			e, err := x.expr(c.Expression)
			f.exprs = append(f.exprs, parsed{e, err})
		}
	}
	return f
}

// refuse returns what the first filter that the node does not pass says; ok is false if it passes all. The filters are in
// the order in which they are reported (SEMANTICS §5).
func (f *filters) refuse(n *node) (r Rejection, ok bool) {
	for passed, filter := range [...]func(*node) (reason, detail string){
		f.agent, f.cpu, f.memory, f.gpu, f.hostPorts, f.eni, f.location, f.attributes, f.distinct, f.memberOf,
	} {
		if reason, detail := filter(n); reason != "" {
			return Rejection{n.instance, reason, detail, passed}, true
		}
	}
	return Rejection{}, false
}

// eligible reports whether a DAEMON runs on the node (SEMANTICS §5.6).
func (f *filters) eligible(n *node) bool {
	for _, filter := range [...]func(*node) (reason, detail string){f.location, f.attributes, f.memberOf} {
		if reason, _ := filter(n); reason != "" {
			return false
		}
	}
	return true
}

func (f *filters) agent(n *node) (string, string) {
	if !n.instance.AgentConnected {
		return "AGENT", ""
	}
	return "", ""
}

func (f *filters) cpu(n *node) (string, string) {
	return short("RESOURCE:CPU", "CPU units", f.req.Need.CPU, n.cpu)
}

func (f *filters) memory(n *node) (string, string) {
	return short("RESOURCE:MEMORY", "MiB", f.req.Need.Memory, n.memory)
}

func (f *filters) gpu(n *node) (string, string) {
	return short("RESOURCE:GPU", "GPUs", int64(n.wantedGPUs(f.req.GPUs)), int64(n.freeGPUs()))
}

// hostPorts refuses a static host port that the instance reserves or a task holds, per protocol (SEMANTICS §4.3).
func (f *filters) hostPorts(n *node) (string, string) {
	for _, p := range appendPorts(nil, &f.req.Need) {
		if n.holds(p) {
			return "RESOURCE:PORTS", fmt.Sprintf("host port %s is taken", p)
		}
	}
	return "", ""
}

// eni refuses an instance without a slot for a network interface, or without an address for it.
func (f *filters) eni(n *node) (string, string) {
	if f.req.Need.ENIs > 0 && n.addresses.exhausted() {
		return "RESOURCE:ENI", "subnet " + n.addresses.prefix.String() + " has no address left"
	}
	return short("RESOURCE:ENI", "network interfaces", int64(f.req.Need.ENIs), n.enis)
}

func short(reason, unit string, need, have int64) (string, string) {
	if need > 0 && need > have {
		return reason, fmt.Sprintf("needs %d %s, has %d left", need, unit, have)
	}
	return "", ""
}

func (f *filters) location(n *node) (string, string) {
	if !inZone(n.instance, f.req.Zones) {
		return "LOCATION", "instance is in zone " + n.instance.Zone()
	}
	return "", ""
}

func (f *filters) attributes(n *node) (string, string) {
	for _, want := range f.req.Attributes {
		if !has(n.instance, want) {
			return "ATTRIBUTE", want.Name
		}
	}
	return "", ""
}

// distinct refuses an instance with a task of the group (SEMANTICS §5.2).
func (f *filters) distinct(n *node) (string, string) {
	distinct := slices.ContainsFunc(f.req.Constraints, func(c model.PlacementConstraint) bool { return c.Type == model.ConstraintDistinctInstance })
	if distinct && n.tasksOf(f.group) > 0 {
		return reasonDistinct, "instance has a task of group " + f.req.Group
	}
	return "", ""
}

func (f *filters) memberOf(n *node) (string, string) {
	at := 0
	for _, c := range f.req.Constraints {
		if c.Type != model.ConstraintMemberOf {
			continue
		}
		e := f.exprs[at]
		at++
		switch {
		case e.err != nil:
			return reasonMemberOf, c.Expression + ": " + e.err.Error()
		case !e.expr.Match((*subject)(n)):
			return reasonMemberOf, c.Expression
		}
	}
	return "", ""
}
