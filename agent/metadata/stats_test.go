package metadata_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/roadstead/roadstead/agent/metadata"
	"github.com/roadstead/roadstead/agent/task"
)

// [D] AGENT-PROTOCOL §4.2: what containers use; null of those that do not run. The statuses of unknown ids are the agent's.
func TestStats(t *testing.T) {
	v := view("t1", "bridge", "app=10.0.0.2", "side=10.0.0.3")
	s := metadata.New(metadata.Config{
		Secret: []byte("secret"), Tasks: func() []task.View { return []task.View{v} },
		Stats: func(v *task.View, i int) any {
			if v.Task.Containers[i].Name == "side" {
				return nil
			}
			return map[string]int{"cpu": 1}
		},
	})
	app, side := s.ID("t1", "app"), s.ID("t1", "side")
	for _, c := range []struct {
		rule, path, from string
		status           int
		want             string
	}{
		{"a container", "/" + app + "/stats", "10.0.0.2", 200, `{"cpu":1}`},
		{"one that does not run", "/" + side + "/stats", "10.0.0.3", -1, `"Unable to get container stats for: t1-side"`},
		{"its task", "/" + side + "/task/stats", "10.0.0.3", 200, `{"t1-app":{"cpu":1},"t1-side":null}`},
		{"a neighbour's", "/" + app + "/stats", "10.0.0.3", 0,
			`"V? container stats handler: unable to get task arn from request: unable to get task Arn from v3 endpoint ID: ` + app + `"`},
		{"nobody's", "/nope/task/stats", "10.0.0.3", 0,
			`"V? task stats handler: unable to get task arn from request: unable to get task Arn from v3 endpoint ID: nope"`},
	} {
		for version, unknown := range map[string]int{"3": http.StatusBadRequest, "4": http.StatusNotFound} {
			r := httptest.NewRequest(http.MethodGet, "/v"+version+c.path, nil)
			r.RemoteAddr = c.from + ":1234"
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			status := c.status
			if status == 0 {
				status = unknown
			}
			if status < 0 {
				status = map[string]int{"3": http.StatusBadRequest, "4": http.StatusInternalServerError}[version]
			}
			got := strings.TrimSpace(w.Body.String())
			if want := strings.Replace(c.want, "V?", "V"+version, 1); w.Code != status || got != want {
				t.Errorf("%s, version %s: %d %s\nwant %d %s", c.rule, version, w.Code, got, status, want)
			}
		}
	}
}
