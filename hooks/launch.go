package hooks

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/roadstead/roadstead/definition"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/scheduler"
	"github.com/roadstead/roadstead/state"
)

// launch starts the task of a task definition that is a hook of the deployment, and returns its id, or "" if there is no room
// for it now. A *model.Error says why there never will be a task. It runs where the service's own tasks run: in its cluster,
// with the launch type and the subnets of the revision that is deployed; but any instance will do.
func (h *Hooks) launch(tx *state.Tx, d *model.Deployment, arn string) (string, error) {
	def, err := definitionOf(tx, d.Scope, arn)
	if err != nil {
		return "", err
	}
	rev, ok := tx.Revisions.Get(d.Key())
	if !ok {
		return "", refuse("The service revision is gone.")
	}
	launchType := launchTypeOf(rev)
	spec := &def.Spec
	reserved := definition.Reserve(spec).GPU
	switch what := definition.Undeliverable(spec); {
	case !compatible(def, launchType):
		return "", refuse("Task definition does not support launch_type " + launchType + ".") // [O]
	case what != "":
		return "", refuse("Roadstead does not serve " + what + " yet.")
	case reserved.Shared > 0:
		return "", refuse("Roadstead does not serve shared GPUs yet.")
	}
	t := definition.NewTask(def, spec, launchType)
	t.Cluster, t.Group, t.StartedBy = d.Cluster, taskGroup+d.Service, d.Name()
	t.PlatformVersion, t.Constraints = deref(rev.Spec.PlatformVersion), definition.Constraints(spec)
	var subnets scheduler.Subnets
	if t.Network == "awsvpc" {
		if subnets, err = h.network(&t, rev); err != nil {
			return "", err
		}
	}
	t = t.Copy(h.now(), h.cfg.NewID, h.cfg.NewUUID)
	req := scheduler.RequestFor(&t, reserved.Devices(), definition.Required(spec, launchType), subnets)
	req.Seed = h.cfg.Seed()
	res := scheduler.Place(scheduler.Head(tx), req)
	if len(res.Placements) == 0 {
		return "", nil
	}
	at := res.Placements[0]
	t = t.Settle(at.Instance, at.GPUs, at.Address, subnets.In(at.Instance.Zone()))
	tx.Tasks.Put(&t)
	return t.ID, nil
}

// network gives the task the network configuration of the service's revision.
func (h *Hooks) network(t *model.Task, rev *model.Revision) (scheduler.Subnets, error) {
	if rev.Spec.NetworkConfiguration == nil || rev.Spec.NetworkConfiguration.AwsvpcConfiguration == nil {
		return nil, refuse("The service has no network configuration for a task definition with networkMode 'awsvpc'.")
	}
	vpc := rev.Spec.NetworkConfiguration.AwsvpcConfiguration
	t.Subnets, t.SecurityGroups = slices.Clone(vpc.Subnets), slices.Clone(vpc.SecurityGroups)
	t.AssignPublicIP = cmp.Or(string(vpc.AssignPublicIp), "DISABLED")
	subnets, missing := scheduler.FindSubnets(t.Scope, t.Subnets, h.cfg.Subnet)
	if missing != "" {
		return nil, refuse("The subnet ID '" + missing + "' does not exist.")
	}
	return subnets, nil
}

// definitionOf returns the task definition with the ARN; without a revision, the newest one that is ACTIVE.
func definitionOf(tx *state.Tx, s model.Scope, arn string) (*model.TaskDefinition, error) {
	parsed, _ := model.ParseARN(arn)
	family, number, numbered := strings.Cut(strings.TrimPrefix(parsed.Tail, "task-definition/"), ":")
	var def *model.TaskDefinition
	if numbered {
		if n, err := strconv.ParseInt(number, 10, 32); err == nil {
			def, _ = tx.Definitions.Get(model.DefinitionKey(s, family, int32(n)))
		}
	} else {
		for d := range tx.DefinitionsOf(s, family) {
			if d.Status == model.DefinitionActive {
				def = d
			}
		}
	}
	switch {
	case def == nil || parsed.Account != s.Account || parsed.Region != s.Region:
		return nil, refuse("TaskDefinition not found.") // [O]
	case def.Status != model.DefinitionActive:
		return nil, refuse("TaskDefinition is inactive.") // [O]
	}
	return def, nil
}

// launchTypeOf is the launch type of the revision's tasks: that of its first capacity provider, if it has a strategy.
func launchTypeOf(rev *model.Revision) string {
	if rev.Spec.LaunchType != "" {
		return string(rev.Spec.LaunchType)
	}
	if s := rev.Spec.CapacityProviderStrategy; len(s) > 0 && strings.HasPrefix(deref(s[0].CapacityProvider), "FARGATE") {
		return "FARGATE"
	}
	return "EC2"
}

func compatible(def *model.TaskDefinition, launchType string) bool {
	for _, c := range def.Spec.Compatibilities {
		if string(c) == launchType {
			return true
		}
	}
	return false
}

func refuse(message string) error { return &model.Error{Code: "ClientException", Message: message} }

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
