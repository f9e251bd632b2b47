//go:build e2e

package runtime_test

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/containerd/containerd/v2/contrib/seccomp"
	"github.com/containerd/containerd/v2/core/containers"
	"github.com/containerd/containerd/v2/pkg/oci"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// BenchmarkPrograms starts 50 containers at 8 at once through the bare containerd client with each program that its shim can
// use, with and without a filter of system calls, and with one shim for all of them, in turns in one run: what a start is made of
// that is not ours (docs/decisions/045). It takes some minutes. crun needs a machine whose cgroups are not of both versions, or a mount
// namespace without /sys/fs/cgroup/unified.
func BenchmarkPrograms(b *testing.B) {
	cpu := newMeter(b, "/rsbench")
	e := newEnv(b)
	e.cfg.Cgroup = "/rsbench/ours"
	e.open(b)
	e.pull(b)
	programs := []string{"runc"}
	if _, err := exec.LookPath("crun"); err == nil {
		programs = append(programs, "crun")
	}
	ways := map[string]contender{}
	var names []string
	for _, p := range programs {
		for name, more := range map[string]oci.SpecOpts{
			p:              known,
			p + "-filter":  oci.Compose(known, seccomp.WithDefaultProfile()),
			p + "-grouped": oci.Compose(known, oci.WithAnnotations(map[string]string{"io.containerd.runc.v2.group": p})),
		} {
			ways[name] = rawContender(b, e, p, more)
			names = append(names, name)
		}
	}
	slices.Sort(names)
	const rounds = 5
	took, work := map[string][]time.Duration{}, map[string][]time.Duration{}
	for b.Loop() {
		for round := range rounds {
			for _, name := range names {
				wall, spent := fifty(b, cpu, ways[name], fmt.Sprintf("p-%s-%d", name, round))
				took[name], work[name] = append(took[name], wall), append(work[name], spent)
			}
		}
	}
	for _, name := range names {
		slices.Sort(took[name])
		slices.Sort(work[name])
		b.ReportMetric(ms(quantile(took[name], .5)), name+"-50-ms")
		b.ReportMetric(ms(quantile(work[name], .5))/50, name+"-cpu-ms")
	}
	b.ReportMetric(0, "ns/op")
}

// known is the version of the specification that crun 1.8 knows.
func known(_ context.Context, _ oci.Client, _ *containers.Container, s *specs.Spec) error {
	s.Version = "1.0.2"
	return nil
}

// fifty returns how long 50 starts took at 8 at once, and their processor time; removal is not counted.
func fifty(b *testing.B, cpu meter, c contender, prefix string) (wall, spent time.Duration) {
	b.Helper()
	var next atomic.Int64
	var wg sync.WaitGroup
	began, before := time.Now(), cpu.spent(b)
	for range 8 {
		wg.Go(func() {
			for i := next.Add(1); i <= 50; i = next.Add(1) {
				if err := c.start(fmt.Sprintf("%s-%d", prefix, i)); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	wall, spent = time.Since(began), cpu.spent(b)-before
	for i := range 50 {
		must(b, c.stop(fmt.Sprintf("%s-%d", prefix, i+1)))
	}
	return wall, spent
}
