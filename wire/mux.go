package wire

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"sort"
)

// A Mux holds the handlers of one service. Register all of them before the Gateway serves; afterwards it is read-only.
type Mux struct {
	service *Service
	ops     map[string]*operation
}

// An operation is a handler and the shapes of what it takes and returns.
type operation struct {
	name    string
	in, out *shape
	call    func(ctx context.Context, in reflect.Value) (reflect.Value, error) // pointers to in and out; out may be nil
	stream  func(ctx context.Context, in reflect.Value) (Stream, error)        // instead of call
	answers sizer
	dry     bool // may be run dry
}

// NewMux makes an empty Mux for the service.
func NewMux(s *Service) *Mux { return &Mux{service: s, ops: map[string]*operation{}} }

// Handle registers the handler of an operation. I and O are the SDK's input and output structs (or structs of our own
// with wire tags); O's ResultMetadata is never encoded and a nil *O means an empty answer. An error that is (or wraps) a
// *model.Error is answered to the caller; any other is logged and answered as the service's fault with status 500.
//
// Handle panics if the service has no such operation, has it already, or a type cannot travel: mistakes of start-up.
func Handle[I, O any](m *Mux, op string, fn func(ctx context.Context, in *I) (*O, error)) {
	m.add(op, reflect.TypeFor[I](), reflect.TypeFor[O](), func(ctx context.Context, in reflect.Value) (reflect.Value, error) {
		out, err := fn(ctx, in.Interface().(*I))
		return reflect.ValueOf(out), err
	})
}

func (m *Mux) add(op string, in, out reflect.Type, call func(context.Context, reflect.Value) (reflect.Value, error)) {
	if !m.service.knows(op) {
		panic(fmt.Sprintf("wire: %s has no operation %s", m.service.Name, op))
	}
	if m.ops[op] != nil {
		panic(fmt.Sprintf("wire: operation %s of %s has two handlers", op, m.service.Name))
	}
	o := &operation{name: op, call: call}
	for _, side := range []struct {
		typ   reflect.Type
		shape **shape
	}{{in, &o.in}, {out, &o.out}} {
		s, err := shapeOf(side.typ)
		if err == nil && s.kind != kindStruct {
			err = &shapeError{side.typ}
		}
		if err != nil {
			panic(fmt.Sprintf("wire: operation %s of %s: %v", op, m.service.Name, err))
		}
		*side.shape = s
	}
	m.ops[op] = o
}

// DryRunHeader is the header by which a caller asks, with any value but "false", what an operation would answer: nothing is changed. An SDK
// sends it as any other header of its own.
const DryRunHeader = "X-Roadstead-Dry-Run"

// AllowDryRun says that the handlers of the operations look at Call.DryRun. A dry run of any other is refused with an
// UnsupportedFeatureException: it must never change anything. It panics if an operation has no handler.
func (m *Mux) AllowDryRun(ops ...string) {
	for _, op := range ops {
		m.ops[op].dry = true
	}
}

// Service returns what the Mux was made for.
func (m *Mux) Service() *Service { return m.service }

// Name is the service's, as policies call it.
func (m *Mux) Name() string { return m.service.Name }

// Served returns the operations that have a handler, sorted.
func (m *Mux) Served() []string {
	served := make([]string, 0, len(m.ops))
	for op := range m.ops {
		served = append(served, op)
	}
	sort.Strings(served)
	return served
}

// Missing returns the operations of the service's model that have no handler, sorted.
func (m *Mux) Missing() []string {
	missing := []string{}
	for _, op := range m.service.Operations {
		if m.ops[op] == nil {
			missing = append(missing, op)
		}
	}
	slices.Sort(missing)
	return missing
}
