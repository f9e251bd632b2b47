package policy

// IAM's resources: names with their paths ("ops/ann"). What lists by path prefix is about that prefix: "user/" [O].
const (
	onUser     = "user/{user}"
	onGroupIAM = "group/{group}"
	onRole     = "role/{role}"
	onPolicy   = "policy/{policy}"
	onProfile  = "instance-profile/{instanceProfile}"
	onOIDC     = "oidc-provider/{provider}"
	onSAML     = "saml-provider/{provider}"
	onCert     = "server-certificate/{certificate}"
	onMFA      = "mfa/{device}"

	iamTags   = "aws:ResourceTag/* iam:ResourceTag/* "
	boundaryK = "iam:PermissionsBoundary "
	attachK   = iamTags + boundaryK + "iam:PolicyARN"
)

// iamRows are IAM's operations that change something.
func iamRows() []row {
	return []row{
		{"CreateUser", onUser, newTags + boundaryK}, {"DeleteUser", onUser, iamTags + boundaryK}, {"UpdateUser", onUser, iamTags},
		{"TagUser", onUser, iamTags + newTags}, {"UntagUser", onUser, iamTags + "aws:TagKeys"},
		{"AttachUserPolicy", onUser, attachK}, {"DetachUserPolicy", onUser, attachK},
		{"PutUserPolicy", onUser, iamTags + boundaryK}, {"DeleteUserPolicy", onUser, iamTags + boundaryK},
		{"PutUserPermissionsBoundary", onUser, iamTags + boundaryK}, {"DeleteUserPermissionsBoundary", onUser, iamTags + boundaryK},
		{"CreateAccessKey", onUser, iamTags}, {"DeleteAccessKey", onUser, iamTags}, {"UpdateAccessKey", onUser, iamTags},
		{"ChangePassword", onUser, iamTags}, {"CreateLoginProfile", onUser, iamTags}, {"DeleteLoginProfile", onUser, iamTags}, {"UpdateLoginProfile", onUser, iamTags},
		{"DeactivateMFADevice", onUser, iamTags}, {"EnableMFADevice", onUser, iamTags + "iam:RegisterSecurityKey iam:FIDO-certification"}, {"ResyncMFADevice", onUser, iamTags},
		{"CreateServiceSpecificCredential", onUser, iamTags}, {"DeleteServiceSpecificCredential", onUser, iamTags}, {"ResetServiceSpecificCredential", onUser, iamTags}, {"UpdateServiceSpecificCredential", onUser, iamTags},
		{"DeleteSSHPublicKey", onUser, iamTags}, {"UpdateSSHPublicKey", onUser, iamTags}, {"UploadSSHPublicKey", onUser, iamTags},
		{"DeleteSigningCertificate", onUser, iamTags}, {"UpdateSigningCertificate", onUser, iamTags}, {"UploadSigningCertificate", onUser, iamTags},
		{"CreateVirtualMFADevice", onMFA, newTags}, {"DeleteVirtualMFADevice", onMFA, iamTags}, {"TagMFADevice", onMFA, iamTags + newTags}, {"UntagMFADevice", onMFA, iamTags + "aws:TagKeys"},

		{"CreateGroup", onGroupIAM, ""}, {"DeleteGroup", onGroupIAM, ""}, {"UpdateGroup", onGroupIAM, ""},
		{"AddUserToGroup", onGroupIAM, ""}, {"RemoveUserFromGroup", onGroupIAM, ""},
		{"AttachGroupPolicy", onGroupIAM, "iam:PolicyARN"}, {"DetachGroupPolicy", onGroupIAM, "iam:PolicyARN"},
		{"PutGroupPolicy", onGroupIAM, ""}, {"DeleteGroupPolicy", onGroupIAM, ""},

		{"CreateRole", onRole, newTags + boundaryK}, {"DeleteRole", onRole, iamTags}, {"UpdateRole", onRole, iamTags}, {"UpdateRoleDescription", onRole, iamTags},
		{"UpdateAssumeRolePolicy", onRole, iamTags},
		{"TagRole", onRole, iamTags + newTags}, {"UntagRole", onRole, iamTags + "aws:TagKeys"},
		{"AttachRolePolicy", onRole, attachK}, {"DetachRolePolicy", onRole, attachK},
		{"PutRolePolicy", onRole, iamTags + boundaryK}, {"DeleteRolePolicy", onRole, iamTags + boundaryK},
		{"PutRolePermissionsBoundary", onRole, iamTags + boundaryK}, {"DeleteRolePermissionsBoundary", onRole, iamTags + boundaryK},
		{"CreateServiceLinkedRole", onRole, "iam:AWSServiceName"}, {"DeleteServiceLinkedRole", onRole, iamTags},
		{"AcquireRole", onRole, iamTags}, // [I]

		{"CreatePolicy", onPolicy, newTags}, {"DeletePolicy", onPolicy, iamTags}, {"CreatePolicyVersion", onPolicy, iamTags}, {"DeletePolicyVersion", onPolicy, iamTags},
		{"SetDefaultPolicyVersion", onPolicy, iamTags}, {"TagPolicy", onPolicy, iamTags + newTags}, {"UntagPolicy", onPolicy, iamTags + "aws:TagKeys"},

		{"CreateInstanceProfile", onProfile, newTags}, {"DeleteInstanceProfile", onProfile, iamTags},
		{"AddRoleToInstanceProfile", onProfile, iamTags}, {"RemoveRoleFromInstanceProfile", onProfile, iamTags},
		{"TagInstanceProfile", onProfile, iamTags + newTags}, {"UntagInstanceProfile", onProfile, iamTags + "aws:TagKeys"},

		{"CreateOpenIDConnectProvider", onOIDC, newTags}, {"DeleteOpenIDConnectProvider", onOIDC, iamTags},
		{"AddClientIDToOpenIDConnectProvider", onOIDC, iamTags}, {"RemoveClientIDFromOpenIDConnectProvider", onOIDC, iamTags}, {"UpdateOpenIDConnectProviderThumbprint", onOIDC, iamTags},
		{"TagOpenIDConnectProvider", onOIDC, iamTags + newTags}, {"UntagOpenIDConnectProvider", onOIDC, iamTags + "aws:TagKeys"},
		{"CreateSAMLProvider", onSAML, newTags}, {"DeleteSAMLProvider", onSAML, iamTags}, {"UpdateSAMLProvider", onSAML, iamTags},
		{"TagSAMLProvider", onSAML, iamTags + newTags}, {"UntagSAMLProvider", onSAML, iamTags + "aws:TagKeys"},
		{"UploadServerCertificate", onCert, newTags}, {"DeleteServerCertificate", onCert, iamTags}, {"UpdateServerCertificate", onCert, iamTags},
		{"TagServerCertificate", onCert, iamTags + newTags}, {"UntagServerCertificate", onCert, iamTags + "aws:TagKeys"},

		{"CreateAccountAlias", "", ""}, {"DeleteAccountAlias", "", ""}, {"UpdateAccountPasswordPolicy", "", ""}, {"DeleteAccountPasswordPolicy", "", ""},
		{"SetSecurityTokenServicePreferences", "", ""}, {"PutAccountProperties", "", ""},
		{"DisableOrganizationsRootCredentialsManagement", "", ""}, {"DisableOrganizationsRootSessions", "", ""}, {"DisableOutboundWebIdentityFederation", "", ""},
		{"EnableOrganizationsRootCredentialsManagement", "", ""}, {"EnableOrganizationsRootSessions", "", ""}, {"EnableOutboundWebIdentityFederation", "", ""},
		{"AcceptDelegationRequest", "", ""}, {"AssociateDelegationRequest", "", ""}, {"CreateDelegationRequest", "", ""}, {"RejectDelegationRequest", "", ""},
		{"SendDelegationToken", "", ""}, {"UpdateDelegationRequest", "", ""},
	}
}

// iamReadRows are those that only look.
func iamReadRows() []row {
	rows := []row{
		{"ListUsers", "user/{pathPrefix}", ""}, {"ListGroups", "group/{pathPrefix}", ""}, {"ListRoles", "role/{pathPrefix}", ""}, {"ListInstanceProfiles", "instance-profile/{pathPrefix}", ""},
		{"GetAccessKeyLastUsed", onUser, iamTags},
		{"GetServiceLinkedRoleDeletionStatus", onRole, iamTags},
		{"GetOrganizationsAccessReport", "", ""}, {"GenerateOrganizationsAccessReport", "access-report/{entityPath}", "iam:OrganizationsPolicyId"},
		{"SimulatePrincipalPolicy", "{resource}", iamTags}, {"GetContextKeysForPrincipalPolicy", "{resource}", iamTags},
		{"GenerateServiceLastAccessedDetails", "{resource}", iamTags}, {"ListPoliciesGrantingServiceAccess", "{resource}", iamTags},
		{"ListEntitiesForPolicy", onPolicy, iamTags},
	}
	for resource, names := range map[string][]string{
		onUser: {"GetUser", "GetUserPolicy", "GetLoginProfile", "GetMFADevice", "GetSSHPublicKey", "ListAccessKeys", "ListAttachedUserPolicies", "ListGroupsForUser",
			"ListMFADevices", "ListSSHPublicKeys", "ListServiceSpecificCredentials", "ListSigningCertificates", "ListUserPolicies", "ListUserTags"},
		onGroupIAM: {"GetGroup", "GetGroupPolicy", "ListAttachedGroupPolicies", "ListGroupPolicies"},
		onRole:     {"GetRole", "GetRolePolicy", "ListAttachedRolePolicies", "ListInstanceProfilesForRole", "ListRolePolicies", "ListRoleTags"},
		onPolicy:   {"GetPolicy", "GetPolicyVersion", "ListPolicyTags", "ListPolicyVersions"},
		onProfile:  {"GetInstanceProfile", "ListInstanceProfileTags"},
		onOIDC:     {"GetOpenIDConnectProvider", "ListOpenIDConnectProviderTags"},
		onSAML:     {"GetSAMLProvider", "ListSAMLProviderTags"},
		onCert:     {"GetServerCertificate", "ListServerCertificateTags"},
		onMFA:      {"ListMFADeviceTags"},
		"": {"GenerateCredentialReport", "GetAccountAuthorizationDetails", "GetAccountPasswordPolicy", "GetAccountProperties", "GetAccountSummary",
			"GetContextKeysForCustomPolicy", "GetCredentialReport", "GetDelegationRequest", "GetHumanReadableSummary", "GetOutboundWebIdentityFederationInfo",
			"GetRoleTemplateVersion", "GetServiceLastAccessedDetails", "GetServiceLastAccessedDetailsWithEntities", "ListAccountAliases", "ListDelegationRequests",
			"ListOpenIDConnectProviders", "ListOrganizationsFeatures", "ListPolicies", "ListSAMLProviders", "ListServerCertificates", "ListVirtualMFADevices", "SimulateCustomPolicy"},
	} {
		keys := iamTags
		if resource == "" || resource == onGroupIAM {
			keys = ""
		}
		for _, name := range names {
			rows = append(rows, row{name, resource, keys})
		}
	}
	return rows
}

// iamFurther: a role is passed when it becomes that of an instance profile [D].
func iamFurther(o *Operation) {
	if o.Name == "AddRoleToInstanceProfile" {
		o.Passes = []Pass{{Member: "RoleName", Service: "ec2.amazonaws.com"}}
	}
}
