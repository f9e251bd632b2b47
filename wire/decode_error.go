package wire

import (
	"math"
	"strconv"
	"strings"
)

// A decodeError is a request that does not fit the operation's input. It is answered as SerializationException.
type decodeError struct {
	msg  string
	path string // of the member, from the outermost in; "" if the text itself is broken
}

func (e *decodeError) Error() string {
	if e.path == "" {
		return e.msg
	}
	return e.msg + " (at " + e.path + ")"
}

// within notes that err happened inside a member or element.
func within(err error, name string) error {
	e, ok := err.(*decodeError) //nolint:errorlint // only what this package made itself, unwrapped: the hot path
	if !ok {
		return err
	}
	e.path = joinPath(name, e.path)
	return e
}

// joinPath puts a member's name before the path inside it.
func joinPath(name, path string) string {
	switch {
	case path == "":
		return name
	case strings.HasPrefix(path, "["):
		return name + path
	}
	return name + "." + path
}

func wrongType(found string, s *shape) error {
	switch s.kind {
	case kindList:
		return &decodeError{msg: "Expected list or null"}
	case kindStruct, kindMap, kindUnion:
		return &decodeError{msg: "Unexpected field type"}
	}
	return &decodeError{msg: found + " can not be converted to " + s.awsType()}
}

func unionError(members int) error {
	return &decodeError{msg: "Expected exactly one member of the union, found " + strconv.Itoa(members)}
}

// awsType is what AWS's messages call a scalar, with its article.
func (s *shape) awsType() string {
	switch s.kind {
	case kindString:
		return "a String"
	case kindBool:
		return "a Boolean"
	case kindInt:
		if s.typ.Bits() > 32 {
			return "a Long"
		}
		return "an Integer"
	case kindFloat:
		if s.typ.Bits() > 32 {
			return "a Double"
		}
		return "a Float"
	case kindTime:
		return "a Timestamp"
	case kindBlob:
		return "a Blob"
	}
	return "a Document"
}

// specialFloat parses the three values that JSON numbers cannot write.
func specialFloat(text string) (float64, bool) {
	switch text {
	case "NaN":
		return math.NaN(), true
	case "Infinity":
		return math.Inf(1), true
	case "-Infinity":
		return math.Inf(-1), true
	}
	return 0, false
}
