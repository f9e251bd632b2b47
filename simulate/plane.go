package simulate

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/controller"
	"github.com/roadstead/roadstead/model"
)

// persist does something that needs a leader, now or as soon as there is one.
func (w *world) persist(what string, do func() error) {
	err := do()
	switch {
	case notLeading(err):
		w.whenLed(func() { w.persist(what, do) })
	case err != nil:
		w.tell("%s: refused: %v", what, err)
	}
}

// whenLed lets a caller whom no leader answered repeat the call when there is one: callers try about every second.
func (w *world) whenLed(do func()) { w.callers = append(w.callers, do) }

// lead begins a term.
func (w *world) lead() error {
	if err := w.db.Lead(w.caller()); err != nil {
		return fmt.Errorf("take the lead: %w", err)
	}
	w.leading = true
	w.terms++
	w.queue = controller.NewQueue(w.loops(), mix(w.file.Seed, uint64(w.terms)))
	w.queue.Begin(w.db.Snapshot().Tables, w.time())
	for _, n := range w.nodes {
		n.silent = w.now
		n.hush()
		n.dial()
	}
	for i, do := range w.callers {
		r := (&occasion{seed: w.file.Seed, event: -2, number: w.terms}).draw(i)
		w.after(time.Duration(r.Int64N(int64(again/time.Millisecond)))*time.Millisecond, do)
	}
	w.callers = nil
	return nil
}

// leaderFails ends the term; another begins after a while.
func (w *world) leaderFails(gone time.Duration) {
	if !w.leading {
		w.tell("the leader fails: there is none")
		return
	}
	w.tell("the leader fails; the next one leads in %v", gone)
	w.leading = false
	w.db.Fail(w.caller())
	for _, n := range w.nodes {
		n.connected = false
	}
	w.after(gone, func() {
		if err := w.lead(); err != nil {
			w.violate("%v", err)
			return
		}
		w.tell("another leader has the lead, in term %d", w.terms)
	})
}

// found makes everything that is there before the first event.
func (w *world) found() error {
	f := w.file
	for i := range f.Nodes {
		for _, z := range f.Nodes[i].Zones {
			if s := "subnet-" + z; !slices.Contains(w.subnets, s) {
				w.subnets = append(w.subnets, s)
			}
		}
	}
	names := []string{model.ProviderFargate, model.ProviderFargateSpot}
	for i := range f.Providers {
		p := &f.Providers[i]
		names = append(names, p.Name)
		if err := w.provide(p); err != nil {
			return fmt.Errorf("provider %s: %w", p.Name, err)
		}
	}
	for i := range f.Clusters {
		in := &sdk.CreateClusterInput{ClusterName: &f.Clusters[i], CapacityProviders: names}
		if _, err := invoke[sdk.CreateClusterOutput](w, "CreateCluster", in); err != nil {
			return fmt.Errorf("cluster %s: %w", f.Clusters[i], err)
		}
	}
	for i := range f.Tasks {
		k := &f.Tasks[i]
		if _, err := invoke[sdk.RegisterTaskDefinitionOutput](w, "RegisterTaskDefinition", k.definition()); err != nil {
			return fmt.Errorf("tasks %s: %w", k.Name, err)
		}
	}
	for i := range f.Nodes {
		if g := &f.Nodes[i]; g.Count > 0 {
			w.join(g, g.Count)
		}
	}
	for i := range f.Services {
		if err := w.createService(&f.Services[i]); err != nil {
			return fmt.Errorf("service %s: %w", f.Services[i].Name, err)
		}
	}
	return nil
}

func (w *world) provide(p *Provider) error {
	status := types.ManagedScalingStatusDisabled
	if p.Waits {
		status = types.ManagedScalingStatusEnabled
	}
	_, err := invoke[sdk.CreateCapacityProviderOutput](w, "CreateCapacityProvider", &sdk.CreateCapacityProviderInput{
		Name: &p.Name, AutoScalingGroupProvider: &types.AutoScalingGroupProvider{AutoScalingGroupArn: &p.Pool,
			ManagedScaling: &types.ManagedScaling{Status: status}},
	})
	return err
}

// definition is the task definition that stands for the kind.
func (k *Kind) definition() *sdk.RegisterTaskDefinitionInput {
	c := types.ContainerDefinition{Name: &k.Name, Image: new("simulated"), Essential: new(true), Cpu: int32(k.CPU), Memory: new(int32(k.Memory))}
	for _, p := range k.Ports {
		m := types.PortMapping{ContainerPort: new(p.number), HostPort: new(p.number), Protocol: types.TransportProtocolTcp}
		if p.udp {
			m.Protocol = types.TransportProtocolUdp
		}
		c.PortMappings = append(c.PortMappings, m)
	}
	if k.GPUs > 0 {
		c.ResourceRequirements = []types.ResourceRequirement{{Type: types.ResourceTypeGpu, Value: new(strconv.Itoa(k.GPUs))}}
	}
	in := &sdk.RegisterTaskDefinitionInput{Family: &k.Name, NetworkMode: types.NetworkMode(k.Network), ContainerDefinitions: []types.ContainerDefinition{c}}
	if k.Network == "awsvpc" && k.CPU >= 128 { // so that it fits FARGATE if its size does
		in.Cpu, in.Memory = new(strconv.FormatInt(k.CPU, 10)), new(strconv.FormatInt(k.Memory, 10))
	}
	for i := range k.Constraints {
		in.PlacementConstraints = append(in.PlacementConstraints,
			types.TaskDefinitionPlacementConstraint{Type: types.TaskDefinitionPlacementConstraintTypeMemberOf, Expression: &k.Constraints[i]})
	}
	return in
}

// stopTasks stops tasks of a kind that were not told to before, the oldest first; all if count is less than 0.
func (w *world) stopTasks(o *occasion, count int, k *Kind) {
	w.persist(o.text, func() error {
		var jobs []*job
		snap := w.db.Snapshot()
		for key, j := range w.jobs {
			if t, ok := snap.Tasks.Get(key); ok && j.kind == k && t.Desired != model.TaskStopped {
				jobs = append(jobs, j)
			}
		}
		slices.SortFunc(jobs, func(a, b *job) int { return a.number - b.number })
		if count >= 0 {
			jobs = jobs[:min(count, len(jobs))]
		}
		for n, j := range jobs {
			parts := strings.Split(j.key, "/")
			in := &sdk.StopTaskInput{Cluster: &parts[len(parts)-2], Task: &parts[len(parts)-1], Reason: &o.text}
			if _, err := invoke[sdk.StopTaskOutput](w, "StopTask", in); err != nil {
				if n > 0 && notLeading(err) { // cannot be: nothing happens meanwhile
					w.violate("%s: %v after %d tasks", o.text, err, n)
				}
				return err
			}
		}
		w.write(!o.often, "%s: %s told to stop", o.text, amount(len(jobs), "task is", "tasks are"))
		return nil
	})
}
