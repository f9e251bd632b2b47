package ecs

import (
	"context"
	"slices"

	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/scheduler"
	"github.com/roadstead/roadstead/state"
)

// putClusterCapacityProviders replaces the providers and the default strategy (SEMANTICS §2.1).
func (a *api) putClusterCapacityProviders(ctx context.Context, in *sdk.PutClusterCapacityProvidersInput) (*sdk.PutClusterCapacityProvidersOutput, error) {
	show := clusterDetail{attachments: true, settings: true, configuration: true}
	c, err := a.changeCluster(ctx, in.Cluster, show, func(tx *state.Tx, c *model.Cluster) error {
		had := c.CapacityProviders
		if err := a.associate(tx.Tables, c, in.CapacityProviders, in.DefaultCapacityProviderStrategy); err != nil {
			return err
		}
		for _, name := range had {
			if !associated(c, name) && providerUsed(tx.Tables, c, name) {
				return model.Errorf("ResourceInUseException", "The specified capacity provider is in use and cannot be removed.") // [O]
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &sdk.PutClusterCapacityProvidersOutput{Cluster: c}, nil
}

// associated reports whether the cluster may use the provider.
func associated(c *model.Cluster, provider string) bool {
	return slices.Contains(c.CapacityProviders, provider)
}

// providerUsed reports whether a task of the cluster, or what a service of it runs, has its capacity from the provider.
func providerUsed(t *state.Tables, c *model.Cluster, provider string) bool {
	for task := range t.TasksOf(c.Scope, c.Name) {
		if task.CapacityProvider == provider && task.Last != model.TaskStopped {
			return true
		}
	}
	for s := range t.ServicesOf(c.Scope, c.Name) {
		for r := range runningRevisions(t, s) {
			if slices.ContainsFunc(r.Spec.CapacityProviderStrategy, func(item types.CapacityProviderStrategyItem) bool {
				return value(item.CapacityProvider) == provider
			}) {
				return true
			}
		}
	}
	return false
}

// associate gives the cluster a list of providers, by name or ARN, and a default strategy.
func (a *api) associate(t *state.Tables, c *model.Cluster, refs []string, strategy []types.CapacityProviderStrategyItem) error {
	if len(refs) > a.Limits.ClusterProviders { // SEMANTICS §17
		return invalid("The maximum number of capacity providers per cluster has been exceeded.") // [O]
	}
	c.CapacityProviders, c.DefaultStrategy = nil, nil
	for _, ref := range refs {
		p, ok := findProvider(t, c.Scope, ref)
		if !ok || p.Status != model.ProviderActive || p.Cluster != "" && p.Cluster != c.Name {
			return invalid("The specified capacity provider '%s' was not found. Specify a valid name or ARN and try again.", ref) // [I]
		}
		c.CapacityProviders = append(c.CapacityProviders, p.Name)
	}
	chosen, err := readStrategy(t, c, strategy)
	c.DefaultStrategy = chosen.items
	return err
}

// strategy is a capacity provider strategy that may be used in its cluster.
type strategy struct {
	items      []types.CapacityProviderStrategyItem // with names for ARNs
	launchType types.LaunchType                     // of all the providers; "" if there are none
}

// readStrategy checks a strategy against the providers of its cluster (SEMANTICS §6.1).
func readStrategy(t *state.Tables, c *model.Cluster, items []types.CapacityProviderStrategyItem) (strategy, error) {
	out := strategy{items: slices.Clone(items)}
	if len(items) > 20 {
		return out, invalid("A capacity provider strategy can contain a maximum of 20 capacity providers.") // [D]
	}
	for i := range out.items {
		item := &out.items[i]
		p, ok := findProvider(t, c.Scope, value(item.CapacityProvider))
		if !ok || p.Status != model.ProviderActive || !associated(c, p.Name) {
			return out, errNotAssociated()
		}
		item.CapacityProvider = &p.Name
		if i > 0 && p.LaunchType() != out.launchType {
			return out, invalid("A capacity provider strategy cannot contain a mix of capacity providers using Auto Scaling groups and " +
				"Fargate providers. Specify one or the other and try again.") // [O]; for managed instances [I]
		}
		out.launchType = p.LaunchType()
	}
	return out, checkShares(out.items)
}

func errNotAssociated() error {
	return invalid("The specified capacity provider strategy cannot contain a capacity provider that is not associated " +
		"with the cluster. Associate the capacity provider with the cluster and try again.") // [O]
}

// checkShares checks bases and weights (SEMANTICS §6.1).
func checkShares(items []types.CapacityProviderStrategyItem) error {
	bases, weights := 0, int32(0)
	for _, item := range items {
		switch {
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
	case len(items) > 1 && weights == 0:
		return invalid("At least one capacity provider in a capacity provider strategy must have a weight greater than 0.") // [I]
	}
	return nil
}

// pickProviders returns the provider of each of count tasks of one call: those of earlier calls do not count (SEMANTICS §6.2).
func pickProviders(items []types.CapacityProviderStrategyItem, count int) []string {
	shares := make([]scheduler.ProviderShare, len(items))
	for i, item := range items {
		shares[i] = scheduler.ProviderShare{Provider: *item.CapacityProvider, Base: int(item.Base), Weight: int(item.Weight)}
	}
	return scheduler.Distribute(shares, nil, count)
}

// placementOf is how the tasks of a request are to be placed: a launch type, or providers one by one.
type placementOf struct {
	launchType string
	providers  []string // by copy; nil if a launch type was asked for
}

// choosePlacement resolves launchType and capacityProviderStrategy (SEMANTICS §4.1).
func choosePlacement(t *state.Tables, c *model.Cluster, launchType types.LaunchType, items []types.CapacityProviderStrategyItem, count int) (placementOf, error) {
	if launchType != "" && len(items) > 0 {
		return placementOf{}, invalid("Specifying both a launch type and capacity provider strategy is not supported. " +
			"Remove one and try again.") // [O]
	}
	if launchType == "" && len(items) == 0 {
		items = c.DefaultStrategy
	}
	if len(items) > 0 {
		s, err := readStrategy(t, c, items)
		if err != nil {
			return placementOf{}, err
		}
		return placementOf{string(s.launchType), pickProviders(s.items, count)}, nil
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
