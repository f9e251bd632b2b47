package deployment_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/deployment"
	"github.com/roadstead/roadstead/model"
)

var scope = model.Scope{Account: "000000000000", Region: "us-east-1"}

// world is one service with its rows, and everything that does what Step asks for.
type world struct {
	test
	now         model.Millis
	service     model.Service
	deployments []*model.Deployment
	sets        []*model.TaskSet
	tasks       []*row
	instances   []string
	leaving     []string // instances
	zones       []string
	moveAt      model.Millis
	alarms      []string
	alarmBake   model.Millis
	checked     bool // new tasks have a health check
	targets     bool // new tasks are in a target group
	made        int  // tasks
	limit       int  // tasks that are stopped at once
}

// test is what both kinds of tests have.
type test interface {
	Helper()
	Fatalf(format string, args ...any)
}

// row is a task with what others know of it.
type row struct {
	model.Task
	targets string
}

func newWorld(t test) *world {
	w := &world{test: t, now: 1_000_000}
	w.service = model.Service{Scope: scope, Cluster: "c", Name: "web", Status: model.ServiceActive, Scheduling: model.SchedulingReplica, Controller: model.ControllerECS,
		Settings: types.Service{DeploymentConfiguration: &types.DeploymentConfiguration{}}}
	return w
}

// deploy does what the API does when a deployment is made.
func (w *world) deploy(id string) {
	d := &model.Deployment{Scope: scope, Cluster: "c", Service: "web", ID: id, Status: model.DeploymentPrimary, Rollout: model.RolloutInProgress,
		RolloutReason: "ECS deployment ecs-svc/" + id + " in progress.", State: string(types.ServiceDeploymentStatusPending), CreatedAt: w.now, UpdatedAt: w.now}
	for _, old := range w.deployments {
		if slices.ContainsFunc(w.tasks, func(t *row) bool { return t.DeploymentID() == old.ID && t.Last != model.TaskStopped }) {
			d.Sources = append(d.Sources, old.ID)
		}
	}
	d.Configuration = w.service.Settings.DeploymentConfiguration
	for i, old := range w.deployments {
		if old.Status != model.DeploymentInactive {
			d.Sources = append(d.Sources, old.ID)
		}
		if old.Status != model.DeploymentPrimary {
			continue
		}
		row := *old
		row.Status, row.UpdatedAt = model.DeploymentActive, w.now
		if !row.Ended() {
			row.State, row.StateReason = string(types.ServiceDeploymentStatusStopped), "Superseded by a newer service deployment."
		}
		w.deployments[i] = &row
	}
	w.deployments = append(w.deployments, d)
}

// configure changes the service's deployment configuration.
func (w *world) configure(change func(*types.DeploymentConfiguration)) {
	c := *w.service.Settings.DeploymentConfiguration
	change(&c)
	w.service.Settings.DeploymentConfiguration = &c
}

// input is the service as it is.
func (w *world) input() deployment.Input {
	in := deployment.Input{Now: w.now, Limit: w.limit, Service: &w.service, Deployments: w.deployments, TaskSets: w.sets, Zones: w.zones, MoveAt: w.moveAt, Alarms: w.alarms, AlarmBake: w.alarmBake,
		Instances: map[string][]string{}}
	for _, d := range w.deployments {
		if w.instances != nil {
			in.Instances[d.ID] = []string{}
		}
		for _, id := range w.instances {
			if !slices.Contains(w.leaving, id) {
				in.Instances[d.ID] = append(in.Instances[d.ID], id)
			}
		}
	}
	for _, t := range w.tasks {
		if !t.Counted {
			copied := t.Task
			in.Tasks = append(in.Tasks, deployment.Task{Task: &copied, Leaving: slices.Contains(w.leaving, t.Instance), Targets: t.targets,
				TargetReason: "Task failed ELB health checks in (target-group tg)"})
		}
	}
	return in
}

// apply does what was asked for, as controller/deploy would: choose picks count of the tasks to stop.
// place says how many of the tasks asked for find a place.
func (w *world) apply(out deployment.Output, choose func(deployment.Stop) []*model.Task, place func(deployment.Start) int) (started, stopped []*row) {
	if out.Service != nil {
		w.service = *out.Service
	}
	for _, d := range out.Deployments {
		w.deployments[slices.IndexFunc(w.deployments, func(x *model.Deployment) bool { return x.ID == d.ID })] = d
	}
	for _, s := range out.TaskSets {
		w.sets[slices.IndexFunc(w.sets, func(x *model.TaskSet) bool { return x.ID == s.ID })] = s
	}
	for _, s := range out.Gone {
		w.sets = slices.DeleteFunc(w.sets, func(x *model.TaskSet) bool { return x.ID == s.ID })
	}
	for _, t := range out.Counted {
		w.task(t.ID).Counted = true
	}
	left := w.limit
	for _, s := range out.Stops {
		if w.limit > 0 {
			s.Count = min(s.Count, left)
			left -= s.Count
		}
		for _, t := range choose(s) {
			r := w.task(t.ID)
			r.Task, _ = r.Stop(model.StopServiceSchedulerInitiated, s.Reason, w.now)
			r.Counted = r.Last == model.TaskStopped
			stopped = append(stopped, r)
		}
	}
	for _, s := range out.Starts {
		for i := range place(s) {
			started = append(started, w.add(s, i))
		}
	}
	w.tasks = slices.DeleteFunc(w.tasks, func(t *row) bool { return t.Counted && t.Last == model.TaskStopped })
	return started, stopped
}

func (w *world) add(s deployment.Start, i int) *row {
	w.made++
	t := &row{Task: model.Task{Launch: &model.Launch{Scope: scope, Cluster: "c", Group: "service:web", StartedBy: "ecs-svc/" + s.Revision},
		ID: fmt.Sprint("t", w.made), Desired: model.TaskRunning, Last: model.TaskPending, Instance: fmt.Sprint("n", w.made), CreatedAt: w.now, Zone: s.Zone,
		Containers: []model.Container{{Name: "app", Essential: true}}}}
	if t.Zone == "" && len(w.zones) > 0 {
		t.Zone = w.emptiest()
	}
	if len(s.Instances) > 0 {
		t.Instance = s.Instances[i]
	}
	if w.checked {
		t.Containers[0].Health = "UNKNOWN"
	}
	if w.targets {
		t.targets = "initial"
	}
	w.tasks = append(w.tasks, t)
	return t
}

// emptiest is the zone with the fewest tasks.
func (w *world) emptiest() string {
	n := map[string]int{}
	for _, t := range w.tasks {
		if t.Desired == model.TaskRunning {
			n[t.Zone]++
		}
	}
	return slices.MinFunc(w.zones, func(a, b string) int { return n[a] - n[b] })
}

func (w *world) task(id string) *row {
	w.Helper()
	for _, t := range w.tasks {
		if t.ID == id {
			return t
		}
	}
	w.Fatalf("no task %s", id)
	return nil
}

// run makes a task RUNNING.
func (w *world) run(t *row) {
	if t.Desired == model.TaskRunning && t.Last != model.TaskRunning {
		t.Last, t.StartedAt = model.TaskRunning, w.now
	}
}

// healthy makes a task RUNNING and healthy, or unhealthy, by its check or its target.
func (w *world) health(t *row, well bool) {
	w.run(t)
	status, target := "UNHEALTHY", "unhealthy"
	if well {
		status, target = "HEALTHY", "healthy"
	}
	if t.targets != "" {
		t.targets = target
	}
	if t.HealthChecked() {
		if t.Task.Health != status && well {
			t.HealthyAt = w.now
		}
		t.Task.Health, t.Containers = status, []model.Container{{Name: "app", Essential: true, Health: status}}
	}
}

// end makes a task STOPPED, by itself if nobody asked for it.
func (w *world) end(t *row, reason string) {
	if t.Desired == model.TaskRunning {
		t.StopCode, t.StopReason = model.StopTaskFailedToStart, reason
		if t.StartedAt != 0 {
			t.StopCode = model.StopEssentialContainerExited
		}
	}
	t.Desired, t.Last, t.StoppedAt = model.TaskStopped, model.TaskStopped, w.now
	if t.StopCode == model.StopServiceSchedulerInitiated {
		t.Counted = true
		w.tasks = slices.DeleteFunc(w.tasks, func(x *row) bool { return x == t })
	}
}

// protect protects a task for a while.
func (w *world) protect(t *row, d model.Millis) { t.ProtectedUntil = w.now + d }

// first chooses the first tasks, those of older deployments before others.
func first(s deployment.Stop) []*model.Task {
	tasks := slices.Clone(s.Tasks)
	slices.SortStableFunc(tasks, func(a, b *model.Task) int { return strings.Compare(a.StartedBy, b.StartedBy) })
	return tasks[:s.Count]
}

func percent(n int64) *int32 { return aws.Int32(int32(n)) }

// everywhere has room for everything.
func everywhere(s deployment.Start) int { return s.Count }

// strategize gives a configuration a strategy with stages.
func strategize(c *types.DeploymentConfiguration, strategy string) {
	c.Strategy = types.DeploymentStrategy(strategy)
	c.CanaryConfiguration = &types.CanaryConfiguration{CanaryPercent: aws.Float64(10), CanaryBakeTimeInMinutes: percent(5)}
	c.LinearConfiguration = &types.LinearConfiguration{StepPercent: aws.Float64(50), StepBakeTimeInMinutes: percent(5)}
}

// answer ends all hooks of a deployment's stage.
func (w *world) answer(id, status string) {
	for i, d := range w.deployments {
		if d.ID != id || d.Stage == nil {
			continue
		}
		for _, h := range d.Stage.Hooks {
			h.Status = status
			if row, ok := w.deployments[i].WithHook(h); ok {
				w.deployments[i] = &row
			}
		}
	}
}
