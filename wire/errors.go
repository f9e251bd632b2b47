package wire

import (
	"reflect"
	"slices"
	"sort"

	"github.com/roadstead/roadstead/model"
)

// A fault is an error dressed for one request: the code and status its protocol shows.
type fault struct {
	code, message string
	status        int
	fields        map[string]any
}

// dress turns an error the caller may see into what the request's protocol and service show of it. Authentic is false for
// refusals of the authenticator, whose codes are named differently in the query protocols.
func (q *request) dress(e *model.Error, authentic bool) fault {
	f := fault{code: e.Code, message: e.Message, fields: e.Fields, status: 400}
	if e.Encoded != "" && q.protocol == protocolEC2 {
		f.message = "You are not authorized to perform this operation. " + e.Message + ". Encoded authorization failure message: " + e.Encoded // [O]
	}
	service := q.service()
	if q.protocol.query() {
		if code, status, ok := queryRefusal(e.Code, authentic, q.protocol == protocolEC2); ok {
			f.code, f.status = code, status
		} else {
			f.code = service.queryError(e.Code)
		}
	}
	switch {
	case service.ErrorStatus[e.Code] != 0:
		f.status = service.ErrorStatus[e.Code]
	case e.Code == "ServiceUnavailable" || e.Code == "ServiceUnavailableException":
		f.status = 503
	case serverFault(e.Code) || slices.Contains(service.ServerFaults, e.Code):
		f.status = 500
	case e.Code == "RequestEntityTooLargeException":
		f.status = 413
	}
	return f
}

// service is the request's service; one that could not be routed has none, and gets a plain one.
func (q *request) service() *Service {
	if q.mux == nil {
		return &Service{}
	}
	return q.mux.service
}

func serverFault(code string) bool {
	switch code {
	case "InternalFailure", "InternalError", "InternalServerError", "InternalServerException", "ServerException":
		return true
	}
	return false
}

// queryRefusal returns the query protocols' name and status for a refusal that JSON services name in their own way [O].
func queryRefusal(code string, authentic, ec2 bool) (string, int, bool) {
	switch code {
	case "AccessDeniedException", "AccessDenied":
		if ec2 {
			return "UnauthorizedOperation", 403, true
		}
		return "AccessDenied", 403, true
	case "SerializationException":
		if ec2 {
			return "InvalidParameterValue", 400, true
		}
		return "MalformedInput", 400, true
	case "UnrecognizedClientException": // also of a session whose user or role is found to be gone when the call is decided
		if ec2 {
			return "AuthFailure", 401, true
		}
		return "InvalidClientTokenId", 403, true
	case "UnknownOperationException":
		return "InvalidAction", 400, true
	case "RequestEntityTooLargeException":
		return "RequestEntityTooLarge", 413, true
	}
	if authentic {
		return "", 0, false
	}
	if ec2 {
		if code == "ExpiredTokenException" {
			return "RequestExpired", 400, true
		}
		return "AuthFailure", 401, true
	}
	switch code {
	case "MissingAuthenticationTokenException":
		return "MissingAuthenticationToken", 403, true
	case "InvalidSignatureException":
		return "SignatureDoesNotMatch", 403, true
	case "ExpiredTokenException":
		return "ExpiredToken", 403, true
	case "IncompleteSignatureException":
		return "IncompleteSignature", 400, true
	}
	return code, 403, true
}

// encodeFault writes the body of an error in the request's protocol.
func (q *request) encodeFault(b []byte, f fault, requestID string) ([]byte, error) {
	switch q.protocol {
	case protocolCBOR:
		return f.cbor(b)
	case protocolJSON:
		return f.json(b)
	}
	return f.xml(b, q.service(), requestID)
}

func (f fault) json(b []byte) ([]byte, error) {
	w := jsonWriter{b: b, digits: 3}
	w.b = append(appendJSONString(append(w.b, `{"__type":`...), f.code), `,"message":`...)
	w.b = appendJSONString(w.b, f.message)
	for _, name := range f.names() {
		w.b = append(appendJSONString(append(w.b, ','), name), ':')
		if err := w.dynamic(f.field(name)); err != nil {
			return nil, err
		}
	}
	return append(w.b, '}'), nil
}

func (f fault) cbor(b []byte) ([]byte, error) {
	w := cborWriter{b: b}
	w.head(cborMap, uint64(2+len(f.fields)))
	w.text("__type")
	w.text(f.code)
	w.text("message")
	w.text(f.message)
	for _, name := range f.names() {
		w.text(name)
		if err := w.dynamic(f.field(name)); err != nil {
			return nil, err
		}
	}
	return w.b, nil
}

func (f fault) xml(b []byte, s *Service, requestID string) ([]byte, error) {
	w := xmlWriter{b: b, ec2: s.EC2}
	if s.EC2 {
		w.b = append(w.b, `<?xml version="1.0" encoding="UTF-8"?><Response><Errors><Error>`...)
		w.element("Code", f.code)
		w.element("Message", f.message)
		w.b = append(w.b, "</Error></Errors>"...)
		w.element("RequestID", requestID)
		w.close("Response")
		return w.b, nil
	}
	w.b = append(append(append(w.b, `<ErrorResponse xmlns="`...), s.XMLNamespace...), `"><Error>`...)
	w.element("Type", f.side("Sender", "Receiver"))
	w.element("Code", f.code)
	w.element("Message", f.message)
	for _, name := range f.names() {
		w.open(name)
		if err := w.dynamic(f.field(name)); err != nil {
			return nil, err
		}
		w.close(name)
	}
	w.close("Error")
	w.element("RequestId", requestID)
	w.close("ErrorResponse")
	return w.b, nil
}

// side returns whose fault it is.
func (f fault) side(client, server string) string {
	if f.status >= 500 {
		return server
	}
	return client
}

func (f fault) names() []string {
	names := make([]string, 0, len(f.fields))
	for name := range f.fields {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// field returns a field as an interface value, which the writers encode by what it holds.
func (f fault) field(name string) reflect.Value {
	v := f.fields[name]
	return reflect.ValueOf(&v).Elem()
}
