package server_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/server"
	"github.com/roadstead/roadstead/session"
	"github.com/roadstead/roadstead/state"
)

// Whoever asks for logs that are not there is told whether they may come: of a task that has not started they may.
func TestNoLogs(t *testing.T) {
	none := model.Errorf("InvalidParameterException", "Task t1 has no logs on its node")
	broken := errors.New("broken")
	for _, c := range []struct {
		task model.Task
		err  error
		want string
	}{
		{model.Task{Last: model.TaskProvisioning}, session.ErrNotConnected, "The task has not started: it is PROVISIONING. Look at `roadstead explain t1`."},
		{model.Task{Last: model.TaskPending, Instance: "i"}, none, "The task has not started: it is PENDING."},
		{model.Task{Last: model.TaskActivating, Instance: "i", StartedAt: 1}, none, "has no logs on its node"},
		{model.Task{Last: model.TaskStopped, Instance: "i"}, none, "has no logs on its node"},
		{model.Task{Last: model.TaskStopped, StopReason: "No room."}, session.ErrNotConnected, "stopped before it was placed on a node, so it has no logs: No room."},
		{model.Task{Last: model.TaskPending, Instance: "i"}, session.ErrNotConnected, "is not connected"},
		{model.Task{Last: model.TaskPending, Instance: "i"}, session.ErrStockAgent, "Amazon ECS agent"},
		{model.Task{Last: model.TaskPending, Instance: "i"}, broken, "broken"},
	} {
		c.task.ID = "t1"
		if got := server.NoLogs(&c.task, c.err); !strings.Contains(got.Error(), c.want) {
			t.Errorf("%+v, %v: %v", c.task, c.err, got)
		}
	}
}

// A task that waits for a node says so to whoever asks for its logs.
func TestLogsOfAWaitingTask(t *testing.T) {
	s, _ := open(t, server.Config{Dev: true})
	row := model.Task{Launch: &model.Launch{Scope: model.Scope{Account: "000000000000", Region: "us-east-1"}, Cluster: "default"},
		ID: "t1", Last: model.TaskProvisioning}
	if err := s.DB().Update(t.Context(), func(tx *state.Tx) error { tx.Tasks.Put(&row); return nil }); err != nil {
		t.Fatal(err)
	}
	err := dial(t, s, "root", "secret").Do(t.Context(), "GET", "/roadstead/v1/tasks/t1/logs?container=a", nil, nil)
	if model.ErrorCode(err) != "InvalidParameterException" || !strings.Contains(err.Error(), "has not started: it is PROVISIONING") {
		t.Error(err)
	}
}
