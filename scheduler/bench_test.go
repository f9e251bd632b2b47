package scheduler_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"syscall"
	"testing"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/scheduler"
)

// fleet is a cluster of nodes as agents register them: 40 attributes, three zones, two types, a name and a subnet each. They
// hold tasks of 50 services.
func fleet(b *testing.B, nodes, tasks int, full float64) *rows {
	r := newRows(b)
	rng := rand.New(rand.NewPCG(1, uint64(nodes)))
	sizes := []int64{64, 128, 256, 512}
	for n := range nodes {
		i := model.Instance{ID: fmt.Sprintf("%016x%016x", rng.Uint64(), rng.Uint64()), Status: model.InstanceActive, AgentConnected: true, AgentVersion: "1.0.0",
			Resources: model.Resources{CPU: 65536, Memory: 65536, ENIs: 250, PortsTCP: []int32{22, 2375, 2376, 51678, 51679, 51680}},
			Attributes: []model.Attribute{attribute("ecs.availability-zone", string(rune('a'+n%3))), attribute("ecs.instance-type", fmt.Sprint("m5.", n/3%2)),
				attribute("roadstead.node", fmt.Sprint("node-", n)), attribute(model.SubnetAttribute, fmt.Sprintf("10.%d.%d.0/24", n/256, n%256))}}
		for c := range 40 {
			i.Attributes = append(i.Attributes, model.Attribute{Name: fmt.Sprint("ecs.capability.", c)})
		}
		r.putInstance(i)
		if rng.Float64() < full {
			r.occupyAt(&i, "service:full", model.Resources{CPU: i.Resources.CPU - 20*512, Memory: i.Resources.Memory - 20*512})
		}
	}
	ids := sortedKeys(r.instances)
	for n := range tasks {
		r.occupyAt(r.instances[ids[n%nodes]], fmt.Sprint("service:", rng.IntN(50)), model.Resources{CPU: sizes[rng.IntN(4)], Memory: sizes[rng.IntN(4)]})
	}
	return r
}

func (r *rows) occupyAt(i *model.Instance, group string, need model.Resources) {
	req := request(1, need)
	req.Group, req.Family = group, "web"
	r.occupy(&req, scheduler.Placement{Instance: i})
}

// order is the request of a service with a strategy.
func order(strategy ...model.PlacementStrategy) scheduler.Request {
	req := request(1, model.Resources{CPU: 256, Memory: 512})
	req.Group, req.Family, req.Strategy = "service:7", "web", strategy
	for _, c := range []int{1, 7, 18, 24, 39} {
		req.Attributes = append(req.Attributes, model.Attribute{Name: fmt.Sprint("ecs.capability.", c)})
	}
	return req
}

// orders are the kinds of requests that are measured.
func orders() map[string]scheduler.Request {
	zone := model.PlacementStrategy{Type: model.StrategySpread, Field: "attribute:ecs.availability-zone"}
	instance := model.PlacementStrategy{Type: model.StrategySpread, Field: model.FieldInstance}
	pack := model.PlacementStrategy{Type: model.StrategyBinpack, Field: model.FieldMemory}
	constraint, port, none := order(), order(), order()
	constraint.Constraints = []model.PlacementConstraint{{Type: model.ConstraintDistinctInstance},
		{Type: model.ConstraintMemberOf, Expression: "attribute:ecs.instance-type =~ m5.0 and attribute:ecs.availability-zone != c"}}
	port.Need.PortsTCP = []int32{22}
	none.Need.Memory = 1 << 20
	return map[string]scheduler.Request{
		"binpack": order(pack), "spread": order(instance), "random": order(), "constraint": constraint,
		"chained": order(zone, pack), "chained3": order(zone, instance, pack), "nothingfits": none, "noport": port,
	}
}

// BenchmarkPlace decides where one copy goes, on nodes that hold 20 tasks each. The index stays as it is: what it costs to
// keep it in step is BenchmarkTell's, and both together BenchmarkPlaceAndTell's.
func BenchmarkPlace(b *testing.B) {
	for _, nodes := range []int{100, 1000, 5000, 10000} {
		r := fleet(b, nodes, 20*nodes, 0)
		all := orders()
		for _, name := range sortedKeys(all) {
			b.Run(fmt.Sprintf("nodes=%d/%s", nodes, name), func(b *testing.B) { place(b, r, all[name]) })
		}
	}
	for _, tasks := range []int{10000, 100000} {
		r := fleet(b, 5000, tasks, 0)
		for _, name := range []string{"binpack", "spread", "random"} {
			b.Run(fmt.Sprintf("tasks=%d/nodes=5000/%s", tasks, name), func(b *testing.B) { place(b, r, orders()[name]) })
		}
	}
	r := fleet(b, 5000, 100000, 0.95)
	for _, name := range []string{"binpack", "spread", "random", "chained"} {
		b.Run(fmt.Sprintf("full=95/nodes=5000/%s", name), func(b *testing.B) { place(b, r, orders()[name]) })
	}
	for _, count := range []int{10, 1000, 5000} {
		r := fleet(b, 5000, 100000, 0)
		req := orders()["chained"]
		req.Count = count
		b.Run(fmt.Sprintf("count=%d/nodes=5000/chained", count), func(b *testing.B) { place(b, r, req) })
	}
}

func place(b *testing.B, r *rows, req scheduler.Request) {
	defer processorTime(b, req.Count)()
	for b.Loop() {
		req.Seed++
		scheduler.Place(r.x, req)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*req.Count), "ns/placement")
}

// processorTime reports how much processor time each of the things done in a round took, garbage collection included: what
// counts on a machine that others use too.
func processorTime(b *testing.B, things int) func() {
	runtime.GC()
	b.ReportAllocs()
	b.ResetTimer()
	start := processorTimeSpent(b)
	return func() { b.ReportMetric(float64(processorTimeSpent(b)-start)/float64(b.N*things), "cpu-ns/each") }
}

func processorTimeSpent(b *testing.B) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// BenchmarkPlaceAndTell decides, tells the index of the new task, and of the end of an old one, so that the cluster moves.
func BenchmarkPlaceAndTell(b *testing.B) {
	for _, nodes := range []int{100, 5000, 10000} {
		for _, name := range []string{"binpack", "chained", "random", "spread"} {
			b.Run(fmt.Sprintf("nodes=%d/%s", nodes, name), func(b *testing.B) {
				r := fleet(b, nodes, 20*nodes, 0)
				req, ids := orders()[name], sortedKeys(r.tasks)
				living := make([]*model.Task, len(ids))
				for n, id := range ids {
					living[n] = r.tasks[id]
				}
				defer processorTime(b, 1)()
				for n := 0; b.Loop(); n++ {
					req.Seed++
					t := taskAt(&req, scheduler.Place(r.x, req).Placements[0], "new")
					r.x.Task(nil, &t)
					old := &living[n%len(living)]
					r.x.Task(*old, nil)
					*old = &t
				}
			})
		}
	}
}

// BenchmarkFill places 100,000 tasks of one service on 5,000 empty nodes, a hundred in each decision, and tells the index of
// their rows: what a transaction of the controller does.
func BenchmarkFill(b *testing.B) {
	const batch, batches = 100, 1000
	zone := model.PlacementStrategy{Type: model.StrategySpread, Field: "attribute:ecs.availability-zone"}
	instance := model.PlacementStrategy{Type: model.StrategySpread, Field: model.FieldInstance}
	req := order(zone, instance)
	req.Count = batch
	r := fleet(b, 5000, 0, 0)
	tasks := make([]model.Task, 0, batch*batches)
	var emptying int64
	runtime.GC()
	start := processorTimeSpent(b)
	for b.Loop() {
		for range batches {
			req.Seed++
			for _, p := range scheduler.Place(r.x, req).Placements {
				tasks = append(tasks, taskAt(&req, p, "new"))
				r.x.Task(nil, &tasks[len(tasks)-1])
			}
		}
		b.StopTimer()
		before := processorTimeSpent(b)
		for i := range tasks {
			r.x.Task(&tasks[i], nil)
		}
		tasks = tasks[:0]
		emptying += processorTimeSpent(b) - before
		b.StartTimer()
	}
	b.ReportMetric(float64(processorTimeSpent(b)-start-emptying)/float64(b.N*batch*batches), "cpu-ns/each")
}

// BenchmarkTell tells the index of rows.
func BenchmarkTell(b *testing.B) {
	for _, nodes := range []int{100, 5000, 10000} {
		r := fleet(b, nodes, 20*nodes, 0)
		var tasks []*model.Task
		for _, id := range sortedKeys(r.tasks) {
			tasks = append(tasks, r.tasks[id])
		}
		rand.Shuffle(len(tasks), func(i, j int) { tasks[i], tasks[j] = tasks[j], tasks[i] })
		b.Run(fmt.Sprintf("nodes=%d/stopandplace", nodes), func(b *testing.B) {
			defer processorTime(b, 1)()
			for n := 0; b.Loop(); n++ {
				t := tasks[n%len(tasks)]
				r.x.Task(t, nil)
				r.x.Task(nil, t)
			}
		})
		b.Run(fmt.Sprintf("nodes=%d/running", nodes), func(b *testing.B) { // and back again
			defer processorTime(b, 1)()
			for n := 0; b.Loop(); n++ {
				t := tasks[n%len(tasks)]
				next := *t
				next.Last = model.TaskRunning
				r.x.Task(t, &next)
				r.x.Task(&next, t)
			}
		})
		b.Run(fmt.Sprintf("nodes=%d/agent", nodes), func(b *testing.B) { // disconnects, and connects again
			defer processorTime(b, 1)()
			for n := 0; b.Loop(); n++ {
				i := r.instances[tasks[n%len(tasks)].Instance]
				next := *i
				next.AgentConnected = false
				r.x.Instance(i, &next)
				r.x.Instance(&next, i)
			}
		})
	}
}

// BenchmarkExplain asks 5,000 instances for their reasons.
func BenchmarkExplain(b *testing.B) {
	r, req := fleet(b, 5000, 100000, 0), orders()["nothingfits"]
	defer processorTime(b, 1)()
	for b.Loop() {
		if e := scheduler.Explain(r.x, req); len(e.Rejections) != 5000 {
			b.Fatal(len(e.Rejections))
		}
	}
}

// BenchmarkChooseStops halves a service of 5,000 tasks.
func BenchmarkChooseStops(b *testing.B) {
	r := fleet(b, 5000, 5000, 0)
	req := scheduler.StopRequest{Count: 2500}
	for _, id := range sortedKeys(r.tasks) {
		req.Members = append(req.Members, scheduler.Member{Task: r.tasks[id]})
	}
	defer processorTime(b, req.Count)()
	for b.Loop() {
		if stops := scheduler.ChooseStops(r.x, req); len(stops) != req.Count {
			b.Fatal(len(stops))
		}
	}
}

// BenchmarkRebuild makes an index of 5,000 instances and 100,000 tasks, told in any order.
func BenchmarkRebuild(b *testing.B) {
	r := fleet(b, 5000, 100000, 0)
	defer processorTime(b, 1)()
	for b.Loop() {
		r.rebuilt(1)
	}
}
