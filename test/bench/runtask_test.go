//go:build bench || e2e

package bench_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// BenchmarkRunTask calls RunTask over HTTP with SigV4 against a durable control plane. Each sub-benchmark reports calls/s,
// tasks/s, the latencies in ms, and the floor: the same client against a server that answers at once.
func BenchmarkRunTask(b *testing.B) {
	for _, c := range []struct{ connections, count int }{{1, 1}, {64, 1}, {64, 10}} {
		b.Run(fmt.Sprintf("connections=%d/count=%d", c.connections, c.count), func(b *testing.B) {
			p := startPlane(b)
			var answer bytes.Buffer
			request := map[string]any{"taskDefinition": "web", "count": c.count, "startedBy": "bench"}
			if err := p.client(b).Call(b.Context(), "ecs", "RunTask", request, nil); err != nil {
				b.Fatal(err)
			}
			if err := p.client(b).Call(b.Context(), "ecs", "RunTask", request, &answer); err != nil {
				b.Fatal(err)
			}
			low := measure(b, floor(b, answer.Bytes()), c.connections, request)
			b.ResetTimer()
			used := cpuTime(b)
			r := measure(b, p.endpoint, c.connections, request)
			used = cpuTime(b) - used
			b.StopTimer()
			b.ReportMetric(r.perSecond, "calls/s")
			b.ReportMetric(r.perSecond*float64(c.count), "tasks/s")
			b.ReportMetric(ms(r.at(0.50)), "p50-ms")
			b.ReportMetric(ms(r.at(0.99)), "p99-ms")
			b.ReportMetric(float64(used.Microseconds())/float64(len(r.latencies)), "cpu-µs/call") // the client's too
			b.ReportMetric(low.perSecond, "floor-calls/s")
			b.ReportMetric(low.perSecond/r.perSecond, "floor-ratio")
			b.ReportMetric(0, "ns/op")
		})
	}
}

type result struct {
	perSecond float64
	latencies []time.Duration // sorted
}

func (r *result) at(q float64) time.Duration { return r.latencies[int(float64(len(r.latencies)-1)*q)] }

// cpuTime is the processor time that the process has used: what a busy machine distorts least.
func cpuTime(tb testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// measure makes b.N calls, at least 50 per connection, over so many connections.
func measure(b *testing.B, endpoint string, connections int, request map[string]any) result {
	b.Helper()
	body, err := json.Marshal(request)
	if err != nil {
		b.Fatal(err)
	}
	n := int64(max(b.N, 50*connections))
	var next atomic.Int64
	all := make([][]time.Duration, connections)
	var wg sync.WaitGroup
	var failed atomic.Pointer[error]
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	began := time.Now()
	for i := range connections {
		wg.Go(func() {
			c, err := newCaller(endpoint, "RunTask", body)
			if err != nil {
				failed.Store(&err)
				return
			}
			defer c.conn.Close()
			for next.Add(1) <= n && ctx.Err() == nil {
				at := time.Now()
				if err := c.call(ctx); err != nil {
					failed.Store(&err)
					cancel()
					return
				}
				all[i] = append(all[i], time.Since(at))
			}
		})
	}
	wg.Wait()
	took := time.Since(began)
	if err := failed.Load(); err != nil {
		b.Fatal(*err)
	}
	latencies := slices.Concat(all...)
	slices.Sort(latencies)
	return result{float64(n) / took.Seconds(), latencies}
}
