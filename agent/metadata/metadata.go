// Package metadata answers what the containers of a node ask about themselves, at the addresses that they find in their
// environment: their task's protection from scale-in (/api), and version 4 of the metadata of container and task (/v4).
// Version 3, statistics and credentials (/v2) have their place here, too.
//
// A container gets its own task only, known by an id in the path that nobody can guess and by the address it asks from. The
// package must not know how containers reach it, nor who keeps the tasks: it looks at a table that is handed in.
package metadata

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/google/uuid"
	"golang.org/x/time/rate"

	"github.com/roadstead/roadstead/agent/task"
)

// Config is what a Server works with; all but Zone is required.
type Config struct {
	Secret []byte             // of the node; ids are made of it, so they outlive the agent
	Tasks  func() []task.View // that the node has now
	Zone   string             // of the node
	// Stats is what container i of a task uses, in Docker's shape; nil if nothing is known, as of one that does not run.
	Stats func(v *task.View, i int) any
	// Own says whether an address is one of the node's, from which tasks of mode host ask.
	Own func(netip.Addr) bool
	// Call calls an operation of ECS in the node's name. A refusal is a *model.Error.
	Call func(ctx context.Context, op string, in, out any) error
}

// Limits of the original agent (AGENT-PROTOCOL §4.2).
const (
	perSecond = 40
	burst     = 60
	// Timeout is how long reading a request and writing its answer may take.
	Timeout = 5 * time.Second
)

// Server is the metadata server's handler.
type Server struct {
	cfg   Config
	mux   *http.ServeMux
	limit *rate.Limiter
}

// New makes a Server.
func New(cfg Config) *Server {
	s := &Server{cfg: cfg, mux: http.NewServeMux(), limit: rate.NewLimiter(perSecond, burst)}
	s.mux.HandleFunc("GET /api/{id}/task-protection/v1/state", s.getProtection)
	s.mux.HandleFunc("PUT /api/{id}/task-protection/v1/state", s.putProtection)
	s.mux.HandleFunc("GET /v4/{id}", s.getContainer)
	s.mux.HandleFunc("GET /v4/{id}/task", s.getTask)
	for _, v := range []version{v3, v4} {
		s.mux.HandleFunc("GET "+v.path+"/{id}/stats", s.containerStats(v))
		s.mux.HandleFunc("GET "+v.path+"/{id}/task/stats", s.taskStats(v))
	}
	return s
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.limit.Allow() {
		w.WriteHeader(http.StatusTooManyRequests)
		return
	}
	s.mux.ServeHTTP(w, r)
}

// ID is the name of a task's container in paths: a uuid that only the node can make.
func (s *Server) ID(taskID, container string) string {
	m := hmac.New(sha256.New, s.cfg.Secret)
	m.Write([]byte(taskID + "/" + container))
	return uuid.UUID(m.Sum(nil)[:16]).String()
}

// Environment is what a container needs to find the server at a host, perhaps with a port (AGENT-PROTOCOL §4.1) [O].
func (s *Server) Environment(host, taskID, container string) map[string]string {
	id := s.ID(taskID, container)
	return map[string]string{"ECS_AGENT_URI": "http://" + host + "/api/" + id, "ECS_CONTAINER_METADATA_URI_V4": "http://" + host + "/v4/" + id}
}

// asker finds the container that asks. One that has the id of another, or is of a task that is over, is not found.
func (s *Server) asker(r *http.Request) (v task.View, container string, ok bool) {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return task.View{}, "", false
	}
	id := []byte(r.PathValue("id"))
	for _, v := range s.cfg.Tasks() {
		if !v.State.StoppedAt.IsZero() {
			continue
		}
		for i := range v.Task.Containers {
			name := v.Task.Containers[i].Name
			if hmac.Equal(id, []byte(s.ID(task.ID(v.Task.Arn), name))) {
				return v, name, s.lives(&v, name, from.Addr().Unmap())
			}
		}
	}
	return task.View{}, "", false
}

// lives says whether the container has the address.
func (s *Server) lives(v *task.View, container string, from netip.Addr) bool {
	if v.Task.NetworkMode == "host" {
		return s.cfg.Own(from)
	}
	n := v.State.Net(container)
	if n == nil {
		return false
	}
	text, _, _ := strings.Cut(n.Sandbox.IPv4, "/")
	own, err := netip.ParseAddr(text)
	return err == nil && own == from
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // who asked may be gone
}
