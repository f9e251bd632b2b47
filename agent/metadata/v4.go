package metadata

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/task"
)

// containerV4 is a container as version 4 of the endpoint shows it (AGENT-PROTOCOL §4.2) [D].
type containerV4 struct {
	DockerID      string            `json:"DockerId"`
	Name          string            `json:"Name"`
	DockerName    string            `json:"DockerName"`
	Image         string            `json:"Image"`
	ImageID       string            `json:"ImageID"`
	Ports         []portV4          `json:"Ports,omitempty"`
	Labels        map[string]string `json:"Labels,omitempty"`
	DesiredStatus string            `json:"DesiredStatus"`
	KnownStatus   string            `json:"KnownStatus"`
	ExitCode      *int32            `json:"ExitCode,omitempty"`
	Limits        limitsV4[int64]   `json:"Limits"`
	CreatedAt     time.Time         `json:"CreatedAt,omitzero"`
	StartedAt     time.Time         `json:"StartedAt,omitzero"`
	FinishedAt    time.Time         `json:"FinishedAt,omitzero"`
	Type          string            `json:"Type"`
	Health        *healthV4         `json:"Health,omitempty"`
	Volumes       []volumeV4        `json:"Volumes,omitempty"`
	LogDriver     string            `json:"LogDriver,omitempty"`
	LogOptions    map[string]string `json:"LogOptions,omitempty"`
	ContainerARN  string            `json:"ContainerARN,omitempty"`
	Networks      []networkV4       `json:"Networks,omitempty"`
	Snapshotter   string            `json:"Snapshotter,omitempty"`
	RestartCount  *int              `json:"RestartCount,omitempty"` // with a restart policy only
}

type volumeV4 struct {
	Name        string `json:"DockerName,omitempty"`
	Source      string `json:"Source,omitempty"`
	Destination string `json:"Destination,omitempty"`
}

// limitsV4 are units of CPU, or of a task vCPUs, and MiB.
type limitsV4[T any] struct {
	CPU    T     `json:"CPU"`
	Memory int64 `json:"Memory"`
}

// storageV4 is the task's ephemeral storage in MiB.
type storageV4 struct {
	Utilized int64 `json:"Utilized"`
	Reserved int64 `json:"Reserved"`
}

type portV4 struct {
	ContainerPort int32  `json:"ContainerPort,omitempty"`
	Protocol      string `json:"Protocol,omitempty"`
	HostPort      int32  `json:"HostPort,omitempty"`
	HostIP        string `json:"HostIp,omitempty"`
}

type healthV4 struct {
	Status      string    `json:"status"`
	StatusSince time.Time `json:"statusSince,omitzero"`
	Output      string    `json:"output,omitempty"`
}

// networkV4 is a network of a container; all but mode and addresses are of awsvpc.
type networkV4 struct {
	NetworkMode     string   `json:"NetworkMode"`
	IPv4Addresses   []string `json:"IPv4Addresses,omitempty"`
	AttachmentIndex *int     `json:"AttachmentIndex,omitempty"`
	MACAddress      string   `json:"MACAddress,omitempty"`
	Subnet          string   `json:"IPv4SubnetCIDRBlock,omitempty"`
	NameServers     []string `json:"DomainNameServers,omitempty"`
	SearchList      []string `json:"DomainNameSearchList,omitempty"`
	PrivateDNSName  string   `json:"PrivateDNSName,omitempty"`
	Gateway         string   `json:"SubnetGatewayIpv4Address,omitempty"`
}

// taskV4 is a task as version 4 of the endpoint shows it [D].
type taskV4 struct {
	Cluster            string             `json:"Cluster"`
	TaskARN            string             `json:"TaskARN"`
	Family             string             `json:"Family"`
	Revision           string             `json:"Revision"`
	ServiceName        string             `json:"ServiceName,omitempty"`
	DesiredStatus      string             `json:"DesiredStatus"`
	KnownStatus        string             `json:"KnownStatus"`
	Limits             *limitsV4[float64] `json:"Limits,omitempty"`
	PullStartedAt      time.Time          `json:"PullStartedAt,omitzero"`
	PullStoppedAt      time.Time          `json:"PullStoppedAt,omitzero"`
	ExecutionStoppedAt time.Time          `json:"ExecutionStoppedAt,omitzero"`
	AvailabilityZone   string             `json:"AvailabilityZone,omitempty"`
	TaskTags           map[string]string  `json:"TaskTags,omitempty"`
	InstanceTags       map[string]string  `json:"ContainerInstanceTags,omitempty"`
	LaunchType         string             `json:"LaunchType,omitempty"`
	Errors             []errorV4          `json:"Errors,omitempty"`
	Containers         []containerV4      `json:"Containers,omitempty"`
	ClockDrift         *clockV4           `json:"ClockDrift,omitempty"`
	Storage            *storageV4         `json:"EphemeralStorageMetrics,omitempty"`
	FaultInjection     *bool              `json:"FaultInjectionEnabled,omitempty"`
}

// getContainer answers the asking container.
func (s *Server) getContainer(version version) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v, name, ok := s.asker(r)
		if !ok {
			answer(w, version.unknown, version.name+" container metadata handler: unable to get container ID from request: "+ // [O]
				"unable to get docker ID from v3 endpoint ID: "+r.PathValue("id"))
			return
		}
		c := s.showContainer(&v, index(&v, name))
		if version == v3 {
			c = c.asV3()
		}
		answer(w, http.StatusOK, c)
	}
}

// getTask answers the asking container's task, with the tags of task and instance if they are wanted.
func (s *Server) getTask(version version, tags bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v, _, ok := s.asker(r)
		if !ok {
			answer(w, version.unknown, version.name+" task metadata handler: "+unknownTask(r))
			return
		}
		t := s.showTask(&v)
		if tags {
			s.addTags(r.Context(), &t)
		}
		if version == v3 {
			t = t.asV3()
		}
		answer(w, http.StatusOK, t)
	}
}

// asV3 is what version 3 shows of the container.
func (c containerV4) asV3() containerV4 {
	c.LogDriver, c.LogOptions, c.ContainerARN, c.Snapshotter, c.RestartCount = "", nil, "", "", nil
	c.Ports = slices.Clone(c.Ports)
	for i := range c.Ports {
		c.Ports[i].HostIP = ""
	}
	c.Networks = slices.Clone(c.Networks)
	for i, n := range c.Networks {
		c.Networks[i] = networkV4{NetworkMode: n.NetworkMode, IPv4Addresses: n.IPv4Addresses}
	}
	return c
}

// asV3 is what version 3 shows of the task.
func (t taskV4) asV3() taskV4 {
	t.LaunchType, t.ServiceName, t.ClockDrift, t.Storage, t.FaultInjection = "", "", nil, nil, nil
	for i := range t.Containers {
		t.Containers[i] = t.Containers[i].asV3()
	}
	return t
}

func (s *Server) showTask(v *task.View) taskV4 {
	t := v.Task
	out := taskV4{
		Cluster: t.ClusterArn, TaskARN: t.Arn, Family: t.Family, Revision: t.Version, ServiceName: t.ServiceName,
		DesiredStatus: v.Desired, KnownStatus: task.StatusRunning, ExecutionStoppedAt: v.State.ExecutionStoppedAt,
		AvailabilityZone: s.cfg.Zone, LaunchType: t.LaunchType, FaultInjection: &t.FaultInjection,
	}
	if t.LaunchType == "FARGATE" {
		out.ClockDrift = readClock()
	}
	if s.cfg.Storage != nil {
		if used, reserved, ok := s.cfg.Storage(task.ID(t.Arn)); ok {
			out.Storage = &storageV4{used, reserved}
		}
	}
	if t.CPU > 0 || t.Memory > 0 {
		out.Limits = &limitsV4[float64]{t.CPU, t.Memory}
	}
	least := task.PhaseStopped
	for i := range t.Containers {
		c := &v.State.Containers[i]
		least = min(least, c.Phase)
		if at := c.PullStartedAt; !at.IsZero() && (out.PullStartedAt.IsZero() || at.Before(out.PullStartedAt)) {
			out.PullStartedAt = at
		}
		if c.PullStoppedAt.After(out.PullStoppedAt) {
			out.PullStoppedAt = c.PullStoppedAt
		}
		out.Containers = append(out.Containers, s.showContainer(v, i))
	}
	out.KnownStatus = known(least)
	return out
}

func (s *Server) showContainer(v *task.View, i int) containerV4 {
	t, spec, c := v.Task, &v.Task.Containers[i], &v.State.Containers[i]
	id := task.ID(t.Arn)
	out := containerV4{
		DockerID: task.ContainerID(id, spec.Name), Name: spec.Name, Image: spec.Image, ImageID: c.Digest,
		DockerName:    DockerName(t, spec.Name),
		DesiredStatus: v.Desired, KnownStatus: known(c.Phase), ExitCode: c.ExitCode, Limits: limitsV4[int64]{spec.CPU, spec.Memory},
		CreatedAt: c.CreatedAt.UTC(), StartedAt: c.StartedAt.UTC(), FinishedAt: c.FinishedAt.UTC(), Type: "NORMAL", ContainerARN: spec.Arn,
		Volumes: volumes(t, spec),
	}
	if t.LaunchType == "FARGATE" {
		out.Snapshotter = s.cfg.Snapshotter
	}
	if p := spec.RestartPolicy; p != nil && p.Enabled {
		out.RestartCount = &c.Restarts
	}
	if !c.RestartedAt.IsZero() {
		out.StartedAt = c.RestartedAt.UTC()
	}
	var config acs.ContainerConfig
	var host acs.HostConfig
	if json.Unmarshal([]byte(spec.Docker.Config), &config) == nil {
		out.Labels = config.Labels
	}
	if json.Unmarshal([]byte(spec.Docker.HostConfig), &host) == nil {
		out.LogDriver, out.LogOptions = host.LogConfig.Type, host.LogConfig.Config
	}
	if h := c.Vitals; h.Health != "" {
		out.Health = &healthV4{Status: h.Health, StatusSince: h.Since.UTC(), Output: h.Output}
	}
	if n := v.State.Net(spec.Name); n != nil {
		for _, b := range n.Sandbox.Bindings {
			if b.ContainerRange == "" && n.Container != "" {
				out.Ports = append(out.Ports, portV4{ContainerPort: b.ContainerPort, Protocol: b.Protocol, HostPort: b.HostPort, HostIP: b.BindIP})
			}
		}
		out.Networks = []networkV4{s.showNetwork(t, &n.Sandbox)}
	}
	return out
}

func (s *Server) showNetwork(t *acs.Task, box *task.Sandbox) networkV4 {
	out := networkV4{NetworkMode: t.NetworkMode}
	if out.NetworkMode == "" {
		out.NetworkMode = "bridge"
	}
	if ip, _, _ := strings.Cut(box.IPv4, "/"); ip != "" {
		out.IPv4Addresses = []string{ip}
	}
	if t.NetworkMode != "awsvpc" {
		return out
	}
	out.AttachmentIndex, out.MACAddress, out.Gateway = new(int), box.MAC, box.Gateway
	if s.cfg.Subnet.IsValid() {
		out.Subnet = s.cfg.Subnet.String()
		if out.Gateway != "" {
			out.Gateway = fmt.Sprintf("%s/%d", box.Gateway, s.cfg.Subnet.Bits())
		}
	}
	if len(t.NetworkInterfaces) > 0 {
		eni := &t.NetworkInterfaces[0]
		*out.AttachmentIndex = eni.Index
		out.NameServers, out.SearchList, out.PrivateDNSName = eni.DomainServers, eni.DomainName, eni.PrivateDNSName
	}
	return out
}

// volumes are what the container mounts: directories of the node by their path, other volumes by name.
func volumes(t *acs.Task, c *acs.Container) []volumeV4 {
	var out []volumeV4
	for _, m := range c.MountPoints {
		v := volumeV4{Name: m.SourceVolume, Destination: m.ContainerPath}
		for i := range t.Volumes {
			if h := t.Volumes[i].Host; t.Volumes[i].Name == m.SourceVolume && h != nil && h.SourcePath != "" {
				v.Name, v.Source = "", h.SourcePath
			}
		}
		out = append(out, v)
	}
	return out
}

// known is a phase in the endpoint's words.
func known(p task.Phase) string {
	switch p {
	case task.PhaseNone:
		return "NONE"
	case task.PhasePulled:
		return "PULLED"
	case task.PhaseCreated:
		return "CREATED"
	}
	return p.Status()
}

// DockerName is what Docker would call the container of the task.
func DockerName(t *acs.Task, container string) string {
	return strings.Join([]string{"ecs", t.Family, t.Version, container, task.ID(t.Arn)}, "-")
}
