package cli

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// taskPlane is a control plane with tasks in cluster prod, one of which has stopped; it notes which story was asked for.
func taskPlane(t *testing.T) (asked *string) {
	t.Helper()
	asked = new(string)
	tasks := map[string][]string{
		"RUNNING": {"0123456789abcdef0123456789abcdef", "0123456789ab00000000000000000000"},
		"STOPPED": {"cafe0000000000000000000000000000"},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /", func(w http.ResponseWriter, r *http.Request) {
		var in struct{ Cluster, DesiredStatus string }
		_ = json.NewDecoder(r.Body).Decode(&in)
		arns := []string{}
		if in.Cluster == "prod" {
			for _, id := range tasks[in.DesiredStatus] {
				arns = append(arns, "arn:aws:ecs:us-east-1:000000000000:task/prod/"+id)
			}
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"taskArns": arns})
	})
	mux.HandleFunc("GET /roadstead/v1/tasks/{id}/explain", func(w http.ResponseWriter, r *http.Request) {
		*asked = r.FormValue("cluster") + "/" + r.PathValue("id")
		fmt.Fprint(w, `{"taskArn":"x/y","lastStatus":"RUNNING","desiredStatus":"RUNNING"}`)
	})
	mux.HandleFunc("GET /roadstead/v1/services/{name}/explain", func(w http.ResponseWriter, r *http.Request) {
		if r.PathValue("name") == "beef" {
			*asked = r.FormValue("cluster") + "/service " + r.PathValue("name")
			fmt.Fprint(w, `{"serviceArn":"x/beef"}`)
			return
		}
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"__type":"ServiceNotFoundException","message":"Service not found."}`)
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	t.Setenv("ROADSTEAD_ENDPOINT", srv.URL)
	return asked
}

// Whatever a table shows of a task is enough to name it; what is not is said with what would be.
func TestTasksAreNamedByWhatTablesShow(t *testing.T) {
	for args, want := range map[string]struct{ asked, stderr string }{
		"0123456789abcdef0123456789abcdef --cluster prod": {"prod/0123456789abcdef0123456789abcdef", ""},
		"0123456789abc --cluster prod":                    {"prod/0123456789abcdef0123456789abcdef", ""},
		"cafe --cluster prod":                             {"prod/cafe0000000000000000000000000000", ""},
		"arn:aws:ecs:us-east-1:000000000000:task/prod/0123456789abcdef0123456789abcdef": {"prod/0123456789abcdef0123456789abcdef", ""},
		"beef --cluster prod": {"prod/service beef", ""},
		"arn:aws:ecs:us-east-1:000000000000:service/prod/beef": {"prod/service beef", ""},
		"0123456789ab --cluster prod":                          {"", "any of 2 tasks in cluster prod, say more of its id:\n  0123456789abcdef0123456789abcdef\n  0123456789ab0000"},
		"0123456789ac --cluster prod":                          {"", "begins with 0123456789ac: look at `roadstead ps --all`"},
		"cafe":                                                 {"", "no task's id in cluster default begins with cafe"},
		"web":                                                  {"", "roadstead: ServiceNotFoundException: Service not found.\n`aws ecs list-services`"},
		"arn:aws:ecs:us-east-1:000000000000:service/prod/nothing --cluster of-no-importance": {"", "Service not found."},
	} {
		asked := taskPlane(t)
		_, stderr, code := run(t, append([]string{"explain"}, strings.Fields(args)...)...)
		if *asked != want.asked || !strings.Contains(stderr, want.stderr) || (code == 0) != (want.stderr == "") {
			t.Errorf("%s: exit %d, it asked for %q and said %q", args, code, *asked, stderr)
		}
	}
}

// The environment says who calls, as it does for the AWS command line.
func TestTemporaryCredentialsAreUsed(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Amz-Security-Token") != "session" {
			t.Errorf("token %q", r.Header.Get("X-Amz-Security-Token"))
		}
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"__type":"ExpiredTokenException","message":"The security token included in the request is expired"}`)
	}))
	defer srv.Close()
	t.Setenv("ROADSTEAD_ENDPOINT", srv.URL)
	t.Setenv("AWS_SESSION_TOKEN", "session")
	if _, stderr, code := run(t, "ps"); code == 0 || !strings.Contains(stderr, "unset AWS_SESSION_TOKEN") {
		t.Errorf("exit %d, %q", code, stderr)
	}
}
