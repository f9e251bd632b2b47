package policy

import (
	"encoding/base64"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// operator is a condition operator: [ForAllValues:|ForAnyValue:]NAME[IfExists].
type operator struct {
	comparison comparison
	negated    bool
	set        set
	ifExists   bool
}

type comparison int

const (
	stringEquals comparison = iota
	stringFold
	stringLike
	arnLike
	numericEquals
	numericLess
	numericLessEquals
	numericGreater
	numericGreaterEquals
	dateEquals
	dateLess
	dateLessEquals
	dateGreater
	dateGreaterEquals
	boolean
	binary
	ipAddress
	isNull
)

type set int

const (
	single set = iota
	forAll
	forAny
)

// comparisons are the operators by their names in lower case; negations with their own.
var comparisons = map[string]operator{
	"stringequals":              {comparison: stringEquals},
	"stringnotequals":           {comparison: stringEquals, negated: true},
	"stringequalsignorecase":    {comparison: stringFold},
	"stringnotequalsignorecase": {comparison: stringFold, negated: true},
	"stringlike":                {comparison: stringLike},
	"stringnotlike":             {comparison: stringLike, negated: true},
	"arnequals":                 {comparison: arnLike}, // the same as ArnLike [D]
	"arnlike":                   {comparison: arnLike},
	"arnnotequals":              {comparison: arnLike, negated: true},
	"arnnotlike":                {comparison: arnLike, negated: true},
	"numericequals":             {comparison: numericEquals},
	"numericnotequals":          {comparison: numericEquals, negated: true},
	"numericlessthan":           {comparison: numericLess},
	"numericlessthanequals":     {comparison: numericLessEquals},
	"numericgreaterthan":        {comparison: numericGreater},
	"numericgreaterthanequals":  {comparison: numericGreaterEquals},
	"dateequals":                {comparison: dateEquals},
	"datenotequals":             {comparison: dateEquals, negated: true},
	"datelessthan":              {comparison: dateLess},
	"datelessthanequals":        {comparison: dateLessEquals},
	"dategreaterthan":           {comparison: dateGreater},
	"dategreaterthanequals":     {comparison: dateGreaterEquals},
	"bool":                      {comparison: boolean},
	"binaryequals":              {comparison: binary},
	"ipaddress":                 {comparison: ipAddress},
	"notipaddress":              {comparison: ipAddress, negated: true},
	"null":                      {comparison: isNull},
}

// parseOperator reads the name of an operator, in any case [I]. Null asks for existence itself and has no IfExists [D].
func parseOperator(name string) (operator, bool) {
	name = strings.ToLower(name)
	quantifier := single
	if rest, ok := strings.CutPrefix(name, "forallvalues:"); ok {
		name, quantifier = rest, forAll
	} else if rest, ok := strings.CutPrefix(name, "foranyvalue:"); ok {
		name, quantifier = rest, forAny
	}
	name, ifExists := strings.CutSuffix(name, "ifexists")
	op, ok := comparisons[name]
	if op.comparison == isNull && (ifExists || quantifier != single) {
		ok = false
	}
	op.set, op.ifExists = quantifier, ifExists
	return op, ok
}

func (c comparison) date() bool { return dateEquals <= c && c <= dateGreaterEquals }

// operand is a value of a condition, read once as what its operator compares.
type operand struct {
	pattern
	number  float64
	at      time.Time
	prefix  netip.Prefix
	invalid bool // not of the operator's type: equals nothing
}

func newOperand(c comparison, text string, variables bool) operand {
	var o operand
	ok := true
	switch {
	case c == stringEquals:
		o.pattern = compile(text, syntax{variables: variables})
	case c == stringFold:
		o.pattern = compile(strings.ToLower(text), syntax{variables: variables})
	case c == stringLike, c == arnLike:
		o.pattern = compile(text, syntax{wildcards: true, variables: variables})
	case c <= numericGreaterEquals:
		o.number, ok = parseNumber(text)
	case c.date():
		o.at, ok = parseDate(text)
	case c == boolean, c == isNull:
		o.pattern = compile(strings.ToLower(text), syntax{variables: variables && c == boolean})
	case c == binary:
		raw, err := base64.StdEncoding.DecodeString(text)
		o.text, ok = string(raw), err == nil
	case c == ipAddress:
		o.prefix, ok = parsePrefix(text)
	}
	o.invalid = !ok
	return o
}

// equals compares a value of the request; resolved is false if the operand has a variable without a value.
func (o *operand) equals(c comparison, v string, ctx *Context) (equal, resolved bool) {
	switch {
	case o.invalid:
		return false, true
	case c == stringEquals, c == stringLike:
		return o.matches(v, ctx)
	case c == stringFold, c == boolean:
		return o.fold(v, ctx)
	case c == arnLike:
		return o.matchesARN(v, ctx)
	case c <= numericGreaterEquals:
		n, ok := parseNumber(v)
		return ok && ordered(c-numericEquals, compareFloats(n, o.number)), true
	case c.date():
		t, ok := parseDate(v)
		return ok && ordered(c-dateEquals, t.Compare(o.at)), true
	case c == binary:
		return v == o.text, true
	}
	addr, err := netip.ParseAddr(v)
	return err == nil && o.prefix.Contains(addr.Unmap()), true
}

func (o *operand) fold(v string, ctx *Context) (equal, resolved bool) {
	if o.pieces == nil {
		return len(v) == len(o.text) && foldedPrefix(v, o.text) || strings.EqualFold(v, o.text), true
	}
	text, ok := o.expand(nil, ctx)
	return ok && strings.EqualFold(v, string(text)), ok
}

// ordered says whether an operator (by its distance from the equality of its type) holds for a comparison's outcome.
func ordered(c comparison, outcome int) bool {
	switch c {
	case 0:
		return outcome == 0
	case 1:
		return outcome < 0
	case 2:
		return outcome <= 0
	case 3:
		return outcome > 0
	}
	return outcome >= 0
}

func compareFloats(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// parseNumber reads an integer or a decimal, and none of the other things that strconv takes for numbers.
func parseNumber(s string) (float64, bool) {
	if strings.Trim(s, "0123456789.+-eE") != "" {
		return 0, false
	}
	n, err := strconv.ParseFloat(s, 64)
	return n, err == nil
}

// dateForms are the ISO 8601 forms that W3C lists; a time of day has a zone.
var dateForms = []string{"2006-01-02T15:04:05.999999999Z07:00", "2006-01-02T15:04Z07:00", "2006-01-02", "2006-01", "2006"}

// parseDate reads an ISO 8601 date or seconds since the epoch [D]. Four digits are a year.
func parseDate(s string) (time.Time, bool) {
	if len(s) != len("2006") {
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return time.Unix(n, 0), true
		}
	}
	for _, form := range dateForms {
		if t, err := time.Parse(form, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// parsePrefix reads a CIDR block, or an address, which is a block of one [D].
func parsePrefix(s string) (netip.Prefix, bool) {
	if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), true
	}
	p, err := netip.ParsePrefix(s)
	return p.Masked(), err == nil
}

// matchesARN compares each of the six components by itself, so that a star does not reach over a colon, but for those in the
// last one [D]. A pattern of a lone star is any ARN [I].
func (p *pattern) matchesARN(arn string, c *Context) (matched, resolved bool) {
	var room [160]byte
	text, ok := p.expand(room[:0], c)
	if !ok {
		return false, false
	}
	if len(text) == 1 && text[0] == star {
		return strings.Count(arn, ":") >= 5, true
	}
	for range 5 {
		i, k := indexColon(text), strings.IndexByte(arn, ':')
		if i < 0 || k < 0 || !globbed(text[:i], arn[:k], false) {
			return false, true
		}
		text, arn = text[i+1:], arn[k+1:]
	}
	return globbed(text, arn, false), true
}

func indexColon(b []byte) int {
	for i, c := range b {
		if c == ':' {
			return i
		}
	}
	return -1
}
