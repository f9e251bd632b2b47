package query

import (
	"errors"
	"strings"
)

// spellings of the operators, the one that String uses first; a symbol that begins like another stands before it.
var spellings = [...]struct { //nolint:gochecknoglobals // a constant
	text   string
	op     operator
	denied bool
}{
	{"==", equals, false}, {"equals", equals, false},
	{"!=", equals, true}, {"not_equals", equals, true},
	{"=~", matches, false}, {"matches", matches, false},
	{"!~", matches, true}, {"not_matches", matches, true},
	{">=", greaterEqual, false}, {"greater_than_equal", greaterEqual, false},
	{">", greater, false}, {"greater_than", greater, false},
	{"<=", lessEqual, false}, {"less_than_equal", lessEqual, false},
	{"<", less, false}, {"less_than", less, false},
	{"exists", exists, false},
	{"!exists", exists, true}, {"not_exists", exists, true},
	{"in", in, false},
	{"!in", in, true}, {"not_in", in, true},
}

// condition reads SUBJECT OPERATOR [ARGUMENT].
func (p *parser) condition() (*condition, error) {
	c := &condition{}
	if err := p.subject(c); err != nil {
		return nil, err
	}
	at := p.pos
	if !p.operator(c) {
		return nil, p.expected("an operator")
	}
	if !c.op.serves(c.subject) {
		return nil, p.fail(at, "%s%s does not have the operator %s", c.subject, c.name, strings.TrimRight(p.text[at:p.pos], " \t\r\n"))
	}
	offsets, err := p.arguments(c)
	if err != nil {
		return nil, err
	}
	if i, err := c.compile(); err != nil {
		if e, ok := errors.AsType[*SyntaxError](err); ok {
			e.Offset += offsets[i]
		}
		return nil, err
	}
	return c, nil
}

// subject reads what the condition is about.
func (p *parser) subject(c *condition) error {
	for s := attribute; s <= runningTasks; s++ {
		word := s.String()
		rest, ok := strings.CutPrefix(p.text[p.pos:], word)
		if !ok || !strings.HasSuffix(word, ":") && rest != "" && isName(rest[0]) {
			continue
		}
		c.subject = s
		p.pos += len(word)
		if err := p.name(c); err != nil {
			return err
		}
		p.space()
		return nil
	}
	return p.expected("a condition on agentConnected, agentVersion, attribute:NAME, ec2InstanceId, registeredAt, runningTasksCount or task:group")
}

// name reads the name of an attribute or of a task's field.
func (p *parser) name(c *condition) error {
	at := p.pos
	switch c.subject {
	case attribute:
		if c.name = p.run(isName); c.name == "" {
			return p.expected("the name of an attribute")
		}
	case task:
		if c.name = p.run(isName); c.name != TaskGroup && c.name != TaskFamily {
			p.pos = at
			return p.expected(TaskGroup + " or " + TaskFamily)
		}
	case agentConnected, agentVersion, ec2InstanceID, registeredAt, runningTasks:
	}
	return nil
}

// operator reads an operator in either spelling.
func (p *parser) operator(c *condition) bool {
	for _, s := range spellings {
		if isName(s.text[len(s.text)-1]) && p.word(s.text) || !isName(s.text[len(s.text)-1]) && p.symbol(s.text) {
			c.op, c.denied = s.op, s.denied
			return true
		}
	}
	return false
}

// arguments reads what the operator needs and returns where each begins.
func (p *parser) arguments(c *condition) (offsets []int, err error) {
	switch c.op {
	case exists:
		return nil, nil
	case in:
		return p.list(c)
	case matches:
		arg, at, err := p.argument("a pattern", endsPattern)
		c.args = []string{arg}
		if err == nil && p.pos < len(p.text) && p.text[p.pos] == '(' {
			err = p.fail(p.pos, "a pattern with parentheses needs quotes")
		}
		return []int{at}, err
	case equals, less, lessEqual, greater, greaterEqual:
	}
	arg, at, err := p.argument("a value", endsValue)
	c.args = []string{arg}
	return []int{at}, err
}

// list reads "[a, b]": not an empty one [I].
func (p *parser) list(c *condition) (offsets []int, err error) {
	if !p.symbol("[") {
		return nil, p.expected("a list like [a, b]")
	}
	for {
		arg, at, err := p.argument("a value", endsValue)
		if err != nil {
			return nil, err
		}
		c.args, offsets = append(c.args, arg), append(offsets, at)
		switch {
		case p.symbol("]"):
			return offsets, nil
		case !p.symbol(","):
			return nil, p.expected(", or ]")
		}
	}
}

// argument reads a text in quotes of either kind, in which nothing is special, or a bare one, which ends where end says.
func (p *parser) argument(what string, end func(rest string) bool) (arg string, at int, err error) {
	if p.pos < len(p.text) && (p.text[p.pos] == '\'' || p.text[p.pos] == '"') {
		open := p.pos
		length := strings.IndexByte(p.text[open+1:], p.text[open])
		if length < 0 {
			return "", open, p.fail(open, "the quote %c is not closed", p.text[open])
		}
		at, p.pos = open+1, open+1+length+1
		arg = p.text[at : at+length]
		p.space()
		return arg, at, nil
	}
	at = p.pos
	for p.pos < len(p.text) && !end(p.text[p.pos:]) {
		p.pos++
	}
	if p.pos == at {
		return "", at, p.expected(what)
	}
	arg = p.text[at:p.pos]
	p.space()
	return arg, at, nil
}

// endsValue reports whether a value without quotes ends before rest.
func endsValue(rest string) bool { return !isBare(rest[0]) }

// endsPattern is endsValue for patterns, which may hold what else has a meaning, but no parentheses [D: a condition has none].
func endsPattern(rest string) bool {
	return strings.HasPrefix(rest, "&&") || strings.HasPrefix(rest, "||") || strings.IndexByte(" \t\r\n()'\"", rest[0]) >= 0
}

func isBare(c byte) bool { return strings.IndexByte(" \t\r\n()[],'\"&|=<>!", c) < 0 }
