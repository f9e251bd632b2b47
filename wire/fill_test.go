package wire_test

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/aws/smithy-go/document"

	"github.com/roadstead/roadstead/wire"
)

// fill populates every member of v, two elements to each list and map, every union with one of its members in turn.
// Types that contain themselves are followed once.
func fill(v reflect.Value, name string, open map[reflect.Type]int) {
	t := v.Type()
	if open[t] > 1 {
		return
	}
	open[t]++
	defer func() { open[t]-- }()
	switch t.Kind() {
	case reflect.Pointer:
		if open[t.Elem()] > 1 {
			return
		}
		p := reflect.New(t.Elem())
		fill(p.Elem(), name, open)
		v.Set(p)
	case reflect.Struct:
		if t == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.UnixMilli(1700000000123).UTC()))
			return
		}
		for i := range t.NumField() {
			if f := t.Field(i); f.IsExported() && f.Name != "ResultMetadata" {
				fill(v.Field(i), f.Name, open)
			}
		}
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte{1, 2, 0xff})
			return
		}
		v.Set(reflect.MakeSlice(t, 2, 2))
		fill(v.Index(0), name, open)
		fill(v.Index(1), name, open)
	case reflect.Map:
		v.Set(reflect.MakeMap(t))
		for _, key := range []string{"key", "k&2 é"} {
			e := reflect.New(t.Elem()).Elem()
			fill(e, name, open)
			v.SetMapIndex(reflect.ValueOf(key).Convert(t.Key()), e)
		}
	case reflect.Interface:
		fillInterface(v, name, open)
	default:
		fillScalar(v, name)
	}
}

func fillInterface(v reflect.Value, name string, open map[reflect.Type]int) {
	if members := wire.UnionMembers(v.Type()); len(members) > 0 {
		p := reflect.New(members[len(name)%len(members)])
		fill(p.Elem().FieldByName("Value"), name, open)
		v.Set(p)
	} else if make := wire.DocumentMaker(v.Type()); make != nil {
		v.Set(reflect.ValueOf(make(map[string]any{"text": "b", "number": document.Number("3"), "list": []any{"x", true}})))
	}
}

func fillScalar(v reflect.Value, name string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(name + "-é\"<&> \n\t x")
		if v.Type().Name() != "string" {
			v.SetString(name + "_ENUM")
		}
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(int64(len(name)) - 7)
	case reflect.Float32, reflect.Float64:
		v.SetFloat(1.25)
	}
}

// dump describes a value for comparison: absent and empty apart, times as instants, documents by what they hold.
func dump(v reflect.Value) string {
	var b strings.Builder
	dumpTo(&b, v, "")
	return b.String()
}

func dumpTo(b *strings.Builder, v reflect.Value, path string) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		switch {
		case v.IsNil():
			fmt.Fprintf(b, "%s nil\n", path)
		case isDocument(v):
			raw, err := v.Interface().(document.Marshaler).MarshalSmithyDocument()
			fmt.Fprintf(b, "%s document %s %v\n", path, sortedJSON(raw), err)
		default:
			if v.Kind() == reflect.Interface {
				path += "(" + v.Elem().Type().String() + ")"
			}
			dumpTo(b, v.Elem(), path)
		}
	case reflect.Struct:
		if t, ok := reflect.TypeAssert[time.Time](v); ok {
			fmt.Fprintf(b, "%s %s\n", path, t.UTC().Format(time.RFC3339Nano))
			return
		}
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && f.Name != "ResultMetadata" {
				dumpTo(b, v.Field(i), path+"."+f.Name)
			}
		}
	case reflect.Slice:
		fmt.Fprintf(b, "%s list nil=%v len=%d\n", path, v.IsNil(), v.Len())
		for i := range v.Len() {
			dumpTo(b, v.Index(i), fmt.Sprintf("%s[%d]", path, i))
		}
	case reflect.Map:
		fmt.Fprintf(b, "%s map nil=%v len=%d\n", path, v.IsNil(), v.Len())
		for _, key := range []string{"key", "k&2 é"} {
			if e := v.MapIndex(reflect.ValueOf(key).Convert(v.Type().Key())); e.IsValid() {
				dumpTo(b, e, path+"["+key+"]")
			}
		}
	default:
		fmt.Fprintf(b, "%s %#v\n", path, v.Interface())
	}
}

func isDocument(v reflect.Value) bool {
	_, ok := reflect.TypeAssert[document.Marshaler](v)
	return ok
}

// firstDifference shows the first line in which two dumps differ.
func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range max(len(w), len(g)) {
		a, b := "(nothing)", "(nothing)"
		if i < len(w) {
			a = w[i]
		}
		if i < len(g) {
			b = g[i]
		}
		if a != b {
			return fmt.Sprintf("want %s\n got %s", a, b)
		}
	}
	return "no difference"
}
