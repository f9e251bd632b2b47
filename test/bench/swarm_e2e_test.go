//go:build e2e

package bench_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// swarm is a Docker daemon in Swarm mode, in a network namespace of its own: the peer of services.
type swarm struct {
	tb     testing.TB
	socket string
	image  string
	api    *http.Client
}

const (
	swarmSpace = "rsbench-swarm"
	swarmLink  = "rsbs0"
)

// startSwarm starts it with the image of an archive. Without docker.io there is none.
func startSwarm(b *testing.B, archive string) *swarm {
	b.Helper()
	daemon, err := exec.LookPath("dockerd")
	if err != nil {
		b.Log("no dockerd (apt-get install docker.io): measured without Swarm beside")
		return nil
	}
	dir, err := os.MkdirTemp("", "rsswarm")
	if err != nil {
		b.Fatal(err)
	}
	s := &swarm{tb: b, socket: filepath.Join(dir, "docker.sock")}
	s.api = &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", s.socket)
	}}}
	for _, line := range []string{
		"netns add " + swarmSpace, "link add " + swarmLink + " type veth peer name eth0 netns " + swarmSpace,
		"addr add 10.250.77.1/30 dev " + swarmLink, "link set " + swarmLink + " up",
		"-n " + swarmSpace + " addr add 10.250.77.2/30 dev eth0", "-n " + swarmSpace + " link set eth0 up", "-n " + swarmSpace + " link set lo up",
		"-n " + swarmSpace + " route add default via 10.250.77.1",
	} {
		s.must("ip", strings.Fields(line)...)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command("nsenter", "--net=/run/netns/"+swarmSpace, daemon, "--host", "unix://"+s.socket, "--data-root", filepath.Join(dir, "data"),
		"--exec-root", filepath.Join(dir, "exec"), "--pidfile", filepath.Join(dir, "pid"))
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_, _ = s.docker("swarm", "leave", "--force")
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		s.must("ip", "netns", "del", swarmSpace)
		os.RemoveAll(dir)
	})
	for began := time.Now(); ; <-time.After(100 * time.Millisecond) {
		if _, err := s.docker("info"); err == nil {
			break
		}
		if time.Since(began) > 30*time.Second {
			out, _ := os.ReadFile(log.Name())
			b.Fatalf("dockerd does not come up: %s", out)
		}
	}
	out := s.must("docker", "load", "-i", archive)
	s.image = "127.0.0.1:1/sleeper:1" // Swarm asks the registry at each start: this one refuses at once
	s.must("docker", "tag", strings.TrimSpace(out[strings.Index(out, ": ")+1:]), s.image)
	s.must("docker", "swarm", "init", "--advertise-addr", "10.250.77.2")
	return s
}

func (s *swarm) docker(args ...string) (string, error) {
	cmd := exec.Command("docker", args...)
	cmd.Env = append(os.Environ(), "DOCKER_HOST=unix://"+s.socket)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("docker %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

// must runs docker, or another program.
func (s *swarm) must(program string, args ...string) string {
	s.tb.Helper()
	if program == "docker" {
		out, err := s.docker(args...)
		if err != nil {
			s.tb.Fatal(err)
		}
		return out
	}
	out, err := exec.Command(program, args...).CombinedOutput()
	if err != nil {
		s.tb.Fatalf("%s %v: %v: %s", program, args, err, out)
	}
	return string(out)
}

// swarmTask is a task as the daemon's API shows it.
type swarmTask struct {
	DesiredState string
	Status       struct{ State string }
	Spec         struct{ ForceUpdate int }
}

// tasks are those of the service that are wanted.
func (s *swarm) tasks(service string) []swarmTask {
	filter := fmt.Sprintf(`{"service":{%q:true},"desired-state":{"running":true}}`, service)
	resp, err := s.api.Get("http://docker/tasks?filters=" + url.QueryEscape(filter))
	if err != nil {
		s.tb.Fatal(err)
	}
	defer resp.Body.Close()
	var out []swarmTask
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		s.tb.Fatal(err)
	}
	return out
}

// await waits until n tasks of the service run, all of an update.
func (s *swarm) await(service string, n, update int) {
	s.tb.Helper()
	for began := time.Now(); ; <-time.After(20 * time.Millisecond) {
		running := 0
		for _, t := range s.tasks(service) {
			if t.Status.State == "running" && t.Spec.ForceUpdate == update {
				running++
			}
		}
		if running == n && (n > 0 || len(s.tasks(service)) == 0) {
			return
		}
		if time.Since(began) > 3*time.Minute {
			s.tb.Fatalf("service %s: %d of %d tasks run", service, running, n)
		}
	}
}

// scale measures 0 to n tasks, each with a port of its own.
func (s *swarm) scale(n int) time.Duration {
	name := "s" + strconv.Itoa(n)
	s.must("docker", "service", "create", "--detach", "--no-resolve-image", "--name", name, "--replicas", "0", "--publish", "mode=host,target=80", s.image)
	began := time.Now()
	s.must("docker", "service", "scale", "--detach", name+"="+strconv.Itoa(n))
	s.await(name, n, 0)
	took := time.Since(began)
	s.remove(name)
	return took
}

// roll measures an update of n tasks, so many at a time; the image is there.
func (s *swarm) roll(n, at int) time.Duration {
	s.must("docker", "service", "create", "--detach", "--no-resolve-image", "--name", "roll", "--replicas", strconv.Itoa(n), "--update-parallelism", strconv.Itoa(at),
		"--publish", "mode=host,target=80", s.image)
	s.await("roll", n, 0)
	began := time.Now()
	s.must("docker", "service", "update", "--detach", "--no-resolve-image", "--force", "roll")
	s.await("roll", n, 1)
	took := time.Since(began)
	s.remove("roll")
	return took
}

// remove waits until the containers are gone, too: what comes next is not to be disturbed.
func (s *swarm) remove(service string) {
	s.must("docker", "service", "rm", service)
	for began := time.Now(); s.must("docker", "ps", "--quiet") != ""; <-time.After(100 * time.Millisecond) {
		if time.Since(began) > time.Minute {
			s.tb.Fatal("containers of the swarm do not go")
		}
	}
}
