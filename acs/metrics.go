package acs

// Usage figures of the telemetry connection (AGENT-PROTOCOL §1.3).
type (
	// PublishMetricsRequest carries usage figures of at most MaxMetricTasks tasks; the last message of a round has Fin. One
	// without tasks that is Idle says that the node runs none.
	PublishMetricsRequest struct {
		Metadata    TCSMetadata   `json:"metadata"`
		TaskMetrics []TaskMetrics `json:"taskMetrics"`
		Timestamp   any           `json:"timestamp,omitempty"` // epoch seconds, or text: agents' versions differ, and nobody reads it
	}

	// TaskMetrics are the figures of a task since the last round.
	TaskMetrics struct {
		TaskArn    string             `json:"taskArn"`
		Family     string             `json:"taskDefinitionFamily,omitempty"`
		Version    string             `json:"taskDefinitionVersion,omitempty"`
		ClusterArn string             `json:"clusterArn,omitempty"`
		Containers []ContainerMetrics `json:"containerMetrics"`
	}

	// ContainerMetrics are the figures of a container; sets that nothing was measured of are nil.
	ContainerMetrics struct {
		Name    string        `json:"containerName"`
		Arn     string        `json:"containerArn,omitempty"`
		CPU     *StatsSet     `json:"cpuStatsSet,omitempty"`    // percent of all processors of the node
		Memory  *StatsSet     `json:"memoryStatsSet,omitempty"` // MiB, without files that nobody uses
		Network *NetworkStats `json:"networkStatsSet,omitempty"`
		Storage *StorageStats `json:"storageStatsSet,omitempty"`
		Restart *RestartStats `json:"restartStatsSet,omitempty"`
	}

	// StatsSet sums up samples of something that goes up and down.
	StatsSet struct {
		Min         float64 `json:"min"`
		Max         float64 `json:"max"`
		Sum         float64 `json:"sum"`
		SampleCount int64   `json:"sampleCount"`
	}

	// CountSet sums up samples of a counter. The overflow members are for counts above 2^63, which we do not reach.
	CountSet struct {
		Min         int64 `json:"min"`
		OverflowMin int64 `json:"overflowMin"`
		Max         int64 `json:"max"`
		OverflowMax int64 `json:"overflowMax"`
		Sum         int64 `json:"sum"`
		OverflowSum int64 `json:"overflowSum"`
		SampleCount int64 `json:"sampleCount"`
	}

	// NetworkStats counts bytes, packets, errors and losses since the container's network was made.
	NetworkStats struct {
		RxBytes          *CountSet `json:"rxBytes,omitempty"`
		RxDropped        *CountSet `json:"rxDropped,omitempty"`
		RxErrors         *CountSet `json:"rxErrors,omitempty"`
		RxPackets        *CountSet `json:"rxPackets,omitempty"`
		TxBytes          *CountSet `json:"txBytes,omitempty"`
		TxDropped        *CountSet `json:"txDropped,omitempty"`
		TxErrors         *CountSet `json:"txErrors,omitempty"`
		TxPackets        *CountSet `json:"txPackets,omitempty"`
		RxBytesPerSecond *StatsSet `json:"rxBytesPerSecond,omitempty"`
		TxBytesPerSecond *StatsSet `json:"txBytesPerSecond,omitempty"`
	}

	// StorageStats counts bytes from and to block devices since the container started.
	StorageStats struct {
		Read    *CountSet `json:"readSizeBytes,omitempty"`
		Written *CountSet `json:"writeSizeBytes,omitempty"`
	}

	// RoadsteadPulls says of our own agent how far the images of its tasks are that it fetches now. It comes every two seconds while
	// there are some, and once without any. Nobody acknowledges it.
	RoadsteadPulls struct {
		Pulls []Pull `json:"pulls"`
	}

	// Pull is an image that a container waits for.
	Pull struct {
		TaskArn   string `json:"taskArn"`
		Container string `json:"container"`
		Done      int64  `json:"done"`  // bytes
		Total     int64  `json:"total"` // bytes, as far as is known
	}

	// RestartStats counts restarts by the container's restart policy.
	RestartStats struct {
		RestartCount int64 `json:"restartCount"`
	}
)

// MaxMetricTasks is how many tasks one message of figures carries (AGENT-PROTOCOL §1.3).
const MaxMetricTasks = 10
