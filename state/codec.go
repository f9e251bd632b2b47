package state

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// SpecCodec stores the user-authored parts of rows, which are SDK structs (unions and all). Assembly passes wire's.
type SpecCodec struct {
	Marshal   func(v any) ([]byte, error)
	Unmarshal func(b []byte, v any) error
}

// specced is a row with user-authored parts.
type specced interface{ Specs() []any }

// A stored row is one line of JSON, then a line for each user-authored part.
func encodeRow(row any, c SpecCodec) ([]byte, error) {
	b, err := json.Marshal(row)
	if err != nil {
		return nil, err
	}
	s, ok := row.(specced)
	if !ok {
		return b, nil
	}
	for _, spec := range s.Specs() {
		line, err := c.Marshal(spec)
		if err != nil {
			return nil, err
		}
		if bytes.IndexByte(line, '\n') >= 0 {
			return nil, fmt.Errorf("user-authored part of %T takes several lines", row)
		}
		b = append(append(b, '\n'), line...)
	}
	return b, nil
}

func decodeRow(b []byte, row any, c SpecCodec) error {
	line, rest, _ := bytes.Cut(b, []byte{'\n'})
	if err := json.Unmarshal(line, row); err != nil {
		return err
	}
	s, ok := row.(specced)
	if !ok {
		return nil
	}
	for i, spec := range s.Specs() {
		if line, rest, _ = bytes.Cut(rest, []byte{'\n'}); len(line) == 0 {
			return fmt.Errorf("part %d is missing", i)
		}
		if err := c.Unmarshal(line, spec); err != nil {
			return err
		}
	}
	return nil
}
