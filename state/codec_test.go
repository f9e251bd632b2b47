package state_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

func TestRowsComeBackAsTheyWere(t *testing.T) {
	with, without := benchTask(1), benchTask(2)
	with.Overrides = &types.TaskOverride{
		Cpu:                aws.String("512"),
		ContainerOverrides: []types.ContainerOverride{{Name: aws.String("web"), Command: []string{"line\nbreak", "two"}}},
	}
	definition := &model.TaskDefinition{Scope: scope, Family: "web", Revision: 3, Status: model.DefinitionActive, Spec: types.TaskDefinition{
		Family: aws.String("web"), ContainerDefinitions: []types.ContainerDefinition{{Image: aws.String("a\nb"), Essential: aws.Bool(true)}},
	}}
	for name, row := range map[string]any{
		"task with overrides": with, "task without overrides": without, "definition": definition,
		"cluster": &model.Cluster{Scope: scope, Name: "c", Status: model.ClusterActive, CapacityProviders: []string{"FARGATE"}},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := state.EncodeRow(row, jsonCodec)
			if err != nil {
				t.Fatal(err)
			}
			back := reflect.New(reflect.TypeOf(row).Elem()).Interface()
			if err := state.DecodeRow(b, back, jsonCodec); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(row, back) {
				t.Errorf("%s\nbecame\n%+v", b, back)
			}
		})
	}
}

func TestTornRowsAreRefused(t *testing.T) {
	task := benchTask(1)
	task.Overrides = &types.TaskOverride{Cpu: aws.String("512")}
	whole, err := state.EncodeRow(task, jsonCodec)
	if err != nil {
		t.Fatal(err)
	}
	for n := range whole {
		if err := state.DecodeRow(whole[:n], new(model.Task), jsonCodec); err == nil {
			t.Fatalf("the first %d of %d bytes were taken for a row", n, len(whole))
		}
	}
	head := whole[:bytes.LastIndexByte(whole[:len(whole)-1], '\n')+1]
	if err := state.DecodeRow(head, new(model.Task), jsonCodec); err == nil || !strings.Contains(err.Error(), "missing") {
		t.Errorf("without its overrides: %v", err)
	}
}

func TestSpecOfSeveralLinesIsRefused(t *testing.T) {
	codec := state.SpecCodec{Unmarshal: json.Unmarshal, Marshal: func(v any) ([]byte, error) { return json.MarshalIndent(v, "", " ") }}
	task := benchTask(1)
	task.Overrides = &types.TaskOverride{Cpu: aws.String("512")}
	if b, err := state.EncodeRow(task, codec); err == nil {
		t.Errorf("stored as %s", b)
	}
}

func FuzzDecodeRow(f *testing.F) {
	b, err := state.EncodeRow(benchTask(1), jsonCodec)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		var task, again model.Task
		if state.DecodeRow(b, &task, jsonCodec) != nil {
			return
		}
		stored, err := state.EncodeRow(&task, jsonCodec)
		if err != nil {
			t.Fatal(err)
		}
		if err := state.DecodeRow(stored, &again, jsonCodec); err != nil {
			t.Fatalf("%s: %v", stored, err)
		}
	})
}
