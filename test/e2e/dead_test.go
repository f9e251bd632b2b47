//go:build e2e

package e2e_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// TestNobodyLooks kills the agent, then what it looked after: containers, their shims or all, and looks at what the next agent makes of
// it. Every task has stopped, and nothing is left of it; then a new task runs.
func TestNobodyLooks(t *testing.T) {
	for name, kill := range map[string]func(*Env){
		"containers": func(e *Env) { e.killAll("/probe") },
		"shims":      func(e *Env) { e.killAll("containerd-shim") },
		"both":       func(e *Env) { e.killAll("containerd-shim"); e.killAll("/probe") },
		"containerd and containers": func(e *Env) {
			e.killContainerd(filepath.Join(e.Dir, "d", "node", "containerd"))
			e.killAll("/probe")
		},
		"all": func(e *Env) {
			e.killContainerd(filepath.Join(e.Dir, "d", "node", "containerd"))
			e.killAll("containerd-shim")
			e.killAll("/probe")
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := NewDev(t, "--cleanup-after", "1ms", "--log-level", "info")
			c := e.container("c", "onterm=bye", "wait")
			c.Memory = aws.Int32(8)
			def := e.Define("unseen", ecs.RegisterTaskDefinitionInput{NetworkMode: types.NetworkModeAwsvpc}, c)
			arns := e.RunMany(def, 5, 5, inVPC)
			e.AwaitAll(arns, "RUNNING")
			e.Dev.Kill9()
			kill(e)
			e.Dev.again()
			e.Dev.AwaitReady(patience)
			e.AwaitAll(arns, "STOPPED")
			poll(t, patience, func(context.Context) error {
				for what, n := range e.Leftovers().ofTasks() {
					if n > 0 {
						return errAgain(fmt.Sprintf("%d %s are left: %s", n, what, e.Leftovers()))
					}
				}
				return nil
			})
			arn := e.RunTask(def, inVPC)
			e.AwaitStatus(arn, "RUNNING")
			e.StopTask(arn)
			e.AwaitStatus(arn, "STOPPED")
		})
	}
}

// TestNobodyAnswers has containers end while no agent looks, and keeps their shims from answering the next one at first, as they may on a
// machine that is very busy: it is not told of an end that was before it, and must look again.
func TestNobodyAnswers(t *testing.T) {
	e := NewDev(t, "--cleanup-after", "1ms")
	c := e.container("c", "onterm=bye", "wait")
	c.Memory = aws.Int32(8)
	def := e.Define("silent", ecs.RegisterTaskDefinitionInput{NetworkMode: types.NetworkModeAwsvpc}, c)
	arns := e.RunMany(def, 2, 2, inVPC)
	e.AwaitAll(arns, "RUNNING")
	e.Dev.Kill9()
	e.killAll("/probe")
	<-time.After(time.Second) // containerd is told of the ends
	shims := e.Leftovers().Shims
	for _, shim := range shims {
		must(t, e.signal(shim, syscall.SIGSTOP))
	}
	e.Dev.again()
	e.Dev.AwaitReady(patience)
	<-time.After(15 * time.Second) // it has looked twice, and waited for each shim for the two seconds that containerd does
	ctx, cancel := within(patience)
	all, err := e.Describe(ctx, arns...)
	cancel()
	must(t, err)
	for i := range all {
		if *all[i].LastStatus != "RUNNING" {
			t.Errorf("while nobody knows: %s", story(&all[i]))
		}
	}
	for _, shim := range shims {
		must(t, e.signal(shim, syscall.SIGCONT))
	}
	began := time.Now()
	e.AwaitAll(arns, "STOPPED")
	t.Logf("%d shims answer again; STOPPED after %s", len(shims), ms(time.Since(began)))
	e.AwaitNothingOfTasks()
}

// signal sends a signal to a process that Leftovers names.
func (e *Env) signal(pid string, s syscall.Signal) error {
	n, err := strconv.Atoi(pid)
	if err != nil {
		return err
	}
	return syscall.Kill(n, s)
}

// TestEndAfterNobodyLooked ends the next agent at once, before it has looked at everything.
func TestEndAfterNobodyLooked(t *testing.T) {
	e := NewDev(t)
	c := e.container("c", "onterm=bye", "wait")
	c.Memory = aws.Int32(8)
	def := e.Define("unseen", ecs.RegisterTaskDefinitionInput{NetworkMode: types.NetworkModeAwsvpc}, c)
	for _, kill := range [][]string{{"/probe"}, {"containerd-shim"}, {"containerd-shim", "/probe"}} {
		e.AwaitAll(e.RunMany(def, 5, 5, inVPC), "RUNNING")
		e.Dev.Kill9()
		for _, what := range kill {
			e.killAll(what)
		}
		e.Dev.again()
		e.Dev.AwaitReady(patience)
		if code := e.Dev.Term(patience); code != 0 {
			t.Errorf("exit code %d", code)
		}
		e.awaitNothingLeft()
		e.Dev.again()
		e.Dev.AwaitReady(patience)
	}
}

// TestEndWhileANodeIsDead ends `dev` while one of its nodes is dead, killed -9 with its containers, and not started again yet.
func TestEndWhileANodeIsDead(t *testing.T) {
	e := NewDev(t, "--nodes", "2")
	c := e.container("c", "onterm=bye", "wait")
	c.Memory = aws.Int32(8)
	e.AwaitAll(e.RunMany(e.Define("unseen", ecs.RegisterTaskDefinitionInput{NetworkMode: types.NetworkModeAwsvpc}, c), 6, 6, inVPC), "RUNNING")
	for _, after := range []time.Duration{0, time.Second} { // at once; and about when the next agent begins
		e.killNode("n2")
		<-time.After(after)
		if code := e.Dev.Term(patience); code != 0 {
			t.Errorf("exit code %d", code)
		}
		e.awaitNothingLeft()
		e.Dev.again()
		e.Dev.AwaitReady(patience)
		e.AwaitNodes(2)
	}
}

// killNode kills -9 the agent of a node of `dev --nodes` and the processes of all its containers.
func (e *Env) killNode(name string) {
	e.t.Helper()
	must(e.t, syscall.Kill(e.nodeAgent(name), syscall.SIGKILL))
	for pid := range processes() {
		if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid)); err == nil && strings.Contains(string(b), "/roadstead/"+name+"/") {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// killAll kills the shims of the environment's containers, or the containers' own processes ("/probe"), and returns when none lives.
func (e *Env) killAll(command string) {
	e.t.Helper()
	left := e.shims // once: what containerd starts then, under the same name, clears away behind them
	if command == "/probe" {
		left = e.inContainers
	}
	var pids []int
	poll(e.t, 10*time.Second, func(context.Context) error {
		if pids == nil || command == "/probe" {
			pids = left()
			for _, pid := range pids {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		if pids = slices.DeleteFunc(pids, func(pid int) bool { return !lives(pid) }); len(pids) > 0 {
			return errAgain(fmt.Sprint(pids, " live"))
		}
		return nil
	})
}

// shims are the processes of containerd that hold the environment's containers.
func (e *Env) shims() (pids []int) {
	for pid, args := range processes() {
		if strings.Contains(args[0], "containerd-shim") && strings.Contains(strings.Join(args, " "), e.Dir+"/") {
			pids = append(pids, pid)
		}
	}
	return pids
}

// lives says whether there is a process with the number that has not ended.
func lives(pid int) bool {
	state, err := os.ReadFile(fmt.Sprint("/proc/", pid, "/stat"))
	return err == nil && !strings.Contains(string(state), ") Z ")
}

// inContainers are the processes in the cgroups of the environment's nodes. What is in a container's cgroup is the container's: on a
// busy machine one with hardly a share of the processors is RUNNING for a while before its process is called by its command's name.
func (e *Env) inContainers() (pids []int) {
	var l leftovers
	for _, name := range e.nodes() {
		l.node(name)
	}
	for _, c := range l.Cgroups {
		b, _ := os.ReadFile(filepath.Join(c, "cgroup.procs"))
		for p := range strings.FieldsSeq(string(b)) {
			if pid, err := strconv.Atoi(p); err == nil && lives(pid) {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}
