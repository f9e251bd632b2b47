package wire_test

import (
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/smithy-go/document"
	"pgregory.net/rapid"

	"github.com/roadstead/roadstead/wire"
)

// draw fills v with anything it can hold: nil, empty and full lists, every union, any string, times to the nanosecond.
func draw(t *rapid.T, v reflect.Value, resolution time.Duration) {
	typ := v.Type()
	switch typ.Kind() {
	case reflect.Pointer:
		if rapid.Bool().Draw(t, "set") {
			v.Set(reflect.New(typ.Elem()))
			draw(t, v.Elem(), resolution)
		}
	case reflect.Struct:
		if typ == reflect.TypeFor[time.Time]() {
			at := time.Unix(rapid.Int64Range(-62135596800, 253402300799).Draw(t, "sec"), rapid.Int64Range(0, 999999999).Draw(t, "ns"))
			v.Set(reflect.ValueOf(at.UTC().Truncate(resolution)))
			return
		}
		for i := range typ.NumField() {
			if f := typ.Field(i); f.IsExported() && f.Name != "ResultMetadata" {
				draw(t, v.Field(i), resolution)
			}
		}
	case reflect.Slice:
		switch n := rapid.IntRange(-1, 2).Draw(t, "len"); {
		case n < 0:
		case typ.Elem().Kind() == reflect.Uint8:
			v.SetBytes(rapid.SliceOf(rapid.Byte()).Draw(t, "blob"))
		default:
			v.Set(reflect.MakeSlice(typ, n, n))
			for i := range n {
				for e := v.Index(i); ; {
					draw(t, e, resolution)
					if e.Kind() != reflect.Interface || !e.IsNil() { // a list holds no absent element
						break
					}
				}
			}
		}
	case reflect.Map:
		n := rapid.IntRange(-1, 2).Draw(t, "len")
		if n >= 0 {
			v.Set(reflect.MakeMap(typ))
		}
		for range n {
			e := reflect.New(typ.Elem()).Elem()
			draw(t, e, resolution)
			v.SetMapIndex(reflect.ValueOf(rapid.String().Draw(t, "key")).Convert(typ.Key()), e)
		}
	case reflect.Interface:
		drawInterface(t, v, resolution)
	case reflect.String:
		v.SetString(rapid.String().Draw(t, "string"))
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, "bool"))
	case reflect.Int32, reflect.Int64:
		bits := typ.Bits()
		v.SetInt(rapid.Int64Range(-1<<(bits-1), 1<<(bits-1)-1).Draw(t, "int"))
	case reflect.Float32, reflect.Float64:
		v.SetFloat(rapid.Float64Range(-math.MaxFloat32, math.MaxFloat32).Draw(t, "float"))
	default:
		t.Fatalf("cannot draw a %s", typ)
	}
}

func drawInterface(t *rapid.T, v reflect.Value, resolution time.Duration) {
	if !rapid.Bool().Draw(t, "set") {
		return
	}
	if members := wire.UnionMembers(v.Type()); len(members) > 0 {
		p := reflect.New(rapid.SampledFrom(members).Draw(t, "member"))
		value := p.Elem().FieldByName("Value")
		draw(t, value, resolution)
		if k := value.Kind(); (k == reflect.Slice || k == reflect.Map) && value.IsNil() { // a member is what makes the union: it cannot be absent
			return
		}
		v.Set(p)
		return
	}
	content := rapid.SampledFrom([]any{"text", false, document.Number("0"), []any{}, map[string]any{"a": nil, "b": "x"}}).Draw(t, "document")
	v.Set(reflect.ValueOf(wire.DocumentMaker(v.Type())(content)))
}

// What state stores it gets back: absent and empty apart, unions, nanoseconds; and equal values have equal bytes [I].
func TestMarshalUnmarshalRoundTrip(t *testing.T) {
	for _, v := range []any{
		ecs.RegisterTaskDefinitionInput{}, ecs.CreateServiceInput{}, ecs.CreateGatewayInput{}, ecs.CreateCapacityProviderInput{},
		types.TaskDefinition{}, types.Task{}, types.Service{}, types.ServiceRevision{}, types.DeploymentLifecycleHook{},
	} {
		typ := reflect.TypeOf(v)
		t.Run(typ.Name(), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				want := reflect.New(typ)
				draw(t, want.Elem(), 1)
				b, err := wire.Marshal(want.Interface())
				if err != nil {
					t.Fatal(err)
				}
				got := reflect.New(typ)
				if err := wire.Unmarshal(b, got.Interface()); err != nil {
					t.Fatalf("%v in %s", err, b)
				}
				if !reflect.DeepEqual(want.Interface(), got.Interface()) {
					t.Fatalf("%s\nin %s", firstDifference(dump(want), dump(got)), b)
				}
				if again, err := wire.Marshal(got.Interface()); err != nil || string(again) != string(b) {
					t.Fatalf("not stable:\n%s\n%s, %v", b, again, err)
				}
			})
		})
	}
}

// CBOR keeps the same, to the millisecond [D].
func TestCBORRoundTrip(t *testing.T) {
	for _, v := range []any{cloudwatch.PutMetricDataInput{}, cloudwatch.PutMetricAlarmInput{}, cloudwatch.GetMetricDataOutput{}} {
		typ := reflect.TypeOf(v)
		t.Run(typ.Name(), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				want := reflect.New(typ)
				draw(t, want.Elem(), time.Millisecond)
				b, err := wire.MarshalCBOR(want.Interface())
				if err != nil {
					t.Fatal(err)
				}
				got := reflect.New(typ)
				if err := wire.UnmarshalCBOR(b, got.Interface()); err != nil {
					t.Fatalf("%v in %x", err, b)
				}
				if !reflect.DeepEqual(want.Interface(), got.Interface()) {
					t.Fatalf("%s\nin %x", firstDifference(dump(want), dump(got)), b)
				}
			})
		})
	}
}
