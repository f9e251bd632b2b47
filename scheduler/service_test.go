package scheduler_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/scheduler"
)

// However tasks come, one by one or at once, they are distributed alike; the base is filled first, and beyond it everybody has
// its share, give or take a task for each provider (SEMANTICS §6.2 [I]).
func TestDistributeIsStable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		items := make([]scheduler.ProviderShare, rapid.IntRange(1, 4).Draw(t, "items"))
		weights := 0
		for i := range items {
			items[i] = scheduler.ProviderShare{Provider: string(rune('A' + i)), Weight: rapid.IntRange(0, 5).Draw(t, "weight")}
			weights += items[i].Weight
		}
		based := rapid.IntRange(0, len(items)-1).Draw(t, "which has the base")
		items[based].Base = rapid.IntRange(0, 5).Draw(t, "base")
		n := rapid.IntRange(0, 40).Draw(t, "tasks")
		all := scheduler.Distribute(items, nil, n+1)
		if shorter := scheduler.Distribute(items, nil, n); !slices.Equal(shorter, all[:n]) {
			t.Fatalf("%v: %d tasks are %v, and one more are %v", items, n, shorter, all)
		}
		at := rapid.IntRange(0, n).Draw(t, "at")
		have := map[string]int{}
		for _, p := range all[:at] {
			have[p]++
		}
		if rest := scheduler.Distribute(items, have, len(all)-at); !slices.Equal(rest, all[at:]) {
			t.Fatalf("%v: after %v come %v, and should come %v", items, all[:at], rest, all[at:])
		}
		for _, p := range all[:min(items[based].Base, len(all))] {
			if p != items[based].Provider {
				t.Fatalf("%v: the base is not filled first: %v", items, all)
			}
		}
		beyond := max(0, len(all)-items[based].Base)
		for i, item := range items {
			given := 0
			for _, p := range all[len(all)-beyond:] {
				if p == item.Provider {
					given++
				}
			}
			if share := float64(beyond) * float64(item.Weight) / float64(max(weights, 1)); weights > 0 && (float64(given) > share+float64(len(items)) || float64(given) < share-float64(len(items)) || item.Weight == 0 && given > 0) {
				t.Fatalf("%v: of %d beyond the base %d got %d, its share being %.1f", items, beyond, i, given, share)
			}
		}
	})
}

// The tasks to stop are as many as asked for, protected ones never, none twice; they are the worst by the rules that look at
// one task; and tasks that were spread evenly are so afterwards (SEMANTICS §5.5).
func TestChooseStopsKeepsTheRest(t *testing.T) {
	tb := t
	rapid.Check(t, func(t *rapid.T) {
		r := newRows(tb)
		for n := range rapid.IntRange(1, 9).Draw(t, "instances") {
			r.putInstance(model.Instance{ID: fmt.Sprint("i", n), Status: model.InstanceActive, AgentConnected: true, Resources: model.Resources{CPU: 100},
				Attributes: []model.Attribute{attribute("ecs.availability-zone", string(rune('a'+n%3)))}})
		}
		req := request(rapid.IntRange(0, 30).Draw(t, "tasks"), model.Resources{CPU: 1})
		req.Group, req.Strategy = "g", []model.PlacementStrategy{{Type: model.StrategySpread, Field: "attribute:ecs.availability-zone"}, {Type: model.StrategySpread, Field: model.FieldInstance}}
		r.occupy(&req, scheduler.Place(r.x, req).Placements...)
		stop := scheduler.StopRequest{Count: rapid.IntRange(0, 30).Draw(t, "stops"), Seed: rapid.Uint64().Draw(t, "seed")}
		plain := rapid.Bool().Draw(t, "all alike")
		free := 0
		for _, id := range sortedKeys(r.tasks) {
			m := scheduler.Member{Task: r.tasks[id]}
			next := *m.Task
			next.Last = model.TaskRunning
			if m.Task = &next; !plain {
				next.Last = one(t, "status", model.TaskRunning, model.TaskRunning, model.TaskPending, model.TaskActivating)
				next.Health = one(t, "health", "HEALTHY", "UNHEALTHY")
				m.Age, m.Protected = one(t, "age", 0, 0, 1, 2), one(t, "protected", false, false, true)
			}
			if free++; m.Protected {
				free--
			}
			stop.Members = append(stop.Members, m)
		}
		stops := scheduler.ChooseStops(r.x, stop)
		if len(stops) != min(free, stop.Count) {
			t.Fatalf("%d stops, asked for %d of %d", len(stops), stop.Count, free)
		}
		chosen := map[string]bool{}
		for _, s := range stops {
			if chosen[s.Task.ID] || s.Reason == "" {
				t.Fatalf("%s is stopped twice, or without a reason: %q", s.Task.ID, s.Reason)
			}
			chosen[s.Task.ID] = true
		}
		worst := map[bool][]string{}
		for _, m := range stop.Members {
			if m.Protected && chosen[m.Task.ID] {
				t.Fatalf("%s is protected", m.Task.ID)
			}
			if !m.Protected {
				worst[chosen[m.Task.ID]] = append(worst[chosen[m.Task.ID]], badness(m))
			}
		}
		if len(worst[true]) > 0 && len(worst[false]) > 0 && slices.Max(worst[true]) > slices.Min(worst[false]) {
			t.Fatalf("stopped are %v, and kept %v", worst[true], worst[false])
		}
		if plain {
			r.checkEven(t, chosen)
		}
	})
}

// badness sorts the worst task first.
func badness(m scheduler.Member) string {
	progress := map[string]int{model.TaskProvisioning: 0, model.TaskPending: 1, model.TaskActivating: 2, model.TaskRunning: 3}
	return fmt.Sprint(progress[m.Task.Last], m.Task.Health != "UNHEALTHY", 9-m.Age)
}

// checkEven checks that the tasks that are not gone are spread over zones as evenly as they can be.
func (r *rows) checkEven(t *rapid.T, gone map[string]bool) {
	zones := map[string]int{}
	for _, i := range r.instances {
		zones[i.Zone()] += 0
	}
	for id, task := range r.tasks {
		if !gone[id] {
			zones[r.instances[task.Instance].Zone()]++
		}
	}
	least, most := 1<<30, 0
	for _, n := range zones {
		least, most = min(least, n), max(most, n)
	}
	if most > least+1 {
		t.Fatalf("%v tasks are left", zones)
	}
}
