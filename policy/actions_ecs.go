package policy

import "slices"

// What ECS's rows are made of.
const (
	onCluster    = "cluster/{cluster}"
	onService    = "service/{cluster}/{service}"
	onTask       = "task/{cluster}/{task}"
	onInstance   = "container-instance/{cluster}/{containerInstance}"
	onDefinition = "task-definition/{family}:{revision}"
	onProvider   = "capacity-provider/{capacityProvider}"
	onTaskSet    = "task-set/{cluster}/{service}/{taskSet}"
	onDeployment = "service-deployment/{cluster}/{service}/{serviceDeployment}"
	onRevision   = "service-revision/{cluster}/{service}/{serviceRevision}"
	onDaemon     = "daemon/{cluster}/{daemon}"
	onAny        = "{resource}" // the ARN that the request names, without its beginning

	newTags = "aws:RequestTag/* aws:TagKeys "
	ecsTags = "aws:ResourceTag/* ecs:ResourceTag/* "
	inEcs   = ecsTags + "ecs:cluster "
	// what CreateService and UpdateService say of the service's tasks
	ecsServiceKeys = "ecs:capacity-provider ecs:task-definition ecs:enable-ebs-volumes ecs:enable-execute-command ecs:enable-service-connect " +
		"ecs:namespace ecs:enable-vpc-lattice ecs:enable-ecs-managed-tags ecs:propagate-tags ecs:auto-assign-public-ip ecs:subnet ecs:task-cpu ecs:task-memory "
)

func ecsRows() []row {
	return []row{
		{"CreateCapacityProvider", onProvider, ecsTags + newTags + "ecs:propagate-tags"},
		{"CreateCluster", onCluster, ecsTags + newTags + "ecs:capacity-provider ecs:fargate-ephemeral-storage-kms-key"},
		{"CreateService", onService, inEcs + newTags + ecsServiceKeys},
		{"CreateTaskSet", "", newTags + "ecs:cluster ecs:capacity-provider ecs:service ecs:task-definition"},
		{"DeleteAccountSetting", "", "ecs:account-setting"},
		{"DeleteAttributes", onInstance, inEcs},
		{"DeleteCapacityProvider", onProvider, ecsTags},
		{"DeleteCluster", onCluster, ecsTags},
		{"DeleteService", onService, inEcs},
		{"DeleteTaskDefinitions", onDefinition, ecsTags},
		{"DeleteTaskSet", onTaskSet, inEcs + "ecs:service"},
		{"DeregisterContainerInstance", onCluster, ecsTags},
		{"DeregisterTaskDefinition", "", ""},
		{"DescribeCapacityProviders", onProvider, ecsTags},
		{"DescribeClusters", onCluster, ecsTags},
		{"DescribeContainerInstances", onInstance, inEcs},
		{"DescribeServiceDeployments", onDeployment, "aws:ResourceTag/* ecs:cluster ecs:service"},
		{"DescribeServiceRevisions", onRevision, "aws:ResourceTag/* ecs:cluster ecs:service"},
		{"DescribeServices", onService, inEcs},
		{"DescribeTaskDefinition", "", ""},
		{"DescribeTaskSets", onTaskSet, inEcs + "ecs:service"},
		{"DescribeTasks", onTask, inEcs},
		{"DiscoverPollEndpoint", "", ""},
		{"ExecuteCommand", onCluster + " " + onTask, inEcs + "ecs:container-name ecs:task"},
		{"GetTaskProtection", onTask, inEcs},
		{"ListAccountSettings", "", ""},
		{"ListAttributes", onCluster, ecsTags},
		{"ListClusters", "", ""},
		{"ListContainerInstances", onCluster, ecsTags},
		{"ListServiceDeployments", onService, inEcs},
		{"ListServices", "", "ecs:cluster"},
		{"ListServicesByNamespace", "", "ecs:namespace"},
		{"ListTagsForResource", onAny, ecsTags},
		{"ListTaskDefinitionFamilies", "", ""},
		{"ListTaskDefinitions", "", ""},
		{"ListTasks", onInstance + "?", inEcs}, // about "*" unless the request names an instance [O]
		{"PutAccountSetting", "", "ecs:account-setting"},
		{"PutAccountSettingDefault", "", "ecs:account-setting"},
		{"PutAttributes", onInstance, inEcs},
		{"PutClusterCapacityProviders", onCluster, ecsTags + "ecs:capacity-provider"},
		{"RegisterContainerInstance", onCluster, ecsTags + newTags},
		{"RegisterTaskDefinition", onDefinition, ecsTags + newTags + "ecs:compute-compatibility ecs:privileged ecs:task-cpu ecs:task-memory"},
		{"RunTask", onDefinition, inEcs + newTags + "ecs:capacity-provider ecs:enable-ebs-volumes ecs:enable-execute-command"},
		{"StartTask", onDefinition, inEcs + newTags + "ecs:container-instances ecs:enable-ebs-volumes ecs:enable-execute-command"},
		{"StopServiceDeployment", onDeployment, "aws:ResourceTag/* ecs:cluster ecs:service"},

		{"StopTask", onTask, inEcs},
		{"SubmitAttachmentStateChanges", onCluster, ecsTags},
		{"SubmitContainerStateChange", onCluster, ecsTags},
		{"SubmitTaskStateChange", onCluster, ecsTags},
		{"TagResource", onAny, ecsTags + newTags + "ecs:CreateAction"},
		{"UntagResource", onAny, ecsTags + "aws:TagKeys"},
		{"UpdateCapacityProvider", onProvider, ecsTags + "ecs:propagate-tags"},
		{"UpdateCluster", onCluster, ecsTags + "ecs:fargate-ephemeral-storage-kms-key"},
		{"UpdateClusterSettings", onCluster, ecsTags},
		{"UpdateContainerAgent", onInstance, inEcs},
		{"UpdateContainerInstancesState", onInstance, inEcs},
		{"UpdateService", onService, inEcs + ecsServiceKeys},
		{"UpdateServicePrimaryTaskSet", onService, inEcs},
		{"UpdateTaskProtection", onTask, inEcs},
		{"UpdateTaskSet", onTaskSet, inEcs + "ecs:service"},
		// An agent's two connections: no operations of the API, but actions like them.
		{"Poll", onInstance, "ecs:cluster"},
		{"StartTelemetrySession", onInstance, "ecs:cluster"},
		// [I] from here: newer than the reference that was at hand
		{"ContinueServiceDeployment", onDeployment, "aws:ResourceTag/* ecs:cluster ecs:service"},
		{"CreateExpressGatewayService", onService, inEcs + newTags},
		{"DeleteExpressGatewayService", onService, inEcs},
		{"DescribeExpressGatewayService", onService, inEcs},
		{"UpdateExpressGatewayService", onService, inEcs},
		{"CreateDaemon", onDaemon, inEcs + newTags},
		{"DeleteDaemon", onDaemon, inEcs},
		{"DescribeDaemon", onDaemon, inEcs},
		{"UpdateDaemon", onDaemon, inEcs},
		{"ListDaemons", "", "ecs:cluster"},
		{"ListDaemonDeployments", onDaemon, inEcs},
		{"DescribeDaemonDeployments", "daemon-deployment/{cluster}/{daemon}/{daemonDeployment}", inEcs},
		{"DescribeDaemonRevisions", "daemon-revision/{cluster}/{daemon}/{daemonRevision}", inEcs},
		{"RegisterDaemonTaskDefinition", "daemon-task-definition/{family}:{revision}", ecsTags + newTags},
		{"DeleteDaemonTaskDefinition", "daemon-task-definition/{family}:{revision}", ecsTags},
		{"DescribeDaemonTaskDefinition", "daemon-task-definition/{family}:{revision}", ecsTags},
		{"ListDaemonTaskDefinitions", "", ""},
		{"CreateGateway", "gateway/{gateway}", ecsTags + newTags},
		{"DeleteGateway", "gateway/{gateway}", ecsTags},
		{"DescribeGateway", "gateway/{gateway}", ecsTags},
		{"DescribeGatewayResources", "gateway/{gateway}", ecsTags},
		{"DescribeGatewayRoute", "gateway/{gateway}", ecsTags},
		{"UpdateGateway", "gateway/{gateway}", ecsTags},
		{"ListGateways", "", ""},
		{"ListGatewayRoutes", "gateway/{gateway}", ecsTags},
		{"ListGatewayClusterAssociations", "", ""},
		{"AssociateGatewayWithCluster", "gateway/{gateway} " + onCluster, ecsTags},
		{"DisassociateGatewayFromCluster", "gateway/{gateway} " + onCluster, ecsTags},
	}
}

const (
	toTasks = "ecs-tasks.amazonaws.com"
	toECS   = "ecs.amazonaws.com"
)

// ecsFurther adds the roles that an operation passes, and tagging. Roles of tasks go to ecs-tasks, those that ECS itself works
// with (load balancers, volumes, certificates, hooks, infrastructure) to ecs [D]. Who runs a task passes the roles of its
// definition again [O], who makes a service does not. With tags, the action that tags has to be
// allowed besides the one that makes [D].
func ecsFurther(o *Operation) {
	pass := func(service string, members ...string) {
		for _, m := range members {
			o.Passes = append(o.Passes, Pass{Member: m, Service: service})
		}
	}
	switch o.Name {
	case "RegisterTaskDefinition", "RegisterDaemonTaskDefinition":
		pass(toTasks, "taskRoleArn", "executionRoleArn")
	case "RunTask", "StartTask":
		pass(toTasks, "taskDefinition->taskRoleArn", "taskDefinition->executionRoleArn", "overrides.taskRoleArn", "overrides.executionRoleArn")
		pass(toECS, "volumeConfigurations[].managedEBSVolume.roleArn")
	case "CreateTaskSet":
		pass(toECS, "loadBalancers[].advancedConfiguration.roleArn")
	case "CreateDaemon":
		pass(toTasks, "daemonTaskDefinitionArn->taskRoleArn", "daemonTaskDefinitionArn->executionRoleArn")
	case "CreateService":
		pass(toECS, "role")
		fallthrough
	case "UpdateService":
		pass(toECS, "volumeConfigurations[].managedEBSVolume.roleArn", "loadBalancers[].advancedConfiguration.roleArn",
			"vpcLatticeConfigurations[].roleArn", "serviceConnectConfiguration.services[].tls.roleArn", "deploymentConfiguration.lifecycleHooks[].roleArn")
	case "CreateCapacityProvider", "UpdateCapacityProvider":
		pass(toECS, "managedInstancesProvider.infrastructureRoleArn")
	case "CreateExpressGatewayService":
		pass(toTasks, "executionRoleArn", "taskRoleArn")
		pass(toECS, "infrastructureRoleArn")
	case "UpdateExpressGatewayService":
		pass(toTasks, "executionRoleArn", "taskRoleArn")
	case "CreateGateway", "UpdateGateway":
		pass(toECS, "infrastructureRoleArn") // [I]
	}
	if slices.Contains(o.Keys, "aws:RequestTag/*") && o.Name != "TagResource" {
		o.Also = append(o.Also, Further{"tags", "ecs:TagResource"})
	}
	if o.Name == "CreateCapacityProvider" {
		o.Also = append(o.Also, Further{"cluster", "ecs:PutClusterCapacityProviders"})
	}
}
