package session_test

import (
	"testing"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// A node of the FARGATE pool is told of tasks of other clusters, and may keep them (SEMANTICS §4.1).
func TestTasksOfOtherClusters(t *testing.T) {
	inWorld(t, func(w *world) {
		key := model.TaskKey(scope, "far", "t9")
		put := func(change func(*model.Task)) {
			row := model.Task{Launch: &model.Launch{Scope: scope, Cluster: "far", Definition: "web:1", Network: "bridge"},
				ID: "t9", Instance: "i1", InstanceCluster: "c", Desired: model.TaskRunning, Last: model.TaskProvisioning, Version: 1,
				Containers: []model.Container{{Name: "app", Essential: true}}}
			if old, ok := w.db.Snapshot().Tasks.Get(key); ok {
				row = *old
			}
			change(&row)
			w.update(func(tx *state.Tx) { tx.Tasks.Put(&row) })
		}
		put(func(*model.Task) {})
		a := w.connect("i1")
		a.wants("it is the node's", "manifest t9:RUNNING, payload t9:RUNNING")
		a.ack()
		row, _ := w.db.Snapshot().Tasks.Get(key)
		w.want("delivered", row.Last, model.TaskPending)
		a.send(acs.TaskStopVerificationMessage{MessageID: a.manifest, StopCandidates: []acs.ManifestTask{
			{TaskArn: row.ARN()}, {TaskArn: model.TaskARN(scope, "far", "unknown")}}})
		a.wants("it stays", "verified unknown:STOPPED")
		put(func(t *model.Task) { *t, _ = t.Stop(model.StopUserInitiated, "x", 1) })
		a.wants("its end", "payload t9:STOPPED")
	})
}
