package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/exec"
	"github.com/roadstead/roadstead/datachannel"
)

func TestParseForward(t *testing.T) {
	for _, c := range []struct {
		task, ports string
		want        forwardTo
		wrong       string
	}{
		{"t1", "8080:80", forwardTo{task: "t1", local: 8080, port: 80}, ""},
		{"t1/web", "0:80", forwardTo{task: "t1", container: "web", port: 80}, ""},
		{"arn:aws:ecs:us-east-1:0:task/c/t1", "1:2", forwardTo{cluster: "c", task: "t1", local: 1, port: 2}, ""},
		{"arn:aws:ecs:us-east-1:0:task/c/t1/web", "1:db:2", forwardTo{cluster: "c", task: "t1", container: "web", local: 1, host: "db", port: 2}, ""},
		{"t1", "1:[::1]:2", forwardTo{task: "t1", local: 1, host: "::1", port: 2}, ""},
		{"t1", "80", forwardTo{}, "80 is not LOCAL:REMOTE"},
		{"t1", "x:80", forwardTo{}, `"x" is no port of this machine`},
		{"t1", "80:0", forwardTo{}, `"0" is no port of the container`},
		{"t1", "80:70000", forwardTo{}, `"70000" is no port`},
		{"t1", "80::80", forwardTo{}, ":80 is not PORT or HOST:PORT"},
		{"t1/", "80:80", forwardTo{}, "t1/ is not TASK or TASK/CONTAINER"},
		{"c/t1/web", "80:80", forwardTo{}, "c/t1/web is not TASK"},
		{"arn:aws:ecs:us-east-1:0:task", "80:80", forwardTo{}, "is no task's ARN"},
	} {
		got, err := parseForward(c.task, c.ports)
		if c.wrong == "" && (err != nil || got != c.want) || c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong)) {
			t.Errorf("%s %s: %+v, %v", c.task, c.ports, got, err)
		}
	}
}

// forwardPlane is a control plane with a task, and its node, which dials what it is told to on this machine.
type forwardPlane struct {
	*httptest.Server
	t        *testing.T
	sessions *exec.Sessions
	task     string // as DescribeTasks has it
	mu       sync.Mutex
	asked    map[string]any // StartSession
	streams  []*websocket.Conn
}

func newForwardPlane(t *testing.T, task string) *forwardPlane {
	p := &forwardPlane{t: t, task: task}
	var ids sync.Mutex
	n := uint64(0)
	p.sessions = exec.New(exec.Config{
		Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler),
		NewID: func() (id datachannel.ID) {
			ids.Lock()
			defer ids.Unlock()
			n++
			id[0], id[1] = byte(n), byte(n>>8)
			return id
		},
		Dial: func(ctx context.Context, to exec.Target) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(int(to.Port))))
		},
	})
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = p.sessions.Run(ctx) })
	mux := http.NewServeMux()
	mux.HandleFunc("POST /", p.call)
	mux.HandleFunc("GET /stream", p.stream)
	p.Server = httptest.NewServer(mux)
	t.Cleanup(func() { cancel(); wg.Wait(); p.Close() })
	t.Setenv("ROADSTEAD_ENDPOINT", p.URL)
	return p
}

func (p *forwardPlane) call(w http.ResponseWriter, r *http.Request) {
	grant := map[string]string{"SessionId": "s1", "StreamUrl": "ws" + strings.TrimPrefix(p.URL, "http") + "/stream", "TokenValue": "token"}
	var in map[string]any
	_ = json.NewDecoder(r.Body).Decode(&in)
	_, op, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	switch op {
	case "DescribeTasks":
		fmt.Fprintf(w, `{"tasks":[%s]}`, p.task)
		return
	case "StartSession":
		p.mu.Lock()
		p.asked = in
		p.mu.Unlock()
		port, _ := strconv.Atoi(in["Parameters"].(map[string]any)["portNumber"].([]any)[0].(string))
		if err := p.sessions.Open(&acs.RoadsteadOpenExec{SessionID: "s1", Port: &acs.ExecPort{Host: "localhost", Port: uint16(port)}}); err != nil {
			p.t.Error(err)
		}
	case "TerminateSession":
		p.sessions.End("s1")
	}
	_ = json.NewEncoder(w).Encode(grant)
}

func (p *forwardPlane) stream(w http.ResponseWriter, r *http.Request) {
	ws, err := websocket.Accept(w, r, nil)
	if err != nil {
		p.t.Error(err)
		return
	}
	ws.SetReadLimit(1 << 20)
	if _, _, err := ws.Read(r.Context()); err != nil { // the token
		return
	}
	p.mu.Lock()
	p.streams = append(p.streams, ws)
	p.mu.Unlock()
	over := make(chan struct{})
	err = p.sessions.Attach("s1", func(context.Context) (exec.Conn, error) { return &wsConn{ws: ws, over: over}, nil })
	if err != nil {
		_ = ws.CloseNow()
		return
	}
	<-over
}

// cut breaks the connection that the client has.
func (p *forwardPlane) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.streams[len(p.streams)-1].CloseNow()
}

type wsConn struct {
	ws   *websocket.Conn
	once sync.Once
	over chan struct{}
}

func (c *wsConn) Read(ctx context.Context) ([]byte, error) {
	_, b, err := c.ws.Read(ctx)
	return b, err
}

func (c *wsConn) Write(ctx context.Context, frame []byte) error {
	return c.ws.Write(ctx, websocket.MessageBinary, frame)
}

func (c *wsConn) Close() { c.once.Do(func() { _ = c.ws.CloseNow(); close(c.over) }) }

// echo listens on this machine and sends back what comes, in capitals.
func echo(t *testing.T) (port string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				for lines := bufio.NewScanner(conn); lines.Scan(); {
					fmt.Fprintln(conn, strings.ToUpper(lines.Text()))
				}
			}()
		}
	}()
	_, port, _ = net.SplitHostPort(l.Addr().String())
	return port
}

const oneContainer = `{"lastStatus":"RUNNING","enableExecuteCommand":true,"containers":[{"name":"web","lastStatus":"RUNNING","runtimeId":"r1"}]}`

// Several connections at once over one session, one that fails, a connection to the control plane that breaks; ctrl-C is no failure.
func TestForward(t *testing.T) {
	p := newForwardPlane(t, oneContainer)
	ctx, cancel := context.WithCancel(t.Context())
	root := newRoot()
	said, out := io.Pipe()
	complaints, errs := io.Pipe()
	root.SetOut(out)
	root.SetErr(errs)
	port := echo(t)
	root.SetArgs([]string{"forward", "arn:aws:ecs:us-east-1:0:task/c/0123456789abcdef0123456789abcdef/web", "0:" + port})
	ended := make(chan error, 1)
	go func() { ended <- root.ExecuteContext(ctx) }()
	line, err := bufio.NewReader(said).ReadString('\n')
	m := regexp.MustCompile(`^Forwarding from (127\.0\.0\.1:\d+) to localhost:` + port + ` in the container`).FindStringSubmatch(line)
	if m == nil {
		t.Fatalf("it says %q, %v", line, err)
	}
	if p.asked["Target"] != "ecs:c_0123456789abcdef0123456789abcdef_r1" || p.asked["DocumentName"] != "AWS-StartPortForwardingSession" {
		t.Errorf("it asks for %v", p.asked)
	}
	var conns []net.Conn
	talk := func(conn net.Conn, text string) {
		t.Helper()
		fmt.Fprintln(conn, text)
		back := make([]byte, len(text)+1)
		if _, err := io.ReadFull(conn, back); err != nil || string(back) != strings.ToUpper(text)+"\n" {
			t.Errorf("%.100q comes back as %.100q, %v", text, back, err)
		}
	}
	for i := range 5 {
		conn, err := net.Dial("tcp", m[1])
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conns = append(conns, conn)
		talk(conn, fmt.Sprintf("connection %d", i))
	}
	p.cut()
	for i, conn := range conns {
		talk(conn, fmt.Sprintf("after the cut %d %s", i, strings.Repeat("x", 10_000)))
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("it ends with %v", err)
	}
	complaints.Close()
	if _, err := net.Dial("tcp", m[1]); err == nil {
		t.Error("it listens on")
	}
}

// Where nobody listens a connection fails, and it says so; the end of the session is its own.
func TestForwardToNobody(t *testing.T) {
	p := newForwardPlane(t, oneContainer)
	root := newRoot()
	said, out := io.Pipe()
	complaints, errs := io.Pipe()
	root.SetOut(out)
	root.SetErr(errs)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	l.Close()
	root.SetArgs([]string{"forward", "0123456789abcdef0123456789abcdef", "0:" + port})
	ended := make(chan error, 1)
	go func() { ended <- root.ExecuteContext(t.Context()) }()
	line, _ := bufio.NewReader(said).ReadString('\n')
	conn, err := net.Dial("tcp", regexp.MustCompile(`127\.0\.0\.1:\d+`).FindString(line))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	complaint, _ := bufio.NewReader(complaints).ReadString('\n')
	if want := "A connection failed: nothing takes connections at localhost:" + port + " in the container.\n"; complaint != want {
		t.Errorf("it says %q, want %q", complaint, want)
	}
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("the connection is open")
	}
	p.sessions.End("s1")
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "the session has ended") {
		t.Errorf("it ends with %v", err)
	}
}

func TestForwardRefusals(t *testing.T) {
	for _, c := range []struct{ task, name, want string }{
		{``, "t1", "there is no task t1 in cluster default"},
		{`{"enableExecuteCommand":false}`, "t1", "task t1 was not started with --enable-execute-command"},
		{`{"enableExecuteCommand":true,"containers":[{"name":"a"},{"name":"b"}]}`, "t1", "task t1 has several containers: say which one, t1/a, b"},
		{`{"enableExecuteCommand":true,"containers":[{"name":"a"},{"name":"b"}]}`, "t1/c", "task t1 has no container c, but a, b"},
		{`{"enableExecuteCommand":true,"containers":[{"name":"a","lastStatus":"PENDING"}]}`, "t1", "container a of task t1 is PENDING"},
	} {
		newForwardPlane(t, c.task)
		root := newRoot()
		root.SetArgs([]string{"forward", c.name, "0:80"})
		if err := root.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.task, err, c.want)
		}
	}
}
