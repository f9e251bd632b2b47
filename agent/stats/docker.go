package stats

import "time"

// Docker is the usage of a container in the shape of Docker's API, which the stats paths of the metadata endpoint answer
// (AGENT-PROTOCOL §4.2) [D]. Times are in ns, sizes in bytes.
type Docker struct {
	Read       time.Time            `json:"read"`
	PreRead    time.Time            `json:"preread"`
	PIDs       PIDs                 `json:"pids_stats"`
	Blocks     Blocks               `json:"blkio_stats"`
	Processes  int                  `json:"num_procs"` // of Windows
	Storage    struct{}             `json:"storage_stats"`
	CPU        CPU                  `json:"cpu_stats"`
	PreCPU     CPU                  `json:"precpu_stats"`
	Memory     Memory               `json:"memory_stats"`
	Name       string               `json:"name"`
	ID         string               `json:"id"`
	Interfaces map[string]Interface `json:"networks,omitempty"`
	Rates      *Rates               `json:"network_rate_stats,omitempty"` // ECS's own
}

// PIDs are processes and threads.
type PIDs struct {
	Current uint64 `json:"current,omitempty"`
	Limit   uint64 `json:"limit,omitempty"`
}

// Blocks are transfers by device.
type Blocks struct {
	Bytes  []Block `json:"io_service_bytes_recursive"`
	IOs    []Block `json:"io_serviced_recursive"`
	Queue  []Block `json:"io_queue_recursive"` // these five are of schedulers that kernels have no more
	Times  []Block `json:"io_service_time_recursive"`
	Waits  []Block `json:"io_wait_time_recursive"`
	Merged []Block `json:"io_merged_recursive"`
	Time   []Block `json:"io_time_recursive"`
	Sector []Block `json:"sectors_recursive"`
}

// Block is a count of one device: Op is read, write, sync, async, discard or total.
type Block struct {
	Major uint64 `json:"major"`
	Minor uint64 `json:"minor"`
	Op    string `json:"op"`
	Value uint64 `json:"value"`
}

// CPU is processor time: a container's, and that of the whole machine to compare it with.
type CPU struct {
	Usage      CPUUsage   `json:"cpu_usage"`
	System     uint64     `json:"system_cpu_usage,omitempty"`
	Online     int        `json:"online_cpus,omitempty"`
	Throttling Throttling `json:"throttling_data"`
}

// CPUUsage is a container's processor time.
type CPUUsage struct {
	Total  uint64   `json:"total_usage"`
	PerCPU []uint64 `json:"percpu_usage,omitempty"`
	Kernel uint64   `json:"usage_in_kernelmode"`
	User   uint64   `json:"usage_in_usermode"`
}

// Throttling is what a quota took.
type Throttling struct {
	Periods   uint64 `json:"periods"`
	Throttled uint64 `json:"throttled_periods"`
	Time      uint64 `json:"throttled_time"`
}

// Memory is a container's memory.
type Memory struct {
	Usage    uint64            `json:"usage,omitempty"`
	Max      uint64            `json:"max_usage,omitempty"`
	Stats    map[string]uint64 `json:"stats,omitempty"`
	Failures uint64            `json:"failcnt,omitempty"`
	Limit    uint64            `json:"limit,omitempty"`
}

// Rates are bytes a second.
type Rates struct {
	Rx float64 `json:"rx_bytes_per_sec"`
	Tx float64 `json:"tx_bytes_per_sec"`
}
