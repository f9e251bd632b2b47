//go:build e2e

package e2e_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

func withExec(in *ecs.RunTaskInput) { in.EnableExecuteCommand = true }

// execTask runs a task of the probe, whose image has nothing else and whose root file system is read-only, and returns its ARN.
func (e *Env) execTask() string {
	e.t.Helper()
	c := e.container("app", "wait")
	c.ReadonlyRootFilesystem, c.User = aws.Bool(true), aws.String("1234")
	task := e.RunTask(e.Define("exec", ecs.RegisterTaskDefinitionInput{}, c), withExec)
	e.AwaitStatus(task, "RUNNING")
	return task
}

// [run] AGENT-PROTOCOL §5, [D] SEMANTICS §13.8: the aws command line and the real session-manager-plugin, in an image that holds one
// static program and is read-only.
func TestExecuteCommand(t *testing.T) {
	e := NewDev(t)
	task := e.execTask()
	agents := e.AwaitStatus(task, "RUNNING").Containers[0].ManagedAgents
	if len(agents) != 1 || *agents[0].LastStatus != "RUNNING" || agents[0].Name != types.ManagedAgentNameExecuteCommandAgent {
		t.Errorf("managed agents: %+v", agents)
	}
	t.Run("conversation", func(t *testing.T) { e.converse(t, task) })
	t.Run("shell", e.shell)
	t.Run("two at once", func(t *testing.T) {
		first, second := atTerminal(t, e.execute(task, "/probe talk")), atTerminal(t, e.execute(task, "/probe talk"))
		first.await("uid 0")
		second.await("uid 0")
		first.typed("one\n")
		second.typed("two\n")
		first.await(`heard "one"`)
		second.await(`heard "two"`)
		first.typed("exit 0\n")
		first.end()
		second.typed("still there\n")
		second.await(`heard "still there"`)
		second.typed("exit 0\n")
		second.end()
	})
	t.Run("long output", func(t *testing.T) { e.longOutput(t, task) })
	t.Run("refusals", func(t *testing.T) { e.refusals(t, task) })
	t.Run("end of the task", func(t *testing.T) {
		x := atTerminal(t, e.execute(task, "/probe talk"))
		x.await("uid 0")
		ctx, cancel := within(patience)
		defer cancel()
		_, err := e.ECS.StopTask(ctx, &ecs.StopTaskInput{Task: &task})
		must(t, err)
		x.await("Exiting session")
		x.end()
	})
}

// converse uses a session as a person does: types, changes the window, presses ctrl-C, ends the command.
func (e *Env) converse(t *testing.T, task string) {
	x := atTerminal(t, e.execute(task, "/probe talk"))
	x.await("uid 0, size 100x30")
	x.typed("hello\n")
	x.await(`heard "hello"`)
	x.resize(80, 25)
	x.await("size 80x25")
	x.typed("\x03")
	x.await("interrupted")
	x.typed("exit 7\n")
	x.await("Exiting session with sessionId: ecs-execute-command-")
	if code := x.end(); code != 0 {
		t.Errorf("aws ends with %d, which the plugin makes of everything", code)
	}
	if out := without(t, e.execute(task, `/probe "print=a b" env=PATH`)); !strings.Contains(out, "a b\r\nPATH=/") {
		t.Errorf("a single command wrote\n%s", out)
	}
	poll(t, patience, func(context.Context) error { // a session is on record a moment after its client knows of its end
		events := e.CLI("events")
		for _, want := range []string{
			`exec in app by arn:aws:iam::000000000000:root: ["/probe" "talk"]`,
			`["/probe" "talk"] ended: exit code 7, `,
			`["/probe" "print=a b" "env=PATH"] ended: exit code 0, `,
		} {
			if !strings.Contains(events, want) {
				return errAgain(fmt.Sprintf("no event says %s:\n%s", want, events))
			}
		}
		return nil
	})
}

// shell uses a real shell, where there is one to put into an image.
func (e *Env) shell(t *testing.T) {
	if _, err := os.Stat("/usr/bin/busybox"); err != nil {
		t.Skip("no busybox on this machine")
	}
	c := e.container("app", "sleep", "1000000")
	c.Image = aws.String(e.CLI("image", "build", "/usr/bin/busybox", "busybox:1"))
	task := e.RunTask(e.Define("shell", ecs.RegisterTaskDefinitionInput{}, c, e.container("side", "wait")), withExec)
	e.AwaitStatus(task, "RUNNING")
	x := atTerminal(t, e.execute(task, "/busybox sh", "--container", "app"))
	x.await("# ")
	x.typed("echo $((6*7)) $TERM\n")
	x.await("42 xterm-256color")
	x.typed("/busybox sleep 100000\n")
	poll(t, patience, func(context.Context) error {
		if n := running(t, "/busybox sleep 100000"); n != 1 {
			return errAgain(fmt.Sprintf("%d sleep", n))
		}
		return nil
	})
	x.interrupt()
	x.typed("echo code $?\n")
	x.await("code 130")
	x.typed("exit\n")
	x.await("Exiting session")
	x.end()
}

// longOutput compares 10 MiB byte for byte, through the plugin and through our own command line, and what goes the other way.
func (e *Env) longOutput(t *testing.T, task string) {
	flood, err := exec.Command(probe, "flood=10").Output()
	must(t, err)
	began := time.Now()
	out := without(t, e.execute(task, "/probe flood=10"))
	if i := strings.Index(out, "...."); i < 0 || !strings.HasPrefix(out[i:], string(flood)) {
		t.Errorf("%d bytes came through the plugin, and they are not those of the %d that were sent", len(out), len(flood))
	}
	t.Logf("10 MiB through the plugin: %s", time.Since(began).Round(time.Millisecond))
	began = time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	said, err := e.cli(ctx, "exec", task, "--", "/probe", "flood=10")
	if must(t, err); said != string(flood) {
		t.Errorf("%d bytes came through our command line, want %d", len(said), len(flood))
	}
	t.Logf("10 MiB through roadstead exec: %s", time.Since(began).Round(time.Millisecond))
	if _, err := e.cli(ctx, "exec", task, "--", "/probe", "exit=7"); err == nil || !strings.Contains(err.Error(), "exit status 7") {
		t.Errorf("the exit code 7 comes as %v", err)
	}
}

// refusals are what the aws command line shows when there can be no session.
func (e *Env) refusals(t *testing.T, task string) {
	plain := e.RunTask(e.Define("plain", ecs.RegisterTaskDefinitionInput{}, e.container("app", "wait")))
	e.AwaitStatus(plain, "RUNNING")
	for name, c := range map[string]struct {
		cmd  *exec.Cmd
		want string
	}{
		"not enabled":       {e.execute(plain, "/probe"), "(InvalidParameterException) when calling the ExecuteCommand operation: The execute command failed because execute command was not enabled when the task was run"},
		"no such container": {e.execute(task, "/probe", "--container", "x"), "(InvalidParameterException) when calling the ExecuteCommand operation: The container name x was not found in the task."},
		"no such program":   {e.execute(task, "/nope"), "CannotExecContainerError: "},
	} {
		if out := without(t, c.cmd); !strings.Contains(out, c.want) {
			t.Errorf("%s: want %s, got\n%s", name, c.want, out)
		}
	}
}

// A session outlives the server that carries it and containerd, of the plugin and of our own command line; nothing of it is left
// when its agent is killed.
func TestExecOutlivesTheServer(t *testing.T) {
	e := NewPair(t)
	task := e.execTask()
	plugin := atTerminal(t, e.execute(task, "/probe talk"))
	plugin.await("uid 0")
	ours := e.own(t, task)
	for i := range 2 {
		e.Server.Kill9()
		e.Server.again()
		for _, x := range []*terminal{plugin, ours} {
			x.typed(fmt.Sprintf("after kill %d\n", i))
			x.await(fmt.Sprintf(`heard "after kill %d"`, i))
		}
	}
	e.killContainerd(filepath.Join(e.Dir, "n", "containerd"))
	ours.typed("after containerd\n")
	ours.await(`heard "after containerd"`)
	plugin.typed("exit 0\n")
	plugin.await("Exiting session")
	plugin.end()
	ours.typed("exit 5\n")
	if code := ours.end(); code != 5 {
		t.Errorf("our own command line ends with %d", code)
	}

	left := atTerminal(t, e.execute(task, "/probe talk"))
	left.await("uid 0")
	e.Agent.Kill9()
	if n := running(t, "/probe talk"); n != 1 {
		t.Errorf("%d commands of sessions run", n)
	}
	e.Agent.again()
	poll(t, patience, func(context.Context) error {
		if n := running(t, "/probe talk"); n > 0 {
			return errAgain(fmt.Sprintf("%d commands of sessions run", n))
		}
		return nil
	})
	e.AwaitStatus(task, "RUNNING")
}

// own talks to a task through our own command line.
func (e *Env) own(t *testing.T, task string) *terminal {
	t.Helper()
	cmd := exec.Command(binary, "exec", task, "--", "/probe", "talk")
	cmd.Env = append(os.Environ(), "ROADSTEAD_ENDPOINT="+e.URL, "AWS_ACCESS_KEY_ID="+key, "AWS_SECRET_ACCESS_KEY="+e.secret, "AWS_REGION="+region)
	x := atTerminal(t, cmd)
	x.await("uid 0")
	return x
}

// running counts the processes on this machine that have this command line.
func running(t testing.TB, command string) (n int) {
	t.Helper()
	out, err := exec.Command("pgrep", "-fxc", command).Output() // ends with 1 if there is none
	if _, serr := fmt.Sscan(string(out), &n); serr != nil {
		t.Fatal(err, serr)
	}
	return n
}

// without runs a command whose input is no terminal, and stays open: the plugin gives up at its end.
func without(t testing.TB, cmd *exec.Cmd) string {
	t.Helper()
	r, w, err := os.Pipe()
	must(t, err)
	defer w.Close()
	defer r.Close()
	cmd.Stdin = r
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Logf("%s: %v", strings.Join(cmd.Args, " "), err)
	}
	return string(out)
}

// A client comes through any member; when the leader dies, its session goes on through the next one. The plugin has not always
// the patience for an election: five attempts within four seconds.
func TestExecThroughMembers(t *testing.T) {
	e := newEnv(t)
	e.secret = secret
	leader, follower := e.roles(e.startMembers())
	e.connect(follower.url)
	e.CreateCluster("default")
	e.StartAgent()
	e.Image = e.BuildImage("probe:1")
	task := e.execTask()
	x := atTerminal(t, e.execute(task, "/probe talk"))
	x.await("uid 0")
	x.typed("exit 0\n")
	x.await("Exiting session")
	x.end()
	ours := e.own(t, task)
	leader.Kill9()
	ours.typed("after the leader's end\n")
	ours.await(`heard "after the leader's end"`)
	ours.typed("exit 3\n")
	if code := ours.end(); code != 3 {
		t.Errorf("exit code %d", code)
	}
	leader.again()
	leader.AwaitReady(patience)
}

// The root of a FARGATE task's container is root there, and nobody on the node.
func TestExecOnFargate(t *testing.T) {
	e := NewPair(t, "--fargate")
	in := ecs.RegisterTaskDefinitionInput{
		RequiresCompatibilities: []types.Compatibility{types.CompatibilityFargate}, NetworkMode: types.NetworkModeAwsvpc, Cpu: aws.String("256"), Memory: aws.String("512"),
	}
	task := e.RunTask(e.Define("fargate", in, e.container("app", "serve=127.0.0.1:8000", "wait")), withExec, inVPC, func(in *ecs.RunTaskInput) { in.LaunchType = types.LaunchTypeFargate })
	e.AwaitStatus(task, "RUNNING")
	x := atTerminal(t, e.execute(task, "/probe talk"))
	x.await("uid 0, size 100x30")
	out, err := exec.Command("pgrep", "-fxu", "root", "/probe talk").Output()
	if len(out) > 0 {
		t.Errorf("the command is the node's root: %s, %v", out, err)
	}
	x.typed("exit 0\n")
	x.end()
	if page := e.forward(t, task, "portNumber=8000").get("/"); !strings.Contains(page, " born ") {
		t.Errorf("through a forwarded port comes %q", page)
	}
}
