package stats

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/task"
)

var update = flag.Bool("update", false, "write what is seen over what is expected")

const arn = "arn:aws:ecs:us-east-1:000000000000:task/default/t1"

// running is a task of running containers.
func running(mode string, names ...string) task.View {
	v := task.View{Task: &acs.Task{Arn: arn, Family: "web", Version: "1", ClusterArn: "default", NetworkMode: mode}}
	for _, name := range names {
		v.Task.Containers = append(v.Task.Containers, acs.Container{Name: name, Arn: "arn:" + name})
		v.State.Containers = append(v.State.Containers, task.Container{Name: name, Phase: task.PhaseRunning, PID: 42})
	}
	return v
}

func versionOne(dir string) map[string]string {
	out := map[string]string{}
	for _, c := range []string{"cpu", "cpuacct", "memory", "blkio", "pids"} {
		out[c] = filepath.Join(dir, c)
	}
	return out
}

// [D] The shape is Docker's; of the kernel's files, v1's were recorded and v2's are written as the kernel documents them.
func TestContainerInDockersShape(t *testing.T) {
	for _, c := range []struct {
		name, mode string
		dirs       map[string]string
	}{
		{"v1", "bridge", versionOne("testdata/v1")},
		{"v2", "host", map[string]string{"": "testdata/v2"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := running(c.mode, "app")
				s := New(Config{
					Tasks: func() []task.View { return []task.View{v} }, Proc: "testdata/proc", CPUs: 2,
					Cgroup: func(id string) (map[string]string, bool) { return c.dirs, id == "t1-app" },
				})
				s.sample()
				time.Sleep(Interval)
				got, err := json.MarshalIndent(s.Container(&v, 0), "", "  ")
				if err != nil {
					t.Fatal(err)
				}
				golden(t, c.name+".json", string(got)+"\n")
			})
		})
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs:\n%s", path, got)
	}
}

func TestSample(t *testing.T) {
	for name, c := range map[string]struct {
		dirs Dirs
		want Usage
	}{
		"version 1": {versionOne("testdata/v1"), Usage{CPU: 64029734, Memory: 4845568 - 3428352, Read: 4096, Written: 3145728}},
		"version 2": {Dirs{"": "testdata/v2"}, Usage{CPU: 1234567000, Memory: 5242880 - 3145728, Read: 8192, Written: 4608}},
		"gone":      {Dirs{"": "testdata/nothing"}, Usage{}},
	} {
		if got := c.dirs.sample(); got != c.want {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
	}
	if got := systemCPU("cpu  1 2 3 4 5 6 7 8 9\ncpu0 1\n"); got != 36*tick-8*tick {
		t.Errorf("system time %d, want user, nice, system, idle, iowait, irq and softirq", got)
	}
}

// at is a sample some seconds into a container's life: CPU in ms, memory in MiB, bytes received.
func at(seconds, cpu, memory, rx int) Usage {
	return Usage{At: time.Unix(int64(seconds), 0), CPU: uint64(cpu) * 1e6, Memory: uint64(memory) << 20, Net: &Interface{RxBytes: uint64(rx)}}
}

func TestFigures(t *testing.T) {
	samples := []Usage{at(0, 0, 1, 0), at(5, 1000, 10, 500), at(10, 6000, 30, 1500), at(15, 6000, 20, 1500)}
	c, ok := figures(samples, 3, 2)
	if !ok {
		t.Fatal("no figures")
	}
	if *c.CPU != (acs.StatsSet{Min: 0, Max: 50, Sum: 60, SampleCount: 3}) { // of two processors: 1 s in 5 s is 10 %
		t.Errorf("cpu %+v", *c.CPU)
	}
	if *c.Memory != (acs.StatsSet{Min: 10, Max: 30, Sum: 60, SampleCount: 3}) {
		t.Errorf("memory %+v", *c.Memory)
	}
	if *c.Network.RxBytes != (acs.CountSet{Min: 500, Max: 1500, Sum: 3500, SampleCount: 3}) || *c.Network.RxBytesPerSecond != (acs.StatsSet{Max: 200, Sum: 300, SampleCount: 3}) {
		t.Errorf("network %+v %+v", *c.Network.RxBytes, *c.Network.RxBytesPerSecond)
	}
	if c, _ := figures(samples, 1, 2); c.CPU.SampleCount != 1 || c.Memory.Max != 20 {
		t.Errorf("what was published is published again: %+v", c.CPU)
	}
	if _, ok := figures(samples[:1], 1, 2); ok {
		t.Error("figures of one sample")
	}
	if _, ok := figures(samples, 0, 2); ok {
		t.Error("figures of nothing new")
	}
	restarted := []Usage{at(0, 9000, 1, 9000), at(5, 500, 1, 100)}
	if c, _ := figures(restarted, 1, 1); c.CPU.Max != 10 || c.Network.RxBytesPerSecond.Max != 20 {
		t.Errorf("counters that began anew: %v %v", c.CPU.Max, c.Network.RxBytesPerSecond.Max)
	}
	none := []Usage{{At: time.Unix(0, 0)}, {At: time.Unix(5, 0)}}
	if c, _ := figures(none, 1, 1); c.Network != nil {
		t.Error("figures of a network that the container does not have")
	}
}

// The figures of one interval are taken once; a network that containers share counts once; what does not run is forgotten.
func TestTake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		cpu := func(ms int) {
			if err := os.WriteFile(filepath.Join(dir, "cpu.stat"), []byte("usage_usec "+strconv.Itoa(ms*1000)), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		v := running("awsvpc", "app", "side", "ended")
		v.State.Containers[2].Phase = task.PhaseStopped
		v.Task.Containers[1].RestartPolicy, v.State.Containers[1].Restarts = &acs.RestartPolicy{Enabled: true}, 3
		s := New(Config{
			Tasks: func() []task.View { return []task.View{v} }, Proc: "testdata/proc", CPUs: 1,
			Cgroup: func(string) (map[string]string, bool) { return map[string]string{"": dir}, true },
		})
		cpu(0)
		s.sample()
		if got := s.Take(); len(got) != 0 {
			t.Errorf("figures of one sample: %+v", got)
		}
		for i := range 10 { // more than are kept
			time.Sleep(Interval)
			cpu(1000 * (i + 1))
			s.sample()
		}
		got := s.Take()
		if len(got) != 1 || got[0].TaskArn != arn || got[0].Family != "web" || len(got[0].Containers) != 2 {
			t.Fatalf("figures: %+v", got)
		}
		app, side := got[0].Containers[0], got[0].Containers[1]
		if app.Name != "app" || app.Arn != "arn:app" || *app.CPU != (acs.StatsSet{Min: 20, Max: 20, Sum: 140, SampleCount: kept - 1}) {
			t.Errorf("app: %+v", app.CPU)
		}
		if app.Restart != nil || side.Restart == nil || side.Restart.RestartCount != 3 {
			t.Errorf("restarts of app %v, of side %v", app.Restart, side.Restart)
		}
		if app.Network == nil || app.Network.RxBytes.Max != 160737731 || side.Network != nil {
			t.Errorf("network of app %+v, of side %+v", app.Network, side.Network)
		}
		if got := s.Take(); len(got) != 0 {
			t.Errorf("figures taken twice: %+v", got)
		}
		v.State.Containers[0].Phase = task.PhaseCreated
		if s.Container(&v, 0) == nil {
			t.Error("a container that has only just started is not answered")
		}
		v.State.Containers[0].Phase, v.State.Containers[1].Phase = task.PhaseStopped, task.PhaseStopped
		s.sample()
		if len(s.series) != 0 || s.Container(&v, 0) != nil {
			t.Errorf("a container that does not run is remembered: %v", s.series)
		}
	})
}

func TestInterfacesLeavesLoopbackOut(t *testing.T) {
	b, err := os.ReadFile("testdata/proc/42/net/dev")
	if err != nil {
		t.Fatal(err)
	}
	got := interfaces(string(b))
	if _, lo := got["lo"]; lo || got["eth0"] != (Interface{RxBytes: 160737731, RxPackets: 8715, TxBytes: 564523, TxPackets: 5589}) {
		t.Errorf("interfaces %+v", got)
	}
	if len(interfaces(strings.Repeat("x", 10))) != 0 {
		t.Error("an interface out of nothing")
	}
}

func BenchmarkSample(b *testing.B) {
	dirs := Dirs(versionOne("testdata/v1"))
	for b.Loop() {
		dirs.sample()
	}
}
