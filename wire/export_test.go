package wire

import (
	"context"
	"encoding/json"
	"net/url"
	"reflect"
)

// What the external tests need to drive every type of a service by reflection.

// HandleAny is Handle for types known only at run time; fn takes and returns pointers.
func HandleAny(m *Mux, op string, in, out reflect.Type, fn func(in any) (any, error)) {
	m.add(op, in, out, func(_ context.Context, in reflect.Value) (reflect.Value, error) {
		o, err := fn(in.Interface())
		return reflect.ValueOf(o), err
	})
}

// UnionMembers returns the member structs of an SDK union, or nil.
func UnionMembers(t reflect.Type) []reflect.Type { return unionTypes(t) }

// DocumentMaker returns how to make a document of the interface, or nil.
func DocumentMaker(t reflect.Type) func(any) any { return documentMaker(t) }

// Required reports whether the member is required by its service's model.
func Required(t reflect.Type, field string) bool {
	s, err := shapeOf(t)
	if err != nil {
		return false
	}
	for _, f := range s.fields {
		if t.Field(f.index).Name == field {
			return f.required
		}
	}
	return false
}

// WireNames returns the Go fields of a struct and their JSON names.
func WireNames(t reflect.Type) map[string]string {
	s, err := shapeOf(t)
	if err != nil {
		return nil
	}
	names := map[string]string{}
	for _, f := range s.fields {
		names[t.Field(f.index).Name] = f.name
	}
	return names
}

// MarshalAnswer encodes as the gateway's JSON answers do.
func MarshalAnswer(v any) ([]byte, error) {
	s, err := shapeOf(reflect.TypeOf(v))
	if err != nil {
		return nil, err
	}
	w := jsonWriter{digits: 3}
	err = w.value(s, reflect.ValueOf(v))
	return w.b, err
}

// AnswerEncoder returns what encodes one operation's JSON answers, size hint and all.
func AnswerEncoder[O any]() func(*O) ([]byte, error) {
	s, err := shapeOf(reflect.TypeFor[O]())
	var answers sizer
	return func(out *O) ([]byte, error) {
		if err != nil {
			return nil, err
		}
		w := jsonWriter{b: answers.buffer(), digits: 3}
		werr := w.value(s, reflect.ValueOf(out).Elem())
		answers.learn(len(w.b))
		return w.b, werr
	}
}

func MarshalCBOR(v any) ([]byte, error) {
	s, err := shapeOf(reflect.TypeOf(v))
	if err != nil {
		return nil, err
	}
	w := cborWriter{}
	err = w.value(s, reflect.ValueOf(v))
	return w.b, err
}

func UnmarshalCBOR(b []byte, v any) error {
	s, err := shapeOf(reflect.TypeOf(v).Elem())
	if err != nil {
		return err
	}
	return decodeCBOR(b, s, reflect.ValueOf(v).Elem())
}

func UnmarshalForm(query string, ec2 bool, v any) error {
	s, err := shapeOf(reflect.TypeOf(v).Elem())
	if err != nil {
		return err
	}
	params, err := url.ParseQuery(query)
	if err != nil {
		return err
	}
	f, err := parseForm(params)
	if err != nil {
		return err
	}
	return formReader{ec2: ec2}.object(s, f, reflect.ValueOf(v).Elem())
}

func MarshalXML(v any, ec2 bool) (string, error) {
	s, err := shapeOf(reflect.TypeOf(v).Elem())
	if err != nil {
		return "", err
	}
	w := xmlWriter{ec2: ec2}
	err = w.members(s, reflect.ValueOf(v).Elem())
	return string(w.b), err
}

// SkipAgrees reports whether our scanner and encoding/json agree that text is JSON.
func SkipAgrees(text []byte) bool {
	r := &jsonReader{data: text}
	err := r.skip()
	if err == nil {
		err = r.end()
	}
	if r.depth >= maxDepth {
		return true
	}
	return (err == nil) == json.Valid(text)
}
