package model

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Deployment statuses: what it is to its service (SEMANTICS §3).
const (
	DeploymentPrimary  = "PRIMARY"  // the newest, or the one that was rolled back to
	DeploymentActive   = "ACTIVE"   // being replaced, still in the service's list
	DeploymentInactive = "INACTIVE" // dropped from the list
)

// Rollout states (SEMANTICS §3).
const (
	RolloutInProgress = "IN_PROGRESS"
	RolloutCompleted  = "COMPLETED"
	RolloutFailed     = "FAILED"
)

// Deployment is one deployment of a revision, with which it shares its id, under all the names that ECS has for it: the entry
// ecs-svc/ID of the service's deployments[], and the service deployment RecordID with its history. Deploying another revision
// makes another row; rolling back makes the row of the revision that is rolled back to PRIMARY again.
//
// Writers: api/ecs makes it, makes the one before ACTIVE, asks for stops and rollbacks (State) and answers hooks;
// controller/deploy does all the rest.
type Deployment struct {
	Scope
	Cluster  string `json:"cluster"`
	Service  string `json:"service"`
	ID       string `json:"id"`       // 19 digits, that sort by age
	RecordID string `json:"recordId"` // last part of the service deployment's ARN

	// Status, Rollout and RolloutReason are those of deployments[].
	Status        string `json:"status"`
	Rollout       string `json:"rollout"`
	RolloutReason string `json:"rolloutReason"`
	// State and StateReason are the status of the service deployment: PENDING, IN_PROGRESS, SUCCESSFUL, STOP_REQUESTED ...
	State       string `json:"state"`
	StateReason string `json:"stateReason,omitempty"`
	// Sources are the ids of the revisions that ran when the deployment began, oldest first.
	Sources []string `json:"sources,omitempty"`

	CreatedAt  Millis `json:"createdAt"`
	StartedAt  Millis `json:"startedAt,omitempty"`
	UpdatedAt  Millis `json:"updatedAt"`
	FinishedAt Millis `json:"finishedAt,omitempty"`
	StoppedAt  Millis `json:"stoppedAt,omitempty"`
	// HealthyAt is since when all that the deployment waits for has been healthy; its bake time begins then. 0: not yet.
	HealthyAt Millis `json:"healthyAt,omitempty"`

	// Ignored are the names of the alarms that were in ALARM already when the deployment began: they do not fail it.
	Ignored []string `json:"ignored,omitempty"`

	// FailedTasks are all tasks that failed (deployments[].failedTasks); Failures those that the circuit breaker counts now.
	FailedTasks int32 `json:"failedTasks,omitempty"`
	Failures    int32 `json:"failures,omitempty"`
	Tripped     bool  `json:"tripped,omitempty"` // the circuit breaker has gone off
	// StartFailures are the attempts in a row whose tasks stopped without having run: tasks that were started together are one.
	// RetryAt is when the next may be started (SEMANTICS §8.5).
	StartFailures int32  `json:"startFailures,omitempty"`
	LastFailureAt Millis `json:"lastFailureAt,omitempty"`
	LastFailure   string `json:"lastFailure,omitempty"` // stoppedReason of the last one
	RetryAt       Millis `json:"retryAt,omitempty"`
	// Sick are the instances on which a DAEMON's task stopped without having run, by id: each has a series of its own, and does
	// not hold up the others. StartFailures and RetryAt are not used then.
	Sick []SickInstance `json:"sick,omitempty"`

	// Rollback is set when the deployment was given up for another revision.
	Rollback *Rollback `json:"rollback,omitempty"`
	// Stage is where a BLUE_GREEN, LINEAR or CANARY deployment is (SEMANTICS §9), "" for ROLLING.
	Stage *Stage `json:"stage,omitempty"`

	// Configuration is the service's deploymentConfiguration when the deployment was made.
	Configuration *types.DeploymentConfiguration `json:"-"`
}

// SickInstance is the series of failures on one instance; its members are as in Deployment.
type SickInstance struct {
	Instance      string `json:"instance"` // id
	StartFailures int32  `json:"startFailures"`
	LastFailureAt Millis `json:"lastFailureAt"`
	RetryAt       Millis `json:"retryAt"`
}

// StartTrouble is the longest series of failed attempts to start tasks, and when the next one is allowed; zero if the last one
// did not fail.
func (d *Deployment) StartTrouble() (failures int32, retryAt Millis) {
	failures, retryAt = d.StartFailures, d.RetryAt
	for _, i := range d.Sick {
		failures = max(failures, i.StartFailures)
		if retryAt == 0 || i.RetryAt < retryAt {
			retryAt = i.RetryAt
		}
	}
	return failures, retryAt
}

// Rollback says what a deployment was given up for.
type Rollback struct {
	To        string `json:"to"` // id of the deployment and revision
	Reason    string `json:"reason"`
	StartedAt Millis `json:"startedAt"`
}

// Key is the deployment's row key: those of a service sort by age.
func (d *Deployment) Key() string { return DeploymentKey(d.Scope, d.Cluster, d.Service, d.ID) }

// ARN is the ARN of the service deployment.
func (d *Deployment) ARN() string {
	return d.Scope.ARN("ecs", "service-deployment/"+d.Cluster+"/"+d.Service+"/"+d.RecordID)
}

// Name is the deployment's id in the API, and startedBy of its tasks.
func (d *Deployment) Name() string { return DeploymentName(d.ID) }

// Ended reports whether the service deployment is in a terminal state.
func (d *Deployment) Ended() bool {
	switch types.ServiceDeploymentStatus(d.State) {
	case types.ServiceDeploymentStatusSuccessful, types.ServiceDeploymentStatusStopped,
		types.ServiceDeploymentStatusRollbackSuccessful, types.ServiceDeploymentStatusRollbackFailed:
		return true
	}
	return false
}

// Specs points to the user-authored parts of the row.
func (d *Deployment) Specs() []any { return []any{&d.Configuration} }

// DeploymentKey is the row key of a deployment.
func DeploymentKey(s Scope, cluster, service, id string) string { return s.Key(cluster, service, id) }

// deploymentPrefix begins the ids of deployments and task sets in the API.
const deploymentPrefix = "ecs-svc/"

// DeploymentName is the API's id of a deployment or task set.
func DeploymentName(id string) string { return deploymentPrefix + id }

// DeploymentID is the id of the deployment or task set that started the task, "" if it is standalone.
func (t *Task) DeploymentID() string {
	if t.Service() == "" {
		return ""
	}
	return strings.TrimPrefix(t.StartedBy, deploymentPrefix)
}

// NewDeploymentID is an id of 19 digits for a deployment or task set made at a moment; random decides between those of one
// millisecond. Ids sort by age.
func NewDeploymentID(at Millis, random uint64) string {
	return fmt.Sprintf("%013d%06d", at, random%1_000_000)
}

// Revision is what a deployment or task set runs: immutable but for Images. Writers: api/ecs; of Images, controller/deploy.
type Revision struct {
	Scope
	Cluster    string `json:"cluster"`
	Service    string `json:"service"`
	ID         string `json:"id"`         // that of the deployment or task set
	Definition string `json:"definition"` // FAMILY:REVISION
	CreatedAt  Millis `json:"createdAt"`
	// Images are the digests that the tags of the definition's images stand for, by container; pinned by the revision's first
	// task that pulled them (SEMANTICS §8.4).
	Images []PinnedImage `json:"images,omitempty"`

	// Spec is the user's, in the members that CreateService, UpdateService and CreateTaskSet set: launchType or
	// capacityProviderStrategy (resolved), networkConfiguration, platformVersion, loadBalancers, serviceRegistries,
	// serviceConnectConfiguration, volumeConfigurations, vpcLatticeConfigurations, gatewayConnectors, monitoring.
	Spec types.ServiceRevision `json:"-"`
}

// PinnedImage is the digest that a container's image had when it was pulled first.
type PinnedImage struct {
	Container string `json:"c"`
	Image     string `json:"i"` // as in the definition
	Digest    string `json:"d"` // "sha256:..."
}

// Key is the revision's row key: those of a service sort by age.
func (r *Revision) Key() string { return DeploymentKey(r.Scope, r.Cluster, r.Service, r.ID) }

// ARN is the revision's Amazon resource name.
func (r *Revision) ARN() string { return RevisionARN(r.Scope, r.Cluster, r.Service, r.ID) }

// Specs points to the user-authored parts of the row.
func (r *Revision) Specs() []any { return []any{&r.Spec} }

// RevisionARN is the ARN of a service revision.
func RevisionARN(s Scope, cluster, service, id string) string {
	return s.ARN("ecs", "service-revision/"+cluster+"/"+service+"/"+id)
}

// TaskSet is one of the sets of tasks of a service whose deployments somebody else makes (SEMANTICS §10). Its revision has its
// id. Writers: api/ecs; of Steady, controller/deploy.
type TaskSet struct {
	Scope
	Cluster    string  `json:"cluster"`
	Service    string  `json:"service"`
	ID         string  `json:"id"`     // 19 digits
	Status     string  `json:"status"` // PRIMARY, ACTIVE, DRAINING
	ExternalID string  `json:"externalId,omitempty"`
	Token      string  `json:"token,omitempty"` // clientToken
	Scale      float64 `json:"scale"`           // percent of the service's desired count
	CreatedAt  Millis  `json:"createdAt"`
	UpdatedAt  Millis  `json:"updatedAt"`
	Steady     bool    `json:"steady,omitempty"` // stabilityStatus STEADY_STATE
	SteadyAt   Millis  `json:"steadyAt"`         // when that last changed
	Tags       []Tag   `json:"tags,omitempty"`
	// StartFailures and what follows are as in Deployment.
	StartFailures int32  `json:"startFailures,omitempty"`
	LastFailureAt Millis `json:"lastFailureAt,omitempty"`
	RetryAt       Millis `json:"retryAt,omitempty"`
}

// Key is the task set's row key: those of a service sort by age.
func (s *TaskSet) Key() string { return DeploymentKey(s.Scope, s.Cluster, s.Service, s.ID) }

// ARN is the task set's Amazon resource name.
func (s *TaskSet) ARN() string {
	return s.Scope.ARN("ecs", "task-set/"+s.Cluster+"/"+s.Service+"/"+DeploymentName(s.ID))
}

// padded is a number with leading zeros, so that texts sort as numbers do.
func padded(n int64) string {
	digits := strconv.FormatInt(n, 10)
	return "00000000000000000000"[:20-len(digits)] + digits
}
