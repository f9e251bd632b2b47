package scheduler

import (
	"slices"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/query"
)

// shape is what many requests have in common: everything that they ask of instances apart from resources and tasks. The
// classes that satisfy it are found once and remembered until the classes change.
type shape struct {
	generation int
	standing   []*class // ACTIVE and of the pool: the candidates
	ready      []*class // those of them that satisfy all that can be asked of a class

	// What remains to be asked of each instance, because of loose attributes, and of its tasks.
	attributes []model.Attribute
	zones      []string
	exprs      []*query.Expr
}

// shapeOf returns the request's shape.
func (x *Index) shapeOf(d *domain, req *Request) *shape {
	x.scratch.key = appendShape(x.scratch.key[:0], req)
	s := d.shapes[string(x.scratch.key)]
	if s != nil && s.generation == d.generation {
		return s
	}
	if len(d.shapes) >= maxShapes || d.shapes == nil {
		d.shapes = map[string]*shape{}
	}
	s = x.newShape(d, req)
	d.shapes[string(x.scratch.key)] = s
	return s
}

// appendShape appends a text that is the same for requests of the same shape.
func appendShape(b []byte, req *Request) []byte {
	b = append(b, req.Pool...)
	for _, z := range req.Zones {
		b = append(append(b, 1), z...)
	}
	for _, a := range req.Attributes {
		b = append(append(b, 2), a.Name...)
		if a.HasValue {
			b = append(append(b, 3), a.Value...)
		}
	}
	for _, c := range req.Constraints {
		if c.Type == model.ConstraintMemberOf {
			b = append(append(b, 4), c.Expression...)
		}
	}
	return b
}

func (x *Index) newShape(d *domain, req *Request) *shape {
	s := &shape{generation: d.generation}
	var attributes []model.Attribute
	for _, a := range req.Attributes {
		if d.loose(a.Name) {
			s.attributes = append(s.attributes, a)
		} else {
			attributes = append(attributes, a)
		}
	}
	zones := req.Zones
	if d.loose(zoneAttribute) {
		s.zones, zones = zones, nil
	}
	var exprs []*query.Expr
	for _, c := range req.Constraints {
		if c.Type != model.ConstraintMemberOf {
			continue
		}
		switch e, err := x.expr(c.Expression); {
		case err != nil: // the API has validated it: nothing satisfies it
			exprs = append(exprs, nil)
		case d.decides(e.Uses()):
			exprs = append(exprs, e)
		default:
			s.exprs = append(s.exprs, e)
		}
	}
	for _, c := range d.classes {
		i := c.sample
		if i.Status != model.InstanceActive || !inPool(i, req) {
			continue
		}
		s.standing = append(s.standing, c)
		if i.AgentConnected && inZone(i, zones) && hasAll(i, attributes) && matchAll(&node{instance: i}, exprs) {
			s.ready = append(s.ready, c)
		}
	}
	return s
}

// decides reports whether all instances of a class answer an expression alike.
func (d *domain) decides(u query.Uses) bool {
	return !u.EC2InstanceID && !u.RegisteredAt && !u.RunningTasks && !u.Tasks && (!u.AgentVersion || !d.loose(versionTrait)) &&
		!slices.ContainsFunc(u.Attributes, func(name string) bool { return d.loose(name) })
}

// zoneAttribute is the attribute that says in which zone an instance is.
const zoneAttribute = "ecs.availability-zone"

func inPool(i *model.Instance, req *Request) bool { return req.Pool == "" || i.Pool() == req.Pool }

func inZone(i *model.Instance, zones []string) bool {
	return len(zones) == 0 || slices.Contains(zones, i.Zone())
}

func hasAll(i *model.Instance, attributes []model.Attribute) bool {
	for _, a := range attributes {
		if !has(i, a) {
			return false
		}
	}
	return true
}

func matchAll(n *node, exprs []*query.Expr) bool {
	for _, e := range exprs {
		if e == nil || !e.Match((*subject)(n)) {
			return false
		}
	}
	return true
}
