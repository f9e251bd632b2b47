//go:build bench || e2e

package cluster_test

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/roadstead/roadstead/cli"
	"github.com/roadstead/roadstead/client"
)

//nolint:gochecknoglobals // flags of the benchmark
var (
	agents      = flag.Int("cluster.agents", 200, "simulated nodes")
	tasks       = flag.Int("cluster.tasks", 4000, "tasks to run")
	perCall     = flag.Int("cluster.count", 10, "count of a RunTask")
	connections = flag.Int("cluster.connections", 64, "RunTask calls at a time")
	idle        = flag.Duration("cluster.idle", 10*time.Second, "how long an idle server is watched, twice")
	settling    = flag.Duration("cluster.settle", 5*time.Second, "pause before that; idle connections for calls are closed after 90 s")
	binary      = flag.String("cluster.binary", "../../../bin/roadstead", "the server")
	profile     = flag.String("cluster.profile", "", "run the server in this test's binary, and leave its profiles in the directory")
	latency     = flag.Duration("cluster.start", 0, "from the assignment of a task to RUNNING")
)

const (
	region  = "us-east-1"
	account = "000000000000"
	key     = "test"
)

// TestMain is also the process of the nodes, and that of a server to be profiled.
func TestMain(m *testing.M) {
	switch role := os.Getenv("ROADSTEAD_BENCH_ROLE"); role {
	case "nodes":
		os.Exit(profiled(os.Args[1], role, func() int { return runNodes(os.Args[2:]) }))
	case "server":
		os.Exit(profiled(os.Args[1], role, func() int { return cli.Main(os.Args[2:], os.Stdout, os.Stderr) }))
	}
	os.Exit(m.Run())
}

// BenchmarkCluster is one run, whatever b.N says: its figures are those of -cluster.tasks tasks on -cluster.agents nodes.
func BenchmarkCluster(b *testing.B) {
	if *profile == "" {
		if _, err := os.Stat(*binary); err != nil {
			b.Skipf("no server: run make build (%v)", err)
		}
	}
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	dir, err := os.MkdirTemp("", "rscluster")
	if err != nil {
		b.Fatal(err)
	}
	defer os.RemoveAll(dir)
	s := startServer(ctx, b, dir)
	defer s.end()
	c := dial(b, s.url)
	r := &run{B: b, server: s, client: c}
	if err := c.Call(ctx, "ecs", "CreateCluster", map[string]string{"clusterName": "default"}, nil); err != nil {
		b.Fatal(err)
	}
	if err := c.Call(ctx, "ecs", "RegisterTaskDefinition", definition(), nil); err != nil {
		b.Fatal(err)
	}
	empty := s.rss()
	r.join(ctx)
	r.ReportMetric(empty, "MiB-empty")
	r.watch("nodes")
	r.services(ctx)
	r.placeOnly(ctx)
	r.load(ctx)
	r.watch("tasks")
	r.nodes.end()
	s.end()
	r.raw(ctx, filepath.Join(dir, "state"))
	b.ReportMetric(0, "ns/op")
}

// definition is a small web server: one container with a port and an environment.
func definition() map[string]any {
	return map[string]any{"family": "web", "networkMode": "bridge", "containerDefinitions": []map[string]any{{
		"name": "web", "image": "web:1", "memory": 16, "cpu": 16, "environment": []map[string]string{{"name": "A", "value": "1"}},
		"portMappings": []map[string]any{{"containerPort": 80}}}}}
}

func dial(b *testing.B, endpoint string) *client.Client {
	b.Helper()
	c, err := client.New(client.Config{Endpoint: endpoint, AccessKeyID: key, Secret: key, Region: region})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(c.Close)
	return c
}

// run is one run of the benchmark.
type run struct {
	*testing.B
	server *process
	nodes  *process
	client *client.Client
	placed int     // tasks
	rate   float64 // of placements, a second
}

// join starts the nodes and waits until all are connected.
func (r *run) join(ctx context.Context) {
	var out struct {
		Token string `json:"token"`
	}
	if err := r.client.Do(ctx, "POST", "/roadstead/v1/join-tokens", struct{}{}, &out); err != nil {
		r.Fatal(err)
	}
	began, used := time.Now(), r.server.cpu()
	r.nodes = startNodes(ctx, r.B, r.server.url, out.Token)
	for r.server.metric(ctx, r.B, "roadstead_agents_connected") < float64(*agents) {
		if time.Since(began) > 5*time.Minute {
			r.Fatal("the nodes do not all connect")
		}
		<-time.After(100 * time.Millisecond)
	}
	r.ReportMetric(time.Since(began).Seconds(), "s-join")
	r.Logf("%d nodes joined in %.1f s, %.1f s of the server's processor time", *agents, time.Since(began).Seconds(), (r.server.cpu() - used).Seconds())
}

// watch measures what the server takes while nothing is asked of it but heartbeats.
func (r *run) watch(with string) {
	if *idle == 0 {
		return
	}
	ctx := r.Context()
	<-time.After(*settling)
	used, revision, began := r.server.cpu(), r.server.metric(ctx, r.B, "roadstead_state_revision"), time.Now()
	<-time.After(*idle)
	took := time.Since(began)
	load := 100 * (r.server.cpu() - used).Seconds() / took.Seconds()
	writes := (r.server.metric(ctx, r.B, "roadstead_state_revision") - revision) / took.Minutes()
	r.ReportMetric(load, "%core-idle-"+with)
	r.ReportMetric(r.server.rss(), "MiB-"+with)
	r.ReportMetric(writes, "writes/min-"+with)
	mib := func(metric string) float64 { return r.server.metric(ctx, r.B, metric) / (1 << 20) }
	r.Logf("idle with %s: server %.2f %% of a core, %.1f writes a minute, %.0f MiB resident (at most so far %.0f; %.0f of files; heap %.0f of which live %.0f, besides it free %.0f, stacks %.0f), %.0f goroutines; nodes %.0f MiB",
		with, load, writes, r.server.rss(), r.server.peak(), r.server.mapped(), mib("go_memstats_heap_inuse_bytes"), mib("go_memstats_heap_alloc_bytes"),
		mib("go_memstats_heap_idle_bytes")-mib("go_memstats_heap_released_bytes"),
		mib("go_memstats_stack_inuse_bytes"), r.server.metric(ctx, r.B, "go_goroutines"), r.nodes.rss())
	r.server.signal(syscall.SIGUSR1)
	r.nodes.signal(syscall.SIGUSR1)
	if with == "nodes" && writes > 0 {
		r.Errorf("heartbeats write: %.1f revisions a minute", writes)
	}
}
