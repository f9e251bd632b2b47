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

// A service whose deployments have stages, whatever happens to it: blue keeps its tasks as long as it has traffic, what was
// decided is done once, and when everybody does what is asked the service becomes steady, with the tasks of one revision, or ends
// with a deployment that nobody could roll back (SEMANTICS §9).
func TestServicesInStages(test *testing.T) {
	rapid.Check(test, func(t *rapid.T) {
		w := newWorld(test)
		w.service.Desired = int32(rapid.IntRange(0, 3).Draw(t, "desired"))
		w.configure(func(c *types.DeploymentConfiguration) { drawConfiguration(t, c) })
		c := &chance{T: t, world: w}
		c.deploy()
		for range rapid.IntRange(0, 40).Draw(t, "events") {
			c.event()
			c.step()
		}
		for range 300 {
			c.obey()
			if c.step(); c.done() {
				return
			}
		}
		for _, d := range w.deployments {
			t.Logf("%s", showDeployment(d))
		}
		for _, x := range w.tasks {
			t.Logf("%s of %s %s %s", x.ID, x.DeploymentID(), x.Desired, x.Last)
		}
		t.Fatalf("it does not end; desired %d", w.service.Desired)
	})
}

func drawConfiguration(t *rapid.T, c *types.DeploymentConfiguration) {
	c.Strategy = rapid.SampledFrom(types.DeploymentStrategy("").Values()).Draw(t, "strategy")
	c.BakeTimeInMinutes = percent(int64(rapid.IntRange(0, 10).Draw(t, "bake")))
	c.MaximumPercent = percent(int64(rapid.SampledFrom([]int{100, 150, 200}).Draw(t, "max")))
	c.MinimumHealthyPercent = percent(int64(rapid.SampledFrom([]int{0, 50, 100}).Draw(t, "min")))
	if c.Strategy == types.DeploymentStrategyRolling {
		c.MaximumPercent = percent(200) // no deadlock
	}
	c.LinearConfiguration = &types.LinearConfiguration{StepPercent: aws.Float64(40), StepBakeTimeInMinutes: percent(1)}
	c.CanaryConfiguration = &types.CanaryConfiguration{CanaryBakeTimeInMinutes: percent(1)}
	c.DeploymentCircuitBreaker = &types.DeploymentCircuitBreaker{Enable: rapid.Bool().Draw(t, "breaker"), Rollback: rapid.Bool().Draw(t, "rollback")}
	c.Alarms = &types.DeploymentAlarms{Enable: true, AlarmNames: []string{"high"}, Rollback: rapid.Bool().Draw(t, "alarm-rollback")}
	stages := []types.DeploymentLifecycleHookStage{"RECONCILE_SERVICE", "PRE_SCALE_UP", "POST_SCALE_UP", "TEST_TRAFFIC_SHIFT", "PRE_PRODUCTION_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT"}
	c.LifecycleHooks = nil
	for range rapid.IntRange(0, 2).Draw(t, "hooks") {
		c.LifecycleHooks = append(c.LifecycleHooks, types.DeploymentLifecycleHook{TargetType: rapid.SampledFrom([]types.DeploymentLifecycleHookTargetType{"AWS_LAMBDA", "PAUSE"}).Draw(t, "type"),
			HookTargetArn: aws.String("https://hook.example/"), LifecycleStages: rapid.SliceOfNDistinct(rapid.SampledFrom(stages), 1, 3, rapid.ID).Draw(t, "stages")})
	}
}

// chance is what happens to a service.
type chance struct {
	*rapid.T
	*world
	ids int // deployments that were made
}

func (c *chance) deploy() {
	c.ids++
	c.world.deploy(fmt.Sprintf("d%03d", c.ids))
}

func (c *chance) primary() *model.Deployment {
	i := slices.IndexFunc(c.deployments, func(d *model.Deployment) bool { return d.Status == model.DeploymentPrimary })
	return c.deployments[i]
}

func (c *chance) event() {
	events := []string{"time", "time", "time", "well", "well", "well", "answer", "answer", "end", "end", "fail", "crash", "refuse", "alarm", "calm", "deploy", "scale", "request", "stop", "protect"}
	e := rapid.SampledFrom(events).Draw(c.T, "event")
	var task *row
	if len(c.tasks) > 0 {
		task = c.tasks[rapid.IntRange(0, len(c.tasks)-1).Draw(c.T, "task")]
	}
	switch e {
	case "time":
		c.now += rapid.Int64Range(1, 300_000).Draw(c.T, "ms")
	case "well":
		c.each(func(t *row) { c.world.run(t) })
		c.now += 40_000
	case "answer":
		c.answer(model.HookSucceeded)
	case "refuse":
		c.answer(model.HookFailed)
	case "end":
		c.endStopping()
	case "fail", "crash":
		if task != nil && task.Last != model.TaskStopped && (task.Last != model.TaskRunning || e == "crash") {
			if e == "crash" {
				c.world.run(task)
			}
			c.world.end(task, "reason")
		}
	case "protect":
		if task != nil {
			c.world.protect(task, 600_000)
		}
	case "alarm":
		c.alarms = []string{"high"}
	case "calm":
		c.alarms = nil
	case "deploy":
		if c.ids < 5 {
			c.configure(func(d *types.DeploymentConfiguration) { drawConfiguration(c.T, d) })
			c.deploy()
		}
	case "scale":
		c.service.Desired = int32(rapid.IntRange(0, 3).Draw(c.T, "desired"))
	case "request":
		c.request(model.StateRollbackRequested)
	case "stop":
		c.request(model.StateStopRequested)
	}
}

func (c *chance) request(state string) {
	i := slices.Index(c.deployments, c.primary())
	if d := *c.deployments[i]; !d.Ended() && d.State != model.StateRollbackInProgress {
		d.State, d.StateReason = state, "as asked."
		c.deployments[i] = &d
	}
}

func (c *chance) each(f func(t *row)) {
	for _, t := range slices.Clone(c.tasks) {
		f(t)
	}
}

func (c *chance) answer(status string) {
	for i, d := range c.deployments {
		if d.Stage == nil {
			continue
		}
		row := *d
		for _, h := range d.Stage.Hooks {
			h.Status = status
			if next, ok := row.WithHook(h); ok {
				row = next
			}
		}
		c.deployments[i] = &row
	}
}

func (c *chance) endStopping() {
	c.each(func(t *row) {
		if t.Desired == model.TaskStopped && t.Last != model.TaskStopped {
			c.world.end(t, "")
		}
	})
}

func (c *chance) obey() {
	c.answer(model.HookSucceeded)
	c.endStopping()
	c.each(func(t *row) { c.world.run(t) })
	c.alarms = nil
	c.now += 60_000
}

// well are the tasks of a deployment that serve.
func (c *chance) well(id string) (n int) {
	for _, t := range c.tasks {
		if t.DeploymentID() == id && t.Desired == model.TaskRunning && t.Last == model.TaskRunning && t.StartedAt+40_000 <= c.now {
			n++
		}
	}
	return n
}

// step asks, checks the answer and does it.
func (c *chance) step() {
	before := map[string]int{}
	for _, d := range c.deployments {
		before[d.ID] = c.well(d.ID)
	}
	out := deployment.Step(c.input())
	c.world.apply(out, first, everywhere)
	if left := c.left(deployment.Step(c.input())); left != "" {
		c.Fatalf("asked again, it is not content: %s", left)
	}
	for _, d := range c.deployments {
		s := d.Stage
		if s == nil || s.Over || d.Status == model.DeploymentInactive {
			continue
		}
		if green := s.ProductionWeight > 0 && s.Name != model.StageCleanUp; green || s.Back {
			if s.Back && s.ProductionWeight+s.TestWeight != 0 {
				c.Fatalf("traffic is left behind: %s", showDeployment(d))
			}
		}
		minimum, _ := deployment.Bounds(&c.service) // though the maximum is no matter: protected tasks stay, others go
		if blue := s.Blue; blue != "" && (s.Back || s.Name != model.StageCleanUp) && c.well(blue) < min(before[blue], minimum) {
			c.Fatalf("blue has lost tasks: %d of %d, %s", c.well(blue), before[blue], showDeployment(d))
		}
	}
	for _, d := range c.deployments {
		if d.State == model.StateRollbackSuccessful {
			for _, t := range c.tasks {
				if t.DeploymentID() == d.ID && d.ID != c.primary().ID {
					c.Fatalf("rolled back, but %s runs: %s", t.ID, showDeployment(d))
				}
			}
		}
	}
}

// done reports whether nothing more will happen: the service is steady, or its deployment has failed for good.
func (c *chance) done() bool {
	d := c.primary()
	if d.Rollout == model.RolloutFailed || d.State == model.StateStopped {
		return d.Stage == nil || d.Stage.Over || d.State == model.StateStopped
	}
	if c.service.Steady == 0 || d.Rollout != model.RolloutCompleted {
		return false
	}
	for _, t := range c.tasks {
		if t.DeploymentID() != d.ID {
			c.Fatalf("steady with %s of %s", t.ID, t.DeploymentID())
		}
	}
	return true
}
