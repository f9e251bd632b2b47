package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
)

// SpecCodec stores the user-authored parts of rows, which are SDK structs (unions and all). Assembly passes wire's.
type SpecCodec struct {
	Marshal   func(v any) ([]byte, error)
	Unmarshal func(b []byte, v any) error
}

// specced is a row with user-authored parts.
type specced interface{ Specs() []any }

// compact is a row with a stored form shorter than JSON; ReadRow returns what follows it.
type compact interface {
	AppendRow([]byte) []byte
	ReadRow([]byte) (rest []byte, err error)
}

// absent stands for a user-authored part that is a nil pointer.
const absent = "-"

// A stored row is a line of JSON or, if the row has one, its compact form, then a line for each user-authored part.
func appendRow(b []byte, row any, c SpecCodec) ([]byte, error) {
	if r, ok := row.(compact); ok {
		b = append(r.AppendRow(b), '\n')
	} else {
		line, err := json.Marshal(row)
		if err != nil {
			return nil, err
		}
		b = append(append(b, line...), '\n')
	}
	s, ok := row.(specced)
	if !ok {
		return b, nil
	}
	for _, spec := range s.Specs() {
		line := []byte(absent)
		if p := reflect.ValueOf(spec).Elem(); p.Kind() != reflect.Pointer || !p.IsNil() {
			var err error
			if line, err = c.Marshal(spec); err != nil {
				return nil, err
			}
			if bytes.IndexByte(line, '\n') >= 0 {
				return nil, fmt.Errorf("user-authored part of %T takes several lines", row)
			}
		}
		b = append(append(b, line...), '\n')
	}
	return b, nil
}

func decodeRow(b []byte, row any, c SpecCodec) error {
	rest, err := decodeOwn(b, row)
	if err != nil {
		return err
	}
	s, ok := row.(specced)
	if !ok {
		return nil
	}
	for i, spec := range s.Specs() {
		line, after, whole := bytes.Cut(rest, []byte{'\n'})
		if rest = after; !whole {
			return fmt.Errorf("part %d is missing", i)
		}
		if string(line) == absent {
			continue
		}
		if err := c.Unmarshal(line, spec); err != nil {
			return err
		}
	}
	return nil
}

// decodeOwn decodes what is not user-authored, and returns what is.
func decodeOwn(b []byte, row any) (rest []byte, err error) {
	r, ok := row.(compact)
	if !ok {
		line, rest, _ := bytes.Cut(b, []byte{'\n'})
		return rest, json.Unmarshal(line, row)
	}
	rest, err = r.ReadRow(b)
	if err == nil && (len(rest) == 0 || rest[0] != '\n') {
		err = errors.New("the row does not end")
	}
	if err != nil {
		return nil, err
	}
	return rest[1:], nil
}
