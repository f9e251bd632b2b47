package simulate

import (
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
)

// order is what an event asks RunTask for.
type order struct {
	kind        *Kind
	count       int
	cluster     string
	group       string
	launch      types.LaunchType
	providers   []types.CapacityProviderStrategyItem
	strategy    []types.PlacementStrategy
	constraints []types.PlacementConstraint
	retry       time.Duration // how often copies without a place are asked for again; 0: never
}

// readRun reads "N FAMILY [in CLUSTER] [group G] [launch EC2|FARGATE|EXTERNAL] [on PROVIDER[:WEIGHT]] [spread zone|host|NAME]
// [binpack cpu|memory] [random] [distinct] [where EXPRESSION] [retry D]", the options in any order.
func readRun(f *File, in *words) (action, error) {
	a := &order{cluster: f.Clusters[0]}
	var err error
	if a.count, a.kind, err = in.some(f); err != nil {
		return nil, err
	}
	if a.count < 0 {
		return nil, fmt.Errorf("expected a number of tasks to run")
	}
	for in.peek() != "" {
		if err := a.option(f, in); err != nil {
			return nil, err
		}
	}
	return func(w *world, o *occasion) { w.runTasks(o, a) }, nil
}

func (a *order) option(f *File, in *words) (err error) {
	word := in.next()
	switch word {
	case "in":
		a.cluster, err = oneOf(f.Clusters...)(in.next())
	case "group":
		a.group = in.next()
	case "launch":
		var launch string
		launch, err = oneOf("EC2", "FARGATE", "EXTERNAL")(in.next())
		a.launch = types.LaunchType(launch)
	case "on":
		err = a.provider(f, in.next())
	case "spread":
		a.prefer(types.PlacementStrategyTypeSpread, spreadField(in.next()))
	case "binpack":
		var field string
		field, err = oneOf("cpu", "memory")(in.next())
		a.prefer(types.PlacementStrategyTypeBinpack, field)
	case "random":
		a.prefer(types.PlacementStrategyTypeRandom, "")
	case "distinct":
		a.constraints = append(a.constraints, types.PlacementConstraint{Type: types.PlacementConstraintTypeDistinctInstance})
	case "where":
		var where string
		where, err = expression(in.next())
		a.constraints = append(a.constraints, types.PlacementConstraint{Type: types.PlacementConstraintTypeMemberOf, Expression: &where})
	case "retry":
		if a.retry, err = duration(in.next()); err == nil && a.retry < time.Second {
			err = fmt.Errorf("expected at least 1s after retry")
		}
	default:
		return fmt.Errorf("%q: expected in, group, launch, on, spread, binpack, random, distinct, where or retry", word)
	}
	return err
}

// provider reads "NAME" or "NAME:WEIGHT".
func (a *order) provider(f *File, s string) error {
	name, weight, has := strings.Cut(s, ":")
	item := types.CapacityProviderStrategyItem{CapacityProvider: &name, Weight: 1}
	if has {
		n, err := whole(weight, 0, 1000)
		if err != nil {
			return err
		}
		item.Weight = int32(n)
	}
	known := []string{model.ProviderFargate, model.ProviderFargateSpot}
	for _, p := range f.Providers {
		known = append(known, p.Name)
	}
	a.providers = append(a.providers, item)
	_, err := oneOf(known...)(name)
	return err
}

// spreadField is the API's name of what tasks are spread over.
func spreadField(s string) string {
	switch s {
	case "zone":
		return model.FieldAttribute + "ecs.availability-zone"
	case "host", model.FieldInstance:
		return model.FieldInstance
	}
	if strings.HasPrefix(s, model.FieldAttribute) {
		return s
	}
	return model.FieldAttribute + s
}

func (a *order) prefer(t types.PlacementStrategyType, field string) {
	s := types.PlacementStrategy{Type: t}
	if field != "" {
		s.Field = &field
	}
	a.strategy = append(a.strategy, s)
}
