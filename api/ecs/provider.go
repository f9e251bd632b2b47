package ecs

import (
	"context"
	"slices"

	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// The capacity providers that exist without being created (SEMANTICS §2.2).
const (
	providerFargate     = "FARGATE"
	providerFargateSpot = "FARGATE_SPOT"
)

// putClusterCapacityProviders replaces the providers and the default strategy (SEMANTICS §2.1).
func (a *api) putClusterCapacityProviders(ctx context.Context, in *sdk.PutClusterCapacityProvidersInput) (*sdk.PutClusterCapacityProvidersOutput, error) {
	if err := checkProviders(in.CapacityProviders, in.DefaultCapacityProviderStrategy); err != nil {
		return nil, err
	}
	show := clusterDetail{attachments: true, settings: true, configuration: true}
	c, err := a.changeCluster(ctx, in.Cluster, show, func(tx *state.Tx, c *model.Cluster) error {
		for _, name := range c.CapacityProviders {
			if !slices.Contains(in.CapacityProviders, name) && providerUsed(tx.Tables, c, name) {
				return model.Errorf("ResourceInUseException", "The specified capacity provider is in use and cannot be removed.") // [O]
			}
		}
		c.CapacityProviders, c.DefaultStrategy = in.CapacityProviders, in.DefaultCapacityProviderStrategy
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &sdk.PutClusterCapacityProvidersOutput{Cluster: c}, nil
}

func providerUsed(t *state.Tables, c *model.Cluster, provider string) bool {
	for task := range t.TasksOf(c.Scope, c.Name) {
		if task.CapacityProvider == provider && task.Last != model.TaskStopped {
			return true
		}
	}
	return false
}

// checkProviders checks a cluster's list of providers and its default strategy.
func checkProviders(names []string, strategy []types.CapacityProviderStrategyItem) error {
	if len(names) > 20 { // SEMANTICS §17
		return invalid("A cluster can be associated with at most 20 capacity providers.") // [I]
	}
	for _, name := range names {
		if name != providerFargate && name != providerFargateSpot {
			return invalid("The specified capacity provider '%s' was not found. Specify a valid name or ARN and try again.", name) // [I]
		}
	}
	return checkStrategy(names, strategy)
}

// checkStrategy checks a capacity provider strategy against the providers of its cluster (SEMANTICS §6.1).
func checkStrategy(names []string, strategy []types.CapacityProviderStrategyItem) error {
	if len(strategy) > 20 {
		return invalid("A capacity provider strategy can contain a maximum of 20 capacity providers.") // [D]
	}
	bases, weights := 0, int32(0)
	for _, item := range strategy {
		switch {
		case !slices.Contains(names, value(item.CapacityProvider)):
			return invalid("The specified capacity provider strategy cannot contain a capacity provider that is not associated " +
				"with the cluster. Associate the capacity provider with the cluster and try again.") // [O]
		case item.Weight < 0 || item.Weight > 1000:
			return invalid("The weight of a capacity provider must be between 0 and 1000.") // [I]
		case item.Base < 0 || item.Base > 100000:
			return invalid("The base of a capacity provider must be between 0 and 100000.") // [I]
		}
		weights += item.Weight
		if item.Base > 0 {
			bases++
		}
	}
	switch {
	case bases > 1:
		return invalid("Only one capacity provider in a capacity provider strategy can have a base defined.") // [I]
	case len(strategy) > 1 && weights == 0:
		return invalid("At least one capacity provider in a capacity provider strategy must have a weight greater than 0.") // [I]
	}
	return nil
}

// pickProviders returns the provider of each of count tasks: the base first, then in the proportion of the weights, the
// one furthest behind its share first [D; the order is I].
func pickProviders(strategy []types.CapacityProviderStrategyItem, count int) []string {
	var out []string
	for _, item := range strategy {
		for range min(int(item.Base), count-len(out)) {
			out = append(out, *item.CapacityProvider)
		}
	}
	given := make([]int, len(strategy))
	for len(out) < count {
		best := 0
		for i := range strategy {
			if behind(strategy, given, i, best) {
				best = i
			}
		}
		given[best]++
		out = append(out, *strategy[best].CapacityProvider)
	}
	return out
}

// behind reports whether provider i has had less of its share than provider j.
func behind(strategy []types.CapacityProviderStrategyItem, given []int, i, j int) bool {
	return int(strategy[j].Weight)*(given[i]+1) < int(strategy[i].Weight)*(given[j]+1)
}

// placementOf is how the tasks of a request are to be placed: a launch type, or providers one by one.
type placementOf struct {
	launchType string
	providers  []string // by copy; nil if a launch type was asked for
}

// choosePlacement resolves launchType and capacityProviderStrategy (SEMANTICS §4.1).
func choosePlacement(c *model.Cluster, launchType types.LaunchType, strategy []types.CapacityProviderStrategyItem, count int) (placementOf, error) {
	if launchType != "" && len(strategy) > 0 {
		return placementOf{}, invalid("Specifying both a launch type and capacity provider strategy is not supported. " +
			"Remove one and try again.") // [O]
	}
	if launchType == "" && len(strategy) == 0 {
		strategy = c.DefaultStrategy
	}
	if len(strategy) > 0 {
		if err := checkStrategy(c.CapacityProviders, strategy); err != nil {
			return placementOf{}, err
		}
		return placementOf{string(types.LaunchTypeFargate), pickProviders(strategy, count)}, nil
	}
	switch launchType {
	case "":
		launchType = types.LaunchTypeEc2
	case types.LaunchTypeEc2, types.LaunchTypeFargate, types.LaunchTypeExternal:
	case types.LaunchTypeManagedInstances:
		return placementOf{}, invalid("The launch type MANAGED_INSTANCES is only available through a capacity provider.") // [I]
	default:
		return placementOf{}, invalid("The launch type '%s' is not valid.", launchType) // [I]
	}
	return placementOf{launchType: string(launchType)}, nil
}
