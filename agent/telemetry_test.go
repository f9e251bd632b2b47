package agent

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/task"
	"github.com/roadstead/roadstead/agent/task/tasktest"
)

// SEMANTICS §7, AGENT-PROTOCOL §1.3: the health of containers goes over telemetry, all of it at first, then what changes.
func TestHealthIsPublished(t *testing.T) {
	p := newPlane(t, nil)
	node := tasktest.NewNode()
	machine := node.Open(nil)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	engine := task.New(task.Config{Dir: t.TempDir(), Runtime: machine.Runtime, Network: machine.Network, Log: slog.New(slog.DiscardHandler),
		Report: func(context.Context, []task.Report) error { return nil }})
	life, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- engine.Run(life) }()
	defer func() { stop(); <-ended }()
	checked := run("t1")
	checked.Containers[0].HealthCheckType = "docker"
	checked.Containers[0].Docker.Config = `{"Healthcheck":{"Test":["CMD","test","-e","/well"],"Interval":10000000}}`
	if err := engine.Accept(ctx, []acs.Task{checked, run("t2")}); err != nil {
		t.Fatal(err)
	}

	sockets := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		conn := acs.NewConn(ws)
		heard := hearHealth(ctx, t, conn)
		want(t, "at first", (heard == "UNKNOWN" || heard == "UNHEALTHY"), true)
		for heard == "UNKNOWN" {
			heard = hearHealth(ctx, t, conn)
		}
		want(t, "after three failures", heard, "UNHEALTHY")
		node.Touch("t1-app", "/well")
		want(t, "after a success", hearHealth(ctx, t, conn), "HEALTHY")
		_ = conn.Close("done")
	}))
	defer sockets.Close()
	l := newLink(p.node(t, Config{Cluster: "c"}))
	conn, err := l.dial(ctx, sockets.URL, "ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	closed := make(chan error, 1)
	go func() { _, err := conn.Receive(ctx); closed <- err }()
	told := map[string]string{}
	for done := false; !done; {
		select {
		case <-engine.HealthChanged():
			all := engine.Health()
			for _, arn := range []string{"arn:i1", "nobody: nothing is new"} {
				if err := l.publishHealth(ctx, conn, identity{Cluster: "c", Arn: arn}, all, told); err != nil {
					t.Fatal(err)
				}
			}
		case err := <-closed:
			want(t, "why it ended", websocket.CloseStatus(err), websocket.StatusNormalClosure)
			done = true
		}
	}
	_ = conn.Close("")
}

// hearHealth takes the next message, which tells the health of the one container that is checked.
func hearHealth(ctx context.Context, t *testing.T, conn *acs.Conn) string {
	msg, err := conn.Receive(ctx)
	m, ok := msg.(*acs.PublishHealthRequest)
	if err != nil || !ok || m.Metadata.ContainerInstance != "arn:i1" || len(m.Tasks) != 1 || m.Tasks[0].TaskArn != taskARN("t1") || len(m.Tasks[0].Containers) != 1 {
		t.Errorf("told %+v, %v", msg, err)
		return ""
	}
	return m.Tasks[0].Containers[0].HealthStatus
}

// AGENT-PROTOCOL §1.3: at most ten tasks in a message, the last of a round says so, and a node without tasks is idle.
func TestMetricsGoInRounds(t *testing.T) {
	for n, c := range map[int]string{0: "0 idle fin", 1: "1 fin", 10: "10 fin", 11: "10, 1 fin", 30: "10, 10, 10 fin"} {
		var got []string
		for _, m := range metricMessages(make([]acs.TaskMetrics, n)) {
			text := strconv.Itoa(len(m.TaskMetrics))
			if m.Metadata.Idle {
				text += " idle"
			}
			if m.Metadata.Fin {
				text += " fin"
			}
			got = append(got, text)
		}
		want(t, strconv.Itoa(n)+" tasks", strings.Join(got, ", "), c)
	}
}
