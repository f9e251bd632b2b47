package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The committed tables are what the SDK at the version in go.mod says [D].
func TestCommittedTablesAreCurrent(t *testing.T) {
	files, err := generate(services())
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("wire/%s is stale: run go generate ./wire", name)
		}
	}
	committed, err := filepath.Glob("../*_gen.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range committed {
		if _, ok := files[filepath.Base(path)]; !ok {
			t.Errorf("wire/%s is no longer generated: delete it", filepath.Base(path))
		}
	}
}

func TestECSModule(t *testing.T) {
	m, err := load("ecs")
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Operations) != 88 || len(m.Unions) != 9 || !m.Document {
		t.Errorf("ecs: %d operations, %d unions, document %v; want 88, 9, true", len(m.Operations), len(m.Unions), m.Document)
	}
	for _, e := range m.Required {
		if e.Key == "CreateServiceInput" && strings.Join(e.Values, " ") != "ServiceName" {
			t.Errorf("CreateServiceInput requires %v, want ServiceName", e.Values)
		}
	}
}
