package session

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/definition"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// render makes what the task's node is told, encoded: to stop it, or everything needed to run it.
func (s *Sessions) render(t *state.Tables, task *model.Task) ([]byte, roles, error) {
	if task.Desired == model.TaskStopped {
		b, err := json.Marshal(definition.Stop(task.ARN()))
		return b, roles{}, err
	}
	row, err := definitionOf(t, task)
	if err != nil {
		return nil, roles{}, err
	}
	def, err := definition.Effective(row, task)
	if err != nil {
		return nil, roles{}, err
	}
	r, err := s.assume(t, task, def.TaskRoleArn, def.ExecutionRoleArn)
	if err != nil {
		return nil, r, err
	}
	around := definition.Around{
		ClusterARN:    model.ClusterARN(task.Scope, task.Cluster),
		Auth:          s.cfg.RegistryAuth,
		ENIs:          interfaces(task),
		LogMode:       logMode(t, task.Scope),
		NoEndpoint:    noEndpoint(t, task),
		Endpoint:      s.endpoint(t, task),
		Role:          r.own,
		ExecutionRole: r.execution,
	}
	b, err := s.encode(task, row, around)
	return b, r, err
}

// encode is the payload of a task, out of the mould of its kind if it has one.
func (s *Sessions) encode(task *model.Task, row *model.TaskDefinition, a definition.Around) ([]byte, error) {
	kind, ok := definition.KindOf(task)
	if !ok {
		def, err := definition.Effective(row, task)
		if err != nil {
			return nil, err
		}
		p, err := definition.Payload(task, def, a)
		if err != nil {
			return nil, err
		}
		return json.Marshal(p)
	}
	key := mouldKey{Kind: kind, row: row, cluster: a.ClusterARN, logMode: a.LogMode, endpoint: a.Endpoint, alone: a.NoEndpoint, execution: a.ExecutionRole != nil}
	m, err := s.moulds.get(key, func(word string) (*definition.Mould, error) { return definition.NewMould(task, row, a, word) })
	if err != nil {
		return nil, err
	}
	return m.Cast(task, acs.Own{NetworkInterfaces: a.ENIs, RoleCredentials: a.Role, ExecutionRole: a.ExecutionRole})
}

// endpoint is where the task's containers reach this API, "" if their agent or nobody tells them.
func (s *Sessions) endpoint(t *state.Tables, task *model.Task) string {
	i, ok := t.Instances.Get(task.InstanceKey())
	if !ok || !i.Stock() || s.cfg.Endpoint == nil {
		return ""
	}
	return s.cfg.Endpoint()
}

// endpointTag is the tag of a cluster with which it says, by the value "off", that its tasks are not told of AWS_ENDPOINT_URL.
const endpointTag = "roadstead:task-endpoint"

func noEndpoint(t *state.Tables, task *model.Task) bool {
	c, ok := t.Clusters.Get(model.ClusterKey(task.Scope, task.Cluster))
	return ok && slices.ContainsFunc(c.Tags, func(tag model.Tag) bool { return tag.Key == endpointTag && tag.Value == "off" })
}

// logMode is the account's defaultLogDriverMode, "" if nobody has set it.
func logMode(t *state.Tables, s model.Scope) string {
	row, ok := t.AccountSettings.Get(model.AccountSettingKey(s, "defaultLogDriverMode", ""))
	if !ok {
		return ""
	}
	return row.Value
}

// definitionOf is the row of the task's definition.
func definitionOf(t *state.Tables, task *model.Task) (*model.TaskDefinition, error) {
	row, ok := t.Definition(task.Scope, task.Definition)
	if !ok {
		return nil, fmt.Errorf("the definition %s of task %s does not exist", task.Definition, task.ID)
	}
	return row, nil
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
