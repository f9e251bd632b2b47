package wire

import (
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// decodeCBOR fills the struct v from an rpc-v2-cbor body, with the same rules as decodeJSON.
func decodeCBOR(data []byte, s *shape, v reflect.Value) error {
	r := &cborReader{data: data}
	h, err := r.head()
	if err != nil {
		return err
	}
	if err := r.value(h, s, v); err != nil {
		return err
	}
	if r.pos < len(r.data) {
		return syntaxError("Unexpected data after the document.")
	}
	return nil
}

// value reads the rest of the item whose head is h into v, which must be addressable.
func (r *cborReader) value(h cborHead, s *shape, v reflect.Value) error {
	switch s.kind {
	case kindPointer:
		p := reflect.New(s.elem.typ)
		if err := r.value(h, s.elem, p.Elem()); err != nil {
			return err
		}
		v.Set(p)
		return nil
	case kindStruct:
		return r.object(h, s, v)
	case kindString, kindBlob:
		return r.content(h, s, v)
	case kindBool:
		if h.major != cborSimple || h.low != cborTrue && h.low != cborFalse {
			return r.mismatch(h, s)
		}
		v.SetBool(h.low == cborTrue)
		return nil
	case kindInt:
		n, ok := h.integer()
		if f, isFloat := h.float(); isFloat && f == math.Trunc(f) && math.Abs(f) <= 1<<53 {
			n, ok = int64(f), true
		}
		if !ok || v.OverflowInt(n) {
			return r.mismatch(h, s)
		}
		v.SetInt(n)
		return nil
	case kindFloat:
		f, ok := h.number()
		if !ok {
			return r.mismatch(h, s)
		}
		v.SetFloat(f)
		return nil
	case kindTime:
		return r.time(h, s, v)
	case kindList:
		return r.list(h, s, v)
	case kindMap:
		return r.dictionary(h, s, v)
	case kindUnion:
		return r.union(h, s, v)
	}
	return &decodeError{msg: "Documents can not be sent as CBOR."}
}

func (h cborHead) number() (float64, bool) {
	if n, ok := h.integer(); ok {
		return float64(n), true
	}
	return h.float()
}

func (r *cborReader) content(h cborHead, s *shape, v reflect.Value) error {
	want := byte(cborText)
	if s.kind == kindBlob {
		want = cborBytes
	}
	if h.major != want {
		return r.mismatch(h, s)
	}
	raw, err := r.run(h)
	if err != nil {
		return err
	}
	if s.kind == kindBlob {
		v.SetBytes(append([]byte{}, raw...))
		return nil
	}
	v.SetString(strings.ToValidUTF8(string(raw), "\uFFFD"))
	return nil
}

func (r *cborReader) object(h cborHead, s *shape, v reflect.Value) error {
	if h.major != cborMap {
		return r.mismatch(h, s)
	}
	return r.eachMember(h, func(key string, h cborHead) error {
		i, known := s.byName[key]
		if !known || h.absent() {
			return r.skip(h)
		}
		f := &s.fields[i]
		return withinIf(r.value(h, f.shape, v.Field(f.index)), key)
	})
}

// eachMember calls fn with the key and the head of each value of a map.
func (r *cborReader) eachMember(h cborHead, fn func(key string, h cborHead) error) error {
	if err := r.enter(); err != nil {
		return err
	}
	for n := uint64(0); ; n++ {
		if more, err := r.more(h, n); err != nil || !more {
			r.depth--
			return err
		}
		key, err := r.key()
		if err != nil {
			return err
		}
		vh, err := r.head()
		if err != nil {
			return err
		}
		if err := fn(key, vh); err != nil {
			return err
		}
	}
}

func withinIf(err error, name string) error {
	if err == nil {
		return nil
	}
	return within(err, name)
}

func (r *cborReader) list(h cborHead, s *shape, v reflect.Value) error {
	if h.major != cborList {
		return r.mismatch(h, s)
	}
	if err := r.enter(); err != nil {
		return err
	}
	v.Set(reflect.MakeSlice(s.typ, 0, 0))
	for n, at := 0, uint64(0); ; n, at = n+1, at+1 { // grown element by element: the announced length is not to be trusted
		if more, err := r.more(h, at); err != nil || !more {
			r.depth--
			return err
		}
		eh, err := r.head()
		if err != nil {
			return err
		}
		if err := r.count(); err != nil {
			return err
		}
		v.Grow(1)
		v.SetLen(n + 1)
		if err := r.value(eh, s.elem, v.Index(n)); err != nil {
			return within(err, "["+strconv.Itoa(n)+"]")
		}
		if s.elem.kind == kindUnion && v.Index(n).IsNil() { // a member we do not know: ignored, element and all
			v.SetLen(n)
			n--
		}
	}
}

func (r *cborReader) dictionary(h cborHead, s *shape, v reflect.Value) error {
	if h.major != cborMap {
		return r.mismatch(h, s)
	}
	m := reflect.MakeMap(s.typ)
	v.Set(m)
	return r.eachMember(h, func(key string, h cborHead) error {
		if err := r.count(); err != nil {
			return err
		}
		elem := reflect.New(s.elem.typ).Elem()
		if err := r.value(h, s.elem, elem); err != nil {
			return within(err, key)
		}
		m.SetMapIndex(reflect.ValueOf(strings.ToValidUTF8(key, "\uFFFD")).Convert(s.typ.Key()), elem)
		return nil
	})
}

func (r *cborReader) union(h cborHead, s *shape, v reflect.Value) error {
	if h.major != cborMap {
		return r.mismatch(h, s)
	}
	members := 0
	err := r.eachMember(h, func(key string, h cborHead) error {
		if h.absent() {
			return nil
		}
		members++
		m := s.member(key)
		if m == nil {
			return r.skip(h)
		}
		p := reflect.New(m.typ)
		if err := r.value(h, m.value, p.Elem().FieldByName("Value")); err != nil {
			return within(err, key)
		}
		v.Set(p)
		return nil
	})
	if err == nil && members != 1 {
		err = unionError(members)
	}
	return err
}

// time reads epoch seconds, whole or with a fraction of milliseconds, under tag 1.
func (r *cborReader) time(h cborHead, s *shape, v reflect.Value) error {
	if h.major != cborTag || h.arg != 1 {
		return r.mismatch(h, s)
	}
	h, err := r.head()
	if err != nil {
		return err
	}
	f, ok := h.number()
	if !ok {
		return r.mismatch(h, s)
	}
	t, ok := floatTime(f)
	if !ok {
		return &decodeError{msg: "Invalid timestamp."}
	}
	*v.Addr().Interface().(*time.Time) = t
	return nil
}

func (r *cborReader) mismatch(h cborHead, s *shape) error {
	found := "NUMBER_VALUE"
	switch h.major {
	case cborMap:
		return &decodeError{msg: "Start of structure or map found where not expected."}
	case cborList:
		return &decodeError{msg: "Start of list found where not expected"}
	case cborText:
		found = "STRING_VALUE"
	case cborBytes:
		found = "BLOB_VALUE"
	case cborTag:
		found = "TIMESTAMP_VALUE"
	case cborSimple:
		switch h.low {
		case cborTrue:
			found = "TRUE_VALUE"
		case cborFalse:
			found = "FALSE_VALUE"
		case cborNull, cborUndefined:
			found = "NULL_VALUE"
		}
	}
	return wrongType(found, s)
}
