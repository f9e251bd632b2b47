package model

import (
	"net"
	"net/netip"
	"slices"
	"strings"
)

// Settle returns the task on the instance that placement chose, with the devices and the address that it gets there (SEMANTICS
// §4.6); subnet is that of its network interface, if it has one. A task that waited, and needs no interface, is PENDING now.
func (t Task) Settle(i *Instance, gpus []string, address, subnet string) Task {
	t.Instance, t.InstanceCluster, t.Zone, t.Reserved.GPUs = i.ID, "", i.Zone(), gpus
	if i.Cluster != t.Cluster {
		t.InstanceCluster = i.Cluster
	}
	if len(t.Attachments) == 0 {
		t.forward(TaskPending)
		return t
	}
	t.Attachments = slices.Clone(t.Attachments)
	eni := &t.Attachments[0]
	eni.Details = []Tag{{Key: "subnetId", Value: subnet}}
	t.Reserved.Addresses = nil
	if address != "" {
		t.Reserved.Addresses = []string{address}
		eni.Details = append(eni.Details, interfaceDetails(eni.ID, address, t.Region)...)
	}
	return t
}

// interfaceDetails are those of the network interface that the node will make (SEMANTICS §13.1): its id follows from the
// attachment's and its MAC address from the IP address, both being unique already.
func interfaceDetails(attachment, ip, region string) []Tag {
	var mac net.HardwareAddr
	if a, err := netip.ParseAddr(ip); err == nil {
		mac = append(net.HardwareAddr{0x0a, 0x58}, a.AsSlice()...)
	}
	return []Tag{
		{Key: "networkInterfaceId", Value: "eni-" + strings.ReplaceAll(attachment, "-", "")[:17]},
		{Key: "macAddress", Value: mac.String()},
		{Key: "privateDnsName", Value: "ip-" + strings.ReplaceAll(ip, ".", "-") + "." + region + ".compute.internal"},
		{Key: "privateIPv4Address", Value: ip},
	}
}

// AttachmentENI is the type of a task's own network interface, as the API spells it (MISSION trap 26).
const AttachmentENI = "ElasticNetworkInterface"

// Copy returns a task like t, which has no place yet, with ids of its own: newID's has 32 hex digits, newUUID's are uuids. One
// with a network interface is PROVISIONING until it is there (SEMANTICS §11.1).
func (t Task) Copy(now Millis, newID, newUUID func() string) Task {
	t.ID, t.CreatedAt = TaskID(now, newID()), now
	t.Containers = slices.Clone(t.Containers)
	for i := range t.Containers {
		t.Containers[i].ID = newUUID()
	}
	if t.Network == "awsvpc" {
		t.Last = TaskProvisioning
		t.Attachments = []Attachment{{ID: newUUID(), Type: AttachmentENI, Status: "PRECREATED"}}
	}
	return t
}
