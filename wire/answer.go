package wire

import (
	"reflect"
	"sync/atomic"
)

// A sizer remembers how large an operation's answers are, so that the next one needs no growing. It forgets peaks over a
// megabyte and is only a hint: races lose nothing but a copy.
type sizer struct{ last atomic.Int64 }

func (z *sizer) buffer() []byte { return make([]byte, 0, max(512, z.last.Load())) }

func (z *sizer) learn(n int) {
	if n < 1<<20 {
		z.last.Store(int64(n + n/8))
	}
}

// contentType is that of every answer to the request.
func (q *request) contentType() string {
	switch q.protocol {
	case protocolCBOR:
		return "application/cbor"
	case protocolJSON:
		version := q.jsonVersion
		if version == "" {
			version = q.service().JSONVersion
		}
		if version == "" {
			version = "1.1"
		}
		return "application/x-amz-json-" + version
	case protocolEC2:
		return "text/xml;charset=UTF-8"
	}
	return "text/xml"
}

// encode writes a successful answer. Out is the operation's output struct, or invalid for an empty answer.
func (q *request) encode(op *operation, out reflect.Value, requestID string) ([]byte, error) {
	if !out.IsValid() {
		out = reflect.Zero(op.out.typ)
	}
	var body []byte
	var err error
	switch q.protocol {
	case protocolCBOR:
		w := cborWriter{b: op.answers.buffer()}
		err = w.value(op.out, out)
		body = w.b
	case protocolJSON:
		w := jsonWriter{b: op.answers.buffer(), digits: 3}
		err = w.value(op.out, out)
		body = w.b
	default:
		body, err = q.encodeXML(op, out, requestID)
	}
	op.answers.learn(len(body))
	return body, err
}

func (q *request) encodeXML(op *operation, out reflect.Value, requestID string) ([]byte, error) {
	s := q.mux.service
	w := xmlWriter{b: op.answers.buffer(), ec2: s.EC2}
	w.b = append(append(append(append(append(w.b, '<'), op.name...), `Response xmlns="`...), s.XMLNamespace...), `">`...)
	if s.EC2 {
		w.element("requestId", requestID)
		if err := w.members(op.out, out); err != nil {
			return nil, err
		}
	} else {
		// AWS leaves the Result element out where the model has no output at all. The SDK's structs cannot tell that from
		// an output without members, whose Result clients insist on; those that expect none skip it.
		w.open(op.name + "Result")
		if err := w.members(op.out, out); err != nil {
			return nil, err
		}
		w.close(op.name + "Result")
		w.open("ResponseMetadata")
		w.element("RequestId", requestID)
		w.close("ResponseMetadata")
	}
	w.close(op.name + "Response")
	return w.b, nil
}
