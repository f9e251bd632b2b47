package scheduler_test

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/scheduler"
	"github.com/roadstead/roadstead/state"
)

func drawInstance(t *rapid.T, n int) model.Instance {
	i := model.Instance{ID: fmt.Sprint("i", n), AgentConnected: rapid.IntRange(0, 5).Draw(t, "agent") > 0,
		Status: rapid.SampledFrom([]string{model.InstanceActive, model.InstanceActive, model.InstanceActive, model.InstanceDraining, model.InstanceInactive}).Draw(t, "status"),
		Resources: model.Resources{CPU: rapid.Int64Range(0, 8).Draw(t, "cpu"), Memory: rapid.Int64Range(0, 8).Draw(t, "mem"),
			ENIs: rapid.Int32Range(0, 4).Draw(t, "enis"), PortsTCP: []int32{22}, GPUs: []string{"g0", "g1", "g2"}[:rapid.IntRange(0, 3).Draw(t, "gpus")]}}
	if rapid.Bool().Draw(t, "subnet") {
		i.Attributes = []model.Attribute{{Name: model.SubnetAttribute, Value: fmt.Sprintf("10.0.%d.0/30", n), HasValue: true}}
	}
	return i
}

func drawRequest(t *rapid.T) scheduler.Request {
	port := rapid.SampledFrom([]int32{22, 80, 81})
	req := request(rapid.IntRange(1, 5).Draw(t, "count"), model.Resources{
		CPU: rapid.Int64Range(0, 3).Draw(t, "cpu"), Memory: rapid.Int64Range(0, 3).Draw(t, "mem"), ENIs: rapid.Int32Range(0, 1).Draw(t, "enis"),
		PortsTCP: rapid.SliceOfNDistinct(port, 0, 1, rapid.ID).Draw(t, "tcp"), PortsUDP: rapid.SliceOfNDistinct(port, 0, 1, rapid.ID).Draw(t, "udp"),
	})
	req.GPUs, req.Seed = rapid.IntRange(0, 2).Draw(t, "gpus"), rapid.Uint64().Draw(t, "seed")
	return req
}

// Over any sequence of placements, stops and changes of instances, nothing is given twice, and an unplaced copy is
// explained by every instance.
func TestNeverOversell(t *testing.T) {
	c := newCluster(t)
	rapid.Check(t, func(t *rapid.T) {
		c.clear()
		instances := rapid.IntRange(0, 4).Draw(t, "instances")
		for n := range instances {
			c.putInstance(drawInstance(t, n))
		}
		for range rapid.IntRange(1, 8).Draw(t, "moves") {
			if rapid.Bool().Draw(t, "stop") {
				c.stopOne(t)
				continue
			}
			req := drawRequest(t)
			r := scheduler.Place(c.tables(), req)
			if again := scheduler.Place(c.tables(), req); !reflect.DeepEqual(r, again) {
				t.Fatalf("the same request is answered by\n    %+v\nand %+v", r, again)
			}
			c.occupy(req.Need, r.Placements...)
			c.checkComplete(t, req, r)
			for n := range instances {
				c.checkSold(t, c.instance(fmt.Sprint("i", n)))
			}
		}
	})
}

func (c *cluster) clear() {
	c.update(func(tx *state.Tx) {
		for _, t := range slices.Collect(tx.Tasks.All()) {
			tx.Tasks.Delete(t.Key())
		}
		for _, i := range slices.Collect(tx.Instances.All()) {
			tx.Instances.Delete(i.Key())
		}
	})
}

// stopOne moves a task on towards its end: STOPPING still holds what it has.
func (c *cluster) stopOne(t *rapid.T) {
	tasks := slices.DeleteFunc(slices.Collect(c.tables().TasksOf(scope, "c")), func(t *model.Task) bool { return t.Last == model.TaskStopped })
	if len(tasks) == 0 {
		return
	}
	c.move(rapid.SampledFrom(tasks).Draw(t, "task").ID, rapid.SampledFrom([]string{model.TaskStopping, model.TaskStopped}).Draw(t, "status"))
}

func (c *cluster) checkComplete(t *rapid.T, req scheduler.Request, r scheduler.Result) {
	if len(r.Placements)+r.Unplaced != req.Count {
		t.Fatalf("%d placed and %d unplaced of %d", len(r.Placements), r.Unplaced, req.Count)
	}
	for _, p := range r.Placements {
		if p.Instance.Status != model.InstanceActive || !p.Instance.AgentConnected {
			t.Fatalf("placed on %+v", p.Instance)
		}
	}
	if r.Unplaced == 0 {
		return
	}
	var active, said []string
	for i := range c.tables().InstancesOf(scope, "c") {
		if i.Status == model.InstanceActive {
			active = append(active, i.ID)
			if _, _, ok := scheduler.Start(c.tables(), req, i); ok {
				t.Fatalf("unplaced, though %s has room", i.ID)
			}
		}
	}
	for _, x := range r.Rejections {
		said = append(said, x.Instance.ID)
	}
	if !slices.Equal(active, said) || r.Instances != len(active) {
		t.Fatalf("active instances %v (said to be %d), rejections of %v", active, r.Instances, said)
	}
}

// checkSold adds up an instance's tasks by itself, without the state's indices.
func (c *cluster) checkSold(t *rapid.T, i *model.Instance) {
	var sum model.Resources
	for task := range c.tables().TasksOf(scope, "c") {
		if r := task.Reserved; task.Instance == i.ID && task.Last != model.TaskStopped {
			sum.CPU, sum.Memory, sum.ENIs = sum.CPU+r.CPU, sum.Memory+r.Memory, sum.ENIs+r.ENIs
			sum.PortsTCP, sum.PortsUDP = append(sum.PortsTCP, r.PortsTCP...), append(sum.PortsUDP, r.PortsUDP...)
			sum.GPUs, sum.Addresses = append(sum.GPUs, r.GPUs...), append(sum.Addresses, r.Addresses...)
		}
	}
	has := i.Resources
	if sum.CPU > has.CPU || sum.Memory > has.Memory || sum.ENIs > has.ENIs {
		t.Fatalf("%s has %+v, and gave away %+v", i.ID, has, sum)
	}
	unique(t, "TCP ports", append(slices.Clone(has.PortsTCP), sum.PortsTCP...))
	unique(t, "UDP ports", sum.PortsUDP)
	unique(t, "GPUs", sum.GPUs)
	unique(t, "addresses", sum.Addresses)
	for _, g := range sum.GPUs {
		if !slices.Contains(has.GPUs, g) {
			t.Fatalf("%s has no GPU %s", i.ID, g)
		}
	}
	if a, ok := i.Attribute(model.SubnetAttribute); ok {
		checkAddresses(t, netip.MustParsePrefix(a.Value), sum)
	}
}

func checkAddresses(t *rapid.T, subnet netip.Prefix, sum model.Resources) {
	if int(sum.ENIs) != len(sum.Addresses) {
		t.Fatalf("%d network interfaces have the addresses %v", sum.ENIs, sum.Addresses)
	}
	for _, a := range sum.Addresses {
		ip := netip.MustParseAddr(a)
		if !subnet.Contains(ip.Prev()) || !subnet.Contains(ip.Next()) {
			t.Fatalf("address %s of %s", a, subnet)
		}
	}
}

func unique[E comparable](t *rapid.T, what string, got []E) {
	seen := map[E]bool{}
	for _, e := range got {
		if seen[e] {
			t.Fatalf("%s given twice: %v", what, got)
		}
		seen[e] = true
	}
}

// The seed, and nothing else, decides among equals: a cluster of equals is used evenly over many seeds.
func TestSeedDecidesTies(t *testing.T) {
	c := newCluster(t)
	for n := range 4 {
		c.putInstance(model.Instance{ID: fmt.Sprint("i", n), Status: model.InstanceActive, AgentConnected: true, Resources: model.Resources{CPU: 1024}})
	}
	const seeds = 4000
	chosen := map[string]int{}
	for seed := range seeds {
		req := request(1, model.Resources{CPU: 1})
		req.Seed = uint64(seed)
		chosen[scheduler.Place(c.tables(), req).Placements[0].Instance.ID]++
	}
	for n := range 4 {
		if got := chosen[fmt.Sprint("i", n)]; got < seeds/4*8/10 || got > seeds/4*12/10 {
			t.Errorf("i%d is chosen %d times of %d", n, got, seeds)
		}
	}
}
