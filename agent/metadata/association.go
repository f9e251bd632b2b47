package metadata

import "net/http"

// associations answers which devices of a type are associated with the container: none, for nodes have no accelerators to
// hand out (AGENT-PROTOCOL §4.2).
func (s *Server) associations(version version) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if _, _, ok := s.asker(r); !ok {
			answer(w, http.StatusBadRequest, version.name+" container associations handler: unable to get container id from request: "+
				"unable to get docker ID from v3 endpoint ID: "+r.PathValue("id"))
			return
		}
		answer(w, http.StatusOK, map[string][]string{"Associations": {}})
	}
}

// association answers one of them, which there is not.
func (s *Server) association(version version) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v, _, ok := s.asker(r)
		switch name := r.PathValue("name"); {
		case !ok:
			answer(w, http.StatusBadRequest, version.name+" container associations handler: "+unknownTask(r))
		case name == "":
			answer(w, http.StatusBadRequest, version.name+" container associations handler: unable to get association name from request")
		default:
			answer(w, http.StatusBadRequest, "Unable to write container association response: association not found: "+ // [I]
				r.PathValue("type")+" "+name+" of task "+v.Task.Arn)
		}
	}
}
