package definition_test

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/definition"
	"github.com/roadstead/roadstead/model"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// input reads a registration the way clients write it; the SDK's member names match in any case.
func input(t *testing.T, doc string) *ecs.RegisterTaskDefinitionInput {
	t.Helper()
	var in ecs.RegisterTaskDefinitionInput
	if err := json.Unmarshal([]byte(doc), &in); err != nil {
		t.Fatalf("%v in %s", err, doc)
	}
	return &in
}

func normalize(t *testing.T, doc string) types.TaskDefinition {
	t.Helper()
	td, err := definition.Normalize(input(t, doc))
	if err != nil {
		t.Fatalf("%v for %s", err, doc)
	}
	return td
}

// again registers what a describe shows, without its read-only members.
func again(td types.TaskDefinition) (types.TaskDefinition, error) {
	return definition.Normalize(&ecs.RegisterTaskDefinitionInput{
		ContainerDefinitions: td.ContainerDefinitions, Cpu: td.Cpu, EnableFaultInjection: td.EnableFaultInjection,
		EphemeralStorage: td.EphemeralStorage, ExecutionRoleArn: td.ExecutionRoleArn, Family: td.Family,
		InferenceAccelerators: td.InferenceAccelerators, IpcMode: td.IpcMode, Memory: td.Memory, NetworkMode: td.NetworkMode,
		PidMode: td.PidMode, PlacementConstraints: td.PlacementConstraints, ProxyConfiguration: td.ProxyConfiguration,
		RequiresCompatibilities: td.RequiresCompatibilities, RuntimePlatform: td.RuntimePlatform, TaskRoleArn: td.TaskRoleArn,
		Volumes: td.Volumes,
	})
}

// wantError compares code and message with "Code: message".
func wantError(t *testing.T, err error, want string) {
	t.Helper()
	var e *model.Error
	switch {
	case err == nil:
		t.Errorf("no error, want %s", want)
	case !errors.As(err, &e):
		t.Errorf("error %v is not a model.Error", err)
	case e.Error() != want:
		t.Errorf("error\n%s, want\n%s", e, want)
	}
}

func text(t *testing.T, v any) string {
	t.Helper()
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// golden compares with testdata/NAME; -update rewrites it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got+"\n" != string(want) {
		t.Errorf("%s differs; run with -update and read the diff. Got\n%s", path, got)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
