package logquery

import (
	"errors"
	"slices"
	"strconv"
	"strings"
)

// Limits of a query: rows that it answers if it does not say, and at most [D], and bytes that all of its commands may hold, about. No other
// limit is one of rows: a command that cannot have all that it needs fails the query, for an answer of a part of the rows would look right.
const (
	defaultRows = 10_000
	maxHeld     = 256 << 20
)

// ErrTooMuch says that a query would have to hold more than it may.
var ErrTooMuch = errors.New("the query has to hold too much at a time: let it filter before it sorts, groups or counts distinct values")

// Query is an Insights query.
type Query struct {
	stages  []maker
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

// A maker makes a stage for a run.
type maker func(r *Run, next stage) stage

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
	case "filter", "where", "filterindex": // [D] the last looks only where an index has the field; we look everywhere
		f, err := p.formula()
		q.stages = append(q.stages, filterBy(func(r *row) bool { return f(r).truth() }))
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
	if slices.Contains(strings.Fields("pattern diff anomaly unnest source lookup join"), strings.ToLower(name.text)) {
		return &QueryError{"Roadstead does not serve the command " + name.text, name.start, name.end}
	}
	return p.unexpectedToken(name)
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
		q.stages = append(q.stages, mapTo(func(r *row) {
			if v := f(r); v.there() {
				r.set(name, v)
			}
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
	now     int64 // when it began, epoch milliseconds
	first   stage
	rows    collected
	matched int64
	left    int // bytes that may be held besides those that are
	err     error
}

// Start begins to answer the query, at a time in epoch milliseconds. Records are to be added from the newest on.
func (q *Query) Start(now int64) *Run {
	q.Limit(defaultRows)
	r := &Run{query: q, now: now, left: maxHeld}
	r.first = &r.rows
	for i, make := range slices.Backward(q.stages) {
		r.first = make(r, r.first)
		if i == q.filters {
			r.first = &mapping{r.first, func(*row) bool { r.matched++; return true }, true}
		}
	}
	return r
}

// hold counts bytes that are kept. It is false if that is too much: the run has failed.
func (r *Run) hold(bytes int) bool {
	if r.left -= bytes; r.left < 0 {
		r.err = ErrTooMuch
	}
	return r.err == nil
}

// Matched is how many records came through the query's filters.
func (r *Run) Matched() int64 { return r.matched }

// Err is why the run has failed: ErrTooMuch, or nil.
func (r *Run) Err() error { return r.err }

// Add looks at a record. It is false when no more are needed.
func (r *Run) Add(record Record) bool {
	return r.first.add(&row{run: r, record: &record}) && r.err == nil
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
	if !r.keep() {
		return false
	}
	c.all = append(c.all, r)
	return true
}

func (c *collected) end() {}
