//go:build e2e

package conformance_test

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// target is where the scripts are run. It is set once, before the first of them.
var target struct {
	dir      string // temporary, ours
	aws      string // the command line
	newAWS   string // a newer one, "" if there is none
	binary   string // roadstead, "" when the target is AWS
	probe    string // the program in our images
	endpoint string // "" when the target is AWS
	sink     string // HOST:PORT to which subscription filters may send without TLS; a script may listen there
	account  string
	region   string
	env      []string // credentials and the like
}

// onAWS reports whether the scripts are replayed against real AWS.
func onAWS() bool { return os.Getenv("CONFORMANCE_TARGET") == "aws" }

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if onAWS() {
		target.account, target.region = os.Getenv("CONFORMANCE_ACCOUNT"), cmp.Or(os.Getenv("AWS_REGION"), "us-east-1")
		target.env = credentials(os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY"))
		findAWS()
		return m.Run()
	}
	if os.Geteuid() != 0 {
		fmt.Fprintln(os.Stderr, "the conformance tests need root: skipped")
		return 0
	}
	code, err := runOnDev(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// runOnDev runs the tests between the start and the end of a server, which has to leave nothing behind.
func runOnDev(m *testing.M) (code int, err error) {
	if target.dir, err = os.MkdirTemp("/tmp", "rsc"); err != nil { // short: a socket's path must fit
		return 1, err
	}
	defer os.RemoveAll(target.dir)
	if err := os.Chmod(target.dir, 0o755); err != nil {
		return 1, err
	}
	if err := prepare(); err != nil {
		return 1, err
	}
	d, err := startDev()
	if err != nil {
		return 1, err
	}
	code = m.Run()
	if err := d.stop(); err != nil {
		return 1, err
	}
	if code != 0 {
		fmt.Fprintf(os.Stderr, "--- roadstead dev wrote:\n%s\n", tail(d.log, 40))
	}
	return code, nil
}

// prepare takes a copy of the binary, which a build during the tests must not replace, and builds the probe.
func prepare() error {
	b, err := os.ReadFile(cmp.Or(os.Getenv("ROADSTEAD_BIN"), "../../bin/roadstead"))
	if err != nil {
		return fmt.Errorf("read the binary to test (ROADSTEAD_BIN): %w", err)
	}
	findAWS()
	target.binary, target.probe = filepath.Join(target.dir, "roadstead"), filepath.Join(target.dir, "probe")
	target.account, target.region = "000000000000", "us-east-1"
	target.env = credentials("test", "test")
	if err := os.WriteFile(target.binary, b, 0o755); err != nil {
		return err
	}
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", target.probe, "../probe")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build the probe: %w\n%s", err, out)
	}
	return nil
}

// findAWS prefers Debian's, which is the oldest version that people have and does not know AWS_ENDPOINT_URL.
func findAWS() {
	target.aws = "/usr/bin/aws"
	found, err := exec.LookPath("aws")
	switch _, none := os.Stat(target.aws); {
	case none != nil:
		target.aws, target.newAWS = "aws", found
	case err == nil && found != target.aws:
		target.newAWS = found
	}
}

func credentials(key, secret string) []string {
	return []string{
		"AWS_ACCESS_KEY_ID=" + key, "AWS_SECRET_ACCESS_KEY=" + secret, "AWS_SESSION_TOKEN=" + os.Getenv("AWS_SESSION_TOKEN"),
		"AWS_REGION=" + target.region, "AWS_DEFAULT_REGION=" + target.region, "AWS_PAGER=", "AWS_EC2_METADATA_DISABLED=true",
		"AWS_MAX_ATTEMPTS=1", // what fails is seen, not tried again
	}
}

// TestPlane runs the scripts that need no node, in parallel: each has clusters, families and repositories of its own.
func TestPlane(t *testing.T) {
	reset(t)
	testscript.RunT(scriptT{t, true}, params("testdata/plane", nil))
}

// TestNode runs the scripts that share the node, the cluster default or the account's settings, one after the other,
// each on an empty server.
func TestNode(t *testing.T) {
	testscript.RunT(scriptT{t, false}, params("testdata/node", func() error { return resetDev(t.Context()) }))
}

// scriptT makes testscript run its scripts in parallel or not.
type scriptT struct {
	*testing.T
	parallel bool
}

func (t scriptT) Parallel() {
	if t.parallel {
		t.T.Parallel()
	}
}

func (t scriptT) Verbose() bool { return testing.Verbose() }

func (t scriptT) Run(name string, f func(testscript.T)) {
	t.T.Run(name, func(sub *testing.T) { f(scriptT{sub, t.parallel}) })
}

func params(dir string, before func() error) testscript.Params {
	return testscript.Params{
		Dir: dir, RequireUniqueNames: true, ContinueOnError: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"aws": cmdAWS, "roadstead": cmdRoadstead, "call": cmdCall, "await": cmdAwait,
			"json": cmdJSON, "keep": cmdKeep, "error": cmdError, "image": cmdImage, "expand": cmdExpand,
			"newaws": cmdNewAWS, "roundtrip": cmdRoundtrip, "render": cmdRender,
		},
		Condition: condition,
		Setup: func(e *testscript.Env) error {
			e.Vars = append(e.Vars, target.env...)
			e.Setenv("ENDPOINT", target.endpoint)
			e.Setenv("AWS", target.aws) // for what runs in the background, as $AWS $TO SERVICE OPERATION
			e.Setenv("NEWAWS", target.newAWS)
			if e.Setenv("TO", ""); target.endpoint != "" {
				e.Setenv("TO", "--endpoint-url "+target.endpoint)
			}
			e.Setenv("ROADSTEAD_ENDPOINT", target.endpoint)
			e.Setenv("SINK", target.sink)
			e.Setenv("ACCOUNT", target.account)
			e.Setenv("REGION", target.region)
			e.Setenv("ARN", "arn:aws:ecs:"+target.region+":"+target.account)
			if before == nil || onAWS() {
				return nil
			}
			return before()
		},
	}
}

// condition knows [real], which is true on AWS, [newaws] (see cmdNewAWS), and [fixed], which is false: it keeps a check
// whose bug is known.
func condition(name string) (bool, error) {
	switch name {
	case "real":
		return onAWS(), nil
	case "newaws":
		return target.newAWS != "", nil
	case "fixed":
		return os.Getenv("CONFORMANCE_FIXED") != "", nil
	}
	return false, fmt.Errorf("unknown condition [%s]", name)
}

func reset(t *testing.T) {
	t.Helper()
	if onAWS() {
		return
	}
	if err := resetDev(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// resetDev empties the server (POST /roadstead/v1/reset).
func resetDev(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, target.binary, "reset")
	cmd.Env = append(append(os.Environ(), target.env...), "ROADSTEAD_ENDPOINT="+target.endpoint)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("reset: %w\n%s", err, out)
	}
	return nil
}
