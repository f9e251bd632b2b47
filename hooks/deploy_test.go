package hooks_test

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/controller"
	"github.com/roadstead/roadstead/controller/deploy"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// drive lets services be deployed, as a server does, and a node run their tasks: each is RUNNING after a second or two, and STOPPED
// so long after it was told to; a task that is a hook exits with 0.
func (w *world) drive() {
	n := 1000
	id := func() string { n++; return fmt.Sprintf("%032x", n) }
	l := &deploy.Loop{NewID: id, NewUUID: id, Seed: func() uint64 { return 1 }}
	driver := controller.New(controller.Config{DB: w.db, Loops: []controller.Loop{{Name: "deploy", Touched: l.Touched, All: l.All, Due: l.Due, Reconcile: l.Reconcile}}})
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.Context()))
	done := make(chan struct{}, 2)
	go func() { _ = driver.Run(ctx); done <- struct{}{} }()
	go func() {
		for ctx.Err() == nil {
			w.node()
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
			}
		}
		done <- struct{}{}
	}()
	w.Cleanup(func() { cancel(); <-done; <-done })
}

// node goes on with every task.
func (w *world) node() {
	_ = w.db.Update(context.Background(), func(tx *state.Tx) error {
		for _, t := range slices.Collect(tx.TasksOf(scope, "c")) {
			now, r := time.Now().UnixMilli(), model.Report{Status: model.TaskRunning}
			app := func(status string, exited bool) {
				r.Containers = append(r.Containers, model.ContainerReport{Name: "app", Status: status, Exited: exited})
			}
			app(model.TaskRunning, false)
			switch {
			case t.Last == model.TaskStopped:
				continue
			case t.Desired == model.TaskStopped, t.Last == model.TaskRunning && t.Service() == "":
				r.Status = model.TaskStopped
				app(model.TaskStopped, true)
			case t.Last == model.TaskRunning:
				continue
			}
			if next, changed := t.Observe(r, now); changed {
				tx.Tasks.Put(&next)
			}
		}
		return nil
	})
}

// release does what CreateService and UpdateService do.
func (w *world) release(number int, c *types.DeploymentConfiguration) {
	w.Helper()
	s := &model.Service{Scope: scope, Cluster: "c", Name: "web", Status: model.ServiceActive, Scheduling: model.SchedulingReplica, Controller: model.ControllerECS,
		Desired: 2, CreatedAt: 1, Settings: types.Service{DeploymentConfiguration: c}}
	id := model.NewDeploymentID(1, uint64(number))
	w.update(func(tx *state.Tx) {
		d := &model.Deployment{Scope: scope, Cluster: "c", Service: "web", ID: id, RecordID: "record" + fmt.Sprint(number), Status: model.DeploymentPrimary,
			Rollout: model.RolloutInProgress, RolloutReason: "in progress", State: model.StatePending, CreatedAt: 1, Configuration: c}
		for old := range tx.DeploymentsOf(s) {
			if old.Status != model.DeploymentInactive {
				row := *old
				row.Status = model.DeploymentActive
				tx.Deployments.Put(&row)
				d.Sources = append(d.Sources, old.ID)
			}
		}
		tx.Services.Put(s)
		tx.Revisions.Put(&model.Revision{Scope: scope, Cluster: "c", Service: "web", ID: id, Definition: "check:1", CreatedAt: 1, Spec: types.ServiceRevision{LaunchType: "EC2"}})
		tx.Deployments.Put(d)
	})
}

// A service whose deployments have hooks, from CreateService on: stages, calls, tasks that are hooks, and a rollback with what the
// targets are told of the traffic (SEMANTICS §9).
func TestDeployments(t *testing.T) {
	inWorld(t, func(w *world) {
		w.room(4096)
		w.drive()
		c := &types.DeploymentConfiguration{Strategy: "CANARY", BakeTimeInMinutes: aws.Int32(1), MinimumHealthyPercent: aws.Int32(100), MaximumPercent: aws.Int32(200),
			CanaryConfiguration: &types.CanaryConfiguration{CanaryPercent: aws.Float64(10), CanaryBakeTimeInMinutes: aws.Int32(1)},
			LifecycleHooks: []types.DeploymentLifecycleHook{
				{HookTargetArn: aws.String(target), LifecycleStages: []types.DeploymentLifecycleHookStage{"PRE_SCALE_UP", "PRODUCTION_TRAFFIC_SHIFT", "POST_PRODUCTION_TRAFFIC_SHIFT"}},
				{HookTargetArn: aws.String(check + ":1"), LifecycleStages: []types.DeploymentLifecycleHookStage{"POST_SCALE_UP"}},
			}}
		w.release(1, c)
		time.Sleep(5 * time.Minute)
		w.expect("the first", w.told(), `PRE_SCALE_UP map[]
PRODUCTION_TRAFFIC_SHIFT map[1:10]
PRODUCTION_TRAFFIC_SHIFT map[1:100]
POST_PRODUCTION_TRAFFIC_SHIFT map[]`)
		w.expect("deployments", w.shown(), "record1 PRIMARY COMPLETED SUCCESSFUL 2 tasks\n1 hook:web STOPPED")
		w.expect("the first event", w.hookEvent(), `[arn:aws:ecs:us-east-1:000000000000:service-deployment/c/web/record1] {"eventType":"INFO","eventName":"HOOK_IN_PROGRESS",`+
			`"hookId":"ID","hookType":"AWS_LAMBDA","expiresAt":"2000-01-02T00:00:00Z","lifecycleStage":"PRE_SCALE_UP",`+
			`"clusterArn":"arn:aws:ecs:us-east-1:000000000000:cluster/c","serviceArn":"arn:aws:ecs:us-east-1:000000000000:service/c/web",`+
			`"serviceDeploymentArn":"arn:aws:ecs:us-east-1:000000000000:service-deployment/c/web/record1","updatedAt":"2000-01-01T00:00:00.000Z"}`)

		w.listen(says(`{"hookStatus":"SUCCEEDED"}`))
		w.release(2, c)
		time.Sleep(90 * time.Second)
		w.listen(says(`{"hookStatus":"FAILED"}`)) // of the second step
		time.Sleep(5 * time.Minute)
		w.expect("the second", w.told(), `PRE_SCALE_UP map[]
PRODUCTION_TRAFFIC_SHIFT map[1:90 2:10]
PRODUCTION_TRAFFIC_SHIFT map[1:0 2:100]
PRODUCTION_TRAFFIC_SHIFT map[1:100 2:0]`)
		w.expect("deployments", w.shown(), "record1 PRIMARY COMPLETED SUCCESSFUL 2 tasks\nrecord2 INACTIVE FAILED ROLLBACK_SUCCESSFUL 0 tasks\n2 hook:web STOPPED")
	})
}

// told is what targets have been told since it was asked last: the stage and the weights of the production traffic.
func (w *world) told() string {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for _, c := range w.calls {
		var p struct {
			LifecycleStage   string
			ExecutionDetails struct{ ProductionTrafficWeights map[string]float64 }
		}
		if err := json.Unmarshal([]byte(c.body), &p); err != nil {
			w.Fatal(err)
		}
		weights := map[string]float64{}
		for arn, percent := range p.ExecutionDetails.ProductionTrafficWeights {
			weights[arn[len(arn)-1:]] = percent
		}
		out = append(out, fmt.Sprint(p.LifecycleStage, " ", weights))
	}
	w.calls = nil
	return strings.Join(out, "\n")
}

// shown are the deployments and their tasks, and the tasks that were hooks.
func (w *world) shown() string {
	var out []string
	running, hooks := map[string]int{}, 0
	t := w.db.Snapshot().Tables
	for task := range t.TasksOf(scope, "c") {
		switch {
		case task.Service() == "" && task.Last == model.TaskStopped:
			hooks++
		case task.Last == model.TaskRunning:
			running[task.DeploymentID()]++
		}
	}
	for d := range t.Deployments.All() {
		out = append(out, fmt.Sprintf("%s %s %s %s %d tasks", d.RecordID, d.Status, d.Rollout, d.State, running[d.ID]))
	}
	return strings.Join(append(out, fmt.Sprintf("%d hook:web STOPPED", hooks)), "\n")
}

// hookEvent is the first event about a hook [D].
func (w *world) hookEvent() string {
	for e := range w.db.Snapshot().Events.All() {
		if e.DetailType == "ECS Hook State Change" {
			return fmt.Sprint(e.Resources, " ", regexp.MustCompile(`"hookId":"[0-9a-f-]{36}"`).ReplaceAllString(e.Detail, `"hookId":"ID"`))
		}
	}
	return ""
}
