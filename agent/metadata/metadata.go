// Package metadata answers what the containers of a node ask about themselves, at the addresses that they find in their
// environment: the metadata of container and task (/v2, /v3, /v4), what they use, the credentials of their task's role (/v1, /v2), and
// their task's protection from scale-in and faults in its network (/api).
//
// A container gets its own task only, known by an id in the path that nobody can guess and by the address it asks from. The
// package must not know how containers reach it, nor who keeps the tasks: it looks at a table that is handed in.
package metadata

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/time/rate"

	"github.com/roadstead/roadstead/agent/task"
)

// Config is what a Server works with.
type Config struct {
	Secret []byte             // of the node; ids are made of it, so they outlive the agent
	Tasks  func() []task.View // that the node has now
	Zone   string             // of the node
	// Stats is what container i of a task uses, in Docker's shape; nil if nothing is known, as of one that does not run.
	Stats func(v *task.View, i int) any
	// Storage is how much of the task's own storage is used, and how much there is, in MiB; not ok if it has none. It may be nil.
	Storage     func(taskID string) (used, reserved int64, ok bool)
	Subnet      netip.Prefix  // of tasks on the node
	Snapshotter string        // that keeps containers' file systems
	Instance    func() string // the ARN of the node's container instance, "" before it has registered
	// Own says whether an address is one of the node's, from which tasks of mode host ask.
	Own    func(netip.Addr) bool
	Faults Faults
	Log    *slog.Logger
	// Call calls an operation of ECS in the node's name. A refusal is a *model.Error.
	Call func(ctx context.Context, op string, in, out any) error
}

// Timeout is how long reading a request and writing its answer may take (AGENT-PROTOCOL §4.2).
const Timeout = 5 * time.Second

// Server is the metadata server's handler.
type Server struct {
	cfg    Config
	mux    *http.ServeMux
	limits limits

	faults sync.Mutex // held while a task's faults are looked at or changed
}

// New makes a Server.
func New(cfg Config) *Server {
	s := &Server{cfg: cfg, mux: http.NewServeMux(), limits: limits{by: map[string]*rate.Limiter{}}}
	s.mux.HandleFunc("GET /api/{id}/task-protection/v1/state", s.getProtection)
	s.mux.HandleFunc("PUT /api/{id}/task-protection/v1/state", s.putProtection)
	for _, v := range []version{v3, v4} { // the agent looks at no method here [O]
		s.mux.HandleFunc(v.path+"/{id}", s.getContainer(v))
		s.mux.HandleFunc(v.path+"/{id}/task", s.getTask(v, false))
		s.mux.HandleFunc(v.path+"/{id}/taskWithTags", s.getTask(v, true))
		s.mux.HandleFunc(v.path+"/{id}/stats", s.containerStats(v))
		s.mux.HandleFunc(v.path+"/{id}/task/stats", s.taskStats(v))
		s.mux.HandleFunc(v.path+"/{id}/associations/{type}", s.associations(v))
		s.mux.HandleFunc(v.path+"/{id}/associations/{type}/{name...}", s.association(v))
	}
	s.routesV2()
	s.faultRoutes()
	s.mux.HandleFunc("/v1/credentials", s.credentials("CredentialsV1Request: ", func(r *http.Request) string { return r.URL.Query().Get("id") }))
	s.mux.HandleFunc("/v2/credentials/{id...}", s.credentials("CredentialsV2Request: ", func(r *http.Request) string { return r.PathValue("id") }))
	return s
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Rate-Limit-Limit", fmt.Sprintf("%.2f", float64(perSecond)))
	h.Set("X-Rate-Limit-Duration", "1")
	h.Set("X-Rate-Limit-Request-Remote-Addr", r.RemoteAddr)
	if !s.admit(r) {
		h.Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(http.StatusTooManyRequests)
		_, _ = io.WriteString(w, "You have reached maximum request limit.")
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
	return map[string]string{
		"ECS_AGENT_URI":                 "http://" + host + "/api/" + id,
		"ECS_CONTAINER_METADATA_URI":    "http://" + host + "/v3/" + id,
		"ECS_CONTAINER_METADATA_URI_V4": "http://" + host + "/v4/" + id,
	}
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
