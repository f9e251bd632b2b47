package definition

import (
	"cmp"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
)

// NewTask is what all tasks of a definition have in common, whoever starts them: what they run and reserve. spec is d's with
// the overrides of the launch applied (Apply). Cluster, group, startedBy, tags, network and placement are the caller's, and
// model.Task.Copy makes the tasks of it.
func NewTask(d *model.TaskDefinition, spec *types.TaskDefinition, launchType string) model.Task {
	t := model.Task{
		Launch:     &model.Launch{Scope: d.Scope, Definition: d.Name(), LaunchType: launchType, Network: cmp.Or(string(spec.NetworkMode), string(types.NetworkModeBridge)), CPU: deref(spec.Cpu), Memory: deref(spec.Memory)},
		Reserved:   Reserve(spec).Resources,
		Desired:    model.TaskRunning,
		Last:       model.TaskPending,
		Version:    1,
		Containers: Containers(spec, func() string { return "" }),
	}
	if spec.EphemeralStorage != nil {
		t.EphemeralStorage = spec.EphemeralStorage.SizeInGiB
	}
	return t
}

// Constraints are those that the definition puts on where its tasks go (SEMANTICS §5.2).
func Constraints(spec *types.TaskDefinition) []model.PlacementConstraint {
	var out []model.PlacementConstraint
	for _, c := range spec.PlacementConstraints {
		out = append(out, model.PlacementConstraint{Type: string(c.Type), Expression: deref(c.Expression)})
	}
	return out
}
