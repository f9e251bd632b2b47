package wire_test

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/wire"
)

func TestInvoke(t *testing.T) {
	m := wire.NewMux(wire.ECS())
	var got *ecs.RunTaskInput
	wire.Handle(m, "RunTask", func(_ context.Context, in *ecs.RunTaskInput) (*ecs.RunTaskOutput, error) {
		got = in
		return &ecs.RunTaskOutput{}, nil
	})
	definition := "web"
	in := &ecs.RunTaskInput{TaskDefinition: &definition}
	out, err := wire.Invoke[ecs.RunTaskOutput](t.Context(), m, "RunTask", in)
	if err != nil || out == nil || got != in {
		t.Errorf("the operation's own input: %v, %v; the handler got %v", out, err, got)
	}
	alike := &struct {
		TaskDefinition *string `wire:"taskDefinition"`
	}{&definition}
	if _, err := wire.Invoke[ecs.RunTaskOutput](t.Context(), m, "RunTask", alike); err != nil || got == in || *got.TaskDefinition != "web" {
		t.Errorf("a struct with the same wire form: %v; the handler got %v", err, got)
	}
	got = nil
	if _, err := wire.Invoke[ecs.RunTaskOutput](t.Context(), m, "RunTask", &ecs.RunTaskInput{}); model.ErrorCode(err) == "" || got != nil {
		t.Errorf("a required member is missing: %v; the handler got %v", err, got)
	}
	if _, err := wire.Invoke[ecs.StopTaskOutput](t.Context(), m, "StopTask", &ecs.StopTaskInput{}); model.ErrorCode(err) != "UnsupportedFeatureException" {
		t.Errorf("an operation without a handler: %v", err)
	}
}
