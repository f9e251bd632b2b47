package definition

import (
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
)

// maxOverrides is how long the overrides of a launch may be, as JSON (SEMANTICS §2.5) [D].
const maxOverrides = 8192

// Apply returns the definition that a task really runs: a copy of def, which is normalised, with the overrides of its
// launch (SEMANTICS §2.5, §4.7). Errors are InvalidParameterException.
func Apply(def *types.TaskDefinition, o *types.TaskOverride) (*types.TaskDefinition, error) {
	td := clone(def)
	if o == nil {
		return td, nil
	}
	if jsonSize(o) > maxOverrides {
		return nil, invalid("Container Overrides length must be at most %d", maxOverrides) // [O]
	}
	o = clone(o)
	d := &draft{TaskDefinition: td, named: make(map[string]*types.ContainerDefinition, len(td.ContainerDefinitions))}
	for i := range td.ContainerDefinitions {
		d.named[deref(td.ContainerDefinitions[i].Name)] = &td.ContainerDefinitions[i]
	}
	if err := overrideTask(d, o); err != nil {
		return nil, asInvalid(err)
	}
	for i := range o.ContainerOverrides {
		if err := overrideContainer(d, &o.ContainerOverrides[i]); err != nil {
			return nil, asInvalid(err)
		}
	}
	if err := checkOverridden(d); err != nil {
		return nil, asInvalid(err)
	}
	return td, nil
}

// Effective returns what a task runs: its definition with the overrides of its launch. Nobody may change it: of a task without
// overrides it is the row's own.
func Effective(row *model.TaskDefinition, task *model.Task) (*types.TaskDefinition, error) {
	if task.Overrides == nil {
		return &row.Spec, nil
	}
	def, err := Apply(&row.Spec, task.Overrides)
	if err != nil {
		return nil, fmt.Errorf("apply the overrides of task %s: %w", task.ID, err)
	}
	return def, nil
}

func overrideTask(d *draft, o *types.TaskOverride) error {
	replace(&d.Cpu, o.Cpu)
	replace(&d.Memory, o.Memory)
	replace(&d.ExecutionRoleArn, o.ExecutionRoleArn)
	replace(&d.TaskRoleArn, o.TaskRoleArn)
	replace(&d.EphemeralStorage, o.EphemeralStorage)
	for _, a := range o.InferenceAcceleratorOverrides {
		i := slices.IndexFunc(d.InferenceAccelerators, func(have types.InferenceAccelerator) bool {
			return deref(have.DeviceName) == deref(a.DeviceName)
		})
		if i < 0 {
			return refuse("Override for inference accelerator named %s is not an inference accelerator in the TaskDefinition.", deref(a.DeviceName)) // [I]
		}
		replace(&d.InferenceAccelerators[i].DeviceType, a.DeviceType)
	}
	return normalizeSize(d.TaskDefinition)
}

// replace takes the override of a member if there is one.
func replace[T any](member **T, override *T) {
	if override != nil {
		*member = override
	}
}

// overrideContainer applies one container's overrides. Empty lists override nothing; environment is merged by name, a new
// name comes last (SEMANTICS §11.5) [D].
func overrideContainer(d *draft, o *types.ContainerOverride) error {
	if jsonSize(o) == len("{}") {
		return nil
	}
	c := d.named[deref(o.Name)]
	if c == nil {
		return refuse("Override for container named %s is not a container in the TaskDefinition.", deref(o.Name)) // [O]
	}
	if len(o.Command) > 0 {
		c.Command = o.Command
	}
	if o.Cpu != nil {
		c.Cpu = *o.Cpu
	}
	replace(&c.Memory, o.Memory)
	replace(&c.MemoryReservation, o.MemoryReservation)
	if len(o.EnvironmentFiles) > 0 {
		c.EnvironmentFiles = o.EnvironmentFiles
	}
	if len(o.ResourceRequirements) > 0 {
		c.ResourceRequirements = o.ResourceRequirements
	}
	for _, e := range o.Environment {
		i := slices.IndexFunc(c.Environment, func(have types.KeyValuePair) bool { return deref(have.Name) == deref(e.Name) })
		if i < 0 {
			c.Environment = append(c.Environment, e)
		} else {
			c.Environment[i] = e
		}
	}
	return nil
}

// checkOverridden asks the rules again that overrides can break.
func checkOverridden(d *draft) error {
	for i := range d.ContainerDefinitions {
		for _, rule := range []func(*draft, *types.ContainerDefinition) error{checkMemory, checkEnvironment, checkSecrets, checkAccelerators} {
			if err := rule(d, &d.ContainerDefinitions[i]); err != nil {
				return err
			}
		}
	}
	for _, rule := range []func(*draft) error{checkRoles, checkStorage, checkSums, checkSharing} {
		if err := rule(d); err != nil {
			return err
		}
	}
	if requires(d.TaskDefinition, types.CompatibilityFargate) && len(d.RequiresCompatibilities) == 1 {
		return CheckFargate(d.TaskDefinition)
	}
	return nil
}

// serviceOf is the name of the service that a task group belongs to, "" if it is no service's.
func serviceOf(group string) string {
	if name, ok := strings.CutPrefix(group, "service:"); ok {
		return name
	}
	return ""
}
