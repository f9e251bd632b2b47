package exec_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/datachannel"
	"github.com/roadstead/roadstead/exec"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var scope = model.Scope{Account: "000000000000", Region: "us-east-1"}

var errAway = errors.New("away")

// world is a member with one task, t1 on instance i1, and a node that does what the test says.
type world struct {
	*testing.T
	db   *state.DB
	exec *exec.Exec
	url  string

	mu      sync.Mutex
	opened  []acs.RoadsteadOpenExec
	ended   []string
	refuse  error                // what the node answers
	attach  func(session string) // what it does when a client is there
	refused int                  // attaches so far
}

func newWorld(t *testing.T) *world {
	w := &world{T: t}
	w.db = state.Open(state.Config{Backend: state.NewMemory().Member(), Advertise: "http://test", Codec: state.SpecCodec{Marshal: json.Marshal, Unmarshal: json.Unmarshal}})
	w.exec = exec.New(exec.Config{
		DB: w.db, Key: []byte("key"), NewID: func() string { return "0123456789abcdef0123456789abcdef" }, Now: time.Now, Log: slog.New(slog.DiscardHandler),
		Nodes: exec.Nodes{Open: w.openNode, Attach: w.attachNode, End: w.endNode, Away: func(err error) bool { return errors.Is(err, errAway) }},
	})
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+exec.ClientPath, w.exec.ServeClient)
	mux.HandleFunc("GET "+acs.ExecNodePath, func(rw http.ResponseWriter, r *http.Request) {
		p := auth.Principal{Account: scope.Account, AccessKeyID: r.Header.Get("Key"), Kind: model.KeyNode}
		w.exec.ServeNode(rw, r.WithContext(auth.WithPrincipal(r.Context(), p)))
	})
	srv := httptest.NewServer(mux)
	w.url = srv.URL
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = w.db.Run(ctx) })
	wg.Go(func() { _ = w.exec.Run(ctx) })
	t.Cleanup(func() { cancel(); wg.Wait(); srv.Close() })
	if err := w.db.AwaitLead(ctx); err != nil {
		t.Fatal(err)
	}
	w.change(func(task *model.Task) {})
	return w
}

// change writes the task anew, running and with execute command enabled but for what f says.
func (w *world) change(f func(*model.Task)) *model.Task {
	w.Helper()
	task := &model.Task{Launch: &model.Launch{Scope: scope, Cluster: "c", ExecEnabled: true},
		ID: "t1", Instance: "i1", Desired: model.TaskRunning, Last: model.TaskRunning,
		Containers: []model.Container{{Name: "app", ID: "c1", Status: model.TaskRunning}}}
	f(task)
	err := w.db.Update(w.Context(), func(tx *state.Tx) error {
		tx.Tasks.Put(task)
		tx.Instances.Put(&model.Instance{Scope: scope, Cluster: "c", ID: "i1", NodeKey: "key1"})
		return nil
	})
	if err != nil {
		w.Fatal(err)
	}
	return task
}

func (w *world) openNode(_ context.Context, _ *model.Task, m acs.RoadsteadOpenExec) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.opened = append(w.opened, m)
	return w.refuse
}

func (w *world) attachNode(_ context.Context, _ *model.Task, session string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.refuse != nil {
		w.refused++
		return w.refuse
	}
	if w.attach != nil {
		go w.attach(session)
	}
	return nil
}

func (w *world) endNode(_ context.Context, _ *model.Task, session string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = append(w.ended, session)
	return w.refuse
}

// open opens a session as the API does.
func (w *world) open() exec.Session {
	w.Helper()
	task, _ := w.db.Snapshot().Tasks.Get(model.TaskKey(scope, "c", "t1"))
	s, err := w.exec.Open(w.Context(), exec.Request{Task: task, Command: "ls -l", Terminal: true, Principal: "arn:root"})
	if err != nil {
		w.Fatal(err)
	}
	return s
}

// come opens the websocket of a session's client and shows the token.
func (w *world) come(id, token string) *websocket.Conn {
	w.Helper()
	ws, _, err := websocket.Dial(w.Context(), exec.StreamURL(w.url, id), nil)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { _ = ws.CloseNow() })
	b, _ := json.Marshal(datachannel.Open{TokenValue: token})
	if err := ws.Write(w.Context(), websocket.MessageText, b); err != nil {
		w.Fatal(err)
	}
	return ws
}

// dial is the node's half.
func (w *world) dial(session, key string) (*websocket.Conn, error) {
	ws, _, err := websocket.Dial(w.Context(), w.url+acs.ExecNodePath+session, &websocket.DialOptions{HTTPHeader: http.Header{"Key": {key}}})
	if err == nil {
		w.Cleanup(func() { _ = ws.CloseNow() })
	}
	return ws, err
}

func (w *world) read(ws *websocket.Conn) string {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), 10*time.Second)
	defer cancel()
	_, b, err := ws.Read(ctx)
	if err != nil {
		w.Fatal(err)
	}
	return string(b)
}

func (w *world) write(ws *websocket.Conn, text string) {
	w.Helper()
	if err := ws.Write(w.Context(), websocket.MessageBinary, []byte(text)); err != nil {
		w.Fatal(err)
	}
}

// [O] and [I] of SEMANTICS §2.5: who may not have a session, and what is said.
func TestRefusals(t *testing.T) {
	w := newWorld(t)
	const notEnabled = "The execute command failed because execute command was not enabled when the task was run or the execute command agent isn't running."
	two := func(task *model.Task) {
		task.Containers = append(task.Containers, model.Container{Name: "side", Status: model.TaskPending})
	}
	for name, c := range map[string]struct {
		change func(*model.Task)
		r      exec.Request
		code   string
		text   string
	}{
		"not enabled":           {func(task *model.Task) { task.ExecEnabled = false }, exec.Request{Command: "ls"}, "InvalidParameterException", notEnabled},
		"container not running": {two, exec.Request{Command: "ls", Container: "side"}, "InvalidParameterException", notEnabled},
		"several containers":    {two, exec.Request{Command: "ls"}, "InvalidParameterException", "multiple containers"},
		"no such container":     {two, exec.Request{Command: "ls", Container: "x"}, "InvalidParameterException", "The container name x was not found"},
		"stopped":               {func(task *model.Task) { task.Last = model.TaskStopped }, exec.Request{Command: "ls"}, "InvalidParameterException", "not in a running state"},
		"stopping":              {func(task *model.Task) { task.Desired = model.TaskStopped }, exec.Request{Command: "ls"}, "InvalidParameterException", "not in a running state"},
		"no command":            {two, exec.Request{Command: " "}, "InvalidParameterException", "can not be blank"},
		"an open quote":         {two, exec.Request{Command: "'"}, "InvalidParameterException", "a quote"},
	} {
		t.Run(name, func(t *testing.T) {
			c.r.Task = w.change(c.change)
			_, err := w.exec.Open(t.Context(), c.r)
			if model.ErrorCode(err) != c.code || !strings.Contains(err.Error(), c.text) {
				t.Errorf("%v", err)
			}
		})
	}
	if len(w.opened) != 0 {
		t.Errorf("the node was told of %+v", w.opened)
	}
	w.refuse = errAway
	_, err := w.exec.Open(t.Context(), exec.Request{Task: w.change(func(*model.Task) {}), Command: "ls"})
	if model.ErrorCode(err) != "TargetNotConnectedException" || !strings.HasSuffix(err.Error(), "The execute command failed due to an internal error. Try again later.") {
		t.Errorf("an agent that is away: %v", err)
	}
}

// A client and a node are brought together, and their frames carried as they are; what was asked for is on record.
func TestCarry(t *testing.T) {
	w := newWorld(t)
	s := w.open()
	m := w.opened[0]
	if m.SessionID != s.ID || !strings.HasPrefix(s.ID, "ecs-execute-command-t1-") || s.Container.Name != "app" || fmt.Sprint(m.Command) != "[ls -l]" || !m.Terminal || m.Principal != "arn:root" {
		t.Errorf("session %+v, the node is told %+v", s, m)
	}
	nodes := make(chan *websocket.Conn, 1)
	w.attach = func(session string) {
		if _, err := w.dial(session, "key2"); err == nil {
			t.Error("a node came that does not have the task")
		}
		ws, err := w.dial(session, "key1")
		if err != nil {
			t.Error(err)
		}
		nodes <- ws
	}
	client := w.come(s.ID, s.Token)
	w.write(client, "early")
	node := <-nodes
	if got := w.read(node); got != "early" {
		t.Errorf("the node reads %q", got)
	}
	w.write(node, "hello")
	if got := w.read(client); got != "hello" {
		t.Errorf("the client reads %q", got)
	}
	again := w.come(s.ID, s.Token)
	if _, _, err := client.Read(t.Context()); err == nil {
		t.Error("the older connection goes on")
	}
	if _, _, err := node.Read(t.Context()); err == nil {
		t.Error("the older connection's node goes on")
	}
	node = <-nodes
	_ = again.CloseNow()
	if _, _, err := node.Read(t.Context()); err == nil {
		t.Error("the node's half outlives the client's")
	}
	for e := range w.db.Snapshot().Events.All() {
		if e.DetailType != exec.DetailOpened || !strings.Contains(e.Detail, `"command":["ls","-l"],"principal":"arn:root"`) {
			t.Errorf("event %+v", e)
		}
	}
	if n := w.db.Snapshot().Events.Len(); n != 1 {
		t.Errorf("%d events", n)
	}
}

// A token opens its own session only; a client whose session is over is told so, or it would come for ever.
func TestClientsThatAreRefused(t *testing.T) {
	w := newWorld(t)
	s := w.open()
	for _, c := range [][2]string{{s.ID, "nonsense"}, {s.ID + "0", s.Token}} {
		ws := w.come(c[0], c[1])
		if _, _, err := ws.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
			t.Errorf("%q: %v", c, err)
		}
	}
	w.refuse = errors.New("the session is over")
	m, err := datachannel.Decode([]byte(w.read(w.come(s.ID, s.Token))))
	if err != nil || m.Type != datachannel.ChannelClosed || !strings.Contains(string(m.Payload), `"Output":"the session is over"`) {
		t.Errorf("%+v, %v", m, err)
	}
}

// [code] AGENT-PROTOCOL §5.8: a client comes back through ResumeSession, also while the agent looks for the new leader.
func TestResume(t *testing.T) {
	w := newWorld(t)
	s := w.open()
	for _, c := range []struct {
		scope model.Scope
		id    string
	}{{scope, "x"}, {scope, strings.Replace(s.ID, "t1", "t2", 1)}, {model.Scope{Account: "1", Region: "us-east-1"}, s.ID}} {
		if _, ok := w.exec.Resume(c.scope, c.id); ok {
			t.Errorf("%+v has a session", c)
		}
	}
	r, ok := w.exec.Resume(scope, s.ID)
	if !ok || r.ID != s.ID {
		t.Fatalf("%+v, %v", r, ok)
	}
	w.refuse = errAway
	nodes := make(chan *websocket.Conn, 1)
	w.attach = func(session string) {
		ws, err := w.dial(session, "key1")
		if err != nil {
			t.Error(err)
		}
		nodes <- ws
	}
	client := w.come(r.ID, r.Token)
	for again := true; again; { // until it has been told that the agent is away
		w.mu.Lock()
		if again = w.refused == 0; !again {
			w.refuse = nil
		}
		w.mu.Unlock()
	}
	w.write(<-nodes, "back")
	if got := w.read(client); got != "back" {
		t.Errorf("the client reads %q", got)
	}
	if err := w.exec.Terminate(t.Context(), scope, s.ID); err != nil || len(w.ended) != 1 {
		t.Errorf("terminate: %v, %q", err, w.ended)
	}
	if err := w.exec.Terminate(t.Context(), scope, "x"); err != nil || len(w.ended) != 1 {
		t.Errorf("terminate what is not: %v, %q", err, w.ended)
	}
}

// What is known of sessions: those that go on, with or without their clients, those that are over, and those whose node is gone.
func TestKnown(t *testing.T) {
	w := newWorld(t)
	w.change(func(task *model.Task) { task.Containers[0].RuntimeID = "r" })
	s := w.open()
	know := func() exec.Known {
		t.Helper()
		all := w.exec.Known(scope)
		if len(all) != 1 || all[0].ID != s.ID || all[0].Target != (model.SessionTarget{Cluster: "c", Task: "t1", Runtime: "r"}) || all[0].Principal != "arn:root" {
			t.Fatalf("known are %+v", all)
		}
		return all[0]
	}
	if k := know(); k.EndedAt != 0 || k.Connected || k.OpenedAt == 0 {
		t.Errorf("without a client: %+v", k)
	}
	came := make(chan struct{})
	w.attach = func(string) { close(came) }
	w.come(s.ID, s.Token)
	<-came
	if k := know(); !k.Connected {
		t.Errorf("with a client: %+v", k)
	}
	task := w.change(func(task *model.Task) { task.Last, task.StoppedAt = model.TaskStopped, time.Now().UnixMilli()+1000 })
	if k := know(); k.EndedAt != task.StoppedAt || k.Connected {
		t.Errorf("its task is over: %+v", k)
	}
	m := acs.RoadsteadExecEnded{SessionID: s.ID, TaskArn: task.ARN(), StartedAt: 1, EndedAt: time.Now().UnixMilli() + 2}
	if err := w.exec.Ended(t.Context(), task, &m); err != nil {
		t.Fatal(err)
	}
	if k := know(); k.EndedAt != m.EndedAt || !k.Began {
		t.Errorf("its node says so: %+v", k)
	}
	if all := w.exec.Known(model.Scope{Account: "1", Region: "us-east-1"}); len(all) > 0 {
		t.Errorf("another account knows %+v", all)
	}
}

// The node is told where the transcript is to be: as the cluster says when the session is opened.
func TestLogOfASession(t *testing.T) {
	w := newWorld(t)
	w.change(func(task *model.Task) { task.Definition = "f:1" })
	err := w.db.Update(t.Context(), func(tx *state.Tx) error {
		tx.Definitions.Put(&model.TaskDefinition{Scope: scope, Family: "f", Revision: 1, Spec: types.TaskDefinition{
			TaskRoleArn: aws.String("r"), ContainerDefinitions: []types.ContainerDefinition{{Name: aws.String("app"),
				LogConfiguration: &types.LogConfiguration{LogDriver: "awslogs", Options: map[string]string{"awslogs-group": "/own"}}}}}})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	w.open()
	err = w.db.Update(t.Context(), func(tx *state.Tx) error {
		tx.Clusters.Put(&model.Cluster{Scope: scope, Name: "c", Configuration: &types.ClusterConfiguration{ExecuteCommandConfiguration: &types.ExecuteCommandConfiguration{
			Logging: "OVERRIDE", LogConfiguration: &types.ExecuteCommandLogConfiguration{S3BucketName: aws.String("b")}}}})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	w.open()
	if a, b := w.opened[0].Log, w.opened[1].Log; a == nil || a.Group != "/own" || b == nil || *b != (acs.ExecLog{Bucket: "b"}) {
		t.Errorf("%+v, then %+v", a, b)
	}
}

// The record of a session that comes twice is kept once.
func TestEnded(t *testing.T) {
	w := newWorld(t)
	task := w.change(func(*model.Task) {})
	code := int32(7)
	m := acs.RoadsteadExecEnded{SessionID: "s1", TaskArn: task.ARN(), Container: "app", Command: []string{"sh"}, Principal: "arn:root",
		StartedAt: 1, EndedAt: 2, BytesIn: 3, BytesOut: 4, ExitCode: &code, Reason: "well",
		Transcript: &acs.ExecTranscript{Group: "/g", Stream: "s1", Bytes: 4, Error: "AccessDenied: no", Kept: "/k"}}
	for range 2 {
		if err := w.exec.Ended(t.Context(), task, &m); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	for e := range w.db.Snapshot().Events.All() {
		n++
		want := `{"sessionId":"s1","taskArn":"` + task.ARN() + `","containerName":"app","command":["sh"],"principal":"arn:root",` +
			`"startedAt":1,"endedAt":2,"bytesIn":3,"bytesOut":4,"exitCode":7,"reason":"well",` +
			`"transcript":{"logGroup":"/g","logStream":"s1","bytes":4,"error":"AccessDenied: no","kept":"/k"}}`
		if e.DetailType != exec.DetailEnded || e.At != 2 || e.Detail != want {
			t.Errorf("got  %+v\nwant %s", e, want)
		}
	}
	if n != 1 {
		t.Errorf("%d events", n)
	}
}
