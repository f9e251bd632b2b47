package ecs_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"pgregory.net/rapid"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// TestProperties drives random calls and checks after each: no instance is oversold, no host port or address is held twice,
// statuses only move forward, every row's ARN leads back to its key, and what is reported matches the rows.
func TestProperties(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := &world{T: rt, server: newServer(t), last: map[string]int{}}
		w.join("a")
		w.join("b")
		w.define("small", hostless(100, 300))
		w.define("big", hostless(1500, 2000))
		w.define("port", hostPort(8080))
		w.define("vpc", awsvpc)
		rt.Repeat(map[string]func(*rapid.T){
			"run": w.runSome, "start": w.startSome, "stop": w.stopSome, "submit": w.submitSome, "drain": w.drainSome, "leave": w.leaveSome,
			"": w.invariants,
		})
	})
}

type world struct {
	*rapid.T
	*server
	last map[string]int // rank of each task's status when last looked at
}

// join adds an instance with two addresses for tasks.
func (w *world) join(zone string) {
	w.changeInstance(w.instance("default", zone), func(i *model.Instance) {
		i.Attributes = append(i.Attributes, model.Attribute{Name: model.SubnetAttribute, Value: "10.0.0.0/30", HasValue: true})
	})
}

func hostless(cpu, memory int32) func(*sdk.RegisterTaskDefinitionInput) {
	return func(in *sdk.RegisterTaskDefinitionInput) {
		in.ContainerDefinitions[0].Cpu, in.ContainerDefinitions[0].Memory = cpu, &memory
	}
}

func (w *world) definition(rt *rapid.T) (string, *types.NetworkConfiguration) {
	def := rapid.SampledFrom([]string{"small", "big", "port", "vpc"}).Draw(rt, "definition")
	if def == "vpc" {
		return def, inSubnets(rapid.SampledFrom([]string{"subnet-a", "subnet-b"}).Draw(rt, "subnet"))
	}
	return def, nil
}

func (w *world) runSome(rt *rapid.T) {
	def, network := w.definition(rt)
	count := rapid.Int32Range(1, 10).Draw(rt, "count")
	out, err := w.RunTask(w.server.Context(), &sdk.RunTaskInput{TaskDefinition: &def, Count: &count, NetworkConfiguration: network})
	if err == nil && len(out.Tasks) < int(count) && len(out.Failures) == 0 {
		rt.Fatalf("%d of %d placed, and no failures", len(out.Tasks), count)
	}
}

func (w *world) startSome(rt *rapid.T) {
	def, network := w.definition(rt)
	if i := w.pickInstance(rt); i != nil {
		_, _ = w.StartTask(w.server.Context(), &sdk.StartTaskInput{TaskDefinition: &def, ContainerInstances: []string{i.ID, i.ARN()}, NetworkConfiguration: network})
	}
}

func (w *world) stopSome(rt *rapid.T) {
	if task := w.pickTask(rt); task != nil {
		must(w.StopTask(w.server.Context(), &sdk.StopTaskInput{Task: &task.ID}))(w.server)
	}
}

// submitSome reports any status of a task and its container, in order or not.
func (w *world) submitSome(rt *rapid.T) {
	task := w.pickTask(rt)
	if task == nil {
		return
	}
	in := &sdk.SubmitTaskStateChangeInput{Task: &task.ID, Status: aws.String(rapid.SampledFrom([]string{"PENDING", "RUNNING", "STOPPED"}).Draw(rt, "status"))}
	if container := rapid.SampledFrom([]string{"", "PENDING", "RUNNING", "STOPPED"}).Draw(rt, "container"); container != "" {
		in.Containers = []types.ContainerStateChange{{ContainerName: aws.String("app"), Status: &container}}
	}
	for i := range task.Attachments {
		in.Attachments = append(in.Attachments, types.AttachmentStateChange{AttachmentArn: aws.String("arn:aws:ecs:us-east-1:000000000000:attachment/" + task.Attachments[i].ID), Status: aws.String("ATTACHED")})
	}
	must(w.SubmitTaskStateChange(w.server.Context(), in))(w.server)
}

func (w *world) drainSome(rt *rapid.T) {
	if i := w.pickInstance(rt); i != nil {
		status := rapid.SampledFrom([]types.ContainerInstanceStatus{"ACTIVE", "DRAINING"}).Draw(rt, "state")
		must(w.UpdateContainerInstancesState(w.server.Context(), &sdk.UpdateContainerInstancesStateInput{ContainerInstances: []string{i.ID}, Status: status}))(w.server)
	}
}

// leaveSome takes an instance away, and another one comes.
func (w *world) leaveSome(rt *rapid.T) {
	if i := w.pickInstance(rt); i != nil {
		force := rapid.Bool().Draw(rt, "force")
		_, err := w.DeregisterContainerInstance(w.server.Context(), &sdk.DeregisterContainerInstanceInput{ContainerInstance: &i.ID, Force: &force})
		if force && err != nil {
			rt.Fatal(err)
		}
		if err == nil && i.Status != model.InstanceInactive {
			w.join(rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "zone"))
		}
	}
}

func (w *world) pickTask(rt *rapid.T) *model.Task {
	return pick(rt, slices.Collect(w.db.Snapshot().TasksOf(scope, "default")), "task")
}

func (w *world) pickInstance(rt *rapid.T) *model.Instance {
	return pick(rt, slices.Collect(w.db.Snapshot().InstancesOf(scope, "default")), "instance")
}

func pick[R any](rt *rapid.T, rows []*R, name string) *R {
	if len(rows) == 0 {
		return nil
	}
	return rows[rapid.IntRange(0, len(rows)-1).Draw(rt, name)]
}

func (w *world) invariants(rt *rapid.T) {
	t := w.db.Snapshot().Tables
	used := map[string]*model.Resources{}
	for task := range t.TasksOf(scope, "default") {
		w.checkTask(rt, task)
		if task.Last == model.TaskStopped {
			continue
		}
		u := used[task.Instance]
		if u == nil {
			u = &model.Resources{}
			used[task.Instance] = u
		}
		r := &task.Reserved
		u.CPU, u.Memory, u.ENIs = u.CPU+r.CPU, u.Memory+r.Memory, u.ENIs+r.ENIs
		u.PortsTCP = append(u.PortsTCP, r.PortsTCP...)
		u.Addresses = append(u.Addresses, r.Addresses...)
	}
	for i := range t.InstancesOf(scope, "default") {
		w.checkInstance(rt, t, i, used[i.ID])
	}
}

func (w *world) checkTask(rt *rapid.T, task *model.Task) {
	rank := slices.Index([]string{"PROVISIONING", "PENDING", "ACTIVATING", "RUNNING", "DEACTIVATING", "STOPPING", "DEPROVISIONING", "STOPPED"}, task.Last)
	if rank < 0 || rank < w.last[task.ID] {
		rt.Fatalf("task %s went back to %s", task.ID, task.Last)
	}
	w.last[task.ID] = rank
	arn, ok := model.ParseARN(task.ARN())
	if p := arn.Segments(); !ok || model.TaskKey(arn.Scope, p[0], p[1]) != task.Key() {
		rt.Fatalf("ARN %s is not the key %s", task.ARN(), task.Key())
	}
	if task.Last == model.TaskStopped && (task.StopCode == "" || task.StoppedAt == 0) {
		rt.Fatalf("task %s is stopped without code or time: %+v", task.ID, task)
	}
}

func (w *world) checkInstance(rt *rapid.T, t *state.Tables, i *model.Instance, used *model.Resources) {
	if used == nil {
		used = &model.Resources{}
	}
	if i.Status == model.InstanceInactive && used.Memory != 0 {
		rt.Fatalf("instance %s is gone and holds tasks", i.ID)
	}
	if used.CPU > i.Resources.CPU || used.Memory > i.Resources.Memory || used.ENIs > i.Resources.ENIs {
		rt.Fatalf("instance %s is oversold: %+v of %+v", i.ID, used, i.Resources)
	}
	slices.Sort(used.PortsTCP)
	if len(slices.Compact(slices.Clone(used.PortsTCP))) != len(used.PortsTCP) {
		rt.Fatalf("a port of instance %s is held twice: %v", i.ID, used.PortsTCP)
	}
	slices.Sort(used.Addresses)
	if len(slices.Compact(slices.Clone(used.Addresses))) != len(used.Addresses) || len(used.Addresses) > 2 {
		rt.Fatalf("an address of instance %s is held twice: %v", i.ID, used.Addresses)
	}
	if u := t.Usage(i.Key()); fmt.Sprint(u.CPU, u.Memory, u.ENIs) != fmt.Sprint(used.CPU, used.Memory, used.ENIs) {
		rt.Fatalf("usage of %s is %+v, the tasks say %+v", i.ID, u, used)
	}
}
