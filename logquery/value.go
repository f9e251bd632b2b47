package logquery

import (
	"cmp"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// A Value is what a field of a row holds in a query: nothing, a text, a number, a time, or a structure that jsonParse made.
type Value struct {
	kind   valueKind
	text   string  // of a structure: as it was before
	number float64 // of a time: epoch milliseconds
	node   any     // of a structure: a map or a list
}

type valueKind int

const (
	nothing valueKind = iota
	aText
	aNumber
	aTime
	aStructure
)

func textValue(s string) Value    { return Value{kind: aText, text: s} }
func numberValue(n float64) Value { return Value{kind: aNumber, number: n} }
func timeValue(ms int64) Value    { return Value{kind: aTime, number: float64(ms)} }
func boolValue(b bool) Value      { return numberValue(map[bool]float64{true: 1}[b]) }
func (v Value) there() bool       { return v.kind != nothing }
func (v Value) num() (n float64, ok bool) {
	if v.kind != aText {
		return v.number, v.kind == aNumber || v.kind == aTime
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(v.text), 64)
	return n, err == nil
}

// String is the value as results show it.
func (v Value) String() string {
	switch v.kind {
	case aNumber:
		return strconv.FormatFloat(v.number, 'f', -1, 64)
	case aTime:
		return time.UnixMilli(int64(v.number)).UTC().Format("2006-01-02 15:04:05.000")
	case aStructure:
		return valOf(v.node).text
	}
	return v.text
}

func (v Value) truth() bool {
	n, ok := v.num()
	return ok && n != 0 && !math.IsNaN(n) || v.kind == aText && strings.EqualFold(v.text, "true")
}

// compare orders values: as numbers if both are, as texts else; nothing is before everything.
func (v Value) compare(o Value) int {
	if !v.there() || !o.there() {
		return cmp.Compare(min(v.kind, 1), min(o.kind, 1))
	}
	a, ok := v.num()
	b, too := o.num()
	if ok && too {
		return cmp.Compare(a, b)
	}
	return cmp.Compare(v.String(), o.String())
}

// order is how sort orders values [D]: what is no number before numbers, and texts by their parts.
func (v Value) order(o Value) int {
	if !v.there() || !o.there() {
		return v.compare(o)
	}
	a, ok := v.num()
	b, too := o.num()
	switch {
	case ok && too:
		return cmp.Compare(a, b)
	case ok != too:
		return map[bool]int{true: 1, false: -1}[ok]
	}
	return natural(v.String(), o.String())
}

// natural compares texts part by part: digits that follow each other by their number, and else by characters.
func natural(a, b string) int {
	digits := func(s string) string { return s[:len(s)-len(strings.TrimLeft(s, "0123456789"))] }
	for a != "" && b != "" {
		x, y := digits(a), digits(b)
		if x == "" || y == "" {
			r, n := utf8.DecodeRuneInString(a)
			q, m := utf8.DecodeRuneInString(b)
			if r != q {
				return cmp.Compare(r, q)
			}
			a, b = a[n:], b[m:]
			continue
		}
		if c := cmp.Or(cmp.Compare(len(x), len(y)), strings.Compare(x, y)); c != 0 {
			return c
		}
		a, b = a[len(x):], b[len(y):]
	}
	return cmp.Compare(len(a), len(b))
}

// A Record is an event that a query looks at. Times are epoch milliseconds.
type Record struct {
	Time, Ingested       int64
	Message, Stream, Log string
	Pointer              string // the event's id, @ptr
}

// A row is a record on its way through a query, or what stats made of many.
type row struct {
	run    *Run
	record *Record
	fields map[string]Value // made by commands; they hide those of the record
	slots  []Value          // of stats: what its functions have computed
	doc    document
	parsed bool // doc is made
	held   int  // so many bytes of it are counted
}

// What holds memory besides texts, in bytes, about.
const (
	heldRow   = 200
	heldEntry = 64
)

// size is how many bytes a row holds, about.
func (r *row) size() int {
	n := heldRow
	if r.record != nil {
		if n += len(r.record.Message); r.parsed {
			n += 4 * len(r.record.Message)
		}
	}
	for name, v := range r.fields {
		if n += heldEntry + len(name) + len(v.text); v.kind == aStructure {
			n += 4 * len(v.text)
		}
	}
	return n
}

// keep counts what the row holds, as far as it is not counted. It is false if that is too much.
func (r *row) keep() bool {
	more := r.size() - r.held
	r.held += more
	return r.run.hold(more)
}

func (r *row) release() {
	r.run.left += r.held
	r.held = 0
}

func (r *row) get(name string) Value {
	if v, ok := r.fields[name]; ok {
		return v
	}
	for i, c := range name { // in a structure
		if v := r.fields[name[:i]]; c == '.' && v.kind == aStructure {
			return valueOf(within(v.node, name[i+1:]))
		}
	}
	if r.record == nil {
		return Value{}
	}
	switch name {
	case "@timestamp":
		return timeValue(r.record.Time)
	case "@ingestionTime":
		return timeValue(r.record.Ingested)
	case "@message":
		return textValue(r.record.Message)
	case "@logStream":
		return textValue(r.record.Stream)
	case "@log":
		return textValue(r.record.Log)
	case "@ptr":
		return textValue(r.record.Pointer)
	}
	return r.discovered(name)
}

// discovered are the fields of messages that are JSON, or have some in them: a.b, and a.0 for the first of an array [D].
func (r *row) discovered(name string) Value {
	if !r.parsed {
		r.doc, _ = fragment(r.record.Message)
		if r.parsed = true; r.held > 0 {
			r.keep()
		}
	}
	return valueOf(within(r.doc.root, name))
}

// within follows a path of names and numbers; nil if it leads nowhere.
func within(at any, path string) any {
	if m, ok := at.(map[string]any); ok {
		if v, ok := m[path]; ok { // a name with dots in it
			return v
		}
	}
	for step := range strings.SplitSeq(path, ".") {
		switch v := at.(type) {
		case map[string]any:
			at = v[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(v) {
				return nil
			}
			at = v[i]
		default:
			return nil
		}
	}
	return at
}

func valueOf(v any) Value {
	if v == nil {
		return Value{}
	}
	shown := valOf(v)
	switch shown.kind {
	case isNumber:
		if n, err := strconv.ParseFloat(shown.text, 64); err == nil {
			return numberValue(n)
		}
	case isBool:
		return boolValue(shown.text == "true")
	}
	return textValue(shown.text)
}

func (r *row) set(name string, v Value) {
	if r.fields == nil {
		r.fields = map[string]Value{}
	}
	r.fields[name] = v
}
