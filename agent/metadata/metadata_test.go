package metadata_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/metadata"
	"github.com/roadstead/roadstead/agent/task"
	"github.com/roadstead/roadstead/model"
)

const arnPrefix = "arn:aws:ecs:us-east-1:000000000000:task/default/"

// view is a task of containers with these addresses ("name=10.0.0.2", of awsvpc "=10.0.0.2").
func view(id, mode string, containers ...string) task.View {
	t := &acs.Task{Arn: arnPrefix + id, ClusterArn: "default", NetworkMode: mode}
	v := task.View{Task: t, Desired: task.StatusRunning}
	for _, c := range containers {
		name, ip, _ := strings.Cut(c, "=")
		v.State.Nets = append(v.State.Nets, task.Net{Container: name, Up: true, Sandbox: task.Sandbox{IPv4: ip}})
		if name == "" {
			name = "app"
		}
		t.Containers = append(t.Containers, acs.Container{Name: name})
	}
	return v
}

// site is a node with tasks, and a control plane that answers what it is told to.
type site struct {
	*testing.T
	server *metadata.Server
	asked  []string // "Operation {...}"
	say    string   // the answer
	err    error    // the refusal
}

func newSite(t *testing.T) *site {
	s := &site{T: t}
	over := view("over", "bridge", "app=10.0.0.9")
	over.State.StoppedAt = time.Unix(1, 0)
	s.server = metadata.New(metadata.Config{
		Secret: []byte("secret"),
		Tasks: func() []task.View {
			return []task.View{
				view("t1", "", "app=10.0.0.2", "side=10.0.0.3/16"), view("t2", "awsvpc", "=10.0.0.4"), view("t3", "host", "app="), view("t4", "none", "app="), over,
			}
		},
		Own: func(ip netip.Addr) bool { return ip == netip.MustParseAddr("10.0.0.1") },
		Call: func(ctx context.Context, op string, in, out any) error {
			b, err := json.Marshal(in)
			if err != nil {
				t.Error(err)
			}
			s.asked = append(s.asked, op+" "+string(b))
			switch {
			case s.err != nil:
				return s.err
			case s.say == "": // nobody answers
				<-ctx.Done()
				return ctx.Err()
			}
			return json.Unmarshal([]byte(s.say), out)
		},
	})
	return s
}

// ask lets a container ask from an address, and returns status and body, without the request's id.
func (s *site) ask(method, id, from, body string) (int, string) {
	s.Helper()
	r := httptest.NewRequest(method, "/api/"+id+"/task-protection/v1/state", strings.NewReader(body))
	r.RemoteAddr = from + ":1234"
	w := httptest.NewRecorder()
	s.server.ServeHTTP(w, r)
	var m map[string]any
	if json.Unmarshal(w.Body.Bytes(), &m) != nil {
		return w.Code, w.Body.String()
	}
	if _, has := m["error"]; has != (m["requestID"] != nil) {
		s.Errorf("an error has a requestID, and nothing else has: %s", w.Body)
	}
	delete(m, "requestID")
	text, err := json.Marshal(m)
	if err != nil {
		s.Error(err)
	}
	return w.Code, string(text)
}

func (s *site) want(what string, got, want any) {
	s.Helper()
	if got != want {
		s.Errorf("%s\n got %v\nwant %v", what, got, want)
	}
}

const on = `{"protectedTasks":[{"taskArn":"` + arnPrefix + `t1","protectionEnabled":true,"expirationDate":1764115200.125}],"failures":[]}`

// [D] AGENT-PROTOCOL §4.2, SEMANTICS §8.11.
func TestProtection(t *testing.T) {
	s := newSite(t)
	id := s.server.ID("t1", "app")
	for _, c := range []struct {
		rule, method, body string
		say                string
		err                error
		status             int
		want               string
		asked              string
	}{
		{"protection is read [D]", "GET", "", on, nil, 200,
			`{"protection":{"ExpirationDate":"2025-11-26T00:00:00.125Z","ProtectionEnabled":true,"TaskArn":"` + arnPrefix + `t1"}}`,
			`GetTaskProtection {"cluster":"default","tasks":["` + arnPrefix + `t1"]}`},
		{"protection is set [D]", "PUT", `{"ProtectionEnabled":true,"ExpiresInMinutes":60}`, on, nil, 200,
			`{"protection":{"ExpirationDate":"2025-11-26T00:00:00.125Z","ProtectionEnabled":true,"TaskArn":"` + arnPrefix + `t1"}}`,
			`UpdateTaskProtection {"cluster":"default","tasks":["` + arnPrefix + `t1"],"protectionEnabled":true,"expiresInMinutes":60}`},
		{"protection is taken away [D]", "PUT", `{"ProtectionEnabled":false}`,
			`{"protectedTasks":[{"taskArn":"` + arnPrefix + `t1","protectionEnabled":false}]}`, nil, 200,
			`{"protection":{"ExpirationDate":null,"ProtectionEnabled":false,"TaskArn":"` + arnPrefix + `t1"}}`,
			`UpdateTaskProtection {"cluster":"default","tasks":["` + arnPrefix + `t1"],"protectionEnabled":false}`},
		{"a failure is no error [D]", "GET", "", `{"failures":[{"arn":"` + arnPrefix + `t1","reason":"TASK_NOT_VALID"}]}`, nil, 200,
			`{"failure":{"Arn":"` + arnPrefix + `t1","Detail":null,"Reason":"TASK_NOT_VALID"}}`,
			`GetTaskProtection {"cluster":"default","tasks":["` + arnPrefix + `t1"]}`},
		{"a refusal is handed on [D]", "PUT", `{"ProtectionEnabled":true,"ExpiresInMinutes":0}`, on, model.Errorf("InvalidParameterException", "no"), 400,
			`{"error":{"Arn":"` + arnPrefix + `t1","Code":"InvalidParameterException","Message":"no"}}`,
			`UpdateTaskProtection {"cluster":"default","tasks":["` + arnPrefix + `t1"],"protectionEnabled":true,"expiresInMinutes":0}`},
		{"a fault is handed on [D]", "GET", "", on, model.Errorf("ServerException", "no"), 500,
			`{"error":{"Arn":"` + arnPrefix + `t1","Code":"ServerException","Message":"no"}}`, `GetTaskProtection {"cluster":"default","tasks":["` + arnPrefix + `t1"]}`},
		{"nobody is there [I]", "GET", "", on, errors.New("connection refused"), 500,
			`{"error":{"Arn":"` + arnPrefix + `t1","Code":"ServerException","Message":"The control plane cannot be reached."}}`, `GetTaskProtection {"cluster":"default","tasks":["` + arnPrefix + `t1"]}`},
		{"an answer about nothing [I]", "GET", "", `{}`, nil, 500,
			`{"error":{"Arn":"` + arnPrefix + `t1","Code":"ServerException","Message":"Unexpected error occurred"}}`, `GetTaskProtection {"cluster":"default","tasks":["` + arnPrefix + `t1"]}`},
		{"unknown members [D]", "PUT", `{"ProtectionEnabled":true,"X":1}`, on, nil, 400,
			`{"error":{"Arn":"` + arnPrefix + `t1","Code":"InvalidParameterException","Message":"UpdateTaskProtection: failed to decode request"}}`, ""},
		{"no JSON [D]", "PUT", `x`, on, nil, 400,
			`{"error":{"Arn":"` + arnPrefix + `t1","Code":"InvalidParameterException","Message":"UpdateTaskProtection: failed to decode request"}}`, ""},
		{"ProtectionEnabled is required [D]", "PUT", `{"ExpiresInMinutes":5}`, on, nil, 400,
			`{"error":{"Arn":"` + arnPrefix + `t1","Code":"InvalidParameterException","Message":"Invalid request: does not contain 'ProtectionEnabled' field"}}`, ""},
	} {
		s.asked, s.say, s.err = nil, c.say, c.err
		status, got := s.ask(c.method, id, "10.0.0.2", c.body)
		s.want(c.rule+": status", status, c.status)
		s.want(c.rule, got, c.want)
		s.want(c.rule+": asked", strings.Join(s.asked, ""), c.asked)
	}
	status, _ := s.ask("DELETE", id, "10.0.0.2", "")
	s.want("another method", status, http.StatusMethodNotAllowed)
}

// A container gets its own task only: whoever has another's id does not have its address.
func TestOnlyOnesOwn(t *testing.T) {
	s := newSite(t)
	for _, c := range []struct {
		rule, task, container, from string
		found                       bool
	}{
		{"bridge", "t1", "app", "10.0.0.2", true},
		{"the other container", "t1", "side", "10.0.0.3", true},
		{"its neighbour's id", "t1", "side", "10.0.0.2", false},
		{"another task's id", "t2", "app", "10.0.0.2", false},
		{"awsvpc", "t2", "app", "10.0.0.4", true},
		{"host", "t3", "app", "10.0.0.1", true},
		{"host's id in a sandbox", "t3", "app", "10.0.0.2", false},
		{"a sandbox's id in host", "t1", "app", "10.0.0.1", false},
		{"none has no address", "t4", "app", "10.0.0.1", false},
		{"a task that is over", "over", "app", "10.0.0.9", false},
		{"a task of another node", "t9", "app", "10.0.0.2", false},
	} {
		s.say = on
		status, got := s.ask("GET", s.server.ID(c.task, c.container), c.from, "")
		want := http.StatusNotFound
		if c.found {
			want = http.StatusOK
		}
		s.want(c.rule+" "+got, status, want)
	}
	status, got := s.ask("GET", "nope", "10.0.0.2", "")
	s.want("unknown id", status, http.StatusNotFound)
	s.want("unknown id", got, `{"error":{"Code":"ResourceNotFoundException","Message":"Failed to find a task for the request"}}`)
	if a, b := s.server.ID("t1", "app"), metadata.New(metadata.Config{Secret: []byte("another")}).ID("t1", "app"); a == b || len(a) != 36 {
		t.Errorf("ids %s and %s", a, b)
	}
	s.want("environment", s.server.Environment("169.254.170.2", "t1", "app")["ECS_AGENT_URI"], "http://169.254.170.2/api/"+s.server.ID("t1", "app"))
}

// [D] AGENT-PROTOCOL §4.2: a control plane that does not answer within 4 s; [D] more than 40 requests a second.
func TestLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		began := time.Now()
		status, got := s.ask("GET", s.server.ID("t1", "app"), "10.0.0.2", "")
		s.want("status", status, http.StatusGatewayTimeout)
		s.want("body", got, `{"error":{"Arn":"`+arnPrefix+`t1","Code":"RequestCanceled","Message":"Timed out calling ECS Task Protection API"}}`)
		s.want("after", time.Since(began), 4*time.Second)
		s.say = on
		statuses := map[int]int{}
		for range 100 {
			status, _ := s.ask("GET", s.server.ID("t1", "app"), "10.0.0.2", "")
			statuses[status]++
		}
		s.want("answered at once", statuses[http.StatusOK], 60)
		s.want("refused at once", statuses[http.StatusTooManyRequests], 40)
	})
}

// [D] AGENT-PROTOCOL §4.2: what version 4 shows of a container and its task; unknown ids [O].
func TestV4(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6_000_000, time.UTC)
	v := view("t1", "awsvpc", "=10.0.0.4")
	v.Task.Family, v.Task.Version, v.Task.LaunchType, v.Task.ServiceName, v.Task.CPU, v.Task.Memory = "web", "7", "EC2", "web", 0.25, 512
	c := &v.Task.Containers[0]
	c.Image, c.CPU, c.Arn = "nginx:1", 128, "arn:c"
	c.Docker.Config, c.Docker.HostConfig = `{"Labels":{"a":"b"}}`, `{"LogConfig":{"Type":"json-file"}}`
	v.State.Nets[0].Sandbox.MAC, v.State.Nets[0].Sandbox.Gateway = "02:00", "10.0.0.1"
	v.State.Containers = []task.Container{{
		Name: "app", Phase: task.PhaseRunning, Digest: "sha256:1", PullStartedAt: at, PullStoppedAt: at.Add(time.Second), StartedAt: at.Add(2 * time.Second),
		Vitals: task.Vitals{Health: "HEALTHY", Since: at.Add(3 * time.Second), Output: "well\n"},
	}}
	s := metadata.New(metadata.Config{Secret: []byte("secret"), Zone: "us-east-1a", Tasks: func() []task.View { return []task.View{v} }})
	get := func(path, from string) (int, string) {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.RemoteAddr = from + ":1234"
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w.Code, strings.TrimSpace(w.Body.String())
	}
	const container = `{"DockerId":"t1-app","Name":"app","DockerName":"ecs-web-7-app-t1","Image":"nginx:1","ImageID":"sha256:1","Labels":{"a":"b"},` +
		`"DesiredStatus":"RUNNING","KnownStatus":"RUNNING","Limits":{"CPU":128,"Memory":0},"StartedAt":"2026-01-02T03:04:07.006Z","Type":"NORMAL",` +
		`"Health":{"status":"HEALTHY","statusSince":"2026-01-02T03:04:08.006Z","output":"well\n"},"LogDriver":"json-file","ContainerARN":"arn:c",` +
		`"Networks":[{"NetworkMode":"awsvpc","IPv4Addresses":["10.0.0.4"],"AttachmentIndex":0,"MACAddress":"02:00","SubnetGatewayIpv4Address":"10.0.0.1"}]}`
	uri := strings.TrimPrefix(s.Environment("h", "t1", "app")["ECS_CONTAINER_METADATA_URI_V4"], "http://h")
	for _, c := range []struct {
		rule, path, from string
		status           int
		want             string
	}{
		{"container", uri, "10.0.0.4", 200, container},
		{"task", uri + "/task", "10.0.0.4", 200, `{"Cluster":"default","TaskARN":"` + arnPrefix + `t1","Family":"web","Revision":"7","ServiceName":"web",` +
			`"DesiredStatus":"RUNNING","KnownStatus":"RUNNING","Limits":{"CPU":0.25,"Memory":512},"PullStartedAt":"2026-01-02T03:04:05.006Z",` +
			`"PullStoppedAt":"2026-01-02T03:04:06.006Z","AvailabilityZone":"us-east-1a","LaunchType":"EC2","Containers":[` + container + `],"FaultInjectionEnabled":false}`},
		{"another's", uri + "/task", "10.0.0.5", 404, `"V4 task metadata handler: unable to get task arn from request: unable to get task Arn from v3 endpoint ID: ` + uri[4:] + `"`},
		{"unknown", "/v4/nope", "10.0.0.4", 404, `"V4 container metadata handler: unable to get container ID from request: unable to get docker ID from v3 endpoint ID: nope"`},
		{"not served", uri + "/nothing", "10.0.0.4", 404, "404 page not found"},
	} {
		if status, got := get(c.path, c.from); status != c.status || got != c.want {
			t.Errorf("%s\n got %d %s\nwant %d %s", c.rule, status, got, c.status, c.want)
		}
	}
}
