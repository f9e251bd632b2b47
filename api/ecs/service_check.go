package ecs

import (
	"slices"

	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
)

// maxServiceTasks is the most tasks that a service may want (SEMANTICS §17) [D].
const maxServiceTasks = 5000

// checkNewService looks at the members of a CreateService that need no other row.
func checkNewService(s *model.Service, in *sdk.CreateServiceInput) error {
	switch {
	case !validName(s.Name):
		return invalid("Service name must match ^[a-zA-Z0-9\\-_]{1,255}$.") // [I]
	case s.Scheduling != model.SchedulingReplica && s.Scheduling != model.SchedulingDaemon:
		return invalid("schedulingStrategy should be one of [REPLICA,DAEMON]") // [I]
	case s.Controller != model.ControllerECS && s.Controller != model.ControllerCodeDeploy && s.Controller != model.ControllerExternal:
		return invalid("Invalid deployment controller type '%s'. Valid values: [ECS CODE_DEPLOY EXTERNAL]", s.Controller) // [I]
	case in.ClientToken != nil && (!validToken(*in.ClientToken) || len(*in.ClientToken) > 36):
		return invalid("clientToken must be at most 36 printable ASCII characters long.") // [I]; the rule is [D]
	case value(in.Role) != "" && len(in.LoadBalancers) == 0:
		return invalid("The role parameter is only permitted for a service with a load balancer.") // [I]; the rule is [D]
	}
	if err := (attachments{in.LoadBalancers, in.ServiceRegistries, in.ServiceConnectConfiguration, in.VolumeConfigurations,
		in.VpcLatticeConfigurations, in.GatewayConnectors}).check(); err != nil {
		return err
	}
	if err := checkMonitoring(in.Monitoring); err != nil {
		return err
	}
	if s.Controller != model.ControllerECS {
		if err := checkForeignService(s, in); err != nil {
			return err
		}
	}
	return checkCount(s.Scheduling, in.DesiredCount, s.Controller == model.ControllerExternal)
}

// checkCount checks the count of a new service: DAEMON has none of its own (SEMANTICS §2.6).
func checkCount(scheduling string, desired *int32, optional bool) error {
	switch {
	case scheduling == model.SchedulingDaemon && desired != nil:
		return invalid("The daemon scheduling strategy does not support a desired count for services. Remove the desired count value " +
			"and try again") // [O]
	case scheduling == model.SchedulingDaemon || desired == nil && optional:
		return nil
	case desired == nil:
		return invalid("desiredCount can not be blank.") // [I]; the rule is [D]
	case *desired < 0:
		return invalid("desiredCount cannot be a negative number.") // [O]
	case *desired > maxServiceTasks:
		return invalid("desiredCount must be at most %d.", maxServiceTasks) // [I]; the limit is [D]
	}
	return nil
}

// checkForeignService checks a service whose deployments somebody else makes (SEMANTICS §10).
func checkForeignService(s *model.Service, in *sdk.CreateServiceInput) error {
	switch {
	case s.Scheduling == model.SchedulingDaemon:
		return invalid("The daemon scheduling strategy does not support the %s deployment controller.", s.Controller) // [I]; the rule is [D]
	case s.Controller == model.ControllerCodeDeploy && len(in.LoadBalancers) == 0:
		return invalid("When you use the CODE_DEPLOY deployment controller, the service requires an Application Load Balancer or " +
			"Network Load Balancer.") // [I]; the rule and its words from "the service" on are [O]
	case s.Controller == model.ControllerCodeDeploy:
		return nil
	case in.TaskDefinition != nil && *in.TaskDefinition == "":
		return invalid("Family should not be null or empty.") // [O]
	case in.TaskDefinition != nil:
		return invalid("TaskDefinition must be blank.") // [O]
	case in.NetworkConfiguration != nil:
		return invalid("NetworkConfiguration must be null.") // [O]
	case in.LaunchType != "":
		return invalid("LaunchType must be blank.") // [I]
	case len(in.CapacityProviderStrategy) > 0:
		return invalid("CapacityProviderStrategy must be null.") // [I]
	case value(in.PlatformVersion) != "":
		return invalid("PlatformVersion must be blank.") // [I]
	}
	return nil
}

// checkDaemonCapacity: a DAEMON runs on instances, whatever provider they are of (SEMANTICS §5.6).
func checkDaemonCapacity(at capacity) error {
	switch {
	case at.strategy != nil: // the cluster's, too
		return invalid("Specifying a capacity provider strategy is not supported when you create a service using the DAEMON scheduling " +
			"strategy.") // [O]
	case at.launchType == string(types.LaunchTypeFargate):
		return invalid("The daemon scheduling strategy does not support the FARGATE launch type.") // [I]; the rule is [D]
	}
	return nil
}

// attachments are the members of a service that bind its tasks to something else.
type attachments struct {
	balancers  []types.LoadBalancer
	registries []types.ServiceRegistry
	connect    *types.ServiceConnectConfiguration
	volumes    []types.ServiceVolumeConfiguration
	lattice    []types.VpcLatticeConfiguration
	gateways   []types.GatewayConnector
}

// check refuses what is not served yet. Empty lists say that there is none.
func (x attachments) check() error {
	what := ""
	switch {
	case len(x.balancers) > 0:
		what = "load balancers"
	case len(x.registries) > 0:
		what = "service registries"
	case x.connect != nil && x.connect.Enabled:
		what = "Service Connect"
	case len(x.volumes) > 0:
		what = "volume configurations"
	case len(x.lattice) > 0:
		what = "VPC Lattice configurations"
	case len(x.gateways) > 0:
		what = "gateway connectors"
	default:
		return nil
	}
	return unsupported("Roadstead does not serve %s of services yet.", what)
}

// checkMonitoring: names and resolutions [D], wordings [I].
func checkMonitoring(m *types.MonitoringConfiguration) error {
	if m == nil {
		return nil
	}
	for _, c := range m.MetricConfigurations {
		if n := value(c.ResolutionSeconds); n != 20 && n != 60 {
			return invalid("resolutionSeconds should be one of [20,60]")
		}
		for _, name := range c.MetricNames {
			if !slices.Contains([]string{"CPUUtilization", "MemoryUtilization"}, name) {
				return invalid("metricNames should be among [CPUUtilization,MemoryUtilization]")
			}
		}
	}
	return nil
}
