package metadata

import (
	"crypto/hmac"
	"net/http"
	"net/netip"
	"strings"
	"sync"

	"golang.org/x/time/rate"

	"github.com/roadstead/roadstead/agent/task"
)

// Limits of the original agent (AGENT-PROTOCOL §4.2) [O]. It has one for the whole node; here every task has them, as on Fargate, where
// a task has an agent of its own: none takes away what others may ask [I].
const (
	perSecond = 40
	burst     = 60
)

// limits is how much each task may ask. What is no task's has one limit together.
type limits struct {
	mu sync.Mutex
	by map[string]*rate.Limiter // by task ARN; "" is nobody's
}

// allow counts a request. tasks is how many the node has: of more, limits that nobody uses are let go of.
func (l *limits) allow(arn string, tasks int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	one, ok := l.by[arn]
	if !ok {
		if len(l.by) > 2*tasks+16 {
			for other, is := range l.by {
				if is.Tokens() >= burst { // a new one is no different
					delete(l.by, other)
				}
			}
		}
		one = rate.NewLimiter(perSecond, burst)
		l.by[arn] = one
	}
	return one.Allow()
}

// admit says whether the task that asks may ask now.
func (s *Server) admit(r *http.Request) bool {
	tasks := s.cfg.Tasks()
	return s.limits.allow(s.whose(r, tasks), len(tasks))
}

// whose is the ARN of the task that asks, known by its address, or on the node's own by the id in the path; "" if it is none's.
func (s *Server) whose(r *http.Request, tasks []task.View) string {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	for i := range tasks {
		v := &tasks[i]
		if !v.State.StoppedAt.IsZero() {
			continue
		}
		for j := range v.Task.Containers {
			name := v.Task.Containers[j].Name
			if (v.Task.NetworkMode != "host" || s.named(r, v, name)) && s.lives(v, name, at.Addr().Unmap()) {
				return v.Task.Arn
			}
		}
	}
	return ""
}

// named says whether the path has the container's id, or that of its task's credentials.
func (s *Server) named(r *http.Request, v *task.View, container string) bool {
	var id string
	switch p := strings.Split(r.URL.Path, "/"); {
	case len(p) > 2 && p[2] == "credentials":
		if id = r.URL.Query().Get("id"); len(p) > 3 {
			id = p[3]
		}
		c := v.Task.RoleCredentials
		return c != nil && hmac.Equal([]byte(id), []byte(c.CredentialsID))
	case len(p) > 2:
		id = p[2]
	}
	return hmac.Equal([]byte(id), []byte(s.ID(task.ID(v.Task.Arn), container)))
}
