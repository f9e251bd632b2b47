package policy

import (
	"reflect"
	"strconv"
	"strings"
)

// Roles are the ARNs that a request hands over by this member. Definition is the task definition that the request names, nil if it
// names none. A role of the definition counts also if the request overrides it [I].
func (p Pass) Roles(request, definition any) []string {
	if _, path, ok := strings.Cut(p.Member, "->"); ok {
		return Values(definition, path)
	}
	return Values(request, p.Member)
}

// Values returns the texts of a request's member, numbers and truths as texts too, by the path that Pass and Further have ("loadBalancers[].advancedConfiguration.
// roleArn"), in the order of the request; what is not set is left out. Request is a structure of the SDK, or a pointer to one. A path
// that it does not have has no values: tables are held against the SDK by tests.
func Values(request any, path string) []string {
	var out []string
	walk(reflect.ValueOf(request), path, func(v reflect.Value) {
		switch {
		case v.Kind() == reflect.String && v.Len() > 0:
			out = append(out, v.String())
		case v.Kind() == reflect.Bool:
			out = append(out, strconv.FormatBool(v.Bool()))
		case v.CanInt():
			out = append(out, strconv.FormatInt(v.Int(), 10))
		}
	})
	return out
}

// Given says whether a request sets a member: a text or list that is not empty, or a structure.
func Given(request any, path string) bool {
	given := false
	walk(reflect.ValueOf(request), path, func(v reflect.Value) {
		switch v.Kind() {
		case reflect.String, reflect.Slice, reflect.Map:
			given = given || v.Len() > 0
		default:
			given = true
		}
	})
	return given
}

// walk yields what stands at the path, pointers followed; nothing for a pointer that is nil.
func walk(v reflect.Value, path string, yield func(reflect.Value)) {
	for v.Kind() == reflect.Pointer {
		v = v.Elem() // of nil: no value, and Invalid
	}
	if !v.IsValid() {
		return
	}
	if path == "" {
		yield(v)
		return
	}
	name, rest, _ := strings.Cut(path, ".")
	name, list := strings.CutSuffix(name, "[]")
	if v.Kind() != reflect.Struct {
		return
	}
	f := v.FieldByNameFunc(func(field string) bool { return strings.EqualFold(field, name) })
	switch {
	case !f.IsValid():
	case list && f.Kind() == reflect.Slice:
		for i := range f.Len() {
			walk(f.Index(i), rest, yield)
		}
	case !list:
		walk(f, rest, yield)
	}
}
