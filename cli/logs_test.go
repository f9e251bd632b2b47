package cli

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
)

// logs prints all pages of all containers, one container after the other; several cannot be followed at once.
func TestLogs(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost { // DescribeTasks
			fmt.Fprint(w, `{"tasks":[{"containers":[{"name":"a"},{"name":"b"}]}]}`)
			return
		}
		name, last := r.FormValue("container"), map[string]int{"a": 3, "b": 1}
		from, _ := strconv.Atoi(r.FormValue("offset"))
		if r.URL.Path != "/roadstead/v1/tasks/t1/logs" || last[name] == 0 {
			t.Errorf("asked for %s", r.URL)
		}
		if from >= last[name] {
			fmt.Fprintf(w, `{"records":[],"offset":%d}`, from)
			return
		}
		fmt.Fprintf(w, `{"records":[{"log":"%s%d\n"}],"offset":%d}`, name, from, from+1)
	}))
	defer srv.Close()
	for args, want := range map[string]string{"logs t1": "a0\na1\na2\nb0\n", "logs t1 --container b": "b0\n"} {
		out, stderr, code := run(t, append(strings.Fields(args), "--endpoint", srv.URL)...)
		if out != want || code != 0 {
			t.Errorf("%s: %q, %q, exit %d", args, out, stderr, code)
		}
	}
	_, stderr, code := run(t, "logs", "t1", "--follow", "--endpoint", srv.URL)
	if code == 0 || !strings.Contains(stderr, "--follow needs --container, one of a, b") {
		t.Errorf("follow: exit %d, %q", code, stderr)
	}
}
