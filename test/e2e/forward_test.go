//go:build e2e

package e2e_test

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// forwarded is `aws ssm start-session` with the real session-manager-plugin, which listens at a port of this machine.
type forwarded struct {
	*terminal
	url string
}

// forward forwards a port of a task with one container. The parameters are those of the document.
func (e *Env) forward(t *testing.T, task string, parameters string) *forwarded {
	t.Helper()
	arn := strings.Split(task, "/")
	target := "ecs:" + arn[1] + "_" + arn[2] + "_" + *e.AwaitStatus(task, "RUNNING").Containers[0].RuntimeId
	document := "AWS-StartPortForwardingSession"
	if strings.Contains(parameters, "host=") {
		document += "ToRemoteHost"
	}
	x := atTerminal(t, e.aws("ssm", "start-session", "--target", target, "--document-name", document, "--parameters", parameters))
	x.await("Waiting for connections...")
	x.mu.Lock()
	defer x.mu.Unlock()
	port := regexp.MustCompile(`Port (\d+) opened`).FindStringSubmatch(x.all.String())
	if port == nil {
		t.Fatalf("it names no port: %s", x.all.String())
	}
	return &forwarded{terminal: x, url: "http://127.0.0.1:" + port[1]}
}

// ownForward is `roadstead forward`, which listens at a port of this machine.
func (e *Env) ownForward(t *testing.T, task, ports string) *forwarded {
	t.Helper()
	cmd := exec.Command(binary, "forward", task, ports)
	cmd.Env = append(os.Environ(), "ROADSTEAD_ENDPOINT="+e.URL, "AWS_ACCESS_KEY_ID="+key, "AWS_SECRET_ACCESS_KEY="+e.secret, "AWS_REGION="+region)
	x := atTerminal(t, cmd)
	x.await("Ctrl-C ends it.")
	x.mu.Lock()
	defer x.mu.Unlock()
	at := regexp.MustCompile(`Forwarding from (\S+) to`).FindStringSubmatch(x.all.String())
	if at == nil {
		t.Fatalf("it names no address: %s", x.all.String())
	}
	return &forwarded{terminal: x, url: "http://" + at[1]}
}

// Without the plugin: what listens on the container's loopback only, several connections, a host that the container reaches, nobody, a
// server that is killed meanwhile, ctrl-C, and the end of the task.
func TestForward(t *testing.T) {
	e := NewPair(t)
	app, side := e.container("app", "serve=127.0.0.1:8000", "wait"), e.container("side", "wait")
	app.StopTimeout, side.StopTimeout = aws.Int32(2), aws.Int32(2)
	task := e.RunTask(e.Define("near", ecs.RegisterTaskDefinitionInput{}, app, side), withExec)
	e.AwaitStatus(task, "RUNNING")
	own := e.ownForward(t, task+"/app", "0:8000")
	born := own.get("/")
	sendsBack(t, own)
	e.Server.Kill9()
	e.Server.again()
	if page := own.get("/"); page != born || !strings.Contains(page, " born ") {
		t.Errorf("after the server was killed comes %q, before it %q", page, born)
	}
	if page := e.ownForward(t, task+"/app", "0:127.0.0.1:8000").get("/"); page != born {
		t.Errorf("at the host 127.0.0.1 is %q", page)
	}
	nobody := e.ownForward(t, task+"/side", "0:9")
	if r, err := http.Get(nobody.url); err == nil {
		r.Body.Close()
		t.Error("something listens at port 9")
	}
	nobody.await("A connection failed: nothing takes connections at localhost:9 in the container.")
	own.typed("\x03")
	if code := own.end(); code != 0 {
		t.Errorf("after ctrl-C it ends with %d", code)
	}
	if _, err := e.cli(t.Context(), "forward", task, "0:80"); err == nil || !strings.Contains(err.Error(), "has several containers: say which one") {
		t.Errorf("without a container: %v", err)
	}
	_, err := e.ECS.StopTask(t.Context(), &ecs.StopTaskInput{Task: &task})
	must(t, err)
	if code := nobody.end(); code != 1 {
		t.Errorf("after the task it ends with %d", code)
	}
}

// get asks over a connection of its own.
func (f *forwarded) get(path string) string {
	f.t.Helper()
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	r, err := c.Get(f.url + path)
	must(f.t, err)
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	must(f.t, err)
	return string(b)
}

// [D] SEMANTICS §13.8: the documents AWS-StartPortForwardingSession and ...ToRemoteHost at a container: what listens on its loopback only,
// what it can reach, in two network modes; several connections at once, and what they carry byte for byte; a port at which nobody listens.
func TestForwardPort(t *testing.T) {
	e := NewDev(t)
	for _, mode := range []types.NetworkMode{types.NetworkModeBridge, types.NetworkModeAwsvpc} {
		t.Run(string(mode), func(t *testing.T) {
			in, where := ecs.RegisterTaskDefinitionInput{NetworkMode: mode}, []func(*ecs.RunTaskInput){withExec}
			far := e.container("app", "serve=:8001", "wait")
			near := e.container("app", "serve=127.0.0.1:8000", "wait")
			if mode == types.NetworkModeAwsvpc {
				where = append(where, inVPC)
			} else {
				far.Hostname = aws.String("far-away")
			}
			task := e.RunTask(e.Define("near-"+string(mode), in, near), where...)
			other := e.RunTask(e.Define("far-"+string(mode), in, far), where...)
			own := e.forward(t, task, "portNumber=8000")
			born := own.get("/")
			sendsBack(t, own)
			address := regexp.MustCompile(`(?m)^(\d+\.\d+\.\d+\.\d+)/`).FindAllStringSubmatch(e.forward(t, other, "portNumber=8001").get("/addresses"), -1)
			for _, a := range address {
				if strings.HasPrefix(a[1], "127.") || strings.HasPrefix(a[1], "169.254.") {
					continue
				}
				if page := e.forward(t, task, "host="+a[1]+",portNumber=8001").get("/"); !strings.Contains(page, " born ") || page == born {
					t.Errorf("what listens at %s says %q", a[1], page)
				}
			}
			if far.Hostname != nil {
				if page := e.forward(t, other, "host=far-away,portNumber=8001").get("/"); !strings.Contains(page, " born ") {
					t.Errorf("by name comes %q", page)
				}
			}
			nobody := e.forward(t, task, "portNumber=9")
			if r, err := http.Get(nobody.url); err == nil {
				r.Body.Close()
				t.Error("something listens at port 9")
			}
			nobody.await("Connection to destination port failed")
			own.typed("\x03")
			own.await("Exiting session")
			own.end()
		})
	}
}

// sendsBack sends 256 KiB over each of four connections at once, and compares what comes back. The plugin sends a KiB in a millisecond.
func sendsBack(t *testing.T, f *forwarded) {
	t.Helper()
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			body := bytes.Repeat([]byte{byte(i), 1, 2, 3, 5, 7, 11}, 256<<10/7)
			r, err := http.Post(f.url+"/echo", "application/octet-stream", bytes.NewReader(body))
			if err != nil {
				t.Error(err)
				return
			}
			defer r.Body.Close()
			if back, err := io.ReadAll(r.Body); err != nil || !bytes.Equal(back, body) {
				t.Errorf("%d of %d bytes came back, %v", len(back), len(body), err)
			}
		})
	}
	wg.Wait()
}
