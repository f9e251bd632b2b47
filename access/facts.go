package access

import (
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/policy"
)

// context has the condition keys of the call: those that every request has, and those of the action's list.
func (d *decider) context(t target, keys []string) *policy.Context {
	c := &policy.Context{}
	d.who.Describe(c)
	c.SetTime(d.Now)
	c.Set("aws:RequestedRegion", d.Principal.Region)
	c.Set("aws:SecureTransport", strconv.FormatBool(d.Secure))
	c.Set("aws:ViaAWSService", strconv.FormatBool(d.Via != ""))
	if d.SourceIP != "" {
		c.Set("aws:SourceIp", d.SourceIP)
	}
	if d.UserAgent != "" {
		c.Set("aws:UserAgent", d.UserAgent)
	}
	switch a, ok := model.ParseARN(t.arn); {
	case ok && a.Account != "":
		c.Set("aws:ResourceAccount", a.Account)
	case ok && a.Service == "s3":
		c.Set("aws:ResourceAccount", t.owner)
	}
	if s := d.Principal.Session; s != nil {
		c.Set("aws:TokenIssueTime", time.UnixMilli(s.IssuedAt).UTC().Format(time.RFC3339))
		c.Set("aws:MultiFactorAuthPresent", "false") // long-term keys have no such key [D]
		if s.SourceIdentity != "" {
			c.Set("aws:SourceIdentity", s.SourceIdentity)
		}
	}
	for _, key := range keys {
		switch prefix, tags := strings.CutSuffix(key, "/*"); {
		case key == "aws:RequestTag/*":
			c.SetTags(prefix, requestTags(d.Input))
		case tags:
			c.SetTags(prefix, t.tags)
		case strings.HasPrefix(key, "kms:"):
			d.kmsFacts(c, key, t)
			if vs := d.first(requestMembers(key)...); len(vs) > 0 {
				c.Set(key, vs...)
			}
		default:
			if vs := d.fact(key, t); len(vs) > 0 {
				c.Set(key, vs...)
			}
		}
	}
	return c
}

// requestMembers says in which members of a request the values of a condition key are; the first that is set counts.
func requestMembers(key string) []string {
	switch key {
	case "ecs:capacity-provider":
		return []string{"capacityProviderStrategy[].capacityProvider", "capacityProviders[]", "defaultCapacityProviderStrategy[].capacityProvider"}
	case "ecs:container-name":
		return []string{"container"}
	case "ecs:enable-execute-command":
		return []string{"enableExecuteCommand"}
	case "ecs:enable-service-connect":
		return []string{"serviceConnectConfiguration.enabled"}
	case "ecs:namespace":
		return []string{"serviceConnectConfiguration.namespace", "namespace"}
	case "ecs:enable-ecs-managed-tags":
		return []string{"enableECSManagedTags"}
	case "ecs:propagate-tags":
		return []string{"propagateTags"}
	case "ecs:subnet":
		return []string{"networkConfiguration.awsvpcConfiguration.subnets[]"}
	case "ecs:task-cpu":
		return []string{"cpu"}
	case "ecs:task-memory":
		return []string{"memory"}
	case "ecs:compute-compatibility":
		return []string{"requiresCompatibilities[]"}
	case "ecs:account-setting":
		return []string{"name"}
	case "ecs:fargate-ephemeral-storage-kms-key":
		return []string{"configuration.managedStorageConfiguration.fargateEphemeralStorageKmsKeyId"}
	case "s3:prefix", "s3:delimiter", "s3:max-keys", "s3:locationconstraint":
		return []string{strings.ReplaceAll(strings.TrimPrefix(key, "s3:"), "-", "")}
	case "iam:PolicyARN":
		return []string{"policyArn"}
	case "iam:AWSServiceName":
		return []string{"awsServiceName"}
	case "kms:KeySpec":
		return []string{"keySpec", "customerMasterKeySpec"}
	case "kms:KeyUsage":
		return []string{"keyUsage"}
	case "kms:KeyOrigin":
		return []string{"origin"}
	case "kms:MultiRegion":
		return []string{"multiRegion"}
	case "kms:GrantOperations":
		return []string{"operations[]"}
	case "kms:GranteePrincipal":
		return []string{"granteePrincipal"}
	case "kms:RetiringPrincipal":
		return []string{"retiringPrincipal"}
	case "kms:SigningAlgorithm":
		return []string{"signingAlgorithm"}
	case "kms:MessageType":
		return []string{"messageType"}
	case "kms:MacAlgorithm":
		return []string{"macAlgorithm"}
	case "kms:EncryptionAlgorithm":
		return []string{"encryptionAlgorithm"}
	case "kms:ScheduleKeyDeletionPendingWindowInDays":
		return []string{"pendingWindowInDays"}
	case "kms:RotationPeriodInDays":
		return []string{"rotationPeriodInDays"}
	case "kms:WrappingAlgorithm":
		return []string{"wrappingAlgorithm"}
	case "kms:WrappingKeySpec":
		return []string{"wrappingKeySpec"}
	case "kms:ExpirationModel":
		return []string{"expirationModel"}
	case "kms:BypassPolicyLockoutSafetyCheck":
		return []string{"bypassPolicyLockoutSafetyCheck"}
	case "sts:RoleSessionName":
		return []string{"roleSessionName"}
	case "sts:ExternalId":
		return []string{"externalId"}
	case "sts:SourceIdentity":
		return []string{"sourceIdentity"}
	case "sts:TransitiveTagKeys":
		return []string{"transitiveTagKeys[]"}
	case "sts:IdentityTokenAudience":
		return []string{"audience[]"}
	case "sts:SigningAlgorithm":
		return []string{"signingAlgorithm"}
	case "sts:DurationSeconds":
		return []string{"durationSeconds"}
	}
	return nil
}

// fact returns the values of a condition key, none if the request has no such key.
func (d *decider) fact(key string, t target) []string {
	switch key {
	case "aws:TagKeys":
		keys := append(d.first("tagKeys[]"), untagged(d.Input)...)
		for _, tag := range requestTags(d.Input) {
			keys = append(keys, tag.Key)
		}
		return keys
	case "ecs:cluster":
		return some(t.cluster)
	case "ecs:service":
		return some(t.service)
	case "ecs:task":
		if strings.Contains(t.arn, ":task/") {
			return some(t.arn)
		}
	case "ecs:task-definition":
		if ref := d.one("taskDefinition"); ref != "" {
			return some(d.ecsTarget("task-definition/{family}:{revision}", "revision", ref).arn)
		}
	case "ecs:container-instances":
		var arns []string
		for _, ref := range d.first("containerInstances[]") {
			arns = append(arns, d.ecsTarget("container-instance/{cluster}/{containerInstance}", "containerInstance", ref).arn)
		}
		return arns
	case "ecs:enable-ebs-volumes":
		return some(strconv.FormatBool(policy.Given(d.Input, "volumeConfigurations")))
	case "ecs:enable-vpc-lattice":
		return some(strconv.FormatBool(policy.Given(d.Input, "vpcLatticeConfigurations")))
	case "ecs:auto-assign-public-ip":
		return some(strconv.FormatBool(d.one("networkConfiguration.awsvpcConfiguration.assignPublicIp") == "ENABLED"))
	case "ecs:privileged":
		return some(strconv.FormatBool(slices.Contains(d.first("containerDefinitions[].privileged"), "true")))
	case "iam:PermissionsBoundary":
		return some(d.boundary())
	default:
		return d.first(requestMembers(key)...)
	}
	return nil
}

func some(value string) []string {
	if value == "" {
		return nil
	}
	return []string{value}
}

// boundary is the permissions boundary that a request sets, or that its user or role has.
func (d *decider) boundary() string {
	if arn := d.one("permissionsBoundary"); arn != "" {
		return arn
	}
	if u, ok := d.tables.Users.Get(model.IAMKey(d.Principal.Account, d.one("userName"))); ok {
		return u.Boundary
	}
	if r, ok := d.tables.Roles.Get(model.IAMKey(d.Principal.Account, d.one("roleName"))); ok {
		return r.Boundary
	}
	return ""
}

// requestTags are those of the member Tags of a request, whatever service's type they have.
func requestTags(input any) []model.Tag {
	list := reflect.Indirect(reflect.ValueOf(input)).FieldByName("Tags")
	if byKey, ok := value[map[string]string](list); ok { // as CloudWatch Logs has them
		var tags []model.Tag
		for _, key := range slices.Sorted(maps.Keys(byKey)) {
			tags = append(tags, model.Tag{Key: key, Value: byKey[key]})
		}
		return tags
	}
	if _, keys := value[[]string](list); keys || !list.IsValid() || list.Kind() != reflect.Slice {
		return nil
	}
	var tags []model.Tag
	for i := range list.Len() {
		tag := list.Index(i)
		key, value := tag.FieldByName("Key"), tag.FieldByName("Value")
		if !key.IsValid() { // as KMS calls them
			key, value = tag.FieldByName("TagKey"), tag.FieldByName("TagValue")
		}
		tags = append(tags, model.Tag{Key: textOf(key), Value: textOf(value)})
	}
	return tags
}

// untagged are the keys of UntagLogGroup, which calls them tags.
func untagged(input any) []string {
	keys, _ := value[[]string](reflect.Indirect(reflect.ValueOf(input)).FieldByName("Tags"))
	return keys
}

// value is what a field holds, if it is of the type.
func value[T any](v reflect.Value) (T, bool) {
	if !v.IsValid() {
		var none T
		return none, false
	}
	return reflect.TypeAssert[T](v)
}

func textOf(v reflect.Value) string {
	if v = reflect.Indirect(v); v.IsValid() && v.Kind() == reflect.String {
		return v.String()
	}
	return ""
}
