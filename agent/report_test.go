package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/task"
)

// AGENT-PROTOCOL §1.1: what a report carries, as JSON, as SubmitTaskStateChange would.
func TestSubmission(t *testing.T) {
	code := int32(137)
	at := time.UnixMilli(1_700_000_000_250)
	for _, c := range []struct {
		name   string
		report task.Report
		want   string
	}{
		{"pending", task.Report{TaskArn: "t", Status: "PENDING", PullStartedAt: at}, `{"task":"t","status":"PENDING","pullStartedAt":1700000000.25}`},
		{"running", task.Report{TaskArn: "t", Status: "RUNNING", Containers: []task.ContainerReport{{Name: "app", RuntimeID: "r", Status: "RUNNING", ImageDigest: "sha256:1",
			Bindings: []task.Binding{{BindIP: "0.0.0.0", ContainerPort: 80, HostPort: 32768, Protocol: "tcp"}, {BindIP: "0.0.0.0", ContainerRange: "1-2", HostRange: "3-4", Protocol: "udp"}}}}},
			`{"task":"t","status":"RUNNING","containers":[{"containerName":"app","runtimeId":"r","imageDigest":"sha256:1","status":"RUNNING","networkBindings":[` +
				`{"bindIP":"0.0.0.0","containerPort":80,"hostPort":32768,"protocol":"tcp"},{"bindIP":"0.0.0.0","protocol":"udp","containerPortRange":"1-2","hostPortRange":"3-4"}]}]}`},
		{"stopped", task.Report{TaskArn: "t", Status: "STOPPED", Reason: "why", ExecutionStoppedAt: at, PullStoppedAt: at,
			Containers: []task.ContainerReport{{Name: "app", Status: "STOPPED", ExitCode: &code, Reason: "OutOfMemoryError"}, {Name: "side", Status: "STOPPED"}}},
			`{"task":"t","status":"STOPPED","reason":"why","containers":[{"containerName":"app","status":"STOPPED","exitCode":137,"reason":"OutOfMemoryError"},` +
				`{"containerName":"side","status":"STOPPED"}],"pullStoppedAt":1700000000.25,"executionStoppedAt":1700000000.25}`},
		{"awsvpc: an interface of the node's own is nobody's business", task.Report{TaskArn: "t", Attachments: []task.AttachmentReport{{AttachmentArn: "eni", Status: "ATTACHED"}, {Status: "ATTACHED"}}},
			`{"task":"t","attachments":[{"attachmentArn":"eni","status":"ATTACHED"}]}`},
	} {
		got, err := json.Marshal(submission(&c.report))
		if err != nil {
			t.Fatal(err)
		}
		want(t, c.name, string(got), c.want)
	}
}

// tellAll plays the control plane of one connection: f answers what it hears. It returns what became of the batches, each
// given when the one before it was over.
func tellAll(t *testing.T, f func(m *acs.RoadsteadReports, say func(any)), batches ...[]task.Report) []error {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	over := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(over)
		ws, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer ws.CloseNow()
		conn := acs.NewConn(ws)
		for {
			msg, err := conn.Receive(ctx)
			if err != nil {
				return
			}
			f(msg.(*acs.RoadsteadReports), func(a any) {
				if a == nil {
					_ = ws.CloseNow()
				} else if err := conn.Send(ctx, a); err != nil {
					t.Error(err)
				}
			})
		}
	}))
	defer srv.Close()
	l := newLink(newPlane(t, nil).node(t, Config{Cluster: "c"}))
	errs := make(chan error)
	go func() { // before there is a connection
		for _, b := range batches {
			errs <- l.report(ctx, b)
		}
	}()
	ws, _, err := websocket.Dial(ctx, srv.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	conn := acs.NewConn(ws)
	once, cut := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { l.tellReports(once, conn) })
	wg.Go(func() { _ = l.serve(once, conn, identity{}); cut() })
	var out []error
	for range batches {
		out = append(out, <-errs)
	}
	cancel()
	cut()
	_ = ws.CloseNow()
	wg.Wait()
	<-over
	return out
}

// docs/decisions/042: reports are taken when the control plane says so, and not before.
func TestReport(t *testing.T) {
	batch := []task.Report{{TaskArn: "t1", Status: "RUNNING"}, {TaskArn: "t2", Status: "RUNNING"}, {TaskArn: "t1", Status: "STOPPED"}}
	for _, c := range []struct {
		name   string
		answer func(m *acs.RoadsteadReports, say func(any))
		want   string
	}{
		{"taken", func(m *acs.RoadsteadReports, say func(any)) { say(acs.RoadsteadReported{MessageID: m.MessageID}) }, ""},
		{"an unknown task is dropped", func(m *acs.RoadsteadReports, say func(any)) {
			say(acs.RoadsteadReported{MessageID: m.MessageID, Unknown: []string{"t1"}})
		}, ""},
		{"refused", func(m *acs.RoadsteadReports, say func(any)) {
			say(acs.RoadsteadReported{MessageID: m.MessageID, Error: "disk full"})
		}, "reports: the control plane cannot take them: disk full"},
		{"an answer to something else", func(m *acs.RoadsteadReports, say func(any)) {
			say(acs.RoadsteadReported{MessageID: "another", Error: "not mine"})
			say(acs.RoadsteadReported{MessageID: m.MessageID})
		}, ""},
		{"cut", func(_ *acs.RoadsteadReports, say func(any)) { say(nil) }, errCut.Error()},
	} {
		var heard []string
		got := tellAll(t, func(m *acs.RoadsteadReports, say func(any)) {
			for _, r := range m.Reports {
				heard = append(heard, r.Task+":"+r.Status)
			}
			c.answer(m, say)
		}, batch)
		text := ""
		if got[0] != nil {
			text = got[0].Error()
		}
		want(t, c.name, text, c.want)
		want(t, c.name+": what was told", strings.Join(heard, " "), "t1:RUNNING t2:RUNNING t1:STOPPED")
	}
}

// Batches go one after the other, and the answer to one is not taken for the other's.
func TestReportsInTurn(t *testing.T) {
	n := 0
	got := tellAll(t, func(m *acs.RoadsteadReports, say func(any)) {
		n++
		a := acs.RoadsteadReported{MessageID: m.MessageID}
		if n == 1 {
			a.Error = "not yet"
		}
		say(a)
	}, []task.Report{{TaskArn: "t1"}}, []task.Report{{TaskArn: "t1"}})
	if n != 2 || got[0] == nil || got[1] != nil {
		t.Errorf("told %d times: %v", n, got)
	}
}

func TestEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most, calls atomic.Int32
		items := make([]int, 40)
		for i := range items {
			items[i] = i
		}
		err := each(items, func(i int) error {
			calls.Add(1)
			if n := now.Add(1); n > most.Load() {
				most.Store(n)
			}
			time.Sleep(time.Second)
			now.Add(-1)
			if i%20 == 7 {
				return fmt.Errorf("item %d", i)
			}
			return nil
		})
		if err == nil || err.Error() != "item 7\nitem 27" {
			t.Errorf("got %v", err)
		}
		want(t, "calls", calls.Load(), int32(40))
		want(t, "at a time", most.Load(), int32(16))
		if err := each(nil, func(int) error { return errors.New("called") }); err != nil {
			t.Errorf("of nothing: %v", err)
		}
	})
}

func TestPullCredentials(t *testing.T) {
	p := newPlane(t, map[string]answer{"GetAuthorizationToken": {body: `{"authorizationData":[{"authorizationToken":"QVdTOnNlY3JldA=="}]}`}}) // AWS:secret
	a := p.node(t, Config{})
	ecr := &acs.RegistryAuth{Type: "ecr"}
	ask := func(host string, auth *acs.RegistryAuth) string {
		user, password, err := a.auth.credentials(t.Context(), host, auth)
		return fmt.Sprint(user, ":", password, " ", err)
	}
	want(t, "a stranger", ask("docker.io", nil), ": <nil>")
	want(t, "another kind of authentication", ask("docker.io", &acs.RegistryAuth{Type: "asm"}), ": <nil>")
	_, calls := p.last()
	want(t, "calls for strangers", calls, 0)
	want(t, "our registry", ask(strings.TrimPrefix(p.URL, "http://"), nil), "AWS:secret <nil>")
	want(t, "what is said to be ECR", ask("000000000000.dkr.ecr.us-east-1.amazonaws.com", ecr), "AWS:secret <nil>")
	_, calls = p.last()
	want(t, "calls while the token is good", calls, 1)
	for name, body := range map[string]string{"no token": `{"authorizationData":[]}`, "no base64": `{"authorizationData":[{"authorizationToken":"*"}]}`} {
		p.answer("GetAuthorizationToken", answer{body: body})
		a.auth = newPullAuth(a.executing, a.serves)
		if got := ask("x", ecr); strings.HasSuffix(got, "<nil>") {
			t.Errorf("%s: got %s", name, got)
		}
	}
}

func TestRegistryEndpoint(t *testing.T) {
	p := newPlane(t, nil)
	a := p.node(t, Config{})
	a.client.Learn("http://10.0.0.2:4566")
	for _, host := range []string{"000000000000.dkr.ecr.us-east-1.amazonaws.com", strings.TrimPrefix(p.URL, "http://"), "10.0.0.2:4566"} {
		if u := a.registryEndpoint(host); u == nil || u.String() != p.URL {
			t.Errorf("%s is asked at %v", host, u)
		}
	}
	if u := a.registryEndpoint("docker.io"); u != nil {
		t.Errorf("docker.io is asked at %v", u)
	}
}
