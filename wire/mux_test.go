package wire_test

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/wire"
)

func TestServedMissingCoverage(t *testing.T) {
	m := wire.NewMux(&wire.Service{Name: "x", Operations: []string{"F", "E", "D", "C", "B", "A", "G"}})
	type none struct{}
	nothing := func(context.Context, *none) (*none, error) { return nil, nil }
	wire.Handle(m, "C", nothing)
	wire.Handle(m, "B", nothing)
	if got := m.Served(); !slices.Equal(got, []string{"B", "C"}) {
		t.Errorf("served %v", got)
	}
	if got := m.Missing(); !slices.Equal(got, []string{"A", "D", "E", "F", "G"}) {
		t.Errorf("missing %v", got)
	}
	var b strings.Builder
	if err := wire.WriteCoverage(&b, m, wire.NewMux(wire.STS())); err != nil {
		t.Fatal(err)
	}
	want := "SERVICE  SERVED  TOTAL  MISSING\n" +
		"x        2       7      A, D, E, F and 1 more\n" +
		"sts      0       11     AssumeRole, AssumeRoleWithSAML, AssumeRoleWithWebIdentity, AssumeRoot and 7 more\n" +
		"total    2       18     \n"
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestHandleRefusesMistakes(t *testing.T) {
	type none struct{}
	type channel struct{ C chan int }
	nothing := func(context.Context, *none) (*none, error) { return nil, nil }
	tests := []struct {
		name string
		do   func(m *wire.Mux)
	}{
		{"no such operation", func(m *wire.Mux) { wire.Handle(m, "Nonsense", nothing) }},
		{"twice", func(m *wire.Mux) { wire.Handle(m, "RunTask", nothing); wire.Handle(m, "RunTask", nothing) }},
		{"type without wire form", func(m *wire.Mux) {
			wire.Handle(m, "RunTask", func(context.Context, *channel) (*none, error) { return nil, nil })
		}},
		{"not a struct", func(m *wire.Mux) {
			wire.Handle(m, "RunTask", func(context.Context, *string) (*none, error) { return nil, nil })
		}},
		{"no authenticator", func(m *wire.Mux) { wire.NewGateway(wire.GatewayConfig{}, m) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("went through")
				}
			}()
			tt.do(wire.NewMux(wire.ECS()))
		})
	}
}

// Required members, nested ones included, are checked before the handler runs [D]; the wordings are [I] unless said.
func TestRequiredMembers(t *testing.T) {
	tests := []struct {
		name, op, body string
		want           *model.Error // nil: accepted
	}{
		{"string", "CreateService", `{}`, model.Errorf("InvalidParameterException", "Service name can not be blank.")},
		{"[O] list", "DescribeTasks", `{}`, model.Errorf("InvalidParameterException", "Tasks cannot be empty.")},
		{"[O] words of a list", "DescribeContainerInstances", `{}`,
			model.Errorf("InvalidParameterException", "Container instances cannot be empty.")},
		{"an empty list is present", "DescribeTasks", `{"tasks":[]}`, nil},
		{"an empty string is present", "CreateService", `{"serviceName":""}`, nil},
		{"in a list", "CreateService", `{"serviceName":"a","placementStrategy":[{}],"capacityProviderStrategy":[{}]}`,
			model.Errorf("InvalidParameterException", "Capacity provider can not be blank.")},
		{"in a struct", "CreateService", `{"serviceName":"a","networkConfiguration":{"awsvpcConfiguration":{}}}`,
			model.Errorf("InvalidParameterException", "Subnets cannot be empty.")},
		{"a number without a pointer cannot be missed", "CreateService",
			`{"serviceName":"a","deploymentConfiguration":{"deploymentCircuitBreaker":{}}}`, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			mux := wire.NewMux(wire.ECS())
			method := reflect.ValueOf(&ecs.Client{}).MethodByName(tt.op)
			called := false
			wire.HandleAny(mux, tt.op, method.Type().In(1).Elem(), method.Type().Out(0).Elem(), func(any) (any, error) {
				called = true
				return reflect.Zero(method.Type().Out(0)).Interface(), nil
			})
			w := ecsCall(tt.op, tt.body).send(testGateway(mux))
			if tt.want == nil {
				if !called {
					t.Errorf("refused: %s", w.Body)
				}
				return
			}
			want := `{"__type":"` + tt.want.Code + `","message":"` + tt.want.Message + `"}`
			if called || w.Code != 400 || w.Body.String() != want {
				t.Errorf("called %v, %d %s, want %s", called, w.Code, w.Body, want)
			}
		})
	}
}

func TestRequiredWording(t *testing.T) {
	type in struct {
		Name *string `wire:"Name,required"`
	}
	type none struct{}
	tests := []struct {
		service *wire.Service
		want    string
	}{
		{&wire.Service{JSONVersion: "1.1"}, `"__type":"ValidationException","message":"1 validation error detected: Value null at 'Name'`},
		{&wire.Service{}, "<Code>ValidationError</Code><Message>1 validation error detected: Value null at &#39;Name&#39;"},
		{&wire.Service{EC2: true}, "<Code>MissingParameter</Code><Message>The request must contain the parameter Name</Message>"},
		{&wire.Service{MissingRequired: func(b wire.Blank) *model.Error { return model.Errorf("Mine", "%s %s", b.Operation, b.Path) }},
			"<Code>Mine</Code><Message>Op Name</Message>"},
	}
	for _, tt := range tests {
		tt.service.Operations, tt.service.APIVersion, tt.service.TargetPrefix = []string{"Op"}, "v", "T"
		mux := wire.NewMux(tt.service)
		wire.Handle(mux, "Op", func(context.Context, *in) (*none, error) { return nil, nil })
		c := call{body: "Action=Op&Version=v"}
		if tt.service.JSONVersion != "" {
			c = call{body: "{}", header: map[string]string{"X-Amz-Target": "T.Op"}}
		}
		if w := c.send(testGateway(mux)); w.Code != 400 || !strings.Contains(w.Body.String(), tt.want) {
			t.Errorf("got %d %s, want %s", w.Code, w.Body, tt.want)
		}
	}
}

// [O] SEMANTICS §12: the words of a container without a name.
func TestRequiredContainerMember(t *testing.T) {
	got := wire.ECS().MissingRequired(wire.Blank{Operation: "RegisterTaskDefinition", Path: "containerDefinitions[0].image"})
	if got.Code != "ClientException" || got.Message != "Container.image should not be null or empty." {
		t.Errorf("%v", got)
	}
	if wire.Required(reflect.TypeFor[types.ContainerDefinition](), "Image") {
		t.Error("the model now requires an image: the handler's own check is dead code")
	}
}
