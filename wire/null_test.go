package wire_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/wire"
)

// A row keeps a spec that the user did not give as a nil pointer: it must come back as one.
func TestNilPointerRoundTrip(t *testing.T) {
	var none *types.TaskOverride
	b, err := wire.Marshal(&none)
	if err != nil {
		t.Fatal(err)
	}
	got := &types.TaskOverride{}
	if err := wire.Unmarshal(b, &got); err != nil || got != nil {
		t.Fatalf("%s came back as %v, %v", b, got, err)
	}
	some := &types.TaskOverride{Cpu: new("256")}
	if b, err = wire.Marshal(&some); err != nil {
		t.Fatal(err)
	}
	if err := wire.Unmarshal(b, &got); err != nil || got == nil || *got.Cpu != "256" {
		t.Fatalf("%s came back as %v, %v", b, got, err)
	}
}
