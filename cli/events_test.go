package cli

import (
	"strings"
	"testing"
)

// Each event is a line that a person can read.
func TestEventRows(t *testing.T) {
	const head = `{"version":"0","time":"2026-11-25T10:00:00.000Z",`
	var out strings.Builder
	w, done := eventTable(&out)
	for _, line := range []string{
		head + `"resources":["arn:aws:ecs:us-east-1:0:task/c/1"],"detail":{"lastStatus":"RUNNING","desiredStatus":"RUNNING","group":"family:web"}}`,
		head + `"resources":["arn:aws:ecs:us-east-1:0:task/c/1"],"detail":{"lastStatus":"STOPPED","desiredStatus":"STOPPED","group":"family:web","stopCode":"UserInitiated","stoppedReason":"enough"}}`,
		head + `"resources":["arn:aws:ecs:us-east-1:0:container-instance/c/2"],"detail":{"status":"ACTIVE","agentConnected":false}}`,
		head + `"resources":["arn:aws:ecs:us-east-1:0:service/c/web"],"detail":{"eventType":"INFO","eventName":"SERVICE_STEADY_STATE"}}`,
		head + `"resources":["arn:aws:ecs:us-east-1:0:task/c/1"],"detail":{"sessionId":"s","containerName":"app","principal":"arn:aws:iam::0:root","command":["sh","-c","x y"]}}`,
		head + `"resources":["arn:aws:ecs:us-east-1:0:task/c/1"],"detail":{"sessionId":"s","containerName":"app","principal":"arn:aws:iam::0:root","command":["sh"],"endedAt":5,"bytesIn":3,"bytesOut":4,"exitCode":7,"reason":"x"}}`,
		head + `"resources":["arn:aws:ecr:us-east-1:0:repository/web"],"detail":{"repositoryName":"web","imageDigest":"sha256:1","imageTag":"v1","principal":"arn:aws:iam::1:root","principalAccount":"1"}}`,
	} {
		if _, err := w.Write([]byte(line + "\n")); err != nil {
			t.Fatal(err)
		}
	}
	if err := done(); err != nil {
		t.Fatal(err)
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
