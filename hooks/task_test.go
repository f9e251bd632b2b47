package hooks_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

const check = "arn:aws:ecs:us-east-1:000000000000:task-definition/check"

// room makes a cluster with an instance of so much CPU and the task definitions check:1, check:2 and check:3, which is INACTIVE.
func (w *world) room(cpu int64) {
	w.Helper()
	w.update(func(tx *state.Tx) {
		tx.Clusters.Put(&model.Cluster{Scope: scope, Name: "c", Status: model.ClusterActive})
		tx.Instances.Put(&model.Instance{Scope: scope, Cluster: "c", ID: "i1", Status: model.InstanceActive, AgentConnected: true,
			Resources: model.Resources{CPU: cpu, Memory: 1024}})
		for n := range int32(3) {
			d := &model.TaskDefinition{Scope: scope, Family: "check", Revision: n + 1, Status: model.DefinitionActive, Spec: types.TaskDefinition{
				Family: aws.String("check"), Compatibilities: []types.Compatibility{"EC2"}, NetworkMode: "bridge", ContainerDefinitions: []types.ContainerDefinition{
					{Name: aws.String("app"), Image: aws.String("app"), Cpu: 100, Memory: aws.Int32(64), Essential: aws.Bool(true)},
					{Name: aws.String("side"), Image: aws.String("side"), Memory: aws.Int32(64), Essential: aws.Bool(false)}}}}
			if n == 2 {
				d.Status = model.DefinitionInactive
			}
			tx.Definitions.Put(d)
		}
	})
}

// task is the task of the first hook.
func (w *world) task() *model.Task {
	w.Helper()
	t, ok := w.db.Snapshot().Tasks.Get(model.TaskKey(scope, "c", w.hook(0).Task))
	if !ok {
		w.Fatalf("there is no task: %+v", w.hook(0))
	}
	return t
}

// report lets the node say something of the task.
func (w *world) report(r model.Report) {
	w.Helper()
	t, _ := w.task().Observe(r, time.Now().UnixMilli())
	w.update(func(tx *state.Tx) { tx.Tasks.Put(&t) })
}

// A task definition as a target: a task of it runs in the service's cluster, and is none of the service; SUCCEEDED is exit
// code 0 of its essential containers (SEMANTICS §9, our superset).
func TestTask(t *testing.T) {
	exit := func(app, side int32) model.Report {
		return model.Report{Status: model.TaskStopped, Containers: []model.ContainerReport{
			{Name: "app", Status: model.TaskRunning}, {Name: "side", Status: model.TaskRunning},
			{Name: "app", Status: model.TaskStopped, Exited: true, ExitCode: app}, {Name: "side", Status: model.TaskStopped, Exited: true, ExitCode: side}}}
	}
	for _, c := range []struct {
		name   string
		target string
		report model.Report
		want   string
	}{
		{"exit 0", check + ":1", exit(0, 0), "check:1 SUCCEEDED: "},
		{"the newest active revision", check, exit(0, 0), "check:2 SUCCEEDED: "},
		{"what is not essential does not count", check + ":1", exit(0, 137), "check:1 SUCCEEDED: "},
		{"exit 3", check + ":1", exit(3, 0), "check:1 FAILED: Lifecycle hook target " + check + ":1 failed: task ID: container app exited with 3."},
		{"it does not start", check + ":1", model.Report{Status: model.TaskStopped, Reason: "CannotPullContainerError: no such image"},
			"check:1 FAILED: Lifecycle hook target " + check + ":1 failed: task ID: CannotPullContainerError: no such image."},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.room(1024)
				w.deploy(model.Stage{Name: model.StagePostScaleUp}, c.target)
				synctest.Wait()
				task := w.task()
				if task.Instance != "i1" || task.Group != "hook:web" || task.StartedBy != "ecs-svc/"+green || task.Service() != "" || task.Reserved.CPU != 100 || task.Last != model.TaskPending {
					t.Errorf("the task is %+v", task)
				}
				time.Sleep(time.Hour)
				w.expect("the hook while the task runs", w.hook(0).Status, model.HookInProgress)
				w.report(c.report)
				synctest.Wait()
				h := w.hook(0)
				w.expect("the hook", task.Definition+" "+h.Status+": "+strings.ReplaceAll(h.Reason, task.ID, "ID"), c.want)
				if n := w.db.Snapshot().Tasks.Len(); n != 1 {
					t.Errorf("%d tasks were started", n)
				}
			})
		})
	}
}

// What never can run fails at once.
func TestTaskRefused(t *testing.T) {
	for _, c := range []struct{ name, target, network, launchType, want string }{
		{"no definition", strings.Replace(check, "check", "other", 1) + ":1", "bridge", "EC2", "TaskDefinition not found."},
		{"no revision", check + ":9", "bridge", "EC2", "TaskDefinition not found."},
		{"of another account", strings.Replace(check, "000000000000", "111111111111", 1) + ":1", "bridge", "EC2", "TaskDefinition not found."},
		{"inactive", check + ":3", "bridge", "EC2", "TaskDefinition is inactive."},
		{"launch type", check + ":1", "bridge", "FARGATE", "Task definition does not support launch_type FARGATE."},
		{"no network", check + ":1", "awsvpc", "EC2", "The service has no network configuration for a task definition with networkMode 'awsvpc'."},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.room(1024)
				w.update(func(tx *state.Tx) {
					have, _ := tx.Definitions.Get(model.DefinitionKey(scope, "check", 1))
					d := *have
					d.Spec.NetworkMode = types.NetworkMode(c.network)
					tx.Definitions.Put(&d)
				})
				w.launchType = c.launchType
				w.deploy(model.Stage{Name: model.StagePostScaleUp}, c.target)
				synctest.Wait()
				h := w.hook(0)
				w.expect("the hook", h.Status+": "+h.Reason, "FAILED: Lifecycle hook target "+c.target+" could not be run: "+c.want)
			})
		})
	}
}

// A task that has no room waits for it [I].
func TestTaskWithoutRoom(t *testing.T) {
	inWorld(t, func(w *world) {
		w.room(99)
		w.deploy(model.Stage{Name: model.StagePostScaleUp}, check+":1")
		time.Sleep(time.Minute)
		if h := w.hook(0); h.Status != model.HookInProgress || h.Task != "" {
			t.Fatalf("the hook is %+v", h)
		}
		w.room(100)
		time.Sleep(31 * time.Second)
		w.expect("the instance", w.task().Instance, "i1")
	})
}

// A task whose hook is over is stopped: because the deployment goes on without it, or because that happened while nobody led.
func TestTaskIsDismissed(t *testing.T) {
	over := func(w *world) {
		w.change(func(d *model.Deployment) { d.Stage = &model.Stage{Name: model.StageCleanUp, Back: true} })
	}
	for _, c := range []struct {
		name string
		end  func(w *world)
	}{
		{"rolled back", over},
		{"and then another leads", func(w *world) {
			w.stop()
			w.plain(over)
			w.stop = w.member()
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.room(1024)
				w.deploy(model.Stage{Name: model.StagePostScaleUp}, check+":1")
				synctest.Wait()
				key := w.task().Key()
				w.report(model.Report{Status: model.TaskRunning})
				c.end(w)
				synctest.Wait()
				task, _ := w.db.Snapshot().Tasks.Get(key)
				w.expect("the task", task.Desired+": "+task.StopReason, "STOPPED: The lifecycle hook is over.")
			})
		})
	}
}

// A task that only looks like one is left alone.
func TestTasksOfOthers(t *testing.T) {
	inWorld(t, func(w *world) {
		stop := w.stop
		w.update(func(tx *state.Tx) {
			tx.Tasks.Put(&model.Task{Launch: &model.Launch{Scope: scope, Cluster: "c", Group: "hook:web", StartedBy: "me"},
				ID: "1", Desired: model.TaskRunning, Last: model.TaskRunning})
		})
		w.stop = w.member()
		stop()
		time.Sleep(time.Hour)
		task, _ := w.db.Snapshot().Tasks.Get(model.TaskKey(scope, "c", "1"))
		w.expect("the task", task.Desired, model.TaskRunning)
	})
}
