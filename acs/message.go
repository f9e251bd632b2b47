package acs

// Messages that the control plane sends (AGENT-PROTOCOL §1.2). Each is known on the wire by its type's name.
type (
	// PayloadMessage carries tasks to start or to stop. Stops are applied before starts.
	PayloadMessage struct {
		MessageID            string `json:"messageId"`
		ClusterArn           string `json:"clusterArn"`
		ContainerInstanceArn string `json:"containerInstanceArn"`
		GeneratedAt          int64  `json:"generatedAt"` // ms
		SeqNum               int64  `json:"seqNum"`
		Tasks                []Task `json:"tasks"`
	}

	// HeartbeatMessage is sent every HeartbeatInterval; the agent closes a connection that is silent for long.
	HeartbeatMessage struct {
		MessageID string `json:"messageId"`
		Healthy   bool   `json:"healthy"`
	}

	// TaskManifestMessage lists every task that the control plane has on the instance. Timeline grows with each.
	TaskManifestMessage struct {
		MessageID            string         `json:"messageId"`
		ClusterArn           string         `json:"clusterArn"`
		ContainerInstanceArn string         `json:"containerInstanceArn"`
		GeneratedAt          int64          `json:"generatedAt"`
		Timeline             int64          `json:"timeline"`
		Tasks                []ManifestTask `json:"tasks"`
	}

	// ManifestTask is one line of a manifest, or a candidate to be stopped.
	ManifestTask struct {
		TaskArn       string `json:"taskArn"`
		DesiredStatus string `json:"desiredStatus"`
		ClusterArn    string `json:"taskClusterArn,omitempty"`
	}

	// TaskStopVerificationAck confirms candidates of the last manifest: the agent stops them.
	TaskStopVerificationAck struct {
		MessageID   string         `json:"messageId"`
		GeneratedAt int64          `json:"generatedAt"`
		StopTasks   []ManifestTask `json:"stopTasks"`
	}

	// IAMRoleCredentialsMessage renews the credentials of a task's role; they come first with the task itself.
	IAMRoleCredentialsMessage struct {
		MessageID   string    `json:"messageId"`
		TaskArn     string    `json:"taskArn"`
		ClusterArn  string    `json:"taskClusterArn,omitempty"`
		RoleType    string    `json:"roleType"` // TaskApplication or TaskExecution
		Credentials RoleCreds `json:"roleCredentials"`
	}

	// RoadsteadReset asks our own agent to kill all its tasks at once, forget them, and register anew.
	RoadsteadReset struct {
		MessageID string `json:"messageId"`
	}

	// RoadsteadReadLogs asks our own agent for records of a container's local log.
	RoadsteadReadLogs struct {
		MessageID string `json:"messageId"`
		TaskArn   string `json:"taskArn"`
		Container string `json:"container"` // "" means every container of the task
		Offset    int64  `json:"offset"`    // byte offset of an earlier answer; negative: the last -Offset records
		Limit     int    `json:"limit"`     // records
	}
)

// Messages that the agent sends.
type (
	// AckRequest acknowledges a payload, manifest or attachment: the agent has it safe on disk.
	AckRequest struct {
		Cluster           string `json:"cluster"`
		ContainerInstance string `json:"containerInstance"`
		MessageID         string `json:"messageId"`
	}

	// NackRequest refuses an update.
	NackRequest struct {
		Cluster           string `json:"cluster"`
		ContainerInstance string `json:"containerInstance"`
		MessageID         string `json:"messageId"`
		Reason            string `json:"reason"`
	}

	// HeartbeatAckRequest answers a heartbeat.
	HeartbeatAckRequest struct {
		MessageID string `json:"messageId"`
	}

	// TaskStopVerificationMessage asks whether tasks absent from the manifest may be stopped.
	TaskStopVerificationMessage struct {
		MessageID      string         `json:"messageId"`
		StopCandidates []ManifestTask `json:"stopCandidates"`
	}

	// IAMRoleCredentialsAckRequest acknowledges credentials.
	IAMRoleCredentialsAckRequest struct {
		CredentialsID string `json:"credentialsId"`
		Expiration    string `json:"expiration"`
		MessageID     string `json:"messageId"`
	}

	// RoadsteadResetDone answers RoadsteadReset: no task is left on the node.
	RoadsteadResetDone struct {
		MessageID string `json:"messageId"`
	}

	// RoadsteadLogs answers RoadsteadReadLogs.
	RoadsteadLogs struct {
		MessageID string      `json:"messageId"`
		Records   []LogRecord `json:"records"`
		Offset    int64       `json:"offset"` // where to read on
		Error     string      `json:"error,omitempty"`
	}

	// LogRecord is one line of a container's output.
	LogRecord struct {
		Container string `json:"container"`
		Stream    string `json:"stream"` // stdout or stderr
		Time      string `json:"time"`   // RFC 3339
		Log       string `json:"log"`
	}
)

// Messages of the telemetry connection (AGENT-PROTOCOL §1.3).
type (
	// TCSMetadata heads every telemetry message.
	TCSMetadata struct {
		Cluster           string `json:"cluster"`
		ContainerInstance string `json:"containerInstance"`
		MessageID         string `json:"messageId,omitempty"`
		RequestID         string `json:"requestId,omitempty"`
		Idle              bool   `json:"idle,omitempty"`
		Fin               bool   `json:"fin,omitempty"`
	}

	// PublishHealthRequest carries container health, which travels nowhere else.
	PublishHealthRequest struct {
		Metadata TCSMetadata  `json:"metadata"`
		Tasks    []TaskHealth `json:"tasks"`
	}

	// TaskHealth is the health of one task's containers.
	TaskHealth struct {
		TaskArn    string            `json:"taskArn"`
		Containers []ContainerHealth `json:"containers"`
	}

	// ContainerHealth is HEALTHY, UNHEALTHY or UNKNOWN.
	ContainerHealth struct {
		ContainerName string `json:"containerName"`
		HealthStatus  string `json:"healthStatus"`
	}

	// PublishInstanceStatusRequest carries the agent's verdict on its container runtime.
	PublishInstanceStatusRequest struct {
		Metadata TCSMetadata      `json:"metadata"`
		Statuses []InstanceStatus `json:"statuses"`
	}

	// InstanceStatus is one such verdict: OK, IMPAIRED, INITIALIZING or INSUFFICIENT_DATA.
	InstanceStatus struct {
		Type   string `json:"type"` // ContainerRuntime
		Status string `json:"status"`
		Reason string `json:"statusReason,omitempty"`
	}

	// AckPublishMetric, AckPublishHealth and AckPublishInstanceStatus answer the three.
	AckPublishMetric struct {
		Message string `json:"message,omitempty"`
	}
	// AckPublishHealth answers PublishHealthRequest.
	AckPublishHealth struct {
		Message string `json:"message,omitempty"`
	}
	// AckPublishInstanceStatus answers PublishInstanceStatusRequest.
	AckPublishInstanceStatus struct {
		Message string `json:"message,omitempty"`
	}
)

// message returns a new value of the named message type, nil if there is none.
func message(name string) any {
	switch name {
	case "PayloadMessage":
		return new(PayloadMessage)
	case "HeartbeatMessage":
		return new(HeartbeatMessage)
	case "TaskManifestMessage":
		return new(TaskManifestMessage)
	case "TaskStopVerificationAck":
		return new(TaskStopVerificationAck)
	case "IAMRoleCredentialsMessage":
		return new(IAMRoleCredentialsMessage)
	case "RoadsteadReset":
		return new(RoadsteadReset)
	case "RoadsteadResetDone":
		return new(RoadsteadResetDone)
	case "RoadsteadOpenExec":
		return new(RoadsteadOpenExec)
	case "RoadsteadExecOpened":
		return new(RoadsteadExecOpened)
	case "RoadsteadAttachExec":
		return new(RoadsteadAttachExec)
	case "RoadsteadEndExec":
		return new(RoadsteadEndExec)
	case "RoadsteadExecEnded":
		return new(RoadsteadExecEnded)
	case "RoadsteadExecNoted":
		return new(RoadsteadExecNoted)
	case "RoadsteadReadLogs":
		return new(RoadsteadReadLogs)
	case "RoadsteadReports":
		return new(RoadsteadReports)
	case "RoadsteadReported":
		return new(RoadsteadReported)
	case "AckRequest":
		return new(AckRequest)
	case "NackRequest":
		return new(NackRequest)
	case "HeartbeatAckRequest":
		return new(HeartbeatAckRequest)
	case "TaskStopVerificationMessage":
		return new(TaskStopVerificationMessage)
	case "IAMRoleCredentialsAckRequest":
		return new(IAMRoleCredentialsAckRequest)
	case "RoadsteadLogs":
		return new(RoadsteadLogs)
	case "PublishMetricsRequest":
		return new(PublishMetricsRequest)
	case "RoadsteadPulls":
		return new(RoadsteadPulls)
	case "PublishHealthRequest":
		return new(PublishHealthRequest)
	case "PublishInstanceStatusRequest":
		return new(PublishInstanceStatusRequest)
	case "AckPublishMetric":
		return new(AckPublishMetric)
	case "AckPublishHealth":
		return new(AckPublishHealth)
	case "AckPublishInstanceStatus":
		return new(AckPublishInstanceStatus)
	}
	return nil
}
