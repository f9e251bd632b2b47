package wire

import (
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"time"
)

// A cborWriter encodes rpc-v2-cbor answers. Lengths are definite.
type cborWriter struct{ b []byte }

func (w *cborWriter) head(major byte, n uint64) {
	first := major << 5
	switch {
	case n < 24:
		w.b = append(w.b, first|byte(n))
	case n <= math.MaxUint8:
		w.b = append(w.b, first|24, byte(n))
	case n <= math.MaxUint16:
		w.b = binary.BigEndian.AppendUint16(append(w.b, first|25), uint16(n))
	case n <= math.MaxUint32:
		w.b = binary.BigEndian.AppendUint32(append(w.b, first|26), uint32(n))
	default:
		w.b = binary.BigEndian.AppendUint64(append(w.b, first|27), n)
	}
}

func (w *cborWriter) text(s string) {
	w.head(cborText, uint64(len(s)))
	w.b = append(w.b, s...)
}

func (w *cborWriter) simple(low byte) { w.b = append(w.b, cborSimple<<5|low) }

func (w *cborWriter) double(f float64) {
	w.simple(cborDouble)
	w.b = binary.BigEndian.AppendUint64(w.b, math.Float64bits(f))
}

func (w *cborWriter) integer(n int64) {
	if n < 0 {
		w.head(cborNegative, uint64(-1-n))
		return
	}
	w.head(cborUint, uint64(n))
}

func (w *cborWriter) value(s *shape, v reflect.Value) error {
	switch s.kind {
	case kindPointer:
		if v.IsNil() {
			w.simple(cborNull)
			return nil
		}
		return w.value(s.elem, v.Elem())
	case kindStruct:
		return w.object(s, v)
	case kindString:
		w.text(v.String())
	case kindBool:
		if v.Bool() {
			w.simple(cborTrue)
		} else {
			w.simple(cborFalse)
		}
	case kindInt:
		w.integer(v.Int())
	case kindFloat:
		w.double(v.Float())
	case kindBlob:
		w.head(cborBytes, uint64(v.Len()))
		w.b = append(w.b, v.Bytes()...)
	case kindTime:
		w.time(v.Interface().(time.Time))
	case kindList:
		w.head(cborList, uint64(v.Len()))
		for i := range v.Len() {
			if err := w.value(s.elem, v.Index(i)); err != nil {
				return err
			}
		}
	case kindMap:
		w.head(cborMap, uint64(v.Len()))
		for _, key := range sortedKeys(v) {
			w.text(key.String())
			if err := w.value(s.elem, v.MapIndex(key)); err != nil {
				return err
			}
		}
	case kindUnion:
		m, value, err := s.memberOf(v)
		if err != nil {
			return err
		}
		w.head(cborMap, 1)
		w.text(m.name)
		return w.value(m.value, value)
	case kindAny:
		return w.dynamic(v)
	default:
		return fmt.Errorf("encode %s: CBOR has no documents", s.typ)
	}
	return nil
}

func (w *cborWriter) object(s *shape, v reflect.Value) error {
	count := 0
	for i := range s.fields {
		if present(s.fields[i].shape, v.Field(s.fields[i].index)) {
			count++
		}
	}
	w.head(cborMap, uint64(count))
	for i := range s.fields {
		f := &s.fields[i]
		fv := v.Field(f.index)
		if !present(f.shape, fv) {
			continue
		}
		w.text(f.name)
		if err := w.value(f.shape, fv); err != nil {
			return err
		}
	}
	return nil
}

// time writes epoch seconds under tag 1, whole ones as an integer.
func (w *cborWriter) time(t time.Time) {
	w.head(cborTag, 1)
	if millis := t.UnixMilli(); millis%1000 == 0 {
		w.integer(millis / 1000)
	} else {
		w.double(float64(millis) / 1e3)
	}
}

// dynamic writes what an interface{} holds by its own type.
func (w *cborWriter) dynamic(v reflect.Value) error {
	if v.IsNil() {
		w.simple(cborNull)
		return nil
	}
	s, err := shapeOf(v.Elem().Type())
	if err != nil {
		return err
	}
	return w.value(s, v.Elem())
}
