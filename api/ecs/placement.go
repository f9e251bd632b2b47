package ecs

import (
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/definition"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/query"
)

// Limits of placement (SEMANTICS §5) [D].
const (
	maxConstraints = 10 // of a task, those of its definition included
	maxStrategies  = 5
)

// placement is where the tasks of a request may go, and where they should.
type placement struct {
	constraints []model.PlacementConstraint
	strategy    []model.PlacementStrategy
}

// readPlacement checks the constraints and strategies of a request and brings them into their normal form (SEMANTICS §5.2,
// §5.4).
func readPlacement(launchType string, constraints []types.PlacementConstraint, strategies []types.PlacementStrategy) (placement, error) {
	var p placement
	fargate := launchType == string(types.LaunchTypeFargate)
	switch {
	case fargate && len(constraints) > 0:
		return p, invalid("Placement constraints are not supported with FARGATE launch type.") // [O]
	case fargate && len(strategies) > 0:
		return p, invalid("Placement strategies are not supported with FARGATE launch type.") // [O]
	case len(strategies) > maxStrategies:
		return p, invalid("Maximum number of strategies is %d", maxStrategies) // [O]
	}
	for _, c := range constraints {
		row, err := readConstraint(c)
		if err != nil {
			return p, err
		}
		p.constraints = append(p.constraints, row)
	}
	for _, s := range strategies {
		row, err := readStrategyStep(s)
		if err != nil {
			return p, err
		}
		p.strategy = append(p.strategy, row)
	}
	return p, checkConstraintCount(len(p.constraints))
}

func readConstraint(c types.PlacementConstraint) (model.PlacementConstraint, error) {
	switch string(c.Type) {
	case model.ConstraintDistinctInstance:
		if c.Expression != nil { // an empty one, too
			return model.PlacementConstraint{}, invalid("distinctInstance expression should not be specified.") // [O]
		}
	case model.ConstraintMemberOf:
		if what := badExpression(value(c.Expression)); what != "" {
			return model.PlacementConstraint{}, invalid("%s", what)
		}
	default:
		return model.PlacementConstraint{}, invalid("constraint.type '%s' is not supported.", c.Type) // [I: as definitions say it]
	}
	return model.PlacementConstraint{Type: string(c.Type), Expression: value(c.Expression)}, nil
}

// badExpression says what is wrong with the expression of a memberOf constraint, "" if nothing is [I]; that it has to be one
// is [D].
func badExpression(expression string) string {
	if strings.TrimSpace(expression) == "" {
		return "memberOf expression should be specified."
	}
	if _, err := query.Parse(expression); err != nil {
		return "memberOf expression is invalid: " + err.Error() + "."
	}
	return ""
}

func checkConstraintCount(n int) error {
	if n > maxConstraints {
		return invalid("Maximum number of constraints is %d", maxConstraints) // [I: as for strategies]; the limit is [D]
	}
	return nil
}

// readStrategyStep reads one strategy. Fields may be written in capitals or not, but for the names of attributes [I; of
// binpack D].
func readStrategyStep(s types.PlacementStrategy) (model.PlacementStrategy, error) {
	row, field := model.PlacementStrategy{Type: string(s.Type)}, value(s.Field)
	switch row.Type {
	case model.StrategyRandom:
		if field != "" {
			return row, invalid("random strategy field should not be specified.") // [I]; it has none [D]
		}
		return row, nil
	case model.StrategySpread:
		row.Field = spreadField(field)
	case model.StrategyBinpack:
		if upper := strings.ToUpper(field); upper == model.FieldCPU || upper == model.FieldMemory { // [O]
			row.Field = upper
		}
	default:
		return row, invalid("strategy.type '%s' is not supported.", s.Type) // [I]
	}
	switch {
	case field == "":
		return row, invalid("%s strategy field should be specified.", s.Type) // [I]
	case row.Field == "":
		return row, invalid("%s strategy field '%s' is not supported.", s.Type, field) // [I]
	}
	return row, nil
}

// spreadField is the normal form of a field to spread over, "" if it is none.
func spreadField(field string) string {
	if strings.EqualFold(field, model.FieldInstance) || strings.EqualFold(field, "host") { // [O]
		return model.FieldInstance
	}
	if name, ok := strings.CutPrefix(field, model.FieldAttribute); ok && attributeText(name, "_-./\\", 1) {
		return field
	}
	return ""
}

// checkDefinitionConstraints refuses a registration whose constraints nobody could evaluate: what the definition package
// cannot tell.
func checkDefinitionConstraints(spec *types.TaskDefinition) error {
	for _, c := range spec.PlacementConstraints {
		if what := badExpression(value(c.Expression)); what != "" {
			return refused("%s", what)
		}
	}
	return nil
}

// bind makes the plan go where the request and the definition say (SEMANTICS §5): the definition's constraints come first.
func (p *plan) bind(where placement) error {
	all := slices.Concat(definition.Constraints(&p.definition.Spec), where.constraints)
	if err := checkConstraintCount(len(all)); err != nil {
		return err
	}
	p.copy.Constraints, p.copy.Strategy = all, where.strategy
	p.request.Constraints, p.request.Strategy = all, where.strategy
	return nil
}
