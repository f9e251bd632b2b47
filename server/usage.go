package server

import (
	"cmp"
	"net/http"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/session"
)

// taskUsage is what a task uses beside what was set aside for it.
type taskUsage struct {
	Task       string                   `json:"task"` // its id
	Definition string                   `json:"definition"`
	Group      string                   `json:"group"`
	Instance   string                   `json:"instance"`
	Memory     int64                    `json:"memory"` // MiB set aside
	CPU        int64                    `json:"cpu"`    // units set aside
	At         model.Millis             `json:"at"`
	Containers []session.ContainerUsage `json:"containers"`
}

// usage lists what the running tasks of a cluster use, as their nodes said last: ?cluster=. Tasks of which nothing was heard
// yet have no containers.
func (s *Server) usage(r *http.Request, p auth.Principal) (any, error) {
	scope := model.Scope{Account: p.Account, Region: s.cfg.Region}
	out := []taskUsage{}
	for t := range s.db.Snapshot().TasksOf(scope, cmp.Or(r.URL.Query().Get("cluster"), model.DefaultCluster)) {
		if t.Last != model.TaskRunning {
			continue
		}
		u := taskUsage{Task: t.ID, Definition: t.Definition, Group: t.Group, Instance: t.Instance, Memory: t.Reserved.Memory, CPU: t.Reserved.CPU}
		if is := s.sessions.Usage(t.Key()); is != nil {
			u.At, u.Containers = is.At, is.Containers
		}
		out = append(out, u)
	}
	return map[string]any{"tasks": out}, nil
}

// pulls lists the images that tasks of a cluster wait for, by task id: ?cluster=.
func (s *Server) pulls(r *http.Request, p auth.Principal) (any, error) {
	scope := model.Scope{Account: p.Account, Region: s.cfg.Region}
	out := map[string][]acs.Pull{}
	for t := range s.db.Snapshot().TasksOf(scope, cmp.Or(r.URL.Query().Get("cluster"), model.DefaultCluster)) {
		if t.Instance == "" || t.Last == model.TaskRunning || t.Last == model.TaskStopped {
			continue
		}
		if pulls := s.sessions.Pulls(t); len(pulls) > 0 {
			out[t.ID] = pulls
		}
	}
	return map[string]any{"pulls": out}, nil
}
