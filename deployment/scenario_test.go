package deployment_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/deployment"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/test/scenario"
)

// TestScenarios plays testdata/*.txt:
//
//	service [desired=N] [min=%] [max=%] [grace=SECONDS] [kind=DAEMON] [controller=EXTERNAL] [checks=yes] [targets=yes] [zones=a,b]
//	        [breaker=on|rollback|off] [threshold=COUNT:5] [reset=no] [alarms=a,b] [alarm-rollback=yes] [bake=MINUTES]
//	        [early=50:DEFERRED] [rebalance=yes] [stuck=10s] [limit=N] [instances=i1,i2]      change the service; nothing is deployed; "-" is no instance, "?" that
//	                                          they are not known
//	        [strategy=BLUE_GREEN]             with a canary of 10 % for 5 minutes, or steps of 50 % for 5 minutes
//	pause STAGE                               a pause hook for the deployments to come;
//	answer ID SUCCEEDED|FAILED                what is said to all hooks of the deployment's stage
//	        [step=30] [stepbake=5] [canary=5] [canarybake=10]         of strategies
//	hook TARGET STAGE,...                     a hook for the deployments to come; TARGET is "pause", a URL or an ARN
//	deploy ID                                 a deployment of a new revision
//	state ID STATE                            what StopServiceDeployment writes
//	delete                                    the service is DRAINING
//	set ID [scale=100] [status=ACTIVE]        a task set is made or changed
//	run|well|sick|fail|crash|end|lose TASK... the tasks (or "all" that are wanted, "old" those on their way down) run, are healthy
//	                                          or unhealthy, end without or after having run, as they were told, or with their host
//	protect TASK... for=10m                   protected from scale-in
//	leave INSTANCE... | back INSTANCE...      an instance is drained, or not any more; TASK's instance is nTASK
//	alarm NAME... | calm NAME...              goes off
//	advance 40s                               time passes
//	step                                      what is decided is done and shown; asked again, nothing must be left to do
//	list                                      deployments, task sets and tasks
func TestScenarios(t *testing.T) {
	scenario.Run(t, "testdata/*.txt", func(t *testing.T) scenario.Verbs {
		w := newWorld(t)
		each := func(f func(*row)) func(*scenario.Call) {
			return func(c *scenario.Call) {
				for _, task := range w.named(c) {
					f(task)
				}
			}
		}
		return scenario.Verbs{
			"service": w.serviceVerb,
			"deploy":  func(c *scenario.Call) { w.deploy(c.Arg()) },
			"state": func(c *scenario.Call) {
				id, state := c.Arg(), c.Arg()
				i := slices.IndexFunc(w.deployments, func(d *model.Deployment) bool { return d.ID == id })
				d := *w.deployments[i]
				d.State, w.deployments[i] = state, &d
			},
			"pause": func(c *scenario.Call) {
				stage := types.DeploymentLifecycleHookStage(c.Arg())
				w.configure(func(d *types.DeploymentConfiguration) {
					d.LifecycleHooks = append(slices.Clip(d.LifecycleHooks), types.DeploymentLifecycleHook{TargetType: types.DeploymentLifecycleHookTargetTypePause,
						LifecycleStages: []types.DeploymentLifecycleHookStage{stage}})
				})
			},
			"answer": func(c *scenario.Call) { w.answer(c.Arg(), c.Arg()) },
			"hook":   w.hookVerb,
			"delete": func(*scenario.Call) { w.service.Status, w.service.Desired = model.ServiceDraining, 0 },
			"set":    w.setVerb,
			"run":    each(w.run),
			"well":   each(func(t *row) { w.health(t, true) }),
			"sick":   each(func(t *row) { w.health(t, false) }),
			"fail":   each(func(t *row) { w.end(t, "CannotPullContainerError: no such image") }),
			"crash":  each(func(t *row) { w.run(t); w.end(t, "Essential container in task exited") }),
			"end":    each(func(t *row) { w.end(t, "") }),
			"lose":   each(func(t *row) { w.end(t, "Host EC2 (instance i-1) terminated.") }),
			"user": each(func(t *row) {
				t.Task, _ = t.Stop(model.StopUserInitiated, "Task stopped by user", w.now)
				w.end(t, "")
			}),
			"protect": func(c *scenario.Call) {
				d, err := time.ParseDuration(c.Text("for", "10m"))
				if err != nil {
					c.Fatal(err)
				}
				for _, task := range w.named(c) {
					w.protect(task, d.Milliseconds())
				}
			},
			"leave":   func(c *scenario.Call) { w.leaving = append(w.leaving, args(c)...) },
			"back":    func(c *scenario.Call) { w.leaving = without(w.leaving, args(c)) },
			"alarm":   func(c *scenario.Call) { w.alarms = append(w.alarms, args(c)...) },
			"calm":    func(c *scenario.Call) { w.alarms = without(w.alarms, args(c)) },
			"advance": func(c *scenario.Call) { w.now += c.Duration().Milliseconds() },
			"step":    w.stepVerb,
			"list":    w.listVerb,
		}
	})
}

func args(c *scenario.Call) (out []string) {
	for a := c.Arg(); a != ""; a = c.Arg() {
		out = append(out, a)
	}
	return out
}

func without(all, some []string) []string {
	return slices.DeleteFunc(all, func(s string) bool { return slices.Contains(some, s) })
}

// named are the tasks of a call.
func (w *world) named(c *scenario.Call) (out []*row) {
	for _, id := range args(c) {
		switch id {
		case "all", "old":
			for _, t := range w.tasks {
				if (t.Desired == model.TaskStopped) == (id == "old") && t.Last != model.TaskStopped {
					out = append(out, t)
				}
			}
		default:
			out = append(out, w.task(id))
		}
	}
	return out
}

func (w *world) serviceVerb(c *scenario.Call) {
	s := &w.service
	s.Desired = int32(c.Int("desired", int64(s.Desired)))
	s.Scheduling, s.Controller = c.Text("kind", s.Scheduling), c.Text("controller", s.Controller)
	w.checked = c.Text("checks", yes(w.checked)) == "yes"
	w.targets = c.Text("targets", yes(w.targets)) == "yes"
	w.limit = int(c.Int("limit", int64(w.limit)))
	if wait := c.Text("stuck", ""); wait != "" { // a task found no place in its zone: the next try is then
		d, err := time.ParseDuration(wait)
		if err != nil {
			c.Fatal(err)
		}
		w.moveAt = w.now + d.Milliseconds()
	}
	if z := c.List("zones"); z != nil {
		w.zones = z
	}
	if i := c.List("instances"); i != nil {
		if w.instances = i; i[0] == "-" {
			w.instances = []string{}
		} else if i[0] == "?" {
			w.instances = nil
		}
	}
	if grace := c.Int("grace", -1); grace >= 0 {
		s.Settings.HealthCheckGracePeriodSeconds = percent(grace)
	}
	if c.Text("rebalance", "no") == "yes" {
		s.Settings.AvailabilityZoneRebalancing = types.AvailabilityZoneRebalancingEnabled
	}
	w.configure(func(d *types.DeploymentConfiguration) {
		for key, p := range map[string]**int32{"min": &d.MinimumHealthyPercent, "max": &d.MaximumPercent, "bake": &d.BakeTimeInMinutes} {
			if n := c.Int(key, -1); n >= 0 {
				*p = percent(n)
			}
		}
		if b := c.Text("breaker", ""); b != "" {
			d.DeploymentCircuitBreaker = &types.DeploymentCircuitBreaker{Enable: b != "off", Rollback: b == "rollback"}
			if c.Text("reset", "yes") == "no" {
				d.DeploymentCircuitBreaker.ResetOnHealthyTask = aws.Bool(false)
			}
			if kind, n, ok := strings.Cut(c.Text("threshold", ""), ":"); ok {
				value, err := strconv.ParseInt(n, 10, 32)
				if err != nil {
					c.Fatal(err)
				}
				d.DeploymentCircuitBreaker.ThresholdConfiguration = &types.ThresholdConfiguration{Type: types.ThresholdType(kind), Value: int32(value)}
			}
		}
		if a := c.List("alarms"); a != nil {
			d.Alarms = &types.DeploymentAlarms{Enable: true, AlarmNames: a, Rollback: c.Text("alarm-rollback", "no") == "yes"}
		}
		if s := c.Text("strategy", ""); s != "" {
			strategize(d, s)
		}
		w.configureStages(c, d)
		if n, cleanup, ok := strings.Cut(c.Text("early", ""), ":"); ok {
			value, err := strconv.ParseInt(n, 10, 32)
			if err != nil {
				c.Fatal(err)
			}
			d.EarlySuccessCriteria = &types.DeploymentEarlySuccessCriteria{Enable: true, HealthyPercent: percent(value), SourceServiceRevisionCleanup: types.ServiceRevisionCleanup(cleanup)}
		}
	})
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func (w *world) setVerb(c *scenario.Call) {
	id := c.Arg()
	i := slices.IndexFunc(w.sets, func(s *model.TaskSet) bool { return s.ID == id })
	if i < 0 {
		i = len(w.sets)
		w.sets = append(w.sets, &model.TaskSet{Scope: scope, Cluster: "c", Service: "web", ID: id, Status: "ACTIVE", Scale: 100, CreatedAt: w.now})
	}
	s := *w.sets[i]
	s.Scale, s.Status = float64(c.Int("scale", int64(s.Scale))), c.Text("status", s.Status)
	w.sets[i] = &s
}

// stepVerb shows what is decided, does it, and holds that nothing is left to do then.
func (w *world) stepVerb(c *scenario.Call) {
	out := deployment.Step(w.input())
	started, stopped := w.apply(out, first, everywhere)
	if s := out.Service; s != nil {
		c.Printf("service %s desired %d%s%s", s.Status, s.Desired, flag(" steady", s.Steady != 0), flag(" rebalancing", s.Rebalancing != 0))
	}
	for _, d := range out.Deployments {
		c.Printf("deployment %s", showDeployment(d))
	}
	for _, s := range out.TaskSets {
		c.Printf("task set %s", showSet(s))
	}
	for _, s := range out.Gone {
		c.Printf("task set %s is gone", s.ID)
	}
	for _, t := range stopped {
		c.Printf("stop %s of %s: %s", t.ID, t.DeploymentID(), t.StopReason)
	}
	for _, s := range out.Starts {
		line := fmt.Sprintf("start %d of %s:", s.Count, s.Revision)
		for range s.Count {
			t := started[0]
			started = started[1:]
			line += " " + t.ID
			if len(s.Instances) > 0 {
				line += " on " + t.Instance
			}
			if s.Zone != "" {
				line += " in " + t.Zone
			}
		}
		if s.Replaced > 0 {
			line += fmt.Sprintf(", replacing %d unhealthy", s.Replaced)
		}
		c.Printf("%s%s", line, flag(", rebalancing", s.Rebalances))
	}
	for _, s := range out.Said {
		c.Printf("say %s", s.Text)
		if s.With != nil {
			c.Printf("with %s", show(*s.With))
		}
	}
	if x := out.Weights; x != nil {
		c.Printf("weights of %s: test %g, production %g", x.Deployment, x.Test, x.Production)
	}
	for _, h := range out.Happened {
		c.Printf("event %s", show(h))
	}
	if out.Wake != 0 {
		c.Printf("again in %s", time.Duration(out.Wake-w.now)*time.Millisecond)
	}
	for _, why := range out.Why {
		c.Printf("why: %s", why)
	}
	if left := w.left(deployment.Step(w.input())); left != "" && w.limit == 0 {
		c.Errorf("asked again, it is not content: %s", left)
	}
}

func flag(text string, set bool) string {
	if set {
		return text
	}
	return ""
}

func show(h deployment.Happening) string {
	s := h.Type + " " + h.Name
	if h.Deployment != "" {
		s += " of " + h.Deployment
	}
	if h.Reason != "" {
		s += ": " + h.Reason
	}
	if h.Hook != nil {
		s += sprintHook(h)
	}
	if len(h.Instances) > 0 {
		s += fmt.Sprint(" ", h.Instances)
	}
	return s
}

// left is what an answer asks for although the one before has been carried out, "" if nothing.
func (w *world) left(out deployment.Output) string {
	said := slices.DeleteFunc(out.Said, func(s deployment.Said) bool { return s.Once })
	var left []string
	for name, n := range map[string]int{"starts": len(out.Starts), "stops": len(out.Stops), "counted": len(out.Counted), "deployments": len(out.Deployments),
		"task sets": len(out.TaskSets), "gone": len(out.Gone), "said": len(said), "events": len(out.Happened)} {
		if n > 0 {
			left = append(left, name)
		}
	}
	if out.Service != nil {
		left = append(left, "service")
	}
	if out.Weights != nil {
		left = append(left, "weights")
	}
	slices.Sort(left)
	return strings.Join(left, ", ")
}

func showDeployment(d *model.Deployment) string {
	s := fmt.Sprintf("%s %s %s %s: %s", d.ID, d.Status, d.Rollout, d.State, d.RolloutReason)
	if d.FailedTasks > 0 {
		s += fmt.Sprintf(" failed %d, counted %d, attempts %d", d.FailedTasks, d.Failures, d.StartFailures)
	}
	if d.Rollback != nil {
		s += " -> " + d.Rollback.To
	}
	return s + showStage(d.Stage)
}

func showSet(s *model.TaskSet) string {
	return fmt.Sprintf("%s %s scale %g%s", s.ID, s.Status, s.Scale, flag(" steady", s.Steady))
}

func (w *world) listVerb(c *scenario.Call) {
	for _, d := range w.deployments {
		c.Printf("%s", showDeployment(d))
	}
	for _, s := range w.sets {
		c.Printf("%s", showSet(s))
	}
	for _, t := range w.tasks {
		c.Printf("%s of %s %s%s", t.ID, t.DeploymentID(), t.Last, flag(" in "+t.Zone, t.Zone != ""))
	}
}
