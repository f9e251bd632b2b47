package server

import (
	"io"
	"net/http"

	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/wire"
)

// plan answers what the RunTask in the body would do: the same JSON as the call's.
func (s *Server) plan(r *http.Request, p auth.Principal) (any, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var in sdk.RunTaskInput
	if err := wire.Unmarshal(body, &in); err != nil {
		return nil, model.Errorf("SerializationException", "The body is not the JSON of a RunTask: %s.", err)
	}
	p.Region = s.cfg.Region
	return s.planner.RunTask(auth.WithPrincipal(r.Context(), p), &in)
}

// explainTask tells why a task is where it is: ?cluster=.
func (s *Server) explainTask(r *http.Request, p auth.Principal) (any, error) {
	p.Region = s.cfg.Region
	return s.planner.Task(auth.WithPrincipal(r.Context(), p), r.URL.Query().Get("cluster"), r.PathValue("id"))
}
