package exec

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/google/uuid"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/datachannel"
	"github.com/roadstead/roadstead/model"
)

// Times of a client's connection: until it has shown its token, until the agent is connected (it may be looking for a new leader),
// until the node's websocket is there, and until a peer has taken one frame.
const (
	tokenPatience = 10 * time.Second
	agentPatience = 15 * time.Second
	agentRetry    = 100 * time.Millisecond
	nodePatience  = 15 * time.Second
	framePatience = 30 * time.Second
)

// maxFrame is the largest frame carried, in bytes; both ends send much smaller ones.
const maxFrame = 1 << 20

// relay waits for the node's half of a session's connection.
type relay struct {
	task   *model.Task
	node   chan *websocket.Conn // has room for one
	cancel context.CancelFunc
}

// ServeClient takes the websocket of a client, which shows its token in its first frame.
func (e *Exec) ServeClient(w http.ResponseWriter, r *http.Request) {
	id := strings.TrimPrefix(r.URL.Path, ClientPath)
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true}) // a token says more than an origin
	if err != nil {
		return // Accept has answered
	}
	e.do(r.Context(), ws, func(ctx context.Context) { e.serveClient(ctx, ws, id) })
}

func (e *Exec) serveClient(ctx context.Context, client *websocket.Conn, id string) {
	defer client.CloseNow()
	client.SetReadLimit(maxFrame)
	t, err := e.admit(ctx, client, id)
	if err != nil {
		e.cfg.Log.Warn("refuse the client of a session", "session", id, "err", err)
		_ = client.Close(websocket.StatusPolicyViolation, "the token is not valid for this session, or too old")
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	x := &relay{task: t, node: make(chan *websocket.Conn, 1), cancel: cancel}
	e.enter(id, x)
	defer e.leave(id, x)
	if err := e.callNode(ctx, t, id); err != nil {
		e.cfg.Log.Info("bring a client to its session", "session", id, "err", err)
		if !e.cfg.Nodes.Away(err) {
			e.dismiss(ctx, client, id, err)
		}
		return
	}
	select {
	case node := <-x.node:
		carry(ctx, client, node)
	case <-time.After(nodePatience):
		e.cfg.Log.Warn("the node did not come to a session", "session", id)
	case <-ctx.Done():
	}
}

// admit reads the client's first frame and returns the task of its session.
func (e *Exec) admit(ctx context.Context, client *websocket.Conn, id string) (*model.Task, error) {
	ctx, cancel := context.WithTimeout(ctx, tokenPatience)
	defer cancel()
	_, b, err := client.Read(ctx)
	if err != nil {
		return nil, err
	}
	var open datachannel.Open
	if err := json.Unmarshal(b, &open); err != nil {
		return nil, err
	}
	c, err := verify(e.cfg.Key, open.TokenValue, e.cfg.Now())
	if err != nil {
		return nil, err
	}
	t, ok := e.cfg.DB.Snapshot().Tasks.Get(c.Task)
	if !ok || c.Session != id {
		return nil, errToken
	}
	return t, nil
}

// callNode has the node come, when its agent is connected.
func (e *Exec) callNode(ctx context.Context, t *model.Task, id string) error {
	ctx, cancel := context.WithTimeout(ctx, agentPatience)
	defer cancel()
	for {
		err := e.cfg.Nodes.Attach(ctx, t, id)
		if err == nil || !e.cfg.Nodes.Away(err) {
			return err
		}
		select {
		case <-time.After(agentRetry):
		case <-ctx.Done():
			return err
		}
	}
}

// dismiss tells a client that there is nothing for it here, or it would come again and again.
func (e *Exec) dismiss(ctx context.Context, client *websocket.Conn, id string, why error) {
	message := uuid.New()
	now := e.cfg.Now()
	payload, err := json.Marshal(datachannel.Closed{
		MessageID: message.String(), CreatedDate: now.UTC().Format(time.RFC3339), DestinationID: id, SessionID: id,
		MessageType: datachannel.ChannelClosed, SchemaVersion: 1, Output: why.Error(),
	})
	if err != nil {
		return
	}
	m := datachannel.Message{Type: datachannel.ChannelClosed, CreatedAt: now.UnixMilli(), ID: datachannel.ID(message), Payload: payload}
	_ = client.Write(ctx, websocket.MessageBinary, m.Encode())
	_ = client.Close(websocket.StatusNormalClosure, "")
}

// enter makes x the relay of the session, in place of one whose client has come again.
func (e *Exec) enter(id string, x *relay) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if old := e.relays[id]; old != nil {
		old.cancel()
	}
	e.relays[id] = x
}

func (e *Exec) leave(id string, x *relay) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.relays[id] == x {
		delete(e.relays, id)
	}
	select {
	case node := <-x.node: // came too late
		_ = node.CloseNow()
	default:
	}
}

// ServeNode takes the websocket that a node opens for a session, with the node's principal in the request's context.
func (e *Exec) ServeNode(w http.ResponseWriter, r *http.Request) {
	id := strings.TrimPrefix(r.URL.Path, acs.ExecNodePath)
	p, _ := auth.PrincipalFrom(r.Context())
	if !e.expects(p, id) {
		http.Error(w, "no client waits for this session", http.StatusNotFound)
		return
	}
	ws, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // Accept has answered
	}
	ws.SetReadLimit(maxFrame)
	if !e.handOver(id, ws) {
		_ = ws.CloseNow()
	}
}

// expects reports whether a client waits for the node that the principal speaks for.
func (e *Exec) expects(p auth.Principal, id string) bool {
	e.mu.Lock()
	x := e.relays[id]
	e.mu.Unlock()
	if x == nil || p.Account != x.task.Account {
		return false
	}
	i, _ := e.cfg.DB.Snapshot().Instances.Get(x.task.InstanceKey())
	return auth.AllowedOn(p, "ecs", "Poll", x.task, i) == nil
}

func (e *Exec) handOver(id string, node *websocket.Conn) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	x := e.relays[id]
	if x == nil {
		return false
	}
	select {
	case x.node <- node:
		return true
	default:
		return false
	}
}

// carry passes frames both ways until one side ends.
func carry(ctx context.Context, client, node *websocket.Conn) {
	ctx, cancel := context.WithCancel(ctx)
	defer node.CloseNow()
	defer cancel()
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		defer cancel()
		pass(ctx, client, node)
	})
	pass(ctx, node, client)
	cancel()
}

func pass(ctx context.Context, from, to *websocket.Conn) {
	for {
		kind, b, err := from.Read(ctx)
		if err != nil {
			return
		}
		one, cancel := context.WithTimeout(ctx, framePatience)
		err = to.Write(one, kind, b)
		cancel()
		if err != nil {
			return
		}
	}
}
