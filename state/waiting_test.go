package state_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// Waiting yields a cluster's waiting tasks by age, whatever their ids are, in heads and snapshots.
func TestWaiting(t *testing.T) {
	db := lead(t, state.NewMemory().Member())
	key := model.ClusterKey(model.Scope{}, "c")
	task := func(id string, at model.Millis, instance, last string) *model.Task {
		return &model.Task{Launch: &model.Launch{Cluster: "c"}, ID: id, CreatedAt: at, Instance: instance, Last: last}
	}
	look := func(tables *state.Tables) string {
		var ids []string
		for w := range tables.Waiting(key) {
			ids = append(ids, w.ID)
		}
		if n := tables.ClusterCount(key).Waiting; n != len(ids) {
			t.Errorf("%d wait, the count says %d", len(ids), n)
		}
		return fmt.Sprint(ids)
	}
	failure := errors.New("taken back")
	for _, step := range []struct {
		name, want string
		rows       []*model.Task
		err        error
	}{
		{"by age, not by id", "[z m a]", []*model.Task{task("a", 1_700_000_000_003, "", model.TaskProvisioning), task("z", 1_700_000_000_001, "", model.TaskProvisioning),
			task("m", 1_700_000_000_002, "", model.TaskProvisioning)}, nil},
		{"one finds its place, another is stopped", "[m]", []*model.Task{task("z", 1_700_000_000_001, "i", model.TaskPending), task("a", 1_700_000_000_003, "", model.TaskStopped)}, nil},
		{"a transaction that fails", "[m]", []*model.Task{task("b", 1, "", model.TaskProvisioning), task("m", 2, "i", model.TaskPending)}, failure},
		{"another cluster", "[m]", []*model.Task{{Launch: &model.Launch{Cluster: "cc"}, ID: "x", Last: model.TaskProvisioning}}, nil},
		{"one that is placed at once", "[m]", []*model.Task{task("p", 5, "i", model.TaskProvisioning)}, nil},
	} {
		err := db.Update(t.Context(), func(tx *state.Tx) error {
			for _, row := range step.rows {
				tx.Tasks.Put(row)
			}
			if got := look(tx.Tables); step.err == nil && got != step.want {
				t.Errorf("%s: the head has %s, want %s", step.name, got, step.want)
			}
			return step.err
		})
		if !errors.Is(err, step.err) {
			t.Fatal(err)
		}
		if got := look(db.Snapshot().Tables); got != step.want {
			t.Errorf("%s: got %s, want %s", step.name, got, step.want)
		}
	}
	if rows := slices.Collect(db.Snapshot().Waiting("nowhere")); len(rows) > 0 {
		t.Errorf("nowhere wait %v", rows)
	}
}
