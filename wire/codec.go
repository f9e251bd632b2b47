package wire

import (
	"bytes"
	"fmt"
	"reflect"
)

// Marshal encodes an SDK struct (or a list or map of them) as awsJson, the form in which state stores rows. Zero numbers
// and booleans are present, nil members absent, empty lists "[]"; map keys are sorted, so equal values have equal bytes;
// timestamps keep nanoseconds. The error is about the type, or a union that holds a member unknown to the SDK's model.
func Marshal(v any) ([]byte, error) { return marshal(v, jsonWriter{digits: 9}) }

// MarshalEvent encodes an SDK struct as the events of its service carry it: as Marshal does, but timestamps are ISO 8601 in
// UTC with milliseconds (SEMANTICS §1 rule 3).
func MarshalEvent(v any) ([]byte, error) { return marshal(v, jsonWriter{textTimes: true}) }

func marshal(v any, w jsonWriter) ([]byte, error) {
	rv := reflect.ValueOf(v)
	if !rv.IsValid() {
		return nil, fmt.Errorf("marshal: nothing to encode")
	}
	s, err := shapeOf(rv.Type())
	if err != nil {
		return nil, err
	}
	w.b = make([]byte, 0, 512)
	if err := w.value(s, rv); err != nil {
		return nil, err
	}
	return w.b, nil
}

// Unmarshal is the inverse of Marshal: v is a pointer to the struct. It gives back exactly what was marshalled (times in
// UTC, strings in valid UTF-8); members the struct does not have are ignored, so that rows of a newer version can be read.
func Unmarshal(b []byte, v any) error {
	rv := reflect.ValueOf(v)
	if rv.Kind() != reflect.Pointer || rv.IsNil() {
		return fmt.Errorf("unmarshal: %T is not a pointer to fill", v)
	}
	s, err := shapeOf(rv.Type().Elem())
	if err != nil {
		return err
	}
	if s.kind == kindPointer && string(bytes.TrimSpace(b)) == "null" { // what Marshal writes for a nil pointer
		rv.Elem().SetZero()
		return nil
	}
	return decodeJSON(b, s, rv.Elem())
}
