// Package stats measures what the containers of a node use: processor, memory, network and block devices, from the kernel's
// files. It samples all running containers now and then for the control plane, and reads one in full for a container that asks.
//
// It must not know containerd, nor how figures travel: where a container's cgroup is, and which tasks there are, is handed in.
package stats

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/task"
)

// Interval is how often running containers are sampled: four samples go into what is published every 20 s. A sample of a
// container costs about five small files.
const Interval = 5 * time.Second

// kept is how many samples are remembered of a container; older ones are lost if nobody takes them.
const kept = 8

// Config is what a Sampler works with.
type Config struct {
	Tasks func() []task.View // that the node has now
	// Cgroup finds the directories of a container (task.ContainerID), see Dirs.
	Cgroup func(containerID string) (map[string]string, bool)
	Proc   string // where the proc file system is; default "/proc"
	CPUs   int    // processors of the machine; default: those of this process
}

// Sampler samples the running containers of a node.
type Sampler struct {
	cfg    Config
	memory uint64 // of the machine, bytes

	mu     sync.Mutex
	series map[string]*series // by container id; guarded by mu
}

// series are the samples of one container, oldest first, of which the last fresh ones were not published yet.
type series struct {
	samples []Usage
	fresh   int
}

// Usage is one sample. All but Memory only grow while the container runs.
type Usage struct {
	At      time.Time
	CPU     uint64 // ns
	System  uint64 // ns that all processors of the machine have spent
	Memory  uint64 // bytes, without files that nobody uses
	Read    uint64 // bytes from block devices
	Written uint64 // bytes to them
	Net     *Interface
}

// New makes a Sampler.
func New(cfg Config) *Sampler {
	if cfg.Proc == "" {
		cfg.Proc = "/proc"
	}
	if cfg.CPUs == 0 {
		cfg.CPUs = runtime.NumCPU()
	}
	s := &Sampler{cfg: cfg, series: map[string]*series{}}
	for line := range strings.Lines(s.proc("meminfo")) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "MemTotal:" {
			s.memory = number(f[1]) << 10
		}
	}
	return s
}

func (s *Sampler) proc(file string) string {
	b, err := os.ReadFile(filepath.Join(s.cfg.Proc, file))
	if err != nil {
		return ""
	}
	return string(b)
}

// Run samples until ctx ends, and then returns nil.
func (s *Sampler) Run(ctx context.Context) error {
	beat := time.NewTicker(Interval)
	defer beat.Stop()
	for {
		s.sample()
		select {
		case <-beat.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// sample takes one sample of each running container, and forgets those that do not run.
func (s *Sampler) sample() {
	now := map[string]Usage{}
	system := systemCPU(s.proc("stat"))
	for _, v := range s.cfg.Tasks() {
		for i := range v.State.Containers {
			if id, dirs, ok := s.find(&v, i); ok && v.State.Containers[i].Phase == task.PhaseRunning {
				u := dirs.sample()
				u.At, u.System = time.Now(), system
				if all := s.interfaces(&v, i); all != nil {
					u.Net = &Interface{}
					for _, one := range all {
						u.Net.add(one)
					}
				}
				now[id] = u
			}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for id := range s.series {
		if _, runs := now[id]; !runs {
			delete(s.series, id)
		}
	}
	for id, u := range now {
		x := s.series[id]
		if x == nil {
			x = &series{samples: make([]Usage, 0, kept)}
			s.series[id] = x
		}
		x.add(u)
	}
}

func (x *series) add(u Usage) {
	if len(x.samples) == kept {
		copy(x.samples, x.samples[1:])
		x.samples = x.samples[:kept-1]
	}
	x.samples = append(x.samples, u)
	x.fresh = min(x.fresh+1, kept)
}

// find is the id of container i of the task and where its cgroup is, if it runs, or is about to: one that asks may be quicker than
// the news that it has started.
func (s *Sampler) find(v *task.View, i int) (id string, d Dirs, ok bool) {
	if p := v.State.Containers[i].Phase; p != task.PhaseRunning && p != task.PhaseCreated {
		return "", nil, false
	}
	id = task.ContainerID(task.ID(v.Task.Arn), v.State.Containers[i].Name)
	d, ok = s.cfg.Cgroup(id)
	return id, d, ok
}

// interfaces are those of the container's own network, nil in the node's.
func (s *Sampler) interfaces(v *task.View, i int) map[string]Interface {
	pid := v.State.Containers[i].PID
	if v.Task.NetworkMode == "host" || v.Task.NetworkMode == "none" || pid == 0 {
		return nil
	}
	return interfaces(s.proc(filepath.Join(strconv.FormatUint(uint64(pid), 10), "net", "dev")))
}

// Container reads all that is known of container i of the task; nil if it does not run.
func (s *Sampler) Container(v *task.View, i int) *Docker {
	id, dirs, ok := s.find(v, i)
	if !ok {
		return nil
	}
	now := Usage{At: time.Now(), System: systemCPU(s.proc("stat"))}
	d := &Docker{
		Read: now.At.UTC(), PIDs: dirs.pids(), Blocks: dirs.blocks(), CPU: dirs.cpu(), Memory: dirs.memory(s.memory),
		Name: "/" + id, ID: id, Interfaces: s.interfaces(v, i),
	}
	d.CPU.System, d.CPU.Online = now.System, s.cfg.CPUs
	if d.Interfaces != nil {
		now.Net = &Interface{}
		for _, one := range d.Interfaces {
			now.Net.add(one)
		}
	}
	if before, ok := s.before(id, now.At.Add(-time.Second)); ok {
		d.PreRead = before.At.UTC()
		d.PreCPU = CPU{Usage: CPUUsage{Total: before.CPU}, System: before.System, Online: s.cfg.CPUs}
		if now.Net != nil && before.Net != nil {
			seconds := now.At.Sub(before.At).Seconds()
			d.Rates = &Rates{Rx: float64(grown(before.Net.RxBytes, now.Net.RxBytes)) / seconds, Tx: float64(grown(before.Net.TxBytes, now.Net.TxBytes)) / seconds}
		}
	}
	return d
}

// before is the newest sample of a container that was taken by then, or the oldest one.
func (s *Sampler) before(id string, by time.Time) (u Usage, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.series[id]
	if x == nil {
		return u, false
	}
	u = x.samples[0]
	for _, one := range x.samples {
		if !one.At.After(by) {
			u = one
		}
	}
	return u, true
}

// Take returns the figures of all tasks since the last Take. Containers of which nothing new was measured are left out.
func (s *Sampler) Take() []acs.TaskMetrics {
	out := []acs.TaskMetrics{}
	views := s.cfg.Tasks()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range views {
		t := acs.TaskMetrics{TaskArn: v.Task.Arn, Family: v.Task.Family, Version: v.Task.Version, ClusterArn: v.Task.ClusterArn}
		shared := v.Task.NetworkMode == "awsvpc" // by all containers of the task: the first one stands for it
		for i := range v.Task.Containers {
			x := s.series[task.ContainerID(task.ID(v.Task.Arn), v.Task.Containers[i].Name)]
			if x == nil {
				continue
			}
			c, ok := figures(x.samples, x.fresh, s.cfg.CPUs)
			if !ok {
				continue
			}
			x.fresh = 0
			c.Name, c.Arn = v.Task.Containers[i].Name, v.Task.Containers[i].Arn
			if p := v.Task.Containers[i].RestartPolicy; p != nil && p.Enabled {
				c.Restart = &acs.RestartStats{RestartCount: int64(v.State.Containers[i].Restarts)}
			}
			if shared && len(t.Containers) > 0 {
				c.Network = nil
			}
			t.Containers = append(t.Containers, c)
		}
		if len(t.Containers) > 0 {
			out = append(out, t)
		}
	}
	return out
}
