package wire

import (
	"encoding/base64"
	"math"
	"reflect"
	"strconv"
	"time"
)

func (r *jsonReader) boolean(s *shape, v reflect.Value) error {
	switch r.data[r.pos] {
	case 't':
		v.SetBool(true)
		return r.word("true")
	case 'f':
		v.SetBool(false)
		return r.word("false")
	}
	return r.mismatch(s)
}

func (r *jsonReader) numeric(s *shape, v reflect.Value) error {
	c := r.data[r.pos]
	if s.kind == kindFloat && c == '"' { // awsJson writes the three values that JSON numbers cannot as strings
		text, err := r.text()
		if err != nil {
			return err
		}
		f, ok := specialFloat(text)
		if !ok {
			return &decodeError{msg: "STRING_VALUE can not be converted to " + s.awsType()}
		}
		v.SetFloat(f)
		return nil
	}
	if c != '-' && (c < '0' || c > '9') {
		return r.mismatch(s)
	}
	text, err := r.number()
	if err != nil {
		return err
	}
	return setNumber(s, v, string(text))
}

// setNumber parses a number of JSON or a form. An integer may be written 3.0 or 3e2, but not 3.5 [I].
func setNumber(s *shape, v reflect.Value, text string) error {
	if s.kind == kindFloat {
		f, err := strconv.ParseFloat(text, s.typ.Bits())
		if err != nil {
			return &decodeError{msg: "NUMBER_VALUE can not be converted to " + s.awsType()}
		}
		v.SetFloat(f)
		return nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		f, ferr := strconv.ParseFloat(text, 64)
		if ferr != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
			return &decodeError{msg: "NUMBER_VALUE can not be converted to " + s.awsType()}
		}
		n = int64(f)
	}
	if v.OverflowInt(n) {
		return &decodeError{msg: "NUMBER_VALUE is out of range of " + s.awsType()}
	}
	v.SetInt(n)
	return nil
}

func (r *jsonReader) time(s *shape, v reflect.Value) error {
	c := r.data[r.pos]
	var text []byte
	var err error
	switch {
	case c == '"' && (s.timeFormat == "date-time" || s.timeFormat == "http-date"):
		text, err = r.rawString()
	case c == '-' || '0' <= c && c <= '9':
		text, err = r.number()
	default:
		return r.mismatch(s)
	}
	if err != nil {
		return err
	}
	t, err := parseTime(string(text))
	if err != nil {
		return err
	}
	*v.Addr().Interface().(*time.Time) = t
	return nil
}

// setBlob parses base64.
func setBlob(v reflect.Value, text []byte) error {
	blob, err := base64.StdEncoding.AppendDecode([]byte{}, text)
	if err != nil {
		return &decodeError{msg: "Invalid base64 value."}
	}
	v.SetBytes(blob)
	return nil
}

// mismatch is the error for a value at pos that is not of the shape's JSON type, in the words AWS uses [O].
func (r *jsonReader) mismatch(s *shape) error {
	if r.pos >= len(r.data) {
		return r.unexpected()
	}
	found := "NUMBER_VALUE"
	switch c := r.data[r.pos]; {
	case c == '{':
		return &decodeError{msg: "Start of structure or map found where not expected."}
	case c == '[':
		return &decodeError{msg: "Start of list found where not expected"}
	case c == '"':
		found = "STRING_VALUE"
	case c == 't':
		found = "TRUE_VALUE"
	case c == 'f':
		found = "FALSE_VALUE"
	case c == 'n':
		found = "NULL_VALUE"
	case c != '-' && (c < '0' || c > '9'):
		return r.unexpected()
	}
	return wrongType(found, s)
}
