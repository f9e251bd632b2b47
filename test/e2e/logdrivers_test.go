//go:build e2e

package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
)

// A logReceiver notes what is sent to it, connection by connection, as bytes.
type logReceiver struct {
	at   string
	hang sync.RWMutex // held for writing: nothing is read

	mu sync.Mutex
	b  []byte // guarded by mu
}

func (e *Env) receiveLogs(network, at string) *logReceiver {
	l, err := net.Listen(network, at)
	must(e.t, err)
	r := &logReceiver{at: l.Addr().String()}
	ended := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { <-ended; c.Close() })
			wg.Go(func() { r.read(c) })
		}
	})
	e.t.Cleanup(func() { l.Close(); close(ended); wg.Wait() })
	return r
}

func (r *logReceiver) read(c net.Conn) {
	b := make([]byte, 4096)
	for {
		r.hang.RLock()
		n, err := c.Read(b)
		r.hang.RUnlock()
		r.mu.Lock()
		r.b = append(r.b, b[:n]...)
		r.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (r *logReceiver) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return string(r.b)
}

// await waits until what came has the text.
func (r *logReceiver) await(t *testing.T, text string) string {
	t.Helper()
	end := time.NewTimer(patience)
	defer end.Stop()
	for !strings.Contains(r.text(), text) {
		select {
		case <-end.C:
			t.Fatalf("no %q in %.2000q", text, r.text())
		case <-time.NewTimer(20 * time.Millisecond).C:
		}
	}
	return r.text()
}

// TestLogDrivers: containers' lines reach syslog and Fluentd, in order and to the last one of a container that ends at once, across a
// kill of the agent; what Docker refuses fails the task with its words (SEMANTICS §13.7; MISSION row 52).
func TestLogDrivers(t *testing.T) {
	e := NewPair(t)
	for name, test := range map[string]func(*testing.T, *Env){
		"syslog": toSyslog, "fluentd": toFluentd, "refusals": refusedLogs, "blocking": blocks, "non-blocking": doesNotBlock, "splunk": toSplunk, "json-file": keepsSome,
	} {
		t.Run(name, func(t *testing.T) { test(t, e) })
	}
}

func logTo(c types.ContainerDefinition, driver types.LogDriver, options ...string) types.ContainerDefinition {
	c.LogConfiguration = &types.LogConfiguration{LogDriver: driver, Options: map[string]string{}}
	for i := 0; i < len(options); i += 2 {
		c.LogConfiguration.Options[options[i]] = options[i+1]
	}
	return c
}

func toSyslog(t *testing.T, e *Env) {
	r := e.receiveLogs("tcp", "127.0.0.1:0")
	c := logTo(e.container("c", "tick=1ms"), types.LogDriverSyslog, "syslog-address", "tcp://"+r.at, "syslog-format", "rfc5424", "tag", "{{.Name}}")
	task := e.RunTask(e.Define("logs", ecs.RegisterTaskDefinitionInput{NetworkMode: types.NetworkModeNone}, c))
	e.AwaitStatus(task, "RUNNING")
	r.await(t, "tick 300\n")
	e.Agent.Kill9()
	e.Agent.again()
	e.AwaitNodes(1)
	r.await(t, "tick 1000\n")
	e.StopTask(task)
	e.AwaitStatus(task, "STOPPED")
	b, err := os.ReadFile(filepath.Join(e.Dir, "n", "engine", "logs", id(task), id(task)+"-c.json"))
	must(t, err)
	n := strings.Count(string(b), "\n")
	all := r.await(t, fmt.Sprintf("tick %d\n", n-1))
	seen := -1
	for line := range strings.Lines(all) {
		head, text, _ := strings.Cut(line, " - ")
		var tick int
		if _, err := fmt.Sscanf(text, "tick %d", &tick); err != nil || tick > seen+1 {
			t.Fatalf("after tick %d comes %q", seen, line)
		}
		seen = max(seen, tick)
		if !strings.HasPrefix(head, "<30>1 ") || !strings.Contains(head, "-c-"+id(task)+" ") {
			t.Fatalf("a head %q", head)
		}
	}
	if seen != n-1 {
		t.Errorf("ticks to %d of %d", seen, n)
	}
}

func toFluentd(t *testing.T, e *Env) {
	r := e.receiveLogs("unix", filepath.Join(e.Dir, "f.sock"))
	c := logTo(e.container("c", "print=the first and the last"), types.LogDriverFluentd, "fluentd-address", "unix://"+filepath.Join(e.Dir, "f.sock"),
		"tag", "app.{{.FullID}}", "labels", "stage", "env", "WHO")
	c.DockerLabels = map[string]string{"stage": "prod"}
	c.Environment = []types.KeyValuePair{{Name: aws.String("WHO"), Value: aws.String("me")}}
	task := e.RunTask(e.Define("logs", ecs.RegisterTaskDefinitionInput{NetworkMode: types.NetworkModeNone}, c))
	e.AwaitStatus(task, "STOPPED")
	all := r.await(t, "the first and the last")
	for _, text := range []string{"app." + id(task) + "-c", "container_id", "/ecs-logs-", "source", "stdout", "stage", "prod", "WHO", "me"} {
		if !strings.Contains(all, text) {
			t.Errorf("no %q in %q", text, all)
		}
	}
}

// toSplunk: the token is a secret, which the collector gets and nobody else (SEMANTICS §13.6).
func toSplunk(t *testing.T, e *Env) {
	came := make(chan string, 100)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if r.Method == http.MethodPost {
			came <- fmt.Sprint(r.Header.Get("Authorization"), " ", string(b), err)
		}
	}))
	t.Cleanup(s.Close)
	params := ssm.New(ssm.Options{Region: region, BaseEndpoint: &e.URL, Credentials: credentials.NewStaticCredentialsProvider(key, e.secret, "")})
	_, err := params.PutParameter(t.Context(), &ssm.PutParameterInput{Name: aws.String("/splunk/token"), Value: aws.String("sesame-token"), Type: "SecureString"})
	must(t, err)
	c := logTo(e.container("c", "print=hello", "wait=0"), types.LogDriverSplunk, "splunk-url", s.URL)
	c.LogConfiguration.SecretOptions = []types.Secret{{Name: aws.String("splunk-token"), ValueFrom: aws.String("/splunk/token")}}
	role := e.role("splunks", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ssm:GetParameters","kms:Decrypt","ecr:*"],"Resource":"*"}]}`)
	arn := e.RunTask(e.Define("logs", ecs.RegisterTaskDefinitionInput{NetworkMode: types.NetworkModeNone, ExecutionRoleArn: &role}, c))
	select {
	case got := <-came:
		if !strings.HasPrefix(got, `Splunk sesame-token {"event":{"line":"hello","source":"stdout"`) {
			t.Errorf("the collector got %s", got)
		}
	case <-time.NewTimer(patience).C:
		t.Error("nothing came")
	}
	task := e.AwaitStatus(arn, "RUNNING")
	shown, err := json.Marshal(task)
	if err != nil || strings.Contains(string(shown), "sesame") {
		t.Errorf("%v %s", err, shown)
	}
	err = filepath.WalkDir(e.Dir, func(path string, f fs.DirEntry, err error) error {
		if err != nil || !f.Type().IsRegular() {
			return nil // gone meanwhile
		}
		b, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(b), "sesame-token") {
			return nil
		}
		info, err := f.Info()
		if filepath.Base(filepath.Dir(path)) != "log-shipping" || err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the token is in %s: %v", path, err)
		}
		return nil
	})
	must(t, err)
	e.StopTask(arn)
	e.AwaitStatus(arn, "STOPPED")
}

func refusedLogs(t *testing.T, e *Env) {
	if _, err := os.Stat("/run/systemd/journal/socket"); err != nil {
		task := e.AwaitStatus(e.RunTask(e.Define("logs", ecs.RegisterTaskDefinitionInput{NetworkMode: types.NetworkModeNone}, logTo(e.container("c"), types.LogDriverJournald))), "STOPPED")
		if got := aws.ToString(task.Containers[0].Reason); got != "CannotStartContainerError: Error response from daemon: failed to initialize logging driver: journald is not enabled on this host" {
			t.Errorf("journald: %q", got)
		}
	}
	for want, options := range map[string][]string{
		"CannotCreateContainerError: Error response from daemon: unknown log opt 'x' for syslog log driver": {"x", "1"},
		"CannotStartContainerError: Error response from daemon: failed to initialize logging driver: dial tcp 127.0.0.1:1: connect: connection refused": {
			"syslog-address", "tcp://127.0.0.1:1"},
	} {
		c := logTo(e.container("c", "exit=0"), types.LogDriverSyslog, options...)
		task := e.AwaitStatus(e.RunTask(e.Define("logs", ecs.RegisterTaskDefinitionInput{NetworkMode: types.NetworkModeNone}, c)), "STOPPED")
		if got := aws.ToString(task.Containers[0].Reason); got != want {
			t.Errorf("reason %q, want %q; %s", got, want, story(&task))
		}
	}
}

// keepsSome: the node keeps as much of a log as json-file's options say, and what it keeps can be read.
func keepsSome(t *testing.T, e *Env) {
	c := logTo(e.container("c", "flood=4", "print=, and the end", "exit=7"), types.LogDriverJsonFile, "max-size", "128k", "max-file", "2")
	task := e.RunTask(e.Define("kept", ecs.RegisterTaskDefinitionInput{NetworkMode: types.NetworkModeNone}, c))
	e.ends(task, types.TaskStopCodeEssentialContainerExited, exited, 7)
	var st syscall.Stat_t
	must(t, syscall.Stat(filepath.Join(e.Dir, "n", "engine", "logs", id(task), id(task)+"-c.json"), &st))
	if st.Blocks*512 > 512<<10 {
		t.Errorf("%d bytes are in use, of %d", st.Blocks*512, st.Size)
	}
	text := e.AwaitLog(task, ", and the end")
	if len(text) < 200<<10 || len(text) > 512<<10 || !strings.Contains(text, fmt.Sprintf("%08d", 4<<20/64-1)) {
		t.Errorf("%d bytes can be read", len(text))
	}
}

// toHung runs a container that writes 4 MiB to a receiver that does not read, of which the node keeps 256 KiB.
func toHung(e *Env, options ...string) (r *logReceiver, task, log string) {
	at := filepath.Join(e.Dir, fmt.Sprintf("hung%d.sock", serial.Add(1)))
	r = e.receiveLogs("unix", at)
	r.hang.Lock()
	options = append(options, "fluentd-address", "unix://"+at, "cache-max-size", "256k", "cache-max-file", "1")
	c := logTo(e.container("c", "flood=4", "print=, and the end", "exit=7"), types.LogDriverFluentd, options...)
	task = e.RunTask(e.Define("hung", ecs.RegisterTaskDefinitionInput{NetworkMode: types.NetworkModeNone}, c))
	return r, task, filepath.Join(e.Dir, "n", "engine", "logs", id(task), id(task)+"-c.json")
}

// blocks: a container waits in its write while its driver does not keep up, and nothing is lost, also across a kill of the agent.
func blocks(t *testing.T, e *Env) {
	r, task, log := toHung(e, "mode", "blocking")
	poll(t, patience, func(context.Context) error {
		if info, err := os.Stat(log); err != nil || info.Size() < 200<<10 {
			return errAgain(fmt.Sprint("the log is not full: ", err))
		}
		return nil
	})
	e.AwaitStatus(task, "RUNNING")
	e.Agent.Kill9()
	e.Agent.again()
	e.AwaitNodes(1)
	<-time.NewTimer(time.Second).C
	if info, err := os.Stat(log); err != nil || info.Size() > 256<<10 {
		t.Errorf("the log has %d bytes: %v", info.Size(), err)
	}
	if now := e.AwaitStatus(task, "RUNNING"); len(now.Containers) != 1 {
		t.Fatalf("it does not wait: %s", story(&now))
	}
	r.hang.Unlock()
	e.ends(task, types.TaskStopCodeEssentialContainerExited, exited, 7)
	all := r.await(t, ", and the end")
	for i := range 4 << 20 / 64 {
		at := strings.Index(all, fmt.Sprintf("%08d", i))
		if at < 0 {
			t.Fatalf("no %08d behind the one before", i)
		}
		all = all[at:]
	}
}

// doesNotBlock: a container does not wait, and what the node has no room for is lost; the agent's log counts each record of it.
func doesNotBlock(t *testing.T, e *Env) {
	r, task, log := toHung(e, "mode", "non-blocking", "max-buffer-size", "64k")
	e.ends(task, types.TaskStopCodeEssentialContainerExited, exited, 7)
	if info, err := os.Stat(log); err != nil || info.Size() > 300<<10 {
		t.Errorf("the log has %d bytes: %v", info.Size(), err)
	}
	r.hang.Unlock()
	if all := r.await(t, "00000000"); strings.Contains(all, fmt.Sprintf("%08d", 2<<20/64)) {
		t.Error("nothing was lost")
	}
	poll(t, patience, func(context.Context) error {
		stored, err := os.ReadFile(log)
		must(t, err)
		said, err := os.ReadFile(e.Agent.log)
		must(t, err)
		told := regexp.MustCompile(`log lines are lost.* container=`+id(task)+`-c lines=(\d+)`).FindAllSubmatch(said, -1)
		lines := strings.Count(string(stored), "\n")
		for _, m := range told {
			n, err := strconv.Atoi(string(m[1]))
			must(t, err)
			lines += n
		}
		if written := 4<<20/(16<<10) + 1; lines != written || len(told) == 0 {
			return errAgain(fmt.Sprintf("%d lines are stored or told to be lost, in %d messages; %d were written", lines, len(told), written))
		}
		return nil
	})
}
