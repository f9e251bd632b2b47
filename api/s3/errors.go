package s3

import (
	"context"
	"encoding/xml"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"slices"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/wire"
)

// statuses are those of errors; others are 400.
func status(code string) int {
	switch code {
	case "AccessDenied", "InvalidAccessKeyId", "RequestTimeTooSkewed", "SignatureDoesNotMatch":
		return http.StatusForbidden
	case "NoSuchBucket", "NoSuchBucketPolicy", "NoSuchKey", "NoSuchUpload":
		return http.StatusNotFound
	case "MethodNotAllowed":
		return http.StatusMethodNotAllowed
	case "BucketAlreadyExists", "BucketAlreadyOwnedByYou", "BucketNotEmpty", "OperationAborted", "ConditionalRequestConflict":
		return http.StatusConflict
	case "MissingContentLength":
		return http.StatusLengthRequired
	case "PreconditionFailed":
		return http.StatusPreconditionFailed
	case "InvalidRange", "InvalidPartNumber":
		return http.StatusRequestedRangeNotSatisfiable
	case "NotModified":
		return http.StatusNotModified
	case "InternalError":
		return http.StatusInternalServerError
	case "NotImplemented":
		return http.StatusNotImplemented
	}
	return http.StatusBadRequest
}

func refused(code, message string, fields ...string) *model.Error {
	e := &model.Error{Code: code, Message: message}
	for pair := range slices.Chunk(fields, 2) {
		if e.Fields == nil {
			e.Fields = map[string]any{}
		}
		e.Fields[pair[0]] = pair[1]
	}
	return e
}

// The words are S3's [O].

func errDenied() error { return refused("AccessDenied", "Access Denied") }

func errNoBucket(name string) error {
	return refused("NoSuchBucket", "The specified bucket does not exist", "BucketName", name)
}

func errNoKey(key string) error {
	return refused("NoSuchKey", "The specified key does not exist.", "Key", key)
}

func errNotImplemented() error {
	return refused("NotImplemented", "A header you provided implies functionality that is not implemented")
}

func errMethod() error {
	return refused("MethodNotAllowed", "The specified method is not allowed against this resource.")
}

func errMalformed() error {
	return refused("MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema")
}

func errTooLarge() error {
	return refused("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
}

func errPrecondition(condition string) error {
	return refused("PreconditionFailed", "At least one of the pre-conditions you specified did not hold", "Condition", condition)
}

func errArgument(name, value, message string) error {
	return refused("InvalidArgument", message, "ArgumentName", name, "ArgumentValue", value)
}

func errNoLength() error {
	return refused("MissingContentLength", "You must provide the Content-Length HTTP header.")
}

// translate gives the refusals of auth, which have the codes of JSON services, those of S3.
func translate(e *model.Error) *model.Error {
	switch e.Code {
	case "UnrecognizedClientException":
		return refused("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")
	case "InvalidSignatureException":
		return refused("SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided. Check your key and signing method.")
	case "ExpiredTokenException":
		return refused("ExpiredToken", "The provided token has expired.")
	case "IncompleteSignatureException":
		return refused("AuthorizationHeaderMalformed", e.Message)
	case "MissingAuthenticationTokenException":
		return refused("AccessDenied", "Access Denied")
	}
	return e
}

// fault is the body of a refusal.
type fault struct {
	XMLName          xml.Name `xml:"Error"`
	Code, Message    string
	Key              string `xml:",omitempty"`
	BucketName       string `xml:",omitempty"`
	Condition        string `xml:",omitempty"`
	ArgumentName     string `xml:",omitempty"`
	ArgumentValue    string `xml:",omitempty"`
	RangeRequested   string `xml:",omitempty"`
	ActualObjectSize string `xml:",omitempty"`
	Resource         string `xml:",omitempty"`
	RequestID        string `xml:"RequestId"`
	HostID           string `xml:"HostId"`
}

// refuse answers an error. Only a *model.Error is for the caller's eyes.
func (a *API) refuse(c *call, operation string, err error) {
	var e *model.Error
	if !errors.As(err, &e) {
		level := slog.LevelError
		if c.Context().Err() != nil || errors.Is(err, context.Canceled) { // the caller hung up
			level = slog.LevelDebug
		}
		a.Log.Log(c.Context(), level, "api call failed", "service", "s3", "operation", operation, "request", c.id, "err", err)
		e = refused("InternalError", "We encountered an internal error. Please try again.")
		if words := a.Explain(err); words != nil {
			e.Message = words.Message
		}
	}
	encoded := e.Encoded
	e = translate(e)
	field := func(name string) string { text, _ := e.Fields[name].(string); return text }
	code := status(e.Code)
	h := c.ResponseWriter.Header()
	if code != http.StatusNotModified { // what was said of an answer, its length above all, is not true of this one
		maps.DeleteFunc(h, func(name string, _ []string) bool { return name != "X-Amz-Request-Id" && name != "X-Amz-Id-2" })
	}
	if encoded != "" {
		h.Set(wire.EncodedHeader, encoded)
	}
	if c.Method == http.MethodHead || code == http.StatusNotModified {
		c.WriteHeader(code)
		return
	}
	b, err := xml.Marshal(fault{
		Code: e.Code, Message: e.Message, Key: field("Key"), BucketName: field("BucketName"), Condition: field("Condition"),
		ArgumentName: field("ArgumentName"), ArgumentValue: field("ArgumentValue"), RangeRequested: field("RangeRequested"),
		ActualObjectSize: field("ActualObjectSize"), Resource: field("Resource"), RequestID: c.id, HostID: h.Get("X-Amz-Id-2"),
	})
	if err != nil {
		a.Log.Error("encode an error of S3", "err", err)
	}
	h.Set("Content-Type", "application/xml")
	c.WriteHeader(code)
	_, _ = c.ResponseWriter.Write(append([]byte(xml.Header), b...))
}

// answer writes an answer in XML.
func (c *call) answer(v any) error {
	b, err := xml.Marshal(v)
	if err != nil {
		return err
	}
	c.ResponseWriter.Header().Set("Content-Type", "application/xml")
	c.WriteHeader(http.StatusOK)
	_, _ = c.ResponseWriter.Write(append([]byte(xml.Header), b...))
	return nil
}
