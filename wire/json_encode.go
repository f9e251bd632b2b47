package wire

import (
	"encoding/base64"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// jsonWriter encodes awsJson. Digits is the precision of timestamps: 3 in answers, as AWS, 9 in stored rows. In events they
// are texts instead.
type jsonWriter struct {
	b         []byte
	digits    int
	textTimes bool
}

// present reports whether a member is written. Unlike the SDK's own serializer we write zero numbers and booleans:
// AWS's answers carry "runningCount":0 and callers index it. An empty enum is an unset one.
func present(s *shape, v reflect.Value) bool {
	switch s.kind {
	case kindPointer, kindList, kindMap, kindBlob, kindUnion, kindDocument, kindAny:
		return !v.IsNil()
	case kindString:
		return v.Len() > 0
	}
	return true
}

func (w *jsonWriter) value(s *shape, v reflect.Value) error {
	switch s.kind {
	case kindPointer:
		if v.IsNil() {
			w.b = append(w.b, "null"...)
			return nil
		}
		if s.elem.kind == kindTime {
			w.time(s.elem, *v.Interface().(*time.Time))
			return nil
		}
		return w.value(s.elem, v.Elem())
	case kindStruct:
		return w.object(s, v)
	case kindString:
		w.b = appendJSONString(w.b, v.String())
	case kindBool:
		w.b = strconv.AppendBool(w.b, v.Bool())
	case kindInt:
		w.b = strconv.AppendInt(w.b, v.Int(), 10)
	case kindFloat:
		w.b = appendJSONFloat(w.b, v.Float(), s.typ.Bits())
	case kindBlob:
		w.b = append(w.b, '"')
		w.b = base64.StdEncoding.AppendEncode(w.b, v.Bytes())
		w.b = append(w.b, '"')
	case kindTime:
		w.time(s, v.Interface().(time.Time))
	case kindList:
		return w.list(s, v)
	case kindMap:
		return w.dictionary(s, v)
	case kindUnion:
		return w.union(s, v)
	case kindDocument:
		return w.document(v)
	case kindAny:
		return w.dynamic(v)
	}
	return nil
}

func (w *jsonWriter) object(s *shape, v reflect.Value) error {
	w.b = append(w.b, '{')
	first := true
	for i := range s.fields {
		f := &s.fields[i]
		fv := v.Field(f.index)
		if !present(f.shape, fv) {
			continue
		}
		if !first {
			w.b = append(w.b, ',')
		}
		first = false
		w.b = append(w.b, f.key...)
		if err := w.value(f.shape, fv); err != nil {
			return err
		}
	}
	w.b = append(w.b, '}')
	return nil
}

func (w *jsonWriter) list(s *shape, v reflect.Value) error {
	w.b = append(w.b, '[')
	for i := range v.Len() {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		if err := w.value(s.elem, v.Index(i)); err != nil {
			return err
		}
	}
	w.b = append(w.b, ']')
	return nil
}

// dictionary writes a map with its keys sorted, so that equal values have equal texts.
func (w *jsonWriter) dictionary(s *shape, v reflect.Value) error {
	w.b = append(w.b, '{')
	for i, key := range sortedKeys(v) {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.b = append(appendJSONString(w.b, key.String()), ':')
		if err := w.value(s.elem, v.MapIndex(key)); err != nil {
			return err
		}
	}
	w.b = append(w.b, '}')
	return nil
}

func sortedKeys(v reflect.Value) []reflect.Value {
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int {
		switch x, y := a.String(), b.String(); {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	return keys
}

func (w *jsonWriter) union(s *shape, v reflect.Value) error {
	m, value, err := s.memberOf(v)
	if err != nil {
		return err
	}
	w.b = append(w.b, '{')
	w.b = append(appendJSONString(w.b, m.name), ':')
	if err := w.value(m.value, value); err != nil {
		return err
	}
	w.b = append(w.b, '}')
	return nil
}

// memberOf returns which member a union value holds, and what is in it.
func (s *shape) memberOf(v reflect.Value) (*unionMember, reflect.Value, error) {
	if v.IsNil() { // in a list: elsewhere it is absent
		return nil, reflect.Value{}, fmt.Errorf("encode %s: nothing in it", s.typ)
	}
	held := v.Elem()
	for i := range s.members {
		if m := &s.members[i]; held.Kind() == reflect.Pointer && held.Type().Elem() == m.typ && !held.IsNil() {
			return m, held.Elem().FieldByName("Value"), nil
		}
	}
	return nil, reflect.Value{}, fmt.Errorf("encode %s: %s is not one of its members", s.typ, held.Type())
}

func (w *jsonWriter) time(s *shape, t time.Time) {
	if w.textTimes || s.timeFormat == "date-time" || s.timeFormat == "http-date" {
		w.b = append(w.b, '"')
		w.b = append(appendTextTime(w.b, t, s.timeFormat), '"')
		return
	}
	w.b = appendEpoch(w.b, t, w.digits)
}

// dynamic writes what an interface{} holds by its own type.
func (w *jsonWriter) dynamic(v reflect.Value) error {
	if v.IsNil() {
		w.b = append(w.b, "null"...)
		return nil
	}
	s, err := shapeOf(v.Elem().Type())
	if err != nil {
		return err
	}
	return w.value(s, v.Elem())
}

func appendJSONFloat(b []byte, f float64, bits int) []byte {
	switch {
	case math.IsNaN(f):
		return append(b, `"NaN"`...)
	case math.IsInf(f, 1):
		return append(b, `"Infinity"`...)
	case math.IsInf(f, -1):
		return append(b, `"-Infinity"`...)
	}
	format := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(b, f, format, -1, bits)
}

// appendJSONString writes a JSON string. Broken UTF-8 becomes U+FFFD, because JSON cannot carry it.
func appendJSONString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r != utf8.RuneError || size > 1 {
				i += size
				continue
			}
			b = append(append(b, s[start:i]...), "\uFFFD"...)
			i++
			start = i
			continue
		}
		b = append(b, s[start:i]...)
		i++
		start = i
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			const hex = "0123456789abcdef"
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	return append(append(b, s[start:]...), '"')
}
