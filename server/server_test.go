package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/client"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/server"
	"github.com/roadstead/roadstead/state"
)

// open runs a server until the test ends or stop is called.
func open(t *testing.T, cfg server.Config) (s *server.Server, stop func()) {
	t.Helper()
	cfg.Listen, cfg.Region, cfg.Account = "127.0.0.1:0", "us-east-1", "000000000000"
	cfg.RootKeyID, cfg.RootSecret = "root", "secret"
	if cfg.DataDir == "" {
		cfg.DataDir = t.TempDir()
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	s, err := server.Open(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			cancel()
			if err := <-done; err != nil {
				t.Errorf("Run: %v", err)
			}
		}
	}
	t.Cleanup(stop)
	if err := s.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s, stop
}

func dial(t *testing.T, s *server.Server, key, secret string) *client.Client {
	t.Helper()
	c, err := client.New(client.Config{Endpoint: s.URL(), AccessKeyID: key, Secret: secret, Region: "us-east-1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestOnlySignedRequestsGetAnywhere(t *testing.T) {
	s, _ := open(t, server.Config{})
	for name, c := range map[string]struct{ key, secret, code string }{
		"wrong secret [O]": {"root", "wrong", "InvalidSignatureException"},
		"unknown key [O]":  {"nobody", "secret", "UnrecognizedClientException"},
		"root":             {"root", "secret", ""},
	} {
		err := dial(t, s, c.key, c.secret).Call(t.Context(), "ecs", "ListClusters", nil, nil)
		if got := model.ErrorCode(err); got != c.code {
			t.Errorf("%s: got %v, want code %q", name, err, c.code)
		}
	}
	for _, path := range []string{"/", "/ws", "/tcs/ws", "/v2/", "/roadstead/v1/reset", "/roadstead/v1/join-tokens"} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			r, _ := http.NewRequestWithContext(t.Context(), method, s.URL()+path, strings.NewReader("{}"))
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode < 400 {
				t.Errorf("unsigned %s %s: status %d", method, path, resp.StatusCode)
			}
		}
	}
}

func TestNodeKeyMayOnlyBeANode(t *testing.T) {
	s, _ := open(t, server.Config{Dev: true})
	token, err := s.JoinToken(t.Context(), "000000000000")
	if err != nil {
		t.Fatal(err)
	}
	if !s.KnowsToken(token) || s.KnowsToken("rsjoin1.bm9uc2Vuc2U") {
		t.Error("KnowsToken is wrong about a token")
	}
	key, err := acs.ParseJoinToken(token)
	if err != nil {
		t.Fatal(err)
	}
	node := dial(t, s, key.KeyID, key.Secret)
	if err := node.Call(t.Context(), "ecs", "RunTask", map[string]any{"taskDefinition": "x"}, nil); model.ErrorCode(err) != "AccessDeniedException" {
		t.Errorf("RunTask with a node key: %v", err)
	}
	if err := node.Do(t.Context(), "POST", "/roadstead/v1/reset", nil, nil); model.ErrorCode(err) != "AccessDeniedException" {
		t.Errorf("reset with a node key: %v", err)
	}
	if err := node.Call(t.Context(), "ecs", "DiscoverPollEndpoint", nil, nil); err != nil {
		t.Errorf("DiscoverPollEndpoint with a node key: %v", err)
	}
}

func TestResetEmptiesADevServerOnly(t *testing.T) {
	dev, _ := open(t, server.Config{Dev: true})
	c := dial(t, dev, "root", "secret")
	if err := c.Call(t.Context(), "ecs", "CreateCluster", map[string]string{"clusterName": "other"}, nil); err != nil {
		t.Fatal(err)
	}
	if err := c.Do(t.Context(), "POST", "/roadstead/v1/reset", nil, nil); err != nil {
		t.Fatal(err)
	}
	if got := clusters(t, c); got != "[default]" {
		t.Errorf("clusters after a reset: %s", got)
	}
	real, _ := open(t, server.Config{})
	if err := dial(t, real, "root", "secret").Do(t.Context(), "POST", "/roadstead/v1/reset", nil, nil); model.ErrorCode(err) != "UnsupportedFeatureException" {
		t.Errorf("reset of a server that is not for development: %v", err)
	}
}

func clusters(t *testing.T, c *client.Client) string {
	t.Helper()
	var out struct {
		ClusterArns []string `json:"clusterArns"`
	}
	if err := c.Call(t.Context(), "ecs", "ListClusters", nil, &out); err != nil {
		t.Fatal(err)
	}
	for i, arn := range out.ClusterArns {
		out.ClusterArns[i] = arn[strings.LastIndex(arn, "/")+1:]
	}
	return fmt.Sprint(out.ClusterArns)
}

func TestHealthAndMetrics(t *testing.T) {
	s, _ := open(t, server.Config{})
	resp, err := http.Get(s.URL() + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var health struct {
		Status  string `json:"status"`
		Leading bool   `json:"leading"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&health); err != nil || health.Status != "ok" || !health.Leading {
		t.Errorf("health %+v, %v", health, err)
	}
	resp, err = http.Get(s.URL() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text := new(strings.Builder)
	buf := make([]byte, 1<<16)
	for n, err := resp.Body.Read(buf); n > 0 || err == nil; n, err = resp.Body.Read(buf) {
		text.Write(buf[:n])
	}
	for _, name := range []string{"roadstead_leading 1", "roadstead_state_revision ", "roadstead_agents_connected 0", `roadstead_controller_runs_total{loop="reap"} 0`, `roadstead_controller_queued{loop="reap"} 0`, "process_resident_memory_bytes "} {
		if !strings.Contains(text.String(), name) {
			t.Errorf("/metrics lacks %q", name)
		}
	}
}

// A follower passes requests on to the leader, and takes over when that leaves.
func TestFollowerServesThroughTheLeader(t *testing.T) {
	t.Parallel()
	sock := "unix://" + t.TempDir() + "/etcd.sock"
	etcd, err := state.OpenEtcd(t.Context(), state.EtcdConfig{Dir: t.TempDir(), ListenClient: sock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = etcd.Close() }) // after the members, which would wait for it
	first, stopFirst := open(t, server.Config{EtcdEndpoints: []string{sock}})
	second, _ := open(t, server.Config{EtcdEndpoints: []string{sock}})
	if !first.DB().Leading() || second.DB().Leading() {
		t.Fatal("the first member does not lead alone")
	}
	c := dial(t, second, "root", "secret")
	if err := c.Call(t.Context(), "ecs", "CreateCluster", map[string]string{"clusterName": "through"}, nil); err != nil {
		t.Fatal(err)
	}
	if got := clusters(t, c); got != "[through]" { // read your writes, through the follower
		t.Errorf("clusters: %s", got)
	}
	stopFirst()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := second.DB().AwaitLead(ctx); err != nil {
		t.Fatal(err)
	}
	if got := clusters(t, c); got != "[through]" {
		t.Errorf("clusters after the hand-over: %s", got)
	}
	if err := c.Call(t.Context(), "ecs", "CreateCluster", map[string]string{"clusterName": "after"}, nil); err != nil {
		t.Errorf("write after the hand-over: %v", err)
	}
}
