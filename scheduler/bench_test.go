package scheduler_test

import (
	"fmt"
	"testing"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/scheduler"
	"github.com/roadstead/roadstead/state"
)

// BenchmarkPlace places 10 copies on clusters of which each instance runs ten tasks already.
func BenchmarkPlace(b *testing.B) {
	for _, size := range []int{1, 100, 5000} {
		c := newCluster(b)
		need := model.Resources{CPU: 256, Memory: 512, ENIs: 1}
		for n := range size {
			i := model.Instance{ID: fmt.Sprintf("i%04d", n), Status: model.InstanceActive, AgentConnected: true,
				Resources:  model.Resources{CPU: 1 << 20, Memory: 1 << 20, ENIs: 250, PortsTCP: []int32{22, 2375, 2376, 51678, 51679, 51680}},
				Attributes: []model.Attribute{{Name: model.SubnetAttribute, Value: "10.88.128.0/17", HasValue: true}}}
			for n := range 40 { // as many attributes as an agent registers
				i.Attributes = append(i.Attributes, model.Attribute{Name: fmt.Sprint("ecs.capability.", n)})
			}
			c.fill(i, need)
		}
		required := []model.Attribute{{Name: "ecs.capability.7"}, {Name: "ecs.capability.18"}, {Name: "ecs.capability.39"}}
		for name, req := range map[string]scheduler.Request{"bridge": request(10, model.Resources{CPU: 256, Memory: 512}), "awsvpc": request(10, need)} {
			req.Attributes = required
			b.Run(fmt.Sprintf("%s/instances=%d", name, size), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					req.Seed++
					if r := scheduler.Place(c.tables(), req); r.Unplaced != 0 {
						b.Fatal(r)
					}
				}
			})
		}
	}
}

// fill writes an instance with ten tasks.
func (c *cluster) fill(i model.Instance, need model.Resources) {
	i.Scope, i.Cluster = scope, "c"
	c.update(func(tx *state.Tx) {
		tx.Instances.Put(&i)
		for n := range 10 {
			need.Addresses = []string{fmt.Sprint("10.88.128.", n+1)}
			tx.Tasks.Put(&model.Task{Scope: scope, Cluster: "c", ID: fmt.Sprint(i.ID, "-", n), Instance: i.ID, Desired: model.TaskRunning,
				Last: model.TaskRunning, Reserved: need})
		}
	})
}
