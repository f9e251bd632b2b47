package session_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing/synctest"

	"github.com/coder/websocket"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/model"
)

// agent is a scripted node: it reads all that comes and does nothing by itself but answer heartbeats.
type agent struct {
	w    *world
	arn  string
	conn *acs.Conn
	stop context.CancelFunc
	mute bool // no heartbeat acks

	mu       sync.Mutex
	said     []string // what came, in short
	payloads []string // ids of those not acknowledged yet
	manifest string
	last     any
	gone     error
}

// connect opens an agent's ACS connection as the instance.
func (w *world) connect(id string) *agent {
	w.Helper()
	a := w.dial("/ws", "containerInstanceArn", id)
	synctest.Wait()
	return a
}

func (w *world) dial(path, param, id string) *agent {
	w.Helper()
	a := &agent{w: w, arn: model.InstanceARN(scope, "c", id)}
	ws, _, err := w.upgrade(path, account, url.Values{param: {a.arn}, "agentVersion": {"1.105.1"}, "agentHash": {model.OwnAgent}})
	if err != nil {
		w.Fatal(err)
	}
	a.begin(ws)
	return a
}

// upgrade asks for a websocket.
func (w *world) upgrade(path, account string, q url.Values) (*websocket.Conn, *http.Response, error) {
	client := &http.Client{Transport: &http.Transport{DialContext: w.pipe.dial, DisableKeepAlives: true}}
	return websocket.Dial(w.Context(), "http://plane"+path+"?"+q.Encode(), &websocket.DialOptions{
		HTTPClient: client, HTTPHeader: http.Header{"Account": {account}}})
}

// refusal is what an upgrade is answered with.
func (w *world) refusal(path, account string, q url.Values) string {
	w.Helper()
	ws, resp, err := w.upgrade(path, account, q)
	if err == nil {
		_ = ws.CloseNow()
		return "accepted"
	}
	body, _ := io.ReadAll(resp.Body)
	return fmt.Sprint(resp.StatusCode, " ", strings.TrimSpace(string(body)))
}

// hush lets the agent answer no heartbeat any more.
func (a *agent) hush() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mute = true
}

func (a *agent) begin(ws *websocket.Conn) {
	a.conn = acs.NewConn(ws)
	ctx, cancel := context.WithCancel(context.WithoutCancel(a.w.Context()))
	done := make(chan struct{})
	a.stop = cancel
	go func() {
		defer close(done)
		for {
			msg, err := a.conn.Receive(ctx)
			if err != nil {
				a.mu.Lock()
				a.gone = err
				a.mu.Unlock()
				return
			}
			a.take(ctx, msg)
		}
	}()
	a.w.Cleanup(func() { cancel(); <-done })
}

func (a *agent) take(ctx context.Context, msg any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last = msg
	switch m := msg.(type) {
	case *acs.PayloadMessage:
		a.payloads = append(a.payloads, m.MessageID)
		a.said = append(a.said, "payload"+tasks(m.Tasks, func(t acs.Task) (string, string) { return t.Arn, t.DesiredStatus }))
	case *acs.TaskManifestMessage:
		a.manifest = m.MessageID
		a.said = append(a.said, "manifest"+manifest(m.Tasks))
	case *acs.TaskStopVerificationAck:
		a.said = append(a.said, "verified"+manifest(m.StopTasks))
	case *acs.HeartbeatMessage:
		a.said = append(a.said, "beat")
		if !a.mute {
			go func() { _ = a.conn.Send(ctx, acs.HeartbeatAckRequest{MessageID: m.MessageID}) }()
		}
	case *acs.IAMRoleCredentialsMessage:
		a.said = append(a.said, fmt.Sprintf("%s %s %s", m.RoleType, m.TaskArn[strings.LastIndexByte(m.TaskArn, '/')+1:], m.Credentials.AccessKeyID))
	default:
		a.said = append(a.said, strings.TrimPrefix(fmt.Sprintf("%T", msg), "*acs."))
	}
}

// tasks are " ID:STATUS ID:STATUS", in their order.
func tasks[T any](ts []T, f func(T) (arn, status string)) string {
	var s strings.Builder
	for _, t := range ts {
		arn, status := f(t)
		s.WriteString(" " + arn[strings.LastIndexByte(arn, '/')+1:] + ":" + status)
	}
	return s.String()
}

func manifest(ts []acs.ManifestTask) string {
	return tasks(ts, func(t acs.ManifestTask) (string, string) { return t.TaskArn, t.DesiredStatus })
}

// heard is what came since it was asked last.
func (a *agent) heard() string {
	synctest.Wait()
	a.mu.Lock()
	defer a.mu.Unlock()
	s := strings.Join(a.said, ", ")
	a.said = nil
	return s
}

func (a *agent) wants(what, want string) {
	a.w.Helper()
	a.w.want(what, a.heard(), want)
}

func (a *agent) send(msg any) {
	a.w.Helper()
	if err := a.conn.Send(a.w.Context(), msg); err != nil {
		a.w.Fatal(err)
	}
	synctest.Wait()
}

// ack acknowledges the newest payload.
func (a *agent) ack() {
	a.w.Helper()
	synctest.Wait()
	a.mu.Lock()
	id := a.payloads[len(a.payloads)-1]
	a.mu.Unlock()
	a.send(acs.AckRequest{Cluster: "c", ContainerInstance: a.arn, MessageID: id})
}

// ackSome acknowledges the payload that has waited longest, and reports whether there was one.
func (a *agent) ackSome() bool {
	a.mu.Lock()
	if len(a.payloads) == 0 {
		a.mu.Unlock()
		return false
	}
	id := a.payloads[0]
	a.payloads = a.payloads[1:]
	a.mu.Unlock()
	if err := a.conn.Send(a.w.Context(), acs.AckRequest{Cluster: "c", ContainerInstance: a.arn, MessageID: id}); err != nil {
		a.w.Fatal(err)
	}
	return true
}

// connected reports whether the connection is there still.
func (a *agent) connected() bool {
	synctest.Wait()
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.gone == nil
}

// leave breaks the connection off.
func (a *agent) leave() {
	a.stop()
	synctest.Wait()
}
