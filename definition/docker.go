package definition

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/model"
)

const mib = 1 << 20

// docker renders the parts that agents take over as raw Docker API objects (AGENT-PROTOCOL §1.2).
func docker(task *model.Task, def *types.TaskDefinition, c *types.ContainerDefinition, a Around) (acs.DockerConfig, error) {
	config, err := json.Marshal(containerConfig(task, c, a))
	if err != nil {
		return acs.DockerConfig{}, fmt.Errorf("encode config: %w", err)
	}
	host, err := json.Marshal(hostConfig(task, def, c, a))
	if err != nil {
		return acs.DockerConfig{}, fmt.Errorf("encode host config: %w", err)
	}
	return acs.DockerConfig{Config: string(config), HostConfig: string(host)}, nil
}

func containerConfig(task *model.Task, c *types.ContainerDefinition, a Around) acs.ContainerConfig {
	return acs.ContainerConfig{
		Hostname:    deref(c.Hostname),
		User:        deref(c.User),
		WorkingDir:  deref(c.WorkingDirectory),
		Labels:      labels(task, c, a),
		Tty:         deref(c.PseudoTerminal),
		OpenStdin:   deref(c.Interactive),
		Healthcheck: healthcheck(c.HealthCheck),
	}
}

// labels are the user's and those by which tools find a task's containers (AGENT-PROTOCOL §4.1).
func labels(task *model.Task, c *types.ContainerDefinition, a Around) map[string]string {
	family, revision, _ := strings.Cut(task.Definition, ":")
	l := maps.Clone(c.DockerLabels)
	if l == nil {
		l = map[string]string{}
	}
	l["com.amazonaws.ecs.cluster"] = a.ClusterARN
	l["com.amazonaws.ecs.container-name"] = deref(c.Name)
	l["com.amazonaws.ecs.task-arn"] = task.ARN()
	l["com.amazonaws.ecs.task-definition-family"] = family
	l["com.amazonaws.ecs.task-definition-version"] = revision
	return l
}

func healthcheck(h *types.HealthCheck) *acs.Healthcheck {
	if h == nil {
		return nil
	}
	ns := func(seconds *int32) int64 { return int64(deref(seconds)) * int64(time.Second) }
	return &acs.Healthcheck{
		Test: h.Command, Interval: ns(h.Interval), Timeout: ns(h.Timeout), StartPeriod: ns(h.StartPeriod), Retries: int(deref(h.Retries)),
	}
}

func hostConfig(task *model.Task, def *types.TaskDefinition, c *types.ContainerDefinition, a Around) acs.HostConfig {
	h := acs.HostConfig{
		NetworkMode:       networkMode(def, c),
		DNS:               c.DnsServers,
		DNSSearch:         c.DnsSearchDomains,
		Privileged:        deref(c.Privileged),
		ReadonlyRootfs:    deref(c.ReadonlyRootFilesystem),
		SecurityOpt:       c.DockerSecurityOptions,
		MemoryReservation: int64(deref(c.MemoryReservation)) * mib,
		LogConfig:         logConfig(task, c, a),
	}
	for _, x := range c.ExtraHosts {
		h.ExtraHosts = append(h.ExtraHosts, deref(x.Hostname)+":"+deref(x.IpAddress))
	}
	for _, u := range c.Ulimits {
		h.Ulimits = append(h.Ulimits, acs.Ulimit{Name: string(u.Name), Soft: int64(u.SoftLimit), Hard: int64(u.HardLimit)})
	}
	for _, s := range c.SystemControls {
		if h.Sysctls == nil {
			h.Sysctls = map[string]string{}
		}
		h.Sysctls[deref(s.Namespace)] = deref(s.Value)
	}
	if c.LinuxParameters != nil {
		linux(&h, c.LinuxParameters, deref(c.Memory))
	}
	return h
}

// networkMode is set where the task's own mode does not reach Docker: host and none (AGENT-PROTOCOL §1.2), and for a
// container whose networking is off.
func networkMode(def *types.TaskDefinition, c *types.ContainerDefinition) string {
	switch {
	case deref(c.DisableNetworking):
		return string(types.NetworkModeNone)
	case def.NetworkMode == types.NetworkModeHost, def.NetworkMode == types.NetworkModeNone:
		return string(def.NetworkMode)
	default:
		return ""
	}
}

// linux renders linuxParameters. Swap is the memory's hard limit plus maxSwap; without maxSwap it and the swappiness are
// the host's [D].
func linux(h *acs.HostConfig, l *types.LinuxParameters, memory int32) {
	if k := l.Capabilities; k != nil {
		h.CapAdd, h.CapDrop = k.Add, k.Drop
	}
	h.Init = l.InitProcessEnabled
	h.ShmSize = int64(deref(l.SharedMemorySize)) * mib
	if l.MaxSwap != nil && memory > 0 {
		h.MemorySwap = (int64(memory) + int64(*l.MaxSwap)) * mib
		if l.Swappiness != nil {
			h.MemorySwappiness = new(int64(*l.Swappiness))
		}
	}
	for _, t := range l.Tmpfs {
		if h.Tmpfs == nil {
			h.Tmpfs = map[string]string{}
		}
		h.Tmpfs[deref(t.ContainerPath)] = strings.Join(append([]string{fmt.Sprintf("size=%dm", t.Size)}, t.MountOptions...), ",")
	}
	for _, d := range l.Devices {
		h.Devices = append(h.Devices, device(d))
	}
}

func device(d types.Device) acs.Device {
	out := acs.Device{PathOnHost: deref(d.HostPath), PathInContainer: deref(d.ContainerPath), CgroupPermissions: "rwm"}
	if out.PathInContainer == "" {
		out.PathInContainer = out.PathOnHost
	}
	if len(d.Permissions) == 0 {
		return out
	}
	out.CgroupPermissions = ""
	for _, p := range []types.DeviceCgroupPermission{
		types.DeviceCgroupPermissionRead, types.DeviceCgroupPermissionWrite, types.DeviceCgroupPermissionMknod,
	} {
		if slices.Contains(d.Permissions, p) {
			out.CgroupPermissions += string(p[0])
		}
	}
	return out
}

// Defaults of log drivers since 2025-06-25 (SEMANTICS §13.7) [D].
const (
	nonBlocking       = "non-blocking"
	defaultBufferSize = "10m"
)

// logConfig renders the log driver. It gets the mode that the account wishes if the definition says nothing; the options of awsfirelens are
// the log router's.
func logConfig(task *model.Task, c *types.ContainerDefinition, a Around) acs.LogConfig {
	l := c.LogConfiguration
	if l == nil {
		return acs.LogConfig{}
	}
	options := maps.Clone(l.Options)
	if l.LogDriver == types.LogDriverAwsfirelens {
		return acs.LogConfig{Type: string(l.LogDriver), Config: options}
	}
	if options == nil {
		options = map[string]string{}
	}
	if options["mode"] == "" {
		options["mode"] = nonBlocking
		if a.LogMode != "" {
			options["mode"] = a.LogMode
		}
	}
	if options["mode"] == nonBlocking && options["max-buffer-size"] == "" {
		options["max-buffer-size"] = defaultBufferSize
	}
	if l.LogDriver == types.LogDriverAwslogs {
		awslogs(options, task, deref(c.Name), a)
	}
	return acs.LogConfig{Type: string(l.LogDriver), Config: options}
}

// awslogs puts what is ECS's into Docker's words: its driver knows no prefix, and refuses what it does not know. So the stream is named
// here (SEMANTICS §13.7), as the metadata of tasks on AWS shows it [D]. Docker would send the lines to AWS.
func awslogs(options map[string]string, task *model.Task, container string, a Around) {
	if prefix := options["awslogs-stream-prefix"]; prefix != "" {
		options["awslogs-stream"] = prefix + "/" + container + "/" + task.ID
	}
	delete(options, "awslogs-stream-prefix")
	if a.Endpoint != "" && options["awslogs-endpoint"] == "" {
		options["awslogs-endpoint"] = a.Endpoint
	}
}
