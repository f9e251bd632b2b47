//go:build e2e

package e2e_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// doctor runs `roadstead node doctor` on the environment's node, and returns what it says and whether all is well.
func (e *Env) doctor(flags ...string) (said string, well bool) {
	e.t.Helper()
	out, err := exec.Command(binary, append([]string{"node", "doctor", "--data-dir", filepath.Join(e.Dir, "n")}, flags...)...).CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		e.t.Fatal(err)
	}
	return string(out), err == nil
}

// kinds are those of the leaks that the doctor names.
func kinds(said string) (out []string) {
	for line := range strings.Lines(said) {
		if f := strings.Fields(line); len(f) > 1 && f[0] != "Node" && f[0] != "LEAK" && !strings.Contains(line, " leaks") {
			out = append(out, f[0])
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// litter leaves on the machine what a task of this id might have left.
func (e *Env) litter(task string) {
	e.t.Helper()
	run := func(args ...string) {
		e.t.Helper()
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			e.t.Fatalf("%q: %v: %s", args, err, out)
		}
	}
	node := filepath.Join(e.Dir, "n")
	for _, dir := range []string{"engine/volumes/" + task + "/v", "engine/logs/" + task, "runtime/containers/" + task + "-c"} {
		must(e.t, os.MkdirAll(filepath.Join(node, dir), 0o755))
	}
	space := filepath.Join(node, "network/netns", task)
	must(e.t, os.WriteFile(space, nil, 0o400))
	must(e.t, syscall.Mount("/proc/self/ns/net", space, "", syscall.MS_BIND, ""))
	e.t.Cleanup(func() { _ = exec.Command("ip", "link", "del", "rvdeadbeef").Run() })
	run("ip", "link", "add", "rvdeadbeef", "type", "veth", "peer", "name", "rvfeedbeef")
	run("ip", "link", "set", "rvdeadbeef", "master", "rs-"+e.Node)
	run("ip", "addr", "add", "10.254.254.1/24", "dev", "rs-"+e.Node)
	run("ctr", "--address", filepath.Join(node, "containerd/containerd.sock"), "--namespace", "roadstead-"+e.Node, "snapshots", "prepare", task+"-c")
	lost := exec.Command("sleep", "1000") // a process whose shim is gone
	must(e.t, lost.Start())
	e.t.Cleanup(func() { _ = lost.Process.Kill(); _ = lost.Wait() })
	roots, _ := filepath.Glob("/sys/fs/cgroup/*/roadstead/" + e.Node)
	if len(roots) == 0 {
		roots = []string{"/sys/fs/cgroup/roadstead/" + e.Node}
	}
	for _, root := range roots {
		dir := filepath.Join(root, task, "c")
		must(e.t, os.MkdirAll(dir, 0o755))
		_ = os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(lost.Process.Pid)), 0o644) // cpuset takes none before it is told more
	}
}

// TestDoctor: what belongs to no task is found and removed, what belongs to one is left alone, whether the agent runs or not.
func TestDoctor(t *testing.T) {
	t.Parallel()
	e := NewPair(t, "--cleanup-after", "1ms")
	c := e.container("c", "serve=:8000", "onterm=bye", "wait")
	c.MountPoints = []types.MountPoint{{SourceVolume: aws.String("v"), ContainerPath: aws.String("/v")}}
	arn := e.RunTask(e.Define("patient", ecs.RegisterTaskDefinitionInput{NetworkMode: types.NetworkModeAwsvpc, Volumes: []types.Volume{{Name: aws.String("v")}}}, c), inVPC)
	e.AwaitStatus(arn, "RUNNING")
	lives := e.lives([]string{arn})
	clean := func(when, begins string) {
		t.Helper()
		said, well := e.doctor()
		if !well || !strings.HasPrefix(said, begins) || !strings.Contains(said, "Nothing is there that no task explains.") {
			t.Errorf("%s it says\n%s", when, said)
		}
		if now := e.lives([]string{arn}); now[arn] != lives[arn] {
			t.Errorf("%s the task is %q, and was %q", when, now, lives)
		}
	}
	running := fmt.Sprintf("Node %s: its agent runs; it has 1 tasks.\n", e.Node)
	clean("at first", running)
	e.litter("0123456789abcdef0123456789abcdef")
	said, well := e.doctor()
	t.Log(said)
	if got, want := strings.Join(kinds(said), " "), "address cgroup directory link namespace snapshot"; well || got != want {
		t.Errorf("of litter it names %s, want %s", got, want)
	}
	if said, well := e.doctor("--repair"); !well || strings.Contains(said, "STILL") {
		t.Errorf("repaired, it says\n%s", said)
	}
	clean("after the repair", running)

	e.Agent.Kill9()
	stopped := fmt.Sprintf("Node %s: no agent runs; it has 1 tasks.\n", e.Node)
	clean("without an agent", stopped)
	e.killContainerd(filepath.Join(e.Dir, "n", "containerd"))
	clean("without containerd", stopped)
	must(t, os.Remove(filepath.Join(e.Dir, "n", "engine", "tasks", "journal")))
	said, _ = e.doctor("--repair")
	t.Log(said)
	for _, kind := range []string{"container", "shim", "mount", "snapshot", "cgroup", "directory", "sandbox"} {
		if !slices.Contains(kinds(said), kind) {
			t.Errorf("of a task that is forgotten it does not name the %s", kind)
		}
	}
	if said, well := e.doctor(); !well {
		t.Errorf("after that repair it says\n%s", said)
	}
	for what, n := range e.Leftovers().ofTasks() {
		if n > 0 {
			t.Errorf("%d %s are left", n, what)
		}
	}
	e.Agent.again()
	e.AwaitStatus(e.RunTask(e.Define("next", ecs.RegisterTaskDefinitionInput{}, e.container("c", "onterm=bye", "wait"))), "RUNNING")
}
