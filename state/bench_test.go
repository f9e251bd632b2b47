package state_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// benchTask is a task as RunTask makes it: one container with a port, a network interface, tags.
func benchTask(n int) *model.Task {
	mixed := uint64(n) * 0x9e3779b97f4a7c15
	at := 1_700_000_000_000 + int64(n/25) // ms: so many tasks a second
	return &model.Task{
		Launch:    &model.Launch{Scope: scope, Cluster: "production", Definition: "web-frontend:17", LaunchType: "EC2", Network: "awsvpc", Group: "family:web-frontend", StartedBy: "deploy-bot", Subnets: []string{"subnet-0abc1234def567890"}, SecurityGroups: []string{"sg-0123456789abcdef0"}},
		ID:        model.TaskID(at, fmt.Sprintf("%016x%016x", mixed, mixed>>7)),
		Instance:  fmt.Sprintf("%032x", mixed>>20%5000),
		Zone:      "us-east-1a",
		Reserved:  model.Resources{CPU: 256, Memory: 512, ENIs: 1},
		Desired:   model.TaskRunning,
		Last:      model.TaskProvisioning,
		Version:   1,
		CreatedAt: at,
		Containers: []model.Container{{
			Name: "web", ID: "0f8fad5b-d9cb-469f-a165-70867728950e", Status: model.TaskPending, Essential: true, CPU: 256, Memory: 512,
			Image: "127.0.0.1:4566/web-frontend@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
		}},
		Attachments: []model.Attachment{{
			ID: "7c9e6679-7425-40de-944b-e07fc1f90ae7", Type: "ElasticNetworkInterface", Status: "PRECREATED",
			Details: []model.Tag{{Key: "subnetId", Value: "subnet-0abc1234def567890"}},
		}},
		Tags: []model.Tag{{Key: "team", Value: "storefront"}},
	}
}

// benchPair is the task's row as it is stored.
func benchPair(tb testing.TB, n int) state.Pair {
	t := benchTask(n)
	b, err := state.EncodeRow(t, jsonCodec)
	if err != nil {
		tb.Fatal(err)
	}
	return state.Pair{Key: "tasks/" + t.Key(), Value: b}
}

func benchDB(b *testing.B) (*state.Etcd, *state.DB) {
	e := openEtcd(b, state.EtcdConfig{Dir: tempDir(b)})
	db := state.Open(state.Config{Backend: e, Codec: jsonCodec})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = db.Run(ctx) }()
	b.Cleanup(func() { cancel(); <-done })
	if err := db.AwaitLead(ctx); err != nil {
		b.Fatal(err)
	}
	return e, db
}

// BenchmarkUpdate writes durable task rows with 100 writers, ten rows (a RunTask) an Update, and the same rows raw in
// transactions of 100, in turns: once by ten writers, so that as many rows are under way as with ours (ratio), and once
// by a hundred, ten times as many (ratio100). An op is a row.
func BenchmarkUpdate(b *testing.B) {
	const perUpdate, perTxn, round = 10, 100, 20_000
	e, db := benchDB(b)
	ctx := context.Background()
	raw := e.Sibling("/raw/")
	defer func() { _ = raw.Close() }()
	var rawTime, rawTime100, ourTime, rawCPU, ourCPU time.Duration
	var rows int
	each := func(writers, n, size int, f func(from int) error) time.Duration {
		var next atomic.Int64
		var wg sync.WaitGroup
		began := time.Now()
		for range writers {
			wg.Go(func() {
				for {
					from := int(next.Add(int64(size))) - size
					if from >= n {
						return
					}
					if err := f(from); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		return time.Since(began)
	}
	b.ReportAllocs()
	b.ResetTimer()
	b.StopTimer()
	for rows < b.N {
		n := min(round, b.N-rows+perTxn)
		pairs, tasks := make([]state.Pair, n), make([]*model.Task, n)
		for i := range pairs {
			pairs[i], tasks[i] = benchPair(b, rows+i), benchTask(rows+i)
		}
		put := func(from int) error { return raw.RawPut(ctx, pairs[from:min(from+perTxn, n)]) }
		used := cpuTime(b)
		rawTime += each(10, n, perTxn, put)
		rawCPU += cpuTime(b) - used
		rawTime100 += each(100, n, perTxn, put)
		used = cpuTime(b)
		b.StartTimer()
		ourTime += each(100, n, perUpdate, func(from int) error {
			return db.Update(ctx, func(tx *state.Tx) error {
				for _, t := range tasks[from:min(from+perUpdate, n)] {
					tx.Tasks.Put(t)
				}
				return nil
			})
		})
		b.StopTimer()
		ourCPU += cpuTime(b) - used
		rows += n
	}
	if s := db.Snapshot(); s.Tasks.Len() != rows {
		b.Errorf("%d rows, %d written", s.Tasks.Len(), rows)
	}
	b.ReportMetric(float64(rows)/ourTime.Seconds(), "rows/s")
	b.ReportMetric(float64(rows)/rawTime.Seconds(), "raw-rows/s")
	b.ReportMetric(float64(rows)/rawTime100.Seconds(), "raw100-rows/s")
	b.ReportMetric(rawTime.Seconds()/ourTime.Seconds(), "ratio")
	b.ReportMetric(rawTime100.Seconds()/ourTime.Seconds(), "ratio100")
	b.ReportMetric(rawCPU.Seconds()/ourCPU.Seconds(), "cpu-ratio") // what a busy machine cannot distort
	b.ReportMetric(float64(ourCPU.Microseconds())/float64(rows), "cpu-µs/row")
}

// cpuTime is the processor time that the process has used.
func cpuTime(tb testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkUpdateOne is one writer, one row at a time, beside raw puts of the same rows.
func BenchmarkUpdateOne(b *testing.B) {
	e, db := benchDB(b)
	ctx := context.Background()
	raw := e.Sibling("/raw/")
	defer func() { _ = raw.Close() }()
	var ours, theirs []time.Duration
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		b.StopTimer()
		pair := benchPair(b, n)
		began := time.Now()
		if err := raw.RawPut(ctx, []state.Pair{pair}); err != nil {
			b.Fatal(err)
		}
		theirs = append(theirs, time.Since(began))
		task := benchTask(n)
		began = time.Now()
		b.StartTimer()
		if err := db.Update(ctx, func(tx *state.Tx) error { tx.Tasks.Put(task); return nil }); err != nil {
			b.Fatal(err)
		}
		ours = append(ours, time.Since(began))
	}
	us := func(d []time.Duration, q float64) float64 {
		slices.Sort(d)
		return float64(d[int(float64(len(d)-1)*q)].Nanoseconds()) / 1000
	}
	b.ReportMetric(us(ours, .5), "p50-µs")
	b.ReportMetric(us(ours, .99), "p99-µs")
	b.ReportMetric(us(theirs, .5), "raw-p50-µs")
	b.ReportMetric(us(theirs, .99), "raw-p99-µs")
	b.ReportMetric(us(theirs, .5)/us(ours, .5), "ratio")
}

// memoryDB is a leading DB on the memory backend with tasks in it.
func memoryDB(b *testing.B, tasks int) *state.DB {
	db := state.Open(state.Config{Backend: state.NewMemory().Member(), Codec: jsonCodec})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = db.Run(ctx) }()
	b.Cleanup(func() { cancel(); <-done })
	if err := db.AwaitLead(ctx); err != nil {
		b.Fatal(err)
	}
	fill(b, db, tasks, model.TaskProvisioning)
	return db
}

// fill writes tasks with the status, a thousand at a time.
func fill(b *testing.B, db *state.DB, tasks int, status string) {
	for n := 0; n < tasks; n += 1000 {
		err := db.Update(b.Context(), func(tx *state.Tx) error {
			for i := range 1000 {
				t := benchTask(n + i)
				t.Last = status
				tx.Tasks.Put(t)
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkMemory is what a task takes of the heap, in the tables and in the backend, after it was made and has changed its
// status twice, and what the process has of the machine's memory. An op is a task, 100,000 at least.
func BenchmarkMemory(b *testing.B) {
	heap := func() float64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc)
	}
	for name, open := range map[string]func(b *testing.B) *state.DB{
		"memory": func(b *testing.B) *state.DB { return memoryDB(b, 0) },
		"etcd":   func(b *testing.B) *state.DB { _, db := benchDB(b); return db },
	} {
		b.Run(name, func(b *testing.B) {
			n := max(b.N/1000, 100) * 1000
			before := heap()
			db := open(b)
			for _, status := range []string{model.TaskProvisioning, model.TaskPending, model.TaskRunning} {
				fill(b, db, n, status)
			}
			b.ReportMetric(float64(resident(b))/(1<<20), "MiB-resident")
			b.ReportMetric((heap()-before)/float64(n), "B/task")
			b.ReportMetric(float64(len(benchPair(b, 1).Value)), "B/row")
			b.ReportMetric(0, "ns/op")
			runtime.KeepAlive(db)
		})
	}
}

// resident is how much of the machine's memory the process has, in bytes.
func resident(b *testing.B) int {
	var total, pages int
	statm, err := os.ReadFile("/proc/self/statm")
	if err == nil {
		_, err = fmt.Sscan(string(statm), &total, &pages)
	}
	if err != nil {
		b.Fatal(err)
	}
	return pages * os.Getpagesize()
}

// BenchmarkSnapshotRead gets one of 100,000 tasks out of the newest snapshot.
func BenchmarkSnapshotRead(b *testing.B) {
	db := memoryDB(b, 100_000)
	keys := make([]string, 1000)
	for i := range keys {
		keys[i] = benchTask(i * 100).Key()
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		if _, ok := db.Snapshot().Tasks.Get(keys[n%len(keys)]); !ok {
			b.Fatal("missing")
		}
		n++
	}
}

// BenchmarkHead is what an Update of ten tasks costs besides the backend: tables, indices, encoding, freezing.
func BenchmarkHead(b *testing.B) {
	db := memoryDB(b, 100_000)
	ctx := context.Background()
	b.ReportAllocs()
	for n := 200_000; b.Loop(); n += 10 {
		err := db.Update(ctx, func(tx *state.Tx) error {
			for i := range 10 {
				tx.Tasks.Put(benchTask(n + i))
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncodeTask(b *testing.B) {
	task := benchTask(1)
	b.ReportAllocs()
	var n int
	for b.Loop() {
		row, err := state.EncodeRow(task, jsonCodec)
		if err != nil {
			b.Fatal(err)
		}
		n = len(row)
	}
	b.ReportMetric(float64(n), "bytes/row")
}

func BenchmarkDecodeTask(b *testing.B) {
	row := benchPair(b, 1).Value
	b.ReportAllocs()
	for b.Loop() {
		var t model.Task
		if err := state.DecodeRow(row, &t, jsonCodec); err != nil {
			b.Fatal(err)
		}
	}
}
