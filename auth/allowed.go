package auth

import "github.com/roadstead/roadstead/model"

// Allowed says whether the principal may call an operation of a service (its IAM prefix: "ecs", "ecr"...). It returns
// nil or AccessDeniedException, by what sort of key it has: the root user may do everything, a node only what an agent must
// do, and whoever needs policies (Judged) nothing, for those are read elsewhere. ecs:Poll and ecs:StartTelemetrySession are
// the agent's two websockets (ACS and TCS).
func Allowed(p Principal, service, op string) error {
	switch p.Kind {
	case model.KeyRoot:
		return nil
	case model.KeyNode:
		if nodeMay(service, op) {
			return nil
		}
	}
	return Denied(p, service+":"+op, "*")
}

// Unsigned says whether an operation is for those who have no credentials yet: who calls is said by what the request holds, which
// the operation verifies itself [D].
func Unsigned(service, op string) bool { return service == "sts" && op == "AssumeRoleWithWebIdentity" }

// Judged says whether what the principal may do stands in policies: users and sessions, and not the root user and nodes.
func (p Principal) Judged() bool { return p.Kind != model.KeyRoot && p.Kind != model.KeyNode }

// AllowedOn says whether the principal may call an operation for a task on an instance, nil for none: a node speaks for tasks
// on the instances that registered with its own key, and no others. Operations that a node calls for its tasks
// (GetTaskProtection, UpdateTaskProtection) ask it besides Allowed, when they know the task.
func AllowedOn(p Principal, service, op string, task *model.Task, i *model.Instance) error {
	if p.Kind != model.KeyNode || i != nil && i.NodeKey == p.AccessKeyID && task.InstanceKey() == i.Key() {
		return nil
	}
	return Denied(p, service+":"+op, task.ARN())
}

// Denied refuses an action on a resource to somebody who has no policies.
func Denied(p Principal, action, resource string) error {
	return model.Errorf("AccessDeniedException",
		"User: %s is not authorized to perform: %s on resource: %s because no identity-based policy allows the %s action",
		p.ARN, action, resource, action)
}

func nodeMay(service, op string) bool {
	switch service {
	case "ecs":
		switch op {
		case "RegisterContainerInstance", "DeregisterContainerInstance", "DiscoverPollEndpoint",
			"SubmitTaskStateChange", "SubmitContainerStateChange", "SubmitAttachmentStateChanges",
			"UpdateContainerInstancesState", "ListTagsForResource", "Poll", "StartTelemetrySession",
			"GetTaskProtection", "UpdateTaskProtection": // see AllowedOn
			return true
		}
	case "ecr":
		switch op {
		case "GetAuthorizationToken", "BatchGetImage", "GetDownloadUrlForLayer", "BatchCheckLayerAvailability":
			return true
		}
	case "logs": // the driver awslogs; GetLogEvents tells it what has arrived. In which streams, package access says
		switch op {
		case "CreateLogGroup", "CreateLogStream", "PutLogEvents", "GetLogEvents":
			return true
		}
	case "sts":
		return op == "GetCallerIdentity" // nobody needs a permission for it
	}
	return false
}
