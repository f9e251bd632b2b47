package logquery

import (
	"encoding/json"
	"math"
	"net/netip"
	"strings"
)

// call reads the arguments of a function.
func (p *queryParser) call(name token) (formula, error) {
	p.at++
	kind := strings.ToLower(name.text)
	switch makes, ok := measures()[kind]; {
	case ok && p.slots != nil:
		return p.measure(name, makes)
	case kind == "bin" || kind == "datefloor" || kind == "dateceil":
		return p.period(kind)
	case kind == "now": // [D] seconds
		if !p.take(")") {
			return nil, p.unexpected()
		}
		return func(r *row) Value { return numberValue(float64(r.run.now / 1000)) }, nil
	}
	f, ok := functions()[kind]
	if !ok {
		return nil, &QueryError{"unknown function " + name.text, name.start, name.end}
	}
	var args []formula
	for !p.take(")") {
		if len(args) > 0 && !p.take(",") {
			return nil, p.unexpected()
		}
		f, err := p.formula()
		if err != nil {
			return nil, err
		}
		args = append(args, f)
	}
	if len(args) < f.least || len(args) > f.most {
		return nil, &QueryError{"wrong number of arguments of " + name.text, name.start, name.end}
	}
	return func(r *row) Value {
		values := make([]Value, len(args))
		for i, a := range args {
			values[i] = a(r)
		}
		return f.apply(values)
	}, nil
}

// A function of values to a value, with so many arguments.
type function struct {
	least, most int
	apply       func([]Value) Value
}

func functions() map[string]function {
	math1 := func(f func(float64) float64) function {
		return function{1, 1, func(v []Value) Value {
			n, ok := v[0].num()
			if n = f(n); !ok || math.IsNaN(n) || math.IsInf(n, 0) {
				return Value{}
			}
			return numberValue(n)
		}}
	}
	text1 := func(f func(string) string) function {
		return function{1, 1, func(v []Value) Value {
			if !v[0].there() {
				return Value{}
			}
			return textValue(f(v[0].String()))
		}}
	}
	return map[string]function{
		"abs": math1(math.Abs), "ceil": math1(math.Ceil), "floor": math1(math.Floor), "log": math1(math.Log), "sqrt": math1(math.Sqrt),
		"tolower": text1(strings.ToLower), "toupper": text1(strings.ToUpper), "unmask": text1(func(s string) string { return s }), // nothing is masked
		"trim": trimmed(strings.Trim), "ltrim": trimmed(strings.TrimLeft), "rtrim": trimmed(strings.TrimRight),
		"isvalidip":   ofAddress(func(netip.Addr) bool { return true }),
		"isvalidipv4": ofAddress(netip.Addr.Is4), "isvalidipv6": ofAddress(netip.Addr.Is6),
		"isipinsubnet":   inSubnet(func(netip.Addr) bool { return true }),
		"isipv4insubnet": inSubnet(netip.Addr.Is4), "isipv6insubnet": inSubnet(netip.Addr.Is6),
		"jsonparse":     {1, 1, func(v []Value) Value { return structure(v[0].String()) }},
		"jsonstringify": {1, 1, func(v []Value) Value { return textValue(v[0].String()) }},
		"strlen":        {1, 1, func(v []Value) Value { return numberValue(float64(len([]rune(v[0].String())))) }},
		"strcontains":   {2, 2, func(v []Value) Value { return boolValue(strings.Contains(v[0].String(), v[1].String())) }},
		"replace":       {3, 3, replace},
		"substr":        {2, 3, substr},
		"concat":        {1, 100, concat},
		"coalesce": {1, 100, func(v []Value) Value {
			for i := range v {
				if v[i].there() {
					return v[i]
				}
			}
			return Value{}
		}},
		"ispresent": {1, 1, func(v []Value) Value { return boolValue(v[0].there()) }},
		"isempty":   {1, 1, func(v []Value) Value { return boolValue(!v[0].there() || v[0].String() == "") }},
		"isblank":   {1, 1, func(v []Value) Value { return boolValue(strings.TrimSpace(v[0].String()) == "") }},
		"greatest":  {1, 100, func(v []Value) Value { return extreme(v, 1) }},
		"least":     {1, 100, func(v []Value) Value { return extreme(v, -1) }},
		"tomillis": {1, 1, func(v []Value) Value {
			if v[0].kind != aTime {
				return Value{}
			}
			return numberValue(v[0].number)
		}},
		"frommillis": {1, 1, func(v []Value) Value {
			n, ok := v[0].num()
			if !ok {
				return Value{}
			}
			return timeValue(int64(n))
		}},
	}
}

// maxText is how long a text may be that is made of others, as long as a message: functions within functions would fill the memory.
// What would be longer is nothing.
const maxText = 1 << 20

func replace(v []Value) Value {
	s, from, to := v[0].String(), v[1].String(), v[2].String()
	if len(s)+strings.Count(s, from)*(len(to)-len(from)) > maxText {
		return Value{}
	}
	return textValue(strings.ReplaceAll(s, from, to))
}

func concat(v []Value) Value {
	var b strings.Builder
	for i := range v {
		if b.WriteString(v[i].String()); b.Len() > maxText {
			return Value{}
		}
	}
	return textValue(b.String())
}

// trimmed cuts white space off a text, or the characters that are named.
func trimmed(f func(s, cutset string) string) function {
	return function{1, 2, func(v []Value) Value {
		cutset := " \t\r\n"
		if len(v) == 2 {
			cutset = v[1].String()
		}
		if !v[0].there() {
			return Value{}
		}
		return textValue(f(v[0].String(), cutset))
	}}
}

// ofAddress asks something of an IP address; what is none is not so.
func ofAddress(is func(netip.Addr) bool) function {
	return function{1, 1, func(v []Value) Value {
		a, err := netip.ParseAddr(v[0].String())
		return boolValue(err == nil && a.Zone() == "" && is(a))
	}}
}

func inSubnet(is func(netip.Addr) bool) function {
	return function{2, 2, func(v []Value) Value {
		a, err := netip.ParseAddr(v[0].String())
		subnet, bad := netip.ParsePrefix(v[1].String())
		return boolValue(err == nil && bad == nil && is(a) && subnet.Contains(a))
	}}
}

// structure is the map or list that a text is as JSON; nothing if it is neither.
func structure(text string) Value {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var node any
	if d.Decode(&node) != nil {
		return Value{}
	}
	switch node.(type) {
	case map[string]any, []any:
		return Value{kind: aStructure, node: node, text: text}
	}
	return Value{}
}

func extreme(v []Value, sign int) Value {
	best := v[0]
	for _, o := range v[1:] {
		if o.there() && (!best.there() || o.compare(best) == sign) {
			best = o
		}
	}
	return best
}

func substr(v []Value) Value {
	s := []rune(v[0].String())
	from, _ := v[1].num()
	begin := min(max(int(from), 0), len(s))
	end := len(s)
	if len(v) == 3 {
		n, _ := v[2].num()
		end = min(begin+max(int(n), 0), len(s))
	}
	return textValue(string(s[begin:end]))
}
