package logquery

import (
	"cmp"
	"math"
	"strconv"
	"strings"
	"time"
)

// A Value is what a field of a row holds in a query: nothing, a text, a number or a time.
type Value struct {
	kind   valueKind
	text   string
	number float64 // of a time: epoch milliseconds
}

type valueKind int

const (
	nothing valueKind = iota
	aText
	aNumber
	aTime
)

func textValue(s string) Value    { return Value{kind: aText, text: s} }
func numberValue(n float64) Value { return Value{kind: aNumber, number: n} }
func timeValue(ms int64) Value    { return Value{kind: aTime, number: float64(ms)} }
func boolValue(b bool) Value      { return numberValue(map[bool]float64{true: 1}[b]) }
func (v Value) there() bool       { return v.kind != nothing }
func (v Value) num() (n float64, ok bool) {
	if v.kind != aText {
		return v.number, v.kind != nothing
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

// A Record is an event that a query looks at. Times are epoch milliseconds.
type Record struct {
	Time, Ingested       int64
	Message, Stream, Log string
	Pointer              string // the event's id, @ptr
}

// A row is a record on its way through a query, or what stats made of many.
type row struct {
	record *Record
	fields map[string]Value // made by commands; they hide those of the record
	doc    document
	parsed bool // doc is made
}

func (r *row) get(name string) Value {
	if v, ok := r.fields[name]; ok {
		return v
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

// discovered are the fields of messages that are JSON: a.b, and a.0 for the first of an array [D].
func (r *row) discovered(name string) Value {
	if !r.parsed {
		r.doc, _ = parseDocument(r.record.Message)
		r.parsed = true
	}
	at := r.doc.root
	if m, ok := at.(map[string]any); ok {
		if v, ok := m[name]; ok { // a name with dots in it
			return valueOf(v)
		}
	}
	for step := range strings.SplitSeq(name, ".") {
		switch v := at.(type) {
		case map[string]any:
			at = v[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(v) {
				return Value{}
			}
			at = v[i]
		default:
			return Value{}
		}
	}
	return valueOf(at)
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
