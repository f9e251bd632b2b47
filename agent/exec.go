package agent

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/exec"
	"github.com/roadstead/roadstead/agent/network"
	"github.com/roadstead/roadstead/agent/runtime"
	"github.com/roadstead/roadstead/agent/task"
	"github.com/roadstead/roadstead/datachannel"
	"github.com/roadstead/roadstead/model"
)

// newExec makes the node's sessions with commands in containers.
func (a *Agent) newExec() *exec.Sessions {
	return exec.New(exec.Config{
		Start: a.startCommand, Dial: a.dialFrom, Dir: a.dir("exec"), Role: a.ownRole, Log: a.cfg.Log,
		NewID: func() (id datachannel.ID) { _, _ = rand.Read(id[:]); return id }, // never fails
	})
}

// ownRole is a caller with the rights of a task's own role: a session's transcript is put away as the task's programs would do it.
func (a *Agent) ownRole(ctx context.Context, taskARN string) (exec.Caller, error) {
	e := a.engine.Load()
	if e == nil || !e.Ready() {
		return nil, errors.New("the agent has just begun")
	}
	if _, here := e.Get(taskARN); !here {
		return nil, model.Errorf("NoRole", "the task is not on its node any more, and its role neither")
	}
	role, err := a.awaitRole(ctx, func() *acs.RoleCreds { return a.roleOf(taskARN, false) })
	switch {
	case err != nil:
		return nil, err
	case role == nil:
		return nil, model.Errorf("NoRole", "the task has no role of its own")
	}
	return a.client.As(role.AccessKeyID, role.SecretAccessKey, role.SessionToken), nil
}

func (a *Agent) startCommand(ctx context.Context, c exec.Command) (exec.Process, error) {
	name := c.Session[strings.LastIndexByte(c.Session, '-')+1:]
	p, err := a.runtime.Exec(ctx, task.ContainerID(task.ID(c.TaskArn), c.Container), runtime.ExecSpec{
		Name: name, Args: c.Args, Terminal: c.Terminal, Cols: c.Size.Cols, Rows: c.Size.Rows,
	})
	if err != nil {
		return nil, err // not p: an interface that holds a nil pointer is none
	}
	return p, nil
}

// dialFrom opens a connection as if a container did.
func (a *Agent) dialFrom(ctx context.Context, t exec.Target) (net.Conn, error) {
	e := a.engine.Load()
	if e == nil {
		return nil, errors.New("the agent has just begun")
	}
	v, ok := e.Get(t.TaskArn)
	if !ok {
		return nil, errors.New("the task is not here")
	}
	n, err := a.runtime.Names(task.ContainerID(task.ID(t.TaskArn), t.Container))
	if err != nil {
		return nil, err
	}
	return a.network.Dial(ctx, containerSandbox(&v, t.Container), network.Names(n), t.Host, t.Port)
}

// containerSandbox is where a container's connections come from.
func containerSandbox(v *task.View, container string) task.Sandbox {
	for i := range v.State.Nets {
		if n := &v.State.Nets[i]; n.Container == container {
			return n.Sandbox
		}
	}
	return sandboxOf(v)
}

// execDialPatience bounds the opening of a session's connection.
const execDialPatience = 10 * time.Second

// handleExec does what the control plane asks of sessions.
func (l *link) handleExec(ctx context.Context, conn *acs.Conn, msg any) error {
	switch m := msg.(type) {
	case *acs.RoadsteadOpenExec:
		return conn.Send(ctx, opened(m.MessageID, l.agent.exec.Open(m)))
	case *acs.RoadsteadAttachExec:
		endpoint := l.endpoint
		err := l.agent.exec.Attach(m.SessionID, func(ctx context.Context) (exec.Conn, error) {
			return l.agent.dialExec(ctx, endpoint, m.SessionID)
		})
		return conn.Send(ctx, opened(m.MessageID, err))
	case *acs.RoadsteadEndExec:
		l.agent.exec.End(m.SessionID)
	case *acs.RoadsteadExecNoted:
		l.agent.exec.Noted(m.SessionID)
	}
	return nil
}

func opened(id string, err error) acs.RoadsteadExecOpened {
	answer := acs.RoadsteadExecOpened{MessageID: id}
	if err != nil {
		answer.Error = err.Error()
	}
	return answer
}

// tellExec sends the records of sessions that are over, all of them over a new connection.
func (l *link) tellExec(ctx context.Context, conn *acs.Conn) {
	sent := map[string]bool{}
	for {
		for _, r := range l.agent.exec.Records() {
			if sent[r.SessionID] {
				continue
			}
			if conn.Send(ctx, r) != nil {
				return
			}
			sent[r.SessionID] = true
		}
		select {
		case <-l.agent.exec.News():
		case <-ctx.Done():
			return
		}
	}
}

// dialExec opens the connection that carries a session's frames.
func (a *Agent) dialExec(ctx context.Context, endpoint, session string) (exec.Conn, error) {
	r, err := a.client.SignedRequest(ctx, "ecs", strings.TrimSuffix(endpoint, "/")+acs.ExecNodePath+session)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, execDialPatience)
	defer cancel()
	ws, resp, err := websocket.Dial(ctx, r.URL.String(), &websocket.DialOptions{HTTPHeader: r.Header}) //nolint:bodyclose // websocket.Dial closes it, and leaves a buffered copy
	if err != nil {
		return nil, explainRefusal(resp, err)
	}
	ws.SetReadLimit(acs.MaxFrame)
	return execConn{ws}, nil
}

// execConn carries frames over a websocket.
type execConn struct{ ws *websocket.Conn }

func (c execConn) Read(ctx context.Context) ([]byte, error) {
	_, b, err := c.ws.Read(ctx)
	return b, err
}

func (c execConn) Write(ctx context.Context, frame []byte) error {
	return c.ws.Write(ctx, websocket.MessageBinary, frame)
}

func (c execConn) Close() { _ = c.ws.CloseNow() }
