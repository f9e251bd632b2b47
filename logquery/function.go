package logquery

import (
	"math"
	"strings"
	"time"
)

// call reads the arguments of a function.
func (p *queryParser) call(name token) (formula, error) {
	p.at++
	kind := strings.ToLower(name.text)
	if kind == "bin" || kind == "datefloor" || kind == "dateceil" {
		return p.period(kind)
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
	f, ok := functions()[kind]
	if !ok {
		return nil, &QueryError{"unknown function " + name.text, name.start, name.end}
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

// period reads the rest of bin(5m), of datefloor(FIELD, 5m) and of dateceil.
func (p *queryParser) period(kind string) (formula, error) {
	of := formula(func(r *row) Value { return r.get("@timestamp") })
	if kind != "bin" {
		f, err := p.formula()
		if err != nil {
			return nil, err
		}
		if of = f; !p.take(",") {
			return nil, p.unexpected()
		}
	}
	t := p.next()
	step, ok := parsePeriod(t.text)
	if !ok {
		return nil, &QueryError{"not a period of time: " + t.text, t.start, t.end}
	}
	if !p.take(")") {
		return nil, p.unexpected()
	}
	return func(r *row) Value {
		n, ok := of(r).num()
		if !ok {
			return Value{}
		}
		n /= float64(step.Milliseconds())
		if kind == "dateceil" {
			n = math.Ceil(n)
		}
		return timeValue(int64(math.Floor(n)) * step.Milliseconds())
	}, nil
}

// parsePeriod reads 1ms, 30s, 5m, 1h, 1d, 1w, and longer names of them.
func parsePeriod(text string) (time.Duration, bool) {
	unit := strings.TrimLeft(text, "0123456789")
	n := 0
	for _, c := range text[:len(text)-len(unit)] {
		if n = n*10 + int(c-'0'); n > 1e6 {
			return 0, false
		}
	}
	units := map[string]time.Duration{
		"ms": time.Millisecond, "s": time.Second, "sec": time.Second, "m": time.Minute, "min": time.Minute, "h": time.Hour, "hr": time.Hour,
		"d": 24 * time.Hour, "w": 7 * 24 * time.Hour,
	}
	d, ok := units[strings.ToLower(unit)]
	return d * time.Duration(n), ok && n > 0
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
		"tolower": text1(strings.ToLower), "toupper": text1(strings.ToUpper), "trim": text1(strings.TrimSpace),
		"ltrim":       text1(func(s string) string { return strings.TrimLeft(s, " \t") }),
		"rtrim":       text1(func(s string) string { return strings.TrimRight(s, " \t") }),
		"strlen":      {1, 1, func(v []Value) Value { return numberValue(float64(len([]rune(v[0].String())))) }},
		"strcontains": {2, 2, func(v []Value) Value { return boolValue(strings.Contains(v[0].String(), v[1].String())) }},
		"replace": {3, 3, func(v []Value) Value {
			return textValue(strings.ReplaceAll(v[0].String(), v[1].String(), v[2].String()))
		}},
		"substr": {2, 3, substr},
		"concat": {1, 100, func(v []Value) Value {
			var b strings.Builder
			for i := range v {
				b.WriteString(v[i].String())
			}
			return textValue(b.String())
		}},
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
