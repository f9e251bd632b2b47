package ecs

import (
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/definition"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// settings are the members of CreateService and UpdateService that do not start a deployment; absent ones stay as they are,
// or get AWS's defaults (SEMANTICS §1.2, §8.3).
type settings struct {
	configuration *types.DeploymentConfiguration
	constraints   []types.PlacementConstraint // empty, but not nil: none
	strategy      []types.PlacementStrategy   // likewise
	grace         *int32
	propagate     types.PropagateTags
	managedTags   *bool
	exec          *bool
	rebalancing   types.AvailabilityZoneRebalancing
	version       *string
}

// apply changes the settings of a service whose tasks are of the revision (nil: of none yet) and the launch type.
func (x *settings) apply(t *state.Tables, s *model.Service, rev *model.Revision, launchType string) (err error) {
	fresh := s.Settings.DeploymentConfiguration == nil
	set := &s.Settings
	if set.DeploymentConfiguration, err = configure(s, x.configuration); err != nil {
		return err
	}
	if err := x.place(t, s, rev, launchType); err != nil {
		return err
	}
	switch {
	case x.grace == nil && fresh:
		set.HealthCheckGracePeriodSeconds = new(int32)
	case x.grace != nil && *x.grace < 0:
		return invalid("healthCheckGracePeriodSeconds must be at least 0") // [O]
	case x.grace != nil:
		set.HealthCheckGracePeriodSeconds = x.grace
	}
	if x.propagate != "" && !slices.Contains(x.propagate.Values(), x.propagate) {
		return invalid("propagateTags should be one of [TASK_DEFINITION,SERVICE,NONE]") // [O]
	}
	if x.propagate != "" || fresh {
		set.PropagateTags = x.propagate
		if x.propagate == "" {
			set.PropagateTags = types.PropagateTagsNone // [D]
		}
	}
	if x.managedTags != nil {
		set.EnableECSManagedTags = *x.managedTags
	}
	if x.exec != nil {
		set.EnableExecuteCommand = *x.exec
	}
	switch {
	case launchType != string(types.LaunchTypeFargate):
		set.PlatformVersion = nil
	case value(x.version) != "":
		set.PlatformVersion = x.version
	case set.PlatformVersion == nil:
		set.PlatformVersion = text("LATEST") // [D]
	}
	return x.rebalance(s, launchType, fresh)
}

// place changes constraints and strategy, and checks those that hold now (SEMANTICS §5).
func (x *settings) place(t *state.Tables, s *model.Service, rev *model.Revision, launchType string) error {
	set := &s.Settings
	if x.constraints != nil {
		set.PlacementConstraints = x.constraints
	}
	if x.strategy != nil {
		set.PlacementStrategy = x.strategy
	}
	if s.Scheduling == model.SchedulingDaemon && len(set.PlacementStrategy) > 0 {
		return invalid("The daemon scheduling strategy does not support placement strategies. Remove the placement strategy and try again") // [O]
	}
	where, err := readPlacement(launchType, set.PlacementConstraints, set.PlacementStrategy)
	if err != nil {
		return err
	}
	set.PlacementConstraints, set.PlacementStrategy = constraintViews(where.constraints), strategyViews(where.strategy)
	if rev == nil {
		return nil
	}
	d, ok := findDefinition(t, rev.Scope, parseDefinitionRef(rev.Scope, rev.Definition))
	if !ok {
		return nil
	}
	return checkConstraintCount(len(where.constraints) + len(definition.Constraints(&d.Spec)))
}

func constraintViews(rows []model.PlacementConstraint) []types.PlacementConstraint {
	out := make([]types.PlacementConstraint, len(rows))
	for i, r := range rows {
		out[i] = types.PlacementConstraint{Type: types.PlacementConstraintType(r.Type), Expression: text(r.Expression)}
	}
	return out
}

func strategyViews(rows []model.PlacementStrategy) []types.PlacementStrategy {
	out := make([]types.PlacementStrategy, len(rows))
	for i, r := range rows {
		out[i] = types.PlacementStrategy{Type: types.PlacementStrategyType(r.Type), Field: text(r.Field)}
	}
	return out
}

// rebalance says whether the service's tasks are spread anew over the zones: a new service's are if they can be
// (SEMANTICS §8.10).
func (x *settings) rebalance(s *model.Service, launchType string, fresh bool) error {
	set := &s.Settings
	obstacle := rebalancingObstacle(s, launchType)
	switch x.rebalancing {
	case types.AvailabilityZoneRebalancingEnabled, types.AvailabilityZoneRebalancingDisabled:
		set.AvailabilityZoneRebalancing = x.rebalancing
	case "":
		if fresh {
			set.AvailabilityZoneRebalancing = types.AvailabilityZoneRebalancingEnabled
			if obstacle != "" {
				set.AvailabilityZoneRebalancing = types.AvailabilityZoneRebalancingDisabled
			}
		}
	default:
		return invalid("availabilityZoneRebalancing should be one of [ENABLED,DISABLED]") // [O]
	}
	if set.AvailabilityZoneRebalancing == types.AvailabilityZoneRebalancingEnabled && obstacle != "" {
		return invalid("Availability Zone Rebalancing does not support %s", obstacle)
	}
	return nil
}

// rebalancingObstacle is what keeps a service from being rebalanced, "" if nothing does: rules [D], wordings [I] if not tagged.
func rebalancingObstacle(s *model.Service, launchType string) string {
	set := &s.Settings
	switch {
	case s.Scheduling == model.SchedulingDaemon:
		return "DAEMON services" // [O]
	case s.Controller != model.ControllerECS:
		return "the " + s.Controller + " deployment controller."
	case launchType == string(types.LaunchTypeExternal):
		return "the EXTERNAL launch type."
	case value(set.DeploymentConfiguration.MaximumPercent) <= 100:
		return "maximumPercent <= 100 % as deployment configuration." // [O]
	}
	for _, c := range set.PlacementConstraints {
		if strings.Contains(value(c.Expression), model.FieldAttribute+attrZone) {
			return "attribute:ecs.availability-zone as a placement constraint."
		}
	}
	if len(set.PlacementStrategy) > 0 {
		first := set.PlacementStrategy[0]
		if first.Type != types.PlacementStrategyTypeSpread || value(first.Field) != model.FieldAttribute+attrZone {
			return "a first placement strategy other than a spread over attribute:ecs.availability-zone."
		}
	}
	return ""
}
