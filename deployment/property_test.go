package deployment_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"pgregory.net/rapid"

	"github.com/roadstead/roadstead/deployment"
	"github.com/roadstead/roadstead/model"
)

// TestServicesUnderChance drives services of all kinds with whatever may happen to them, and holds after every decision what must
// hold always; then everything behaves, and what was wanted must come to be.
func TestServicesUnderChance(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := &play{T: t, world: newWorld(t), bad: map[string]string{}}
		p.found()
		p.step()
		for range rapid.IntRange(1, 40).Draw(t, "actions") {
			p.act()
			p.step()
		}
		p.behave()
		if p.chance("deleted", 3) {
			p.depart()
		}
	})
}

// play is a world that chance moves.
type play struct {
	*rapid.T
	*world
	bad   map[string]string // by deployment: how its tasks end: "fail", "sick" or "crash"
	last  int               // deployment
	wake  model.Millis
	roomy bool // every task finds a place
	// completed are the deployments that were completed once.
	completed []string
	// back are those from which a rollback has succeeded.
	back []string
}

func (p *play) Helper() { p.T.Helper() }

func (p *play) Fatalf(format string, args ...any) { p.T.Helper(); p.T.Fatalf(format, args...) }

// one draws one of the values, each as often as any other, which rapid's generators do not.
func one[V any](p *play, name string, values ...V) V {
	return values[rapid.Uint64().Draw(p.T, name)*0x9e3779b97f4a7c15>>33%uint64(len(values))]
}

// chance is true once in n times.
func (p *play) chance(name string, n int) bool {
	return rapid.Uint64().Draw(p.T, name)*0x9e3779b97f4a7c15>>33%uint64(n) == 0
}

// found makes a service.
func (p *play) found() {
	s := &p.service
	s.Controller = one(p, "controller", model.ControllerECS, model.ControllerECS, model.ControllerECS, model.ControllerExternal)
	if s.Controller == model.ControllerECS {
		s.Scheduling = one(p, "scheduling", model.SchedulingReplica, model.SchedulingReplica, model.SchedulingDaemon)
	}
	s.Desired = rapid.Int32Range(0, 8).Draw(p.T, "desired")
	p.checked, p.targets = p.chance("checked", 2), p.chance("targets", 4)
	p.instances = []string{"i1", "i2", "i3", "i4"}
	p.zones = one(p, "zones", nil, []string{"a", "b"}, []string{"a", "b", "c"})
	if p.chance("rebalance", 2) {
		s.Settings.AvailabilityZoneRebalancing = types.AvailabilityZoneRebalancingEnabled
	}
	s.Settings.HealthCheckGracePeriodSeconds = one(p, "grace", nil, percent(30))
	p.bounds()
	p.guards()
	p.update()
}

// bounds changes the bounds.
func (p *play) bounds() {
	p.configure(func(c *types.DeploymentConfiguration) {
		c.MinimumHealthyPercent = percent(one[int64](p, "min", 0, 33, 50, 75, 100))
		c.MaximumPercent = percent(one[int64](p, "max", 100, 110, 125, 150, 200))
		if p.service.Scheduling == model.SchedulingDaemon {
			c.MaximumPercent = percent(100)
		}
	})
}

// guards changes what fails, delays and hastens deployments.
func (p *play) guards() {
	p.configure(func(c *types.DeploymentConfiguration) {
		c.DeploymentCircuitBreaker, c.Alarms, c.EarlySuccessCriteria = nil, nil, nil
		if p.chance("breaker", 2) {
			c.DeploymentCircuitBreaker = &types.DeploymentCircuitBreaker{Enable: true, Rollback: p.chance("rollback", 2), ResetOnHealthyTask: one(p, "reset", nil, aws.Bool(false)),
				ThresholdConfiguration: one(p, "threshold", nil, &types.ThresholdConfiguration{Type: types.ThresholdTypeCount, Value: 2})}
		}
		if p.chance("alarms", 4) {
			c.Alarms = &types.DeploymentAlarms{Enable: true, AlarmNames: []string{"red", "blue"}, Rollback: p.chance("alarm rollback", 2)}
		}
		c.Strategy, c.LifecycleHooks = "", nil
		if p.service.Scheduling == model.SchedulingReplica && p.chance("in stages", 4) {
			strategize(c, one(p, "strategy", model.StrategyBlueGreen, model.StrategyLinear, model.StrategyCanary))
			if p.chance("hook", 2) {
				c.LifecycleHooks = []types.DeploymentLifecycleHook{{TargetType: types.DeploymentLifecycleHookTargetTypePause, LifecycleStages: []types.DeploymentLifecycleHookStage{
					one(p, "stage", types.DeploymentLifecycleHookStagePreScaleUp, types.DeploymentLifecycleHookStagePostTestTrafficShift, types.DeploymentLifecycleHookStagePostProductionTrafficShift)}}}
			}
		}
		c.BakeTimeInMinutes = one(p, "bake", nil, nil, percent(1))
		if p.chance("early", 4) {
			c.EarlySuccessCriteria = &types.DeploymentEarlySuccessCriteria{Enable: true, HealthyPercent: c.MinimumHealthyPercent,
				SourceServiceRevisionCleanup: one(p, "cleanup", types.ServiceRevisionCleanupBlocking, types.ServiceRevisionCleanupDeferred)}
		}
	})
}

// update deploys a new revision, or makes or changes a task set.
func (p *play) update() {
	if p.service.Controller != model.ControllerECS {
		if len(p.sets) > 0 && p.chance("change", 2) {
			i := rapid.IntRange(0, len(p.sets)-1).Draw(p.T, "set")
			s := *p.sets[i]
			s.Scale, s.Status = float64(one(p, "scale", 0, 10, 33, 100)), one(p, "status", s.Status, s.Status, "DRAINING")
			p.sets[i] = &s
			return
		}
		p.last++
		p.sets = append(p.sets, &model.TaskSet{Scope: scope, Cluster: "c", Service: "web", ID: fmt.Sprintf("%02d", p.last), Status: "ACTIVE", Scale: 100, CreatedAt: p.now})
		return
	}
	p.last++
	id := fmt.Sprintf("%02d", p.last)
	p.deploy(id)
	p.bad[id] = one(p, "revision", "", "", "fail", "sick", "crash")
	if p.bad[id] == "sick" && !p.checked && !p.targets { // nobody would know
		p.bad[id] = ""
	}
}

// act lets something happen.
func (p *play) act() {
	switch action := one(p, "action", "go", "go", "go", "go", "go", "time", "time", "break", "break", "update", "scale", "bounds", "protect", "drain", "alarm", "stop", "guards", "zones", "zones", "answer"); action {
	case "go":
		for _, t := range slices.Clone(p.tasks) {
			if p.chance("goes on", 2) {
				p.goOn(t)
			}
		}
	case "time":
		p.now += one[model.Millis](p, "time", 1_000, 40_000, 60_000, 3_600_000)
		if p.wake > 0 && p.chance("until wake", 2) {
			p.now = max(p.now, p.wake)
		}
	case "break":
		if t := p.any(); t != nil && t.Last != model.TaskStopped {
			switch one(p, "misfortune", "sick", "end", "lose", "user") {
			case "sick":
				if t.Desired == model.TaskRunning {
					p.health(t, false)
				}
			case "end":
				p.end(t, "Essential container in task exited")
			case "lose":
				p.end(t, "Host EC2 (instance i-1) terminated.")
			case "user":
				t.Task, _ = t.Stop(model.StopUserInitiated, "Task stopped by user", p.now)
			}
		}
	case "update":
		p.update()
	case "scale":
		p.service.Desired = rapid.Int32Range(0, 8).Draw(p.T, "desired")
	case "bounds":
		p.bounds()
	case "guards":
		p.guards()
	case "protect":
		if t := p.any(); t != nil {
			p.protect(t, one[model.Millis](p, "protection", 0, 60_000, 3_600_000))
		}
	case "drain":
		p.drain()
	case "alarm":
		p.alarms = one(p, "alarms", nil, []string{"red"}, []string{"blue"}, []string{"blue", "red"})
	case "zones":
		p.zones = one(p, "zones", []string{"a"}, []string{"a", "b"}, []string{"a", "b", "c"})
	case "stop":
		p.stopDeployment()
	case "answer":
		if d := p.primary(); d != nil {
			p.answer(d.ID, one(p, "hook status", model.HookSucceeded, model.HookSucceeded, model.HookFailed))
		}
	}
}

// any is one of the tasks, nil if there is none.
func (p *play) any() *row {
	if len(p.tasks) == 0 {
		return nil
	}
	return p.tasks[rapid.IntRange(0, len(p.tasks)-1).Draw(p.T, "task")]
}

// checkup is how long a health check takes to find out.
const checkup = 5_000

// goOn takes a task one step further.
func (p *play) goOn(t *row) {
	how := p.bad[t.DeploymentID()]
	switch {
	case t.Last == model.TaskStopped:
	case t.Desired == model.TaskStopped:
		p.end(t, "")
	case t.Last == model.TaskPending && how == "fail":
		p.end(t, "CannotPullContainerError: no such image")
	case t.Last == model.TaskPending:
		p.run(t)
	case how == "sick" && p.now-t.StartedAt < checkup:
		// its health check has not spoken yet
	case how == "crash":
		p.end(t, "Essential container in task exited")
	default:
		p.health(t, how != "sick")
	}
}

// drain begins or ends the draining of the instance of a task, or takes one from a daemon.
func (p *play) drain() {
	t := p.any()
	if t == nil {
		return
	}
	if slices.Contains(p.leaving, t.Instance) {
		p.leaving = without(p.leaving, []string{t.Instance})
	} else {
		p.leaving = append(p.leaving, t.Instance)
	}
	if p.service.Scheduling == model.SchedulingDaemon && p.chance("instances", 3) {
		p.instances = one(p, "eligible", []string{"i1"}, []string{"i1", "i2", "i3"}, []string{"i2", "i4"}, []string{"i1", "i2", "i3", "i4", "i5"})
	}
}

// stopDeployment is StopServiceDeployment.
func (p *play) stopDeployment() {
	for i, d := range p.deployments {
		if d.Status == model.DeploymentPrimary && !d.Ended() {
			row := *d
			row.State = one(p, "stop", model.StateStopRequested, model.StateRollbackRequested)
			p.deployments[i] = &row
		}
	}
}

// pick chooses the tasks to stop.
func (p *play) pick(s deployment.Stop) []*model.Task {
	tasks := slices.Clone(s.Tasks)
	for i := range s.Count {
		j := rapid.IntRange(i, len(tasks)-1).Draw(p.T, "stopped")
		tasks[i], tasks[j] = tasks[j], tasks[i]
	}
	return tasks[:s.Count]
}

// step decides, holds what must hold, and does what was decided.
func (p *play) step() {
	in := p.input()
	out := deployment.Step(in)
	p.sound(&out)
	chosen := map[string]bool{}
	full := true
	before, staged, shown := len(p.healthy()), p.staged(), p.shown()
	p.apply(out, func(s deployment.Stop) []*model.Task {
		tasks := p.pick(s)
		for _, t := range tasks {
			if chosen[t.ID] {
				p.Fatalf("task %s is stopped twice", t.ID)
			}
			chosen[t.ID] = true
		}
		return tasks
	}, func(s deployment.Start) int {
		if !p.roomy && p.chance("no place", 20) {
			full = false
			return 0
		}
		return s.Count
	})
	if !staged && !p.staged() {
		p.bounded(&out, before)
	}
	p.consistent(&out)
	p.wake = out.Wake
	again := deployment.Step(p.input())
	if left := p.left(again); left != "" && (full || left != "starts") {
		p.Fatalf("asked again, it is not content: %s\nfirst %+v\nthen  %+v\nbefore\n%safter\n%s", left, out, again, shown, p.shown())
	}
	p.wake = again.Wake
	if again.Wake != 0 && again.Wake <= p.now {
		p.Fatalf("it wants to be woken in the past: %d at %d", again.Wake, p.now)
	}
}
