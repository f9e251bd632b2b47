//go:build e2e

package runtime_test

import (
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/roadstead/roadstead/agent/runtime"
	"github.com/roadstead/roadstead/agent/task"
	"github.com/roadstead/roadstead/agent/task/tasktest"
)

func TestContract(t *testing.T) {
	e := newEnv(t)
	e.push(t, "contract:1", v1.Config{Cmd: []string{"/bin/sleep", "1000"}})
	tasktest.RunRuntime(t, func(t *testing.T) (task.Runtime, tasktest.Images) {
		rt, err := runtime.New(e.cfg)
		must(t, err)
		t.Cleanup(func() { rt.Close() })
		return rt, tasktest.Images{
			Image: e.image("contract:1"), Missing: e.image("missing:1"),
			Sleep: []string{"/bin/sleep", "1000"},
			Exit3: []string{"/bin/sh", "-c", "exit 3"},
			Trap:  []string{"/bin/sh", "-c", "trap 'exit 5' TERM; sleep 1000 & wait"},
			Bad:   []string{"/no/such/program"},
			Say:   []string{"/bin/echo", "hello"},
		}
	})
	e.leftovers(t)
}
