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

func isNode(ip netip.Addr) bool { return ip == netip.MustParseAddr("10.0.0.1") }

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
		Own: isNode,
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
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "/v4/x", nil)
		r.RemoteAddr = "10.0.0.2:1234"
		s.server.ServeHTTP(w, r)
		s.want("says", w.Body.String(), "You have reached maximum request limit.") // [I]: as the library of the agent does
		s.want("limit", w.Header().Get("X-Rate-Limit-Limit")+" in "+w.Header().Get("X-Rate-Limit-Duration")+" s", "40.00 in 1 s")
	})
}

// [I] A task that asks too much is alone with that: others, also those in the node's own network, have limits of their own. Its containers
// share one, and so do those who are no task. A second later it may ask again.
func TestEachTaskHasItsLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.say = on
		ask := func(task, container, from string) int {
			status, _ := s.ask("GET", s.server.ID(task, container), from, "")
			return status
		}
		for range 30 {
			s.want("app", ask("t1", "app", "10.0.0.2"), http.StatusOK)
			s.want("side", ask("t1", "side", "10.0.0.3"), http.StatusOK)
			s.want("host", ask("t3", "app", "10.0.0.1"), http.StatusOK)
		}
		s.want("more than it may", ask("t1", "app", "10.0.0.2"), http.StatusTooManyRequests)
		s.want("its other container", ask("t1", "side", "10.0.0.3"), http.StatusTooManyRequests)
		s.want("its address, whatever it asks for", ask("t2", "app", "10.0.0.2"), http.StatusTooManyRequests)
		for range 30 {
			s.want("another task", ask("t2", "app", "10.0.0.4"), http.StatusOK)
			s.want("another on the node's address", ask("t3", "app", "10.0.0.1"), http.StatusOK)
		}
		s.want("that too", ask("t3", "app", "10.0.0.1"), http.StatusTooManyRequests)
		for range 60 {
			s.want("no task", ask("t3", "nobody", "10.0.0.1"), http.StatusNotFound)
		}
		s.want("no task either", ask("t3", "app", "10.0.0.200"), http.StatusTooManyRequests)
		time.Sleep(time.Second)
		for range 40 {
			s.want("a second later", ask("t1", "app", "10.0.0.2"), http.StatusOK)
		}
		s.want("a second later, more", ask("t1", "app", "10.0.0.2"), http.StatusTooManyRequests)
	})
}
