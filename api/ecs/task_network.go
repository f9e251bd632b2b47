package ecs

import (
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/scheduler"
)

// planNetwork checks the network configuration of an order against the definition's network mode (SEMANTICS §12,
// §13.1).
func (a *api) planNetwork(p *plan, n *types.NetworkConfiguration) error {
	var vpc *types.AwsVpcConfiguration
	if n != nil {
		vpc = n.AwsvpcConfiguration
	}
	if p.copy.Network != string(types.NetworkModeAwsvpc) {
		if vpc != nil {
			return invalid("Network Configuration is not valid for the given networkMode of this task definition.") // [O]
		}
		return nil
	}
	switch {
	case vpc == nil:
		return invalid("Network Configuration must be provided when networkMode 'awsvpc' is specified.") // [O]
	case len(vpc.Subnets) == 0:
		return invalid("subnets can not be empty.") // [O]
	case len(vpc.Subnets) > 16:
		return invalid("subnets can have at most 16 items.") // [I]; the limit is [D]
	case len(vpc.SecurityGroups) > 5:
		return invalid("securityGroups can have at most 5 items.") // [I]; the limit is [D]
	case vpc.AssignPublicIp == types.AssignPublicIpEnabled && p.copy.LaunchType != string(types.LaunchTypeFargate):
		return invalid("Assign public IP is not supported for this launch type.") // [O]
	}
	p.copy.Subnets, p.copy.SecurityGroups = slices.Clone(vpc.Subnets), slices.Clone(vpc.SecurityGroups)
	p.copy.AssignPublicIP = string(vpc.AssignPublicIp)
	if p.copy.AssignPublicIP == "" {
		p.copy.AssignPublicIP = string(types.AssignPublicIpDisabled)
	}
	var missing string
	if p.subnets, missing = scheduler.FindSubnets(p.copy.Scope, p.copy.Subnets, a.Subnet); missing != "" {
		return invalid("Error retrieving subnet information for [%s]: The subnet ID '%s' does not exist (ErrorCode: "+
			"InvalidSubnetID.NotFound)", missing, missing) // [O]
	}
	return nil
}
