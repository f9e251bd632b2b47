package session

import (
	"sync"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// Usage is the newest that a task's node said of what the task uses.
type Usage struct {
	At         model.Millis
	Containers []ContainerUsage
}

// ContainerUsage is what one container used in the last round of telemetry, about 20 s; bytes are counted since it started.
type ContainerUsage struct {
	Name      string  `json:"name"`
	CPU       float64 `json:"cpu"` // percent of all processors of its node, on average
	CPUMax    float64 `json:"cpuMax"`
	Memory    float64 `json:"memory"` // MiB, on average
	MemoryMax float64 `json:"memoryMax"`
	Network   bool    `json:"network"` // one of its own was measured; a task in awsvpc says it of its first container
	Rx        int64   `json:"rx"`      // bytes
	Tx        int64   `json:"tx"`
	RxRate    float64 `json:"rxRate"` // bytes a second, on average
	TxRate    float64 `json:"txRate"`
	Read      int64   `json:"read"` // bytes from block devices
	Written   int64   `json:"written"`
	Restarts  int64   `json:"restarts"` // by its restart policy
}

// usages keeps the newest Usage of every task that runs on an instance that is connected here. It is lost with the process,
// and heard again within 20 s.
type usages struct {
	mu     sync.Mutex
	byTask map[string]*Usage     // by task key; guarded by mu
	pulls  map[string][]acs.Pull // by instance key, only where there are some; guarded by mu
}

// metrics takes in what an instance's tasks use. All figures of the fleet arrive here: whoever keeps a history of them begins
// at this place.
func (s *Sessions) metrics(i *model.Instance, m *acs.PublishMetricsRequest) {
	now := time.Now().UnixMilli()
	t := s.cfg.DB.Snapshot().Tables
	for k := range m.TaskMetrics {
		row, ok := findTask(t, i.Account, m.TaskMetrics[k].TaskArn)
		if ok && row.InstanceKey() == i.Key() && row.Last != model.TaskStopped {
			s.usages.put(row.Key(), &Usage{At: now, Containers: usageOf(m.TaskMetrics[k].Containers)})
		}
	}
}

// Usage is the newest usage of a task, by its key; nil if its node has not said any yet.
func (s *Sessions) Usage(task string) *Usage {
	s.usages.mu.Lock()
	defer s.usages.mu.Unlock()
	return s.usages.byTask[task]
}

// Pulls are the images that the containers of a task wait for while its node fetches them.
func (s *Sessions) Pulls(t *model.Task) []acs.Pull {
	arn := t.ARN()
	s.usages.mu.Lock()
	defer s.usages.mu.Unlock()
	var out []acs.Pull
	for _, p := range s.usages.pulls[t.InstanceKey()] {
		if p.TaskArn == arn {
			out = append(out, p)
		}
	}
	return out
}

// putPulls replaces what an instance fetches.
func (u *usages) putPulls(instance string, pulls []acs.Pull) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.pulls == nil {
		u.pulls = map[string][]acs.Pull{}
	}
	if u.pulls[instance] = pulls; len(pulls) == 0 {
		delete(u.pulls, instance)
	}
}

func (u *usages) put(task string, is *Usage) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.byTask == nil {
		u.byTask = map[string]*Usage{}
	}
	u.byTask[task] = is
}

// forget drops what is known of a task that is over or gone, or after a reset of the state all.
func (u *usages) forget(r *state.Revision) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if r.Reset {
		clear(u.byTask)
	}
	for i := range r.Changes {
		c := &r.Changes[i]
		if t, ok := c.New.(*model.Task); ok && t.Last == model.TaskStopped {
			delete(u.byTask, c.Key)
		} else if _, was := c.Old.(*model.Task); was && c.New == nil {
			delete(u.byTask, c.Key)
		}
	}
}

// usageOf reads what of the figures is shown.
func usageOf(all []acs.ContainerMetrics) []ContainerUsage {
	out := make([]ContainerUsage, len(all))
	for i := range all {
		m, u := &all[i], &out[i]
		u.Name = m.Name
		u.CPU, u.CPUMax = mean(m.CPU)
		u.Memory, u.MemoryMax = mean(m.Memory)
		if n := m.Network; n != nil {
			u.Network, u.Rx, u.Tx = true, newest(n.RxBytes), newest(n.TxBytes)
			u.RxRate, _ = mean(n.RxBytesPerSecond)
			u.TxRate, _ = mean(n.TxBytesPerSecond)
		}
		if d := m.Storage; d != nil {
			u.Read, u.Written = newest(d.Read), newest(d.Written)
		}
		if r := m.Restart; r != nil {
			u.Restarts = r.RestartCount
		}
	}
	return out
}

func mean(s *acs.StatsSet) (average, highest float64) {
	if s == nil || s.SampleCount == 0 {
		return 0, 0
	}
	return s.Sum / float64(s.SampleCount), s.Max
}

// newest is where a counter stands: it only grows.
func newest(s *acs.CountSet) int64 {
	if s == nil {
		return 0
	}
	return s.Max
}
