//go:build e2e

package bench_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roadstead/roadstead/agent"
	"github.com/roadstead/roadstead/client"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/registry"
	"github.com/roadstead/roadstead/server"
	"github.com/roadstead/roadstead/state"
)

// TestMain is also the log keeper that the agent starts.
func TestMain(m *testing.M) {
	if len(os.Args) > 4 && os.Args[1] == "log-keeper" {
		if err := agent.Keep(context.Background(), os.Args[3], os.Args[4]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// node is a control plane with a real node in this process, and an image that sleeps.
type node struct {
	db     *state.DB
	client *client.Client
	socket string // of its containerd
	dir    string
}

func startNode(b *testing.B) *node {
	b.Helper()
	dir, err := os.MkdirTemp("", "rsbench") // short: containerd's socket is below it
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s, err := server.Open(ctx, server.Config{
		DataDir: dir, Listen: "127.0.0.1:0", Region: region, Account: "000000000000", RootKeyID: "test", RootSecret: "test", Dev: true,
	})
	if err != nil {
		b.Fatal(err)
	}
	done := make(chan error, 2)
	go func() { done <- s.Run(ctx) }()
	if err := s.Ready(ctx); err != nil {
		b.Fatal(err)
	}
	token, err := s.JoinToken(ctx, "000000000000")
	if err != nil {
		b.Fatal(err)
	}
	agentCtx, stopAgent := context.WithCancel(ctx)
	a, err := agent.New(agentCtx, agent.Config{
		Server: s.URL(), Token: token, Cluster: "default", Name: "bench", DataDir: filepath.Join(dir, "n"), StopTasks: true, Zone: "a",
		CPU: 1 << 20, Memory: 1 << 20, Subnet: "10.89.0.0/16",
	})
	if err != nil {
		b.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- a.Run(agentCtx) }()
	b.Cleanup(func() { stopAgent(); <-ended; cancel(); <-done; os.RemoveAll(dir) })
	if err := s.AwaitNodes(ctx, 1); err != nil {
		b.Fatal(err)
	}
	n := &node{db: s.DB(), client: dial(b, s.URL()), socket: filepath.Join(dir, "n", "containerd", "containerd.sock"), dir: dir}
	n.push(b, s.URL())
	return n
}

// sleeper sleeps, until it is told to stop; with an argument, it is its own health check.
const sleeper = `package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	if len(os.Args) > 1 {
		return
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	<-stop
}
`

// ctrImage is the name that the archive gives the image.
const ctrImage = "roadstead.local/sleeper.tar:latest"

// push builds the sleeping image, registers a task definition for it, and imports it for ctr.
func (n *node) push(b *testing.B, endpoint string) {
	b.Helper()
	dir := n.dir
	src := filepath.Join(dir, "main.go")
	if err := os.WriteFile(src, []byte(sleeper), 0o600); err != nil {
		b.Fatal(err)
	}
	build := exec.Command("go", "build", "-ldflags", "-s -w", "-o", filepath.Join(dir, "sleeper"), src)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	archive := filepath.Join(dir, "sleeper.tar")
	if err := registry.WriteBinaryArchive(filepath.Join(dir, "sleeper"), archive); err != nil {
		b.Fatal(err)
	}
	if err := n.client.Call(b.Context(), "ecr", "CreateRepository", map[string]string{"repositoryName": "sleeper"}, nil); err != nil {
		b.Fatal(err)
	}
	image := strings.TrimPrefix(endpoint, "http://") + "/sleeper:1"
	if _, err := registry.PushArchive(b.Context(), archive, image, registry.PushOptions{User: "test", Password: "test"}); err != nil {
		b.Fatal(err)
	}
	c := map[string]any{"name": "c", "image": image, "memory": 16, "stopTimeout": 2}
	n.must(b, "RegisterTaskDefinition", map[string]any{"family": "sleeper", "networkMode": "bridge", "containerDefinitions": []any{c}})
	c["portMappings"] = []any{map[string]any{"containerPort": 80}}
	n.must(b, "RegisterTaskDefinition", map[string]any{"family": "served", "networkMode": "bridge", "containerDefinitions": []any{c}})
	c["healthCheck"] = map[string]any{"command": []string{"CMD", "/sleeper", "check"}, "interval": 5}
	n.must(b, "RegisterTaskDefinition", map[string]any{"family": "checked", "networkMode": "bridge", "containerDefinitions": []any{c}})
	if out, err := exec.Command("ctr", "-a", n.socket, "-n", ctrNamespace, "images", "import", archive).CombinedOutput(); err != nil {
		b.Fatalf("ctr images import: %v: %s", err, out)
	}
}

// run calls RunTask, waits until the task is RUNNING, and returns how long both took together and the call alone.
func (n *node) run(ctx context.Context) (arn string, running, call time.Duration, err error) {
	_, cursor := n.db.Watch()
	began := time.Now()
	var out struct {
		Tasks []struct {
			TaskArn string `json:"taskArn"`
		} `json:"tasks"`
	}
	if err := n.client.Call(ctx, "ecs", "RunTask", map[string]any{"taskDefinition": "sleeper"}, &out); err != nil {
		return "", 0, 0, err
	}
	call = time.Since(began)
	arn = out.Tasks[0].TaskArn
	a, _ := model.ParseARN(arn)
	key := a.Scope.Key(a.Segments()...)
	for {
		r, err := cursor.Next(ctx)
		if err != nil {
			return "", 0, 0, err
		}
		t, ok := r.Snapshot.Tasks.Get(key)
		if ok && t.Last == model.TaskRunning {
			return arn, time.Since(began), call, nil
		}
		if ok && t.Last == model.TaskStopped {
			return "", 0, 0, fmt.Errorf("task stopped: %s", t.StopReason)
		}
	}
}

// stop stops tasks and waits until their nodes have.
func (n *node) stop(ctx context.Context, arns []string) error {
	for _, arn := range arns {
		if err := n.client.Call(ctx, "ecs", "StopTask", map[string]string{"task": arn}, nil); err != nil {
			return err
		}
	}
	s, cursor := n.db.Watch()
	for s.ClusterCount(model.ClusterKey(model.Scope{Account: "000000000000", Region: region}, "default")) != (state.ClusterCount{}) {
		r, err := cursor.Next(ctx)
		if err != nil {
			return err
		}
		s = r.Snapshot
	}
	return nil
}

// BenchmarkStart starts real containers of a cached image: RunTask to RUNNING, beside `ctr run` on the same containerd and
// `runc run` of the same files, each alone and eight at a time.
func BenchmarkStart(b *testing.B) {
	n := startNode(b)
	if arn, _, _, err := n.run(b.Context()); err != nil { // pulls the image
		b.Fatal(err)
	} else if err := n.stop(b.Context(), []string{arn}); err != nil {
		b.Fatal(err)
	}
	bundle := runcBundle(b, n)
	for _, at := range []int{1, 8} {
		b.Run(fmt.Sprintf("concurrency=%d", at), func(b *testing.B) {
			count := max(b.N, 3*at, 24)
			ctr := timed(b, at, count, func(i int) error { return ctrRun(n, fmt.Sprintf("b%d-%d", at, i)) }, func(i int) { ctrRemove(n, fmt.Sprintf("b%d-%d", at, i)) })
			runc := timed(b, at, count, func(i int) error { return runcRun(bundle, fmt.Sprintf("rsb%d-%d", at, i)) }, func(i int) { runcRemove(fmt.Sprintf("rsb%d-%d", at, i)) })
			var mu sync.Mutex
			var arns []string
			var calls []time.Duration
			b.ResetTimer()
			ours := timed(b, at, count, func(int) error {
				arn, _, call, err := n.run(b.Context())
				mu.Lock()
				arns, calls = append(arns, arn), append(calls, call)
				mu.Unlock()
				return err
			}, func(int) {})
			b.StopTimer()
			if err := n.stop(b.Context(), arns); err != nil {
				b.Fatal(err)
			}
			slices.Sort(calls)
			b.ReportMetric(ms(ours.at(0.5)), "p50-ms")
			b.ReportMetric(ms(ours.at(0.99)), "p99-ms")
			b.ReportMetric(ms(calls[len(calls)/2]), "call-p50-ms")
			b.ReportMetric(ms(ctr.at(0.5)), "ctr-p50-ms")
			b.ReportMetric(ms(runc.at(0.5)), "runc-p50-ms")
			b.ReportMetric(float64(ours.at(0.5))/float64(ctr.at(0.5)), "ratio-to-ctr")
			b.ReportMetric(ours.perSecond, "starts/s")
			b.ReportMetric(ctr.perSecond, "ctr-starts/s")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// timed runs do count times, so many at once, and undoes each afterwards.
func timed(b *testing.B, at, count int, do func(i int) error, undo func(i int)) result {
	b.Helper()
	latencies := make([]time.Duration, count)
	errs := make([]error, count)
	slots := make(chan struct{}, at)
	var wg sync.WaitGroup
	began := time.Now()
	for i := range count {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			one := time.Now()
			errs[i] = do(i)
			latencies[i] = time.Since(one)
		})
	}
	wg.Wait()
	took := time.Since(began)
	for i := range count {
		undo(i)
		if errs[i] != nil {
			b.Fatal(errs[i])
		}
	}
	slices.Sort(latencies)
	return result{float64(count) / took.Seconds(), latencies}
}

const ctrNamespace = "roadstead-bench"

func ctrRun(n *node, id string) error {
	out, err := exec.Command("ctr", "-a", n.socket, "-n", ctrNamespace, "run", "-d", ctrImage, id).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ctr run: %w: %s", err, out)
	}
	return nil
}

func ctrRemove(n *node, id string) {
	_ = exec.Command("ctr", "-a", n.socket, "-n", ctrNamespace, "tasks", "rm", "-f", id).Run()
	_ = exec.Command("ctr", "-a", n.socket, "-n", ctrNamespace, "containers", "rm", id).Run()
}

// runcBundle is an OCI bundle with the same binary, without a network of its own to set up.
func runcBundle(b *testing.B, n *node) string {
	b.Helper()
	dir := b.TempDir()
	root := filepath.Join(dir, "rootfs")
	if err := os.Mkdir(root, 0o755); err != nil {
		b.Fatal(err)
	}
	if out, err := exec.Command("cp", filepath.Join(n.dir, "sleeper"), root).CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	spec := exec.Command("runc", "spec")
	spec.Dir = dir
	if out, err := spec.CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	file := filepath.Join(dir, "config.json")
	raw, err := os.ReadFile(file)
	if err != nil {
		b.Fatal(err)
	}
	var cfg map[string]any
	if err := json.Unmarshal(raw, &cfg); err != nil {
		b.Fatal(err)
	}
	process := cfg["process"].(map[string]any)
	process["args"], process["terminal"] = []string{"/sleeper"}, false
	if raw, err = json.Marshal(cfg); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		b.Fatal(err)
	}
	return dir
}

func runcRun(bundle, id string) error {
	cmd := exec.Command("runc", "run", "-d", "--bundle", bundle, id)
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("runc run: %w", err)
	}
	return nil
}

func runcRemove(id string) { _ = exec.Command("runc", "delete", "-f", id).Run() }
