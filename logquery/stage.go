package logquery

import (
	"encoding/binary"
	"math"
	"regexp"
	"slices"
	"strings"
)

// mapTo makes a stage that changes rows.
func mapTo(f func(*row)) maker {
	return func(_ *Run, next stage) stage {
		return &mapping{next, func(r *row) bool { f(r); return true }, true}
	}
}

// filterBy makes a stage that drops those rows for which f is false.
func filterBy(f func(*row) bool) maker {
	return func(_ *Run, next stage) stage { return &mapping{next, f, false} }
}

type mapping struct {
	next stage
	f    func(*row) bool
	all  bool // it drops none
}

func (m *mapping) add(r *row) bool { return !m.f(r) || m.next.add(r) }
func (m *mapping) end()            { m.next.end() }

func limitTo(n int) maker {
	return func(_ *Run, next stage) stage { return &limiting{next, n} }
}

type limiting struct {
	next stage
	left int
}

func (l *limiting) add(r *row) bool {
	if l.left <= 0 {
		return false
	}
	l.left--
	return l.next.add(r) && l.left > 0
}

func (l *limiting) end() { l.next.end() }

// wanted is how many of the first rows that a stage is handed can matter.
func wanted(s stage) int {
	switch s := s.(type) {
	case *limiting:
		return s.left
	case *mapping:
		if s.all {
			return wanted(s.next)
		}
	}
	return math.MaxInt / 2 // all: rows that a filter drops, or a command gathers, leave room for later ones
}

// dedup keeps the first row of each combination of fields. Rows that lack one of them are no duplicates [D].
func (p *queryParser) dedup(q *Query) error {
	names, err := p.names()
	if err != nil {
		return err
	}
	q.stages = append(q.stages, func(run *Run, next stage) stage {
		seen := map[string]bool{}
		return &mapping{next: next, f: func(r *row) bool {
			values := make([]Value, len(names))
			for i, n := range names {
				if values[i] = r.get(n); !values[i].there() {
					return true
				}
			}
			key := keyOf(values)
			if seen[key] || !run.hold(len(key)+heldEntry) {
				return false
			}
			seen[key] = true
			return true
		}}
	})
	return nil
}

// keyOf is a text that other values do not have.
func keyOf(values []Value) string {
	var b []byte
	for _, v := range values {
		text := v.String()
		b = binary.AppendUvarint(append(b, byte(v.kind)), uint64(len(text)))
		b = append(b, text...)
	}
	return string(b)
}

type order struct {
	by   formula
	sign int
}

// sort reads its fields, each with asc or desc.
func (p *queryParser) sort(q *Query) error {
	var orders []order
	for {
		f, err := p.formula()
		if err != nil {
			return err
		}
		o := order{f, 1}
		if p.take("desc") {
			o.sign = -1
		} else {
			p.take("asc")
		}
		if orders = append(orders, o); !p.take(",") {
			break
		}
	}
	q.stages = append(q.stages, func(run *Run, next stage) stage {
		return &sorting{run: run, next: next, orders: orders, most: wanted(next)}
	})
	return nil
}

// sorting gathers all rows that come, and hands them on in their order. What cannot matter any more is let go of.
type sorting struct {
	run    *Run
	next   stage
	orders []order
	most   int
	rows   []*row
}

func (s *sorting) add(r *row) bool {
	if s.rows = append(s.rows, r); !r.keep() {
		return false
	}
	if len(s.rows) >= 2*s.most {
		s.sort()
		for _, r := range s.rows[s.most:] {
			r.release()
		}
		clear(s.rows[s.most:])
		s.rows = s.rows[:s.most]
	}
	return true
}

func (s *sorting) sort() {
	slices.SortStableFunc(s.rows, func(a, b *row) int {
		for _, o := range s.orders {
			if c := o.by(a).order(o.by(b)); c != 0 {
				return o.sign * c
			}
		}
		return 0
	})
}

func (s *sorting) end() {
	s.sort()
	for _, r := range s.rows {
		if !s.next.add(r) {
			break
		}
	}
	s.next.end()
}

// parse reads: parse FIELD "a * b *" as x, y; or parse FIELD /(?<x>...)/. Without a field it is about @message.
func (p *queryParser) parse(q *Query) error {
	of := formula(func(r *row) Value { return r.get("@message") })
	if t := p.peek(); t.kind == nameToken {
		p.at++
		of = func(r *row) Value { return r.get(t.text) }
	}
	t := p.next()
	var re *regexp.Regexp
	var names []string
	var err error
	switch t.kind {
	case regexToken:
		re, err = regexp.Compile(t.text)
		if err == nil {
			names = re.SubexpNames()[1:]
		}
	case textToken:
		re, err = regexp.Compile(globExpression(t.text))
	default:
		p.at--
		return p.unexpected()
	}
	if err != nil {
		return &QueryError{err.Error(), t.start, t.end}
	}
	if p.take("as") {
		if names, err = p.names(); err != nil {
			return err
		}
	}
	if len(names) != re.NumSubexp() {
		return &QueryError{"parse needs as many names as its pattern has parts", t.start, t.end}
	}
	q.stages = append(q.stages, mapTo(func(r *row) {
		if m := re.FindStringSubmatch(of(r).String()); m != nil {
			for i, n := range names {
				if n != "" {
					r.set(n, textValue(m[i+1]))
				}
			}
		}
	}))
	return nil
}

// globExpression makes a regular expression of a text in which "*" stands for a part that is wanted. The last takes all.
func globExpression(text string) string {
	parts := strings.Split(text, "*")
	var b strings.Builder
	b.WriteString("(?s)")
	for i, part := range parts {
		switch {
		case i == 0:
		case i == len(parts)-1 && part == "":
			b.WriteString("(.*)")
		default:
			b.WriteString("(.*?)")
		}
		b.WriteString(regexp.QuoteMeta(part))
	}
	return b.String()
}
