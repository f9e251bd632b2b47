package wire

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"reflect"
	"time"

	"github.com/aws/smithy-go/eventstream"

	"github.com/roadstead/roadstead/model"
)

// An Event is one member of an operation's event stream.
type Event struct {
	Type    string // the member's name on the wire: "sessionUpdate"
	Payload any    // pointer to the SDK's struct
}

// A Stream yields the events of one answer, each of which is sent at once. An error ends it: a *model.Error is told the caller as an
// exception of the stream, any other is logged and told as the service's fault.
type Stream = iter.Seq2[Event, error]

// HandleStream registers the handler of an operation whose answer is an event stream. The stream runs after the handler has returned,
// until the caller hangs up: then the handler's context ends. An error of the handler itself is answered as any operation's. It panics
// as Handle does.
func HandleStream[I any](m *Mux, op string, fn func(ctx context.Context, in *I) (Stream, error)) {
	m.add(op, reflect.TypeFor[I](), reflect.TypeFor[struct{}](), nil)
	m.ops[op].stream = func(ctx context.Context, in reflect.Value) (Stream, error) { return fn(ctx, in.Interface().(*I)) }
}

// streamPatience is how long a caller may leave one event of a stream unread before the stream is ended.
const streamPatience = 30 * time.Second

// stream sends the events of an answer. Everything has been checked: from here on errors can only be told in the stream.
func (g *Gateway) stream(w http.ResponseWriter, q *request, id string, events Stream) {
	h := w.Header()
	h.Set("Content-Type", "application/vnd.amazon.eventstream")
	w.WriteHeader(http.StatusOK)
	s := &eventWriter{w: w, control: http.NewResponseController(w), q: q, encoder: eventstream.NewEncoder()}
	// RPC protocols send the members of the answer that are not in the stream first, also if there are none.
	if s.send("event", "initial-response", []byte(q.emptyObject())) != nil {
		return
	}
	for e, err := range events {
		if err != nil {
			s.sendFault(g, id, err)
			return
		}
		payload, err := q.marshal(e.Payload)
		if err != nil {
			s.sendFault(g, id, fmt.Errorf("encode event %s: %w", e.Type, err))
			return
		}
		if s.send("event", e.Type, payload) != nil { // the caller has gone
			return
		}
	}
}

// eventWriter frames messages and hands each to the network.
type eventWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
	q       *request
	encoder *eventstream.Encoder
	frame   bytes.Buffer
}

func (s *eventWriter) send(kind, name string, payload []byte) error {
	s.frame.Reset()
	m := eventstream.Message{Payload: payload}
	m.Headers.Set(":message-type", eventstream.StringValue(kind))
	m.Headers.Set(":"+kind+"-type", eventstream.StringValue(name))
	m.Headers.Set(":content-type", eventstream.StringValue(s.q.contentType()))
	if err := s.encoder.Encode(&s.frame, m); err != nil {
		return fmt.Errorf("frame %s: %w", name, err)
	}
	_ = s.control.SetWriteDeadline(time.Now().Add(streamPatience)) // a connection that has none is a test's
	if _, err := s.w.Write(s.frame.Bytes()); err != nil {
		return err
	}
	return s.control.Flush()
}

// sendFault ends a stream with an exception.
func (s *eventWriter) sendFault(g *Gateway, id string, err error) {
	if s.q.http.Context().Err() != nil {
		return
	}
	var refusal *model.Error
	if !errors.As(err, &refusal) {
		g.logFault(s.q, id, err)
		refusal = g.explain(s.q, err)
	}
	f := s.q.dress(refusal, true)
	body, err := s.q.encodeFault(nil, f, id)
	if err == nil {
		_ = s.send("exception", f.code, body)
	}
}

// marshal encodes a struct as the request's protocol carries it.
func (q *request) marshal(v any) ([]byte, error) {
	rv := reflect.ValueOf(v).Elem()
	s, err := shapeOf(rv.Type())
	if err != nil {
		return nil, err
	}
	if q.protocol == protocolCBOR {
		w := cborWriter{}
		err = w.value(s, rv)
		return w.b, err
	}
	w := jsonWriter{digits: 3}
	err = w.value(s, rv)
	return w.b, err
}

// emptyObject is a struct without members.
func (q *request) emptyObject() string {
	if q.protocol == protocolCBOR {
		return "\xa0"
	}
	return "{}"
}
