package metadata

import (
	"net/http"

	"github.com/roadstead/roadstead/agent/task"
)

// version is one of the endpoint's two versions that know containers by ids, where they differ (AGENT-PROTOCOL §4.2) [D].
type version struct {
	name, path   string
	unknown      int // the status that an unknown id gets
	unknownStats int // and of the stats paths
	noStats      int // of a container that does not run
}

var ( // constants
	v3 = version{name: "V3", path: "/v3", unknown: http.StatusInternalServerError, unknownStats: http.StatusBadRequest, noStats: http.StatusBadRequest}
	v4 = version{name: "V4", path: "/v4", unknown: http.StatusNotFound, unknownStats: http.StatusNotFound, noStats: http.StatusInternalServerError}
)

// unknownTask is what an id that belongs to no task, or not to who asks, gets.
func unknownTask(r *http.Request) string {
	return "unable to get task arn from request: unable to get task Arn from v3 endpoint ID: " + r.PathValue("id")
}

// index is where the container is in its task.
func index(v *task.View, name string) int {
	for i := range v.Task.Containers {
		if v.Task.Containers[i].Name == name {
			return i
		}
	}
	return -1
}
