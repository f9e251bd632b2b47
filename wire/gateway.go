package wire

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/roadstead/roadstead/model"
)

// DefaultMaxBody is the largest request body taken when GatewayConfig says nothing: 16 MiB, above the largest call of
// the services we speak (PutLogEvents and PutMetricData, about 1 MiB).
const DefaultMaxBody = 16 << 20

// GatewayConfig is what a Gateway needs from the house.
type GatewayConfig struct {
	// Authenticate verifies the caller. Body is what the signature covers: the bytes as received, still compressed. The
	// returned context descends from r.Context() and carries the principal; CallFrom tells it which operation is meant,
	// "" if none can be told. A *model.Error is answered to the caller (status 400, in query protocols 403), any other
	// error is logged and answered as a server fault. Required.
	Authenticate func(r *http.Request, body []byte) (context.Context, error)
	// Authorize decides whether the caller may make the call, when its input is known: a pointer to the operation's input
	// struct. Its context is Authenticate's, and its errors are answered as a handler's. Optional: without it whoever is
	// verified may make it.
	Authorize func(ctx context.Context, r *http.Request, in any) error
	// Explain puts an error that is not a *model.Error into words for the caller, nil if it is none of the caller's
	// business. It is answered with status 500. Optional.
	Explain      func(err error) *model.Error
	NewRequestID func() string // default: random UUIDs
	Log          *slog.Logger  // default: slog.Default()
	MaxBody      int64         // bytes, as sent and again decompressed; default DefaultMaxBody
}

// A Gateway answers the AWS API calls of all services on one endpoint.
type Gateway struct {
	cfg   GatewayConfig
	muxes []*Mux
}

// NewGateway makes the handler for the services of muxes. It panics without an authenticator: a gateway that lets
// everybody in must say so by passing one that does.
func NewGateway(cfg GatewayConfig, muxes ...*Mux) *Gateway {
	if cfg.Authenticate == nil {
		panic("wire: NewGateway without Authenticate")
	}
	if cfg.NewRequestID == nil {
		cfg.NewRequestID = uuid.NewString
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.MaxBody <= 0 {
		cfg.MaxBody = DefaultMaxBody
	}
	return &Gateway{cfg: cfg, muxes: muxes}
}

// A Call names what a request asks for.
type Call struct {
	Service   string // Service.Name, "" if the request addresses none that we speak
	Operation string // as requested: it may not exist
	Protocol  string // awsJson, rpc-v2-cbor, awsQuery or ec2Query
	RequestID string
	DryRun    bool   // DryRunHeader is there
	Base      string // URL at which the caller reached us: "http://10.0.0.1:4566"
}

type callKey struct{}

// CallFrom returns the call a handler's or authenticator's context belongs to.
func CallFrom(ctx context.Context) (Call, bool) {
	c, ok := ctx.Value(callKey{}).(Call)
	return c, ok
}

// ServeHTTP answers one call. Every answer carries x-amzn-RequestId; every error is in the form of the request's protocol.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := g.cfg.NewRequestID()
	q := detect(r)
	a := g.answer(q, id)
	h := w.Header()
	h.Set("X-Amzn-Requestid", id)
	if q.protocol == protocolCBOR {
		h.Set("Smithy-Protocol", "rpc-v2-cbor")
	}
	if a.stream != nil {
		g.stream(w, q, id, a.stream)
		return
	}
	h.Set("Content-Type", a.contentType)
	h.Set("Content-Length", strconv.Itoa(len(a.body)))
	if a.queryError != "" {
		h.Set("X-Amzn-Query-Error", a.queryError)
	}
	if a.encoded != "" {
		h.Set(EncodedHeader, a.encoded)
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // the only error is that the caller has gone
}

// EncodedHeader carries, beside the refusal of a call that the caller may not make, the message that sts:DecodeAuthorizationMessage
// decodes. AWS has no such header: its services that make messages put them into their texts.
const EncodedHeader = "X-Roadstead-Authorization-Message"

// An answer is a complete HTTP answer.
type answer struct {
	status      int
	contentType string
	queryError  string // of query-compatible services
	encoded     string // of a refusal: model.Error.Encoded
	body        []byte
	stream      Stream // instead of a body; its status is 200
}

// answer runs the call. A panic below it is logged and answered like any failure of ours.
func (g *Gateway) answer(q *request, id string) (a answer) {
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler { //nolint:errorlint // net/http compares the panic value itself
				panic(p)
			}
			a = g.refuse(q, id, fmt.Errorf("panic: %v\n%s", p, debug.Stack()), true)
		}
	}()
	readErr := q.read(g.cfg.MaxBody)
	routed := q.route(g.muxes)
	if readErr != nil {
		return g.refuse(q, id, readErr, true)
	}
	call := Call{Service: q.service().Name, Operation: q.operation, Protocol: q.protocol.String(), RequestID: id,
		DryRun: dryRun(q.http.Header.Get(DryRunHeader)), Base: Base(q.http)}
	ctx, err := g.cfg.Authenticate(q.http.WithContext(context.WithValue(q.http.Context(), callKey{}, call)), q.raw)
	if err != nil {
		return g.refuse(q, id, err, false)
	}
	if !routed {
		return g.refuse(q, id, q.unknownService(), true)
	}
	op, err := q.find()
	if err == nil && op.stream != nil && q.protocol.query() {
		err = model.Errorf("UnsupportedFeatureException", "Roadstead does not serve event streams in the query protocol.")
	}
	if err == nil && call.DryRun && !op.dry {
		err = model.Errorf("UnsupportedFeatureException", "Roadstead does not serve a dry run of %s %s.", call.Service, op.name)
	}
	if err != nil {
		return g.refuse(q, id, err, true)
	}
	out, stream, err := g.call(ctx, q, op)
	if err != nil {
		return g.refuse(q, id, err, true)
	}
	if stream != nil {
		return answer{stream: stream}
	}
	body, err := q.encode(op, out, id)
	if err != nil {
		return g.refuse(q, id, err, true)
	}
	return answer{status: http.StatusOK, contentType: q.contentType(), body: body}
}

// Base is the URL at which the request's sender reached us, also if a proxy that says so has taken TLS off.
func Base(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}

// dryRun reads DryRunHeader. A value that we do not know is taken for a wish not to change anything.
func dryRun(header string) bool { return header != "" && !strings.EqualFold(header, "false") }

// find returns the handler the request asks for.
func (q *request) find() (*operation, error) {
	s := q.mux.service
	if q.target != "" && q.target != s.TargetPrefix || !s.knows(q.operation) {
		if q.protocol.query() {
			return nil, model.Errorf("UnknownOperationException", "Could not find operation %s for version %s",
				q.operation, q.params.Get("Version"))
		}
		return nil, model.Errorf("UnknownOperationException", "The operation %q does not exist.", q.operation)
	}
	op := q.mux.ops[q.operation]
	if op == nil {
		return nil, model.Errorf("UnsupportedFeatureException", "Roadstead does not serve %s %s.", s.Name, q.operation)
	}
	return op, nil
}

func (q *request) unknownService() error {
	if name := q.signingName(); name != "" {
		return model.Errorf("UnknownOperationException", "Roadstead does not serve the service %q.", name)
	}
	return model.Errorf("UnknownOperationException", "The request names no operation of a service that Roadstead serves.")
}

// call decodes and checks the input, asks whether the caller may, and runs the handler. The answer is the output struct, invalid if
// there is none, or a stream.
func (g *Gateway) call(ctx context.Context, q *request, op *operation) (out reflect.Value, s Stream, err error) {
	in := reflect.New(op.in.typ)
	if err := q.decode(op, in.Elem()); err != nil {
		return out, nil, err
	}
	if path, list, found := firstBlank(op.in, in.Elem()); found {
		return out, nil, q.mux.service.blank(Blank{Operation: op.name, Path: path, List: list})
	}
	if g.cfg.Authorize != nil {
		if err := g.cfg.Authorize(ctx, q.http, in.Interface()); err != nil {
			return out, nil, err
		}
	}
	if op.stream != nil {
		s, err = op.stream(ctx, in)
		return out, s, err
	}
	if out, err = op.call(ctx, in); err != nil {
		return out, nil, err
	}
	return out.Elem(), nil, nil
}

// refuse answers an error. Only a *model.Error (and what is wrong with the body) is for the caller's eyes. Authentic is
// false if the error is the authenticator's.
func (g *Gateway) refuse(q *request, id string, err error, authentic bool) answer {
	var refusal *model.Error
	var unreadable *decodeError
	var f fault
	switch {
	case errors.As(err, &refusal):
		f = q.dress(refusal, authentic)
	case errors.As(err, &unreadable):
		f = q.dress(model.Errorf("SerializationException", "%s", unreadable.Error()), true)
	default:
		g.logFault(q, id, err)
		f = q.dress(g.explain(q, err), true)
		f.status = http.StatusInternalServerError
	}
	body, err := q.encodeFault(nil, f, id)
	if err != nil { // a field of the error that cannot travel: answer without the fields
		g.logFault(q, id, fmt.Errorf("encode fields of %s: %w", f.code, err))
		f.fields = nil
		body, _ = q.encodeFault(nil, f, id)
	}
	a := answer{status: f.status, contentType: q.contentType(), body: body}
	if refusal != nil {
		a.encoded = refusal.Encoded
	}
	if q.service().QueryCompatible && !q.protocol.query() {
		a.queryError = q.service().queryError(f.code) + ";" + f.side("Sender", "Receiver")
	}
	return a
}

// explain is what the caller is told of a fault of ours.
func (g *Gateway) explain(q *request, err error) *model.Error {
	if g.cfg.Explain != nil {
		if e := g.cfg.Explain(err); e != nil {
			return e
		}
	}
	return model.Errorf(q.service().faultCode(), "Service Unavailable. Please try again later.")
}

func (g *Gateway) logFault(q *request, id string, err error) {
	level := slog.LevelError
	if q.http.Context().Err() != nil { // the caller hung up: what failed then says nothing about us
		level = slog.LevelDebug
	}
	g.cfg.Log.Log(q.http.Context(), level, "api call failed", "service", q.service().Name, "operation", q.operation,
		"request", id, "err", err)
}
