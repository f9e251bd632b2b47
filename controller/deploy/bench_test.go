package deploy_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// crowd registers instances in three zones, and the definition f:1.
func (w *world) crowd(instances int) {
	app := types.ContainerDefinition{Name: aws.String("app"), Image: aws.String("web"), Cpu: 16, Memory: aws.Int32(16)}
	w.update(func(tx *state.Tx) {
		for revision := range int32(2) {
			tx.Definitions.Put(&model.TaskDefinition{Scope: scope, Family: "f", Revision: revision + 1, Status: model.DefinitionActive,
				Spec: types.TaskDefinition{Family: aws.String("f"), ContainerDefinitions: []types.ContainerDefinition{app}, NetworkMode: types.NetworkModeBridge}})
		}
	})
	for from := 0; from < instances; from += 1000 {
		w.update(func(tx *state.Tx) {
			for n := from; n < min(instances, from+1000); n++ {
				tx.Instances.Put(&model.Instance{Scope: scope, Cluster: "c", ID: fmt.Sprintf("i%06d", n), Status: model.InstanceActive, AgentConnected: true,
					Resources:  model.Resources{CPU: 4096, Memory: 8192},
					Attributes: []model.Attribute{{Name: "ecs.availability-zone", Value: string(rune('a' + n%3)), HasValue: true}}})
			}
		})
	}
	if w.queue != nil {
		w.pump()
	}
}

// settled creates services, which come to their steady state.
func (w *world) settled(services, desired int, rebalancing types.AvailabilityZoneRebalancing) {
	for from := 0; from < services; from += 1000 {
		w.update(func(tx *state.Tx) {
			for n := from; n < min(services, from+1000); n++ {
				w.put(tx, service{name: fmt.Sprintf("s%06d", n), definition: "f:1", launch: "EC2", desired: int32(desired),
					settings: types.Service{AvailabilityZoneRebalancing: rebalancing}})
			}
		})
	}
	w.pump()
	for tasks := w.tasks(""); len(tasks) > 0; tasks = tasks[min(len(tasks), 1000):] {
		w.run(tasks[:min(len(tasks), 1000)], "sha256:1")
	}
	w.advance(time.Minute)
	for s := range w.db.Snapshot().Services.All() {
		if s.Steady == 0 {
			w.Fatalf("service %s is not steady", s.Name)
		}
	}
}

// 5,000 services that have what they want are not looked at, whatever happens to others, and not even by a clock.
func TestIdleServicesCostNothing(t *testing.T) {
	w := newWorld(t)
	w.crowd(50)
	w.settled(5000, 1, types.AvailabilityZoneRebalancingEnabled)
	w.looks, w.works = 0, 0
	w.advance(24 * time.Hour)
	w.update(func(tx *state.Tx) { // others come and go: a standalone task, an instance in a zone that is known, agents
		tx.Tasks.Put(&model.Task{Launch: &model.Launch{Scope: scope, Cluster: "c", Group: "family:f"},
			ID: "t", Instance: "i000001", Desired: "RUNNING", Last: "RUNNING"})
		i, _ := tx.Instances.Get(model.InstanceKey(scope, "c", "i000001"))
		more, silent := *i, *i
		more.ID, silent.AgentConnected = "i000051", false
		tx.Instances.Put(&more)
		tx.Instances.Put(&silent)
	})
	w.update(func(tx *state.Tx) { tx.Tasks.Delete(model.TaskKey(scope, "c", "t")) })
	w.pump()
	if w.looks != 0 || w.works != 0 {
		t.Errorf("a day cost %d looks and %d of them at the head", w.looks, w.works)
	}
	w.begin()
	w.pump()
	if w.looks != 5000 || w.works != 0 {
		t.Errorf("a new term cost %d looks, want 5000, and %d of them at the head, want none", w.looks, w.works)
	}
	w.looks = 0
	w.report(w.tasks("s000007"), func(t *model.Task) model.Task { row, _ := t.Lose("gone", w.now.UnixMilli()); return row })
	w.pump()
	if w.looks > 4 || w.works != 1 {
		t.Errorf("a lost task cost %d looks and %d of them at the head", w.looks, w.works)
	}
}

// BenchmarkSteady is a look at a service with 1,000 tasks that has what it wants: on a snapshot, as every touch costs it, and
// at the head.
func BenchmarkSteady(b *testing.B) {
	w := newWorld(b)
	w.crowd(1000)
	w.settled(1, 1000, types.AvailabilityZoneRebalancingEnabled)
	key := model.ServiceKey(scope, "c", "s000000")
	b.Run("due", func(b *testing.B) {
		b.ReportAllocs()
		snap := w.db.Snapshot()
		for b.Loop() {
			if !w.loop.Due(snap.Tables, key, w.now).IsZero() {
				b.Fatal("there is something to do")
			}
		}
	})
	b.Run("reconcile", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			err := w.db.Update(context.Background(), func(tx *state.Tx) error {
				_, err := w.loop.Reconcile(tx, key, w.now)
				return err
			})
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkIdle is a change of an instance among 5,000 services that have what they want. Looks are theirs: none.
func BenchmarkIdle(b *testing.B) {
	w := newWorld(b)
	w.crowd(1000)
	w.settled(5000, 1, types.AvailabilityZoneRebalancingEnabled)
	w.looks = 0
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		w.update(func(tx *state.Tx) {
			i, _ := tx.Instances.Get(model.InstanceKey(scope, "c", fmt.Sprintf("i%06d", n%1000)))
			row := *i
			row.AgentConnected = !i.AgentConnected
			tx.Instances.Put(&row)
		})
		w.pump()
	}
	b.ReportMetric(float64(w.looks)/float64(b.N)/5000, "looks/service")
}

// BenchmarkScaleOut is a service that goes from 0 to 5,000 tasks on 5,000 instances: its rows, placed and committed to the
// memory backend. "rows" is the floor: the same rows, written by nobody who decides anything.
func BenchmarkScaleOut(b *testing.B) {
	const tasks = 5000
	b.Run("deploy", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			w := newWorld(b)
			w.crowd(5000)
			w.works = 0
			b.StartTimer()
			w.create(service{name: "web", definition: "f:1", launch: "EC2", desired: tasks})
			w.pump()
			b.StopTimer()
			if n := len(w.tasks("web")); n != tasks {
				b.Fatalf("%d tasks", n)
			}
			b.ReportMetric(float64(w.works), "transactions")
			b.StartTimer()
		}
		b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/tasks, "µs/task")
	})
	b.Run("rows", func(b *testing.B) {
		w := newWorld(b)
		w.crowd(5000)
		w.create(service{name: "web", definition: "f:1", launch: "EC2", desired: tasks})
		w.pump()
		rows := w.tasks("web")
		for b.Loop() {
			b.StopTimer()
			to := newWorld(b)
			to.crowd(5000)
			b.StartTimer()
			for left := rows; len(left) > 0; left = left[500:] {
				to.update(func(tx *state.Tx) {
					for _, t := range left[:500] {
						row := *t
						tx.Tasks.Put(&row)
					}
				})
			}
		}
		b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/tasks, "µs/task")
	})
}

// BenchmarkRolling is a rolling update of 1,000 tasks by a tenth: all looks and rows, without what nodes do.
func BenchmarkRolling(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		w := newWorld(b)
		w.crowd(1000)
		c := &types.DeploymentConfiguration{MinimumHealthyPercent: aws.Int32(100), MaximumPercent: aws.Int32(110)}
		w.create(service{name: "web", definition: "f:1", launch: "EC2", desired: 1000, settings: types.Service{DeploymentConfiguration: c}})
		w.pump()
		w.run(w.tasks("web"), "")
		w.advance(time.Minute)
		w.works = 0
		b.StartTimer()
		w.change("web", func(tx *state.Tx, s *model.Service) { w.deploy(tx, s, &service{definition: "f:2", launch: "EC2"}) })
		rounds := 0
		for ; rounds < 100; rounds++ {
			w.pump()
			w.run(w.tasks("web"), "")
			w.advance(41 * time.Second)
			if s, _ := w.db.Snapshot().Services.Get(model.ServiceKey(scope, "c", "web")); s.Steady != 0 {
				break
			}
		}
		if rounds == 100 {
			b.Fatal("the update finds no end")
		}
		b.ReportMetric(float64(w.works), "transactions")
	}
}
