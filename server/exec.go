package server

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/api/ecs"
	"github.com/roadstead/roadstead/api/ssm"
	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/exec"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/session"
	"github.com/roadstead/roadstead/wire"
)

// openExec makes the room that carries sessions with commands in containers.
func (s *Server) openExec() error {
	key, err := s.deriveKey("roadstead exec tokens")
	if err != nil {
		return err
	}
	s.exec = exec.New(exec.Config{
		DB: s.db, Key: key, NewID: newID, Now: s.cfg.Now, Log: s.cfg.Log,
		Nodes: exec.Nodes{
			Open: s.sessions.OpenExec, Attach: s.sessions.AttachExec, End: s.sessions.EndExec,
			Away: func(err error) bool {
				return errors.Is(err, session.ErrNotConnected) || errors.Is(err, context.DeadlineExceeded)
			},
		},
	})
	return nil
}

func (s *Server) execEnded(ctx context.Context, t *model.Task, m *acs.RoadsteadExecEnded) error {
	return s.exec.Ended(ctx, t, m)
}

// executeCommand serves ECS ExecuteCommand.
func (s *Server) executeCommand(ctx context.Context, t *model.Task, container, command string) (ecs.ExecSession, error) {
	p, _ := auth.PrincipalFrom(ctx)
	call, _ := wire.CallFrom(ctx)
	x, err := s.exec.Open(ctx, exec.Request{Task: t, Container: container, Command: command, Terminal: true, Principal: p.ARN})
	if err != nil {
		return ecs.ExecSession{}, err
	}
	return ecs.ExecSession{Container: x.Container, ID: x.ID, StreamURL: exec.StreamURL(call.Base, x.ID), Token: x.Token}, nil
}

// startSession serves SSM StartSession: the same sessions as ExecuteCommand's, and ports.
func (s *Server) startSession(ctx context.Context, scope model.Scope, r ssm.SessionRequest) (ssm.Session, error) {
	t, c := s.sessionTarget(scope, r.Target)
	if t == nil {
		return ssm.Session{}, errTarget(r.Target)
	}
	if _, err := exec.Words(r.Command); err != nil {
		return ssm.Session{}, model.Errorf("InvalidParameters", "The command cannot be split into words: %s.", err) // [I]
	}
	p, _ := auth.PrincipalFrom(ctx)
	call, _ := wire.CallFrom(ctx)
	q := exec.Request{Task: t, Container: c.Name, Command: r.Command, Terminal: true, Principal: p.ARN}
	if r.Port != nil {
		q.Terminal, q.Port = false, &acs.ExecPort{Host: r.Port.Host, Port: r.Port.Number, LocalPort: r.Port.Local}
	}
	x, err := s.exec.Open(ctx, q)
	if err != nil {
		return ssm.Session{}, errTarget(r.Target)
	}
	return ssm.Session{ID: x.ID, StreamURL: exec.StreamURL(call.Base, x.ID), Token: x.Token}, nil
}

func errTarget(t ssm.Target) error {
	return model.Errorf("TargetNotConnected", "%s is not connected.", t) // [O]
}

// sessionTarget is the container that a target names, nil if a session there would be refused.
func (s *Server) sessionTarget(scope model.Scope, at ssm.Target) (*model.Task, *model.Container) {
	t, ok := s.db.Snapshot().Tasks.Get(model.TaskKey(scope, at.Cluster, at.Task))
	if !ok || !t.ExecEnabled || t.Desired == model.TaskStopped {
		return nil, nil
	}
	for i := range t.Containers {
		if c := &t.Containers[i]; c.RuntimeID == at.Runtime && c.Status == model.TaskRunning {
			return t, c
		}
	}
	return nil, nil
}

// connected serves SSM GetConnectionStatus.
func (s *Server) connected(scope model.Scope, at ssm.Target) bool {
	t, _ := s.sessionTarget(scope, at)
	return t != nil
}

// resumeExec and terminateExec serve the operations of SSM that the session-manager-plugin calls.
func (s *Server) resumeExec(ctx context.Context, scope model.Scope, id string) (streamURL, token string, ok bool) {
	x, ok := s.exec.Resume(scope, id)
	if !ok {
		return "", "", false
	}
	call, _ := wire.CallFrom(ctx)
	return exec.StreamURL(call.Base, id), x.Token, true
}

func (s *Server) terminateExec(ctx context.Context, scope model.Scope, id string) error {
	return s.exec.Terminate(ctx, scope, id)
}

// knownSessions serves SSM DescribeSessions.
func (s *Server) knownSessions(scope model.Scope) []ssm.KnownSession {
	var out []ssm.KnownSession
	for _, k := range s.exec.Known(scope) {
		out = append(out, ssm.KnownSession(k))
	}
	return out
}

// execTask opens a session for `roadstead exec`: {cluster, container, command, terminal} -> acs.ExecGrant.
func (s *Server) execTask(r *http.Request, p auth.Principal) (any, error) {
	var in acs.ExecRequest
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		return nil, model.Errorf("InvalidParameterException", "The body is no JSON: %s.", err)
	}
	scope := model.Scope{Account: p.Account, Region: s.cfg.Region}
	t, ok := s.db.Snapshot().Tasks.Get(model.TaskKey(scope, in.Cluster, r.PathValue("id")))
	if !ok {
		return nil, model.Errorf("InvalidParameterException", "The referenced task was not found.")
	}
	x, err := s.exec.Open(r.Context(), exec.Request{
		Task: t, Container: in.Container, Args: in.Command, Terminal: in.Terminal, Plain: true, Principal: p.ARN,
	})
	if err != nil {
		return nil, err
	}
	target := model.SessionTarget{Cluster: t.Cluster, Task: t.ID, Runtime: x.Container.RuntimeID}
	return acs.ExecGrant{SessionID: x.ID, StreamURL: exec.StreamURL(wire.Base(r), x.ID), Token: x.Token, Target: target.String()}, nil
}
