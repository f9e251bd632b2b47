package sim_test

import (
	"fmt"
	"slices"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// placing is one way to ask for places.
type placing struct {
	name    string
	members map[string]any // of the request
	// allowed says whether a task may be on the instance as far as its attributes go; nil: anywhere in the cluster.
	allowed func(i *model.Instance) bool
}

// Pools of the nodes, each with its capacity provider: that of blue makes tasks wait for room, that of spot refuses them.
const (
	poolBlue = "blue-group"
	poolSpot = "spot-group"
)

// providers are the calls that make the capacity providers.
func providers() []map[string]any {
	group := func(pool, scaling string) map[string]any {
		return map[string]any{"autoScalingGroupArn": "arn:aws:autoscaling:" + region + ":" + account + ":autoScalingGroup:a1:autoScalingGroupName/" + pool,
			"managedScaling": map[string]any{"status": scaling}}
	}
	return []map[string]any{
		{"name": "blue", "autoScalingGroupProvider": group(poolBlue, "ENABLED")},
		{"name": "spot", "autoScalingGroupProvider": group(poolSpot, "DISABLED")},
	}
}

// placings are the ways that storms choose from.
func placings() []placing {
	strategy := func(steps ...string) map[string]any {
		var out []any
		for i := 0; i < len(steps); i += 2 {
			out = append(out, map[string]any{"type": steps[i], "field": steps[i+1]})
		}
		return map[string]any{"placementStrategy": out}
	}
	memberOf := func(expression string) map[string]any {
		return map[string]any{"placementConstraints": []any{map[string]any{"type": "memberOf", "expression": expression}}}
	}
	through := func(items ...any) map[string]any {
		var out []any
		for i := 0; i < len(items); i += 2 {
			out = append(out, map[string]any{"capacityProvider": items[i], "weight": items[i+1]})
		}
		return map[string]any{"capacityProviderStrategy": out}
	}
	zone := func(suffixes string) func(*model.Instance) bool {
		return func(i *model.Instance) bool {
			for _, s := range suffixes {
				if i.Zone() == region+string(s) {
					return true
				}
			}
			return false
		}
	}
	inPool := func(pool string) func(*model.Instance) bool {
		return func(i *model.Instance) bool { return i.Pool() == pool }
	}
	return []placing{
		{name: "anywhere"},
		{name: "spread over zones, then instances", members: strategy("spread", "attribute:ecs.availability-zone", "spread", "instanceId")},
		{name: "binpack memory", members: strategy("binpack", "memory")},
		{name: "spread over zones, then binpack CPU", members: strategy("spread", "attribute:ecs.availability-zone", "binpack", "cpu")},
		{name: "distinct instances", members: map[string]any{"placementConstraints": []any{map[string]any{"type": "distinctInstance"}}}},
		{name: "in zones a and b", members: memberOf("attribute:ecs.availability-zone in [us-east-1a, us-east-1b]"), allowed: zone("ab")},
		{name: "not in zone c", members: memberOf("not(attribute:ecs.availability-zone == us-east-1c)"), allowed: zone("ab")},
		{name: "beside web", members: memberOf("task:group == g1")},
		{name: "on instances with few tasks", members: memberOf("runningTasksCount <= 3")},
		{name: "through blue", members: through("blue", 1), allowed: inPool(poolBlue)},
		{name: "through spot", members: through("spot", 1), allowed: inPool(poolSpot)},
		{name: "through blue and spot", members: through("blue", 1, "spot", 4)},
	}
}

// misplaced says why a task must not have been placed where it was between two snapshots, "" if it may: FARGATE tasks and no others
// are in their pool, all are in their provider's, and with distinctInstance none is beside a task of its group.
func misplaced(before, after *state.Snapshot, t *model.Task, i *model.Instance) string {
	if (t.LaunchType == "FARGATE") != (i.Pool() == model.FargatePool) || (i.Cluster == pool) != (i.Pool() == model.FargatePool) {
		return fmt.Sprintf("launch type %s, pool %q", t.LaunchType, i.Pool())
	}
	if t.CapacityProvider != "" && i.Pool() != t.CapacityProvider+"-group" {
		return fmt.Sprintf("provider %s, pool %s", t.CapacityProvider, i.Pool())
	}
	if !distinct(t) {
		return ""
	}
	for other := range after.TasksOn(i.Key()) {
		was, ok := before.Tasks.Get(other.Key())
		if other.Group == t.Group && other.ID != t.ID && (ok && holds(was) || distinct(other)) {
			return fmt.Sprintf("distinctInstance beside task %s of group %s", other.ID, other.Group)
		}
	}
	return ""
}

func distinct(t *model.Task) bool {
	return slices.ContainsFunc(t.Constraints, func(c model.PlacementConstraint) bool { return c.Type == model.ConstraintDistinctInstance })
}
