package deploy_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/controller"
	"github.com/roadstead/roadstead/controller/deploy"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/scheduler"
	"github.com/roadstead/roadstead/state"
)

var scope = model.Scope{Account: "000000000000", Region: "us-east-1"}

// world is the cluster "c" with the loop, pumped by hand on virtual time.
type world struct {
	testing.TB
	db     *state.DB
	loop   *deploy.Loop
	queue  *controller.Queue
	cursor *state.Cursor
	now    time.Time
	ids    int
	looks  int // of Due
	works  int // of Reconcile
}

func newWorld(t testing.TB) *world {
	w := &world{TB: t, now: time.UnixMilli(1_000_000).UTC()}
	w.loop = &deploy.Loop{NewID: w.id, NewUUID: w.id, Seed: func() uint64 { return 1 }, Subnet: func(_ model.Scope, id string) (string, bool) {
		return strings.CutPrefix(id, "subnet-")
	}}
	w.db = state.OpenStepped(state.Config{Backend: state.NewMemory().Member(), Codec: state.SpecCodec{Marshal: json.Marshal, Unmarshal: json.Unmarshal},
		NewIndex: func() state.Index { return scheduler.NewIndex() }})
	if err := w.db.Lead(context.Background()); err != nil {
		t.Fatal(err)
	}
	_, w.cursor = w.db.Watch()
	w.begin()
	w.update(func(tx *state.Tx) {
		tx.Clusters.Put(&model.Cluster{Scope: scope, Name: "c", Status: model.ClusterActive,
			CapacityProviders: []string{"a", "b", "pool", model.ProviderFargate, model.ProviderFargateSpot}})
		for _, name := range []string{"a", "b", "pool"} {
			p := &model.CapacityProvider{Scope: scope, Name: name, Status: model.ProviderActive, Group: &types.AutoScalingGroupProvider{
				AutoScalingGroupArn: aws.String(name), ManagedScaling: &types.ManagedScaling{Status: types.ManagedScalingStatusDisabled}}}
			if name == "pool" {
				p.Group.ManagedScaling.Status = types.ManagedScalingStatusEnabled
			}
			tx.Providers.Put(p)
		}
	})
	return w
}

// begin begins a term of the loop.
func (w *world) begin() {
	l := w.loop
	w.queue = controller.NewQueue([]controller.Loop{{Name: "deploy", Touched: l.Touched, All: l.All, Due: l.Due, Reconcile: l.Reconcile}}, 1)
	w.queue.Begin(w.db.Snapshot().Tables, w.now)
}

func (w *world) id() string {
	w.ids++
	return fmt.Sprintf("%032x", w.ids)
}

func (w *world) update(f func(*state.Tx)) {
	w.Helper()
	if err := w.db.Update(context.Background(), func(tx *state.Tx) error { f(tx); return nil }); err != nil {
		w.Fatal(err)
	}
}

// pump lets the loop look until nothing is left to be looked at now.
func (w *world) pump() {
	for range 100_000 {
		if r, ok := w.cursor.Poll(); ok {
			w.queue.Observe(r)
			continue
		}
		j, ok := w.queue.Next(w.now)
		if !ok {
			return
		}
		w.looks++
		due, wake, err := j.Look(w.db.Snapshot().Tables, w.now)
		if err == nil && due {
			w.works++
			err = w.db.Update(context.Background(), func(tx *state.Tx) (err error) {
				wake, err = j.Do(tx, w.now)
				return err
			})
		}
		if err != nil {
			w.Fatal(err)
		}
		w.queue.Done(j, w.now, wake, err)
	}
	w.Fatal("the loop finds no end")
}

// advance lets time pass, from timer to timer.
func (w *world) advance(d time.Duration) {
	end := w.now.Add(d)
	for w.pump(); ; w.pump() {
		at, ok := w.queue.NextWake()
		if !ok || at.After(end) {
			break
		}
		w.now = at
	}
	w.now = end
	w.pump()
}

// service is what a test says of one.
type service struct {
	name, definition, launch string
	desired                  int32
	daemon, external         bool
	settings                 types.Service
	strategy                 []types.CapacityProviderStrategyItem
	subnets                  []string
}

// create does what CreateService does.
func (w *world) create(s service) { w.update(func(tx *state.Tx) { w.put(tx, s) }) }

func (w *world) put(tx *state.Tx, s service) {
	row := &model.Service{Scope: scope, Cluster: "c", Name: s.name, Status: model.ServiceActive, Scheduling: model.SchedulingReplica, Controller: model.ControllerECS,
		Desired: s.desired, CreatedAt: w.now.UnixMilli(), Settings: s.settings}
	if s.daemon {
		row.Scheduling = model.SchedulingDaemon
	}
	if s.external {
		row.Controller = model.ControllerExternal
	}
	if row.Settings.DeploymentConfiguration == nil {
		row.Settings.DeploymentConfiguration = &types.DeploymentConfiguration{}
	}
	tx.Services.Put(row)
	if !s.external {
		w.deploy(tx, row, &s)
	}
}

// deploy writes a deployment of the revision, in the place of the one before.
func (w *world) deploy(tx *state.Tx, row *model.Service, s *service) {
	for old := range tx.DeploymentsOf(row) {
		if old.Status == model.DeploymentPrimary {
			d := *old
			d.Status = model.DeploymentActive
			if !d.Ended() {
				d.State = model.StateStopped
			}
			tx.Deployments.Put(&d)
		}
	}
	w.ids++
	id := model.NewDeploymentID(w.now.UnixMilli(), uint64(w.ids))
	r := &model.Revision{Scope: scope, Cluster: "c", Service: row.Name, ID: id, Definition: s.definition, CreatedAt: w.now.UnixMilli(),
		Spec: types.ServiceRevision{LaunchType: types.LaunchType(s.launch), CapacityProviderStrategy: s.strategy}}
	if len(s.subnets) > 0 {
		r.Spec.NetworkConfiguration = &types.NetworkConfiguration{AwsvpcConfiguration: &types.AwsVpcConfiguration{Subnets: s.subnets}}
	}
	tx.Revisions.Put(r)
	tx.Deployments.Put(&model.Deployment{Scope: scope, Cluster: "c", Service: row.Name, ID: id, RecordID: id, Status: model.DeploymentPrimary,
		Rollout: model.RolloutInProgress, RolloutReason: "ECS deployment ecs-svc/" + id + " in progress.", State: model.StatePending,
		CreatedAt: w.now.UnixMilli(), UpdatedAt: w.now.UnixMilli(), Configuration: row.Settings.DeploymentConfiguration})
}

// change changes a service's row.
func (w *world) change(name string, f func(tx *state.Tx, s *model.Service)) {
	w.update(func(tx *state.Tx) {
		old, ok := tx.Services.Get(model.ServiceKey(scope, "c", name))
		if !ok {
			w.Fatalf("no service %s", name)
		}
		row := *old
		f(tx, &row)
		tx.Services.Put(&row)
	})
}

// instance registers a container instance, or changes it.
func (w *world) instance(id string, cpu, memory int64, attributes map[string]string, status string, agent bool) {
	i := &model.Instance{Scope: scope, Cluster: "c", ID: id, Status: cmp.Or(status, model.InstanceActive), AgentConnected: agent,
		Resources: model.Resources{CPU: cpu, Memory: memory, ENIs: 10}}
	for _, name := range slices.Sorted(maps(attributes)) {
		i.Attributes = append(i.Attributes, model.Attribute{Name: name, Value: attributes[name], HasValue: true})
	}
	w.update(func(tx *state.Tx) { tx.Instances.Put(i) })
}

func maps(m map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// tasks are those of the service, or of all, in the order of their ids.
func (w *world) tasks(service string) (out []*model.Task) {
	for t := range w.db.Snapshot().Tasks.All() {
		if service == "" || t.Service() == service {
			out = append(out, t)
		}
	}
	return out
}

// report lets the nodes of tasks say how far they are.
func (w *world) report(tasks []*model.Task, f func(*model.Task) model.Task) {
	w.update(func(tx *state.Tx) {
		for _, t := range tasks {
			if row := f(t); row.Version != t.Version {
				tx.Tasks.Put(&row)
			}
		}
	})
}

// run lets tasks that are wanted come to RUNNING, with a digest for their image, and those that are not stop.
func (w *world) run(tasks []*model.Task, digest string) {
	w.report(tasks, func(t *model.Task) model.Task {
		if t.Instance == "" {
			return *t
		}
		r := model.Report{Status: "RUNNING", Containers: []model.ContainerReport{{Name: "app", Status: "RUNNING", Digest: digest}}}
		if t.Desired == model.TaskStopped {
			r = model.Report{Status: "STOPPED"}
		}
		row, _ := t.Observe(r, w.now.UnixMilli())
		return row
	})
}
