package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/task"
)

// AGENT-PROTOCOL §1.1: what SubmitTaskStateChange carries, as JSON.
func TestSubmission(t *testing.T) {
	code := int32(137)
	at := time.UnixMilli(1_700_000_000_250)
	for _, c := range []struct {
		name   string
		report task.Report
		want   string
	}{
		{"pending", task.Report{TaskArn: "t", Status: "PENDING", PullStartedAt: at}, `{"cluster":"c","task":"t","status":"PENDING","pullStartedAt":1700000000.25}`},
		{"running", task.Report{TaskArn: "t", Status: "RUNNING", Containers: []task.ContainerReport{{Name: "app", RuntimeID: "r", Status: "RUNNING", ImageDigest: "sha256:1",
			Bindings: []task.Binding{{BindIP: "0.0.0.0", ContainerPort: 80, HostPort: 32768, Protocol: "tcp"}, {BindIP: "0.0.0.0", ContainerRange: "1-2", HostRange: "3-4", Protocol: "udp"}}}}},
			`{"cluster":"c","task":"t","status":"RUNNING","containers":[{"containerName":"app","runtimeId":"r","imageDigest":"sha256:1","status":"RUNNING","networkBindings":[` +
				`{"bindIP":"0.0.0.0","containerPort":80,"hostPort":32768,"protocol":"tcp"},{"bindIP":"0.0.0.0","protocol":"udp","containerPortRange":"1-2","hostPortRange":"3-4"}]}]}`},
		{"stopped", task.Report{TaskArn: "t", Status: "STOPPED", Reason: "why", ExecutionStoppedAt: at, PullStoppedAt: at,
			Containers: []task.ContainerReport{{Name: "app", Status: "STOPPED", ExitCode: &code, Reason: "OutOfMemoryError"}, {Name: "side", Status: "STOPPED"}}},
			`{"cluster":"c","task":"t","status":"STOPPED","reason":"why","containers":[{"containerName":"app","status":"STOPPED","exitCode":137,"reason":"OutOfMemoryError"},` +
				`{"containerName":"side","status":"STOPPED"}],"pullStoppedAt":1700000000.25,"executionStoppedAt":1700000000.25}`},
		{"awsvpc: an interface of the node's own is nobody's business", task.Report{TaskArn: "t", Attachments: []task.AttachmentReport{{AttachmentArn: "eni", Status: "ATTACHED"}, {Status: "ATTACHED"}}},
			`{"cluster":"c","task":"t","attachments":[{"attachmentArn":"eni","status":"ATTACHED"}]}`},
	} {
		got, err := json.Marshal(submission("c", &c.report))
		if err != nil {
			t.Fatal(err)
		}
		want(t, c.name, string(got), c.want)
	}
}

func TestReport(t *testing.T) {
	batch := []task.Report{{TaskArn: "t1", Status: "RUNNING"}, {TaskArn: "t2", Status: "RUNNING"}, {TaskArn: "t1", Status: "STOPPED"}}
	p := newPlane(t, map[string]answer{"SubmitTaskStateChange": {body: `{"acknowledgment":""}`}})
	l := &link{agent: p.node(t, Config{Cluster: "c"}), log: slog.New(slog.DiscardHandler)}
	if err := l.report(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	var first []string // of t1, which must stay in order
	for _, a := range p.asked {
		if strings.Contains(a, `"t1"`) {
			first = append(first, a)
		}
	}
	if len(p.asked) != 3 || len(first) != 2 || !strings.Contains(first[0], "RUNNING") || !strings.Contains(first[1], "STOPPED") {
		t.Errorf("asked %v", p.asked)
	}
	for _, c := range []struct {
		name    string
		answer  answer
		dropped bool
	}{
		{"unknown task", answer{400, `{"__type":"InvalidParameterException"}`}, true},
		{"unknown cluster", answer{400, `{"__type":"ClusterNotFoundException"}`}, true},
		{"server fault", answer{500, `{"__type":"ServerException"}`}, false},
		{"wrong key", answer{400, `{"__type":"AccessDeniedException"}`}, false},
	} {
		p.answer("SubmitTaskStateChange", c.answer)
		want(t, c.name+" is dropped", l.report(t.Context(), batch) == nil, c.dropped)
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
