package definition

import (
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Limits of a definition (SEMANTICS §17).
const (
	maxContainers = 10
	maxDocument   = 64 << 10
)

// draft is a definition on its way to be registered, already in its normal form.
type draft struct {
	*types.TaskDefinition
	named map[string]*types.ContainerDefinition
}

// Normalize validates a registration (SEMANTICS §12) and returns the definition as ECS stores and shows it
// (SEMANTICS §2.4): numbers as integers, defaults filled, capabilities and compatibilities computed. ARN, revision,
// status, dates and author are left to the caller; tags are validated but belong to the row. Normalising what a
// describe shows gives the same definition again (MISSION traps 27 and 28). Errors are *model.Error.
func Normalize(in *ecs.RegisterTaskDefinitionInput) (types.TaskDefinition, error) {
	if err := checkDocument(in); err != nil {
		return types.TaskDefinition{}, err
	}
	td := fromInput(clone(in))
	d := &draft{TaskDefinition: &td, named: make(map[string]*types.ContainerDefinition, len(td.ContainerDefinitions))}
	for i := range td.ContainerDefinitions {
		c := &td.ContainerDefinitions[i]
		d.named[deref(c.Name)] = c
	}
	if err := normalizeSize(d.TaskDefinition); err != nil {
		return types.TaskDefinition{}, err
	}
	fillTask(d.TaskDefinition)
	for i := range td.ContainerDefinitions {
		fillContainer(&td, &td.ContainerDefinitions[i])
	}
	if err := d.check(); err != nil {
		return types.TaskDefinition{}, err
	}
	td.RequiresAttributes = requiresAttributes(&td)
	td.Compatibilities = compatibilities(&td)
	return td, nil
}

// fromInput carries every member of a registration over to the definition; tags are not among a definition's members.
func fromInput(in *ecs.RegisterTaskDefinitionInput) types.TaskDefinition {
	return types.TaskDefinition{
		ContainerDefinitions:    in.ContainerDefinitions,
		Cpu:                     in.Cpu,
		EnableFaultInjection:    in.EnableFaultInjection,
		EphemeralStorage:        in.EphemeralStorage,
		ExecutionRoleArn:        in.ExecutionRoleArn,
		Family:                  in.Family,
		InferenceAccelerators:   in.InferenceAccelerators,
		IpcMode:                 in.IpcMode,
		Memory:                  in.Memory,
		NetworkMode:             in.NetworkMode,
		PidMode:                 in.PidMode,
		PlacementConstraints:    in.PlacementConstraints,
		ProxyConfiguration:      in.ProxyConfiguration,
		RequiresCompatibilities: in.RequiresCompatibilities,
		RuntimePlatform:         in.RuntimePlatform,
		TaskRoleArn:             in.TaskRoleArn,
		Volumes:                 in.Volumes,
	}
}

// fillTask fills the defaults of the task (SEMANTICS §2.4). FARGATE has no default network mode: it must be asked for.
func fillTask(td *types.TaskDefinition) {
	if td.NetworkMode == "" && !requires(td, types.CompatibilityFargate) {
		td.NetworkMode = types.NetworkModeBridge
	}
	if td.Volumes == nil {
		td.Volumes = []types.Volume{}
	}
	if td.PlacementConstraints == nil {
		td.PlacementConstraints = []types.TaskDefinitionPlacementConstraint{}
	}
	for i := range td.Volumes {
		fillVolume(&td.Volumes[i])
	}
}

// fillContainer fills the defaults of a container (SEMANTICS §2.4); its cpu is 0 by its type. Lists that are not
// named here stay absent if they were absent.
func fillContainer(td *types.TaskDefinition, c *types.ContainerDefinition) {
	if c.Essential == nil {
		c.Essential = new(true)
	}
	if c.Environment == nil {
		c.Environment = []types.KeyValuePair{}
	}
	if c.MountPoints == nil {
		c.MountPoints = []types.MountPoint{}
	}
	if c.VolumesFrom == nil {
		c.VolumesFrom = []types.VolumeFrom{}
	}
	if c.PortMappings == nil {
		c.PortMappings = []types.PortMapping{}
	}
	if c.SystemControls == nil {
		c.SystemControls = []types.SystemControl{}
	}
	for i := range c.PortMappings {
		fillPort(td.NetworkMode, &c.PortMappings[i])
	}
	fillHealthCheck(c.HealthCheck)
	fillRestartPolicy(c.RestartPolicy)
}

// check runs the rules: first those of the whole task, then those of each container, then those of FARGATE. The first
// rule broken is the answer.
func (d *draft) check() error {
	for _, rule := range taskRules() {
		if err := rule(d); err != nil {
			return err
		}
	}
	rules := containerRules()
	for i := range d.ContainerDefinitions {
		for _, rule := range rules {
			if err := rule(d, &d.ContainerDefinitions[i]); err != nil {
				return err
			}
		}
	}
	for _, rule := range lastRules() {
		if err := rule(d); err != nil {
			return err
		}
	}
	if requires(d.TaskDefinition, types.CompatibilityFargate) {
		return CheckFargate(d.TaskDefinition)
	}
	return nil
}

// taskRules need nothing of the containers but their names.
func taskRules() []func(*draft) error {
	return []func(*draft) error{
		checkModes, checkRoles, checkCompatibilities, checkPlatform, checkStorage, checkVolumes, checkPlacement,
	}
}

// containerRules are asked for one container after the other.
func containerRules() []func(*draft, *types.ContainerDefinition) error {
	return []func(*draft, *types.ContainerDefinition) error{
		checkMemory, checkPorts, checkNetworkSettings, checkMounts, checkEnvironment, checkSecrets, checkDependencies,
		checkHealth, checkRestart, checkTimeouts, checkUlimits, checkLinux, checkSystemControls, checkSecurity, checkLog,
		checkFirelens, checkAccelerators, checkConsistency,
	}
}

// lastRules are about the containers together.
func lastRules() []func(*draft) error {
	return []func(*draft) error{
		checkEssential, checkCycles, checkSums, checkHostPorts, checkPortNames, checkRouter, checkSharing, checkProxy,
	}
}

func requires(td *types.TaskDefinition, c types.Compatibility) bool {
	return slices.Contains(td.RequiresCompatibilities, c)
}
