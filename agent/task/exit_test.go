package task_test

import (
	"testing"

	"github.com/roadstead/roadstead/agent/task"
)

// [I] What ends before its container is made was a try to make it, cut short by the end of containerd: the task goes on.
func TestExitOfATry(t *testing.T) {
	one := run("t", app("app"))
	w := newWorld(&one)
	w.step()
	for w.s.Containers[0].Phase < task.PhaseCreated {
		if w.s = w.s.Exit("app", 137, false, w.now); w.s.Containers[0].Phase == task.PhaseStopped {
			t.Fatalf("stopped while %+v", w.doing)
		}
		w.finish(0, true, nil)
	}
	if w.s = w.s.Exit("app", 3, false, w.now); w.s.Containers[0].Phase != task.PhaseStopped {
		t.Errorf("the end of a container changes nothing: %+v", w.s.Containers[0])
	}
}
