package policy

// ECR: a repository, or the registry, which is no resource of policies.
const (
	onRepository = "repository/{repository}"
	ecrTags      = "aws:ResourceTag/* ecr:ResourceTag/* "
)

func ecrRows() []row {
	rows := []row{
		{"CreateRepository", onRepository, ecrTags + newTags},
		{"ListTagsForResource", onRepository, ecrTags},
		{"TagResource", onRepository, ecrTags + newTags},
		{"UntagResource", onRepository, ecrTags + "aws:TagKeys"},
	}
	for _, name := range []string{
		"BatchCheckLayerAvailability", "BatchDeleteImage", "BatchGetImage", "BatchGetRepositoryScanningConfiguration", "CompleteLayerUpload",
		"DeleteLifecyclePolicy", "DeleteRepository", "DeleteRepositoryPolicy", "DescribeImageReplicationStatus", "DescribeImageScanFindings",
		"DescribeImageSigningStatus", "DescribeImages", "DescribeRepositories", "GetDownloadUrlForLayer", "GetLifecyclePolicy",
		"GetLifecyclePolicyPreview", "GetRepositoryPolicy", "InitiateLayerUpload", "ListImageReferrers", "ListImages", "PutImage",
		"PutImageScanningConfiguration", "PutImageTagMutability", "PutLifecyclePolicy", "SetRepositoryPolicy", "StartImageScan",
		"StartLifecyclePolicyPreview", "UpdateImageStorageClass", "UploadLayerPart",
		"ReplicateImage", "BatchImportUpstreamImage", // no operations: what copies and caches need
	} {
		rows = append(rows, row{name, onRepository, ecrTags})
	}
	for _, name := range []string{
		"CreatePullThroughCacheRule", "CreateRepositoryCreationTemplate", "DeletePullThroughCacheRule", "DeleteRegistryPolicy",
		"DeleteRepositoryCreationTemplate", "DeleteSigningConfiguration", "DeregisterPullTimeUpdateExclusion", "DescribePullThroughCacheRules",
		"DescribeRegistry", "DescribeRepositoryCreationTemplates", "GetAccountSetting", "GetAuthorizationToken", "GetRegistryPolicy",
		"GetRegistryScanningConfiguration", "GetSigningConfiguration", "ListPullTimeUpdateExclusions", "PutAccountSetting", "PutRegistryPolicy",
		"PutRegistryScanningConfiguration", "PutReplicationConfiguration", "PutSigningConfiguration", "RegisterPullTimeUpdateExclusion",
		"UpdatePullThroughCacheRule", "UpdateRepositoryCreationTemplate", "ValidatePullThroughCacheRule",
		"DescribeReplicationBackfillResults", "ListReplicationBackfills", "StartReplicationBackfill", "StopReplicationBackfill", // [I]
	} {
		rows = append(rows, row{name, "", ""})
	}
	return rows
}

// CloudWatch Logs: what AWS compares ends with "log-stream:" also for actions on a group [O]. So a policy about the group has to
// end with ":*", and one that does not is about its tags only.
const (
	onGroup     = "log-group:{logGroup}:log-stream:"
	onStream    = "log-group:{logGroup}:log-stream:{logStream}"
	onGroupTags = "log-group:{logGroup}"
	logsTags    = "aws:ResourceTag/* "
)

func logsRows() []row {
	rows := []row{
		{"CreateLogGroup", onGroup, logsTags + newTags},
		{"ListTagsForResource", onGroupTags, logsTags},
		{"TagResource", onGroupTags, logsTags + newTags},
		{"UntagResource", onGroupTags, logsTags + "aws:TagKeys"},
		{"TagLogGroup", onGroup, logsTags + newTags},
		{"UntagLogGroup", onGroup, logsTags + "aws:TagKeys"},
	}
	for _, name := range []string{"CreateLogStream", "DeleteLogStream", "GetLogEvents", "PutLogEvents"} {
		rows = append(rows, row{name, onStream, logsTags})
	}
	for _, name := range []string{
		"AssociateKmsKey", "CreateExportTask", "DeleteLogGroup", "DeleteMetricFilter", "DeleteRetentionPolicy", "DeleteSubscriptionFilter", "DescribeLogGroups", "DescribeLogStreams",
		"DescribeMetricFilters", "DescribeSubscriptionFilters", "DisassociateKmsKey", "FilterLogEvents", "GetLogGroupFields", "ListTagsLogGroup", "PutLogGroupDeletionProtection", "PutMetricFilter",
		"PutRetentionPolicy", "PutSubscriptionFilter", "StartLiveTail", "StartQuery",
	} {
		rows = append(rows, row{name, onGroup, logsTags})
	}
	for _, name := range []string{
		"CancelExportTask", "DeleteQueryDefinition", "DeleteResourcePolicy", "DescribeExportTasks", "DescribeQueries", "DescribeQueryDefinitions", "DescribeResourcePolicies",
		"GetLogRecord", "GetQueryResults", "ListLogGroups", "ListLogGroupsForQuery", "PutQueryDefinition", "PutResourcePolicy", "StopQuery", "TestMetricFilter",
	} {
		rows = append(rows, row{name, "", ""})
	}
	return rows
}

// Secrets Manager: the ARN of a secret ends with six characters of its own.
const (
	onSecret    = "secret:{secret}"
	secretTags  = "aws:ResourceTag/* secretsmanager:ResourceTag/* secretsmanager:resource/AllowRotationLambdaArn "
	ofSecret    = secretTags + "secretsmanager:SecretId secretsmanager:SecretPrimaryRegion "
	secretLabel = "secretsmanager:VersionStage "
)

func secretsRows() []row {
	return []row{
		{"BatchGetSecretValue", "", ""}, // and GetSecretValue on each
		{"CancelRotateSecret", onSecret, ofSecret},
		{"CreateSecret", onSecret, secretTags + newTags + "secretsmanager:Name secretsmanager:Description secretsmanager:KmsKeyArn secretsmanager:AddReplicaRegions secretsmanager:ForceOverwriteReplicaSecret"},
		{"DeleteResourcePolicy", onSecret, ofSecret},
		{"DeleteSecret", onSecret, ofSecret + "secretsmanager:RecoveryWindowInDays secretsmanager:ForceDeleteWithoutRecovery"},
		{"DescribeSecret", onSecret, ofSecret},
		{"GetRandomPassword", "", ""},
		{"GetResourcePolicy", onSecret, ofSecret},
		{"GetSecretValue", onSecret, ofSecret + secretLabel + "secretsmanager:VersionId"},
		{"ListSecretVersionIds", onSecret, ofSecret},
		{"ListSecrets", "", ""},
		{"PutResourcePolicy", onSecret, ofSecret + "secretsmanager:BlockPublicPolicy"},
		{"PutSecretValue", onSecret, ofSecret + secretLabel},
		{"RemoveRegionsFromReplication", onSecret, ofSecret},
		{"ReplicateSecretToRegions", onSecret, ofSecret + "secretsmanager:AddReplicaRegions secretsmanager:ForceOverwriteReplicaSecret"},
		{"RestoreSecret", onSecret, ofSecret},
		{"RotateSecret", onSecret, ofSecret + "secretsmanager:RotationLambdaARN secretsmanager:ModifyRotationRules secretsmanager:RotateImmediately"},
		{"StopReplicationToReplica", onSecret, ofSecret},
		{"TagResource", onSecret, ofSecret + newTags},
		{"UntagResource", onSecret, ofSecret + "aws:TagKeys"},
		{"UpdateSecret", onSecret, ofSecret + "secretsmanager:Description secretsmanager:KmsKeyArn"},
		{"UpdateSecretVersionStage", onSecret, ofSecret + secretLabel},
		{"ValidateResourcePolicy", onSecret, ofSecret},
	}
}

// SSM, as far as it is the Parameter Store and sessions of ECS Exec. The ARN of /a/b is parameter/a/b: the name goes in without its first slash.
const (
	onParameter   = "parameter/{parameter}"
	onSession     = "session/{session}"
	parameterTags = "aws:ResourceTag/* ssm:resourceTag/* "
)

func ssmRows() []row {
	return []row{
		{"AddTagsToResource", onParameter, parameterTags + newTags},
		{"DeleteParameter", onParameter, parameterTags},
		{"DeleteParameters", onParameter, parameterTags},
		{"DescribeParameters", "", ""},
		{"DescribeSessions", "", ""},
		{"GetParameter", onParameter, parameterTags},
		{"GetParameterHistory", onParameter, parameterTags},
		{"GetParameters", onParameter, parameterTags},
		{"GetParametersByPath", onParameter, parameterTags + "ssm:Recursive"},
		{"LabelParameterVersion", onParameter, parameterTags},
		{"ListTagsForResource", onParameter, parameterTags},
		{"PutParameter", onParameter, parameterTags + newTags + "ssm:Overwrite ssm:Policies"},
		{"RemoveTagsFromResource", onParameter, parameterTags + "aws:TagKeys"},
		{"GetConnectionStatus", "", ""}, // of a target in ECS: see access
		{"UnlabelParameterVersion", onParameter, parameterTags},
		{"ResumeSession", onSession, "ssm:resourceTag/*"},
		{"StartSession", "task/{task}", "aws:ResourceTag/* ssm:resourceTag/*"}, // of ECS; and the document: see access
		{"TerminateSession", onSession, "ssm:resourceTag/*"},
	}
}

func stsRows() []row {
	const session = newTags + "sts:RoleSessionName sts:SourceIdentity sts:TransitiveTagKeys sts:DurationSeconds "
	return []row{
		{"AssumeRole", "role/{role}", session + "aws:ResourceTag/* iam:ResourceTag/* sts:ExternalId aws:SourceIdentity"},
		{"AssumeRoleWithSAML", "role/{role}", session},
		{"AssumeRoleWithWebIdentity", "role/{role}", session},
		{"AssumeRoot", "", "sts:TaskPolicyArn"},
		{"DecodeAuthorizationMessage", "", ""},
		{"GetAccessKeyInfo", "", ""},
		{"GetCallerIdentity", free, ""}, // a policy that denies it is not asked [D]
		{"GetDelegatedAccessToken", "", ""},
		{"GetFederationToken", "federated-user/{name}", newTags},
		{"GetSessionToken", free, ""}, // [D]
		{"GetWebIdentityToken", "", newTags + "sts:IdentityTokenAudience sts:SigningAlgorithm sts:DurationSeconds"},
	}
}

// stsFurther adds what a trust policy has to allow besides the assumption itself [D].
func stsFurther(o *Operation) {
	switch o.Name {
	case "AssumeRole":
		o.Also = []Further{{"Tags", "sts:TagSession"}, {"SourceIdentity", "sts:SetSourceIdentity"}}
	case "GetWebIdentityToken":
		o.Also = []Further{{"Tags", "sts:TagGetWebIdentityToken"}}
	}
}
