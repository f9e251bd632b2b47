package place_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/controller/place"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/scheduler"
	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/test/scenario"
)

var scope = model.Scope{Account: "000000000000", Region: "us-east-1"}

// cluster is the cluster "c" in which a scenario plays.
type cluster struct {
	*testing.T
	db   *state.DB
	loop place.Loop
	now  time.Time
}

func newCluster(t *testing.T) *cluster {
	c := &cluster{T: t, now: time.UnixMilli(0).UTC(), loop: place.Loop{Subnet: func(_ model.Scope, id string) (string, bool) {
		zone, ok := strings.CutPrefix(id, "subnet-")
		return zone, ok
	}}}
	c.db = state.Open(state.Config{Backend: state.NewMemory().Member(), Codec: state.SpecCodec{Marshal: json.Marshal, Unmarshal: json.Unmarshal},
		NewIndex: func() state.Index { return scheduler.NewIndex() }})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = c.db.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	if err := c.db.AwaitLead(ctx); err != nil {
		t.Fatal(err)
	}
	c.update(func(tx *state.Tx) {
		tx.Clusters.Put(&model.Cluster{Scope: scope, Name: "c", Status: model.ClusterActive})
	})
	return c
}

func (c *cluster) update(f func(*state.Tx)) {
	c.Helper()
	if err := c.db.Update(c.Context(), func(tx *state.Tx) error { f(tx); return nil }); err != nil {
		c.Fatal(err)
	}
}

// TestScenarios plays testdata/*.txt:
//
//	provider NAME [status=ACTIVE] [associated=yes]         a provider of the pool NAME-group, with managed scaling
//	instance ID [cpu=1024] [mem=2048] [pool=p-group] [az=a] [status=ACTIVE] [agent=on] [gpus=ID,...]
//	task ID [provider=p] [cpu=0] [mem=0] [gpus=N] [subnets=subnet-a,...] [command=TEXT] [definition=yes]
//	                                                       a task that waits, or with an instance (on=ID) one that runs
//	stop ID                                                the task is STOPPED
//	advance 30s                                            time passes
//	patience 10m                                           of the loop
//	reconcile                                              shows what changed, and when to look again
func TestScenarios(t *testing.T) {
	scenario.Run(t, "testdata/*.txt", func(t *testing.T) scenario.Verbs {
		c := newCluster(t)
		return scenario.Verbs{
			"provider": c.providerVerb, "instance": c.instanceVerb, "task": c.taskVerb, "reconcile": c.reconcileVerb,
			"stop": func(call *scenario.Call) {
				c.changeTask(call.Arg(), func(task *model.Task) { task.Last, task.Desired = model.TaskStopped, model.TaskStopped })
			},
			"advance":  func(call *scenario.Call) { c.now = c.now.Add(call.Duration()) },
			"patience": func(call *scenario.Call) { c.loop.Patience = call.Duration() },
		}
	})
}

func (c *cluster) providerVerb(call *scenario.Call) {
	name, associated := call.Arg(), call.Text("associated", "yes") == "yes"
	p := model.CapacityProvider{Scope: scope, Name: name, Status: call.Text("status", model.ProviderActive), Group: &types.AutoScalingGroupProvider{
		AutoScalingGroupArn: aws.String(name + "-group"), ManagedScaling: &types.ManagedScaling{Status: types.ManagedScalingStatusEnabled}}}
	c.update(func(tx *state.Tx) {
		tx.Providers.Put(&p)
		old, _ := tx.Clusters.Get(model.ClusterKey(scope, "c"))
		row := *old
		row.CapacityProviders = slices.DeleteFunc(slices.Clone(old.CapacityProviders), func(n string) bool { return n == name })
		if associated {
			row.CapacityProviders = append(row.CapacityProviders, name)
		}
		tx.Clusters.Put(&row)
	})
}

func (c *cluster) instanceVerb(call *scenario.Call) {
	i := model.Instance{Scope: scope, Cluster: "c", ID: call.Arg(), Status: call.Text("status", model.InstanceActive), AgentConnected: call.Text("agent", "on") == "on"}
	i.Resources = model.Resources{CPU: call.Int("cpu", 1024), Memory: call.Int("mem", 2048), GPUs: call.List("gpus"), ENIs: 10}
	for name, v := range map[string]string{"ecs.availability-zone": call.Text("az", "a"), model.PoolAttribute: call.Text("pool", "p-group"), model.SubnetAttribute: "10.0.0.0/24"} {
		i.Attributes = append(i.Attributes, model.Attribute{Name: name, Value: v, HasValue: true})
	}
	c.update(func(tx *state.Tx) { tx.Instances.Put(&i) })
}

func (c *cluster) taskVerb(call *scenario.Call) {
	id := call.Arg()
	cpu, mem, gpus, subnets := call.Int("cpu", 0), call.Int("mem", 0), call.Int("gpus", 0), call.List("subnets")
	app := types.ContainerDefinition{Name: aws.String("app"), Cpu: int32(cpu), Memory: aws.Int32(int32(mem))}
	if gpus > 0 {
		app.ResourceRequirements = []types.ResourceRequirement{{Type: types.ResourceTypeGpu, Value: aws.String(fmt.Sprint(gpus))}}
	}
	family := fmt.Sprintf("f-%d-%d-%d", cpu, mem, gpus)
	d := model.TaskDefinition{Scope: scope, Family: family, Revision: 1, Spec: types.TaskDefinition{Family: &family, ContainerDefinitions: []types.ContainerDefinition{app}}}
	t := model.Task{Launch: &model.Launch{Scope: scope, Cluster: "c", Definition: d.Name(), LaunchType: "EC2", CapacityProvider: call.Text("provider", "p"), Subnets: subnets},
		ID: id, Reserved: model.Resources{CPU: cpu, Memory: mem}, Desired: model.TaskRunning, Last: model.TaskProvisioning, Version: 1, CreatedAt: c.now.UnixMilli(), Instance: call.Text("on", "")}
	if len(subnets) > 0 {
		t.Reserved.ENIs = 1
		t.Attachments = []model.Attachment{{ID: "a0000000-0000-0000-0000-000000000000", Type: "ElasticNetworkInterface", Status: "PRECREATED"}}
	}
	if command := call.Text("command", ""); command != "" {
		t.Overrides = &types.TaskOverride{ContainerOverrides: []types.ContainerOverride{{Name: aws.String("app"), Command: []string{command}}}}
	}
	known := call.Text("definition", "yes") == "yes"
	c.update(func(tx *state.Tx) {
		if known {
			tx.Definitions.Put(&d)
		}
		tx.Tasks.Put(&t)
	})
}

func (c *cluster) changeTask(id string, change func(*model.Task)) {
	c.update(func(tx *state.Tx) {
		old, ok := tx.Tasks.Get(model.TaskKey(scope, "c", id))
		if !ok {
			c.Fatalf("no task %s", id)
		}
		row := *old
		change(&row)
		tx.Tasks.Put(&row)
	})
}

func (c *cluster) reconcileVerb(call *scenario.Call) {
	key := model.ClusterKey(scope, "c")
	before := c.db.Snapshot()
	var wake time.Time
	c.update(func(tx *state.Tx) {
		var err error
		if wake, err = c.loop.Reconcile(tx, key, c.now); err != nil {
			c.Fatal(err)
		}
	})
	after := c.db.Snapshot()
	for t := range after.Tasks.All() {
		if old, _ := before.Tasks.Get(t.Key()); old.Version != t.Version {
			call.Printf("%s", show(t))
		}
	}
	if n := after.ClusterCount(key).Waiting; n > 0 {
		call.Printf("%d wait, again at %s", n, wake.UTC().Format(time.TimeOnly))
	} else if !wake.IsZero() {
		call.Printf("again at %s, though none waits", wake.UTC().Format(time.TimeOnly))
	}
	c.update(func(tx *state.Tx) { _, _ = c.loop.Reconcile(tx, key, c.now) })
	for t := range c.db.Snapshot().Tasks.All() {
		if old, _ := after.Tasks.Get(t.Key()); old != t {
			c.Errorf("asked twice, it changes task %s twice", t.ID)
		}
	}
	if due := c.loop.Due(after.Tables, key, c.now); due.IsZero() != (after.ClusterCount(key).Waiting == 0) {
		c.Errorf("due at %s with %d waiting", due, after.ClusterCount(key).Waiting)
	}
}

func show(t *model.Task) string {
	if t.Last == model.TaskStopped {
		return fmt.Sprintf("%s %s %s: %s", t.ID, t.Last, t.StopCode, t.StopReason)
	}
	s := fmt.Sprintf("%s %s on %s", t.ID, t.Last, t.Instance)
	if len(t.Reserved.GPUs) > 0 {
		s += fmt.Sprint(" with ", t.Reserved.GPUs)
	}
	if len(t.Attachments) > 0 {
		s += fmt.Sprintf(" in %s as %s", t.Attachments[0].Details[0].Value, strings.Join(t.Reserved.Addresses, ","))
	}
	return s
}

// TestTouched: which changes may make room, or are a task that needs it.
func TestTouched(t *testing.T) {
	task := func(change func(*model.Task)) *model.Task {
		row := &model.Task{Launch: &model.Launch{Scope: scope, Cluster: "c"}, ID: "t", Last: model.TaskProvisioning}
		change(row)
		return row
	}
	waits := task(func(*model.Task) {})
	runs := task(func(t *model.Task) { t.Instance, t.Last = "i", model.TaskRunning })
	pending := task(func(t *model.Task) { t.Instance, t.Last = "i", model.TaskPending })
	stopped := task(func(t *model.Task) { t.Instance, t.Last = "i", model.TaskStopped })
	far := task(func(t *model.Task) { t.Instance, t.InstanceCluster, t.Last = "i", "home", model.TaskRunning })
	farStopped := task(func(t *model.Task) { t.Instance, t.InstanceCluster, t.Last = "i", "home", model.TaskStopped })
	instance := func(status string, agent bool) *model.Instance {
		return &model.Instance{Scope: scope, Cluster: "c", ID: "i", Status: status, AgentConnected: agent}
	}
	for _, c := range []struct {
		name     string
		old, new any
		want     []string
	}{
		{"a task begins to wait", nil, waits, []string{"c"}},
		{"a task finds its place, and others may want its company", waits, runs, []string{"c"}},
		{"a task is placed at once", nil, pending, []string{"c"}},
		{"a task goes on", pending, runs, nil},
		{"a task stops", runs, stopped, []string{"c"}},
		{"a waiting task changes its tags", waits, task(func(*model.Task) {}), nil},
		{"a task on an instance of another cluster stops", far, farStopped, []string{"home"}},
		{"a running task's row goes", runs, nil, []string{"c"}},
		{"a stopped task's row goes", stopped, nil, nil},
		{"an instance comes", nil, instance(model.InstanceActive, true), []string{"c"}},
		{"an instance without agent", nil, instance(model.InstanceActive, false), nil},
		{"an instance drains", instance(model.InstanceActive, true), instance(model.InstanceDraining, true), nil},
		{"an instance's row goes", instance(model.InstanceInactive, false), nil, nil},
		{"a cluster changes its providers", &model.Cluster{Scope: scope, Name: "c"}, &model.Cluster{Scope: scope, Name: "c"}, []string{"c"}},
		{"something else", nil, &model.Repository{}, nil},
	} {
		var want []string
		for _, name := range c.want {
			want = append(want, model.ClusterKey(scope, name))
		}
		if got := new(place.Loop).Touched(nil, &state.Change{Old: c.old, New: c.new}); !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", c.name, got, want)
		}
	}
}

// TestAll: clusters in which tasks wait have work to do when a term begins.
func TestAll(t *testing.T) {
	c := newCluster(t)
	c.update(func(tx *state.Tx) {
		tx.Clusters.Put(&model.Cluster{Scope: scope, Name: "idle", Status: model.ClusterActive})
		tx.Tasks.Put(&model.Task{Launch: &model.Launch{Scope: scope, Cluster: "c"}, ID: "waits", Last: model.TaskProvisioning})
		tx.Tasks.Put(&model.Task{Launch: &model.Launch{Scope: scope, Cluster: "idle"},
			ID: "placed", Instance: "i", Last: model.TaskProvisioning})
	})
	if got := slices.Collect(c.loop.All(c.db.Snapshot().Tables)); !slices.Equal(got, []string{model.ClusterKey(scope, "c")}) {
		t.Errorf("got %v", got)
	}
	if due := c.loop.Due(c.db.Snapshot().Tables, model.ClusterKey(scope, "idle"), c.now); !due.IsZero() {
		t.Errorf("an idle cluster is due at %s", due)
	}
}
