//go:build e2e

package runtime_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/runtime"
	"github.com/roadstead/roadstead/agent/task"
)

// TestDaemonAdoptsAndKeepsTasks plays an agent that was killed: its containerd lives on under a pid file.
func TestDaemonAdoptsAndKeepsTasks(t *testing.T) {
	e := newEnv(t)
	dir := filepath.Join(e.dir, "cd2")
	d, err := runtime.NewDaemon(runtime.DaemonConfig{Dir: dir, KeepTasks: true})
	must(t, err)
	left := exec.Command("containerd", "--config", filepath.Join(dir, "config.toml"))
	must(t, left.Start())
	go func() { _ = left.Wait() }() // so that it is no zombie to the Daemon; ends with it
	must(t, os.WriteFile(filepath.Join(dir, "containerd.pid"), []byte(strconv.Itoa(left.Process.Pid)), 0o600))

	cfg := e.cfg
	cfg.Address = d.Address()
	run := func() (stop func()) {
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- d.Run(ctx) }()
		must(t, d.Ready(within(t, 20*time.Second)))
		return func() { cancel(); must(t, <-ended) }
	}
	stop := run()
	if d.PID() != left.Process.Pid {
		t.Errorf("process %d was not adopted: %d runs", left.Process.Pid, d.PID())
	}
	rt, err := runtime.New(cfg)
	must(t, err)
	defer rt.Close()
	spec := e.spec("kept", "sleep 1000")
	_, err = rt.Pull(within(t, time.Minute), spec.Image, nil)
	must(t, err)
	must(t, rt.Create(within(t, time.Minute), spec))
	pid, err := rt.Start(within(t, time.Minute), "kept")
	must(t, err)
	stop()
	if _, err := os.Stat("/proc/" + strconv.Itoa(int(pid))); err != nil || d.PID() != 0 {
		t.Errorf("container %v, containerd %d", err, d.PID())
	}
	stop = run()
	var all []task.ContainerState
	eventually(t, 10*time.Second, func() bool { all, err = rt.List(within(t, 10*time.Second)); return err == nil })
	if len(all) != 1 || all[0].PID != pid || all[0].Status != task.StatusRunning {
		t.Errorf("found %+v", all)
	}
	must(t, rt.Purge(within(t, time.Minute)))
	stop()
}

// TestRegistryWithLogin serves the registry behind a password under another name.
func TestRegistryWithLogin(t *testing.T) {
	e := newEnv(t)
	back := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: e.registry})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if user, password, _ := q.BasicAuth(); user != "AWS" || password != "secret" {
			w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		back.ServeHTTP(w, q)
	}))
	defer server.Close()
	const host = "000000000000.dkr.ecr.us-east-1.amazonaws.com"
	cfg := e.cfg
	cfg.Endpoint = func(h string) *url.URL {
		if h != host {
			return nil
		}
		u, err := url.Parse(server.URL)
		must(t, err)
		return u
	}
	password, refuse := "secret", error(nil)
	cfg.Credentials = func(_ context.Context, _ string, auth *acs.RegistryAuth) (string, string, error) {
		if auth == nil {
			return "", "", nil
		}
		return "AWS", password, refuse
	}
	rt, err := runtime.New(cfg)
	must(t, err)
	defer rt.Close()
	ecr := &acs.RegistryAuth{Type: "ecr"}
	image := host + "/bb:1"
	check := func(auth *acs.RegistryAuth, name string) {
		t.Helper()
		_, err := rt.Pull(within(t, time.Minute), image, auth)
		var f *task.Failure
		if !errors.As(err, &f) || f.Name != name {
			t.Errorf("%v; want %s", err, name)
		}
	}
	check(nil, "CannotPullContainerError")
	password = "wrong"
	check(ecr, "CannotPullContainerError")
	password, refuse = "secret", errors.New("no role")
	check(ecr, "CannotPullECRContainerError")
	check(&acs.RegistryAuth{Type: "asm"}, "CannotPullContainerAuthError")
	refuse = nil
	digest, err := rt.Pull(within(t, time.Minute), image, ecr)
	if err != nil || !strings.HasPrefix(digest, "sha256:") {
		t.Errorf("pulled %s, %v", digest, err)
	}
	server.Close()
	again, err := rt.Pull(within(t, time.Minute), image, ecr) // the registry is away: the cached image serves
	if err != nil || again != digest {
		t.Errorf("pulled %s, %v; want the cached %s", again, err, digest)
	}
}
