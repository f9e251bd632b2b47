package metadata

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/roadstead/roadstead/agent/task"
)

// Version 2 knows a task by the address it asks from, so it is for tasks in awsvpc. It shows what version 3 shows
// (AGENT-PROTOCOL §4.2) [D].
func (s *Server) routesV2() {
	for path, tags := range map[string]bool{"/v2/metadata": false, "/v2/metadataWithTags": true} {
		show := s.byAddress(func(w http.ResponseWriter, r *http.Request, v *task.View) {
			t := s.showTask(v)
			if tags {
				s.addTags(r.Context(), &t)
			}
			answer(w, http.StatusOK, t.asV3())
		}, func(w http.ResponseWriter, v *task.View, i int, id string) {
			if i < 0 {
				answer(w, http.StatusBadRequest, "Unable to generate metadata for container '"+id+"'")
				return
			}
			answer(w, http.StatusOK, s.showContainer(v, i).asV3())
		})
		s.mux.HandleFunc(path, show)
		s.mux.HandleFunc(path+"/{container...}", show)
	}
	stats := s.byAddress(func(w http.ResponseWriter, _ *http.Request, v *task.View) {
		answer(w, http.StatusOK, s.statsOf(v))
	}, func(w http.ResponseWriter, v *task.View, i int, id string) {
		if i >= 0 {
			if is := s.cfg.Stats(v, i); is != nil {
				answer(w, http.StatusOK, is)
				return
			}
		}
		answer(w, http.StatusBadRequest, "Unable to get container stats for: "+id)
	})
	s.mux.HandleFunc("/v2/stats", stats)
	s.mux.HandleFunc("/v2/stats/{container...}", stats)
}

// byAddress finds the task that asks, and of a container whose id stands in the path its place in the task, -1 if it is not there.
func (s *Server) byAddress(ofTask func(http.ResponseWriter, *http.Request, *task.View), ofContainer func(http.ResponseWriter, *task.View, int, string)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		from, err := netip.ParseAddrPort(r.RemoteAddr)
		if err != nil {
			answer(w, http.StatusBadRequest, "Unable to get task arn from request: unable to parse request's ip address: "+err.Error())
			return
		}
		v, ok := s.at(from.Addr().Unmap())
		if !ok {
			answer(w, http.StatusBadRequest, "Unable to get task arn from request: unable to associate '"+from.Addr().Unmap().String()+"' with task")
			return
		}
		id := r.PathValue("container")
		if id == "" {
			ofTask(w, r, &v)
			return
		}
		at := -1
		for i := range v.Task.Containers {
			if task.ContainerID(task.ID(v.Task.Arn), v.Task.Containers[i].Name) == id {
				at = i
			}
		}
		ofContainer(w, &v, at, id)
	}
}

// at is the task in awsvpc with the address.
func (s *Server) at(from netip.Addr) (task.View, bool) {
	for _, v := range s.cfg.Tasks() {
		if v.Task.NetworkMode != "awsvpc" || !v.State.StoppedAt.IsZero() || len(v.State.Nets) == 0 {
			continue
		}
		text, _, _ := strings.Cut(v.State.Nets[0].Sandbox.IPv4, "/")
		if ip, err := netip.ParseAddr(text); err == nil && ip == from {
			return v, true
		}
	}
	return task.View{}, false
}
