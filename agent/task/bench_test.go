package task_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/task"
)

// BenchmarkAcceptToRunning is what the engine adds to a task from Accept until its RUNNING is reported, on a node
// that does everything in no time: with payloads of one task and of 50. The disk's part of it is the floor beside it.
func BenchmarkAcceptToRunning(b *testing.B) {
	for _, size := range []int{1, 50} {
		b.Run(fmt.Sprintf("payload=%d", size), func(b *testing.B) {
			s := newSite(b)
			running := make(chan struct{}, 1000)
			m := s.node.Open(nil)
			s.conf.Runtime, s.conf.Network, s.conf.CleanupAfter = m.Runtime, m.Network, -1
			s.conf.Report = func(_ context.Context, batch []task.Report) error {
				for _, r := range batch {
					if r.Status == task.StatusRunning {
						running <- struct{}{}
					}
				}
				return nil
			}
			e := task.New(s.conf)
			ctx, cancel := context.WithCancel(b.Context())
			ended := make(chan error, 1)
			go func() { ended <- e.Run(ctx) }()
			b.ReportAllocs()
			payload := func(n int) []acs.Task {
				tasks := make([]acs.Task, size)
				for i := range tasks {
					tasks[i] = run(fmt.Sprintf("%08d%024d", i, n), app("app"))
				}
				return tasks
			}
			n := 0
			for b.Loop() {
				tasks := payload(n)
				n++
				if err := e.Accept(ctx, tasks); err != nil {
					b.Fatal(err)
				}
				for range tasks {
					<-running
				}
				b.StopTimer()
				for i := range tasks {
					tasks[i] = acs.Task{Arn: tasks[i].Arn, DesiredStatus: task.StatusStopped}
				}
				if err := e.Accept(ctx, tasks); err != nil {
					b.Fatal(err)
				}
				for len(e.List()) > 0 {
					time.Sleep(time.Millisecond) //nolint:forbidigo // a benchmark waits in real time
				}
				b.StartTimer()
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(n*size), "us/task")
			cancel()
			if err := <-ended; err != nil {
				b.Fatal(err)
			}
		})
	}
}

// BenchmarkFsync is the floor of BenchmarkAcceptToRunning: one append and one fsync.
func BenchmarkFsync(b *testing.B) {
	f, err := os.OpenFile(filepath.Join(b.TempDir(), "f"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		b.Fatal(err)
	}
	line := make([]byte, 1000)
	for b.Loop() {
		if _, err := f.Write(line); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
	}
	_ = f.Close()
}

// BenchmarkStep is one decision about a running task of three containers.
func BenchmarkStep(b *testing.B) {
	t := run("t1", app("a"), app("b"), app("c"))
	t.Containers[1].DependsOn = []acs.Dependency{{ContainerName: "a", Condition: "START"}}
	w := newWorld(&t)
	w.step()
	for len(w.doing) > 0 {
		w.finish(0, true, nil)
	}
	b.ReportAllocs()
	for b.Loop() {
		task.Step(w.d, w.s, w.now)
	}
}
