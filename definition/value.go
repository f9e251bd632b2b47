package definition

import (
	"reflect"
	"strconv"
	"strings"
)

// deref is what p points to, or the zero value.
func deref[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// clone copies an SDK struct with everything it points to. Nil and empty lists stay what they are.
func clone[T any](v T) T { return deep(reflect.ValueOf(&v).Elem()).Interface().(T) }

func deep(v reflect.Value) reflect.Value {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return v
		}
		p := reflect.New(v.Type().Elem())
		p.Elem().Set(deep(v.Elem()))
		return p
	case reflect.Interface: // a union: its member is a pointer
		if v.IsNil() {
			return v
		}
		out := reflect.New(v.Type()).Elem()
		out.Set(deep(v.Elem()))
		return out
	case reflect.Struct:
		out := reflect.New(v.Type()).Elem()
		out.Set(v)
		for i := range out.NumField() {
			if f := out.Field(i); f.CanSet() {
				f.Set(deep(v.Field(i)))
			}
		}
		return out
	case reflect.Slice:
		if v.IsNil() {
			return v
		}
		out := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		for i := range v.Len() {
			out.Index(i).Set(deep(v.Index(i)))
		}
		return out
	case reflect.Map:
		if v.IsNil() {
			return v
		}
		out := reflect.MakeMapWithSize(v.Type(), v.Len())
		for it := v.MapRange(); it.Next(); {
			out.SetMapIndex(it.Key(), deep(it.Value()))
		}
		return out
	default:
		return v
	}
}

// jsonSize is the length of v as awsJson in its tightest form: what limits on the size of a document count.
func jsonSize(v any) int { return sizeOf(reflect.ValueOf(v)) }

func sizeOf(v reflect.Value) int {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return len("null")
		}
		return sizeOf(v.Elem())
	case reflect.String:
		return quotedSize(v.String())
	case reflect.Bool:
		return len(strconv.FormatBool(v.Bool()))
	case reflect.Int, reflect.Int32, reflect.Int64:
		return len(strconv.FormatInt(v.Int(), 10))
	case reflect.Slice:
		n := 2 + max(0, v.Len()-1)
		for i := range v.Len() {
			n += sizeOf(v.Index(i))
		}
		return n
	case reflect.Map:
		n := 2 + max(0, v.Len()-1)
		for it := v.MapRange(); it.Next(); {
			n += quotedSize(it.Key().String()) + 1 + sizeOf(it.Value())
		}
		return n
	case reflect.Struct:
		return structSize(v)
	default:
		return 0
	}
}

// structSize counts the members that are set; an enum is set if it is not "".
func structSize(v reflect.Value) int {
	n, members := 2, 0
	for i := range v.NumField() {
		f, fv := v.Type().Field(i), v.Field(i)
		if !f.IsExported() || absent(fv) {
			continue
		}
		n += len(f.Name) + 3 + sizeOf(fv)
		members++
	}
	return n + max(0, members-1)
}

func absent(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface, reflect.Slice, reflect.Map:
		return v.IsNil()
	case reflect.String:
		return v.Len() == 0
	default:
		return false
	}
}

func quotedSize(s string) int {
	n := len(s) + 2
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\' || c == '\n' || c == '\r' || c == '\t':
			n++
		case c < 0x20:
			n += 5
		}
	}
	return n
}

// isName says whether s is a family, container or volume name: up to 255 letters, digits, "_" and "-".
func isName(s string) bool {
	return s != "" && len(s) <= maxName && strings.IndexFunc(s, func(r rune) bool { return !isNameRune(r) }) < 0
}

const maxName = 255

func isNameRune(r rune) bool {
	return isLower(r) || r >= 'A' && r <= 'Z' || isDigit(r) || r == '_' || r == '-'
}

func isLower(r rune) bool { return r >= 'a' && r <= 'z' }

func isDigit(r rune) bool { return r >= '0' && r <= '9' }

// inRange says whether an optional number is absent or within [lo, hi].
func inRange(p *int32, lo, hi int32) bool { return p == nil || *p >= lo && *p <= hi }
