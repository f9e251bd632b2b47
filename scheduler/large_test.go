package scheduler_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/scheduler"
)

// crowd is a cluster big enough for several blocks to a class, loose attributes and groups that are nearly everywhere.
func crowd(t *testing.T, rng *rand.Rand) *rows {
	r := newRows(t)
	for n := range 400 {
		i := model.Instance{ID: fmt.Sprintf("i%03d", n), Status: model.InstanceActive, AgentConnected: true, AgentVersion: "1.0.0",
			Resources: model.Resources{CPU: 8 + rng.Int64N(3), Memory: 8 + rng.Int64N(3), ENIs: 3, PortsTCP: []int32{22}}}
		i.Attributes = []model.Attribute{attribute("ecs.availability-zone", string(rune('a'+n%3))), attribute("rack", fmt.Sprint("r", n%80)),
			attribute("shelf", fmt.Sprint("s", n%6)), attribute("name", i.ID), attribute(model.SubnetAttribute, fmt.Sprintf("10.%d.%d.0/30", n/256, n%256))}
		r.putInstance(i)
	}
	return r
}

// In a crowd as in a small cluster the copies are where the plain rules would have them (SEMANTICS §5 [D], ties [I]), while the
// cluster fills up, empties and changes.
func TestCrowdAgainstThePlainRules(t *testing.T) {
	zone := model.PlacementStrategy{Type: model.StrategySpread, Field: "attribute:ecs.availability-zone"}
	rack := model.PlacementStrategy{Type: model.StrategySpread, Field: "attribute:rack"}
	instance := model.PlacementStrategy{Type: model.StrategySpread, Field: model.FieldInstance}
	cpu := model.PlacementStrategy{Type: model.StrategyBinpack, Field: model.FieldCPU}
	memory := model.PlacementStrategy{Type: model.StrategyBinpack, Field: model.FieldMemory}
	chains := [][]model.PlacementStrategy{nil, {zone}, {instance}, {rack}, {cpu}, {memory}, {zone, instance}, {zone, memory}, {instance, cpu}, {cpu, memory},
		{memory, cpu, instance}, {memory, instance}, {rack, instance}, {zone, instance, memory}, {cpu, zone}, {zone, rack, cpu}}
	constraints := [][]model.PlacementConstraint{nil, nil, {{Type: model.ConstraintDistinctInstance}},
		{{Type: model.ConstraintMemberOf, Expression: "attribute:rack in [r1, r2, r70]"}},
		{{Type: model.ConstraintMemberOf, Expression: "attribute:shelf != s2"}, {Type: model.ConstraintDistinctInstance}},
		{{Type: model.ConstraintMemberOf, Expression: "not(task:group == dense) and agentVersion >= 1.0"}}}
	seeds, decisions, copies, unplaced := 4, 0, 0, 0
	if testing.Short() {
		seeds = 1
	}
	for seed := range seeds {
		rng := rand.New(rand.NewPCG(uint64(seed), 0))
		r := crowd(t, rng)
		everywhere := request(1, model.Resources{CPU: 1})
		everywhere.Group, everywhere.Family = "dense", "f"
		for _, id := range sortedKeys(r.instances) {
			if rng.IntN(100) < 97 { // all but a few have it
				r.occupy(&everywhere, scheduler.Placement{Instance: r.instances[id]})
			}
		}
		for round := range 60 {
			req := request(1+rng.IntN(3), model.Resources{CPU: rng.Int64N(3), Memory: rng.Int64N(3), ENIs: rng.Int32N(4) / 3})
			req.Group, req.Family, req.Seed = []string{"dense", "dense", "web", "job"}[rng.IntN(4)], "f", rng.Uint64()
			req.Strategy, req.Constraints = chains[rng.IntN(len(chains))], constraints[rng.IntN(len(constraints))]
			if rng.IntN(4) == 0 {
				req.Need.PortsTCP = []int32{80}
			}
			if round%10 == 0 { // a big one, to fill the cluster
				req.Count, req.Need.CPU, req.Need.PortsTCP = 200, 1, nil
			}
			res := scheduler.Place(r.x, req)
			decisions++
			for n, p := range res.Placements {
				if n < 3 || n == len(res.Placements)-1 {
					copies++
					if best := r.best(&req); !slices.Contains(best, p.Instance) {
						t.Fatalf("seed %d: copy %d of %+v is on %s, and should be on one of %d others", seed, n, req, p.Instance.ID, len(best))
					}
				}
				r.occupy(&req, p)
			}
			if unplaced += res.Unplaced; res.Unplaced > 0 {
				if best := r.best(&req); len(best) > 0 {
					t.Fatalf("seed %d: %d copies of %+v have no place, and %d instances have", seed, res.Unplaced, req, len(best))
				}
			}
			r.shake(rng)
		}
		anew := r.rebuilt(uint64(seed))
		if r.x.Dump() != anew.Dump() {
			t.Fatalf("seed %d: the index is not the one that is made of its rows", seed)
		}
		for n, chain := range chains {
			for _, c := range constraints {
				req := request(3, model.Resources{CPU: 1})
				req.Group, req.Seed, req.Strategy, req.Constraints = "dense", uint64(n), chain, c
				if a, b := scheduler.Place(r.x, req), scheduler.Place(anew, req); !reflect.DeepEqual(a, b) {
					t.Fatalf("seed %d: %+v is answered by\n    %+v\nand %+v", seed, req, a, b)
				}
			}
		}
	}
	t.Logf("%d decisions, %d copies checked, %d unplaced", decisions, copies, unplaced)
}

// shake stops some tasks and changes an instance.
func (r *rows) shake(rng *rand.Rand) {
	ids := sortedKeys(r.tasks)
	for range rng.IntN(60) {
		if id := ids[rng.IntN(len(ids))]; r.tasks[id].Last != model.TaskStopped {
			r.move(id, []string{model.TaskRunning, model.TaskStopped, model.TaskStopped}[rng.IntN(3)])
		}
	}
	i := *r.instances[fmt.Sprintf("i%03d", rng.IntN(400))]
	switch rng.IntN(3) {
	case 0:
		i.AgentConnected = !i.AgentConnected
	case 1:
		i.Status = []string{model.InstanceActive, model.InstanceDraining}[rng.IntN(2)]
	default: // the shelves cease to be few: nine values, most of the time
		i.Attributes = slices.Clone(i.Attributes)
		i.Attributes[2].Value = fmt.Sprint("s", rng.IntN(9))
	}
	r.putInstance(i)
}

// What ties leave is chosen by the seed, each as often as any other (SEMANTICS §5 [D]: at random), however it was found.
func TestEqualsAreChosenEvenly(t *testing.T) {
	const nodes, draws = 200, 40000
	every := func(int) bool { return true }
	few := func(n int) bool { return n%40 == 0 } // too few to be found by trying
	for name, c := range map[string]struct {
		strategy []model.PlacementStrategy
		where    string
		among    func(int) bool
	}{
		"random":                    {nil, "", every},
		"by instance":               {[]model.PlacementStrategy{{Type: model.StrategySpread, Field: model.FieldInstance}}, "", every},
		"by zone":                   {[]model.PlacementStrategy{{Type: model.StrategySpread, Field: "attribute:ecs.availability-zone"}}, "", every},
		"by a loose attribute":      {[]model.PlacementStrategy{{Type: model.StrategySpread, Field: "attribute:name"}}, "", every},
		"binpack":                   {[]model.PlacementStrategy{{Type: model.StrategyBinpack, Field: model.FieldCPU}}, "", every},
		"few by a class's value":    {nil, "attribute:few == yes", few},
		"few by an instance's name": {nil, "attribute:name =~ .*0", few},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRows(t)
			for n := range nodes {
				i := model.Instance{ID: fmt.Sprintf("i%03d", n), Status: model.InstanceActive, AgentConnected: true, Resources: model.Resources{CPU: 4},
					Attributes: []model.Attribute{attribute("ecs.availability-zone", string(rune('a'+n%3)))}}
				name := fmt.Sprint("n", n, "x")
				if few(n) {
					name = fmt.Sprint("n", n, "-0")
					i.Attributes = append(i.Attributes, attribute("few", "yes"))
				}
				i.Attributes = append(i.Attributes, attribute("name", name))
				r.putInstance(i)
			}
			req := request(1, model.Resources{CPU: 1})
			req.Group, req.Strategy = "g", c.strategy
			if c.where != "" {
				req.Constraints = []model.PlacementConstraint{{Type: model.ConstraintMemberOf, Expression: c.where}}
			}
			chosen := map[string]int{}
			for seed := range draws {
				req.Seed = uint64(seed)
				chosen[scheduler.Place(r.x, req).Placements[0].Instance.ID]++
			}
			cells, chi := 0, 0.0
			for n := range nodes {
				if c.among(n) {
					cells++
				}
			}
			want := float64(draws) / float64(cells)
			for n := range nodes {
				got := float64(chosen[fmt.Sprintf("i%03d", n)])
				if !c.among(n) && got > 0 {
					t.Fatalf("i%03d is chosen %v times", n, got)
				} else if c.among(n) {
					chi += (got - want) * (got - want) / want
				}
			}
			// Mean and deviation of the distribution: five deviations off is no accident.
			if mean := float64(cells - 1); chi > mean+5*math.Sqrt(2*mean) {
				t.Errorf("chi square is %.1f with %d cells", chi, cells)
			}
		})
	}
}
