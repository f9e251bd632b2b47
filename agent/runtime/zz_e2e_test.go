//go:build e2e

package runtime_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/contrib/seccomp"
	"github.com/containerd/containerd/v2/core/containers"
	"github.com/containerd/containerd/v2/pkg/cio"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/containerd/v2/pkg/oci"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/roadstead/roadstead/agent/runtime"
)

func cg(n string) specs.Mount {
	return specs.Mount{Destination: "/sys/fs/cgroup/" + n, Type: "bind", Source: "/sys/fs/cgroup/" + n, Options: []string{"bind", "ro", "nosuid", "noexec", "nodev"}}
}

func TestZZ(t *testing.T) {
	e := newEnv(t)
	e.pull(t)
	c, err := client.New(e.daemon.Address())
	must(t, err)
	defer c.Close()
	ctx := namespaces.WithNamespace(context.Background(), "raw")
	img, err := c.Pull(ctx, e.image("bb:1"), client.WithPullUnpack, client.WithPullSnapshotter("overlayfs"), client.WithResolver(runtime.PlainResolver()))
	must(t, err)
	hosts := filepath.Join(e.dir, "hosts")
	os.WriteFile(hosts, []byte("x"), 0o644)
	variants := []struct {
		name string
		opts []oci.SpecOpts
		log  bool
	}{
		{"plain", nil, false},
		{"seccomp", []oci.SpecOpts{seccomp.WithDefaultProfile()}, false},
		{"seccomp-nox32", []oci.SpecOpts{seccomp.WithDefaultProfile(), func(_ context.Context, _ oci.Client, _ *containers.Container, s *oci.Spec) error { s.Linux.Seccomp.Architectures = s.Linux.Seccomp.Architectures[:2]; return nil }}, false},
		{"seccomp-64", []oci.SpecOpts{seccomp.WithDefaultProfile(), func(_ context.Context, _ oci.Client, _ *containers.Container, s *oci.Spec) error { s.Linux.Seccomp.Architectures = s.Linux.Seccomp.Architectures[:1]; return nil }}, false},
		{"seccomp-allow", []oci.SpecOpts{func(_ context.Context, _ oci.Client, _ *containers.Container, s *oci.Spec) error { s.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Architectures: []specs.Arch{specs.ArchX86_64, specs.ArchX86}, Syscalls: []specs.LinuxSyscall{{Names: []string{"kexec_load", "bpf", "add_key", "mount", "umount2", "reboot", "setns", "init_module"}, Action: specs.ActErrno}}}; return nil }}, false},
		{"cgroupmount", []oci.SpecOpts{oci.WithMounts([]specs.Mount{{Destination: "/sys/fs/cgroup", Type: "cgroup", Source: "cgroup", Options: []string{"ro", "nosuid", "noexec", "nodev"}}})}, false},
		{"binds4", []oci.SpecOpts{oci.WithMounts([]specs.Mount{{Destination: "/sys/fs/cgroup", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "noexec", "nodev", "ro"}}, cg("memory"), cg("cpu"), cg("cpuacct"), cg("cpuset")})}, false},
	}
	times := make([][4][]time.Duration, len(variants))
	for i := range 25 {
		for k, v := range variants {
			id := fmt.Sprintf("z-%d-%d", i, k)
			t0 := time.Now()
			opts := append([]oci.SpecOpts{oci.WithImageConfig(img), oci.WithProcessArgs("/bin/sleep", "1000")}, v.opts...)
			ct, err := c.NewContainer(ctx, id, client.WithSnapshotter("overlayfs"), client.WithNewSnapshot(id, img), client.WithImage(img), client.WithNewSpec(opts...))
			must(t, err)
			t1 := time.Now()
			cr := cio.NullIO
			if v.log {
				cr = cio.LogFile(filepath.Join(e.dir, "l.log"))
			}
			tk, err := ct.NewTask(ctx, cr)
			must(t, err)
			t2 := time.Now()
			must(t, tk.Start(ctx))
			t3 := time.Now()
			if i > 2 {
				times[k][0] = append(times[k][0], t1.Sub(t0))
				times[k][1] = append(times[k][1], t2.Sub(t1))
				times[k][2] = append(times[k][2], t3.Sub(t2))
				times[k][3] = append(times[k][3], t3.Sub(t0))
			}
			tk.Delete(ctx, client.WithProcessKill)
			ct.Delete(ctx, client.WithSnapshotCleanup)
		}
	}
	for k, v := range variants {
		out := v.name
		for j := range 4 {
			slices.Sort(times[k][j])
			out += fmt.Sprintf(" %.1f", ms(quantile(times[k][j], .5)))
		}
		fmt.Println(out, "(container task start total)")
	}
}
