package cli

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/roadstead/roadstead/client"
)

// A table that a person can read: the busiest task first, and why there are no figures.
func TestUsageTable(t *testing.T) {
	text := fmt.Sprintf(`[
		{"task":"quiet","definition":"db:1","instance":"0123456789abcdef"},
		{"task":"0123456789abcdef0123","definition":"web:7","instance":"0123456789abcdef","memory":64,"at":%d,"containers":[
			{"name":"app","cpu":12.34,"memory":20.5,"network":true,"rx":2048,"tx":3,"rxRate":100.7,"txRate":0,"read":5242880,"written":1048576000,"restarts":2},
			{"name":"side","cpu":0.04,"memory":1}]}]`, time.Now().UnixMilli()-3500)
	var tasks []usageView
	if err := json.Unmarshal([]byte(text), &tasks); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := usageTable(tasks, &out, 0); err != nil {
		t.Fatal(err)
	}
	const want = `TASK                  DEFINITION  NODE          CONTAINER  CPU     MEMORY        NET IN             NET OUT      DISK READ  WRITTEN  RESTARTS  SEEN
0123456789abcdef0123  web:7       0123456789ab  app        12.3 %  20 of 64 MiB  2.0 KiB (101 B/s)  3 B (0 B/s)  5.0 MiB    1.0 GiB  2         3s
0123456789abcdef0123  web:7       0123456789ab  side       0.0 %   1 of 64 MiB   -                  -            0 B        0 B      0         3s
quiet                 db:1        0123456789ab  -          not heard of yet: nodes tell every 20 s
`
	if out.String() != want {
		t.Errorf("got:\n%swant:\n%s", out.String(), want)
	}
	for _, width := range []int{80, 120} { // terminals
		out.Reset()
		if err := usageTable(tasks, &out, width); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(out.String()) {
			if len(line) > width+1 && !strings.HasPrefix(line, "(no room") {
				t.Errorf("%d columns are not enough for %s", width, line)
			}
		}
	}
}

// ps says how far the image of a task is that does not run yet.
func TestPullsAreNoted(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/roadstead/v1/pulls" || r.URL.Query().Get("cluster") != "prod" {
			t.Errorf("asked for %s", r.URL)
		}
		_, _ = w.Write([]byte(`{"pulls":{"t1":[{"taskArn":"x","container":"web","done":5242880,"total":104857600}]}}`))
	}))
	defer s.Close()
	c, err := client.New(client.Config{Endpoint: s.URL, AccessKeyID: "k", Secret: "s", Region: "us-east-1"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	tasks := []taskView{{TaskArn: "arn:task/prod/t1", LastStatus: "PENDING"}, {TaskArn: "arn:task/prod/t2", LastStatus: "RUNNING"}}
	if err := addPulls(t.Context(), c, "prod", tasks); err != nil {
		t.Fatal(err)
	}
	if got := tasks[0].note() + "|" + tasks[1].note(); got != "web pulls 5.0 MiB of 100 MiB|" {
		t.Errorf("notes %q", got)
	}
	if err := addPulls(t.Context(), nil, "prod", tasks[1:]); err != nil { // nobody waits: nobody asks
		t.Fatal(err)
	}
}
