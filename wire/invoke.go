package wire

import (
	"context"
	"fmt"
	"reflect"

	"github.com/roadstead/roadstead/model"
)

// Invoke runs the handler of an operation for a caller in this process: the input is checked as that of a call over the wire
// is, and errors are the handler's own, not dressed for anybody. In is a pointer to the operation's input struct, or to
// another struct that has the same wire form. Who calls is in the context (auth.WithPrincipal).
//
// Invoke panics if O is not what the operation answers: a programmer's mistake.
func Invoke[O any](ctx context.Context, m *Mux, op string, in any) (*O, error) {
	o := m.ops[op]
	if o == nil {
		return nil, model.Errorf("UnsupportedFeatureException", "Roadstead does not serve %s %s.", m.service.Name, op)
	}
	v, err := o.input(in)
	if err != nil {
		return nil, err
	}
	if path, list, found := firstBlank(o.in, v.Elem()); found {
		return nil, m.service.blank(Blank{Operation: op, Path: path, List: list})
	}
	out, err := o.call(ctx, v)
	if err != nil {
		return nil, err
	}
	return out.Interface().(*O), nil
}

// input returns in as the handler takes it.
func (o *operation) input(in any) (reflect.Value, error) {
	if v := reflect.ValueOf(in); v.Type() == reflect.PointerTo(o.in.typ) {
		return v, nil
	}
	b, err := Marshal(in)
	if err != nil {
		return reflect.Value{}, fmt.Errorf("encode the input of %s: %w", o.name, err)
	}
	v := reflect.New(o.in.typ)
	if err := Unmarshal(b, v.Interface()); err != nil {
		return reflect.Value{}, fmt.Errorf("decode the input of %s: %w", o.name, err)
	}
	return v, nil
}
