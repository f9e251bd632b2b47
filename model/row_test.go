package model

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"testing"
)

// filler puts values into any struct. It is how the tests know every field without naming one.
type filler struct{ *rand.Rand }

func (f filler) text() string {
	switch hex := strings.ToLower("0123456789abcdef0f8fad5b7cb9469f"); f.IntN(9) {
	case 0:
		return words[f.IntN(len(words))]
	case 1:
		return hex
	case 2:
		return "sha256:" + hex + hex
	case 3:
		return "0f8fad5b-d9cb-469f-a165-7086772895" + hex[:2]
	case 4:
		return "subnet-0" + hex[:17]
	case 5:
		return strings.ToUpper(hex) + "-" + hex[:f.IntN(len(hex))]
	case 6:
		return "cluster/0f8fad5b-d9cb-469f-a165-708677289abc"
	case 7:
		return "Größe \x00\n\xff" + hex[:f.IntN(16)]
	}
	return strings.Repeat("long ", 1+f.IntN(60))
}

// fill sets v to a value that is not zero. Fields that rows do not hold are left alone.
func (f filler) fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(f.text())
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int32, reflect.Int64:
		n := int64(f.Uint64()) >> f.IntN(64)
		if v.OverflowInt(n) || n == 0 {
			n = int64(int32(n)) | 1
		}
		v.SetInt(n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1+f.IntN(3), 4))
		for i := range v.Len() {
			f.fill(v.Index(i))
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).Tag.Get("json") != "-" {
				f.fill(v.Field(i))
			}
		}
	default:
		panic("the row codec has no " + v.Type().String())
	}
}

// leaves calls visit with every field of a struct, those of structs inside it and of elements of its lists too, as a
// function that finds the field in another value of the struct.
func leaves(typ reflect.Type, path string, at func(root reflect.Value) reflect.Value, visit func(path string, at func(reflect.Value) reflect.Value)) {
	for i := range typ.NumField() {
		field := typ.Field(i)
		if field.Tag.Get("json") == "-" {
			continue
		}
		name, here := path+"."+field.Name, func(root reflect.Value) reflect.Value { return at(root).Field(i) }
		inner := field.Type
		if inner.Kind() == reflect.Pointer { // a row always has what it points to
			leaves(inner.Elem(), name, func(root reflect.Value) reflect.Value { return here(root).Elem() }, visit)
			continue
		}
		visit(name, here)
		switch {
		case inner.Kind() == reflect.Struct:
			leaves(inner, name, here, visit)
		case inner.Kind() == reflect.Slice && inner.Elem().Kind() == reflect.Struct:
			leaves(inner.Elem(), name, func(root reflect.Value) reflect.Value {
				list := here(root)
				if list.Len() == 0 {
					list.Set(reflect.MakeSlice(inner, 2, 2))
				}
				return list.Index(list.Len() - 1)
			}, visit)
		}
	}
}

func again(t *testing.T, task *Task) {
	t.Helper()
	b := append(task.AppendRow([]byte("before")), "after"...)
	var back Task
	rest, err := back.ReadRow(b[len("before"):])
	if err != nil || string(rest) != "after" {
		t.Fatalf("%+v\nstored as %q: rest %q, %v", task, b, rest, err)
	}
	if !reflect.DeepEqual(*task, back) {
		t.Fatalf("%+v\nbecame\n%+v", *task, back)
	}
}

// Every field of a task is stored, whichever it is and whatever is next to it: a new one cannot be forgotten.
func TestTaskRowHasEveryField(t *testing.T) {
	f := filler{rand.New(rand.NewPCG(1, 2))}
	fields := 0
	leaves(reflect.TypeFor[Task](), "Task", func(root reflect.Value) reflect.Value { return root }, func(path string, at func(reflect.Value) reflect.Value) {
		t.Run(path, func(t *testing.T) {
			fields++
			for range 20 {
				alone, missing := Task{Launch: new(Launch)}, Task{}
				f.fill(at(reflect.ValueOf(&alone).Elem()))
				again(t, &alone)
				f.fill(reflect.ValueOf(&missing).Elem())
				at(reflect.ValueOf(&missing).Elem()).SetZero()
				again(t, &missing)
			}
		})
	})
	if fields < 80 {
		t.Errorf("only %d fields were tried", fields)
	}
}

func TestTaskRowComesBackAsItWas(t *testing.T) {
	again(t, &Task{Launch: new(Launch)})
	f := filler{rand.New(rand.NewPCG(3, 4))}
	for range 500 {
		var task Task
		f.fill(reflect.ValueOf(&task).Elem())
		again(t, &task)
	}
}

// What is not in the row is user-authored, and is stored by the state.
func TestTaskRowLeavesOutWhatSpecsHave(t *testing.T) {
	task := Task{Launch: new(Launch)}
	out := map[any]bool{}
	for _, spec := range task.Specs() {
		out[spec] = true
	}
	v := reflect.ValueOf(task.Launch).Elem()
	for i := range v.NumField() {
		if v.Type().Field(i).Tag.Get("json") == "-" != out[v.Field(i).Addr().Interface()] {
			t.Errorf("%s is neither a field of the row nor one of the specs, or both", v.Type().Field(i).Name)
		}
	}
}

func TestEmptyListsComeBackNil(t *testing.T) {
	var back Task
	b := (&Task{Launch: &Launch{Subnets: []string{}}, Containers: []Container{}}).AppendRow(nil)
	if _, err := back.ReadRow(b); err != nil || back.Subnets != nil || back.Containers != nil {
		t.Errorf("%v: %#v, %#v", err, back.Subnets, back.Containers)
	}
}

// A row of a version with more fields can be read by one that does not know them.
func TestUnknownFieldsArePassedOver(t *testing.T) {
	task := Task{Launch: new(Launch), ID: "0123456789abcdef0123456789abcdef", Version: 3, Tags: []Tag{{Key: "a", Value: "b"}}}
	c := rowCodec{out: []byte{taskRow}}
	task.fields(&c)
	n, text, uuid, word := int64(-5), "new", "0f8fad5b-d9cb-469f-a165-708677289abc", TaskRunning
	number(&c, 55, &n)
	c.text(56, &text)
	c.id(57, &uuid)
	c.word(58, &word)
	list(&c, 59, &[]Container{{Name: "x", Bindings: []PortBinding{{HostPort: 1}}}, {}}, (*Container).fields)
	var back Task
	rest, err := back.ReadRow(append(c.out, 0, '!'))
	if err != nil || string(rest) != "!" || !reflect.DeepEqual(task, back) {
		t.Errorf("rest %q, %v, %+v", rest, err, back)
	}
}

func TestDamagedTaskRowsAreRefused(t *testing.T) {
	f := filler{rand.New(rand.NewPCG(5, 6))}
	var task Task
	f.fill(reflect.ValueOf(&task).Elem())
	whole := task.AppendRow(nil)
	for n := range whole {
		if _, err := new(Task).ReadRow(whole[:n]); err == nil {
			t.Fatalf("the first %d of %d bytes were taken for a task", n, len(whole))
		}
	}
	if _, err := new(Task).ReadRow([]byte(`{"cluster":"c"}`)); err == nil {
		t.Error("JSON was taken for a task")
	}
}

func FuzzTaskRow(f *testing.F) {
	fill := filler{rand.New(rand.NewPCG(7, 8))}
	for range 20 {
		var task Task
		fill.fill(reflect.ValueOf(&task).Elem())
		f.Add(task.AppendRow(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var task, back Task
		if _, err := task.ReadRow(b); err != nil {
			return
		}
		stored := task.AppendRow(nil)
		if _, err := back.ReadRow(stored); err != nil || !reflect.DeepEqual(task, back) {
			t.Fatalf("%+v\nbecame\n%+v\n%v", task, back, err)
		}
		if twice := back.AppendRow(nil); !bytes.Equal(stored, twice) {
			t.Fatalf("%q\nand\n%q", stored, twice)
		}
	})
}

// Ids sort by age and are random otherwise.
func TestTaskID(t *testing.T) {
	const random = "fedcba9876543210fedcba9876543210"
	for _, x := range []struct {
		at   Millis
		want string
	}{{0, "000000000000"}, {1, "000000000001"}, {1_700_000_000_000, "018bcfe56800"}, {1 << 48, "000000000000"}} {
		if got := TaskID(x.at, random); got != x.want+random[12:] {
			t.Errorf("at %d: %s", x.at, got)
		}
	}
	if a, b := TaskID(1_700_000_000_000, random), TaskID(1_700_000_000_001, strings.Repeat("0", 32)); a >= b {
		t.Errorf("%s is not before %s", a, b)
	}
}

// A row is written while others read it: under the race detector this fails if writing it down touches it.
func TestWritingARowDownLeavesItAlone(t *testing.T) {
	task := Task{Launch: &Launch{ExecEnabled: true, EnableManagedTags: true, Subnets: []string{"s"}},
		ID: "a", Version: 1, Reserved: Resources{PortsTCP: []int32{80}, GPUs: []string{"g"}},
		Containers: []Container{{Name: "c", Essential: true, Exited: true, Bindings: []PortBinding{{HostPort: 1}}}}, Tags: []Tag{{Key: "k"}}}
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() { task.AppendRow(nil) })
	}
	wg.Wait()
}
