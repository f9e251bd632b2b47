package model

import "strings"

// Container instance statuses (SEMANTICS §3).
const (
	InstanceActive   = "ACTIVE"
	InstanceDraining = "DRAINING"
	InstanceInactive = "INACTIVE"
)

// Instance is a container instance: one node registered to one cluster. What it has left is not stored: it is an
// index over the tasks placed on it. Writers: api/ecs (registration, status, attributes, tags), session (agent
// connection).
type Instance struct {
	Scope
	Cluster      string      `json:"cluster"`
	ID           string      `json:"id"` // 32 hex digits
	EC2ID        string      `json:"ec2Id,omitempty"`
	Status       string      `json:"status"`
	StatusReason string      `json:"statusReason,omitempty"`
	Version      int64       `json:"version"`
	RegisteredAt Millis      `json:"registeredAt"`
	Token        string      `json:"token,omitempty"`   // clientToken of the registration
	NodeKey      string      `json:"nodeKey,omitempty"` // access key of the node that registered last
	Attributes   []Attribute `json:"attributes,omitempty"`
	Resources    Resources   `json:"resources"`
	Tags         []Tag       `json:"tags,omitempty"`

	AgentConnected bool `json:"agentConnected,omitempty"`
	// DisconnectedAt is when the agent that is not connected fell silent; 0 if it is connected, or never was.
	DisconnectedAt Millis `json:"disconnectedAt,omitempty"`
	AgentVersion   string `json:"agentVersion,omitempty"`
	AgentHash      string `json:"agentHash,omitempty"` // of our own agent OwnAgent
	DockerVersion  string `json:"dockerVersion,omitempty"`
	// RuntimeStatus is the agent's own verdict on its container runtime: "", OK, IMPAIRED...
	RuntimeStatus   string `json:"runtimeStatus,omitempty"`
	RuntimeStatusAt Millis `json:"runtimeStatusAt,omitempty"`
}

// OwnAgent is what our own agent says as its hash; the stock Amazon ECS agent says the beginning of a commit's (AGENT-PROTOCOL §1.2).
const OwnAgent = "roadstead"

// Stock reports whether the instance's agent is not ours: what is not of ECS's protocol is nothing to it.
func (i *Instance) Stock() bool { return i.AgentHash != OwnAgent }

// Attribute is a name with an optional value on an instance. Name-only attributes have HasValue false.
type Attribute struct {
	Name     string `json:"n"`
	Value    string `json:"v,omitempty"`
	HasValue bool   `json:"h,omitempty"`
}

// Resources is an amount of what tasks reserve: CPU units (1024 = 1 vCPU), memory MiB, host ports, GPUs by id and
// task network interfaces.
type Resources struct {
	CPU      int64    `json:"cpu,omitempty"`
	Memory   int64    `json:"memory,omitempty"`
	PortsTCP []int32  `json:"tcp,omitempty"`
	PortsUDP []int32  `json:"udp,omitempty"`
	GPUs     []string `json:"gpus,omitempty"`
	ENIs     int32    `json:"enis,omitempty"`
	// Addresses are those of task network interfaces, out of the subnet that an instance registers.
	Addresses []string `json:"addresses,omitempty"`
}

// Key is the instance's row key.
func (i *Instance) Key() string { return InstanceKey(i.Scope, i.Cluster, i.ID) }

// ARN is the instance's Amazon resource name.
func (i *Instance) ARN() string { return InstanceARN(i.Scope, i.Cluster, i.ID) }

// Attribute returns the value of the named attribute.
func (i *Instance) Attribute(name string) (Attribute, bool) {
	for _, a := range i.Attributes {
		if a.Name == name {
			return a, true
		}
	}
	return Attribute{}, false
}

// Zone is the instance's availability zone, "" if it registered none.
func (i *Instance) Zone() string {
	a, _ := i.Attribute("ecs.availability-zone")
	return a.Value
}

// Gone is the stoppedReason of tasks whose instance is gone (SEMANTICS §8.9) [O].
func (i *Instance) Gone() string { return hostGone + i.EC2ID + ") terminated." }

const hostGone = "Host EC2 (instance "

// LostHost reports whether the task ended because its instance is gone, which is no failure of the task.
func (t *Task) LostHost() bool { return strings.HasPrefix(t.StopReason, hostGone) }

// SubnetAttribute is the attribute by which a node says out of which subnet, "10.88.128.0/17", the control plane may give
// addresses to its awsvpc tasks.
const SubnetAttribute = "roadstead.subnet"

// InstanceKey is the row key of an instance.
func InstanceKey(s Scope, cluster, id string) string { return s.Key(cluster, id) }

// InstanceARN is the ARN of an instance.
func InstanceARN(s Scope, cluster, id string) string {
	return s.ARN("ecs", "container-instance/"+cluster+"/"+id)
}
