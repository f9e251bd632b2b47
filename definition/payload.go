package definition

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/model"
)

// Containers lists the containers of a new task of the effective definition, in its order: PENDING, each with an id of its
// own (a uuid) from newID. The health of those with a health check is UNKNOWN, others have none: an image's own check is not
// looked at (SEMANTICS §7) [D]. An image that names its digest carries it already.
func Containers(def *types.TaskDefinition, newID func() string) []model.Container {
	list := make([]model.Container, len(def.ContainerDefinitions))
	for i := range def.ContainerDefinitions {
		c := &def.ContainerDefinitions[i]
		_, digest, _ := strings.Cut(deref(c.Image), "@")
		list[i] = model.Container{
			Name:      deref(c.Name),
			ID:        newID(),
			Image:     deref(c.Image),
			Digest:    digest,
			Status:    model.TaskPending,
			Essential: c.Essential == nil || *c.Essential,
			CPU:       c.Cpu,
			Memory:    deref(c.Memory),
			SoftLimit: deref(c.MemoryReservation),
		}
		if c.HealthCheck != nil {
			list[i].Health = string(types.HealthStatusUnknown)
		}
	}
	return list
}

// Around is what Payload cannot read off a task and its definition.
type Around struct {
	ClusterARN string
	// Auth says how to pull an image; nil, or a nil answer, means anonymously.
	Auth func(image string) *acs.RegistryAuth
	// LogMode is the account's defaultLogDriverMode; "" is non-blocking (SEMANTICS §13.7).
	LogMode string
	// ENIs are the task's interfaces if the control plane made them; nil leaves it to the node.
	ENIs []acs.ENI
	// NoEndpoint: containers are not told where the control plane's API is.
	NoEndpoint bool
	// Endpoint is where it is, on a node whose agent does not know it: the stock one. "" leaves it to the node.
	Endpoint string
	// Credentials of the task role and of the execution role, nil if there are none.
	Role, ExecutionRole *acs.RoleCreds
}

// Payload renders what a node needs to run the task (AGENT-PROTOCOL §1.2). def is the effective definition, overrides
// already applied, so the payload carries none. The error is about what cannot be delivered (Undeliverable), or about a
// container that def does not have: no retry helps, the task must be stopped.
func Payload(task *model.Task, def *types.TaskDefinition, a Around) (acs.Task, error) {
	if feature := Undeliverable(def); feature != "" {
		return acs.Task{}, fmt.Errorf("render task %s: no node can be given %s", task.ID, feature)
	}
	family, revision, _ := strings.Cut(task.Definition, ":")
	p := acs.Task{
		Arn:               task.ARN(),
		Family:            family,
		Version:           revision,
		DesiredStatus:     model.TaskRunning,
		ClusterArn:        a.ClusterARN,
		NetworkMode:       string(def.NetworkMode),
		LaunchType:        task.LaunchType,
		ServiceName:       serviceOf(task.Group),
		Group:             task.Group,
		CPU:               float64(amount(def.Cpu)) / unitsPerCPU,
		Memory:            amount(def.Memory),
		PidMode:           string(def.PidMode),
		IpcMode:           string(def.IpcMode),
		NetworkInterfaces: a.ENIs,
		FaultInjection:    deref(def.EnableFaultInjection),
		RoleCredentials:   a.Role,
		NoEndpoint:        a.NoEndpoint,
		ExecutionRole:     a.ExecutionRole,
		Volumes:           volumes(def),
		Proxy:             proxy(def.ProxyConfiguration),
	}
	if s := def.EphemeralStorage; s != nil {
		p.EphemeralStorage = int64(s.SizeInGiB)
	}
	byName := make(map[string]*types.ContainerDefinition, len(def.ContainerDefinitions))
	for i := range def.ContainerDefinitions {
		byName[deref(def.ContainerDefinitions[i].Name)] = &def.ContainerDefinitions[i]
	}
	gpus := assignGPUs(def, task.Reserved.GPUs)
	for i := range task.Containers {
		row := &task.Containers[i]
		c := byName[row.Name]
		if c == nil {
			return acs.Task{}, fmt.Errorf("render task %s: its definition %s has no container %s", task.ID, task.Definition, row.Name)
		}
		rendered, err := container(task, def, c, row, a)
		if err != nil {
			return acs.Task{}, fmt.Errorf("render container %s of task %s: %w", row.Name, task.ID, err)
		}
		addGPUs(rendered.Environment, c, gpus[row.Name])
		for _, id := range gpus[row.Name] {
			p.Associations = append(p.Associations, acs.Association{Containers: []string{row.Name}, Name: id, Type: "gpu"})
		}
		p.Containers = append(p.Containers, rendered)
	}
	return p, nil
}

// Stop is the payload that stops a task (AGENT-PROTOCOL §1.2).
func Stop(taskARN string) acs.Task {
	return acs.Task{Arn: taskARN, DesiredStatus: model.TaskStopped}
}

// container renders one container: the agent's own members here, Docker's in docker.go.
func container(task *model.Task, def *types.TaskDefinition, c *types.ContainerDefinition, row *model.Container, a Around) (acs.Container, error) {
	out := acs.Container{
		Name:         row.Name,
		Arn:          task.ContainerARN(row),
		Image:        image(c, row),
		CPU:          int64(c.Cpu),
		Memory:       int64(deref(c.Memory)),
		Essential:    c.Essential == nil || *c.Essential,
		Command:      c.Command,
		EntryPoint:   c.EntryPoint,
		Environment:  environment(task, def, c, a),
		Links:        c.Links,
		StartTimeout: int64(deref(c.StartTimeout)),
		StopTimeout:  int64(deref(c.StopTimeout)),
	}
	for _, p := range c.PortMappings {
		out.PortMappings = append(out.PortMappings, acs.PortMapping{
			ContainerPort: deref(p.ContainerPort), HostPort: deref(p.HostPort), Protocol: string(p.Protocol), ContainerRange: deref(p.ContainerPortRange),
		})
	}
	for _, f := range c.EnvironmentFiles {
		out.EnvironmentFiles = append(out.EnvironmentFiles, acs.EnvironmentFile{Value: deref(f.Value), Type: string(f.Type)})
	}
	for _, s := range c.Secrets {
		out.Secrets = append(out.Secrets, secret(task.Scope, s, acs.SecretForContainer))
	}
	if l := c.LogConfiguration; l != nil {
		for _, s := range l.SecretOptions {
			out.Secrets = append(out.Secrets, secret(task.Scope, s, acs.SecretForLogDriver))
		}
	}
	for _, m := range c.MountPoints {
		out.MountPoints = append(out.MountPoints, acs.MountPoint{
			SourceVolume: deref(m.SourceVolume), ContainerPath: deref(m.ContainerPath), ReadOnly: deref(m.ReadOnly),
		})
	}
	for _, v := range c.VolumesFrom {
		out.VolumesFrom = append(out.VolumesFrom, acs.VolumeFrom{SourceContainer: deref(v.SourceContainer), ReadOnly: deref(v.ReadOnly)})
	}
	for _, d := range c.DependsOn {
		out.DependsOn = append(out.DependsOn, acs.Dependency{ContainerName: deref(d.ContainerName), Condition: string(d.Condition)})
	}
	if r := c.RestartPolicy; r != nil {
		out.RestartPolicy = &acs.RestartPolicy{
			Enabled: deref(r.Enabled), IgnoredExitCodes: r.IgnoredExitCodes, AttemptPeriod: int64(deref(r.RestartAttemptPeriod)),
		}
	}
	if f := c.FirelensConfiguration; f != nil {
		out.Firelens = &acs.Firelens{Type: string(f.Type), Options: f.Options}
	}
	switch r := c.RepositoryCredentials; {
	case r != nil:
		out.RegistryAuth = &acs.RegistryAuth{Type: "asm", ASM: &acs.ASMAuth{CredentialsParameter: deref(r.CredentialsParameter), Region: task.Region}}
	case a.Auth != nil:
		out.RegistryAuth = a.Auth(deref(c.Image))
	}
	if r := out.RegistryAuth; r != nil && r.ECR != nil {
		r.ECR.ExecutionRole = a.ExecutionRole != nil
	}
	if l := c.LogConfiguration; l != nil && l.LogDriver == types.LogDriverAwslogs && a.ExecutionRole != nil {
		out.LogsAuth = acs.LogsAuthExecution
	}
	if c.HealthCheck != nil {
		out.HealthCheckType = "docker"
	}
	var err error
	out.Docker, err = docker(task, def, c, a)
	return out, err
}

// image is what the node pulls: the digest that the task's revision was pinned to, if the definition does not opt out
// (SEMANTICS §8.4), else the image as the user wrote it.
func image(c *types.ContainerDefinition, row *model.Container) string {
	name := deref(c.Image)
	if row.Digest == "" || c.VersionConsistency == types.VersionConsistencyDisabled || strings.Contains(name, "@") {
		return name
	}
	if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, '/') {
		name = name[:i]
	}
	return name + "@" + row.Digest
}

// environment is the definition's, of equal names the last, with the variable that names the launch type
// (SEMANTICS §11.5).
func environment(task *model.Task, def *types.TaskDefinition, c *types.ContainerDefinition, a Around) map[string]string {
	env := make(map[string]string, len(c.Environment)+2)
	if a.Endpoint != "" && !a.NoEndpoint && def.NetworkMode != types.NetworkModeNone && !deref(c.DisableNetworking) {
		env["AWS_ENDPOINT_URL"] = a.Endpoint // as our own agent does (docs/decisions/020)
	}
	launch := task.LaunchType
	if launch == "" {
		launch = string(types.LaunchTypeEc2)
	}
	env["AWS_EXECUTION_ENV"] = "AWS_ECS_" + launch
	for _, e := range c.Environment {
		env[deref(e.Name)] = deref(e.Value)
	}
	return env
}

// volumes renders the volumes that containers mount (SEMANTICS §13.5); without a path they live as long as the task.
func volumes(def *types.TaskDefinition) []acs.Volume {
	var list []acs.Volume
	for i := range def.Volumes {
		v := &def.Volumes[i]
		if obstacle(v) != "" {
			continue // nobody mounts it, or Undeliverable would have said so
		}
		list = append(list, volume(v))
	}
	return list
}

func volume(v *types.Volume) acs.Volume {
	out := acs.Volume{Name: deref(v.Name), Type: "host", Host: &acs.HostVolume{}}
	if driver, ours := fileDriverOf(v); ours {
		f, err := files(v, driver)
		if err != nil { // not one that was registered
			f = &acs.FileVolume{}
		}
		out.Type, out.Host, out.Files = "files", nil, f
		return out
	}
	if c := v.DockerVolumeConfiguration; c != nil {
		out.Type, out.Host = "docker", nil
		out.Docker = &acs.DockerVolume{
			Scope: string(c.Scope), Autoprovision: deref(c.Autoprovision), Driver: deref(c.Driver), DriverOpts: c.DriverOpts, Labels: c.Labels,
		}
	}
	if c := v.EfsVolumeConfiguration; c != nil {
		out.Type, out.Host = "efs", nil
		out.EFS = &acs.EFSVolume{
			FileSystemID: deref(c.FileSystemId), RootDirectory: deref(c.RootDirectory),
			TransitEncryption: string(c.TransitEncryption), EncryptionPort: deref(c.TransitEncryptionPort),
		}
		if a := c.AuthorizationConfig; a != nil {
			out.EFS.Authorization = &acs.EFSAuthorization{AccessPointID: deref(a.AccessPointId), IAM: string(a.Iam)}
		}
	}
	if v.Host != nil {
		out.Host.SourcePath = deref(v.Host.SourcePath)
	}
	return out
}

// assignGPUs hands the task's GPUs out to its containers in their order; all GPUs go to one that asks for all, and
// containers that share get the same one (SEMANTICS §4.5).
func assignGPUs(def *types.TaskDefinition, ids []string) map[string][]string {
	given := map[string][]string{}
	rest := ids
	for i := range def.ContainerDefinitions {
		c := &def.ContainerDefinitions[i]
		switch g := gpusOf(c); {
		case g.All:
			given[deref(c.Name)] = ids
		case g.Shared > 0:
			given[deref(c.Name)] = ids[:min(1, len(ids))]
		case g.Count > 0:
			n := min(int(g.Count), len(rest))
			given[deref(c.Name)], rest = rest[:n], rest[n:]
		}
	}
	return given
}

// addGPUs tells the container's runtime which GPUs it sees, and how much of a shared one (SEMANTICS §4.5) [D].
func addGPUs(env map[string]string, c *types.ContainerDefinition, ids []string) {
	if len(ids) == 0 {
		return
	}
	env["NVIDIA_VISIBLE_DEVICES"] = strings.Join(ids, ",")
	for _, r := range c.ResourceRequirements {
		m, ok := r.SharingStrategy.(*types.SharingStrategyMemberNvidiaMps)
		if !ok {
			continue
		}
		env["CUDA_MPS_PINNED_DEVICE_MEM_LIMIT"] = "0=" + strconv.Itoa(int(deref(m.Value.Memory))) + "M"
		if m.Value.MaxComputePercent != nil {
			env["CUDA_MPS_ACTIVE_THREAD_PERCENTAGE"] = strconv.Itoa(int(*m.Value.MaxComputePercent))
		}
	}
}
