package model

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Capacity provider statuses (SEMANTICS §2.2). One that is gone stays INACTIVE until its name is taken again.
const (
	ProviderActive   = "ACTIVE"
	ProviderInactive = "INACTIVE"
)

// The capacity providers that exist without being created, and have no row (SEMANTICS §2.2).
const (
	ProviderFargate     = "FARGATE"
	ProviderFargateSpot = "FARGATE_SPOT"
)

// CapacityProvider is where tasks get their capacity. One of Group and Managed is set, and is what the user wrote with AWS's
// defaults filled in; the two of FARGATE have neither. Writer: api/ecs.
type CapacityProvider struct {
	Scope
	Name         string `json:"name"`
	Cluster      string `json:"cluster,omitempty"` // that a managed-instances provider belongs to
	Status       string `json:"status"`
	UpdateStatus string `json:"updateStatus"`           // CREATE_COMPLETE, UPDATE_COMPLETE, DELETE_FAILED ...
	UpdateReason string `json:"updateReason,omitempty"` // why the update failed
	Tags         []Tag  `json:"tags,omitempty"`

	Group   *types.AutoScalingGroupProvider `json:"-"`
	Managed *types.ManagedInstancesProvider `json:"-"`
}

// Key is the provider's row key.
func (p *CapacityProvider) Key() string { return ProviderKey(p.Scope, p.Name) }

// ARN is the provider's Amazon resource name.
func (p *CapacityProvider) ARN() string { return ProviderARN(p.Scope, p.Name) }

// Specs points to the user-authored parts of the row.
func (p *CapacityProvider) Specs() []any { return []any{&p.Group, &p.Managed} }

// Pool is the name of the provider's pool of instances: that of its Auto Scaling group, or its own. FARGATE's have none.
func (p *CapacityProvider) Pool() string {
	switch {
	case p.Group != nil:
		return GroupName(*p.Group.AutoScalingGroupArn)
	case p.Managed != nil:
		return p.Name
	}
	return ""
}

// LaunchType is that of the tasks that the provider runs (SEMANTICS §4.1).
func (p *CapacityProvider) LaunchType() types.LaunchType {
	switch {
	case p.Group != nil:
		return types.LaunchTypeEc2
	case p.Managed != nil:
		return types.LaunchTypeManagedInstances
	}
	return types.LaunchTypeFargate
}

// Scales reports whether the provider makes room for tasks that find none, so that they wait for it (SEMANTICS §6.7).
func (p *CapacityProvider) Scales() bool {
	return p.Managed != nil || p.Group != nil && p.Group.ManagedScaling.Status == types.ManagedScalingStatusEnabled
}

// GroupName is the name of an Auto Scaling group given by its name or its ARN, which ends in autoScalingGroupName/NAME.
func GroupName(ref string) string { return ref[strings.LastIndexByte(ref, '/')+1:] }

// ProviderKey is the row key of the capacity provider with the name.
func ProviderKey(s Scope, name string) string { return s.Key(name) }

// ProviderARN is the ARN of the capacity provider with the name.
func ProviderARN(s Scope, name string) string { return s.ARN("ecs", "capacity-provider/"+name) }
