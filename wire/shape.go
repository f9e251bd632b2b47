package wire

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	smithy "github.com/aws/smithy-go"
	"github.com/aws/smithy-go/traits"
)

type kind uint8

const (
	kindString   kind = iota // string and enums
	kindBool                 //
	kindInt                  // every signed width
	kindFloat                // both widths
	kindBlob                 // []byte
	kindTime                 // time.Time
	kindList                 // slice
	kindMap                  // map with string keys
	kindStruct               //
	kindUnion                // SDK interface with one struct per member
	kindDocument             // SDK interface of open content
	kindPointer              //
	kindAny                  // interface{}: open content without a service
)

// A shape is how one Go type travels. Shapes are built once per type and never change afterwards.
type shape struct {
	kind    kind
	typ     reflect.Type
	elem    *shape         // of a pointer, list or map
	fields  []field        // of a struct, in the SDK's order
	byName  map[string]int // JSON and CBOR name -> index in fields
	members []unionMember  // of a union

	timeFormat  string        // of a time: "", "date-time", "epoch-seconds" or "http-date"
	newDocument func(any) any // of a document
	checked     bool          // of a struct: something in it or below may be required
}

type field struct {
	index    int    // in the Go struct
	name     string // in JSON and CBOR
	key      string // `"name":`
	query    string // in a query request
	xml      string // in a query answer
	item     string // query: name of the list's elements
	flat     bool   // query: elements stand where the list would
	required bool   // by the service's model, and its absence can be seen
	shape    *shape
}

type unionMember struct {
	name  string
	typ   reflect.Type // the SDK's member struct, which has one field Value
	value *shape
}

// A shapeError says that a Go type cannot travel: a programmer's mistake, found at the latest when Handle registers it.
type shapeError struct{ typ reflect.Type }

func (e *shapeError) Error() string { return fmt.Sprintf("wire: type %s has no wire form", e.typ) }

// shapes remembers what shapeOf computed. It is the package's only variable: a memo of a pure function of the type,
// which Marshal needs because it has no receiver to keep it in.
var shapes sync.Map // reflect.Type -> *shape

// shapeOf returns the shape of a type: its struct tags, its SDK schema and the generated tables decide.
func shapeOf(t reflect.Type) (*shape, error) {
	if s, ok := shapes.Load(t); ok {
		return s.(*shape), nil
	}
	b := builder{structs: map[reflect.Type]*shape{}}
	s, err := b.build(t, nil)
	if err != nil {
		return nil, err
	}
	// Published only when whole: a struct that contains itself is incomplete until here.
	for st, whole := range b.structs {
		shapes.LoadOrStore(st, whole)
	}
	shapes.LoadOrStore(t, s)
	return s, nil
}

type builder struct{ structs map[reflect.Type]*shape }

// build makes the shape of t; schema describes the member that holds it, and is nil where the SDK has none.
func (b *builder) build(t reflect.Type, schema *smithy.Schema) (*shape, error) {
	s := &shape{typ: t}
	var err error
	switch t.Kind() {
	case reflect.String:
		s.kind = kindString
	case reflect.Bool:
		s.kind = kindBool
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		s.kind = kindInt
	case reflect.Float32, reflect.Float64:
		s.kind = kindFloat
	case reflect.Pointer:
		s.kind = kindPointer
		s.elem, err = b.build(t.Elem(), schema)
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			s.kind = kindBlob
			break
		}
		s.kind = kindList
		s.elem, err = b.build(t.Elem(), listMember(schema))
	case reflect.Map:
		if t.Key().Kind() != reflect.String {
			return nil, &shapeError{t}
		}
		s.kind = kindMap
		s.elem, err = b.build(t.Elem(), mapValue(schema))
	case reflect.Struct:
		if t == reflect.TypeFor[time.Time]() {
			s.kind = kindTime
			s.timeFormat = timestampFormat(schema)
			break
		}
		return b.buildStruct(t)
	case reflect.Interface:
		return b.buildInterface(t, schema)
	default:
		return nil, &shapeError{t}
	}
	return s, err
}

func (b *builder) buildStruct(t reflect.Type) (*shape, error) {
	if s, ok := shapes.Load(t); ok {
		return s.(*shape), nil
	}
	if s, ok := b.structs[t]; ok {
		return s, nil
	}
	s := &shape{kind: kindStruct, typ: t, byName: map[string]int{}}
	b.structs[t] = s
	members := membersByField(schemaOf(t))
	service := sdkService(t.PkgPath())
	required := requiredFields(service, t.Name())
	var fields []field // kept apart until whole: holdsChecked reads a nil s.fields as "not built yet"
	for sf := range t.Fields() {
		if !sf.IsExported() || sf.Anonymous || sf.Name == "ResultMetadata" {
			continue
		}
		member := members[sf.Name]
		f := newField(sf, member, memberName(service, t.Name()+"."+sf.Name))
		f.required = f.required || slices.Contains(required, sf.Name)
		var err error
		if f.shape, err = b.build(sf.Type, member); err != nil {
			return nil, fmt.Errorf("%s.%s: %w", t, sf.Name, err)
		}
		f.required = f.required && f.shape.absentIsVisible()
		s.checked = s.checked || f.required || f.shape.holdsChecked()
		s.byName[f.name] = len(fields)
		fields = append(fields, f)
	}
	s.fields = fields
	return s, nil
}

// newField names a member. The struct tag `wire:"Name"`, `wire:"requestName|answerName"` with an optional `,required`
// (structs of our own, for services whose SDK module we do not import) wins over the SDK's schema, which wins over the
// generated table, which wins over the Go name.
func newField(sf reflect.StructField, member *smithy.Schema, tableName string) field {
	f := field{index: sf.Index[0], name: sf.Name, item: "member"}
	if tableName != "" {
		f.name = tableName
	}
	if member != nil {
		f.name = member.MemberName()
	}
	f.query, f.xml = f.name, f.name
	if member != nil {
		if x, ok := smithy.SchemaTrait[*traits.XMLName](member); ok {
			f.query, f.xml = x.Name, x.Name
		}
		_, f.flat = smithy.SchemaTrait[*traits.XMLFlattened](member)
		if lm := member.ListMember(); lm != nil {
			if x, ok := smithy.SchemaTrait[*traits.XMLName](lm); ok {
				f.item = x.Name
			}
		}
	}
	if tag, ok := sf.Tag.Lookup("wire"); ok {
		names, option, _ := strings.Cut(tag, ",")
		request, answer, both := strings.Cut(names, "|")
		if !both {
			answer = request
		}
		f.name, f.query, f.xml, f.required = request, request, answer, option == "required"
	}
	f.key = string(appendJSONString(nil, f.name)) + ":"
	return f
}

func (b *builder) buildInterface(t reflect.Type, schema *smithy.Schema) (*shape, error) {
	if t.NumMethod() == 0 {
		return &shape{kind: kindAny, typ: t, newDocument: func(v any) any { return v }}, nil
	}
	if maker := documentMaker(t); maker != nil {
		return &shape{kind: kindDocument, typ: t, newDocument: maker}, nil
	}
	types := unionTypes(t)
	if types == nil {
		return nil, &shapeError{t}
	}
	s := &shape{kind: kindUnion, typ: t}
	members := membersByField(schema)
	for _, mt := range types {
		name := strings.TrimPrefix(mt.Name(), t.Name()+"Member")
		member := members[name]
		if member != nil {
			name = member.MemberName()
		}
		value, ok := mt.FieldByName("Value")
		if !ok {
			return nil, &shapeError{mt}
		}
		shape, err := b.build(value.Type, member)
		if err != nil {
			return nil, err
		}
		s.members = append(s.members, unionMember{name: name, typ: mt, value: shape})
	}
	return s, nil
}

// absentIsVisible reports whether a decoded value can tell that its member was not sent: 0 and false cannot.
func (s *shape) absentIsVisible() bool {
	switch s.kind {
	case kindBool, kindInt, kindFloat, kindStruct, kindTime:
		return false
	}
	return true
}

// holdsChecked reports whether a value of this shape may hold required members. A struct still being built answers true:
// checking it in vain is harmless.
func (s *shape) holdsChecked() bool {
	switch s.kind {
	case kindPointer, kindList, kindMap:
		return s.elem.holdsChecked()
	case kindStruct:
		return s.checked || s.fields == nil
	case kindUnion:
		for _, m := range s.members {
			if m.value.holdsChecked() {
				return true
			}
		}
	}
	return false
}
