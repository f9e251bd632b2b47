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

type aggregate struct {
	name string
	make func() measure
}

type grouping struct {
	name string
	by   formula
}

// stats reads: stats count(*) as n, avg(x) by a, bin(5m).
func (p *queryParser) stats(q *Query) error {
	var all []aggregate
	var groups []grouping
	for {
		a, err := p.aggregate()
		if err != nil {
			return err
		}
		if all = append(all, a); !p.take(",") {
			break
		}
	}
	q.shown = nil
	if p.take("by") {
		for {
			name, f, err := p.named()
			if err != nil {
				return err
			}
			groups = append(groups, grouping{name, f})
			q.shown = append(q.shown, name)
			if !p.take(",") {
				break
			}
		}
	}
	for _, a := range all {
		q.shown = append(q.shown, a.name)
	}
	q.stages = append(q.stages, func(next stage) stage {
		return &statistics{next: next, aggregates: all, groups: groups, found: map[string]*group{}}
	})
	return nil
}

// aggregate reads one function of stats and its name.
func (p *queryParser) aggregate() (aggregate, error) {
	from := p.at
	t := p.next()
	makes, ok := measures()[strings.ToLower(t.text)]
	if !ok || !p.take("(") {
		return aggregate{}, &QueryError{"stats needs a function such as count(*), not " + t.text, t.start, t.end}
	}
	var args []formula
	for !p.take(")") {
		if len(args) > 0 && !p.take(",") {
			return aggregate{}, p.unexpected()
		}
		if p.take("*") {
			args = append(args, func(*row) Value { return numberValue(1) })
			continue
		}
		f, err := p.formula()
		if err != nil {
			return aggregate{}, err
		}
		args = append(args, f)
	}
	if len(args) == 0 && strings.EqualFold(t.text, "count") {
		args = append(args, func(*row) Value { return numberValue(1) })
	}
	if want := map[bool]int{true: 2, false: 1}[strings.EqualFold(t.text, "pct") || strings.EqualFold(t.text, "percentile")]; len(args) != want {
		return aggregate{}, &QueryError{"wrong number of arguments of " + t.text, t.start, t.end}
	}
	a := aggregate{name: p.source(from), make: func() measure { return makes(args) }}
	if p.take("as") {
		n := p.next()
		if n.kind != nameToken {
			p.at--
			return aggregate{}, p.unexpected()
		}
		a.name = n.text
	}
	return a, nil
}

type group struct {
	keys     []Value
	measures []measure
}

// statistics groups rows. Groups beyond what may be gathered are left out.
type statistics struct {
	next       stage
	aggregates []aggregate
	groups     []grouping
	found      map[string]*group
	order      []*group
}

func (s *statistics) add(r *row) bool {
	keys := make([]Value, len(s.groups))
	var b strings.Builder
	for i, g := range s.groups {
		keys[i] = g.by(r)
		b.WriteByte(byte('0' + keys[i].kind))
		b.WriteString(keys[i].String())
		b.WriteByte(0)
	}
	g := s.found[b.String()]
	if g == nil {
		if len(s.order) >= maxGathered {
			return true
		}
		g = &group{keys: keys}
		for _, a := range s.aggregates {
			g.measures = append(g.measures, a.make())
		}
		s.found[b.String()] = g
		s.order = append(s.order, g)
	}
	for _, m := range g.measures {
		m.add(r)
	}
	return true
}

func (s *statistics) end() {
	if len(s.order) == 0 && len(s.groups) == 0 { // a count of nothing is 0
		s.order = []*group{{}}
		for _, a := range s.aggregates {
			s.order[0].measures = append(s.order[0].measures, a.make())
		}
	}
	for _, g := range s.order {
		r := &row{}
		for i, k := range g.keys {
			if k.there() {
				r.set(s.groups[i].name, k)
			}
		}
		for i, m := range g.measures {
			if v := m.value(); v.there() {
				r.set(s.aggregates[i].name, v)
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
	if v := d.of(r); v.there() && len(d.seen) < maxGathered {
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
	if v.there() && (!e.best.there() || at.compare(e.at) == e.sign) {
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
	if p.rank, _ = p.at(r).num(); ok && len(p.seen) < 4*maxGathered {
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
