package cli

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
)

// logPlane is a control plane with task t1, whose containers a and b write in turn; a's second line comes in two parts, one to each
// stream of b. At the end the task has stopped. Every third answer is that the node is away, if it stumbles.
func logPlane(t *testing.T, stumbles bool) string {
	logs := map[string][]string{
		"a": {`{"stream":"stdout","time":"2026-11-26T10:00:00.1Z","log":"a0\n"}`, `{"stream":"stdout","time":"2026-11-26T10:00:00.25Z","log":"a1, "}`,
			`{"stream":"stdout","time":"2026-11-26T10:00:00.25Z","log":"still a1\n"}`, `{"stream":"stdout","time":"2026-11-26T10:00:02Z","log":"a2\n"}`},
		"b": {`{"stream":"stdout","time":"2026-11-26T10:00:00.2Z","log":"b0\n"}`, `{"stream":"stderr","time":"2026-11-26T10:00:01Z","log":"b1\n"}`},
	}
	asked := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost { // DescribeTasks
			fmt.Fprint(w, `{"tasks":[{"containers":[{"name":"a"},{"name":"b"}]}]}`)
			return
		}
		if asked++; stumbles && asked%3 == 0 {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"__type":"InvalidParameterException","message":"The node of the task is not connected."}`)
			return
		}
		log := logs[r.FormValue("container")]
		if r.URL.Path != "/roadstead/v1/tasks/t1/logs" || log == nil {
			t.Errorf("asked for %s", r.URL)
		}
		from, _ := strconv.Atoi(r.FormValue("offset"))
		if from < 0 {
			from += len(log)
		}
		if from >= len(log) {
			fmt.Fprintf(w, `{"records":[],"offset":%d,"stopped":true}`, from)
			return
		}
		fmt.Fprintf(w, `{"records":[%s],"offset":%d}`, log[from], from+1)
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

// Piped, one container comes after the other as it wrote; followed, lines are in their order and say whose they are.
func TestLogs(t *testing.T) {
	for args, want := range map[string]struct{ out, err string }{
		"t1":                          {"a0\na1, still a1\na2\nb0\n", "b1\n"},
		"t1 --container b":            {"b0\n", "b1\n"},
		"t1 --container a --tail 1":   {"a2\n", ""},
		"t1 --container b --follow":   {"b0\n", "b1\n"},
		"t1 --follow":                 {"a | a0\nb | b0\na | a1, still a1\na | a2\n", "b | b1\n"},
		"t1 --follow --container=web": {"", "roadstead: task t1 has no container web: it has a, b\n"},
	} {
		out, stderr, _ := run(t, append([]string{"logs", "--endpoint", logPlane(t, false)}, strings.Fields(args)...)...)
		if out != want.out || stderr != want.err {
			t.Errorf("%s: %q and %q", args, out, stderr)
		}
	}
}

// A node that is away for a while costs a follower nothing but time; who does not follow is told.
func TestFollowedLogsOutlastTroubles(t *testing.T) {
	t.Parallel()
	out, stderr, code := run(t, "logs", "t1", "--follow", "--container", "b", "--endpoint", logPlane(t, true))
	if out != "b0\n" || code != 0 || strings.Count(stderr, "not connected.\nTrying again") != 1 || !strings.Contains(stderr, "b1\n") {
		t.Errorf("exit %d, %q and %q", code, out, stderr)
	}
	if _, stderr, code = run(t, "logs", "t1", "--container", "b", "--endpoint", logPlane(t, true)); code == 0 || !strings.Contains(stderr, "not connected") {
		t.Errorf("exit %d, %q", code, stderr)
	}
}

// A follower waits for a task that has not started, and says so, once for each thing that the task waits for. Who does not follow is told.
func TestFollowedLogsWaitForTheStart(t *testing.T) {
	t.Parallel()
	plane := func() string {
		at := []string{"PROVISIONING", "PENDING", "PENDING"}
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.Method == http.MethodPost: // DescribeTasks
				fmt.Fprint(w, `{"tasks":[{"containers":[{"name":"a"}]}]}`)
			case len(at) > 0:
				w.WriteHeader(http.StatusBadRequest)
				fmt.Fprintf(w, `{"__type":"InvalidParameterException","message":"The task has not started: it is %s."}`, at[0])
				at = at[1:]
			case r.FormValue("offset") == "0":
				fmt.Fprint(w, `{"records":[{"stream":"stdout","log":"at last\n"}],"offset":1}`)
			default:
				fmt.Fprint(w, `{"records":[],"offset":1,"stopped":true}`)
			}
		}))
		t.Cleanup(srv.Close)
		return srv.URL
	}
	out, stderr, code := run(t, "logs", "t1", "--follow", "--endpoint", plane())
	const said = "InvalidParameterException: The task has not started: it is %s.\nWaiting until it does, or Ctrl-C.\n"
	if want := fmt.Sprintf("roadstead: "+said+"roadstead: "+said, "PROVISIONING", "PENDING"); out != "at last\n" || stderr != want || code != 0 {
		t.Errorf("exit %d, %q and %q", code, out, stderr)
	}
	if out, stderr, code = run(t, "logs", "t1", "--endpoint", plane()); out != "" || code != 1 || strings.Count(stderr, "has not started") != 1 {
		t.Errorf("exit %d, %q and %q", code, out, stderr)
	}
}

// Another container's line between the parts of a long one begins a line of its own.
func TestPartsOfLinesAreKeptApart(t *testing.T) {
	var out strings.Builder
	p := &logPrinter{named: true, stdout: &out, stderr: &out}
	for _, r := range []logLine{{container: "a", text: "one, "}, {container: "a", text: "still one, "}, {container: "b", text: "two\n"}, {container: "a", text: "the end of one\n"}} {
		p.write(&r)
	}
	if want := "a | one, still one, \nb | two\na | the end of one\n"; out.String() != want {
		t.Errorf("got %q", out.String())
	}
}
