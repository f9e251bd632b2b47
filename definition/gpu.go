package definition

import (
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
)

// allDevices as the value of a resource requirement asks for every device of the instance.
const allDevices = "ALL"

// checkAccelerators: a container's resource requirements (SEMANTICS §4.5) [D].
func checkAccelerators(d *draft, c *types.ContainerDefinition) error {
	seen := map[types.ResourceType]bool{}
	for _, r := range c.ResourceRequirements {
		if !known(r.Type) {
			return refuse("Invalid resource type '%s' for container '%s'.", r.Type, deref(c.Name)) // [I]
		}
		if seen[r.Type] {
			return refuse("Duplicate resource requirement '%s' for container '%s'.", r.Type, deref(c.Name)) // [I]
		}
		seen[r.Type] = true
		if err := checkAccelerator(d.TaskDefinition, deref(c.Name), r); err != nil {
			return err
		}
	}
	return nil
}

func checkAccelerator(td *types.TaskDefinition, container string, r types.ResourceRequirement) error {
	value := deref(r.Value)
	if r.SharingStrategy != nil {
		return checkMPS(container, r)
	}
	switch r.Type {
	case types.ResourceTypeGpu:
		if n, err := strconv.Atoi(value); value != allDevices && (err != nil || n < 1) {
			return refuse("Invalid GPU value '%s' for container '%s'.", value, container) // [I]
		}
	case types.ResourceTypeNeuronDevice:
		if value != allDevices {
			return refuse("The value for NeuronDevice of container '%s' must be ALL.", container) // [I]
		}
	case types.ResourceTypeInferenceAccelerator:
		for _, a := range td.InferenceAccelerators {
			if deref(a.DeviceName) == value && value != "" {
				return nil
			}
		}
		return refuse("Unknown inference accelerator '%s' for container '%s'.", value, container) // [I]
	}
	return nil
}

// checkMPS: a share of a GPU has memory, perhaps a percentage, and no value beside it [D].
func checkMPS(container string, r types.ResourceRequirement) error {
	m, ok := r.SharingStrategy.(*types.SharingStrategyMemberNvidiaMps)
	switch {
	case !ok || r.Type != types.ResourceTypeGpu:
		return refuse("Invalid sharingStrategy for container '%s'. It is only supported for GPU.", container) // [I]
	case r.Value != nil:
		return refuse("Invalid resource requirement for container '%s'. Specify either value or sharingStrategy, but not both.", container) // [I]
	case deref(m.Value.Memory) < 1:
		return refuse("Invalid nvidiaMps memory for container '%s'.", container) // [I]
	case !inRange(m.Value.MaxComputePercent, 1, 100):
		return refuse("Invalid nvidiaMps maxComputePercent for container '%s'. It must be between 1 and 100.", container) // [I]
	}
	return nil
}

// checkSharing: containers of a task all share GPUs or all own them; Neuron devices go to one container [D].
func checkSharing(d *draft) error {
	var shared, whole, neuron int
	for i := range d.ContainerDefinitions {
		for _, r := range d.ContainerDefinitions[i].ResourceRequirements {
			switch {
			case r.SharingStrategy != nil:
				shared++
			case r.Type == types.ResourceTypeGpu:
				whole++
			case r.Type == types.ResourceTypeNeuronDevice:
				neuron++
			}
		}
	}
	switch {
	case shared > 0 && whole > 0:
		return refuse("All containers that request GPUs must use the same sharingStrategy.") // [I]
	case neuron > 1:
		return refuse("Only one container in the task definition can request NeuronDevice resources.") // [I]
	case shared > 0 && requires(d.TaskDefinition, types.CompatibilityExternal):
		return refuse("External compatible task definitions do not support GPU sharing.") // [I]
	}
	return nil
}

// GPUs is what a container or a task asks of an instance's GPUs (SEMANTICS §4.5).
type GPUs struct {
	Count  int32 // whole devices
	All    bool  // every device of the instance; Count is 0
	Shared int32 // MiB on one shared device (nvidiaMps); Count is 0
}

// Devices is how many whole devices that are, or model.AllGPUs.
func (g GPUs) Devices() int {
	if g.All {
		return model.AllGPUs
	}
	return int(g.Count)
}

// gpusOf adds up a container's requirements; ill-formed values count nothing, for registration refuses them.
func gpusOf(c *types.ContainerDefinition) GPUs {
	var g GPUs
	for _, r := range c.ResourceRequirements {
		if r.Type != types.ResourceTypeGpu {
			continue
		}
		if m, ok := r.SharingStrategy.(*types.SharingStrategyMemberNvidiaMps); ok {
			g.Shared += deref(m.Value.Memory)
			continue
		}
		if deref(r.Value) == allDevices {
			g.All = true
			continue
		}
		if n, err := strconv.ParseInt(deref(r.Value), 10, 32); err == nil {
			g.Count += int32(n)
		}
	}
	return g
}
