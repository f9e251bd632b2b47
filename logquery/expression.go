package logquery

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A val is a value that a condition looks at.
type val struct {
	kind valKind
	text string // as it is shown
}

type valKind int

const (
	isText valKind = iota // may be a number in a column
	isNumber
	isBool
	isNull
	isOther // an object or an array
)

// A finder returns the values that a selector names, none if there is nothing.
type finder func(selector string) []val

// An expression is a condition of a pattern.
type expression interface {
	holds(finder) bool
	selectors(func(string))
}

type all []expression

func (a all) holds(f finder) bool {
	for _, e := range a {
		if !e.holds(f) {
			return false
		}
	}
	return true
}

func (a all) selectors(f func(string)) {
	for _, e := range a {
		e.selectors(f)
	}
}

type either []expression

func (o either) holds(f finder) bool {
	for _, e := range o {
		if e.holds(f) {
			return true
		}
	}
	return false
}

func (o either) selectors(f func(string)) { all(o).selectors(f) }

// A comparison is a selector, an operator and what its value is compared with.
type comparison struct {
	selector string
	op       string // = != < > <= >= exists missing null true false
	text     string
	number   float64
	numeric  bool // text is a number, and not in quotes
	wild     *regexp.Regexp
}

func (c *comparison) selectors(f func(string)) { f(c.selector) }

// holds: one of the values is as wanted. A field that is not there is neither equal nor unequal [I].
func (c *comparison) holds(find finder) bool {
	found := find(c.selector)
	if c.op == "missing" {
		return len(found) == 0
	}
	return slices.ContainsFunc(found, c.met)
}

func (c *comparison) met(v val) bool {
	switch c.op {
	case "exists":
		return true
	case "null":
		return v.kind == isNull
	case "true", "false":
		return v.kind == isBool && v.text == c.op
	case "=":
		return c.equal(v)
	case "!=":
		return !c.equal(v)
	}
	n, err := strconv.ParseFloat(v.text, 64)
	if err != nil || v.kind > isNumber {
		return false
	}
	switch c.op {
	case "<":
		return n < c.number
	case ">":
		return n > c.number
	case "<=":
		return n <= c.number
	}
	return n >= c.number
}

func (c *comparison) equal(v val) bool {
	if v.kind > isBool {
		return false
	}
	if c.wild != nil {
		return c.wild.MatchString(v.text)
	}
	if c.numeric {
		n, err := strconv.ParseFloat(v.text, 64)
		return err == nil && n == c.number
	}
	return v.text == c.text
}

// A parser reads conditions. Selector reads one off the text.
type parser struct {
	text     string
	selector func(text string) (name, rest string, err error)
	depth    int
}

func (p *parser) skip() { p.text = strings.TrimLeft(p.text, " \t\r\n") }

// take removes a token that the text begins with.
func (p *parser) take(token string) bool {
	p.skip()
	rest, ok := strings.CutPrefix(p.text, token)
	if ok {
		p.text = rest
	}
	return ok
}

// maxDepth bounds how deep parentheses go.
const maxDepth = 50

func (p *parser) or() (expression, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, fmt.Errorf("the filter pattern is nested too deeply")
	}
	defer func() { p.depth-- }()
	var o either
	for {
		e, err := p.and()
		if err != nil {
			return nil, err
		}
		if o = append(o, e); !p.take("||") {
			break
		}
	}
	if len(o) == 1 {
		return o[0], nil
	}
	return o, nil
}

func (p *parser) and() (expression, error) {
	var a all
	for {
		e, err := p.unit()
		if err != nil {
			return nil, err
		}
		if a = append(a, e); !p.take("&&") {
			break
		}
	}
	if len(a) == 1 {
		return a[0], nil
	}
	return a, nil
}

func (p *parser) unit() (expression, error) {
	if p.take("(") {
		e, err := p.or()
		if err == nil && !p.take(")") {
			err = fmt.Errorf("a parenthesis in the filter pattern is not closed at '%s'", p.text)
		}
		return e, err
	}
	p.skip()
	name, rest, err := p.selector(p.text)
	if err != nil {
		return nil, err
	}
	p.text = rest
	return p.comparison(name)
}

func (p *parser) comparison(selector string) (expression, error) {
	c := &comparison{selector: selector}
	if c.op = p.word(); c.op != "" {
		return c, nil
	}
	for _, op := range []string{"!=", "<=", ">=", "=", "<", ">"} {
		if p.take(op) {
			c.op = op
			return c, p.operand(c)
		}
	}
	return nil, fmt.Errorf("an operator is missing in the filter pattern at '%s'", p.text)
}

// word reads the operators that are words.
func (p *parser) word() string {
	for _, w := range []struct{ words, op string }{
		{"IS NULL", "null"}, {"IS TRUE", "true"}, {"IS FALSE", "false"}, {"NOT EXISTS", "missing"}, {"EXISTS", "exists"},
	} {
		p.skip()
		rest := p.text
		ok := true
		for part := range strings.FieldsSeq(w.words) {
			rest = strings.TrimLeft(rest, " \t")
			if ok = len(rest) >= len(part) && strings.EqualFold(rest[:len(part)], part); !ok {
				break
			}
			rest = rest[len(part):]
		}
		if ok {
			p.text = rest
			return w.op
		}
	}
	return ""
}

// operand reads what a value is compared with: a number, a text with or without quotes, in which * stands for anything, or a
// regular expression.
func (p *parser) operand(c *comparison) (err error) {
	p.skip()
	switch {
	case strings.HasPrefix(p.text, "%"):
		c.wild, p.text, err = regex(p.text)
	case strings.HasPrefix(p.text, `"`):
		c.text, p.text, err = quoted(p.text)
		c.wild = wildcard(c.text)
	default:
		end := strings.IndexAny(p.text, " \t\r\n,)]}&|")
		if end < 0 {
			end = len(p.text)
		}
		c.text, p.text = p.text[:end], p.text[end:]
		if c.text == "" {
			return fmt.Errorf("a value is missing in the filter pattern at '%s'", p.text)
		}
		c.number, err = strconv.ParseFloat(c.text, 64)
		c.numeric, err = err == nil, nil
		c.wild = wildcard(c.text)
	}
	if err == nil && strings.ContainsAny(c.op, "<>") && !c.numeric {
		err = fmt.Errorf("%s in the filter pattern needs a number, not '%s'", c.op, c.text)
	}
	return err
}

// wildcard returns an expression for a text with "*"; nil if there is none.
func wildcard(text string) *regexp.Regexp {
	if !strings.Contains(text, "*") {
		return nil
	}
	parts := strings.Split(text, "*")
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	return regexp.MustCompile("(?s)^" + strings.Join(parts, ".*") + "$")
}
