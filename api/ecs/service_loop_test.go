package ecs_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/controller/deploy"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// fleet is the API together with the loop that moves services, on one virtual clock. Agents do at once what they are told.
type fleet struct {
	*server
	loop *deploy.Loop
}

func newFleet(t *testing.T) *fleet {
	s := newServer(t)
	s.instance("default", "a")
	s.instance("default", "b")
	s.define("web", hostless(100, 100))
	s.define("web", hostless(100, 100))
	c := s.config()
	return &fleet{s, &deploy.Loop{NewID: c.NewID, NewUUID: c.NewUUID, Seed: c.Seed}}
}

// turn lets the loop and the agents do what there is to do now.
func (f *fleet) turn() {
	f.Helper()
	for range 50 {
		before := f.db.Snapshot().Revision
		f.put(func(tx *state.Tx) {
			for _, key := range slices.Collect(f.loop.All(tx.Tables)) {
				if _, err := f.loop.Reconcile(tx, key, time.UnixMilli(f.clock.Load())); err != nil {
					f.Fatal(err)
				}
			}
		})
		for _, task := range slices.Collect(f.db.Snapshot().TasksOf(scope, "default")) {
			switch {
			case task.Desired == model.TaskStopped && task.Last != model.TaskStopped:
				f.report(task.ID, "STOPPED", aws.Int32(0))
			case task.Desired == model.TaskRunning && task.Last == model.TaskPending:
				f.report(task.ID, "RUNNING", nil)
			}
		}
		if f.db.Snapshot().Revision == before {
			return
		}
	}
	f.Fatal("it does not come to rest")
}

// pass lets time pass, second by second.
func (f *fleet) pass(seconds int) {
	f.Helper()
	for range seconds {
		f.clock.Add(1000)
		f.turn()
	}
}

// shown is a service in a line: its status, counts, definition and deployments.
func (f *fleet) shown(name string) string {
	f.Helper()
	v := f.service(name)
	line := fmt.Sprintf("%s %d/%d %s", *v.Status, v.RunningCount, v.DesiredCount, strings.TrimPrefix(aws.ToString(v.TaskDefinition), defARN))
	for _, d := range v.Deployments {
		line += fmt.Sprintf(" [%s %s]", *d.Status, d.RolloutState)
	}
	return line
}

// TestLifeOfAService: what the API writes is what the loop reads, from the first task to the last.
func TestLifeOfAService(t *testing.T) {
	f, ctx := newFleet(t), t.Context()
	first := f.serve("s", "web:1")
	f.turn()
	same(t, "tasks run", f.shown("s"), "ACTIVE 2/2 web:1 [PRIMARY IN_PROGRESS]")
	f.pass(41)
	same(t, "steady after 40 seconds [D]", f.shown("s"), "ACTIVE 2/2 web:1 [PRIMARY COMPLETED]")
	same(t, "service deployment [D]", f.serviceDeployment(*first.CurrentServiceDeployment).Status, "SUCCESSFUL")
	tasks := must(f.ListTasks(ctx, &sdk.ListTasksInput{ServiceName: aws.String("s")}))(t).TaskArns
	task := f.describe(tasks[0])
	same(t, "its tasks [D]", words(len(tasks), *task.Group, *task.StartedBy == *first.Deployments[0].Id), "2 service:s true")

	f.amend("s", func(in *sdk.UpdateServiceInput) { in.TaskDefinition = aws.String("web:2") })
	f.turn()
	same(t, "both while the new ones are not healthy [D]", f.shown("s"), "ACTIVE 4/2 web:2 [PRIMARY IN_PROGRESS] [ACTIVE COMPLETED]")
	f.pass(41)
	same(t, "then the old ones go [D]", f.shown("s"), "ACTIVE 2/2 web:2 [PRIMARY COMPLETED]")
	f.amend("s", func(in *sdk.UpdateServiceInput) { in.DesiredCount = aws.Int32(1) })
	f.turn()
	same(t, "scaled in, without a deployment [D]", f.shown("s"), "ACTIVE 1/1 web:2 [PRIMARY COMPLETED]")
	must(f.DeleteService(ctx, &sdk.DeleteServiceInput{Service: aws.String("s"), Force: aws.Bool(true)}))(t)
	f.turn()
	same(t, "gone [D]", words(*f.service("s").Status, f.service("s").RunningCount), "INACTIVE 0")
	same(t, "made anew", *f.serve("s", "web:1").Status, "ACTIVE")
	f.turn()
	same(t, "with tasks of its own", f.shown("s"), "ACTIVE 2/2 web:1 [PRIMARY IN_PROGRESS]")
}

// TestDeploymentIsStopped: StopServiceDeployment brings back what ran before.
func TestDeploymentIsStopped(t *testing.T) {
	f, ctx := newFleet(t), t.Context()
	f.serve("s", "web:1")
	f.turn()
	f.pass(41)
	bad := f.amend("s", func(in *sdk.UpdateServiceInput) { in.TaskDefinition = aws.String("web:2") })
	f.turn()
	must(f.StopServiceDeployment(ctx, &sdk.StopServiceDeploymentInput{ServiceDeploymentArn: bad.CurrentServiceDeployment}))(t)
	f.turn()
	f.pass(41)
	same(t, "back [D]", f.shown("s"), "ACTIVE 2/2 web:1 [PRIMARY COMPLETED]")
	v := f.serviceDeployment(*bad.CurrentServiceDeployment)
	same(t, "its history [D]", words(v.Status, v.Rollback != nil), "ROLLBACK_SUCCESSFUL true")
}

// TestProtectedTaskStays: SEMANTICS §8.11.
func TestProtectedTaskStays(t *testing.T) {
	f, ctx := newFleet(t), t.Context()
	f.serve("s", "web:1")
	f.turn()
	f.pass(41)
	tasks := must(f.ListTasks(ctx, &sdk.ListTasksInput{ServiceName: aws.String("s")}))(t).TaskArns
	must(f.UpdateTaskProtection(ctx, &sdk.UpdateTaskProtectionInput{Cluster: aws.String("default"), Tasks: tasks, ProtectionEnabled: true, ExpiresInMinutes: aws.Int32(1)}))(t)
	f.amend("s", func(in *sdk.UpdateServiceInput) { in.DesiredCount = aws.Int32(0) })
	f.pass(30)
	same(t, "while they are protected [D]", f.service("s").RunningCount, 2)
	f.pass(31)
	same(t, "and no longer [D]", f.service("s").RunningCount, 0)
}

// TestPausedDeployment: a PAUSE hook holds a deployment until somebody answers (SEMANTICS §9).
func TestPausedDeployment(t *testing.T) {
	f, ctx := newFleet(t), t.Context()
	f.serve("s", "web:1")
	f.turn()
	f.pass(41)
	v := f.amend("s", func(in *sdk.UpdateServiceInput) {
		in.TaskDefinition = aws.String("web:2")
		in.DeploymentConfiguration = &types.DeploymentConfiguration{Strategy: "BLUE_GREEN", BakeTimeInMinutes: aws.Int32(1), LifecycleHooks: []types.DeploymentLifecycleHook{
			{TargetType: "PAUSE", LifecycleStages: []types.DeploymentLifecycleHookStage{"POST_SCALE_UP"}}}}
	})
	f.pass(60)
	d := f.serviceDeployment(*v.CurrentServiceDeployment)
	same(t, "it waits [D]", words(d.LifecycleStage, d.LifecycleHookDetails[0].Status, f.service("s").RunningCount), "POST_SCALE_UP AWAITING_ACTION 4")
	must(f.ContinueServiceDeployment(ctx, &sdk.ContinueServiceDeploymentInput{ServiceDeploymentArn: v.CurrentServiceDeployment, HookId: d.LifecycleHookDetails[0].HookId}))(t)
	f.turn()
	d = f.serviceDeployment(*v.CurrentServiceDeployment)
	same(t, "traffic has moved, and both run while it bakes [D]", words(d.LifecycleStage, *d.TargetServiceRevision.RequestedProductionTrafficWeight,
		*d.SourceServiceRevisions[0].RequestedProductionTrafficWeight, f.service("s").RunningCount), "BAKE_TIME 100 0 4")
	f.pass(62)
	same(t, "then blue goes [D]", f.shown("s"), "ACTIVE 2/2 web:2 [PRIMARY COMPLETED]")
}

// TestLifeOfATaskSet: SEMANTICS §10.
func TestLifeOfATaskSet(t *testing.T) {
	f, ctx := newFleet(t), t.Context()
	f.serve("s", "", external, func(in *sdk.CreateServiceInput) { in.DesiredCount = aws.Int32(5) })
	x := f.taskSet(func(in *sdk.CreateTaskSetInput) { in.Scale = percent(30) })
	f.turn()
	f.pass(41)
	sets := func() []types.TaskSet {
		return must(f.DescribeTaskSets(ctx, &sdk.DescribeTaskSetsInput{Cluster: aws.String("default"), Service: aws.String("s")}))(t).TaskSets
	}
	same(t, "30 % of 5 [D]", words(sets()[0].RunningCount, sets()[0].StabilityStatus, f.service("s").RunningCount), "2 STEADY_STATE 2")
	must(f.DeleteTaskSet(ctx, &sdk.DeleteTaskSetInput{Cluster: aws.String("default"), Service: aws.String("s"), TaskSet: x.Id, Force: aws.Bool(true)}))(t)
	f.turn()
	same(t, "gone with its tasks [D]", words(len(sets()), f.service("s").RunningCount), "0 0")
}
