package tasktest_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/roadstead/roadstead/agent/task"
	"github.com/roadstead/roadstead/agent/task/tasktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The fake keeps the same promises as the real runtime and network do under the e2e tag.
func TestFakeKeepsTheContracts(t *testing.T) {
	t.Run("Runtime", func(t *testing.T) {
		node := tasktest.NewNode()
		node.Images = map[string]string{"busybox": ""}
		tasktest.RunRuntime(t, func(*testing.T) (task.Runtime, tasktest.Images) {
			return node.Open(nil).Runtime, tasktest.Images{
				Image: "busybox", Missing: "nosuchimage",
				Sleep: []string{"sleep", "1000"}, Exit3: []string{"sh", "-c", "exit 3"},
				Trap: []string{"sh", "-c", "trap 'exit 5' TERM; sleep 1000 & wait"}, Bad: []string{"/no/such/program"},
				Say: []string{"echo", "hello"},
			}
		})
		if left := node.Left(); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	})
	t.Run("Network", func(t *testing.T) {
		node := tasktest.NewNode()
		tasktest.RunNetwork(t, func(*testing.T) task.Network { return node.Open(nil).Network },
			"bridge", "awsvpc", "host", "none")
		if left := node.Left(); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	})
}
