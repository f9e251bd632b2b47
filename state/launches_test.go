package state_test

import (
	"fmt"
	"reflect"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// launched is a task with the id; all of them are of equal launches.
func launched(id string) *model.Task {
	t := benchTask(1)
	t.ID = id
	return t
}

// changes are all ways in which launches differ.
func changes() map[string]func(*model.Launch) {
	out := map[string]func(*model.Launch){
		"constraints": func(l *model.Launch) {
			l.Constraints = []model.PlacementConstraint{{Type: "memberOf", Expression: "x"}}
		},
		"strategy":  func(l *model.Launch) { l.Strategy = []model.PlacementStrategy{{Type: "spread", Field: "host"}} },
		"overrides": func(l *model.Launch) { l.Overrides = &types.TaskOverride{} },
	}
	typ := reflect.TypeFor[model.Launch]()
	for _, f := range reflect.VisibleFields(typ) {
		out[f.Name] = func(l *model.Launch) {
			switch v := reflect.ValueOf(l).Elem().FieldByIndex(f.Index); v.Interface().(type) {
			case string:
				v.SetString("other")
			case bool:
				v.SetBool(true)
			case int32:
				v.SetInt(7)
			case []string:
				v.Set(reflect.ValueOf([]string{"other"}))
			}
		}
	}
	for _, own := range []string{"Scope", "Account", "Region", "Cluster"} { // the test finds its rows by these
		delete(out, own)
	}
	return out
}

// Rows are equal to what was put, however much they share, on the leader and where they are read again; tasks of equal launches
// share one.
func TestTasksShareTheirLaunches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		backend := state.NewMemory()
		leader := lead(t, backend.Member())
		want := map[string]model.Task{}
		putOne := func(id string, change func(*model.Launch)) {
			task := launched(id).Relaunched(change)
			want[id] = task.Relaunched(func(*model.Launch) {})
			if err := leader.Update(t.Context(), func(tx *state.Tx) error { tx.Tasks.Put(&task); return nil }); err != nil {
				t.Fatal(err)
			}
		}
		putOne("1", func(*model.Launch) {})
		for name, change := range changes() {
			putOne(name, change)
		}
		putOne("2", func(*model.Launch) {})
		follower := follow(t, backend.Member())
		synctest.Wait()
		for where, db := range map[string]*state.DB{"leader": leader, "follower": follower} {
			get := func(id string) *model.Task {
				row, _ := db.Snapshot().Tasks.Get(model.TaskKey(scope, "production", id))
				return row
			}
			for id, task := range want {
				if row := get(id); !reflect.DeepEqual(*row, task) {
					t.Errorf("%s: %s\n got %+v\nwant %+v", where, id, row.Launch, task.Launch)
				}
				if shares := get(id).Launch == get("1").Launch; shares != (id == "1" || id == "2" || equalLaunch(want[id], want["1"])) {
					t.Errorf("%s: whether %s shares its launch is %v", where, id, shares)
				}
			}
		}
	})
}

func equalLaunch(a, b model.Task) bool { return reflect.DeepEqual(a.Launch, b.Launch) }

// More launches than are remembered are rows all the same.
func TestForgottenLaunches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := lead(t, state.NewMemory().Member())
		group := func(n int) string { return fmt.Sprint("service:", n%2500) }
		err := db.Update(t.Context(), func(tx *state.Tx) error {
			for n := range 3900 {
				task := launched(fmt.Sprintf("%04d", n)).Relaunched(func(l *model.Launch) { l.Group = group(n) })
				tx.Tasks.Put(&task)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for row := range db.Snapshot().Tasks.All() {
			if row.Group != group(n) {
				t.Fatalf("task %s is of %s", row.ID, row.Group)
			}
			n++
		}
	})
}

// follow runs a DB that does not lead until the test ends.
func follow(t *testing.T, b state.Backend) *state.DB {
	db := state.Open(state.Config{Backend: b, Codec: jsonCodec})
	done := make(chan struct{})
	go func() { defer close(done); _ = db.Run(t.Context()) }()
	t.Cleanup(func() { <-done })
	return db
}
