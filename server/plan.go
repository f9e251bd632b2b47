package server

import (
	"io"
	"net/http"

	"github.com/roadstead/roadstead/auth"
)

// plan answers what the RunTask, CreateService or UpdateService in the body would do: the same JSON as the call's.
func (s *Server) plan(r *http.Request, p auth.Principal) (any, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	p.Region = s.cfg.Region
	return s.planner.PlanJSON(auth.WithPrincipal(r.Context(), p), body)
}

// explainTask tells why a task is where it is: ?cluster=.
func (s *Server) explainTask(r *http.Request, p auth.Principal) (any, error) {
	p.Region = s.cfg.Region
	return s.planner.Task(auth.WithPrincipal(r.Context(), p), r.URL.Query().Get("cluster"), r.PathValue("id"))
}

// explainService tells why a service is not steady: ?cluster=.
func (s *Server) explainService(r *http.Request, p auth.Principal) (any, error) {
	p.Region = s.cfg.Region
	return s.planner.Service(auth.WithPrincipal(r.Context(), p), r.URL.Query().Get("cluster"), r.PathValue("name"))
}
