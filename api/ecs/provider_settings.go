package ecs

import (
	"cmp"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
)

// newGroupProvider checks the settings of a new provider and fills in AWS's defaults (SEMANTICS §2.2): without managed
// scaling it is off, managed draining is on [O].
func newGroupProvider(in *types.AutoScalingGroupProvider, cluster *string) (*types.AutoScalingGroupProvider, error) {
	if value(cluster) != "" {
		return nil, invalid("A cluster can only be specified for a managed instances capacity provider.") // [I]; the rule is [D]
	}
	p := *in
	if name := model.GroupName(value(p.AutoScalingGroupArn)); name == "" || name == model.FargatePool {
		return nil, invalid("The specified Auto Scaling group ARN is invalid. Specify a valid ARN and try again.") // [I]
	}
	scaling := types.ManagedScaling{Status: types.ManagedScalingStatusDisabled}
	if p.ManagedScaling != nil {
		scaling = *p.ManagedScaling
		scaling.Status = cmp.Or(scaling.Status, types.ManagedScalingStatusEnabled) // [I]
	}
	scaling.TargetCapacity = given(scaling.TargetCapacity, 100)
	scaling.MinimumScalingStepSize = given(scaling.MinimumScalingStepSize, 1)
	scaling.MaximumScalingStepSize = given(scaling.MaximumScalingStepSize, 10000)
	scaling.InstanceWarmupPeriod = given(scaling.InstanceWarmupPeriod, 300)
	p.ManagedScaling = &scaling
	p.ManagedTerminationProtection = cmp.Or(p.ManagedTerminationProtection, types.ManagedTerminationProtectionDisabled)
	p.ManagedDraining = cmp.Or(p.ManagedDraining, types.ManagedDrainingEnabled)
	return &p, checkGroup(&p)
}

// given is p, or the default.
func given(p *int32, otherwise int32) *int32 {
	if p == nil {
		return &otherwise
	}
	return p
}

// updatedGroup is the provider with what is given changed.
func updatedGroup(p types.AutoScalingGroupProvider, in *types.AutoScalingGroupProviderUpdate) (*types.AutoScalingGroupProvider, error) {
	p.ManagedTerminationProtection = cmp.Or(in.ManagedTerminationProtection, p.ManagedTerminationProtection)
	p.ManagedDraining = cmp.Or(in.ManagedDraining, p.ManagedDraining)
	if news := in.ManagedScaling; news != nil {
		s := *p.ManagedScaling
		s.Status = cmp.Or(news.Status, s.Status)
		s.TargetCapacity = cmp.Or(news.TargetCapacity, s.TargetCapacity)
		s.MinimumScalingStepSize = cmp.Or(news.MinimumScalingStepSize, s.MinimumScalingStepSize)
		s.MaximumScalingStepSize = cmp.Or(news.MaximumScalingStepSize, s.MaximumScalingStepSize)
		s.InstanceWarmupPeriod = cmp.Or(news.InstanceWarmupPeriod, s.InstanceWarmupPeriod)
		p.ManagedScaling = &s
	}
	return &p, checkGroup(&p)
}

// checkGroup checks settings that are complete (SEMANTICS §2.2, §6.4, §6.5): ranges [D], wordings [I].
func checkGroup(p *types.AutoScalingGroupProvider) error {
	s := p.ManagedScaling
	switch {
	case !slices.Contains(s.Status.Values(), s.Status):
		return invalid("Invalid managedScaling status '%s'. Valid values: %v", s.Status, s.Status.Values())
	case !slices.Contains(p.ManagedTerminationProtection.Values(), p.ManagedTerminationProtection):
		return invalid("Invalid managedTerminationProtection '%s'. Valid values: %v", p.ManagedTerminationProtection, p.ManagedTerminationProtection.Values())
	case !slices.Contains(p.ManagedDraining.Values(), p.ManagedDraining):
		return invalid("Invalid managedDraining '%s'. Valid values: %v", p.ManagedDraining, p.ManagedDraining.Values())
	case p.ManagedTerminationProtection == types.ManagedTerminationProtectionEnabled && s.Status != types.ManagedScalingStatusEnabled:
		return refused("The managed termination protection setting for the capacity provider is invalid. To enable managed termination " +
			"protection for a capacity provider, managed scaling must be enabled.") // [O, the first sentence]
	case *s.MinimumScalingStepSize > *s.MaximumScalingStepSize:
		return invalid("minimumScalingStepSize must not be greater than maximumScalingStepSize.")
	}
	for _, n := range []struct {
		name        string
		have        int32
		least, most int32
	}{
		{"targetCapacity", *s.TargetCapacity, 1, 100},
		{"minimumScalingStepSize", *s.MinimumScalingStepSize, 1, 10000},
		{"maximumScalingStepSize", *s.MaximumScalingStepSize, 1, 10000},
		{"instanceWarmupPeriod", *s.InstanceWarmupPeriod, 0, 10000},
	} {
		if n.have < n.least || n.have > n.most {
			return invalid("%s must be between %d and %d.", n.name, n.least, n.most)
		}
	}
	return nil
}

// newManagedProvider checks the settings of a new managed-instances provider (SEMANTICS §6.9). On machines of our own
// its instances are those of the pool with the provider's name: what they are made of is kept for whoever makes them.
func newManagedProvider(in *types.CreateManagedInstancesProviderConfiguration, cluster *string) (*types.ManagedInstancesProvider, error) {
	if value(cluster) == "" {
		return nil, invalid("A cluster must be specified for a managed instances capacity provider.") // [I]; the rule is [D]
	}
	template := *in.InstanceLaunchTemplate
	template.CapacityOptionType = cmp.Or(template.CapacityOptionType, types.CapacityOptionTypeOnDemand) // [D]
	p := &types.ManagedInstancesProvider{InfrastructureRoleArn: in.InfrastructureRoleArn, InstanceLaunchTemplate: &template,
		AutoRepairConfiguration: in.AutoRepairConfiguration, InfrastructureOptimization: in.InfrastructureOptimization,
		PropagateTags: cmp.Or(in.PropagateTags, types.PropagateMITagsNone)}
	return p, checkManaged(p)
}

// updatedManaged is the provider with what is given changed.
func updatedManaged(p types.ManagedInstancesProvider, in *types.UpdateManagedInstancesProviderConfiguration) (*types.ManagedInstancesProvider, error) {
	p.InfrastructureRoleArn = cmp.Or(in.InfrastructureRoleArn, p.InfrastructureRoleArn)
	p.AutoRepairConfiguration = cmp.Or(in.AutoRepairConfiguration, p.AutoRepairConfiguration)
	p.InfrastructureOptimization = cmp.Or(in.InfrastructureOptimization, p.InfrastructureOptimization)
	p.PropagateTags = cmp.Or(in.PropagateTags, p.PropagateTags)
	if news := in.InstanceLaunchTemplate; news != nil {
		t := *p.InstanceLaunchTemplate
		t.CapacityReservations = cmp.Or(news.CapacityReservations, t.CapacityReservations)
		t.Ec2InstanceProfileArn = cmp.Or(news.Ec2InstanceProfileArn, t.Ec2InstanceProfileArn)
		t.InstanceMetadataTagsPropagation = cmp.Or(news.InstanceMetadataTagsPropagation, t.InstanceMetadataTagsPropagation)
		t.InstanceRequirements = cmp.Or(news.InstanceRequirements, t.InstanceRequirements)
		t.LocalStorageConfiguration = cmp.Or(news.LocalStorageConfiguration, t.LocalStorageConfiguration)
		t.Monitoring = cmp.Or(news.Monitoring, t.Monitoring)
		t.NetworkConfiguration = cmp.Or(news.NetworkConfiguration, t.NetworkConfiguration)
		t.StorageConfiguration = cmp.Or(news.StorageConfiguration, t.StorageConfiguration)
		p.InstanceLaunchTemplate = &t
	}
	return &p, checkManaged(&p)
}

// checkManaged: ranges [D], wordings [I].
func checkManaged(p *types.ManagedInstancesProvider) error {
	option := p.InstanceLaunchTemplate.CapacityOptionType
	switch {
	case !slices.Contains(option.Values(), option):
		return invalid("Invalid capacityOptionType '%s'. Valid values: %v", option, option.Values())
	case !slices.Contains(p.PropagateTags.Values(), p.PropagateTags):
		return invalid("Invalid propagateTags '%s'. Valid values: %v", p.PropagateTags, p.PropagateTags.Values())
	}
	if o := p.InfrastructureOptimization; o != nil && o.ScaleInAfter != nil && (*o.ScaleInAfter < -1 || *o.ScaleInAfter > 3600) {
		return invalid("scaleInAfter must be between -1 and 3600.")
	}
	return nil
}
