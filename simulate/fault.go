package simulate

import (
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// kill takes the power from a node. Nobody sees how its tasks end.
func (w *world) kill(n *node) {
	if n.left || !n.up {
		w.log("%s cannot die: it is not running", n.name)
		return
	}
	w.tell("%s dies with %s", n.name, amount(len(n.tasks), "task", "tasks"))
	n.up = false
	n.hangUp()
	n.vanish()
}

// restart gives it back.
func (w *world) restart(n *node) {
	if n.left || n.up {
		w.log("%s does not return: it is running or deregistered", n.name)
		return
	}
	w.tell("%s returns", n.name)
	n.up = true
	n.dial()
}

// cut separates a node from the control plane; its tasks go on.
func (w *world) cut(n *node) {
	if n.left || n.cut {
		w.log("%s is partitioned already, or deregistered", n.name)
		return
	}
	w.tell("%s is partitioned with %s", n.name, amount(len(n.tasks), "task", "tasks"))
	n.cut = true
	n.hangUp()
}

// heal joins it again.
func (w *world) heal(n *node) {
	if n.left || !n.cut {
		w.log("%s is not partitioned", n.name)
		return
	}
	w.tell("%s can be reached again", n.name)
	n.cut = false
	n.dial()
}

func (w *world) drain(n *node)   { w.setStatus(n, types.ContainerInstanceStatusDraining) }
func (w *world) undrain(n *node) { w.setStatus(n, types.ContainerInstanceStatusActive) }

// setStatus drains a node, or takes it back.
func (w *world) setStatus(n *node, s types.ContainerInstanceStatus) {
	what := n.name + " is set " + string(s)
	w.persist(what, func() error {
		out, err := invoke[sdk.UpdateContainerInstancesStateOutput](w, "UpdateContainerInstancesState", &sdk.UpdateContainerInstancesStateInput{
			Cluster: &n.group.Cluster, ContainerInstances: []string{n.arn}, Status: s})
		if err != nil {
			return err
		}
		if len(out.Failures) > 0 {
			w.tell("%s: %s", what, w.explain(out.Failures))
			return nil
		}
		w.tell("%s with %s", what, amount(len(n.tasks), "task", "tasks"))
		return nil
	})
}

// deregister takes a node out of its cluster for good, whatever it runs.
func (w *world) deregister(n *node) {
	what := n.name + " is deregistered"
	w.persist(what, func() error {
		if n.left {
			return nil
		}
		had := len(n.tasks)
		if _, err := invoke[sdk.DeregisterContainerInstanceOutput](w, "DeregisterContainerInstance", &sdk.DeregisterContainerInstanceInput{
			Cluster: &n.group.Cluster, ContainerInstance: &n.arn, Force: new(true)}); err != nil {
			return err
		}
		w.tell("%s with %s", what, amount(had, "task", "tasks"))
		n.left, n.connected = true, false
		n.vanish()
		clear(n.tasks)
		n.owed = nil
		return nil
	})
}
