//go:build e2e

package e2e_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/roadstead/roadstead/test/steady"
)

const (
	region = "us-east-1"
	key    = "test"
	secret = "test-secret-of-the-root"
)

// Env is one Roadstead on this machine: a server and nodes, with clients that speak to it.
type Env struct {
	t      testing.TB
	Dir    string
	URL    string
	Node   string // name of the (first) node: of its cgroup, bridge and containerd namespace
	secret string
	disks  []string // mounted below Dir by the test
	Image  string   // the probe

	Server, Agent *process // of NewPair
	Dev           *process // of NewDev
	ECS           *ecs.Client
	http          *http.Client
}

// serial numbers the nodes of this run, so that those of parallel tests do not meet on the machine.
var serial atomic.Int32

func newEnv(t testing.TB) *Env {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "rse") // short: a socket's path must fit
	must(t, err)
	must(t, os.Chmod(dir, 0o755))
	e := &Env{t: t, Dir: dir, http: &http.Client{Transport: steady.Transport{Base: &http.Transport{MaxIdleConnsPerHost: 64}}}}
	t.Cleanup(func() {
		e.http.CloseIdleConnections()
		e.awaitNothingLeft()
		e.sweep()
		must(t, os.RemoveAll(dir))
	})
	return e
}

// freeAddress returns a loopback address that nobody listens on. Its port is outside of the dynamic range, from which the
// node gives ports to tasks.
func freeAddress(t testing.TB) string {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 21000+serial.Add(1)+int32(os.Getpid()%5000)))
		if err == nil {
			defer l.Close()
			return l.Addr().String()
		}
	}
	t.Fatal("no free port")
	return ""
}

// NewServer starts a control plane alone.
func NewServer(t testing.TB, flags ...string) *Env {
	t.Helper()
	e := newEnv(t)
	e.secret = secret
	args := append([]string{"server", "--listen", freeAddress(t), "--data-dir", filepath.Join(e.Dir, "server")}, flags...)
	e.Server = start(t, e.Dir, "server", rootKey(), args...)
	t.Cleanup(func() { e.end(e.Server, 15*time.Second) })
	e.connect(e.Server.AwaitReady(30 * time.Second))
	return e
}

func rootKey() []string {
	return []string{"ROADSTEAD_ROOT_KEY_ID=" + key, "ROADSTEAD_ROOT_SECRET=" + secret}
}

// NewPair starts a server and an agent as processes of their own, with cluster default and the probe's image.
func NewPair(t testing.TB, flags ...string) *Env {
	t.Helper()
	e := NewServer(t)
	e.CreateCluster("default")
	e.StartAgent(flags...)
	e.Image = e.BuildImage("probe:1")
	return e
}

// StartAgent starts the node.
func (e *Env) StartAgent(flags ...string) {
	e.t.Helper()
	n := serial.Add(1)
	e.Node = fmt.Sprintf("e%d-%d", n, os.Getpid()%100000)
	args := append([]string{"agent", "--server", e.URL, "--data-dir", filepath.Join(e.Dir, "n"), "--name", e.Node,
		"--subnet", fmt.Sprintf("10.%d.0.0/16", 100+n%100), "--stop-tasks", "--token", e.CLI("token", "create")}, flags...)
	e.Agent = start(e.t, e.Dir, "agent", nil, args...)
	e.t.Cleanup(func() { e.end(e.Agent, 45*time.Second) })
	e.AwaitNodes(1)
}

// NewDev starts `roadstead dev`. Two of them on one machine would meet: tests with it do not run in parallel.
func NewDev(t testing.TB, flags ...string) *Env {
	t.Helper()
	e := newEnv(t)
	e.secret, e.Node = "test", "dev"
	args := append([]string{"dev", "--name", "dev", "--listen", freeAddress(t), "--data-dir", filepath.Join(e.Dir, "d")}, flags...)
	e.Dev = start(t, e.Dir, "dev", nil, args...)
	t.Cleanup(func() { e.end(e.Dev, 60*time.Second) })
	e.connect(e.Dev.AwaitReady(60 * time.Second))
	e.Image = e.BuildImage("probe:1")
	return e
}

// awaitNothingLeft gives a log keeper that its agent did not start itself the moment it takes to see that it is idle.
func (e *Env) awaitNothingLeft() {
	e.t.Helper()
	began := time.Now()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	left := e.Leftovers()
	for ; !left.empty() && time.Since(began) < 3*time.Second; left = e.Leftovers() {
		<-tick.C
	}
	if !left.empty() {
		e.t.Errorf("left behind: %s", left)
	} else if took := time.Since(began); took > 100*time.Millisecond {
		e.t.Logf("something was left for %s", ms(took))
	}
}

// end stops a process that a test has not stopped itself; one that was killed is started again to clean up.
func (e *Env) end(p *process, d time.Duration) {
	e.keep(p)
	if !p.alive() {
		if p.cmd.ProcessState.ExitCode() == 0 {
			return
		}
		p.again()
		if p != e.Agent {
			p.AwaitReady(60 * time.Second)
		}
	}
	if code := p.Term(d); code != 0 {
		e.t.Errorf("%s ended with %d\n%s", p.name, code, tail(p.log, 10))
	}
}

// keep has a process whose test has failed say where its goroutines are, and copies what it and its helpers wrote to the directory
// $ROADSTEAD_TEST_KEEP, if there is one: a hang that comes once in many runs is explained by that or not at all.
func (e *Env) keep(p *process) {
	to := os.Getenv("ROADSTEAD_TEST_KEEP")
	if to == "" || !e.t.Failed() {
		return
	}
	if p.alive() {
		_ = p.cmd.Process.Signal(syscall.SIGQUIT)
		select {
		case <-p.ended:
		case <-time.After(10 * time.Second):
		}
	}
	for _, pattern := range []string{"*.log", "*/*/*.log", "*/*/*/*.log", "*/engine/tasks/journal", "*/*/engine/tasks/journal"} {
		files, _ := filepath.Glob(filepath.Join(e.Dir, pattern))
		for _, file := range files {
			if b, err := os.ReadFile(file); err == nil {
				name := strings.ReplaceAll(strings.TrimPrefix(file, "/tmp/"), "/", "_")
				e.t.Logf("kept %s: %v", name, os.WriteFile(filepath.Join(to, name), b, 0o600))
			}
		}
	}
}

func (e *Env) connect(url string) {
	e.URL = url
	e.ECS = e.Client(url)
}

// Client returns an ECS client of an endpoint that sends each request once: what fails is seen.
func (e *Env) Client(url string) *ecs.Client {
	return ecs.New(ecs.Options{
		Region: region, BaseEndpoint: aws.String(url), Retryer: aws.NopRetryer{}, HTTPClient: e.http,
		Credentials: credentials.NewStaticCredentialsProvider(key, e.secret, ""),
	})
}

// CLI runs `roadstead ARGS` against this environment and returns what it printed.
func (e *Env) CLI(args ...string) string {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	out, err := e.cli(ctx, args...)
	must(e.t, err)
	return out
}

func (e *Env) cli(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = append(os.Environ(), "ROADSTEAD_ENDPOINT="+e.URL, "AWS_ACCESS_KEY_ID="+key, "AWS_SECRET_ACCESS_KEY="+e.secret, "AWS_REGION="+region)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("roadstead %s: %w\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return strings.TrimSpace(string(out) + stderr.String()), nil
}

// BuildImage puts an image of the probe into the registry and returns its reference.
func (e *Env) BuildImage(target string) string {
	e.t.Helper()
	return e.CLI("image", "build", probe, target)
}
