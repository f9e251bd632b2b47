package model

import (
	"errors"
	"fmt"
)

// Error is a refusal that a caller may see: Code is AWS's exception name ("ClusterNotFoundException") and Message is
// AWS's wording. Everything that is not an Error is answered as a server fault and only logged.
type Error struct {
	Code    string
	Message string
	// Fields are further members of the exception's shape, e.g. ConflictException.resourceIds.
	Fields map[string]any
	// Encoded says of a refused call why, for DecodeAuthorizationMessage; "" for other errors (docs/decisions/038).
	Encoded string
}

func (e *Error) Error() string {
	if e.Message == "" {
		return e.Code
	}
	return e.Code + ": " + e.Message
}

// Errorf builds an Error with a formatted message.
func Errorf(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// ErrorCode returns the Code of the Error in err's chain, or "" if there is none.
func ErrorCode(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return ""
}
