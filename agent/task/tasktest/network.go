package tasktest

import (
	"cmp"
	"context"
	"fmt"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/task"
)

// Network is the fake network of one Machine.
type Network struct{ m *machine }

var _ task.Network = (*Network)(nil)

// firstDynamicPort is where dynamic host ports begin.
const firstDynamicPort = 32768

// Setup makes the sandbox, with an address of its own in modes bridge and awsvpc.
func (w *Network) Setup(ctx context.Context, req task.SandboxRequest) (task.Sandbox, error) {
	var sb task.Sandbox
	err := w.m.do(ctx, "setup", sandboxKey(req.TaskID, req.Container), func(n *Node) error {
		var err error
		sb, err = n.setup(req)
		return err
	})
	return sb, err
}

func (n *Node) setup(req task.SandboxRequest) (task.Sandbox, error) {
	key := sandboxKey(req.TaskID, req.Container)
	if sb, ok := n.sandboxes[key]; ok {
		return sb, nil
	}
	sb := task.Sandbox{TaskID: req.TaskID, Container: req.Container, Mode: req.Mode}
	switch req.Mode {
	case "none":
		return sb, nil
	case "host":
		for _, p := range req.Ports {
			sb.Bindings = append(sb.Bindings, binding(p, p.ContainerPort))
		}
		return sb, nil
	}
	n.addresses++
	sb.Path = "/run/netns/" + key
	sb.IPv4 = fmt.Sprintf("172.17.%d.%d/16", n.addresses/250, n.addresses%250+2)
	sb.MAC, sb.Gateway = fmt.Sprintf("02:42:ac:11:%02x:%02x", n.addresses/250, n.addresses%250+2), "172.17.0.1"
	if req.Mode == "awsvpc" {
		if req.ENI != nil && len(req.ENI.IPv4) > 0 {
			sb.IPv4, sb.MAC, sb.Gateway = req.ENI.IPv4[0].Address, req.ENI.MACAddress, req.ENI.GatewayIPv4
		}
		n.sandboxes[key] = sb
		return sb, nil
	}
	for _, p := range req.Ports {
		host := p.HostPort
		for next := int32(firstDynamicPort); host == 0; next++ {
			if !n.ports[next] {
				host = next
			}
		}
		if n.ports[host] {
			for _, b := range sb.Bindings {
				delete(n.ports, b.HostPort)
			}
			return task.Sandbox{}, &task.Failure{
				Name: "ContainerNetworkingError", Err: fmt.Errorf("host port %d is taken", host),
			}
		}
		n.ports[host] = true
		sb.Bindings = append(sb.Bindings, binding(p, host))
	}
	n.sandboxes[key] = sb
	return sb, nil
}

func binding(p acs.PortMapping, host int32) task.Binding {
	return task.Binding{
		BindIP: "0.0.0.0", ContainerPort: p.ContainerPort, HostPort: host, Protocol: cmp.Or(p.Protocol, "tcp"),
	}
}

// Release removes the sandbox and frees its ports.
func (w *Network) Release(ctx context.Context, taskID, container string) error {
	key := sandboxKey(taskID, container)
	return w.m.do(ctx, "release", key, func(n *Node) error {
		for _, b := range n.sandboxes[key].Bindings {
			delete(n.ports, b.HostPort)
		}
		delete(n.sandboxes, key)
		return nil
	})
}

// List shows the sandboxes of the node.
func (w *Network) List(ctx context.Context) ([]task.Sandbox, error) {
	var out []task.Sandbox
	err := w.m.do(ctx, "list", "", func(n *Node) error {
		for _, key := range sortedKeys(n.sandboxes) {
			out = append(out, n.sandboxes[key])
		}
		return nil
	})
	return out, err
}

func sandboxKey(taskID, container string) string { return taskID + "/" + container }
