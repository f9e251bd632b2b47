package wire

import (
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A form is a query request as a tree: "Tags.member.1.Key=x" is kids Tags, member, 1, Key with value x.
type form struct {
	value string
	set   bool // the node itself was given, perhaps empty
	kids  map[string]*form
}

// maxFormDepth bounds a parameter's name. The deepest name of the query services has about ten parts.
const maxFormDepth = 64

func parseForm(values url.Values) (*form, error) {
	root := &form{}
	for name, vs := range values {
		if len(vs) == 0 {
			continue
		}
		if strings.Count(name, ".") > maxFormDepth {
			return nil, &decodeError{msg: "A parameter's name nests too deeply."}
		}
		n := root
		for part := range strings.SplitSeq(name, ".") {
			kid := n.kids[part]
			if kid == nil {
				if n.kids == nil {
					n.kids = map[string]*form{}
				}
				kid = &form{}
				n.kids[part] = kid
			}
			n = kid
		}
		n.value, n.set = vs[0], true
	}
	return root, nil
}

// elements returns the kids named 1, 2, ... by number. Gaps are closed: clients that drop an element leave them.
func (f *form) elements() []*form {
	if f == nil {
		return nil
	}
	type element struct {
		n   int
		kid *form
	}
	var es []element
	for name, kid := range f.kids {
		if n, err := strconv.Atoi(name); err == nil {
			es = append(es, element{n, kid})
		}
	}
	slices.SortFunc(es, func(a, b element) int { return a.n - b.n })
	kids := make([]*form, len(es))
	for i, e := range es {
		kids[i] = e.kid
	}
	return kids
}

// A formReader decodes forms. EC2's dialect writes every list without the "member" level.
type formReader struct{ ec2 bool }

// object fills the struct v. Parameters that name no member (Action and Version among them) are ignored.
func (r formReader) object(s *shape, f *form, v reflect.Value) error {
	for i := range s.fields {
		fd := &s.fields[i]
		kid := f.kids[fd.query]
		if kid == nil {
			continue
		}
		if err := r.value(fd.shape, fd, kid, v.Field(fd.index)); err != nil {
			return within(err, fd.query)
		}
	}
	return nil
}

// value reads f into v; fd carries how the member that holds the value names and nests its lists.
func (r formReader) value(s *shape, fd *field, f *form, v reflect.Value) error {
	switch s.kind {
	case kindPointer:
		p := reflect.New(s.elem.typ)
		if err := r.value(s.elem, fd, f, p.Elem()); err != nil {
			return err
		}
		v.Set(p)
		return nil
	case kindStruct:
		return r.object(s, f, v)
	case kindList:
		return r.list(s, fd, f, v)
	case kindMap:
		return r.dictionary(s, fd, f, v)
	case kindUnion:
		return r.union(s, f, v)
	}
	return setText(s, f.value, v)
}

// plainList is the field of a list inside a list: only the outer one can be named or flat.
func (r formReader) plainList() *field { return &field{item: "member"} }

func (r formReader) list(s *shape, fd *field, f *form, v reflect.Value) error {
	if !fd.flat && !r.ec2 {
		f = f.kids[fd.item] // nil for "Tags=", which is how an empty list is sent
	}
	elements := f.elements()
	list := reflect.MakeSlice(s.typ, len(elements), len(elements))
	for i, e := range elements {
		if err := r.value(s.elem, r.plainList(), e, list.Index(i)); err != nil {
			return within(err, strconv.Itoa(i+1))
		}
	}
	v.Set(list)
	return nil
}

func (r formReader) dictionary(s *shape, fd *field, f *form, v reflect.Value) error {
	if !fd.flat && !r.ec2 {
		f = f.kids["entry"]
	}
	m := reflect.MakeMap(s.typ)
	v.Set(m)
	for _, e := range f.elements() {
		key, value := e.kids["key"], e.kids["value"]
		if key == nil || value == nil {
			return &decodeError{msg: "A map entry needs a key and a value."}
		}
		elem := reflect.New(s.elem.typ).Elem()
		if err := r.value(s.elem, r.plainList(), value, elem); err != nil {
			return within(err, key.value)
		}
		m.SetMapIndex(reflect.ValueOf(key.value).Convert(s.typ.Key()), elem)
	}
	return nil
}

func (r formReader) union(s *shape, f *form, v reflect.Value) error {
	if len(f.kids) != 1 {
		return unionError(len(f.kids))
	}
	for name, kid := range f.kids {
		m := s.member(name)
		if m == nil {
			continue
		}
		p := reflect.New(m.typ)
		if err := r.value(m.value, r.plainList(), kid, p.Elem().FieldByName("Value")); err != nil {
			return within(err, name)
		}
		v.Set(p)
	}
	return nil
}

// setText parses a scalar from text.
func setText(s *shape, text string, v reflect.Value) error {
	switch s.kind {
	case kindString:
		v.SetString(strings.ToValidUTF8(text, "\uFFFD"))
	case kindBool:
		switch strings.ToLower(text) {
		case "true", "1":
			v.SetBool(true)
		case "false", "0":
			v.SetBool(false)
		default:
			return wrongType("STRING_VALUE", s)
		}
	case kindInt, kindFloat:
		if f, ok := specialFloat(text); ok && s.kind == kindFloat {
			v.SetFloat(f)
			return nil
		}
		return setNumber(s, v, text)
	case kindTime:
		t, err := parseTime(text)
		if err != nil {
			return err
		}
		*v.Addr().Interface().(*time.Time) = t
	case kindBlob:
		return setBlob(v, []byte(text))
	default:
		return &decodeError{msg: "Unexpected field type"}
	}
	return nil
}
