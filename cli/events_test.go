package cli

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/roadstead/roadstead/client"
)

// Each event is a line that a person can read.
func TestEventRows(t *testing.T) {
	const head = `{"version":"0","time":"2026-11-25T10:00:00.000Z",`
	var out strings.Builder
	x := eventPrinter{stdout: &out}
	for i, line := range []string{
		head + `"resources":["arn:aws:ecs:us-east-1:0:task/c/1"],"detail":{"lastStatus":"RUNNING","desiredStatus":"RUNNING","group":"family:web"}}`,
		head + `"resources":["arn:aws:ecs:us-east-1:0:task/c/1"],"detail":{"lastStatus":"STOPPED","desiredStatus":"STOPPED","group":"family:web","stopCode":"UserInitiated","stoppedReason":"enough"}}`,
		head + `"resources":["arn:aws:ecs:us-east-1:0:container-instance/c/2"],"detail":{"status":"ACTIVE","agentConnected":false}}`,
		head + `"resources":["arn:aws:ecs:us-east-1:0:service/c/web"],"detail":{"eventType":"INFO","eventName":"SERVICE_STEADY_STATE"}}`,
		head + `"resources":["arn:aws:ecs:us-east-1:0:task/c/1"],"detail":{"sessionId":"s","containerName":"app","principal":"arn:aws:iam::0:root","command":["sh","-c","x y"]}}`,
		head + `"resources":["arn:aws:ecs:us-east-1:0:task/c/1"],"detail":{"sessionId":"s","containerName":"app","principal":"arn:aws:iam::0:root","command":["sh"],"endedAt":5,"bytesIn":3,"bytesOut":4,"exitCode":7,"reason":"x"}}`,
		head + `"resources":["arn:aws:ecr:us-east-1:0:repository/web"],"detail":{"repositoryName":"web","imageDigest":"sha256:1","imageTag":"v1","principal":"arn:aws:iam::1:root","principalAccount":"1"}}`,
	} {
		if err := x.print(strings.NewReader(strings.Replace(line, "{", fmt.Sprintf(`{"id":"%d",`, i), 1) + "\n")); err != nil {
			t.Fatal(err)
		}
	}
	const want = `2026-11-25T10:00:00.000Z  task/c/1  RUNNING [family:web]
2026-11-25T10:00:00.000Z  task/c/1  STOPPED UserInitiated: enough [family:web]
2026-11-25T10:00:00.000Z  container-instance/c/2  ACTIVE, agent not connected
2026-11-25T10:00:00.000Z  service/c/web  INFO SERVICE_STEADY_STATE
2026-11-25T10:00:00.000Z  task/c/1  exec in app by arn:aws:iam::0:root: ["sh" "-c" "x y"]
2026-11-25T10:00:00.000Z  task/c/1  exec in app by arn:aws:iam::0:root: ["sh"] ended: exit code 7, 3 bytes in, 4 out
2026-11-25T10:00:00.000Z  repository/web  v1 sha256:1 pulled by account 1: arn:aws:iam::1:root
`
	if out.String() != want {
		t.Errorf("got:\n%swant:\n%s", out.String(), want)
	}
}

// A follower goes on where it was when a connection breaks, and prints nothing twice; who is nowhere yet is told.
func TestFollowedEventsOutlastTheServer(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var since []string
	event := func(id, at string) string {
		return fmt.Sprintf(`{"id":%q,"time":%q,"resources":["arn:aws:ecs:us-east-1:0:service/c/web"],"detail":{"eventName":%q}}`+"\n", id, at, id)
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		since = append(since, r.FormValue("since"))
		switch len(since) {
		case 1:
			fmt.Fprint(w, event("e2", "1970-01-01T00:00:07.250Z"))
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler) // in the middle of the answer
		case 2:
			fmt.Fprint(w, event("e2", "1970-01-01T00:00:07.250Z")+event("e3", "1970-01-01T00:00:07.250Z")+event("e4", "1970-01-01T00:00:08Z"))
		case 3:
			cancel()
		}
	}))
	defer srv.Close()
	c, err := client.New(client.Config{Endpoint: srv.URL, AccessKeyID: "k", Secret: "s", Region: "us-east-1", Patience: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var out, said bytes.Buffer
	x := eventPrinter{client: c, follow: true, stdout: &out, stderr: &said, since: 5}
	if err := x.run(ctx); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(since, " "); got != "5 7250 8000" {
		t.Errorf("asked for events since %s", got)
	}
	for _, id := range []string{"e2", "e3", "e4"} {
		if strings.Count(out.String(), " "+id) != 1 {
			t.Errorf("%s is not there once:\n%s", id, &out)
		}
	}
	if strings.Count(said.String(), "Trying again") != 1 {
		t.Errorf("it said %q", &said)
	}
	if _, stderr, code := run(t, "events", "--follow", "--endpoint", "http://127.0.0.1:1"); code == 0 || !strings.Contains(stderr, "roadstead dev") {
		t.Errorf("with nobody there: exit %d, %q", code, stderr)
	}
}
