//go:build e2e

package runtime_test

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	goruntime "runtime"

	runcoptions "github.com/containerd/containerd/api/types/runc/options"
	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/pkg/cio"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/containerd/v2/pkg/oci"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/network"
	"github.com/roadstead/roadstead/agent/runtime"
	"github.com/roadstead/roadstead/agent/task"
)

// contender starts and removes one container.
type contender struct {
	start func(id string) error
	stop  func(id string) error
}

// BenchmarkStart compares an assignment (Network.Setup, Create, Start) of a cached image with what the bare
// containerd client needs for the same, in turns in one run. Run with -benchtime 1x; -short takes fewer.
func BenchmarkStart(b *testing.B) {
	cpu := newMeter(b, "/rsbench")
	e := newEnv(b)
	e.cfg.Cgroup = "/rsbench/ours"
	e.open(b)
	e.pull(b)
	n, tidy := newNetwork(b)
	defer tidy()
	ours, raw := oursContender(e, n), rawContender(b, e, "")
	rounds := 40
	if testing.Short() {
		rounds = 10
	}
	for b.Loop() {
		inTurns(b, cpu, ours, raw, rounds)
		atOnce(b, cpu, ours, raw, rounds, 8)
	}
}

func inTurns(b *testing.B, cpu meter, ours, raw contender, rounds int) {
	times, work := [2][]time.Duration{}, [2]time.Duration{}
	for i := range rounds + 3 {
		for k, c := range []contender{ours, raw} {
			id := fmt.Sprintf("one-%d-%d", k, i)
			began, before := time.Now(), cpu.spent(b)
			must(b, c.start(id))
			if i >= 3 { // the first ones warm up
				times[k] = append(times[k], time.Since(began))
				work[k] += cpu.spent(b) - before
			}
			must(b, c.stop(id))
		}
	}
	for k, name := range []string{"ours", "raw"} {
		slices.Sort(times[k])
		b.ReportMetric(ms(quantile(times[k], .5)), name+"-p50-ms")
		b.ReportMetric(ms(quantile(times[k], .99)), name+"-p99-ms")
		b.ReportMetric(ms(work[k])/float64(rounds), name+"-cpu-ms")
	}
	b.ReportMetric(ms(work[0])/ms(work[1]), "cpu-ratio")
	b.ReportMetric(ms(quantile(times[0], .5))/ms(quantile(times[1], .5)), "p50-ratio")
	b.ReportMetric(ms(quantile(times[0], .99))/ms(quantile(times[1], .99)), "p99-ratio")
}

// atOnce alternates batches, so that both see the same machine; deletion is not counted.
func atOnce(b *testing.B, cpu meter, ours, raw contender, rounds, workers int) {
	var spent, work [2]time.Duration
	times := [2][]time.Duration{}
	const batches = 3
	for batch := range batches {
		for k, c := range []contender{ours, raw} {
			var mu sync.Mutex
			var next atomic.Int64
			var wg sync.WaitGroup
			began, before := time.Now(), cpu.spent(b)
			for range workers {
				wg.Go(func() {
					for i := next.Add(1); i <= int64(rounds); i = next.Add(1) {
						t := time.Now()
						if err := c.start(fmt.Sprintf("many-%d-%d-%d", k, batch, i)); err != nil {
							b.Error(err)
						}
						mu.Lock()
						times[k] = append(times[k], time.Since(t))
						mu.Unlock()
					}
				})
			}
			wg.Wait()
			spent[k] += time.Since(began)
			work[k] += cpu.spent(b) - before
			for i := range rounds {
				must(b, c.stop(fmt.Sprintf("many-%d-%d-%d", k, batch, i+1)))
			}
		}
	}
	var rate [2]float64
	for k, name := range []string{"ours", "raw"} {
		rate[k] = float64(batches*rounds) / spent[k].Seconds()
		b.ReportMetric(rate[k], name+"-starts/s")
		b.ReportMetric(ms(work[k])/float64(batches*rounds), name+"-x8-cpu-ms")
		slices.Sort(times[k])
		b.ReportMetric(ms(quantile(times[k], .5)), name+"-x8-p50-ms")
		b.ReportMetric(ms(quantile(times[k], .99)), name+"-x8-p99-ms")
	}
	b.ReportMetric(ms(work[0])/ms(work[1]), "x8-cpu-ratio")
	b.ReportMetric(rate[0]/rate[1], "rate-ratio")
}

func quantile(sorted []time.Duration, q float64) time.Duration {
	return sorted[int(q*float64(len(sorted)-1))]
}

func ms(d time.Duration) float64 { return d.Seconds() * 1e3 }

func newNetwork(tb testing.TB) (*network.Network, func()) {
	tb.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "rsnet")
	must(tb, err)
	n, err := network.New(context.Background(), network.Config{
		Dir: dir, Bridge: "rse" + strconv.Itoa(os.Getpid()%100000), Subnet: netip.MustParsePrefix("10.214.0.0/22"), MetadataIP: "-", UserBase: 0x40000000,
	})
	must(tb, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	return n, func() { cancel(); must(tb, <-done); must(tb, n.Cleanup(context.Background())) }
}

func oursContender(e *env, n *network.Network) contender {
	return contender{
		start: func(id string) error {
			ctx := context.Background()
			s := e.spec(id, "sleep 1000")
			s.Container.Command = []string{"/bin/sleep", "1000"}
			s.Container.CPU, s.Container.Memory = 128, 64
			var err error
			s.Sandbox, err = n.Setup(ctx, task.SandboxRequest{TaskID: s.TaskID, Container: s.Name, Mode: "bridge", Ports: []acs.PortMapping{{ContainerPort: 80}}})
			if err != nil {
				return err
			}
			if err := e.rt.Create(ctx, s); err != nil {
				return err
			}
			_, err = e.rt.Start(ctx, id)
			return err
		},
		stop: func(id string) error {
			if err := e.rt.Delete(context.Background(), id); err != nil {
				return err
			}
			return n.Release(context.Background(), "task-"+id, "main")
		},
	}
}

// rawContender is the shortest program that starts a container in a network namespace of its own. The shim runs program, runc if
// it is "", and more changes the container's spec.
func rawContender(tb testing.TB, e *env, program string, more ...oci.SpecOpts) contender {
	c, err := client.New(e.daemon.Address())
	must(tb, err)
	tb.Cleanup(func() {
		c.Close()
		left, _ := filepath.Glob("/sys/fs/cgroup/*/rsbench/raw") // runc leaves a container's parent
		for _, dir := range left {
			_ = os.Remove(dir)
		}
	})
	ctx := namespaces.WithNamespace(context.Background(), "raw")
	_, err = c.Pull(ctx, e.image("bb:1"), client.WithPullUnpack, client.WithPullSnapshotter("overlayfs"), client.WithResolver(runtime.PlainResolver()))
	must(tb, err)
	nsPath := func(id string) string { return filepath.Join(e.dir, "ns-"+id) }
	return contender{
		start: func(id string) error {
			if err := bareNetns(nsPath(id)); err != nil {
				return err
			}
			img, err := c.GetImage(ctx, e.image("bb:1"))
			if err != nil {
				return err
			}
			ct, err := c.NewContainer(ctx, id, client.WithSnapshotter("overlayfs"), client.WithNewSnapshot(id, img), client.WithImage(img),
				client.WithRuntime("io.containerd.runc.v2", &runcoptions.Options{BinaryName: program}),
				client.WithNewSpec(append([]oci.SpecOpts{
					oci.WithImageConfig(img), oci.WithProcessArgs("/bin/sleep", "1000"), oci.WithCgroup("/rsbench/raw/" + id),
					oci.WithLinuxNamespace(specs.LinuxNamespace{Type: specs.NetworkNamespace, Path: nsPath(id)}),
				}, more...)...))
			if err != nil {
				return err
			}
			t, err := ct.NewTask(ctx, cio.NullIO)
			if err != nil {
				return err
			}
			return t.Start(ctx)
		},
		stop: func(id string) error {
			ct, err := c.LoadContainer(ctx, id)
			if err != nil {
				return err
			}
			t, err := ct.Task(ctx, nil)
			if err != nil {
				return err
			}
			if _, err := t.Delete(ctx, client.WithProcessKill); err != nil {
				return err
			}
			if err := ct.Delete(ctx, client.WithSnapshotCleanup); err != nil {
				return err
			}
			if err := unix.Unmount(nsPath(id), unix.MNT_DETACH); err != nil {
				return err
			}
			return os.Remove(nsPath(id))
		},
	}
}

func bareNetns(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	f.Close()
	done := make(chan error)
	go func() {
		goruntime.LockOSThread()
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			done <- err
			return
		}
		done <- unix.Mount("/proc/thread-self/ns/net", path, "", unix.MS_BIND, "")
	}()
	return <-done
}
