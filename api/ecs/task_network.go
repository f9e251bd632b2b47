package ecs

import (
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
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
	return a.planZones(p)
}

// planZones looks the subnets up: the task can only go where one of them is. A subnet without a zone is everywhere.
func (a *api) planZones(p *plan) error {
	everywhere := false
	for _, id := range p.copy.Subnets {
		zone, ok := a.Subnet(p.copy.Scope, id)
		if !ok {
			return invalid("Error retrieving subnet information for [%s]: The subnet ID '%s' does not exist (ErrorCode: "+
				"InvalidSubnetID.NotFound)", id, id) // [O]
		}
		p.subnets = append(p.subnets, subnet{id, zone})
		everywhere = everywhere || zone == ""
		if zone != "" && !slices.Contains(p.request.Zones, zone) {
			p.request.Zones = append(p.request.Zones, zone)
		}
	}
	if everywhere {
		p.request.Zones = nil
	}
	return nil
}
