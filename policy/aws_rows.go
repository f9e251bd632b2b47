package policy

// Actions that several of AWS's policies have.
const (
	ecrPull = "ecr:GetAuthorizationToken ecr:BatchCheckLayerAvailability ecr:GetDownloadUrlForLayer ecr:BatchGetImage "
	ecrRead = ecrPull + "ecr:GetRepositoryPolicy ecr:DescribeRepositories ecr:ListImages ecr:DescribeImages ecr:GetLifecyclePolicy " +
		"ecr:GetLifecyclePolicyPreview ecr:ListTagsForResource ecr:DescribeImageScanFindings "
	ecrPush  = "ecr:InitiateLayerUpload ecr:UploadLayerPart ecr:CompleteLayerUpload ecr:PutImage "
	logsRead = "logs:Describe* logs:Get* logs:List* logs:StartQuery logs:StopQuery logs:TestMetricFilter logs:FilterLogEvents logs:StartLiveTail logs:StopLiveTail "
)

func awsRows() []awsRow {
	return append(append(awsGeneralRows(), awsECSRows()...), awsDataRows()...)
}

func awsGeneralRows() []awsRow {
	power := awsStatement{Effect: "Allow", NotAction: []string{"iam:*", "organizations:*", "account:*"}, Resource: "*"}
	return []awsRow{
		{"AdministratorAccess", "Provides full access to AWS services and resources.", []awsStatement{allowing("*")}},
		{"PowerUserAccess", "Provides full access to AWS services and resources, but does not allow management of Users and groups.", []awsStatement{
			power, allowing("iam:CreateServiceLinkedRole iam:DeleteServiceLinkedRole iam:ListRoles organizations:DescribeOrganization account:ListRegions"),
		}},
		{"ReadOnlyAccess", "Provides read-only access to AWS services and resources.", []awsStatement{allowing(
			"application-autoscaling:Describe* application-autoscaling:List* autoscaling:Describe* cloudwatch:Describe* cloudwatch:Get* cloudwatch:List* " +
				"ec2:Describe* ec2:Get* ec2:List* ecr:BatchCheck* ecr:BatchGet* ecr:Describe* ecr:Get* ecr:List* ecs:Describe* ecs:List* ecs:GetTaskProtection " +
				"elasticfilesystem:Describe* elasticfilesystem:List* elasticloadbalancing:Describe* events:Describe* events:List* events:Test* " +
				"iam:Generate* iam:Get* iam:List* iam:Simulate* kms:Describe* kms:Get* kms:List* logs:Describe* logs:FilterLogEvents logs:Get* logs:List* " +
				"logs:StartQuery logs:StopQuery logs:StartLiveTail logs:StopLiveTail logs:TestMetricFilter route53:Get* route53:List* s3:Get* s3:List* s3:Head* " +
				"secretsmanager:Describe* secretsmanager:GetResourcePolicy secretsmanager:List* servicediscovery:Get* servicediscovery:List* servicediscovery:Discover* " +
				"ssm:Describe* ssm:Get* ssm:List* sts:GetAccessKeyInfo sts:GetCallerIdentity sts:GetSessionToken tag:Get*")}},
		{"IAMFullAccess", "Provides full access to IAM.", []awsStatement{allowing("iam:*")}},
		{"IAMReadOnlyAccess", "Provides read only access to IAM.", []awsStatement{allowing(
			"iam:GenerateCredentialReport iam:GenerateServiceLastAccessedDetails iam:Get* iam:List* iam:SimulateCustomPolicy iam:SimulatePrincipalPolicy")}},
		{"IAMUserChangePassword", "Provides the ability for an IAM user to change their own password.", []awsStatement{
			allowing("iam:ChangePassword", "arn:aws:iam::*:user/${aws:username}"), allowing("iam:GetAccountPasswordPolicy"),
		}},
		{"AWSCodeDeployRoleForECS", "Provides CodeDeploy service wide access to perform an ECS blue/green deployment.", []awsStatement{
			allowing("ecs:DescribeServices ecs:CreateTaskSet ecs:UpdateServicePrimaryTaskSet ecs:DeleteTaskSet elasticloadbalancing:DescribeTargetGroups " +
				"elasticloadbalancing:DescribeListeners elasticloadbalancing:ModifyListener elasticloadbalancing:DescribeRules elasticloadbalancing:ModifyRule " +
				"lambda:InvokeFunction cloudwatch:DescribeAlarms sns:Publish s3:GetObject s3:GetObjectVersion"),
			passing("*", "ecs-tasks.amazonaws.com"),
		}},
	}
}

func awsECSRows() []awsRow {
	const registerTargets = "elasticloadbalancing:DeregisterInstancesFromLoadBalancer elasticloadbalancing:DeregisterTargets elasticloadbalancing:Describe* " +
		"elasticloadbalancing:RegisterInstancesWithLoadBalancer elasticloadbalancing:RegisterTargets "
	return []awsRow{
		{"AmazonECS_FullAccess", "Provides administrative access to Amazon ECS resources and enables ECS features through access to other AWS service resources.", []awsStatement{
			allowing("application-autoscaling:DeleteScalingPolicy application-autoscaling:DeregisterScalableTarget application-autoscaling:DescribeScalableTargets " +
				"application-autoscaling:DescribeScalingActivities application-autoscaling:DescribeScalingPolicies application-autoscaling:PutScalingPolicy " +
				"application-autoscaling:RegisterScalableTarget autoscaling:Describe* autoscaling:UpdateAutoScalingGroup cloudwatch:DeleteAlarms " +
				"cloudwatch:DescribeAlarms cloudwatch:GetMetricStatistics cloudwatch:PutMetricAlarm ec2:Describe* ecs:* elasticfilesystem:Describe* " +
				"elasticloadbalancing:CreateListener elasticloadbalancing:CreateLoadBalancer elasticloadbalancing:CreateRule elasticloadbalancing:CreateTargetGroup " +
				"elasticloadbalancing:DeleteListener elasticloadbalancing:DeleteLoadBalancer elasticloadbalancing:DeleteRule elasticloadbalancing:DeleteTargetGroup " +
				"elasticloadbalancing:Describe* events:DeleteRule events:DescribeRule events:ListRuleNamesByTarget events:ListTargetsByRule events:PutRule events:PutTargets " +
				"events:RemoveTargets iam:ListAttachedRolePolicies iam:ListInstanceProfiles iam:ListRoles logs:CreateLogGroup logs:DescribeLogGroups logs:FilterLogEvents " +
				"servicediscovery:Create* servicediscovery:Delete* servicediscovery:Get* servicediscovery:List* servicediscovery:UpdateService sns:ListTopics"),
			allowing("ssm:GetParameter ssm:GetParameters ssm:GetParametersByPath", "arn:aws:ssm:*:*:parameter/aws/service/ecs*"),
			passing("*", "ecs-tasks.amazonaws.com"),
			passing("arn:aws:iam::*:role/ecsInstanceRole*", "ec2.amazonaws.com", "ec2.amazonaws.com.cn"),
			passing("arn:aws:iam::*:role/ecsAutoscaleRole*", "application-autoscaling.amazonaws.com", "application-autoscaling.amazonaws.com.cn"),
			passing("arn:aws:iam::*:role/ecsInfrastructureRole", "ecs.amazonaws.com"),
		}},
		{"service-role/AmazonECSTaskExecutionRolePolicy", "Provides access to other AWS service resources that are required to run Amazon ECS tasks", []awsStatement{
			allowing(ecrPull + "logs:CreateLogStream logs:PutLogEvents"),
		}},
		{"service-role/AmazonEC2ContainerServiceforEC2Role", "Default policy for the Amazon EC2 Role for Amazon EC2 Container Service.", []awsStatement{
			allowing("ec2:DescribeTags ecs:CreateCluster ecs:DeregisterContainerInstance ecs:DiscoverPollEndpoint ecs:Poll ecs:RegisterContainerInstance " +
				"ecs:StartTelemetrySession ecs:UpdateContainerInstancesState ecs:Submit* " + ecrPull + "logs:CreateLogStream logs:PutLogEvents"),
			{Effect: "Allow", Action: "ecs:TagResource", Resource: "*", Condition: map[string]any{
				"StringEquals": map[string]any{"ecs:CreateAction": []string{"CreateCluster", "RegisterContainerInstance"}},
			}},
		}},
		{"service-role/AmazonEC2ContainerServiceRole", "Default policy for Amazon ECS service role.", []awsStatement{
			allowing("ec2:AuthorizeSecurityGroupIngress ec2:Describe* " + registerTargets),
		}},
		{"service-role/AmazonEC2ContainerServiceAutoscaleRole", "Policy to enable Task Autoscaling for Amazon EC2 Container Service", []awsStatement{
			allowing("ecs:DescribeServices ecs:UpdateService"), allowing("cloudwatch:DescribeAlarms cloudwatch:PutMetricAlarm"),
		}},
		{"service-role/AmazonEC2ContainerServiceEventsRole", "Policy to enable CloudWatch Events for EC2 Container Service", []awsStatement{
			allowing("ecs:RunTask"), passing("*", "ecs-tasks.amazonaws.com"),
			{Effect: "Allow", Action: "ecs:TagResource", Resource: "*", Condition: map[string]any{
				"StringEquals": map[string]any{"ecs:CreateAction": []string{"RunTask"}},
			}},
		}},
		{"service-role/AmazonECSInfrastructureRolePolicyForVolumes", "Provides access to other AWS service resources required to manage volumes associated with ECS workloads on your behalf.", []awsStatement{
			allowing("ec2:CreateVolume ec2:CreateTags ec2:DescribeVolumes ec2:DescribeAvailabilityZones ec2:AttachVolume ec2:DetachVolume ec2:DeleteVolume ec2:DescribeInstances"),
		}},
		{"service-role/AmazonECSInfrastructureRolePolicyForServiceConnectTransportLayerSecurity", "Provides administrative access to other AWS service resources required to manage Amazon ECS Service Connect TLS features on your behalf.", []awsStatement{
			allowing("secretsmanager:CreateSecret secretsmanager:TagResource secretsmanager:DescribeSecret secretsmanager:UpdateSecret secretsmanager:GetSecretValue "+
				"secretsmanager:PutSecretValue secretsmanager:DeleteSecret secretsmanager:RotateSecret secretsmanager:UpdateSecretVersionStage", "arn:aws:secretsmanager:*:*:secret:ecs-sc!*"),
			allowing("acm-pca:GetCertificate acm-pca:GetCertificateAuthorityCertificate acm-pca:DescribeCertificateAuthority acm-pca:IssueCertificate"),
		}},
		{"AmazonECSInfrastructureRolePolicyForLoadBalancers", "Provides access to other AWS service resources required to manage load balancers associated with ECS workloads on your behalf.", []awsStatement{
			allowing("elasticloadbalancing:Describe* elasticloadbalancing:ModifyListener elasticloadbalancing:ModifyRule elasticloadbalancing:RegisterTargets elasticloadbalancing:DeregisterTargets"),
		}},
		{"AmazonECSInfrastructureRolePolicyForVpcLattice", "Provides access to other AWS service resources required to manage VPC Lattice feature in ECS workloads on your behalf.", []awsStatement{
			allowing("vpc-lattice:RegisterTargets vpc-lattice:DeregisterTargets vpc-lattice:GetTargetGroup vpc-lattice:ListTargets ec2:DescribeVpcs ec2:DescribeSubnets ec2:DescribeInstances"),
		}},
		{"AmazonECSInfrastructureRolePolicyForManagedInstances", "Provides access to other AWS service resources required to manage Amazon ECS Managed Instances on your behalf.", []awsStatement{
			allowing("ec2:CreateLaunchTemplate ec2:CreateLaunchTemplateVersion ec2:DeleteLaunchTemplate ec2:CreateFleet ec2:RunInstances ec2:CreateTags ec2:Describe* ec2:TerminateInstances"),
		}},
		{"AmazonEC2ContainerRegistryPullOnly", "Provides pull only access to Amazon EC2 Container Registry.", []awsStatement{allowing(ecrPull + "ecr:BatchImportUpstreamImage")}},
		{"AmazonEC2ContainerRegistryReadOnly", "Provides read-only access to Amazon EC2 Container Registry repositories.", []awsStatement{allowing(ecrRead)}},
		{"AmazonEC2ContainerRegistryPowerUser", "Provides full access to Amazon EC2 Container Registry repositories, but does not allow repository deletion or policy changes.", []awsStatement{
			allowing(ecrRead + ecrPush),
		}},
		{"AmazonEC2ContainerRegistryFullAccess", "Provides administrative access to Amazon ECR resources", []awsStatement{allowing("ecr:* cloudtrail:LookupEvents")}},
	}
}

func awsDataRows() []awsRow {
	return []awsRow{
		{"CloudWatchLogsFullAccess", "Provides full access to CloudWatch Logs", []awsStatement{allowing("logs:* cloudwatch:GenerateQuery")}},
		{"CloudWatchLogsReadOnlyAccess", "Provides read only access to CloudWatch Logs", []awsStatement{allowing(logsRead)}},
		{"CloudWatchFullAccess", "Provides full access to CloudWatch.", []awsStatement{
			allowing("autoscaling:Describe* cloudwatch:* logs:* sns:* iam:GetPolicy iam:GetPolicyVersion iam:GetRole"),
		}},
		{"CloudWatchReadOnlyAccess", "Provides read only access to CloudWatch.", []awsStatement{
			allowing("application-autoscaling:DescribeScalingPolicies autoscaling:Describe* cloudwatch:Describe* cloudwatch:Get* cloudwatch:List* " + logsRead),
		}},
		{"CloudWatchAgentServerPolicy", "Permissions required to use AmazonCloudWatchAgent on servers", []awsStatement{
			allowing("cloudwatch:PutMetricData ec2:DescribeVolumes ec2:DescribeTags logs:PutLogEvents logs:PutRetentionPolicy logs:DescribeLogStreams logs:DescribeLogGroups logs:CreateLogStream logs:CreateLogGroup"),
			allowing("ssm:GetParameter", "arn:aws:ssm:*:*:parameter/AmazonCloudWatch-*"),
		}},
		{"SecretsManagerReadWrite", "Provides read/write access to AWS Secrets Manager.", []awsStatement{
			allowing("secretsmanager:* ec2:DescribeSecurityGroups ec2:DescribeSubnets ec2:DescribeVpcs kms:DescribeKey kms:ListAliases kms:ListKeys lambda:ListFunctions tag:GetResources"),
		}},
		{"AmazonSSMReadOnlyAccess", "Provides read only access to Amazon SSM.", []awsStatement{allowing("ssm:Describe* ssm:Get* ssm:List*")}},
		{"AmazonSSMFullAccess", "Provides full access to Amazon SSM.", []awsStatement{
			allowing("cloudwatch:PutMetricData ec2:DescribeInstanceStatus logs:* ssm:* ec2messages:*"),
		}},
		{"AmazonSSMManagedInstanceCore", "The policy for Amazon EC2 Role to enable AWS Systems Manager service core functionality.", []awsStatement{
			allowing("ssm:DescribeAssociation ssm:GetDeployablePatchSnapshotForInstance ssm:GetDocument ssm:DescribeDocument ssm:GetManifest ssm:GetParameter ssm:GetParameters " +
				"ssm:ListAssociations ssm:ListInstanceAssociations ssm:PutInventory ssm:PutComplianceItems ssm:PutConfigurePackageResult ssm:UpdateAssociationStatus " +
				"ssm:UpdateInstanceAssociationStatus ssm:UpdateInstanceInformation"),
			allowing("ssmmessages:CreateControlChannel ssmmessages:CreateDataChannel ssmmessages:OpenControlChannel ssmmessages:OpenDataChannel"),
			allowing("ec2messages:AcknowledgeMessage ec2messages:DeleteMessage ec2messages:FailMessage ec2messages:GetEndpoint ec2messages:GetMessages ec2messages:SendReply"),
		}},
		{"AmazonS3ReadOnlyAccess", "Provides read only access to all buckets.", []awsStatement{allowing("s3:Get* s3:List* s3:Describe* s3-object-lambda:Get* s3-object-lambda:List*")}},
		{"AmazonS3FullAccess", "Provides full access to all buckets.", []awsStatement{allowing("s3:* s3-object-lambda:*")}},
	}
}
