package wire

import (
	"reflect"
	"strconv"
)

// decodeJSON fills the struct (or list, map) v from awsJson. Unknown members are ignored, null is absent, a value of the
// wrong JSON type is a *decodeError.
func decodeJSON(data []byte, s *shape, v reflect.Value) error {
	r := &jsonReader{data: data}
	r.space()
	if err := r.value(s, v); err != nil {
		return err
	}
	return r.end()
}

// value reads the value at pos into v, which must be addressable.
func (r *jsonReader) value(s *shape, v reflect.Value) error {
	if r.pos >= len(r.data) {
		return r.unexpected()
	}
	c := r.data[r.pos]
	switch s.kind {
	case kindPointer:
		return r.pointer(s, v)
	case kindStruct:
		if c != '{' {
			return r.mismatch(s)
		}
		return r.object(s, v)
	case kindString:
		if c != '"' {
			return r.mismatch(s)
		}
		text, err := r.text()
		v.SetString(text)
		return err
	case kindBool:
		return r.boolean(s, v)
	case kindInt, kindFloat:
		return r.numeric(s, v)
	case kindTime:
		return r.time(s, v)
	case kindList:
		if c != '[' {
			return r.mismatch(s)
		}
		return r.list(s, v)
	case kindMap:
		if c != '{' {
			return r.mismatch(s)
		}
		return r.dictionary(s, v)
	case kindBlob:
		if c != '"' {
			return r.mismatch(s)
		}
		raw, err := r.rawString()
		if err != nil {
			return err
		}
		return setBlob(v, raw)
	case kindUnion:
		if c != '{' {
			return r.mismatch(s)
		}
		return r.union(s, v)
	default: // kindDocument, kindAny
		content, err := r.plain()
		if err != nil || content == nil && s.kind == kindAny {
			return err
		}
		v.Set(reflect.ValueOf(s.newDocument(content)))
		return nil
	}
}

// pointer has short ways for the two commonest member types, which spare reflection a second look.
func (r *jsonReader) pointer(s *shape, v reflect.Value) error {
	switch p := v.Addr().Interface().(type) {
	case **string:
		if r.data[r.pos] != '"' {
			return r.mismatch(s.elem)
		}
		text, err := r.text()
		*p = &text
		return err
	case **int32:
		n := new(int32)
		*p = n
		return r.numeric(s.elem, reflect.ValueOf(n).Elem())
	}
	p := reflect.New(s.elem.typ)
	if err := r.value(s.elem, p.Elem()); err != nil {
		return err
	}
	v.Set(p)
	return nil
}

func (r *jsonReader) object(s *shape, v reflect.Value) error {
	if err := r.enter(); err != nil {
		return err
	}
	guess := 0 // clients write members in about the order of the SDK's fields
	for first := true; ; first = false {
		if more, err := r.more(first, '}'); err != nil || !more {
			r.leave()
			return err
		}
		key, err := r.member()
		if err != nil {
			return err
		}
		i := guess
		if i >= len(s.fields) || s.fields[i].name != string(key) {
			var known bool
			if i, known = s.byName[string(key)]; !known {
				if err := r.skip(); err != nil {
					return err
				}
				continue
			}
		}
		guess = i + 1
		if r.pos < len(r.data) && r.data[r.pos] == 'n' {
			if err := r.word("null"); err != nil {
				return err
			}
			continue
		}
		f := &s.fields[i]
		if err := r.value(f.shape, v.Field(f.index)); err != nil {
			return within(err, f.name)
		}
	}
}

// list reads a list. A null in it is refused: no list of the services we speak is sparse [I].
func (r *jsonReader) list(s *shape, v reflect.Value) error {
	if err := r.enter(); err != nil {
		return err
	}
	if p, ok := reflect.TypeAssert[*[]string](v.Addr()); ok {
		return r.stringList(s, p)
	}
	v.Set(reflect.MakeSlice(s.typ, 0, 0))
	for n, first := 0, true; ; n, first = n+1, false {
		if more, err := r.more(first, ']'); err != nil || !more {
			r.leave()
			return err
		}
		if err := r.count(); err != nil {
			return err
		}
		v.Grow(1)
		v.SetLen(n + 1)
		r.space()
		if err := r.value(s.elem, v.Index(n)); err != nil {
			return within(err, "["+strconv.Itoa(n)+"]")
		}
		if s.elem.kind == kindUnion && v.Index(n).IsNil() { // a member we do not know: ignored, element and all
			v.SetLen(n)
			n--
		}
	}
}

func (r *jsonReader) stringList(s *shape, p *[]string) error {
	list := []string{}
	for {
		if more, err := r.more(len(list) == 0, ']'); err != nil || !more {
			r.leave()
			*p = list
			return err
		}
		if err := r.count(); err != nil {
			return err
		}
		if r.space() != '"' {
			return within(r.mismatch(s.elem), "["+strconv.Itoa(len(list))+"]")
		}
		text, err := r.text()
		if err != nil {
			return err
		}
		list = append(list, text)
	}
}

func (r *jsonReader) dictionary(s *shape, v reflect.Value) error {
	if err := r.enter(); err != nil {
		return err
	}
	m := reflect.MakeMap(s.typ)
	v.Set(m)
	for first := true; ; first = false {
		if more, err := r.more(first, '}'); err != nil || !more {
			r.leave()
			return err
		}
		raw, err := r.member()
		if err != nil {
			return err
		}
		if err := r.count(); err != nil {
			return err
		}
		key := reflect.ValueOf(string(raw)).Convert(s.typ.Key())
		elem := reflect.New(s.elem.typ).Elem()
		if err := r.value(s.elem, elem); err != nil {
			return within(err, key.String())
		}
		m.SetMapIndex(key, elem)
	}
}

// union reads an object with exactly one member that is not null [D]; a member we do not know is ignored like any other.
func (r *jsonReader) union(s *shape, v reflect.Value) error {
	if err := r.enter(); err != nil {
		return err
	}
	members := 0
	for first := true; ; first = false {
		if more, err := r.more(first, '}'); err != nil || !more {
			r.leave()
			if err == nil && members != 1 {
				err = unionError(members)
			}
			return err
		}
		key, err := r.member()
		if err != nil {
			return err
		}
		if r.pos < len(r.data) && r.data[r.pos] == 'n' {
			if err := r.word("null"); err != nil {
				return err
			}
			continue
		}
		members++
		m := s.member(string(key))
		if m == nil {
			if err := r.skip(); err != nil {
				return err
			}
			continue
		}
		p := reflect.New(m.typ)
		if err := r.value(m.value, p.Elem().FieldByName("Value")); err != nil {
			return within(err, m.name)
		}
		v.Set(p)
	}
}

func (s *shape) member(name string) *unionMember {
	for i := range s.members {
		if s.members[i].name == name {
			return &s.members[i]
		}
	}
	return nil
}
