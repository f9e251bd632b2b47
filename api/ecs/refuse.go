package ecs

import (
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
)

// invalid is ECS's most common refusal.
func invalid(format string, args ...any) error {
	return model.Errorf("InvalidParameterException", format, args...)
}

// refused is the refusal of what the caller may not do.
func refused(format string, args ...any) error {
	return model.Errorf("ClientException", format, args...)
}

// unsupported is the refusal of what we do not serve yet: modelled and 4xx, so that no SDK retries it (CLIENTS.md).
func unsupported(format string, args ...any) error {
	return model.Errorf("UnsupportedFeatureException", format, args...)
}

// Refusals whose wording is AWS's [O] (SEMANTICS §2).
func errClusterNotFound() error {
	return model.Errorf("ClusterNotFoundException", "Cluster not found.")
}

func errClusterInactive() error {
	return model.Errorf("ClusterNotFoundException", "The referenced cluster was inactive.")
}

func errServiceNotFound() error {
	return model.Errorf("ServiceNotFoundException", "Service not found.")
}

func errServiceNotActive() error {
	return model.Errorf("ServiceNotActiveException", "Service was not ACTIVE.")
}

func errNoTask() error { return invalid("The referenced task was not found.") }

func errWrongCluster(of, yours string) error {
	return invalid("Identifier is for cluster %s. Your cluster is %s", of, yours)
}

// missing is the failure of a batch item that does not exist (SEMANTICS §1.4).
func missing(arn string) types.Failure { return failure(arn, "MISSING", "") }

func failure(arn, reason, detail string) types.Failure {
	return types.Failure{Arn: text(arn), Reason: &reason, Detail: text(detail)}
}

// checkBatch refuses a batch that is empty or too large (SEMANTICS §1.3): "Tasks cannot be empty." [O].
func checkBatch(noun string, n, most int) error {
	switch {
	case n == 0:
		return invalid("%s cannot be empty.", noun)
	case n > most:
		return invalid("%s cannot have more than %d elements.", noun, most) // [I]
	}
	return nil
}

// checkLength refuses a text that is too long [I].
func checkLength(member string, v *string, most int) error {
	if v != nil && len(*v) > most {
		return invalid("%s must be at most %d characters long.", member, most)
	}
	return nil
}
