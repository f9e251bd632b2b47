package ecs

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/definition"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/scheduler"
	"github.com/roadstead/roadstead/state"
)

// order is what RunTask and StartTask have in common.
type order struct {
	definition  *string
	overrides   *types.TaskOverride
	network     *types.NetworkConfiguration
	volumes     []types.TaskVolumeConfiguration
	group       *string
	startedBy   *string
	tags        []types.Tag
	propagate   types.PropagateTags
	managedTags bool
	exec        bool
}

// plan is an order made ready: everything that does not depend on where the copies go. It is made outside the
// transaction, which must be short.
type plan struct {
	cluster    *model.Cluster
	definition *model.TaskDefinition
	copy       model.Task // what all copies have in common
	request    scheduler.Request
	subnets    scheduler.Subnets
}

// newPlan checks an order against a snapshot (SEMANTICS §2.5, §4, §12).
func (a *api) newPlan(t *state.Tables, c *model.Cluster, o *order, launchType string) (*plan, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	d, err := usableDefinition(t, c.Scope, parseDefinitionRef(c.Scope, value(o.definition)))
	if err != nil {
		return nil, err
	}
	if !slices.Contains(d.Spec.Compatibilities, types.Compatibility(launchType)) {
		return nil, invalid("Task definition does not support launch_type %s.", launchType) // [O]
	}
	spec := &d.Spec
	if o.overrides != nil {
		if spec, err = applied(spec, o.overrides, launchType); err != nil {
			return nil, err
		}
	}
	if what := definition.Undeliverable(spec); what != "" {
		return nil, unsupported("Roadstead does not serve %s yet.", what)
	}
	for _, role := range []*string{spec.TaskRoleArn, spec.ExecutionRoleArn} {
		if reason := a.wideRole(t, value(role)); a.DenyWide && reason != "" {
			return nil, errWide(reason)
		}
		if value(role) != "" && a.Trusts != nil && !a.Trusts(t, c, *role) {
			return nil, model.Errorf("ClientException", "%s", definition.Unassumable(*role)) // [O]
		}
	}
	tags, err := o.allTags(c, d)
	if err != nil {
		return nil, err
	}
	gpu := definition.Reserve(spec).GPU
	if gpu.Shared > 0 {
		return nil, unsupported("Roadstead does not serve shared GPUs yet.")
	}
	p := &plan{cluster: c, definition: d, copy: definition.NewTask(d, spec, launchType)}
	p.copy.Cluster, p.copy.Group, p.copy.StartedBy = c.Name, cmp.Or(value(o.group), "family:"+d.Family), value(o.startedBy)
	p.copy.PropagateTags, p.copy.EnableManagedTags, p.copy.Tags = string(o.propagate), o.managedTags, tags
	p.copy.ExecEnabled, p.copy.Overrides = o.exec, o.overrides
	if err := a.planNetwork(p, o.network); err != nil {
		return nil, err
	}
	p.request = scheduler.RequestFor(&p.copy, gpu.Devices(), definition.Required(spec, launchType), p.subnets)
	p.request.Seed = a.Seed()
	return p, nil
}

// applied returns the definition with the overrides of a launch.
func applied(spec *types.TaskDefinition, overrides *types.TaskOverride, launchType string) (*types.TaskDefinition, error) {
	out, err := definition.Apply(spec, overrides)
	if err == nil && launchType == string(types.LaunchTypeFargate) {
		var e *model.Error
		if err = definition.CheckFargate(out); errors.As(err, &e) { // in a launch it is a parameter that is wrong [I]
			return nil, invalid("%s", e.Message)
		}
	}
	return out, err
}

// check looks at the members of an order that need no other row.
func (o *order) check() error {
	switch {
	case len(o.volumes) > 0:
		return unsupported("Roadstead does not serve volumes configured at launch yet.")
	case o.propagate == types.PropagateTagsService:
		return invalid("The propagateTags value SERVICE is only valid for tasks of a service.") // [I]; refused [O] (SEMANTICS §12)
	case o.propagate != "" && o.propagate != types.PropagateTagsNone && o.propagate != types.PropagateTagsTaskDefinition:
		return invalid("Invalid propagateTags value '%s'.", o.propagate) // [I]
	case strings.HasPrefix(value(o.group), "service:"):
		return invalid("The task group must not begin with 'service:'.") // [I]: those are the services' own
	}
	if err := checkLength("startedBy", o.startedBy, 128); err != nil {
		return err
	}
	return checkLength("group", o.group, 255)
}

// allTags are the user's tags of a task and those it gets from elsewhere: the user's win (SEMANTICS §16).
func (o *order) allTags(c *model.Cluster, d *model.TaskDefinition) ([]model.Tag, error) {
	tags, err := readTags(o.tags)
	if err != nil {
		return nil, err
	}
	if o.propagate == types.PropagateTagsTaskDefinition {
		tags = model.MergeTags(d.Tags, tags)
	}
	if o.managedTags {
		tags = append(slices.Clip(tags), model.Tag{Key: model.TagClusterName, Value: c.Name})
	}
	return tags, checkTagCount(tags)
}

// usableDefinition returns the definition that new tasks may use (SEMANTICS §2.4).
func usableDefinition(t *state.Tables, s model.Scope, ref definitionRef) (*model.TaskDefinition, error) {
	d, ok := findDefinition(t, s, ref)
	switch {
	case !ok:
		return nil, refused("TaskDefinition not found.") // [O]
	case d.Status != model.DefinitionActive:
		return nil, refused("TaskDefinition is inactive") // [O]
	}
	return d, nil
}

// valid reports inside the transaction whether what the plan was made of still holds.
func (p *plan) valid(tx *state.Tx) error {
	if c, ok := tx.Clusters.Get(p.cluster.Key()); !ok || c.Status == model.ClusterInactive {
		return errClusterInactive()
	}
	_, err := usableDefinition(tx.Tables, p.definition.Scope, definitionRef{p.definition.Family, p.definition.Revision})
	return err
}

// copies returns n tasks that only lack a place.
func (a *api) copies(p *plan, n int) []model.Task {
	now := a.nowMillis()
	out := make([]model.Task, n)
	for i := range out {
		out[i] = p.copy.Copy(now, a.NewID, a.NewUUID)
	}
	return out
}

// settle returns the copy in its place.
func (p *plan) settle(t model.Task, at scheduler.Placement) model.Task {
	return t.Settle(at.Instance, at.GPUs, at.Address, p.subnets.In(at.Instance.Zone()))
}
