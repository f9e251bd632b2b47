package cli

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// run runs the command line and returns what it printed and its exit code.
func run(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, err bytes.Buffer
	code = Main(args, &out, &err)
	return out.String(), err.String(), code
}

func TestEveryCommandSaysWhatItIsForWithAnExample(t *testing.T) {
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Hidden || c.Name() == "help" || c.Name() == "completion" {
			return
		}
		if c.Short == "" {
			t.Errorf("%s says nothing", c.CommandPath())
		}
		if c.Runnable() && c.Example == "" && c.Name() != "version" {
			t.Errorf("%s has no example", c.CommandPath())
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(newRoot())
}

func TestErrorsSayWhatToDoNext(t *testing.T) {
	t.Setenv("ROADSTEAD_ENDPOINT", "http://127.0.0.1:1")
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"nobody answers":    {[]string{"ps"}, "roadstead dev"},
		"no such command":   {[]string{"sail"}, "unknown command"},
		"too many nodes":    {[]string{"dev", "--nodes", "99"}, "1 to 16"},
		"bad token":         {[]string{"agent", "--token", "x", "--data-dir", t.TempDir()}, "roadstead token create"},
		"server needs keys": {[]string{"server", "--data-dir", t.TempDir()}, "ROADSTEAD_ROOT_KEY_ID"},
	} {
		t.Run(name, func(t *testing.T) {
			_, stderr, code := run(t, c.args...)
			if code == 0 || !strings.Contains(stderr, c.want) {
				t.Errorf("exit %d, %q, want it to contain %q", code, stderr, c.want)
			}
		})
	}
}

// scripted answers ECS calls with fixed bodies.
func scripted(t *testing.T, answers map[string]any) {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, op, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		_ = json.NewEncoder(w).Encode(answers[op])
	}))
	t.Cleanup(srv.Close)
	t.Setenv("ROADSTEAD_ENDPOINT", srv.URL)
}

func TestPsShowsWhereATaskIsAndWhy(t *testing.T) {
	scripted(t, map[string]any{
		"ListTasks": map[string]any{"taskArns": []string{"arn:aws:ecs:us-east-1:000000000000:task/default/0123456789abcdef0123456789abcdef"}},
		"DescribeTasks": map[string]any{"tasks": []any{map[string]any{
			"taskArn":           "arn:aws:ecs:us-east-1:000000000000:task/default/0123456789abcdef0123456789abcdef",
			"taskDefinitionArn": "arn:aws:ecs:us-east-1:000000000000:task-definition/web:3",
			"lastStatus":        "STOPPING", "desiredStatus": "STOPPED", "stoppedReason": "Essential container in task exited",
			"containers": []any{map[string]any{"name": "app", "exitCode": 3, "networkBindings": []any{
				map[string]any{"hostPort": 32768, "containerPort": 80, "protocol": "tcp"}}}},
		}}},
	})
	stdout, stderr, code := run(t, "ps")
	if code != 0 {
		t.Fatal(stderr)
	}
	for _, want := range []string{"0123456789abcdef0123456789abcdef", "web:3", "STOPPING -> STOPPED", "32768->80/tcp", "app exit 3; Essential container in task exited"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("ps printed %q, want it to contain %q", stdout, want)
		}
	}
}

func TestPsOfAnEmptyClusterSaysHowToFillIt(t *testing.T) {
	scripted(t, map[string]any{})
	if stdout, _, _ := run(t, "ps"); !strings.Contains(stdout, "run-task") {
		t.Errorf("ps printed %q", stdout)
	}
	if stdout, _, _ := run(t, "ps", "--nodes"); !strings.Contains(stdout, "roadstead agent") {
		t.Errorf("ps --nodes printed %q", stdout)
	}
}

func TestCoverageCountsWhatIsServed(t *testing.T) {
	stdout, stderr, code := run(t, "coverage", "--missing")
	if code != 0 {
		t.Fatal(stderr)
	}
	for _, want := range []string{"ecs", "ecr", "sts", "\necs ListGateways\n"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("coverage printed %q, want it to contain %q", stdout, want)
		}
	}
	if strings.Contains(stdout, "\necs RunTask\n") {
		t.Error("RunTask is said to be missing")
	}
}
