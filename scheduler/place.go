package scheduler

import (
	"iter"
	"strings"

	"github.com/roadstead/roadstead/model"
)

// Request asks for Count copies of one task.
type Request struct {
	model.Scope
	Cluster string
	Count   int
	// Need is what one copy reserves; Need.GPUs is empty, GPUs counts the devices, or is model.AllGPUs.
	Need model.Resources
	GPUs int
	// Attributes are required of the instance (ATTRIBUTE); one without value asks for its presence.
	Attributes []model.Attribute
	// Zones are those of the subnets of an awsvpc task (LOCATION); empty means anywhere.
	Zones []string
	// LaunchType is EC2, EXTERNAL or FARGATE: the last is for instances of the scope that take FARGATE tasks, of any cluster;
	// the others are for the cluster's instances, those of FARGATE's own pool left out.
	LaunchType string
	// Pool is the only pool that the instances may be of, "" if any.
	Pool string
	// Group is the task group: what spread and distinctInstance count. Family is that of the task definition.
	Group, Family string
	Constraints   []model.PlacementConstraint
	Strategy      []model.PlacementStrategy
	// Seed decides ties: the same request on the same rows with the same seed gives the same answer.
	Seed uint64
}

// domain is the instances that the request may choose from.
func (r *Request) domain() domainKey {
	if r.LaunchType == "FARGATE" {
		return domainKey{r.Scope, ""}
	}
	return domainKey{r.Scope, r.Cluster}
}

// Placement is one copy's place.
type Placement struct {
	Instance *model.Instance
	GPUs     []string // the devices that the copy gets
	Address  string   // of its network interface; "" if it needs none, or the instance registered no subnet
}

// Result is a decision. Explain says why copies have no place.
type Result struct {
	Placements []Placement
	Unplaced   int // copies without a place
	Instances  int // ACTIVE instances that were candidates: with none there is nothing to explain
}

// Place decides where the copies go (SEMANTICS §5): of the ACTIVE instances that pass every filter, those that the strategy
// prefers, each copy counting for the next. It leaves the index as it was, as far as anybody can see.
func Place(x *Index, req Request) Result {
	x.settle()
	x.scratch.req = req
	s, ok := x.newSearch(&x.scratch.req)
	if !ok {
		return Result{Unplaced: req.Count}
	}
	x.attempt.key = s.key
	r := Result{Unplaced: req.Count}
	for _, c := range s.shape.standing {
		r.Instances += c.size()
	}
	tried := x.scratch.tried[:0]
	for r.Unplaced > 0 {
		n := s.choose()
		if n == nil {
			break
		}
		if r.Placements == nil {
			r.Placements = make([]Placement, 0, req.Count)
		}
		p := s.placement(n)
		r.Placements = append(r.Placements, p)
		if r.Unplaced--; r.Unplaced > 0 {
			x.try(n, &p, +1)
			tried = append(tried, n)
		}
	}
	x.scratch.tried = tried
	x.attempt.nodes, x.attempt.placements = tried, r.Placements
	return r
}

// placement is what a copy gets of the node.
func (s *search) placement(n *node) Placement {
	p := Placement{Instance: n.instance, GPUs: n.pickGPUs(n.wantedGPUs(s.req.GPUs))}
	if s.req.Need.ENIs > 0 {
		p.Address = n.addresses.lowest()
	}
	return p
}

// Start decides whether one copy fits on the instance with the row key, ACTIVE or DRAINING, whatever a strategy would choose
// (StartTask: SEMANTICS §2.3). The rejection is valid if ok is false; it has no instance if there is none.
func Start(x *Index, req Request, instanceKey string) (p Placement, why Rejection, ok bool) {
	x.settle()
	key := nodeKey{Scope: req.Scope}
	if rest, ours := strings.CutPrefix(instanceKey, req.Key("")); ours {
		key.cluster, key.id, _ = strings.Cut(rest, "/")
	}
	n := x.nodes[key]
	switch {
	case n == nil || n.instance == nil || n.instance.FargateOnly() && req.LaunchType != "FARGATE":
		return Placement{}, Rejection{Reason: "MISSING"}, false
	case n.instance.Status == model.InstanceInactive:
		return Placement{}, Rejection{Instance: n.instance, Reason: "INACTIVE"}, false
	}
	f := x.newFilters(&req)
	if why, refused := f.refuse(n); refused {
		return Placement{}, why, false
	}
	s := search{Index: x, req: &req}
	return s.placement(n), Rejection{}, true
}

// Eligible yields the ACTIVE instances that a DAEMON runs on (SEMANTICS §5.6), in the order of their ids: those that satisfy
// location, attributes and constraints, whatever resources they have left.
func Eligible(x *Index, req Request) iter.Seq[*model.Instance] {
	return func(yield func(*model.Instance) bool) {
		f := x.newFilters(&req)
		for _, n := range x.candidates(&req) {
			x.settle()
			if f.eligible(n) && !yield(n.instance) {
				return
			}
		}
	}
}
