//go:build e2e

package conformance_test

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdAWS runs `aws ARGS` at the target: [!] aws SERVICE OPERATION [ARGS].
func cmdAWS(ts *testscript.TestScript, neg bool, args []string) {
	if target.endpoint != "" {
		args = append([]string{"--endpoint-url", target.endpoint}, args...)
	}
	ended(ts, neg, ts.Exec(target.aws, args...))
}

// cmdRoadstead runs `roadstead ARGS` at the target.
func cmdRoadstead(ts *testscript.TestScript, neg bool, args []string) {
	if onAWS() {
		ts.Fatalf("there is no roadstead on AWS: put [!real] before it")
	}
	ended(ts, neg, ts.Exec(target.binary, args...))
}

// ended fails the script unless a program did as the line says.
func ended(ts *testscript.TestScript, neg bool, err error) {
	switch {
	case err != nil && !neg:
		ts.Fatalf("it failed: %v", err)
	case err == nil && neg:
		ts.Fatalf("it should have failed")
	}
}

// cmdError checks what the last command was refused with: error CODE MESSAGE.
func cmdError(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: error CODE MESSAGE")
	}
	m := refusal.FindStringSubmatch(strings.TrimSpace(ts.ReadFile("stderr")))
	if m == nil {
		ts.Fatalf("the last command was not refused")
	}
	if m[1] != args[0] || !matches(m[2], args[1]) {
		ts.Fatalf("refused with\n\t%s: %s\nwant\n\t%s: %s", m[1], m[2], args[0], args[1])
	}
}

// refusal is how the aws command line prints an error, and call too.
var refusal = regexp.MustCompile(`(?s)An error occurred \((\S+)\) when calling the \S+ operation(?: \(reached max retries: \d+\))?: (.*)$`)

// cmdJSON checks a value in the last stdout: [!] json PATH [VALUE]. Without a value it has to be there; with ! it must
// not be there, or not be that.
func cmdJSON(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: [!] json PATH [VALUE]")
	}
	got, found := pick(lastJSON(ts), args[0])
	ok := found && (len(args) == 1 || matches(show(got), args[1]))
	switch {
	case !found && !neg:
		ts.Fatalf("%s is not there", args[0])
	case ok == neg:
		ts.Fatalf("%s is %s", args[0], show(got))
	}
}

// cmdKeep puts a value of the last stdout into a variable: keep NAME PATH.
func cmdKeep(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: keep NAME PATH")
	}
	got, found := pick(lastJSON(ts), args[1])
	if !found {
		ts.Fatalf("%s is not there", args[1])
	}
	ts.Setenv(args[0], show(got))
}

func lastJSON(ts *testscript.TestScript) any {
	var v any
	d := json.NewDecoder(strings.NewReader(ts.ReadFile("stdout")))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		ts.Fatalf("the last stdout is not JSON: %v", err)
	}
	return v
}

// cmdImage puts an image of the probe into the registry and its reference into $IMAGE: image NAME[:TAG]. On AWS the
// reference is $CONFORMANCE_IMAGE, which somebody has pushed there.
func cmdImage(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: image NAME[:TAG]")
	}
	if onAWS() {
		ts.Setenv("IMAGE", os.Getenv("CONFORMANCE_IMAGE"))
		return
	}
	ts.Check(ts.Exec(target.binary, "image", "build", target.probe, args[0]))
	ts.Setenv("IMAGE", strings.TrimSpace(ts.ReadFile("stdout")))
}

// cmdExpand replaces $NAME in files of the script by the variables: expand FILE...
func cmdExpand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: expand FILE...")
	}
	for _, name := range args {
		text := os.Expand(ts.ReadFile(name), ts.Getenv)
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(text), 0o600))
	}
}

// cmdNewAWS runs a newer aws command line, for what Debian's does not know; the condition [newaws] says if there is one.
func cmdNewAWS(ts *testscript.TestScript, neg bool, args []string) {
	ended(ts, neg, ts.Exec(target.newAWS, append([]string{"--endpoint-url", target.endpoint}, args...)...))
}

// readOnly are the members of a described task definition that RegisterTaskDefinition does not take.
var readOnly = []string{"taskDefinitionArn", "revision", "status", "requiresAttributes", "compatibilities", "registeredAt",
	"registeredBy", "deregisteredAt", "deleteRequestedAt"}

// cmdRoundtrip registers the task definition in the last stdout without its read-only members, and checks that the answer
// is the same: what the GitHub action, CodePipeline and ecspresso do.
func cmdRoundtrip(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: roundtrip")
	}
	bare := func(v any) string {
		d, _ := pick(v, "taskDefinition")
		m, ok := d.(map[string]any)
		if !ok {
			ts.Fatalf("the last stdout has no taskDefinition")
		}
		for _, name := range readOnly {
			delete(m, name)
		}
		return show(m)
	}
	given := bare(lastJSON(ts))
	ts.Check(os.WriteFile(ts.MkAbs("roundtrip.json"), []byte(given), 0o600))
	cmdAWS(ts, false, []string{"ecs", "register-task-definition", "--cli-input-json", "file://roundtrip.json"})
	if got := bare(lastJSON(ts)); got != given {
		ts.Fatalf("registered\n\t%s\ngot\n\t%s", given, got)
	}
}
