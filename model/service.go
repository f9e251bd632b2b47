package model

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Service statuses (SEMANTICS §3).
const (
	ServiceActive   = "ACTIVE"
	ServiceDraining = "DRAINING"
	ServiceInactive = "INACTIVE"
)

// Scheduling strategies and deployment controllers of services (SEMANTICS §8, §10).
const (
	SchedulingReplica = "REPLICA"
	SchedulingDaemon  = "DAEMON"

	ControllerECS        = "ECS"
	ControllerCodeDeploy = "CODE_DEPLOY"
	ControllerExternal   = "EXTERNAL"
)

// Service keeps tasks running. What it runs is said by the revisions that its deployments (or task sets) are of; Settings is
// how. Writers: api/ecs; of Desired of a DAEMON service, of Steady, of Rebalancing and of
// the status INACTIVE, controller/deploy.
type Service struct {
	Scope
	Cluster    string `json:"cluster"`
	Name       string `json:"name"`
	Status     string `json:"status"`
	Scheduling string `json:"scheduling"`
	Controller string `json:"controller"`
	Desired    int32  `json:"desired"` // of a DAEMON service: how many instances are eligible
	CreatedAt  Millis `json:"createdAt"`
	CreatedBy  string `json:"createdBy"` // ARN of the principal
	Tags       []Tag  `json:"tags,omitempty"`
	// Request is a fingerprint of the call that created the service, by which its repetition is known (SEMANTICS §1.5).
	Request string `json:"request"`
	// Steady is since when the service has been in its steady state, 0 if it is not.
	Steady Millis `json:"steady,omitempty"`
	// Rebalancing is since when tasks are moved between availability zones (SEMANTICS §8.10), 0 if they are not.
	Rebalancing Millis `json:"rebalancing,omitempty"`
	// InactiveAt is when the service became INACTIVE.
	InactiveAt Millis `json:"inactiveAt,omitempty"`

	// Settings are the user's, with AWS's defaults filled in, in the members that CreateService and UpdateService set and that no
	// revision has: deploymentConfiguration, placementConstraints and -strategy, healthCheckGracePeriodSeconds, propagateTags,
	// enableECSManagedTags, enableExecuteCommand, availabilityZoneRebalancing, roleArn; and platformVersion of FARGATE as it was
	// given ("LATEST"), which revisions have resolved. All others are absent.
	Settings types.Service `json:"-"`
}

// Key is the service's row key.
func (s *Service) Key() string { return ServiceKey(s.Scope, s.Cluster, s.Name) }

// ARN is the service's Amazon resource name.
func (s *Service) ARN() string { return ServiceARN(s.Scope, s.Cluster, s.Name) }

// Specs points to the user-authored parts of the row.
func (s *Service) Specs() []any { return []any{&s.Settings} }

// Group is the task group of the service's tasks.
func (s *Service) Group() string { return serviceGroup + s.Name }

// serviceGroup begins the task group of every service's tasks, and of no others.
const serviceGroup = "service:"

// Service is the name of the service that the task belongs to, "" if it is standalone.
func (t *Task) Service() string {
	name, ok := strings.CutPrefix(t.Group, serviceGroup)
	if !ok {
		return ""
	}
	return name
}

// ServiceKey is the row key of a service.
func ServiceKey(s Scope, cluster, name string) string { return s.Key(cluster, name) }

// ServiceARN is the ARN of a service.
func ServiceARN(s Scope, cluster, name string) string {
	return s.ARN("ecs", "service/"+cluster+"/"+name)
}

// Message is one of a service's events[] (SEMANTICS §14.1): the newest hundred of each service are kept.
// Writers: controller/deploy, api/ecs.
type Message struct {
	Scope
	Cluster string `json:"cluster"`
	Service string `json:"service"`
	ID      string `json:"id"` // uuid
	At      Millis `json:"at"`
	Number  int64  `json:"number"` // counts the service's messages, from 1
	Text    string `json:"text"`   // "(service S) has reached a steady state."
}

// Key is the message's row key: those of a service sort by number.
func (m *Message) Key() string {
	return m.Scope.Key(m.Cluster, m.Service, padded(m.Number))
}

// MaxMessages is how many messages of a service are kept (SEMANTICS §14.1) [D].
const MaxMessages = 100
