package session

import (
	"fmt"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/definition"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// render makes what the task's node is told: to stop it, or everything needed to run it.
func (s *Sessions) render(t *state.Tables, task *model.Task) (acs.Task, error) {
	if task.Desired == model.TaskStopped {
		return definition.Stop(task.ARN()), nil
	}
	def, ok := t.Definition(task.Scope, task.Definition)
	if !ok {
		return acs.Task{}, fmt.Errorf("the definition %s of task %s does not exist", task.Definition, task.ID)
	}
	effective := &def.Spec // Payload only reads it, so a task without overrides needs no copy
	if task.Overrides != nil {
		var err error
		if effective, err = definition.Apply(&def.Spec, task.Overrides); err != nil {
			return acs.Task{}, fmt.Errorf("apply the overrides of task %s: %w", task.ID, err)
		}
	}
	return definition.Payload(task, effective, definition.Around{
		ClusterARN: model.ClusterARN(task.Scope, task.Cluster),
		Auth:       s.cfg.RegistryAuth,
		ENIs:       interfaces(task),
	})
}

// interfaces are the task's own network interfaces as its placement chose them.
func interfaces(task *model.Task) []acs.ENI {
	var out []acs.ENI
	for _, a := range task.Attachments {
		if a.Type != model.AttachmentENI {
			continue
		}
		eni := acs.ENI{AttachmentArn: task.Scope.ARN("ecs", "attachment/"+a.ID), Index: 1, AssociationType: "default"}
		for _, d := range a.Details {
			switch d.Key {
			case "networkInterfaceId":
				eni.EC2ID = d.Value
			case "macAddress":
				eni.MACAddress = d.Value
			case "privateDnsName":
				eni.PrivateDNSName = d.Value
			case "privateIPv4Address":
				eni.IPv4 = []acs.IPAddr{{Primary: true, Address: d.Value}}
			}
		}
		out = append(out, eni)
	}
	return out
}
