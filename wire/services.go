package wire

import (
	"path"
	"strings"
	"unicode"

	"github.com/roadstead/roadstead/model"
)

// ECS is Amazon Elastic Container Service (88 operations, awsJson 1.1).
func ECS() *Service {
	return &Service{
		Name: "ecs", SigningName: "ecs", TargetPrefix: "AmazonEC2ContainerServiceV20141113", JSONVersion: "1.1",
		APIVersion: "2014-11-13", XMLNamespace: "http://ecs.amazonaws.com/doc/2014-11-13/",
		Operations: ecsOperations(), ServerFaults: ecsFaults(), FaultCode: "ServerException",
		MissingRequired: blankECS,
	}
}

// ECR is Amazon Elastic Container Registry (awsJson 1.1).
func ECR() *Service {
	return &Service{
		Name: "ecr", SigningName: "ecr", TargetPrefix: "AmazonEC2ContainerRegistry_V20150921", JSONVersion: "1.1",
		APIVersion: "2015-09-21", XMLNamespace: "http://ecr.amazonaws.com/doc/2015-09-21/",
		Operations: ecrOperations(), ServerFaults: ecrFaults(), FaultCode: "ServerException",
	}
}

// SSM is AWS Systems Manager (awsJson 1.1).
func SSM() *Service {
	return &Service{
		Name: "ssm", SigningName: "ssm", TargetPrefix: "AmazonSSM", JSONVersion: "1.1",
		APIVersion: "2014-11-06", XMLNamespace: "http://ssm.amazonaws.com/doc/2014-11-06/",
		Operations: ssmOperations(), ServerFaults: ssmFaults(), FaultCode: "InternalServerError",
	}
}

// SecretsManager is AWS Secrets Manager (awsJson 1.1).
func SecretsManager() *Service {
	return &Service{
		Name: "secretsmanager", SigningName: "secretsmanager", TargetPrefix: "secretsmanager", JSONVersion: "1.1",
		APIVersion: "2017-10-17", XMLNamespace: "http://secretsmanager.amazonaws.com/doc/2017-10-17/",
		Operations: secretsmanagerOperations(), ServerFaults: secretsmanagerFaults(), FaultCode: "InternalServiceError",
	}
}

// KMS is AWS Key Management Service (awsJson 1.1).
func KMS() *Service {
	return &Service{
		Name: "kms", SigningName: "kms", TargetPrefix: "TrentService", JSONVersion: "1.1",
		APIVersion: "2014-11-01", XMLNamespace: "https://trent.amazonaws.com/doc/2014-11-01/",
		Operations: kmsOperations(), ServerFaults: kmsFaults(), FaultCode: "KMSInternalException",
	}
}

// STS is AWS Security Token Service (awsQuery).
func STS() *Service {
	return &Service{
		Name: "sts", SigningName: "sts", TargetPrefix: "AWSSecurityTokenServiceV20110615",
		APIVersion: "2011-06-15", XMLNamespace: "https://sts.amazonaws.com/doc/2011-06-15/",
		Operations: stsOperations(), ServerFaults: stsFaults(),
	}
}

// IAM is AWS Identity and Access Management (awsQuery).
func IAM() *Service {
	return &Service{
		Name: "iam", SigningName: "iam", TargetPrefix: "AWSIdentityManagementV20100508",
		APIVersion: "2010-05-08", XMLNamespace: "https://iam.amazonaws.com/doc/2010-05-08/",
		Operations: iamOperations(), ServerFaults: iamFaults(), FaultCode: "ServiceFailure",
		ErrorStatus: map[string]int{"NoSuchEntity": 404, "EntityAlreadyExists": 409, "DeleteConflict": 409, "LimitExceeded": 409},
	}
}

// CloudWatch is Amazon CloudWatch metrics and alarms (rpc-v2-cbor, awsJson 1.0 and awsQuery, by client).
func CloudWatch() *Service {
	return &Service{
		Name: "cloudwatch", SigningName: "monitoring", TargetPrefix: "GraniteServiceVersion20100801", JSONVersion: "1.0",
		APIVersion: "2010-08-01", XMLNamespace: "http://monitoring.amazonaws.com/doc/2010-08-01/",
		QueryCompatible: true, QueryErrors: cloudwatchQueryErrors(), ErrorStatus: cloudwatchStatuses(),
		Operations: cloudwatchOperations(), ServerFaults: cloudwatchFaults(), FaultCode: "InternalServiceFault",
	}
}

// Logs is Amazon CloudWatch Logs (awsJson 1.1).
func Logs() *Service {
	return &Service{
		Name: "logs", SigningName: "logs", TargetPrefix: "Logs_20140328", JSONVersion: "1.1",
		APIVersion: "2014-03-28", XMLNamespace: "http://logs.amazonaws.com/doc/2014-03-28/",
		Operations: cloudwatchlogsOperations(), ServerFaults: cloudwatchlogsFaults(), FaultCode: "ServiceUnavailableException",
		MissingRequired: func(b Blank) *model.Error { // [O]
			return model.Errorf("InvalidParameterException",
				"1 validation error detected: Value null at '%s' failed to satisfy constraint: Member must not be null", b.Path)
		},
	}
}

// blankECS words ECS's refusal: "Tasks cannot be empty." for lists [O], "Service name can not be blank." for others; in a
// task definition's containers "Container.image should not be null or empty." [O]. The remaining wordings are [I].
func blankECS(b Blank) *model.Error {
	if member, ok := containerMember(b.Path); ok {
		return model.Errorf("ClientException", "Container.%s should not be null or empty.", member)
	}
	name := words(path.Ext("." + b.Path)[1:])
	if b.List {
		return model.Errorf("InvalidParameterException", "%s cannot be empty.", name)
	}
	return model.Errorf("InvalidParameterException", "%s can not be blank.", name)
}

// containerMember cuts "containerDefinitions[0].image" to "image".
func containerMember(p string) (string, bool) {
	rest, ok := strings.CutPrefix(p, "containerDefinitions[")
	if !ok {
		return "", false
	}
	_, member, ok := strings.Cut(rest, "].")
	return member, ok && !strings.ContainsAny(member, ".[")
}

// words turns "containerInstances" into "Container instances".
func words(member string) string {
	var b strings.Builder
	for i, r := range member {
		switch {
		case i == 0:
			b.WriteRune(unicode.ToUpper(r))
		case unicode.IsUpper(r):
			b.WriteByte(' ')
			b.WriteRune(unicode.ToLower(r))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// blank words the refusal of the other services, which validate by the Smithy model: JSON services answer
// ValidationException, query services ValidationError, EC2 MissingParameter [I].
func (s *Service) blank(b Blank) *model.Error {
	if s.MissingRequired != nil {
		return s.MissingRequired(b)
	}
	switch {
	case s.EC2:
		return model.Errorf("MissingParameter", "The request must contain the parameter %s", b.Path)
	case s.JSONVersion == "":
		return model.Errorf("ValidationError",
			"1 validation error detected: Value null at '%s' failed to satisfy constraint: Member must not be null", b.Path)
	}
	return model.Errorf("ValidationException",
		"1 validation error detected: Value null at '%s' failed to satisfy constraint: Member must not be null", b.Path)
}
