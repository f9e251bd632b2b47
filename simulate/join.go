package simulate

import (
	"fmt"

	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
)

// join makes nodes of the group.
func (w *world) join(g *Group, count int) {
	for range count {
		w.counts[g]++
		number := w.counts[g]
		n := &node{w: w, number: number, name: fmt.Sprintf("%s%d", g.Name, number), group: g, zone: g.Zones[(number-1)%len(g.Zones)],
			up: true, tasks: map[string]*local{}, ledger: ledger{gave: gauge{width: w.width}}}
		w.persist(n.name, func() error { return w.register(n) })
	}
	w.tell("%s: %d CPU units and %d MiB each", amount(count, "node of "+g.Name+" joins", "nodes of "+g.Name+" join"), g.CPU, g.Memory)
}

// register makes the node a container instance.
func (w *world) register(n *node) error {
	out, err := invoke[sdk.RegisterContainerInstanceOutput](w, "RegisterContainerInstance", n.registration())
	if err != nil {
		return err
	}
	n.arn = *out.ContainerInstance.ContainerInstanceArn
	n.key = model.InstanceKey(home(), n.group.Cluster, n.arn[len(n.arn)-32:])
	n.order = len(w.nodes)
	w.nodes, w.node[n.key] = append(w.nodes, n), n
	n.connect()
	return nil
}

// registration is what the node says of itself, in our agent's words.
func (n *node) registration() *sdk.RegisterContainerInstanceInput {
	g := n.group
	in := &sdk.RegisterContainerInstanceInput{
		Cluster: &g.Cluster, VersionInfo: &types.VersionInfo{AgentVersion: new("1.0.0"), DockerVersion: new("simulated")},
		TotalResources: []types.Resource{
			{Name: new("CPU"), Type: new("INTEGER"), IntegerValue: int32(g.CPU)},
			{Name: new("MEMORY"), Type: new("INTEGER"), IntegerValue: int32(g.Memory)},
			{Name: new("PORTS"), Type: new("STRINGSET"), StringSetValue: []string{"22", "2375", "2376", "51678", "51679", "51680"}},
			{Name: new("PORTS_UDP"), Type: new("STRINGSET"), StringSetValue: []string{}},
		},
	}
	for i := range g.GPUs {
		in.PlatformDevices = append(in.PlatformDevices, types.PlatformDevice{Id: new(fmt.Sprintf("gpu-%s-%d", n.name, i)), Type: types.PlatformDeviceTypeGpu})
	}
	add := func(name string, value *string) {
		in.Attributes = append(in.Attributes, types.Attribute{Name: &name, Value: value})
	}
	add("ecs.availability-zone", &n.zone)
	add("ecs.os-type", new("linux"))
	add("ecs.cpu-architecture", new("x86_64"))
	add("roadstead.node", &n.name)
	for _, capability := range []string{"ecs.capability.task-eni", "ecs.capability.external", "com.amazonaws.ecs.capability.docker-remote-api.1.18"} {
		add(capability, nil)
	}
	if g.Pool != "" {
		add(model.PoolAttribute, &g.Pool)
	}
	if g.Pool == model.FargatePool {
		add(model.FargateAttribute, nil)
	}
	for _, a := range g.Attributes {
		add(a.Name, &a.Value)
	}
	return in
}
