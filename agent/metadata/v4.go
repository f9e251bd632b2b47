package metadata

import (
	"encoding/json"
	"net/http"
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
	StartedAt     time.Time         `json:"StartedAt,omitzero"`
	FinishedAt    time.Time         `json:"FinishedAt,omitzero"`
	Type          string            `json:"Type"`
	Health        *healthV4         `json:"Health,omitempty"`
	LogDriver     string            `json:"LogDriver,omitempty"`
	ContainerARN  string            `json:"ContainerARN,omitempty"`
	Networks      []networkV4       `json:"Networks,omitempty"`
}

// limitsV4 are units of CPU, or of a task vCPUs, and MiB.
type limitsV4[T any] struct {
	CPU    T     `json:"CPU"`
	Memory int64 `json:"Memory"`
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

type networkV4 struct {
	NetworkMode     string   `json:"NetworkMode"`
	IPv4Addresses   []string `json:"IPv4Addresses,omitempty"`
	AttachmentIndex *int     `json:"AttachmentIndex,omitempty"`
	MACAddress      string   `json:"MACAddress,omitempty"`
	Gateway         string   `json:"SubnetGatewayIpv4Address,omitempty"`
}

// taskV4 is a task as version 4 of the endpoint shows it [D].
type taskV4 struct {
	Cluster               string             `json:"Cluster"`
	TaskARN               string             `json:"TaskARN"`
	Family                string             `json:"Family"`
	Revision              string             `json:"Revision"`
	ServiceName           string             `json:"ServiceName,omitempty"`
	DesiredStatus         string             `json:"DesiredStatus"`
	KnownStatus           string             `json:"KnownStatus"`
	Limits                *limitsV4[float64] `json:"Limits,omitempty"`
	PullStartedAt         time.Time          `json:"PullStartedAt,omitzero"`
	PullStoppedAt         time.Time          `json:"PullStoppedAt,omitzero"`
	ExecutionStoppedAt    time.Time          `json:"ExecutionStoppedAt,omitzero"`
	AvailabilityZone      string             `json:"AvailabilityZone,omitempty"`
	LaunchType            string             `json:"LaunchType"`
	Containers            []containerV4      `json:"Containers"`
	FaultInjectionEnabled bool               `json:"FaultInjectionEnabled"`
}

func (s *Server) getContainer(w http.ResponseWriter, r *http.Request) {
	v, name, ok := s.asker(r)
	if !ok {
		answer(w, http.StatusNotFound, "V4 container metadata handler: unable to get container ID from request: "+ // [O]
			"unable to get docker ID from v3 endpoint ID: "+r.PathValue("id"))
		return
	}
	for i := range v.Task.Containers {
		if v.Task.Containers[i].Name == name {
			answer(w, http.StatusOK, showContainer(&v, i))
		}
	}
}

func (s *Server) getTask(w http.ResponseWriter, r *http.Request) {
	v, _, ok := s.asker(r)
	if !ok {
		answer(w, http.StatusNotFound, "V4 task metadata handler: unable to get task arn from request: "+ // [I]
			"unable to get task Arn from v3 endpoint ID: "+r.PathValue("id"))
		return
	}
	answer(w, http.StatusOK, s.showTask(&v))
}

func (s *Server) showTask(v *task.View) taskV4 {
	t := v.Task
	out := taskV4{
		Cluster: t.ClusterArn, TaskARN: t.Arn, Family: t.Family, Revision: t.Version, ServiceName: t.ServiceName,
		DesiredStatus: v.Desired, KnownStatus: task.StatusRunning, ExecutionStoppedAt: v.State.ExecutionStoppedAt,
		AvailabilityZone: s.cfg.Zone, LaunchType: t.LaunchType, FaultInjectionEnabled: t.FaultInjection,
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
		out.Containers = append(out.Containers, showContainer(v, i))
	}
	out.KnownStatus = known(least)
	return out
}

func showContainer(v *task.View, i int) containerV4 {
	t, spec, c := v.Task, &v.Task.Containers[i], &v.State.Containers[i]
	id := task.ID(t.Arn)
	out := containerV4{
		DockerID: task.ContainerID(id, spec.Name), Name: spec.Name, Image: spec.Image, ImageID: c.Digest,
		DockerName:    strings.Join([]string{"ecs", t.Family, t.Version, spec.Name, id}, "-"),
		DesiredStatus: v.Desired, KnownStatus: known(c.Phase), ExitCode: c.ExitCode, Limits: limitsV4[int64]{spec.CPU, spec.Memory},
		StartedAt: c.StartedAt.UTC(), FinishedAt: c.FinishedAt.UTC(), Type: "NORMAL", ContainerARN: spec.Arn,
	}
	var config acs.ContainerConfig
	var host acs.HostConfig
	if json.Unmarshal([]byte(spec.Docker.Config), &config) == nil {
		out.Labels = config.Labels
	}
	if json.Unmarshal([]byte(spec.Docker.HostConfig), &host) == nil {
		out.LogDriver = host.LogConfig.Type
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
		out.Networks = []networkV4{showNetwork(t, &n.Sandbox)}
	}
	return out
}

func showNetwork(t *acs.Task, s *task.Sandbox) networkV4 {
	out := networkV4{NetworkMode: t.NetworkMode}
	if out.NetworkMode == "" {
		out.NetworkMode = "bridge"
	}
	if ip, _, _ := strings.Cut(s.IPv4, "/"); ip != "" {
		out.IPv4Addresses = []string{ip}
	}
	if t.NetworkMode == "awsvpc" {
		out.AttachmentIndex, out.MACAddress, out.Gateway = new(int), s.MAC, s.Gateway
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
