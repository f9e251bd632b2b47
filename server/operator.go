package server

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/session"
)

// operatorRoutes are the calls that ECS has no word for. All are signed (service "roadstead") with a root key, and about its account;
// those about the whole deployment with the operator's (deployment).
func (s *Server) operatorRoutes(mux *http.ServeMux) {
	mux.HandleFunc("POST /roadstead/v1/reset", s.operator(s.deployment(s.reset)))
	mux.HandleFunc("POST /roadstead/v1/join-tokens", s.operator(s.createJoinToken))
	mux.HandleFunc("POST "+acs.MembersPath, s.operator(s.deployment(s.addMember)))
	mux.Handle("GET "+acs.MembersPath, s.signed("DiscoverPollEndpoint", s.listMembers)) // by nodes
	mux.HandleFunc("POST /roadstead/v1/plan", s.operator(s.plan))
	mux.HandleFunc("GET /roadstead/v1/tasks/{id}/logs", s.operator(s.taskLogs))
	mux.HandleFunc("POST /roadstead/v1/tasks/{id}/exec", s.operator(s.execTask))
	mux.HandleFunc("GET /roadstead/v1/tasks/{id}/explain", s.operator(s.explainTask))
	mux.HandleFunc("GET /roadstead/v1/services/{name}/explain", s.operator(s.explainService))
	mux.HandleFunc("GET /roadstead/v1/usage", s.operator(s.usage))
	mux.HandleFunc("GET /roadstead/v1/reports/roles", s.operator(s.reportRoles))
	mux.HandleFunc("GET /roadstead/v1/pulls", s.operator(s.pulls))
	mux.HandleFunc("GET /roadstead/v1/events", s.operatorStream(s.events))
	s.accountRoutes(mux)
}

// maxOperatorBody bounds a body of these calls, in bytes.
const maxOperatorBody = 1 << 20

// operator wraps a call: it verifies the sender, and writes the answer or the refusal as JSON.
func (s *Server) operator(call func(r *http.Request, p auth.Principal) (any, error)) http.HandlerFunc {
	return s.operatorUpTo(maxOperatorBody, call)
}

// operatorUpTo is operator with bodies of up to so many bytes.
func (s *Server) operatorUpTo(limit int64, call func(r *http.Request, p auth.Principal) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
		if err != nil {
			refuse(w, http.StatusRequestEntityTooLarge, model.Errorf("InvalidParameterException", "The body is larger than %d bytes.", limit))
			return
		}
		p, err := s.verifier.Verify(r, body)
		if err == nil {
			err = auth.Allowed(p, "roadstead", r.Method)
		}
		var answer any
		if err == nil {
			r.Body = io.NopCloser(bytes.NewReader(body))
			answer, err = call(r, p)
		}
		var refusal *model.Error
		switch {
		case errors.As(err, &refusal):
			refuse(w, http.StatusBadRequest, refusal)
		case err != nil:
			s.cfg.Log.Error("operator call", "path", r.URL.Path, "err", err)
			refuse(w, http.StatusInternalServerError, model.Errorf("ServerException", "%s", err))
		default:
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(answer)
		}
	}
}

// operatorStream wraps a call that writes its answer by itself, bit by bit: it verifies the sender.
func (s *Server) operatorStream(call http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		p, err := s.verifier.Verify(r, nil)
		if err == nil {
			err = auth.Allowed(p, "roadstead", r.Method)
		}
		if err != nil {
			var refusal *model.Error
			if !errors.As(err, &refusal) {
				s.cfg.Log.Error("operator call", "path", r.URL.Path, "err", err)
				refusal = model.Errorf("ServerException", "internal error")
			}
			refuse(w, http.StatusBadRequest, refusal)
			return
		}
		call(w, r.WithContext(auth.WithPrincipal(r.Context(), p)))
	}
}

// resetPatience bounds how long a reset waits for nodes: to stop their tasks, and to register again.
const resetPatience = 5 * time.Second

// reset stops all tasks and empties all state but accounts and their keys. Only a dev server does it.
func (s *Server) reset(r *http.Request, _ auth.Principal) (any, error) {
	if !s.cfg.Dev {
		return nil, model.Errorf("UnsupportedFeatureException", "Only a server started with `roadstead dev` can be reset.")
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(r.Context(), resetPatience)
	defer cancel()
	nodes := s.sessions.Reset(ctx)
	if err := s.db.Wipe(ctx, "accounts", "accesskeys"); err != nil {
		return nil, err
	}
	if err := s.registry.Wipe(); err != nil {
		return nil, err
	}
	if err := s.seedAnew(ctx); err != nil {
		return nil, err
	}
	s.sessions.Disconnect()
	if err := s.AwaitNodes(ctx, nodes); err != nil {
		return nil, fmt.Errorf("wait for %d nodes to register again: %w", nodes, err)
	}
	return map[string]any{"nodes": nodes, "seconds": time.Since(began).Seconds()}, nil
}

// joinToken is what a node with the key is started with.
func joinToken(key model.AccessKey, region string) string {
	return acs.JoinToken{KeyID: key.ID, Secret: key.Secret, Region: region}.String()
}

// taskLogs reads a task's log records from its node: ?cluster=&container=&offset=&limit=, see acs.RoadsteadReadLogs.
func (s *Server) taskLogs(r *http.Request, p auth.Principal) (any, error) {
	q := r.URL.Query()
	cluster := q.Get("cluster")
	if cluster == "" {
		cluster = model.DefaultCluster
	}
	scope := model.Scope{Account: p.Account, Region: s.cfg.Region}
	t, ok := s.db.Snapshot().Tasks.Get(model.TaskKey(scope, cluster, r.PathValue("id")))
	if !ok {
		return nil, model.Errorf("InvalidParameterException", "The referenced task was not found.")
	}
	offset, _ := strconv.ParseInt(q.Get("offset"), 10, 64)
	limit, err := strconv.Atoi(q.Get("limit"))
	if err != nil || limit <= 0 || limit > 10_000 {
		limit = 1000
	}
	if t.Instance == "" {
		return nil, noLogs(t, session.ErrNotConnected)
	}
	logs, err := s.sessions.ReadLogs(r.Context(), t, acs.RoadsteadReadLogs{Container: q.Get("container"), Offset: offset, Limit: limit})
	if err != nil {
		return nil, noLogs(t, err)
	}
	return map[string]any{"records": logs.Records, "offset": logs.Offset, "stopped": t.Last == model.TaskStopped}, nil
}

// noLogs says why a task's logs cannot be read: of one that has not started, that it has not, whatever its node said. Whoever follows
// logs waits for it then.
func noLogs(t *model.Task, err error) error {
	refused := func(format string, args ...any) error {
		return model.Errorf("InvalidParameterException", format, args...)
	}
	refusal := model.ErrorCode(err) != "" // the node has none
	switch {
	case t.Instance == "" && t.Last == model.TaskStopped:
		return refused("The task stopped before it was placed on a node, so it has no logs: %s", cmp.Or(t.StopReason, "it was stopped."))
	case t.Instance == "", refusal && t.StartedAt == 0 && t.Last != model.TaskStopped:
		return refused("The task has not started: it is %s. Look at `roadstead explain %s`.", t.Last, t.ID)
	case errors.Is(err, session.ErrNotConnected):
		return refused("The node of the task is not connected, so its logs cannot be read now. Look at `roadstead ps --nodes`.")
	case errors.Is(err, session.ErrStockAgent):
		return refused("The task runs under the Amazon ECS agent, so its logs are on its node, with Docker, or where its log driver sends them.")
	}
	return err
}
