package metadata_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/roadstead/roadstead/agent/metadata"
	"github.com/roadstead/roadstead/agent/task"
)

// faultSite is a node whose faults are a list; broken, it fails.
type faultSite struct {
	*testing.T
	server *metadata.Server
	runs   []string
	broken error
}

func (s *faultSite) name(v *task.View, f task.Fault) string {
	return fmt.Sprint(task.ID(v.Task.Arn), " ", f.Kind, " ", f.Port, f.Protocol, f.Traffic)
}

func newFaultSite(t *testing.T) *faultSite {
	s := &faultSite{T: t}
	views := []task.View{view("t1", "awsvpc", "=10.0.0.4"), view("t2", "host", "app="), view("t3", "", "app=10.0.0.6"), view("t4", "awsvpc", "=10.0.0.7")}
	for i := range 3 {
		views[i].Task.FaultInjection = true
	}
	s.server = metadata.New(metadata.Config{
		Secret: []byte("secret"), Tasks: func() []task.View { return views }, Own: isNode, Log: slog.New(slog.DiscardHandler),
		Faults: metadata.Faults{
			Start: func(v *task.View, f task.Fault) error {
				if s.broken == nil {
					s.runs = append(s.runs, s.name(v, f))
				}
				return s.broken
			},
			Stop: func(v *task.View, f task.Fault) error {
				for i, name := range s.runs {
					if name == s.name(v, f) {
						s.runs = append(s.runs[:i], s.runs[i+1:]...)
						break
					}
				}
				return s.broken
			},
			Running: func(v *task.View, f task.Fault) (bool, error) {
				for _, name := range s.runs {
					if name == s.name(v, f) {
						return true, s.broken
					}
				}
				return false, s.broken
			},
		},
	})
	return s
}

func (s *faultSite) post(id, from, path, body string) string {
	r := httptest.NewRequest(http.MethodPost, "/api/"+id+"/fault/v1/"+path, strings.NewReader(body))
	r.RemoteAddr = from + ":1234"
	w := httptest.NewRecorder()
	s.server.ServeHTTP(w, r)
	return fmt.Sprint(w.Code, " ", strings.TrimSpace(w.Body.String()))
}

const (
	hole = `{"Port":80,"Protocol":"tcp","TrafficType":"egress"}`
	slow = `{"DelayMilliseconds":100,"JitterMilliseconds":5,"Sources":["10.0.0.0/8","1.2.3.4","2001:db8::/32"],"SourcesToFilter":["10.0.0.1"]}`
	lost = `{"LossPercent":30,"Sources":["10.0.0.0/8"]}`
)

// [D] AGENT-PROTOCOL §4.2, and the public agent: what is asked for, and how the answers read.
func TestFaultLife(t *testing.T) {
	s := newFaultSite(t)
	for i, c := range []struct{ path, body, want, runs string }{
		{"network-blackhole-port/status", hole, `200 {"Status":"not-running"}`, ""},
		{"network-blackhole-port/start", hole, `200 {"Status":"running"}`, "t1 network-blackhole-port 80tcpegress"},
		{"network-blackhole-port/status", hole, `200 {"Status":"running"}`, "t1 network-blackhole-port 80tcpegress"},
		{"network-blackhole-port/stop", hole, `200 {"Status":"stopped"}`, ""},
		{"network-blackhole-port/stop", hole, `200 {"Status":"stopped"}`, ""},
		{"network-latency/start", slow, `200 {"Status":"running"}`, "t1 network-latency 0"},
		{"network-latency/start", slow, `409 {"Error":"There is already one network latency fault running"}`, "t1 network-latency 0"},
		{"network-packet-loss/start", lost, `409 {"Error":"There is already one network latency fault running"}`, "t1 network-latency 0"},
		{"network-latency/status", "", `200 {"Status":"running"}`, "t1 network-latency 0"},
		{"network-packet-loss/status", "", `200 {"Status":"not-running"}`, "t1 network-latency 0"},
		{"network-latency/stop", "", `200 {"Status":"stopped"}`, ""},
		{"network-packet-loss/start", lost, `200 {"Status":"running"}`, "t1 network-packet-loss 0"},
		{"network-latency/start", slow, `409 {"Error":"There is already one network packet loss fault running"}`, "t1 network-packet-loss 0"},
		{"network-packet-loss/stop", "", `200 {"Status":"stopped"}`, ""},
	} {
		if got := s.post(s.server.ID("t1", "app"), "10.0.0.4", c.path, c.body); got != c.want || strings.Join(s.runs, ", ") != c.runs {
			t.Errorf("%d %s\n got %s; runs %q\nwant %s; runs %q", i, c.path, got, s.runs, c.want, c.runs)
		}
	}
	s.broken = errors.New("no such kernel")
	for _, path := range []string{"network-latency/start", "network-latency/stop", "network-latency/status", "network-blackhole-port/start"} {
		body := slow
		if strings.HasPrefix(path, "network-blackhole") {
			body = hole
		}
		if got := s.post(s.server.ID("t1", "app"), "10.0.0.4", path, body); got != `500 {"Error":"internal error"}` {
			t.Errorf("%s on a broken node: %s", path, got)
		}
	}
}

// [D] the public agent: requests that are refused, and with which words.
func TestFaultRefusals(t *testing.T) {
	s := newFaultSite(t)
	id := func(task string) string { return s.server.ID(task, "app") }
	for _, c := range []struct{ rule, id, from, path, body, want string }{
		{"without a body", id("t1"), "10.0.0.4", "network-latency/start", "", `400 {"Error":"required request body is missing"}`},
		{"port", id("t1"), "10.0.0.4", "network-blackhole-port/stop", `{}`, `400 {"Error":"required parameter Port is missing"}`},
		{"protocol", id("t1"), "10.0.0.4", "network-blackhole-port/start", `{"Port":1}`, `400 {"Error":"required parameter Protocol is missing"}`},
		{"traffic type", id("t1"), "10.0.0.4", "network-blackhole-port/start", `{"Port":1,"Protocol":"tcp"}`, `400 {"Error":"required parameter TrafficType is missing"}`},
		{"icmp", id("t1"), "10.0.0.4", "network-blackhole-port/start", `{"Port":1,"Protocol":"icmp","TrafficType":"egress"}`, `400 {"Error":"invalid value icmp for parameter Protocol"}`},
		{"sideways", id("t1"), "10.0.0.4", "network-blackhole-port/start", `{"Port":1,"Protocol":"udp","TrafficType":"x"}`, `400 {"Error":"invalid value x for parameter TrafficType"}`},
		{"filter", id("t1"), "10.0.0.4", "network-blackhole-port/start", `{"Port":1,"Protocol":"udp","TrafficType":"egress","SourcesToFilter":["web"]}`, `400 {"Error":"invalid value web for parameter SourcesToFilter"}`},
		{"delay", id("t1"), "10.0.0.4", "network-latency/start", `{}`, `400 {"Error":"required parameter DelayMilliseconds is missing"}`},
		{"jitter", id("t1"), "10.0.0.4", "network-latency/start", `{"DelayMilliseconds":1}`, `400 {"Error":"required parameter JitterMilliseconds is missing"}`},
		{"sources", id("t1"), "10.0.0.4", "network-latency/start", `{"DelayMilliseconds":1,"JitterMilliseconds":0,"Sources":[]}`, `400 {"Error":"required parameter Sources is missing"}`},
		{"a name", id("t1"), "10.0.0.4", "network-latency/start", `{"DelayMilliseconds":1,"JitterMilliseconds":0,"Sources":["web"]}`, `400 {"Error":"invalid value web for parameter Sources"}`},
		{"percent", id("t1"), "10.0.0.4", "network-packet-loss/start", `{"Sources":["1.1.1.1"]}`, `400 {"Error":"required parameter LossPercent is missing"}`},
		{"none", id("t1"), "10.0.0.4", "network-packet-loss/start", `{"LossPercent":0,"Sources":["1.1.1.1"]}`, `400 {"Error":"invalid value 0 for parameter LossPercent"}`},
		{"more than all", id("t1"), "10.0.0.4", "network-packet-loss/start", `{"LossPercent":101,"Sources":["1.1.1.1"]}`, `400 {"Error":"invalid value 101 for parameter LossPercent"}`},
		{"host", id("t2"), "10.0.0.1", "network-latency/status", "", `200 {"Status":"not-running"}`},
		{"bridge", id("t3"), "10.0.0.6", "network-latency/start", slow, `400 {"Error":"bridge mode is not supported. Please use either host or awsvpc mode."}`},
		{"not enabled", id("t4"), "10.0.0.7", "network-latency/start", slow, `400 {"Error":"enableFaultInjection is not enabled for task: ` + arnPrefix + `t4"}`},
		{"another's", id("t1"), "10.0.0.7", "network-latency/start", slow, `404 {"Error":"unable to get task arn from request: unable to get task Arn from v3 endpoint ID: ` + id("t1") + `"}`},
		{"another kind", id("t1"), "10.0.0.4", "disk-full/start", "{}", "404 404 page not found"},
	} {
		if got := s.post(c.id, c.from, c.path, c.body); got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.rule, got, c.want)
		}
	}
	if len(s.runs) != 0 {
		t.Errorf("refused, and runs: %v", s.runs)
	}
	if got := s.post(id("t1"), "10.0.0.4", "network-blackhole-port/start", `{"Port":"x"}`); !strings.HasPrefix(got, `400 {"Error":"json: cannot unmarshal`) {
		t.Errorf("a port that is no number: %s", got)
	}
}

// What a container sends is read as far as a request may be long, and no further.
func TestFaultsAreShort(t *testing.T) {
	s := newFaultSite(t)
	body := strings.TrimSuffix(hole, "}") + `,"SourcesToFilter":["10.0.0.1"` + strings.Repeat(`,"10.0.0.1"`, 10_000) + `]}`
	if got := s.post(s.server.ID("t1", "app"), "10.0.0.4", "network-blackhole-port/start", body); got != `400 {"Error":"http: request body too large"}` || len(s.runs) > 0 {
		t.Errorf("%s; runs %q", got, s.runs)
	}
}
