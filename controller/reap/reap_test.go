package reap_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roadstead/roadstead/controller"
	"github.com/roadstead/roadstead/controller/reap"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

var keep = reap.Retention{StoppedTasks: time.Hour, InactiveInstances: time.Hour, InactiveServices: time.Hour, Events: time.Hour, LogExports: 7 * 24 * time.Hour}

var scope = model.Scope{Account: "000000000000", Region: "us-east-1"}

// reaped fills a state, reaps at now, and returns the names of the rows left, and when to reap again.
func reaped(t *testing.T, now time.Time, limit int, fill func(*state.Tx)) (left []string, wake time.Time) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		db := state.Open(state.Config{Backend: state.NewMemory().Member(), Codec: state.SpecCodec{Marshal: json.Marshal, Unmarshal: json.Unmarshal}})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); _ = db.Run(ctx) }()
		defer func() { cancel(); <-done }()
		if err := db.AwaitLead(ctx); err != nil {
			t.Fatal(err)
		}
		_ = db.Update(ctx, func(tx *state.Tx) error { fill(tx); return nil })
		l := reap.Loop{Retention: keep, Limit: limit}
		before, due := db.Snapshot(), l.Due(db.Snapshot().Tables, "", now)
		if err := db.Update(ctx, func(tx *state.Tx) (err error) { wake, err = l.Reconcile(tx, "", now); return err }); err != nil {
			t.Fatal(err)
		}
		s := db.Snapshot()
		if isDue := !due.IsZero() && !due.After(now); isDue != (s.Revision > before.Revision) {
			t.Errorf("Due said %v, and the rows went from revision %d to %d", due, before.Revision, s.Revision)
		}
		for x := range s.Tasks.All() {
			left = append(left, "task "+x.ID)
		}
		for x := range s.Instances.All() {
			left = append(left, "instance "+x.ID)
		}
		for x := range s.RunTokens.All() {
			left = append(left, "token "+x.Token)
		}
		for x := range s.Definitions.All() {
			left = append(left, "definition "+x.Name())
		}
		for x := range s.Services.All() {
			left = append(left, "service "+x.Name)
		}
		for x := range s.Deployments.All() {
			left = append(left, "deployment "+x.Service+"/"+x.ID)
		}
		for x := range s.Revisions.All() {
			left = append(left, "revision "+x.Service+"/"+x.ID)
		}
		for x := range s.TaskSets.All() {
			left = append(left, "set "+x.Service+"/"+x.ID)
		}
		for x := range s.KMSKeys.All() {
			left = append(left, "key "+x.ID)
		}
		for x := range s.KMSGrants.All() {
			left = append(left, "grant "+x.KeyID+"/"+x.ID)
		}
		for x := range s.Parameters.All() {
			left = append(left, "parameter "+x.Name)
		}
		for x := range s.ParameterVersions.All() {
			left = append(left, fmt.Sprintf("version %s@%d", x.Name, x.Version))
		}
		for x := range s.Messages.All() {
			left = append(left, "message "+x.Service+"/"+x.Text)
		}
		for x := range s.Events.All() {
			left = append(left, "event "+x.ID)
		}
		for x := range s.Secrets.All() {
			left = append(left, "secret "+x.Name)
		}
		for x := range s.SecretValues.All() {
			left = append(left, "value "+x.Name+"/"+x.ID)
		}
		for x := range s.LogExports.All() {
			left = append(left, "export "+x.ID)
		}
	})
	return left, wake
}

func TestOnlyWhatIsOverGoes(t *testing.T) {
	now := time.UnixMilli(10 * 3600 * 1000)
	old, fresh := now.Add(-2*time.Hour).UnixMilli(), now.Add(-time.Minute).UnixMilli()
	left, wake := reaped(t, now, 100, func(tx *state.Tx) {
		tx.Tasks.Put(&model.Task{Launch: &model.Launch{Scope: scope, Cluster: "c", Definition: "gone:1"},
			ID: "old", Last: model.TaskStopped, StoppedAt: old})
		tx.Tasks.Put(&model.Task{Launch: &model.Launch{Scope: scope, Cluster: "c"}, ID: "fresh", Last: model.TaskStopped, StoppedAt: fresh})
		tx.Tasks.Put(&model.Task{Launch: &model.Launch{Scope: scope, Cluster: "c", Definition: "used:1"},
			ID: "runs", Last: model.TaskRunning, CreatedAt: old, Instance: "left"})
		tx.Instances.Put(&model.Instance{Scope: scope, Cluster: "c", ID: "left", Status: model.InstanceInactive, RegisteredAt: old})
		tx.Instances.Put(&model.Instance{Scope: scope, Cluster: "c", ID: "idle", Status: model.InstanceInactive, RegisteredAt: old})
		tx.Instances.Put(&model.Instance{Scope: scope, Cluster: "c", ID: "lives", Status: model.InstanceActive, RegisteredAt: old})
		tx.RunTokens.Put(&model.RunToken{Scope: scope, Cluster: "c", Token: "spent", ExpiresAt: fresh})
		tx.RunTokens.Put(&model.RunToken{Scope: scope, Cluster: "c", Token: "good", ExpiresAt: now.Add(2 * time.Hour).UnixMilli()})
		for _, d := range []string{"gone", "used"} {
			tx.Definitions.Put(&model.TaskDefinition{Scope: scope, Family: d, Revision: 1, Status: model.DefinitionDeleting})
		}
		tx.Definitions.Put(&model.TaskDefinition{Scope: scope, Family: "inactive", Revision: 1, Status: model.DefinitionInactive})
	})
	want := "[task fresh task runs instance left instance lives token good definition inactive:1 definition used:1]"
	if got := fmt.Sprint(left); got != want {
		t.Errorf("left %s\nwant %s", got, want)
	}
	if want := now.Add(59*time.Minute + time.Millisecond); !wake.Equal(want) { // "fresh"
		t.Errorf("to be asked again at %v, want %v", wake, want)
	}
}

// A definition stays for the services that run it, or may be rolled back to it (SEMANTICS §2.4) [D].
func TestDefinitionsOfServicesStay(t *testing.T) {
	left, _ := reaped(t, time.UnixMilli(1e9), 100, func(tx *state.Tx) {
		for _, name := range []string{"s", "over"} {
			status := model.ServiceActive
			if name == "over" {
				status = model.ServiceInactive
			}
			tx.Services.Put(&model.Service{Scope: scope, Cluster: "c", Name: name, Status: status, CreatedAt: 1})
			for i, d := range []model.Deployment{
				{Status: model.DeploymentInactive, Rollout: model.RolloutCompleted},
				{Status: model.DeploymentInactive, Rollout: model.RolloutCompleted},
				{Status: model.DeploymentInactive, Rollout: model.RolloutFailed},
				{Status: model.DeploymentActive},
				{Status: model.DeploymentPrimary},
			} {
				d.Scope, d.Cluster, d.Service, d.ID = scope, "c", name, model.NewDeploymentID(1, uint64(i))
				tx.Deployments.Put(&d)
				tx.Revisions.Put(&model.Revision{Scope: scope, Cluster: "c", Service: name, ID: d.ID, Definition: fmt.Sprint(name, ":", i+1)})
				tx.Definitions.Put(&model.TaskDefinition{Scope: scope, Family: name, Revision: int32(i + 1), Status: model.DefinitionDeleting})
			}
		}
		tx.TaskSets.Put(&model.TaskSet{Scope: scope, Cluster: "c", Service: "s", ID: model.NewDeploymentID(1, 9)})
		tx.Revisions.Put(&model.Revision{Scope: scope, Cluster: "c", Service: "s", ID: model.NewDeploymentID(1, 9), Definition: "set:1"})
		tx.Definitions.Put(&model.TaskDefinition{Scope: scope, Family: "set", Revision: 1, Status: model.DefinitionDeleting})
	})
	left = slices.DeleteFunc(left, func(row string) bool { return !strings.HasPrefix(row, "definition ") })
	if got, want := fmt.Sprint(left), "[definition s:2 definition s:4 definition s:5 definition set:1]"; got != want {
		t.Errorf("left %s\nwant %s", got, want)
	}
}

func TestLimitHolds(t *testing.T) {
	now := time.UnixMilli(10 * 3600 * 1000)
	fill := func(tx *state.Tx) {
		for i := range 5 {
			tx.Tasks.Put(&model.Task{Launch: &model.Launch{Scope: scope, Cluster: "c"},
				ID: fmt.Sprint(i), Last: model.TaskStopped, StoppedAt: 1})
		}
	}
	if left, wake := reaped(t, now, 3, fill); len(left) != 2 || wake.After(now) {
		t.Errorf("left %v, again at %v; want 2, and the others at once", left, wake)
	}
	if left, wake := reaped(t, now, 6, fill); len(left) != 0 || !wake.IsZero() {
		t.Errorf("left %v, again at %v; want none and never", left, wake)
	}
}

// Rows that are over one after the other are deleted together.
func TestEndsAreBatched(t *testing.T) {
	now := time.UnixMilli(10 * 3600 * 1000)
	_, wake := reaped(t, now, 3, func(tx *state.Tx) {
		tx.RunTokens.Put(&model.RunToken{Scope: scope, Cluster: "c", Token: "soon", ExpiresAt: now.Add(time.Second).UnixMilli()})
	})
	if want := now.Add(reap.Batch); !wake.Equal(want) {
		t.Errorf("to be asked again at %v, want %v", wake, want)
	}
}

func TestOnlyEndsTouch(t *testing.T) {
	running, stopped := &model.Task{Last: model.TaskRunning}, &model.Task{Last: model.TaskStopped}
	active, deleting := &model.TaskDefinition{Status: model.DefinitionActive}, &model.TaskDefinition{Status: model.DefinitionDeleting}
	for name, c := range map[string]struct {
		state.Change
		touches bool
	}{
		"task starts":        {state.Change{New: running}, false},
		"task stops":         {state.Change{Old: running, New: stopped}, true},
		"stopped task again": {state.Change{Old: stopped, New: stopped}, false},
		"task goes":          {state.Change{Old: stopped}, false},
		"definition":         {state.Change{New: active}, false},
		"deleting":           {state.Change{Old: active, New: deleting}, true},
		"token":              {state.Change{New: &model.RunToken{}}, true},
		"deployment goes":    {state.Change{New: &model.Deployment{Status: model.DeploymentInactive}}, true},
		"service goes":       {state.Change{New: &model.Service{Status: model.ServiceInactive}}, true},
		"task set goes":      {state.Change{Old: &model.TaskSet{}}, true},
		"inactive":           {state.Change{New: &model.Instance{Status: model.InstanceInactive}}, true},
		"service drains":     {state.Change{New: &model.Service{Status: model.ServiceDraining}}, false},
		"service of a name":  {state.Change{Old: &model.Service{CreatedAt: 1}, New: &model.Service{CreatedAt: 2}}, true},
		"event":              {state.Change{New: &model.Event{}}, true},
		"draining":           {state.Change{New: &model.Instance{Status: model.InstanceDraining}}, false},
	} {
		if got := (&reap.Loop{}).Touched(nil, &c.Change); len(got) > 0 != c.touches {
			t.Errorf("%s: touched %v", name, got)
		}
	}
}

// Run by the driver, rows go when they are over, those of a definition when its last task stops, and a quiet day costs
// nothing.
func TestRowsGoByThemselves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := state.Open(state.Config{Backend: state.NewMemory().Member(), Codec: state.SpecCodec{Marshal: json.Marshal, Unmarshal: json.Unmarshal}})
		l := reap.Loop{Retention: keep, Limit: 10}
		driver := controller.New(controller.Config{DB: db, Loops: []controller.Loop{{Name: "reap", Touched: l.Touched, All: l.All, Due: l.Due, Reconcile: l.Reconcile, Pace: reap.Batch}}})
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		defer running.Wait()
		defer cancel()
		running.Go(func() { _ = db.Run(ctx) })
		running.Go(func() { _ = driver.Run(ctx) })
		put := func(f func(*state.Tx)) {
			if err := db.AwaitLead(ctx); err != nil {
				t.Fatal(err)
			}
			if err := db.Update(ctx, func(tx *state.Tx) error { f(tx); return nil }); err != nil {
				t.Fatal(err)
			}
		}
		task := &model.Task{Launch: &model.Launch{Scope: scope, Cluster: "c", Definition: "web:1"}, ID: "t", Last: model.TaskRunning}
		put(func(tx *state.Tx) {
			tx.Tasks.Put(task)
			tx.Definitions.Put(&model.TaskDefinition{Scope: scope, Family: "web", Revision: 1, Status: model.DefinitionDeleting})
			for i := range 25 {
				tx.RunTokens.Put(&model.RunToken{Scope: scope, Cluster: "c", Token: fmt.Sprint(i), ExpiresAt: time.Now().Add(time.Hour).UnixMilli()})
			}
		})
		rows := func() string {
			s := db.Snapshot()
			return fmt.Sprint(s.Tasks.Len(), s.Definitions.Len(), s.RunTokens.Len())
		}
		for _, step := range []struct {
			stop bool
			pass time.Duration
			want string
		}{
			{pass: 59 * time.Minute, want: "1 1 25"},
			{pass: 3 * time.Minute, want: "1 1 0"},
			{pass: 24 * time.Hour, want: "1 1 0"},
			{stop: true, pass: 2 * time.Minute, want: "1 0 0"},
			{pass: 56 * time.Minute, want: "1 0 0"},
			{pass: 4 * time.Minute, want: "0 0 0"},
		} {
			if step.stop {
				next := *task
				next.Last, next.StoppedAt = model.TaskStopped, time.Now().UnixMilli()
				put(func(tx *state.Tx) { tx.Tasks.Put(&next) })
			}
			if time.Sleep(step.pass); rows() != step.want {
				t.Errorf("rows %s, want %s, after another %v", rows(), step.want, step.pass)
			}
		}
		before := driver.Stats()[0].Runs
		time.Sleep(30 * 24 * time.Hour)
		if after := driver.Stats()[0].Runs; before != 5 || after != before { // three for the tokens, the definition, the task
			t.Errorf("%d runs, and %d more in a quiet month; want 5 and none", before, after-before)
		}
	})
}
