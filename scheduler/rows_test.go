package scheduler_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/scheduler"
)

var scope = model.Scope{Account: "000000000000", Region: "us-east-1"}

// rows are instances and tasks, with an index that is told of every change of them.
type rows struct {
	testing.TB
	x         *scheduler.Index
	instances map[string]*model.Instance // by id
	tasks     map[string]*model.Task
	made      int                      // tasks so far
	byPlace   map[string][]*model.Task // of "on", until a task changes
}

func newRows(tb testing.TB) *rows {
	return &rows{TB: tb, x: scheduler.NewIndex(), instances: map[string]*model.Instance{}, tasks: map[string]*model.Task{}}
}

func (r *rows) putInstance(i model.Instance) {
	i.Scope = scope
	if i.Cluster == "" {
		i.Cluster = "c"
	}
	r.x.Instance(r.instances[i.ID], &i)
	r.instances[i.ID] = &i
}

func (r *rows) deleteInstance(id string) {
	r.x.Instance(r.instances[id], nil)
	delete(r.instances, id)
}

func (r *rows) putTask(t model.Task) {
	r.byPlace = nil
	r.x.Task(r.tasks[t.ID], &t)
	r.tasks[t.ID] = &t
}

func (r *rows) deleteTask(id string) {
	r.byPlace = nil
	r.x.Task(r.tasks[id], nil)
	delete(r.tasks, id)
}

// occupy writes the tasks of placements, as RunTask does.
func (r *rows) occupy(req *scheduler.Request, at ...scheduler.Placement) {
	for _, p := range at {
		r.made++
		r.putTask(taskAt(req, p, fmt.Sprintf("t%04d", r.made)))
	}
}

func taskAt(req *scheduler.Request, p scheduler.Placement, id string) model.Task {
	t := model.Task{Launch: &model.Launch{Scope: scope, Cluster: req.Cluster, Group: req.Group, Definition: req.Family + ":1", LaunchType: req.LaunchType},
		ID: id, Instance: p.Instance.ID, Desired: model.TaskRunning, Last: model.TaskPending, Reserved: req.Need}
	if p.Instance.Cluster != t.Cluster {
		t.InstanceCluster = p.Instance.Cluster
	}
	t.Reserved.GPUs, t.Reserved.Addresses = p.GPUs, nil
	if p.Address != "" {
		t.Reserved.Addresses = []string{p.Address}
	}
	return t
}

// move sets a task's status.
func (r *rows) move(id, status string) {
	t := r.tasks[id]
	if t == nil {
		r.Fatalf("no task %s", id)
	}
	next := *t
	next.Last = status
	r.putTask(next)
}

// rebuilt is an index that was told of the same rows, in another order.
func (r *rows) rebuilt(seed uint64) *scheduler.Index {
	x := scheduler.NewIndex()
	var tell []func()
	for _, i := range r.instances {
		tell = append(tell, func() { x.Instance(nil, i) })
	}
	for _, t := range r.tasks {
		tell = append(tell, func() { x.Task(nil, t) })
	}
	rand.New(rand.NewPCG(seed, 0)).Shuffle(len(tell), func(a, b int) { tell[a], tell[b] = tell[b], tell[a] })
	for _, f := range tell {
		f()
	}
	return x
}

func request(count int, need model.Resources) scheduler.Request {
	return scheduler.Request{Scope: scope, Cluster: "c", Count: count, Need: need, LaunchType: "EC2"}
}

// attribute is one with a value.
func attribute(name, value string) model.Attribute {
	return model.Attribute{Name: name, Value: value, HasValue: true}
}

func sortedIDs(is []*model.Instance) []string {
	var out []string
	for _, i := range is {
		out = append(out, i.ID)
	}
	slices.Sort(out)
	return out
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
