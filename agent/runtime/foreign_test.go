package runtime

import (
	"fmt"
	"testing"

	"github.com/roadstead/roadstead/agent/task"
)

// What a task explains is left alone, whatever kind it is of; the rest is foreign.
func TestForeign(t *testing.T) {
	r := &Runtime{cfg: Config{Namespace: "ns", Dir: "/d/runtime", Cgroup: "/roadstead/n"}}
	tasks := map[string][]string{"t1": {"app", "a--b"}}
	odd := containerdID(task.ContainerID("t1", "a--b")) // containerd does not take the name as it is
	l := Leftovers{
		Containers: []string{"t1-app", "t2-app", odd, "ns-t1", "ns-t2"},
		Snapshots:  []string{"t1-app", "t2-app", odd},
		Shims: []string{"7 containerd-shim-runc-v2 -namespace ns -id t1-app -address /a", "8 containerd-shim-runc-v2 -namespace ns -id t2-app -address /a",
			"9 containerd-shim-runc-v2 -namespace ns -id ns-t1 -address /a"},
		Mounts: []string{"/s/io.containerd.runtime.v2.task/ns/t1-app/rootfs", "/s/io.containerd.runtime.v2.task/ns/t2-app/rootfs",
			"/d/runtime/containers/ns-t1/shm", "/d/runtime/containers/ns-t2/shm"},
		Cgroups: []string{"/sys/fs/cgroup/cpu/roadstead/n/t1", "/sys/fs/cgroup/cpu/roadstead/n/t1/app", "/sys/fs/cgroup/cpu/roadstead/n/t2", "/sys/fs/cgroup/cpu/roadstead/n/t2/app"},
		Files:   []string{"t1-app", "t2-app", "ns-t1"},
	}
	want := Leftovers{
		Containers: []string{"t2-app", "ns-t2"}, Snapshots: []string{"t2-app"},
		Shims:   []string{"8 containerd-shim-runc-v2 -namespace ns -id t2-app -address /a"},
		Mounts:  []string{"/s/io.containerd.runtime.v2.task/ns/t2-app/rootfs", "/d/runtime/containers/ns-t2/shm"},
		Cgroups: []string{"/sys/fs/cgroup/cpu/roadstead/n/t2", "/sys/fs/cgroup/cpu/roadstead/n/t2/app"}, Files: []string{"t2-app"},
	}
	if got := r.Foreign(l, tasks); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if got := r.Foreign(l, nil); fmt.Sprint(got) != fmt.Sprint(l) {
		t.Errorf("of no task: %+v", got)
	}
}
