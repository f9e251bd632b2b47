package ecs

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/definition"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// viewTask shows a task with every member, zero values included (CLIENTS.md).
func viewTask(t *state.Tables, task *model.Task, tags bool) types.Task {
	cluster, arn, def := model.ClusterARN(task.Scope, task.Cluster), task.ARN(), model.DefinitionARN(task.Scope, task.Definition)
	v := types.Task{
		Attachments: attachmentViews(task.Attachments), Attributes: []types.Attribute{},
		AvailabilityZone: text(task.Zone), CapacityProviderName: text(task.CapacityProvider), ClusterArn: &cluster,
		Containers: containerViews(task, arn),
		// A task without a size of its own shows what it reserves [O].
		Cpu:       text(cmp.Or(task.CPU, strconv.FormatInt(task.Reserved.CPU, 10))),
		Memory:    text(cmp.Or(task.Memory, strconv.FormatInt(task.Reserved.Memory, 10))),
		CreatedAt: moment(task.CreatedAt), DesiredStatus: &task.Desired, EnableExecuteCommand: task.ExecEnabled,
		ExecutionStoppedAt: moment(task.ExecutionStoppedAt), Group: text(task.Group),
		HealthStatus:          types.HealthStatus(cmp.Or(task.Health, string(types.HealthStatusUnknown))),
		InferenceAccelerators: []types.InferenceAccelerator{},
		LastStatus:            &task.Last, LaunchType: types.LaunchType(task.LaunchType),
		Overrides:     overridesView(task),
		PullStartedAt: moment(task.PullStartedAt), PullStoppedAt: moment(task.PullStoppedAt),
		StartedAt: moment(task.StartedAt), StartedBy: text(task.StartedBy),
		StopCode: types.TaskStopCode(task.StopCode), StoppedReason: text(task.StopReason),
		StoppingAt: moment(task.StoppingAt), StoppedAt: moment(task.StoppedAt),
		Tags: []types.Tag{}, TaskArn: &arn, TaskDefinitionArn: &def, Version: task.Version,
	}
	if task.ConnectivityAt != 0 {
		v.Connectivity, v.ConnectivityAt = types.ConnectivityConnected, moment(task.ConnectivityAt)
	}
	if len(task.Reserved.GPUs) > 0 {
		shareGPUs(t, task, v.Containers)
	}
	if arch := architecture(t, task); arch != "" {
		v.Attributes = append(v.Attributes, types.Attribute{Name: text(attrArchitecture), Value: &arch})
	}
	if tags {
		v.Tags = tagViews(task.Tags)
	}
	if task.LaunchType == string(types.LaunchTypeFargate) {
		v.PlatformVersion, v.PlatformFamily = text(task.PlatformVersion), text("Linux")
		v.EphemeralStorage = &types.EphemeralStorage{SizeInGiB: cmp.Or(task.EphemeralStorage, fargateStorage)}
	} else if task.Instance != "" {
		v.ContainerInstanceArn = text(model.InstanceARN(task.Scope, task.Cluster, task.Instance)) // FARGATE shows none (SEMANTICS §4.1)
	}
	return v
}

// shareGPUs shows which of the task's GPUs each container has: in the order of the definition, as many as it asks for
// (SEMANTICS §4.5).
func shareGPUs(t *state.Tables, task *model.Task, containers []types.Container) {
	d, ok := findDefinition(t, task.Scope, parseDefinitionRef(task.Scope, task.Definition))
	if !ok {
		return
	}
	spec, err := definition.Apply(&d.Spec, task.Overrides)
	if err != nil || len(spec.ContainerDefinitions) != len(containers) {
		return
	}
	rest := task.Reserved.GPUs
	for i := range spec.ContainerDefinitions {
		for _, r := range spec.ContainerDefinitions[i].ResourceRequirements {
			if r.Type == types.ResourceTypeGpu && value(r.Value) == "ALL" {
				containers[i].GpuIds = task.Reserved.GPUs
				continue
			}
			n, err := strconv.Atoi(value(r.Value))
			if r.Type == types.ResourceTypeGpu && err == nil && n <= len(rest) {
				containers[i].GpuIds, rest = rest[:n:n], rest[n:]
			}
		}
	}
}

// fargateStorage is the ephemeral storage of a FARGATE task that asks for none, in GiB (SEMANTICS §4.2) [D].
const fargateStorage = 20

// architecture is the processor of the task's instance.
func architecture(t *state.Tables, task *model.Task) string {
	if task.Instance == "" {
		return ""
	}
	i, ok := t.Instances.Get(task.InstanceKey())
	if !ok {
		return ""
	}
	attr, _ := i.Attribute(attrArchitecture)
	return attr.Value
}

func attachmentViews(as []model.Attachment) []types.Attachment {
	out := make([]types.Attachment, len(as))
	for i := range as {
		a := &as[i]
		out[i] = types.Attachment{Id: &a.ID, Type: &a.Type, Status: &a.Status, Details: pairViews(a.Details)}
	}
	return out
}

func containerViews(task *model.Task, taskARN string) []types.Container {
	out := make([]types.Container, len(task.Containers))
	interfaces := interfaceViews(task)
	for i := range task.Containers {
		c := &task.Containers[i]
		arn := task.ContainerARN(c)
		out[i] = types.Container{
			ContainerArn: &arn, TaskArn: &taskARN, Name: &c.Name, Image: &c.Image, ImageDigest: text(c.Digest),
			RuntimeId: text(c.RuntimeID), LastStatus: &c.Status, Reason: text(c.Reason),
			HealthStatus: types.HealthStatus(cmp.Or(c.Health, string(types.HealthStatusUnknown))),
			Cpu:          text(strconv.Itoa(int(c.CPU))), NetworkBindings: bindingViews(c.Bindings), NetworkInterfaces: interfaces,
			ManagedAgents: managedAgents(task, c),
		}
		if c.Memory != 0 {
			out[i].Memory = text(strconv.Itoa(int(c.Memory)))
		}
		if c.SoftLimit != 0 {
			out[i].MemoryReservation = text(strconv.Itoa(int(c.SoftLimit)))
		}
		if c.Exited {
			out[i].ExitCode = &c.ExitCode
		}
	}
	return out
}

func bindingViews(bs []model.PortBinding) []types.NetworkBinding {
	out := make([]types.NetworkBinding, len(bs))
	for i := range bs {
		b := &bs[i]
		v := types.NetworkBinding{BindIP: text(b.BindIP), Protocol: types.TransportProtocol(b.Protocol),
			ContainerPortRange: text(b.ContainerRange), HostPortRange: text(b.HostRange)}
		if b.ContainerRange == "" {
			v.ContainerPort, v.HostPort = &b.ContainerPort, &b.HostPort
		}
		out[i] = v
	}
	return out
}

// interfaceViews are the network interfaces that all containers of an awsvpc task share, read off its attachment
// (SEMANTICS §13.1); there is nothing to show before it has an address.
func interfaceViews(task *model.Task) []types.NetworkInterface {
	out := []types.NetworkInterface{}
	for i := range task.Attachments {
		a := &task.Attachments[i]
		ip := detail(a, "privateIPv4Address")
		if a.Type != model.AttachmentENI || ip == nil {
			continue
		}
		out = append(out, types.NetworkInterface{AttachmentId: &a.ID, PrivateIpv4Address: ip, Ipv6Address: detail(a, "ipv6Address")})
	}
	return out
}

func detail(a *model.Attachment, name string) *string {
	for i := range a.Details {
		if a.Details[i].Key == name {
			return &a.Details[i].Value
		}
	}
	return nil
}

// overridesView shows one entry per container, with what the user gave for it [O].
func overridesView(task *model.Task) *types.TaskOverride {
	v := types.TaskOverride{}
	if task.Overrides != nil {
		v = *task.Overrides
	}
	given := v.ContainerOverrides
	v.ContainerOverrides = make([]types.ContainerOverride, 0, len(task.Containers))
	for i := range task.Containers {
		name := &task.Containers[i].Name
		at := slices.IndexFunc(given, func(o types.ContainerOverride) bool { return value(o.Name) == *name })
		if at < 0 {
			v.ContainerOverrides = append(v.ContainerOverrides, types.ContainerOverride{Name: name})
			continue
		}
		v.ContainerOverrides = append(v.ContainerOverrides, given[at])
	}
	v.InferenceAcceleratorOverrides = list(v.InferenceAcceleratorOverrides)
	return &v
}
