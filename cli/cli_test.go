package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/model"
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
		"no such flag":      {[]string{"ps", "--nodez"}, "See `roadstead ps --help`."},
		"no task":           {[]string{"logs"}, "Usage: roadstead logs TASK [flags]"},
		"no command":        {[]string{"exec", "0123456789ab"}, "Usage: roadstead exec TASK [--container NAME] -- COMMAND"},
		"no scheme":         {[]string{"ps", "--endpoint", "127.0.0.1:1"}, "http://HOST:PORT"},
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

// A refusal is told in the server's words, without the call, and with what to do.
func TestRefusalsSayWhatToDoNext(t *testing.T) {
	for code, c := range map[string]struct{ text, want string }{
		"UnrecognizedClientException": {"The security token included in the request is invalid.", "AWS_ACCESS_KEY_ID"},
		"InvalidSignatureException":   {"Credential should be scoped to a valid region, not 'eu-west-1'. ", "--region"},
		"ClusterNotFoundException":    {"Cluster not found.", "aws ecs list-clusters"},
		"InvalidParameterException":   {"The referenced task was not found.", "roadstead ps --all"},
		"AccessDeniedException":       {"User: x is not authorized to perform: y", ""},
	} {
		for _, call := range []string{"call ecs ListTasks", "GET /roadstead/v1/tasks/1/explain?cluster=c"} {
			got := explain(fmt.Errorf("run it: %s: %w", call, model.Errorf(code, "%s", c.text)))
			first, advice, _ := strings.Cut(got, "\n")
			if first != "run it: "+code+": "+c.text || !strings.Contains(advice, c.want) || (c.want == "") != (advice == "") {
				t.Errorf("%s: %q", code, got)
			}
		}
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

func TestTokenForTheStockAgent(t *testing.T) {
	token := acs.JoinToken{KeyID: "RSN1", Secret: "s", Region: "eu-west-1"}.String()
	scripted(t, map[string]any{"": map[string]any{"token": token}})
	if stdout, stderr, _ := run(t, "token", "create"); stdout != token+"\n" {
		t.Errorf("token create printed %q, %q", stdout, stderr)
	}
	if stdout, stderr, _ := run(t, "token", "create", "--keys"); stdout != "AWS_ACCESS_KEY_ID=RSN1\nAWS_SECRET_ACCESS_KEY=s\nAWS_DEFAULT_REGION=eu-west-1\n" {
		t.Errorf("token create --keys printed %q, %q", stdout, stderr)
	}
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
