package scheduler

import (
	"cmp"
	"slices"

	"github.com/roadstead/roadstead/model"
)

// Explanation is what each candidate says to a request for one more copy.
type Explanation struct {
	Instances  int         // ACTIVE instances that were candidates
	Fitting    int         // those that can take a copy
	Rejections []Rejection // by the others, in the order of their ids
	Reasons    []Refused   // how often each reason is given, in the order of the filters
}

// Refused counts the instances that gave a reason.
type Refused struct {
	Reason    string
	Instances int
}

// Explain asks every candidate: it costs as much as there are instances, and is meant for when Place has left copies over,
// or somebody wants to know.
func Explain(x *Index, req Request) Explanation {
	x.settle()
	var e Explanation
	f := x.newFilters(&req)
	passed := map[string]int{} // by the filter, so that counts are in the filters' order
	for _, n := range x.candidates(&req) {
		e.Instances++
		r, refused := f.refuse(n)
		if !refused {
			e.Fitting++
			continue
		}
		e.Rejections = append(e.Rejections, r)
		i := slices.IndexFunc(e.Reasons, func(c Refused) bool { return c.Reason == r.Reason })
		if i < 0 {
			i, e.Reasons = len(e.Reasons), append(e.Reasons, Refused{Reason: r.Reason})
			passed[r.Reason] = r.Passed
		}
		e.Reasons[i].Instances++
	}
	slices.SortFunc(e.Reasons, func(a, b Refused) int { return cmp.Compare(passed[a.Reason], passed[b.Reason]) })
	return e
}

// Closest returns the rejection by the instance that came nearest to taking the task (SEMANTICS §5): the one that passed the
// most filters, the first of equals.
func (e *Explanation) Closest() (Rejection, bool) {
	if len(e.Rejections) == 0 {
		return Rejection{}, false
	}
	return slices.MaxFunc(e.Rejections, func(a, b Rejection) int { return cmp.Compare(a.Passed, b.Passed) }), true
}

// candidates are the ACTIVE nodes that the request may choose from, in the order of their ids.
func (x *Index) candidates(req *Request) []*node {
	d := x.domains[req.domain()]
	if d == nil {
		return nil
	}
	var all []*node
	for _, c := range d.classes {
		if c.sample.Status == model.InstanceActive && inPool(c.sample, req) {
			c.byCPU.walk(0, c.size(), minimum, func(e *entry) bool { all = append(all, x.roster[e.node]); return true })
		}
	}
	slices.SortFunc(all, (*node).compare)
	return all
}
