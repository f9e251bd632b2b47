package state_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// TasksOn and Usage say what a look at every row says, in every snapshot, however old, and in heads whose changes were
// taken back: while tasks come, move, stop and go, on instances with few tasks and with many.
func TestTasksOnInstances(t *testing.T) {
	db := lead(t, state.NewMemory().Member())
	random := rand.New(rand.NewPCG(1, 2))
	instances := make([]string, 40)
	for n := range instances {
		instances[n] = fmt.Sprintf("i%d", n*n/100) // some are the same, in another cluster
	}
	change := func(tx *state.Tx) {
		id, n := fmt.Sprintf("t%03d", random.IntN(600)), random.IntN(len(instances))
		key := model.TaskKey(scope, "c", id)
		task := model.Task{Launch: &model.Launch{Scope: scope, Cluster: "c"}, ID: id, Desired: model.TaskRunning, Last: model.TaskPending}
		if old, ok := tx.Tasks.Get(key); ok {
			task = *old
		}
		switch random.IntN(6) {
		case 0:
			tx.Tasks.Delete(key)
			return
		case 1:
			task.Last = model.TaskStopped
		case 2:
			task.Instance = ""
		case 3:
			task.Last = model.TaskRunning
		default:
			task.Instance, task.InstanceCluster, task.Last = instances[n], []string{"", "pool"}[n%2], model.TaskPending
			task.Reserved = model.Resources{CPU: int64(n), PortsTCP: []int32{int32(n)}}
		}
		tx.Tasks.Put(&task)
	}
	var kept []*state.Snapshot
	for n := range 1500 {
		giveUp := errors.New("given up")
		err := db.Update(t.Context(), func(tx *state.Tx) error {
			for range 1 + random.IntN(12) {
				change(tx)
			}
			if n%5 == 0 {
				return giveUp
			}
			return nil
		})
		if err != nil && !errors.Is(err, giveUp) {
			t.Fatal(err)
		}
		if n%100 == 0 || n > 1490 {
			kept = append(kept, db.Snapshot())
		}
	}
	for _, snap := range kept {
		want := map[string][]*model.Task{}
		for task := range snap.Tasks.All() {
			if task.Instance != "" && task.Last != model.TaskStopped {
				want[task.InstanceKey()] = append(want[task.InstanceKey()], task)
			}
		}
		for _, id := range instances {
			for _, cluster := range []string{"c", "pool"} {
				key := model.InstanceKey(scope, cluster, id)
				got, u := slices.Collect(snap.TasksOn(key)), state.Usage{}
				if !slices.Equal(got, want[key]) {
					t.Fatalf("revision %d: %d tasks on %s, want %d", snap.Revision, len(got), key, len(want[key]))
				}
				for _, task := range got {
					u.CPU += task.Reserved.CPU
					if task.Last == model.TaskRunning {
						u.Running++
					}
				}
				if have := snap.Usage(key); have.CPU != u.CPU || have.Tasks != len(got) || have.Running != u.Running ||
					have.Pending != len(got)-u.Running || len(have.PortsTCP) != len(got) {
					t.Errorf("revision %d: %s has %+v, want %+v of %d tasks", snap.Revision, key, have, u, len(got))
				}
			}
		}
	}
}

func TestOn(t *testing.T) {
	task := model.Task{Launch: &model.Launch{Scope: scope, Cluster: "c"}, ID: "1", Instance: "i"}
	pooled := task
	pooled.InstanceCluster = "pool"
	for _, x := range []model.Task{task, pooled} {
		for _, key := range []string{"", "c", "/", task.InstanceKey(), pooled.InstanceKey(), task.InstanceKey() + "i", task.Key(), "0" + task.InstanceKey(),
			model.InstanceKey(model.Scope{Account: scope.Account, Region: "us-east-10"}, "c", "i"), model.ClusterKey(scope, "c")} {
			if got, want := x.On(key), x.InstanceKey() == key; got != want {
				t.Errorf("on %q: %t", key, got)
			}
		}
	}
}
