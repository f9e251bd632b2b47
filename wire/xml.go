package wire

import (
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// An xmlWriter encodes query answers. EC2's dialect names every list element "item".
type xmlWriter struct {
	b   []byte
	ec2 bool
}

func (w *xmlWriter) open(name string)  { w.b = append(append(append(w.b, '<'), name...), '>') }
func (w *xmlWriter) close(name string) { w.b = append(append(append(w.b, '<', '/'), name...), '>') }

// element writes a whole element with text in it.
func (w *xmlWriter) element(name, text string) {
	w.open(name)
	w.text(text)
	w.close(name)
}

func (w *xmlWriter) text(s string) {
	if strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r > '~' || strings.ContainsRune(`<>&"'`, r) }) < 0 {
		w.b = append(w.b, s...)
		return
	}
	var escaped strings.Builder
	xml.EscapeText(&escaped, []byte(s)) // a strings.Builder does not fail
	w.b = append(w.b, escaped.String()...)
}

// members writes the members of a struct, without an element of its own.
func (w *xmlWriter) members(s *shape, v reflect.Value) error {
	for i := range s.fields {
		f := &s.fields[i]
		fv := v.Field(f.index)
		if !present(f.shape, fv) {
			continue
		}
		if f.flat && f.shape.kind == kindList {
			for j := range fv.Len() {
				if err := w.value(f.xml, "member", f.shape.elem, fv.Index(j)); err != nil {
					return err
				}
			}
			continue
		}
		if err := w.value(f.xml, f.item, f.shape, fv); err != nil {
			return err
		}
	}
	return nil
}

// value writes v as an element; item names the elements of a list.
func (w *xmlWriter) value(name, item string, s *shape, v reflect.Value) error {
	if s.kind == kindPointer {
		if v.IsNil() {
			return nil
		}
		return w.value(name, item, s.elem, v.Elem())
	}
	w.open(name)
	if err := w.content(item, s, v); err != nil {
		return err
	}
	w.close(name)
	return nil
}

func (w *xmlWriter) content(item string, s *shape, v reflect.Value) error {
	switch s.kind {
	case kindStruct:
		return w.members(s, v)
	case kindString:
		w.text(v.String())
	case kindBool:
		w.b = strconv.AppendBool(w.b, v.Bool())
	case kindInt:
		w.b = strconv.AppendInt(w.b, v.Int(), 10)
	case kindFloat:
		w.float(v.Float(), s.typ.Bits())
	case kindBlob:
		w.b = base64.StdEncoding.AppendEncode(w.b, v.Bytes())
	case kindTime:
		if s.timeFormat == "epoch-seconds" {
			w.b = appendEpoch(w.b, v.Interface().(time.Time), 3)
		} else {
			w.b = appendTextTime(w.b, v.Interface().(time.Time), s.timeFormat)
		}
	case kindList:
		if w.ec2 {
			item = "item"
		}
		for i := range v.Len() {
			if err := w.value(item, "member", s.elem, v.Index(i)); err != nil {
				return err
			}
		}
	case kindMap:
		for _, key := range sortedKeys(v) {
			w.open("entry")
			w.element("key", key.String())
			if err := w.value("value", "member", s.elem, v.MapIndex(key)); err != nil {
				return err
			}
			w.close("entry")
		}
	case kindUnion:
		m, value, err := s.memberOf(v)
		if err != nil {
			return err
		}
		return w.value(m.name, "member", m.value, value)
	case kindAny:
		return w.dynamic(v)
	default:
		return fmt.Errorf("encode %s: the query protocol has no documents", s.typ)
	}
	return nil
}

// dynamic writes what an interface{} holds by its own type.
func (w *xmlWriter) dynamic(v reflect.Value) error {
	if v.IsNil() {
		return nil
	}
	s, err := shapeOf(v.Elem().Type())
	if err != nil {
		return err
	}
	return w.content("member", s, v.Elem())
}

func (w *xmlWriter) float(f float64, bits int) {
	switch {
	case math.IsInf(f, 1):
		w.b = append(w.b, "Infinity"...)
	case math.IsInf(f, -1):
		w.b = append(w.b, "-Infinity"...)
	default:
		w.b = strconv.AppendFloat(w.b, f, 'f', -1, bits)
	}
}
