package definition

import (
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// fargateSize is one cpu value with the memory that goes with it: from lo to hi MiB, every step.
type fargateSize struct{ cpu, lo, hi, step int64 }

// fargateSizes are the 74 sizes of a FARGATE task (SEMANTICS §4.2) [O].
func fargateSizes() []fargateSize {
	return []fargateSize{
		{256, 512, 512, 512}, {256, 1024, 2048, 1024}, {512, 1024, 4096, 1024}, {1024, 2048, 8192, 1024}, {2048, 4096, 16384, 1024},
		{4096, 8192, 30720, 1024}, {8192, 16384, 61440, 4096}, {16384, 32768, 122880, 8192},
	}
}

// FargateSize says whether FARGATE runs tasks of that many cpu units and MiB (SEMANTICS §4.2).
func FargateSize(cpu, memory int64) bool {
	return slices.ContainsFunc(fargateSizes(), func(s fargateSize) bool {
		return cpu == s.cpu && memory >= s.lo && memory <= s.hi && (memory-s.lo)%s.step == 0
	})
}

// CheckFargate is nil if a normalised (and perhaps overridden) definition can run on FARGATE; else the error says why
// not, in the words of a registration (SEMANTICS §4.2, §12).
func CheckFargate(td *types.TaskDefinition) error {
	if err := fargateTask(td); err != nil {
		return err
	}
	for i := range td.Volumes {
		if err := fargateVolume(&td.Volumes[i]); err != nil {
			return err
		}
	}
	for i := range td.ContainerDefinitions {
		if err := fargateContainer(td, &td.ContainerDefinitions[i]); err != nil {
			return err
		}
	}
	return nil
}

func fargateTask(td *types.TaskDefinition) error {
	switch {
	case td.NetworkMode != types.NetworkModeAwsvpc:
		return refuse("Fargate only supports network mode 'awsvpc'.") // [O]
	case td.Cpu == nil:
		return refuse("Fargate requires that 'cpu' be defined at the task level.") // [O]
	case td.Memory == nil:
		return refuse("Fargate requires that 'memory' be defined at the task level.") // [O]
	case !FargateSize(amount(td.Cpu), amount(td.Memory)):
		return refuse("No Fargate configuration exists for given values: %s CPU, %s memory.", *td.Cpu, *td.Memory) // [O]
	case td.PidMode == types.PidModeHost:
		return refuse("Tasks using the Fargate launch type do not support pidMode 'host'. The supported value for pidMode is 'task'.") // [O]
	case td.IpcMode != "":
		return unsupported("ipcMode")
	case len(td.PlacementConstraints) > 0:
		return unsupported("placementConstraints")
	case len(td.InferenceAccelerators) > 0:
		return unsupported("inferenceAccelerators")
	}
	return nil
}

// unsupported words the refusal of a member that FARGATE does not have. The wording is observed for sourcePath [O] and
// taken over for the others [I].
func unsupported(member string) error {
	return refuse("Fargate compatible task definitions do not support %s", member)
}

func fargateVolume(v *types.Volume) error {
	switch driver, ours := fileDriverOf(v); {
	case v.Host != nil && v.Host.SourcePath != nil:
		return unsupported("sourcePath")
	case ours: // files in memory are nothing of the host
		return fargateFiles(v, driver)
	case v.DockerVolumeConfiguration != nil:
		return unsupported("dockerVolumeConfiguration")
	case v.FsxWindowsFileServerVolumeConfiguration != nil:
		return unsupported("fsxWindowsFileServerVolumeConfiguration")
	}
	return nil
}

// fargateContainer: what needs the host is not there, and whoever acts for the container needs a role.
func fargateContainer(td *types.TaskDefinition, c *types.ContainerDefinition) error {
	for _, m := range []struct {
		name string
		set  bool
	}{
		{"privileged", deref(c.Privileged)},
		{"links", len(c.Links) > 0},
		{"extraHosts", len(c.ExtraHosts) > 0},
		{"dockerSecurityOptions", len(c.DockerSecurityOptions) > 0},
		{"resourceRequirements", len(c.ResourceRequirements) > 0},
	} {
		if m.set {
			return unsupported(m.name)
		}
	}
	if err := fargateLinux(c.LinuxParameters); err != nil {
		return err
	}
	for _, t := range []struct {
		name  string
		value *int32
	}{{"startTimeout", c.StartTimeout}, {"stopTimeout", c.StopTimeout}} {
		if !inRange(t.value, 2, 120) {
			return refuse("Invalid '%s' setting for container '%s'. Fargate supports values between 2 and 120.", t.name, deref(c.Name)) // [I]
		}
	}
	if f := c.FirelensConfiguration; f != nil && f.Options["config-file-type"] == "s3" {
		return unsupported("config-file-type s3")
	}
	if isECR(deref(c.Image)) && td.ExecutionRoleArn == nil {
		return refuse("Fargate requires task definition to have execution role ARN to support ECR images.") // [O]
	}
	if len(c.EnvironmentFiles) > 0 && td.ExecutionRoleArn == nil {
		return refuse("Fargate requires task definition to have execution role ARN to support environment files.") // [I]
	}
	return fargateLog(td, c.LogConfiguration)
}

func fargateLinux(l *types.LinuxParameters) error {
	if l == nil {
		return nil
	}
	for _, m := range []struct {
		name string
		set  bool
	}{
		{"devices", len(l.Devices) > 0},
		{"maxSwap", l.MaxSwap != nil},
		{"swappiness", l.Swappiness != nil},
		{"sharedMemorySize", l.SharedMemorySize != nil},
	} {
		if m.set {
			return unsupported(m.name)
		}
	}
	if l.Capabilities == nil {
		return nil
	}
	for _, name := range l.Capabilities.Add {
		if name != "SYS_PTRACE" {
			return refuse("Fargate compatible task definitions only support adding the SYS_PTRACE capability") // [I]
		}
	}
	return nil
}

func fargateLog(td *types.TaskDefinition, l *types.LogConfiguration) error {
	if l == nil {
		return nil
	}
	switch l.LogDriver {
	case types.LogDriverAwslogs:
		if td.ExecutionRoleArn == nil {
			return refuse("Fargate requires task definition to have execution role ARN to support log driver awslogs.") // [O]
		}
		if missing := missingLogOptions(l, []string{"awslogs-stream-prefix"}); len(missing) > 0 {
			return refuse("Log driver awslogs requires options: awslogs-stream-prefix") // [O]
		}
	case types.LogDriverSplunk, types.LogDriverAwsfirelens:
	default:
		return unsupported("log driver " + string(l.LogDriver))
	}
	return nil
}
