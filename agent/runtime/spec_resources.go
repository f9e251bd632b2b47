package runtime

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/containerd/containerd/v2/pkg/oci"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/task"
)

type ulimit = acs.Ulimit

const (
	minShares   = 2
	maxShares   = 262144
	minMemory   = 4 << 20 // bytes
	defaultShm  = 64 << 20
	cpuPeriod   = 100_000 // microseconds
	minCPUQuota = 1_000   // the kernel's floor
)

// cpuShares turns CPU units into shares (SEMANTICS §4.1).
func cpuShares(units int64) uint64 { return uint64(min(max(units, minShares), maxShares)) }

func setResources(s *specs.Spec, in specInput) {
	shares := cpuShares(in.Container.CPU)
	res := s.Linux.Resources
	res.CPU = &specs.LinuxCPU{Shares: &shares}
	m := &specs.LinuxMemory{}
	if in.Container.Memory > 0 {
		limit := max(in.Container.Memory<<20, minMemory)
		m.Limit = &limit
	}
	if reserve := in.HostConfig.MemoryReservation; reserve > 0 {
		reserve = max(reserve, minMemory)
		m.Reservation = &reserve
	}
	if swap := in.HostConfig.MemorySwap; swap != 0 && m.Limit != nil {
		m.Swap = &swap
	}
	if v := in.HostConfig.MemorySwappiness; v != nil && *v >= 0 {
		swappiness := uint64(*v)
		m.Swappiness = &swappiness
	}
	res.Memory = m
	if limit := in.pidsLimit; limit > 0 {
		res.Pids = &specs.LinuxPids{Limit: &limit}
	}
}

// setDevices maps devices of the node, or all of a directory's, with the permission to use them.
func setDevices(ctx context.Context, s *specs.Spec, in specInput) error {
	devices, err := gpuDevices(in)
	if err != nil {
		return err
	}
	for _, d := range slices.Concat(in.HostConfig.Devices, devices) {
		add := oci.WithDevices(d.PathOnHost, firstOf(d.PathInContainer, d.PathOnHost), firstOf(d.CgroupPermissions, "rwm"))
		if err := oci.ApplyOpts(ctx, nil, nil, s, add); err != nil {
			return fmt.Errorf("error gathering device information while adding custom device %q: %w", d.PathOnHost, err)
		}
	}
	return nil
}

// gpuDevices are the device files of the GPUs that the task was given for the container (SEMANTICS §4.5): of those alone.
func gpuDevices(in specInput) ([]acs.Device, error) {
	var out []acs.Device
	for _, a := range in.Task.Associations {
		if a.Type != "gpu" || !slices.Contains(a.Containers, in.Name) {
			continue
		}
		paths, ok := in.gpus[a.Name]
		if !ok {
			return nil, fmt.Errorf("GPU %s is not on this node", a.Name)
		}
		for _, p := range paths {
			if d := (acs.Device{PathOnHost: p, CgroupPermissions: "rw"}); !slices.Contains(out, d) { // GPUs share some
				out = append(out, d)
			}
		}
	}
	return out, nil
}

// mounts are the kernel file systems, shared memory, tmpfs, the task's volumes and the generated files of /etc, in
// the order of their destinations' depth so that none hides another.
func mounts(in specInput) ([]specs.Mount, error) {
	shm := in.HostConfig.ShmSize
	if shm <= 0 {
		shm = defaultShm
	}
	kernel := []specs.Mount{
		{Destination: "/proc", Type: "proc", Source: "proc", Options: []string{"nosuid", "noexec", "nodev"}},
		{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "strictatime", "mode=755", "size=65536k"}},
		{Destination: "/dev/pts", Type: "devpts", Source: "devpts", Options: []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
		{Destination: "/dev/mqueue", Type: "mqueue", Source: "mqueue", Options: []string{"nosuid", "noexec", "nodev"}},
		{Destination: "/sys", Type: "sysfs", Source: "sysfs", Options: []string{"nosuid", "noexec", "nodev", "ro"}},
		{Destination: "/sys/fs/cgroup", Type: "cgroup", Source: "cgroup", Options: []string{"ro", "nosuid", "noexec", "nodev"}},
	}
	if in.share.shm != "" || ipcMode(in.ContainerSpec) == "host" {
		kernel = append(kernel, specs.Mount{Destination: "/dev/shm", Type: "bind", Source: firstOf(in.share.shm, "/dev/shm"), Options: []string{"rbind", "rw"}})
	} else {
		kernel = append(kernel, specs.Mount{
			Destination: "/dev/shm", Type: "tmpfs", Source: "shm",
			Options: []string{"nosuid", "noexec", "nodev", "mode=1777", "size=" + strconv.FormatInt(shm, 10)},
		})
	}
	if hostNetwork(in.ContainerSpec) { // sysfs shows a network namespace that the container does not own
		kernel[4] = specs.Mount{Destination: "/sys", Type: "bind", Source: "/sys", Options: []string{"rbind", "nosuid", "noexec", "nodev", "ro"}}
		kernel = slices.Delete(kernel, 5, 6)
	}
	var ours []specs.Mount
	for _, dst := range slices.Sorted(maps.Keys(in.HostConfig.Tmpfs)) {
		ours = append(ours, tmpfs(dst, in.HostConfig.Tmpfs[dst]))
	}
	files := in.files
	if wantsInit(in.ContainerSpec) {
		files = append(slices.Clone(files), task.Mount{Source: in.init, Destination: initPath, ReadOnly: true})
	}
	for _, m := range slices.Concat(files, in.Mounts) {
		if m.Source == "" || !strings.HasPrefix(m.Destination, "/") {
			return nil, fmt.Errorf("invalid mount %q -> %q", m.Source, m.Destination)
		}
		ours = append(ours, bind(m))
	}
	ours = lastWins(ours)
	kernel = slices.DeleteFunc(kernel, func(k specs.Mount) bool {
		return slices.ContainsFunc(ours, func(o specs.Mount) bool { return o.Destination == k.Destination })
	})
	slices.SortStableFunc(ours, func(a, b specs.Mount) int {
		return strings.Count(a.Destination, "/") - strings.Count(b.Destination, "/")
	})
	return slices.Concat(kernel, ours), nil
}

// lastWins keeps one mount a destination: a volume at /etc/hosts beats the generated file.
func lastWins(all []specs.Mount) []specs.Mount {
	at := map[string]int{}
	for i, m := range all {
		at[m.Destination] = i
	}
	out := all[:0]
	for i, m := range all {
		if at[m.Destination] == i {
			out = append(out, m)
		}
	}
	return out
}

func bind(m task.Mount) specs.Mount {
	mode := "rw"
	if m.ReadOnly {
		mode = "ro"
	}
	return specs.Mount{Destination: m.Destination, Type: "bind", Source: m.Source, Options: []string{"rbind", "rprivate", mode}}
}

func tmpfs(dst, options string) specs.Mount {
	o := []string{"nosuid", "nodev", "noexec"}
	if options != "" {
		o = append(o, strings.Split(options, ",")...)
	}
	return specs.Mount{Destination: dst, Type: "tmpfs", Source: "tmpfs", Options: o}
}
