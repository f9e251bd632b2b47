package ecs

import (
	"context"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// createCapacityProvider makes a provider of an Auto Scaling group, or of managed instances of one cluster (SEMANTICS
// §2.2). The group need not exist: its name is that of a pool, which nodes join.
func (a *api) createCapacityProvider(ctx context.Context, in *sdk.CreateCapacityProviderInput) (*sdk.CreateCapacityProviderOutput, error) {
	who, err := principal(ctx)
	if err != nil {
		return nil, err
	}
	row := &model.CapacityProvider{Scope: who.Scope(), Name: value(in.Name), Status: model.ProviderActive}
	if err := checkProviderName(row.Name); err != nil {
		return nil, err
	}
	if (in.AutoScalingGroupProvider == nil) == (in.ManagedInstancesProvider == nil) {
		return nil, invalid("Exactly one of autoScalingGroupProvider and managedInstancesProvider must be specified.") // [I]; the rule is [D]
	}
	if row.Tags, err = readTags(in.Tags); err != nil {
		return nil, err
	}
	if in.AutoScalingGroupProvider != nil {
		row.Group, err = newGroupProvider(in.AutoScalingGroupProvider, in.Cluster)
	} else {
		row.UpdateStatus = string(types.CapacityProviderUpdateStatusCreateComplete)
		row.Managed, err = newManagedProvider(in.ManagedInstancesProvider, in.Cluster)
	}
	if err != nil {
		return nil, err
	}
	err = a.DB.Update(ctx, func(tx *state.Tx) error {
		fresh := *row
		if err := a.enterProvider(tx, &fresh, in.Cluster); err != nil {
			return err
		}
		tx.Providers.Put(&fresh)
		row = &fresh
		return nil
	})
	if err != nil {
		return nil, err
	}
	v := viewProvider(row, true)
	return &sdk.CreateCapacityProviderOutput{CapacityProvider: &v}, nil
}

// checkProviderName: the prefixes are reserved in any case (SEMANTICS §2.2) [O].
func checkProviderName(name string) error {
	ok := validName(name)
	for _, prefix := range []string{"aws", "ecs", "fargate"} {
		ok = ok && !strings.HasPrefix(strings.ToLower(name), prefix)
	}
	if !ok {
		return refused(`The specified capacity provider name is invalid. Up to 255 characters are allowed, including letters ` +
			`(upper and lowercase), numbers, underscores, and hyphens. The name cannot be prefixed with "aws", "ecs", or "fargate". ` +
			`Specify a valid name and try again.`) // [O]
	}
	return nil
}

// enterProvider checks a new provider against the others, and finds its cluster.
func (a *api) enterProvider(tx *state.Tx, p *model.CapacityProvider, cluster *string) error {
	if old, ok := tx.Providers.Get(p.Key()); ok && old.Status == model.ProviderActive {
		return refused("The specified capacity provider already exists. To change the configuration of an existing capacity provider, " +
			"update the capacity provider.") // [O]
	}
	if p.Managed != nil {
		c, err := activeCluster(tx.Tables, p.Scope, cluster)
		if err != nil {
			return err
		}
		p.Cluster = c.Name
		if managedIn(tx.Tables, c) >= a.Limits.ClusterProviders {
			return model.Errorf("LimitExceededException", "The limit for the resource was exceeded.") // [D, the sentence]
		}
		return nil
	}
	for o := range tx.Providers.Prefix(p.Scope.Key("")) {
		if o.Status == model.ProviderActive && o.Group != nil && o.Pool() == p.Pool() {
			return refused("The specified Auto Scaling group ARN is already being used by another capacity provider. Specify a unique " +
				"Auto Scaling group ARN and try again.") // [O]
		}
	}
	return nil
}

// managedIn counts the managed-instances providers of the cluster.
func managedIn(t *state.Tables, c *model.Cluster) (n int) {
	for p := range t.Providers.Prefix(c.Scope.Key("")) {
		if p.Status == model.ProviderActive && p.Cluster == c.Name {
			n++
		}
	}
	return n
}

// updateCapacityProvider changes what is given (SEMANTICS §1.2, §2.2): it is done at once, but shown under way as AWS does.
func (a *api) updateCapacityProvider(ctx context.Context, in *sdk.UpdateCapacityProviderInput) (*sdk.UpdateCapacityProviderOutput, error) {
	if (in.AutoScalingGroupProvider == nil) == (in.ManagedInstancesProvider == nil) {
		return nil, invalid("Exactly one of autoScalingGroupProvider and managedInstancesProvider must be specified.") // [I]
	}
	row, err := a.changeProvider(ctx, in.Name, in.Cluster, func(_ *state.Tx, p *model.CapacityProvider) (err error) {
		switch {
		case (in.AutoScalingGroupProvider == nil) != (p.Group == nil):
			return invalid("The type of a capacity provider can't be changed.") // [I]
		case p.Group != nil:
			p.Group, err = updatedGroup(*p.Group, in.AutoScalingGroupProvider)
		default:
			p.Managed, err = updatedManaged(*p.Managed, in.ManagedInstancesProvider)
		}
		p.UpdateStatus, p.UpdateReason = string(types.CapacityProviderUpdateStatusUpdateComplete), ""
		return err
	})
	if err != nil {
		return nil, err
	}
	v := viewProvider(row, true)
	v.UpdateStatus = types.CapacityProviderUpdateStatusUpdateInProgress
	return &sdk.UpdateCapacityProviderOutput{CapacityProvider: &v}, nil
}

// deleteCapacityProvider deletes a provider that no cluster has; of another it notes that the deletion failed, and says so
// in a successful answer, which is what clients wait for (SEMANTICS §2.2) [O].
func (a *api) deleteCapacityProvider(ctx context.Context, in *sdk.DeleteCapacityProviderInput) (*sdk.DeleteCapacityProviderOutput, error) {
	row, err := a.changeProvider(ctx, in.CapacityProvider, in.Cluster, func(tx *state.Tx, p *model.CapacityProvider) error {
		for c := range tx.Clusters.Prefix(p.Scope.Key("")) {
			if c.Status != model.ClusterInactive && associated(c, p.Name) {
				p.UpdateStatus = string(types.CapacityProviderUpdateStatusDeleteFailed)
				p.UpdateReason = "The capacity provider cannot be deleted because it is associated with cluster: " + c.Name +
					". Remove the capacity provider from the cluster and try again." // [O]
				return nil
			}
		}
		p.Status, p.UpdateStatus = model.ProviderInactive, string(types.CapacityProviderUpdateStatusDeleteComplete)
		p.UpdateReason = ""
		return nil
	})
	if err != nil {
		return nil, err
	}
	v := viewProvider(row, true)
	if row.Status == model.ProviderInactive {
		v.Status, v.UpdateStatus = types.CapacityProviderStatusActive, types.CapacityProviderUpdateStatusDeleteInProgress // [D]
	}
	return &sdk.DeleteCapacityProviderOutput{CapacityProvider: &v}, nil
}

// changeProvider changes one ACTIVE provider and returns it.
func (a *api) changeProvider(ctx context.Context, ref, cluster *string, change func(*state.Tx, *model.CapacityProvider) error) (*model.CapacityProvider, error) {
	who, err := principal(ctx)
	if err != nil {
		return nil, err
	}
	var row model.CapacityProvider
	err = a.DB.Update(ctx, func(tx *state.Tx) error {
		old, err := createdProvider(tx.Tables, who.Scope(), value(ref), cluster)
		if err != nil {
			return err
		}
		row = *old
		if err := change(tx, &row); err != nil {
			return err
		}
		changed := row
		tx.Providers.Put(&changed)
		return nil
	})
	return &row, err
}

// createdProvider returns the ACTIVE provider that a call means to change; those that were never created cannot be.
func createdProvider(t *state.Tables, s model.Scope, ref string, cluster *string) (*model.CapacityProvider, error) {
	name := providerName(s, ref)
	if fargateProvider(name) {
		return nil, refused("The FARGATE and FARGATE_SPOT capacity providers are reserved and can't be deleted or changed.") // [I]; the rule is [D]
	}
	p, ok := t.Providers.Get(model.ProviderKey(s, name))
	if ok && cluster != nil && p.Cluster != "" { // managed instances can only be changed in their own cluster [D]
		of, _ := clusterName(s, cluster)
		ok = p.Cluster == of
	}
	if !ok || p.Status != model.ProviderActive {
		return nil, refused("The specified capacity provider does not exist. Specify a valid name or ARN and try again.") // [O]
	}
	return p, nil
}
