package model

import (
	"cmp"
	"fmt"
	"strings"
)

// Task statuses, in the order that a task passes them (SEMANTICS §11.1).
const (
	TaskProvisioning   = "PROVISIONING"
	TaskPending        = "PENDING"
	TaskActivating     = "ACTIVATING"
	TaskRunning        = "RUNNING"
	TaskDeactivating   = "DEACTIVATING"
	TaskStopping       = "STOPPING"
	TaskDeprovisioning = "DEPROVISIONING"
	TaskStopped        = "STOPPED"
)

// Stop codes (SEMANTICS §11.2).
const (
	StopTaskFailedToStart         = "TaskFailedToStart"
	StopEssentialContainerExited  = "EssentialContainerExited"
	StopUserInitiated             = "UserInitiated"
	StopServiceSchedulerInitiated = "ServiceSchedulerInitiated"
)

// Task is one placed (or waiting) copy of a task definition. Its desired half (what was asked: api/ecs, controllers)
// and its observed half (what the node said: Observe) are changed only by the functions in lifecycle.go.
type Task struct {
	// Launch is never nil. Other tasks have the same one: see there how to change what is in it.
	*Launch
	ID       string `json:"id"`                 // 32 hex digits
	Instance string `json:"instance,omitempty"` // "" while it waits for capacity
	// InstanceCluster is the cluster of the instance if that is another than the task's: FARGATE tasks go to a pool that
	// all clusters share.
	InstanceCluster string `json:"instanceCluster,omitempty"`
	Zone            string `json:"zone,omitempty"`

	// Reserved is what the task takes from its instance from placement until STOPPED (SEMANTICS §4.6).
	Reserved Resources `json:"reserved"`

	Desired    string `json:"desired"` // RUNNING or STOPPED
	StopCode   string `json:"stopCode,omitempty"`
	StopReason string `json:"stopReason,omitempty"`

	Last        string       `json:"last"`
	Version     int64        `json:"version"`
	Health      string       `json:"health,omitempty"`
	Containers  []Container  `json:"containers"`
	Attachments []Attachment `json:"attachments,omitempty"`

	CreatedAt          Millis `json:"createdAt"`
	PullStartedAt      Millis `json:"pullStartedAt,omitempty"`
	PullStoppedAt      Millis `json:"pullStoppedAt,omitempty"`
	StartedAt          Millis `json:"startedAt,omitempty"`
	ConnectivityAt     Millis `json:"connectivityAt,omitempty"`
	StoppingAt         Millis `json:"stoppingAt,omitempty"`
	ExecutionStoppedAt Millis `json:"executionStoppedAt,omitempty"`
	StoppedAt          Millis `json:"stoppedAt,omitempty"`

	Tags []Tag `json:"tags,omitempty"`

	// HealthyAt is when the task's health last became HEALTHY; 0 if it never was, or has no health check.
	HealthyAt Millis `json:"healthyAt,omitempty"`
	// ProtectedUntil is when the task's protection from scale-in ends (SEMANTICS §8.11); 0 if it has none. Writer: api/ecs.
	ProtectedUntil Millis `json:"protectedUntil,omitempty"`
	// Counted says that the task's service has taken note of its end, or ended it. Writer: controller/deploy.
	Counted bool `json:"counted,omitempty"`
}

// Container is one container of a task as the API shows it: PENDING, RUNNING or STOPPED.
type Container struct {
	Name      string        `json:"name"`
	ID        string        `json:"id"` // uuid, last part of the container's ARN
	Image     string        `json:"image"`
	Digest    string        `json:"digest,omitempty"`
	RuntimeID string        `json:"runtimeId,omitempty"`
	Status    string        `json:"status"`
	Essential bool          `json:"essential,omitempty"`
	CPU       int32         `json:"cpu,omitempty"`
	Memory    int32         `json:"memory,omitempty"`
	SoftLimit int32         `json:"softLimit,omitempty"` // memoryReservation, MiB
	Health    string        `json:"health,omitempty"`    // "" if it has no health check
	Exited    bool          `json:"exited,omitempty"`    // ExitCode is meaningful
	ExitCode  int32         `json:"exitCode,omitempty"`
	Reason    string        `json:"reason,omitempty"`
	Bindings  []PortBinding `json:"bindings,omitempty"`
}

// PortBinding is one published port of a container.
type PortBinding struct {
	BindIP        string `json:"ip,omitempty"`
	ContainerPort int32  `json:"c,omitempty"`
	HostPort      int32  `json:"h,omitempty"`
	Protocol      string `json:"p,omitempty"` // tcp or udp
	// ContainerRange and HostRange are set instead for a port range, "8000-8010".
	ContainerRange string `json:"cr,omitempty"`
	HostRange      string `json:"hr,omitempty"`
}

// Attachment is a resource attached to a task: of type ElasticNetworkInterface for awsvpc tasks.
type Attachment struct {
	ID      string `json:"id"` // uuid
	Type    string `json:"type"`
	Status  string `json:"status"`
	Details []Tag  `json:"details,omitempty"` // name/value pairs in the API's order
}

// Key is the task's row key.
func (t *Task) Key() string { return TaskKey(t.Scope, t.Cluster, t.ID) }

// ARN is the task's Amazon resource name.
func (t *Task) ARN() string { return TaskARN(t.Scope, t.Cluster, t.ID) }

// ContainerARN is the ARN of one of the task's containers.
func (t *Task) ContainerARN(c *Container) string {
	return t.Scope.ARN("ecs", "container/"+t.Cluster+"/"+t.ID+"/"+c.ID)
}

// HealthChecked reports whether an essential container of the task has a health check: then the task is healthy when its
// Health says so, and not for having run for a while (SEMANTICS §7).
func (t *Task) HealthChecked() bool {
	for i := range t.Containers {
		if t.Containers[i].Essential && t.Containers[i].Health != "" {
			return true
		}
	}
	return false
}

// Waiting reports whether the task waits for capacity: no instance has been found for it yet.
func (t *Task) Waiting() bool { return t.Instance == "" && t.Last != TaskStopped }

// InstanceKey is the row key of the instance that the task is placed on.
func (t *Task) InstanceKey() string {
	return InstanceKey(t.Scope, cmp.Or(t.InstanceCluster, t.Cluster), t.Instance)
}

// On reports whether the row key is that of the instance that the task is placed on.
func (t *Task) On(instanceKey string) bool {
	rest := instanceKey
	for _, part := range [...]string{t.Account, t.Region, cmp.Or(t.InstanceCluster, t.Cluster)} {
		var ok bool
		if rest, ok = strings.CutPrefix(rest, part); !ok || rest == "" || rest[0] != '/' {
			return false
		}
		rest = rest[1:]
	}
	return rest == t.Instance
}

// Specs points to the user-authored parts of the row.
func (t *Task) Specs() []any { return []any{&t.Launch.Overrides} }

// TaskID is the id of a task created at a moment, of 32 random hex digits: the last 20 of them after 12 of the moment. So
// ids sort by age, and rows that are made together are neighbours wherever they are kept (docs/decisions/009).
func TaskID(at Millis, random string) string {
	return fmt.Sprintf("%012x%s", uint64(at)&(1<<48-1), random[12:])
}

// TaskKey is the row key of a task.
func TaskKey(s Scope, cluster, id string) string { return s.Key(cluster, id) }

// TaskARN is the ARN of a task.
func TaskARN(s Scope, cluster, id string) string { return s.ARN("ecs", "task/"+cluster+"/"+id) }

// RunToken remembers a clientToken of RunTask for 24 hours (SEMANTICS §1.5). Writer: api/ecs.
type RunToken struct {
	Scope
	Cluster     string   `json:"cluster"`
	Token       string   `json:"token"`
	Fingerprint string   `json:"fingerprint"` // of the request's other parameters
	Tasks       []string `json:"tasks"`       // ids
	ExpiresAt   Millis   `json:"expiresAt"`
}

// Key is the token's row key.
func (r *RunToken) Key() string { return r.Scope.Key(r.Cluster, r.Token) }
