package definition

import (
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Prefixes of capability attributes (SEMANTICS §5.1).
const (
	oldPrefix = "com.amazonaws.ecs.capability."
	newPrefix = "ecs.capability."
)

// attributeSet collects the attributes that an instance must have for a definition's features.
type attributeSet map[string]bool

func (s attributeSet) old(name string, when bool) { s[oldPrefix+name] = s[oldPrefix+name] || when }
func (s attributeSet) add(name string, when bool) { s[newPrefix+name] = s[newPrefix+name] || when }

// api asks for a version of Docker's remote API. Which feature asks for which version is read off public describe
// outputs [O].
func (s attributeSet) api(version string, when bool) { s.old("docker-remote-api."+version, when) }

// requiresAttributes lists what an instance must offer, sorted by name (SEMANTICS §5.1). Task cpu and memory add none:
// no public output with them shows task-cpu-mem-limit [O].
func requiresAttributes(td *types.TaskDefinition) []types.Attribute {
	s := attributeSet{}
	taskAttributes(s, td)
	for i := range td.Volumes {
		volumeAttributes(s, &td.Volumes[i])
	}
	for i := range td.ContainerDefinitions {
		c := &td.ContainerDefinitions[i]
		containerAttributes(s, c)
		imageAttributes(s, td, c)
		logAttributes(s, td, c)
		secretAttributes(s, c)
	}
	names := make([]string, 0, len(s))
	for name, needed := range s {
		if needed {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	list := make([]types.Attribute, len(names))
	for i := range names {
		list[i].Name = &names[i]
	}
	return list
}

func taskAttributes(s attributeSet, td *types.TaskDefinition) {
	awsvpc := td.NetworkMode == types.NetworkModeAwsvpc
	s.add("task-eni", awsvpc)
	s.api("1.18", awsvpc)
	role := td.TaskRoleArn != nil
	s.old("task-iam-role", role && td.NetworkMode != types.NetworkModeHost)
	s.old("task-iam-role-network-host", role && td.NetworkMode == types.NetworkModeHost)
	s.add("pid-ipc-namespace-sharing", td.PidMode != "" || td.IpcMode != "")
	s.add("aws-appmesh", td.ProxyConfiguration != nil)
	s.add("fault-injection", deref(td.EnableFaultInjection))
	s.add("task-eia", len(td.InferenceAccelerators) > 0)
}

func volumeAttributes(s attributeSet, v *types.Volume) {
	efs := v.EfsVolumeConfiguration != nil
	s.add("efs", efs)
	s.add("efsAuth", efs)
	s.api("1.25", efs)
	s.add("fsxWindowsFileServer", v.FsxWindowsFileServerVolumeConfiguration != nil)
	s.add("s3files", v.S3filesVolumeConfiguration != nil) // [I]
	s.add("storage.ebs-task-volume-attach", deref(v.ConfiguredAtLaunch))
	if c := v.DockerVolumeConfiguration; c != nil {
		driver := deref(c.Driver)
		s.api("1.21", true)
		s.add("docker-plugin."+driver, driver != "" && driver != "local")
	}
}

func containerAttributes(s attributeSet, c *types.ContainerDefinition) {
	s.old("privileged-container", deref(c.Privileged))
	s.add("container-ordering", len(c.DependsOn) > 0)
	s.add("container-restart-policy", c.RestartPolicy != nil && deref(c.RestartPolicy.Enabled))
	s.add("env-files.s3", len(c.EnvironmentFiles) > 0)
	s.api("1.17", deref(c.User) != "")
	s.api("1.18", len(c.Ulimits) > 0 || len(c.DockerLabels) > 0)
	s.api("1.21", c.MemoryReservation != nil)
	if h := c.HealthCheck; h != nil {
		s.add("container-health-check", true)
		s.api("1.24", h.StartPeriod == nil)
		s.api("1.29", h.StartPeriod != nil)
	}
	if l := c.LinuxParameters; l != nil {
		s.api("1.22", len(l.Tmpfs) > 0 || l.SharedMemorySize != nil)
		s.api("1.25", deref(l.InitProcessEnabled))
	}
	for _, o := range c.DockerSecurityOptions {
		s.old("apparmor", strings.HasPrefix(o, "apparmor:"))
		s.old("selinux", strings.HasPrefix(o, "label:"))
	}
	s.add("gmsa", slices.ContainsFunc(c.CredentialSpecs, func(x string) bool { return strings.HasPrefix(x, "credentialspec:") }))
	s.add("gmsa-domainless", slices.ContainsFunc(c.CredentialSpecs, func(x string) bool { return strings.HasPrefix(x, "credentialspecdomainless:") }))
}

func imageAttributes(s attributeSet, td *types.TaskDefinition, c *types.ContainerDefinition) {
	ecr := isECR(deref(c.Image))
	s.old("ecr-auth", ecr)
	s.add("execution-role-ecr-pull", ecr && td.ExecutionRoleArn != nil)
	s.add("private-registry-authentication.secretsmanager", c.RepositoryCredentials != nil)
}

func logAttributes(s attributeSet, td *types.TaskDefinition, c *types.ContainerDefinition) {
	if f := c.FirelensConfiguration; f != nil {
		s.add("firelens."+string(f.Type), true)
		kind := f.Options["config-file-type"]
		s.add("firelens.options.config."+kind, kind != "")
	}
	l := c.LogConfiguration
	if l == nil {
		return
	}
	awslogs := l.LogDriver == types.LogDriverAwslogs
	s.old("logging-driver."+string(l.LogDriver), true)
	s.api("1.19", true)
	s.add("execution-role-awslogs", awslogs && td.ExecutionRoleArn != nil)
	s.api("1.29", awslogs && strings.EqualFold(l.Options["awslogs-create-group"], "true"))
	s.api("1.28", awslogs && l.Options["awslogs-datetime-format"]+l.Options["awslogs-multiline-pattern"] != "") // [I]
	for _, o := range l.SecretOptions {
		s.add("secrets."+provider(o)+".bootstrap.log-driver", true)
	}
}

func secretAttributes(s attributeSet, c *types.ContainerDefinition) {
	for _, x := range c.Secrets {
		s.add("secrets."+provider(x)+".environment-variables", true)
	}
}

// provider is where a secret is kept, in an agent's words.
func provider(s types.Secret) string {
	if inSecretsManager(s) {
		return "asm"
	}
	return "ssm"
}

// isECR says whether an image is in a private ECR repository: ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME, or the FIPS or
// dual-stack form of it [D].
func isECR(image string) bool {
	host, _, found := strings.Cut(image, "/")
	account, rest, _ := strings.Cut(host, ".")
	if !found || len(account) != 12 || strings.IndexFunc(account, func(r rune) bool { return !isDigit(r) }) >= 0 {
		dual, ok := strings.CutSuffix(host, ".on.aws")
		return found && ok && strings.Contains(dual, ".dkr-ecr")
	}
	return strings.HasPrefix(rest, "dkr.ecr.") || strings.HasPrefix(rest, "dkr.ecr-fips.") || strings.HasPrefix(rest, "dkr-ecr")
}

// compatibilities lists the launch types that the definition can run on, in the order EC2, EXTERNAL, FARGATE,
// MANAGED_INSTANCES. FARGATE is what passes its rules [O]; EXTERNAL is what has no network interface of its own
// [O], or asks for it, for our external instances can do what AWS's cannot (SEMANTICS §4.1) [I];
// MANAGED_INSTANCES have awsvpc and host networking [D].
func compatibilities(td *types.TaskDefinition) []types.Compatibility {
	list := []types.Compatibility{types.CompatibilityEc2}
	if td.NetworkMode != types.NetworkModeAwsvpc || requires(td, types.CompatibilityExternal) {
		list = append(list, types.CompatibilityExternal)
	}
	if CheckFargate(td) == nil {
		list = append(list, types.CompatibilityFargate)
	}
	managed := td.NetworkMode == types.NetworkModeAwsvpc || td.NetworkMode == types.NetworkModeHost
	if managed || requires(td, types.CompatibilityManagedInstances) {
		list = append(list, types.CompatibilityManagedInstances)
	}
	return list
}
