package cluster_test

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/roadstead/roadstead/client"
)

// load runs all tasks and waits until they are RUNNING, which is then durable: DescribeClusters counts nothing else.
func (r *run) load(ctx context.Context) {
	calls := *tasks / *perCall
	for _, p := range []*process{r.server, r.nodes} {
		p.signal(syscall.SIGUSR2)
		defer p.signal(syscall.SIGUSR2)
	}
	server, nodes, own := r.server.cpu(), r.nodes.cpu(), self().cpu()
	began := time.Now()
	latencies := make([][]time.Duration, *connections)
	var next, placed atomic.Int64
	var wg sync.WaitGroup
	for i := range *connections {
		wg.Go(func() {
			for next.Add(1) <= int64(calls) {
				n, took, err := runTask(ctx, r.client)
				if err != nil {
					r.Error(err)
					return
				}
				placed.Add(int64(n))
				latencies[i] = append(latencies[i], took)
			}
		})
	}
	wg.Wait()
	r.took, r.placed = time.Since(began), int(placed.Load())
	if r.placed != calls**perCall {
		r.Errorf("%d of %d tasks placed", r.placed, calls**perCall)
	}
	for r.running(ctx) < r.placed && time.Since(began) < 10*time.Minute && ctx.Err() == nil {
		<-time.After(20 * time.Millisecond)
	}
	took := time.Since(began)
	server, nodes, own = r.server.cpu()-server, r.nodes.cpu()-nodes, self().cpu()-own
	all := slices.Sorted(slices.Values(slices.Concat(latencies...)))
	at := func(q float64) float64 { return all[int(float64(len(all)-1)*q)].Seconds() * 1000 }
	r.ReportMetric(float64(r.placed)/r.took.Seconds(), "placements/s")
	r.ReportMetric(float64(r.placed)/took.Seconds(), "running/s")
	r.ReportMetric(at(0.5), "p50-ms")
	r.ReportMetric(at(0.99), "p99-ms")
	r.ReportMetric(float64(server.Microseconds())/float64(r.placed), "server-cpu-us/task")
	r.ReportMetric(float64((server+nodes+own).Microseconds())/float64(r.placed), "all-cpu-us/task")
	r.Logf("%d tasks: placed in %.1f s, RUNNING in %.1f s; processor time of a task: server %s, nodes %s, callers %s",
		r.placed, r.took.Seconds(), took.Seconds(), r.perTask(server), r.perTask(nodes), r.perTask(own))
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
