//go:build bench || e2e

package cluster_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/roadstead/roadstead/client"
)

// placeOnly runs half of the tasks while the nodes' process is stopped, so that nobody but the callers takes processor time from
// the server: how fast tasks are placed, durably. Then the nodes catch up.
func (r *run) placeOnly(ctx context.Context) {
	_ = r.nodes.cmd.Process.Signal(syscall.SIGSTOP)
	used, own := r.server.cpu(), self().cpu()
	all, took := r.runTasks(ctx, *tasks/2)
	used, own = r.server.cpu()-used, self().cpu()-own
	n := len(all) * *perCall
	_ = r.nodes.cmd.Process.Signal(syscall.SIGCONT)
	r.ReportMetric(float64(n)/took.Seconds(), "placements/s")
	r.ReportMetric(ms(all, 0.5), "p50-ms")
	r.ReportMetric(ms(all, 0.99), "p99-ms")
	r.rate = float64(n) / took.Seconds()
	began := time.Now()
	r.awaitRunning(ctx)
	r.Logf("%d tasks placed in %.1f s with the nodes stopped; processor time of a task: server %s, callers %s; RUNNING %.1f s after the nodes went on",
		n, took.Seconds(), each(used, n), each(own, n), time.Since(began).Seconds())
}

// load runs the other half, and waits until all are RUNNING.
func (r *run) load(ctx context.Context) {
	for _, p := range []*process{r.server, r.nodes} {
		p.signal(syscall.SIGUSR2)
		defer p.signal(syscall.SIGUSR2)
	}
	server, nodes, own, began := r.server.cpu(), r.nodes.cpu(), self().cpu(), time.Now()
	all, placing := r.runTasks(ctx, *tasks-*tasks/2)
	r.awaitRunning(ctx)
	took := time.Since(began)
	server, nodes, own = r.server.cpu()-server, r.nodes.cpu()-nodes, self().cpu()-own
	n := len(all) * *perCall
	r.ReportMetric(float64(n)/took.Seconds(), "running/s")
	r.ReportMetric(float64(server.Microseconds())/float64(n), "server-cpu-us/task")
	r.ReportMetric(float64((server+nodes+own).Microseconds())/float64(n), "all-cpu-us/task")
	r.Logf("%d tasks placed in %.1f s, RUNNING in %.1f s; processor time of a task: server %s, nodes %s, callers %s; a call p50 %.1f ms, p99 %.1f ms",
		n, placing.Seconds(), took.Seconds(), each(server, n), each(nodes, n), each(own, n), ms(all, 0.5), ms(all, 0.99))
}

// ms is a quantile of sorted times in milliseconds.
func ms(sorted []time.Duration, q float64) float64 {
	return sorted[int(float64(len(sorted)-1)*q)].Seconds() * 1000
}

func each(d time.Duration, n int) string { return fmt.Sprintf("%d us", d.Microseconds()/int64(n)) }

// runTasks makes calls until n tasks are placed, and returns how long each took, sorted, and all together.
func (r *run) runTasks(ctx context.Context, n int) ([]time.Duration, time.Duration) {
	calls := int64(n / *perCall)
	latencies := make([][]time.Duration, *connections)
	var next atomic.Int64
	var wg sync.WaitGroup
	began := time.Now()
	for i := range *connections {
		wg.Go(func() {
			for next.Add(1) <= calls {
				placed, took, err := runTask(ctx, r.client)
				if err != nil || placed != *perCall {
					r.Errorf("%d of %d tasks placed: %v", placed, *perCall, err)
					return
				}
				latencies[i] = append(latencies[i], took)
			}
		})
	}
	wg.Wait()
	took := time.Since(began)
	all := slices.Sorted(slices.Values(slices.Concat(latencies...)))
	if len(all) == 0 {
		r.Fatal("no call succeeded")
	}
	r.placed += len(all) * *perCall
	return all, took
}

// awaitRunning waits until all tasks are RUNNING, which is then durable: DescribeClusters counts nothing else.
func (r *run) awaitRunning(ctx context.Context) {
	for began := time.Now(); r.running(ctx) < r.placed; {
		if time.Since(began) > 10*time.Minute {
			r.Fatalf("%d of %d tasks RUNNING", r.running(ctx), r.placed)
		}
		<-time.After(20 * time.Millisecond)
	}
}

func runTask(ctx context.Context, c *client.Client) (placed int, took time.Duration, err error) {
	var out struct {
		Tasks []struct {
			TaskArn string `json:"taskArn"`
		} `json:"tasks"`
	}
	began := time.Now()
	err = c.Call(ctx, "ecs", "RunTask", map[string]any{"taskDefinition": "web", "count": *perCall, "startedBy": "bench"}, &out)
	return len(out.Tasks), time.Since(began), err
}

// running is how many tasks are RUNNING.
func (r *run) running(ctx context.Context) int {
	var out struct {
		Clusters []struct {
			Running int `json:"runningTasksCount"`
		} `json:"clusters"`
	}
	if err := r.client.Call(ctx, "ecs", "DescribeClusters", map[string]any{}, &out); err != nil || len(out.Clusters) != 1 {
		r.Fatalf("%d clusters, %v", len(out.Clusters), err)
	}
	return out.Clusters[0].Running
}
