package attack_test

import (
	"errors"
	"io"
	"math/rand/v2"
	"reflect"
	"strings"
	"time"

	"github.com/aws/smithy-go"
)

// A guess is a value that might suit a member: the ARN or name of something, or a document.
type guess struct{ noun, value string }

// generator fills inputs by the names of their members, from a list of guesses.
type generator struct {
	*rand.Rand
	guesses []guess
	wanted  map[string]bool // members that the SDK asks for, by name
}

// input fills what the SDK asks for and a third of the rest.
func (g *generator) input(o operation) reflect.Value {
	in := o.newInput()
	g.fill(in.Elem(), "", 0)
	return in
}

// learn takes up which members the SDK asks for, and reports whether err was about that.
func (g *generator) learn(err error) bool {
	if _, ok := errors.AsType[smithy.InvalidParamsError](err); !ok {
		return false
	}
	for _, word := range strings.FieldsFunc(err.Error(), func(r rune) bool { return strings.ContainsRune(".,[] \n", r) }) {
		g.wanted[word] = true // "missing required field, CreateServiceInput.ServiceName."
	}
	return true
}

func (g *generator) fill(v reflect.Value, name string, depth int) {
	t := v.Type()
	switch {
	case t == reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(time.Now()))
		return
	case enumerates(t):
		g.enum(v)
		return
	}
	switch t.Kind() {
	case reflect.Interface:
		if t == reflect.TypeFor[io.Reader]() {
			v.Set(reflect.ValueOf(strings.NewReader("written")))
		}
	case reflect.Pointer:
		v.Set(reflect.New(t.Elem()))
		g.fill(v.Elem(), name, depth)
	case reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			if f.IsExported() && f.Name != "ResultMetadata" && depth < 6 && (g.wanted[f.Name] || g.IntN(3) == 0) {
				g.fill(v.Field(i), f.Name, depth+1)
			}
		}
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte("{}"))
			return
		}
		v.Set(reflect.MakeSlice(t, 1, 1))
		g.fill(v.Index(0), name, depth)
	case reflect.Map:
		e := reflect.New(t.Elem()).Elem()
		g.fill(e, name, depth)
		v.Set(reflect.MakeMap(t))
		v.SetMapIndex(reflect.ValueOf("key").Convert(t.Key()), e)
	case reflect.String:
		v.SetString(g.text(name))
	case reflect.Bool:
		v.SetBool(g.IntN(2) == 0)
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt([]int64{0, 1, 7, 3600}[g.IntN(4)])
	case reflect.Float32, reflect.Float64:
		v.SetFloat(50)
	}
}

// text is a guess for a member's name: mostly one whose noun is the longest in it, else one with a shorter noun, else any.
func (g *generator) text(name string) string {
	var fit []guess
	longest, any := 0, g.IntN(6) == 0
	for _, c := range g.guesses {
		switch {
		case !strings.Contains(strings.ToLower(name), c.noun) || !any && len(c.noun) < longest:
			continue
		case !any && len(c.noun) > longest:
			fit, longest = fit[:0], len(c.noun)
		}
		fit = append(fit, c)
	}
	if len(fit) == 0 || g.IntN(12) == 0 {
		fit = g.guesses
	}
	return fit[g.IntN(len(fit))].value
}

func enumerates(t reflect.Type) bool {
	m, ok := t.MethodByName("Values")
	return ok && t.Kind() == reflect.String && m.Type.NumIn() == 1
}

// enum chooses one of the values that the SDK knows. Of keys that take long to make, the smallest stands for the larger ones.
func (g *generator) enum(v reflect.Value) {
	if values := v.MethodByName("Values").Call(nil)[0]; values.Len() > 0 {
		v.Set(values.Index(g.IntN(values.Len())))
	}
	if v.String() == "RSA_3072" || v.String() == "RSA_4096" {
		v.SetString("RSA_2048")
	}
}
