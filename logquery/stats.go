package logquery

import (
	"math"
	"slices"
	"strings"
)

// A measure is what stats computes over rows.
type measure interface {
	add(*row)
	value() Value
}

// A computed field of stats, or what it groups by.
type computed struct {
	name string
	f    formula
}

// stats reads: stats count(*) as n, sum(x) / n as mean by a, bin(5m). What it computes may refer to what stands before it [D].
func (p *queryParser) stats(q *Query) error {
	var slots []func() measure
	p.slots = &slots
	defer func() { p.slots = nil }()
	first := p.peek()
	fields, err := p.computed()
	switch {
	case err != nil:
		return err
	case len(slots) == 0:
		return &QueryError{"stats needs a function such as count(*), not " + first.text, first.start, first.end}
	}
	p.slots = nil
	var groups []computed
	q.shown = nil
	if p.take("by") {
		if groups, err = p.computed(); err != nil {
			return err
		}
	}
	for _, c := range slices.Concat(groups, fields) {
		q.shown = append(q.shown, c.name)
	}
	q.stages = append(q.stages, func(run *Run, next stage) stage {
		return &statistics{run: run, next: next, slots: slots, fields: fields, groups: groups, found: map[string]*group{}}
	})
	return nil
}

func (p *queryParser) computed() ([]computed, error) {
	var all []computed
	for {
		name, f, err := p.named()
		if err != nil {
			return nil, err
		}
		if all = append(all, computed{name, f}); !p.take(",") {
			return all, nil
		}
	}
}

// measure reads the arguments of a function of stats. Its value is what it has computed over the rows of a group.
func (p *queryParser) measure(name token, makes func([]formula) measure) (formula, error) {
	slots := p.slots
	p.slots = nil // there are none within others
	defer func() { p.slots = slots }()
	one := formula(func(*row) Value { return numberValue(1) })
	var args []formula
	for !p.take(")") {
		if len(args) > 0 && !p.take(",") {
			return nil, p.unexpected()
		}
		if p.take("*") {
			args = append(args, one)
			continue
		}
		f, err := p.formula()
		if err != nil {
			return nil, err
		}
		args = append(args, f)
	}
	kind := strings.ToLower(name.text)
	if len(args) == 0 && kind == "count" {
		args = append(args, one)
	}
	if want := map[bool]int{true: 2, false: 1}[kind == "pct" || kind == "percentile"]; len(args) != want {
		return nil, &QueryError{"wrong number of arguments of " + name.text, name.start, name.end}
	}
	*slots = append(*slots, func() measure { return makes(args) })
	i := len(*slots) - 1
	return func(r *row) Value { return r.slots[i] }, nil
}

type group struct {
	keys     []Value
	measures []measure
}

// statistics groups rows.
type statistics struct {
	run    *Run
	next   stage
	slots  []func() measure
	fields []computed
	groups []computed
	found  map[string]*group
	order  []*group
}

func (s *statistics) add(r *row) bool {
	keys := make([]Value, len(s.groups))
	for i, g := range s.groups {
		keys[i] = g.f(r)
	}
	key := keyOf(keys)
	g := s.found[key]
	if g == nil {
		if !s.run.hold(2*len(key) + heldRow + len(s.slots)*heldEntry) {
			return false
		}
		g = s.open(keys)
		s.found[key] = g
	}
	for _, m := range g.measures {
		m.add(r)
	}
	return s.run.err == nil
}

func (s *statistics) open(keys []Value) *group {
	g := &group{keys: keys}
	for _, make := range s.slots {
		g.measures = append(g.measures, make())
	}
	s.order = append(s.order, g)
	return g
}

func (s *statistics) end() {
	if len(s.order) == 0 && len(s.groups) == 0 { // a count of nothing is 0
		s.open(nil)
	}
	for _, g := range s.order {
		r := &row{run: s.run}
		for i, k := range g.keys {
			if k.there() {
				r.set(s.groups[i].name, k)
			}
		}
		for _, m := range g.measures {
			r.slots = append(r.slots, m.value())
		}
		for _, c := range s.fields {
			if v := c.f(r); v.there() {
				r.set(c.name, v)
			}
		}
		if !s.next.add(r) {
			break
		}
	}
	s.next.end()
}

func measures() map[string]func([]formula) measure {
	fold := func(f func(sum, n float64) float64) func([]formula) measure {
		return func(args []formula) measure { return &folded{of: args[0], f: f} }
	}
	return map[string]func([]formula) measure{
		"count":          func(a []formula) measure { return &counted{of: a[0]} },
		"count_distinct": func(a []formula) measure { return &distinct{of: a[0], seen: map[string]bool{}} },
		"sum":            fold(func(sum, _ float64) float64 { return sum }),
		"avg":            fold(func(sum, n float64) float64 { return sum / n }),
		"min":            func(a []formula) measure { return &extremum{of: a[0], sign: -1} },
		"max":            func(a []formula) measure { return &extremum{of: a[0], sign: 1} },
		"sortsfirst":     func(a []formula) measure { return &extremum{of: a[0], sign: -1} },
		"sortslast":      func(a []formula) measure { return &extremum{of: a[0], sign: 1} },
		"earliest":       func(a []formula) measure { return &extremum{of: a[0], by: "@timestamp", sign: -1} },
		"latest":         func(a []formula) measure { return &extremum{of: a[0], by: "@timestamp", sign: 1} },
		"stddev":         func(a []formula) measure { return &spread{of: a[0]} },
		"median": func(a []formula) measure {
			return &percentile{of: a[0], at: func(*row) Value { return numberValue(50) }}
		},
		"pct":        func(a []formula) measure { return &percentile{of: a[0], at: a[1]} },
		"percentile": func(a []formula) measure { return &percentile{of: a[0], at: a[1]} },
	}
}

type counted struct {
	of formula
	n  int
}

func (c *counted) add(r *row) {
	if c.of(r).there() {
		c.n++
	}
}
func (c *counted) value() Value { return numberValue(float64(c.n)) }

type distinct struct {
	of   formula
	seen map[string]bool
}

func (d *distinct) add(r *row) {
	if v := d.of(r); v.there() && !d.seen[v.String()] && r.run.hold(len(v.String())+heldEntry) {
		d.seen[v.String()] = true
	}
}
func (d *distinct) value() Value { return numberValue(float64(len(d.seen))) }

type folded struct {
	of     formula
	f      func(sum, n float64) float64
	sum, n float64
}

func (f *folded) add(r *row) {
	if v, ok := f.of(r).num(); ok {
		f.sum += v
		f.n++
	}
}

func (f *folded) value() Value {
	if f.n == 0 {
		return Value{}
	}
	return numberValue(f.f(f.sum, f.n))
}

// extremum keeps the value that is the greatest or the least, by itself or by another field.
type extremum struct {
	of       formula
	by       string
	sign     int
	best, at Value
}

func (e *extremum) add(r *row) {
	v := e.of(r)
	at := v
	if e.by != "" {
		at = r.get(e.by)
	}
	if v.there() && (!e.best.there() || at.compare(e.at) == e.sign) && r.run.hold(len(v.text)-len(e.best.text)) {
		e.best, e.at = v, at
	}
}
func (e *extremum) value() Value { return e.best }

// spread is the standard deviation, by Welford's way.
type spread struct {
	of          formula
	n, mean, m2 float64
}

func (s *spread) add(r *row) {
	if v, ok := s.of(r).num(); ok {
		s.n++
		d := v - s.mean
		s.mean += d / s.n
		s.m2 += d * (v - s.mean)
	}
}

func (s *spread) value() Value {
	if s.n < 2 {
		return Value{}
	}
	return numberValue(math.Sqrt(s.m2 / (s.n - 1)))
}

// percentile keeps the numbers that it has seen.
type percentile struct {
	of, at formula
	rank   float64
	seen   []float64
}

func (p *percentile) add(r *row) {
	v, ok := p.of(r).num()
	if p.rank, _ = p.at(r).num(); ok && r.run.hold(16) { // a slice may have grown to twice its length
		p.seen = append(p.seen, v)
	}
}

func (p *percentile) value() Value {
	if len(p.seen) == 0 {
		return Value{}
	}
	slices.Sort(p.seen)
	i := int(math.Ceil(p.rank/100*float64(len(p.seen)))) - 1
	return numberValue(p.seen[min(max(i, 0), len(p.seen)-1)])
}
