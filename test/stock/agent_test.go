package stock_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
)

// agent is a scripted stock agent with ECS_EXTERNAL=true. By itself it does nothing but answer heartbeats.
type agent struct {
	caller
	cluster string
	arn     string // "" until it has registered
	seen    bool   // it was connected once: sendCredentials is false from then on
	acs     *socket
}

// attributes are those of an agent outside EC2 (AGENT-PROTOCOL §1.1, §1.5). Capabilities have names only.
func attributes() list {
	var out list
	for _, name := range []string{
		"com.amazonaws.ecs.capability.privileged-container", "com.amazonaws.ecs.capability.docker-remote-api.1.17", "com.amazonaws.ecs.capability.docker-remote-api.1.18",
		"com.amazonaws.ecs.capability.docker-remote-api.1.19", "com.amazonaws.ecs.capability.docker-remote-api.1.20", "com.amazonaws.ecs.capability.docker-remote-api.1.21",
		"com.amazonaws.ecs.capability.docker-remote-api.1.22", "com.amazonaws.ecs.capability.docker-remote-api.1.24", "com.amazonaws.ecs.capability.docker-remote-api.1.25",
		"com.amazonaws.ecs.capability.docker-remote-api.1.29", "com.amazonaws.ecs.capability.logging-driver.json-file", "com.amazonaws.ecs.capability.logging-driver.awslogs",
		"com.amazonaws.ecs.capability.logging-driver.syslog", "com.amazonaws.ecs.capability.ecr-auth", "com.amazonaws.ecs.capability.task-iam-role",
		"com.amazonaws.ecs.capability.task-iam-role-network-host", "ecs.capability.docker-plugin.local", "ecs.capability.execution-role-ecr-pull",
		"ecs.capability.execution-role-awslogs", "ecs.capability.container-health-check", "ecs.capability.private-registry-authentication.secretsmanager",
		"ecs.capability.secrets.ssm.environment-variables", "ecs.capability.secrets.asm.environment-variables", "ecs.capability.secrets.ssm.bootstrap.log-driver",
		"ecs.capability.pid-ipc-namespace-sharing", "ecs.capability.container-ordering", "ecs.capability.container-restart-policy", "ecs.capability.env-files.s3",
		"ecs.capability.task-cpu-mem-limit", "ecs.capability.external",
	} {
		out = append(out, object{"name": name})
	}
	for name, value := range map[string]string{"ecs.os-type": "linux", "ecs.os-family": "LINUX", "ecs.os-type-detailed": "linux", "ecs.cpu-architecture": "x86_64"} {
		out = append(out, object{"name": name, "value": value})
	}
	return out
}

// registration is RegisterContainerInstance as the agent sends it; versionInfo is not in it.
func (a *agent) registration() object {
	in := object{
		"cluster": a.cluster, "clientToken": "9d0e3a2c-1111-4d3c-8b6e-0123456789ab", "attributes": attributes(), "tags": list{object{"key": "rack", "value": "r1"}},
		"instanceIdentityDocument": "", "instanceIdentityDocumentSignature": "", "platformDevices": list{},
		"totalResources": list{
			object{"name": "CPU", "type": "INTEGER", "integerValue": 4096},
			object{"name": "MEMORY", "type": "INTEGER", "integerValue": 7976},
			object{"name": "PORTS", "type": "STRINGSET", "stringSetValue": list{"22", "2375", "2376", "51678", "51679"}},
			object{"name": "PORTS_UDP", "type": "STRINGSET", "stringSetValue": list{}},
		},
	}
	if a.arn != "" { // from its checkpoint
		in["containerInstanceArn"] = a.arn
	}
	return in
}

// register registers, and gives up as the agent does if an attribute with a value is not echoed.
func (a *agent) register() {
	a.w.Helper()
	in := a.registration()
	out := a.ecs("RegisterContainerInstance", in)
	echoed := map[string]string{}
	for _, x := range dig(out, "containerInstance", "attributes").(list) {
		echoed[text(dig(x, "name"))] = text(dig(x, "value"))
	}
	for _, x := range in["attributes"].(list) {
		if name, value := text(dig(x, "name")), text(dig(x, "value")); echoed[name] != value {
			a.w.Fatalf("missingAttributes=%q: the agent exits with 5", name)
		}
	}
	if a.arn = text(dig(out, "containerInstance", "containerInstanceArn")); a.arn == "" {
		a.w.Fatalf("the answer has no containerInstanceArn: %v", out)
	}
}

// endpoints asks where the websockets are opened.
func (a *agent) endpoints() (acs, tcs string) {
	a.w.Helper()
	out := a.ecs("DiscoverPollEndpoint", object{"cluster": a.cluster, "containerInstance": a.arn, "zoneId": "use1-az1"})
	return text(out["endpoint"]), text(out["telemetryEndpoint"])
}

// connect opens ACS.
func (a *agent) connect() {
	a.w.Helper()
	endpoint, _ := a.endpoints()
	s, refused := a.dial(endpoint, url.Values{
		"agentHash": {"a8b3e7d3"}, "agentVersion": {"1.105.1"}, "clusterArn": {a.cluster}, "containerInstanceArn": {a.arn},
		"dockerVersion": {"DockerVersion: 20.10.24+dfsg1"}, "protocolVersion": {"2"}, "sendCredentials": {fmt.Sprint(!a.seen)}, "seqNum": {"1"},
	})
	if refused != "" {
		a.w.Fatalf("ACS is refused: %s", refused)
	}
	a.acs, a.seen = s, true
	synctest.Wait()
}

// telemetry opens TCS.
func (a *agent) telemetry() *socket {
	a.w.Helper()
	_, endpoint := a.endpoints()
	s, refused := a.dial(endpoint, url.Values{
		"agentHash": {"a8b3e7d3"}, "agentVersion": {"1.105.1"}, "cluster": {a.cluster}, "containerInstance": {a.arn}, "dockerVersion": {"20.10.24+dfsg1"},
	})
	if refused != "" {
		a.w.Fatalf("TCS is refused: %s", refused)
	}
	return s
}

// dial opens a websocket as both of the agent's are opened: ENDPOINT/ws, the query sorted, the request signed for ecs.
func (a *agent) dial(endpoint string, q url.Values) (s *socket, refused string) {
	a.w.Helper()
	u := strings.TrimSuffix(endpoint, "/") + "/ws?" + q.Encode()
	r := a.request("GET", u, "ecs", "", nil, nil)
	ws, resp, err := websocket.Dial(a.w.Context(), u, &websocket.DialOptions{HTTPClient: a.w.http, HTTPHeader: r.Header})
	if err != nil {
		if resp == nil || resp.StatusCode == http.StatusSwitchingProtocols {
			a.w.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		return nil, strings.TrimSpace(string(b))
	}
	return a.w.open(ws), ""
}

// joined is an agent that has registered and is connected, its first manifest acknowledged.
func (w *world) joined() *agent {
	w.Helper()
	a := &agent{caller: w.node, cluster: cluster}
	a.register()
	a.connect()
	a.ack(a.acs.take("TaskManifestMessage"))
	return a
}

// ack acknowledges a payload, a manifest or an attachment.
func (a *agent) ack(m object) {
	a.w.Helper()
	a.acs.send("AckRequest", object{"cluster": a.cluster, "containerInstance": a.arn, "messageId": m["messageId"]})
}

// submit reports on a task, and returns the acknowledgement.
func (a *agent) submit(task, status string, more object, containers ...any) string {
	a.w.Helper()
	in := object{"cluster": a.cluster, "task": task, "status": status, "reason": "", "containers": containers}
	maps.Copy(in, more)
	out := a.ecs("SubmitTaskStateChange", in)
	if _, ok := out["acknowledgment"]; !ok {
		a.w.Errorf("SubmitTaskStateChange is answered %v", out)
	}
	return text(out["acknowledgment"])
}

// socket is a websocket, and what came over it.
type socket struct {
	w    *world
	ws   *websocket.Conn
	stop context.CancelFunc
	mute bool // heartbeats are not answered

	mu    sync.Mutex
	came  []frame
	beats int
	gone  error
}

// frame is what travels.
type frame struct {
	Type    string `json:"type"`
	Message object `json:"message"`
}

func (w *world) open(ws *websocket.Conn) *socket {
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.Context()))
	s := &socket{w: w, ws: ws, stop: cancel}
	ws.SetReadLimit(-1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			kind, b, err := ws.Read(ctx)
			s.mu.Lock()
			if err != nil {
				s.gone = err
				s.mu.Unlock()
				return
			}
			s.hear(ctx, kind, b)
			s.mu.Unlock()
		}
	}()
	w.Cleanup(func() { cancel(); <-done })
	return s
}

// hush lets the agent answer no heartbeat any more.
func (s *socket) hush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mute = true
}

// hear takes a frame in. Caller holds mu.
func (s *socket) hear(ctx context.Context, kind websocket.MessageType, b []byte) {
	var f frame
	if err := json.Unmarshal(b, &f); err != nil || kind != websocket.MessageText || f.Type == "" {
		s.w.Errorf("no frame: %s %v", b, err)
		return
	}
	if f.Type != "HeartbeatMessage" {
		s.came = append(s.came, f)
		return
	}
	s.beats++
	if _, ok := f.Message["healthy"].(bool); !ok {
		s.w.Errorf("a heartbeat: %s", b)
	}
	if id := text(f.Message["messageId"]); id != "" && !s.mute {
		go func() {
			_ = s.ws.Write(ctx, websocket.MessageText, encode("HeartbeatAckRequest", object{"messageId": id}))
		}()
	}
}

func encode(kind string, message any) []byte {
	b, err := json.Marshal(object{"type": kind, "message": message})
	if err != nil {
		panic(err) // they are maps of strings and numbers
	}
	return b
}

// send sends a frame of ACS.
func (s *socket) send(kind string, message any) {
	s.w.Helper()
	if err := s.ws.Write(s.w.Context(), websocket.MessageText, encode(kind, message)); err != nil {
		s.w.Fatal(err)
	}
	synctest.Wait()
}

// take returns the oldest message of the type that was not taken yet, and waits up to 10 s for it.
func (s *socket) take(kind string) object {
	s.w.Helper()
	for range 100 {
		if m := s.look(kind); m != nil {
			return m
		}
		<-time.After(100 * time.Millisecond)
	}
	s.w.Fatalf("no %s came; came %v", kind, s.came)
	return nil
}

// look is take without waiting: nil if there is none.
func (s *socket) look(kind string) object {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.came, func(f frame) bool { return f.Type == kind })
	if i < 0 {
		return nil
	}
	m := s.came[i].Message
	s.came = slices.Delete(s.came, i, i+1)
	return m
}

// closed is why the connection ended, nil if it did not.
func (s *socket) closed() error {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gone
}

// leave breaks the connection off, as a process that dies does.
func (s *socket) leave() {
	_ = s.ws.CloseNow()
	synctest.Wait()
}
