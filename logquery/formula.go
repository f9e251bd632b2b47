package logquery

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A formula computes a value from a row.
type formula func(*row) Value

// A reader of a query's tokens.
type queryParser struct {
	query  string
	tokens []token
	at     int
	depth  int
	slots  *[]func() measure // where functions of stats may be called: those that were
}

func (p *queryParser) peek() token { return p.tokens[p.at] }

func (p *queryParser) next() token {
	t := p.tokens[p.at]
	if t.kind != endToken {
		p.at++
	}
	return t
}

// is says whether the next token is the word or symbol; words in any case.
func (p *queryParser) is(text string) bool {
	t := p.peek()
	return (t.kind == nameToken || t.kind == symbolToken) && strings.EqualFold(t.text, text)
}

func (p *queryParser) take(text string) bool {
	if p.is(text) {
		p.at++
		return true
	}
	return false
}

func (p *queryParser) fail(format string, args ...any) error {
	t := p.peek()
	return &QueryError{fmt.Sprintf(format, args...), t.start, t.end}
}

func (p *queryParser) unexpected() error {
	if t := p.peek(); t.kind != endToken {
		return p.unexpectedToken(t)
	}
	return p.fail("unexpected end of the query")
}

// unexpectedToken is AWS's text [O]; that it counts lines and places in them is [I].
func (p *queryParser) unexpectedToken(t token) error {
	before := p.query[:t.start]
	line := 1 + strings.Count(before, "\n")
	return &QueryError{fmt.Sprintf("unexpected symbol found %s at line %d and position %d", t.text, line, t.start-strings.LastIndex(before, "\n")), t.start, t.end}
}

// source is the text between two tokens.
func (p *queryParser) source(from int) string {
	return p.query[p.tokens[from].start:p.tokens[p.at-1].end]
}

// Levels of operators, those that bind least first.
func levels() [][]string {
	return [][]string{{"or", "||"}, {"and", "&&"}, {"=", "!=", "<", ">", "<=", ">=", "like", "=~", "in", "not"}, {"+", "-"}, {"*", "/", "%"}, {"^"}}
}

func (p *queryParser) formula() (formula, error) { return p.level(0) }

func (p *queryParser) level(n int) (formula, error) {
	if p.depth++; p.depth > 500 {
		return nil, p.fail("the query is nested too deeply")
	}
	defer func() { p.depth-- }()
	all := levels()
	if n == len(all) {
		return p.unary()
	}
	left, err := p.level(n + 1)
	for err == nil {
		op := ""
		for _, o := range all[n] {
			if p.is(o) {
				op = o
			}
		}
		if op == "" {
			return left, nil
		}
		p.at++
		left, err = p.binary(left, op, n)
	}
	return nil, err
}

func (p *queryParser) binary(left formula, op string, n int) (formula, error) {
	switch op {
	case "not": // not like, not in
		if !p.is("like") && !p.is("in") {
			return nil, p.unexpected()
		}
		f, err := p.binary(left, strings.ToLower(p.next().text), n)
		return func(r *row) Value { return boolValue(!f(r).truth()) }, err
	case "like", "=~":
		match, err := p.pattern()
		return func(r *row) Value { v := left(r); return boolValue(v.there() && match(v.String())) }, err
	case "in":
		list, err := p.list()
		return func(r *row) Value {
			v := left(r)
			return boolValue(v.there() && slices.ContainsFunc(list, func(f formula) bool { return v.compare(f(r)) == 0 }))
		}, err
	}
	right, err := p.level(n + 1)
	if err != nil {
		return nil, err
	}
	switch op {
	case "or", "||":
		return func(r *row) Value { return boolValue(left(r).truth() || right(r).truth()) }, nil
	case "and", "&&":
		return func(r *row) Value { return boolValue(left(r).truth() && right(r).truth()) }, nil
	case "+", "-", "*", "/", "%", "^":
		return arithmetic(left, op, right), nil
	}
	return comparing(left, op, right), nil
}

func comparing(left formula, op string, right formula) formula {
	return func(r *row) Value {
		a, b := left(r), right(r)
		if !a.there() || !b.there() {
			return boolValue(op == "!=" && a.there() != b.there())
		}
		c := a.compare(b)
		switch op {
		case "=":
			return boolValue(c == 0)
		case "!=":
			return boolValue(c != 0)
		case "<":
			return boolValue(c < 0)
		case ">":
			return boolValue(c > 0)
		case "<=":
			return boolValue(c <= 0)
		}
		return boolValue(c >= 0)
	}
}

func arithmetic(left formula, op string, right formula) formula {
	return func(r *row) Value {
		a, ok := left(r).num()
		b, too := right(r).num()
		if !ok || !too {
			return Value{}
		}
		switch op {
		case "+":
			a += b
		case "-":
			a -= b
		case "*":
			a *= b
		case "/":
			a /= b
		case "%":
			a = math.Mod(a, b)
		case "^":
			a = math.Pow(a, b)
		}
		if math.IsNaN(a) || math.IsInf(a, 0) {
			return Value{}
		}
		return numberValue(a)
	}
}

// pattern reads what like compares with: a part of the text, or a regular expression.
func (p *queryParser) pattern() (func(string) bool, error) {
	switch t := p.next(); t.kind {
	case textToken:
		return func(s string) bool { return strings.Contains(s, t.text) }, nil
	case regexToken:
		re, err := regexp.Compile(t.text)
		if err != nil {
			return nil, &QueryError{err.Error(), t.start, t.end}
		}
		return re.MatchString, nil
	}
	p.at--
	return nil, p.unexpected()
}

func (p *queryParser) list() ([]formula, error) {
	if !p.take("[") {
		return nil, p.unexpected()
	}
	var list []formula
	for !p.take("]") {
		if len(list) > 0 && !p.take(",") {
			return nil, p.unexpected()
		}
		f, err := p.formula()
		if err != nil {
			return nil, err
		}
		list = append(list, f)
	}
	return list, nil
}

func (p *queryParser) unary() (formula, error) {
	if p.take("not") || p.take("!") {
		f, err := p.level(2)
		return func(r *row) Value { return boolValue(!f(r).truth()) }, err
	}
	if p.take("-") {
		f, err := p.level(len(levels())) // which counts how deep it goes
		return arithmetic(func(*row) Value { return numberValue(0) }, "-", f), err
	}
	if p.take("(") {
		f, err := p.formula()
		if err == nil && !p.take(")") {
			err = p.unexpected()
		}
		return f, err
	}
	t := p.next()
	switch t.kind {
	case textToken:
		v := textValue(t.text)
		return func(*row) Value { return v }, nil
	case numberToken:
		n, err := strconv.ParseFloat(t.text, 64)
		if err != nil {
			return nil, &QueryError{"not a number: " + t.text, t.start, t.end}
		}
		return func(*row) Value { return numberValue(n) }, nil
	case nameToken:
		if p.is("(") && p.query[t.start] != '`' {
			return p.call(t)
		}
		name, err := p.path(t)
		return func(r *row) Value { return r.get(name) }, err
	}
	if t.kind != endToken {
		p.at--
	}
	return nil, p.unexpected()
}

// path reads the rest of a.b[0].c, whose name is a.b.0.c.
func (p *queryParser) path(t token) (string, error) {
	name, end := t.text, t.end
	for p.peek().start == end && p.take("[") {
		i := p.next()
		if i.kind != numberToken || !p.is("]") {
			p.at--
			return "", p.unexpected()
		}
		name += "." + i.text
		if end = p.next().end; p.peek().start == end && strings.HasPrefix(p.peek().text, ".") {
			more := p.next()
			name, end = name+more.text, more.end
		}
	}
	return name, nil
}
