package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	goruntime "runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/task"
	"github.com/roadstead/roadstead/agent/task/tasktest"
)

func taskARN(id string) string { return "arn:aws:ecs:us-east-1:000000000000:task/c/" + id }

// connected is a link with an engine on a fake machine, connected to a control plane that f plays. It returns what ended
// the connection.
func connected(t *testing.T, f func(e *task.Engine, say func(any), hear func() any)) error {
	t.Helper()
	p := newPlane(t, map[string]answer{"RegisterContainerInstance": {body: `{"containerInstance":{"containerInstanceArn":"arn:i1"}}`}})
	l := newLink(p.node(t, Config{Cluster: "c"}))
	machine := tasktest.NewNode().Open(nil)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	engine, stop := context.WithCancel(ctx)
	l.stop = stop
	l.engine = task.New(task.Config{Dir: t.TempDir(), Runtime: machine.Runtime, Network: machine.Network, Log: l.log,
		Report: func(context.Context, []task.Report) error { return nil }})
	go func(e *task.Engine, ended chan struct{}) { defer close(ended); _ = e.Run(engine) }(l.engine, l.ended)
	defer l.stopEngine()

	sockets := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		conn := acs.NewConn(ws)
		q := r.URL.Query()
		want(t, "who connects", q.Get("containerInstanceArn")+" "+q.Get("protocolVersion")+" "+q.Get("seqNum"), "arn:i1 2 1")
		f(l.engine, func(msg any) {
			if err := conn.Send(ctx, msg); err != nil {
				t.Error(err)
			}
		}, func() any {
			msg, err := conn.Receive(ctx)
			if err != nil {
				t.Error(err)
			}
			return msg
		})
		_ = conn.Close("done")
	}))
	defer sockets.Close()
	p.answer("DiscoverPollEndpoint", answer{body: fmt.Sprintf(`{"endpoint":%q}`, sockets.URL)})
	return l.once(ctx)
}

func run(id string) acs.Task {
	return acs.Task{Arn: taskARN(id), DesiredStatus: "RUNNING", Containers: []acs.Container{{Name: "app", Image: "app", Essential: true}}}
}

func has(e *task.Engine, id string) bool {
	_, ok := e.Get(id)
	return ok
}

func TestConversation(t *testing.T) {
	err := connected(t, func(e *task.Engine, say func(any), hear func() any) {
		say(acs.HeartbeatMessage{MessageID: "m1", Healthy: true})
		if m, ok := hear().(*acs.HeartbeatAckRequest); !ok || m.MessageID != "m1" {
			t.Errorf("a heartbeat is answered by %+v", m)
		}
		say(acs.PayloadMessage{MessageID: "m2", Tasks: []acs.Task{run("t1"), run("t2")}})
		if m, ok := hear().(*acs.AckRequest); !ok || m.MessageID != "m2" || m.Cluster != "c" || m.ContainerInstance != "arn:i1" {
			t.Errorf("a payload is answered by %+v", m)
		}
		if !has(e, "t1") || !has(e, "t2") {
			t.Error("acknowledged, but the engine does not have it")
		}

		say(acs.TaskManifestMessage{MessageID: "m3", Tasks: []acs.ManifestTask{{TaskArn: taskARN("t1")}, {TaskArn: taskARN("t9")}}})
		if m, ok := hear().(*acs.AckRequest); !ok || m.MessageID != "m3" {
			t.Errorf("a manifest is answered by %+v", m)
		}
		q, ok := hear().(*acs.TaskStopVerificationMessage)
		if !ok || q.MessageID != "m3" || len(q.StopCandidates) != 1 || q.StopCandidates[0].TaskArn != taskARN("t2") {
			t.Fatalf("of the tasks that the manifest lacks it asks %+v", q)
		}
		say(acs.TaskStopVerificationAck{MessageID: "m3", StopTasks: q.StopCandidates})
		say(acs.TaskManifestMessage{MessageID: "m4", Tasks: []acs.ManifestTask{{TaskArn: taskARN("t1")}, {TaskArn: taskARN("t2")}}})
		hear() // only an ack: nothing is missing
		say(acs.RoadsteadReadLogs{MessageID: "m5", TaskArn: taskARN("t7")})
		if m, ok := hear().(*acs.RoadsteadLogs); !ok || m.MessageID != "m5" || m.Error == "" {
			t.Errorf("logs of an unknown task: %+v", m)
		}
		for v, ok := e.Get("t2"); ok && v.State.Status() != task.StatusStopped; v, ok = e.Get("t2") {
			goruntime.Gosched() // it was confirmed, so it stops; the test's time-out is the limit
		}
		want(t, "t1, which the manifest has, is left alone", has(e, "t1"), true)
	})
	want(t, "why it ended", websocket.CloseStatus(err), websocket.StatusNormalClosure)
}

// AGENT-PROTOCOL §1.2: credentials of roles come with tasks, and newer ones later; each is acknowledged, and kept in memory only.
func TestRoleCredentials(t *testing.T) {
	err := connected(t, func(e *task.Engine, say func(any), hear func() any) {
		acked := func(what, id, expiration, message string) {
			t.Helper()
			m, ok := hear().(*acs.IAMRoleCredentialsAckRequest)
			if !ok || *m != (acs.IAMRoleCredentialsAckRequest{CredentialsID: id, Expiration: expiration, MessageID: message}) {
				t.Errorf("%s is acknowledged by %+v", what, m)
			}
		}
		own := run("t1")
		own.RoleCredentials = &acs.RoleCreds{CredentialsID: "r1", AccessKeyID: "k1", Expiration: "first"}
		own.ExecutionRole = &acs.RoleCreds{CredentialsID: "x1", Expiration: "first"}
		say(acs.PayloadMessage{MessageID: "m1", Tasks: []acs.Task{own}})
		hear() // the ack of the payload
		acked("the task's role", "r1", "first", "m1")
		acked("its execution role", "x1", "first", "m1")
		say(acs.IAMRoleCredentialsMessage{MessageID: "m2", TaskArn: taskARN("t1"), RoleType: "TaskApplication",
			Credentials: acs.RoleCreds{CredentialsID: "r1", AccessKeyID: "k2", Expiration: "second"}})
		acked("a newer one", "r1", "second", "m2")
		say(acs.IAMRoleCredentialsMessage{MessageID: "m3", TaskArn: taskARN("t9"), RoleType: "TaskApplication",
			Credentials: acs.RoleCreds{CredentialsID: "r9", Expiration: "x"}})
		acked("one of a task that is not here", "r9", "x", "m3")
		want(t, "a task that is not here begins", has(e, "t9"), false)
		for v, _ := e.Get("t1"); v.Task.RoleCredentials.AccessKeyID != "k2"; v, _ = e.Get("t1") {
			goruntime.Gosched() // the test's time-out is the limit
		}
		v, _ := e.Get("t1")
		want(t, "the execution role", v.Task.ExecutionRole.Expiration, "first")
	})
	want(t, "why it ended", websocket.CloseStatus(err), websocket.StatusNormalClosure)
}

func TestRefusalIsExplained(t *testing.T) {
	dial := errors.New("expected handshake response status code 101")
	answered := func(status int, body string) *http.Response {
		return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(body))}
	}
	for _, c := range []struct {
		name    string
		resp    *http.Response
		unknown bool
	}{
		{"nobody answers", nil, false},
		{"the handshake breaks", answered(101, ""), false},
		{"unknown instance", answered(400, `{"InvalidInstanceException":"x"}`), true},
		{"deregistered instance", answered(400, `{"InactiveInstanceException":"x"}`), true},
		{"wrong key", answered(400, `{"AccessDeniedException":"x"}`), false},
		{"no leader", answered(503, `{"ServerException":"x"}`), false},
	} {
		err := explainRefusal(c.resp, dial)
		want(t, c.name+": must register anew", errors.Is(err, errUnknownInstance), c.unknown)
		if !c.unknown && !errors.Is(err, dial) {
			t.Errorf("%s: the cause is lost: %v", c.name, err)
		}
	}
}

// A node that is refused for good registers as a new instance, and not in a hot loop.
func TestUnknownInstanceRegistersAnew(t *testing.T) {
	p := newPlane(t, map[string]answer{"RegisterContainerInstance": {body: `{"containerInstance":{"containerInstanceArn":"arn:i1"}}`}})
	p.answer("DiscoverPollEndpoint", answer{body: fmt.Sprintf(`{"endpoint":%q}`, p.URL)})
	p.answer("", answer{400, `{"InactiveInstanceException":"The container instance is inactive."}`}) // the upgrade
	l := newLink(p.node(t, Config{Cluster: "c"}))
	l.engine = task.New(task.Config{Dir: t.TempDir()})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	l.run(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	var tokens []string
	for _, a := range p.asked {
		if strings.HasPrefix(a, "RegisterContainerInstance") {
			_, rest, _ := strings.Cut(a, `"clientToken":"`)
			tokens = append(tokens, rest[:36])
			if strings.Contains(a, "containerInstanceArn") {
				t.Errorf("says again who it was: %s", a)
			}
		}
	}
	if n := len(tokens); n < 1 || n > 5 {
		t.Errorf("registered %d times in 200 ms", n)
	}
	slices.Sort(tokens)
	if len(slices.Compact(tokens)) != len(tokens) {
		t.Errorf("registered as the same instance again: %v", tokens)
	}
}
