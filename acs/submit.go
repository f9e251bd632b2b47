package acs

// Shapes of the agent-facing API calls (AGENT-PROTOCOL §1.1). They carry members that the public model of ECS lacks,
// so they are not the SDK's.
type (
	// RegisterContainerInstanceRequest announces a node.
	RegisterContainerInstanceRequest struct {
		Cluster              string          `json:"cluster"`
		ClientToken          string          `json:"clientToken,omitempty"`
		ContainerInstanceArn string          `json:"containerInstanceArn,omitempty"`
		Attributes           []Attribute     `json:"attributes"`
		TotalResources       []TotalResource `json:"totalResources"`
		VersionInfo          *VersionInfo    `json:"versionInfo,omitempty"` // of our own agent; the stock one says it in ACS's URL only
	}
	// VersionInfo says which agent it is.
	VersionInfo struct {
		AgentVersion string `json:"agentVersion,omitempty"`
		AgentHash    string `json:"agentHash,omitempty"`
	}
	// Attribute is a node's attribute; Value nil means name only.
	Attribute struct {
		Name  string  `json:"name"`
		Value *string `json:"value,omitempty"`
	}
	// TotalResource is CPU, MEMORY (INTEGER), PORTS or PORTS_UDP (STRINGSET).
	TotalResource struct {
		Name           string   `json:"name"`
		Type           string   `json:"type"`
		IntegerValue   int64    `json:"integerValue"`
		StringSetValue []string `json:"stringSetValue,omitempty"`
	}
	// RegisterContainerInstanceResponse tells the node who it is.
	RegisterContainerInstanceResponse struct {
		ContainerInstance struct {
			ContainerInstanceArn string      `json:"containerInstanceArn"`
			Attributes           []Attribute `json:"attributes"`
		} `json:"containerInstance"`
	}
	// DiscoverPollEndpointResponse names the websocket endpoints.
	DiscoverPollEndpointResponse struct {
		Endpoint          string `json:"endpoint"`
		TelemetryEndpoint string `json:"telemetryEndpoint"`
	}
	// SubmitTaskStateChangeRequest reports on a task.
	SubmitTaskStateChangeRequest struct {
		Cluster            string            `json:"cluster,omitempty"`
		Task               string            `json:"task"`
		Status             string            `json:"status,omitempty"`
		Reason             string            `json:"reason,omitempty"`
		Containers         []ContainerChange `json:"containers,omitempty"`
		Attachments        []AttachmentState `json:"attachments,omitempty"`
		PullStartedAt      float64           `json:"pullStartedAt,omitempty"` // epoch seconds
		PullStoppedAt      float64           `json:"pullStoppedAt,omitempty"`
		ExecutionStoppedAt float64           `json:"executionStoppedAt,omitempty"`
	}
	// ContainerChange reports on one container of a task.
	ContainerChange struct {
		ContainerName   string           `json:"containerName"`
		RuntimeID       string           `json:"runtimeId,omitempty"`
		ImageDigest     string           `json:"imageDigest,omitempty"`
		Status          string           `json:"status"`
		ExitCode        *int32           `json:"exitCode,omitempty"`
		Reason          string           `json:"reason,omitempty"`
		NetworkBindings []NetworkBinding `json:"networkBindings,omitempty"`
	}
	// NetworkBinding is one published port, or range.
	NetworkBinding struct {
		BindIP             string `json:"bindIP,omitempty"`
		ContainerPort      int32  `json:"containerPort,omitempty"`
		HostPort           int32  `json:"hostPort,omitempty"`
		Protocol           string `json:"protocol,omitempty"`
		ContainerPortRange string `json:"containerPortRange,omitempty"`
		HostPortRange      string `json:"hostPortRange,omitempty"`
	}
	AttachmentState struct {
		AttachmentArn string `json:"attachmentArn"`
		Status        string `json:"status"`
	}
)
