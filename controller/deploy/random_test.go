package deploy_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"pgregory.net/rapid"

	"github.com/roadstead/roadstead/deployment"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// Whatever happens, in whatever order: no instance is given more than it has, no service has more tasks than its maximum or
// stops a protected one, and every change touches those services that have something to do for it. When it is quiet, services
// whose tasks find room come to their steady state, and those that were deleted are gone.
func TestAnythingMayHappen(t *testing.T) {
	var cases, steps, steady, short int
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t)
		r := &random{world: w, T: rt}
		w.crowd(rapid.IntRange(0, 3).Draw(rt, "instances"))
		n := rapid.IntRange(1, 25).Draw(rt, "steps")
		for range n {
			r.step()
			w.pump()
			r.check()
		}
		cases, steps = cases+1, steps+n
		for range 40 {
			w.report(w.tasks(""), r.forward)
			w.advance(time.Minute)
			r.check()
		}
		for s := range w.db.Snapshot().Services.All() {
			switch {
			case s.Status == model.ServiceDraining:
				rt.Fatalf("%s is still there", s.Name)
			case s.Status == model.ServiceActive && s.Steady != 0:
				steady++
			case s.Status == model.ServiceActive:
				short++
				r.excuse(s)
			}
		}
		before := w.works
		w.advance(0)
		if w.works != before {
			rt.Fatal("there is no end to it")
		}
	})
	t.Logf("%d cases, %d steps; %d services steady in the end, %d without the room for it", cases, steps, steady, short)
}

type random struct {
	*world
	*rapid.T
}

func (r *random) step() {
	name := fmt.Sprint("s", rapid.IntRange(0, 3).Draw(r.T, "service"))
	s, exists := r.db.Snapshot().Services.Get(model.ServiceKey(scope, "c", name))
	switch what := rapid.SampledFrom([]string{"service", "service", "desired", "deploy", "delete", "forward", "forward", "forward", "exit", "break", "lose", "protect", "join", "drain", "silent", "advance", "advance", "term"}).Draw(r.T, "what"); what {
	case "service":
		if !exists || s.Status == model.ServiceInactive {
			r.newService(name)
		}
	case "desired", "delete", "deploy":
		if exists && s.Status == model.ServiceActive {
			r.changeService(name, what)
		}
	case "forward":
		r.report(r.some(), r.forward)
	case "exit", "break", "lose", "protect":
		r.report(r.some(), func(t *model.Task) model.Task { return r.misfortune(t, what) })
	case "join":
		r.join(fmt.Sprint("j", rapid.IntRange(0, 5).Draw(r.T, "instance")), model.InstanceActive, true)
	case "drain", "silent":
		r.changeInstance(what)
	case "advance":
		r.advance(time.Duration(rapid.IntRange(1, 100).Draw(r.T, "seconds")) * time.Second)
	case "term":
		r.begin()
	}
}

func (r *random) newService(name string) {
	s := service{name: name, definition: "f:1", launch: "EC2", desired: int32(rapid.IntRange(0, 6).Draw(r.T, "desired"))}
	s.settings.DeploymentConfiguration = &types.DeploymentConfiguration{MinimumHealthyPercent: aws.Int32(int32(rapid.SampledFrom([]int{0, 50, 100}).Draw(r.T, "min"))),
		MaximumPercent: aws.Int32(int32(rapid.SampledFrom([]int{150, 200}).Draw(r.T, "max")))}
	switch rapid.IntRange(0, 3).Draw(r.T, "kind") {
	case 0:
		s.daemon, s.desired, s.settings.DeploymentConfiguration = true, 0, nil
	case 1:
		s.settings.AvailabilityZoneRebalancing = types.AvailabilityZoneRebalancingEnabled
	case 2:
		s.launch, s.strategy = "", []types.CapacityProviderStrategyItem{{CapacityProvider: aws.String("pool"), Weight: 1}}
	}
	r.now = r.now.Add(time.Millisecond)
	r.create(s)
}

func (r *random) changeService(name, what string) {
	r.change(name, func(tx *state.Tx, s *model.Service) {
		switch {
		case what == "delete":
			s.Status, s.Desired = model.ServiceDraining, 0
		case what == "deploy":
			r.now = r.now.Add(time.Millisecond)
			r.deploy(tx, s, &service{definition: fmt.Sprint("f:", rapid.IntRange(1, 2).Draw(r.T, "revision")), launch: "EC2"})
		case s.Scheduling == model.SchedulingReplica:
			s.Desired = int32(rapid.IntRange(0, 6).Draw(r.T, "desired"))
		}
	})
}

// some are tasks that are not over, by chance.
func (r *random) some() (out []*model.Task) {
	for _, t := range r.tasks("") {
		if t.Last != model.TaskStopped && rapid.Bool().Draw(r.T, "this") {
			out = append(out, t)
		}
	}
	return out
}

// forward is what a node says next.
func (r *random) forward(t *model.Task) model.Task {
	if t.Instance == "" || t.Last == model.TaskStopped {
		return *t
	}
	report := model.Report{Status: "RUNNING", Containers: []model.ContainerReport{{Name: "app", Status: "RUNNING", Digest: "sha256:1"}}}
	if t.Desired == model.TaskStopped {
		report = model.Report{Status: "STOPPED"}
	}
	row, _ := t.Observe(report, r.now.UnixMilli())
	return row
}

func (r *random) misfortune(t *model.Task, what string) model.Task {
	row := *t
	switch what {
	case "exit":
		row, _ = t.Observe(model.Report{Status: "STOPPED", Containers: []model.ContainerReport{{Name: "app", Status: "STOPPED", Exited: true, ExitCode: 1}}}, r.now.UnixMilli())
	case "break":
		row, _ = t.Observe(model.Report{Status: "STOPPED", Reason: "CannotPullContainerError: no such image"}, r.now.UnixMilli())
	case "lose":
		row, _ = t.Lose("Host EC2 (instance i-1) terminated.", r.now.UnixMilli())
	case "protect":
		if t.Desired == model.TaskRunning && t.Last == model.TaskRunning {
			row.ProtectedUntil, row.Version = r.now.Add(30*time.Second).UnixMilli(), t.Version+1
		}
	}
	return row
}

func (r *random) join(id, status string, agent bool) {
	r.instance(id, 64, 2048, map[string]string{"ecs.availability-zone": string(rune('a' + len(id)%2 + int(id[len(id)-1])%3)), model.PoolAttribute: "pool"}, status, agent)
}

func (r *random) changeInstance(what string) {
	for i := range r.db.Snapshot().Instances.All() {
		if rapid.Bool().Draw(r.T, "this instance") {
			continue
		}
		row := *i
		switch {
		case what == "silent":
			row.AgentConnected = !i.AgentConnected
		case i.Status == model.InstanceActive:
			row.Status = model.InstanceDraining
		case i.Status == model.InstanceDraining:
			row.Status = model.InstanceActive
		}
		r.update(func(tx *state.Tx) { tx.Instances.Put(&row) })
		return
	}
}

// check looks at what must hold at any time.
func (r *random) check() {
	snap := r.db.Snapshot()
	for i := range snap.Instances.All() {
		if u := snap.Usage(i.Key()); u.CPU > i.Resources.CPU || u.Memory > i.Resources.Memory {
			r.T.Fatalf("instance %s has given %d CPU units of %d", i.ID, u.CPU, i.Resources.CPU)
		}
	}
	for s := range snap.Services.All() {
		for t := range snap.TasksOfService(s.Key()) {
			if t.Desired == model.TaskStopped && t.StopCode == model.StopServiceSchedulerInitiated && t.StoppingAt < t.ProtectedUntil && s.Status == model.ServiceActive && s.CreatedAt < t.CreatedAt {
				r.T.Fatalf("task %s was stopped though it is protected: %s", t.ID, t.StopReason)
			}
			if t.Last == model.TaskStopped {
				r.T.Fatalf("nobody has taken note of the end of task %s of service %s", t.ID, s.Name)
			}
		}
	}
	for s := range snap.Services.All() { // the loop has looked at all that had something to do
		err := r.db.Update(r.T.Context(), func(tx *state.Tx) error {
			_, err := r.loop.Reconcile(tx, s.Key(), r.now)
			return err
		})
		if err != nil {
			r.T.Fatal(err)
		}
		if after := r.db.Snapshot(); after.Revision != snap.Revision {
			r.T.Fatalf("service %s was not looked at: there was something to do", s.Name)
		}
	}
}

// excuse says why the service need not be steady.
func (r *random) excuse(s *model.Service) {
	for d := range r.db.Snapshot().DeploymentsOf(s) {
		if d.Status == model.DeploymentPrimary && d.StartFailures > 0 {
			return
		}
	}
	wanted := 0
	for t := range r.db.Snapshot().TasksOfService(s.Key()) {
		if t.Instance != "" && t.Desired == model.TaskRunning {
			wanted++
		}
	}
	if wanted < int(s.Desired) {
		return
	}
	if least, most := deployment.Bounds(s); least >= most {
		return // no update can go on within them (SEMANTICS §8.2)
	}
	for i := range r.db.Snapshot().Instances.All() {
		if i.Status == model.InstanceDraining {
			return
		}
	}
	out := []string{}
	r.update(func(tx *state.Tx) {
		answer, _ := r.loop.Ask(tx, s.Key(), r.now)
		out = answer.Why
	})
	r.T.Fatalf("service %s has %d tasks of %d and is not steady: %q", s.Name, wanted, s.Desired, out)
}
