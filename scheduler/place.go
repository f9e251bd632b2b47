package scheduler

import (
	"math/rand/v2"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// Request asks for Count copies of one task.
type Request struct {
	model.Scope
	Cluster string
	Count   int
	// Need is what one copy reserves; Need.GPUs is empty, GPUs counts the devices.
	Need model.Resources
	GPUs int
	// Attributes are required of the instance (ATTRIBUTE); one without value asks for its presence.
	Attributes []model.Attribute
	// Zones are those of the subnets of an awsvpc task (LOCATION); empty means anywhere.
	Zones []string
	// Seed decides ties: the same request on the same tables with the same seed gives the same answer.
	Seed uint64
}

// Placement is one copy's place.
type Placement struct {
	Instance *model.Instance
	GPUs     []string // the devices that the copy gets
	Address  string   // of its network interface; "" if it needs none, or the instance registered no subnet
}

// Result is a decision with its explanation.
type Result struct {
	Placements []Placement
	Unplaced   int // copies without a place
	// Instances is how many ACTIVE instances the cluster has; with none there is nothing to explain.
	Instances int
	// Rejections say for each instance that could not take a further copy which filter refused it first, in the order
	// of the instances' ids. It is complete only if Unplaced > 0.
	Rejections []Rejection
}

// Rejection is why one instance did not get a copy.
type Rejection struct {
	Instance *model.Instance
	Reason   string // as in failures[].reason: AGENT, RESOURCE:MEMORY, LOCATION, ATTRIBUTE ...
	Detail   string // what exactly is missing, "" if the reason says it all
	Passed   int    // filters that the instance did pass: the most is the closest match
}

// Place decides where the copies go (SEMANTICS §5): the ACTIVE instances that pass every filter, and among them the
// strategy's choice, which without one is random [D: no default is documented for RunTask].
func Place(t *state.Tables, req Request) Result {
	var r Result
	var fit []*candidate
	for i := range t.InstancesOf(req.Scope, req.Cluster) {
		if i.Status != model.InstanceActive {
			continue
		}
		r.Instances++
		c := newCandidate(i, t.Usage(i.Key()))
		if rej, ok := c.reject(&req); ok {
			r.Rejections = append(r.Rejections, rej)
			continue
		}
		fit = append(fit, c)
	}
	r.choose(&req, fit)
	return r
}

// choose places copy after copy on one of the fitting candidates, dropping those that are full.
func (r *Result) choose(req *Request, fit []*candidate) {
	rng := rand.New(rand.NewPCG(req.Seed, 0))
	for range req.Count {
		if len(fit) == 0 {
			r.Unplaced = req.Count - len(r.Placements)
			sortRejections(r.Rejections)
			return
		}
		n := rng.IntN(len(fit))
		c := fit[n]
		r.Placements = append(r.Placements, c.take(req))
		if rej, full := c.reject(req); full {
			r.Rejections = append(r.Rejections, rej)
			fit[n] = fit[len(fit)-1]
			fit = fit[:len(fit)-1]
		}
	}
}

// Closest returns the rejection of the instance that came nearest to taking the task (SEMANTICS §5): the one that passed
// the most filters, the first of equals.
func (r *Result) Closest() (Rejection, bool) {
	var best Rejection
	found := false
	for _, x := range r.Rejections {
		if !found || x.Passed > best.Passed {
			best, found = x, true
		}
	}
	return best, found
}

// Start decides whether one copy fits on the instance, ACTIVE or DRAINING, whatever a strategy would choose
// (StartTask: SEMANTICS §2.3). The rejection is valid if ok is false.
func Start(t *state.Tables, req Request, i *model.Instance) (p Placement, rej Rejection, ok bool) {
	c := newCandidate(i, t.Usage(i.Key()))
	if rej, no := c.reject(&req); no {
		return Placement{}, rej, false
	}
	return c.take(&req), Rejection{}, true
}
