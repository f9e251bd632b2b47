package logquery

import (
	"slices"
	"strconv"
	"strings"
)

// Limits of a query: rows that it answers if it does not say [D], and that a command may gather [I].
const (
	defaultRows = 10_000
	maxGathered = 500_000
)

// Query is an Insights query.
type Query struct {
	stages  []func(next stage) stage
	shown   []string // names that fields, display and stats show; nil means @timestamp and @message
	limited bool     // the query says how many rows it wants
	filters int      // so many stages look at one row at a time: what comes through them is matched
	gathers bool     // a command came that does not
}

// A stage of a query gets rows, and hands rows to the next. add is false when it wants no more.
type stage interface {
	add(*row) bool
	end()
}

// ParseQuery reads a query: commands parted by "|". Its errors are *QueryError.
func ParseQuery(text string) (*Query, error) {
	all, err := tokens(text)
	if err != nil {
		return nil, err
	}
	p := &queryParser{query: text, tokens: all}
	q := &Query{}
	for p.peek().kind != endToken {
		if p.take("|") {
			continue
		}
		if err := p.command(q); err != nil {
			return nil, err
		}
		if t := p.peek(); t.kind != endToken && !p.is("|") {
			return nil, p.unexpected()
		}
	}
	if len(q.stages) == 0 && q.shown == nil {
		return nil, &QueryError{"the query is empty", 0, len(text)}
	}
	return q, nil
}

// Limit sets how many rows are answered if the query does not say it.
func (q *Query) Limit(n int) {
	if !q.limited {
		q.stages, q.limited = append(q.stages, limitTo(n)), true
	}
}

func (p *queryParser) command(q *Query) error {
	name := p.next()
	switch strings.ToLower(name.text) {
	case "stats", "sort", "limit", "head", "tail", "dedup":
		q.gathers = true
	}
	defer func() {
		if !q.gathers {
			q.filters = len(q.stages)
		}
	}()
	switch strings.ToLower(name.text) {
	case "fields":
		return p.fields(q, false)
	case "display":
		return p.fields(q, true)
	case "filter", "where":
		f, err := p.formula()
		q.stages = append(q.stages, mapTo(func(r *row) bool { return f(r).truth() }))
		return err
	case "parse":
		return p.parse(q)
	case "stats":
		return p.stats(q)
	case "sort":
		return p.sort(q)
	case "limit", "head", "tail":
		t := p.next()
		n, err := strconv.Atoi(t.text)
		if err != nil || n < 1 || n > defaultRows {
			return &QueryError{"limit needs a number from 1 to 10000", t.start, t.end}
		}
		q.limited = true
		q.stages = append(q.stages, limitTo(n))
		return nil
	case "dedup":
		return p.dedup(q)
	}
	return &QueryError{"unexpected symbol found " + name.text + " at line 1 and position " + strconv.Itoa(name.start+1), name.start, name.end}
}

// named reads a formula and the name that it has: its alias, or its own text.
func (p *queryParser) named() (string, formula, error) {
	from := p.at
	f, err := p.formula()
	if err != nil {
		return "", nil, err
	}
	name := p.source(from)
	if p.at == from+1 {
		name = p.tokens[from].text // without back-quotes
	}
	if p.take("as") {
		t := p.next()
		if t.kind != nameToken {
			p.at--
			return "", nil, p.unexpected()
		}
		name = t.text
	}
	return name, f, nil
}

// fields adds to what is shown, and display says what is.
func (p *queryParser) fields(q *Query, only bool) error {
	if only {
		q.shown = nil
	}
	for {
		name, f, err := p.named()
		if err != nil {
			return err
		}
		q.shown = append(q.shown, name)
		q.stages = append(q.stages, mapTo(func(r *row) bool {
			if v := f(r); v.there() {
				r.set(name, v)
			}
			return true
		}))
		if !p.take(",") {
			return nil
		}
	}
}

// names reads a list of fields.
func (p *queryParser) names() ([]string, error) {
	var all []string
	for {
		t := p.next()
		if t.kind != nameToken {
			p.at--
			return nil, p.unexpected()
		}
		if all = append(all, t.text); !p.take(",") {
			return all, nil
		}
	}
}

// A Run is a query at work.
type Run struct {
	query   *Query
	first   stage
	rows    collected
	matched int64
}

// Start begins to answer the query. Records are to be added from the newest on.
func (q *Query) Start() *Run {
	q.Limit(defaultRows)
	r := &Run{query: q}
	r.first = &r.rows
	for i, stage := range slices.Backward(q.stages) {
		r.first = stage(r.first)
		if i == q.filters {
			r.first = &mapping{r.first, func(*row) bool { r.matched++; return true }}
		}
	}
	return r
}

// Matched is how many records came through the query's filters.
func (r *Run) Matched() int64 { return r.matched }

// Add looks at a record. It is false when no more are needed.
func (r *Run) Add(record Record) bool {
	return r.first.add(&row{record: &record})
}

// Field of a row of an answer.
type Field struct{ Name, Value string }

// Rows ends the run. Rows of events have their pointer as the last field, @ptr.
func (r *Run) Rows() [][]Field {
	r.first.end()
	shown := r.query.shown
	if shown == nil {
		shown = []string{"@timestamp", "@message"}
	}
	out := make([][]Field, 0, len(r.rows.all))
	for _, one := range r.rows.all {
		var fields []Field
		for _, name := range shown {
			if v := one.get(name); v.there() {
				fields = append(fields, Field{name, v.String()})
			}
		}
		if one.record != nil {
			fields = append(fields, Field{"@ptr", one.record.Pointer})
		}
		out = append(out, fields)
	}
	return out
}

type collected struct{ all []*row }

func (c *collected) add(r *row) bool {
	c.all = append(c.all, r)
	return true
}

func (c *collected) end() {}
