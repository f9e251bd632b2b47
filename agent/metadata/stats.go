package metadata

import (
	"net/http"

	"github.com/roadstead/roadstead/agent/task"
)

// containerStats answers what the asking container uses, in Docker's shape (AGENT-PROTOCOL §4.2) [D].
func (s *Server) containerStats(version version) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v, name, ok := s.asker(r)
		if !ok {
			answer(w, version.unknownStats, version.name+" container stats handler: "+unknownTask(r))
			return
		}
		i := index(&v, name)
		stats := s.cfg.Stats(&v, i)
		if stats == nil {
			answer(w, version.noStats, "Unable to get container stats for: "+task.ContainerID(task.ID(v.Task.Arn), name))
			return
		}
		answer(w, http.StatusOK, stats)
	}
}

// taskStats answers what all containers of the task use, by their ids; null for those that do not run.
func (s *Server) taskStats(version version) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v, _, ok := s.asker(r)
		if !ok {
			answer(w, version.unknownStats, version.name+" task stats handler: "+unknownTask(r))
			return
		}
		answer(w, http.StatusOK, s.statsOf(&v))
	}
}

func (s *Server) statsOf(v *task.View) map[string]any {
	out := map[string]any{}
	for i := range v.Task.Containers {
		out[task.ContainerID(task.ID(v.Task.Arn), v.Task.Containers[i].Name)] = s.cfg.Stats(v, i)
	}
	return out
}
