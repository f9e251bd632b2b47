package runtime

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/task"
)

func input(change func(*specInput)) specInput {
	in := specInput{
		ContainerSpec: task.ContainerSpec{
			ID: "t-c", TaskID: "t", Name: "c",
			Container: acs.Container{CPU: 256, Memory: 128},
			Sandbox:   task.Sandbox{Mode: "bridge", Path: "/run/netns/x"},
		},
		image:    ocispec.ImageConfig{Entrypoint: []string{"/entry"}, Cmd: []string{"cmd"}, Env: []string{"A=image", "B=image"}, WorkingDir: "/work"},
		cgroup:   "/roadstead/t/c",
		hostname: "host", pidsLimit: 100, noFile: 1024,
	}
	if change != nil {
		change(&in)
	}
	return in
}

func build(t *testing.T, change func(*specInput)) *specs.Spec {
	t.Helper()
	s, err := buildSpec(context.Background(), input(change))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestArgsFollowDocker(t *testing.T) {
	for _, c := range []struct{ entry, command, want []string }{
		{nil, nil, []string{"/entry", "cmd"}},
		{nil, []string{"x"}, []string{"/entry", "x"}},
		{[]string{"/e"}, nil, []string{"/e"}},
		{[]string{"/e"}, []string{"x"}, []string{"/e", "x"}},
	} {
		s := build(t, func(in *specInput) { in.Container.EntryPoint, in.Container.Command = c.entry, c.command })
		if !slices.Equal(s.Process.Args, c.want) {
			t.Errorf("entry point %v and command %v run %v, want %v", c.entry, c.command, s.Process.Args, c.want)
		}
	}
	_, err := buildSpec(context.Background(), input(func(in *specInput) { in.image = ocispec.ImageConfig{} }))
	if !errors.Is(err, errNoCommand) {
		t.Errorf("error %v", err)
	}
}

func TestProcess(t *testing.T) {
	s := build(t, func(in *specInput) {
		in.Environment = map[string]string{"B": "task", "C": "a=b"}
		in.HostConfig.Ulimits = []acs.Ulimit{{Name: "core", Soft: -1, Hard: -1}}
		in.user = specs.User{UID: 7, GID: 8}
	})
	want := []string{"A=image", "B=task", "C=a=b", "HOSTNAME=host", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	if !slices.Equal(s.Process.Env, want) || s.Process.Cwd != "/work" || s.Hostname != "host" || s.Process.NoNewPrivileges {
		t.Errorf("process %+v", s.Process)
	}
	if l := s.Process.Rlimits; len(l) != 2 || l[0].Type != "RLIMIT_CORE" || l[0].Hard != 1<<64-1 || l[1].Soft != 1024 {
		t.Errorf("rlimits %+v", l)
	}
	if c := s.Process.Capabilities; len(c.Bounding) != 14 || c.Effective != nil {
		t.Errorf("capabilities of another user than root %+v", c)
	}
	if s.Linux.Seccomp == nil || slices.Contains(s.Linux.Seccomp.Architectures, specs.ArchX32) || len(s.Linux.MaskedPaths) == 0 {
		t.Error("not confined")
	}
}

func TestResources(t *testing.T) {
	s := build(t, func(in *specInput) {
		in.Container.Memory, in.Container.CPU = 1, 0
		in.HostConfig.MemoryReservation = 8 << 20
	})
	r := s.Linux.Resources
	if *r.CPU.Shares != 2 || *r.Memory.Limit != 4<<20 || *r.Memory.Reservation != 8<<20 || r.Memory.Swap != nil || *r.Pids.Limit != 100 {
		t.Errorf("resources %+v %+v", r.CPU, r.Memory)
	}
	if s.Linux.CgroupsPath != "/roadstead/t/c" {
		t.Errorf("cgroup %s", s.Linux.CgroupsPath)
	}
	if s := build(t, func(in *specInput) { in.Container.CPU, in.pidsLimit = 1<<30, -1 }); *s.Linux.Resources.CPU.Shares != 262144 || s.Linux.Resources.Pids != nil {
		t.Error("limits are not capped")
	}
}

// [D] maxSwap is the swap beside the memory, and swappiness goes with it.
func TestSwap(t *testing.T) {
	s := build(t, func(in *specInput) {
		in.HostConfig.MemorySwap, in.HostConfig.MemorySwappiness = 192<<20, new(int64(7))
	})
	if m := s.Linux.Resources.Memory; *m.Limit != 128<<20 || *m.Swap != 192<<20 || *m.Swappiness != 7 {
		t.Errorf("memory %+v", m)
	}
	s = build(t, func(in *specInput) { in.HostConfig.MemorySwap, in.Container.Memory = 192<<20, 0 })
	if m := s.Linux.Resources.Memory; m.Swap != nil {
		t.Error("swap is bounded where memory is not")
	}
}

func namespace(s *specs.Spec, kind specs.LinuxNamespaceType) string {
	for _, n := range s.Linux.Namespaces {
		if n.Type == kind {
			return firstOf(n.Path, "new")
		}
	}
	return "host"
}

func TestNamespaces(t *testing.T) {
	s := build(t, nil)
	if namespace(s, specs.NetworkNamespace) != "/run/netns/x" || namespace(s, specs.PIDNamespace) != "new" || s.Linux.Sysctl["net.ipv4.ip_unprivileged_port_start"] != "0" {
		t.Errorf("bridge: %+v", s.Linux.Namespaces)
	}
	if namespace(s, specs.CgroupNamespace) != "new" {
		t.Errorf("cgroups: %+v", s.Linux.Namespaces)
	}
	s = build(t, func(in *specInput) { in.Sandbox = task.Sandbox{Mode: "none"} })
	if namespace(s, specs.NetworkNamespace) != "new" {
		t.Errorf("none: %+v", s.Linux.Namespaces)
	}
	s = build(t, func(in *specInput) {
		in.Sandbox = task.Sandbox{Mode: "host"}
		in.Task.PidMode, in.Task.IpcMode = "host", "host"
		in.HostConfig.Sysctls = map[string]string{"kernel.msgmax": "1"}
	})
	if namespace(s, specs.NetworkNamespace) != "host" || namespace(s, specs.PIDNamespace) != "host" || namespace(s, specs.IPCNamespace) != "host" || namespace(s, specs.CgroupNamespace) != "host" || len(s.Linux.Sysctl) != 1 {
		t.Errorf("host: %+v", s.Linux.Namespaces)
	}
	s = build(t, func(in *specInput) { in.share = sharedNamespaces{pid: "/proc/1/ns/pid"} })
	if namespace(s, specs.PIDNamespace) != "/proc/1/ns/pid" {
		t.Errorf("task: %+v", s.Linux.Namespaces)
	}
}

func TestMounts(t *testing.T) {
	s := build(t, func(in *specInput) {
		in.files = []task.Mount{{Source: "/gen/hosts", Destination: "/etc/hosts"}, {Source: "/gen/hostname", Destination: "/etc/hostname"}}
		in.Mounts = []task.Mount{{Source: "/v", Destination: "/data/deep", ReadOnly: true}, {Source: "/w", Destination: "/data"}, {Source: "/own", Destination: "/etc/hosts"}}
		in.HostConfig.Tmpfs = map[string]string{"/scratch": "size=1m", "/dev/shm": ""}
		in.HostConfig.ShmSize = 1 << 20
	})
	var got []string
	for _, m := range s.Mounts {
		got = append(got, m.Destination+"="+m.Source)
	}
	want := []string{
		"/proc=proc", "/dev=tmpfs", "/dev/pts=devpts", "/dev/mqueue=mqueue", "/sys=sysfs", "/sys/fs/cgroup=cgroup",
		"/scratch=tmpfs", "/data=/w", "/dev/shm=tmpfs", "/etc/hostname=/gen/hostname", "/data/deep=/v", "/etc/hosts=/own",
	}
	if !slices.Equal(got, want) {
		t.Errorf("mounts %q\nwant   %q", got, want)
	}
	if _, err := buildSpec(context.Background(), input(func(in *specInput) { in.Mounts = []task.Mount{{Source: "/a", Destination: "rel"}} })); err == nil {
		t.Error("a relative destination was mounted")
	}
}

func TestPrivileges(t *testing.T) {
	s := build(t, func(in *specInput) {
		in.HostConfig.CapDrop, in.HostConfig.CapAdd = []string{"ALL"}, []string{"NET_ADMIN", "cap_chown"}
		in.HostConfig.SecurityOpt = []string{"no-new-privileges", "apparmor:unconfined"}
		in.apparmor = "default-profile"
	})
	if got := s.Process.Capabilities.Effective; !slices.Equal(got, []string{"CAP_CHOWN", "CAP_NET_ADMIN"}) || s.Process.ApparmorProfile != "" || !s.Process.NoNewPrivileges {
		t.Errorf("capabilities %v", got)
	}
	s = build(t, func(in *specInput) {
		in.HostConfig.SecurityOpt, in.apparmor = []string{"no-new-privileges:false"}, "default-profile"
	})
	if s.Process.NoNewPrivileges || s.Process.ApparmorProfile != "default-profile" {
		t.Errorf("security options %+v", s.Process)
	}
	s = build(t, func(in *specInput) {
		in.HostConfig.Privileged = true
		in.Sandbox = task.Sandbox{Mode: "host"}
	})
	if i := slices.IndexFunc(s.Mounts, func(m specs.Mount) bool { return m.Destination == "/sys" }); slices.Contains(s.Mounts[i].Options, "ro") {
		t.Errorf("a privileged container's /sys is mounted with %v", s.Mounts[i].Options)
	}
	if s.Linux.Seccomp != nil || len(s.Linux.MaskedPaths) != 0 || len(s.Process.Capabilities.Effective) < 30 {
		t.Error("privileged is confined")
	}
	for _, bad := range []func(*specInput){
		func(in *specInput) { in.HostConfig.CapAdd = []string{"NO_SUCH"} },
		func(in *specInput) { in.HostConfig.Ulimits = []acs.Ulimit{{Name: "nope"}} },
		func(in *specInput) { in.HostConfig.Devices = []acs.Device{{PathOnHost: "/dev/no-such"}} },
		func(in *specInput) { in.HostConfig.SecurityOpt = []string{"label:disable"} },
		func(in *specInput) {
			in.Task.Associations = []acs.Association{{Type: "gpu", Name: "none", Containers: []string{"c"}}}
		},
		func(in *specInput) { in.HostConfig.SecurityOpt = []string{"no-new-privileges:perhaps"} },
	} {
		if _, err := buildSpec(context.Background(), input(bad)); err == nil {
			t.Error("a bad setting was taken")
		}
	}
}

// [D] SEMANTICS §4.1: initProcessEnabled puts a first process before the command, unless the task has one already.
func TestInit(t *testing.T) {
	on := func(in *specInput) { in.HostConfig.Init, in.init = new(true), "/usr/bin/an-init" }
	s := build(t, on)
	if !slices.Equal(s.Process.Args, []string{"/dev/init", "--", "/entry", "cmd"}) || s.Mounts[len(s.Mounts)-1].Source != "/usr/bin/an-init" {
		t.Errorf("args %v, mounts %+v", s.Process.Args, s.Mounts)
	}
	s = build(t, func(in *specInput) { on(in); in.Task.PidMode = "task" })
	if !slices.Equal(s.Process.Args, []string{"/entry", "cmd"}) {
		t.Errorf("args %v", s.Process.Args)
	}
	_, err := buildSpec(context.Background(), input(func(in *specInput) { on(in); in.init = "" }))
	if !errors.Is(err, errNoInit) {
		t.Errorf("error %v", err)
	}
}

// [D] SEMANTICS §4.5: a container has the devices of the GPUs that it was given, and no others.
func TestGPUs(t *testing.T) {
	s := build(t, func(in *specInput) {
		in.gpus = map[string][]string{"g0": {"/dev/null", "/dev/full"}, "g1": {"/dev/zero"}, "g2": {"/dev/urandom", "/dev/full"}}
		in.Task.Associations = []acs.Association{
			{Type: "gpu", Name: "g0", Containers: []string{"c"}}, {Type: "gpu", Name: "g1", Containers: []string{"other"}},
			{Type: "gpu", Name: "g2", Containers: []string{"c"}}, {Type: "elastic-inference", Name: "x", Containers: []string{"c"}},
		}
	})
	var got []string
	for _, d := range s.Linux.Devices {
		got = append(got, d.Path)
	}
	if want := []string{"/dev/null", "/dev/full", "/dev/urandom"}; !slices.Equal(got, want) {
		t.Errorf("devices %v, want %v", got, want)
	}
}

func TestContainerdID(t *testing.T) {
	long := strings.Repeat("a", 77)
	for id, same := range map[string]bool{"abc-web.1_x": true, "abc--x": false, "abc-": false, long: false, long[:76]: true, "-x": false} {
		got := containerdID(id)
		if (got == id) != same || len(got) > 76 || !plainID.MatchString(got) {
			t.Errorf("%q became %q", id, got)
		}
	}
}

func TestLabels(t *testing.T) {
	who := identity{id: "i", task: "t", name: "n", log: "/l", cgroup: "/c", stopSignal: "INT", io: "tty"}
	labels := labelsOf(task.ContainerSpec{
		Labels: map[string]string{"a": "spec"}, Config: acs.ContainerConfig{Labels: map[string]string{"a": "docker", "b": "c", "huge": strings.Repeat("x", 5000)}},
	}, who)
	if back, ok := identityOf(labels); !ok || back != who {
		t.Errorf("came back as %+v", back)
	}
	if p := publicLabels(labels); len(p) != 2 || p["a"] != "spec" || p["b"] != "c" {
		t.Errorf("public labels %v", p)
	}
}

func TestFilesOfEtc(t *testing.T) {
	spec := task.ContainerSpec{
		ID: "i", Sandbox: task.Sandbox{Mode: "awsvpc", IPv4: "10.0.0.5", Path: "/x"},
		HostConfig: acs.HostConfig{ExtraHosts: []string{"db:fd00::1"}},
	}
	if h := hostname(spec); h != "ip-10-0-0-5" {
		t.Errorf("host name %s", h)
	}
	if got := hostsFile(spec, "h"); !strings.Contains(got, "fd00::1\tdb\n") || !strings.Contains(got, "10.0.0.5\th\n") {
		t.Errorf("hosts %q", got)
	}
	spec.Hosts = []string{"alias:10.1.2.3"}
	if got := hostsFile(spec, "h"); !strings.Contains(got, "10.1.2.3\talias\n") {
		t.Errorf("hosts %q: no linked container", got)
	}
	node := "search node\nnameserver 9.9.9.9\n"
	if got := resolvFile(spec, nil, nil, node); got != node {
		t.Errorf("resolv %q", got)
	}
	if got := resolvFile(spec, []string{"1.1.1.1"}, []string{"s"}, node); got != "search s\nnameserver 1.1.1.1\n" {
		t.Errorf("resolv %q", got)
	}
	spec.HostConfig.DNSSearch = []string{"own"}
	if got := resolvFile(spec, nil, nil, node); got != "search own\nnameserver 9.9.9.9\n" {
		t.Errorf("resolv %q", got)
	}
	if !loopbackOnly("nameserver 127.0.0.53\n") || loopbackOnly("nameserver 127.0.0.53\nnameserver 10.0.0.1\n") {
		t.Error("loopbackOnly is wrong")
	}
}

func TestParseSignal(t *testing.T) {
	for name, want := range map[string]int{"": 15, "SIGTERM": 15, "int": 2, "9": 9, "SIGRTMIN+3": 37} {
		if got, err := parseSignal(name); err != nil || int(got) != want {
			t.Errorf("%q is %d, %v; want %d", name, got, err, want)
		}
	}
	for _, bad := range []string{"NOPE", "0", "99", "-1"} {
		if got, err := parseSignal(bad); err == nil {
			t.Errorf("%q is %d", bad, got)
		}
	}
}

func TestFindCgroups(t *testing.T) {
	c := cgroups{v1: map[string]string{}}
	for _, line := range []string{
		"31 24 0:27 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct",
		"32 24 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory",
		"33 24 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw",
		"34 24 0:30 / /proc rw - proc proc rw",
	} {
		c.add(line)
	}
	if c.v1["cpuacct"] != "/sys/fs/cgroup/cpu,cpuacct" || c.v1["memory"] != "/sys/fs/cgroup/memory" || c.v2 != "/sys/fs/cgroup/unified" || c.unified() {
		t.Errorf("found %+v", c)
	}
	if want := []string{"/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/unified"}; !slices.Equal(c.roots(), want) {
		t.Errorf("roots %v", c.roots())
	}
}

// TestTaskCgroup runs on plain directories: writes make the files that a kernel would have.
func TestTaskCgroup(t *testing.T) {
	limits := limitsOf(acs.Task{CPU: 0.25, Memory: 512})
	for name, c := range map[string]struct {
		groups func(dir string) cgroups
		want   map[string]string
	}{
		"version 1": {
			func(dir string) cgroups {
				return cgroups{v1: map[string]string{"cpu": dir + "/cpu", "memory": dir + "/memory"}, v2: dir + "/unified"}
			},
			map[string]string{
				"cpu/rs/t/cpu.shares": "256", "cpu/rs/t/cpu.cfs_quota_us": "25000", "cpu/rs/t/cpu.cfs_period_us": "100000",
				"memory/rs/t/memory.limit_in_bytes": "536870912",
			},
		},
		"version 2": {
			func(dir string) cgroups { return cgroups{v2: dir} },
			map[string]string{
				"cgroup.subtree_control": "+cpu +memory +pids", "rs/cgroup.subtree_control": "+cpu +memory +pids",
				"rs/t/cgroup.subtree_control": "+cpu +memory +pids", "rs/t/cpu.weight": "10", "rs/t/cpu.max": "25000 100000", "rs/t/memory.max": "536870912",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			groups := c.groups(dir)
			for range 2 {
				if err := groups.makeTask("/rs/t", limits); err != nil {
					t.Fatal(err)
				}
			}
			for file, want := range c.want {
				if b, err := os.ReadFile(filepath.Join(dir, file)); err != nil || string(b) != want {
					t.Errorf("%s is %q, %v; want %q", file, b, err, want)
				}
			}
		})
	}
	sum := limitsOf(acs.Task{Containers: []acs.Container{{CPU: 100}, {CPU: 28}}})
	if sum != (taskLimits{shares: 128}) {
		t.Errorf("limits of a task without any %+v", sum)
	}
}

func TestOOMKills(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "memory.oom_control"), []byte("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if n := (cgroups{v1: map[string]string{"memory": dir}}).oomKills("/"); n != 2 {
		t.Errorf("%d kills", n)
	}
	if n := (cgroups{v2: dir}).oomKills("/gone"); n != 0 {
		t.Errorf("%d kills", n)
	}
}

func TestDaemonConfig(t *testing.T) {
	text := daemonConfig("/data", "/data/c.sock")
	for _, want := range []string{`root = "/data/root"`, `address = "/data/c.sock"`, "io.containerd.grpc.v1.cri"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
	if _, err := NewDaemon(DaemonConfig{Dir: "/" + fmt.Sprintf("%0200d", 0)}); err == nil {
		t.Error("a socket's path too long was taken")
	}
}
